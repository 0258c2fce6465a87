//! What a server counts while it runs: requests, how long they took, certificates, refusals.
//!
//! One object for each server, handed from one configuration to the next; nothing is counted for the whole process.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use time::OffsetDateTime;

/// Upper bounds of the buckets of latency, in seconds.
pub(super) const BOUNDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How many refusals are kept.
const KEPT: usize = 200;

/// The longest text that is kept of a refusal, in characters: a client chooses some of it.
const LONGEST: usize = 300;

/// The counters of one server.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counters>);

/// All counters at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    /// By route and status.
    pub(super) requests: BTreeMap<(&'static str, u16), u64>,
    /// By route.
    pub(super) latencies: BTreeMap<&'static str, Latency>,
    /// By code.
    pub(super) refusals: BTreeMap<&'static str, u64>,
    pub(super) issued: u64,
    pub(super) renewed: u64,
    pub(super) revoked: u64,
    /// The newest last.
    pub(super) last_refusals: VecDeque<Refusal>,
}

/// How long the requests of one route took.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    /// How many took no longer than each of [`BOUNDS`], without those of the bound before.
    pub(super) buckets: [u64; BOUNDS.len()],
    pub(super) count: u64,
    pub(super) sum: Duration,
}

/// A request that was refused, or failed.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) at: OffsetDateTime,
    pub(super) route: &'static str,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) cause: String,
    /// The provisioner that the request named, if it is one of the authority's.
    pub(super) provisioner: Option<String>,
    pub(super) request_id: String,
}

impl Metrics {
    pub(super) fn request(&self, route: &'static str, status: u16, took: Duration) {
        let mut counters = self.counters();
        *counters.requests.entry((route, status)).or_default() += 1;
        let latency = counters.latencies.entry(route).or_default();
        latency.count += 1;
        latency.sum += took;
        let bucket = BOUNDS.iter().position(|bound| took.as_secs_f64() <= *bound);
        if let Some(count) = bucket.and_then(|bucket| latency.buckets.get_mut(bucket)) {
            *count += 1;
        }
    }

    pub(super) fn issued(&self, route: &'static str) {
        let mut counters = self.counters();
        match route {
            "/sign" => counters.issued += 1,
            _ => counters.renewed += 1,
        }
    }

    pub(super) fn revoked(&self) {
        self.counters().revoked += 1;
    }

    pub(super) fn refused(&self, mut refusal: Refusal) {
        for text in [&mut refusal.cause, &mut refusal.request_id] {
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
        }
        let mut counters = self.counters();
        *counters.refusals.entry(refusal.code).or_default() += 1;
        if counters.last_refusals.len() == KEPT {
            counters.last_refusals.pop_front();
        }
        counters.last_refusals.push_back(refusal);
    }

    /// A refusal of which no more is kept: there may be very many.
    pub(super) fn turned_away(&self, code: &'static str) {
        *self.counters().refusals.entry(code).or_default() += 1;
    }

    /// A copy of all of it.
    pub(super) fn snapshot(&self) -> Counters {
        self.counters().clone()
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        // Counters are whole after each step, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cause: String) -> Refusal {
        Refusal {
            at: OffsetDateTime::UNIX_EPOCH,
            route: "/sign",
            status: 401,
            code: "token.expired",
            cause,
            provisioner: None,
            request_id: "x".repeat(9000),
        }
    }

    #[test]
    fn the_last_refusals_are_kept_and_none_is_long() {
        let metrics = Metrics::default();
        for number in 0..KEPT + 5 {
            metrics.refused(refusal(format!("{number} {}", "ü".repeat(9000))));
        }
        let counters = metrics.snapshot();
        assert_eq!(counters.refusals["token.expired"], 205);
        assert_eq!(counters.last_refusals.len(), KEPT);
        assert!(counters.last_refusals[0].cause.starts_with("5 "), "the oldest went first");
        let long = |text: &str| text.chars().count();
        assert_eq!(long(&counters.last_refusals[0].cause), LONGEST + 1);
        assert_eq!(long(&counters.last_refusals[0].request_id), LONGEST + 1);
    }

    #[test]
    fn a_request_counts_in_one_bucket() {
        let metrics = Metrics::default();
        for milliseconds in [1, 2, 60_000] {
            metrics.request("/sign", 201, Duration::from_millis(milliseconds));
        }
        let latency = &metrics.snapshot().latencies["/sign"];
        assert_eq!((latency.buckets[0], latency.buckets[1], latency.buckets.iter().sum::<u64>()), (1, 1, 2));
        assert_eq!((latency.count, latency.sum), (3, Duration::from_millis(60_003)));
    }
}
