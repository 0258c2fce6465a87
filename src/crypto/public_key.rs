//! Public keys: reading, checking and writing SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).

use std::fmt::Debug;
use std::fmt::Formatter;

use der::Decode;
use der::Encode;
use der::asn1::AnyRef;
use der::asn1::BitStringRef;
use der::asn1::ObjectIdentifier;
use der::asn1::UintRef;
use rsa::pkcs1::RsaPublicKeyRef;
use spki::AlgorithmIdentifierRef;
use spki::SubjectPublicKeyInfoRef;

use crate::crypto::Error;
use crate::crypto::KeyKind;

/// A public key that has been checked: the point is on its curve, the numbers are within bounds.
///
/// RSA keys may be short here, so that a request can be refused for that after its signature holds.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    /// Where the content of the BIT STRING, which ends `spki`, begins.
    bits_start: usize,
    numbers: Numbers,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Numbers {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ec { kind: KeyKind, coordinate_len: usize },
    Ed25519,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo; only the one strict encoding of each key is taken.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedCurve`] for P-224, other curves and explicit parameters,
    /// [`Error::UnsupportedAlgorithm`] for key algorithms other than RSA, ECDSA and Ed25519,
    /// [`Error::RsaTooLong`] beyond 16384 bits, [`Error::MalformedPublicKey`] for everything else,
    /// compressed points and points off the curve included.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedPublicKey;
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|_| malformed("not a DER SubjectPublicKeyInfo"))?;
        let bits = info.subject_public_key.as_bytes().ok_or(malformed("key bits do not end on a byte"))?;
        let parameters = info.algorithm.parameters;
        let key = match info.algorithm.oid {
            RSA_ENCRYPTION => {
                if parameters != Some(AnyRef::NULL) {
                    return Err(malformed("RSA parameters are not NULL"));
                }
                let numbers =
                    RsaPublicKeyRef::from_der(bits).map_err(|_| malformed("not a DER RSAPublicKey"))?;
                Self::from_rsa(numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes())?
            }
            ID_EC_PUBLIC_KEY => Self::from_ec_point(curve_of(parameters)?, bits)?,
            ID_ED25519 => {
                if parameters.is_some() {
                    return Err(malformed("Ed25519 takes no parameters"));
                }
                Self::from_ed25519(bits)?
            }
            oid => return Err(Error::UnsupportedAlgorithm(oid.to_string())),
        };
        // One key, one encoding: what is compared, hashed and copied later is then never ambiguous.
        if key.spki == der { Ok(key) } else { Err(malformed("not the DER encoding of this key")) }
    }

    /// Makes an RSA key of a big-endian modulus and exponent; leading zeros are dropped.
    ///
    /// The exponent is bounded as Go bounds it, 2 to 2^31 - 1.
    ///
    /// # Errors
    ///
    /// [`Error::RsaTooLong`] beyond 16384 bits; [`Error::MalformedPublicKey`] for an even modulus or an
    /// exponent out of bounds.
    pub fn from_rsa(n: &[u8], e: &[u8]) -> Result<Self, Error> {
        let modulus = strip_zeros(n);
        let exponent = strip_zeros(e);
        let bits = bit_len(modulus);
        if bits > MAX_RSA_BITS {
            return Err(Error::RsaTooLong { bits, maximum: MAX_RSA_BITS });
        }
        if modulus.last().is_none_or(|byte| byte % 2 == 0) {
            return Err(Error::MalformedPublicKey("RSA modulus is even"));
        }
        if bit_len(exponent) < 2 || bit_len(exponent) > 31 {
            return Err(Error::MalformedPublicKey("RSA exponent is below 2 or above 2147483647"));
        }
        // A modulus this small is no key, and the exponent must stay below it.
        if bits < MIN_RSA_BITS {
            return Err(Error::MalformedPublicKey("RSA modulus is below 64 bits"));
        }
        let inner = RsaPublicKeyRef { modulus: uint(modulus)?, public_exponent: uint(exponent)? }
            .to_der()
            .map_err(|_| TOO_LONG)?;
        let numbers = Numbers::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() };
        Self::assemble(RSA_ENCRYPTION, Some(AnyRef::NULL), &inner, numbers)
    }

    /// Makes an elliptic-curve key of its coordinates, big-endian and of exactly the curve's width.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPublicKey`] for a wrong width, a point off the curve, or a kind without curve.
    pub fn from_ec(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, Error> {
        if kind.coordinate_len().is_none_or(|len| x.len() != len || y.len() != len) {
            return Err(Error::MalformedPublicKey("coordinates do not have the width of the curve"));
        }
        Self::from_ec_point(kind, &[&[UNCOMPRESSED], x, y].concat())
    }

    /// Makes an elliptic-curve key of an uncompressed point, `04 || x || y` (SEC 1 section 2.3.3).
    pub(crate) fn from_ec_point(kind: KeyKind, point: &[u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedPublicKey;
        let (coordinate_len, curve) = match kind {
            KeyKind::P256 => (32, SECP256R1),
            KeyKind::P384 => (48, SECP384R1),
            KeyKind::P521 => (66, SECP521R1),
            KeyKind::Rsa | KeyKind::Ed25519 => return Err(malformed("this kind has no curve")),
        };
        if point.len() != 1 + 2 * coordinate_len || point.first() != Some(&UNCOMPRESSED) {
            return Err(malformed("not an uncompressed point of the curve"));
        }
        let on_curve = match kind {
            KeyKind::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
            KeyKind::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
            _ => p521::PublicKey::from_sec1_bytes(point).is_ok(),
        };
        if !on_curve {
            return Err(malformed("point is not on the curve"));
        }
        let numbers = Numbers::Ec { kind, coordinate_len };
        Self::assemble(ID_EC_PUBLIC_KEY, Some((&curve).into()), point, numbers)
    }

    /// Makes an Ed25519 key of its 32 bytes (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPublicKey`] for another length, for bytes that are no point, and for the few
    /// points of small order, under which one signature fits every message.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedPublicKey;
        let array: &[u8; 32] = bytes.try_into().map_err(|_| malformed("an Ed25519 key has 32 bytes"))?;
        let point =
            ed25519_dalek::VerifyingKey::from_bytes(array).map_err(|_| malformed("not an Ed25519 point"))?;
        if point.is_weak() {
            return Err(malformed("an Ed25519 point of small order"));
        }
        Self::assemble(ID_ED25519, None, bytes, Numbers::Ed25519)
    }

    fn assemble(
        oid: ObjectIdentifier,
        parameters: Option<AnyRef<'_>>,
        bits: &[u8],
        numbers: Numbers,
    ) -> Result<Self, Error> {
        let spki = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(bits).map_err(|_| TOO_LONG)?,
        }
        .to_der()
        .map_err(|_| TOO_LONG)?;
        let bits_start = spki.len() - bits.len();
        Ok(Self { spki, bits_start, numbers })
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The content of the subjectPublicKey BIT STRING: RSAPublicKey, uncompressed point, or 32 bytes.
    #[must_use]
    pub fn key_bits(&self) -> &[u8] {
        self.spki.get(self.bits_start..).unwrap_or_default()
    }

    /// The kind of the key.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self.numbers {
            Numbers::Rsa { .. } => KeyKind::Rsa,
            Numbers::Ec { kind, .. } => kind,
            Numbers::Ed25519 => KeyKind::Ed25519,
        }
    }

    /// The RSA modulus, big-endian without leading zeros.
    #[must_use]
    pub fn rsa_modulus(&self) -> Option<&[u8]> {
        match &self.numbers {
            Numbers::Rsa { modulus, .. } => Some(modulus),
            _ => None,
        }
    }

    /// The RSA public exponent.
    #[must_use]
    pub fn rsa_exponent(&self) -> Option<u64> {
        self.rsa_exponent_bytes()
            .map(|bytes| bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    /// The RSA public exponent, big-endian without leading zeros.
    #[must_use]
    pub fn rsa_exponent_bytes(&self) -> Option<&[u8]> {
        match &self.numbers {
            Numbers::Rsa { exponent, .. } => Some(exponent),
            _ => None,
        }
    }

    /// Bits of the RSA modulus.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        self.rsa_modulus().map(bit_len)
    }

    /// The coordinates of an elliptic-curve key, each of the curve's width.
    #[must_use]
    pub fn ec_point(&self) -> Option<(&[u8], &[u8])> {
        let Numbers::Ec { coordinate_len, .. } = self.numbers else {
            return None;
        };
        self.key_bits().get(1..)?.split_at_checked(coordinate_len)
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({}", self.kind())?;
        if let Some(bits) = self.rsa_bits() {
            write!(f, " {bits}")?;
        }
        f.write_str(")")
    }
}

fn curve_of(parameters: Option<AnyRef<'_>>) -> Result<KeyKind, Error> {
    let parameters = parameters.ok_or(Error::MalformedPublicKey("no elliptic curve named"))?;
    match parameters.decode_as::<ObjectIdentifier>() {
        Ok(oid) => curve_by_oid(oid),
        Err(_) => Err(Error::UnsupportedCurve("given by parameters".to_owned())),
    }
}

/// The curve with this identifier, RFC 5480 section 2.1.1.1.
pub(crate) fn curve_by_oid(oid: ObjectIdentifier) -> Result<KeyKind, Error> {
    match oid {
        SECP256R1 => Ok(KeyKind::P256),
        SECP384R1 => Ok(KeyKind::P384),
        SECP521R1 => Ok(KeyKind::P521),
        oid => Err(Error::UnsupportedCurve(oid.to_string())),
    }
}

/// The identifier of a kind's curve; `None` for RSA and Ed25519.
pub(crate) fn curve_oid(kind: KeyKind) -> Option<ObjectIdentifier> {
    match kind {
        KeyKind::P256 => Some(SECP256R1),
        KeyKind::P384 => Some(SECP384R1),
        KeyKind::P521 => Some(SECP521R1),
        KeyKind::Rsa | KeyKind::Ed25519 => None,
    }
}

pub(crate) fn strip_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Bits of a big-endian number without leading zero bytes.
pub(crate) fn bit_len(bytes: &[u8]) -> usize {
    bytes
        .first()
        .map_or(0, |first| bytes.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or_default())
}

fn uint(bytes: &[u8]) -> Result<UintRef<'_>, Error> {
    UintRef::new(bytes).map_err(|_| TOO_LONG)
}

/// First byte of an uncompressed point, SEC 1 section 2.3.3.
const UNCOMPRESSED: u8 = 4;
/// Bounds the time of one verification to milliseconds.
const MAX_RSA_BITS: usize = 16384;
/// Leaves room for any exponent within bounds.
const MIN_RSA_BITS: usize = 64;
/// DER lengths end at 2^28; no key comes near.
const TOO_LONG: Error = Error::MalformedPublicKey("too long");

/// rsaEncryption, RFC 3279 section 2.3.1.
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey, RFC 5480 section 2.1.1.
pub(crate) const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519, RFC 8410 section 3.
pub(crate) const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// secp256r1, RFC 5480 section 2.1.1.1.
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// secp384r1, RFC 5480 section 2.1.1.1.
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// secp521r1, RFC 5480 section 2.1.1.1.
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;

    fn check(der: &[u8], expected: &Error) {
        assert_eq!(PublicKey::from_spki_der(der).as_ref(), Err(expected));
    }

    /// SubjectPublicKeyInfo of the parts, with no rule but DER.
    fn spki(oid: &str, parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Vec<u8> {
        SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid: oid.parse().unwrap(), parameters },
            subject_public_key: BitStringRef::from_bytes(bits).unwrap(),
        }
        .to_der()
        .unwrap()
    }

    fn generated(kind: KeyKind) -> PublicKey {
        PrivateKey::generate(kind, &SystemEntropy::new()).unwrap().public_key().clone()
    }

    const EC: &str = "1.2.840.10045.2.1";
    const RSA: &str = "1.2.840.113549.1.1.1";
    const ED25519: &str = "1.3.101.112";

    #[test]
    fn every_kind_reads_back() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519] {
            let key = generated(kind);
            let read = PublicKey::from_spki_der(key.spki_der()).unwrap();
            assert_eq!(read, key);
            assert_eq!(read.kind(), kind);
            if let Some((x, y)) = key.ec_point() {
                assert_eq!(PublicKey::from_ec(kind, x, y).unwrap(), key);
            }
        }
    }

    #[test]
    fn unsupported_keys_say_so() {
        let p224: ObjectIdentifier = "1.3.132.0.33".parse().unwrap();
        check(&spki(EC, Some((&p224).into()), &[4; 57]), &Error::UnsupportedCurve("1.3.132.0.33".to_owned()));
        let secp256k1: ObjectIdentifier = "1.3.132.0.10".parse().unwrap();
        check(
            &spki(EC, Some((&secp256k1).into()), &[4; 65]),
            &Error::UnsupportedCurve("1.3.132.0.10".to_owned()),
        );
        check(
            &spki(EC, Some(AnyRef::NULL), &[4; 65]),
            &Error::UnsupportedCurve("given by parameters".to_owned()),
        );
        check(&spki("1.3.101.113", None, &[1; 57]), &Error::UnsupportedAlgorithm("1.3.101.113".to_owned()));
    }

    #[test]
    fn points_are_checked() {
        let key = generated(KeyKind::P256);
        let curve = (&SECP256R1).into();
        let (x, y) = key.ec_point().unwrap();
        let malformed = |text| Error::MalformedPublicKey(text);

        let mut off = key.key_bits().to_vec();
        *off.last_mut().unwrap() ^= 1;
        check(&spki(EC, Some(curve), &off), &malformed("point is not on the curve"));
        let compressed = [&[2 + (y[31] & 1)], x].concat();
        for bits in [&compressed[..], &[0], &[], &key.key_bits()[..64]] {
            check(&spki(EC, Some(curve), bits), &malformed("not an uncompressed point of the curve"));
        }
        check(&spki(EC, None, key.key_bits()), &malformed("no elliptic curve named"));
        for (x, y) in [(&x[1..], y), (x, &[0; 33][..])] {
            assert_eq!(
                PublicKey::from_ec(KeyKind::P256, x, y),
                Err(malformed("coordinates do not have the width of the curve"))
            );
        }
    }

    #[test]
    fn ed25519_is_checked() {
        let key = generated(KeyKind::Ed25519);
        let malformed = |text| Error::MalformedPublicKey(text);
        check(&spki(ED25519, Some(AnyRef::NULL), key.key_bits()), &malformed("Ed25519 takes no parameters"));
        check(&spki(ED25519, None, &[1; 31]), &malformed("an Ed25519 key has 32 bytes"));
        let mut neutral = [0; 32];
        neutral[0] = 1;
        check(&spki(ED25519, None, &neutral), &malformed("an Ed25519 point of small order"));
    }

    #[test]
    fn rsa_numbers_are_bounded() {
        fn check(n: &[u8], e: &[u8], expected: Result<u64, Error>) {
            let got = PublicKey::from_rsa(n, e).map(|key| key.rsa_exponent().unwrap());
            assert_eq!(got, expected);
        }
        let exponent = Error::MalformedPublicKey("RSA exponent is below 2 or above 2147483647");
        check(&[0xff; 128], &[0, 1, 0, 1], Ok(65537));
        check(&[0xff; 128], &[3], Ok(3));
        check(&[0xff; 128], &[0x7f, 0xff, 0xff, 0xff], Ok(2_147_483_647));
        check(&[0xff; 128], &[0x80, 0, 0, 0], Err(exponent.clone()));
        check(&[0xff; 128], &[1], Err(exponent.clone()));
        check(&[0xff; 128], &[], Err(exponent));
        check(&[0xff; 2048], &[3], Ok(3));
        check(&[0xff; 2049], &[3], Err(Error::RsaTooLong { bits: 16392, maximum: 16384 }));
        check(&[0xfe; 128], &[3], Err(Error::MalformedPublicKey("RSA modulus is even")));
        check(&[5], &[3], Err(Error::MalformedPublicKey("RSA modulus is below 64 bits")));
    }

    #[test]
    fn only_strict_encodings_are_read() {
        let key = PublicKey::from_rsa(&[0x7f; 128], &[1, 0, 1]).unwrap();
        let malformed = |text| Error::MalformedPublicKey(text);
        check(&spki(RSA, None, key.key_bits()), &malformed("RSA parameters are not NULL"));
        let trailing = [key.key_bits(), &[0]].concat();
        check(&spki(RSA, Some(AnyRef::NULL), &trailing), &malformed("not a DER RSAPublicKey"));
        let outer = malformed("not a DER SubjectPublicKeyInfo");
        check(&[key.spki_der(), &[0]].concat(), &outer);
        check(&key.spki_der()[1..], &outer);
        check(&[], &outer);
    }
}
