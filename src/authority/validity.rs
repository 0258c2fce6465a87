//! How long a certificate lives (CONTRACT.md section 7).

use thiserror::Error;
use time::OffsetDateTime;

use crate::authority::request::TimeDuration;
use crate::config::EffectiveClaims;
use crate::duration::GoDuration;
use crate::duration::format_go;

/// The validity asked for is not to be had, in step-ca's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidityError {
    /// The end lies in the past.
    #[error("notAfter cannot be in the past; na={}", format_go(*.0))]
    Past(OffsetDateTime),
    /// The end lies before the beginning.
    #[error("notAfter cannot be before notBefore; na={}, nb={}", format_go(*.not_after), format_go(*.not_before))]
    Reversed {
        /// The end.
        not_after: OffsetDateTime,
        /// The beginning.
        not_before: OffsetDateTime,
    },
    /// The life is shorter than the claims allow.
    #[error("requested duration of {got} is less than the authorized minimum certificate duration of {min}")]
    TooShort {
        /// The length asked for.
        got: GoDuration,
        /// The least allowed.
        min: GoDuration,
    },
    /// The life is longer than the claims allow.
    #[error("requested duration of {got} is more than the authorized maximum certificate duration of {max}")]
    TooLong {
        /// The length asked for.
        got: GoDuration,
        /// The most allowed, backdate included.
        max: GoDuration,
    },
    /// The beginning lies before that of the certificate that asks.
    #[error(
        "requested certificate notBefore ({}) is before the active validity window of the provisioning credential ({})",
        format_go(*.got), format_go(*.limit)
    )]
    BeforeCredential {
        /// The beginning asked for.
        got: OffsetDateTime,
        /// That of the certificate that asks.
        limit: OffsetDateTime,
    },
    /// The end lies behind that of the certificate that asks.
    #[error(
        "requested certificate notAfter ({}) is after the expiration of the provisioning credential ({})",
        format_go(*.got), format_go(*.limit)
    )]
    AfterCredential {
        /// The end asked for.
        got: OffsetDateTime,
        /// That of the certificate that asks.
        limit: OffsetDateTime,
    },
    /// An instant beyond the year 9999.
    #[error("validity lies outside the years that a certificate can name")]
    OutOfRange,
}

/// Beginning and end of a certificate, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

/// What a request or a template says about one end.
pub(super) type Wish = Option<TimeDuration>;

/// The validity of a certificate that asks for another one, which may not outlast it.
pub(super) type Window = Option<(OffsetDateTime, OffsetDateTime)>;

/// Settles the validity and checks it against the claims, and against the certificate that asks, if one does.
pub(super) fn settle(
    now: OffsetDateTime,
    (not_before, not_after): (Wish, Wish),
    claims: &EffectiveClaims,
    backdate: GoDuration,
    window: Window,
) -> Result<Validity, ValidityError> {
    let at = |start: OffsetDateTime, wish: TimeDuration| match wish {
        TimeDuration::Instant(instant) => Ok(instant),
        TimeDuration::Duration(length) => {
            start.checked_add(length.as_time()).ok_or(ValidityError::OutOfRange)
        }
    };
    // A duration for the end counts from the beginning before it is moved back.
    let start = not_before.map_or(Ok(now), |wish| at(now, wish))?;
    let mut end = at(start, not_after.unwrap_or(TimeDuration::Duration(claims.default)))?;
    if let Some((first, last)) = window {
        if start < first {
            return Err(ValidityError::BeforeCredential { got: start, limit: first });
        }
        if end > last && not_after.is_some() {
            return Err(ValidityError::AfterCredential { got: end, limit: last });
        }
        end = end.min(last);
    }
    let begin = match not_before {
        Some(_) => start,
        None => now.checked_sub(backdate.as_time()).ok_or(ValidityError::OutOfRange)?,
    };
    let (now, not_before, not_after) = (whole_second(now), whole_second(begin), whole_second(end));
    if !(0..=9999).contains(&not_before.year()) || !(0..=9999).contains(&not_after.year()) {
        return Err(ValidityError::OutOfRange);
    }
    if not_after < now {
        return Err(ValidityError::Past(not_after));
    }
    if not_after < not_before {
        return Err(ValidityError::Reversed { not_after, not_before });
    }
    let seconds = (not_after - not_before).whole_seconds();
    let got = GoDuration::from_seconds(seconds);
    let max = claims.max.saturating_add(backdate);
    if got < claims.min {
        return Err(ValidityError::TooShort { got, min: claims.min });
    }
    if got > max {
        return Err(ValidityError::TooLong { got, max });
    }
    Ok(Validity { not_before, not_after })
}

/// Cuts the fraction of a second.
pub(super) fn whole_second(instant: OffsetDateTime) -> OffsetDateTime {
    instant.replace_nanosecond(0).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::parse_rfc3339;

    fn check(not_before: &str, not_after: &str, expected: Result<(i64, i64), &str>) {
        let wish = |text: &str| {
            (!text.is_empty()).then(|| match text.parse::<GoDuration>() {
                Ok(duration) => TimeDuration::Duration(duration),
                Err(_) => TimeDuration::Instant(parse_rfc3339(text).unwrap()),
            })
        };
        let now = parse_rfc3339("1970-01-11T00:00:00.5Z").unwrap();
        let minute = GoDuration::from_seconds(60);
        let got = settle(now, (wish(not_before), wish(not_after)), &EffectiveClaims::BUILT_IN, minute, None);
        let base = now.unix_timestamp();
        let got = got
            .map(|v| (v.not_before.unix_timestamp() - base, v.not_after.unix_timestamp() - base))
            .map_err(|e| e.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{not_before:?} {not_after:?}");
    }

    #[test]
    fn durations_count_from_the_unbackdated_beginning() {
        check("", "", Ok((-60, 86_400)));
        check("", "1h", Ok((-60, 3600)));
        check("1h", "1h", Ok((3600, 7200)));
        check("", "4m", Ok((-60, 240)));
        check("1h", "24h1m", Ok((3600, 3600 + 86_460)));
        check("1970-01-11T01:00:00Z", "1h", Ok((3600, 7200)));
        check("8760h", "", Ok((31_536_000, 31_536_000 + 86_400)));
    }

    #[test]
    fn claims_bound_the_length() {
        check(
            "",
            "3m59s",
            Err(
                "requested duration of 4m59s is less than the authorized minimum certificate duration of 5m0s",
            ),
        );
        check(
            "",
            "24h1s",
            Err(
                "requested duration of 24h1m1s is more than the authorized maximum certificate duration of 24h1m0s",
            ),
        );
        check("", "-1h", Err("notAfter cannot be in the past; na=1970-01-10 23:00:00 +0000 UTC"));
        check(
            "2h",
            "-1h",
            Err(
                "notAfter cannot be before notBefore; na=1970-01-11 01:00:00 +0000 UTC, nb=1970-01-11 02:00:00 +0000 UTC",
            ),
        );
        check(
            "9999-12-31T23:00:00Z",
            "2h",
            Err("validity lies outside the years that a certificate can name"),
        );
    }
}
