//! Times: sprig's functions and step's.
//!
//! The present time comes from the rendering's clock. The host's zone, which sprig calls `Local`, counts as UTC.
//! What is no time is refused in a strict rendering; step-ca takes the present time instead. So is a zone that
//! nobody knows, where step-ca takes UTC.
//!
//! A time keeps the offset it was read with: unlike Go's, one moved across the end of summer time shows the same
//! instant in the old offset.

use std::sync::Arc;

use time::Duration;
use time::OffsetDateTime;
use time::UtcOffset;
use time::macros::datetime;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::go::Refusal;
use crate::template::go::duration;
use crate::template::go::strconv::parse_int;
use crate::template::go::time_layout;
use crate::template::go::time_parse;
use crate::template::go::time_parse::Parsed;
use crate::template::go::time_zone;
use crate::template::go::time_zone::Zone;
use crate::template::value::IntegerKind;
use crate::template::value::Time;
use crate::template::value::Value;

/// Go's zero time.
const ZERO: OffsetDateTime = datetime!(0001-01-01 00:00:00 UTC);
const DATE_ONLY: &[u8] = b"2006-01-02";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], |call, _| Ok(Value::time(call.now()))),
    Function::new("date", &[Kind::String, Kind::Any], |call, arguments| {
        let [layout, value] = arguments else {
            return Err(Failure::arguments());
        };
        in_zone(call, bytes(layout)?, value, b"Local")
    }),
    Function::new("dateInZone", &[Kind::String, Kind::Any, Kind::String], date_in_zone),
    Function::new("date_in_zone", &[Kind::String, Kind::Any, Kind::String], date_in_zone),
    Function::new("htmlDate", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        in_zone(call, DATE_ONLY, value, b"Local")
    }),
    Function::new("htmlDateInZone", &[Kind::Any, Kind::String], |call, arguments| {
        let [value, zone] = arguments else {
            return Err(Failure::arguments());
        };
        in_zone(call, DATE_ONLY, value, bytes(zone)?)
    }),
    Function::new("dateModify", &[Kind::String, Kind::Time], date_modify),
    Function::new("date_modify", &[Kind::String, Kind::Time], date_modify),
    Function::new("mustDateModify", &[Kind::String, Kind::Time], must_date_modify),
    Function::new("must_date_modify", &[Kind::String, Kind::Time], must_date_modify),
    Function::new("toDate", &[Kind::String, Kind::String], |call, arguments| {
        let [layout, text] = arguments else {
            return Err(Failure::arguments());
        };
        or_zero(call, time_parse::parse(bytes(layout)?, bytes(text)?, &Zone::utc()))
    }),
    Function::new("mustToDate", &[Kind::String, Kind::String], |call, arguments| {
        let [layout, text] = arguments else {
            return Err(Failure::arguments());
        };
        shown(call, time_parse::parse(bytes(layout)?, bytes(text)?, &Zone::utc())?)
    }),
    Function::new("unixEpoch", &[Kind::Time], |_, arguments| {
        let [Value::Time(time)] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(time.instant.unix_timestamp().to_string().into())
    }),
    Function::new("ago", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        let at = sprig_time(call, value, &[IntegerKind::Int, IntegerKind::Int64])?;
        Ok(duration::format(duration::round_to_seconds(since(call, at))).into())
    }),
    Function::new("duration", &[Kind::Any], seconds),
    Function::new("durationRound", &[Kind::Any], duration_round),
    Function::new("toTime", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(Value::time(step_time(call, value)?))
    }),
    Function::new("formatTime", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(time_layout::format(step_time(call, value)?, None, time_layout::RFC3339).into())
    }),
    Function::variadic("parseTime", &[], Kind::String, |call, arguments| {
        let parsed = parse_time(call, arguments)?;
        or_zero(call, parsed)
    }),
    Function::variadic("mustParseTime", &[], Kind::String, |call, arguments| {
        let parsed = parse_time(call, arguments)??;
        shown(call, parsed)
    }),
    Function::new("toTimeLayout", &[Kind::String], |_, arguments| {
        let [name] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(time_layout::named(bytes(name)?).into())
    }),
];

fn shown(call: &Call<'_>, parsed: Parsed) -> Result<Value, Failure> {
    let Parsed { at, zone, unknown_zone } = parsed;
    if unknown_zone {
        call.lenient(format!("unknown time zone {zone}"))?;
    }
    Ok(Value::Time(Arc::new(Time { instant: at, zone: zone.into() })))
}

/// The time that was read; leniently the zero time stands in for one that cannot be read.
fn or_zero(call: &Call<'_>, parsed: Result<Parsed, Refusal>) -> Result<Value, Failure> {
    match parsed {
        Ok(parsed) => shown(call, parsed),
        Err(refusal) => call.lenient(refusal.to_string()).map(|()| Value::time(ZERO)),
    }
}

fn from_unix(seconds: i64) -> Result<OffsetDateTime, Failure> {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| Failure::error(format!("unix time {seconds} is out of range")))
}

fn no_time(call: &Call<'_>, value: &Value) -> Result<OffsetDateTime, Failure> {
    call.lenient(format!("{} is no time", value.type_name()))?;
    Ok(call.now())
}

/// The time sprig sees in a value: a time, or a Unix time of one of the given integer types.
fn sprig_time(call: &Call<'_>, value: &Value, kinds: &[IntegerKind]) -> Result<OffsetDateTime, Failure> {
    match value {
        Value::Time(time) => Ok(time.instant),
        Value::Int(integer) if kinds.contains(&integer.kind) => from_unix(integer.bits),
        _ => no_time(call, value),
    }
}

/// The time step sees in a value, in UTC: as sprig, and a claim's number of seconds.
fn step_time(call: &Call<'_>, value: &Value) -> Result<OffsetDateTime, Failure> {
    const KINDS: &[IntegerKind] = &[IntegerKind::Int, IntegerKind::Int32, IntegerKind::Int64];
    let at = match value {
        // The cast cuts the fraction and saturates; what is out of range is refused.
        Value::Float(seconds) if !seconds.is_nan() => from_unix(*seconds as i64)?,
        _ => sprig_time(call, value, KINDS)?,
    };
    at.checked_to_offset(UtcOffset::UTC).ok_or_else(|| Failure::error("time out of range"))
}

fn date_in_zone(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [layout, value, zone] = arguments else {
        return Err(Failure::arguments());
    };
    in_zone(call, bytes(layout)?, value, bytes(zone)?)
}

fn in_zone(call: &Call<'_>, layout: &[u8], value: &Value, zone: &[u8]) -> Result<Value, Failure> {
    const KINDS: &[IntegerKind] = &[IntegerKind::Int, IntegerKind::Int32, IntegerKind::Int64];
    let at = sprig_time(call, value, KINDS)?;
    let zone = match time_zone::load(zone) {
        Ok(zone) => zone,
        Err(unknown) => call.lenient(unknown.to_string()).map(|()| Zone::utc())?,
    };
    let place = zone.at(at);
    let at = at.checked_to_offset(place.offset).ok_or_else(|| Failure::error("time out of range"))?;
    Ok(time_layout::format(at, Some(&place.abbreviation), layout).into())
}

fn date_modify(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [text, time] = arguments else {
        return Err(Failure::arguments());
    };
    match duration::parse(bytes(text)?) {
        Ok(nanoseconds) => moved(time, nanoseconds),
        Err(refusal) => {
            call.lenient(refusal.to_string())?;
            Ok(time.clone())
        }
    }
}

fn must_date_modify(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [text, time] = arguments else {
        return Err(Failure::arguments());
    };
    moved(time, duration::parse(bytes(text)?)?)
}

fn moved(time: &Value, nanoseconds: i64) -> Result<Value, Failure> {
    let Value::Time(time) = time else {
        return Err(Failure::arguments());
    };
    let instant = time
        .instant
        .checked_add(Duration::nanoseconds(nanoseconds))
        .ok_or_else(|| Failure::error("time out of range"))?;
    Ok(Value::Time(Arc::new(Time { instant, zone: Arc::clone(&time.zone) })))
}

/// Nanoseconds from `at` to now, as many as a Go duration holds.
fn since(call: &Call<'_>, at: OffsetDateTime) -> i64 {
    let nanoseconds = (call.now() - at).whole_nanoseconds();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// Seconds as a duration's text; like sprig, of a text or an int64 only, anything else being zero.
fn seconds(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let seconds = match arguments {
        [Value::String(text)] => match parse_int(text.as_bytes(), 10) {
            Ok(seconds) => seconds,
            Err(refusal) => call.lenient(refusal.to_string()).map(|()| 0)?,
        },
        [Value::Int(integer)] if integer.kind == IntegerKind::Int64 => integer.bits,
        _ => 0,
    };
    Ok(duration::format(seconds.wrapping_mul(duration::SECOND)).into())
}

fn duration_round(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let nanoseconds = match arguments {
        [Value::String(text)] => match duration::parse(text.as_bytes()) {
            Ok(nanoseconds) => nanoseconds,
            Err(refusal) => call.lenient(refusal.to_string()).map(|()| 0)?,
        },
        [Value::Int(integer)] if integer.kind == IntegerKind::Int64 => integer.bits,
        [Value::Time(time)] => since(call, time.instant),
        _ => 0,
    };
    Ok(duration::rough(nanoseconds).into())
}

/// Reads nothing, a text, a layout and a text, or these and a zone; the inner error is that of the text.
fn parse_time(call: &mut Call<'_>, arguments: &[Value]) -> Result<Result<Parsed, Refusal>, Failure> {
    let texts = arguments.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
    Ok(match texts.as_slice() {
        [] => Ok(Parsed { at: call.now(), zone: "UTC".to_owned(), unknown_zone: false }),
        [text] => time_parse::parse(time_layout::RFC3339, text, &Zone::utc()),
        [layout, text] => time_parse::parse(time_layout::named(layout), text, &Zone::utc()),
        [layout, text, zone] => {
            // Finding an abbreviation walks through all changes of a zone: as dear as so many bytes.
            call.charge(2048)?;
            time_zone::load(zone).and_then(|zone| time_parse::parse(time_layout::named(layout), text, &zone))
        }
        _ => Err(Refusal::new("unsupported number of parameters")),
    })
}
