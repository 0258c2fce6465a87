//! One-time tokens: reading their claims, judging them, making them.
//!
//! A token passes through types, and no step can be left out: [`UnverifiedToken`] is only text that
//! parses, [`VerifiedToken`] has a signature, times, audience and subject that hold. Spending it is
//! the store's business; the key under which that happens is [`VerifiedToken::reuse_key`]. This room
//! is given the key and the clock, and knows no provisioner's settings. CONTRACT.md section 4.

pub mod audience;
pub mod binding;
mod chain;
pub mod claims;
pub mod mint;
pub mod renew;
mod verify;

pub use chain::ChainError;
pub use verify::Error;
pub use verify::Expectations;
pub use verify::LEEWAY;
pub use verify::Lookup;
pub use verify::Trust;
pub use verify::UnverifiedToken;
pub use verify::VerifiedToken;
