//! The forms that answers may have (CONTRACT.md sections 1 to 10).

use serde_json::Value;

use crate::common::https::Answer;
use crate::desk::Asked;
use crate::desk::Listener;

/// The methods that Go's router knows.
const USUAL: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Fails unless the answer is one that the contract has for the route.
pub(crate) fn check(asked: &Asked, answer: &Answer) {
    let what = || format!("{asked:?}: {} {:?} {}", answer.status, answer.headers, answer.text());
    let id = answer.header("x-request-id").unwrap_or_else(|| panic!("no request id: {}", what()));
    match &asked.request_id {
        Some(sent) => assert_eq!(id, sent),
        None => {
            let id = uuid::Uuid::parse_str(id).unwrap_or_else(|error| panic!("{error}: {}", what()));
            assert_eq!(id.get_version_num(), 4, "{}", what());
        }
    }
    let served = asked.listener != Listener::Plain || asked.route == Some("/crl");
    let route = asked.route.filter(|_| served);
    if !USUAL.contains(&asked.method) {
        assert_eq!((answer.status, answer.header("allow")), (405, None), "{}", what());
        assert!(answer.body.is_empty(), "{}", what());
        return;
    }
    let Some(route) = route else {
        assert_eq!(answer.status, 404, "{}", what());
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{}", what());
        if asked.method != "HEAD" {
            assert_eq!(answer.text(), "404 page not found\n");
        }
        return;
    };
    let (own, permitted): (&str, &[u16]) = match route {
        "/sign" => ("POST", &[201, 400, 401, 403, 413]),
        "/renew" | "/re-sign" => ("POST", &[201, 400, 401]),
        "/rekey" => ("POST", &[201, 400, 413]),
        "/revoke" => ("POST", &[200, 400, 401, 403, 413, 501]),
        "/root/{sha}" | "/provisioners/{kid}/encrypted-key" => ("GET", &[200, 404]),
        "/provisioners" => ("GET", &[200, 400]),
        _ => ("GET", &[200, 201]),
    };
    let fits = asked.method == own || (asked.method == "HEAD" && own == "GET");
    if !fits {
        assert_eq!((answer.status, answer.header("allow")), (405, Some(own)), "{}", what());
        assert!(answer.body.is_empty(), "{}", what());
        return;
    }
    assert!(permitted.contains(&answer.status), "{}", what());
    if asked.method == "HEAD" {
        return;
    }
    match (route, answer.status) {
        ("/roots.pem" | "/intermediates.pem", 200) => {
            assert_eq!(answer.header("content-type"), Some("application/x-pem-file"));
            assert!(answer.text().starts_with("-----BEGIN CERTIFICATE-----\n"), "{}", what());
        }
        ("/crl", 200) => {
            let pem = asked.path.contains("pem");
            let kind = if pem { "application/x-pem-file" } else { "application/pkix-crl" };
            assert_eq!(answer.header("content-type"), Some(kind));
            assert!(answer.body.starts_with(if pem { b"-----BEGIN X509 CRL-----" } else { b"\x30" }));
        }
        _ => check_json(route, answer, &what),
    }
}

/// One object with the members of the route or of a refusal, and a final newline.
fn check_json(route: &str, answer: &Answer, what: &dyn Fn() -> String) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", what());
    assert!(answer.body.ends_with(b"}\n"), "{}", what());
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", what()));
    let members: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    if answer.status >= 400 {
        // One check of renew tokens borrows the form of step-ca's admin interface.
        if members == ["type", "detail", "message"] {
            assert_eq!((route.starts_with("/re"), answer.status), (true, 401), "{}", what());
            return;
        }
        assert_eq!(members, ["status", "message"], "{}", what());
        assert_eq!(body["status"], answer.status, "{}", what());
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", what());
        return;
    }
    let expected: &[&str] = match route {
        "/health" | "/revoke" => &["status"],
        "/version" => &["version"],
        "/root/{sha}" => &["ca"],
        "/roots" | "/federation" | "/intermediates" => &["crts"],
        "/provisioners" => &["provisioners", "nextCursor"],
        "/provisioners/{kid}/encrypted-key" => &["key"],
        _ => &["crt", "ca", "certChain", "tlsOptions"],
    };
    assert_eq!(members, expected, "{}", what());
}
