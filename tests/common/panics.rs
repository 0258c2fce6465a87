//! Panics that nobody would hear of: in a connection's task, in a thread of a store, behind a runtime.
//!
//! A panic of a test's own fails that test by itself, so those whose place is below `tests/` are not counted.

use std::panic::PanicHookInfo;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::PoisonError;

/// Every panic of this process outside the tests, as the default hook would tell it.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Fails a test when dropped, if anything outside the tests has panicked since it was made.
#[derive(Debug)]
pub(crate) struct Watch {
    heard_before: usize,
}

impl Watch {
    /// Listens from now on, in all threads.
    pub(crate) fn start() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                hear(panic);
                usual(panic);
            }));
        });
        Self { heard_before: heard().len() }
    }

    /// What has panicked so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        heard()[self.heard_before..].to_vec()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let heard = self.heard();
        // A second panic would end the process before the first is told.
        if !std::thread::panicking() {
            assert!(heard.is_empty(), "panicked unseen: {}", heard.join("; "));
        }
    }
}

/// Fails if a process that has ended said on stderr that it panicked.
pub(crate) fn check_log(log: &str) {
    if !std::thread::panicking() {
        assert!(!log.contains("panicked at "), "it panicked; it said\n{log}");
    }
}

fn heard() -> std::sync::MutexGuard<'static, Vec<String>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hear(panic: &PanicHookInfo<'_>) {
    if panic.location().is_some_and(|place| !place.file().starts_with("tests/")) {
        let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
        heard().push(format!("thread {thread}: {panic}"));
    }
}
