//! Certification requests, written (RFC 2986 §4): a name, a key, subject alternative names, and nothing else.

use crate::crypto::PrivateKey;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::name::Subject;
use crate::x509::oid::Oid;
use crate::x509::san::San;

/// The attribute extensionRequest, 1.2.840.113549.1.9.14 (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

/// The DER of a request for `key`, signed with it.
///
/// # Errors
///
/// [`Error::Signing`] if the key fails; [`Error::NotAscii`] for a name that has no form in DER.
///
/// # Examples
///
/// ```
/// use stepless::crypto::{KeyKind, PrivateKey};
/// use stepless::entropy::SystemEntropy;
/// use stepless::x509::csr::Csr;
/// use stepless::x509::{name::Subject, request, san};
///
/// let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new())?;
/// let der = request::create(&key, &Subject::from_common_name("a.example"), &[san::classify("a.example")])?;
/// let csr = Csr::parse(&der)?.verify()?;
/// assert_eq!(csr.dns_names(), ["a.example"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create(key: &PrivateKey, subject: &Subject, names: &[San]) -> Result<Vec<u8>, Error> {
    let mut extensions = Vec::new();
    if !names.is_empty() {
        let general_names = names.iter().map(San::to_general_name).collect::<Result<Vec<_>, _>>()?;
        let critical = subject.effective_common_name().is_empty();
        extensions.push(extension::subject_alt_name(&general_names, critical));
    }
    sign(key, subject.to_der()?, &extensions)
}

/// The DER of a request for a CA that issues end entity certificates and CRLs, and no other CAs. `subject` is the DER
/// of its name.
///
/// # Errors
///
/// [`Error::Signing`] if the key fails.
pub fn create_for_ca(key: &PrivateKey, subject: &[u8]) -> Result<Vec<u8>, Error> {
    let extensions = [
        KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN).to_extension(),
        BasicConstraints { is_ca: true, path_length: Some(0) }.to_extension(),
    ];
    sign(key, subject.to_vec(), &extensions)
}

fn sign(key: &PrivateKey, subject: Vec<u8>, extensions: &[Extension]) -> Result<Vec<u8>, Error> {
    let mut attributes = Vec::new();
    if !extensions.is_empty() {
        let extensions: Vec<Vec<u8>> = extensions.iter().map(Extension::to_der).collect();
        let kind = encode::oid(&Oid::from_content(EXTENSION_REQUEST)?);
        attributes = encode::sequence(&[kind, encode::set_of(vec![encode::sequence(&extensions)])]);
    }
    let info = encode::sequence(&[
        encode::integer(0),
        subject,
        key.public_key().spki_der().to_vec(),
        encode::explicit(0, &attributes),
    ]);
    let algorithm = key.default_algorithm();
    let signature = key.sign(algorithm, &info).map_err(Error::Signing)?;
    Ok(encode::sequence(&[
        info,
        algorithm.algorithm_identifier().to_vec(),
        encode::bit_string(0, &signature),
    ]))
}
