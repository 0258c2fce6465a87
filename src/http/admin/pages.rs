//! The operator's pages: certificates by expiry, by search, those revoked; and the frame of all pages.

use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Response;

use crate::http::admin::Desk;
use crate::http::admin::certificate;
use crate::http::admin::table;
use crate::http::admin::table::Column;
use crate::http::admin::timeline;
use crate::http::admin::timeline::Span;
use crate::http::html;
use crate::http::html::escape;
use crate::http::path;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::x509::serial::SerialNumber;
use crate::x509::words;

/// How many rows a table has at most.
const ROWS: usize = 200;

/// How many certificates the timeline counts at most: their records are read whole, about 2 kB each.
const COUNTED: usize = 5000;

/// The pages of the menu.
const MENU: [(&str, &str); 6] = [
    ("/", "By expiry"),
    ("/certificates", "All"),
    ("/revoked", "Revoked"),
    ("/refusals", "Refusals"),
    ("/metrics", "Metrics"),
    ("/ready", "Ready"),
];

/// `GET /`: the valid certificates, those that expire first at the top; `?until=day` shows one part of them.
pub(super) async fn overview(State(desk): State<Desk>, uri: Uri) -> Response {
    let now = now(&desk);
    let span = Span::named(&path::query_value(uri.query().unwrap_or_default(), "until"));
    let filter = Filter { order: Order::Expiry, expiring_from: Some(now), ..Filter::default() };
    let body = list(&desk, filter, COUNTED).await.map(|listed| {
        let whole = listed.len() < COUNTED;
        let valid: Vec<Listed> = listed.into_iter().filter(|listed| listed.revocation.is_none()).collect();
        let more = format!(
            "<p class=\"soft\">The first {COUNTED} to expire are counted; <code>stepless list</code> shows all.</p>\n"
        );
        timeline::write(&valid, span, now, ROWS) + if whole { "" } else { &more }
    });
    page(
        &desk,
        "/",
        StatusCode::OK,
        "Certificates by expiry",
        "",
        &body.unwrap_or_else(|error| fault(&error)),
    )
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
    let now = now(&desk);
    let found = list(&desk, filter, ROWS).await.map(|listed| {
        let none = if text.is_empty() {
            "<p>No certificate is on record yet.</p>\n"
        } else {
            "<p>None. A search is for a grant's id, a serial number, or a part of a name.</p>\n"
        };
        table::or(none, &COLUMNS, &rows(&listed, |listed| certificate_row(listed, now))) + &shortened(&listed)
    });
    let title = if text.is_empty() { "All certificates".to_owned() } else { format!("Search: {text}") };
    let current = if text.is_empty() { "/certificates" } else { "" };
    page(&desk, current, StatusCode::OK, &title, text, &found.unwrap_or_else(|error| fault(&error)))
}

/// `GET /revoked`: those revoked, the newest certificates first.
pub(super) async fn revoked(State(desk): State<Desk>) -> Response {
    const COLUMNS: [Column; 5] = [
        Column("certificate", ""),
        Column("revoked", "revoked"),
        Column("reason", "reason"),
        Column("by", "by"),
        Column("valid until", "until"),
    ];
    let now = now(&desk);
    let row = |listed: &Listed| {
        let revocation = listed.revocation.as_ref()?;
        let code = words::REVOCATION_REASONS.get(usize::from(revocation.reason_code)).unwrap_or(&"");
        let reason = match revocation.reason.as_str() {
            "" => escape(code),
            text => format!("{}<small>{}</small>", escape(code), escape(text)),
        };
        let end = listed.certificate.as_ref().map(|record| record.not_after).or(revocation.expires_at);
        Some(table::row(
            &COLUMNS,
            &[
                certificate::link(listed),
                html::moment_of(revocation.revoked_at),
                format!("<div>{reason}</div>"),
                escape(revocation.provisioner_id.as_deref().unwrap_or("its own key")),
                match end {
                    Some(end) if end < now => {
                        format!("<div>{}<small>expired</small></div>", html::moment_of(end))
                    }
                    Some(end) => html::moment_of(end),
                    None => "unknown".to_owned(),
                },
            ],
        ))
    };
    let listed = list(&desk, Filter { revoked: true, ..Filter::default() }, ROWS).await;
    let body = listed.map(|listed| {
        let rows: String = listed.iter().filter_map(row).collect();
        table::or("<p>None. What is revoked is listed here for good.</p>\n", &COLUMNS, &rows)
            + &shortened(&listed)
    });
    let body = body.unwrap_or_else(|error| fault(&error));
    page(&desk, "/revoked", StatusCode::OK, "Revoked certificates", "", &body)
}

/// `GET /certificates/{serial}`: one certificate in full.
pub(super) async fn certificate(State(desk): State<Desk>, Path(serial): Path<String>) -> Response {
    let missing = |why: &str| {
        page(&desk, "", StatusCode::NOT_FOUND, "No such certificate", "", &format!("<p>{why}</p>\n"))
    };
    let Ok(serial) = SerialNumber::parse_signed(&serial) else { return missing("This is no serial number.") };
    match list(&desk, Filter { serial: Some(serial), ..Filter::default() }, 1).await {
        Err(error) => page(&desk, "", StatusCode::SERVICE_UNAVAILABLE, "Certificate", "", &fault(&error)),
        Ok(listed) => match listed.first() {
            None => missing("It is not on record."),
            Some(listed) => {
                let oids = desk.current.get().authority().grant_oids().clone();
                let body = certificate::in_full(listed, &oids, now(&desk));
                page(&desk, "", StatusCode::OK, &certificate::name(listed), "", &body)
            }
        },
    }
}

const COLUMNS: [Column; 4] = [
    Column("certificate", ""),
    Column("status", "status"),
    Column("valid until", "until"),
    Column("provisioner", "provisioner"),
];

fn certificate_row(listed: &Listed, now: i64) -> String {
    let record = listed.certificate.as_ref();
    let cells = [
        certificate::link_and_grant(listed),
        certificate::status(listed, now),
        record.map(|record| html::moment_of(record.not_after)).unwrap_or_default(),
        escape(record.map_or("", |record| &record.provisioner)),
    ];
    table::row(&COLUMNS, &cells)
}

fn rows(listed: &[Listed], row: impl Fn(&Listed) -> String) -> String {
    listed.iter().map(row).collect()
}

fn shortened(listed: &[Listed]) -> String {
    let more =
        format!("<p class=\"soft\">The first {ROWS} are shown; <code>stepless list</code> shows all.</p>\n");
    if listed.len() == ROWS { more } else { String::new() }
}

pub(super) fn fault(error: &Error) -> String {
    format!("<p class=\"bad\">{}: {}.</p>\n", escape(&error.to_string()), escape(error.hint()))
}

/// A page in its frame; `searched` stands in the search box.
pub(super) fn page(
    desk: &Desk,
    current: &str,
    status: StatusCode,
    title: &str,
    searched: &str,
    body: &str,
) -> Response {
    let generation = desk.current.get();
    let name = generation.authority().config().ca.dns_names.first().map_or("stepless", String::as_str);
    let menu: String = { MENU.iter() }
        .map(|(href, text)| {
            let mark = if *href == current { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"{href}\"{mark}>{text}</a>\n")
        })
        .collect();
    let body = format!(
        "<header>\n<p><strong>{}</strong></p>\n<nav>\n{menu}</nav>\n\
         <form action=\"/certificates\" role=\"search\"><input name=\"q\" type=\"search\" aria-label=\"Search\" \
         placeholder=\"Grant, name or serial\" value=\"{}\"> <button>Search</button></form>\n</header>\n\
         <main>\n<h1>{}</h1>\n{body}</main>\n",
        escape(name),
        escape(searched),
        escape(title)
    );
    html::page(status, &format!("{title} · {name}"), &body)
}

async fn list(desk: &Desk, filter: Filter, limit: usize) -> Result<Vec<Listed>, Error> {
    let generation = desk.current.get();
    generation.authority().store().list(filter, limit).await
}

/// Unix seconds.
fn now(desk: &Desk) -> i64 {
    desk.current.get().authority().clock().now().unix_timestamp()
}
