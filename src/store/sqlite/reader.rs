//! Looking into a database beside the authority that writes it.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Broken;
use crate::store::Counts;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::sqlite::audit;
use crate::store::sqlite::backup;
use crate::store::sqlite::clock;
use crate::store::sqlite::connection;
use crate::store::sqlite::failure;
use crate::store::sqlite::records;

/// Reads a database, also while an authority has it open; never writes, never makes one.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    path: PathBuf,
}

impl SqliteReader {
    /// Opens an existing file.
    ///
    /// # Errors
    ///
    /// See [`Error`]: the file is missing, no database, of another program, damaged, or of another schema than this
    /// version writes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::File {
                path: path.to_owned(),
                action: "open",
                detail: "there is no such file".to_owned(),
            });
        }
        Ok(Self { connection: connection::open_to_read(path)?, path: path.to_owned() })
    }

    /// Calls `visit` with each certificate that fits, in the filter's order, until it answers `false`; then with the
    /// revocations of those that are not on record.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or the file cannot be read.
    pub fn list(&self, filter: &Filter, visit: &mut dyn FnMut(Listed) -> bool) -> Result<(), Error> {
        records::list(&self.connection, filter, visit).map_err(failure::of(&self.path))
    }

    /// Calls `visit` with each record of the audit log that fits, in the filter's order, until it answers `false`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or the file cannot be read.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        visit: &mut dyn FnMut(AuditRecord) -> bool,
    ) -> Result<(), Error> {
        audit::list(&self.connection, "main", filter, visit).map_err(failure::of(&self.path))
    }

    /// Walks along the whole audit log, calling `visit` with each record that is in order. Returns how far it came, and
    /// where the log breaks if it does. Takes seconds for each GiB.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or the file cannot be read.
    pub fn walk_audit(
        &self,
        visit: &mut dyn FnMut(&AuditRecord),
    ) -> Result<(AuditWalk, Option<Broken>), Error> {
        audit::walk(&self.connection, visit).map_err(failure::of(&self.path))
    }

    /// The latest time on record, Unix seconds, but for a few seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or the file cannot be read.
    pub fn latest(&self) -> Result<i64, Error> {
        clock::read(&self.connection).map_err(failure::of(&self.path))
    }

    /// How much there is.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or the file cannot be read.
    pub fn counts(&self) -> Result<Counts, Error> {
        connection::counts(&self.path)
    }

    /// Reads everything and looks for damage, and for breaks in the audit log. Takes seconds for each GiB.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] with what was found, or the file cannot be read.
    pub fn check(&self) -> Result<(), Error> {
        connection::check(&self.path)?;
        if let (_, Some(broken)) = self.walk_audit(&mut |_| ())? {
            return Err(Error::Audit { path: self.path.clone(), broken });
        }
        records::read_all(&self.connection).map_err(failure::of(&self.path))
    }

    /// Writes all that is recorded at this moment into a new file, readable for its owner alone, and syncs it.
    ///
    /// # Errors
    ///
    /// The file exists or cannot be written; then there is none.
    pub fn back_up(&self, to: &Path) -> Result<(), Error> {
        backup::write(&self.connection, &self.path, to)
    }
}
