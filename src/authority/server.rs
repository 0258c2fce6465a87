//! The certificate of the authority's own TLS server.

use time::OffsetDateTime;

use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::crypto::PublicKey;
use crate::entropy::Entropy;
use crate::profile;
use crate::profile::Issuance;
use crate::x509::san;
use crate::x509::serial::SerialNumber;

impl Authority {
    /// A certificate for the authority's own TLS server, with the names of `dnsNames` and no provisioner
    /// extension (CONTRACT.md section 1). It is not recorded, and its serial number comes from `entropy`: how often the
    /// server needs one does not change what is issued from a seed.
    ///
    /// # Errors
    ///
    /// [`Error`] if a name does not fit a certificate or the key cannot sign.
    pub fn server_certificate(
        &self,
        public_key: &PublicKey,
        now: OffsetDateTime,
        lifetime: time::Duration,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        let names = san::classify_all(self.config.ca.dns_names.iter().map(String::as_str));
        let draft = profile::default_leaf(&self.config.ca.common_name, &names, public_key);
        let serial_number = SerialNumber::random(entropy)?;
        let tbs = draft.to_be_signed(&Issuance {
            issuer: self.config.issuer(),
            public_key,
            serial_number: &serial_number,
            not_before: now - time::Duration::MINUTE,
            not_after: now + lifetime,
            signature_algorithm: self.algorithm,
            extra_extensions: &[],
        })?;
        self.sign_tbs(&tbs, self.algorithm)
    }
}
