//! Arithmetic and conversions to numbers.
//!
//! What is no number silently counts as zero here, as in step-ca.

use std::cmp::Ordering;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::fits;
use crate::template::functions::integer;
use crate::template::go::decimal::Decimal;
use crate::template::go::decimal::Short;
use crate::template::go::strconv::atoi_regardless;
use crate::template::go::strconv::parse_float;
use crate::template::go::strconv::parse_int;
use crate::template::value::List;
use crate::template::value::ListKind;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("int", &[Kind::Any], |_, arguments| one(arguments).map(|value| Value::int(to_int(value)))),
    Function::new("int64", &[Kind::Any], |_, arguments| {
        one(arguments).map(|value| Value::int64(to_int(value)))
    }),
    Function::new("float64", &[Kind::Any], |_, arguments| one(arguments).map(|value| to_float(value).into())),
    Function::new("atoi", &[Kind::String], |_, arguments| {
        Ok(Value::int(atoi_regardless(bytes(one(arguments)?)?)))
    }),
    Function::new("toDecimal", &[Kind::Any], to_decimal),
    Function::variadic("add", &[], Kind::Any, |_, arguments| {
        Ok(Value::int64(arguments.iter().map(to_int).fold(0, i64::wrapping_add)))
    }),
    Function::new("add1", &[Kind::Any], |_, arguments| {
        Ok(Value::int64(to_int(one(arguments)?).wrapping_add(1)))
    }),
    Function::new("sub", &[Kind::Any, Kind::Any], |_, arguments| {
        two(arguments).map(|(left, right)| Value::int64(left.wrapping_sub(right)))
    }),
    Function::new("div", &[Kind::Any, Kind::Any], |_, arguments| divide(arguments, i64::wrapping_div)),
    Function::new("mod", &[Kind::Any, Kind::Any], |_, arguments| divide(arguments, i64::wrapping_rem)),
    Function::variadic("mul", &[Kind::Any], Kind::Any, |_, arguments| {
        Ok(Value::int64(arguments.iter().map(to_int).fold(1, i64::wrapping_mul)))
    }),
    Function::variadic("max", &[Kind::Any], Kind::Any, max),
    Function::variadic("biggest", &[Kind::Any], Kind::Any, max),
    Function::variadic("min", &[Kind::Any], Kind::Any, |_, arguments| {
        Ok(Value::int64(arguments.iter().map(to_int).min().unwrap_or(0)))
    }),
    Function::variadic("maxf", &[Kind::Any], Kind::Any, |_, arguments| {
        fold_floats(arguments, Ordering::Greater)
    }),
    Function::variadic("minf", &[Kind::Any], Kind::Any, |_, arguments| {
        fold_floats(arguments, Ordering::Less)
    }),
    Function::new("add1f", &[Kind::Any], |call, arguments| {
        decimals(call, &[one(arguments)?.clone(), Value::int(1)], |left, right| Ok(left.add(right)))
    }),
    Function::variadic("addf", &[], Kind::Any, |call, arguments| {
        decimals(call, arguments, |left, right| Ok(left.add(right)))
    }),
    Function::variadic("subf", &[Kind::Any], Kind::Any, |call, arguments| {
        decimals(call, arguments, |left, right| Ok(left.sub(right)))
    }),
    Function::variadic("mulf", &[Kind::Any], Kind::Any, |call, arguments| {
        decimals(call, arguments, |left, right| Ok(left.mul(right)))
    }),
    Function::variadic("divf", &[Kind::Any], Kind::Any, |call, arguments| {
        decimals(call, arguments, |left, right| match right.is_zero() {
            true => Err(Failure::error("decimal division by 0")),
            false => Ok(left.div(right)),
        })
    }),
    Function::new("ceil", &[Kind::Any], |_, arguments| Ok(to_float(one(arguments)?).ceil().into())),
    Function::new("floor", &[Kind::Any], |_, arguments| Ok(to_float(one(arguments)?).floor().into())),
    Function::variadic("round", &[Kind::Any, Kind::Int], Kind::Float, round),
    Function::new("until", &[Kind::Int], |call, arguments| {
        let count = integer(one(arguments)?)?;
        Ok(int_list(steps(call, 0, count, if count < 0 { -1 } else { 1 })?))
    }),
    Function::new("untilStep", &[Kind::Int, Kind::Int, Kind::Int], |call, arguments| {
        let [start, stop, step] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(int_list(steps(call, integer(start)?, integer(stop)?, integer(step)?)?))
    }),
    Function::variadic("seq", &[], Kind::Int, seq),
];

fn one(arguments: &[Value]) -> Result<&Value, Failure> {
    arguments.first().ok_or_else(Failure::arguments)
}

fn two(arguments: &[Value]) -> Result<(i64, i64), Failure> {
    let [left, right] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((to_int(left), to_int(right)))
}

/// The integer sprig sees in a value: floats cut, texts read with Go's prefixes, anything else zero.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(integer) => integer.bits,
        Value::Float(number) => cut(*number),
        Value::Bool(truth) => i64::from(*truth),
        Value::String(text) => parse_int(without_zero_fraction(text.as_bytes()), 0).unwrap_or(0),
        Value::Object(object) if matches!(object.type_name(), "time.Month" | "time.Weekday") => {
            object.underlying().map_or(0, to_int)
        }
        _ => 0,
    }
}

/// Go's conversion on amd64: what does not fit becomes the smallest integer.
fn cut(number: f64) -> i64 {
    let whole = number.trunc();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
        whole as i64
    } else {
        i64::MIN
    }
}

fn without_zero_fraction(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|byte| **byte == b'0').count();
    match text.get(..text.len() - zeros) {
        Some([whole @ .., b'.']) if zeros > 0 => whole,
        _ => text,
    }
}

fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Int(integer) => integer.number() as f64,
        Value::String(text) => parse_float(text.as_bytes()).unwrap_or(0.0),
        _ => to_int(value) as f64,
    }
}

fn to_decimal(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let text = call.text_of(one(arguments)?)?;
    Ok(Value::int64(parse_int(text.as_bytes(), 8).unwrap_or(0)))
}

fn divide(arguments: &[Value], operation: fn(i64, i64) -> i64) -> Result<Value, Failure> {
    let (left, right) = two(arguments)?;
    if right == 0 {
        return Err(Failure::error("runtime error: integer divide by zero"));
    }
    Ok(Value::int64(operation(left, right)))
}

fn max(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    Ok(Value::int64(arguments.iter().map(to_int).max().unwrap_or(0)))
}

/// The number that stands in `order` to all others.
fn fold_floats(arguments: &[Value], order: Ordering) -> Result<Value, Failure> {
    // Go gives NaN if either side is, and takes minus zero for smaller than zero.
    let pick = |left: f64, right: f64| match (left.is_nan() || right.is_nan(), left.total_cmp(&right)) {
        (true, _) => f64::NAN,
        (false, found) if found == order => left,
        (false, _) => right,
    };
    Ok(arguments.iter().map(to_float).reduce(pick).unwrap_or(0.0).into())
}

/// Folds the numbers with an operation, which gives nothing for a result that is too long.
fn decimals(
    call: &mut Call<'_>,
    arguments: &[Value],
    operation: fn(Decimal, Short) -> Result<Option<Decimal>, Failure>,
) -> Result<Value, Failure> {
    let mut numbers = arguments.iter().map(|argument| Short::from_float(to_float(argument)));
    let Some(first) = numbers.next() else {
        return Ok(Value::Float(0.0));
    };
    let result = numbers.try_fold(Decimal::from(first?), |result, number| {
        let result = operation(result, number?)?.ok_or(Failure::Limit("a number of too many digits"))?;
        call.meter.work(result.size())?;
        Ok::<_, Failure>(result)
    })?;
    Ok(result.to_float().into())
}

fn round(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [value, places, rest @ ..] = arguments else {
        return Err(Failure::arguments());
    };
    let half = match rest.first() {
        Some(half) => half.as_float().ok_or_else(Failure::arguments)?,
        None => 0.5,
    };
    let scale = 10_f64.powf(to_float(places));
    let digits = scale * to_float(value);
    let fraction = digits - digits.trunc();
    let whole = if fraction >= half { digits.ceil() } else { digits.floor() };
    Ok((whole / scale).into())
}

/// The numbers from `start` towards `stop`, which is left out; none if the step leads away from it.
fn steps(call: &Call<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Failure> {
    let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
    let distance = stop - start;
    if step == 0 || distance == 0 || (distance < 0) != (step < 0) {
        return Ok(Vec::new());
    }
    let count = usize::try_from((distance.abs() - 1) / step.abs() + 1).ok();
    fits(call, count.and_then(|count| count.checked_mul(size_of::<Value>())))?;
    let numbers = (0..count.unwrap_or(0) as i128).map(|index| start + index * step);
    Ok(numbers.filter_map(|number| i64::try_from(number).ok()).collect())
}

fn int_list(numbers: Vec<i64>) -> Value {
    Value::List(List::new(ListKind::INT, numbers.into_iter().map(Value::int).collect()))
}

/// The shell's `seq`: last; first and last; or first, step and last.
fn seq(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let numbers = arguments.iter().map(integer).collect::<Result<Vec<_>, _>>()?;
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, None, *last),
        [first, last] => (*first, None, *last),
        [first, step, last] => (*first, Some(*step), *last),
        _ => return Ok(Value::from("")),
    };
    let direction = if last < first { -1 } else { 1 };
    if step.is_some_and(|step| direction < 0 && step > 0) {
        return Ok(Value::from(""));
    }
    let numbers = steps(call, first, last.saturating_add(direction), step.unwrap_or(direction))?;
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(Value::from(texts.join(" ")))
}
