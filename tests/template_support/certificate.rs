//! The certificate half of a template case: the text that a template rendered, read as a document, gives the
//! recorded subject, extensions, serial number and validity, or is refused.
//!
//! The cases were recorded from go.step.sm/crypto 0.77.1.

use std::path::Path;

use serde_json::Value;
use stepless::crypto::SignatureAlgorithm;
use stepless::profile::Draft;
use stepless::profile::Issuance;
use stepless::profile::document::DocumentRules;
use stepless::profile::document::read;
use stepless::x509::certificate::Certificate;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_cert::der::Decode;

/// What became of a rendered text.
pub(crate) enum Made {
    /// A certificate, with how it differs from the recorded one.
    Certificate(Result<(), String>),
    /// Nothing, for this reason.
    Refused(String),
}

/// The issuer of every case.
pub(crate) fn issuer(folder: &Path) -> Result<Certificate, String> {
    let path = folder.join("issuer.pem");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let block = pem::decode_first(&text).ok_or("issuer.pem holds no PEM block")?;
    Certificate::parse(&block.content).map_err(|error| format!("issuer.pem: {error}"))
}

/// Reads the text as a document and makes the certificate for `csr`.
pub(crate) fn make(rendered: &[u8], csr: &Csr, issuer: &Certificate, recorded: &Value) -> Made {
    // A text that is not UTF-8 is refused before it is read.
    let draft = std::str::from_utf8(rendered)
        .map_err(|error| error.to_string())
        .and_then(|json| read(json, &DocumentRules::default()).map_err(|error| error.to_string()));
    match draft.and_then(|draft| Ok((issue(&draft, csr, issuer)?, draft))) {
        Ok((certificate, draft)) => Made::Certificate(compare(&draft, &certificate, recorded)),
        Err(reason) => Made::Refused(reason),
    }
}

/// Makes the certificate, all but its signature.
fn issue(draft: &Draft, csr: &Csr, issuer: &Certificate) -> Result<Certificate, String> {
    let public_key = csr.public_key();
    let default_serial = SerialNumber::from(1);
    let epoch = OffsetDateTime::UNIX_EPOCH;
    let issuance = Issuance {
        issuer,
        public_key,
        serial_number: draft.serial_number.as_ref().unwrap_or(&default_serial),
        not_before: draft.not_before.unwrap_or(epoch),
        not_after: draft.not_after.unwrap_or(epoch),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        extra_extensions: &[],
    };
    let tbs_certificate = draft.to_be_signed(&issuance).map_err(|error| error.to_string())?;
    let der = stepless::x509::tbs::assemble(&tbs_certificate, SignatureAlgorithm::EcdsaSha256, &[0]);
    x509_cert::Certificate::from_der(&der)
        .map_err(|error| format!("another reader refuses the certificate: {error}"))?;
    Certificate::parse(&der).map_err(|error| error.to_string())
}

fn compare(draft: &Draft, certificate: &Certificate, expected: &Value) -> Result<(), String> {
    same("subject", &hex(certificate.subject_der()), text(expected, "subjectDerHex"))?;
    let extensions: Vec<String> = certificate
        .extensions()
        .iter()
        .map(|extension| format!("{} {} {}", extension.oid, extension.critical, hex(&extension.value)))
        .collect();
    let wanted: Vec<String> = expected["extensions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|extension| {
            format!("{} {} {}", text(extension, "id"), extension["critical"], text(extension, "valueHex"))
        })
        .collect();
    same("extensions", &extensions.join("\n"), &wanted.join("\n"))?;

    let instant = |time: Option<OffsetDateTime>| {
        time.and_then(|time| time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok())
    };
    same("notBefore", instant(draft.not_before).as_deref().unwrap_or_default(), text(expected, "notBefore"))?;
    same("notAfter", instant(draft.not_after).as_deref().unwrap_or_default(), text(expected, "notAfter"))?;
    let serial_number = draft.serial_number.as_ref().map(ToString::to_string).unwrap_or_default();
    same("serialNumber", &serial_number, text(expected, "serialNumber"))?;
    let algorithm = expected["signatureAlgorithm"].as_str().is_some();
    same("signatureAlgorithm", &draft.signature_algorithm.is_some().to_string(), &algorithm.to_string())
}

fn same(what: &str, found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is\n{found}\nbut should be\n{wanted}")) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
