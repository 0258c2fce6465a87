//! Private keys: reading, writing, generating, signing. No secret byte leaves but through `to_…`.

use std::fmt::Debug;
use std::fmt::Formatter;

use der::Decode;
use der::Encode;
use der::Sequence;
use der::asn1::AnyRef;
use der::asn1::ObjectIdentifier;
use der::asn1::OctetStringRef;
use der::asn1::UintRef;
use pkcs8::PrivateKeyInfoRef;
use ring::rand::SystemRandom;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use ring::signature::RsaEncoding;
use ring::signature::RsaKeyPair;
use rsa::BoxedUint;
use rsa::Pkcs1v15Sign;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::rand_core::TryCryptoRng;
use rsa::rand_core::TryRng;
use rsa::traits::PublicKeyParts;
use sec1::EcParameters;
use sec1::EcPrivateKey;
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use crate::crypto::Error;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::crypto::algorithm::Hash;
use crate::crypto::public_key::ID_EC_PUBLIC_KEY;
use crate::crypto::public_key::ID_ED25519;
use crate::crypto::public_key::RSA_ENCRYPTION;
use crate::crypto::public_key::bit_len;
use crate::crypto::public_key::curve_by_oid;
use crate::crypto::public_key::curve_oid;
use crate::crypto::public_key::strip_zeros;
use crate::entropy::Entropy;
use crate::entropy::Unavailable;

/// A private key with its public half, parsed once and ready to sign.
///
/// Not `Clone`: share it behind an `Arc`. `Debug` prints the public half only.
pub struct PrivateKey {
    public: PublicKey,
    secret: Secret,
}

enum Secret {
    Ec {
        scalar: Zeroizing<Vec<u8>>,
        /// ring's key for the hash that goes with the curve; `None` for P-521, and for signatures that repeat.
        pair: Option<EcdsaKeyPair>,
    },
    Rsa {
        pkcs1: Zeroizing<Vec<u8>>,
        key: Box<RsaSigner>,
    },
    Ed25519 {
        seed: Zeroizing<Vec<u8>>,
        pair: Ed25519KeyPair,
    },
}

enum RsaSigner {
    Ring(RsaKeyPair),
    /// Above 4096 bits, or with an exponent below 65537.
    Slow(rsa::PrivateKey),
}

impl PrivateKey {
    /// Makes a new key, RSA with 2048 bits; the same random bytes give the same key.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] if `entropy` fails, or yields nothing usable in 128 draws.
    pub fn generate(kind: KeyKind, entropy: &dyn Entropy) -> Result<Self, Error> {
        match kind {
            KeyKind::Rsa => Self::generate_rsa(2048, entropy),
            KeyKind::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                entropy.fill(&mut *seed).map_err(|_| Error::NoEntropy)?;
                Self::from_ed25519_seed(&*seed)
            }
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                let len = kind.coordinate_len().unwrap_or_default();
                let mut scalar = Zeroizing::new(vec![0; len]);
                // A draw is out of range once in 2^32 for P-256, every other time for P-521.
                for _ in 0..128 {
                    entropy.fill(&mut scalar).map_err(|_| Error::NoEntropy)?;
                    if kind == KeyKind::P521
                        && let Some(top) = scalar.first_mut()
                    {
                        *top &= 1;
                    }
                    if let Ok(key) = Self::from_ec_scalar(kind, &scalar) {
                        return Ok(key);
                    }
                }
                Err(Error::NoEntropy)
            }
        }
    }

    /// Makes a new RSA key with the exponent 65537.
    ///
    /// # Errors
    ///
    /// [`Error::RsaTooShort`] below 2048 bits, [`Error::RsaTooLong`] above 8192,
    /// [`Error::NoEntropy`] if `entropy` fails.
    pub fn generate_rsa(bits: usize, entropy: &dyn Entropy) -> Result<Self, Error> {
        check_rsa_bits(bits)?;
        let key = rsa::PrivateKey::new(&mut Draw(entropy), bits).map_err(|_| Error::NoEntropy)?;
        Self::from_rsa(key)
    }

    /// Reads a DER PrivateKeyInfo or OneAsymmetricKey (RFC 5208 section 5, RFC 5958 section 2).
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedAlgorithm`], [`Error::UnsupportedCurve`], and the errors of the key inside.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedPrivateKey;
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| malformed("not DER PKCS#8"))?;
        let inner = info.private_key.as_bytes();
        let parameters = info.algorithm.parameters;
        let key = match info.algorithm.oid {
            RSA_ENCRYPTION => {
                if parameters != Some(AnyRef::NULL) {
                    return Err(malformed("RSA parameters are not NULL"));
                }
                Self::from_pkcs1_der(inner)?
            }
            ID_EC_PUBLIC_KEY => {
                let curve: ObjectIdentifier = parameters
                    .and_then(|any| any.decode_as().ok())
                    .ok_or_else(|| Error::UnsupportedCurve("given by parameters".to_owned()))?;
                Self::from_sec1(inner, Some(curve_by_oid(curve)?))?
            }
            ID_ED25519 => {
                if parameters.is_some() {
                    return Err(malformed("Ed25519 takes no parameters"));
                }
                let seed =
                    <&OctetStringRef>::from_der(inner).map_err(|_| malformed("not a DER CurvePrivateKey"))?;
                Self::from_ed25519_seed(seed.as_bytes())?
            }
            oid => return Err(Error::UnsupportedAlgorithm(oid.to_string())),
        };
        match info.public_key.map(|bits| bits.as_bytes()) {
            Some(bits) if bits != Some(key.public.key_bits()) => Err(HALVES_DIFFER),
            _ => Ok(key),
        }
    }

    /// Reads a DER ECPrivateKey that names its curve (RFC 5915 section 3).
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedCurve`], or [`Error::MalformedPrivateKey`], also for a public key in it that
    /// belongs to another private key.
    pub fn from_sec1_der(der: &[u8]) -> Result<Self, Error> {
        Self::from_sec1(der, None)
    }

    fn from_sec1(der: &[u8], outer: Option<KeyKind>) -> Result<Self, Error> {
        let malformed = Error::MalformedPrivateKey;
        let key = EcPrivateKey::from_der(der).map_err(|_| malformed("not a DER ECPrivateKey"))?;
        let inner = match key.parameters {
            Some(EcParameters::NamedCurve(oid)) => Some(curve_by_oid(oid)?),
            None => None,
        };
        let kind = match (outer, inner) {
            (Some(outer), Some(inner)) if outer != inner => {
                return Err(malformed("two different curves named"));
            }
            (outer, inner) => outer.or(inner).ok_or(malformed("no curve named"))?,
        };
        let private = Self::from_ec_scalar(kind, key.private_key)?;
        match key.public_key {
            Some(point) if point != private.public.key_bits() => Err(HALVES_DIFFER),
            _ => Ok(private),
        }
    }

    /// Reads a DER RSAPrivateKey with two primes (RFC 8017 appendix A.1.2).
    ///
    /// The CRT values in it are computed anew.
    ///
    /// # Errors
    ///
    /// [`Error::RsaTooShort`] below 2048 bits, [`Error::RsaTooLong`] above 8192,
    /// [`Error::MalformedPrivateKey`] if the numbers do not belong together.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, Error> {
        let key = RsaPrivateKeyRef::from_der(der)
            .map_err(|_| Error::MalformedPrivateKey("not a DER RSAPrivateKey"))?;
        if key.other_prime_infos.is_some() {
            return Err(Error::MalformedPrivateKey("more than two primes"));
        }
        Self::from_rsa_parts(
            key.modulus.as_bytes(),
            key.public_exponent.as_bytes(),
            key.private_exponent.as_bytes(),
            key.prime1.as_bytes(),
            key.prime2.as_bytes(),
        )
    }

    /// Makes an elliptic-curve key of its private scalar, big-endian; other widths are padded or
    /// stripped of leading zeros, as Go does.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPrivateKey`] for zero, a scalar beyond the order, or a kind without curve.
    pub fn from_ec_scalar(kind: KeyKind, scalar: &[u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedPrivateKey;
        let len = kind.coordinate_len().ok_or(malformed("this kind has no curve"))?;
        let stripped = strip_zeros(scalar);
        let missing = len.checked_sub(stripped.len()).ok_or(malformed("scalar is too long"))?;
        let mut padded = Zeroizing::new(vec![0; missing]);
        padded.extend_from_slice(stripped);

        macro_rules! point_on {
            ($curve:ident) => {
                $curve::SecretKey::from_slice(&padded).map(|key| key.public_key().to_sec1_bytes().to_vec())
            };
        }
        let point = match kind {
            KeyKind::P256 => point_on!(p256),
            KeyKind::P384 => point_on!(p384),
            _ => point_on!(p521),
        }
        .map_err(|_| malformed("scalar is out of range"))?;
        let ring = match kind {
            KeyKind::P256 => Some(&ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => Some(&ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => None,
        };
        let pair = ring
            .map(|ring| {
                let random = SystemRandom::new();
                EcdsaKeyPair::from_private_key_and_public_key(ring, &padded, &point, &random)
            })
            .transpose()
            .map_err(|_| malformed("scalar is out of range"))?;
        Ok(Self {
            public: PublicKey::from_ec_point(kind, &point)?,
            secret: Secret::Ec { scalar: padded, pair },
        })
    }

    /// The same key, signing ECDSA with the nonce of RFC 6979: the same message gives the same signature.
    ///
    /// Several times slower on P-256 and P-384, where random nonces come from ring. Other kinds sign the same bytes
    /// anyway, but for RSA-PSS, whose salt stays random.
    #[must_use]
    pub fn deterministic(mut self) -> Self {
        if let Secret::Ec { pair, .. } = &mut self.secret {
            *pair = None;
        }
        self
    }

    /// Makes an Ed25519 key of its 32-byte seed (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPrivateKey`] for another length.
    pub fn from_ed25519_seed(seed: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| Error::MalformedPrivateKey("an Ed25519 key has 32 bytes"))?;
        Ok(Self {
            public: PublicKey::from_ed25519(pair.public_key().as_ref())?,
            secret: Secret::Ed25519 { seed: Zeroizing::new(seed.to_vec()), pair },
        })
    }

    /// Makes an RSA key of its big-endian numbers.
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::from_pkcs1_der`].
    pub fn from_rsa_parts(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> Result<Self, Error> {
        // First the size, so that nothing is computed with enormous numbers.
        check_rsa_bits(bit_len(strip_zeros(n)))?;
        PublicKey::from_rsa(n, e)?;
        if [d, p, q].iter().any(|part| strip_zeros(part).is_empty()) {
            return Err(Error::MalformedPrivateKey("RSA numbers are missing"));
        }
        let number = |bytes| BoxedUint::from_be_slice_vartime(strip_zeros(bytes));
        let key =
            rsa::PrivateKey::from_components(number(n), number(e), number(d), vec![number(p), number(q)])
                .map_err(|_| Error::MalformedPrivateKey("RSA numbers do not belong together"))?;
        Self::from_rsa(key)
    }

    fn from_rsa(key: rsa::PrivateKey) -> Result<Self, Error> {
        let public = PublicKey::from_rsa(&key.n_bytes(), &key.e_bytes())?;
        let pkcs1 = key
            .to_pkcs1_der()
            .map_err(|_| Error::MalformedPrivateKey("RSA numbers do not belong together"))?
            .to_bytes();
        let key = match RsaKeyPair::from_der(&pkcs1) {
            Ok(pair) => RsaSigner::Ring(pair),
            Err(_) => RsaSigner::Slow(key),
        };
        Ok(Self { public, secret: Secret::Rsa { pkcs1, key: Box::new(key) } })
    }

    /// The DER PrivateKeyInfo (RFC 5208 section 5), without the optional parts.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPrivateKey`] if the encoder fails, which it does for no key made here.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let curve = curve_oid(self.kind());
        let (oid, parameters, inner) = match &self.secret {
            Secret::Ec { .. } => {
                (ID_EC_PUBLIC_KEY, curve.as_ref().map(AnyRef::from), self.ec_private_key(false)?)
            }
            Secret::Rsa { pkcs1, .. } => (RSA_ENCRYPTION, Some(AnyRef::NULL), pkcs1.clone()),
            Secret::Ed25519 { seed, .. } => {
                let seed = OctetStringRef::new(seed).and_then(|seed| seed.to_der());
                (ID_ED25519, None, Zeroizing::new(seed.map_err(not_encoded)?))
            }
        };
        let algorithm = AlgorithmIdentifierRef { oid, parameters };
        let inner = OctetStringRef::new(&inner).map_err(not_encoded)?;
        PrivateKeyInfoRef::new(algorithm, inner).to_der().map(Zeroizing::new).map_err(not_encoded)
    }

    /// The DER ECPrivateKey with curve and public key (RFC 5915 section 3).
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPrivateKey`] if this is no elliptic-curve key.
    pub fn to_sec1_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.ec_private_key(true)
    }

    fn ec_private_key(&self, with_curve: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Secret::Ec { scalar, .. } = &self.secret else {
            return Err(Error::MalformedPrivateKey("not an elliptic-curve key"));
        };
        let parameters = curve_oid(self.kind()).filter(|_| with_curve).map(EcParameters::NamedCurve);
        EcPrivateKey { private_key: scalar, parameters, public_key: Some(self.public.key_bits()) }
            .to_der()
            .map(Zeroizing::new)
            .map_err(not_encoded)
    }

    /// The DER RSAPrivateKey (RFC 8017 appendix A.1.2).
    ///
    /// # Errors
    ///
    /// [`Error::MalformedPrivateKey`] if this is no RSA key.
    pub fn to_pkcs1_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match &self.secret {
            Secret::Rsa { pkcs1, .. } => Ok(pkcs1.clone()),
            _ => Err(Error::MalformedPrivateKey("not an RSA key")),
        }
    }

    /// The private scalar of an elliptic-curve key, of the curve's width, or the seed of an Ed25519 key.
    #[must_use]
    pub fn scalar_or_seed(&self) -> Option<&[u8]> {
        match &self.secret {
            Secret::Ec { scalar, .. } => Some(scalar),
            Secret::Ed25519 { seed, .. } => Some(seed),
            Secret::Rsa { .. } => None,
        }
    }

    /// The kind of the key.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.public.kind()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The algorithm this key signs certificates with: ECDSA with the hash of the curve's size,
    /// SHA-256 with RSA PKCS#1, or Ed25519 (CONTRACT.md section 6).
    #[must_use]
    pub fn default_algorithm(&self) -> SignatureAlgorithm {
        match self.kind() {
            KeyKind::Rsa => SignatureAlgorithm::RsaSha256,
            KeyKind::P256 => SignatureAlgorithm::EcdsaSha256,
            KeyKind::P384 => SignatureAlgorithm::EcdsaSha384,
            KeyKind::P521 => SignatureAlgorithm::EcdsaSha512,
            KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }

    /// Signs as X.509 writes it: ECDSA as DER (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the algorithm is for another kind of key,
    /// [`Error::SigningFailed`] if the library refuses.
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.sign_fixed(algorithm, message)?;
        match &self.secret {
            Secret::Ec { .. } => ecdsa_der(&signature),
            _ => Ok(signature),
        }
    }

    /// Signs as JOSE writes it: ECDSA as r and s of the curve's width (RFC 7518 section 3.4).
    ///
    /// # Errors
    ///
    /// As [`PrivateKey::sign`].
    pub fn sign_fixed(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        if !algorithm.fits(self.kind()) {
            return Err(Error::AlgorithmMismatch { algorithm, kind: self.kind() });
        }
        match &self.secret {
            Secret::Ec { pair: Some(pair), .. } if algorithm == self.default_algorithm() => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Error::SigningFailed),
            Secret::Ec { scalar, .. } => {
                slow_ecdsa(self.kind(), scalar, algorithm.hash().digest(message).as_ref())
            }
            Secret::Rsa { key, .. } => key.sign(algorithm, message),
            Secret::Ed25519 { pair, .. } => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.kind())
    }
}

impl RsaSigner {
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Ring(pair) => {
                let encoding: &'static dyn RsaEncoding = match (algorithm.is_pss(), algorithm.hash()) {
                    (false, Hash::Sha256) => &ring::signature::RSA_PKCS1_SHA256,
                    (false, Hash::Sha384) => &ring::signature::RSA_PKCS1_SHA384,
                    (false, Hash::Sha512) => &ring::signature::RSA_PKCS1_SHA512,
                    (true, Hash::Sha256) => &ring::signature::RSA_PSS_SHA256,
                    (true, Hash::Sha384) => &ring::signature::RSA_PSS_SHA384,
                    (true, Hash::Sha512) => &ring::signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| Error::SigningFailed)?;
                Ok(signature)
            }
            Self::Slow(key) => {
                let hash = algorithm.hash();
                let digest = hash.digest(message);
                let digest = digest.as_ref();
                match (algorithm.is_pss(), hash) {
                    (false, Hash::Sha256) => key.sign(Pkcs1v15Sign::new::<sha2::Sha256>(), digest),
                    (false, Hash::Sha384) => key.sign(Pkcs1v15Sign::new::<sha2::Sha384>(), digest),
                    (false, Hash::Sha512) => key.sign(Pkcs1v15Sign::new::<sha2::Sha512>(), digest),
                    (true, Hash::Sha256) => key.pss_sign_prehash::<sha2::Sha256>(digest),
                    (true, Hash::Sha384) => key.pss_sign_prehash::<sha2::Sha384>(digest),
                    (true, Hash::Sha512) => key.pss_sign_prehash::<sha2::Sha512>(digest),
                }
                .map_err(|_| Error::SigningFailed)
            }
        }
    }
}

fn slow_ecdsa(kind: KeyKind, scalar: &[u8], digest: &[u8]) -> Result<Vec<u8>, Error> {
    macro_rules! sign_on {
        ($curve:ident) => {{
            use $curve::ecdsa::signature::hazmat::PrehashSigner;
            $curve::ecdsa::SigningKey::from_slice(scalar)
                .and_then(|key| key.sign_prehash(digest))
                .map(|signature: $curve::ecdsa::Signature| signature.to_vec())
        }};
    }
    match kind {
        KeyKind::P256 => sign_on!(p256),
        KeyKind::P384 => sign_on!(p384),
        _ => sign_on!(p521),
    }
    .map_err(|_| Error::SigningFailed)
}

/// Ecdsa-Sig-Value, RFC 3279 section 2.2.3.
#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

fn ecdsa_der(fixed: &[u8]) -> Result<Vec<u8>, Error> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    UintRef::new(r)
        .and_then(|r| UintRef::new(s).map(|s| EcdsaSignature { r, s }))
        .and_then(|signature| signature.to_der())
        .map_err(|_| Error::SigningFailed)
}

/// [`Entropy`] as the RSA crate wants it.
struct Draw<'a>(&'a dyn Entropy);

impl TryRng for Draw<'_> {
    type Error = Unavailable;

    fn try_next_u32(&mut self) -> Result<u32, Unavailable> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Unavailable> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        self.0.fill(buffer)
    }
}

impl TryCryptoRng for Draw<'_> {}

fn check_rsa_bits(bits: usize) -> Result<(), Error> {
    if bits < MIN_RSA_BITS {
        return Err(Error::RsaTooShort { bits, minimum: MIN_RSA_BITS });
    }
    if bits > MAX_RSA_BITS {
        return Err(Error::RsaTooLong { bits, maximum: MAX_RSA_BITS });
    }
    Ok(())
}

fn not_encoded(_: der::Error) -> Error {
    Error::MalformedPrivateKey("cannot be encoded")
}

const HALVES_DIFFER: Error =
    Error::MalformedPrivateKey("the public key in it belongs to another private key");
/// Fewest bits to sign with, NIST SP 800-131A.
const MIN_RSA_BITS: usize = 2048;
/// Most bits to sign with: a signature already takes a tenth of a second.
const MAX_RSA_BITS: usize = 8192;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::entropy::SystemEntropy;

    const KINDS: [KeyKind; 4] = [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519];

    /// Counts upwards, byte by byte.
    #[derive(Debug, Default)]
    struct Counting(Mutex<u8>);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
            let mut next = self.0.lock().unwrap();
            for byte in buffer {
                *byte = *next;
                *next = next.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    fn pem(text: &str) -> Vec<u8> {
        pem_rfc7468::decode_vec(text.as_bytes()).unwrap().1
    }

    fn rsa_2048() -> PrivateKey {
        let der = pem(include_str!("../../tests/data/crypto/rsa_2048.pem"));
        PrivateKey::from_pkcs8_der(&der).unwrap()
    }

    fn check_signs(key: &PrivateKey, algorithm: SignatureAlgorithm) {
        let signature = key.sign(algorithm, b"message").unwrap();
        let got = key.public_key().verify(algorithm, b"message", &signature);
        assert_eq!(got, Ok(()), "{key:?} {algorithm}");
    }

    #[test]
    fn generated_keys_read_back_and_sign() {
        for kind in KINDS {
            let key = PrivateKey::generate(kind, &SystemEntropy::new()).unwrap();
            check_signs(&key, key.default_algorithm());
            let pkcs8 = key.to_pkcs8_der().unwrap();
            let read = PrivateKey::from_pkcs8_der(&pkcs8).unwrap();
            assert_eq!(read.public_key(), key.public_key());
            if kind != KeyKind::Ed25519 {
                let sec1 = key.to_sec1_der().unwrap();
                let read = PrivateKey::from_sec1_der(&sec1).unwrap();
                assert_eq!(read.public_key(), key.public_key());
            }
        }
    }

    #[test]
    fn the_same_entropy_gives_the_same_key() {
        for kind in KINDS {
            let make = || PrivateKey::generate(kind, &Counting::default()).unwrap();
            assert_eq!(make().public_key(), make().public_key());
        }
    }

    /// RFC 6979 appendix A.2.5, SHA-256 of "sample".
    #[test]
    fn signatures_repeat_where_that_is_asked_for() {
        let hex = |text: &str| -> Vec<u8> {
            (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let scalar = hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
        let key = PrivateKey::from_ec_scalar(KeyKind::P256, &scalar).unwrap().deterministic();
        let signature = key.sign_fixed(SignatureAlgorithm::EcdsaSha256, b"sample").unwrap();
        let r = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
        let s = hex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
        assert_eq!(signature, [r, s].concat());
        for kind in KINDS {
            let key = PrivateKey::generate(kind, &SystemEntropy::new()).unwrap().deterministic();
            check_signs(&key, key.default_algorithm());
            let sign = || key.sign(key.default_algorithm(), b"message").unwrap();
            assert_eq!(sign(), sign());
        }
    }

    #[test]
    fn useless_entropy_ends() {
        for byte in [0, 0xff] {
            let got = PrivateKey::generate(KeyKind::P521, &Constant(byte));
            assert_eq!(got.err(), Some(Error::NoEntropy));
        }
    }

    #[test]
    fn rsa_signs_with_every_algorithm() {
        let key = rsa_2048();
        assert!(matches!(&key.secret, Secret::Rsa { key, .. } if matches!(**key, RsaSigner::Ring(_))));
        let der = pem(include_str!("../../tests/data/crypto/rsa_2048_e3.pem"));
        let slow = PrivateKey::from_pkcs8_der(&der).unwrap();
        assert!(matches!(&slow.secret, Secret::Rsa { key, .. } if matches!(**key, RsaSigner::Slow(_))));
        for key in [key, slow] {
            for algorithm in [
                SignatureAlgorithm::RsaSha256,
                SignatureAlgorithm::RsaSha384,
                SignatureAlgorithm::RsaSha512,
                SignatureAlgorithm::RsaPssSha256,
                SignatureAlgorithm::RsaPssSha384,
                SignatureAlgorithm::RsaPssSha512,
            ] {
                check_signs(&key, algorithm);
            }
            assert_eq!(
                key.sign(SignatureAlgorithm::Ed25519, b""),
                Err(Error::AlgorithmMismatch { algorithm: SignatureAlgorithm::Ed25519, kind: KeyKind::Rsa })
            );
        }
    }

    #[test]
    fn rsa_keys_are_made_within_bounds() {
        let key = PrivateKey::generate(KeyKind::Rsa, &SystemEntropy::new()).unwrap();
        assert_eq!(key.public_key().rsa_bits(), Some(2048));
        assert_eq!(key.public_key().rsa_exponent(), Some(65537));
        check_signs(&key, key.default_algorithm());
        for (bits, long) in [(2047, false), (8193, true)] {
            let got = PrivateKey::generate_rsa(bits, &SystemEntropy::new()).err();
            assert_eq!(matches!(got, Some(Error::RsaTooLong { .. })), long);
            assert_eq!(matches!(got, Some(Error::RsaTooShort { .. })), !long);
        }
    }

    #[test]
    fn rsa_reads_back() {
        let key = rsa_2048();
        let pkcs1 = key.to_pkcs1_der().unwrap();
        let read = PrivateKey::from_pkcs1_der(&pkcs1).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        let pkcs8 = key.to_pkcs8_der().unwrap();
        assert_eq!(*pkcs8, pem(include_str!("../../tests/data/crypto/rsa_2048.pem")));
    }

    #[test]
    fn short_and_inconsistent_rsa_is_refused() {
        let der = pem(include_str!("../../tests/data/crypto/rsa_1024.pem"));
        let short = Error::RsaTooShort { bits: 1024, minimum: 2048 };
        assert_eq!(PrivateKey::from_pkcs8_der(&der).err(), Some(short));

        let key = rsa_2048();
        let pkcs1 = key.to_pkcs1_der().unwrap();
        let parts = RsaPrivateKeyRef::from_der(&pkcs1).unwrap();
        let [n, e, d, p, q] =
            [parts.modulus, parts.public_exponent, parts.private_exponent, parts.prime1, parts.prime2]
                .map(|number| number.as_bytes().to_vec());
        assert!(PrivateKey::from_rsa_parts(&n, &e, &d, &q, &p).is_ok());
        let mut other = d.clone();
        other[100] ^= 1;
        for (d, q) in [(&other, &q), (&d, &p), (&d, &vec![])] {
            let got = PrivateKey::from_rsa_parts(&n, &e, d, &p, q).err();
            assert!(matches!(got, Some(Error::MalformedPrivateKey(_))), "{got:?}");
        }
    }

    #[test]
    fn scalars_are_padded_and_bounded() {
        let mut one = [0; 40];
        one[39] = 1;
        let key = PrivateKey::from_ec_scalar(KeyKind::P256, &one).unwrap();
        assert_eq!(key.scalar_or_seed(), Some(&one[8..]));
        assert!(PrivateKey::from_ec_scalar(KeyKind::P256, &[1]).is_ok());
        for scalar in [&[0; 32][..], &[0xff; 32], &[], &[1; 33]] {
            let got = PrivateKey::from_ec_scalar(KeyKind::P256, scalar).err();
            assert!(matches!(got, Some(Error::MalformedPrivateKey(_))), "{got:?}");
        }
        assert!(PrivateKey::from_ed25519_seed(&[1; 31]).is_err());
        assert!(PrivateKey::from_ec_scalar(KeyKind::Ed25519, &[1; 32]).is_err());
    }

    #[test]
    fn halves_that_differ_are_refused() {
        let one = PrivateKey::from_ec_scalar(KeyKind::P256, &[1]).unwrap();
        let two = PrivateKey::from_ec_scalar(KeyKind::P256, &[2]).unwrap();
        let mixed = EcPrivateKey {
            private_key: one.scalar_or_seed().unwrap(),
            parameters: curve_oid(KeyKind::P256).map(EcParameters::NamedCurve),
            public_key: Some(two.public_key().key_bits()),
        };
        let got = PrivateKey::from_sec1_der(&mixed.to_der().unwrap()).err();
        assert_eq!(got, Some(HALVES_DIFFER));
    }

    #[test]
    fn debug_tells_the_kind_only() {
        let key = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(Ed25519)");
    }
}
