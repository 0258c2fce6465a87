//! Makes one-time tokens, for clients and tests.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::hex;
use crate::jose;
use crate::jose::PrivateJwk;
use crate::jose::base64url;
use crate::jose::jws;

/// How long a token lives, in seconds, as the `step` command makes them.
pub const LIFETIME: i64 = 5 * 60;

/// A token cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key cannot sign.
    #[error(transparent)]
    Jose(#[from] jose::Error),
    /// No random bytes for the `jti`.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::Unavailable),
}

/// What a token shall say. Times and `jti` are added when it is made.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    /// `iss`, the provisioner's name.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// `sub`.
    pub subject: String,
    /// `sans`; none leaves the subject as the only name.
    pub sans: Vec<String>,
    /// SHA-256 of the CSR's DER: binds the token to it by `step.sha` and `cnf`.
    pub fingerprint: Option<[u8; 32]>,
    /// Further claims.
    pub claims: Map<String, Value>,
}

impl NewToken {
    /// All claims in their order, with the times from `now` and a random `jti`.
    ///
    /// # Errors
    ///
    /// [`Error::Entropy`] if there is no randomness.
    pub fn claims(&self, now: OffsetDateTime, entropy: &dyn Entropy) -> Result<Map<String, Value>, Error> {
        let mut id = [0; 32];
        entropy.fill(&mut id)?;
        let now = now.unix_timestamp();
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.as_str().into());
        set("aud", self.audience.as_str().into());
        set("sub", self.subject.as_str().into());
        if !self.sans.is_empty() {
            set("sans", self.sans.clone().into());
        }
        set("iat", now.into());
        set("nbf", now.into());
        set("exp", (now + LIFETIME).into());
        set("jti", base64url::encode(&id).into());
        if let Some(fingerprint) = &self.fingerprint {
            set("step", serde_json::json!({ "sha": hex::encode(fingerprint) }));
            set("cnf", serde_json::json!({ "x5rt#S256": base64url::encode(fingerprint) }));
        }
        for (name, value) in &self.claims {
            set(name, value.clone());
        }
        Ok(claims)
    }

    /// Signs the token; it lives five minutes from `now`.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no randomness or the key cannot sign.
    pub fn sign(
        &self,
        key: &PrivateJwk,
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<String>, Error> {
        let payload = Zeroizing::new(Value::Object(self.claims(now, entropy)?).to_string());
        Ok(Zeroizing::new(jws::sign_compact(
            key.algorithm(),
            &[("typ", "JWT".into())],
            payload.as_bytes(),
            key,
        )?))
    }
}
