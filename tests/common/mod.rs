//! What the tests that open sockets share: a running CA, a client for it, tokens and requests.
//!
//! Nothing here knows what an answer ought to be; the tests do.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test binary uses a part, and a test fails by panicking"
)]

pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod ca;
pub(crate) mod certificate;
pub(crate) mod csr;
pub(crate) mod document;
pub(crate) mod entity;
pub(crate) mod fixture;
pub(crate) mod https;
pub(crate) mod local;
pub(crate) mod operated;
pub(crate) mod panics;
#[cfg(unix)]
pub(crate) mod postgres;
pub(crate) mod prometheus;
#[cfg(unix)]
pub(crate) mod redis;
pub(crate) mod served;
pub(crate) mod token;
pub(crate) mod tools;
