//! `stepless doctor` on an authority that is well, and on ones that are not.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::binary::Desk;
use common::binary::Outcome;
use serde_json::Value;

const CONFIG: &str = "ca/config/ca.json --password-file password";

/// An authority that `init` made, on a free port.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "correct horse\n");
    let port = common::binary::free_port();
    let made = desk.run(&format!(
        "init --dir ca --name Site --dns ca.example --address 127.0.0.1:{port} --provisioner mosaic \
         --password-file password"
    ));
    assert_eq!(made.code, Some(0), "{made:?}");
    desk
}

fn chmod(desk: &Desk, file: &str, mode: u32) {
    std::fs::set_permissions(desk.file(file), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn check(desk: &Desk, code: i32, lines: &[&str]) -> Outcome {
    let outcome = desk.run(&format!("doctor {CONFIG}"));
    assert_eq!(outcome.code, Some(code), "{}{}", outcome.stdout, outcome.stderr);
    for line in lines {
        assert!(outcome.stdout.contains(line), "{line}\n{}", outcome.stdout);
    }
    outcome
}

#[test]
fn a_sound_authority_has_nothing_to_be_seen_to() {
    let desk = desk();
    let before = desk.files();
    let sound = check(
        &desk,
        0,
        &[
            "✓ configuration  ca/config/ca.json (",
            "✓ mode  ",
            "✓ key  ",
            "✓ root  Site Root CA: until ",
            "✓ intermediate  Site Intermediate CA: until ",
            "✓ provisioner  mosaic: JWK",
            "✓ signing  Site Intermediate CA (",
            "✓ port  127.0.0.1:",
            "✓ handshake  ca.example (",
            "✓ clock  ",
        ],
    );
    assert!(!sound.stdout.contains('✗') && !sound.stdout.contains("hint:"), "{}", sound.stdout);
    assert_eq!(desk.files(), before, "a doctor changes nothing");

    let json = desk.run(&format!("doctor {CONFIG} --json"));
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &report["exitCode"]), (Some(0), &0.into()));
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 8 && checks.iter().all(|check| check["status"] == "ok"), "{report}");
}

/// Its ca.json holds the secret of an HS256 provisioner.
#[test]
fn a_new_federation_has_no_file_that_others_may_use() {
    let desk = Desk::new();
    desk.write_secret("password", "correct horse\n");
    let port = common::binary::free_port();
    let made = desk.run(&format!(
        "init --dir ca --profile federation --dns ca.example --address 127.0.0.1:{port} --password-file password"
    ));
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(desk.read("ca/config/ca.json").contains("\"k\": "), "{}", desk.read("ca/config/ca.json"));
    let sound = check(&desk, 0, &["✓ mode  ca/config/ca.json: for its owner alone"]);
    assert!(!sound.stdout.contains("others may use"), "{}", sound.stdout);
}

#[test]
fn it_looks_on_while_the_authority_serves() {
    let desk = desk();
    let mut daemon = desk.serve(&format!("serve {CONFIG}"));
    check(&desk, 0, &["this authority serves there", "✓ store  "]);
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    check(&desk, 0, &[": free (", "✓ store  "]);
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let desk = desk();
    chmod(&desk, "ca/secrets/intermediate_ca_key", 0o640);
    check(
        &desk,
        2,
        &["✗ mode  ", "others may use it (040), and it holds the key that issues", "hint: take the others'"],
    );
    chmod(&desk, "ca/secrets/intermediate_ca_key", 0o600);

    let ca_json = desk.read("ca/config/ca.json");
    desk.replace("ca/config/ca.json", "ca/certs/root_ca.crt", "other.crt");
    let other = desk.run("init --dir other --name Other --password-file password");
    assert_eq!(other.code, Some(0), "{other:?}");
    std::fs::copy(desk.file("other/certs/root_ca.crt"), desk.file("other.crt")).unwrap();
    check(&desk, 2, &["✗ signing  ", "✗ handshake  ", "no root has signed its last certificate"]);

    desk.write("ca/config/ca.json", &ca_json);
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = held.local_addr().unwrap();
    std::thread::spawn(move || while held.accept().is_ok() {});
    let taken = desk.run(&format!("doctor {CONFIG} --address {address}"));
    assert_eq!(taken.code, Some(2), "{}", taken.stdout);
    assert!(taken.stdout.contains("somebody else listens there"), "{}", taken.stdout);

    desk.write_secret("password", "wrong\n");
    let wrong = check(&desk, 2, &["✗ key  ", "hint: check the password"]);
    assert!(!wrong.stdout.contains("wrong\n"), "{}", wrong.stdout);

    desk.write("ca/config/ca.json", "{");
    check(&desk, 2, &["✗ configuration  ca/config/ca.json: error parsing ca.json", "hint: correct"]);
}

#[test]
fn doubts_are_not_failures() {
    let desk = Desk::new();
    let daemon = desk.serve("serve --dev --dir dev --address 127.0.0.1:0");
    drop(daemon);
    desk.replace("dev/config/ca.json", "\"db\"", "\"nodb\"");
    let outcome = desk.run("doctor dev/config/ca.json --password-file dev/secrets/password");
    assert!(outcome.stdout.contains("! store  memory: no database is configured"), "{}", outcome.stdout);
}
