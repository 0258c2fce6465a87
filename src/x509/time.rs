//! Times in certificates (RFC 5280 §4.1.2.5): UTCTime up to 2049, GeneralizedTime from 2050 on, whole seconds.

use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::Time;
use time::UtcOffset;

use crate::x509::element;
use crate::x509::element::Element;
use crate::x509::encode;
use crate::x509::error::Error;

/// Writes a time; fractions of seconds are cut.
pub(crate) fn to_der(time: OffsetDateTime) -> Result<Vec<u8>, Error> {
    let der = utc_time(time).or_else(|| generalized_time(time));
    der.ok_or_else(|| Error::Year(time.to_offset(UtcOffset::UTC).year()))
}

/// Writes a UTCTime, which knows the years 1950 to 2049.
pub(crate) fn utc_time(time: OffsetDateTime) -> Option<Vec<u8>> {
    let time = time.to_offset(UtcOffset::UTC);
    let year = Some(time.year()).filter(|year| (1950..=2049).contains(year))?;
    let text = format!("{:02}{}", year.rem_euclid(100), behind_the_year(time));
    Some(encode::element(element::UTC_TIME, text.as_bytes()))
}

/// Writes a GeneralizedTime, which knows years of four digits.
pub(crate) fn generalized_time(time: OffsetDateTime) -> Option<Vec<u8>> {
    let time = time.to_offset(UtcOffset::UTC);
    let year = Some(time.year()).filter(|year| (0..=9999).contains(year))?;
    let text = format!("{year:04}{}", behind_the_year(time));
    Some(encode::element(element::GENERALIZED_TIME, text.as_bytes()))
}

fn behind_the_year(time: OffsetDateTime) -> String {
    let (month, day) = (u8::from(time.month()), time.day());
    format!("{month:02}{day:02}{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
}

/// Reads a UTCTime or GeneralizedTime in the form of RFC 5280 §4.1.2.5.
pub(crate) fn from_element(element: &Element<'_>) -> Option<OffsetDateTime> {
    let (digits, b'Z') = element.content.split_last().map(|(last, digits)| (digits, *last))? else {
        return None;
    };
    let mut pairs = digits.as_chunks::<2>().0.iter().copied().map(pair);
    let mut next = || pairs.next().flatten();
    let year = match (element.tag, digits.len()) {
        (element::UTC_TIME, 12) => match next()? {
            year @ 0..50 => 2000 + i32::from(year),
            year => 1900 + i32::from(year),
        },
        (element::GENERALIZED_TIME, 14) => i32::from(next()?) * 100 + i32::from(next()?),
        _ => return None,
    };
    let month = Month::try_from(next()?).ok()?;
    let date = Date::from_calendar_date(year, month, next()?).ok()?;
    let time = Time::from_hms(next()?, next()?, next()?).ok()?;
    Some(date.with_time(time).assume_utc())
}

fn pair([tens, ones]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::x509::element::Reader;

    fn check(time: OffsetDateTime, expected: &[u8]) {
        let der = to_der(time);
        assert_eq!(der.as_deref(), Ok(expected), "{time}");
        let read = Reader::new(expected).next().and_then(|element| from_element(&element));
        assert_eq!(read, Some(time.to_offset(UtcOffset::UTC).truncate_to_second()));
    }

    #[test]
    fn the_year_decides_about_the_type() {
        check(datetime!(2026-11-24 00:34:50 UTC), b"\x17\x0d261124003450Z");
        check(datetime!(2049-12-31 23:59:59.9 UTC), b"\x17\x0d491231235959Z");
        check(datetime!(2049-12-31 23:59:59 -1), b"\x18\x0f20500101005959Z");
        check(datetime!(1950-01-01 00:00:00 UTC), b"\x17\x0d500101000000Z");
        check(datetime!(1949-01-01 00:00:00 UTC), b"\x18\x0f19490101000000Z");
        check(datetime!(9999-12-31 23:59:59 UTC), b"\x18\x0f99991231235959Z");
    }

    #[test]
    fn refuses_other_forms() {
        for content in [
            &b"261124003450"[..],
            b"261124003450+0000",
            b"2611240034Z",
            b"261324003450Z",
            b"260230003450Z",
            b"261124003460Z",
            b"2611240034 0Z",
            b"Z",
            b"",
        ] {
            let der = encode::element(element::UTC_TIME, content);
            assert_eq!(Reader::new(&der).next().and_then(|element| from_element(&element)), None);
        }
    }
}
