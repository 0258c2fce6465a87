//! One certificate: what it is called, how it is, and all that is known of it.

use crate::hex;
use crate::http::admin::table;
use crate::http::admin::table::Column;
use crate::http::html;
use crate::http::html::escape;
use crate::profile::GrantOids;
use crate::store::CertificateRecord;
use crate::store::Listed;
use crate::store::Revocation;
use crate::x509::certificate::Certificate;
use crate::x509::pem;
use crate::x509::words;

/// Its subject, or its serial number if it has none.
pub(super) fn name(listed: &Listed) -> String {
    let subject = listed.certificate.as_ref().map(|record| record.subject.clone());
    subject.filter(|subject| !subject.is_empty()).unwrap_or_else(|| listed.serial.to_string())
}

/// A link to its page.
pub(super) fn link(listed: &Listed) -> String {
    format!("<a href=\"/certificates/{}\">{}</a>", listed.serial, escape(&name(listed)))
}

/// The same with the grant below it.
pub(super) fn link_and_grant(listed: &Listed) -> String {
    let grant = listed.certificate.as_ref().and_then(|record| record.grant_id.as_deref());
    let grant = grant.map(|grant| format!("<small>grant {}</small>", escape(grant)));
    format!("{}{}", link(listed), grant.unwrap_or_default())
}

/// Whether it is valid, in a word.
pub(super) fn status(listed: &Listed, now: i64) -> String {
    let (class, text) = match (&listed.revocation, &listed.certificate) {
        (Some(_), _) => (" bad", "revoked"),
        (None, Some(record)) if record.not_after < now => ("", "expired"),
        (None, Some(record)) if record.not_before > now => (" warn", "not valid yet"),
        _ => (" go", "valid"),
    };
    format!("<span class=\"pill{class}\">{text}</span>")
}

/// All of it.
pub(super) fn in_full(listed: &Listed, oids: &GrantOids, now: i64) -> String {
    let mut html = format!("<p>{}</p>\n", status(listed, now));
    html.push_str(&listed.revocation.as_ref().map(revoked).unwrap_or_default());
    let Some(record) = &listed.certificate else {
        let serial = html::terms(&[("serial number", code(&listed.serial.to_string()))]);
        return html
            + &serial
            + "<p>It was revoked without being on record: another authority issued it.</p>\n";
    };
    let parsed = Certificate::parse(&record.der).ok();
    html.push_str(&html::terms(&[
        (
            "subject",
            parsed
                .as_ref()
                .map_or_else(|| escape(&record.subject), |c| escape(&words::subject(c.subject_der()))),
        ),
        ("names", parsed.as_ref().map(names).unwrap_or_default()),
        ("valid from", html::moment_of(record.not_before)),
        ("valid until", html::moment_of(record.not_after)),
        ("serial number", code(&listed.serial.to_string())),
    ]));
    html.push_str("<h2>Who got it</h2>\n");
    html.push_str(&issue(record));
    if let Some(certificate) = &parsed {
        html.push_str("<h2>What it says</h2>\n");
        html.push_str(&details(certificate));
        html.push_str("<h2>Extensions</h2>\n");
        html.push_str(&extensions(certificate, oids));
    }
    html.push_str(&format!(
        "<h2>PEM</h2>\n<pre>{}</pre>\n",
        escape(&pem::encode("CERTIFICATE", &record.der))
    ));
    html
}

fn revoked(revocation: &Revocation) -> String {
    let code = words::REVOCATION_REASONS.get(usize::from(revocation.reason_code)).unwrap_or(&"");
    let reason =
        if revocation.reason.is_empty() { String::new() } else { format!(": {}", revocation.reason) };
    format!(
        "<p class=\"bad\">Revoked {} by {}, {}{}</p>\n",
        html::moment_of(revocation.revoked_at),
        escape(revocation.provisioner_id.as_deref().unwrap_or("its own key")),
        escape(code),
        escape(&reason)
    )
}

fn issue(record: &CertificateRecord) -> String {
    let optional = |text: &Option<String>| text.as_deref().map(code).unwrap_or_default();
    html::terms(&[
        ("issued", html::moment_of(record.issued_at)),
        ("provisioner", escape(&record.provisioner)),
        ("grant", optional(&record.grant_id)),
        ("grant's user", optional(&record.subject_user_id)),
        ("request", code(&record.request_id)),
    ])
}

fn details(certificate: &Certificate) -> String {
    let algorithm = certificate.signature_algorithm().map(|algorithm| format!("{algorithm:?}"));
    html::terms(&[
        ("issuer", escape(&words::subject(certificate.issuer_der()))),
        (
            "key",
            certificate.public_key().map_or_else(|_| "unknown".to_owned(), |key| format!("{:?}", key.kind())),
        ),
        ("signature", algorithm.unwrap_or_else(|| "unknown".to_owned())),
        ("SHA-256", html::fingerprint(&hex::encode(&certificate.fingerprint()))),
    ])
}

fn names(certificate: &Certificate) -> String {
    let names = &certificate.subject_alt_names().names;
    names.iter().map(|name| escape(&name.to_string())).collect::<Vec<_>>().join("<br>")
}

fn extensions(certificate: &Certificate, oids: &GrantOids) -> String {
    const COLUMNS: [Column; 3] =
        [Column("extension", ""), Column("critical", "critical"), Column("value", "value")];
    let rows: String = { certificate.extensions().iter() }
        .map(|extension| {
            let name = match &extension.oid {
                oid if *oid == oids.grant_id => Some("grant id"),
                oid if *oid == oids.subject_user_id => Some("subject user id"),
                oid => words::extension_name(oid),
            };
            let oid = extension.oid.to_string();
            let title = match name {
                Some(name) => format!("{name}<small>{}</small>", code(&oid)),
                None => code(&oid),
            };
            let value = match words::extension_value(extension) {
                Some(words) => escape(&words),
                None => code(&hex::encode(&extension.value)),
            };
            let critical = if extension.critical { "yes" } else { "no" };
            table::row(&COLUMNS, &[title, critical.to_owned(), format!("<div>{value}</div>")])
        })
        .collect();
    table::or("<p>It has none.</p>\n", &COLUMNS, &rows)
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}
