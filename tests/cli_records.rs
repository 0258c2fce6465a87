//! `stepless list`, `backup`, `restore` and `store` as an operator uses them, the authority running beside them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::binary::Daemon;
use common::binary::Desk;
use serde_json::Value;

const GRANT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";
const CONFIG: &str = "--config dev/config/ca.json";

/// A development authority with certificates for `a.example` and `b.example`, the second one revoked.
struct Setup {
    desk: Desk,
    daemon: Option<Daemon>,
    target: String,
}

impl Setup {
    fn new() -> Self {
        let mut setup = Self { desk: Desk::new(), daemon: None, target: String::new() };
        setup.start();
        setup.issue("a.example");
        setup.issue("b.example");
        let revoked =
            format!("revoke --cert b.example.crt --key b.example.key --reason lost {}", setup.target);
        setup.check(&revoked, 0, "");
        setup
    }

    fn start(&mut self) {
        let daemon = self.desk.serve("serve --dev --dir dev --address 127.0.0.1:0");
        self.target = format!("--ca-url {} --root dev/certs/root_ca.crt", daemon.url());
        self.daemon = Some(daemon);
    }

    fn stop(&mut self) {
        assert_eq!(self.daemon.take().unwrap().signal("TERM").code(), Some(0));
    }

    fn issue(&self, name: &str) {
        let line = format!(
            "certificate {name} --provisioner mosaic-fed --password-file dev/secrets/password --grant-id {GRANT} \
             --subject-user-id {USER} {}",
            self.target
        );
        self.check(&line, 0, name);
    }

    /// Runs a line, which has to end with `code` and say `says`; gives what it wrote to standard output.
    #[track_caller]
    fn check(&self, line: &str, code: i32, says: &str) -> String {
        let outcome = self.desk.run(line);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
        outcome.stdout
    }
}

#[test]
fn certificates_are_listed_while_the_authority_runs() {
    let setup = Setup::new();
    let list = |options: &str| setup.check(&format!("list {CONFIG} {options}"), 0, "");
    let json = |options: &str| -> Value {
        serde_json::from_str(&list(&format!("--format json {options}"))).unwrap()
    };

    let all = json("");
    assert_eq!(all.as_array().unwrap().len(), 2);
    let (b, a) = (&all[0], &all[1]);
    assert_eq!(
        (&b["names"][0], &b["status"], &b["reason"]),
        (&"b.example".into(), &"revoked".into(), &"lost".into())
    );
    assert_eq!((&a["names"][0], &a["status"]), (&"a.example".into(), &"valid".into()));
    assert_eq!((&a["grantId"], &a["subjectUserId"]), (&GRANT.into(), &USER.into()));
    let serial = a["serial"].as_str().unwrap();

    let subjects = |options: &str| -> Vec<String> {
        let rows = json(options);
        rows.as_array().unwrap().iter().map(|row| row["names"][0].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects("--revoked"), ["b.example"]);
    assert_eq!(subjects("--name A.EXAM"), ["a.example"]);
    assert_eq!(subjects(&format!("--serial {serial}")), ["a.example"]);
    assert_eq!(subjects(&format!("--grant {}", GRANT.to_uppercase())), ["b.example", "a.example"]);
    assert_eq!(subjects(&format!("--user {USER} --limit 1")), ["b.example"]);
    assert_eq!(subjects("--grant 00000000-0000-0000-0000-000000000000"), [""; 0]);
    assert_eq!(subjects("--expiring 25h"), ["b.example", "a.example"]);
    assert_eq!(subjects("--expiring 1h"), [""; 0]);

    let table = list("");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("serial ") && lines[2].starts_with(serial), "{table}");
    assert!(lines[1].contains("revoked") && lines[2].contains("valid"), "{table}");
    let csv = list("--format csv");
    assert!(csv.starts_with("serial,subject,names,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert_eq!(list("--name nobody"), "no certificates\n");

    setup.check(&format!("list {CONFIG} --expiring soon"), 1, "hint: write 24h");
    setup.check(&format!("list {CONFIG} --serial x"), 1, "is no serial number");
    setup.check("list --db absent.db", 2, "there is no such file");
    setup.check("list", 1, "give the authority's ca.json with --config");
}

#[test]
fn a_backup_comes_back_without_undoing_anything() {
    let mut setup = Setup::new();
    setup.check(&format!("backup copy.db {CONFIG}"), 0, "copy.db holds 2 certificates of ");
    setup.check(&format!("backup copy.db {CONFIG}"), 2, "hint: ");
    // After the backup.
    setup.issue("c.example");
    let revoke = format!("revoke --cert a.example.crt --key a.example.key {}", setup.target);
    setup.check(&revoke, 0, "");
    setup.check(&format!("restore copy.db {CONFIG}"), 2, "hint: stop the authority");

    setup.stop();
    setup.check(&format!("restore copy.db {CONFIG}"), 0, "0 certificates and 0 revocations came back");
    let states = |setup: &Setup| setup.check(&format!("list {CONFIG} --format csv"), 0, "");
    assert_eq!((states(&setup).matches(",revoked,").count(), states(&setup).lines().count()), (2, 4));

    // The disk is gone; only the backup is left.
    std::fs::remove_dir_all(setup.desk.file("dev/db")).unwrap();
    setup.check(&format!("restore copy.db {CONFIG}"), 0, "tokens made before the next minute are refused");
    assert_eq!((states(&setup).matches(",revoked,").count(), states(&setup).lines().count()), (1, 3));
    setup.start();
    let renew = format!("renew b.example.crt b.example.key {}", setup.target);
    setup.check(&renew, 3, "status 401");
    let early = format!(
        "certificate d.example --provisioner mosaic-fed --password-file dev/secrets/password --grant-id {GRANT} \
         --subject-user-id {USER} {}",
        setup.target
    );
    setup.check(&early, 3, "token.replayed");
}

#[test]
fn records_are_checked_and_compacted() {
    let mut setup = Setup::new();
    setup.check(&format!("store check {CONFIG}"), 0, "is whole: 2 certificates, ");
    setup.check(&format!("store compact {CONFIG}"), 2, "hint: stop the authority");
    setup.stop();
    setup.check(&format!("store compact {CONFIG}"), 0, " bytes, now ");
    let path = setup.desk.file("dev/db/stepless.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..4196].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    setup.check(&format!("store check {CONFIG}"), 2, "is damaged");
}
