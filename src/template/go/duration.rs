//! Durations as package time writes and reads them: nanoseconds in a signed 64-bit number.

use crate::template::go::Refusal;
use crate::template::go::time_layout::quote_plain;

/// One second in nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const LIMIT: u64 = 1 << 63;

/// Reads a duration such as `1h30m` or `-1.5s` into nanoseconds.
///
/// # Errors
///
/// Go's sentence for a text of the wrong form, a missing or unknown unit, or more than 292 years.
pub(crate) fn parse(text: &[u8]) -> Result<i64, Refusal> {
    let invalid = || Refusal::new(format!("time: invalid duration {}", quote_plain(text)));
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after {
            [b'.', after @ ..] => digits(after),
            _ => ([].as_slice(), after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let length =
            after.iter().position(|byte| *byte == b'.' || byte.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        if name.is_empty() {
            return Err(Refusal::new(format!("time: missing unit in duration {}", quote_plain(text))));
        }
        let Some((_, unit)) = UNITS.iter().find(|(unit, _)| unit.as_bytes() == name) else {
            return Err(Refusal::new(format!(
                "time: unknown unit {} in duration {}",
                quote_plain(name),
                quote_plain(text)
            )));
        };
        total = amount(whole, fraction, *unit)
            .and_then(|amount| total.checked_add(amount))
            .filter(|total| *total <= LIMIT)
            .ok_or_else(invalid)?;
        rest = after;
    }
    let total = i128::from(total);
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, &[]))
}

fn amount(whole: &[u8], fraction: &[u8], unit: u64) -> Option<u64> {
    let mut value = 0_u64;
    for digit in whole {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    value = value.checked_mul(unit)?;
    // Digits beyond what a 63-bit number holds are dropped, as in Go.
    let (mut part, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction {
        if part > (LIMIT - 1) / 10 {
            break;
        }
        part = part * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    value.checked_add((part as f64 * (unit as f64 / scale)) as u64)
}

/// Writes a duration: `1h1m40s`, `1.5s`, `20ms`, `0s`.
pub(crate) fn format(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    if magnitude < SECOND.unsigned_abs() {
        let (unit, places) = match magnitude {
            0 => return "0s".to_owned(),
            1..1_000 => ("ns", 0),
            1_000..1_000_000 => ("µs", 3),
            _ => ("ms", 6),
        };
        return format!("{sign}{}{unit}", decimal(magnitude, places));
    }
    let (minutes, seconds) = (magnitude / 60_000_000_000, magnitude % 60_000_000_000);
    let seconds = decimal(seconds, 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0width$}", width = places as usize);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// Rounds to whole seconds, halves away from zero.
pub(crate) fn round_to_seconds(nanoseconds: i64) -> i64 {
    let rest = nanoseconds % SECOND;
    let whole = nanoseconds - rest;
    match rest.unsigned_abs() * 2 >= SECOND.unsigned_abs() {
        false => whole,
        true => whole.saturating_add(SECOND * rest.signum()),
    }
}

/// The largest whole unit of a duration, for people: `3mo`, `2h`, `0s`.
pub(crate) fn rough(nanoseconds: i64) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    let sizes = [
        ("y", HOUR * 24 * 365),
        ("mo", HOUR * 24 * 30),
        ("d", HOUR * 24),
        ("h", HOUR),
        ("m", HOUR / 60),
        ("s", HOUR / 3600),
    ];
    let magnitude = nanoseconds.unsigned_abs();
    sizes
        .iter()
        .find(|(_, size)| magnitude > *size)
        .map_or_else(|| "0s".to_owned(), |(unit, size)| format!("{}{unit}", magnitude / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<i64, &str>) {
        assert_eq!(parse(text.as_bytes()), expected.map_err(Refusal::new), "{text}");
    }

    #[test]
    fn durations_read_as_in_go() {
        check("1h30m", Ok(5400 * SECOND));
        check("-1.5s", Ok(-SECOND * 3 / 2));
        check("0", Ok(0));
        check(".5ms", Ok(500_000));
        check("1µs2us3μs", Ok(6_000));
        check("1 day", Err("time: unknown unit \" day\" in duration \"1 day\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("", Err("time: invalid duration \"\""));
        check("-", Err("time: invalid duration \"-\""));
        check("3000000h", Err("time: invalid duration \"3000000h\""));
        check("-9223372036854775808ns", Ok(i64::MIN));
        check("9223372036854775808ns", Err("time: invalid duration \"9223372036854775808ns\""));
        check("é", Err("time: invalid duration \"\\xc3\\xa9\""));
    }

    fn check_text(nanoseconds: i64, expected: &str) {
        assert_eq!(format(nanoseconds), expected);
    }

    #[test]
    fn durations_write_as_in_go() {
        check_text(0, "0s");
        check_text(1, "1ns");
        check_text(1_500, "1.5µs");
        check_text(20_000_000, "20ms");
        check_text(-1_500_000_000, "-1.5s");
        check_text(3_700 * SECOND, "1h1m40s");
        check_text(60 * SECOND, "1m0s");
        check_text(i64::MIN, "-2562047h47m16.854775808s");
    }

    #[test]
    fn rounding_for_people() {
        assert_eq!(round_to_seconds(1_500_000_000), 2 * SECOND);
        assert_eq!(round_to_seconds(-1_499_999_999), -SECOND);
        assert_eq!(rough(7_805 * SECOND), "2h");
        assert_eq!(rough(2400 * 3600 * SECOND), "3mo");
        assert_eq!(rough(SECOND), "0s");
    }
}
