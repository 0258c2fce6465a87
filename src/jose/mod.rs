//! JWS, JWK and JWE; knows no claim names and no provisioners.

mod algorithm;
pub mod base64url;
mod jwk;
mod object;
mod private;
mod thumbprint;

pub mod jwe;
pub mod jws;

use thiserror::Error;

use crate::crypto;

pub use crate::jose::algorithm::JwsAlgorithm;
pub use crate::jose::jwk::Jwk;
pub use crate::jose::jwk::ProvisionerKey;
pub use crate::jose::jwk::VerificationKey;
pub use crate::jose::private::PrivateJwk;
pub use crate::jose::thumbprint::thumbprint;

/// Why a JOSE object is refused; never carries key bytes or signatures.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// Padding, white space, other characters or stray bits in base64url (RFC 7515 section 2).
    #[error("not canonical base64url")]
    Base64Url,
    /// The text is not one JSON object.
    #[error("not a json object: {0}")]
    Json(String),
    /// A member name appears twice.
    #[error("duplicate member {0:?}")]
    DuplicateMember(String),
    /// A member is of the wrong type or value.
    #[error("member {name:?} {problem}")]
    Member {
        /// Name of the member.
        name: &'static str,
        /// What is wrong with it, as the rest of the sentence.
        problem: &'static str,
    },
    /// Not the number of parts a compact serialization has (RFC 7515 section 7.1, RFC 7516 section 7.1).
    #[error("not a compact serialization")]
    NotCompact,
    /// A header extension in `crit` that is not understood (RFC 7515 section 4.1.11).
    #[error("critical header {0:?} is not understood")]
    Critical(String),
    /// `alg` is missing or not one of the algorithms here; also `none`.
    #[error("unknown algorithm {0:?}")]
    UnknownAlgorithm(String),
    /// The algorithm does not belong to the key.
    #[error("algorithm {0} does not fit the key")]
    AlgorithmMismatch(JwsAlgorithm),
    /// The signature does not verify.
    #[error("signature does not verify")]
    BadSignature,
    /// A key is broken or of an unsupported kind.
    #[error("unusable key")]
    Key(#[source] crypto::Error),
    /// Key type or curve unknown.
    #[error("unsupported key type {kty:?}, curve {crv:?}")]
    UnsupportedKey {
        /// The `kty` member.
        kty: String,
        /// The `crv` member.
        crv: String,
    },
    /// Signing failed.
    #[error("signing failed")]
    Signing(#[source] crypto::Error),
    /// The password is wrong or the ciphertext was altered.
    #[error("cannot decrypt: wrong password or altered data")]
    Decryption,
    /// The key is encrypted, and no password was given.
    #[error("encrypted, and no password is given")]
    NoPassword,
    /// No random bytes.
    #[error("no random bytes")]
    NoEntropy,
}
