//! The gateway's client: against authorities that answer well, and against one that answers badly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod relay;
mod situations;
#[path = "../../examples/support/tls.rs"]
mod tls;
