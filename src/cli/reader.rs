//! Reading an authority's records beside whoever writes them: from a file, or on a server.

use std::fmt;
use std::path::PathBuf;

use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Broken;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::PostgresAddress;
use crate::store::PostgresStore;
use crate::store::SqliteReader;

/// Records to be read.
pub(super) enum Reader {
    File(SqliteReader, PathBuf),
    Server(Box<PostgresAddress>),
}

impl Reader {
    /// See [`SqliteReader::list`].
    pub(super) fn list(&self, filter: &Filter, visit: &mut dyn FnMut(Listed) -> bool) -> Result<(), Error> {
        match self {
            Self::File(reader, _) => reader.list(filter, visit),
            Self::Server(address) => PostgresStore::read(address, filter, visit),
        }
    }

    /// See [`SqliteReader::audit`].
    pub(super) fn audit(
        &self,
        filter: &AuditFilter,
        visit: &mut dyn FnMut(AuditRecord) -> bool,
    ) -> Result<(), Error> {
        match self {
            Self::File(reader, _) => reader.audit(filter, visit),
            Self::Server(address) => PostgresStore::read_audit(address, filter, visit),
        }
    }

    /// See [`SqliteReader::walk_audit`].
    pub(super) fn walk_audit(
        &self,
        visit: &mut dyn FnMut(&AuditRecord),
    ) -> Result<(AuditWalk, Option<Broken>), Error> {
        match self {
            Self::File(reader, _) => reader.walk_audit(visit),
            Self::Server(address) => PostgresStore::walk_audit(address, visit),
        }
    }
}

/// Where they are.
impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(_, path) => path.display().fmt(f),
            Self::Server(address) => address.fmt(f),
        }
    }
}
