//! How Go prints a `time.Time` and a `time.Duration`, and the methods templates call on them.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::go;
use crate::template::object::Object;
use crate::template::value::Time;
use crate::template::value::Value;

/// The method of a time or a duration; its function takes the receiver as first argument.
pub(super) fn method(receiver: &Value, name: &str) -> Option<Function> {
    let methods = match receiver {
        Value::Time(_) => TIME_METHODS,
        Value::Duration(_) => DURATION_METHODS,
        _ => return None,
    };
    methods.iter().find(|method| method.name() == name).copied()
}

const TIME_METHODS: &[Function] = &[
    Function::new("Add", &[Kind::Time, Kind::Duration], add),
    Function::new("AddDate", &[Kind::Time, Kind::Int, Kind::Int, Kind::Int], add_date),
    Function::new("After", &[Kind::Time, Kind::Time], |_, values| {
        two(values, |one, other| (one > other).into())
    }),
    Function::new("Before", &[Kind::Time, Kind::Time], |_, values| {
        two(values, |one, other| (one < other).into())
    }),
    Function::new("Equal", &[Kind::Time, Kind::Time], |_, values| {
        two(values, |one, other| (one == other).into())
    }),
    Function::new("Sub", &[Kind::Time, Kind::Time], |_, values| two(values, between)),
    Function::new("Format", &[Kind::Time, Kind::String], format),
    Function::new("String", &[Kind::Time], |_, values| Ok(time_text(receiver(values)?).into())),
    Function::new("Unix", &[Kind::Time], |_, values| one(values, |time| Value::int64(time.unix_timestamp()))),
    Function::new("UnixMilli", &[Kind::Time], |_, values| {
        one(values, |time| Value::int64(clamp(time.unix_timestamp_nanos().div_euclid(1_000_000))))
    }),
    Function::new("UnixNano", &[Kind::Time], |_, values| {
        // Beyond the years 1678 to 2262 Go's number wraps.
        one(values, |time| Value::int64(time.unix_timestamp_nanos() as i64))
    }),
    Function::new("Year", &[Kind::Time], |_, values| one(values, |time| Value::int(time.year().into()))),
    Function::new("Month", &[Kind::Time], |_, values| one(values, |time| month(time.month()))),
    Function::new("Day", &[Kind::Time], |_, values| one(values, |time| Value::int(time.day().into()))),
    Function::new("Hour", &[Kind::Time], |_, values| one(values, |time| Value::int(time.hour().into()))),
    Function::new("Minute", &[Kind::Time], |_, values| one(values, |time| Value::int(time.minute().into()))),
    Function::new("Second", &[Kind::Time], |_, values| one(values, |time| Value::int(time.second().into()))),
    Function::new("Nanosecond", &[Kind::Time], |_, values| {
        one(values, |time| Value::int(time.nanosecond().into()))
    }),
    Function::new("YearDay", &[Kind::Time], |_, values| {
        one(values, |time| Value::int(time.ordinal().into()))
    }),
    Function::new("Weekday", &[Kind::Time], |_, values| one(values, |time| weekday(time.weekday()))),
    Function::new("UTC", &[Kind::Time], |_, values| one(values, Value::time)),
    Function::new("Local", &[Kind::Time], |_, values| one(values, Value::time)),
    Function::new("IsZero", &[Kind::Time], |_, values| one(values, |time| (time == ZERO).into())),
];

const DURATION_METHODS: &[Function] = &[
    Function::new("Hours", &[Kind::Duration], |_, values| {
        duration(values, |all| parts(all, 3_600_000_000_000))
    }),
    Function::new("Minutes", &[Kind::Duration], |_, values| {
        duration(values, |all| parts(all, 60_000_000_000))
    }),
    Function::new("Seconds", &[Kind::Duration], |_, values| {
        duration(values, |all| parts(all, 1_000_000_000))
    }),
    Function::new("Milliseconds", &[Kind::Duration], |_, values| {
        duration(values, |all| Value::int64(all / 1_000_000))
    }),
    Function::new("Nanoseconds", &[Kind::Duration], |_, values| duration(values, Value::int64)),
    Function::new("String", &[Kind::Duration], |_, values| duration(values, |all| duration_text(all).into())),
];

/// Go's zero time.
const ZERO: OffsetDateTime = time::macros::datetime!(0001-01-01 00:00 UTC);

fn receiver(values: &[Value]) -> Result<&Time, Failure> {
    values.first().and_then(Value::as_time).ok_or_else(Failure::arguments)
}

fn one(values: &[Value], read: impl Fn(OffsetDateTime) -> Value) -> Result<Value, Failure> {
    Ok(read(receiver(values)?.instant))
}

fn two(values: &[Value], read: impl Fn(OffsetDateTime, OffsetDateTime) -> Value) -> Result<Value, Failure> {
    let [Value::Time(left), Value::Time(right)] = values else {
        return Err(Failure::arguments());
    };
    Ok(read(left.instant, right.instant))
}

fn duration(values: &[Value], read: impl Fn(i64) -> Value) -> Result<Value, Failure> {
    let [Value::Duration(nanoseconds)] = values else {
        return Err(Failure::arguments());
    };
    Ok(read(*nanoseconds))
}

/// A duration in units of `unit` nanoseconds; whole units and the rest are divided apart, as in Go.
fn parts(nanoseconds: i64, unit: i64) -> Value {
    Value::Float((nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64)
}

fn between(later: OffsetDateTime, earlier: OffsetDateTime) -> Value {
    Value::Duration(clamp((later - earlier).whole_nanoseconds()))
}

fn clamp(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

fn moved(time: &Time, instant: Option<OffsetDateTime>) -> Result<Value, Failure> {
    let instant = instant.ok_or_else(|| Failure::error("time is out of range"))?;
    Ok(Value::Time(Arc::new(Time { instant, zone: Arc::clone(&time.zone) })))
}

fn add(_: &mut Call<'_>, values: &[Value]) -> Result<Value, Failure> {
    let [Value::Time(time), Value::Duration(nanoseconds)] = values else {
        return Err(Failure::arguments());
    };
    moved(time, time.instant.checked_add(time::Duration::nanoseconds(*nanoseconds)))
}

/// Adds years, months and days as Go does: a day past the end of its month runs over into the next.
fn add_date(_: &mut Call<'_>, values: &[Value]) -> Result<Value, Failure> {
    let [Value::Time(time), Value::Int(years), Value::Int(months), Value::Int(days)] = values else {
        return Err(Failure::arguments());
    };
    let date = time.instant.date();
    let months = i64::from(date.year())
        .checked_add(years.bits)
        .and_then(|years| years.checked_mul(12))
        .and_then(|all| all.checked_add(i64::from(u8::from(date.month())) - 1))
        .and_then(|all| all.checked_add(months.bits));
    let start = months.and_then(|months| {
        let year = i32::try_from(months.div_euclid(12)).ok()?;
        let month = time::Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
        time::Date::from_calendar_date(year, month, 1).ok()
    });
    let days = days.bits.checked_add(i64::from(date.day()) - 1).filter(|days| days.abs() < 10_000_000);
    let moved_date = start.zip(days).and_then(|(start, days)| start.checked_add(time::Duration::days(days)));
    moved(time, moved_date.map(|date| time.instant.replace_date(date)))
}

fn month(month: time::Month) -> Value {
    Object::named("time.Month", "int", Value::int(u8::from(month).into()))
        .with_text(month.to_string())
        .into_value()
}

fn weekday(day: time::Weekday) -> Value {
    let number = Value::int(day.number_days_from_sunday().into());
    Object::named("time.Weekday", "int", number).with_text(day.to_string()).into_value()
}

/// What `Time.String` gives: `2027-01-02 03:04:05 +0000 UTC`, with as much of the fraction as there is.
pub(super) fn time_text(time: &Time) -> Vec<u8> {
    formatted(time, b"2006-01-02 15:04:05.999999999 -0700 MST")
}

/// The form of RFC 3339 with as much of the fraction as there is, as JSON has it.
pub(super) fn rfc3339(time: &Time) -> Vec<u8> {
    formatted(time, b"2006-01-02T15:04:05.999999999Z07:00")
}

/// What `Duration.String` gives: `1h0m0s`, `1.5s`, `250ms`.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    go::duration::format(nanoseconds)
}

fn formatted(time: &Time, layout: &[u8]) -> Vec<u8> {
    let zone = Some(&*time.zone).filter(|zone| !zone.is_empty());
    go::time_layout::format(time.instant, zone, layout)
}

fn format(_: &mut Call<'_>, values: &[Value]) -> Result<Value, Failure> {
    let [Value::Time(time), Value::String(layout)] = values else {
        return Err(Failure::arguments());
    };
    Ok(Value::from(formatted(time, layout.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        let check = |nanoseconds: i64, expected: &str| assert_eq!(duration_text(nanoseconds), expected);
        check(0, "0s");
        check(1, "1ns");
        check(1_100, "1.1µs");
        check(2_200_000, "2.2ms");
        check(3_300_000_000, "3.3s");
        check(3_600_000_000_000, "1h0m0s");
        check(-245_000_000_000, "-4m5s");
        check(245_001_000_000, "4m5.001s");
    }

    #[test]
    fn times_print_as_in_go() {
        let check =
            |time: Time, expected: &str| assert_eq!(String::from_utf8_lossy(&time_text(&time)), expected);
        check(Time::utc(time::OffsetDateTime::UNIX_EPOCH), "1970-01-01 00:00:00 +0000 UTC");
        let shown = time::macros::datetime!(2027-01-02 03:04:05.25 +2);
        check(Time { instant: shown, zone: "".into() }, "2027-01-02 03:04:05.25 +0200 +0200");
    }
}
