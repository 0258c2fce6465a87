//! The audit log in its file: what tampering it shows, how older files get one, what a restoration makes of it.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteReader;
use super::SqliteStore;
use super::restore;
use super::tests::in_one_batch;
use crate::store::AuditKind;
use crate::store::Broken;
use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::conformance::audit::kinds;
use crate::store::conformance::audit::log;
use crate::store::conformance::audit::refused;
use crate::store::conformance::block_on;
use crate::store::conformance::both;
use crate::store::conformance::certificate;
use crate::store::conformance::check;
use crate::store::conformance::only;
use crate::store::conformance::revoke;
use crate::store::conformance::serial;
use crate::store::conformance::token;

const NOW: i64 = 1_795_500_000;

/// Three certificates, of which the second is revoked, and a refusal: records 1 to 5.
fn filled(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).unwrap();
    for number in 1..=3 {
        check(&store, both(token(number, 100), certificate(number.into())), Outcome::Recorded);
    }
    check(&store, revoke(2, Some(200)), Outcome::Recorded);
    let refusal = Commit { event: Some(refused("token.replayed")), ..only(token(9, 100)) };
    check(&store, refusal, Outcome::Recorded);
    store
}

fn execute(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn broken(path: &Path) -> Option<Broken> {
    let reader = SqliteReader::open(path).unwrap();
    let (_, broken) = reader.walk_audit(&mut |_| ()).unwrap();
    match (&broken, reader.check()) {
        (None, Ok(())) => {}
        (Some(broken), Err(Error::Audit { broken: also, .. })) => assert_eq!(broken, &also),
        other => panic!("{other:?}"),
    }
    broken
}

#[test]
fn what_somebody_changes_is_found() {
    let folder = TempDir::new().unwrap();
    let original = folder.path().join("ca.db");
    drop(filled(&original));
    assert_eq!(broken(&original), None);
    let check = |sql: &str, expected: Broken| {
        let copy = folder.path().join("copy.db");
        fs::copy(&original, &copy).unwrap();
        execute(&copy, sql);
        assert_eq!(broken(&copy), Some(expected), "{sql}");
    };
    // The log itself.
    for (sequence, column) in [
        (1, "hash"),
        (5, "hash"),
        (5, "request_id"),
        (5, "code"),
        (5, "cause"),
        (5, "subject"),
        (5, "grant_id"),
    ] {
        let sql = format!(
            "UPDATE audit SET {column} = CAST(replace(CAST({column} AS BLOB), substr(CAST({column} AS BLOB), 3, 1), x'7e')
             AS {}) WHERE sequence = {sequence}",
            if column == "hash" { "BLOB" } else { "TEXT" }
        );
        check(&sql, Broken::Altered(sequence));
    }
    check("UPDATE audit SET at = at + 1 WHERE sequence = 5", Broken::Altered(5));
    check("UPDATE audit SET kind = 5 WHERE sequence = 2", Broken::Altered(2));
    check("UPDATE audit SET serial = x'01' WHERE sequence = 5", Broken::Altered(5));
    check("UPDATE audit SET previous = x'01' WHERE sequence = 2", Broken::Altered(2));
    check("UPDATE audit SET certificate = 1 WHERE sequence = 2", Broken::Altered(2));
    check("UPDATE audit SET certificate = NULL WHERE sequence = 4", Broken::Altered(4));
    check("DELETE FROM audit WHERE sequence = 1", Broken::Missing { expected: 1, found: 2 });
    check("DELETE FROM audit WHERE sequence = 3", Broken::Missing { expected: 3, found: 4 });
    check(
        "DELETE FROM audit WHERE sequence = 3; UPDATE audit SET sequence = sequence - 1 WHERE sequence > 3",
        Broken::Altered(3),
    );
    check(
        "UPDATE audit SET sequence = -1 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3;
         UPDATE audit SET sequence = 3 WHERE sequence = -1",
        Broken::Altered(2),
    );
    // What it vouches for.
    check(
        "UPDATE certificates SET der = CAST(substr(der, 1, 9) || x'ff' || substr(der, 11) AS BLOB) WHERE id = 3",
        Broken::Altered(3),
    );
    check("UPDATE certificates SET subject = 'other' WHERE id = 1", Broken::Altered(1));
    check("UPDATE certificates SET not_after = not_after + 1 WHERE id = 1", Broken::Altered(1));
    check("UPDATE provisioners SET provisioner_id = 'x' || provisioner_id", Broken::Altered(1));
    check("DELETE FROM certificates WHERE id = 3", Broken::NoCertificate(3));
    check("DELETE FROM revocations", Broken::NoRevocation(4));
    check("UPDATE revocations SET expires_at = 1", Broken::Altered(4));
    check("UPDATE revocations SET reason_code = 9", Broken::Altered(4));
    // What has no record.
    check(
        "INSERT INTO certificates SELECT 9, x'09', not_before, not_after, issued_at, provisioner, subject, grant_id,
             subject_user_id, request_id, der, NULL FROM certificates WHERE id = 1",
        Broken::Certificates { expected: 0, found: 1 },
    );
    check(
        "INSERT INTO revocations SELECT 9, x'09', revoked_at, reason_code, reason, expires_at, provisioner_id,
             request_id, NULL FROM revocations",
        Broken::Revocations { expected: 0, found: 1 },
    );
    // The end may be cut off without a trace, unless its certificate is left behind.
    check("DELETE FROM audit WHERE sequence >= 3", Broken::Certificates { expected: 0, found: 1 });
}

#[test]
fn a_file_without_a_log_gets_one_that_says_what_was_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca.db");
    drop(filled(&path));
    execute(
        &path,
        "DROP TABLE clock; ALTER TABLE certificates DROP checksum; ALTER TABLE revocations DROP checksum;
         ALTER TABLE crl DROP checksum; DROP VIEW audited; DROP TABLE audit; PRAGMA user_version = 3",
    );
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(kinds(&store), [""; 0]);
    assert_eq!(broken(&path), None);
    check(&store, both(token(4, 100), certificate(4)), Outcome::Recorded);
    check(&store, revoke(1, None), Outcome::Recorded);
    assert_eq!(kinds(&store), ["began", "issued", "revoked"]);
    let began = &log(&store)[0].event;
    assert_eq!((began.certificates, began.revocations), (Some(3), Some(1)));
    assert_eq!(began.at, certificate(4).issued_at);
    assert_eq!(broken(&path), None);
    drop(store);
    execute(&path, "DELETE FROM certificates WHERE id = 2");
    assert_eq!(broken(&path), Some(Broken::Certificates { expected: 3, found: 2 }));
}

#[test]
fn operators_read_it_with_their_own_tools() {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder.path().join("ca.db"));
    let connection = Connection::open(store.path()).unwrap();
    let mut statement = connection
        .prepare("SELECT format('%s %s %s %s %s', kind, at, request_id, serial, code) FROM audited")
        .unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let issued = "issued 2026-11-24 00:36:07 b7e0c1f6-3f0e-4f5e-9f0e-1a2b3c4d5e6f";
    assert_eq!(
        rows,
        [
            format!("{issued} 01 "),
            format!("{issued} 02 "),
            format!("{issued} 03 "),
            "revoked 2026-11-24 00:36:40 request2 02 1".to_owned(),
            "refused 2026-11-24 00:38:20 r-1  token.replayed".to_owned(),
        ]
    );
}

/// A record of 48 bytes and what surrounds it.
#[test]
fn a_certificates_record_is_small() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("ca.db")).unwrap();
    let commits =
        (0..2000).map(|number| Commit { certificate: Some(certificate(number)), ..Commit::default() });
    for future in in_one_batch(&store, commits.collect()) {
        assert_eq!(block_on(future).unwrap(), Outcome::Recorded);
    }
    let path = store.path().to_owned();
    drop(store);
    let before = fs::metadata(&path).unwrap().len();
    execute(&path, "DROP VIEW audited; DROP TABLE audit; VACUUM");
    let bytes = (before - fs::metadata(&path).unwrap().len()) / 2000;
    assert!((40..90).contains(&bytes), "{bytes}");
}

/// Each byte of each record in the file, not only what a statement can change.
#[test]
fn no_byte_of_a_record_can_change_unnoticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca.db");
    let store = filled(&path);
    let records = log(&store);
    drop(store);
    let page: u32 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'", [], |row| row.get(0))
        .unwrap();
    let whole = fs::read(&path).unwrap();
    let page = (page as usize - 1) * 4096;
    // A leaf of a table, https://www.sqlite.org/fileformat2.html#b_tree_pages: its cells lie at its end.
    assert_eq!(whole[page], 13);
    let cells = page + usize::from(u16::from_be_bytes([whole[page + 5], whole[page + 6]]));
    assert!(page + 4096 - cells > 5 * 40);
    for place in cells..page + 4096 {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        fs::write(&path, &altered).unwrap();
        let mut read = Vec::new();
        let walked = SqliteReader::open(&path)
            .and_then(|reader| reader.walk_audit(&mut |record| read.push(record.clone())));
        let unnoticed = matches!(walked, Ok((_, None)));
        assert!(!unnoticed || read == records, "byte {place}: {read:?}");
        assert!(!unnoticed, "byte {place} means nothing");
    }
}

fn backup(store: &SqliteStore, folder: &TempDir) -> PathBuf {
    let backup = folder.path().join("backup.db");
    SqliteReader::open(store.path()).unwrap().back_up(&backup).unwrap();
    backup
}

#[test]
fn a_backup_that_the_log_contains_adds_nothing() {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder.path().join("ca.db"));
    let backup = backup(&store, &folder);
    check(&store, both(token(4, 100), certificate(4)), Outcome::Recorded);
    let before = log(&store);
    let path = store.path().to_owned();
    drop(store);
    assert_eq!(restore(&path, &backup, NOW).unwrap().events, 0);
    let store = SqliteStore::open(&path).unwrap();
    let after = log(&store);
    assert_eq!((&after[..6], after.len(), after[6].event.kind), (&before[..], 7, AuditKind::Restored));
    assert!(after[6].event.cause.as_ref().unwrap().contains("record 5, "));
    assert_eq!(broken(&path), None);
}

#[test]
fn events_that_only_a_backup_has_are_appended_once() {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder.path().join("ca.db"));
    let backup = backup(&store, &folder);
    drop(store);
    // Begun anew after a loss: one serial number was used again, one revocation was repeated.
    let path = folder.path().join("new.db");
    let store = SqliteStore::open(&path).unwrap();
    check(&store, Commit { certificate: Some(certificate(5)), ..Commit::default() }, Outcome::Recorded);
    let other = CertificateRecord { serial: serial(3), ..certificate(6) };
    check(&store, Commit { certificate: Some(other), ..Commit::default() }, Outcome::Recorded);
    check(&store, revoke(2, None), Outcome::Recorded);
    let before = log(&store);
    drop(store);

    let restored = restore(&path, &backup, NOW).unwrap();
    assert_eq!((restored.certificates, restored.revocations, restored.events), (2, 0, 4));
    let store = SqliteStore::open(&path).unwrap();
    let after = log(&store);
    assert_eq!(after[..3], before);
    let theirs = SqliteStore::open(&backup).unwrap();
    let expected: Vec<_> =
        log(&theirs).into_iter().filter(|record| record.sequence != 3).map(|record| record.event).collect();
    let appended: Vec<_> = after[3..7].iter().map(|record| record.event.clone()).collect();
    assert_eq!(appended, expected);
    let note = after[7].event.cause.clone().unwrap();
    assert!(note.starts_with("4 records came from the log of a backup, 1 did not: "), "{note}");
    assert_eq!(broken(&path), None);
    drop((store, theirs));

    assert_eq!(restore(&path, &backup, NOW).unwrap().events, 0);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(log(&store).len(), 9);
    block_on(store.check()).unwrap();
}

#[test]
fn a_backup_in_the_place_of_everything_goes_on_with_its_log() {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder.path().join("ca.db"));
    let before = log(&store);
    let backup = backup(&store, &folder);
    drop(store);
    let path = folder.path().join("new.db");
    assert_eq!(restore(&path, &backup, NOW).unwrap().events, 5);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(log(&store)[..5], before);
    assert_eq!(kinds(&store)[5..], ["restored"]);
    check(&store, both(token(4, 100), certificate(4)), Outcome::TokenAlreadySpent);
    assert_eq!(broken(&path), None);
    drop(store);
    SqliteStore::compact(&path).unwrap();
    assert_eq!(broken(&path), None);
}

/// A log that somebody has tampered with is no reason to throw the records away.
#[test]
fn a_broken_log_neither_stops_a_backup_nor_is_set_aside() {
    let folder = TempDir::new().unwrap();
    let store = filled(&folder.path().join("ca.db"));
    let path = store.path().to_owned();
    drop(store);
    execute(&path, "UPDATE audit SET at = 0 WHERE sequence = 5");
    let store = SqliteStore::open(&path).unwrap();
    let backup = backup(&store, &folder);
    drop(store);
    let restored = restore(&path, &backup, NOW).unwrap();
    assert_eq!((restored.merged, restored.damaged), (true, None));
    assert_eq!(broken(&path), Some(Broken::Altered(5)));
}
