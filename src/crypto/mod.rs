//! Keys, signature algorithms, signing and verifying; knows no files and no JOSE.
//!
//! ring does the work wherever it has the combination. The RustCrypto crates stand in for P-521, for
//! ECDSA over P-256 or P-384 with SHA-512, and for RSA keys outside ring's sizes and exponents.

mod algorithm;
mod private_key;
mod public_key;
mod verify;

use std::fmt::Display;
use std::fmt::Formatter;

use thiserror::Error;

pub use crate::crypto::algorithm::SignatureAlgorithm;
pub use crate::crypto::private_key::PrivateKey;
pub use crate::crypto::public_key::PublicKey;

/// The kinds of keys this crate holds, with their curve where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, RFC 8017.
    Rsa,
    /// ECDSA over NIST P-256 (secp256r1), RFC 5480 section 2.1.1.1.
    P256,
    /// ECDSA over NIST P-384 (secp384r1).
    P384,
    /// ECDSA over NIST P-521 (secp521r1).
    P521,
    /// Ed25519, RFC 8410.
    Ed25519,
}

impl KeyKind {
    /// Bytes of one coordinate or private scalar of the curve; `None` for RSA and Ed25519.
    #[must_use]
    pub fn coordinate_len(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Rsa | Self::Ed25519 => None,
        }
    }
}

impl Display for KeyKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Ed25519 => "Ed25519",
        })
    }
}

/// What can go wrong with a key or a signature; never carries secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An elliptic curve other than P-256, P-384 and P-521, or explicit curve parameters.
    #[error("unsupported elliptic curve {0}")]
    UnsupportedCurve(String),
    /// A key algorithm other than RSA, ECDSA and Ed25519, by object identifier.
    #[error("unsupported public key algorithm {0}")]
    UnsupportedAlgorithm(String),
    /// The encoding is broken or the numbers are no key.
    #[error("malformed public key: {0}")]
    MalformedPublicKey(&'static str),
    /// The encoding is broken or the numbers are no key.
    #[error("malformed private key: {0}")]
    MalformedPrivateKey(&'static str),
    /// An RSA key too short to sign with.
    #[error("RSA key has {bits} bits, fewer than {minimum}")]
    RsaTooShort {
        /// Bits of the modulus.
        bits: usize,
        /// Fewest bits accepted here.
        minimum: usize,
    },
    /// An RSA key too long to compute with in reasonable time.
    #[error("RSA key has {bits} bits, more than {maximum}")]
    RsaTooLong {
        /// Bits of the modulus.
        bits: usize,
        /// Most bits accepted here.
        maximum: usize,
    },
    /// The algorithm belongs to another kind of key.
    #[error("algorithm {algorithm} does not fit a {kind} key")]
    AlgorithmMismatch {
        /// The algorithm asked for.
        algorithm: SignatureAlgorithm,
        /// The kind of the key.
        kind: KeyKind,
    },
    /// The signature does not verify.
    #[error("signature does not verify")]
    BadSignature,
    /// The signing library refused.
    #[error("signing failed")]
    SigningFailed,
    /// No random bytes.
    #[error("key generation failed: no random bytes")]
    NoEntropy,
}
