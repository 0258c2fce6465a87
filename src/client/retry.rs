//! When a call is made again: only where it cannot have had an effect, or has none.

use std::time::Duration;

use crate::client::Error;

/// The longest wait that an authority may ask for; a longer one is for the caller to decide.
const LONGEST: Duration = Duration::from_secs(30);

/// How often a call is tried, and how long is waited in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// All tries, the first one included; 1 for no second one.
    pub tries: u32,
    /// The wait before the second try; it doubles each time. `Retry-After` of the authority goes before it.
    pub first_wait: Duration,
}

impl Default for Retry {
    /// Three tries, a quarter and half a second apart.
    fn default() -> Self {
        Self { tries: 3, first_wait: Duration::from_millis(250) }
    }
}

/// What a call does at the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it may be made again whatever happened.
    None,
    /// Something that shall not happen twice unnoticed.
    Once,
}

impl Retry {
    /// The wait before the next try; `None` if there is none. `tried` counts the tries made.
    pub(super) fn wait(&self, tried: u32, effect: Effect, error: &Error) -> Option<Duration> {
        let asked = match error {
            // Nothing was sent.
            Error::Connection { .. } => None,
            // Turned away at the door.
            Error::Refused { status: 429 | 503, retry_after, .. } => *retry_after,
            Error::Interrupted { .. } | Error::Timeout { .. } if effect == Effect::None => None,
            Error::Refused { status: 502 | 504, retry_after, .. } if effect == Effect::None => *retry_after,
            _ => return None,
        };
        if tried >= self.tries || asked.is_some_and(|wait| wait > LONGEST) {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << tried.saturating_sub(1).min(16));
        Some(asked.unwrap_or(doubled).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, seconds: Option<u64>) -> Error {
        let retry_after = seconds.map(Duration::from_secs);
        Error::Refused { status, message: String::new(), code: None, retry_after }
    }

    #[test]
    fn only_what_is_safe_is_tried_again() {
        let retry = Retry { tries: 3, first_wait: Duration::from_secs(1) };
        let check = |effect, error: &Error, expected: Option<u64>| {
            assert_eq!(
                retry.wait(1, effect, error),
                expected.map(Duration::from_secs),
                "{effect:?} {error:?}"
            );
        };
        let unreachable = Error::Connection { address: String::new(), reason: String::new() };
        let interrupted = Error::Interrupted { address: String::new(), reason: String::new() };
        let late = Error::Timeout { address: String::new(), waited: Duration::ZERO };
        let untrusted = Error::Tls { address: String::new(), reason: String::new() };
        check(Effect::Once, &unreachable, Some(1));
        check(Effect::None, &unreachable, Some(1));
        check(Effect::Once, &interrupted, None);
        check(Effect::None, &interrupted, Some(1));
        check(Effect::Once, &late, None);
        check(Effect::None, &late, Some(1));
        check(Effect::None, &untrusted, None);
        check(Effect::Once, &refused(503, None), Some(1));
        check(Effect::Once, &refused(503, Some(7)), Some(7));
        check(Effect::Once, &refused(429, Some(0)), Some(0));
        check(Effect::Once, &refused(503, Some(31)), None);
        check(Effect::Once, &refused(502, None), None);
        check(Effect::None, &refused(504, None), Some(1));
        for status in [400, 401, 403, 404, 500, 501] {
            check(Effect::None, &refused(status, Some(1)), None);
        }
    }

    #[test]
    fn waits_double_and_tries_end() {
        let retry = Retry { tries: 4, first_wait: Duration::from_secs(1) };
        let waits: Vec<_> =
            (1..=4).map(|tried| retry.wait(tried, Effect::Once, &refused(503, None))).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), None].map(|wait| wait.map(Duration::from_secs)));
        let none = Retry { tries: 1, ..retry };
        assert_eq!(none.wait(1, Effect::None, &refused(503, None)), None);
    }
}
