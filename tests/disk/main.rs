//! The records on disks that lose power, fill up, fail, lie or forget, and beside clocks that are set.
//!
//! The `stepless` binary runs with a shim (`shim.c`) between it and its files.

#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod clock;
#[path = "../common/mod.rs"]
mod common;
mod damage;
#[path = "../concurrency/dice.rs"]
mod dice;
mod faults;
mod power;
mod record;
mod rig;

use std::io::Write as _;

/// Not `eprintln!`: the test runner would hide it.
fn say(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}
