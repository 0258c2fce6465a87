//! Lists: taking apart, putting together, searching.
//!
//! Lists never change; every function makes a new one. The `must` forms differ in Go only in how they fail,
//! and are the same functions here.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::fits;
use crate::template::functions::integer;
use crate::template::functions::numbers::to_int;
use crate::template::functions::text_of;
use crate::template::functions::texts_of;
use crate::template::value::List;
use crate::template::value::ListKind;
use crate::template::value::Value;

const ONE: &[Kind] = &[Kind::Any];
const TWO: &[Kind] = &[Kind::Any, Kind::Any];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("list", &[], Kind::Any, list),
    Function::variadic("tuple", &[], Kind::Any, list),
    Function::new("append", TWO, append),
    Function::new("push", TWO, append),
    Function::new("mustAppend", TWO, append),
    Function::new("mustPush", TWO, append),
    Function::new("prepend", TWO, prepend),
    Function::new("mustPrepend", TWO, prepend),
    Function::variadic("concat", &[], Kind::Any, concat),
    Function::new("first", ONE, first),
    Function::new("mustFirst", ONE, first),
    Function::new("last", ONE, last),
    Function::new("mustLast", ONE, last),
    Function::new("rest", ONE, rest),
    Function::new("mustRest", ONE, rest),
    Function::new("initial", ONE, initial),
    Function::new("mustInitial", ONE, initial),
    Function::new("reverse", ONE, reverse),
    Function::new("mustReverse", ONE, reverse),
    Function::new("compact", ONE, compact),
    Function::new("mustCompact", ONE, compact),
    Function::new("uniq", ONE, uniq),
    Function::new("mustUniq", ONE, uniq),
    Function::variadic("without", ONE, Kind::Any, without),
    Function::variadic("mustWithout", ONE, Kind::Any, without),
    Function::new("has", TWO, has),
    Function::new("mustHas", TWO, has),
    Function::variadic("slice", ONE, Kind::Any, slice),
    Function::variadic("mustSlice", ONE, Kind::Any, slice),
    Function::new("chunk", &[Kind::Int, Kind::Any], chunk),
    Function::new("mustChunk", &[Kind::Int, Kind::Any], chunk),
    Function::new("sortAlpha", ONE, sort_alpha),
];

/// The members of a slice of any Go type; nothing for a pointer to one, or for anything else.
pub(super) fn items_of(value: &Value) -> Option<List> {
    if value.kind_name() == "slice" { value.as_list() } else { None }
}

fn items(value: &Value, complaint: &str) -> Result<List, Failure> {
    if value.is_nil() {
        return Err(Failure::error("runtime error: invalid memory address or nil pointer dereference"));
    }
    items_of(value).ok_or_else(|| Failure::error(format!("{complaint} {}", value.kind_name())))
}

fn one(arguments: &[Value]) -> Result<&Value, Failure> {
    arguments.first().ok_or_else(Failure::arguments)
}

fn two(arguments: &[Value]) -> Result<(&Value, &Value), Failure> {
    let [first, second] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((first, second))
}

fn list(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    // Without arguments Go hands over an empty slice that is not nil.
    Ok(Value::list(arguments.to_vec()))
}

fn append(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (list, value) = two(arguments)?;
    let list = items(list, "Cannot push on type")?;
    Ok(Value::list(list.items().iter().chain([value]).cloned().collect()))
}

fn prepend(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (list, value) = two(arguments)?;
    let list = items(list, "Cannot prepend on type")?;
    Ok(Value::list([value].into_iter().chain(list.items()).cloned().collect()))
}

fn concat(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for list in arguments {
        let Some(list) = items_of(list).filter(|_| !list.is_nil()) else {
            return Err(items(list, "Cannot concat type").err().map_or_else(Failure::arguments, as_list));
        };
        fits(call, (all.len() + list.items().len()).checked_mul(size_of::<Value>()))?;
        all.extend_from_slice(list.items());
    }
    Ok(if all.is_empty() { nil_list() } else { Value::list(all) })
}

fn as_list(failure: Failure) -> Failure {
    match failure {
        Failure::Error(text) if text.starts_with("Cannot concat") => {
            Failure::Error(format!("{text} as list"))
        }
        other => other,
    }
}

fn nil_list() -> Value {
    Value::List(List::nil(ListKind::ANY))
}

fn first(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find first on type")?;
    Ok(list.items().first().cloned().unwrap_or(Value::Nil))
}

fn last(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find last on type")?;
    Ok(list.items().last().cloned().unwrap_or(Value::Nil))
}

fn rest(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find rest on type")?;
    Ok(list.items().split_first().map_or_else(nil_list, |(_, rest)| Value::list(rest.to_vec())))
}

fn initial(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find initial on type")?;
    Ok(list.items().split_last().map_or_else(nil_list, |(_, initial)| Value::list(initial.to_vec())))
}

fn reverse(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find reverse on type")?;
    Ok(Value::list(list.items().iter().rev().cloned().collect()))
}

fn compact(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot compact on type")?;
    Ok(Value::list(list.items().iter().filter(|item| item.is_true()).cloned().collect()))
}

/// Whether a list has a member equal in type and content; every comparison counts as a step.
fn contains(call: &mut Call<'_>, list: &[Value], value: &Value) -> Result<bool, Failure> {
    for item in list {
        if call.deep_equal(value, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let list = items(one(arguments)?, "Cannot find uniq on type")?;
    let mut kept = Vec::new();
    for item in list.items() {
        if !contains(call, &kept, item)? {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn without(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [list, omitted @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let list = items(list, "Cannot find without on type")?;
    let mut kept = Vec::new();
    for item in list.items() {
        if !contains(call, omitted, item)? {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn has(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (value, list) = two(arguments)?;
    if list.is_nil() {
        return Ok(false.into());
    }
    let list = items(list, "Cannot find has on type")?;
    Ok(contains(call, list.items(), value)?.into())
}

/// Members from one place to another; the list keeps its Go type.
fn slice(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value, indices @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let list = items(value, "list should be type of slice or array but")?;
    if list.items().is_empty() {
        return Ok(Value::Nil);
    }
    let out_of_bounds = || Failure::error("reflect.Value.Slice: slice index out of bounds");
    let index = |at: usize, missing: usize| match indices.get(at) {
        Some(value) => usize::try_from(to_int(value)).map_err(|_| out_of_bounds()),
        None => Ok(missing),
    };
    let (start, end) = (index(0, 0)?, index(1, list.items().len())?);
    if let Value::Bytes(bytes) = value {
        return bytes.as_bytes().get(start..end).map(Value::bytes).ok_or_else(out_of_bounds);
    }
    let items = list.items().get(start..end).ok_or_else(out_of_bounds)?;
    Ok(Value::List(List::new(list.kind(), items.to_vec())))
}

fn chunk(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (size, list) = two(arguments)?;
    let list = items(list, "Cannot chunk type")?;
    let size = usize::try_from(integer(size)?).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Failure::error("runtime error: makeslice: len out of range"))?;
    let chunks = list.items().chunks(size).map(|chunk| Value::list(chunk.to_vec()));
    Ok(Value::List(List::new(ListKind::LISTS, chunks.collect())))
}

fn sort_alpha(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let value = one(arguments)?;
    if value.as_list().is_none() {
        return Ok(Value::strings([text_of(call, value)?]));
    }
    let mut texts = texts_of(call, value)?;
    texts.sort();
    Ok(Value::strings(texts))
}
