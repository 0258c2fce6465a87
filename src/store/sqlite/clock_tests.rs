//! Clocks that are set back, and rows that are not as they were written.

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteReader;
use super::SqliteStore;
use crate::store::CLOCK_TOLERANCE;
use crate::store::Commit;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::Store;
use crate::store::conformance::block_on;
use crate::store::conformance::certificate;
use crate::store::conformance::crl;
use crate::store::conformance::only;
use crate::store::conformance::revoke;
use crate::store::conformance::serial;
use crate::store::conformance::token;

const NOW: i64 = 1_800_000_000;

fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(&folder.path().join("ca.db")).unwrap()
}

/// Records a certificate as of `now`.
fn issue(store: &SqliteStore, number: u32, now: i64) -> Result<Outcome, Error> {
    let mut record = certificate(number);
    record.issued_at = now;
    block_on(store.commit(Commit { certificate: Some(record), ..Commit::default() }))
}

#[track_caller]
fn check_behind<T: std::fmt::Debug>(answer: Result<T, Error>, behind: i64) {
    match answer {
        Err(Error::ClockBehind { latest, now, .. }) => assert_eq!(latest - now, behind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_happens_long_before_the_latest_is_refused() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert_eq!(issue(&store, 1, NOW), Ok(Outcome::Recorded));
    assert_eq!(issue(&store, 2, NOW - CLOCK_TOLERANCE), Ok(Outcome::Recorded));
    let behind = CLOCK_TOLERANCE + 1;
    check_behind(issue(&store, 3, NOW - behind), behind);
    let early = CrlRecord { this_update: NOW - behind, ..crl(0) };
    check_behind(block_on(store.record_crl(early.clone())), behind);
    // Of before the day of this test.
    assert!(matches!(block_on(store.commit(revoke(1, None))), Err(Error::ClockBehind { .. })));
    // A token alone says no time, and using it up harms nobody.
    assert_eq!(block_on(store.commit(only(token(1, NOW)))), Ok(Outcome::Recorded));
    check_behind(store.check_clock(NOW - behind), behind);
    store.check_clock(NOW - CLOCK_TOLERANCE).unwrap();

    drop(store);
    let store = open(&folder);
    check_behind(issue(&store, 3, NOW - behind), behind);
    assert_eq!(SqliteReader::open(store.path()).unwrap().latest(), Ok(NOW));

    block_on(store.accept_clock(NOW - behind)).unwrap();
    assert_eq!(issue(&store, 3, NOW - behind), Ok(Outcome::Recorded));
    assert_eq!(block_on(store.record_crl(early)), Ok(true));
    drop(store);
    open(&folder).check_clock(NOW - 2 * CLOCK_TOLERANCE).unwrap();
}

#[test]
fn tokens_from_before_a_clock_was_accepted_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert_eq!(issue(&store, 1, NOW + 86_400), Ok(Outcome::Recorded));
    block_on(store.accept_clock(NOW)).unwrap();
    // They are issued 300 s before their end.
    for (number, issued_at, outcome) in [
        (1, NOW - 5, Outcome::TokenAlreadySpent),
        (2, NOW + 59, Outcome::TokenAlreadySpent),
        (3, NOW + 60, Outcome::Recorded),
    ] {
        assert_eq!(block_on(store.commit(only(token(number, issued_at + 300)))), Ok(outcome), "{issued_at}");
    }
}

#[test]
fn times_at_which_forgotten_tokens_would_pass_do_not_come_back() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert_eq!(block_on(store.commit(only(token(1, NOW)))), Ok(Outcome::Recorded));
    assert_eq!(block_on(store.prune(NOW)), Ok(0));
    store.check_clock(NOW - 86_400).unwrap();
    assert_eq!(block_on(store.prune(NOW + 1)), Ok(1));
    store.check_clock(NOW + 1).unwrap();
    check_behind(issue(&store, 1, NOW), CLOCK_TOLERANCE + 1);
    drop(store);
    check_behind(open(&folder).check_clock(NOW), CLOCK_TOLERANCE + 1);
}

#[test]
fn a_row_that_is_not_as_it_was_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert_eq!(issue(&store, 1, NOW), Ok(Outcome::Recorded));
    assert_eq!(block_on(store.record_crl(CrlRecord { this_update: NOW, ..crl(0) })), Ok(true));
    let tamper = |path: &Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    tamper(store.path(), "UPDATE certificates SET not_after = not_after + 1; UPDATE crl SET number = 7");
    let damaged = |error: Error| {
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("checksum"), "{error}");
    };
    damaged(block_on(store.certificate(&serial(1))).unwrap_err());
    damaged(block_on(store.crl()).unwrap_err());
    // The audit log goes by the certificate as well.
    tamper(store.path(), "UPDATE certificates SET not_after = not_after - 1");
    damaged(block_on(store.check()).unwrap_err());
    // Rows of before have none.
    tamper(store.path(), "UPDATE certificates SET checksum = NULL; UPDATE crl SET checksum = NULL");
    assert!(block_on(store.certificate(&serial(1))).unwrap().is_some());
    block_on(store.check()).unwrap();
}
