//! The functions Go's `text/template` brings along, and `toJson`.
//!
//! Go's `slice` is left out: step-ca replaces it by sprig's. So is `call`, since no value here is a function.

use std::cmp::Ordering;

use crate::template::compare;
use crate::template::escape;
use crate::template::format;
use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::json::Style;
use crate::template::value::Integer;
use crate::template::value::MapKind;
use crate::template::value::Text;
use crate::template::value::Value;

/// `and` and `or` stand here for their names only: the evaluator runs them, because they stop early.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("and", &[Kind::Reflect], Kind::Reflect, |_, _| Err(Failure::arguments())),
    Function::variadic("or", &[Kind::Reflect], Kind::Reflect, |_, _| Err(Failure::arguments())),
    Function::new("not", &[Kind::Reflect], not),
    Function::new("len", &[Kind::Reflect], len),
    Function::variadic("index", &[Kind::Reflect], Kind::Reflect, index),
    Function::variadic("eq", &[Kind::Reflect], Kind::Reflect, eq),
    Function::new("ne", &[Kind::Reflect, Kind::Reflect], ne),
    Function::new("lt", &[Kind::Reflect, Kind::Reflect], lt),
    Function::new("le", &[Kind::Reflect, Kind::Reflect], le),
    Function::new("gt", &[Kind::Reflect, Kind::Reflect], gt),
    Function::new("ge", &[Kind::Reflect, Kind::Reflect], ge),
    Function::variadic("print", &[], Kind::Any, print),
    Function::variadic("println", &[], Kind::Any, println),
    Function::variadic("printf", &[Kind::String], Kind::Any, printf),
    Function::variadic("html", &[], Kind::Any, |call, arguments| escaped(call, arguments, escape::html)),
    Function::variadic("js", &[], Kind::Any, |call, arguments| escaped(call, arguments, escape::js)),
    Function::variadic("urlquery", &[], Kind::Any, |call, arguments| escaped(call, arguments, escape::query)),
    Function::new("toJson", &[Kind::Any], to_json),
];

fn not(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value] = arguments else {
        return Err(Failure::arguments());
    };
    Ok(Value::Bool(!value.is_true()))
}

fn len(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value] = arguments else {
        return Err(Failure::arguments());
    };
    match (value, length(value)) {
        (Value::Missing, _) => Err(Failure::error("reflect: call of reflect.Value.Type on zero Value")),
        (_, Some(length)) => Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX))),
        (_, None) => Err(Failure::Error(format!("len of type {}", value.type_name()))),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) | Value::Bytes(text) => Some(text.len()),
        Value::List(list) => Some(list.items().len()),
        Value::Map(map) => Some(map.len()),
        Value::Object(object) if !object.is_pointer() => length(object.underlying()?),
        _ => None,
    }
}

fn index(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let Some((item, indexes)) = arguments.split_first() else {
        return Err(Failure::arguments());
    };
    if item.is_nil() {
        return Err(Failure::error("index of untyped nil"));
    }
    let mut item = item.clone();
    for index in indexes {
        item = element(&item, index)?;
    }
    Ok(item)
}

fn element(item: &Value, index: &Value) -> Result<Value, Failure> {
    match item {
        Value::Nil | Value::Missing => Err(Failure::error("index of nil pointer")),
        Value::String(text) | Value::Bytes(text) => {
            let position = position(index, text.len())?;
            text.as_bytes().get(position).map(|byte| Value::uint8(*byte)).ok_or_else(out_of_range)
        }
        Value::List(list) => {
            let position = position(index, list.items().len())?;
            list.items().get(position).cloned().ok_or_else(out_of_range)
        }
        Value::Map(map) => match index {
            Value::String(key) => Ok(map.get(key.as_bytes()).unwrap_or_else(|| zero(map.kind()))),
            Value::Nil | Value::Missing => Err(Failure::error("value is nil; should be of type string")),
            _ => Err(Failure::Error(format!("value has type {}; should be string", index.type_name()))),
        },
        Value::Object(object) => match object.underlying().filter(|_| !object.is_pointer()) {
            Some(underlying) => element(underlying, index),
            None => Err(not_indexable(item)),
        },
        _ => Err(not_indexable(item)),
    }
}

fn not_indexable(item: &Value) -> Failure {
    Failure::Error(format!("can't index item of type {}", item.type_name()))
}

fn out_of_range() -> Failure {
    Failure::error("reflect: slice index out of range")
}

fn position(index: &Value, length: usize) -> Result<usize, Failure> {
    match index {
        Value::Int(integer) => {
            let position = usize::try_from(integer.number()).ok().filter(|position| *position < length);
            position.ok_or_else(|| Failure::Error(format!("index out of range: {}", integer.number())))
        }
        Value::Nil | Value::Missing => Err(Failure::error("cannot index slice/array with nil")),
        _ => Err(Failure::Error(format!("cannot index slice/array with type {}", index.type_name()))),
    }
}

/// What indexing a map with an absent key gives.
fn zero(kind: MapKind) -> Value {
    if kind.element == MapKind::STRING.element { Value::from("") } else { Value::Nil }
}

fn eq(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let Some((first, others)) = arguments.split_first() else {
        return Err(Failure::arguments());
    };
    if others.is_empty() {
        return Err(Failure::error("missing argument for comparison"));
    }
    for other in others {
        if equal(call, first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn ne(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [left, right] = arguments else {
        return Err(Failure::arguments());
    };
    Ok(Value::Bool(!equal(call, left, right)?))
}

fn equal(call: &mut Call<'_>, left: &Value, right: &Value) -> Result<bool, Failure> {
    match (Basic::of(left), Basic::of(right)) {
        (Some(Basic::Bool(left)), Some(Basic::Bool(right))) => Ok(left == right),
        (Some(Basic::Integer(left)), Some(Basic::Integer(right))) => Ok(left.number() == right.number()),
        (Some(Basic::Float(left)), Some(Basic::Float(right))) => Ok(left == right),
        (Some(Basic::Complex(left)), Some(Basic::Complex(right))) => Ok(left == right),
        (Some(Basic::String(left)), Some(Basic::String(right))) => Ok(left == right),
        (None, None) if is_nil(left) || is_nil(right) => Ok(is_nil(left) && is_nil(right)),
        (None, None) if compare::is_comparable(left) && compare::is_comparable(right) => {
            call.deep_equal(left, right)
        }
        (None, None) => Err(Failure::Error(format!("non-comparable type {}", left.type_name()))),
        _ if left.is_nil() || right.is_nil() => Ok(false),
        _ => Err(incompatible(left, right)),
    }
}

/// Whether this is nil of any type.
fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil | Value::Missing => true,
        Value::Map(map) => map.is_nil(),
        Value::List(list) => list.is_nil(),
        _ => false,
    }
}

fn incompatible(left: &Value, right: &Value) -> Failure {
    let (left, right) = (left.type_name(), right.type_name());
    Failure::Error(format!("incompatible types for comparison: {left} and {right}"))
}

fn lt(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    ordered(arguments, Ordering::is_lt, false)
}

fn le(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    ordered(arguments, Ordering::is_le, false)
}

/// Go has `gt` as the opposite of `le`, which shows with NaN.
fn gt(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    ordered(arguments, Ordering::is_gt, true)
}

fn ge(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    ordered(arguments, Ordering::is_ge, true)
}

fn ordered(arguments: &[Value], test: fn(Ordering) -> bool, unordered: bool) -> Result<Value, Failure> {
    let [left, right] = arguments else {
        return Err(Failure::arguments());
    };
    let invalid = || Failure::error("invalid type for comparison");
    let ordering = match (Basic::of(left).ok_or_else(invalid)?, Basic::of(right).ok_or_else(invalid)?) {
        (Basic::Integer(left), Basic::Integer(right)) => Some(left.number().cmp(&right.number())),
        (Basic::Float(left), Basic::Float(right)) => left.partial_cmp(&right),
        (Basic::String(left), Basic::String(right)) => Some(left.cmp(&right)),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(_), Basic::Complex(_)) => {
            return Err(invalid());
        }
        _ => return Err(incompatible(left, right)),
    };
    Ok(Value::Bool(ordering.map_or(unordered, test)))
}

/// A value of a kind that can be ordered or compared whatever its name.
enum Basic {
    Bool(bool),
    Integer(Integer),
    Float(f64),
    Complex((f64, f64)),
    String(Text),
}

impl Basic {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(integer) => Self::Integer(*integer),
            Value::Duration(nanoseconds) => Self::of(&Value::int64(*nanoseconds))?,
            Value::Float(number) => Self::Float(*number),
            Value::Complex(real, imaginary) => Self::Complex((*real, *imaginary)),
            Value::String(text) => Self::String(text.clone()),
            Value::Object(object) if !object.is_pointer() => Self::of(object.underlying()?)?,
            _ => return None,
        })
    }
}

fn print(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    format::print(call, arguments).map(Value::String)
}

fn println(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    format::println(call, arguments).map(Value::String)
}

fn printf(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let Some((Value::String(format), values)) = arguments.split_first() else {
        return Err(Failure::arguments());
    };
    format::printf(call, format.as_bytes(), values).map(Value::String)
}

fn escaped(call: &mut Call<'_>, arguments: &[Value], escape: fn(&[u8]) -> Vec<u8>) -> Result<Value, Failure> {
    let mut printable = arguments.to_vec();
    for value in printable.iter_mut().filter(|value| value.is_nil()) {
        call.odd_text("nil would print as <no value>")?;
        *value = Value::from("<no value>");
    }
    let text = format::print(call, &printable)?;
    // The longest escape stands for one byte by six.
    call.charge(text.len().saturating_mul(6))?;
    Ok(Value::from(escape(text.as_bytes())))
}

fn to_json(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value] = arguments else {
        return Err(Failure::arguments());
    };
    match call.json_of(value, Style::Compact) {
        Err(Failure::Error(message)) => {
            call.odd_text(message)?;
            Ok(Value::from(""))
        }
        result => result.map(Value::String),
    }
}
