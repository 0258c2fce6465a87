//! Disks that fill up, turn read-only or fail: no certificate leaves without a record, and what heals is used again.

use std::path::Path;

use stepless::store::SqliteStore;
use stepless::store::Store as _;
use stepless::x509::certificate::Certificate;

use crate::common::https::Answer;
use crate::common::https::Request;
use crate::common::local::block_on;
use crate::rig;
use crate::rig::Fault;
use crate::rig::Rig;
use crate::say;

/// Every certificate that was answered is on record, and the database is whole.
fn check_records(database: &Path, answered: &[Vec<u8>]) {
    let store = SqliteStore::open(database).unwrap();
    block_on(store.check()).unwrap();
    for der in answered {
        let serial = Certificate::parse(der).unwrap().serial_number().clone();
        let record = block_on(store.certificate(&serial)).unwrap();
        assert_eq!(record.map(|record| record.der).as_ref(), Some(der), "{serial} is not on record");
    }
}

/// A disk goes bad under load and recovers: meanwhile requests get 500, the log and `/ready` say `says`; afterwards
/// the authority goes on by itself, with the tokens that it refused.
fn check_fault(fault: Fault, free: i64, says: &str) {
    let Some(rig) = Rig::new() else { return };
    let daemon = rig.start();
    let client = rig.client(&daemon);
    let send = |request: &Request| -> Answer { client.send(request).unwrap() };
    let mut answered = Vec::new();
    for _ in 0..5 {
        answered.push(rig::certificate(&send(&rig.request())).unwrap());
    }
    assert_eq!(rig::ready(&daemon).0, 200);

    rig.leave_free(free);
    rig.set(fault);
    let mut refused = Vec::new();
    let mut granted = 0;
    while refused.len() < 5 {
        let request = rig.request();
        let answer = send(&request);
        match rig::certificate(&answer) {
            Some(certificate) => {
                answered.push(certificate);
                granted += 1;
                assert!(granted < 500, "it does not notice");
            }
            None => {
                assert_eq!(answer.status, 500, "{}", answer.text());
                refused.push(request);
            }
        }
    }
    let log = daemon.log_with(says);
    assert!(log.contains("internal.store") && log.contains(says), "{log}");
    let (status, reason) = rig::ready(&daemon);
    assert_eq!(status, 503, "{reason}");
    assert!(reason.contains(says), "{reason}");

    rig.set(Fault::None);
    // Before anybody has asked for anything, so that a load balancer sends requests again.
    assert_eq!(rig::ready(&daemon), (200, "{\"status\":\"ok\"}\n".to_owned()));
    for request in &refused {
        answered
            .push(rig::certificate(&send(request)).expect("a token refused for the disk's sake is unspent"));
        assert_eq!(send(request).status, 401);
    }
    answered.push(rig::certificate(&send(&rig.request())).unwrap());
    drop(daemon);
    check_records(&rig.database(), &answered);

    // The other way it can end: killed while the disk is bad.
    let daemon = rig.start();
    let client = rig.client(&daemon);
    rig.leave_free(0);
    rig.set(fault);
    let lost: Vec<Request> = (0..3).map(|_| rig.request()).collect();
    for request in &lost {
        // A log that was long before has room for some.
        answered.extend(rig::certificate(&client.send(request).unwrap()));
    }
    drop(daemon);
    rig.set(Fault::None);
    let daemon = rig.start();
    let client = rig.client(&daemon);
    for request in &lost {
        // Spent or not: nobody was told. Twice granted it is not.
        let answer = client.send(request).unwrap();
        assert!(matches!(answer.status, 201 | 401), "{}", answer.text());
        answered.extend(rig::certificate(&answer));
        assert_eq!(client.send(request).unwrap().status, 401);
    }
    drop(daemon);
    check_records(&rig.database(), &answered);
    say(&format!(
        "{fault:?}: {granted} granted before it was noticed, {} certificates on record",
        answered.len()
    ));
}

#[test]
fn a_full_disk() {
    check_fault(Fault::Full, 40_000, "no space left for database");
}

#[test]
fn a_disk_that_turns_read_only() {
    check_fault(Fault::ReadOnly, 0, "disk I/O error");
}

#[test]
fn syncs_that_fail() {
    check_fault(Fault::SyncFails, 0, "disk I/O error");
}

#[test]
fn it_does_not_start_where_it_cannot_write() {
    let Some(rig) = Rig::new() else { return };
    let check = |fault: Fault, says: &[&str]| {
        rig.set(fault);
        let said = rig.try_start("").unwrap_err();
        for text in says {
            assert!(said.contains(text), "{fault:?}: {said}");
        }
        rig.set(Fault::None);
    };
    std::fs::create_dir(rig.folder()).unwrap();
    check(Fault::Full, &["no space left for database", "stepless.db", "hint: free some space on that disk"]);
    check(Fault::SyncFails, &["stepless.db", "hint: check the "]);
    drop(rig.start());
    check(Fault::ReadOnly, &["stepless.db", "Read-only file system", "hint: "]);
    check(Fault::SyncFails, &["stepless.db", "hint: check the disk"]);
    drop(rig.start());
}
