//! `GET /crl`, over HTTPS and on the plain listener.

use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::http::path;
use crate::http::problem;
use crate::http::problem::Early;
use crate::http::routes::Asked;
use crate::x509::pem;

/// RFC 1123 with the zone's name where RFC 9110 §5.6.7 has `GMT`: so does Go.
const RFC_1123: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] UTC");

/// The CRL as DER, or as PEM if the query has a `pem` of any value.
pub(super) async fn crl(asked: Asked<'_>) -> Result<Response, Early> {
    let app = asked.app;
    let turn = app.turn().await?;
    let crl = match app.authority.crl().await {
        Ok(crl) => crl,
        Err(error) => return Ok(problem::refusal(app, &error)),
    };
    drop(turn);
    let expires = OffsetDateTime::from_unix_timestamp(crl.next_update).ok();
    let expires = expires.and_then(|time| time.format(RFC_1123).ok()).unwrap_or_default();
    let (kind, name, body) = if path::has_query_key(asked.query(), "pem") {
        ("application/x-pem-file", "crl.pem", pem::encode("X509 CRL", &crl.der).into_bytes())
    } else {
        ("application/pkix-crl", "crl.crl", crl.der)
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::try_from(disposition).unwrap_or(NONE)),
        (header::EXPIRES, HeaderValue::try_from(expires).unwrap_or(NONE)),
    ];
    Ok((headers, body).into_response())
}

/// Stands for a value that cannot be written; there is none.
const NONE: HeaderValue = HeaderValue::from_static("");
