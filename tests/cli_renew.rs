//! `stepless renew`, `rekey` and `revoke` as their users see them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::Outcome;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;

const IDS: &str = "--grant-id 3f2504e0-4f89-41d3-9a0c-0305e82c3301 \
                   --subject-user-id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";
const PROVISIONER: &str = "--provisioner mosaic-fed --password-file dev/secrets/password";

/// A development authority, and a grant certificate in `a.example.crt`.
struct Setup {
    desk: Desk,
    daemon: Daemon,
}

impl Setup {
    fn new(options: &str) -> Self {
        let desk = Desk::new();
        let daemon = desk.serve("serve --dev --dir dev --address 127.0.0.1:0");
        let setup = Self { desk, daemon };
        let made = setup.run(&format!("certificate a.example {PROVISIONER} {IDS} {options}"));
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
        setup
    }

    fn run(&self, line: &str) -> Outcome {
        let url = self.daemon.url();
        self.desk.run(&format!("{line} --ca-url {url} --root dev/certs/root_ca.crt"))
    }

    #[track_caller]
    fn check(&self, line: &str, code: i32, says: &str) {
        let outcome = self.run(line);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }

    fn chain(&self, name: &str) -> Vec<Certificate> {
        let text = self.desk.read(name);
        pem::Blocks::new(text.as_bytes()).map(|block| Certificate::parse(&block.content).unwrap()).collect()
    }

    fn certificate(&self, name: &str) -> Certificate {
        self.chain(name).remove(0)
    }
}

#[test]
fn a_certificate_is_renewed_in_place() {
    let setup = Setup::new("--kty p384");
    let old = setup.certificate("a.example.crt");
    setup.check("renew a.example.crt a.example.key", 0, "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
    let new = setup.certificate("a.example.crt");
    assert_ne!(new.serial_number(), old.serial_number());
    assert_eq!((new.spki_der(), setup.chain("a.example.crt").len()), (old.spki_der(), 1));

    // With a token, from the certificate alone and from its chain, and elsewhere.
    setup.check("renew a.example.crt a.example.key --token --out b.crt", 0, "b.crt");
    setup.check("renew a.example.chain.crt a.example.key --token --out c.crt", 0, "c.crt");
    assert_eq!((setup.chain("b.crt").len(), setup.chain("c.crt").len()), (1, 2));
    assert_eq!(setup.certificate("a.example.crt").der(), new.der());
}

#[test]
fn rekeying_makes_a_key_and_spares_the_old_one() {
    let setup = Setup::new("");
    let (old_key, old) = (setup.desk.read("a.example.key"), setup.certificate("a.example.crt"));
    setup.check("rekey a.example.crt a.example.key", 2, "--force");
    assert_eq!(setup.desk.read("a.example.key"), old_key);
    setup.check(
        "rekey a.example.crt a.example.key --out-crt b.crt --out-key b.key --kty ed25519",
        0,
        "b.key",
    );
    assert_eq!(setup.desk.read("a.example.key"), old_key);
    assert_eq!(setup.certificate("b.crt").subject_alt_names(), old.subject_alt_names());
    setup.check("renew b.crt b.key", 0, "b.crt");
    setup.check("rekey a.example.crt a.example.key --force --kty rsa2048", 0, "a.example.key");
    assert_ne!(setup.desk.read("a.example.key"), old_key);
    setup.check("renew a.example.crt b.key", 2, "do not fit");
}

#[test]
fn what_is_revoked_stays_revoked() {
    let setup = Setup::new("");
    let serial = setup.certificate("a.example.crt").serial_number().to_string();
    setup.check(&format!("revoke {serial}"), 1, "--provisioner");
    setup.check(&format!("revoke abc {PROVISIONER}"), 1, "not a serial number");
    setup.check(&format!("revoke {serial} {PROVISIONER} --reason-code nope"), 1, "RFC 5280");
    setup.check(&format!("revoke {serial} {PROVISIONER} --reason-code keyCompromise"), 0, &serial);
    setup.check(&format!("revoke {serial} {PROVISIONER}"), 3, "already revoked");
    setup.check("renew a.example.crt a.example.key", 3, "renew.revoked");
}

#[test]
fn a_certificate_revokes_itself() {
    let setup = Setup::new("");
    let serial = setup.certificate("a.example.crt").serial_number().to_string();
    setup.check("revoke --cert a.example.crt --key a.example.key", 0, &serial);
    setup.check("renew a.example.crt a.example.key --token", 3, "renew.revoked");
}

#[test]
fn a_daemon_renews_and_tells() {
    let setup = Setup::new("");
    let url = setup.daemon.url();
    let old = setup.certificate("a.example.crt");
    let line = format!(
        "renew a.example.crt a.example.key --daemon --ca-url {url} --root dev/certs/root_ca.crt --exec"
    );
    let mut command = setup.desk.command(&line);
    command.arg("cp a.example.crt told.crt && echo told >> told.txt");
    let (mut daemon, _) = Daemon::start_until(command, "next renewal").unwrap();
    daemon.tell("HUP");
    daemon.log_with("certificate renewed");
    let begun = std::time::Instant::now();
    while !setup.desk.file("told.txt").exists() && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let new = setup.certificate("a.example.crt");
    assert_ne!(new.serial_number(), old.serial_number());
    assert_eq!(setup.certificate("told.crt").der(), new.der());

    // What fails is logged, tried again, and does not keep it from stopping.
    setup.desk.write("a.example.crt", "");
    daemon.tell("HUP");
    let log = daemon.log_with("certificate not renewed");
    assert!(log.contains("holds no certificate") && log.contains("failures=1"), "{log}");
    setup.desk.write("a.example.crt", &new.to_pem());
    assert_eq!(daemon.signal("TERM").code(), Some(0), "{}", daemon.log());
    assert!(!daemon.log().contains("PRIVATE KEY"));
}

#[test]
fn a_short_certificate_is_renewed_unasked() {
    let setup = Setup::new("--not-after 6m");
    let url = setup.daemon.url();
    let old = setup.certificate("a.example.crt");
    // With the minute before it was asked for it lives seven, of which less than six are left.
    let line = format!(
        "renew a.example.crt a.example.key --daemon --expires-in 6m50s --out b.crt --ca-url {url} \
         --root dev/certs/root_ca.crt"
    );
    let (mut daemon, _) = Daemon::start_until(setup.desk.command(&line), "certificate renewed").unwrap();
    assert_eq!(daemon.signal("INT").code(), Some(0));
    assert_ne!(setup.certificate("b.crt").serial_number(), old.serial_number());
    assert_eq!(setup.certificate("a.example.crt").der(), old.der());
}

#[test]
fn one_renewal_waits_and_tells() {
    let setup = Setup::new("");
    let old = setup.certificate("a.example.crt");
    setup.check(
        "renew a.example.crt a.example.key --expires-in 8h",
        0,
        "certificate not renewed: it is valid",
    );
    assert_eq!(setup.certificate("a.example.crt").der(), old.der());
    setup.check("renew a.example.crt a.example.key --expires-in 48h", 1, "within the certificate's life");
    setup.check("renew a.example.crt a.example.key --renew-period 1h", 1, "--daemon");
    setup.check(
        "renew a.example.crt a.example.key --exec false",
        2,
        "the certificate is renewed, but \"false\"",
    );
    assert_ne!(setup.certificate("a.example.crt").der(), old.der());
    let mut sleeper = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    setup.check(
        &format!("renew a.example.crt a.example.key --pid {} --signal 15", sleeper.id()),
        0,
        "serial",
    );
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.wait().unwrap()), Some(15));
}
