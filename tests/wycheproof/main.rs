//! Project Wycheproof's vectors, each through the path that a request or a token takes here.
//!
//! What is `valid` has to verify, what is `invalid` must not; whatever else happens is listed in docs/security.md and
//! asserted here. `cargo test --test wycheproof -- --nocapture` prints what was run.
//!
//! Vectors of encryption stand where the ciphers do: `src/jose/jwe/vectors.rs`, `src/signer/pkcs8.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it ran"
)]

mod ecdsa;
mod eddsa;
mod hmac;
mod jose;
mod rsa;
mod tally;
