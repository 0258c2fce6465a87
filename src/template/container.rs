//! Go's slices and maps.
//!
//! Slices are immutable. Maps are references, as in Go, so a map can come to hold itself: whoever walks a value counts
//! its depth.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

use crate::template::text::Text;
use crate::template::value::Value;

/// A Go slice; `nil` and empty differ in JSON only.
#[derive(Clone, Debug)]
pub struct List(Arc<ListInner>);

#[derive(Debug)]
struct ListInner {
    kind: ListKind,
    nil: bool,
    items: Vec<Value>,
}

/// The Go type of a slice: the whole type and its element, as `%T` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListKind {
    /// The slice type, such as `[]string` or `x509util.MultiString`.
    pub name: &'static str,
    /// The element type, such as `string`.
    pub element: &'static str,
}

/// A Go map with string keys, kept in byte order of the keys; clones share it, as in Go.
#[derive(Clone, Debug)]
pub struct Map(Arc<MapInner>);

struct MapInner {
    kind: MapKind,
    nil: bool,
    entries: RwLock<BTreeMap<Text, Value>>,
}

/// The Go type of a map: the whole type and its element, as `%T` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapKind {
    /// The map type, such as `map[string]interface {}`.
    pub name: &'static str,
    /// The element type, such as `interface {}`.
    pub element: &'static str,
}

impl ListKind {
    /// `[]interface {}`.
    pub const ANY: Self = Self { name: "[]interface {}", element: "interface {}" };
    /// `[]string`.
    pub const STRING: Self = Self { name: "[]string", element: "string" };
    /// `[]int`.
    pub const INT: Self = Self { name: "[]int", element: "int" };
    /// `[][]interface {}`.
    pub const LISTS: Self = Self { name: "[][]interface {}", element: "[]interface {}" };
    /// `[]uint8`.
    pub const BYTES: Self = Self { name: "[]uint8", element: "uint8" };
}

impl List {
    /// A slice of `items` of the Go type `kind`.
    #[must_use]
    pub fn new(kind: ListKind, items: Vec<Value>) -> Self {
        Self(Arc::new(ListInner { kind, nil: false, items }))
    }

    /// The nil slice of the Go type `kind`: empty, and null in JSON.
    #[must_use]
    pub fn nil(kind: ListKind) -> Self {
        Self(Arc::new(ListInner { kind, nil: true, items: Vec::new() }))
    }

    pub(super) fn of_bytes(bytes: &Text) -> Self {
        Self::new(ListKind::BYTES, bytes.as_bytes().iter().map(|byte| Value::uint8(*byte)).collect())
    }

    /// The Go type.
    #[must_use]
    pub fn kind(&self) -> ListKind {
        self.0.kind
    }

    /// What tells this slice from an equal one.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether this is a nil slice.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// The elements.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }
}

impl MapKind {
    /// `map[string]interface {}`.
    pub const ANY: Self = Self { name: "map[string]interface {}", element: "interface {}" };
    /// `map[string]string`.
    pub const STRING: Self = Self { name: "map[string]string", element: "string" };
}

impl Map {
    /// A map of the Go type `kind`.
    #[must_use]
    pub fn new(kind: MapKind, entries: BTreeMap<Text, Value>) -> Self {
        Self(Arc::new(MapInner { kind, nil: false, entries: RwLock::new(entries) }))
    }

    /// The nil map of the Go type `kind`: empty, null in JSON, and nothing can be set in it.
    #[must_use]
    pub fn nil(kind: MapKind) -> Self {
        Self(Arc::new(MapInner { kind, nil: true, entries: RwLock::default() }))
    }

    /// The Go type.
    #[must_use]
    pub fn kind(&self) -> MapKind {
        self.0.kind
    }

    /// What tells this map from an equal one.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether this is a nil map.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`, if it is there.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.read().get(key).cloned()
    }

    /// Sets `key`, for everyone who holds this map; a nil map stays as it is.
    pub fn insert(&self, key: Text, value: Value) {
        if !self.0.nil {
            self.0.entries.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        }
    }

    /// Removes `key`, for everyone who holds this map.
    pub fn remove(&self, key: &[u8]) {
        // The value is dropped after the lock is released, since it may hold this very map.
        let removed = self.0.entries.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        drop(removed);
    }

    /// A copy of the entries as they are now, in byte order of the keys.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Text, Value)> {
        self.read().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Whether `other` is the same map, not an equal one.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Text, Value>> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops nested containers one after the other: a template can chain more of them than the stack has room for.
fn dismantle(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut inner) = Arc::into_inner(list.0) {
                    pending.extend(std::mem::take(&mut inner.items).into_iter().filter(is_container));
                }
            }
            Value::Map(map) => {
                if let Some(mut inner) = Arc::into_inner(map.0) {
                    pending.extend(inner.take().into_values().filter(is_container));
                }
            }
            _ => {}
        }
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

impl MapInner {
    fn take(&mut self) -> BTreeMap<Text, Value> {
        std::mem::take(self.entries.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for ListInner {
    fn drop(&mut self) {
        if self.items.iter().any(is_container) {
            dismantle(std::mem::take(&mut self.items));
        }
    }
}

impl Drop for MapInner {
    fn drop(&mut self) {
        let entries = self.take();
        if entries.values().any(is_container) {
            dismantle(entries.into_values().collect());
        }
    }
}

impl fmt::Debug for MapInner {
    /// Names the keys only: a map may hold itself.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_set().entries(entries.keys()).finish()
    }
}
