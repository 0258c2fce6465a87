//! Secrets are planted, everything is asked of the daemon and of the commands, also what fails, and then all that was
//! said, answered, counted, written and kept in memory is searched for them.
//!
//! Refusals of the library and `Debug` of its types are searched in `tests/bad_input.rs`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod memory;
mod said;
mod site;
