//! What can go wrong with a store: each message names the file, each hint what to do.

use std::path::PathBuf;

use thiserror::Error;
use time::OffsetDateTime;

use crate::duration::format_rfc3339;

use crate::store::Broken;

/// Why a store could not be opened, or did not do what it was asked.
///
/// After an error nothing of a commit is recorded, save for [`Unknown`](Self::Unknown). Errors can be copied, because everyone whose record was in a failed
/// transaction gets one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// More requests wait than the queue holds.
    #[error("store is busy: {waiting} requests wait for {path:?} already")]
    Busy {
        /// Database file.
        path: PathBuf,
        /// Length of the queue.
        waiting: usize,
    },
    /// The thread that writes has ended.
    #[error("the writer of {path:?} has stopped")]
    Stopped {
        /// Database file.
        path: PathBuf,
    },
    /// Another process, or another store in this one, has the file open.
    #[error("database {path:?} is in use by {}", holder_text(.holder))]
    InUse {
        /// Database file.
        path: PathBuf,
        /// Process id of the other, as far as it can be read from the lock file.
        holder: Option<u32>,
    },
    /// The file was written by a later version of stepless.
    #[error("database {path:?} has schema {found}, this version knows up to {known}")]
    NewerSchema {
        /// Database file.
        path: PathBuf,
        /// Schema version in the file.
        found: i64,
        /// Latest schema version known here.
        known: i64,
    },
    /// The file was written by an earlier version of stepless, and may only be read here.
    #[error("database {path:?} has schema {found}, this version reads {known}")]
    OlderSchema {
        /// Database file.
        path: PathBuf,
        /// Schema version in the file.
        found: i64,
        /// Schema version known here.
        known: i64,
    },
    /// An SQLite database of some other program.
    #[error("database {path:?} belongs to another program (application id {application_id:#010x})")]
    Foreign {
        /// Database file.
        path: PathBuf,
        /// The application id in its header.
        application_id: i64,
    },
    /// The file is no SQLite database.
    #[error("{path:?} is not a database")]
    NotADatabase {
        /// Database file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("database {path:?} is damaged: {detail}")]
    Corrupt {
        /// Database file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The audit log is not what was written.
    #[error("{broken} in {path:?}")]
    Audit {
        /// Database file.
        path: PathBuf,
        /// Where it breaks.
        broken: Broken,
    },
    /// No space is left.
    #[error("no space left for database {path:?}")]
    Full {
        /// Database file.
        path: PathBuf,
    },
    /// Some other program keeps the database locked against writing.
    #[error("database {path:?} is locked by another program for too long")]
    Locked {
        /// Database file.
        path: PathBuf,
    },
    /// The file that was opened is no longer the one with this name.
    #[error("database {path:?} was moved, replaced or deleted while in use")]
    Replaced {
        /// Database file.
        path: PathBuf,
    },
    /// The clock shows a time before what is on record.
    #[error(
        "the clock shows {}, which is {} s before the latest time on record in {path:?}: set it right, or if it is, \
         restart once with --accept-clock",
        time_text(*.now), latest.saturating_sub(*now)
    )]
    ClockBehind {
        /// Database file.
        path: PathBuf,
        /// The latest time on record, Unix seconds.
        latest: i64,
        /// What the clock shows, Unix seconds.
        now: i64,
    },
    /// The clock shows a time at which tokens were valid that a server has forgotten: there all tokens count as used.
    #[error(
        "the clock shows {}, and {server} has forgotten the used tokens that ended before {}, so that all tokens count \
         as used",
        time_text(*.now), time_text(*.forgotten_until)
    )]
    ClockBehindServer {
        /// Its address, without the password.
        server: String,
        /// Used tokens that ended before may have been deleted; Unix seconds.
        forgotten_until: i64,
        /// What the clock shows, Unix seconds.
        now: i64,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {path:?}: {detail}")]
    File {
        /// File or directory.
        path: PathBuf,
        /// What was tried, as in "cannot …".
        action: &'static str,
        /// The system's reason.
        detail: String,
    },
    /// What `dataSource` or `tokenRegister` says cannot be used.
    #[error("the address of a server of records cannot be used: {reason}")]
    Address {
        /// Why not, without any of its values.
        reason: String,
    },
    /// The server of the database, or of spent tokens, cannot be reached or does not serve now. Nothing is recorded.
    #[error("{server} is not available: {detail}")]
    Unavailable {
        /// Its address, without the password.
        server: String,
        /// Why not.
        detail: String,
    },
    /// The connection was lost while the server recorded: it may have been recorded, or not.
    #[error(
        "the connection to database {server} was lost while it recorded, and nobody knows whether it did: {detail}"
    )]
    Unknown {
        /// Its address, without the password.
        server: String,
        /// How it was lost.
        detail: String,
    },
    /// Any other failure of the database.
    #[error("database {path:?} failed: {detail}")]
    Database {
        /// Database file.
        path: PathBuf,
        /// The database's reason.
        detail: String,
    },
}

impl Error {
    /// Whether the same may succeed in a moment, without anybody's doing.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unavailable { .. } | Self::Unknown { .. })
    }

    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "try again later",
            Self::Stopped { .. } => "restart the process; the log says what ended the writer",
            Self::InUse { .. } => {
                "stop the other process, or name another file: one process serves one database"
            }
            Self::NewerSchema { .. } => "use the version of stepless that wrote it, or a later one",
            Self::OlderSchema { .. } => "start the authority once, which brings it up to date",
            Self::Foreign { .. } | Self::NotADatabase { .. } => "leave that file alone and name another one",
            Self::Corrupt { .. } => "restore it from a backup, or try `sqlite3 FILE .recover`",
            Self::Audit { .. } => "find out who can write that file, and compare it with a backup",
            Self::Full { .. } => "free some space on that disk",
            Self::Locked { .. } => "end the other program's transaction",
            Self::Replaced { .. } => "put the file back and restart",
            Self::ClockBehind { .. } => {
                "compare it with another clock; with --accept-clock tokens made before the next minute are refused"
            }
            Self::ClockBehindServer { .. } => {
                "set this machine's clock; if it is right, see docs/scaling.md, Clocks, for what to do with the database"
            }
            Self::File { .. } => "check the path, its owner and its permissions",
            Self::Address { .. } => {
                "write it as postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full"
            }
            Self::Unavailable { .. } => "check that the server runs, its address, its password and TLS",
            Self::Unknown { .. } => "look for the certificate with `stepless list`, or ask with a new token",
            Self::Database { .. } => {
                "check the disk, and the file with `sqlite3 FILE 'PRAGMA integrity_check'`"
            }
        }
    }
}

fn time_text(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| seconds.to_string(), format_rfc3339)
}

fn holder_text(holder: &Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}
