//! The clock of one mini CA: runs with the system's until a test sets it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use time::Duration;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::clock::SystemClock;

/// A handle on the clock of a mini CA; clones show and move the same time.
///
/// What the CA checks and issues goes by it, and so do the rustls configurations that the CA makes: a certificate
/// expires when the test says so. It does not move what else is in the process, nor other CAs.
///
/// # Examples
///
/// ```
/// use stepless::mini::TestClock;
/// use time::{Duration, OffsetDateTime};
///
/// let clock = TestClock::at(OffsetDateTime::UNIX_EPOCH);
/// clock.advance(Duration::days(1));
/// assert_eq!(clock.now().unix_timestamp(), 86_400);
/// ```
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<Time>>);

#[derive(Debug, Clone, Copy)]
enum Time {
    /// The system's time and so much more.
    Running(Duration),
    Stopped(OffsetDateTime),
}

impl TestClock {
    /// A clock that goes with the system's.
    #[must_use]
    pub fn running() -> Self {
        Self(Arc::new(Mutex::new(Time::Running(Duration::ZERO))))
    }

    /// A clock that stands still at `instant`.
    #[must_use]
    pub fn at(instant: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(Time::Stopped(instant))))
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match *self.time() {
            Time::Running(ahead) => SystemClock.now() + ahead,
            Time::Stopped(instant) => instant,
        }
    }

    /// Moves it by `duration`, which may be negative; a running clock runs on.
    pub fn advance(&self, duration: Duration) {
        let mut time = self.time();
        *time = match *time {
            Time::Running(ahead) => Time::Running(ahead + duration),
            Time::Stopped(instant) => Time::Stopped(instant + duration),
        };
    }

    /// Stops it at `instant`.
    pub fn set(&self, instant: OffsetDateTime) {
        *self.time() = Time::Stopped(instant);
    }

    /// Lets it run again, with the system's time.
    pub fn resume(&self) {
        *self.time() = Time::Running(Duration::ZERO);
    }

    /// A clock of its own that shows the same time now.
    pub(super) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(*self.time())))
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        Self::now(self)
    }
}

/// What rustls asks when it judges a certificate.
impl TimeProvider for TestClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.now().unix_timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}
