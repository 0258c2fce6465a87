//! The audit log as who asks, who operates and who tampers sees it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use common::binary::Desk;
use common::ca::Ca;
use common::ca::Kind;
use common::csr::Csr;
use common::https::Request;
use common::local::Local;
use common::local::block_on;
use common::token;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;
use stepless::authority::Authority;
use stepless::authority::Options;
use stepless::crypto::KeyKind;
use stepless::store::AuditEvent;
use stepless::store::AuditFilter;
use stepless::store::SqliteStore;
use stepless::store::Store;

const GRANT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

fn log(store: &dyn Store) -> Vec<AuditEvent> {
    let records = block_on(store.audit(AuditFilter::default(), usize::MAX)).unwrap();
    records.into_iter().map(|record| record.event).collect()
}

/// What was said to a POST, whose event is the last of the log, and the only one more.
#[track_caller]
fn refused(
    ca: &Local,
    path: &str,
    body: &Value,
    client: Option<stepless::authority::ClientCertificate>,
) -> AuditEvent {
    let before = log(&*ca.store).len();
    let id = format!("request-{before}");
    let answer = ca.post(path, &[("x-request-id", &id)], body, client);
    let log = log(&*ca.store);
    assert_eq!(log.len(), before + 1, "{answer:?} {log:?}");
    let event = log.last().unwrap().clone();
    assert_eq!(event.kind.name(), "refused", "{answer:?}");
    assert_eq!((event.code.as_deref(), event.request_id), (Some(answer.code.as_str()), Some(id)));
    AuditEvent { request_id: None, ..event }
}

/// A token of the provisioner that needs no binding, and its claims.
fn plain(ca: &Local, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = token::claims("plain", "a.example");
    change(&mut claims);
    token::mint(&ca.fixture.provisioner_key("plain"), &claims)
}

/// The same with a signature that is none.
fn forged(ott: &str) -> String {
    let (signed, signature) = ott.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

#[test]
fn a_refusal_says_what_was_proven_and_no_more() {
    let ca = Local::start("mosaic");
    let csr = Csr::new("a.example", &["a.example"]);
    let sign = |ott: &str| json!({"csr": csr.pem, "ott": ott});
    let plain_id = ca.authority.provisioners().iter().find(|p| p.name() == "plain").unwrap().id().to_owned();

    // Nobody has been asked yet who asks.
    for (path, body, code) in [
        ("/sign", json!([]), "request.malformed"),
        ("/sign", json!({"csr": "x", "ott": "x"}), "csr.malformed"),
        ("/sign", sign("x"), "token.malformed"),
        ("/revoke", json!([]), "request.malformed"),
        ("/revoke", json!({"passive": true}), "revoke.serial_missing"),
        ("/renew", json!({}), "renew.credential_missing"),
        ("/rekey", json!({}), "renew.credential_missing"),
    ] {
        let event = refused(&ca, path, &body, None);
        assert_eq!(event.code.as_deref(), Some(code));
        assert_eq!((event.provisioner, event.named_provisioner, event.subject), (None, None, None), "{code}");
    }

    // A forged token names a provisioner; whose subject and grant it names is nobody's word.
    let grant = |claims: &mut Value| {
        claims["mosaic_grant_id"] = GRANT.into();
        claims["mosaic_subject_user_id"] = USER.into();
    };
    let event = refused(&ca, "/sign", &sign(&forged(&plain(&ca, grant))), None);
    assert_eq!(event.code.as_deref(), Some("token.signature_invalid"));
    assert_eq!((event.provisioner, event.named_provisioner), (None, Some(plain_id.clone())));
    assert_eq!((event.subject, event.grant_id, event.subject_user_id), (None, None, None));

    // A genuine one that is refused, and then used again.
    let ott = plain(&ca, |claims| {
        grant(claims);
        claims["step"] = json!({"sha": "00".repeat(32)});
    });
    for code in ["csr.binding_mismatch", "token.replayed"] {
        let event = refused(&ca, "/sign", &sign(&ott), None);
        assert_eq!(event.code.as_deref(), Some(code));
        assert_eq!((event.provisioner.as_ref(), event.named_provisioner), (Some(&plain_id), None));
        assert_eq!(event.subject.as_deref(), Some("a.example"));
        assert_eq!((event.grant_id.as_deref(), event.subject_user_id.as_deref()), (Some(GRANT), Some(USER)));
    }

    // Whoever has the key of a certificate.
    let (der, _) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("plain")], |_| ());
    let client = ca.client(&der);
    let serial = client.certificate().serial_number().clone();
    let other = json!({"serial": "7", "passive": true});
    let event = refused(&ca, "/revoke", &other, Some(client.clone()));
    assert_eq!((event.serial, event.subject.as_deref()), (Some(7.into()), Some("renew.example")));
    let own = json!({"serial": serial.to_string(), "passive": true});
    assert_eq!(ca.post("/revoke", &[], &own, Some(client.clone())).status, 200);
    let event = refused(&ca, "/renew", &json!({}), Some(client.clone()));
    assert_eq!((event.code.as_deref(), event.serial.as_ref()), (Some("renew.revoked"), Some(&serial)));
    assert_eq!((event.provisioner, event.subject.as_deref()), (Some(plain_id), Some("renew.example")));
    let event = refused(&ca, "/rekey", &json!({}), Some(client.clone()));
    assert_eq!((event.code.as_deref(), event.serial), (Some("csr.missing"), Some(serial.clone())));
    let event = refused(&ca, "/revoke", &own, Some(client));
    assert_eq!((event.code.as_deref(), event.serial), (Some("revoke.already_revoked"), Some(serial)));
}

#[test]
fn renewals_name_what_they_renew() {
    let ca = Local::start("mosaic");
    let (der, _) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("plain")], |_| ());
    let client = ca.client(&der);
    assert_eq!(ca.post("/renew", &[], &json!({}), Some(client.clone())).status, 201);
    let csr = Csr::new("a.example", &[]);
    assert_eq!(ca.post("/rekey", &[], &json!({"csr": csr.pem}), Some(client.clone())).status, 201);
    let log = log(&*ca.store);
    let told: Vec<_> = log.iter().map(|event| (event.kind.name(), event.previous.as_ref())).collect();
    let old = Some(client.certificate().serial_number());
    assert_eq!(told, [("renewed", old), ("rekeyed", old)]);
}

#[test]
fn what_cannot_be_logged_is_refused_all_the_same_and_not_issued() {
    let ca = Local::start("mosaic");
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ca.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let options = Options {
        store: Arc::clone(&store) as _,
        clock: Arc::clone(&ca.clock) as _,
        entropy: Arc::clone(ca.authority.entropy()),
    };
    let authority = Authority::new(common::local::config(&ca.fixture), options).unwrap();
    let ca = Local { authority: Arc::new(authority), ..ca };
    let operator = Connection::open(&path).unwrap();
    operator
        .execute_batch("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    let csr = Csr::new("a.example", &["a.example"]);
    let code = |ott: &str| ca.post("/sign", &[], &json!({"csr": csr.pem, "ott": ott}), None).code;
    let ott = plain(&ca, |_| ());
    assert_eq!(code(&forged(&ott)), "token.signature_invalid");
    assert_eq!(code(&ott), "internal.store");
    assert_eq!(log(&*store), []);
    operator.execute_batch("DROP TRIGGER no").unwrap();
    // It was not spent either.
    assert_eq!(code(&ott), "");
    assert_eq!(log(&*store).len(), 1);
    block_on(store.check()).unwrap();
}

/// A folder to type commands in, for the records at `db`.
struct Operator<'a> {
    desk: Desk,
    db: &'a Path,
}

impl Operator<'_> {
    /// Runs a line, which has to end with `code` and say `says`; gives what it wrote to standard output.
    #[track_caller]
    fn check(&self, line: &str, code: i32, says: &str) -> String {
        let line = format!("{line} --db {}", self.db.display());
        let outcome = self.desk.run(&line);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
        outcome.stdout
    }

    fn export(&self, options: &str) -> Vec<Value> {
        let text = self.check(&format!("audit export {options}"), 0, "");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn kinds(&self, options: &str) -> Vec<String> {
        self.export(options).iter().map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
    }
}

/// Signs for `a.example` with this token; the status of the answer and its certificate.
fn sign(ca: &Ca, csr: &Csr, ott: &str) -> (u16, Value) {
    let body = json!({"csr": csr.pem, "ott": ott});
    let answer = ca.client().send(&Request::post("/1.0/sign", &body)).unwrap();
    (answer.status, answer.json()["crt"].clone())
}

#[test]
fn an_operator_reads_checks_and_exports_it() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let (db, key) = (ca.fixture.file("db/stepless.db"), ca.fixture.provisioner_key("plain"));
    let operator = Operator { desk: Desk::new(), db: &db };
    let csr = Csr::new("a.example", &["a.example"]);
    let mint = |change: &dyn Fn(&mut Value)| {
        let mut claims = token::claims("plain", "a.example");
        change(&mut claims);
        token::mint(&key, &claims)
    };
    // Issued, a replay, a forgery, a request for another certificate.
    let ott = mint(&|_| ());
    let (status, certificate) = sign(&ca, &csr, &ott);
    assert_eq!(status, 201);
    assert_eq!(sign(&ca, &csr, &ott).0, 401);
    assert_eq!(sign(&ca, &csr, &forged(&mint(&|_| ()))).0, 401);
    assert_eq!(sign(&ca, &csr, &mint(&|claims| claims["step"] = json!({"sha": "00".repeat(32)}))).0, 403);
    // Renewed and revoked, over TLS.
    operator.desk.write("a.crt", certificate.as_str().unwrap());
    operator.desk.write("a.key", &csr.key_pem);
    let target = format!(
        "--ca-url https://127.0.0.1:{} --root {}",
        ca.address.port(),
        ca.fixture.file("certs/root_ca.crt").display()
    );
    for line in ["renew a.crt a.key", "revoke --cert a.crt --key a.key --reason lost"] {
        let outcome = operator.desk.run(&format!("{line} {target}"));
        assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
    }
    ca.signal("HUP");
    ca.wait_for("the new configuration is in service", 0);

    // While it runs.
    let expected = ["started", "issued", "refused", "refused", "refused", "renewed", "revoked", "reloaded"];
    assert_eq!(operator.kinds(""), expected);
    let all = operator.export("");
    let sequences: Vec<_> = all.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6, 7, 8]);
    let (issued, forged, renewed, revoked) = (&all[1], &all[3], &all[5], &all[6]);
    assert_eq!(renewed["previousSerial"], issued["serial"]);
    assert_eq!((&revoked["serial"], &revoked["cause"]), (&renewed["serial"], &"lost".into()));
    assert_eq!((&forged["provisioner"], &forged["subject"]), (&Value::Null, &Value::Null));
    assert!(forged["namedProvisioner"].as_str().unwrap().starts_with("plain:"), "{forged}");
    assert!(all[7]["cause"].as_str().unwrap().contains("provisioners "), "{}", all[7]);
    let text = operator.check("audit export", 0, "");
    assert!(!text.contains(&ott) && !text.contains(ott.rsplit_once('.').unwrap().1));

    // The filters.
    assert_eq!(operator.kinds("--kind renewed --kind revoked"), ["renewed", "revoked"]);
    let serial = issued["serial"].as_str().unwrap();
    assert_eq!(operator.kinds(&format!("--serial {serial}")), ["issued", "renewed"]);
    let request = revoked["requestId"].as_str().unwrap();
    assert_eq!(operator.kinds(&format!("--request {request}")), ["revoked"]);
    assert_eq!(operator.kinds("--code token --limit 1"), ["refused"]);
    assert_eq!(operator.kinds("--after 6"), ["revoked", "reloaded"]);
    assert_eq!(operator.kinds("--provisioner plain --kind refused").len(), 3);
    assert_eq!(operator.kinds("--from 1h").len(), 8);
    assert_eq!(operator.kinds("--to 1h"), [""; 0]);
    assert_eq!(operator.kinds(&format!("--grant {GRANT}")), [""; 0]);
    let csv = operator.check("audit export --format csv", 0, "sequence,at,kind,requestId,");
    assert_eq!(csv.lines().count(), 9, "{csv}");
    operator.check("audit export --kind x", 1, "hint: ");
    operator.check("audit export --from soon", 1, "hint: write 24h");

    // The refusals, the newest first.
    let table = operator.check("list --refused", 0, "");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    for (line, code, who) in [
        (lines[1], "csr.binding_mismatch", "  plain  "),
        (lines[2], "token.signature_invalid", "  plain (claimed)  "),
        (lines[3], "token.replayed", "  plain  "),
    ] {
        assert!(line.contains(code) && line.contains(who), "{table}");
    }
    let json = operator.check("list --refused --format json --code token.replayed", 0, "");
    let rows: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["code"]), (1, &"token.replayed".into()));
    let csv = operator.check("list --refused --format csv --limit 2 --provisioner plain", 0, "");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert_eq!(operator.check("list --refused --to 1h", 0, ""), "no refusals\n");
    operator.check("list --refused --revoked", 1, "cannot be used with");
    operator.check("list --code token", 1, "--refused");

    // What was noted is found again later.
    let (at, head) = (all[2]["sequence"].as_u64().unwrap(), all[2]["hash"].as_str().unwrap().to_owned());
    let last = all[7]["hash"].as_str().unwrap();
    operator.check("audit verify", 0, &format!("hash of record 8: {last}"));
    operator.check("audit verify", 0, "1 started, 1 reloaded, 1 issued, 1 renewed, 1 revoked, 3 refused");
    operator.check(&format!("audit verify --head {head}"), 0, "that of record 3, 5 came after it");
    operator.check(&format!("audit verify --at {at} --head {head}"), 0, "5 came after it");
    operator.check(&format!("audit verify --at {at}"), 0, &format!("hash of record 3: {head}"));
    operator.check(&format!("audit verify --at 4 --head {head}"), 1, "not audit record 4");
    operator.check(&format!("audit verify --head {}", "00".repeat(32)), 1, "no audit record");
    operator.check("audit verify --at 9", 1, "the last one is 8");
    operator.check("audit verify --head x", 1, "hint: give the 64");
    operator.check("store check", 0, "is whole: 2 certificates, ");

    let fixture = ca.terminate();
    tampering_is_found(&operator, &fixture.file("copy.db"), &head);
}

fn tampering_is_found(operator: &Operator<'_>, copy: &Path, head: &str) {
    let check = |sql: &str, line: &str, says: &str| {
        std::fs::copy(operator.db, copy).unwrap();
        Connection::open(copy).unwrap().execute_batch(sql).unwrap();
        let on_copy = Operator { desk: Desk::new(), db: copy };
        on_copy.check(line, 1, says);
    };
    let verify = "audit verify";
    check(
        "UPDATE certificates SET der = CAST(substr(der, 1, 99) || x'00' || substr(der, 101) AS BLOB) WHERE id = 1",
        verify,
        "audit record 2 was altered, or stands in another's place",
    );
    check("UPDATE audit SET cause = 'nothing' WHERE sequence = 5", verify, "records 1 to 4 are as they were");
    check("DELETE FROM audit WHERE sequence = 4", verify, "audit record 4 is missing");
    check("DELETE FROM certificates WHERE id = 2", verify, "the certificate of audit record 6 is missing");
    check("DELETE FROM revocations", verify, "the revocation of audit record 7 is missing");
    // Without what was noted, nothing tells that the end was cut off.
    let cut = "DELETE FROM audit WHERE sequence >= 3; DELETE FROM certificates WHERE id = 2; DELETE FROM revocations";
    check(cut, &format!("audit verify --head {head}"), "no audit record");
    check(cut, "audit verify --at 8", "the last one is 2");
}

#[test]
fn a_kill_in_the_middle_leaves_no_gap() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let key = ca.fixture.provisioner_key("plain");
    let csr = Csr::new("a.example", &["a.example"]);
    let killed = AtomicBool::new(false);
    let client = ca.client();
    let (answered, fixture) = std::thread::scope(|scope| {
        let load: Vec<_> = (0..8)
            .map(|thread| {
                let (client, key, csr, killed) = (&client, &key, &csr, &killed);
                scope.spawn(move || {
                    let mut answered = Vec::new();
                    for number in 0.. {
                        let mut ott = token::mint(key, &token::claims("plain", "a.example"));
                        if (number + thread) % 3 == 0 {
                            ott = forged(&ott);
                        }
                        let body = json!({"csr": csr.pem, "ott": ott});
                        let request = Request::post("/1.0/sign", &body);
                        match client.send(&request) {
                            Ok(answer) => answered.extend(answer.header("x-request-id").map(str::to_owned)),
                            Err(_) if killed.load(Ordering::Relaxed) => break,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    answered
                })
            })
            .collect();
        let begun = std::time::Instant::now();
        while ca.log().matches("certificate issued").count() < 40 {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{}", ca.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        killed.store(true, Ordering::Relaxed);
        // SIGKILL.
        let fixture = ca.stop();
        let answered: Vec<String> = load.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (answered, fixture)
    });
    let db = fixture.file("db/stepless.db");
    let operator = Operator { desk: Desk::new(), db: &db };
    operator.check("audit verify", 0, "are as they were written");
    let before = operator.export("");
    let logged: BTreeSet<&str> = before.iter().filter_map(|record| record["requestId"].as_str()).collect();
    for id in &answered {
        assert!(logged.contains(id.as_str()), "{id} was answered and is not in the log");
    }
    assert!(answered.len() > 40, "{}", answered.len());

    let ca = Ca::try_start(Kind::Stepless, fixture).unwrap();
    assert_eq!(sign(&ca, &csr, &token::mint(&key, &token::claims("plain", "a.example"))).0, 201);
    operator.check("audit verify", 0, "2 started");
    let after = operator.export("");
    assert_eq!(after[..before.len()], before);
    let kinds: Vec<_> = after[before.len()..].iter().map(|record| &record["kind"]).collect();
    assert_eq!(kinds, ["started", "issued"]);
}
