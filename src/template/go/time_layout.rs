//! Go's reference-time layouts: what a layout means, its named forms, and writing a time with one.
//!
//! A time is an instant with a fixed offset; offset zero is called UTC. Named zones live in `time_zone`.

use time::OffsetDateTime;

/// The layout under which Go prints a time.
pub(crate) const PRINT: &[u8] = b"2006-01-02 15:04:05.999999999 -0700 MST";
/// RFC 3339 with whole seconds.
pub(crate) const RFC3339: &[u8] = b"2006-01-02T15:04:05Z07:00";
/// RFC 3339 with as many fractional digits as needed; the JSON form of a time.
pub(crate) const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";

const NAMED: [(&str, &[u8]); 19] = [
    ("LAYOUT", b"01/02 03:04:05PM '06 -0700"),
    ("ANSIC", b"Mon Jan _2 15:04:05 2006"),
    ("UNIXDATE", b"Mon Jan _2 15:04:05 MST 2006"),
    ("RUBYDATE", b"Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", b"02 Jan 06 15:04 MST"),
    ("RFC822Z", b"02 Jan 06 15:04 -0700"),
    ("RFC850", b"Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", b"Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", b"Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", RFC3339),
    ("RFC3339NANO", RFC3339_NANO),
    ("KITCHEN", b"3:04PM"),
    ("STAMP", b"Jan _2 15:04:05"),
    ("STAMPMILLI", b"Jan _2 15:04:05.000"),
    ("STAMPMICRO", b"Jan _2 15:04:05.000000"),
    ("STAMPNANO", b"Jan _2 15:04:05.000000000"),
    ("DATETIME", b"2006-01-02 15:04:05"),
    ("DATEONLY", b"2006-01-02"),
    ("TIMEONLY", b"15:04:05"),
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The layout a name such as `RFC3339` or `time.UnixDate` stands for; any other text is a layout itself.
pub(crate) fn named(name: &[u8]) -> &[u8] {
    let bare = name.strip_prefix(b"time.").unwrap_or(name);
    NAMED
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(bare))
        .map_or(name, |(_, layout)| layout)
}

/// How an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetForm {
    /// `Z` stands for offset zero.
    pub(super) zulu: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
    pub(super) colon: bool,
}

impl OffsetForm {
    /// Bytes from the sign on.
    pub(super) fn len(self) -> usize {
        let pairs = usize::from(self.minutes) + usize::from(self.seconds);
        3 + pairs * if self.colon { 3 } else { 2 }
    }
}

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Year,
    ShortYear,
    MonthName,
    MonthAbbreviation,
    Month { padded: bool },
    DayName,
    DayAbbreviation,
    Day { pad: Option<u8> },
    DayOfYear { pad: u8 },
    Hour,
    Hour12 { padded: bool },
    Minute { padded: bool },
    Second { padded: bool },
    Fraction { separator: u8, digits: usize, trimmed: bool },
    Half { upper: bool },
    ZoneName,
    Offset(OffsetForm),
}

/// A layout split at its first element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// Text to be copied, before the element.
    pub(super) literal: &'a [u8],
    /// The element and the bytes it is written with; none at the end of the layout.
    pub(super) element: Option<(Element, &'a [u8])>,
    pub(super) rest: &'a [u8],
}

/// Finds the first element of a layout.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for start in 0..layout.len() {
        let Some((literal, here)) = layout.split_at_checked(start) else {
            break;
        };
        if here.starts_with(b"_2006") {
            // An underscore before the year is just that.
            let (literal, here) = layout.split_at_checked(start + 1).unwrap_or((literal, here));
            let (text, rest) = here.split_at_checked(4).unwrap_or((here, &[]));
            return Chunk { literal, element: Some((Element::Year, text)), rest };
        }
        if let Some((element, len)) = element_at(here) {
            let (text, rest) = here.split_at_checked(len).unwrap_or((here, &[]));
            return Chunk { literal, element: Some((element, text)), rest };
        }
    }
    Chunk { literal: layout, element: None, rest: &[] }
}

fn element_at(here: &[u8]) -> Option<(Element, usize)> {
    let lower_follows = |at: usize| here.get(at).is_some_and(u8::is_ascii_lowercase);
    Some(match here {
        [b'J', b'a', b'n', b'u', b'a', b'r', b'y', ..] => (Element::MonthName, 7),
        [b'J', b'a', b'n', ..] if !lower_follows(3) => (Element::MonthAbbreviation, 3),
        [b'M', b'o', b'n', b'd', b'a', b'y', ..] => (Element::DayName, 6),
        [b'M', b'o', b'n', ..] if !lower_follows(3) => (Element::DayAbbreviation, 3),
        [b'M', b'S', b'T', ..] => (Element::ZoneName, 3),
        [b'0', b'1', ..] => (Element::Month { padded: true }, 2),
        [b'0', b'2', ..] => (Element::Day { pad: Some(b'0') }, 2),
        [b'0', b'3', ..] => (Element::Hour12 { padded: true }, 2),
        [b'0', b'4', ..] => (Element::Minute { padded: true }, 2),
        [b'0', b'5', ..] => (Element::Second { padded: true }, 2),
        [b'0', b'6', ..] => (Element::ShortYear, 2),
        [b'0', b'0', b'2', ..] => (Element::DayOfYear { pad: b'0' }, 3),
        [b'1', b'5', ..] => (Element::Hour, 2),
        [b'1', ..] => (Element::Month { padded: false }, 1),
        [b'2', b'0', b'0', b'6', ..] => (Element::Year, 4),
        [b'2', ..] => (Element::Day { pad: None }, 1),
        [b'_', b'_', b'2', ..] => (Element::DayOfYear { pad: b' ' }, 3),
        [b'_', b'2', ..] => (Element::Day { pad: Some(b' ') }, 2),
        [b'3', ..] => (Element::Hour12 { padded: false }, 1),
        [b'4', ..] => (Element::Minute { padded: false }, 1),
        [b'5', ..] => (Element::Second { padded: false }, 1),
        [b'P', b'M', ..] => (Element::Half { upper: true }, 2),
        [b'p', b'm', ..] => (Element::Half { upper: false }, 2),
        [b'-' | b'Z', ..] => return offset_at(here),
        [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] => {
            let digits = here.iter().skip(1).take_while(|byte| *byte == digit).count();
            if here.get(digits + 1).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let trimmed = *digit == b'9';
            (Element::Fraction { separator: *separator, digits, trimmed }, digits + 1)
        }
        _ => return None,
    })
}

fn offset_at(here: &[u8]) -> Option<(Element, usize)> {
    let zulu = here.first() == Some(&b'Z');
    let form = |minutes, seconds, colon| OffsetForm { zulu, minutes, seconds, colon };
    let forms: [(&[u8], OffsetForm); 5] = [
        (b"070000", form(true, true, false)),
        (b"07:00:00", form(true, true, true)),
        (b"0700", form(true, false, false)),
        (b"07:00", form(true, false, true)),
        (b"07", form(false, false, false)),
    ];
    let digits = here.get(1..)?;
    let (_, form) = forms.iter().find(|(text, _)| digits.starts_with(text))?;
    Some((Element::Offset(*form), form.len()))
}

/// Writes a time; `zone` is the zone's abbreviation where one is known.
pub(crate) fn format(at: OffsetDateTime, zone: Option<&str>, layout: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(layout.len() + 10);
    let mut rest = layout;
    loop {
        let chunk = next_chunk(rest);
        out.extend_from_slice(chunk.literal);
        let Some((element, _)) = chunk.element else {
            return out;
        };
        write_element(at, zone, element, &mut out);
        rest = chunk.rest;
    }
}

fn write_element(at: OffsetDateTime, zone: Option<&str>, element: Element, out: &mut Vec<u8>) {
    let month = MONTHS.get(usize::from(u8::from(at.month())).saturating_sub(1)).copied().unwrap_or_default();
    let day = DAYS.get(usize::from(at.weekday().number_days_from_sunday())).copied().unwrap_or_default();
    let short = |name: &str| name.get(..3).unwrap_or_default().to_owned();
    let hour12 = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let number = |value: u8, padded: bool| {
        if padded { format!("{value:02}") } else { value.to_string() }
    };
    let text = match element {
        Element::Year if at.year() < 0 => format!("-{:04}", at.year().unsigned_abs()),
        Element::Year => format!("{:04}", at.year()),
        Element::ShortYear => format!("{:02}", at.year().max(0) % 100),
        Element::MonthName => month.to_owned(),
        Element::MonthAbbreviation => short(month),
        Element::Month { padded } => number(at.month().into(), padded),
        Element::DayName => day.to_owned(),
        Element::DayAbbreviation => short(day),
        Element::Day { pad: Some(b' ') } => format!("{:2}", at.day()),
        Element::Day { pad } => number(at.day(), pad.is_some()),
        Element::DayOfYear { pad: b' ' } => format!("{:3}", at.ordinal()),
        Element::DayOfYear { .. } => format!("{:03}", at.ordinal()),
        Element::Hour => number(at.hour(), true),
        Element::Hour12 { padded } => number(hour12, padded),
        Element::Minute { padded } => number(at.minute(), padded),
        Element::Second { padded } => number(at.second(), padded),
        Element::Fraction { separator, digits, trimmed } => {
            fraction(at.nanosecond(), char::from(separator), digits, trimmed)
        }
        Element::Half { upper } => match (at.hour() < 12, upper) {
            (true, true) => "AM",
            (true, false) => "am",
            (false, true) => "PM",
            (false, false) => "pm",
        }
        .to_owned(),
        Element::ZoneName => zone_name(at, zone),
        Element::Offset(form) => offset(at.offset().whole_seconds(), form),
    };
    out.extend_from_slice(text.as_bytes());
}

fn fraction(nanosecond: u32, separator: char, digits: usize, trimmed: bool) -> String {
    let text = format!("{nanosecond:09}");
    let text = text.get(..digits.min(9)).unwrap_or_default();
    let text = if trimmed { text.trim_end_matches('0') } else { text };
    if text.is_empty() { String::new() } else { format!("{separator}{text}") }
}

fn zone_name(at: OffsetDateTime, zone: Option<&str>) -> String {
    match zone {
        Some(name) => name.to_owned(),
        None if at.offset().is_utc() => "UTC".to_owned(),
        None => {
            let form = OffsetForm { zulu: false, minutes: true, seconds: false, colon: false };
            offset(at.offset().whole_seconds(), form)
        }
    }
}

fn offset(seconds: i32, form: OffsetForm) -> String {
    if form.zulu && seconds == 0 {
        return "Z".to_owned();
    }
    let magnitude = seconds.unsigned_abs();
    // The sign is that of the whole minutes, as in Go.
    let sign = if seconds <= -60 { '-' } else { '+' };
    let colon = if form.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", magnitude / 3600);
    if form.minutes {
        text.push_str(&format!("{colon}{:02}", magnitude / 60 % 60));
    }
    if form.seconds {
        text.push_str(&format!("{colon}{:02}", magnitude % 60));
    }
    text
}

/// Quotes a text as package time does in its errors: bytes outside printable ASCII as `\x..`.
pub(super) fn quote_plain(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'\x7f' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn check(layout: &str, expected: &str) {
        let at = datetime!(2024-07-02 16:05:09.012300000 -07:30);
        assert_eq!(String::from_utf8_lossy(&format(at, None, layout.as_bytes())), expected, "{layout}");
    }

    #[test]
    fn elements() {
        check("2006-01-02T15:04:05Z07:00", "2024-07-02T16:05:09-07:30");
        check("06/1/2 3:4:5 PM pm", "24/7/2 4:5:9 PM pm");
        check("Mon Monday Jan January", "Tue Tuesday Jul July");
        check("Month Janus", "Month Janus");
        check("_2 __2 002 _2006", " 2 184 184 _2024");
        check("05.000 05,000000000 05.999 05.99 .9", "09.012 09,012300000 09.012 09.01 ");
        check("05.0001 05.000000000000", "09.0007 09.012300000");
        check("-07 -0700 -07:00 -070000 -07:00:00 MST", "-07 -0730 -07:30 -073000 -07:30:00 -0730");
        check("Z07 Z0700 Z070000 Z07:00:00", "-07 -0730 -073000 -07:30:00");
        check("é x", "é x");
    }

    #[test]
    fn utc_has_a_name() {
        let at = datetime!(2026-01-01 00:00:00 UTC);
        let text = |layout| String::from_utf8_lossy(&format(at, None, layout)).into_owned();
        assert_eq!(text(PRINT), "2026-01-01 00:00:00 +0000 UTC");
        assert_eq!(text(RFC3339_NANO), "2026-01-01T00:00:00Z");
        assert_eq!(text(b"03:04PM"), "12:00AM");
    }

    #[test]
    fn names_of_layouts() {
        assert_eq!(named(b"RFC3339"), RFC3339);
        assert_eq!(named(b"time.UnixDate"), b"Mon Jan _2 15:04:05 MST 2006");
        assert_eq!(named(b"kitchen"), b"3:04PM");
        assert_eq!(named(b"other"), b"other");
    }
}
