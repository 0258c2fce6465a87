//! Public JWKs and the keys of provisioners, RFC 7517, RFC 7518 section 6, RFC 8037 section 2.

use std::fmt::Debug;
use std::fmt::Formatter;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;
use zeroize::Zeroizing;

use crate::crypto;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::jose::Error;
use crate::jose::JwsAlgorithm;
use crate::jose::algorithm::Scheme;
use crate::jose::base64url;
use crate::jose::object::Object;

/// The part of a JWK that anybody may see. For `oct` there is no place for the secret.
///
/// Serialises like step-ca, members in the order use, kty, kid, crv, alg, n, e, x, y, the absent ones
/// left out, numbers in their shortest spelling. For `oct`, `"k":""` follows `alg`, because the step
/// command fails on a list in which it is missing (CONTRACT.md D4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    public_key_use: String,
    key_id: String,
    algorithm: String,
    /// `None` for `oct`.
    key: Option<PublicKey>,
}

/// The key registered for a provisioner, as its tokens are checked with it.
#[derive(Debug, Clone)]
pub struct ProvisionerKey {
    jwk: Jwk,
    material: VerificationKey,
    secret_members: bool,
}

/// What checks a signature.
#[derive(Clone)]
pub enum VerificationKey {
    /// RSA, ECDSA or Ed25519.
    Public(PublicKey),
    /// The secret of an `oct` key.
    Secret(Zeroizing<Vec<u8>>),
}

impl Jwk {
    /// Reads a JWK; private members are checked for nothing and dropped.
    ///
    /// # Errors
    ///
    /// As [`ProvisionerKey::parse`].
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        Ok(ProvisionerKey::parse(json)?.jwk)
    }

    /// Makes the public JWK of a key.
    #[must_use]
    pub fn of(key: PublicKey, key_id: String, algorithm: JwsAlgorithm) -> Self {
        Self {
            public_key_use: "sig".to_owned(),
            key_id,
            algorithm: algorithm.name().to_owned(),
            key: Some(key),
        }
    }

    pub(crate) fn of_secret(key_id: String, algorithm: JwsAlgorithm) -> Self {
        Self { public_key_use: "sig".to_owned(), key_id, algorithm: algorithm.name().to_owned(), key: None }
    }

    /// The `use` member; empty if absent.
    #[must_use]
    pub fn public_key_use(&self) -> &str {
        &self.public_key_use
    }

    /// The `kty` member: `RSA`, `EC`, `OKP` or `oct`.
    #[must_use]
    pub fn key_type(&self) -> &'static str {
        self.key.as_ref().map_or("oct", |key| PublicMembers::of(key).kty)
    }

    /// The `kid` member; empty if absent.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The `alg` member; empty if absent.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The key; `None` for `oct`.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let public = self.key.as_ref().map(PublicMembers::of);
        let mut map = serializer.serialize_map(None)?;
        if !self.public_key_use.is_empty() {
            map.serialize_entry("use", &self.public_key_use)?;
        }
        map.serialize_entry("kty", self.key_type())?;
        if !self.key_id.is_empty() {
            map.serialize_entry("kid", &self.key_id)?;
        }
        if let Some(public) = public.as_ref().filter(|public| !public.crv.is_empty()) {
            map.serialize_entry("crv", public.crv)?;
        }
        if !self.algorithm.is_empty() {
            map.serialize_entry("alg", &self.algorithm)?;
        }
        match public {
            None => map.serialize_entry("k", "")?,
            Some(public) => {
                for (name, value) in [("n", public.n), ("e", public.e), ("x", public.x), ("y", public.y)] {
                    if let Some(value) = value {
                        map.serialize_entry(name, &value)?;
                    }
                }
            }
        }
        map.end()
    }
}

impl ProvisionerKey {
    /// Reads the `key` object of a provisioner: EC on P-256, P-384 or P-521, RSA, OKP with Ed25519, or
    /// oct.
    ///
    /// Points and numbers are checked; strength is not, see [`ProvisionerKey::strength_bits`]. The
    /// private half, if there, is only noted.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::DuplicateMember`], [`Error::Member`], [`Error::UnsupportedKey`],
    /// [`Error::Key`].
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        Self::read(&Object::parse(json)?)
    }

    pub(crate) fn read(object: &Object) -> Result<Self, Error> {
        let text = |name| object.text(name).map(Option::unwrap_or_default);
        let (kty, crv) = (text("kty")?, text("crv")?);
        let material = match (kty.as_str(), curve_by_name(&crv)) {
            ("RSA", _) => VerificationKey::Public(
                PublicKey::from_rsa(&number(object, "n")?, &number(object, "e")?).map_err(Error::Key)?,
            ),
            ("EC", Some(kind)) if kind != KeyKind::Ed25519 => VerificationKey::Public(
                PublicKey::from_ec(kind, &number(object, "x")?, &number(object, "y")?).map_err(Error::Key)?,
            ),
            ("OKP", Some(KeyKind::Ed25519)) => {
                VerificationKey::Public(PublicKey::from_ed25519(&number(object, "x")?).map_err(Error::Key)?)
            }
            ("oct", _) => VerificationKey::Secret(secret(object, "k")?),
            _ => {
                return Err(Error::UnsupportedKey { kty: kty.to_string(), crv: crv.to_string() });
            }
        };
        let key = match &material {
            VerificationKey::Public(key) => Some(key.clone()),
            VerificationKey::Secret(_) => None,
        };
        Ok(Self {
            jwk: Jwk {
                public_key_use: text("use")?.to_string(),
                key_id: text("kid")?.to_string(),
                algorithm: text("alg")?.to_string(),
                key,
            },
            material,
            secret_members: SECRET_MEMBERS.iter().any(|name| object.member(name).is_some()),
        })
    }

    /// The part that may be published.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// What checks a signature.
    #[must_use]
    pub fn verification_key(&self) -> &VerificationKey {
        &self.material
    }

    /// Whether the object held members that are secret: `d`, `p`, `q`, `dp`, `dq`, `qi`, `oth` or `k`.
    #[must_use]
    pub fn secret_members(&self) -> bool {
        self.secret_members
    }

    /// Bits of the RSA modulus, of the curve, or of the secret (CONTRACT.md D20).
    #[must_use]
    pub fn strength_bits(&self) -> usize {
        match &self.material {
            VerificationKey::Secret(secret) => secret.len() * 8,
            VerificationKey::Public(key) => match key.kind() {
                KeyKind::Rsa => key.rsa_bits().unwrap_or_default(),
                KeyKind::P256 | KeyKind::Ed25519 => 256,
                KeyKind::P384 => 384,
                KeyKind::P521 => 521,
            },
        }
    }

    /// Whether tokens may use this algorithm: it fits the key and, if one is registered in `alg`, is that
    /// one (CONTRACT.md D8).
    #[must_use]
    pub fn allows(&self, algorithm: JwsAlgorithm) -> bool {
        self.material.fits(algorithm)
            && (self.jwk.algorithm.is_empty() || self.jwk.algorithm == algorithm.name())
    }

    /// Checks a JWS signature.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the key does not allow the algorithm, else
    /// [`Error::BadSignature`].
    pub fn verify(
        &self,
        algorithm: JwsAlgorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        if !self.allows(algorithm) {
            return Err(Error::AlgorithmMismatch(algorithm));
        }
        self.material.verify(algorithm, signing_input, signature)
    }
}

impl VerificationKey {
    /// Whether the algorithm belongs to this type of key and curve.
    #[must_use]
    pub fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        match self {
            Self::Public(key) => algorithm.fits(key.kind()),
            Self::Secret(_) => matches!(algorithm.scheme(), Scheme::Hmac(_)),
        }
    }

    /// Checks a JWS signature; an HMAC in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmMismatch`] if the algorithm belongs to another type of key or curve, else
    /// [`Error::BadSignature`].
    pub fn verify(
        &self,
        algorithm: JwsAlgorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        if !self.fits(algorithm) {
            return Err(Error::AlgorithmMismatch(algorithm));
        }
        match (self, algorithm.scheme()) {
            (Self::Public(key), Scheme::Signature(algorithm, _)) => key
                .verify_fixed(algorithm, signing_input, signature)
                .map_err(|_: crypto::Error| Error::BadSignature),
            (Self::Secret(secret), Scheme::Hmac(hash)) => {
                let key = ring::hmac::Key::new(hash, secret);
                ring::hmac::verify(&key, signing_input, signature).map_err(|_| Error::BadSignature)
            }
            _ => Err(Error::AlgorithmMismatch(algorithm)),
        }
    }
}

impl Debug for VerificationKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Public(key) => key.fmt(f),
            Self::Secret(secret) => write!(f, "Secret({} bytes)", secret.len()),
        }
    }
}

/// The members that say what a public key is, in base64url.
pub(crate) struct PublicMembers {
    pub(crate) kty: &'static str,
    /// Empty for RSA.
    pub(crate) crv: &'static str,
    pub(crate) n: Option<String>,
    pub(crate) e: Option<String>,
    pub(crate) x: Option<String>,
    pub(crate) y: Option<String>,
}

impl PublicMembers {
    pub(crate) fn of(key: &PublicKey) -> Self {
        let (kty, crv) = match key.kind() {
            KeyKind::Rsa => ("RSA", ""),
            KeyKind::P256 => ("EC", "P-256"),
            KeyKind::P384 => ("EC", "P-384"),
            KeyKind::P521 => ("EC", "P-521"),
            KeyKind::Ed25519 => ("OKP", "Ed25519"),
        };
        let (x, y) = match key.ec_point() {
            Some((x, y)) => (Some(x), Some(y)),
            None if crv.is_empty() => (None, None),
            None => (Some(key.key_bits()), None),
        };
        Self {
            kty,
            crv,
            n: key.rsa_modulus().map(base64url::encode),
            e: key.rsa_exponent_bytes().map(base64url::encode),
            x: x.map(base64url::encode),
            y: y.map(base64url::encode),
        }
    }
}

/// Curve names, RFC 7518 section 6.2.1.1 and RFC 8037 section 2.
fn curve_by_name(name: &str) -> Option<KeyKind> {
    match name {
        "P-256" => Some(KeyKind::P256),
        "P-384" => Some(KeyKind::P384),
        "P-521" => Some(KeyKind::P521),
        "Ed25519" => Some(KeyKind::Ed25519),
        _ => None,
    }
}

/// A required base64url member of a key. Trailing `=` is dropped, as step-ca does for keys.
pub(crate) fn secret(object: &Object, name: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = object.text(name)?.unwrap_or_default();
    let bytes = base64url::decode(text.trim_end_matches('='))
        .map(Zeroizing::new)
        .map_err(|_| Error::Member { name, problem: "is not base64url" })?;
    if bytes.is_empty() {
        return Err(Error::Member { name, problem: "is missing or empty" });
    }
    Ok(bytes)
}

fn number(object: &Object, name: &'static str) -> Result<Vec<u8>, Error> {
    secret(object, name).map(|bytes| bytes.to_vec())
}

/// Members that must never be published, RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1.
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"use":"sig","kty":"EC","kid":"k1","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn parse(json: &str) -> Result<ProvisionerKey, Error> {
        ProvisionerKey::parse(json.as_bytes())
    }

    fn check_published(json: &str, expected: &str) {
        let key = parse(json).unwrap();
        assert_eq!(serde_json::to_string(key.jwk()).unwrap(), expected);
    }

    #[test]
    fn published_form() {
        check_published(EC, EC);
        check_published(OKP, OKP);
        // Order, unknown and private members, padding, leading zeros.
        check_published(
            r#"{"k":"AQID","zzz":1,"alg":"HS256","kid":"k2","kty":"oct","use":"sig"}"#,
            r#"{"use":"sig","kty":"oct","kid":"k2","alg":"HS256","k":""}"#,
        );
        check_published(
            r#"{"kty":"RSA","e":"Aw==","n":"AP__________","d":"AQ"}"#,
            r#"{"kty":"RSA","n":"__________8","e":"Aw"}"#,
        );
    }

    #[test]
    fn secrets_are_noted_and_not_shown() {
        let oct = parse(r#"{"kty":"oct","k":"c2VjcmV0"}"#).unwrap();
        assert!(oct.secret_members());
        assert_eq!(oct.strength_bits(), 48);
        let shown = format!("{oct:?}");
        assert!(shown.contains("Secret(6 bytes)") && !shown.contains("115"), "{shown}");
        let ec = parse(EC).unwrap();
        assert!(!ec.secret_members());
        assert_eq!(ec.strength_bits(), 256);
        assert_eq!(ec.jwk().key_id(), "k1");
        assert_eq!(ec.jwk().public_key_use(), "sig");
        let private = EC.replace("\"use\"", "\"d\":\"AQ\",\"use\"");
        assert!(parse(&private).unwrap().secret_members());
    }

    #[test]
    fn refused_keys() {
        fn check(json: &str, expected: &str) {
            let error = parse(json).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected), "{json}");
        }
        check("{}", "unsupported key type \"\", curve \"\"");
        check(
            r#"{"kty":"EC","crv":"P-224","x":"AQ","y":"AQ"}"#,
            "unsupported key type \"EC\", curve \"P-224\"",
        );
        check(r#"{"kty":"EC","crv":"Ed25519","x":"AQ"}"#, "unsupported key type \"EC\", curve \"Ed25519\"");
        check(r#"{"kty":"OKP","crv":"X25519","x":"AQ"}"#, "unsupported key type \"OKP\", curve \"X25519\"");
        check(r#"{"kty":"oct"}"#, "member \"k\" is missing or empty");
        check(r#"{"kty":"oct","k":""}"#, "member \"k\" is missing or empty");
        check(r#"{"kty":"oct","k":"+/"}"#, "member \"k\" is not base64url");
        check(r#"{"kty":"oct","k":"AQ","kid":1}"#, "member \"kid\" is not a string");
        check(r#"{"kty":"RSA","n":"AQ"}"#, "member \"e\" is missing or empty");
        check(r#"{"kty":"OKP","crv":"Ed25519","x":"AQ"}"#, "unusable key");
        check(&EC.replace("f83O", "f83P"), "unusable key");
        check(&EC.replace("\"f83O", "\"AAf83O"), "member \"x\" is not base64url");
        check(&EC.replace("\"use\"", "\"kty\":\"EC\",\"use\""), "duplicate member \"kty\"");
    }

    #[test]
    fn algorithms_allowed() {
        fn check(json: &str, expected: &[&str]) {
            let key = parse(json).unwrap();
            let got: Vec<_> = JwsAlgorithm::ALL
                .into_iter()
                .filter(|algorithm| key.allows(*algorithm))
                .map(JwsAlgorithm::name)
                .collect();
            assert_eq!(got, expected, "{json}");
        }
        check(EC, &["ES256"]);
        check(&EC.replace("ES256", ""), &["ES256"]);
        check(&EC.replace("ES256", "ES384"), &[]);
        check(OKP, &["EdDSA"]);
        check(r#"{"kty":"oct","k":"AQID"}"#, &["HS256", "HS384", "HS512"]);
        check(r#"{"kty":"oct","k":"AQID","alg":"HS384"}"#, &["HS384"]);
        check(
            r#"{"kty":"RSA","n":"__________8","e":"Aw"}"#,
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        );
        check(r#"{"kty":"RSA","n":"__________8","e":"Aw","alg":"PS256"}"#, &["PS256"]);
    }

    #[test]
    fn a_public_key_is_no_hmac_secret() {
        let key = parse(EC).unwrap();
        let spki = key.jwk().public_key().unwrap().spki_der();
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, spki), b"x");
        assert_eq!(
            key.verification_key().verify(JwsAlgorithm::HS256, b"x", tag.as_ref()),
            Err(Error::AlgorithmMismatch(JwsAlgorithm::HS256))
        );
    }
}
