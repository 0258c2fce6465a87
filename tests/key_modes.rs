//! Who may use the issuing key: `serve` refuses one that lies open and bare, and says how to mend it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use common::binary::Daemon;
use common::binary::Desk;

const KEY: &str = "ca/secrets/intermediate_ca_key";

/// A folder with an authority that `init` made; its issuing key is written anew without a password.
fn desk(encrypted: bool) -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "a password of the test");
    let init =
        desk.run("init --dir ca --name test --dns localhost --address 127.0.0.1:0 --password-file password");
    assert_eq!(init.code, Some(0), "{init:?}");
    if !encrypted {
        let pem = desk.read(KEY);
        let key =
            stepless::signer::key_file::decode(pem.as_bytes(), Some(b"a password of the test"), KEY).unwrap();
        desk.write(KEY, &stepless::signer::key_file::encode_plain(&key).unwrap());
    }
    desk
}

fn mode(desk: &Desk, file: &str, mode: u32) {
    std::fs::set_permissions(desk.file(file), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn command(desk: &Desk, options: &str) -> Command {
    desk.command(&format!("serve ca/config/ca.json {options}"))
}

/// Starts, and returns what was said when it served; or what it said instead.
fn start(desk: &Desk, options: &str) -> Result<String, String> {
    Daemon::start(command(desk, options)).map(|daemon| daemon.log())
}

#[test]
fn a_bare_key_that_others_may_use_is_refused() {
    let desk = desk(false);
    for (bits, shown) in [(0o640, "640"), (0o604, "604"), (0o660, "660"), (0o622, "622"), (0o444, "444")] {
        mode(&desk, KEY, bits);
        let said = start(&desk, "").unwrap_err();
        let key = desk.file(KEY).display().to_string();
        let expected = format!(
            "error: others may use the issuing key {key} (mode {shown}), and it is not encrypted\n\
             hint: chmod 600 {key}; where a mount settles the mode, serve with --accept-key-modes\n"
        );
        assert!(said.ends_with(&expected), "{said}");
        assert_eq!(command(&desk, "").output().unwrap().status.code(), Some(2));
    }
    // What the hint says helps.
    let fix = start(&desk, "").unwrap_err();
    let fix = fix.split("hint: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    assert!(Command::new("sh").args(["-c", &fix]).status().unwrap().success(), "{fix}");
    let said = start(&desk, "").unwrap();
    assert!(!said.contains("others may use"), "{said}");
}

/// As Kubernetes mounts a secret: a link to a file that its volume's mode settles.
#[test]
fn a_mount_that_settles_the_mode_can_be_accepted() {
    let desk = desk(false);
    std::fs::rename(desk.file(KEY), desk.file("mounted")).unwrap();
    std::os::unix::fs::symlink(desk.file("mounted"), desk.file(KEY)).unwrap();
    mode(&desk, "mounted", 0o440);
    assert!(start(&desk, "").unwrap_err().contains("(mode 440)"));
    let said = start(&desk, "--accept-key-modes").unwrap();
    assert!(!said.contains("others may use"), "{said}");
}

/// A directory of step-ca with other modes serves as before: its key is encrypted.
#[test]
fn an_encrypted_key_is_warned_of() {
    let desk = desk(true);
    let files: [(&str, &str); 3] = [
        (KEY, "the issuing key"),
        ("password", "the password of the issuing key"),
        ("ca/config/ca.json", "a password or a provisioner's secret"),
    ];
    for (file, what) in files {
        mode(&desk, file, 0o644);
        let said = start(&desk, "--password-file password").unwrap();
        let path = if file == "password" { PathBuf::from(file) } else { desk.file(file) };
        let warning =
            format!("warning: others may use {} (mode 644), which holds {what}: chmod 600", path.display());
        // There is no secret in this ca.json.
        assert_eq!(said.contains(&warning), !file.ends_with("json"), "{said}");
        mode(&desk, file, 0o600);
    }
    desk.replace("ca/config/ca.json", "{\n", "{\n  \"password\": \"a password of the test\",\n");
    mode(&desk, "ca/config/ca.json", 0o640);
    let said = start(&desk, "").unwrap();
    assert!(said.contains("ca.json (mode 640), which holds a password or a provisioner's secret"), "{said}");
}

/// A reload does not open what the start would have refused.
#[test]
fn a_reload_refuses_an_open_key() {
    let desk = desk(false);
    let daemon = Daemon::start(command(&desk, "")).unwrap();
    mode(&desk, KEY, 0o644);
    daemon.tell("HUP");
    let log = daemon.log_with("the new configuration is refused");
    assert!(log.contains("others may use the issuing key"), "{log}");
}

/// The password may be gone after the start, as long as the key stays; else it is read anew.
#[test]
fn a_reload_needs_the_password_for_another_key_only() {
    let desk = desk(true);
    let daemon = Daemon::start(command(&desk, "--password-file password")).unwrap();
    std::fs::rename(desk.file("password"), desk.file("elsewhere")).unwrap();
    daemon.tell("HUP");
    daemon.log_with("the new configuration is in service");

    // The same key, written anew with another password.
    let pem = desk.read(KEY);
    let key =
        stepless::signer::key_file::decode(pem.as_bytes(), Some(b"a password of the test"), KEY).unwrap();
    let entropy = stepless::entropy::SystemEntropy::new();
    let pem = stepless::signer::key_file::encode_encrypted(&key, b"another", &entropy).unwrap();
    desk.write(KEY, &pem);
    daemon.tell("HUP");
    let log = daemon.log_with("the new configuration is refused");
    assert!(log.contains("cannot read password"), "{log}");
    desk.write_secret("password", "another\n");
    daemon.tell("HUP");
    let done = "the new configuration is in service";
    let begun = std::time::Instant::now();
    while daemon.log().matches(done).count() < 2 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
