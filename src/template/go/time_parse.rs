//! Reading a time with a Go layout (time.Parse and time.ParseInLocation).

use time::Date;
use time::Duration;
use time::Month;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::Time;
use time::UtcOffset;

use crate::template::go::Refusal;
use crate::template::go::strconv::atoi;
use crate::template::go::time_layout::Chunk;
use crate::template::go::time_layout::DAYS;
use crate::template::go::time_layout::Element;
use crate::template::go::time_layout::MONTHS;
use crate::template::go::time_layout::OffsetForm;
use crate::template::go::time_layout::next_chunk;
use crate::template::go::time_layout::quote_plain;
use crate::template::go::time_zone::Zone;

/// Why an element does not match.
enum Fault {
    /// The text is not of the form.
    Form,
    /// The number of the named thing is out of range.
    Range(&'static str),
}

/// What has been read so far; an element that did not occur stays empty.
#[derive(Default)]
struct Reading {
    year: i32,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: Option<String>,
}

/// A time that was read, and the abbreviation of its zone, empty where only the offset is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) at: OffsetDateTime,
    pub(crate) zone: String,
    /// The text names a zone that is not known here, and Go takes its offset for zero.
    pub(crate) unknown_zone: bool,
}

/// Reads `value` by `layout`; without a zone in the text the time is one of `local`.
///
/// # Errors
///
/// Go's sentence naming what did not match. Unlike Go, a zone abbreviation without an offset must be UTC or
/// GMT: Go invents a zone of that name at offset zero.
pub(crate) fn parse(layout: &[u8], value: &[u8], local: &Zone) -> Result<Parsed, Refusal> {
    let refuse = |element: &[u8], at: &[u8]| {
        Refusal::new(format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote_plain(value),
            quote_plain(layout),
            quote_plain(at),
            quote_plain(element)
        ))
    };
    let complain = |what: &str| Refusal::new(format!("parsing time {}: {what}", quote_plain(value)));

    let mut reading = Reading::default();
    let mut text = value;
    let mut rest = layout;
    loop {
        let Chunk { literal, element, rest: after } = next_chunk(rest);
        text = skip(text, literal).map_err(|at| refuse(literal, at))?;
        let Some((element, written)) = element else {
            break;
        };
        match reading.take(element, text, after) {
            Ok(remaining) => text = remaining,
            Err(Fault::Form) => return Err(refuse(written, text)),
            Err(Fault::Range(what)) => return Err(complain(&format!("{what} out of range"))),
        }
        rest = after;
    }
    if !text.is_empty() {
        return Err(complain(&format!("extra text: {}", quote_plain(text))));
    }
    reading.finish(local).map_err(|what| complain(&what))
}

/// Steps over literal text; a run of spaces stands for any number of them.
fn skip<'a>(mut value: &'a [u8], mut literal: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    while let [first, rest @ ..] = literal {
        if *first == b' ' {
            if value.first().is_some_and(|byte| *byte != b' ') {
                return Err(value);
            }
            literal = literal.trim_ascii_start();
            value = trim_spaces(value);
            continue;
        }
        match value {
            [found, after @ ..] if found == first => value = after,
            _ => return Err(value),
        }
        literal = rest;
    }
    Ok(value)
}

fn trim_spaces(value: &[u8]) -> &[u8] {
    let spaces = value.iter().take_while(|byte| **byte == b' ').count();
    value.get(spaces..).unwrap_or_default()
}

impl Reading {
    /// Reads one element off the text and gives back what follows.
    fn take<'a>(&mut self, element: Element, text: &'a [u8], layout: &[u8]) -> Result<&'a [u8], Fault> {
        let space = |text: &'a [u8]| text.strip_prefix(b" ").unwrap_or(text);
        Ok(match element {
            Element::Year | Element::ShortYear => {
                let len = if element == Element::Year { 4 } else { 2 };
                let (digits, rest) = text.split_at_checked(len).ok_or(Fault::Form)?;
                let year =
                    digits_value(digits).and_then(|year| i32::try_from(year).ok()).ok_or(Fault::Form)?;
                self.year = match element {
                    Element::Year => year,
                    _ if year >= 69 => year + 1900,
                    _ => year + 2000,
                };
                rest
            }
            Element::MonthName | Element::MonthAbbreviation => {
                let (index, rest) = lookup(&MONTHS, text, element == Element::MonthAbbreviation)?;
                self.month = Some(index + 1);
                rest
            }
            Element::DayName | Element::DayAbbreviation => {
                lookup(&DAYS, text, element == Element::DayAbbreviation)?.1
            }
            Element::Month { padded } => {
                let (month, rest) = two_digits(text, padded)?;
                self.month = Some(in_range(month, 1, 12, "month")?);
                rest
            }
            Element::Day { pad } => {
                let text = if pad == Some(b' ') { space(text) } else { text };
                let (day, rest) = two_digits(text, pad == Some(b'0'))?;
                self.day = Some(day);
                rest
            }
            Element::DayOfYear { pad } => {
                let text = if pad == b' ' { space(space(text)) } else { text };
                let len = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, rest) = text.split_at_checked(len).ok_or(Fault::Form)?;
                if pad == b'0' && len != 3 {
                    return Err(Fault::Form);
                }
                self.day_of_year = Some(digits_value(digits).ok_or(Fault::Form)?);
                rest
            }
            Element::Hour => self.set(text, false, 0, 23, "hour", |reading| &mut reading.hour)?,
            Element::Hour12 { padded } => {
                self.set(text, padded, 0, 12, "hour", |reading| &mut reading.hour)?
            }
            Element::Minute { padded } => {
                self.set(text, padded, 0, 59, "minute", |reading| &mut reading.minute)?
            }
            Element::Second { padded } => {
                let rest = self.set(text, padded, 0, 59, "second", |reading| &mut reading.second)?;
                // A fraction may follow the seconds even where the layout has none.
                match next_chunk(layout).element {
                    Some((Element::Fraction { .. }, _)) => rest,
                    _ => self.fraction(rest, None)?,
                }
            }
            Element::Fraction { digits, trimmed, .. } => {
                self.fraction(text, if trimmed { None } else { Some(digits) })?
            }
            Element::Half { upper } => {
                let (half, rest) = text.split_at_checked(2).ok_or(Fault::Form)?;
                self.afternoon = Some(match (half, upper) {
                    (b"PM", true) | (b"pm", false) => true,
                    (b"AM", true) | (b"am", false) => false,
                    _ => return Err(Fault::Form),
                });
                rest
            }
            Element::ZoneName => match text.strip_prefix(b"UTC") {
                Some(rest) => {
                    self.utc = true;
                    rest
                }
                None => {
                    let (name, rest) = text.split_at_checked(zone_len(text)?).ok_or(Fault::Form)?;
                    self.zone = Some(String::from_utf8_lossy(name).into_owned());
                    rest
                }
            },
            Element::Offset(form) => match text {
                [b'Z', rest @ ..] if form.zulu => {
                    self.utc = true;
                    rest
                }
                _ => self.offset(text, form)?,
            },
        })
    }

    fn set<'a>(
        &mut self,
        text: &'a [u8],
        padded: bool,
        least: i64,
        most: i64,
        what: &'static str,
        place: fn(&mut Self) -> &mut i64,
    ) -> Result<&'a [u8], Fault> {
        let (value, rest) = two_digits(text, padded)?;
        *place(self) = in_range(value, least, most, what)?;
        Ok(rest)
    }

    /// Reads a fraction of exactly `digits` digits, or one of any length that may be missing.
    fn fraction<'a>(&mut self, text: &'a [u8], digits: Option<usize>) -> Result<&'a [u8], Fault> {
        let (Some(b'.' | b','), Some(tail)) = (text.first(), text.get(1..)) else {
            return if digits.is_some() { Err(Fault::Form) } else { Ok(text) };
        };
        let len = match digits {
            Some(len) => len,
            None => tail.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        };
        if len == 0 {
            return Ok(text);
        }
        let (fraction, rest) = tail.split_at_checked(len).ok_or(Fault::Form)?;
        let mut nanosecond =
            digits_value(fraction.get(..len.min(9)).unwrap_or_default()).ok_or(Fault::Form)?;
        for _ in len..9 {
            nanosecond *= 10;
        }
        self.nanosecond = nanosecond;
        Ok(rest)
    }

    fn offset<'a>(&mut self, text: &'a [u8], form: OffsetForm) -> Result<&'a [u8], Fault> {
        let (written, rest) = text.split_at_checked(form.len()).ok_or(Fault::Form)?;
        let sign = match written.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Fault::Form),
        };
        let step = if form.colon { 3 } else { 2 };
        let pair = |index: usize| {
            let at = 1 + index * step;
            let colon = form.colon && index > 0 && written.get(at - 1) != Some(&b':');
            let digits = written.get(at..at + 2).and_then(digits_value);
            digits.filter(|_| !colon).ok_or(Fault::Form)
        };
        let hours = pair(0)?;
        let minutes = if form.minutes { pair(1)? } else { 0 };
        let seconds = if form.seconds { pair(2)? } else { 0 };
        in_range(hours, 0, 24, "time zone offset hour")?;
        in_range(minutes, 0, 60, "time zone offset minute")?;
        in_range(seconds, 0, 60, "time zone offset second")?;
        self.offset = Some(sign * (hours * 3600 + minutes * 60 + seconds));
        Ok(rest)
    }

    fn finish(self, local: &Zone) -> Result<Parsed, String> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = self.date()?;
        let small = |value: i64| u8::try_from(value).unwrap_or(u8::MAX);
        let nanosecond = u32::try_from(self.nanosecond).unwrap_or(u32::MAX);
        let time = Time::from_hms_nano(small(hour), small(self.minute), small(self.second), nanosecond)
            .map_err(|_| "hour out of range".to_owned())?;
        let at = PrimitiveDateTime::new(date, time);
        let out_of_range = || "year out of range".to_owned();
        let behind = |offset: UtcOffset| {
            let instant = at.checked_sub(Duration::seconds(i64::from(offset.whole_seconds())));
            instant.map(PrimitiveDateTime::assume_utc).ok_or_else(out_of_range)
        };
        let in_zone = |instant: OffsetDateTime| {
            let place = local.at(instant);
            let at = instant.checked_to_offset(place.offset).ok_or_else(out_of_range)?;
            Ok::<_, String>(Parsed { at, zone: place.abbreviation, unknown_zone: false })
        };
        // A zone that only the text knows.
        let fixed = |instant: OffsetDateTime, offset: UtcOffset, zone: String| {
            let at = instant.checked_to_offset(offset).ok_or_else(out_of_range)?;
            Ok::<_, String>(Parsed { at, zone, unknown_zone: false })
        };
        match (self.utc, self.offset, self.zone.unwrap_or_default()) {
            (true, _, _) => fixed(at.assume_utc(), UtcOffset::UTC, "UTC".to_owned()),
            (false, Some(seconds), zone) => {
                let offset = offset_of(seconds)?;
                let instant = behind(offset)?;
                let place = local.at(instant);
                if place.offset == offset && (zone.is_empty() || zone == place.abbreviation) {
                    in_zone(instant)
                } else {
                    fixed(instant, offset, zone)
                }
            }
            (false, None, zone) if zone.is_empty() => in_zone(behind(local.offset_of_local(at))?),
            (false, None, zone) => match local.offset_of_abbreviation(&zone, at) {
                Some(offset) => in_zone(behind(offset)?),
                None => match named_offset(&zone)? {
                    Some(offset) => fixed(behind(offset)?, offset, zone),
                    None => Ok(Parsed { at: at.assume_utc(), zone, unknown_zone: true }),
                },
            },
        }
    }

    fn date(&self) -> Result<Date, String> {
        let (month, day) = match self.day_of_year {
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
            Some(ordinal) => {
                let ordinal = u16::try_from(ordinal).unwrap_or(u16::MAX);
                let date = Date::from_ordinal_date(self.year, ordinal)
                    .map_err(|_| "day-of-year out of range".to_owned())?;
                let (month, day) = (i64::from(u8::from(date.month())), i64::from(date.day()));
                if self.month.is_some_and(|seen| seen != month) {
                    return Err("day-of-year does not match month".to_owned());
                }
                if self.day.is_some_and(|seen| seen != day) {
                    return Err("day-of-year does not match day".to_owned());
                }
                (month, day)
            }
        };
        let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok());
        month
            .zip(u8::try_from(day).ok())
            .and_then(|(month, day)| Date::from_calendar_date(self.year, month, day).ok())
            .ok_or_else(|| "day out of range".to_owned())
    }
}

fn offset_of(seconds: i64) -> Result<UtcOffset, String> {
    i32::try_from(seconds)
        .ok()
        .and_then(|seconds| UtcOffset::from_whole_seconds(seconds).ok())
        .ok_or_else(|| "time zone offset out of range".to_owned())
}

/// The offset of a zone that says it by its name.
fn named_offset(zone: &str) -> Result<Option<UtcOffset>, String> {
    match zone.strip_prefix("GMT") {
        Some("") => Ok(Some(UtcOffset::UTC)),
        Some(hours) => offset_of(atoi(hours.as_bytes()).unwrap_or(0) * 3600).map(Some),
        None => Ok(None),
    }
}

/// Bytes of a zone abbreviation: three to five capitals, GMT with hours, or a signed number of hours.
fn zone_len(text: &[u8]) -> Result<usize, Fault> {
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Ok(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Ok(3 + signed_hours_len(rest));
    }
    if matches!(text, [b'+' | b'-', ..]) {
        return Some(signed_hours_len(text)).filter(|len| *len > 0).ok_or(Fault::Form);
    }
    let capitals = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match (capitals, text) {
        (3, _) => Ok(3),
        (4, [b'W', b'I', b'T', b'A', ..] | [_, _, _, b'T', ..]) => Ok(4),
        (5, [_, _, _, _, b'T', ..]) => Ok(5),
        _ => Err(Fault::Form),
    }
}

fn signed_hours_len(text: &[u8]) -> usize {
    let [b'+' | b'-', digits @ ..] = text else {
        return 0;
    };
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match digits.get(..len).and_then(digits_value) {
        Some(0..=23) => len + 1,
        _ => 0,
    }
}

fn in_range(value: i64, least: i64, most: i64, what: &'static str) -> Result<i64, Fault> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(Fault::Range(what)) }
}

fn two_digits(text: &[u8], padded: bool) -> Result<(i64, &[u8]), Fault> {
    let len = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if padded && len != 2 {
        return Err(Fault::Form);
    }
    let (digits, rest) = text.split_at_checked(len).ok_or(Fault::Form)?;
    Ok((digits_value(digits).ok_or(Fault::Form)?, rest))
}

fn digits_value(digits: &[u8]) -> Option<i64> {
    let digits = Some(digits).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    atoi(digits).ok()
}

fn lookup<'a>(names: &[&str], text: &'a [u8], short: bool) -> Result<(i64, &'a [u8]), Fault> {
    for (index, name) in (0..).zip(names) {
        let name = if short { name.get(..3).unwrap_or_default() } else { name };
        if let Some((head, rest)) = text.split_at_checked(name.len())
            && head.eq_ignore_ascii_case(name.as_bytes())
        {
            return Ok((index, rest));
        }
    }
    Err(Fault::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::time_layout::PRINT;
    use crate::template::go::time_layout::RFC3339;
    use crate::template::go::time_layout::RFC3339_NANO;
    use crate::template::go::time_layout::format;

    fn check(layout: &[u8], value: &str, expected: Result<&str, &str>) {
        let parsed = parse(layout, value.as_bytes(), &Zone::utc())
            .map(|Parsed { at, .. }| String::from_utf8_lossy(&format(at, None, RFC3339_NANO)).into_owned());
        assert_eq!(parsed, expected.map(str::to_owned).map_err(Refusal::new), "{value}");
    }

    #[test]
    fn internet_times() {
        check(RFC3339, "2024-07-02T23:16:02Z", Ok("2024-07-02T23:16:02Z"));
        check(RFC3339, "2024-07-02T23:16:02+02:00", Ok("2024-07-02T23:16:02+02:00"));
        check(RFC3339, "2024-07-02T23:16:02.5Z", Ok("2024-07-02T23:16:02.5Z"));
        check(RFC3339, "2024-02-29T00:00:00Z", Ok("2024-02-29T00:00:00Z"));
        check(
            RFC3339,
            "2023-02-29T00:00:00Z",
            Err("parsing time \"2023-02-29T00:00:00Z\": day out of range"),
        );
        check(
            RFC3339,
            "2023-13-01T00:00:00Z",
            Err("parsing time \"2023-13-01T00:00:00Z\": month out of range"),
        );
        check(
            RFC3339,
            "nonsense",
            Err(
                "parsing time \"nonsense\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"nonsense\" as \"2006\"",
            ),
        );
        check(
            RFC3339,
            "2024-07-02 23:16:02Z",
            Err(
                "parsing time \"2024-07-02 23:16:02Z\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \" 23:16:02Z\" as \"T\"",
            ),
        );
        check(
            RFC3339,
            "2024-07-02T23:16:02Zx",
            Err("parsing time \"2024-07-02T23:16:02Zx\": extra text: \"x\""),
        );
    }

    #[test]
    fn other_layouts() {
        check(PRINT, "2026-01-01 00:00:00 +0000 UTC", Ok("2026-01-01T00:00:00Z"));
        check(PRINT, "2026-01-01 00:00:00.25 +0200 CEST", Ok("2026-01-01T00:00:00.25+02:00"));
        check(b"Jan _2 2006 3:04PM", "jul  2 2024 12:05AM", Ok("2024-07-02T00:05:00Z"));
        check(b"Monday, 02-Jan-06", "Tuesday, 02-Jul-24", Ok("2024-07-02T00:00:00Z"));
        check(b"2006 002", "2024 060", Ok("2024-02-29T00:00:00Z"));
        check(b"2006-01-02 MST", "2024-07-02 GMT+3", Ok("2024-07-02T00:00:00+03:00"));
        check(b"15:04:05.000", "10:00:00.125", Ok("0000-01-01T10:00:00.125Z"));
        check(b"2006 MST", "2024 PDT", Ok("2024-01-01T00:00:00Z"));
        check(b"2006 15", "2024 24", Err("parsing time \"2024 24\": hour out of range"));
        check(
            b"2006 -07:00",
            "2024 +2500",
            Err("parsing time \"2024 +2500\" as \"2006 -07:00\": cannot parse \"+2500\" as \"-07:00\""),
        );
    }
}
