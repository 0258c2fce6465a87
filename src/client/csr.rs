//! Makes certification requests.

use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use rcgen::SanType;
use thiserror::Error;

use crate::crypto::PrivateKey;
use crate::x509::san;
use crate::x509::san::San;

/// A certification request cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CsrError {
    /// The key does not sign requests here: P-521.
    #[error("requests cannot be made for this kind of key: {0}")]
    Key(String),
    /// A name does not fit.
    #[error("{name:?} cannot stand in a request: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The request cannot be written.
    #[error("the request cannot be written: {0}")]
    Encoding(String),
}

/// A PKCS#10 request for `key` with a common name and alternative names, as DER.
///
/// The kinds of the names are guessed as step-ca guesses them (CONTRACT.md section 5).
///
/// # Errors
///
/// [`CsrError`].
pub fn create(key: &PrivateKey, common_name: &str, names: &[String]) -> Result<Vec<u8>, CsrError> {
    let pkcs8 = key.to_pkcs8_der().map_err(|error| CsrError::Key(error.to_string()))?;
    let pair = KeyPair::try_from(pkcs8.as_slice()).map_err(|error| CsrError::Key(error.to_string()))?;
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;
    for name in names {
        let fault = |error: rcgen::Error| CsrError::Name { name: name.clone(), reason: error.to_string() };
        params.subject_alt_names.push(match san::classify(name) {
            San::Dns(name) => SanType::DnsName(name.try_into().map_err(fault)?),
            San::Email(name) => SanType::Rfc822Name(name.try_into().map_err(fault)?),
            San::Ip(address) => SanType::IpAddress(address),
            San::Uri(uri) => SanType::URI(uri.try_into().map_err(fault)?),
        });
    }
    let request = params.serialize_request(&pair).map_err(|error| CsrError::Encoding(error.to_string()))?;
    Ok(request.der().to_vec())
}
