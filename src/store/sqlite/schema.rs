//! The tables, and how a file of an older version gets them.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::store::Error;
use crate::store::sqlite::failure;

/// Marks a database as ours in its header, "stpl" in ASCII; the `file` command and other programs can tell.
pub(super) const APPLICATION_ID: i32 = 0x7374_706c;

/// One step for each schema version: the first makes version 1 of an empty file, the next makes version 2 of that.
/// Once released, a step never changes; new tables come with a new step.
///
/// Certificates lie in order of issue, with the large `der` last, and their serials in an index, so that random
/// serials touch only that. Used tokens are all key, hence `WITHOUT ROWID`. Provisioners stand once instead of in
/// each certificate.
///
/// A revocation is looked up by serial number and listed in order of record; `crl` has one row, the latest list.
/// `records_lost` has a row if a backup had to stand in for records that nobody has any more.
///
/// `audit` names certificates and revocations by their ids and keeps nothing of them, so that one takes some 60 bytes.
/// The ids are no foreign keys: a row taken away is a matter for the walk along the log, and no damage to the file.
///
/// The key of a used token stands twice, in its row and in the index. As that is unique, a bit that flips in one of them
/// lets the token not pass again: either copy refuses it.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE spent_tokens (
        key BLOB PRIMARY KEY NOT NULL, -- SHA-256 of what makes the token unique
        expires_at INTEGER NOT NULL    -- Unix seconds; may be deleted afterwards
    ) WITHOUT ROWID;
    CREATE INDEX spent_tokens_by_expiry ON spent_tokens (expires_at);

    CREATE TABLE provisioners (
        id INTEGER PRIMARY KEY,
        provisioner_id TEXT NOT NULL,  -- <name>:<kid>
        name TEXT NOT NULL,
        UNIQUE (provisioner_id, name)
    );

    CREATE TABLE certificates (
        id INTEGER PRIMARY KEY,        -- order of issue
        serial BLOB NOT NULL UNIQUE,   -- content octets of the INTEGER: big endian, may begin with 00
        not_before INTEGER NOT NULL,   -- Unix seconds, as all times
        not_after INTEGER NOT NULL,
        issued_at INTEGER NOT NULL,
        provisioner INTEGER NOT NULL REFERENCES provisioners (id),
        subject TEXT NOT NULL,
        grant_id TEXT,
        subject_user_id TEXT,
        request_id TEXT NOT NULL,
        der BLOB NOT NULL
    );

    -- For people.
    CREATE VIEW issued AS
        SELECT CASE WHEN substr(serial, 1, 1) = x'00' THEN hex(substr(serial, 2)) ELSE hex(serial) END AS serial, subject,
            datetime(not_before, 'unixepoch') AS not_before, datetime(not_after, 'unixepoch') AS not_after,
            datetime(issued_at, 'unixepoch') AS issued_at, provisioner_id AS provisioner,
            grant_id, subject_user_id, request_id
        FROM certificates JOIN provisioners ON provisioners.id = certificates.provisioner;
",
    "
    CREATE TABLE revocations (
        id INTEGER PRIMARY KEY,        -- order of record
        serial BLOB NOT NULL UNIQUE,   -- content octets of the INTEGER, as in certificates
        revoked_at INTEGER NOT NULL,   -- Unix seconds, as all times
        reason_code INTEGER NOT NULL,  -- CRLReason, 0 to 10
        reason TEXT NOT NULL,
        expires_at INTEGER,            -- end of the certificate's validity, if known
        provisioner_id TEXT,           -- whose token asked for it; NULL for the certificate's own key
        request_id TEXT NOT NULL
    );

    CREATE TABLE crl (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        number INTEGER NOT NULL,
        this_update INTEGER NOT NULL,
        next_update INTEGER NOT NULL,
        der BLOB NOT NULL
    );

    -- For people.
    CREATE VIEW revoked AS
        SELECT CASE WHEN substr(serial, 1, 1) = x'00' THEN hex(substr(serial, 2)) ELSE hex(serial) END AS serial,
            datetime(revoked_at, 'unixepoch') AS revoked_at, reason_code, reason,
            datetime(expires_at, 'unixepoch') AS expires_at, provisioner_id, request_id
        FROM revocations;
",
    "
    CREATE TABLE records_lost (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        until INTEGER NOT NULL         -- Unix seconds; any token issued before may be among the lost ones
    );
",
    "
    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,  -- from 1, without gaps
        kind INTEGER NOT NULL,         -- what happened; see the view audited
        hash BLOB NOT NULL,            -- SHA-256 over the hash before and the event
        certificate INTEGER,           -- id of what was issued; of what was revoked, if on record then
        revocation INTEGER,            -- id of the revocation
        previous BLOB,                 -- serial of the certificate that was renewed
        -- All else of an event that is not of a certificate or revocation on record.
        at INTEGER,
        request_id TEXT,
        provisioner_id TEXT,
        named_provisioner TEXT,
        subject TEXT,
        grant_id TEXT,
        subject_user_id TEXT,
        serial BLOB,
        expires_at INTEGER,
        code TEXT,
        cause TEXT,
        certificates INTEGER,          -- records that have no event of their own
        revocations INTEGER
    );

    -- For people.
    CREATE VIEW audited AS
        SELECT sequence, kind, at, request_id, provisioner, named_provisioner, subject, grant_id, subject_user_id,
            CASE WHEN substr(serial, 1, 1) = x'00' THEN hex(substr(serial, 2)) ELSE hex(serial) END AS serial,
            code, cause
        FROM (SELECT sequence, CASE kind WHEN 1 THEN 'began' WHEN 2 THEN 'started' WHEN 3 THEN 'reloaded'
                WHEN 4 THEN 'issued' WHEN 5 THEN 'renewed' WHEN 6 THEN 'rekeyed' WHEN 7 THEN 'revoked'
                WHEN 8 THEN 'refused' WHEN 9 THEN 'restored' ELSE kind END AS kind,
            datetime(coalesce(at, revoked_at, issued_at), 'unixepoch') AS at,
            coalesce(audit.request_id, revocations.request_id, certificates.request_id) AS request_id,
            CASE WHEN revocation IS NULL THEN coalesce(audit.provisioner_id, provisioners.provisioner_id)
                ELSE revocations.provisioner_id END AS provisioner,
            named_provisioner, coalesce(audit.subject, certificates.subject) AS subject,
            coalesce(audit.grant_id, certificates.grant_id) AS grant_id,
            coalesce(audit.subject_user_id, certificates.subject_user_id) AS subject_user_id,
            coalesce(audit.serial, revocations.serial, certificates.serial) AS serial,
            coalesce(code, reason_code) AS code, coalesce(cause, reason) AS cause
        FROM audit LEFT JOIN certificates ON certificates.id = audit.certificate
            LEFT JOIN provisioners ON provisioners.id = certificates.provisioner
            LEFT JOIN revocations ON revocations.id = audit.revocation);
",
    "
    ALTER TABLE certificates ADD checksum BLOB; -- of the other values; see checksum.rs
    ALTER TABLE revocations ADD checksum BLOB;
    ALTER TABLE crl ADD checksum BLOB;

    DROP INDEX spent_tokens_by_expiry;
    CREATE UNIQUE INDEX spent_tokens_by_expiry ON spent_tokens (expires_at, key);

    CREATE TABLE clock (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        latest INTEGER NOT NULL        -- Unix seconds; nothing is recorded much earlier than this
    );
    INSERT INTO clock SELECT 1, max(
        0,
        (SELECT coalesce(max(issued_at), 0) FROM certificates),
        (SELECT coalesce(max(revoked_at), 0) FROM revocations),
        (SELECT coalesce(max(this_update), 0) FROM crl)
    );
",
];

/// Refuses a file of another program or of a later version; changes nothing.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<(), Error> {
    version(connection, MIGRATIONS.len(), path).map(|_| ())
}

/// Refuses whatever this version does not write itself: a reader cannot bring it up to date.
pub(super) fn require_current(connection: &Connection, path: &Path) -> Result<(), Error> {
    match version(connection, MIGRATIONS.len(), path)? {
        version if version == MIGRATIONS.len() => Ok(()),
        version => Err(Error::OlderSchema {
            path: path.to_owned(),
            found: version as i64,
            known: MIGRATIONS.len() as i64,
        }),
    }
}

/// Writes the version that is there already, to show that what comes next can be recorded; SQLite leaves out the writing
/// of rows that do not change.
pub(super) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64)
}

/// Brings the schema up to date, in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    migrate_through(MIGRATIONS, connection, path)
}

fn migrate_through(migrations: &[&str], connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = failure::of(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = version(&transaction, migrations.len(), path)?;
    let missing = migrations.get(found..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    for migration in missing {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", migrations.len() as i64).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// The schema version of the file: 0 for a new one, `known` at most.
fn version(connection: &Connection, known: usize, path: &Path) -> Result<usize, Error> {
    let number =
        |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failure::of(path));
    let path = path.to_owned();
    let application_id = number("PRAGMA application_id")?;
    let is_new = application_id == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !is_new && application_id != i64::from(APPLICATION_ID) {
        return Err(Error::Foreign { path, application_id });
    }
    let found = number("PRAGMA user_version")?;
    match usize::try_from(found) {
        Ok(version) if version <= known => Ok(version),
        Ok(_) => Err(Error::NewerSchema { path, found, known: known as i64 }),
        Err(_) => Err(Error::Corrupt { path, detail: format!("its schema version is {found}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Migrates an in-memory database that `setup` has prepared, and returns what happened and its version.
    fn check(setup: &str, migrations: &[&str]) -> (Result<(), Error>, i64) {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(setup).unwrap();
        let result = migrate_through(migrations, &mut connection, Path::new("x.db"));
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        (result, version)
    }

    const STEPS: &[&str] = &["CREATE TABLE a (x)", "ALTER TABLE a ADD y", "DROP TABLE a"];

    #[test]
    fn an_empty_file_gets_every_step() {
        assert_eq!(check("", STEPS), (Ok(()), 3));
        assert_eq!(check("", MIGRATIONS), (Ok(()), MIGRATIONS.len() as i64));
    }

    #[test]
    fn an_older_file_gets_what_it_lacks() {
        let older = "CREATE TABLE a (x); PRAGMA application_id = 0x7374706c; PRAGMA user_version = 1";
        assert_eq!(check(older, STEPS), (Ok(()), 3));
        let latest = "PRAGMA application_id = 0x7374706c; PRAGMA user_version = 3";
        assert_eq!(check(latest, STEPS), (Ok(()), 3));
    }

    #[test]
    fn the_latest_time_of_an_older_file_is_known() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("x.db");
        let before = MIGRATIONS.iter().position(|step| step.contains("CREATE TABLE clock")).unwrap();
        migrate_through(&MIGRATIONS[..before], &mut connection, path).unwrap();
        connection
            .execute_batch(
                "INSERT INTO revocations (serial, revoked_at, reason_code, reason, request_id) VALUES (x'01', 77, 0, '', '')",
            )
            .unwrap();
        migrate(&mut connection, path).unwrap();
        let latest: i64 = connection.query_row("SELECT latest FROM clock", [], |row| row.get(0)).unwrap();
        assert_eq!(latest, 77);
    }

    #[test]
    fn a_failing_step_changes_nothing() {
        let (result, version) = check("", &["CREATE TABLE a (x)", "CREATE TABLE a (x)"]);
        assert!(matches!(result, Err(Error::Database { .. })), "{result:?}");
        assert_eq!(version, 0);
    }

    #[test]
    fn a_newer_file_is_refused() {
        let newer = "PRAGMA application_id = 0x7374706c; PRAGMA user_version = 4";
        let expected = Error::NewerSchema { path: "x.db".into(), found: 4, known: 3 };
        assert_eq!(check(newer, STEPS), (Err(expected), 4));
    }

    #[test]
    fn a_file_of_another_program_is_refused() {
        for (setup, application_id) in [("CREATE TABLE theirs (x)", 0), ("PRAGMA application_id = 7", 7)] {
            let expected = Error::Foreign { path: "x.db".into(), application_id };
            assert_eq!(check(setup, STEPS), (Err(expected), 0));
        }
    }
}
