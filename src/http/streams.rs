//! The requests of one HTTP/2 connection: none lasts for ever, and when there are none the connection is idle.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use hyper::rt::Executor;

/// How many streams are open, and since when none has been.
#[derive(Debug)]
pub(super) struct OpenStreams {
    begun: Instant,
    number: AtomicU32,
    /// When the last one ended, in milliseconds since the beginning; 0 if none has.
    last_end: AtomicU64,
}

/// Runs each stream as a task of its own.
///
/// A client has its time for the request and again for taking the answer; a window of no size would else keep the
/// answer here as long as it likes.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) open: Arc<OpenStreams>,
    patience: Duration,
}

/// A stream, until dropped.
struct OpenStream(Arc<OpenStreams>);

impl Streams {
    pub(super) fn new(patience: Duration) -> Self {
        let (number, last_end) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { open: Arc::new(OpenStreams { begun: Instant::now(), number, last_end }), patience }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        self.open.number.fetch_add(1, Ordering::Relaxed);
        let open = OpenStream(Arc::clone(&self.open));
        let stream = tokio::time::timeout(self.patience.saturating_mul(2), stream);
        tokio::spawn(async move {
            let _open = open;
            // One that is cut off is reset, and its client knows.
            let _ = stream.await;
        });
    }
}

impl OpenStreams {
    /// Whether there has been none at all.
    pub(super) fn never_were(&self) -> bool {
        self.number.load(Ordering::Relaxed) == 0 && self.last_end.load(Ordering::Relaxed) == 0
    }

    /// When the connection will have been idle for as long as that; zero if it has been.
    pub(super) fn idle_in(&self, patience: Duration) -> Duration {
        if self.number.load(Ordering::Relaxed) > 0 {
            return patience;
        }
        let last_end = Duration::from_millis(self.last_end.load(Ordering::Relaxed));
        patience.saturating_sub(self.begun.elapsed().saturating_sub(last_end))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_end.store(now.max(1), Ordering::Relaxed);
        self.0.number.fetch_sub(1, Ordering::Relaxed);
    }
}
