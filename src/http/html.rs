//! HTML with everything that comes from elsewhere escaped, and the headers of a page that loads nothing from elsewhere.

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use time::OffsetDateTime;

use crate::duration::format_rfc3339;

/// Nothing but the stylesheet of the same listener and forms that lead to it; no scripts, no frames.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The stylesheet of all pages.
const STYLE: &str = include_str!("style.css");

/// Text for an element or a quoted attribute. Control characters are shown as U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            // Marks of direction could make a name look like another.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A page with this title; `body` is HTML already.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n{body}<footer>stepless {}</footer>\n</body>\n\
         </html>\n",
        escape(title),
        env!("CARGO_PKG_VERSION")
    );
    guarded((status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], html))
}

/// A moment as people read it, in UTC.
pub(super) fn moment(at: OffsetDateTime) -> String {
    let text = format_rfc3339(at.replace_nanosecond(0).unwrap_or(at));
    let shown = text.replace('T', " ").replace('Z', " UTC");
    format!("<time datetime=\"{}\">{}</time>", escape(&text), escape(&shown))
}

/// The same for Unix seconds.
pub(super) fn moment_of(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(moment).unwrap_or_default()
}

/// A SHA-256 fingerprint in groups that can be compared by eye, and still copied as one word.
pub(super) fn fingerprint(digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    let groups = digits.chunks(8).map(|group| format!("<span>{}</span>", group.iter().collect::<String>()));
    format!("<code class=\"fingerprint\">{}</code>", groups.collect::<String>())
}

/// A list of terms; what is in the descriptions is HTML already. Those without a description are left out.
pub(super) fn terms(terms: &[(&str, String)]) -> String {
    let terms = terms.iter().filter(|(_, description)| !description.is_empty());
    let terms: String =
        terms.map(|(term, description)| format!("<dt>{term}</dt><dd>{description}</dd>\n")).collect();
    format!("<dl>\n{terms}</dl>\n")
}

/// `GET /style.css`.
pub(super) fn style() -> Response {
    guarded(([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], STYLE))
}

/// An answer with the headers that keep other sites and caches out.
pub(super) fn guarded(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stylesheet_keeps_to_its_budget() {
        // Twice what one round trip brings on a new connection is more than a page of tables needs.
        assert!(STYLE.len() < 8 << 10, "{} bytes", STYLE.len());
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn moments_and_fingerprints_can_be_read() {
        assert_eq!(moment_of(0), "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00:00 UTC</time>");
        assert_eq!(
            fingerprint("0123456789abcdef"),
            "<code class=\"fingerprint\"><span>01234567</span><span>89abcdef</span></code>"
        );
    }

    #[test]
    fn nothing_that_is_escaped_is_markup() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
        check("\"' onload=x & co", "&quot;&#39; onload=x &amp; co");
        check("a\u{0}b\u{1b}[2J\u{202e}", "a\u{fffd}b\u{fffd}[2J\u{fffd}");
        check("bücher", "bücher");
    }
}
