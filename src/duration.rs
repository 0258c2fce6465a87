//! Go's text forms of durations and instants, as the HTTP contract and ca.json use them.
//!
//! Durations: `time.ParseDuration` and `Duration.String`. Instants: RFC 3339 as `time.Parse` reads it, and
//! the form of `Time.String` that step-ca puts into its messages. CONTRACT.md section 7.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::Time;
use time::UtcOffset;

/// The text is no Go duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid duration {0:?}")]
pub struct InvalidDuration(pub String);

/// A signed length of time in nanoseconds, about 292 years at most, as Go's `time.Duration`.
///
/// # Examples
///
/// ```
/// use stepless::duration::GoDuration;
///
/// let day: GoDuration = "24h1m".parse()?;
/// assert_eq!(day.to_string(), "24h1m0s");
/// # Ok::<(), stepless::duration::InvalidDuration>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(i64);

impl GoDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length in nanoseconds.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// A length in whole seconds, kept within the type's range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// The sum, kept within the type's range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The same length for date arithmetic.
    #[must_use]
    pub const fn as_time(self) -> time::Duration {
        time::Duration::nanoseconds(self.0)
    }
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_duration(text).map(Self).ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (seconds, nanoseconds) = (total / 1_000_000_000, total % 1_000_000_000);
        if seconds == 0 {
            let (unit, size) = match nanoseconds {
                0 => return f.write_str("0s"),
                1..=999 => ("ns", 1),
                1_000..=999_999 => ("µs", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write!(f, "{}{unit}", decimal(nanoseconds / size, nanoseconds % size, size));
        }
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(f, "{}m", seconds / 60 % 60)?;
        }
        write!(f, "{}s", decimal(seconds % 60, nanoseconds, 1_000_000_000))
    }
}

/// `whole` and the fraction `part`/`size`, without zeros at the end.
fn decimal(whole: u64, part: u64, size: u64) -> String {
    if part == 0 {
        return whole.to_string();
    }
    let width = size.ilog10() as usize;
    let digits = format!("{part:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    // One more than the largest positive value is fine with a minus sign.
    const LIMIT: u64 = 1 << 63;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let whole_end = rest.find(|c: char| !c.is_ascii_digit())?;
        let whole: u64 = if whole_end == 0 { 0 } else { rest[..whole_end].parse().ok()? };
        let mut digits = whole_end;
        rest = &rest[whole_end..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(|c: char| !c.is_ascii_digit())?;
            fraction = &after[..end];
            digits += end;
            rest = &after[end..];
        }
        if digits == 0 {
            return None;
        }
        let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let unit: u64 = match &rest[..unit_end] {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60 * 1_000_000_000,
            "h" => 3600 * 1_000_000_000,
            _ => return None,
        };
        rest = &rest[unit_end..];
        let part = whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit))?;
        total = total.checked_add(part).filter(|t| *t <= LIMIT)?;
    }
    match (negative, i64::try_from(total)) {
        (false, total) => total.ok(),
        (true, Ok(total)) => Some(-total),
        (true, Err(_)) => Some(i64::MIN),
    }
}

/// `unit` times the decimal fraction with these digits, cut to whole nanoseconds.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    // Further digits weigh less than a nanosecond, whatever the unit.
    let digits = &digits[..digits.len().min(18)];
    let value: u64 = digits.parse().unwrap_or(0);
    let scale = 10_u128.pow(u32::try_from(digits.len()).unwrap_or(0));
    u64::try_from(u128::from(value) * u128::from(unit) / scale).unwrap_or(0)
}

/// Reads an RFC 3339 instant: upper-case `T` and `Z`, a zone, seconds up to 59, a fraction after `.` or `,`; as in Go
/// the hour may have one digit.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<OffsetDateTime> {
    let padded;
    let text = match (text.get(..11), text.get(11..)) {
        (Some(date), Some(time)) if time.as_bytes().get(1) == Some(&b':') => {
            padded = format!("{date}0{time}");
            padded.as_str()
        }
        _ => text,
    };
    let bytes = text.as_bytes();
    let number = |at: usize, length: usize| -> Option<u32> {
        let digits = bytes.get(at..at + length)?;
        digits.iter().try_fold(0, |n: u32, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')))
    };
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if bytes.get(at) != Some(&mark) {
            return None;
        }
    }
    let small = |n: u32| u8::try_from(n).ok();
    let month = Month::try_from(small(number(5, 2)?)?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(number(8, 2)?)?).ok()?;
    let (hour, minute, second) = (small(number(11, 2)?)?, small(number(14, 2)?)?, small(number(17, 2)?)?);
    let mut at = 19;
    let mut nanosecond = 0;
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        let end = bytes[at + 1..].iter().position(|b| !b.is_ascii_digit())? + at + 1;
        if end == at + 1 {
            return None;
        }
        let mut digits = text[at + 1..end.min(at + 10)].to_owned();
        while digits.len() < 9 {
            digits.push('0');
        }
        nanosecond = digits.parse().ok()?;
        at = end;
    }
    let offset = match bytes.get(at)? {
        b'Z' if bytes.len() == at + 1 => UtcOffset::UTC,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && bytes[at + 3] == b':' => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 24 || minutes > 60 {
                return None;
            }
            let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
            UtcOffset::from_whole_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()?
        }
        _ => return None,
    };
    let time = Time::from_hms_nano(hour, minute, second, nanosecond).ok()?;
    PrimitiveDateTime::new(date, time).assume_offset(offset).checked_to_offset(UtcOffset::UTC)
}

/// An instant in whole seconds as RFC 3339 in UTC: `2026-11-24T00:14:03Z`.
#[must_use]
pub fn format_rfc3339(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    )
}

/// An instant in whole seconds as Go's `Time.String` prints it: `2026-11-24 00:14:03 +0000 UTC`.
#[must_use]
pub fn format_go(instant: OffsetDateTime) -> String {
    let text = format_rfc3339(instant).replace('T', " ");
    format!("{} +0000 UTC", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(text.parse::<GoDuration>().ok().map(GoDuration::nanoseconds), expected, "{text:?}");
        };
        const H: i64 = 3600 * 1_000_000_000;
        check("0", Some(0));
        check("-0", Some(0));
        check("1h30m10s", Some(H + H / 2 + 10_000_000_000));
        check("1.5h", Some(H + H / 2));
        check(".5h", Some(H / 2));
        check("5.h", Some(5 * H));
        check("-1h", Some(-H));
        check("+1h", Some(H));
        check("3600000000µs", Some(H));
        check("1h1h1h", Some(3 * H));
        check("0.0000000001s", Some(0));
        check("1.0000000005s", Some(1_000_000_000));
        check("-9223372036854775808ns", Some(i64::MIN));
        check("9223372036854775807ns", Some(i64::MAX));
        for bad in [
            "",
            "-",
            "+",
            "60",
            "1d",
            "1w",
            "h",
            ".h",
            "--1h",
            "1 h",
            " 1h",
            "1H",
            "1e3s",
            "one hour",
            "9999999999h",
            "9223372036854775808ns",
            "1h-1m",
            "1.2.3h",
            "0x1h",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn durations_print_as_in_go() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), expected);
        };
        check("25h", "25h0m0s");
        check("0", "0s");
        check("90s", "1m30s");
        check("1500ms", "1.5s");
        check("1ms", "1ms");
        check("1500us", "1.5ms");
        check("2us", "2µs");
        check("7ns", "7ns");
        check("-1.5h", "-1h30m0s");
        check("-9223372036854775808ns", "-2562047h47m16.854775808s");
    }

    #[test]
    fn instants_read_as_in_go() {
        let check = |text: &str, expected: Option<i128>| {
            assert_eq!(parse_rfc3339(text).map(OffsetDateTime::unix_timestamp_nanos), expected, "{text:?}");
        };
        check("1970-01-01T00:00:01Z", Some(1_000_000_000));
        check("1970-01-01T01:00:01+01:00", Some(1_000_000_000));
        check("1970-01-01T1:00:01+01:00", Some(1_000_000_000));
        check("1970-01-01T00:00:00.5Z", Some(500_000_000));
        check("1970-01-01T00:00:00,25Z", Some(250_000_000));
        check("1970-01-01T00:00:00.12345678999Z", Some(123_456_789));
        for bad in [
            "",
            "1970-01-01",
            "1970-01-01T:00:00Z",
            "1970-01-01T0:0:00Z",
            "1970-01-1T00:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-02-30T00:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00Z ",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+25:00",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn instants_print_as_in_go() {
        let instant = parse_rfc3339("2026-11-24T00:14:03.9Z").unwrap();
        assert_eq!(format_go(instant), "2026-11-24 00:14:03 +0000 UTC");
        assert_eq!(format_rfc3339(instant), "2026-11-24T00:14:03Z");
    }

    proptest::proptest! {
        #[test]
        fn printed_durations_read_back(n in proptest::num::i64::ANY) {
            let duration = GoDuration::from_nanoseconds(n);
            proptest::prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
