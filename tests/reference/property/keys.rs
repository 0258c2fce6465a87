//! Keys of requests and of provisioners, and what they sign; by other crates than our own room.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::pkcs8::EncodePublicKey as _;
use ring::rand::SystemRandom;
use ring::signature;
use rsa::pkcs8::DecodePrivateKey as _;
use serde_json::Value;
use sha2::Digest as _;

use super::der;
use super::random::Random;

/// What key a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa2048,
    /// 2048 bits, exponent 3.
    RsaE3,
    Rsa1024,
}

/// What is signed of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The key of a request.
pub(crate) struct Key {
    kind: Kind,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) public: Vec<u8>,
    secret: Secret,
}

enum Secret {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rsa(Box<rsa::PrivateKey>, Vec<u8>),
}

impl Key {
    /// A key of this kind: drawn, or for RSA one of a few that are always the same.
    pub(crate) fn new(kind: Kind, random: &mut Random) -> Self {
        let mut scalar = |length: usize| -> Vec<u8> {
            // Below the order of the group, whatever comes.
            std::iter::once(0).chain((1..length).map(|_| u8::try_from(random.below(256)).unwrap())).collect()
        };
        let (secret, public) = match kind {
            Kind::P256 => {
                let key = p256::SecretKey::from_slice(&scalar(32)).unwrap();
                let public = key.public_key().to_public_key_der().unwrap().into_vec();
                (Secret::P256(key.into()), public)
            }
            Kind::P384 => {
                let key = p384::SecretKey::from_slice(&scalar(48)).unwrap();
                let public = key.public_key().to_public_key_der().unwrap().into_vec();
                (Secret::P384(key.into()), public)
            }
            Kind::P521 => {
                let key = p521::SecretKey::from_slice(&scalar(66)).unwrap();
                let public = key.public_key().to_public_key_der().unwrap().into_vec();
                (Secret::P521(key.into()), public)
            }
            Kind::Ed25519 => {
                let seed: [u8; 32] = scalar(32).try_into().unwrap();
                let key = ed25519_dalek::SigningKey::from_bytes(&seed);
                let public = der::sequence(&[
                    der::sequence(&[der::oid("1.3.101.112")]),
                    der::bit_string(key.verifying_key().as_bytes()),
                ]);
                (Secret::Ed25519(Box::new(key)), public)
            }
            Kind::Rsa2048 | Kind::RsaE3 | Kind::Rsa1024 => {
                let pem = match kind {
                    Kind::RsaE3 => include_str!("../../data/crypto/rsa_2048_e3.pem"),
                    Kind::Rsa1024 => include_str!("../../data/crypto/rsa_1024.pem"),
                    _ => include_str!("../../data/crypto/rsa_2048.pem"),
                };
                let key = rsa::PrivateKey::from_pkcs8_pem(pem).unwrap();
                let public = rsa::pkcs8::EncodePublicKey::to_public_key_der(&key.to_public_key()).unwrap();
                let (_, pkcs8) = pem_rfc7468::decode_vec(pem.as_bytes()).unwrap();
                (Secret::Rsa(Box::new(key), pkcs8), public.into_vec())
            }
        };
        Self { kind, public, secret }
    }

    /// The AlgorithmIdentifier and the signature.
    pub(crate) fn sign(&self, hash: Hash, pss: bool, message: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let digest = hash.of(message);
        let ecdsa = |signature: Vec<u8>| (der::sequence(&[der::oid(hash.ecdsa_oid())]), signature);
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
                ecdsa(signature.to_der().as_bytes().to_vec())
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&padded(&digest, 24)).unwrap();
                ecdsa(signature.to_der().as_bytes().to_vec())
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(&padded(&digest, 33)).unwrap();
                ecdsa(signature.to_der().as_bytes().to_vec())
            }
            Secret::Ed25519(key) => {
                (der::sequence(&[der::oid("1.3.101.112")]), key.sign(message).to_bytes().to_vec())
            }
            Secret::Rsa(_, pkcs8) if pss && self.kind == Kind::Rsa2048 => {
                let key = signature::RsaKeyPair::from_pkcs8(pkcs8).unwrap();
                let (encoding, salt): (&dyn signature::RsaEncoding, u8) = match hash {
                    Hash::Sha384 => (&signature::RSA_PSS_SHA384, 48),
                    Hash::Sha512 => (&signature::RSA_PSS_SHA512, 64),
                    _ => (&signature::RSA_PSS_SHA256, 32),
                };
                let hash = match hash {
                    Hash::Sha384 | Hash::Sha512 => hash,
                    _ => Hash::Sha256,
                };
                let digest = der::sequence(&[der::oid(hash.oid()), der::null()]);
                let parameters = der::sequence(&[
                    der::element(0xa0, &digest),
                    der::element(0xa1, &der::sequence(&[der::oid("1.2.840.113549.1.1.8"), digest.clone()])),
                    der::element(0xa2, &der::small_integer(salt)),
                ]);
                let mut signed = vec![0; key.public().modulus_len()];
                key.sign(encoding, &SystemRandom::new(), message, &mut signed).unwrap();
                (der::sequence(&[der::oid("1.2.840.113549.1.1.10"), parameters]), signed)
            }
            Secret::Rsa(key, _) => {
                let info = der::sequence(&[
                    der::sequence(&[der::oid(hash.oid()), der::null()]),
                    der::octet_string(&digest),
                ]);
                let signed = key.sign(rsa::Pkcs1v15Sign::new_unprefixed(), &info).unwrap();
                (der::sequence(&[der::oid(hash.rsa_oid()), der::null()]), signed)
            }
        }
    }
}

impl Key {
    /// The JWS algorithm that fits.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::P256 => "ES256",
            Kind::P384 => "ES384",
            Kind::P521 => "ES512",
            Kind::Ed25519 => "EdDSA",
            Kind::Rsa2048 | Kind::RsaE3 | Kind::Rsa1024 => "RS256",
        }
    }

    /// The signature of a JWS by that algorithm.
    pub(crate) fn sign_token(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&Hash::Sha256.of(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&Hash::Sha384.of(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(&Hash::Sha512.of(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(_) | Secret::Rsa(..) => self.sign(Hash::Sha256, false, message).1,
        }
    }
}

/// A short digest with leading zeros, which change nothing: the crates ask for half a field at least.
fn padded(digest: &[u8], length: usize) -> Vec<u8> {
    let zeros = length.saturating_sub(digest.len());
    std::iter::repeat_n(0, zeros).chain(digest.iter().copied()).collect()
}

impl Hash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Sha224 => sha2::Sha224::digest(message).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(message).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(message).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(message).to_vec(),
        }
    }

    fn oid(self) -> &'static str {
        match self {
            Self::Sha1 => "1.3.14.3.2.26",
            Self::Sha224 => "2.16.840.1.101.3.4.2.4",
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        }
    }

    fn ecdsa_oid(self) -> &'static str {
        match self {
            Self::Sha1 => "1.2.840.10045.4.1",
            Self::Sha224 => "1.2.840.10045.4.3.1",
            Self::Sha256 => "1.2.840.10045.4.3.2",
            Self::Sha384 => "1.2.840.10045.4.3.3",
            Self::Sha512 => "1.2.840.10045.4.3.4",
        }
    }

    fn rsa_oid(self) -> &'static str {
        match self {
            Self::Sha1 => "1.2.840.113549.1.1.5",
            Self::Sha224 => "1.2.840.113549.1.1.14",
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Sha384 => "1.2.840.113549.1.1.12",
            Self::Sha512 => "1.2.840.113549.1.1.13",
        }
    }
}

/// The JWS signature over `message` with a private JWK; empty for an algorithm that the key cannot do.
pub(crate) fn sign_token(jwk: &Value, algorithm: &str, message: &[u8]) -> Vec<u8> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let kind = jwk["crv"].as_str().or(jwk["kty"].as_str()).unwrap();
    match (kind, algorithm) {
        ("oct", "HS256" | "HS384" | "HS512") => {
            let hash = match algorithm {
                "HS384" => ring::hmac::HMAC_SHA384,
                "HS512" => ring::hmac::HMAC_SHA512,
                _ => ring::hmac::HMAC_SHA256,
            };
            ring::hmac::sign(&ring::hmac::Key::new(hash, &member("k")), message).as_ref().to_vec()
        }
        ("P-256", "ES256") => {
            let key = p256::ecdsa::SigningKey::from_slice(&member("d")).unwrap();
            let signature: p256::ecdsa::Signature = key.sign_prehash(&sha2::Sha256::digest(message)).unwrap();
            signature.to_bytes().to_vec()
        }
        ("P-384", "ES384") => {
            let key = p384::ecdsa::SigningKey::from_slice(&member("d")).unwrap();
            let signature: p384::ecdsa::Signature = key.sign_prehash(&sha2::Sha384::digest(message)).unwrap();
            signature.to_bytes().to_vec()
        }
        ("P-521", "ES512") => {
            let key = p521::ecdsa::SigningKey::from_slice(&member("d")).unwrap();
            let signature: p521::ecdsa::Signature = key.sign_prehash(&sha2::Sha512::digest(message)).unwrap();
            signature.to_bytes().to_vec()
        }
        ("Ed25519", "EdDSA") => {
            let seed: [u8; 32] = member("d").try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed).sign(message).to_bytes().to_vec()
        }
        ("RSA", _) => {
            let encoding: &dyn signature::RsaEncoding = match algorithm {
                "RS256" => &signature::RSA_PKCS1_SHA256,
                "RS384" => &signature::RSA_PKCS1_SHA384,
                "RS512" => &signature::RSA_PKCS1_SHA512,
                "PS256" => &signature::RSA_PSS_SHA256,
                "PS384" => &signature::RSA_PSS_SHA384,
                "PS512" => &signature::RSA_PSS_SHA512,
                _ => return Vec::new(),
            };
            let key = signature::RsaKeyPair::from_components(&ring::rsa::KeyPairComponents {
                public_key: ring::rsa::PublicKeyComponents { n: member("n"), e: member("e") },
                d: member("d"),
                p: member("p"),
                q: member("q"),
                dP: member("dp"),
                dQ: member("dq"),
                qInv: member("qi"),
            })
            .unwrap();
            let mut signed = vec![0; key.public().modulus_len()];
            key.sign(encoding, &SystemRandom::new(), message, &mut signed).unwrap();
            signed
        }
        _ => Vec::new(),
    }
}
