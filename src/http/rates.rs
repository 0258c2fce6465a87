//! How often somebody may ask: token buckets by whoever it is, on the authority's clock. Off unless asked for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use time::OffsetDateTime;

use crate::http::limits::Rate;

/// From how many on those who have not asked for longest are forgotten; some 100 bytes each.
const REMEMBERED: usize = 16_384;

/// A bucket for each of those who ask.
#[derive(Debug)]
pub(super) struct Rates<K> {
    rate: Rate,
    buckets: Mutex<Buckets<K>>,
}

/// Two generations: when the younger one is full, the older one is forgotten.
#[derive(Debug)]
struct Buckets<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: OffsetDateTime,
}

impl<K: Hash + Eq> Rates<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(Buckets { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// Takes one, or tells how long it is until there is one.
    pub(super) fn take(&self, who: K, now: OffsetDateTime) -> Result<(), Duration> {
        // Buckets are whole after each step, whoever panicked.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { left: self.rate.burst, at: now };
        let mut bucket = buckets.young.get(&who).or_else(|| buckets.old.get(&who)).copied().unwrap_or(full);
        // A clock that was set back gives nothing, and takes nothing.
        let passed = (now - bucket.at).as_seconds_f64().max(0.0);
        bucket.left = (bucket.left + passed * self.rate.per_second).min(self.rate.burst);
        bucket.at = now;
        let answer = if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            Ok(())
        } else {
            Err(Duration::try_from_secs_f64((1.0 - bucket.left) / self.rate.per_second)
                .unwrap_or(Duration::MAX))
        };
        if buckets.young.len() >= REMEMBERED && !buckets.young.contains_key(&who) {
            buckets.old = std::mem::take(&mut buckets.young);
        }
        buckets.young.insert(who, bucket);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_burst_and_then_the_rate() {
        let rates = Rates::new("2:3".parse().unwrap());
        let take = |who, seconds: f64| rates.take(who, START + time::Duration::seconds_f64(seconds));
        for _ in 0..3 {
            assert_eq!(take("a", 0.0), Ok(()));
        }
        assert_eq!(take("a", 0.0), Err(Duration::from_millis(500)));
        assert_eq!(take("b", 0.0), Ok(()), "another's bucket is full");
        assert_eq!(take("a", 0.25), Err(Duration::from_millis(250)));
        assert_eq!(take("a", 0.5), Ok(()));
        // Set back by an hour: nothing is gained, and time goes on from there.
        assert!(take("a", -3600.0).is_err());
        assert_eq!(take("a", -3599.5), Ok(()));
        for _ in 0..3 {
            assert_eq!(take("a", 1e6), Ok(()));
        }
        assert!(take("a", 1e6).is_err(), "no more than the burst is saved");
    }

    #[test]
    fn who_asks_is_remembered_for_a_while() {
        let rates = Rates::new("0.001".parse().unwrap());
        assert_eq!(rates.take(0, START), Ok(()));
        for who in 1..=REMEMBERED {
            assert_eq!(rates.take(who, START), Ok(()));
        }
        assert!(rates.take(0, START).is_err(), "of the older generation");
        for who in 1..=2 * REMEMBERED {
            let _ = rates.take(REMEMBERED + who, START);
        }
        let buckets = rates.buckets.lock().unwrap();
        assert!(buckets.young.len() + buckets.old.len() <= 2 * REMEMBERED);
    }
}
