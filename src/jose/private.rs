//! Private JWKs: what mints tokens.

use std::fmt::Debug;
use std::fmt::Formatter;

use der::Decode;
use rsa::pkcs1::RsaPrivateKeyRef;
use zeroize::Zeroizing;

use crate::crypto;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::jose::Error;
use crate::jose::Jwk;
use crate::jose::JwsAlgorithm;
use crate::jose::VerificationKey;
use crate::jose::algorithm::Scheme;
use crate::jose::base64url;
use crate::jose::jwe;
use crate::jose::jwk::ProvisionerKey;
use crate::jose::jwk::secret;
use crate::jose::object::Object;
use crate::jose::thumbprint;

/// A JWK with its private half, RFC 7517 section 4.
pub struct PrivateJwk {
    jwk: Jwk,
    material: Material,
}

enum Material {
    Key(Box<PrivateKey>),
    Secret(Zeroizing<Vec<u8>>),
}

impl PrivateJwk {
    /// Reads a JWK with private members.
    ///
    /// # Errors
    ///
    /// As [`ProvisionerKey::parse`]; [`Error::Member`] also if the private half is missing, and
    /// [`Error::Key`] if it does not belong to the public one.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let object = Object::parse(json)?;
        let key = ProvisionerKey::read(&object)?;
        let material = match key.verification_key() {
            VerificationKey::Secret(secret) => Material::Secret(secret.clone()),
            VerificationKey::Public(public) => {
                let d = secret(&object, "d")?;
                let private = match public.kind() {
                    KeyKind::Rsa => PrivateKey::from_rsa_parts(
                        public.rsa_modulus().unwrap_or_default(),
                        public.rsa_exponent_bytes().unwrap_or_default(),
                        &d,
                        &secret(&object, "p")?,
                        &secret(&object, "q")?,
                    ),
                    KeyKind::Ed25519 => PrivateKey::from_ed25519_seed(&d),
                    kind => PrivateKey::from_ec_scalar(kind, &d),
                }
                .map_err(Error::Key)?;
                if private.public_key() != public {
                    return Err(Error::Key(crypto::Error::MalformedPrivateKey(
                        "the public key in it belongs to another private key",
                    )));
                }
                Material::Key(Box::new(private))
            }
        };
        Ok(Self { jwk: key.jwk().clone(), material })
    }

    /// Reads a JWK with private members in any form that `step` keeps it: plain, or as a JWE with a password, that one
    /// compact (`encryptedKey` of ca.json) or flattened JSON (`step crypto jwk create`, RFC 7516 section 7.2.2).
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse) and [`jwe::decrypt`]; [`Error::NoPassword`].
    pub fn open(text: &str, password: Option<&[u8]>) -> Result<Self, Error> {
        let text = text.trim();
        let compact = match text.starts_with('{') {
            false => text.to_owned(),
            true => match jwe::compact_of_flattened(&Object::parse(text.as_bytes())?)? {
                Some(compact) => compact,
                None => return Self::parse(text.as_bytes()),
            },
        };
        if compact.split('.').count() != 5 {
            return Err(Error::NotCompact);
        }
        Self::parse(&jwe::decrypt(&compact, password.ok_or(Error::NoPassword)?)?)
    }

    /// Makes a JWK of a key: use `sig`, the kind's usual algorithm, the thumbprint as `kid`.
    #[must_use]
    pub fn of(key: PrivateKey) -> Self {
        let public = key.public_key().clone();
        let key_id = thumbprint(&public);
        let algorithm = JwsAlgorithm::default_for(key.kind());
        Self { jwk: Jwk::of(public, key_id, algorithm), material: Material::Key(Box::new(key)) }
    }

    /// Makes a new key of this kind.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`].
    pub fn generate(kind: KeyKind, entropy: &dyn Entropy) -> Result<Self, Error> {
        PrivateKey::generate(kind, entropy).map(Self::of).map_err(|_| Error::NoEntropy)
    }

    /// Makes a new `oct` key as long as the hash of its HMAC algorithm (RFC 7518 section 3.2).
    ///
    /// Its `kid` is random: a thumbprint would publish a hash of the secret.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the algorithm is no HMAC, [`Error::NoEntropy`].
    pub fn generate_secret(algorithm: JwsAlgorithm, entropy: &dyn Entropy) -> Result<Self, Error> {
        let Scheme::Hmac(hash) = algorithm.scheme() else {
            return Err(Error::AlgorithmMismatch(algorithm));
        };
        let mut key_id = [0; 32];
        let mut secret = Zeroizing::new(vec![0; hash.digest_algorithm().output_len()]);
        entropy.fill(&mut key_id).and_then(|()| entropy.fill(&mut secret)).map_err(|_| Error::NoEntropy)?;
        Ok(Self {
            jwk: Jwk::of_secret(base64url::encode(&key_id), algorithm),
            material: Material::Secret(secret),
        })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &Jwk {
        &self.jwk
    }

    /// The private key; `None` for `oct`.
    #[must_use]
    pub fn private_key(&self) -> Option<&PrivateKey> {
        match &self.material {
            Material::Key(key) => Some(key),
            Material::Secret(_) => None,
        }
    }

    /// The algorithm in `alg`, else the usual one of the key; HS256 for `oct`.
    #[must_use]
    pub fn algorithm(&self) -> JwsAlgorithm {
        JwsAlgorithm::from_name(self.jwk.algorithm()).unwrap_or_else(|| match &self.material {
            Material::Key(key) => JwsAlgorithm::default_for(key.kind()),
            Material::Secret(_) => JwsAlgorithm::HS256,
        })
    }

    /// Signs as JWS wants it.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the algorithm belongs to another type of key or curve,
    /// [`Error::Signing`].
    pub fn sign(&self, algorithm: JwsAlgorithm, input: &[u8]) -> Result<Vec<u8>, Error> {
        match (&self.material, algorithm.scheme()) {
            (Material::Key(key), Scheme::Signature(scheme, _)) if algorithm.fits(key.kind()) => {
                key.sign_fixed(scheme, input).map_err(Error::Signing)
            }
            (Material::Secret(secret), Scheme::Hmac(hash)) => {
                let key = ring::hmac::Key::new(hash, secret);
                Ok(ring::hmac::sign(&key, input).as_ref().to_vec())
            }
            _ => Err(Error::AlgorithmMismatch(algorithm)),
        }
    }

    /// The whole JWK as JSON: the public members, then the private ones.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if an RSA key cannot be taken apart, which holds for no key made here.
    pub fn to_json(&self) -> Result<Zeroizing<String>, Error> {
        let public = serde_json::to_string(&self.jwk).map_err(|error| Error::Json(error.to_string()))?;
        // Reserved at once, so that growth leaves no copies of the secret behind.
        let mut json = Zeroizing::new(String::with_capacity(8192));
        // For `oct` the last member is the empty `k`.
        let end = match self.material {
            Material::Key(_) => "}",
            Material::Secret(_) => ",\"k\":\"\"}",
        };
        json.push_str(public.strip_suffix(end).unwrap_or(&public));
        let mut push = |name: &str, bytes: &[u8]| {
            let text = Zeroizing::new(base64url::encode(bytes));
            json.push_str(&format!(",\"{name}\":\""));
            json.push_str(&text);
            json.push('"');
        };
        match &self.material {
            Material::Secret(secret) => push("k", secret),
            Material::Key(key) => match key.scalar_or_seed() {
                Some(scalar) => push("d", scalar),
                None => {
                    let pkcs1 = key.to_pkcs1_der().map_err(Error::Key)?;
                    let numbers = RsaPrivateKeyRef::from_der(&pkcs1).map_err(|_| {
                        Error::Key(crypto::Error::MalformedPrivateKey("not a DER RSAPrivateKey"))
                    })?;
                    push("d", numbers.private_exponent.as_bytes());
                    push("p", numbers.prime1.as_bytes());
                    push("q", numbers.prime2.as_bytes());
                    push("dp", numbers.exponent1.as_bytes());
                    push("dq", numbers.exponent2.as_bytes());
                    push("qi", numbers.coefficient.as_bytes());
                }
            },
        }
        json.push('}');
        Ok(json)
    }
}

impl Debug for PrivateJwk {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PrivateJwk").field(&self.jwk).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn check_round_trip(key: &PrivateJwk) {
        let json = key.to_json().unwrap();
        let read = PrivateJwk::parse(json.as_bytes()).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(read.to_json().unwrap(), json);
        let algorithm = key.algorithm();
        let signature = key.sign(algorithm, b"input").unwrap();
        let registered = ProvisionerKey::parse(json.as_bytes()).unwrap();
        assert_eq!(registered.verify(algorithm, b"input", &signature), Ok(()));
        assert_eq!(registered.verify(algorithm, b"inpus", &signature), Err(Error::BadSignature));
    }

    #[test]
    fn keys_open_in_every_form() {
        let key = PrivateJwk::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let json = key.to_json().unwrap();
        let compact = jwe::encrypt(json.as_bytes(), b"right", 1000, &SystemEntropy::new()).unwrap();
        let parts: Vec<&str> = compact.split('.').collect();
        let names = ["protected", "encrypted_key", "iv", "ciphertext", "tag"];
        let flattened: serde_json::Map<String, serde_json::Value> =
            names.iter().zip(&parts).map(|(name, part)| ((*name).to_owned(), (*part).into())).collect();
        let flattened = serde_json::Value::Object(flattened).to_string();
        for text in [&*json, &compact, &format!(" {compact}\n"), &flattened] {
            let opened = PrivateJwk::open(text, Some(b"right")).unwrap();
            assert_eq!(opened.public(), key.public(), "{text}");
        }
        let check = |text: &str, password: Option<&[u8]>, expected: Error| {
            assert_eq!(PrivateJwk::open(text, password).unwrap_err(), expected, "{text}");
        };
        check(&compact, None, Error::NoPassword);
        check(&flattened, None, Error::NoPassword);
        check(&compact, Some(b"wrong"), Error::Decryption);
        check("no key", Some(b"right"), Error::NotCompact);
        let cut = flattened.replace("\"tag\"", "\"other\"");
        check(&cut, Some(b"right"), Error::Member { name: "tag", problem: "is missing" });
    }

    #[test]
    fn made_keys_read_back() {
        let entropy = SystemEntropy::new();
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519] {
            let key = PrivateJwk::generate(kind, &entropy).unwrap();
            check_round_trip(&key);
            assert_eq!(key.public().key_id().len(), 43);
        }
        for algorithm in [JwsAlgorithm::HS256, JwsAlgorithm::HS384, JwsAlgorithm::HS512] {
            let key = PrivateJwk::generate_secret(algorithm, &entropy).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            check_round_trip(&key);
        }
        assert!(PrivateJwk::generate_secret(JwsAlgorithm::ES256, &entropy).is_err());
        let pem = include_str!("../../tests/data/crypto/rsa_2048.pem");
        let der = pem_rfc7468::decode_vec(pem.as_bytes()).unwrap().1;
        check_round_trip(&PrivateJwk::of(PrivateKey::from_pkcs8_der(&der).unwrap()));
    }

    #[test]
    fn rfc_8037_appendix_a() {
        let json = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
        let key = PrivateJwk::parse(json.as_bytes()).unwrap();
        assert_eq!(*key.to_json().unwrap(), json);
        let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            base64url::encode(&key.sign(JwsAlgorithm::EdDSA, input).unwrap()),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn refusals() {
        fn check(json: &str, expected: &str) {
            let error = PrivateJwk::parse(json.as_bytes()).err();
            assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected));
        }
        let public = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        check(&format!("{{{public}}}"), "member \"d\" is missing or empty");
        check(&format!("{{{public},\"d\":\"AQ\"}}"), "unusable key");
        let other = "AWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        check(&format!("{{{public},\"d\":\"{other}\"}}"), "unusable key");
    }

    #[test]
    fn debug_shows_the_public_half() {
        let key = PrivateJwk::parse(br#"{"kty":"oct","k":"c2VjcmV0","kid":"x"}"#).unwrap();
        let text = format!("{key:?}");
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert!(key.sign(JwsAlgorithm::RS256, b"").is_err());
    }
}
