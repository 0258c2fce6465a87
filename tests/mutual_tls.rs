//! Client certificates over real sockets: every kind of key, both versions of TLS, resumption, and a reload.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::fixture::Fixture;
use common::https::Client;
use common::https::Failure;
use common::https::Request;
use common::local::config;
use common::served::Identity;
use common::served::Served;
use common::served::TestKey;
use rustls::sign::CertifiedKey;
use serde_json::json;
use stepless::clock::Clock as _;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::extension::Extension;
use stepless::x509::oid;
use stepless::x509::pem;
use time::Duration;

fn renew() -> Request {
    Request::post("/1.0/renew", &json!(null))
}

#[track_caller]
fn check(client: &Client, request: &Request, expected: u16) -> serde_json::Value {
    let answer = client.send(request).unwrap();
    assert_eq!(answer.status, expected, "{}", answer.text());
    answer.json()
}

/// In TLS 1.3 a client is done before the server has judged its certificate.
#[track_caller]
fn check_refused(client: &Client) {
    let failure = client.send(&Request::get("/health")).unwrap_err();
    assert!(matches!(failure, Failure::Tls | Failure::Closed), "{failure:?}");
}

#[test]
fn every_kind_of_key_renews_in_both_versions() {
    let ca = Served::start("mosaic");
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519, KeyKind::Rsa] {
        let identity = ca.identity(kind, None);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let body = check(&ca.client_with(Some(&identity), &[version]), &renew(), 201);
            let crt = body["crt"].as_str().unwrap();
            let der = pem::Blocks::new(crt.as_bytes()).next().unwrap().content;
            let renewed = Certificate::parse(&der).unwrap();
            let old = Certificate::parse(&identity.0.cert[0]).unwrap();
            assert_eq!(renewed.spki_der(), old.spki_der(), "{kind} {version:?}");
            assert_eq!(renewed.not_after() - renewed.not_before(), old.not_after() - old.not_before());
        }
    }
    check(&ca.client(None), &renew(), 400);
}

#[test]
fn a_wrong_key_does_not_pass() {
    let ca = Served::start("mosaic");
    let identity = ca.identity(KeyKind::P521, None);
    let other = PrivateKey::generate(KeyKind::P521, &SystemEntropy::new()).unwrap();
    let key = Arc::new(TestKey(Arc::new(other)));
    let forged = Identity(Arc::new(CertifiedKey::new(identity.0.cert.clone(), key)));
    check_refused(&ca.client_with(Some(&forged), &[&rustls::version::TLS12]));
    check_refused(&ca.client_with(Some(&forged), &[&rustls::version::TLS13]));
}

#[test]
fn certificates_are_judged_in_the_handshake() {
    let ca = Served::start("mosaic");
    let unknown = Extension::new(oid::Oid::parse("1.2.3").unwrap(), true, vec![5, 0]);
    check_refused(&ca.client(Some(&ca.identity(KeyKind::P256, Some(unknown)))));
    let server_only = extension::extended_key_usage(&[oid::SERVER_AUTH]);
    check_refused(&ca.client(Some(&ca.identity(KeyKind::P256, Some(server_only)))));
    let stranger = Served::start("ed25519");
    let own = ca.identity(KeyKind::P256, None);
    check_refused(&stranger.client(Some(&own)));
    // One without a certificate is welcome.
    check(&stranger.client(None), &Request::get("/health"), 200);
}

#[test]
fn a_resumed_session_keeps_to_the_clock() {
    let ca = Served::start("mosaic");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let identity = ca.identity(KeyKind::P256, None);
        let client = ca.client_with(Some(&identity), &[version]);
        for _ in 0..3 {
            check(&client, &Request::get("/health"), 200);
        }
        let now = ca.local.clock.now();
        ca.local.clock.set(now + Duration::hours(2));
        check_refused(&client);
        ca.local.clock.set(now);
    }
}

#[test]
fn a_revoked_certificate_is_known_but_not_renewed() {
    let ca = Served::start("mosaic");
    let identity = ca.identity(KeyKind::P256, None);
    let client = ca.client(Some(&identity));
    let serial = Certificate::parse(&identity.0.cert[0]).unwrap().serial_number().to_string();
    let revoke = |serial: &str| {
        Request::post("/1.0/revoke", &json!({"serial": serial, "reasonCode": 1, "passive": true}))
    };
    check(&client, &revoke("5"), 403);
    check(&client, &revoke(&serial), 200);
    check(&client, &revoke(&serial), 400);
    check(&client, &renew(), 401);
}

#[test]
fn the_plain_listener_serves_the_crl_alone() {
    let ca = Served::start("insecure");
    let address = ca.insecure.unwrap();
    let get = |path: &str| {
        use std::io::Read;
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(get("/crl").starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/pkix-crl"));
    assert!(get("/1.0/crl?pem").contains("-----BEGIN X509 CRL-----"));
    assert!(get("/health").starts_with("HTTP/1.1 404"));

    // Without the CRL there is no plain listener either.
    let mut changed = config(&ca.local.fixture);
    changed.ca.crl = None;
    ca.reload(changed).unwrap();
    let open = || std::net::TcpStream::connect(address).is_ok();
    for _ in 0..500 {
        if !open() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the plain listener is still open");
}

#[test]
fn a_reload_keeps_connections_and_changes_trust() {
    use std::io::Read;
    use std::io::Write;

    let ca = Served::start("mosaic");
    let identity = ca.identity(KeyKind::P256, None);
    check(&ca.client(Some(&identity)), &Request::get("/health"), 200);

    // A connection that stays open over the reload.
    let mut open = ca.client(Some(&identity)).connect().unwrap();
    let mut ask = |path: &str| -> Option<String> {
        write!(open, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = vec![0; 4096];
        let length = open.read(&mut answer).ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    assert!(ask("/provisioners?limit=1").unwrap().contains("200 OK"));
    let mut without = config(&ca.local.fixture);
    without.ca.provisioners.clear();
    ca.reload(without).unwrap();
    let answer = ask("/provisioners?limit=1").unwrap();
    assert!(answer.contains("\"provisioners\":null"), "{answer}");

    // Another hierarchy does not know the client any more, not even on its open connection.
    let other = Fixture::copy("ed25519");
    ca.reload(config(&other)).unwrap();
    assert_eq!(ask("/health"), None);
    check_refused(&ca.client(Some(&identity)));
}

#[test]
fn a_reload_that_fails_changes_nothing() {
    let ca = Served::start("mosaic");
    let mut bad = config(&ca.local.fixture);
    bad.ca.tls.max_version = 1.1;
    bad.ca.tls.min_version = 1.0;
    assert!(ca.reload(bad).unwrap_err().contains("TLS"));
    check(&ca.client(None), &Request::get("/health"), 200);
}
