//! Compares a new certificate with the decoded summary of the recorded one.
//!
//! Read with the crate x509-cert and not with our own reader.

use der::Decode;
use der::Encode;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use x509_cert::Certificate;
use x509_cert::time::Time;

pub(crate) fn compare(expected: &Value, pem: &str) -> Result<(), String> {
    let (_, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|e| format!("crt is no PEM: {e}"))?;
    let certificate = Certificate::from_der(&der).map_err(|e| format!("crt is no certificate: {e}"))?;
    let got = summary(&certificate);
    for (name, value) in expected.as_object().into_iter().flatten() {
        if name != "serialBits" && got.get(name) != Some(value) {
            return Err(format!("leaf {name}: expected {value}, got {}", got[name]));
        }
    }
    let serial = certificate.tbs_certificate().serial_number().as_bytes().len();
    if serial > 17 { Err(format!("serial number of {serial} octets")) } else { Ok(()) }
}

/// The DER of a subject of one short common name, a PrintableString, in hexadecimal digits.
pub(crate) fn common_name_hex(name: &str) -> String {
    let length = name.len();
    let text: String = name.bytes().map(|b| format!("{b:02x}")).collect();
    format!("30{:02x}31{:02x}30{:02x}0603550403 13{length:02x}{text}", length + 11, length + 9, length + 7)
        .replace(' ', "")
}

fn summary(certificate: &Certificate) -> Value {
    let tbs = certificate.tbs_certificate();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (not_before, not_after) = (tbs.validity().not_before, tbs.validity().not_after);
    let text = |time: Time| time.to_date_time().to_string();
    let kind = |time: Time| match time {
        Time::UtcTime(_) => "UTCTime",
        Time::GeneralTime(_) => "GeneralizedTime",
    };
    let extensions: Vec<Value> = tbs
        .extensions()
        .into_iter()
        .flatten()
        .map(|e| json!({"oid": e.extn_id.to_string(), "critical": e.critical, "valueHex": hex(e.extn_value.as_bytes())}))
        .collect();
    let bytes = |encoded: der::Result<Vec<u8>>| encoded.expect("DER that was just decoded");
    json!({
        "version": 3,
        "signatureAlgorithmHex": hex(&bytes(certificate.signature_algorithm().to_der())),
        "issuerHex": hex(&bytes(tbs.issuer().to_der())),
        "subjectHex": hex(&bytes(tbs.subject().to_der())),
        "notBefore": text(not_before),
        "notAfter": text(not_after),
        "timeTypes": [kind(not_before), kind(not_after)],
        "publicKeySha256": hex(&sha2::Sha256::digest(bytes(tbs.subject_public_key_info().to_der()))),
        "extensions": extensions,
    })
}
