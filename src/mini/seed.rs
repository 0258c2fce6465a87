//! Randomness that anybody can predict: the same seed gives the same bytes. For tests alone.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use sha2::Digest;
use sha2::Sha256;

use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::entropy::Unavailable;

/// Where the randomness of a mini CA comes from.
#[derive(Debug)]
pub(super) enum Source {
    System(SystemEntropy),
    Seeded(Seeded),
}

impl Source {
    pub(super) fn new(seed: Option<u64>) -> Arc<Self> {
        Arc::new(match seed {
            None => Self::System(SystemEntropy::new()),
            Some(seed) => Self::Seeded(Seeded { seed, drawn: Mutex::new(0) }),
        })
    }

    /// A source that goes on from here on its own.
    pub(super) fn fork(&self) -> Arc<Self> {
        Arc::new(match self {
            Self::System(_) => Self::System(SystemEntropy::new()),
            Self::Seeded(Seeded { seed, drawn }) => {
                let drawn = *drawn.lock().unwrap_or_else(PoisonError::into_inner);
                Self::Seeded(Seeded { seed: *seed, drawn: Mutex::new(drawn) })
            }
        })
    }

    /// Makes the key's signatures repeat if the randomness does.
    pub(super) fn suit(&self, key: PrivateKey) -> PrivateKey {
        match self {
            Self::System(_) => key,
            Self::Seeded(_) => key.deterministic(),
        }
    }
}

impl Entropy for Source {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        match self {
            Self::System(system) => system.fill(buffer),
            Self::Seeded(seeded) => {
                seeded.fill(buffer);
                Ok(())
            }
        }
    }
}

/// SHA-256 over the seed and a counter.
#[derive(Debug)]
pub(super) struct Seeded {
    seed: u64,
    drawn: Mutex<u64>,
}

impl Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            let mut hash = Sha256::new_with_prefix(b"stepless mini CA");
            hash.update(self.seed.to_be_bytes());
            hash.update(drawn.to_be_bytes());
            *drawn += 1;
            let block: [u8; 32] = hash.finalize().into();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(source: &Source) -> [u8; 40] {
        let mut bytes = [0; 40];
        source.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_seed_repeats_and_goes_on() {
        let (one, same, other) = (Source::new(Some(1)), Source::new(Some(1)), Source::new(Some(2)));
        let first = draw(&one);
        assert_eq!(first, draw(&same));
        assert_ne!(first, draw(&other));
        assert_ne!(first, draw(&one));
        let fork = same.fork();
        assert_eq!(draw(&fork), draw(&same));
    }
}
