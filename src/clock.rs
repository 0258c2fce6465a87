//! Wall time: the one place that reads it.
//!
//! Everything that depends on the time is handed a [`Clock`]; nothing else in the crate asks the system.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::PoisonError;

use time::OffsetDateTime;

/// Tells the present time, in UTC.
pub trait Clock: Debug + Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only reader of wall time")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock that stands still until it is set.
///
/// # Examples
///
/// ```
/// use stepless::clock::Clock;
/// use stepless::clock::FixedClock;
/// use time::OffsetDateTime;
///
/// let clock = FixedClock::new(OffsetDateTime::UNIX_EPOCH);
/// clock.set(OffsetDateTime::UNIX_EPOCH + time::Duration::HOUR);
/// assert_eq!(clock.now().unix_timestamp(), 3600);
/// ```
#[derive(Debug)]
pub struct FixedClock(Mutex<OffsetDateTime>);

impl FixedClock {
    /// Makes a clock that shows `now`.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Sets the clock to `now`, forwards or backwards.
    pub fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
