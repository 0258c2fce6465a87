//! Maps: making, reading, changing, merging.
//!
//! As in Go a map is shared: `set`, `unset` and `merge` change it for everyone who holds it. Go walks a map in no
//! order; here `keys` and `values` follow the order of the keys.

use std::collections::BTreeMap;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::text_of;
use crate::template::value::List;
use crate::template::value::Map;
use crate::template::value::MapKind;
use crate::template::value::Text;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("dict", &[], Kind::Any, dict),
    Function::new("get", &[Kind::Map, Kind::String], |_, arguments| {
        let [map, key] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(member(map, key)?.unwrap_or_else(|| Value::from("")))
    }),
    Function::new("set", &[Kind::Map, Kind::String, Kind::Any], set),
    Function::new("unset", &[Kind::Map, Kind::String], |_, arguments| {
        let [map, key] = arguments else {
            return Err(Failure::arguments());
        };
        if let Some(map) = map.as_map() {
            map.remove(bytes(key)?);
        }
        Ok(map.clone())
    }),
    Function::new("hasKey", &[Kind::Map, Kind::String], |_, arguments| {
        let [map, key] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(member(map, key)?.is_some().into())
    }),
    Function::variadic("pluck", &[Kind::String], Kind::Map, pluck),
    Function::variadic("keys", &[], Kind::Map, |_, arguments| {
        Ok(Value::strings(arguments.iter().flat_map(entries).map(|(key, _)| key)))
    }),
    Function::new("values", &[Kind::Map], |_, arguments| {
        Ok(Value::list(arguments.iter().flat_map(entries).map(|(_, value)| value).collect()))
    }),
    Function::variadic("pick", &[Kind::Map], Kind::String, |_, arguments| {
        select(arguments, |key, names| names.contains(key))
    }),
    Function::variadic("omit", &[Kind::Map], Kind::String, |_, arguments| {
        select(arguments, |key, names| !names.contains(key))
    }),
    Function::variadic("merge", &[Kind::Map], Kind::Map, |call, arguments| merge_all(call, arguments, false)),
    Function::variadic("mustMerge", &[Kind::Map], Kind::Map, |call, arguments| {
        merge_all(call, arguments, false)
    }),
    Function::variadic("mergeOverwrite", &[Kind::Map], Kind::Map, |call, arguments| {
        merge_all(call, arguments, true)
    }),
    Function::variadic("mustMergeOverwrite", &[Kind::Map], Kind::Map, |call, arguments| {
        merge_all(call, arguments, true)
    }),
    Function::variadic("dig", &[], Kind::Any, dig),
    Function::new("deepCopy", &[Kind::Any], deep_copy),
    Function::new("mustDeepCopy", &[Kind::Any], deep_copy),
];

/// The entries of a map; a nil map has none.
fn entries(map: &Value) -> Vec<(Text, Value)> {
    map.as_map().map(Map::snapshot).unwrap_or_default()
}

fn member(map: &Value, key: &Value) -> Result<Option<Value>, Failure> {
    let key = bytes(key)?;
    Ok(map.as_map().and_then(|map| map.get(key)))
}

fn dict(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let mut map = BTreeMap::new();
    for pair in arguments.chunks(2) {
        let [key, rest @ ..] = pair else { continue };
        // A key without a value gets the empty text.
        let value = rest.first().cloned().unwrap_or_else(|| Value::from(""));
        map.insert(text_of(call, key)?, value);
    }
    Ok(Value::Map(Map::new(MapKind::ANY, map)))
}

fn set(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [map, key, value] = arguments else {
        return Err(Failure::arguments());
    };
    let entries = map.as_map().filter(|map| !map.is_nil());
    let entries = entries.ok_or_else(|| Failure::error("assignment to entry in nil map"))?;
    entries.insert(key.as_text().ok_or_else(Failure::arguments)?.clone(), value.clone());
    Ok(map.clone())
}

fn pluck(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [key, maps @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let members = maps.iter().map(|map| member(map, key)).collect::<Result<Vec<_>, _>>()?;
    Ok(Value::list(members.into_iter().flatten().collect()))
}

fn select(
    arguments: &[Value],
    keep: fn(&Text, &std::collections::BTreeSet<Text>) -> bool,
) -> Result<Value, Failure> {
    let [map, names @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let names = names.iter().filter_map(|name| name.as_text().cloned()).collect();
    Ok(Value::map(entries(map).into_iter().filter(|(key, _)| keep(key, &names))))
}

fn merge_all(call: &mut Call<'_>, arguments: &[Value], overwrite: bool) -> Result<Value, Failure> {
    let [target, sources @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let mut target = target.as_map().ok_or_else(Failure::arguments)?.clone();
    for source in sources {
        let source = source.as_map().ok_or_else(Failure::arguments)?;
        if target.is_nil() && !source.is_nil() {
            target = Map::new(MapKind::ANY, BTreeMap::new());
        }
        merge(call, &target, source, overwrite, call.value_depth())?;
    }
    Ok(Value::Map(target))
}

/// Fills what is missing or empty in `target`, or overwrites it; maps in both are merged in turn.
fn merge(
    call: &mut Call<'_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Limit("a value is nested too deeply"))?;
    if target.is_same(source) {
        return Ok(());
    }
    for (key, value) in source.snapshot() {
        call.meter.step()?;
        let present = target.get(key.as_bytes());
        if let (Some(present), Some(value)) = (present.as_ref().and_then(Value::as_map), value.as_map()) {
            merge(call, present, value, overwrite, depth)?;
            if !present.is_empty() {
                continue;
            }
        }
        let fill = present.is_none_or(|present| !present.is_true());
        // Nil never fills a gap, but it overwrites.
        if overwrite || fill && !value.is_nil() {
            call.charge(key.len() + 2 * size_of::<Value>())?;
            target.insert(key, value);
        }
    }
    Ok(())
}

fn dig(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [keys @ .., missing, map] = arguments else {
        return Err(too_few());
    };
    if keys.is_empty() {
        return Err(too_few());
    }
    // Go looks at the kinds of all arguments before it follows the first key.
    any_map(map)?;
    let text = |key: &Value| key.as_text().cloned().ok_or_else(|| conversion(key, "string"));
    let keys = keys.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mut found = map.clone();
    for key in keys {
        match any_map(&found)?.get(key.as_bytes()) {
            Some(value) => found = value,
            None => return Ok(missing.clone()),
        }
    }
    Ok(found)
}

/// A `map[string]interface {}`, and no other map.
fn any_map(value: &Value) -> Result<&Map, Failure> {
    match value {
        Value::Map(map) if map.kind() == MapKind::ANY => Ok(map),
        _ => Err(conversion(value, MapKind::ANY.name)),
    }
}

fn too_few() -> Failure {
    Failure::error("dig needs at least three arguments")
}

fn conversion(value: &Value, wanted: &str) -> Failure {
    let found = if value.is_nil() { "nil".to_owned() } else { value.type_name() };
    Failure::error(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}

fn deep_copy(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value] = arguments else {
        return Err(Failure::arguments());
    };
    if value.is_nil() {
        return Err(Failure::error("reflect: call of reflect.Value.Type on zero Value"));
    }
    copy(call, value, call.value_depth())
}

fn copy(call: &mut Call<'_>, value: &Value, depth: usize) -> Result<Value, Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Limit("a value is nested too deeply"))?;
    call.meter.step()?;
    Ok(match value {
        Value::List(list) if list.is_nil() => value.clone(),
        Value::Map(map) if map.is_nil() => value.clone(),
        Value::List(list) => {
            call.charge(value.shallow_size())?;
            let items = list.items().iter().map(|item| copy(call, item, depth)).collect::<Result<_, _>>()?;
            Value::List(List::new(list.kind(), items))
        }
        Value::Map(map) => {
            call.charge(value.shallow_size())?;
            let mut copied = BTreeMap::new();
            for (key, value) in map.snapshot() {
                copied.insert(key, copy(call, &value, depth)?);
            }
            Value::Map(Map::new(map.kind(), copied))
        }
        // Everything else cannot change.
        _ => value.clone(),
    })
}
