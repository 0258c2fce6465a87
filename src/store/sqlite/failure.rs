//! SQLite's errors in the words of this room.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;

use crate::store::Error;

/// Makes an error of SQLite one about this file; for `map_err`.
pub(super) fn of(path: &Path) -> impl Fn(rusqlite::Error) -> Error + Copy + '_ {
    move |error| {
        let detail = error.to_string();
        let path = path.to_owned();
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                // What is unique is looked up before it is written, by the same index: one of the two copies is damaged.
                _ if failure.extended_code == SQLITE_CONSTRAINT_UNIQUE => Error::Corrupt { path, detail },
                ErrorCode::DatabaseCorrupt => Error::Corrupt { path, detail },
                ErrorCode::NotADatabase => Error::NotADatabase { path },
                ErrorCode::DiskFull => Error::Full { path },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Locked { path },
                _ => Error::Database { path, detail },
            },
            other if is_a_value(other) => Error::Corrupt { path, detail },
            _ => Error::Database { path, detail },
        }
    }
}

/// Whether a value in a row is not what we put there.
pub(super) fn is_a_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}

/// Whether an error may be the fault of one record, so that others could succeed without it.
///
/// Not so for a lock or a broken disk: trying again would fail as often as there are records, each time after a wait.
pub(super) fn may_be_one_records(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::DiskFull
                | ErrorCode::ParameterOutOfRange
        ),
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        _ => false,
    }
}
