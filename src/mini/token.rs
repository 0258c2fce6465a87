//! One-time tokens for tests: as a client would mint them, or wrong on purpose.

use serde_json::Map;
use serde_json::Value;
use time::Duration;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::jose::PrivateJwk;
use crate::jose::jws;
use crate::mini::Error;
use crate::mini::core::Core;
use crate::mini::provisioner::Signer;
use crate::profile::GRANT_ID;
use crate::profile::SUBJECT_USER_ID;
use crate::token::mint::NewToken;
use crate::x509::csr::Csr;
use crate::x509::pem;

/// A token to be. Ends with [`mint`](Self::mint); without more, it is a good one that lives five minutes.
///
/// # Examples
///
/// ```
/// use stepless::mini::MiniCa;
/// use stepless::wire::SignRequest;
///
/// let ca = MiniCa::builder().build()?;
/// let csr = ca.csr("a.example")?;
/// let token = ca.token("a.example").bound_to(csr.pem()).expired().mint()?;
/// let request = SignRequest { csr: Some(csr.pem().to_owned()), ott: Some(token), ..SignRequest::default() };
/// assert_eq!(ca.explain(request).refusal(), Some("token.expired"));
/// # Ok::<(), stepless::mini::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a token is made by `mint`"]
pub struct TokenBuilder<'a> {
    core: &'a Core,
    url: String,
    route: &'static str,
    provisioner: Option<String>,
    subject: String,
    sans: Vec<String>,
    request: Option<String>,
    times: Option<(OffsetDateTime, OffsetDateTime)>,
    claims: Map<String, Value>,
    left_out: Vec<String>,
    forged: bool,
    malformed: bool,
}

impl<'a> TokenBuilder<'a> {
    pub(super) fn new(core: &'a Core, url: String, subject: &str) -> Self {
        Self {
            core,
            url,
            route: "sign",
            provisioner: None,
            subject: subject.to_owned(),
            sans: Vec::new(),
            request: None,
            times: None,
            claims: Map::new(),
            left_out: Vec::new(),
            forged: false,
            malformed: false,
        }
    }

    /// Signs with the key of this provisioner, such as [`FEDERATION_HS256`](crate::mini::FEDERATION_HS256). Unless
    /// told, it is the first one that issues grants for a token with a grant, else the first one that does not.
    pub fn provisioner(mut self, name: &str) -> Self {
        self.provisioner = Some(name.to_owned());
        self
    }

    /// The names of the certificate, `sans`; without them it is the subject alone.
    pub fn sans<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.sans = names.into_iter().map(Into::into).collect();
        self
    }

    /// The ids of a grant, UUIDs of 36 characters; nothing checks that here.
    pub fn grant(self, grant_id: &str, subject_user_id: &str) -> Self {
        self.claim(GRANT_ID, grant_id).claim(SUBJECT_USER_ID, subject_user_id)
    }

    /// Adds a claim, or replaces one.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out: `exp`, `jti`, `aud`.
    pub fn without(mut self, name: &str) -> Self {
        self.left_out.push(name.to_owned());
        self
    }

    /// Binds the token to this certification request, in PEM, by `step.sha` and `cnf`.
    pub fn bound_to(mut self, csr_pem: &str) -> Self {
        self.request = Some(csr_pem.to_owned());
        self
    }

    /// Makes it a token for `/revoke`; the subject is then the serial number.
    pub fn for_revocation(mut self) -> Self {
        self.route = "revoke";
        self
    }

    /// Makes it valid from `not_before` to `expires`.
    pub fn valid(mut self, not_before: OffsetDateTime, expires: OffsetDateTime) -> Self {
        self.times = Some((not_before, expires));
        self
    }

    /// Makes it one that ended an hour ago.
    pub fn expired(self) -> Self {
        let end = self.core.clock.now() - Duration::HOUR;
        self.valid(end - Duration::minutes(5), end)
    }

    /// Makes it one that begins in an hour.
    pub fn not_yet_valid(self) -> Self {
        let begin = self.core.clock.now() + Duration::HOUR;
        self.valid(begin, begin + Duration::minutes(5))
    }

    /// Signs it with another key under the provisioner's key id.
    pub fn forged(mut self) -> Self {
        self.forged = true;
        self
    }

    /// Leaves it without a signature part.
    pub fn malformed(mut self) -> Self {
        self.malformed = true;
        self
    }

    /// Makes the token, in compact form.
    ///
    /// # Errors
    ///
    /// [`Error::NoProvisioner`]; [`Error::NoRequest`] if it is bound to something else than a request.
    pub fn mint(self) -> Result<String, Error> {
        let core = self.core;
        let signer = self.signer()?;
        let new = NewToken {
            issuer: signer.name.clone(),
            audience: format!("{}/1.0/{}", self.url, self.route),
            subject: self.subject,
            sans: self.sans,
            fingerprint: self.request.as_deref().map(fingerprint).transpose()?,
            claims: self.claims.clone(),
        };
        let mut claims = new.claims(core.clock.now(), &*core.source)?;
        if let Some((not_before, expires)) = self.times {
            for (name, instant) in [("iat", not_before), ("nbf", not_before), ("exp", expires)] {
                claims.insert(name.to_owned(), instant.unix_timestamp().into());
            }
        }
        claims.extend(self.claims);
        claims.retain(|name, _| !self.left_out.contains(name));
        let payload = Zeroizing::new(Value::Object(claims).to_string());
        let typ = [("typ", "JWT".into())];
        let mut token = jws::sign_compact(signer.key.algorithm(), &typ, payload.as_bytes(), &signer.key)?;
        if self.forged || self.malformed {
            let end = token.rfind('.').unwrap_or_default();
            let signed = token[..end].to_owned();
            token = match self.forged {
                true => forge(&signed, &signer.key, core)?,
                false => signed,
            };
        }
        Ok(token)
    }

    fn signer(&self) -> Result<&'a Signer, Error> {
        let signers = &self.core.plan.signers;
        if let Some(name) = &self.provisioner {
            let found = signers.iter().find(|signer| signer.name == *name);
            return found.ok_or_else(|| Error::NoProvisioner(format!("named {name:?}")));
        }
        let grant = self.claims.contains_key(GRANT_ID);
        let found = signers.iter().find(|signer| signer.grants == grant);
        let kind = if grant { "that issues grants" } else { "for certificates without a grant" };
        found.ok_or_else(|| Error::NoProvisioner(kind.to_owned()))
    }
}

/// Signs with a fresh key of the same kind.
fn forge(signed: &str, key: &PrivateJwk, core: &Core) -> Result<String, Error> {
    let algorithm = key.algorithm();
    let other = match key.private_key() {
        Some(key) => PrivateJwk::generate(key.kind(), &*core.source)?,
        None => PrivateJwk::generate_secret(algorithm, &*core.source)?,
    };
    let signature = other.sign(algorithm, signed.as_bytes())?;
    Ok(format!("{signed}.{}", crate::jose::base64url::encode(&signature)))
}

/// SHA-256 of the request's DER.
fn fingerprint(csr_pem: &str) -> Result<[u8; 32], Error> {
    let block = pem::decode_first(csr_pem).ok_or(Error::NoRequest)?;
    let csr = Csr::parse(&block.content).and_then(|csr| csr.verify()).map_err(|_| Error::NoRequest)?;
    Ok(csr.fingerprint())
}
