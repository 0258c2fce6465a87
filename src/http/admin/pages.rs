//! The operator's pages: certificates by expiry, one in full, those revoked, refusals and why.

use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Response;
use time::OffsetDateTime;

use crate::duration::format_rfc3339;
use crate::hex;
use crate::http::admin::Desk;
use crate::http::html;
use crate::http::html::escape;
use crate::http::path;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::x509::certificate::Certificate;
use crate::x509::pem;
use crate::x509::serial::SerialNumber;

/// How many rows a page has at most.
const ROWS: usize = 200;

/// The parts of the timeline: seconds from now, and what they are called.
const SPANS: [(i64, &str); 5] = [
    (3600, "within an hour"),
    (86_400, "within a day"),
    (7 * 86_400, "within a week"),
    (30 * 86_400, "within 30 days"),
    (i64::MAX, "later"),
];

/// `GET /`: the valid certificates, those that expire first at the top.
pub(super) async fn overview(State(desk): State<Desk>) -> Response {
    let (now, filter) = (now(&desk), Filter { order: Order::Expiry, ..Filter::default() });
    let listed = list(&desk, Filter { expiring_from: Some(now), ..filter }).await;
    let mut body = String::new();
    match listed {
        Err(error) => body.push_str(&fault(&error)),
        Ok(listed) => {
            let valid: Vec<&Listed> = listed.iter().filter(|listed| listed.revocation.is_none()).collect();
            body.push_str(&timeline(&valid, now));
            body.push_str(&shortened(listed.len()));
        }
    }
    page(StatusCode::OK, "Certificates by expiry", &body)
}

/// `GET /certificates?q=`: by grant, serial number, or a part of a name.
pub(super) async fn search(State(desk): State<Desk>, uri: Uri) -> Response {
    let text = path::query_value(uri.query().unwrap_or_default(), "q");
    let text = text.trim();
    let filter = if let Ok(serial) = SerialNumber::parse_signed(text) {
        Filter { serial: Some(serial), ..Filter::default() }
    } else if uuid::Uuid::try_parse(text).is_ok() {
        Filter { grant_id: Some(text.to_lowercase()), ..Filter::default() }
    } else {
        Filter { name: (!text.is_empty()).then(|| text.to_owned()), ..Filter::default() }
    };
    let found = list(&desk, filter).await.map(|listed| table(&listed, now(&desk)));
    let title = if text.is_empty() { "All certificates".to_owned() } else { format!("Search: {text}") };
    page(StatusCode::OK, &title, &found.unwrap_or_else(|error| fault(&error)))
}

/// `GET /revoked`.
pub(super) async fn revoked(State(desk): State<Desk>) -> Response {
    let listed = list(&desk, Filter { revoked: true, ..Filter::default() }).await;
    let body = listed.map(|listed| table(&listed, now(&desk))).unwrap_or_else(|error| fault(&error));
    page(StatusCode::OK, "Revoked certificates", &body)
}

/// `GET /refusals`: the last ones, the newest first.
pub(super) async fn refusals(State(desk): State<Desk>) -> Response {
    let refusals = desk.metrics.snapshot().last_refusals;
    let mut rows = String::new();
    for refusal in refusals.iter().rev() {
        rows.push_str(&row(&[
            escape(&format_rfc3339(refusal.at)),
            format!("{} {}", refusal.status, escape(refusal.route)),
            format!("<code>{}</code>", escape(refusal.code)),
            escape(&refusal.cause),
            escape(refusal.provisioner.as_deref().unwrap_or_default()),
            format!("<code>{}</code>", escape(&refusal.request_id)),
        ]));
    }
    let body = rows_or_none(&["when", "answer", "code", "why", "provisioner", "request"], &rows);
    let note = "<p class=\"soft\">The last 200 since the start. docs/refusals.md explains the codes.</p>\n";
    page(StatusCode::OK, "Refusals", &format!("{note}{body}"))
}

/// `GET /certificates/{serial}`: one certificate in full.
pub(super) async fn certificate(State(desk): State<Desk>, Path(serial): Path<String>) -> Response {
    let Ok(serial) = SerialNumber::parse_signed(&serial) else {
        return page(StatusCode::NOT_FOUND, "No such certificate", "<p>This is no serial number.</p>\n");
    };
    match list(&desk, Filter { serial: Some(serial), ..Filter::default() }).await {
        Err(error) => page(StatusCode::SERVICE_UNAVAILABLE, "Certificate", &fault(&error)),
        Ok(listed) => match listed.first() {
            None => page(StatusCode::NOT_FOUND, "No such certificate", "<p>It is not on record.</p>\n"),
            Some(listed) => page(StatusCode::OK, "Certificate", &in_full(listed, now(&desk))),
        },
    }
}

fn in_full(listed: &Listed, now: i64) -> String {
    let mut terms = vec![("serial number", listed.serial.to_string()), ("status", status(listed, now).1)];
    let mut pem_text = String::new();
    if let Some(record) = &listed.certificate {
        terms.push(("subject", record.subject.clone()));
        if let Ok(parsed) = Certificate::parse(&record.der) {
            let names = &parsed.subject_alt_names().names;
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            terms.push(("names", names.join(", ")));
            terms.push((
                "key",
                parsed.public_key().map_or("unknown".into(), |key| format!("{:?}", key.kind())),
            ));
            terms.push(("SHA-256", hex::encode(&parsed.fingerprint())));
            let oids: Vec<String> = parsed.extensions().iter().map(|e| e.oid.to_string()).collect();
            terms.push(("extensions", oids.join(", ")));
        }
        terms.push(("valid from", instant(record.not_before)));
        terms.push(("valid until", instant(record.not_after)));
        terms.push(("issued", instant(record.issued_at)));
        terms.push(("provisioner", record.provisioner.clone()));
        terms.push(("grant", record.grant_id.clone().unwrap_or_default()));
        terms.push(("grant's user", record.subject_user_id.clone().unwrap_or_default()));
        terms.push(("request", record.request_id.clone()));
        pem_text = format!("<h2>PEM</h2>\n<pre>{}</pre>\n", escape(&pem::encode("CERTIFICATE", &record.der)));
    }
    if let Some(revocation) = &listed.revocation {
        terms.push(("revoked", instant(revocation.revoked_at)));
        terms.push(("reason", format!("{} {}", revocation.reason_code, revocation.reason)));
        terms.push(("revoked by", revocation.provisioner_id.clone().unwrap_or("its own key".to_owned())));
    }
    let terms: String = terms
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
        .collect();
    format!("<dl>\n{terms}</dl>\n{pem_text}")
}

/// A part for each span, in which a bar is as long as the certificate has left of it.
fn timeline(listed: &[&Listed], now: i64) -> String {
    let mut parts = String::new();
    let mut from = 0;
    for (to, name) in SPANS {
        let left = |listed: &Listed| listed.certificate.as_ref().map(|c| c.not_after.saturating_sub(now));
        let here: Vec<(&Listed, i64)> = { listed.iter() }
            .filter_map(|listed| Some((*listed, left(listed)?)))
            .filter(|(_, left)| (from..to).contains(left))
            .collect();
        from = to;
        let Some(longest) = here.iter().map(|(_, left)| *left).max() else { continue };
        let scale = if to == i64::MAX { longest.max(1) } else { to };
        let mut rows = String::new();
        for (listed, left) in &here {
            let width = left.saturating_mul(100) / scale;
            let bar = format!(
                "<svg viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"time left\">\
                 <rect class=\"rail\" width=\"100\" height=\"4\"/>\
                 <rect class=\"life\" width=\"{}\" height=\"4\"/></svg>",
                width.max(1)
            );
            let record = listed.certificate.as_ref();
            let end = record.map(|record| instant(record.not_after)).unwrap_or_default();
            rows.push_str(&row(&[link(listed), escape(&end), bar]));
        }
        parts.push_str(&format!("<h2>{name} <span class=\"soft\">({})</span></h2>\n", here.len()));
        parts.push_str(&rows_or_none(&["certificate", "until", "time left"], &rows));
    }
    if parts.is_empty() { "<p>No certificate on record is valid now.</p>\n".to_owned() } else { parts }
}

fn table(listed: &[Listed], now: i64) -> String {
    let rows: String = { listed.iter() }
        .map(|listed| {
            let (class, status) = status(listed, now);
            let record = listed.certificate.as_ref();
            row(&[
                link(listed),
                format!("<span class=\"{class}\">{}</span>", escape(&status)),
                escape(&record.map(|record| instant(record.not_after)).unwrap_or_default()),
                escape(record.map_or("", |record| &record.provisioner)),
                escape(record.and_then(|record| record.grant_id.as_deref()).unwrap_or_default()),
            ])
        })
        .collect();
    rows_or_none(&["certificate", "status", "until", "provisioner", "grant"], &rows)
        + &shortened(listed.len())
}

fn status(listed: &Listed, now: i64) -> (&'static str, String) {
    match (&listed.revocation, &listed.certificate) {
        (Some(revocation), _) => ("bad", format!("revoked {}", instant(revocation.revoked_at))),
        (None, Some(record)) if record.not_after < now => ("soft", "expired".to_owned()),
        _ => ("go", "valid".to_owned()),
    }
}

fn link(listed: &Listed) -> String {
    let name =
        listed.certificate.as_ref().map(|record| record.subject.as_str()).filter(|name| !name.is_empty());
    let serial = listed.serial.to_string();
    format!("<a href=\"/certificates/{serial}\">{}</a>", escape(name.unwrap_or(&serial)))
}

fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>\n")
}

fn rows_or_none(heads: &[&str], rows: &str) -> String {
    if rows.is_empty() {
        return "<p>None.</p>\n".to_owned();
    }
    let heads: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    format!("<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn shortened(rows: usize) -> String {
    let more =
        format!("<p class=\"soft\">The first {ROWS} are shown; <code>stepless list</code> shows all.</p>\n");
    if rows == ROWS { more } else { String::new() }
}

fn fault(error: &Error) -> String {
    format!("<p class=\"bad\">{}: {}.</p>\n", escape(&error.to_string()), escape(error.hint()))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let body = format!(
        "<nav><a href=\"/\">By expiry</a> <a href=\"/certificates\">All</a> <a href=\"/revoked\">Revoked</a> \
         <a href=\"/refusals\">Refusals</a> <a href=\"/metrics\">Metrics</a> <a href=\"/ready\">Ready</a></nav>\n\
         <form action=\"/certificates\"><input name=\"q\" aria-label=\"search\" \
         placeholder=\"Grant, name or serial number\"> <button>Search</button></form>\n\
         <h1>{}</h1>\n{body}",
        escape(title)
    );
    html::page(status, title, &body)
}

async fn list(desk: &Desk, filter: Filter) -> Result<Vec<Listed>, Error> {
    let generation = desk.current.get();
    generation.authority().store().list(filter, ROWS).await
}

/// Unix seconds.
fn now(desk: &Desk) -> i64 {
    desk.current.get().authority().clock().now().unix_timestamp()
}

fn instant(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(format_rfc3339).unwrap_or_default()
}
