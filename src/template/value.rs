//! What a template computes with: Go's values, as far as their differences show in a template.
//!
//! # How to use it
//!
//! [`Value`] is 24 bytes and cheap to clone; everything large sits behind an `Arc`. Make one with `Value::from`
//! (`&str`, `String`, `Vec<u8>` and [`Text`] give a Go `string`; `bool`, `f64`), [`Value::int`] (Go `int`),
//! [`Value::int64`], [`Value::bytes`] (`[]byte`), [`Value::list`] (`[]interface {}`), [`Value::strings`]
//! (`[]string`), [`Value::map`] (`map[string]interface {}`) or one of the structures' own constructors.
//!
//! - Strings are bytes ([`Text`]), not UTF-8; use [`Text::to_str_lossy`] only for messages.
//! - Kinds are strict in Go. `as_*` look at one kind and never convert.
//! - [`Value::Nil`] is Go's `nil` (JSON null); [`Value::Missing`] is what a map gives for an absent key. A function
//!   with a parameter of kind `Any` sees both as `Nil`; only kind `Reflect` sees `Missing`.
//! - Lists are immutable: build a new one. Maps are references, as in Go: `set` changes the map for everyone who
//!   holds it, so data for a rendering is built for that rendering. [`Map::snapshot`] copies one level.
//! - Certificate data are [`Object`]s: named types with fields, methods, text and JSON forms.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::template::object::Object;

pub use crate::template::container::List;
pub use crate::template::container::ListKind;
pub use crate::template::container::Map;
pub use crate::template::container::MapKind;
pub use crate::template::text::Text;

/// One Go value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Go's `nil` without a type, JSON's null.
    Nil,
    /// What an absent key of a map gives; prints `<no value>`, and so does any field of it.
    Missing,
    /// `bool`.
    Bool(bool),
    /// An integer of any width.
    Int(Integer),
    /// `float64`; every number of a JSON text is one.
    Float(f64),
    /// `complex128`, which only a constant such as `2i` gives.
    Complex(f64, f64),
    /// `string`.
    String(Text),
    /// `[]uint8`, Go's `[]byte`.
    Bytes(Text),
    /// A slice.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// A named type: structure, pointer to one, or anything with methods.
    Object(Arc<Object>),
    /// `time.Time`.
    Time(Arc<Time>),
    /// `time.Duration`, in nanoseconds.
    Duration(i64),
}

/// A Go integer with its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    /// The Go type.
    pub kind: IntegerKind,
    /// The number; for `uint64` and `uint` the same 64 bits read as signed.
    pub bits: i64,
}

/// The integer types that occur in template data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Go's own type names")]
pub enum IntegerKind {
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

/// A Go time: an instant with the offset it is shown in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The instant, carrying its offset.
    pub instant: OffsetDateTime,
    /// The zone's abbreviation: `UTC`, or empty for a bare offset, which Go then shows as `+0200`.
    pub zone: Arc<str>,
}

impl Value {
    /// A Go `int`.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Int(Integer { kind: IntegerKind::Int, bits: number })
    }

    /// A Go `int64`.
    #[must_use]
    pub fn int64(number: i64) -> Self {
        Self::Int(Integer { kind: IntegerKind::Int64, bits: number })
    }

    /// A Go `uint8`, which indexing a string or bytes gives.
    #[must_use]
    pub fn uint8(number: u8) -> Self {
        Self::Int(Integer { kind: IntegerKind::Uint8, bits: i64::from(number) })
    }

    /// A Go `[]byte`.
    #[must_use]
    pub fn bytes(bytes: impl Into<Text>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// A Go `[]interface {}`.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(ListKind::ANY, items))
    }

    /// A Go `[]string`.
    pub fn strings<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Self {
        let items = items.into_iter().map(|item| Self::String(item.into())).collect();
        Self::List(List::new(ListKind::STRING, items))
    }

    /// A Go `map[string]interface {}`.
    pub fn map<K: Into<Text>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(Map::new(
            MapKind::ANY,
            entries.into_iter().map(|(key, value)| (key.into(), value)).collect(),
        ))
    }

    /// A time in UTC.
    #[must_use]
    pub fn time(instant: OffsetDateTime) -> Self {
        Self::Time(Arc::new(Time::utc(instant)))
    }

    /// A JSON value as Go's `encoding/json` reads it into an `interface {}`: every number is a `float64`.
    ///
    /// The depth is bounded by whoever parsed `json`.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::from(text.as_str()),
            serde_json::Value::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(members) => {
                Self::map(members.iter().map(|(name, value)| (name.as_str(), Self::from_json(value))))
            }
        }
    }

    /// The Go type as `%T` and `typeOf` write it; `<nil>` for nil.
    #[must_use]
    pub fn type_name(&self) -> String {
        match self {
            Self::Nil | Self::Missing => "<nil>".to_owned(),
            Self::Bool(_) => "bool".to_owned(),
            Self::Int(integer) => integer.kind.name().to_owned(),
            Self::Float(_) => "float64".to_owned(),
            Self::Complex(..) => "complex128".to_owned(),
            Self::String(_) => "string".to_owned(),
            Self::Bytes(_) => "[]uint8".to_owned(),
            Self::List(list) => list.kind().name.to_owned(),
            Self::Map(map) => map.kind().name.to_owned(),
            Self::Object(object) => object.qualified_name(),
            Self::Time(_) => "time.Time".to_owned(),
            Self::Duration(_) => "time.Duration".to_owned(),
        }
    }

    /// The Go kind as `kindOf` writes it; `invalid` for nil.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil | Self::Missing => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(integer) => integer.kind.name(),
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::String(_) => "string",
            Self::Bytes(_) | Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Object(object) => object.kind_name(),
            Self::Time(_) => "struct",
            Self::Duration(_) => "int64",
        }
    }

    /// Whether this is nil or missing.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil | Self::Missing)
    }

    /// What `if` decides on: false for false, zero, nil, empty strings, lists and maps; structures are always true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::Missing => false,
            Self::Bool(truth) => *truth,
            Self::Int(integer) => integer.bits != 0,
            Self::Float(number) => *number != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.items().is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
            Self::Time(_) => true,
            Self::Duration(nanoseconds) => *nanoseconds != 0,
        }
    }

    /// The text of a Go `string`, and of nothing else.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a Go integer of any width.
    #[must_use]
    pub fn as_integer(&self) -> Option<Integer> {
        match self {
            Self::Int(integer) => Some(*integer),
            _ => None,
        }
    }

    /// The number of a `float64`.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth of a `bool`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The elements of any slice, bytes and named slices included.
    #[must_use]
    pub fn as_list(&self) -> Option<List> {
        match self {
            Self::List(list) => Some(list.clone()),
            Self::Bytes(bytes) => Some(List::of_bytes(bytes)),
            Self::Object(object) => object.underlying()?.as_list(),
            _ => None,
        }
    }

    /// A map of any element type, named maps included.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            Self::Object(object) => object.underlying()?.as_map(),
            _ => None,
        }
    }

    /// The time of a `time.Time`.
    #[must_use]
    pub fn as_time(&self) -> Option<&Time> {
        match self {
            Self::Time(time) => Some(time),
            _ => None,
        }
    }

    /// What the Go methods `String` or `Error` give, for values that have one of them.
    #[must_use]
    pub fn stringer_text(&self) -> Option<Text> {
        match self {
            Self::Object(object) => object.text(),
            Self::Time(time) => Some(super::go_time::time_text(time).into()),
            Self::Duration(nanoseconds) => Some(super::go_time::duration_text(*nanoseconds).into()),
            _ => None,
        }
    }

    /// A rough size in bytes of what this value alone holds, for the allocation limit.
    #[must_use]
    pub fn shallow_size(&self) -> usize {
        match self {
            Self::String(text) | Self::Bytes(text) => text.len(),
            Self::List(list) => list.items().len().saturating_mul(size_of::<Self>()),
            Self::Map(map) => map.len().saturating_mul(2 * size_of::<Self>()),
            _ => 0,
        }
    }
}

impl IntegerKind {
    /// The Go name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }

    /// Whether the type has a sign.
    #[must_use]
    pub fn is_signed(self) -> bool {
        matches!(self, Self::Int | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }
}

impl Integer {
    /// The number, whatever its width and sign.
    #[must_use]
    pub fn number(self) -> i128 {
        if self.kind.is_signed() { i128::from(self.bits) } else { i128::from(self.bits.cast_unsigned()) }
    }
}

impl Time {
    /// `instant` shown in UTC.
    #[must_use]
    pub fn utc(instant: OffsetDateTime) -> Self {
        Self { instant: instant.to_offset(time::UtcOffset::UTC), zone: Arc::from("UTC") }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::String(bytes.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::String(bytes.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}
