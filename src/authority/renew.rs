//! Renewing and rekeying: another certificate for one that this authority has issued.
//!
//! Subject, names, usages and extensions are copied as they stand; only serial number, validity, authority key
//! identifier and, for a new key, key and key identifier are new. CONTRACT.md section 8.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::authority::approval;
use crate::authority::client::ClientCertificate;
use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::authority::grant::Grant;
use crate::authority::issue::Issued;
use crate::authority::request::RequestError;
use crate::authority::request::parse_csr;
use crate::authority::trail::Trail;
use crate::authority::validity::Validity;
use crate::authority::validity::ValidityError;
use crate::authority::validity::whole_second;
use crate::crypto::PublicKey;
use crate::duration::format_go;
use crate::policy;
use crate::profile::Draft;
use crate::profile::SubjectKeyId;
use crate::provisioner;
use crate::provisioner::Provisioner;
use crate::store::CertificateRecord;
use crate::store::Renewed;
use crate::store::SpentToken;
use crate::store::TokenKey;
use crate::token::renew::SignedRenewToken;
use crate::wire::RekeyRequest;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::extension;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::serial::SerialNumber;

/// A certificate is not renewed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// There is neither a client certificate nor a token.
    #[error("missing client certificate")]
    NoCredential,
    /// It is revoked.
    #[error("certificate has been revoked")]
    Revoked,
    /// Neither the records nor the certificate name a provisioner of this authority (CONTRACT.md D13).
    #[error("no provisioner of this authority is known to have authorized the certificate")]
    UnknownProvisioner,
    /// Its provisioner forbids renewal.
    #[error("renew is disabled for provisioner {0:?}")]
    Disabled(String),
    /// It is not valid yet.
    #[error("certificate is not valid before {}", format_go(*.0))]
    NotYetValid(OffsetDateTime),
    /// It has expired, and its provisioner does not renew expired ones.
    #[error("certificate expired on {}", format_go(*.0))]
    Expired(OffsetDateTime),
    /// Its key is of a kind that is not certified any more (CONTRACT.md D11).
    #[error("key of the certificate: {0}")]
    Key(crate::crypto::Error),
}

impl Authority {
    /// Renews the certificate of a TLS client.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that stands against it.
    pub async fn renew(
        &self,
        client: &ClientCertificate,
        request_id: &str,
    ) -> Result<(Issued, SignResponse), Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.renew_at(now, client, request_id, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn renew_at(
        &self,
        now: OffsetDateTime,
        client: &ClientCertificate,
        request_id: &str,
        trail: &mut Trail,
    ) -> Result<(Issued, SignResponse), Error> {
        let old = client.certificate();
        let provisioner = self.provisioner_of_client(old, trail).await?;
        self.check_renewal(old, provisioner, now).await?;
        let key = old.public_key().map_err(RenewError::Key)?;
        let renewal = Renewal { old, rekey: Rekey::No, public_key: &key, provisioner, token_id: None };
        let result = self.reissue(renewal, now, request_id);
        self.record_renewal(trail, None, (old, Rekey::No), result).await
    }

    /// Renews the certificate whose key signed a renew token.
    ///
    /// The token is spent as soon as it is verified, whatever happens afterwards.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that stands against it.
    pub async fn renew_with_token(
        &self,
        token: &str,
        request_id: &str,
    ) -> Result<(Issued, SignResponse), Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.renew_with_token_at(now, token, request_id, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn renew_with_token_at(
        &self,
        now: OffsetDateTime,
        token: &str,
        request_id: &str,
        trail: &mut Trail,
    ) -> Result<(Issued, SignResponse), Error> {
        let token = SignedRenewToken::parse(token, &self.config.roots).map_err(Error::RenewToken)?;
        let provisioner = self.provisioner_of_client(token.certificate(), trail).await?;
        // Whose token it is has to be known before its issuer can be judged.
        let name = provisioner.ok_or(RenewError::UnknownProvisioner)?.name();
        let token = token.verify(name, &self.audiences, now).map_err(Error::RenewToken)?;
        let old = token.certificate();
        let result = match self.check_renewal(old, provisioner, now).await {
            Ok(()) => match old.public_key() {
                Ok(key) => {
                    let token_id = Some(token.id());
                    let renewal = Renewal { old, rekey: Rekey::No, public_key: &key, provisioner, token_id };
                    self.reissue(renewal, now, request_id)
                }
                Err(error) => Err(RenewError::Key(error).into()),
            },
            Err(refusal) => Err(refusal),
        };
        let spent = SpentToken {
            key: TokenKey(token.reuse_key()),
            expires_at: token.spendable_until(),
            issued_at: token.issued_at(),
        };
        self.record_renewal(trail, Some(spent), (old, Rekey::No), result).await
    }

    /// Renews the certificate of a TLS client for the key of a certification request. Nothing else of the request
    /// counts.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that stands against it.
    pub async fn rekey(
        &self,
        client: &ClientCertificate,
        body: RekeyRequest,
        request_id: &str,
    ) -> Result<(Issued, SignResponse), Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.rekey_at(now, client, body, request_id, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn rekey_at(
        &self,
        now: OffsetDateTime,
        client: &ClientCertificate,
        body: RekeyRequest,
        request_id: &str,
        trail: &mut Trail,
    ) -> Result<(Issued, SignResponse), Error> {
        let old = client.certificate();
        trail.proves_certificate(old, None, self.grant_of(old));
        let csr = body.csr.as_deref().map(parse_csr).transpose()?.ok_or(RequestError::MissingCsr)?;
        let csr = csr.verify().map_err(RequestError::InvalidCsr)?;
        let provisioner = self.provisioner_of_client(old, trail).await?;
        self.check_renewal(old, provisioner, now).await?;
        policy::check_key(csr.public_key()).map_err(provisioner::RequestError::Key)?;
        let public_key = csr.public_key();
        let renewal = Renewal { old, rekey: Rekey::Yes, public_key, provisioner, token_id: None };
        let result = self.reissue(renewal, now, request_id);
        self.record_renewal(trail, None, (old, Rekey::Yes), result).await
    }

    /// The same as [`provisioner_of`](Self::provisioner_of), of a certificate whose key the request has shown to have.
    async fn provisioner_of_client(
        &self,
        certificate: &Certificate,
        trail: &mut Trail,
    ) -> Result<Option<&Arc<Provisioner>>, Error> {
        let provisioner = self.provisioner_of(certificate).await?;
        trail.proves_certificate(certificate, provisioner.map(Arc::as_ref), self.grant_of(certificate));
        Ok(provisioner)
    }

    /// Who authorized a certificate: by the record of its issue, else by its extension.
    pub(super) async fn provisioner_of(
        &self,
        certificate: &Certificate,
    ) -> Result<Option<&Arc<Provisioner>>, Error> {
        let record = self.options.store.certificate(certificate.serial_number()).await?;
        // Another issuer may have used the same number.
        let record = record.filter(|record| record.der == certificate.der());
        let recorded = record.and_then(|record| {
            let by_id = self.provisioners.by_id(&record.provisioner_id);
            by_id.or_else(|| self.provisioners.by_name(&record.provisioner))
        });
        Ok(recorded.or_else(|| self.provisioners.by_certificate(certificate)))
    }

    async fn check_renewal(
        &self,
        certificate: &Certificate,
        provisioner: Option<&Arc<Provisioner>>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        if self.options.store.revocation(certificate.serial_number()).await?.is_some() {
            return Err(RenewError::Revoked.into());
        }
        let provisioner = provisioner.ok_or(RenewError::UnknownProvisioner)?;
        check_state(provisioner)?;
        if provisioner.claims().disable_renewal {
            return Err(RenewError::Disabled(provisioner.name().to_owned()).into());
        }
        let now = whole_second(now);
        if now < certificate.not_before() {
            return Err(RenewError::NotYetValid(certificate.not_before()).into());
        }
        if now > certificate.not_after() && !provisioner.claims().allow_renewal_after_expiry {
            return Err(RenewError::Expired(certificate.not_after()).into());
        }
        Ok(())
    }

    /// Makes the new certificate and its record.
    fn reissue(
        &self,
        renewal: Renewal<'_>,
        now: OffsetDateTime,
        request_id: &str,
    ) -> Result<(Issued, CertificateRecord), Error> {
        let Renewal { old, rekey, public_key, provisioner, token_id } = renewal;
        let provisioner = provisioner.ok_or(RenewError::UnknownProvisioner)?;
        let not_before = now.checked_sub(self.config.ca.backdate.as_time()).map(whole_second);
        let not_after = not_before.and_then(|start| start.checked_add(old.not_after() - old.not_before()));
        let (Some(not_before), Some(not_after)) = (not_before, not_after) else {
            return Err(ValidityError::OutOfRange.into());
        };
        let approved = approval::approve(copy(old, rekey), &self.issuing_chain, None)?;
        let serial = SerialNumber::random(&*self.options.entropy)?;
        let validity = Validity { not_before, not_after };
        let der = self.sign_draft(approved.draft(), &serial, validity, public_key, &[])?;
        let subject = old.common_name().unwrap_or_default();
        let grant = self.grant_of(old);
        let record = CertificateRecord {
            serial: serial.clone(),
            der: der.clone(),
            not_before: not_before.unix_timestamp(),
            not_after: not_after.unix_timestamp(),
            subject: subject.clone(),
            provisioner: provisioner.name().to_owned(),
            provisioner_id: provisioner.id().to_owned(),
            grant_id: grant.as_ref().map(|grant| grant.grant_id.clone()),
            subject_user_id: grant.as_ref().map(|grant| grant.subject_user_id.clone()),
            issued_at: now.unix_timestamp(),
            request_id: request_id.to_owned(),
        };
        let issued = Issued {
            der,
            serial_number: serial.to_string(),
            subject,
            token_id,
            names: old.subject_alt_names().names.iter().map(ToString::to_string).collect(),
            provisioner: provisioner.name().to_owned(),
            grant,
            not_before,
            not_after,
        };
        Ok((issued, record))
    }

    async fn record_renewal(
        &self,
        trail: &mut Trail,
        token: Option<SpentToken>,
        (old, rekey): (&Certificate, Rekey),
        result: Result<(Issued, CertificateRecord), Error>,
    ) -> Result<(Issued, SignResponse), Error> {
        let renewed = Renewed { serial: old.serial_number().clone(), rekeyed: rekey == Rekey::Yes };
        let issued = self.record(trail, token, Some(renewed), result).await?;
        let response = self.response(&issued.der);
        Ok((issued, response))
    }

    /// The ids of a grant certificate; they were checked when it was first issued.
    fn grant_of(&self, certificate: &Certificate) -> Option<Grant> {
        let text = |oid: &Oid| extension::utf8_text(&certificate.extension(oid)?.value);
        let oids = &self.grant_oids;
        Some(Grant { grant_id: text(&oids.grant_id)?, subject_user_id: text(&oids.subject_user_id)? })
    }
}

/// Refuses for a provisioner that does not work.
pub(super) fn check_state(provisioner: &Provisioner) -> Result<(), Error> {
    use crate::provisioner::State;
    match provisioner.state() {
        State::Ready => Ok(()),
        State::Uninitialized(reason) => {
            Err(Error::ProvisionerDisabled { name: provisioner.name().to_owned(), reason: reason.clone() })
        }
    }
}

/// What a new certificate is made of.
struct Renewal<'a> {
    old: &'a Certificate,
    rekey: Rekey,
    public_key: &'a PublicKey,
    provisioner: Option<&'a Arc<Provisioner>>,
    /// For the log.
    token_id: Option<String>,
}

/// Whether the certificate gets a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rekey {
    Yes,
    No,
}

/// The draft of a certificate like `old`. The new authority key identifier, and a new subject key identifier for a new
/// key, stand before the extensions that are copied.
fn copy(old: &Certificate, rekey: Rekey) -> Draft {
    let replaced = |oid: &Oid| {
        *oid == oid::AUTHORITY_KEY_IDENTIFIER || (rekey == Rekey::Yes && *oid == oid::SUBJECT_KEY_IDENTIFIER)
    };
    Draft {
        raw_subject: Some(old.subject_der().to_vec()),
        names: old.subject_alt_names().names.clone(),
        subject_key_id: match rekey {
            Rekey::Yes => SubjectKeyId::OfKey,
            Rekey::No => SubjectKeyId::Absent,
        },
        extensions: old.extensions().iter().filter(|e| !replaced(&e.oid)).cloned().collect(),
        ..Draft::default()
    }
}
