//! JWS algorithm names, RFC 7518 section 3.1 and RFC 8037 section 3.1.

use std::fmt::Display;
use std::fmt::Formatter;

use crate::crypto::KeyKind;
use crate::crypto::SignatureAlgorithm;

/// The JWS algorithms accepted; `none` is not one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JwsAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// ECDSA over P-384 with SHA-384.
    ES384,
    /// ECDSA over P-521 with SHA-512.
    ES512,
    /// Ed25519.
    EdDSA,
}

/// What the algorithm is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Hmac(ring::hmac::Algorithm),
    Signature(SignatureAlgorithm, Option<KeyKind>),
}

impl JwsAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 13] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The algorithm with this `alg` value, which is case sensitive (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The `alg` value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// What the algorithm is made of; ECDSA binds the curve (RFC 7518 section 3.4).
    pub(crate) fn scheme(self) -> Scheme {
        use SignatureAlgorithm as A;
        match self {
            Self::HS256 => Scheme::Hmac(ring::hmac::HMAC_SHA256),
            Self::HS384 => Scheme::Hmac(ring::hmac::HMAC_SHA384),
            Self::HS512 => Scheme::Hmac(ring::hmac::HMAC_SHA512),
            Self::RS256 => Scheme::Signature(A::RsaSha256, None),
            Self::RS384 => Scheme::Signature(A::RsaSha384, None),
            Self::RS512 => Scheme::Signature(A::RsaSha512, None),
            Self::PS256 => Scheme::Signature(A::RsaPssSha256, None),
            Self::PS384 => Scheme::Signature(A::RsaPssSha384, None),
            Self::PS512 => Scheme::Signature(A::RsaPssSha512, None),
            Self::ES256 => Scheme::Signature(A::EcdsaSha256, Some(KeyKind::P256)),
            Self::ES384 => Scheme::Signature(A::EcdsaSha384, Some(KeyKind::P384)),
            Self::ES512 => Scheme::Signature(A::EcdsaSha512, Some(KeyKind::P521)),
            Self::EdDSA => Scheme::Signature(A::Ed25519, Some(KeyKind::Ed25519)),
        }
    }

    /// Whether it belongs to keys of this kind; HMAC belongs to none.
    #[must_use]
    pub fn fits(self, kind: KeyKind) -> bool {
        match self.scheme() {
            Scheme::Hmac(_) => false,
            Scheme::Signature(_, only) => only.unwrap_or(KeyKind::Rsa) == kind,
        }
    }

    /// The algorithm a key of this kind signs tokens with unless told otherwise, as step does.
    #[must_use]
    pub fn default_for(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa => Self::RS256,
            KeyKind::P256 => Self::ES256,
            KeyKind::P384 => Self::ES384,
            KeyKind::P521 => Self::ES512,
            KeyKind::Ed25519 => Self::EdDSA,
        }
    }
}

impl Display for JwsAlgorithm {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_nothing_else_does() {
        for algorithm in JwsAlgorithm::ALL {
            assert_eq!(JwsAlgorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(
                JwsAlgorithm::from_name(&algorithm.name().to_uppercase()).is_some(),
                algorithm != JwsAlgorithm::EdDSA
            );
        }
        for name in ["", "none", "None", "es256", "ES256K", "RSA1_5", "EdDSA "] {
            assert_eq!(JwsAlgorithm::from_name(name), None);
        }
    }

    #[test]
    fn every_kind_has_its_algorithms() {
        let count = |kind| JwsAlgorithm::ALL.iter().filter(|algorithm| algorithm.fits(kind)).count();
        assert_eq!(count(KeyKind::Rsa), 6);
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519] {
            assert_eq!(count(kind), 1);
            assert!(JwsAlgorithm::default_for(kind).fits(kind));
        }
    }
}
