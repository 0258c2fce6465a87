//! When a certificate is renewed: arithmetic over a clock's time and given randomness, after the step command's.

use time::Duration;
use time::OffsetDateTime;

use crate::entropy::Entropy;
use crate::entropy::Unavailable;

/// What the command line says about when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    /// How long before its end a certificate is renewed; a third of its life if nothing is said.
    pub(super) expires_in: Option<Duration>,
    /// A fixed time between renewals.
    pub(super) period: Option<Duration>,
}

impl Schedule {
    /// When a certificate is due: up to a twentieth of its life before that many would be at once, and never later
    /// than its end.
    pub(super) fn due(
        &self,
        (not_before, not_after): (OffsetDateTime, OffsetDateTime),
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<OffsetDateTime, Unavailable> {
        if let Some(period) = self.period {
            return Ok(if not_after - now <= period { now } else { now + period });
        }
        let life = not_after - not_before;
        let wait = not_after - now - self.expires_in.unwrap_or(life / 3);
        if wait <= Duration::ZERO {
            return Ok(now);
        }
        Ok(now + wait - random_below(wait.min(life / 20), entropy)?)
    }

    /// Whether a single renewal has to wait: the certificate lives longer than `--expires-in` and a twentieth of that.
    pub(super) fn too_early(
        &self,
        not_after: OffsetDateTime,
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<bool, Unavailable> {
        let Some(expires_in) = self.expires_in else { return Ok(false) };
        Ok(not_after - now > expires_in + random_below(expires_in / 20, entropy)?)
    }
}

/// When to try again after so many failures in a row: 5 seconds, doubling up to 5 minutes, less up to a half by
/// chance; while the certificate lives, at least ten tries fit into what is left of it.
pub(super) fn retry(
    failures: u32,
    not_after: OffsetDateTime,
    now: OffsetDateTime,
    entropy: &dyn Entropy,
) -> Result<OffsetDateTime, Unavailable> {
    let doubled = Duration::seconds(5) * 2_i32.pow(failures.saturating_sub(1).min(6));
    let mut wait = doubled.min(Duration::minutes(5));
    if not_after > now {
        wait = wait.min((not_after - now) / 10);
    }
    wait = wait.max(Duration::SECOND);
    Ok(now + wait - random_below(wait / 2, entropy)?)
}

/// A random duration from zero to less than `limit`.
fn random_below(limit: Duration, entropy: &dyn Entropy) -> Result<Duration, Unavailable> {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes)?;
    let limit = u64::try_from(limit.whole_nanoseconds()).unwrap_or_default().max(1);
    let nanoseconds = u64::from_le_bytes(bytes) % limit;
    Ok(Duration::nanoseconds(i64::try_from(nanoseconds).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same bytes always.
    #[derive(Debug)]
    struct Fixed(u64);

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
            buffer.copy_from_slice(&self.0.to_le_bytes()[..buffer.len()]);
            Ok(())
        }
    }

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const HOUR: Duration = Duration::HOUR;

    #[test]
    fn a_certificate_is_due_after_two_thirds() {
        let check = |schedule: Schedule, now: Duration, random: u64, expected: Duration| {
            let due = schedule.due((START, START + 24 * HOUR), START + now, &Fixed(random)).unwrap();
            assert_eq!(due - START, expected);
        };
        let plain = Schedule::default();
        check(plain, Duration::ZERO, 0, 16 * HOUR);
        // The most jitter is less than a twentieth of the life.
        let most = u64::try_from(Duration::minutes(72).whole_nanoseconds()).unwrap() - 1;
        check(plain, Duration::ZERO, most, 16 * HOUR - Duration::minutes(72) + Duration::NANOSECOND);
        check(plain, 17 * HOUR, 0, 17 * HOUR);
        check(plain, 30 * HOUR, 0, 30 * HOUR);
        let late = Schedule { expires_in: Some(2 * HOUR), period: None };
        check(late, HOUR, 0, 22 * HOUR);
        // Shortly before, jitter does not reach into the past.
        check(
            late,
            22 * HOUR - Duration::SECOND,
            999_999_999,
            22 * HOUR - Duration::SECOND + Duration::NANOSECOND,
        );
        let fixed = Schedule { expires_in: None, period: Some(5 * HOUR) };
        check(fixed, HOUR, 7, 6 * HOUR);
        check(fixed, 19 * HOUR, 7, 19 * HOUR);
    }

    #[test]
    fn one_renewal_may_be_too_early() {
        let check = |expires_in: Option<Duration>, left: Duration, random: u64, expected: bool| {
            let schedule = Schedule { expires_in, period: None };
            assert_eq!(schedule.too_early(START + left, START, &Fixed(random)), Ok(expected));
        };
        check(None, 24 * HOUR, 0, false);
        check(Some(8 * HOUR), 9 * HOUR, 0, true);
        check(Some(8 * HOUR), 8 * HOUR, 0, false);
        check(Some(8 * HOUR), 8 * HOUR + Duration::SECOND, 2_000_000_000, false);
    }

    #[test]
    fn failures_are_tried_again_ever_less_often() {
        let check = |failures: u32, left: Duration, random: u64, expected: Duration| {
            assert_eq!(retry(failures, START + left, START, &Fixed(random)).unwrap() - START, expected);
        };
        for (failures, seconds) in [(1, 5), (2, 10), (5, 80), (7, 300), (1000, 300)] {
            check(failures, 24 * HOUR, 0, Duration::seconds(seconds));
        }
        check(1, 24 * HOUR, 2_499_999_999, Duration::seconds(2) + Duration::nanoseconds(500_000_001));
        check(9, Duration::MINUTE, 0, Duration::seconds(6));
        check(9, Duration::seconds(2), 0, Duration::SECOND);
        check(9, -HOUR, 0, Duration::minutes(5));
    }
}
