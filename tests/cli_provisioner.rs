//! `stepless provisioner`: what it leaves of a ca.json, and that an authority serves the result.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::Outcome;
use serde_json::Value;
use stepless::x509::pem;

const CONFIG: &str = "ca/config/ca.json";

/// An authority in `ca` whose ca.json holds members that nobody knows.
fn authority() -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    assert_eq!(desk.run("init --dir ca --password-file password").code, Some(0));
    desk.replace(
        CONFIG,
        "\"federatedRoots\": null,",
        "\"federatedRoots\": null,\n  \"unknown\": [1.50e2 ,2],",
    );
    desk
}

fn edit(desk: &Desk, line: &str) -> Outcome {
    desk.run(&format!("provisioner {line} --ca-config {CONFIG}"))
}

#[track_caller]
fn done(desk: &Desk, line: &str) -> String {
    let outcome = edit(desk, line);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{line}: {outcome:?}");
    outcome.stdout
}

/// The command fails, and changes and leaves nothing.
#[track_caller]
fn refused(desk: &Desk, line: &str, code: i32, message: &str) {
    let before = desk.files();
    let outcome = edit(desk, line);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{line}: {outcome:?}");
    assert!(outcome.stderr.contains(message), "{line}: {}", outcome.stderr);
    assert!(before == desk.files(), "{line}");
}

fn provisioners(desk: &Desk) -> Vec<Value> {
    let config: Value = serde_json::from_str(&desk.read(CONFIG)).unwrap();
    config["authority"]["provisioners"].as_array().unwrap().clone()
}

fn serve(desk: &Desk) -> Daemon {
    desk.serve(&format!("serve {CONFIG} --password-file password --address 127.0.0.1:0"))
}

#[track_caller]
fn certificate(desk: &Desk, daemon: &Daemon, more: &str, code: i32) {
    let url = daemon.url();
    let line = format!("certificate a.example --force --ca-url {url} --root ca/certs/root_ca.crt {more}");
    let outcome = desk.run(&line);
    assert_eq!(outcome.code, Some(code), "{line}: {outcome:?}\n{}", daemon.log());
}

#[test]
fn an_edit_changes_its_own_span_alone() {
    let desk = authority();
    fs::set_permissions(desk.file(CONFIG), fs::Permissions::from_mode(0o640)).unwrap();
    let before = desk.read(CONFIG);
    let said = done(
        &desk,
        "add new --password-file password --x509-max-dur 2h --x509-default-dur 1h --disable-renewal",
    );
    let after = desk.read(CONFIG);
    let entry = &provisioners(&desk)[1];
    assert_eq!(
        entry["claims"],
        serde_json::json!({
            "maxTLSCertDuration": "2h", "defaultTLSCertDuration": "1h", "disableRenewal": true
        })
    );
    assert!(said.contains(entry["key"]["kid"].as_str().unwrap()), "{said}");

    // All that was there is there still, and the copy is the old file.
    let common = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let tail = &before[common..];
    assert!(after.ends_with(tail), "{after}");
    assert!(after.contains("\"unknown\": [1.50e2 ,2],"));
    let backup = said.lines().find_map(|line| line.strip_prefix("backup")).unwrap().trim();
    let backup = backup.strip_prefix("DESK/").unwrap();
    assert!(backup.starts_with("ca/config/ca.json.bak-2"), "{backup}");
    assert_eq!(desk.read(backup), before);
    for name in [CONFIG, backup] {
        assert_eq!(fs::metadata(desk.file(name)).unwrap().permissions().mode() & 0o777, 0o640, "{name}");
    }
    done(&desk, "remove new");
    assert_eq!(desk.read(CONFIG), before);
}

#[test]
fn a_link_stays_a_link() {
    let desk = authority();
    fs::rename(desk.file(CONFIG), desk.file("real.json")).unwrap();
    std::os::unix::fs::symlink(desk.file("real.json"), desk.file(CONFIG)).unwrap();
    done(&desk, "add new --password-file password");
    assert!(fs::symlink_metadata(desk.file(CONFIG)).unwrap().is_symlink());
    assert!(desk.read("real.json").contains("\"new\""));
}

#[test]
fn every_kind_of_key_signs_tokens() {
    let desk = authority();
    for kind in ["p256", "p384", "p521", "ed25519", "rsa2048"] {
        done(&desk, &format!("add {kind} --kty {kind} --password-file password --key-out {kind}.jwe"));
    }
    fs::set_permissions(desk.file(CONFIG), fs::Permissions::from_mode(0o600)).unwrap();
    let said = done(&desk, "add hmac --kty hs256 --key-out hmac.jwk");
    let secret: Value = serde_json::from_str(&desk.read("hmac.jwk")).unwrap();
    let secret = secret["k"].as_str().unwrap();
    assert!(!said.contains(secret) && desk.read(CONFIG).contains(secret));
    assert_eq!(fs::metadata(desk.file("hmac.jwk")).unwrap().permissions().mode() & 0o777, 0o600);

    let daemon = serve(&desk);
    for kind in ["p256", "p384", "p521", "ed25519", "rsa2048"] {
        certificate(&desk, &daemon, &format!("--provisioner {kind} --password-file password"), 0);
    }
    let line = "--provisioner p384 --provisioner-key p384.jwe --password-file password";
    certificate(&desk, &daemon, line, 0);
    certificate(&desk, &daemon, "--provisioner hmac --provisioner-key hmac.jwk", 0);

    // The list says the same from either side, and holds no secret.
    let own = edit(&desk, "list");
    let asked = desk.run(&format!("provisioner list --ca-url {} --root ca/certs/root_ca.crt", daemon.url()));
    assert_eq!((own.code, &own.stdout), (Some(0), &asked.stdout));
    assert!(own.stdout.contains("\"hmac\"") && !own.stdout.contains(secret), "{}", own.stdout);
}

#[test]
fn a_running_server_takes_the_change() {
    let desk = authority();
    let daemon = serve(&desk);
    certificate(&desk, &daemon, "--provisioner new --password-file password", 1);
    desk.write("pid", &format!("{}\n", daemon.id()));
    done(&desk, "add new --password-file password --pidfile pid");
    daemon.log_with("the new configuration is in service");
    certificate(&desk, &daemon, "--provisioner new --password-file password", 0);
    refused(&desk, "remove new --pid 2147483646", 2, "process 2147483646 cannot be told: no such process");
}

#[test]
fn a_rotated_key_ends_the_old_one_and_no_certificate() {
    let desk = authority();
    let daemon = serve(&desk);
    let url = daemon.url();
    let old = desk.read(CONFIG);
    certificate(&desk, &daemon, "--provisioner admin --password-file password", 0);
    let token = desk.run(&format!(
        "token b.example --provisioner admin --password-file password --ca-url {url} --root ca/certs/root_ca.crt"
    ));
    fs::write(desk.file("old.jwe"), provisioners(&desk)[0]["encryptedKey"].as_str().unwrap()).unwrap();

    let pid = daemon.id();
    let said = done(&desk, &format!("rotate admin --password-file password --pid {pid}"));
    let kid = provisioners(&desk)[0]["key"]["kid"].as_str().unwrap().to_owned();
    assert!(said.contains(&kid) && !old.contains(&kid), "{said}");
    daemon.log_with("the new configuration is in service");
    certificate(&desk, &daemon, "--provisioner admin --provisioner-key old.jwe --password-file password", 3);
    assert_eq!(token.code, Some(0));
    let renew = format!("renew a.example.crt a.example.key --ca-url {url} --root ca/certs/root_ca.crt");
    let renewed = desk.run(&renew);
    assert_eq!(renewed.code, Some(0), "{renewed:?}\n{}", daemon.log());
    certificate(&desk, &daemon, "--provisioner admin --password-file password", 0);

    // Two keys for a while: the new one under a name of its own.
    let before = provisioners(&desk)[0].clone();
    let line = format!("rotate admin --new-name admin-2 --kty ed25519 --password-file password --pid {pid}");
    done(&desk, &line);
    assert_eq!((&provisioners(&desk)[0], &provisioners(&desk)[1]["name"]), (&before, &"admin-2".into()));
    let begun = std::time::Instant::now();
    while daemon.log().matches("the new configuration is in service").count() < 2 {
        assert!(begun.elapsed().as_secs() < 30, "{}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for name in ["admin", "admin-2"] {
        certificate(&desk, &daemon, &format!("--provisioner {name} --password-file password"), 0);
    }
}

#[test]
fn a_given_public_key_and_roots() {
    let desk = authority();
    done(&desk, "add first --password-file password --key-out first.jwe");
    let public = provisioners(&desk)[1]["key"].to_string();
    done(&desk, "remove first");
    desk.write("public.jwk", &public);
    done(&desk, "add second --public-key public.jwk");
    let entry = provisioners(&desk)[1].clone();
    assert_eq!((entry["key"].to_string(), entry.get("encryptedKey")), (public, None));
    done(&desk, "add guests --type X5C --x5c-root ca/certs/root_ca.crt");
    done(&desk, "add grants --grants --password-file password");
    assert_eq!(provisioners(&desk)[3]["options"]["x509"]["claimExtensions"][0]["claim"], "mosaic_grant_id");
    let daemon = serve(&desk);
    let line = "--provisioner second --provisioner-key first.jwe --password-file password";
    certificate(&desk, &daemon, line, 0);
    refused(&desk, "rotate guests --password-file password", 2, "of type X5C has no key to replace");
}

#[test]
fn what_would_not_load_is_not_written() {
    let desk = authority();
    desk.write("empty", "");
    desk.write("bad.tpl", "{ \"subject\": {{ .Nope }");
    desk.write("demo.jwk", &fs::read_to_string("keys/mosaic-fed.jwk.json").unwrap());
    let mut demo: Value = serde_json::from_str(&desk.read("demo.jwk")).unwrap();
    demo.as_object_mut().unwrap().remove("d");
    desk.write("demo.pub", &demo.to_string());
    for (line, code, message) in [
        ("add admin --password-file password", 2, "there is a provisioner \"admin\" already"),
        ("add new --password-file empty", 2, "the password is empty"),
        ("add new", 2, "password for the provisioner's key is needed"),
        ("add new --password-file password --x509-max-dur 3x", 2, "would not load: error parsing ca.json"),
        ("add new --password-file password --x509-max-dur 1m", 2, "would be off: claims: MaxCertDuration"),
        ("add new --password-file password --x509-template bad.tpl", 2, "would not load: template:1:"),
        ("add new --public-key demo.jwk", 1, "it holds a private one"),
        ("add new --public-key demo.pub", 2, "published demo key"),
        ("add new --type X5C", 1, "--x5c-roots"),
        ("add new --password-file password --key-out password", 2, "a key is never overwritten"),
        ("add new --password-file password --key-out made --x509-max-dur 1m", 2, "would be off"),
        ("remove nobody", 2, "there is no provisioner \"nobody\", only admin"),
        ("rotate nobody --password-file password", 2, "there is no provisioner \"nobody\", only admin"),
        ("rotate admin --new-name admin --password-file password", 2, "already"),
    ] {
        refused(&desk, line, code, message);
    }
}

#[test]
fn a_template_goes_into_ca_json() {
    let desk = authority();
    desk.write("leaf.tpl", "{\"subject\": {\"commonName\": {{ toJson .Subject.CommonName }}, \"organization\": {{ toJson .org }}}, \"sans\": {{ toJson .SANs }}}\n");
    desk.write("data.json", "{\"org\": \"Example\"}");
    done(&desk, "add new --password-file password --x509-template leaf.tpl --x509-template-data data.json");
    let daemon = serve(&desk);
    certificate(&desk, &daemon, "--provisioner new --password-file password", 0);
    let text = desk.read("a.example.crt");
    let block = pem::Blocks::new(text.as_bytes()).next().unwrap();
    assert!(block.content.windows(7).any(|bytes| bytes == b"Example"));
}
