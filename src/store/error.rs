//! What can go wrong with a store; each message names the file and, where there is one, the remedy.

use std::path::PathBuf;

use thiserror::Error;

/// Why a store could not be opened, or did not do what it was asked.
///
/// After an error nothing of a commit is recorded. Errors can be copied, because everyone whose record was in a failed
/// transaction gets one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// More requests wait than the queue holds.
    #[error("store is busy: {waiting} requests wait for {path:?} already; try again later")]
    Busy {
        /// Database file.
        path: PathBuf,
        /// Length of the queue.
        waiting: usize,
    },
    /// The thread that writes has ended.
    #[error("the writer of {path:?} has stopped; restart the process")]
    Stopped {
        /// Database file.
        path: PathBuf,
    },
    /// Another process, or another store in this one, has the file open.
    #[error("database {path:?} is in use by {}; stop it, or name another file", holder_text(.holder))]
    InUse {
        /// Database file.
        path: PathBuf,
        /// Process id of the other, as far as it can be read from the lock file.
        holder: Option<u32>,
    },
    /// The file was written by a later version of stepless.
    #[error(
        "database {path:?} has schema {found}, this version knows up to {known}; use the version that wrote it, or a later one"
    )]
    NewerSchema {
        /// Database file.
        path: PathBuf,
        /// Schema version in the file.
        found: i64,
        /// Latest schema version known here.
        known: i64,
    },
    /// The file was written by an earlier version of stepless, and may only be read here.
    #[error(
        "database {path:?} has schema {found}, this version reads {known}; start the authority once, which brings it up to date"
    )]
    OlderSchema {
        /// Database file.
        path: PathBuf,
        /// Schema version in the file.
        found: i64,
        /// Schema version known here.
        known: i64,
    },
    /// An SQLite database of some other program.
    #[error(
        "database {path:?} belongs to another program (application id {application_id:#010x}); name another file"
    )]
    Foreign {
        /// Database file.
        path: PathBuf,
        /// The application id in its header.
        application_id: i64,
    },
    /// The file is no SQLite database.
    #[error("{path:?} is not a database; name another file")]
    NotADatabase {
        /// Database file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "database {path:?} is damaged: {detail}; restore it from a backup, or try `sqlite3 FILE .recover`"
    )]
    Corrupt {
        /// Database file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// No space is left.
    #[error("no space left for database {path:?}; free some")]
    Full {
        /// Database file.
        path: PathBuf,
    },
    /// Some other program keeps the database locked against writing.
    #[error("database {path:?} is locked by another program for too long; end its transaction")]
    Locked {
        /// Database file.
        path: PathBuf,
    },
    /// The file that was opened is no longer the one with this name.
    #[error("database {path:?} was moved, replaced or deleted while in use; put it back and restart")]
    Replaced {
        /// Database file.
        path: PathBuf,
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
    /// Any other failure of the database.
    #[error("database {path:?} failed: {detail}")]
    Database {
        /// Database file.
        path: PathBuf,
        /// The database's reason.
        detail: String,
    },
}

fn holder_text(holder: &Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}
