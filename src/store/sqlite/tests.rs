//! The SQLite store: the common suite, then what only a file can go wrong with.

#![cfg(unix)]

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::thread;

use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteStore;
use crate::store::Commit;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::Store;
use crate::store::StoreFuture;
use crate::store::conformance;
use crate::store::conformance::block_on;
use crate::store::conformance::both;
use crate::store::conformance::certificate;
use crate::store::conformance::check;
use crate::store::conformance::check_certificate;
use crate::store::conformance::check_counts;
use crate::store::conformance::crl;
use crate::store::conformance::only;
use crate::store::conformance::revocation;
use crate::store::conformance::revoke;
use crate::store::conformance::serial;
use crate::store::conformance::token;

/// Opens a new file in `directory` each time.
fn opener(directory: &TempDir) -> impl Fn() -> SqliteStore {
    let number = Cell::new(0);
    move || {
        number.set(number.get() + 1);
        SqliteStore::open(&directory.path().join(format!("{}.db", number.get()))).unwrap()
    }
}

fn reopen(store: SqliteStore) -> SqliteStore {
    let path = store.path().to_owned();
    drop(store);
    SqliteStore::open(&path).unwrap()
}

/// Lets an operator's tool change the file behind the store's back.
fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn conforms() {
    let directory = TempDir::new().unwrap();
    conformance::run(&opener(&directory));
}

#[test]
fn agrees_with_the_model() {
    let directory = TempDir::new().unwrap();
    conformance::compare_with_model(&opener(&directory), Some(&reopen), 40);
}

#[test]
fn the_audit_log_goes_on_after_reopening() {
    let directory = TempDir::new().unwrap();
    conformance::audit::the_log_goes_on(opener(&directory)(), &reopen);
}

#[test]
fn reopening_keeps_everything() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    check(&store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    let store = reopen(store);
    check(&store, only(token(1, 100)), Outcome::TokenAlreadySpent);
    check_certificate(&store, 1, true);
    block_on(store.check()).unwrap();
}

#[test]
fn reopening_keeps_revocations_and_crl() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    check(&store, revoke(1, Some(100)), Outcome::Recorded);
    assert!(block_on(store.record_crl(crl(0))).unwrap());
    let store = reopen(store);
    check(&store, revoke(1, None), Outcome::AlreadyRevoked);
    assert_eq!(block_on(store.revocations(0)).unwrap(), [revocation(1, Some(100))]);
    assert!(!block_on(store.record_crl(crl(0))).unwrap());
    assert!(block_on(store.record_crl(crl(1))).unwrap());
    assert_eq!(block_on(store.crl()).unwrap(), Some(crl(1)));
    let connection = Connection::open(store.path()).unwrap();
    let row =
        connection.query_row("SELECT serial || expires_at FROM revoked", [], |row| row.get::<_, String>(0));
    assert_eq!(row.unwrap(), "011970-01-01 00:01:40");
}

#[test]
fn a_database_set_aside_is_kept() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("1.db");
    assert_eq!(SqliteStore::set_aside(&path), Ok(None));
    let store = opener(&directory)();
    check(&store, only(token(1, 100)), Outcome::Recorded);
    let claimed = SqliteStore::set_aside(&path);
    assert!(matches!(claimed, Err(Error::InUse { .. })), "{claimed:?}");
    // As a killed process leaves it: not all is in the database itself.
    let lost = directory.path().join("lost.db");
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", lost.display())).unwrap();
    }
    let aside = SqliteStore::set_aside(&lost).unwrap().unwrap();
    assert!(aside.ends_with("lost.db.forgotten-1"), "{aside:?}");
    // The next file of that name knows nothing, the one that was moved everything.
    check(&SqliteStore::open(&lost).unwrap(), only(token(1, 100)), Outcome::Recorded);
    check(&SqliteStore::open(&aside).unwrap(), only(token(1, 100)), Outcome::TokenAlreadySpent);
    let again = SqliteStore::set_aside(&lost).unwrap().unwrap();
    assert!(again.ends_with("lost.db.forgotten-2"), "{again:?}");
}

#[test]
fn a_crash_loses_nothing_that_was_answered() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    for number in 0..100 {
        check(&store, both(token(number, 100), certificate(number.into())), Outcome::Recorded);
    }
    // The files as a killed process leaves them: the log not folded into the database.
    let after = directory.path().join("after.db");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", store.path().display());
        fs::copy(from, format!("{}{suffix}", after.display())).unwrap();
    }
    let store = SqliteStore::open(&after).unwrap();
    check_counts(&store, 100, 100);
    check(&store, only(token(99, 100)), Outcome::TokenAlreadySpent);
    block_on(store.check()).unwrap();
}

/// Queues commits while the writer is held up, so that all but the first go into one transaction; then lets it go on.
pub(super) fn in_one_batch(store: &SqliteStore, commits: Vec<Commit>) -> Vec<StoreFuture<'_, Outcome>> {
    let operator = Connection::open(store.path()).unwrap();
    operator.execute_batch("BEGIN IMMEDIATE").unwrap();
    commits
        .into_iter()
        .map(|commit| {
            let mut future = store.commit(commit);
            assert!(poll(&mut future).is_pending());
            future
        })
        .collect()
}

fn poll(future: &mut StoreFuture<'_, Outcome>) -> Poll<Result<Outcome, Error>> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn dropping_flushes_what_was_accepted() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    let commits = (0..200).map(|number| both(token(number, 100), certificate(number.into())));
    drop(in_one_batch(&store, commits.collect()));
    check_counts(&reopen(store), 200, 200);
}

#[test]
fn a_batch_sees_its_own_tokens_and_serials() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    let commits = [(0, 0), (1, 1), (1, 2), (2, 1), (1, 1), (2, 2), (2, 3)]
        .map(|(key, number)| both(token(key, 100), certificate(number)));
    let outcomes = in_one_batch(&store, commits.to_vec())
        .into_iter()
        .map(|future| block_on(future).unwrap())
        .collect::<Vec<_>>();
    assert_eq!(
        outcomes,
        [
            Outcome::Recorded,
            Outcome::Recorded,
            Outcome::TokenAlreadySpent,
            Outcome::SerialExists,
            Outcome::TokenAlreadySpent,
            Outcome::Recorded,
            Outcome::TokenAlreadySpent,
        ]
    );
    check_counts(&store, 3, 3);
}

#[test]
fn pruning_goes_on_after_a_slice() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    tamper(
        store.path(),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
         INSERT INTO spent_tokens SELECT CAST(format('%032d', i) AS BLOB), i FROM n",
    );
    assert_eq!(block_on(store.prune(2301)).unwrap(), 2300);
    check_counts(&store, 200, 0);
}

#[test]
fn one_bad_record_does_not_fail_its_neighbours() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    tamper(
        store.path(),
        "CREATE TRIGGER no BEFORE INSERT ON certificates WHEN NEW.subject LIKE '%host13.%'
         BEGIN SELECT RAISE(ABORT, 'thirteen'); END",
    );
    let commits = (0..40).map(|number| both(token(number, 100), certificate(number.into())));
    for (number, future) in (0..).zip(in_one_batch(&store, commits.collect())) {
        match block_on(future) {
            Ok(Outcome::Recorded) => assert_ne!(number, 13),
            Err(Error::Database { detail, .. }) => {
                assert_eq!((number, detail.as_str()), (13, "thirteen"));
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    check_counts(&store, 39, 39);
    assert_eq!(conformance::audit::log(&store).len(), 39);
    check_certificate(&store, 13, false);
    check(&store, only(token(13, 100)), Outcome::Recorded);
}

#[test]
fn another_process_is_kept_out() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    let alias = directory.path().join("alias.db");
    std::os::unix::fs::symlink(store.path(), &alias).unwrap();
    for path in [store.path(), &alias] {
        let error = SqliteStore::open(path).unwrap_err();
        let expected = Error::InUse { path: store.path().to_owned(), holder: Some(process::id()) };
        assert_eq!(error, expected);
    }
    let path = store.path().to_owned();
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn an_operator_can_look_while_it_runs() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    check(&store, both(token(1, 100), certificate(0x9a02)), Outcome::Recorded);
    let connection = Connection::open(store.path()).unwrap();
    let row: (String, String, String) = connection
        .query_row("SELECT serial, not_after, provisioner FROM issued", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, ("9A02".to_owned(), "2026-11-25 00:36:07".to_owned(), "mosaic:key0".to_owned()));
    // A long read neither stops commits nor sees them.
    connection.execute_batch("BEGIN; SELECT * FROM issued").unwrap();
    check(&store, only(token(2, 100)), Outcome::Recorded);
}

#[test]
fn files_are_private() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a/b/store.db");
    let store = SqliteStore::open(&path).unwrap();
    check(&store, only(token(1, 100)), Outcome::Recorded);
    let names = |directory: &Path| {
        let mut names = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>();
        names.sort();
        names
    };
    let parent = path.parent().unwrap();
    assert_eq!(names(parent), ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]);
    for name in names(parent) {
        assert_eq!(mode(&parent.join(&name)), 0o600, "{name}");
    }
    assert_eq!(mode(parent), 0o700);
    assert_eq!(mode(&directory.path().join("a")), 0o700);

    drop(store);
    assert_eq!(names(parent), ["store.db", "store.db.lock"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _store = SqliteStore::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let text = "not a database, but longer than the header of one: ".repeat(40);
    fs::write(&path, &text).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert_eq!(error, Error::NotADatabase { path: path.clone() });
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("name a file in it"), "{error}");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    tamper(&path, "CREATE TABLE theirs (x)");
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    let expected = Error::Foreign { path: path.clone(), application_id: 0 };
    assert_eq!(error, expected);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    let path = store.path().to_owned();
    drop(store);
    tamper(&path, "PRAGMA user_version = 99");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }));
}

/// Makes a database of 200 certificates and closes it.
fn closed_database(directory: &TempDir) -> PathBuf {
    let store = opener(directory)();
    for number in 0..200 {
        let commit = both(token(number, 100), certificate(number.into()));
        check(&store, commit, Outcome::Recorded);
    }
    store.path().to_owned()
}

#[test]
fn damage_is_named() {
    let directory = TempDir::new().unwrap();
    let path = closed_database(&directory);
    let whole = fs::read(&path).unwrap();

    fs::write(&path, &whole[..whole.len() - 4096 * 10]).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "truncated: {error}");

    let mut without_schema = whole.clone();
    without_schema[100..4096].fill(0xff);
    fs::write(&path, &without_schema).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "schema: {error}");

    let mut last_page = whole.clone();
    let start = whole.len() - 4096;
    last_page[start..].fill(0xff);
    fs::write(&path, &last_page).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "last page: {error}");

    // Somewhere in the middle: found by the full check, and by whoever reads that page.
    let mut middle = whole.clone();
    let start = whole.len() / 2 / 4096 * 4096;
    middle[start..start + 4096].fill(0xff);
    fs::write(&path, &middle).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let error = block_on(store.check()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "middle: {error}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
    let failed = (0..200)
        .filter_map(|number| block_on(store.certificate(&serial(number))).err())
        .inspect(|error| assert!(matches!(error, Error::Corrupt { .. }), "{error}"))
        .count();
    assert!(failed > 0);
    drop(store);

    fs::write(&path, &whole).unwrap();
    block_on(SqliteStore::open(&path).unwrap().check()).unwrap();
    tamper(&path, "DROP VIEW issued");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("no such table: issued"), "{error}");
}

#[test]
fn nothing_is_done_with_damage_that_is_found_late() {
    let directory = TempDir::new().unwrap();
    let path = closed_database(&directory);
    let again = both(token(1, 100), certificate(1_000));

    let (store, search) = SqliteStore::open_ahead(&path).unwrap();
    let commit = store.commit(again.clone());
    assert_eq!(block_on(commit), Ok(Outcome::TokenAlreadySpent));
    block_on(search).unwrap();
    drop(store);

    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'spent_tokens'";
    let page: u32 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let page = page as usize;
    drop(connection);
    let mut damaged = fs::read(&path).unwrap();
    damaged[(page - 1) * 4096..page * 4096].fill(0xff);
    fs::write(&path, damaged).unwrap();
    let (store, search) = SqliteStore::open_ahead(&path).unwrap();
    let commit = store.commit(again);
    assert!(matches!(block_on(commit), Err(Error::Stopped { .. })));
    assert!(matches!(block_on(search), Err(Error::Corrupt { .. })));
}

#[test]
fn an_operators_transaction_makes_commits_wait() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    let operator = Connection::open(store.path()).unwrap();
    operator.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let commit = scope.spawn(|| check(&store, only(token(1, 100)), Outcome::Recorded));
        operator.execute_batch("ROLLBACK").unwrap();
        commit.join().unwrap();
    });
}

#[test]
fn a_full_queue_is_busy() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    // While an operator holds the database, the writer waits and the queue fills.
    let operator = Connection::open(store.path()).unwrap();
    operator.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    let mut refused = 0;
    for number in 0..6000_u32 {
        let mut future = store.commit(Commit { certificate: Some(certificate(number)), ..Commit::default() });
        match poll(&mut future) {
            Poll::Pending => waiting.push(future),
            Poll::Ready(answer) => {
                assert!(matches!(answer, Err(Error::Busy { waiting: 4096, .. })));
                refused += 1;
            }
        }
    }
    operator.execute_batch("ROLLBACK").unwrap();
    let accepted = waiting.len() as u64;
    for future in waiting {
        assert_eq!(block_on(future).unwrap(), Outcome::Recorded);
    }
    assert!(refused > 0);
    check_counts(&store, 0, accepted);
}

#[test]
fn a_file_taken_away_is_noticed() {
    let directory = TempDir::new().unwrap();
    let store = opener(&directory)();
    block_on(store.health(0)).unwrap();
    fs::rename(store.path(), directory.path().join("elsewhere.db")).unwrap();
    let error = block_on(store.health(0)).unwrap_err();
    assert!(matches!(error, Error::Replaced { .. }), "{error}");
}
