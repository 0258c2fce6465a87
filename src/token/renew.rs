//! Renew tokens: the holder of a certificate asks with its key for another one (CONTRACT.md section 8).
//!
//! The header `x5cInsecure` carries the certificate. It may have expired: whether that matters is decided where
//! renewal is.

use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;

use crate::jose::jws::UnverifiedJws;
use crate::token::Error;
use crate::token::LEEWAY;
use crate::token::audience::Audiences;
use crate::token::audience::Purpose;
use crate::token::chain::Chain;
use crate::token::claims::Claims;
use crate::token::verify;
use crate::x509::certificate::Certificate;

/// The header's member with the certificates.
const CHAIN: &str = "x5cInsecure";

/// The issuer that clients write; older ones wrote the provisioner's name.
const ISSUER: &str = "step-ca-client/1.0";

/// A renew token signed with the key of a certificate that leads to a root. Its claims are unchecked.
#[derive(Debug)]
pub struct SignedRenewToken {
    jws: UnverifiedJws,
    claims: Claims,
    chain: Chain,
}

/// A renew token that holds. It may have been used before.
#[derive(Debug)]
pub struct VerifiedRenewToken {
    claims: Claims,
    certificate: Certificate,
    expires_at: i64,
    reuse_key: [u8; 32],
}

impl SignedRenewToken {
    /// Reads a token's text and checks its chain and its signature.
    ///
    /// The chain has to hold one minute before its end entity expires, so that it may have expired since.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::Claims`], [`Error::Chain`], [`Error::Algorithm`] or [`Error::Signature`].
    pub fn parse(text: &str, roots: &[Arc<Certificate>]) -> Result<Self, Error> {
        let jws = UnverifiedJws::parse(text).map_err(Error::Malformed)?;
        let claims = Claims::parse(jws.payload()).map_err(Error::Claims)?;
        let chain = Chain::read(&jws, CHAIN)?;
        let not_after = chain.end_entity.not_after();
        chain.authenticate(&jws, roots, not_after.checked_sub(Duration::MINUTE).unwrap_or(not_after))?;
        Ok(Self { jws, claims, chain })
    }

    /// The certificate whose key signed the token.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.chain.end_entity
    }

    /// Checks subject, times, audience and issuer.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn verify(
        self,
        provisioner: &str,
        audiences: &Audiences,
        now: OffsetDateTime,
    ) -> Result<VerifiedRenewToken, Error> {
        let Self { jws, claims, chain } = self;
        let subject = claims.subject.clone().unwrap_or_default();
        // As in step-ca a certificate without a common name fits any subject: its key has signed the token anyhow.
        let common_name = chain.end_entity.common_name().filter(|name| !name.is_empty());
        if common_name.is_some_and(|name| name != subject) {
            return Err(Error::Subject(subject));
        }
        let expires_at = verify::check_times(&claims, now, None)?;
        if !audiences.accept(Purpose::Renew, &claims.audience) {
            return Err(Error::Audience(claims.audience));
        }
        match claims.issuer.as_deref() {
            Some(issuer) if issuer == ISSUER || issuer == provisioner => {}
            other => return Err(Error::Issuer(other.unwrap_or_default().to_owned())),
        }
        let reuse_key = reuse_key(&chain.end_entity, &claims, jws.signing_input())?;
        Ok(VerifiedRenewToken { claims, certificate: chain.end_entity, expires_at, reuse_key })
    }
}

/// The key under which a renew token is spent. Its issuer is the certificate: a `jti` of a provisioner's token is
/// another one (CONTRACT.md D7).
fn reuse_key(certificate: &Certificate, claims: &Claims, signing_input: &[u8]) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    hash.update([verify::PART_CERTIFICATE]);
    hash.update(certificate.fingerprint());
    verify::hash_token_id(&mut hash, claims, signing_input)?;
    Ok(hash.finalize().into())
}

impl VerifiedRenewToken {
    /// The certificate to be renewed.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
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

    /// What a log may say of the token: its `jti`, or the key under which it is spent if it has none.
    #[must_use]
    pub fn id(&self) -> String {
        verify::log_id(&self.claims, &self.reuse_key)
    }

    /// Under which key the token is spent.
    #[must_use]
    pub fn reuse_key(&self) -> [u8; 32] {
        self.reuse_key
    }
}
