//! Bringing a backup back without forgetting what was recorded after it.
//!
//! A backup is older than what it replaces. Put in its place as it is, it would lower CRL numbers, renew what has been
//! revoked since, and accept tokens again. So it is merged into what is there; and where nothing readable is there, the
//! numbers jump ahead and tokens from before the restoration are refused.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::store::Error;
use crate::store::sqlite::audit_merge;
use crate::store::sqlite::clock;
use crate::store::sqlite::connection;
use crate::store::sqlite::failure;
use crate::store::sqlite::files;
use crate::store::sqlite::files::Claim;

/// How far CRL numbers jump if those of the lost records are unknown: more than can have been issued.
pub(super) const JUMP: i64 = 1 << 32;

/// What a restoration did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Certificates that only the backup had.
    pub certificates: u64,
    /// Revocations that only the backup had.
    pub revocations: u64,
    /// Records of the audit log that only the backup had.
    pub events: u64,
    /// Whether there were readable records to merge it into. If not, tokens issued before the restoration are refused,
    /// and what was recorded after the backup is lost.
    pub merged: bool,
    /// Where the damaged file now is, if there was one.
    pub damaged: Option<PathBuf>,
}

/// Tokens may come from clocks that are this much ahead, in seconds (CONTRACT.md section 4, "Times").
pub(super) const LEEWAY: i64 = 60;

/// What the backup has and the present file lacks; nothing is taken away.
const MERGE: &str = "
    INSERT OR IGNORE INTO main.provisioners (provisioner_id, name) SELECT provisioner_id, name FROM backup.provisioners;

    INSERT INTO main.certificates (serial, not_before, not_after, issued_at, provisioner, subject, grant_id,
            subject_user_id, request_id, der, checksum)
        SELECT serial, not_before, not_after, issued_at,
            (SELECT here.id FROM main.provisioners AS here JOIN backup.provisioners AS there
                USING (provisioner_id, name) WHERE there.id = provisioner),
            subject, grant_id, subject_user_id, request_id, der, checksum
        FROM backup.certificates AS theirs
        WHERE NOT EXISTS (SELECT 1 FROM main.certificates AS ours WHERE ours.serial = theirs.serial)
        ORDER BY theirs.id;

    INSERT INTO main.revocations (serial, revoked_at, reason_code, reason, expires_at, provisioner_id, request_id,
            checksum)
        SELECT serial, revoked_at, reason_code, reason, expires_at, provisioner_id, request_id, checksum
        FROM backup.revocations AS theirs
        WHERE NOT EXISTS (SELECT 1 FROM main.revocations AS ours WHERE ours.serial = theirs.serial)
        ORDER BY theirs.id;

    INSERT OR IGNORE INTO main.spent_tokens (key, expires_at) SELECT key, expires_at FROM backup.spent_tokens;

    INSERT INTO main.crl (id, number, this_update, next_update, der, checksum)
        SELECT id, number, this_update, next_update, der, checksum FROM backup.crl WHERE true
        ON CONFLICT (id) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
            next_update = excluded.next_update, der = excluded.der, checksum = excluded.checksum
        WHERE excluded.number > crl.number;

    INSERT INTO main.records_lost (id, until) SELECT id, until FROM backup.records_lost WHERE true
        ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until);

    UPDATE main.clock SET latest = max(latest, (SELECT latest FROM backup.clock));
";

/// Brings a backup back into the database at `path`, which no authority may have open. `now` is Unix seconds.
///
/// # Errors
///
/// [`Error::InUse`]; the backup cannot be read, is damaged, or not ours: then nothing has changed. So it has if the
/// database could not be read for another reason than damage.
pub fn restore(path: &Path, backup: &Path, now: i64) -> Result<Restored, Error> {
    let existed = fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    let claim = Claim::take(path)?;
    let path = claim.path();
    let copy = files::beside(path, ".restoring");
    let restored = copied(backup, &copy).and_then(|()| {
        if !existed {
            return replace(path, &copy, now, None);
        }
        match readable(path) {
            Ok(present) => merge(present, path, &copy, now),
            Err(Error::Corrupt { .. } | Error::NotADatabase { .. }) => {
                let damaged = set_aside(path)?;
                replace(path, &copy, now, Some(damaged))
            }
            Err(other) => Err(other),
        }
    });
    for suffix in ["", "-wal", "-shm"] {
        // Gone already if it was moved into place.
        let _ = fs::remove_file(files::beside(&copy, suffix));
    }
    restored
}

/// Copies the backup beside the database, brings its schema up to date, and reads all of it.
fn copied(backup: &Path, copy: &Path) -> Result<(), Error> {
    let failed = |action| move |error: std::io::Error| files::failure(backup, action, &error);
    let _ = fs::remove_file(copy);
    files::create_new(copy)?;
    let mut from = fs::File::open(backup).map_err(failed("open"))?;
    let mut to = fs::OpenOptions::new().write(true).open(copy).map_err(failed("copy"))?;
    std::io::copy(&mut from, &mut to).map_err(failed("copy"))?;
    if to.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Err(Error::NotADatabase { path: backup.to_owned() });
    }
    readable(copy).map(drop).map_err(|error| about(error, backup))
}

fn readable(path: &Path) -> Result<Connection, Error> {
    let connection = connection::open(path)?;
    connection::check(path)?;
    Ok(connection)
}

/// The copy's faults are the backup's.
fn about(error: Error, backup: &Path) -> Error {
    let path = backup.to_owned();
    match error {
        Error::Corrupt { detail, .. } => Error::Corrupt { path, detail },
        Error::NotADatabase { .. } => Error::NotADatabase { path },
        Error::Foreign { application_id, .. } => Error::Foreign { path, application_id },
        Error::NewerSchema { found, known, .. } => Error::NewerSchema { path, found, known },
        other => other,
    }
}

fn merge(mut present: Connection, path: &Path, copy: &Path, now: i64) -> Result<Restored, Error> {
    let failed = failure::of(path);
    let name = copy.to_str().ok_or_else(|| Error::File {
        path: copy.to_owned(),
        action: "read",
        detail: "its name is not UTF-8 text".to_owned(),
    })?;
    present.execute("ATTACH ?1 AS backup", [name]).map_err(failed)?;
    let transaction = present.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM main.{table}");
        transaction.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let before = [count("certificates")?, count("revocations")?];
    transaction.execute_batch(MERGE).map_err(failed)?;
    let [certificates, revocations] =
        [count("certificates")? - before[0], count("revocations")? - before[1]].map(i64::unsigned_abs);
    let events = audit_merge::merge(&transaction, now).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Restored { certificates, revocations, events, merged: true, damaged: None })
}

/// Puts the copy in the place of what cannot be read.
fn replace(path: &Path, copy: &Path, now: i64, damaged: Option<PathBuf>) -> Result<Restored, Error> {
    let failed = failure::of(path);
    let connection = connection::open(copy)?;
    clock::lose_records(&connection, now).map_err(failed)?;
    connection.execute("UPDATE crl SET number = number + ?1, checksum = NULL", [JUMP]).map_err(failed)?;
    let events = audit_merge::resume(&connection, now).map_err(failed)?;
    let counted = connection::counts(copy)?;
    let revocations: i64 =
        connection.query_row("SELECT count(*) FROM revocations", [], |row| row.get(0)).map_err(failed)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(failed)?;
    drop(connection);
    files::sync(copy)?;
    fs::rename(copy, path).map_err(|error| files::failure(path, "replace", &error))?;
    files::sync(path)?;
    Ok(Restored {
        certificates: counted.certificates,
        revocations: revocations.unsigned_abs(),
        events,
        merged: false,
        damaged,
    })
}

/// Moves a damaged database away, under a name that is free.
fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let name = (1..).map(|number| files::beside(path, &format!(".damaged-{number}")));
    let Some(aside) = name.take(10_000).find(|aside| !aside.exists()) else {
        return Err(Error::File {
            path: path.to_owned(),
            action: "move away",
            detail: "there are too many damaged files beside it".to_owned(),
        });
    };
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(files::beside(path, suffix), files::beside(&aside, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(files::failure(path, "move away", &error));
            }
            _ => {}
        }
    }
    Ok(aside)
}
