//! Revoking: by a provisioner's token, or by the certificate's own key over TLS.
//!
//! A revoked certificate is not renewed and stands in the CRL; nothing else changes for it. CONTRACT.md section 9.

use time::OffsetDateTime;

use crate::authority::client::ClientCertificate;
use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::authority::trail::Trail;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::TokenKey;
use crate::token::audience::Purpose;
use crate::wire::DecodeError;
use crate::wire::RevokeRequest;
use crate::x509::serial::SerialNumber;

/// The highest CRLReason (RFC 5280 §5.3.1).
const MAX_REASON_CODE: u8 = 10;

/// A certificate is not revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The body is no JSON of the right form.
    #[error(transparent)]
    Json(#[from] DecodeError),
    /// There is no `serial`.
    #[error("missing serial")]
    MissingSerial,
    /// `serial` is no number.
    #[error(
        "'{0}' is not a valid serial number - use a base 10 representation or a base 16 representation with '0x' prefix"
    )]
    Serial(String),
    /// `reasonCode` is none of RFC 5280.
    #[error("reasonCode out of bounds")]
    ReasonCode(i64),
    /// `passive` is not true: there is no OCSP.
    #[error("non-passive revocation not implemented")]
    NotPassive,
    /// There is neither a token nor a client certificate.
    #[error("missing ott or client certificate")]
    NoCredential,
    /// The token is for another serial number.
    #[error("request serial number \"{serial}\" and token subject \"{subject}\" do not match")]
    Subject {
        /// The serial number of the request, decimal.
        serial: SerialNumber,
        /// The token's subject.
        subject: String,
    },
    /// The client's certificate is another one.
    #[error("request serial number \"{serial}\" and certificate serial number \"{own}\" do not match")]
    NotOwn {
        /// The serial number of the request, decimal.
        serial: SerialNumber,
        /// That of the certificate.
        own: SerialNumber,
    },
    /// It was revoked before.
    #[error("certificate with serial number '{0}' is already revoked")]
    AlreadyRevoked(SerialNumber),
    /// Without a database a revocation would be forgotten.
    #[error("no persistence layer configured")]
    NoDatabase,
}

/// A revocation that is on record.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Revoked {
    /// The serial number, decimal.
    pub serial_number: String,
    /// The CRLReason.
    pub reason_code: u8,
    /// The name of the provisioner whose token asked for it; `None` for the certificate's own key.
    pub provisioner: Option<String>,
}

/// A revocation request that may be granted to whom it concerns.
struct Request {
    serial: SerialNumber,
    reason_code: u8,
    reason: String,
    ott: Option<String>,
}

impl Request {
    /// Checks a body in step-ca's order.
    fn read(body: RevokeRequest) -> Result<Self, RevokeError> {
        let text = body.serial.ok_or(RevokeError::MissingSerial)?;
        let serial = SerialNumber::parse_signed(&text).map_err(|_| RevokeError::Serial(text))?;
        let reason_code = u8::try_from(body.reason_code).ok().filter(|code| *code <= MAX_REASON_CODE);
        let reason_code = reason_code.ok_or(RevokeError::ReasonCode(body.reason_code))?;
        if !body.passive {
            return Err(RevokeError::NotPassive);
        }
        Ok(Self { serial, reason_code, reason: body.reason, ott: body.ott })
    }
}

impl Authority {
    /// Revokes a certificate, known or not. A token goes before a client certificate.
    ///
    /// The token is spent as soon as it is verified, whatever happens afterwards. With `crl.generateOnRevoke` there
    /// is a CRL that has it before the answer.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that stands against it.
    pub async fn revoke(
        &self,
        body: RevokeRequest,
        client: Option<&ClientCertificate>,
        request_id: &str,
    ) -> Result<Revoked, Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.revoke_at(now, body, client, request_id, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn revoke_at(
        &self,
        now: OffsetDateTime,
        body: RevokeRequest,
        client: Option<&ClientCertificate>,
        request_id: &str,
        trail: &mut Trail,
    ) -> Result<Revoked, Error> {
        let request = Request::read(body)?;
        trail.concerns(&request.serial);
        let (token, provisioner, allowed) = match (&request.ott, client) {
            (Some(ott), _) => {
                let (provisioner, token) = self.verify(ott, Purpose::Revoke, now, trail)?;
                let subject = token.subject().to_owned();
                let allowed = (subject == request.serial.to_string()).then_some(());
                let spent = SpentToken {
                    key: TokenKey(token.reuse_key()),
                    expires_at: token.spendable_until(),
                    issued_at: token.issued_at(),
                };
                let serial = request.serial.clone();
                (Some(spent), Some(provisioner), allowed.ok_or(RevokeError::Subject { serial, subject }))
            }
            (None, Some(client)) => {
                trail.proves_subject(client.certificate());
                let own = client.certificate().serial_number();
                let allowed = (*own == request.serial).then_some(());
                let (serial, own) = (request.serial.clone(), own.clone());
                (None, None, allowed.ok_or(RevokeError::NotOwn { serial, own }))
            }
            (None, None) => return Err(RevokeError::NoCredential.into()),
        };
        let allowed = match allowed {
            Ok(()) if self.config.ca.database.is_none() => Err(RevokeError::NoDatabase),
            other => other,
        };
        if let Err(refusal) = allowed {
            return Err(self.refuse_revocation(trail, token, refusal).await);
        }
        let known = self.options.store.certificate(&request.serial).await?.map(|record| record.not_after);
        let own = client.filter(|_| provisioner.is_none()).map(|client| client.certificate().not_after());
        let revocation = Revocation {
            serial: request.serial.clone(),
            revoked_at: now.unix_timestamp(),
            reason_code: request.reason_code,
            reason: request.reason,
            expires_at: known.or(own.map(time::OffsetDateTime::unix_timestamp)),
            provisioner_id: provisioner.map(|provisioner| provisioner.id().to_owned()),
            request_id: request_id.to_owned(),
        };
        let commit = Commit { token, revocation: Some(revocation), ..Commit::default() };
        match self.options.store.commit(commit).await? {
            Outcome::Recorded => {}
            Outcome::TokenAlreadySpent => return Err(Error::Replayed),
            Outcome::AlreadyRevoked | Outcome::SerialExists => {
                let refusal = RevokeError::AlreadyRevoked(request.serial);
                return Err(self.refuse_revocation(trail, token, refusal).await);
            }
        }
        if self.config.ca.crl.as_ref().is_some_and(|crl| crl.generate_on_revoke) {
            self.list_revoked().await?;
        }
        Ok(Revoked {
            serial_number: request.serial.to_string(),
            reason_code: request.reason_code,
            provisioner: provisioner.map(|provisioner| provisioner.name().to_owned()),
        })
    }

    /// Spends the token all the same; one that was used before answers as such.
    async fn refuse_revocation(
        &self,
        trail: &mut Trail,
        token: Option<SpentToken>,
        refusal: RevokeError,
    ) -> Error {
        let refusal = refusal.into();
        if token.is_none() {
            return refusal;
        }
        let event = Some(trail.refusal(&refusal));
        match self.options.store.commit(Commit { token, event, ..Commit::default() }).await {
            Ok(Outcome::TokenAlreadySpent) => Error::Replayed,
            Ok(_) => {
                trail.refusal_recorded = true;
                refusal
            }
            Err(error) => error.into(),
        }
    }
}
