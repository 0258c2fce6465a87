//! From the text of a token to a token that holds.

use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::hex;
use crate::jose;
use crate::jose::ProvisionerKey;
use crate::jose::jws::UnverifiedJws;
use crate::json;
use crate::token::audience;
use crate::token::audience::Audiences;
use crate::token::audience::Purpose;
use crate::token::chain::Chain;
use crate::token::chain::ChainError;
use crate::token::claims::Claims;
use crate::x509::certificate::Certificate;

/// How far the clocks of issuer and authority may differ, in seconds (CONTRACT.md section 4, "Times").
pub const LEEWAY: i64 = 60;

/// Identifiers longer than this are refused, as step-ca's database does (CONTRACT.md D14).
const MAX_TOKEN_ID: usize = 65_000;

/// Why a token is refused; every one of these answers 401 (CONTRACT.md section 4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no compact JWS in canonical form.
    #[error("the token cannot be read: {0}")]
    Malformed(#[source] jose::Error),
    /// The payload is no set of claims.
    #[error("the claims cannot be read: {0}")]
    Claims(#[source] json::Error),
    /// The header's `alg` is unknown, does not fit the key, or is not the one registered for it.
    #[error("algorithm of the token: {0}")]
    Algorithm(#[source] jose::Error),
    /// The certificates in the header do not vouch for the token.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The signature does not hold.
    #[error("the signature does not verify")]
    Signature,
    /// `iss` is not the provisioner that was found.
    #[error("issuer {0:?} is not the provisioner's name")]
    Issuer(String),
    /// No audience is that of the request.
    #[error("no audience of {0:?} is for this authority and request")]
    Audience(Vec<String>),
    /// There is no `exp` (CONTRACT.md D9).
    #[error("the token has no exp claim")]
    NoExpiry,
    /// `exp` is more than the leeway ago.
    #[error("the token expired at {0}")]
    Expired(i64),
    /// `nbf` is more than the leeway ahead.
    #[error("the token is not valid before {0}")]
    NotYetValid(i64),
    /// `iat` is more than the leeway ahead.
    #[error("the token was issued in the future, at {0}")]
    IssuedInFuture(i64),
    /// `iat` lies before the authority's start.
    #[error("the token was issued at {issued_at}, before the authority started at {started_at}")]
    IssuedBeforeStart {
        /// The `iat` claim.
        issued_at: i64,
        /// The whole second of the start.
        started_at: i64,
    },
    /// `sub` is missing or empty.
    #[error("the token has no subject")]
    NoSubject,
    /// `sub` is not the common name of the token's certificate.
    #[error("subject {0:?} is not that of the certificate")]
    Subject(String),
    /// `jti` is longer than can be kept.
    #[error("the jti claim has {0} bytes, more than {MAX_TOKEN_ID}")]
    TokenIdTooLong(usize),
}

/// A token whose text and claims parse; nothing in it is to be believed.
#[derive(Debug)]
pub struct UnverifiedToken {
    jws: UnverifiedJws,
    claims: Claims,
}

/// How a token names its provisioner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// By `iss` and the header's `kid`; absent is empty.
    IssuerAndKid {
        /// The provisioner's name.
        issuer: String,
        /// The `kid` of its key.
        kid: String,
    },
    /// By an audience's fragment, `<name>:<kid>`.
    Fragment(String),
}

/// What a token has to meet.
#[derive(Debug)]
pub struct Expectations<'a> {
    /// The name of the provisioner.
    pub issuer: &'a str,
    /// Who may have signed the token.
    pub trust: Trust<'a>,
    /// What the token is used for.
    pub purpose: Purpose,
    /// The authority's audiences.
    pub audiences: &'a Audiences,
    /// The present time.
    pub now: OffsetDateTime,
    /// The authority's start, unless `disableIssuedAtCheck`.
    pub started_at: Option<OffsetDateTime>,
}

/// Who may sign the tokens of a provisioner.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Whoever has this key, which settles the algorithm.
    Key(&'a ProvisionerKey),
    /// Whoever has the key of a certificate below one of these roots; the token carries it as `x5c`.
    Chain {
        /// The roots.
        roots: &'a [Arc<Certificate>],
        /// The provisioner's id, which the audience has to name as its fragment.
        id: &'a str,
    },
}

impl UnverifiedToken {
    /// Reads a token's text.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::Claims`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let jws = UnverifiedJws::parse(text).map_err(Error::Malformed)?;
        let claims = Claims::parse(jws.payload()).map_err(Error::Claims)?;
        Ok(Self { jws, claims })
    }

    /// How to find the provisioner.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        match audience::fragment(&self.claims.audience) {
            Some(fragment) => Lookup::Fragment(fragment),
            None => Lookup::IssuerAndKid {
                issuer: self.claims.issuer.clone().unwrap_or_default(),
                kid: self.jws.header().key_id().unwrap_or_default().to_owned(),
            },
        }
    }

    /// Whether an audience is this authority, for whatever use; to step-ca a token for another one names no
    /// provisioner at all.
    #[must_use]
    pub fn is_for(&self, audiences: &Audiences) -> bool {
        let audience = &self.claims.audience;
        audiences.accept_with_fragment(Purpose::Any, audience, audience::fragment(audience).as_deref())
    }

    /// The claims, for the log only: nothing has been checked yet.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Checks algorithm, signature, issuer, audience, times and subject.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    /// # Examples
    ///
    /// ```
    /// use stepless::clock::{Clock, SystemClock};
    /// use stepless::crypto::KeyKind;
    /// use stepless::entropy::SystemEntropy;
    /// use stepless::jose::{PrivateJwk, ProvisionerKey};
    /// use stepless::token::audience::{Audiences, Purpose};
    /// use stepless::token::{Expectations, Trust, UnverifiedToken, mint::NewToken};
    ///
    /// let (entropy, now) = (SystemEntropy::new(), SystemClock.now());
    /// let key = PrivateJwk::generate(KeyKind::P256, &entropy)?;
    /// let token = NewToken {
    ///     issuer: "admin".to_owned(),
    ///     audience: "https://ca.example/1.0/sign".to_owned(),
    ///     subject: "a.example".to_owned(),
    ///     ..NewToken::default()
    /// }
    /// .sign(&key, now, &entropy)?;
    ///
    /// let public = ProvisionerKey::parse(&serde_json::to_vec(key.public())?)?;
    /// let audiences = Audiences::new(&["ca.example".to_owned()]);
    /// let expected = |purpose| Expectations {
    ///     issuer: "admin",
    ///     trust: Trust::Key(&public),
    ///     purpose,
    ///     audiences: &audiences,
    ///     now,
    ///     started_at: None,
    /// };
    /// let verified = UnverifiedToken::parse(&token)?.verify(&expected(Purpose::Sign))?;
    /// assert_eq!(verified.subject(), "a.example");
    /// // It is not good for anything else.
    /// assert!(UnverifiedToken::parse(&token)?.verify(&expected(Purpose::Revoke)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(self, expected: &Expectations<'_>) -> Result<VerifiedToken, Error> {
        let certificate = match expected.trust {
            Trust::Key(key) => {
                self.jws.verify(key).map_err(Error::from_jose)?;
                None
            }
            Trust::Chain { roots, .. } => {
                let chain = Chain::read(&self.jws, "x5c")?;
                chain.authenticate(&self.jws, roots, expected.now)?;
                Some(chain.end_entity)
            }
        };
        let claims = self.claims;
        if claims.issuer.as_deref() != Some(expected.issuer) {
            return Err(Error::Issuer(claims.issuer.unwrap_or_default()));
        }
        if !is_meant(&claims.audience, expected) {
            return Err(Error::Audience(claims.audience));
        }
        let expires_at = check_times(&claims, expected.now, expected.started_at)?;
        let subject = claims.subject.clone().filter(|s| !s.is_empty()).ok_or(Error::NoSubject)?;
        let reuse_key = reuse_key(expected, certificate.as_ref(), &claims, self.jws.signing_input())?;
        Ok(VerifiedToken { claims, subject, expires_at, reuse_key, certificate })
    }
}

/// Whether the token is for this authority, this provisioner and this use.
fn is_meant(audience: &[String], expected: &Expectations<'_>) -> bool {
    let audiences = expected.audiences;
    match expected.trust {
        Trust::Chain { id, .. } => audiences.accept_with_fragment(expected.purpose, audience, Some(id)),
        Trust::Key(_) => {
            let fragment = audience::fragment(audience);
            let known = fragment.is_none()
                || audiences.accept_with_fragment(Purpose::Any, audience, fragment.as_deref());
            known && audiences.accept(expected.purpose, audience)
        }
    }
}

impl Error {
    /// The error of a signature that was checked.
    pub(super) fn from_jose(error: jose::Error) -> Self {
        match error {
            jose::Error::BadSignature => Self::Signature,
            other => Self::Algorithm(other),
        }
    }
}

/// Checks `exp`, `nbf` and `iat` and returns the first.
pub(super) fn check_times(
    claims: &Claims,
    instant: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
) -> Result<i64, Error> {
    let now = instant.unix_timestamp();
    let expires_at = claims.expires_at.ok_or(Error::NoExpiry)?;
    // Go compares instants, so the fraction of the present second counts.
    let fraction = instant.nanosecond() > 0;
    let late = |limit: i64| now - LEEWAY > limit || (now - LEEWAY == limit && fraction);
    let early = |limit: i64| now + LEEWAY < limit;
    if late(expires_at) {
        return Err(Error::Expired(expires_at));
    }
    if let Some(not_before) = claims.not_before.filter(|t| early(*t)) {
        return Err(Error::NotYetValid(not_before));
    }
    if let Some(issued_at) = claims.issued_at {
        if early(issued_at) {
            return Err(Error::IssuedInFuture(issued_at));
        }
        let started_at = started_at.map(OffsetDateTime::unix_timestamp);
        if let Some(started_at) = started_at.filter(|start| issued_at < *start) {
            return Err(Error::IssuedBeforeStart { issued_at, started_at });
        }
    }
    Ok(expires_at)
}

/// The key under which a token is spent: a hash of the provisioner and the `jti`, or of the provisioner
/// and the signed text where there is no `jti` (CONTRACT.md D7). A signature is malleable and stays out.
/// Where a certificate signed, it is the issuer: its holder chose the `jti`.
fn reuse_key(
    expected: &Expectations<'_>,
    certificate: Option<&Certificate>,
    claims: &Claims,
    signing_input: &[u8],
) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    hash_part(&mut hash, 0, expected.issuer.as_bytes());
    match (expected.trust, certificate) {
        (Trust::Key(key), _) => hash_part(&mut hash, 1, key.jwk().key_id().as_bytes()),
        (Trust::Chain { .. }, Some(certificate)) => {
            hash_part(&mut hash, PART_CERTIFICATE, &certificate.fingerprint());
        }
        (Trust::Chain { .. }, None) => return Err(ChainError::Missing("x5c").into()),
    }
    hash_token_id(&mut hash, claims, signing_input)?;
    Ok(hash.finalize().into())
}

/// Stands before the fingerprint of a certificate where another key begins with the provisioner.
pub(super) const PART_CERTIFICATE: u8 = 4;

/// Adds what tells a token from others of its issuer.
pub(super) fn hash_token_id(hash: &mut Sha256, claims: &Claims, signing_input: &[u8]) -> Result<(), Error> {
    match &claims.token_id {
        Some(id) if id.len() > MAX_TOKEN_ID => return Err(Error::TokenIdTooLong(id.len())),
        Some(id) => hash_part(hash, 2, id.as_bytes()),
        None => hash_part(hash, 3, signing_input),
    }
    Ok(())
}

fn hash_part(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// The `jti`, or the key under which the token is spent.
pub(super) fn log_id(claims: &Claims, reuse_key: &[u8; 32]) -> String {
    claims.token_id.clone().unwrap_or_else(|| hex::encode(reuse_key))
}

/// A token that its provisioner made, for this authority and this time. It may have been used before.
#[derive(Debug)]
pub struct VerifiedToken {
    claims: Claims,
    subject: String,
    expires_at: i64,
    reuse_key: [u8; 32],
    certificate: Option<Certificate>,
}

impl VerifiedToken {
    /// The certificate that signed it, if it is one of a provisioner of type X5C.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `sub`, not empty.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The second from which on the token cannot be valid any more: `exp` and the leeway.
    #[must_use]
    pub fn spendable_until(&self) -> i64 {
        self.expires_at.saturating_add(LEEWAY)
    }

    /// `iat`, Unix seconds, if it says.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.claims.issued_at
    }

    /// What a log may say of the token: its `jti`, or the key under which it is spent if it has none
    /// (CONTRACT.md D21).
    #[must_use]
    pub fn id(&self) -> String {
        log_id(&self.claims, &self.reuse_key)
    }

    /// Under which key the token is spent.
    #[must_use]
    pub fn reuse_key(&self) -> [u8; 32] {
        self.reuse_key
    }
}
