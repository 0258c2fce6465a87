//! `/sign`, from the request to the recorded certificate: token, CSR, draft, grant rule, validity, signature, record.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::authority::approval;
use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::authority::grant;
use crate::authority::grant::Grant;
use crate::authority::issue::Issued;
use crate::authority::renew::RenewError;
use crate::authority::renew::check_state;
use crate::authority::request::Request;
use crate::authority::request::TimeDuration;
use crate::authority::trail::Trail;
use crate::authority::validity;
use crate::authority::validity::Validity;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::profile::Draft;
use crate::profile::Issuance;
use crate::provisioner::DraftRequest;
use crate::provisioner::Provisioner;
use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Renewed;
use crate::store::SpentToken;
use crate::store::TokenKey;
use crate::token::UnverifiedToken;
use crate::token::VerifiedToken;
use crate::token::audience::Purpose;
use crate::wire::SignRequest;
use crate::wire::SignResponse;
use crate::x509::extension::Extension;
use crate::x509::pem;
use crate::x509::serial::SerialNumber;
use crate::x509::tbs;

/// Tells by a provisioner's name whether it may have another certificate now, or how long it has to wait.
pub type Admit<'a> = &'a (dyn Fn(&str) -> Result<(), Duration> + Sync);

impl Authority {
    /// Signs a certification request and returns what step-ca would answer.
    ///
    /// The token is spent as soon as it is verified, whatever happens afterwards, and a certificate leaves
    /// only once it and the token's use are recorded in one transaction. A refusal is in the audit log before it is
    /// answered.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that the request broke; its `code` is stable.
    pub async fn sign(&self, body: SignRequest, request_id: &str) -> Result<(Issued, SignResponse), Error> {
        self.sign_if(body, request_id, &|_| Ok(())).await
    }

    /// The same unless `admit` says that the token's provisioner has to wait.
    ///
    /// It is asked when the token holds and is not spent yet, so that the same request can be made again.
    ///
    /// # Errors
    ///
    /// As for [`sign`](Self::sign), and [`Error::Throttled`].
    pub async fn sign_if(
        &self,
        body: SignRequest,
        request_id: &str,
        admit: Admit<'_>,
    ) -> Result<(Issued, SignResponse), Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.sign_at(now, body, request_id, admit, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn sign_at(
        &self,
        now: OffsetDateTime,
        body: SignRequest,
        request_id: &str,
        admit: Admit<'_>,
        trail: &mut Trail,
    ) -> Result<(Issued, SignResponse), Error> {
        let request = Request::read(body)?;
        let (provisioner, token) = self.verify(&request.ott, Purpose::Sign, now, trail)?;
        admit(provisioner.name())
            .map_err(|wait| Error::Throttled { provisioner: provisioner.name().to_owned(), wait })?;
        let result = self.issue(&request, provisioner, &token, now, request_id);
        let spent = SpentToken {
            key: TokenKey(token.reuse_key()),
            expires_at: token.spendable_until(),
            issued_at: token.issued_at(),
        };
        let issued = self.record(trail, Some(spent), None, result).await?;
        let response = self.response(&issued.der);
        Ok((issued, response))
    }

    /// Records what has come of a request, and hands the certificate out only if that worked.
    ///
    /// One transaction decides who was first, also for a request that is refused: a used token answers as such
    /// whatever else is wrong with the request. `renewed` must not have been revoked meanwhile.
    pub(super) async fn record(
        &self,
        trail: &mut Trail,
        token: Option<SpentToken>,
        renewed: Option<Renewed>,
        result: Result<(Issued, CertificateRecord), Error>,
    ) -> Result<Issued, Error> {
        let (result, commit) = match result {
            Ok((issued, record)) => {
                (Ok(issued), Commit { token, renewed, certificate: Some(record), ..Commit::default() })
            }
            Err(refusal) => {
                let event = Some(trail.refusal(&refusal));
                (Err(refusal), Commit { token, event, ..Commit::default() })
            }
        };
        match self.options.store.commit(commit).await? {
            Outcome::Recorded => {
                trail.refusal_recorded = result.is_err();
                result
            }
            Outcome::TokenAlreadySpent => Err(Error::Replayed),
            Outcome::AlreadyRevoked => Err(Error::Renew(RenewError::Revoked)),
            Outcome::SerialExists => Err(Error::SerialExists),
        }
    }

    /// Finds the provisioner and verifies the token for it.
    pub(super) fn verify(
        &self,
        ott: &str,
        purpose: Purpose,
        now: OffsetDateTime,
        trail: &mut Trail,
    ) -> Result<(&Arc<Provisioner>, VerifiedToken), Error> {
        let token = UnverifiedToken::parse(ott)?;
        let provisioner = self.provisioner_named_by(&token)?;
        trail.names(provisioner);
        let token = self.verify_for(provisioner, token, purpose, now)?;
        trail.proves(provisioner, token.subject(), grant::of_claims(token.claims()));
        Ok((provisioner, token))
    }

    /// The provisioner that a token names, if it works.
    pub(super) fn provisioner_named_by(&self, token: &UnverifiedToken) -> Result<&Arc<Provisioner>, Error> {
        let provisioner = self.provisioners.find(&token.lookup()).ok_or(Error::UnknownProvisioner)?;
        check_state(provisioner).map_err(|disabled| match token.is_for(&self.audiences) {
            true => disabled,
            false => Error::UnknownProvisioner,
        })?;
        Ok(provisioner)
    }

    pub(super) fn verify_for(
        &self,
        provisioner: &Provisioner,
        token: UnverifiedToken,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> Result<VerifiedToken, Error> {
        let started_at = (!self.config.ca.disable_issued_at_check).then_some(self.started_at);
        Ok(provisioner.verify(token, purpose, &self.audiences, now, started_at)?)
    }

    /// Everything after the token: CSR, draft, grant rule, validity, approval, signature.
    fn issue(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
        now: OffsetDateTime,
        request_id: &str,
    ) -> Result<(Issued, CertificateRecord), Error> {
        let binding = provisioner.check_request(token, &request.csr)?;
        let draft = self.draft(request, provisioner, token)?;
        let grant = grant::check(&draft, token.claims(), binding, &self.grant_oids)?;
        let validity = self.validity(request, provisioner, token, &draft, now)?;
        let approved = approval::approve(draft, &self.issuing_chain, self.config.ca.policy.as_ref())?;
        let serial = match &approved.draft().serial_number {
            Some(serial) => serial.clone(),
            None => SerialNumber::random(&*self.options.entropy)?,
        };
        let extra = Vec::from_iter(provisioner.provisioner_extension());
        let der = self.sign_draft(approved.draft(), &serial, validity, request.csr.public_key(), &extra)?;
        let record = CertificateRecord {
            serial: serial.clone(),
            der: der.clone(),
            not_before: validity.not_before.unix_timestamp(),
            not_after: validity.not_after.unix_timestamp(),
            subject: token.subject().to_owned(),
            provisioner: provisioner.name().to_owned(),
            provisioner_id: provisioner.id().to_owned(),
            grant_id: grant.as_ref().map(|g: &Grant| g.grant_id.clone()),
            subject_user_id: grant.as_ref().map(|g| g.subject_user_id.clone()),
            issued_at: now.unix_timestamp(),
            request_id: request_id.to_owned(),
        };
        let issued = Issued {
            der,
            serial_number: serial.to_string(),
            subject: token.subject().to_owned(),
            token_id: Some(token.id()),
            names: token.claims().names().into_iter().map(str::to_owned).collect(),
            provisioner: provisioner.name().to_owned(),
            grant,
            not_before: validity.not_before,
            not_after: validity.not_after,
        };
        Ok((issued, record))
    }

    pub(super) fn validity(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
        draft: &Draft,
        now: OffsetDateTime,
    ) -> Result<Validity, Error> {
        let wishes = (
            request.not_before.or(draft.not_before.map(TimeDuration::Instant)),
            request.not_after.or(draft.not_after.map(TimeDuration::Instant)),
        );
        let window = token.certificate().map(|c| (c.not_before(), c.not_after()));
        Ok(validity::settle(now, wishes, provisioner.claims(), self.config.ca.backdate, window)?)
    }

    pub(super) fn draft(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
    ) -> Result<Draft, Error> {
        let drawn = provisioner.draft(&DraftRequest {
            claims: token.claims(),
            subject: token.subject(),
            csr: &request.csr,
            authorization: token.certificate(),
            user_data: request.template_data.as_ref(),
            clock: &*self.options.clock,
            entropy: &*self.options.entropy,
        });
        if drawn.is_err() && provisioner.template_names_grants() {
            grant::check_claims(token.claims())?;
        }
        let mut draft = drawn?;
        draft.subject.fill_missing(&self.config.ca.default_subject);
        Ok(draft)
    }

    pub(super) fn sign_draft(
        &self,
        draft: &Draft,
        serial: &SerialNumber,
        validity: Validity,
        public_key: &PublicKey,
        extra_extensions: &[Extension],
    ) -> Result<Vec<u8>, Error> {
        let algorithm = draft.signature_algorithm.unwrap_or(self.algorithm);
        let tbs = draft.to_be_signed(&Issuance {
            issuer: self.config.issuer(),
            public_key,
            serial_number: serial,
            not_before: validity.not_before,
            not_after: validity.not_after,
            signature_algorithm: algorithm,
            extra_extensions,
        })?;
        self.sign_tbs(&tbs, algorithm)
    }

    pub(super) fn sign_tbs(&self, tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
        tbs::sign(tbs, &self.config.key, algorithm).map_err(|error| Error::Signing(error.to_string()))
    }

    /// The answer of `/sign` for a certificate of this authority.
    pub(super) fn response(&self, der: &[u8]) -> SignResponse {
        let crt = pem::encode("CERTIFICATE", der);
        let mut cert_chain = vec![crt.clone()];
        cert_chain.extend(self.intermediates_pem.iter().cloned());
        SignResponse {
            crt,
            ca: self.intermediates_pem.first().cloned().unwrap_or_default(),
            cert_chain,
            tls_options: Some(self.config.ca.tls.clone()),
        }
    }
}
