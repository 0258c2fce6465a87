//! X.509 signature algorithms and their identifiers.

use std::fmt::Display;
use std::fmt::Formatter;

use der::Decode;
use der::asn1::AnyRef;
use der::asn1::ObjectIdentifier;
use rsa::pkcs1::RsaPssParamsOwned;
use spki::AlgorithmIdentifier;
use spki::AlgorithmIdentifierRef;

use crate::crypto::KeyKind;

/// X.509 signature algorithms that are accepted or made.
///
/// SHA-1, MD5, SHA-224 and RSA-PSS with any other salt are not among them (CONTRACT.md section 5, D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256, RFC 5758 section 3.2.
    EcdsaSha256,
    /// ecdsa-with-SHA384, RFC 5758 section 3.2.
    EcdsaSha384,
    /// ecdsa-with-SHA512, RFC 5758 section 3.2.
    EcdsaSha512,
    /// sha256WithRSAEncryption, RFC 4055 section 5.
    RsaSha256,
    /// sha384WithRSAEncryption, RFC 4055 section 5.
    RsaSha384,
    /// sha512WithRSAEncryption, RFC 4055 section 5.
    RsaSha512,
    /// id-RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, RFC 4055 section 3.1.
    RsaPssSha256,
    /// id-RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt, RFC 4055 section 3.1.
    RsaPssSha384,
    /// id-RSASSA-PSS with SHA-512, MGF1 with SHA-512 and 64 bytes of salt, RFC 4055 section 3.1.
    RsaPssSha512,
    /// id-Ed25519, RFC 8410 section 3.
    Ed25519,
}

/// The hash a signature algorithm begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, message: &[u8]) -> ring::digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        };
        ring::digest::digest(algorithm, message)
    }
}

impl SignatureAlgorithm {
    /// The DER AlgorithmIdentifier, outer SEQUENCE included.
    ///
    /// RSA PKCS#1 carries NULL parameters (RFC 4055 section 5), ECDSA and Ed25519 none (RFC 5758 section
    /// 3.2, RFC 8410 section 3).
    #[must_use]
    pub fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::EcdsaSha256 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
            Self::EcdsaSha384 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
            Self::EcdsaSha512 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
            Self::RsaSha256 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
            Self::RsaSha384 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00",
            Self::RsaSha512 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00",
            Self::RsaPssSha256 => &PSS_SHA256,
            Self::RsaPssSha384 => &PSS_SHA384,
            Self::RsaPssSha512 => &PSS_SHA512,
            Self::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
        }
    }

    /// Reads a DER AlgorithmIdentifier, outer SEQUENCE included.
    ///
    /// `None` for anything that is not one of these algorithms. Absent and NULL parameters are taken
    /// alike for RSA PKCS#1 and ECDSA, since both are seen in the field; Ed25519 allows none.
    #[must_use]
    pub fn from_algorithm_identifier(der: &[u8]) -> Option<Self> {
        let identifier = AlgorithmIdentifierRef::from_der(der).ok()?;
        if identifier.oid == ID_RSASSA_PSS {
            return Self::from_pss_identifier(der);
        }
        let (_, algorithm) = *BY_OID.iter().find(|(oid, _)| *oid == identifier.oid)?;
        let fitting = match algorithm {
            Self::Ed25519 => identifier.parameters.is_none(),
            _ => null_or_absent(identifier.parameters),
        };
        fitting.then_some(algorithm)
    }

    fn from_pss_identifier(der: &[u8]) -> Option<Self> {
        let parameters = AlgorithmIdentifier::<RsaPssParamsOwned>::from_der(der).ok()?.parameters?;
        let mask_hash = parameters.mask_gen.parameters.as_ref()?;
        if parameters.mask_gen.oid != ID_MGF1
            || mask_hash.oid != parameters.hash.oid
            || !null_or_absent(parameters.hash.parameters.as_ref().map(AnyRef::from))
            || !null_or_absent(mask_hash.parameters.as_ref().map(AnyRef::from))
        {
            return None;
        }
        match (parameters.hash.oid, parameters.salt_len) {
            (ID_SHA256, 32) => Some(Self::RsaPssSha256),
            (ID_SHA384, 48) => Some(Self::RsaPssSha384),
            (ID_SHA512, 64) => Some(Self::RsaPssSha512),
            _ => None,
        }
    }

    /// Whether a key of this kind can make or check such signatures.
    ///
    /// ECDSA takes any of its hashes with any curve, as X.509 does.
    #[must_use]
    pub fn fits(self, kind: KeyKind) -> bool {
        match self {
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => {
                matches!(kind, KeyKind::P256 | KeyKind::P384 | KeyKind::P521)
            }
            Self::Ed25519 => kind == KeyKind::Ed25519,
            _ => kind == KeyKind::Rsa,
        }
    }

    /// The hash of the message; Ed25519 hashes by itself and counts as SHA-512 here.
    pub(crate) fn hash(self) -> Hash {
        match self {
            Self::EcdsaSha256 | Self::RsaSha256 | Self::RsaPssSha256 => Hash::Sha256,
            Self::EcdsaSha384 | Self::RsaSha384 | Self::RsaPssSha384 => Hash::Sha384,
            _ => Hash::Sha512,
        }
    }

    /// Whether this is RSA with PSS padding.
    pub(crate) fn is_pss(self) -> bool {
        matches!(self, Self::RsaPssSha256 | Self::RsaPssSha384 | Self::RsaPssSha512)
    }
}

impl Display for SignatureAlgorithm {
    /// Go's names, which step-ca prints and its templates know, for example `ECDSA-SHA256`.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::EcdsaSha256 => "ECDSA-SHA256",
            Self::EcdsaSha384 => "ECDSA-SHA384",
            Self::EcdsaSha512 => "ECDSA-SHA512",
            Self::RsaSha256 => "SHA256-RSA",
            Self::RsaSha384 => "SHA384-RSA",
            Self::RsaSha512 => "SHA512-RSA",
            Self::RsaPssSha256 => "SHA256-RSAPSS",
            Self::RsaPssSha384 => "SHA384-RSAPSS",
            Self::RsaPssSha512 => "SHA512-RSAPSS",
            Self::Ed25519 => "Ed25519",
        })
    }
}

fn null_or_absent(parameters: Option<AnyRef<'_>>) -> bool {
    parameters.is_none_or(|any| any == AnyRef::NULL)
}

/// id-RSASSA-PSS, RFC 4055 section 3.1.
const ID_RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
/// id-mgf1, RFC 4055 section 2.2.
const ID_MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
/// id-sha256, RFC 4055 section 2.1.
const ID_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// id-sha384, RFC 4055 section 2.1.
const ID_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
/// id-sha512, RFC 4055 section 2.1.
const ID_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Identifiers of all algorithms that need no parameters to be told apart.
const BY_OID: [(ObjectIdentifier, SignatureAlgorithm); 7] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), SignatureAlgorithm::EcdsaSha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), SignatureAlgorithm::EcdsaSha384),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), SignatureAlgorithm::EcdsaSha512),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), SignatureAlgorithm::RsaSha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), SignatureAlgorithm::RsaSha384),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), SignatureAlgorithm::RsaSha512),
    (ObjectIdentifier::new_unwrap("1.3.101.112"), SignatureAlgorithm::Ed25519),
];

/// The id-RSASSA-PSS identifier for the hash with this last arc and output length.
///
/// All lengths are the same for the three hashes, so only those two bytes differ. The hash parameters
/// are NULL (RFC 4055 section 2.1 lets a sender choose).
const fn pss_identifier(hash_arc: u8, hash_len: u8) -> [u8; 67] {
    let mut der = *b"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\
        \xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x00\x05\x00\
        \xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\
        \x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x00\x05\x00\
        \xa2\x03\x02\x01\x00";
    der[29] = hash_arc;
    der[59] = hash_arc;
    der[66] = hash_len;
    der
}

const PSS_SHA256: [u8; 67] = pss_identifier(1, 32);
const PSS_SHA384: [u8; 67] = pss_identifier(2, 48);
const PSS_SHA512: [u8; 67] = pss_identifier(3, 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(der: &[u8], expected: Option<SignatureAlgorithm>) {
        assert_eq!(SignatureAlgorithm::from_algorithm_identifier(der), expected, "{der:02x?}");
    }

    #[test]
    fn every_identifier_reads_back() {
        use SignatureAlgorithm as A;
        for algorithm in [
            A::EcdsaSha256,
            A::EcdsaSha384,
            A::EcdsaSha512,
            A::RsaSha256,
            A::RsaSha384,
            A::RsaSha512,
            A::RsaPssSha256,
            A::RsaPssSha384,
            A::RsaPssSha512,
            A::Ed25519,
        ] {
            check(algorithm.algorithm_identifier(), Some(algorithm));
        }
    }

    #[test]
    fn parameters_absent_or_null() {
        check(b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Some(SignatureAlgorithm::RsaSha256));
        check(
            b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00",
            Some(SignatureAlgorithm::EcdsaSha256),
        );
        check(b"\x30\x07\x06\x03\x2b\x65\x70\x05\x00", None);
        check(b"\x30\x0d\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x02\x01\x01", None);
    }

    #[test]
    fn weak_and_odd_ones_are_none() {
        // sha1WithRSAEncryption, md5WithRSAEncryption, ecdsa-with-SHA1, ecdsa-with-SHA224
        check(b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", None);
        check(b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00", None);
        check(b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", None);
        check(b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01", None);
        // PSS: 20 bytes of salt, unlike hashes, no parameters (which means SHA-1)
        let mut salt = PSS_SHA256;
        salt[66] = 20;
        check(&salt, None);
        let mut hashes = PSS_SHA256;
        hashes[59] = 2;
        check(&hashes, None);
        check(b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", None);
        check(b"", None);
        check(b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x00", None);
    }
}
