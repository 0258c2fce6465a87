//! The forms of names: what a DNS name, a mailbox, a URI look like in a document.
//!
//! step-ca's default template lets nearly anything pass as a DNS name, and so does the default draft; a document is
//! held to the standards.

use crate::uri::Uri;
use crate::x509::mailbox::Mailbox;
use crate::x509::mailbox::domain_labels;
use crate::x509::san::San;

/// Why a name has not the form of its kind.
pub(super) fn check(name: &San) -> Result<(), String> {
    match name {
        San::Dns(text) => check_dns(text),
        San::Email(text) => check_mailbox(text),
        San::Uri(text) => check_uri(text),
        San::Ip(_) => Ok(()),
    }
}

/// Labels of letters, digits, hyphens and underscores, up to 63 octets each and 253 in all; the first one may be `*`.
pub(super) fn check_dns(text: &str) -> Result<(), String> {
    let labels = text.strip_prefix("*.").unwrap_or(text);
    if is_domain(labels) && text.len() <= 253 { Ok(()) } else { Err(format!("{text:?} is not a DNS name")) }
}

pub(super) fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    })
}

/// A mailbox of RFC 2821 with a domain.
pub(super) fn check_mailbox(text: &str) -> Result<(), String> {
    let mailbox =
        Mailbox::parse(text).filter(|_| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    let literal = |domain: &str| domain.starts_with('[') && domain.ends_with(']');
    match mailbox {
        Some(Mailbox { domain, .. }) if is_domain(&domain) || literal(&domain) => Ok(()),
        _ => Err(format!("{text:?} is not a mailbox")),
    }
}

/// An absolute URI of ASCII characters (RFC 5280 §4.2.1.6); a space in an opaque part or query is left alone.
pub(super) fn check_uri(text: &str) -> Result<(), String> {
    let absolute = Uri::parse(text).is_ok_and(|uri| !uri.scheme().is_empty());
    if absolute && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(format!("{text:?} is not an absolute URI"))
    }
}

/// Whether Go reads the certificate that has this name: a host in a URI, its port included, may be anything of visible
/// ASCII without empty labels. step-ca reads what it is about to issue, and then answers 500.
pub(super) fn has_readable_host(name: &San) -> bool {
    match name {
        San::Uri(text) => Uri::parse(text).is_ok_and(|uri| domain_labels(&uri.host()).is_some()),
        _ => true,
    }
}

/// Whether there are control characters: C0, DEL or C1.
pub(super) fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(check: impl Fn(&str) -> Result<(), String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
        for text in bad {
            assert!(check(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn dns_names() {
        let long = ["a"; 127].join(".");
        let too_long = ["a"; 128].join(".");
        let label = "l".repeat(64);
        check_all(
            check_dns,
            &[
                "localhost",
                "A.example",
                "*.a.example",
                "_sip._tcp.a",
                "a-b",
                "xn--bcher-kva.example",
                "1.2.3.4",
                &long,
            ],
            &[
                "",
                "*",
                "*.",
                "a.*.b",
                "*.*.a",
                "a..b",
                ".a",
                "a.",
                "a b",
                "a%zz",
                "bücher.example",
                "a\u{0}",
                "<nil>",
                "a:80",
                "a@b",
                &too_long,
                &label,
            ],
        );
    }

    #[test]
    fn mailboxes_and_uris() {
        check_all(
            check_mailbox,
            &["a@b.example", "\"a b\"@x", "a@[10.0.0.1]"],
            &["", "a", "a@", "@b", "a b@c", "a@b@c", "ä@b", "a@b c", "a@b.", "a@b/c", "\"a\u{7f}\"@x"],
        );
        check_all(
            check_uri,
            &["https://x/", "urn:uuid:1", "localhost:8080", "spiffe://x/y"],
            &["", "foo/bar", "//x/y", "https://ü/", "https://[::1", "a%zz"],
        );
    }

    #[test]
    fn control_characters() {
        assert!(has_control("a\u{0}") && has_control("\u{85}") && has_control("a\u{7f}"));
        assert!(!has_control("Zürich 😀"));
    }
}
