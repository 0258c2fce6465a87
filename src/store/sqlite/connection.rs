//! Opening a database file: settings, schema, a quick look for damage; and reading all of it.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::store::Counts;
use crate::store::Error;
use crate::store::sqlite::failure;
use crate::store::sqlite::records;
use crate::store::sqlite::schema;

/// How long to wait for an operator's transaction.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The smallest page.
const SHORTEST: u64 = 512;

/// What every connection gets. The cache is in KiB when negative; without a limit memory would grow with the file.
const SETTINGS: &str = "
    PRAGMA cache_size = -2048;
    PRAGMA cell_size_check = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
";

/// What the writer gets besides. The log is folded into the file every 4000 pages: that takes milliseconds, and must not
/// fall on one request in a hundred. It is cut to 16 MiB if a long read of an operator made it grow. macOS needs
/// `fullfsync` to really write; elsewhere it does nothing.
const WRITER_SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA temp_store = MEMORY;
";

/// Opens an existing file, possibly empty, for the writer. Damage is still to be looked for.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let failed = failure::of(path);
    refuse_a_stump(path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Before anything is changed: it may not be ours.
    schema::recognise(&connection, path)?;
    let journal = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        .map_err(failed)?;
    if journal != "wal" {
        return Err(Error::Database {
            path: path.to_owned(),
            detail: format!("its file system permits journal mode {journal} only, not WAL"),
        });
    }
    connection.execute_batch(WRITER_SETTINGS).map_err(failed)?;
    // More than there are statements, lest rare ones push out those of every commit.
    connection.set_prepared_statement_cache_capacity(32);
    schema::migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a file for reading, beside whoever writes.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::require_current(&connection, path)?;
    Ok(connection)
}

/// SQLite takes what is shorter than a header for a new file.
fn refuse_a_stump(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path).map(|file| file.len()) {
        Ok(1..SHORTEST) => Err(Error::NotADatabase { path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, Error> {
    let failed = failure::of(path);
    // One thread has it, so SQLite need not lock for itself.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failed)?;
    connection.execute_batch(SETTINGS).map_err(failed)?;
    Ok(connection)
}

/// Reads both ends of every table and index, which takes no longer for a large file, and all of the used tokens and
/// revocations: half a second for a million.
///
/// SQLite itself refuses a file without its header, or shorter than the header says.
pub(super) fn look_for_damage(connection: &Connection, path: &Path) -> Result<(), Error> {
    // What a lost key would let pass is read in full; used tokens are those of minutes, and revocations are few.
    for table in ["spent_tokens", "revocations"] {
        let found =
            texts(connection, &format!("PRAGMA integrity_check({table})")).map_err(failure::of(path))?;
        report(found, path)?;
    }
    records::revocations(connection, i64::MIN).map_err(failure::of(path))?;
    for sql in [
        "SELECT min(key), max(key) FROM spent_tokens",
        "SELECT min(expires_at), max(expires_at) FROM spent_tokens",
        "SELECT min(serial), max(serial) FROM certificates",
        "SELECT * FROM certificates WHERE id IN (SELECT min(id) FROM certificates UNION SELECT max(id) FROM certificates)",
        "SELECT * FROM provisioners ORDER BY id DESC LIMIT 1",
        "SELECT * FROM issued LIMIT 1",
        "SELECT min(serial), max(serial) FROM revocations",
        "SELECT * FROM revocations ORDER BY id DESC LIMIT 1",
        "SELECT * FROM revoked LIMIT 1",
        "SELECT * FROM crl",
        "SELECT * FROM audit ORDER BY sequence DESC LIMIT 1",
        "SELECT * FROM audited LIMIT 1",
        "SELECT * FROM clock",
    ] {
        let read = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        read().map_err(|error| match &error {
            // A table or column is not there.
            rusqlite::Error::SqlInputError { .. } => {
                Error::Corrupt { path: path.to_owned(), detail: error.to_string() }
            }
            _ => failure::of(path)(error),
        })?;
    }
    Ok(())
}

/// Reads everything and looks for damage.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let failed = failure::of(path);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // The first few lines say enough.
    let mut found = texts(&connection, "PRAGMA integrity_check(5)").map_err(failed)?;
    if found == ["ok"] {
        found = texts(
            &connection,
            "SELECT format('row %d of %s has no parent in %s', rowid, \"table\", parent)
             FROM pragma_foreign_key_check LIMIT 5",
        )
        .map_err(failed)?;
    }
    report(found, path)
}

/// Makes an error of what a check of SQLite's has found, the first few lines of it.
fn report(found: Vec<String>, path: &Path) -> Result<(), Error> {
    match found.as_slice() {
        [] => Ok(()),
        [line] if line == "ok" => Ok(()),
        [..] => {
            let detail = found.into_iter().take(5).collect::<Vec<_>>().join("; ");
            Err(Error::Corrupt { path: path.to_owned(), detail })
        }
    }
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Counts the rows; SQLite reads the smallest index of each table for that.
pub(super) fn counts(path: &Path) -> Result<Counts, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection
        .query_row(
            "SELECT (SELECT count(*) FROM spent_tokens), (SELECT count(*) FROM certificates)",
            [],
            |row| {
                Ok(Counts {
                    spent_tokens: row.get::<_, i64>(0)?.unsigned_abs(),
                    certificates: row.get::<_, i64>(1)?.unsigned_abs(),
                })
            },
        )
        .map_err(failure::of(path))
}
