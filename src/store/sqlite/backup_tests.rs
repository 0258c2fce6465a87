//! Backups of databases in use, and what their return must not undo.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::store::Commit;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Outcome;
use crate::store::Restored;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::SqliteReader;
use crate::store::SqliteStore;
use crate::store::Store;
use crate::store::conformance::block_on;
use crate::store::conformance::both;
use crate::store::conformance::certificate;
use crate::store::conformance::crl;
use crate::store::conformance::revocation;
use crate::store::conformance::revoke;
use crate::store::conformance::serial;
use crate::store::conformance::token;
use crate::store::sqlite::restore::JUMP;
use crate::store::sqlite::restore::LEEWAY;
use crate::store::sqlite::restore::restore;

const NOW: i64 = 1_795_500_000;

/// When the certificates of the suite expire.
const EXPIRY: Option<i64> = Some(1_795_566_967);

fn revoked(number: u32) -> Revocation {
    revocation(number, EXPIRY)
}

fn commit(store: &SqliteStore, commit: Commit) -> Outcome {
    block_on(store.commit(commit)).unwrap()
}

fn spend(store: &SqliteStore, token: SpentToken) -> Outcome {
    commit(store, Commit { token: Some(token), ..Commit::default() })
}

fn listed(path: &Path, filter: &Filter) -> Vec<Listed> {
    let mut all = Vec::new();
    SqliteReader::open(path)
        .unwrap()
        .list(filter, &mut |listed| {
            all.push(listed);
            true
        })
        .unwrap();
    all
}

fn serials(path: &Path, filter: &Filter) -> Vec<String> {
    listed(path, filter).iter().map(|listed| listed.serial.to_string()).collect()
}

/// A store with certificates 1 and 2, their tokens, 2 and the unknown 9 revoked, a CRL of number 0; and its backup.
fn backed_up(folder: &TempDir) -> (SqliteStore, PathBuf) {
    let store = SqliteStore::open(&folder.path().join("ca.db")).unwrap();
    for number in [1, 2] {
        assert_eq!(
            commit(&store, both(token(number, NOW + 300), certificate(number.into()))),
            Outcome::Recorded
        );
    }
    for number in [2, 9] {
        assert_eq!(commit(&store, revoke(number, EXPIRY)), Outcome::Recorded);
    }
    assert!(block_on(store.record_crl(crl(0))).unwrap());
    let backup = folder.path().join("backup.db");
    // While the store is open.
    SqliteReader::open(store.path()).unwrap().back_up(&backup).unwrap();
    (store, backup)
}

#[test]
fn a_reader_lists_beside_the_writer() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    for path in [store.path(), &backup] {
        let check =
            |filter: Filter, expected: &[&str]| assert_eq!(serials(path, &filter), expected, "{filter:?}");
        check(Filter::default(), &["2", "1", "9"]);
        check(Filter { revoked: true, ..Filter::default() }, &["2", "9"]);
        check(Filter { serial: Some(serial(1)), ..Filter::default() }, &["1"]);
        let known = certificate(2);
        check(Filter { grant_id: known.grant_id, ..Filter::default() }, &["2"]);
        check(Filter { grant_id: Some("other".to_owned()), ..Filter::default() }, &[]);
        check(Filter { expiring_before: Some(known.not_after), revoked: true, ..Filter::default() }, &[]);
        check(Filter { expiring_from: Some(known.not_after), ..Filter::default() }, &["2", "1", "9"]);
    }
    let all = listed(store.path(), &Filter::default());
    assert_eq!(all[1], Listed { serial: serial(1), certificate: Some(certificate(1)), revocation: None });
    assert_eq!(all[2], Listed { serial: serial(9), certificate: None, revocation: Some(revoked(9)) });
    let mut first = Vec::new();
    let reader = SqliteReader::open(store.path()).unwrap();
    reader
        .list(&Filter::default(), &mut |listed| {
            first.push(listed);
            false
        })
        .unwrap();
    assert_eq!(first.len(), 1);
}

#[test]
fn a_backup_is_private_whole_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let reader = SqliteReader::open(store.path()).unwrap();
    let before = fs::read(&backup).unwrap();
    assert!(matches!(reader.back_up(&backup), Err(Error::File { action: "create", .. })));
    assert_eq!(fs::read(&backup).unwrap(), before);
    assert_eq!(SqliteReader::open(&backup).unwrap().counts().unwrap().certificates, 2);
}

#[test]
fn what_came_after_a_backup_outlives_its_return() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    assert_eq!(commit(&store, both(token(3, NOW + 300), certificate(3))), Outcome::Recorded);
    assert_eq!(commit(&store, revoke(1, EXPIRY)), Outcome::Recorded);
    assert!(block_on(store.record_crl(crl(1))).unwrap());
    let path = store.path().to_owned();
    let Err(Error::InUse { .. }) = restore(&path, &backup, NOW) else { panic!("it is in use") };
    drop(store);

    let restored = restore(&path, &backup, NOW).unwrap();
    let expected = Restored { certificates: 0, revocations: 0, events: 0, merged: true, damaged: None };
    assert_eq!(restored, expected);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(serials(&path, &Filter::default()), ["3", "2", "1", "9"]);
    assert!(block_on(store.revocation(&serial(1))).unwrap().is_some());
    assert_eq!(block_on(store.crl()).unwrap().unwrap().number, 1);
    for number in [1, 2, 3] {
        assert_eq!(spend(&store, token(number, NOW + 300)), Outcome::TokenAlreadySpent);
    }
    assert_eq!(spend(&store, token(4, NOW + 300)), Outcome::Recorded);
}

#[test]
fn what_only_the_backup_has_comes_back() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    drop(store);
    let path = folder.path().join("other.db");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(commit(&store, both(token(5, NOW + 300), certificate(5))), Outcome::Recorded);
    drop(store);
    let restored = restore(&path, &backup, NOW).unwrap();
    assert_eq!((restored.certificates, restored.revocations, restored.merged), (2, 2, true));
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.certificate(&serial(2))).unwrap(), Some(certificate(2)));
    assert_eq!(block_on(store.revocation(&serial(9))).unwrap(), Some(revoked(9)));
    assert_eq!(block_on(store.crl()).unwrap().unwrap().number, 0);
    assert_eq!(spend(&store, token(1, NOW + 300)), Outcome::TokenAlreadySpent);
    block_on(store.check()).unwrap();
}

/// After a loss nobody knows which tokens were spent: only those made later are taken, and CRL numbers jump.
fn check_after_a_loss(path: &Path, damaged: bool, restored: &Restored) {
    assert_eq!((restored.certificates, restored.revocations, restored.merged), (2, 2, false));
    assert_eq!(restored.damaged.is_some(), damaged);
    let store = SqliteStore::open(path).unwrap();
    assert_eq!(block_on(store.revocation(&serial(2))).unwrap(), Some(revoked(2)));
    assert_eq!(block_on(store.crl()).unwrap().unwrap().number, JUMP);
    let other = |issued_at| SpentToken { issued_at, ..token(7, NOW + 400) };
    assert_eq!(spend(&store, other(Some(NOW + LEEWAY - 1))), Outcome::TokenAlreadySpent);
    assert_eq!(spend(&store, other(None)), Outcome::TokenAlreadySpent);
    assert_eq!(spend(&store, other(Some(NOW + LEEWAY))), Outcome::Recorded);
    assert_eq!(spend(&store, other(Some(NOW + LEEWAY))), Outcome::TokenAlreadySpent);
}

#[test]
fn a_backup_stands_in_for_a_lost_database() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    drop(store);
    let path = folder.path().join("new/ca.db");
    let restored = restore(&path, &backup, NOW).unwrap();
    check_after_a_loss(&path, false, &restored);
    let names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("restoring")), "{names:?}");
}

#[test]
fn a_damaged_database_is_set_aside() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    let path = store.path().to_owned();
    drop(store);
    fs::write(&path, "not a database at all, but long enough to be looked at as if it were one").unwrap();
    let restored = restore(&path, &backup, NOW).unwrap();
    let aside = restored.damaged.clone().unwrap();
    assert!(fs::read_to_string(aside).unwrap().starts_with("not a database"));
    check_after_a_loss(&path, true, &restored);
}

#[test]
fn a_bad_backup_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (store, backup) = backed_up(&folder);
    let path = store.path().to_owned();
    drop(store);
    let before = fs::read(&path).unwrap();
    let mut damaged = fs::read(&backup).unwrap();
    // The head of the second page.
    damaged[4096..4196].fill(0xa5);
    for (name, content) in [("damaged.db", damaged), ("empty.db", Vec::new()), ("text.db", vec![b'x'; 5000])]
    {
        let bad = folder.path().join(name);
        fs::write(&bad, content).unwrap();
        let error = restore(&path, &bad, NOW).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
    assert!(restore(&path, &folder.path().join("absent.db"), NOW).is_err());
}

#[test]
fn compacting_gives_space_back() {
    let folder = TempDir::new().unwrap();
    let (store, _) = backed_up(&folder);
    for number in 0..200 {
        assert_eq!(
            spend(&store, SpentToken { key: crate::store::TokenKey([number; 32]), ..token(0, 5) }),
            if number == 1 || number == 2 { Outcome::TokenAlreadySpent } else { Outcome::Recorded }
        );
    }
    assert_eq!(block_on(store.prune(10)).unwrap(), 198);
    let path = store.path().to_owned();
    assert!(matches!(SqliteStore::compact(&path), Err(Error::InUse { .. })));
    drop(store);
    let (before, after) = SqliteStore::compact(&path).unwrap();
    assert!(after < before, "{before} {after}");
    assert!(SqliteStore::compact(&folder.path().join("absent.db")).is_err());
    assert_eq!(serials(&path, &Filter::default()), ["2", "1", "9"]);
}
