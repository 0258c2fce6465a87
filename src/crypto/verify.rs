//! Checking signatures.

use ring::signature as fast;
use ring::signature::RsaParameters;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use ring::signature::VerificationAlgorithm;
use rsa::BoxedUint;
use rsa::Pkcs1v15Sign;

use crate::crypto::Error;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::crypto::algorithm::Hash;
use crate::crypto::public_key::Numbers;

/// How an ECDSA signature is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `SEQUENCE { r INTEGER, s INTEGER }`, RFC 3279 section 2.2.3.
    Der,
    /// r and s, each of the curve's width, RFC 7518 section 3.4.
    Fixed,
}

impl PublicKey {
    /// Checks a signature as X.509 writes it: ECDSA as DER (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the algorithm is for another kind of key, else
    /// [`Error::BadSignature`]. RSA keys below 1024 bits verify nothing, as in Go.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.verify_form(algorithm, message, signature, Form::Der)
    }

    /// Checks a signature as JOSE writes it: ECDSA as r and s of fixed width (RFC 7518 section 3.4).
    ///
    /// Both values of s that ECDSA allows are accepted.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::verify`].
    pub fn verify_fixed(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.verify_form(algorithm, message, signature, Form::Fixed)
    }

    fn verify_form(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
        form: Form,
    ) -> Result<(), Error> {
        if !algorithm.fits(self.kind()) {
            return Err(Error::AlgorithmMismatch { algorithm, kind: self.kind() });
        }
        let holds = match self.numbers() {
            Numbers::Ec { kind, .. } => match ring_ecdsa(*kind, algorithm.hash(), form) {
                Some(ring) => {
                    UnparsedPublicKey::new(ring, self.key_bits()).verify(message, signature).is_ok()
                }
                None => {
                    let digest = algorithm.hash().digest(message);
                    slow_ecdsa(*kind, self.key_bits(), digest.as_ref(), signature, form)
                }
            },
            Numbers::Rsa { modulus, exponent } => match ring_rsa(algorithm, modulus, exponent) {
                Some(ring) => RsaPublicKeyComponents { n: modulus, e: exponent }
                    .verify(ring, message, signature)
                    .is_ok(),
                None => slow_rsa(algorithm, modulus, exponent, message, signature),
            },
            Numbers::Ed25519 => {
                UnparsedPublicKey::new(&fast::ED25519, self.key_bits()).verify(message, signature).is_ok()
            }
        };
        holds.then_some(()).ok_or(Error::BadSignature)
    }
}

fn ring_ecdsa(kind: KeyKind, hash: Hash, form: Form) -> Option<&'static dyn VerificationAlgorithm> {
    match (kind, hash, form) {
        (KeyKind::P256, Hash::Sha256, Form::Der) => Some(&fast::ECDSA_P256_SHA256_ASN1),
        (KeyKind::P256, Hash::Sha256, Form::Fixed) => Some(&fast::ECDSA_P256_SHA256_FIXED),
        (KeyKind::P256, Hash::Sha384, Form::Der) => Some(&fast::ECDSA_P256_SHA384_ASN1),
        (KeyKind::P384, Hash::Sha256, Form::Der) => Some(&fast::ECDSA_P384_SHA256_ASN1),
        (KeyKind::P384, Hash::Sha384, Form::Der) => Some(&fast::ECDSA_P384_SHA384_ASN1),
        (KeyKind::P384, Hash::Sha384, Form::Fixed) => Some(&fast::ECDSA_P384_SHA384_FIXED),
        _ => None,
    }
}

fn slow_ecdsa(kind: KeyKind, point: &[u8], digest: &[u8], signature: &[u8], form: Form) -> bool {
    // The three curves are three unrelated types to the compiler; only their names differ.
    macro_rules! verify_on {
        ($curve:ident) => {{
            use $curve::ecdsa::signature::hazmat::PrehashVerifier;
            let signature = match form {
                Form::Der => $curve::ecdsa::Signature::from_der(signature),
                Form::Fixed => $curve::ecdsa::Signature::from_slice(signature),
            };
            match (signature, $curve::ecdsa::VerifyingKey::from_sec1_bytes(point)) {
                (Ok(signature), Ok(key)) => key.verify_prehash(digest, &signature).is_ok(),
                _ => false,
            }
        }};
    }
    match kind {
        KeyKind::P256 => verify_on!(p256),
        KeyKind::P384 => verify_on!(p384),
        KeyKind::P521 => verify_on!(p521),
        KeyKind::Rsa | KeyKind::Ed25519 => false,
    }
}

fn ring_rsa(
    algorithm: SignatureAlgorithm,
    modulus: &[u8],
    exponent: &[u8],
) -> Option<&'static RsaParameters> {
    // ring counts whole bytes at the lower end, so 2041 bits pass as 2048; its exponents begin at 3.
    if modulus.len() < 256 || modulus.len() > 1024 || exponent == [2] {
        return None;
    }
    match algorithm {
        SignatureAlgorithm::RsaSha256 => Some(&fast::RSA_PKCS1_2048_8192_SHA256),
        SignatureAlgorithm::RsaSha384 => Some(&fast::RSA_PKCS1_2048_8192_SHA384),
        SignatureAlgorithm::RsaSha512 => Some(&fast::RSA_PKCS1_2048_8192_SHA512),
        SignatureAlgorithm::RsaPssSha256 => Some(&fast::RSA_PSS_2048_8192_SHA256),
        SignatureAlgorithm::RsaPssSha384 => Some(&fast::RSA_PSS_2048_8192_SHA384),
        SignatureAlgorithm::RsaPssSha512 => Some(&fast::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn slow_rsa(
    algorithm: SignatureAlgorithm,
    modulus: &[u8],
    exponent: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(key) = rsa::PublicKey::new_with_size_limits(
        BoxedUint::from_be_slice_vartime(modulus),
        BoxedUint::from_be_slice_vartime(exponent),
        1024..=16384,
    ) else {
        return false;
    };
    let hash = algorithm.hash();
    let digest = hash.digest(message);
    let digest = digest.as_ref();
    match (algorithm.is_pss(), hash) {
        (true, Hash::Sha256) => key.pss_verify_prehash::<sha2::Sha256>(digest, signature),
        (true, Hash::Sha384) => key.pss_verify_prehash::<sha2::Sha384>(digest, signature),
        (true, Hash::Sha512) => key.pss_verify_prehash::<sha2::Sha512>(digest, signature),
        (false, Hash::Sha256) => key.verify(Pkcs1v15Sign::new::<sha2::Sha256>(), digest, signature),
        (false, Hash::Sha384) => key.verify(Pkcs1v15Sign::new::<sha2::Sha384>(), digest, signature),
        (false, Hash::Sha512) => key.verify(Pkcs1v15Sign::new::<sha2::Sha512>(), digest, signature),
    }
    .is_ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;

    const MESSAGE: &[u8] = b"stepless";

    /// Every line of the file: algorithm name, key, signature over [`MESSAGE`], all made by OpenSSL.
    fn signatures() -> Vec<(String, PublicKey, Vec<u8>)> {
        include_str!("../../tests/data/crypto/signatures.txt")
            .lines()
            .map(|line| {
                let parts: Vec<_> = line.split(' ').collect();
                let key = PublicKey::from_spki_der(&STANDARD.decode(parts[1]).unwrap()).unwrap();
                (parts[0].to_owned(), key, STANDARD.decode(parts[2]).unwrap())
            })
            .collect()
    }

    fn algorithm(name: &str) -> SignatureAlgorithm {
        use SignatureAlgorithm as A;
        [
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
        ]
        .into_iter()
        .find(|algorithm| algorithm.to_string() == name)
        .unwrap()
    }

    #[test]
    fn openssl_signatures_hold_and_altered_ones_do_not() {
        for (name, key, signature) in signatures() {
            let algorithm = algorithm(&name);
            let check = |message: &[u8], signature: &[u8], expected| {
                let got = key.verify(algorithm, message, signature);
                assert_eq!(got, expected, "{name} {key:?}");
            };
            check(MESSAGE, &signature, Ok(()));
            check(b"Stepless", &signature, Err(Error::BadSignature));
            check(MESSAGE, b"", Err(Error::BadSignature));
            let mut altered = signature.clone();
            *altered.last_mut().unwrap() ^= 1;
            check(MESSAGE, &altered, Err(Error::BadSignature));
            let longer = [&signature[..], b"\0"].concat();
            check(MESSAGE, &longer, Err(Error::BadSignature));
        }
    }

    #[test]
    fn padding_and_hash_are_not_interchangeable() {
        for (name, key, signature) in signatures() {
            for other in [
                SignatureAlgorithm::RsaSha256,
                SignatureAlgorithm::RsaPssSha256,
                SignatureAlgorithm::EcdsaSha256,
                SignatureAlgorithm::EcdsaSha512,
                SignatureAlgorithm::Ed25519,
            ] {
                if other == algorithm(&name) {
                    continue;
                }
                let expected = if other.fits(key.kind()) {
                    Error::BadSignature
                } else {
                    Error::AlgorithmMismatch { algorithm: other, kind: key.kind() }
                };
                let got = key.verify(other, MESSAGE, &signature);
                assert_eq!(got, Err(expected), "{name} as {other}");
            }
        }
    }

    #[test]
    fn the_two_forms_of_ecdsa_are_told_apart() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521] {
            let key = PrivateKey::generate(kind, &SystemEntropy::new()).unwrap();
            let public = key.public_key();
            for algorithm in [
                SignatureAlgorithm::EcdsaSha256,
                SignatureAlgorithm::EcdsaSha384,
                SignatureAlgorithm::EcdsaSha512,
            ] {
                let der = key.sign(algorithm, MESSAGE).unwrap();
                let fixed = key.sign_fixed(algorithm, MESSAGE).unwrap();
                assert_eq!(fixed.len(), 2 * kind.coordinate_len().unwrap());
                assert_eq!(public.verify(algorithm, MESSAGE, &der), Ok(()));
                assert_eq!(public.verify_fixed(algorithm, MESSAGE, &fixed), Ok(()));
                assert_eq!(public.verify(algorithm, MESSAGE, &fixed), Err(Error::BadSignature));
                assert_eq!(public.verify_fixed(algorithm, MESSAGE, &der), Err(Error::BadSignature));
                let zeros = vec![0; fixed.len()];
                assert_eq!(public.verify_fixed(algorithm, MESSAGE, &zeros), Err(Error::BadSignature));
            }
        }
    }

    #[test]
    fn rsa_below_1024_bits_verifies_nothing() {
        let modulus = [&[0xc1][..], &[0x55; 63]].concat();
        let key = PublicKey::from_rsa(&modulus, &[1, 0, 1]).unwrap();
        assert_eq!(key.verify(SignatureAlgorithm::RsaSha256, MESSAGE, &[0; 64]), Err(Error::BadSignature));
    }
}
