//! Equality of values as Go's `reflect.DeepEqual` sees it.

use std::sync::Arc;

use crate::template::context::Meter;
use crate::template::function::Failure;
use crate::template::object::Object;
use crate::template::value::Value;

/// Whether Go's `==` is defined for the value: not for lists and maps, nor for structures that hold one.
pub(super) fn is_comparable(value: &Value) -> bool {
    match value {
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => false,
        Value::Object(object) if object.is_pointer() => true,
        Value::Object(object) => match (object.fields(), object.underlying()) {
            (Some(fields), _) => fields.iter().all(|field| is_comparable(&field.value)),
            (None, Some(value)) => is_comparable(value),
            (None, None) => true,
        },
        _ => true,
    }
}

/// Whether two values have the same type and content all the way down; numbers of different types never do.
pub(super) fn deep_equal(
    left: &Value,
    right: &Value,
    depth: usize,
    meter: &mut Meter,
) -> Result<bool, Failure> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Failure::Limit("a value is nested too deeply"));
    };
    meter.step()?;
    Ok(match (left, right) {
        (Value::Nil | Value::Missing, Value::Nil | Value::Missing) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Complex(left, left_i), Value::Complex(right, right_i)) => left == right && left_i == right_i,
        (Value::String(left), Value::String(right)) | (Value::Bytes(left), Value::Bytes(right)) => {
            meter.work(left.len().min(right.len()))?;
            left == right
        }
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.kind() == right.kind()
                && left.is_nil() == right.is_nil()
                && all_equal(left.items(), right.items(), depth, meter)?
        }
        (Value::Map(left), Value::Map(right)) if left.is_same(right) => true,
        (Value::Map(left), Value::Map(right)) => {
            let (left_entries, right_entries) = (left.snapshot(), right.snapshot());
            if left.kind() != right.kind()
                || left.is_nil() != right.is_nil()
                || left_entries.len() != right_entries.len()
            {
                return Ok(false);
            }
            for ((left_key, left), (right_key, right)) in left_entries.iter().zip(&right_entries) {
                if left_key != right_key || !deep_equal(left, right, depth, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(left), Value::Object(right)) => {
            Arc::ptr_eq(left, right) || objects_equal(left, right, depth, meter)?
        }
        _ => false,
    })
}

fn objects_equal(left: &Object, right: &Object, depth: usize, meter: &mut Meter) -> Result<bool, Failure> {
    if left.type_name() != right.type_name() || left.is_pointer() != right.is_pointer() {
        return Ok(false);
    }
    match (left.fields(), right.fields(), left.underlying(), right.underlying()) {
        (Some(left), Some(right), _, _) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                if !deep_equal(&left.value, &right.value, depth, meter)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (None, None, Some(left), Some(right)) => deep_equal(left, right, depth, meter),
        _ => Ok(false),
    }
}

fn all_equal(left: &[Value], right: &[Value], depth: usize, meter: &mut Meter) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !deep_equal(left, right, depth, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}
