//! The to-be-signed part of a certificate, written (RFC 5280 §4.1.2), and the certificate around it.
//!
//! The issuer's name and the public key go in as the bytes they came in.

use ::time::OffsetDateTime;
use sha1::Digest;
use sha1::Sha1;

use crate::crypto;
use crate::crypto::PrivateKey;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::x509::element;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::extension::Extension;
use crate::x509::serial::SerialNumber;
use crate::x509::time;

/// Everything that stands in a TBSCertificate of version 3.
#[derive(Debug, Clone, Copy)]
pub struct TbsCertificate<'a> {
    /// The serial number.
    pub serial_number: &'a SerialNumber,
    /// The algorithm the issuer will sign with.
    pub signature_algorithm: SignatureAlgorithm,
    /// The DER of the issuer's name: the subject of its certificate.
    pub issuer: &'a [u8],
    /// The first second of validity; fractions are cut.
    pub not_before: OffsetDateTime,
    /// The last second of validity; fractions are cut.
    pub not_after: OffsetDateTime,
    /// The DER of the subject's name.
    pub subject: &'a [u8],
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// The extensions, in order; none leaves the field out.
    pub extensions: &'a [Extension],
}

impl TbsCertificate<'_> {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Year`] for a time that has no form in a certificate.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let validity = [time::to_der(self.not_before)?, time::to_der(self.not_after)?];
        let mut members = vec![
            encode::explicit(0, &encode::integer(2)),
            encode::element(element::INTEGER, self.serial_number.content()),
            self.signature_algorithm.algorithm_identifier().to_vec(),
            self.issuer.to_vec(),
            encode::sequence(&validity),
            self.subject.to_vec(),
            self.public_key.spki_der().to_vec(),
        ];
        if !self.extensions.is_empty() {
            let extensions: Vec<_> = self.extensions.iter().map(Extension::to_der).collect();
            members.push(encode::explicit(3, &encode::sequence(&extensions)));
        }
        Ok(encode::sequence(&members))
    }
}

/// Signs what is to be signed, and puts both together: the Certificate, or the CertificateList.
///
/// # Errors
///
/// The key's error; it does not sign with an algorithm of another kind of key.
pub fn sign(
    to_be_signed: &[u8],
    key: &PrivateKey,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, crypto::Error> {
    Ok(assemble(to_be_signed, algorithm, &key.sign(algorithm, to_be_signed)?))
}

/// Puts a signed part and its signature together: the Certificate (RFC 5280 §4.1.1).
#[must_use]
pub fn assemble(tbs_certificate: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    encode::sequence(&[
        tbs_certificate.to_vec(),
        algorithm.algorithm_identifier().to_vec(),
        encode::bit_string(0, signature),
    ])
}

/// The key identifier: SHA-1 of the public key's bits, 20 octets (RFC 5280 §4.2.1.2, method 1).
#[must_use]
pub fn key_identifier(key: &PublicKey) -> [u8; 20] {
    Sha1::digest(key.key_bits()).into()
}
