//! Provisioners of a mini CA: what ca.json says of them, and the private keys that tests mint tokens with.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::authority::bootstrap::NewProvisioner;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::jose::JwsAlgorithm;
use crate::jose::PrivateJwk;
use crate::mini::Error;
use crate::mini::seed::Source;

/// The provisioner that issues ordinary certificates, unless the builder is told others; ES256.
pub const PLAIN: &str = "mini";

/// The provisioner that issues grant certificates; ES256.
pub const FEDERATION: &str = "mosaic-fed";

/// The same with a shared secret; HS256.
pub const FEDERATION_HS256: &str = "mosaic-hs";

/// A provisioner of type JWK, for [`Builder::provisioner`](crate::mini::Builder::provisioner).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use stepless::mini::{MiniCa, Provisioner};
///
/// let ca = MiniCa::builder()
///     .provisioner(Provisioner::hs256("gateway").grants().durations(
///         Duration::from_secs(60),
///         Duration::from_secs(600),
///         Duration::from_secs(3600),
///     ))
///     .build()?;
/// let leaf = ca
///     .issue("device.example")
///     .grant("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d")
///     .sign()?;
/// let validity = leaf.certificate().not_after() - leaf.certificate().not_before();
/// assert_eq!(validity.whole_seconds(), 660);
/// # Ok::<(), stepless::mini::Error>(())
/// ```
#[derive(Debug)]
pub struct Provisioner {
    name: String,
    key: Key,
    grants: bool,
    claims: Map<String, Value>,
    template: Option<String>,
}

#[derive(Debug)]
enum Key {
    Es256,
    Hs256,
    Given(Box<PrivateJwk>),
}

impl Provisioner {
    /// A provisioner with a new P-256 key.
    #[must_use]
    pub fn es256(name: &str) -> Self {
        Self::new(name, Key::Es256)
    }

    /// A provisioner with a new shared secret.
    #[must_use]
    pub fn hs256(name: &str) -> Self {
        Self::new(name, Key::Hs256)
    }

    /// A provisioner with this key, of whatever kind.
    #[must_use]
    pub fn with_key(name: &str, key: PrivateJwk) -> Self {
        Self::new(name, Key::Given(Box::new(key)))
    }

    fn new(name: &str, key: Key) -> Self {
        Self { name: name.to_owned(), key, grants: false, claims: Map::new(), template: None }
    }

    /// Makes it issue grant certificates only: both ids become the extensions `.1` and `.2` below the arc, by
    /// `claimExtensions`, which makes what `templates/federation.tpl` makes.
    #[must_use]
    pub fn grants(mut self) -> Self {
        self.grants = true;
        self
    }

    /// The shortest, default and longest validity of its certificates.
    #[must_use]
    pub fn durations(mut self, min: Duration, default: Duration, max: Duration) -> Self {
        self.claims.extend(durations(min, default, max));
        self
    }

    /// The text of its certificate template; takes the place of what [`grants`](Self::grants) makes.
    #[must_use]
    pub fn template(mut self, text: &str) -> Self {
        self.template = Some(text.to_owned());
        self
    }

    /// Makes the key, and the entry of ca.json.
    pub(super) fn prepare(
        self,
        source: &Source,
        password: Option<&str>,
        entropy: &dyn Entropy,
    ) -> Result<(Signer, Value), Error> {
        let key = match self.key {
            Key::Es256 => PrivateJwk::of(source.suit(PrivateKey::generate(KeyKind::P256, entropy)?)),
            Key::Hs256 => PrivateJwk::generate_secret(JwsAlgorithm::HS256, entropy)?,
            Key::Given(key) => *key,
        };
        let grants = self.grants && self.template.is_none();
        let new = NewProvisioner { name: self.name, key, grants };
        let mut entry = match password {
            Some(password) => new.to_entry(password.as_bytes(), entropy)?,
            None => new.to_public_entry()?,
        };
        if let Some(text) = self.template {
            // Base64 since an inline text has to begin with a brace, and templates often begin with a comment.
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(text);
            entry["options"] = json!({ "x509": { "template": text } });
        }
        if !self.claims.is_empty() {
            entry["claims"] = self.claims.into();
        }
        Ok((Signer { name: new.name, key: new.key, grants: self.grants }, entry))
    }
}

/// The three claims of ca.json about validity.
pub(super) fn durations(min: Duration, default: Duration, max: Duration) -> Map<String, Value> {
    let named =
        [("minTLSCertDuration", min), ("defaultTLSCertDuration", default), ("maxTLSCertDuration", max)];
    named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), format!("{}ms", value.as_millis()).into()))
        .collect()
}

/// A provisioner's name and private key.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) name: String,
    pub(super) key: PrivateJwk,
    pub(super) grants: bool,
}
