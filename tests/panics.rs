//! The watch for panics hears those that nobody else would.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/panics.rs"]
mod panics;

use panics::Watch;
use panics::check_log;

/// Panics in the standard library, as a server might.
fn overflow() {
    drop("xx".repeat(usize::MAX));
}

#[test]
fn a_panic_in_another_thread_fails_the_test() {
    // One of a test is its own affair.
    let watch = Watch::start();
    assert!(std::thread::spawn(|| panic!("of a test")).join().is_err());
    drop(watch);

    let watch = Watch::start();
    assert!(std::thread::Builder::new().name("unseen".into()).spawn(overflow).unwrap().join().is_err());
    assert_eq!(watch.heard().len(), 1);
    let dropped = std::panic::catch_unwind(|| drop(watch)).unwrap_err();
    let said = dropped.downcast_ref::<String>().unwrap();
    assert!(said.contains("thread unseen") && said.contains("capacity overflow"), "{said}");

    // What was before is not counted again.
    drop(Watch::start());
}

#[test]
fn a_panic_of_a_process_fails_the_test() {
    check_log("thread 'main' has nothing to say\n");
    let said = "thread 'tokio-rt-worker' (7) panicked at src/http/sign.rs:20:5:\nboo\n";
    assert!(std::panic::catch_unwind(|| check_log(said)).is_err());
}
