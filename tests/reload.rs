//! SIGHUP makes `stepless serve` read ca.json again, and a bad one changes nothing (CONTRACT.md section 12).

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::Ipv4Addr;
use std::net::TcpListener;

use common::ca::Ca;
use common::ca::Kind;
use common::csr::Csr;
use common::https::Client;
use common::https::Request;
use common::token;
use serde_json::json;

const DONE: &str = "the new configuration is in service";
const REFUSED: &str = "the new configuration is refused, the old one stays";

/// Reloads and waits for the outcome.
#[track_caller]
fn reload(ca: &Ca, outcome: &str) {
    let before = ca.log().matches(outcome).count();
    ca.signal("HUP");
    ca.wait_for(outcome, before);
}

#[track_caller]
fn check_maximum(ca: &Ca, not_after: &str, expected: u16) {
    let csr = Csr::new("a.example", &["a.example"]);
    let ott = token::mint(&ca.fixture.provisioner_key("plain"), &token::claims("plain", "a.example"));
    let body = json!({"csr": csr.pem, "ott": ott, "notAfter": not_after});
    let answer = ca.client().send(&Request::post("/1.0/sign", &body)).unwrap();
    assert_eq!(answer.status, expected, "{}\n{}", answer.text(), ca.log());
}

#[test]
fn the_configuration_is_read_again() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let old = ca.fixture.read("ca.json");
    check_maximum(&ca, "30h", 403);

    // Claims of the authority.
    ca.fixture.replace("\"authority\": {", "\"authority\": {\"claims\": {\"maxTLSCertDuration\": \"48h\"},");
    reload(&ca, DONE);
    check_maximum(&ca, "30h", 201);

    // What is wrong is logged, and what was right stays.
    let good = ca.fixture.read("ca.json");
    let write = |text: &str| std::fs::write(ca.fixture.file("ca.json"), text).unwrap();
    for (bad, reason) in [
        ("{", "error parsing ca.json"),
        (&good.replace("badgerv2", "sqlite"), "db cannot change while the server runs"),
        (&good.replace("intermediate_ca_key", "nope_key"), "no such file or directory"),
        (&good.replace("certs/intermediate_ca.crt", "certs/root_ca.crt"), "doesn't match"),
    ] {
        write(bad);
        reload(&ca, REFUSED);
        assert!(ca.log().lines().last().unwrap_or_default().contains(reason), "{reason}: {}", ca.log());
        check_maximum(&ca, "30h", 201);
    }

    // Tokens of before are spent still, since the database stays; and the old claims come back.
    write(&old);
    reload(&ca, DONE);
    check_maximum(&ca, "30h", 403);
}

#[test]
fn the_address_may_change() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    ca.fixture.listen(&port.to_string());
    reload(&ca, DONE);
    let client = Client::new(port, &ca.fixture.root_pem());
    assert_eq!(client.send(&Request::get("/health")).unwrap().status, 200);

    // One that is taken is refused, and the present one stays.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    ca.fixture.listen(&taken.local_addr().unwrap().to_string());
    reload(&ca, REFUSED);
    assert_eq!(client.send(&Request::get("/health")).unwrap().status, 200);
}
