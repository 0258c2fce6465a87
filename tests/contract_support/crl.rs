//! Compares a new CRL with the decoded summary of the recorded one.
//!
//! Read with the crate x509-cert and not with our own reader.

use der::Decode;
use der::Encode;
use serde_json::Value;
use serde_json::json;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::CrlReason;

pub(crate) fn compare(expected: &Value, body: &[u8]) -> Result<(), String> {
    let pem = body.starts_with(b"-----BEGIN");
    let der = if pem {
        let (label, der) = pem_rfc7468::decode_vec(body).map_err(|e| format!("no PEM: {e}"))?;
        if label != "X509 CRL" {
            return Err(format!("label {label}"));
        }
        der
    } else {
        body.to_vec()
    };
    let list = CertificateList::from_der(&der).map_err(|e| format!("no CRL: {e}"))?;
    let (expected, got) = (sorted(expected.clone()), sorted(summary(&list)));
    if expected == got { Ok(()) } else { Err(format!("crl: expected {expected}, got {got}")) }
}

/// The order of entries is free.
fn sorted(mut summary: Value) -> Value {
    if let Some(entries) = summary["entries"].as_array_mut() {
        entries.sort_by_key(Value::to_string);
    }
    summary
}

fn summary(list: &CertificateList) -> Value {
    let tbs = &list.tbs_cert_list;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let extensions = tbs.crl_extensions.iter().flatten();
    let number = extensions.clone().find(|e| e.extn_id.to_string() == "2.5.29.20");
    let number =
        number.map(|e| e.extn_value.as_bytes().iter().skip(2).fold(0, |n, b| n * 256 + u64::from(*b)));
    let extensions: Vec<Value> = extensions
        .map(|e| json!({"oid": e.extn_id.to_string(), "critical": e.critical, "valueHex": hex(e.extn_value.as_bytes())}))
        .collect();
    let entries: Vec<Value> = tbs
        .revoked_certificates
        .iter()
        .flatten()
        .map(|entry| {
            let serial = entry.serial_number.as_bytes().iter().fold(0_u128, |n, b| n << 8 | u128::from(*b));
            let reason = entry.crl_entry_extensions.iter().flatten().next();
            json!({
                "serial": serial.to_string(),
                "revokedAt": entry.revocation_date.to_date_time().to_string(),
                "reason": reason.map(|e| reason_name(e.extn_value.as_bytes())),
            })
        })
        .collect();
    json!({
        "number": number,
        "thisUpdate": tbs.this_update.to_date_time().to_string(),
        "nextUpdate": tbs.next_update.map(|time| time.to_date_time().to_string()),
        "issuerHex": hex(&tbs.issuer.to_der().expect("DER that was just decoded")),
        "extensions": extensions,
        "entries": entries,
        "signatureAlgorithm": list.signature_algorithm.oid.to_string(),
    })
}

fn reason_name(value: &[u8]) -> &'static str {
    match CrlReason::from_der(value) {
        Ok(CrlReason::KeyCompromise) => "keyCompromise",
        Ok(_) => "another reason",
        Err(_) => "no reason",
    }
}
