//! The edge of the server: slow clients, too many of them, hostile ones, and the end of the server under load.
//!
//! What is measured is printed. `STEPLESS_EDGE_SECONDS` makes the measurements longer than a few seconds each.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod frames;
mod goaway;
mod hostile;
mod limits;
mod overload;
mod rig;
mod slow;
mod stopping;
