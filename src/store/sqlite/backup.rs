//! A copy of a database in use, and a smaller file for one that is not.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::store::Error;
use crate::store::sqlite::connection;
use crate::store::sqlite::failure;
use crate::store::sqlite::files;
use crate::store::sqlite::files::Claim;

/// Copies what one read transaction sees into a new file.
pub(super) fn write(connection: &Connection, path: &Path, to: &Path) -> Result<(), Error> {
    files::create_new(to)?;
    let written = to
        .to_str()
        .ok_or_else(|| Error::File {
            path: to.to_owned(),
            action: "write",
            detail: "its name is not UTF-8 text".to_owned(),
        })
        .and_then(|name| {
            connection.execute("VACUUM INTO ?1", [name]).map_err(failure::of(path))?;
            connection::check(to)?;
            files::sync(to)
        });
    if written.is_err() {
        // Half a backup is none; if it cannot be removed either, its check will say so.
        let _ = fs::remove_file(to);
    }
    written
}

/// Gives the space of deleted records back to the file system. Nobody else may have the file open.
pub(super) fn compact(path: &Path) -> Result<(u64, u64), Error> {
    let claim = Claim::take_existing(path)?;
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let before = size(claim.path());
    let connection = connection::open(claim.path())?;
    let failed = failure::of(claim.path());
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").map_err(failed)?;
    drop(connection);
    Ok((before, size(claim.path())))
}
