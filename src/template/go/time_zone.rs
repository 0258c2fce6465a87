//! Time zones a template may name: those of the tz database that is compiled in.
//!
//! Neither the host's database nor its environment is read, so that a template renders the same everywhere. The
//! host's zone, `Local`, counts as UTC. A time before 1970 may differ where builds of the database differ.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff::tz::TimeZoneDatabase;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::UtcOffset;

use crate::template::go::Refusal;
use crate::template::go::runes::valid_text;

/// The zones, parsed as they are asked for.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Changes of one zone that are looked at for the abbreviations it uses. No zone shows a new one after as many.
const MAX_CHANGES: usize = 300;

/// A time zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

/// What a zone says at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// East of Greenwich.
    pub(crate) offset: UtcOffset,
    /// What the zone element of a layout prints.
    pub(crate) abbreviation: String,
}

impl Zone {
    /// UTC itself.
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Offset and abbreviation at an instant.
    pub(crate) fn at(&self, instant: OffsetDateTime) -> Place {
        let info = self.0.to_offset_info(timestamp(instant));
        Place { offset: offset(info.offset()), abbreviation: info.abbreviation().to_owned() }
    }

    /// The offset that Go subtracts from a local time: it looks the time up as if it were UTC, and once more with
    /// what it found. That decides which of two instants is meant where the clock is set back, and how far a time
    /// moves that the clock skips.
    pub(crate) fn offset_of_local(&self, local: PrimitiveDateTime) -> UtcOffset {
        let first = self.at(local.assume_utc()).offset;
        match behind(local, first) {
            Some(instant) => self.at(instant).offset,
            None => first,
        }
    }

    /// The offset that an abbreviation of this zone stands for at a local time: if it has several, the one in effect.
    pub(crate) fn offset_of_abbreviation(&self, name: &str, local: PrimitiveDateTime) -> Option<UtcOffset> {
        let places: Vec<Place> =
            self.places(MAX_CHANGES).into_iter().filter(|place| place.abbreviation == name).collect();
        let in_effect = places.iter().find_map(|place| {
            let found = self.at(behind(local, place.offset)?);
            (found.abbreviation == name).then_some(found.offset)
        });
        in_effect.or_else(|| places.first().map(|place| place.offset))
    }

    /// Every pair of offset and abbreviation that the zone has within so many changes, the oldest first.
    fn places(&self, changes: usize) -> Vec<Place> {
        let first = self.0.to_offset_info(Timestamp::MIN);
        let mut places =
            vec![Place { offset: offset(first.offset()), abbreviation: first.abbreviation().to_owned() }];
        for change in self.0.following(Timestamp::MIN).take(changes) {
            let place =
                Place { offset: offset(change.offset()), abbreviation: change.abbreviation().to_owned() };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

/// Finds a zone by its name in the tz database, in the database's own letters.
///
/// # Errors
///
/// The zone is unknown.
pub(crate) fn load(name: &[u8]) -> Result<Zone, Refusal> {
    let unknown = || Refusal::new(format!("unknown time zone {}", valid_text(name)));
    if matches!(name, b"" | b"Local") {
        return Ok(Zone::utc());
    }
    let name = std::str::from_utf8(name).map_err(|_| unknown())?;
    // The database does not mind the case of letters; Go does.
    let zone = DATABASE.get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    zone.map(Zone).ok_or_else(unknown)
}

/// The instant that a local time is at an offset.
fn behind(local: PrimitiveDateTime, offset: UtcOffset) -> Option<OffsetDateTime> {
    let seconds = i64::from(offset.whole_seconds());
    local.checked_sub(time::Duration::seconds(seconds)).map(PrimitiveDateTime::assume_utc)
}

/// jiff's years end a day before `time`'s; nothing changes there.
fn timestamp(instant: OffsetDateTime) -> Timestamp {
    let seconds = instant.unix_timestamp();
    let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(end)
}

fn offset(offset: jiff::tz::Offset) -> UtcOffset {
    UtcOffset::from_whole_seconds(offset.seconds()).unwrap_or(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::time_layout;
    use crate::template::go::time_parse;
    use time::macros::datetime;

    fn check(name: &str, at: OffsetDateTime, expected: Result<(i32, &str), &str>) {
        let place = load(name.as_bytes()).map(|zone| zone.at(at));
        let place = place.as_ref().map(|place| (place.offset.whole_seconds(), place.abbreviation.as_str()));
        assert_eq!(place.map_err(ToString::to_string), expected.map_err(str::to_owned), "{name}");
    }

    #[test]
    fn zones_are_those_of_the_database() {
        let (winter, summer) = (datetime!(2026-01-01 00:00 UTC), datetime!(2026-07-01 00:00 UTC));
        for name in ["", "Local", "UTC", "Etc/UTC", "Zulu"] {
            check(name, winter, Ok((0, "UTC")));
        }
        check("GMT", winter, Ok((0, "GMT")));
        check("Etc/GMT+5", winter, Ok((-18000, "-05")));
        check("Etc/GMT-14", winter, Ok((50400, "+14")));
        check("Europe/Zurich", winter, Ok((3600, "CET")));
        check("Europe/Zurich", summer, Ok((7200, "CEST")));
        check("Europe/Dublin", winter, Ok((0, "GMT")));
        check("Europe/Dublin", summer, Ok((3600, "IST")));
        check("Asia/Kathmandu", summer, Ok((20700, "+0545")));
        check("Europe/Zurich", datetime!(9999-12-31 23:59 UTC), Ok((3600, "CET")));
        check("Europe/Zurich", datetime!(-9999-01-01 00:00 UTC), Ok((2048, "LMT")));
        for name in ["Etc/GMT-15", "Etc/Unknown", "europe/zurich", "utc", "../UTC", "/etc/localtime", "CEST"]
        {
            check(name, winter, Err(&format!("unknown time zone {name}")));
        }
    }

    #[test]
    fn no_abbreviation_comes_late() {
        for name in DATABASE.available() {
            let zone = Zone(DATABASE.get(name.as_str()).unwrap());
            assert_eq!(zone.places(MAX_CHANGES), zone.places(2 * MAX_CHANGES), "{name}");
        }
    }

    #[test]
    fn local_times_are_read_as_go_reads_them() {
        let check = |layout: &str, text: &str, zone: &str, expected: &str| {
            let zone = load(zone.as_bytes()).unwrap();
            let parsed = time_parse::parse(layout.as_bytes(), text.as_bytes(), &zone).unwrap();
            let shown = time_layout::format(parsed.at, Some(&parsed.zone), b"2006-01-02T15:04 -0700 MST");
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
        };
        let (plain, named, offset) = ("2006-01-02 15:04", "2006-01-02 15:04 MST", "2006-01-02 15:04 -0700");
        check(plain, "2026-07-01 12:00", "Europe/Zurich", "2026-07-01T12:00 +0200 CEST");
        // The hour that is skipped, east and west of Greenwich.
        check(plain, "2026-03-29 02:30", "Europe/Zurich", "2026-03-29T03:30 +0200 CEST");
        check(plain, "2026-03-08 02:30", "America/Los_Angeles", "2026-03-08T01:30 -0800 PST");
        check(plain, "2026-03-29 01:30", "Europe/London", "2026-03-29T02:30 +0100 BST");
        // The hour that comes twice.
        check(plain, "2026-10-25 02:30", "Europe/Zurich", "2026-10-25T02:30 +0100 CET");
        check(plain, "2026-11-01 01:30", "America/Los_Angeles", "2026-11-01T01:30 -0700 PDT");
        check(named, "2026-11-01 01:30 PST", "America/Los_Angeles", "2026-11-01T01:30 -0800 PST");
        check(named, "2026-07-01 12:00 PST", "America/Los_Angeles", "2026-07-01T13:00 -0700 PDT");
        check(offset, "2026-07-01 12:00 +0200", "Europe/Zurich", "2026-07-01T12:00 +0200 CEST");
        check(offset, "2026-07-01 12:00 +0300", "Europe/Zurich", "2026-07-01T12:00 +0300 ");
    }
}
