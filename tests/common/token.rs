//! One-time tokens, minted with the provisioners' private keys and another crate's JWS writer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::Header;
use p256::pkcs8::EncodePrivateKey as _;
use serde_json::Value;
use serde_json::json;
use stepless::crypto::PrivateKey;
use stepless::jose::JwsAlgorithm;
use stepless::jose::PrivateJwk;
use stepless::jose::base64url;

/// The present time in whole seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the servers tested have no other clock")]
pub(crate) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// The claims of an ordinary token to sign with: one name, valid for five minutes from now.
pub(crate) fn claims(provisioner: &str, subject: &str) -> Value {
    json!({
        "iss": provisioner,
        "aud": "https://localhost/1.0/sign",
        "sub": subject,
        "sans": [subject],
        "iat": now(),
        "nbf": now(),
        "exp": now() + 300,
        "jti": uuid::Uuid::new_v4().to_string(),
    })
}

/// Signs `claims` with a private JWK, in compact form, by the key's own algorithm and kid.
///
/// P-521 keys are not supported: the crate behind this has no ES512.
pub(crate) fn mint(key: &Value, claims: &Value) -> String {
    let member = |name: &str| {
        let text = key[name].as_str().unwrap_or_else(|| panic!("no {name} in the key"));
        URL_SAFE_NO_PAD.decode(text).expect("members are base64url")
    };
    let (algorithm, signing_key) = match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("oct"), _) => (Algorithm::HS256, EncodingKey::from_secret(&member("k"))),
        (Some("EC"), Some("P-256")) => {
            let secret = p256::SecretKey::from_slice(&member("d")).expect("a P-256 scalar");
            let der = secret.to_pkcs8_der().expect("a key has a DER form");
            (Algorithm::ES256, EncodingKey::from_ec_der(der.as_bytes()))
        }
        (Some("EC"), Some("P-384")) => {
            let secret = p384::SecretKey::from_slice(&member("d")).expect("a P-384 scalar");
            let der = secret.to_pkcs8_der().expect("a key has a DER form");
            (Algorithm::ES384, EncodingKey::from_ec_der(der.as_bytes()))
        }
        (kty, crv) => panic!("no tokens with a key of type {kty:?} {crv:?}"),
    };
    let algorithm = match key["alg"].as_str() {
        Some("HS384") => Algorithm::HS384,
        Some("HS512") => Algorithm::HS512,
        _ => algorithm,
    };
    let mut header = Header::new(algorithm);
    header.kid = key["kid"].as_str().map(str::to_owned);
    jsonwebtoken::encode(&header, claims, &signing_key).expect("a token can be signed")
}

/// Signs `claims` under exactly this header, by its algorithm if the key has that, else by the key's own.
pub(crate) fn sign(key: &PrivateKey, header: &Value, claims: &Value) -> String {
    let key = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().expect("a key has a DER form"));
    let key = PrivateJwk::of(key.expect("it was written just now"));
    let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    let named = header["alg"].as_str().and_then(JwsAlgorithm::from_name);
    let signature = named.and_then(|algorithm| key.sign(algorithm, input.as_bytes()).ok());
    let signature =
        signature.unwrap_or_else(|| key.sign(key.algorithm(), input.as_bytes()).expect("a key signs"));
    format!("{input}.{}", base64url::encode(&signature))
}
