//! A gateway written for Node against a CA: key, request, token, certificate, mutual TLS; see `node/gateway.mjs`.
//!
//! Skipped with a loud line where `node` or step-ca is missing; fails there under `STEPLESS_REQUIRE_STEP_CA=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::ca::Ca;
use common::ca::Kind;
use common::ca::step_ca_available;
use common::tools;

fn gateway(kind: Kind) {
    let Some(node) = tools::find("node", &["--version"]) else {
        return tools::skip("there is no node");
    };
    if let (Kind::StepCa, Err(reason)) = (kind, step_ca_available()) {
        return tools::skip(&reason);
    }
    let ca = Ca::start(kind, "mosaic");
    let key = ca.fixture.file("key.jwk");
    fs::write(&key, ca.fixture.provisioner_key("mosaic-hs").to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/gateway.mjs");
    let said = tools::run(
        Command::new(node)
            .arg(script)
            .args(["--url", &ca.url(), "--provisioner", "mosaic-hs", "--root"])
            .arg(ca.fixture.file("certs/root_ca.crt"))
            .arg("--key")
            .arg(&key),
    );
    assert_eq!(said, "gateway: ok\n");
}

#[test]
fn a_gateway_is_served_by_stepless() {
    gateway(Kind::Stepless);
}

#[test]
fn a_gateway_is_served_by_step_ca() {
    gateway(Kind::StepCa);
}
