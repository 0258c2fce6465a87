//! `stepless inspect`: what a certificate, a certification request or a token says.

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::target;
use crate::config::DEFAULT_OID_ARC;
use crate::duration::format_rfc3339;
use crate::hex;
use crate::jose::jws::UnverifiedJws;
use crate::profile::GrantOids;
use crate::token::claims::Claims;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::extension;
use crate::x509::oid;
use crate::x509::pem;

/// The largest file that is read, in bytes.
const MAX_INPUT: u64 = 4 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to look at, PEM or a token; - reads standard input
    file: PathBuf,
    /// The OID arc of the grant extensions
    #[arg(long, value_name = "OID", default_value = DEFAULT_OID_ARC)]
    oid_arc: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let text = read(args)?;
    let oids = target::grant_oids(&args.oid_arc)?;
    let mut summaries = Vec::new();
    for block in pem::Blocks::new(text.as_bytes()) {
        let unreadable = |error: &dyn std::fmt::Display| unknown(args, &format!("{}: {error}", block.label));
        summaries.push(if block.label.ends_with("CERTIFICATE REQUEST") {
            let csr = Csr::parse(&block.content).and_then(|csr| csr.verify()).map_err(|e| unreadable(&e))?;
            request(&csr)
        } else if block.label == "CERTIFICATE" {
            certificate(&Certificate::parse(&block.content).map_err(|e| unreadable(&e))?, &oids)
        } else {
            return Err(unknown(args, &format!("a PEM block of {}", block.label)));
        });
    }
    if summaries.is_empty() {
        summaries.push(token(text.trim()).ok_or_else(|| unknown(args, "neither PEM nor a token"))?);
    }
    if args.json {
        let value = if summaries.len() == 1 { summaries.remove(0) } else { summaries.into() };
        super::print(&format!("{value}\n"));
    } else {
        let texts: Vec<String> = summaries.iter().map(self::text).collect();
        super::print(&texts.join("\n"));
    }
    Ok(())
}

fn unknown(args: &Args, what: &str) -> Failure {
    Failure::usage(
        format!("{} cannot be shown: {what}", args.file.display()),
        "give a certificate, a certification request or a token",
    )
}

fn read(args: &Args) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = if args.file.as_os_str() == "-" {
        std::io::stdin().take(MAX_INPUT).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(&args.file).and_then(|file| file.take(MAX_INPUT).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::file("read", &args.file, &error))?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// What a certificate says. Grant ids stand under their names.
pub(super) fn certificate(certificate: &Certificate, oids: &GrantOids) -> Value {
    let names: Vec<String> = certificate.subject_alt_names().names.iter().map(ToString::to_string).collect();
    let mut summary = json!({
        "kind": "certificate",
        "subject": certificate.common_name(),
        "names": names,
    });
    let Some(members) = summary.as_object_mut() else { return summary };
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    for (name, oid) in [("grantId", &oids.grant_id), ("subjectUserId", &oids.subject_user_id)] {
        if let Some(found) = certificate.extension(oid) {
            set(name, extension_text(&found.value).into());
        }
    }
    set("serialNumber", certificate.serial_number().to_string().into());
    set("notBefore", format_rfc3339(certificate.not_before()).into());
    set("notAfter", format_rfc3339(certificate.not_after()).into());
    if certificate.is_ca() {
        set("pathLength", certificate.path_length().into());
    }
    let key = certificate.public_key();
    set("key", key.map_or_else(|_| "unknown".to_owned(), |key| format!("{:?}", key.kind())).into());
    let provisioner = certificate.extension(&oid::STEP_PROVISIONER);
    if let Some(Ok(provisioner)) = provisioner.map(|found| extension::Provisioner::parse(&found.value)) {
        set("provisioner", provisioner.name.into());
    }
    let oids: Vec<String> = certificate.extensions().iter().map(|e| e.oid.to_string()).collect();
    set("extensions", oids.into());
    set("sha256", hex::encode(&certificate.fingerprint()).into());
    summary
}

/// The text of a DER UTF8String, or the value in hexadecimal digits.
fn extension_text(value: &[u8]) -> String {
    extension::utf8_text(value).unwrap_or_else(|| hex::encode(value))
}

fn request(csr: &Csr) -> Value {
    json!({
        "kind": "certification request",
        "subject": csr.common_name(),
        "names": csr.names(),
        "key": format!("{:?}", csr.public_key().kind()),
        "sha256": hex::encode(&csr.fingerprint()),
    })
}

/// What a token says, without its signature: the output is no token any more.
fn token(text: &str) -> Option<Value> {
    let jws = UnverifiedJws::parse(text).ok()?;
    let claims = Claims::parse(jws.payload()).ok()?;
    let time = |seconds: Option<i64>| {
        let instant = time::OffsetDateTime::from_unix_timestamp(seconds?).ok()?;
        Some(format_rfc3339(instant))
    };
    Some(json!({
        "kind": "token (signature not checked)",
        "algorithm": jws.header().member("alg"),
        "kid": jws.header().key_id(),
        "issuer": claims.issuer,
        "subject": claims.subject,
        "names": claims.names(),
        "audience": claims.audience,
        "issuedAt": time(claims.issued_at),
        "expires": time(claims.expires_at),
        "grantId": claims.all.get(crate::profile::GRANT_ID),
        "subjectUserId": claims.all.get(crate::profile::SUBJECT_USER_ID),
        "bound": claims.step_sha.is_some() || claims.confirmation.is_some(),
    }))
}

/// A summary as lines of name and value.
pub(super) fn text(summary: &Value) -> String {
    let mut lines = String::new();
    for (name, value) in summary.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<String> =
                    items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect();
                items.join(", ")
            }
            other => other.to_string(),
        };
        lines.push_str(&format!("{:<16} {value}\n", label(name)));
    }
    lines
}

/// `grantId` as `grant id`.
fn label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            label.push(' ');
        }
        label.push(c.to_ascii_lowercase());
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_values_are_readable() {
        let summary = json!({"grantId": "x", "names": ["a", "b"], "none": null});
        assert_eq!(text(&summary), "grant id         x\nnames            a, b\n");
        assert_eq!(extension_text(&[0x0c, 2, b'h', b'i']), "hi");
        assert_eq!(extension_text(&[0x0c, 3, b'h', b'i']), "0c036869");
    }
}
