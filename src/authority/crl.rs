//! The certificate revocation list: when a new one is issued, and what stands in it.
//!
//! One is issued at start, every `renewPeriod`, on revocation if `generateOnRevoke` says so, and in place of one that
//! would be served past its nextUpdate. CONTRACT.md section 10.

use time::Duration;
use time::OffsetDateTime;

use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::config::CrlOptions;
use crate::store::CrlRecord;
use crate::store::Revocation;
use crate::x509::crl::RevokedCertificate;
use crate::x509::crl::TbsCertList;

/// How long an entry stays after its certificate has expired.
const GRACE: Duration = Duration::hours(1);

/// How often to try again when another process has issued a CRL meanwhile.
const ATTEMPTS: usize = 10;

/// There is no CRL to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// `crl.enabled` is not set.
    #[error("Certificate Revocation Lists are not enabled")]
    Off,
    /// The list cannot be made.
    #[error("the CRL cannot be issued: {0}")]
    Issue(String),
}

impl Authority {
    /// The current CRL; a new one if there is none, or if the last one is past its nextUpdate.
    ///
    /// # Errors
    ///
    /// [`CrlError::Off`], or a new one cannot be issued or recorded.
    pub async fn crl(&self) -> Result<CrlRecord, Error> {
        if self.config.ca.crl.is_none() {
            return Err(CrlError::Off.into());
        }
        let now = self.options.clock.now().unix_timestamp();
        match self.options.store.crl().await? {
            Some(crl) if now < crl.next_update => Ok(crl),
            Some(stale) => self.next_crl(stale.number.saturating_add(1)).await,
            None => self.next_crl(0).await,
        }
    }

    /// Issues the next CRL and records it.
    ///
    /// # Errors
    ///
    /// [`CrlError::Off`], or it cannot be signed or recorded; the last one stays.
    pub async fn issue_crl(&self) -> Result<CrlRecord, Error> {
        self.next_crl(i64::MAX).await
    }

    /// Sees to a CRL with every revocation that is on record by now, its own or one that somebody else has issued
    /// meanwhile.
    pub(super) async fn list_revoked(&self) -> Result<(), Error> {
        // The next one may be in the making, from revocations read before. The one after it is begun later than this.
        let enough = self.options.store.crl().await?.map_or(1, |last| last.number.saturating_add(2));
        self.next_crl(enough).await.map(|_| ())
    }

    /// Issues the next CRL, unless one with the number `enough` or a higher one is on record by then.
    async fn next_crl(&self, enough: i64) -> Result<CrlRecord, Error> {
        let options = self.config.ca.crl.as_ref().ok_or(CrlError::Off)?;
        // In turn, since of several at once all but one would sign in vain.
        let _turn = self.crl_turn.lock().await;
        for _ in 0..ATTEMPTS {
            // The number is read before the revocations, so whoever records it knows all that were recorded before
            // the last CRL.
            let number = match self.options.store.crl().await? {
                Some(last) if last.number >= enough => return Ok(last),
                Some(last) => last.number.saturating_add(1),
                None => 0,
            };
            let now = self.options.clock.now();
            let listed_from = now.checked_sub(GRACE).unwrap_or(now).unix_timestamp();
            let revocations = self.options.store.revocations(listed_from).await?;
            let crl = self.sign_crl(options, number, now, &revocations)?;
            if self.options.store.record_crl(crl.clone()).await? {
                return Ok(crl);
            }
        }
        Err(CrlError::Issue(format!("{ATTEMPTS} others were issued meanwhile")).into())
    }

    /// Issues a CRL if the last one is older than `renewPeriod`, and tells whether it did.
    ///
    /// # Errors
    ///
    /// As for [`issue_crl`](Self::issue_crl).
    pub async fn renew_crl_if_due(&self) -> Result<bool, Error> {
        let Some(options) = &self.config.ca.crl else { return Ok(false) };
        let period = options.renew_period.as_time().whole_seconds();
        let now = self.options.clock.now().unix_timestamp();
        let last = self.options.store.crl().await?;
        if last.is_some_and(|last| now < last.this_update.saturating_add(period)) {
            return Ok(false);
        }
        self.issue_crl().await.map(|_| true)
    }

    fn sign_crl(
        &self,
        options: &CrlOptions,
        number: i64,
        now: OffsetDateTime,
        revocations: &[Revocation],
    ) -> Result<CrlRecord, Error> {
        let fault = |error: &dyn std::fmt::Display| CrlError::Issue(error.to_string());
        let next_update = now
            .checked_add(options.cache_duration.as_time())
            .ok_or_else(|| fault(&"nextUpdate lies beyond the year 9999"))?;
        let entry = |revocation: &Revocation| {
            Ok(RevokedCertificate {
                serial_number: revocation.serial.clone(),
                revocation_date: OffsetDateTime::from_unix_timestamp(revocation.revoked_at)
                    .map_err(|error| fault(&error))?,
                reason_code: revocation.reason_code,
            })
        };
        let entries = revocations.iter().map(entry).collect::<Result<Vec<_>, CrlError>>()?;
        let issuer = self.config.issuer();
        let tbs = TbsCertList {
            signature_algorithm: self.algorithm,
            issuer: issuer.subject_der(),
            this_update: now,
            next_update,
            revoked_certificates: &entries,
            authority_key_id: issuer.subject_key_id(),
            number,
            distribution_point: &options.idp_url,
        };
        let der = self.sign_tbs(&tbs.to_der().map_err(|error| fault(&error))?, self.algorithm)?;
        let (this_update, next_update) = (now.unix_timestamp(), next_update.unix_timestamp());
        Ok(CrlRecord { number, this_update, next_update, der })
    }
}
