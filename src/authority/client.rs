//! Certificates of TLS clients: which ones this authority believes.

use crate::authority::core::Authority;
use crate::x509;
use crate::x509::certificate::Certificate;
use crate::x509::oid;
use crate::x509::path;

/// Certificates that a client may send; real chains have two or three.
const MAX_CERTIFICATES: usize = 10;

/// A client's certificate is not believed; the handshake fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCertificateError {
    /// One that cannot be read.
    #[error("client certificate {0} of the chain: {1}")]
    Malformed(usize, #[source] x509::error::Error),
    /// There is none, or there are too many.
    #[error("{0} client certificates, instead of 1 to {MAX_CERTIFICATES}")]
    Number(usize),
    /// It leads to none that is trusted, or may not be used by a client.
    #[error("client certificate: {0}")]
    Path(#[from] path::Error),
}

/// The certificate of a TLS client whose chain has been verified. That the client has the key is TLS's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate(Certificate);

impl ClientCertificate {
    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.0
    }
}

impl Authority {
    /// Verifies the chain that a TLS client sent, its own certificate first (CONTRACT.md section 1).
    ///
    /// Roots and intermediates are trust anchors; the time is that of the authority's clock.
    ///
    /// # Errors
    ///
    /// [`ClientCertificateError`] if it is not to be believed.
    pub fn verify_client<'a>(
        &self,
        chain: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<ClientCertificate, ClientCertificateError> {
        let number = chain.len();
        if number > MAX_CERTIFICATES {
            return Err(ClientCertificateError::Number(number));
        }
        let read = |(index, der)| {
            Certificate::parse(der).map_err(|error| ClientCertificateError::Malformed(index, error))
        };
        let mut certificates = chain.enumerate().map(read);
        let end_entity = certificates.next().ok_or(ClientCertificateError::Number(0))??;
        let others = certificates.collect::<Result<Vec<_>, _>>()?;
        let rules = path::Rules {
            anchors: &self.client_anchors,
            at: self.options.clock.now(),
            usage: &oid::CLIENT_AUTH,
        };
        rules.verify(&end_entity, &others)?;
        Ok(ClientCertificate(end_entity))
    }

    /// The names of those who may have issued a client's certificate, DER each.
    pub fn client_issuers(&self) -> impl Iterator<Item = &[u8]> {
        self.client_anchors.iter().map(|anchor| anchor.subject_der())
    }
}
