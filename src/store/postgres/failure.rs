//! The server's errors in the words of this room.

use std::error::Error as _;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::WasNull;
use tokio_postgres::types::WrongType;

use crate::store::Error;
use crate::store::postgres::records::BadValue;

/// Makes an error of the client library one about this server; for `map_err`.
pub(super) fn of(server: &str) -> impl Fn(tokio_postgres::Error) -> Error + Copy + '_ {
    move |error| {
        let detail = detail(&error);
        let (server, path) = (server.to_owned(), server.into());
        let Some(code) = error.code() else {
            // A value in a row is not what we put there.
            let is_foreign = |source: &(dyn std::error::Error + 'static)| {
                source.is::<WrongType>() || source.is::<WasNull>() || source.is::<BadValue>()
            };
            return match error.source() {
                Some(source) if is_foreign(source) => Error::Corrupt { path, detail },
                _ => Error::Unavailable { server, detail },
            };
        };
        if *code == SqlState::DISK_FULL {
            return Error::Full { path };
        }
        if is_passing(code) {
            Error::Unavailable { server, detail }
        } else {
            Error::Database { path, detail }
        }
    }
}

/// The whole story of an error. Servers do not repeat passwords, and the library does not either.
pub(super) fn detail(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Whether a server says so while it starts, stops, is a standby, or has too much to do.
fn is_passing(code: &SqlState) -> bool {
    // Connection exceptions, insufficient resources, operator intervention.
    ["08", "53", "57"].iter().any(|class| code.code().starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
        || *code == SqlState::LOCK_NOT_AVAILABLE
        || is_conflict(code)
}

/// Whether the transaction stood in another's way, and should be tried again.
pub(super) fn is_conflict(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::UNIQUE_VIOLATION
}

/// Whether it may be the fault of one record, so that others could succeed without it: data exceptions, constraints,
/// limits of the program.
pub(super) fn may_be_one_records(code: &SqlState) -> bool {
    ["22", "23", "54"].iter().any(|class| code.code().starts_with(class))
}

/// Whether a server that answers a commit so has certainly not recorded it.
pub(super) fn is_certain(code: &SqlState) -> bool {
    *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
        && ["22", "23", "25", "40", "42", "53", "54", "55"].iter().any(|class| code.code().starts_with(class))
}
