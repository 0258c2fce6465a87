//! Randomness: serial numbers, generated keys, token ids and salts come from here.
//!
//! Signature nonces do not: the signing libraries draw their own.

use std::fmt::Debug;

use ring::rand::SecureRandom;
use ring::rand::SystemRandom;
use thiserror::Error;

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the operating system gave no random bytes")]
pub struct Unavailable;

/// A source of bytes that nobody can predict.
pub trait Entropy: Debug + Send + Sync {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the source fails; `buffer` is then not to be used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable>;
}

/// The operating system's generator.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Opens the generator.
    #[must_use]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        self.0.fill(buffer).map_err(|_| Unavailable)
    }
}
