//! What the records know of the time, and what a clock that was set back could undo.
//!
//! Used tokens are forgotten once they have ended, and so would pass again if the time at which they were valid came
//! back. Hence whoever records something has to say when, and it must not be earlier than what was recorded or
//! forgotten before, but for [`CLOCK_TOLERANCE`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::store::CLOCK_TOLERANCE;
use crate::store::Commit;
use crate::store::Error;
use crate::store::sqlite::restore::LEEWAY;

/// How far the time on record may lag behind that of the last commit, in seconds: so most commits need not write it.
const LAG: i64 = 10;

/// The latest time of which the records speak, shared with whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Latest {
    known: Arc<AtomicI64>,
    /// What stands in the file.
    recorded: i64,
}

impl Latest {
    /// Reads it; `known` has its value, Unix seconds, from now on.
    pub(super) fn read(connection: &Connection, known: Arc<AtomicI64>) -> rusqlite::Result<Self> {
        let recorded = read(connection)?;
        known.store(recorded, SeqCst);
        Ok(Self { known, recorded })
    }

    /// Refuses what happens too long before.
    pub(super) fn check(&self, now: Option<i64>, path: &Path) -> Result<(), Error> {
        now.map_or(Ok(()), |now| check(now, self.known.load(SeqCst), path))
    }

    /// Writes a later time down, if it is much later; to be [`noted`](Self::note) when the transaction has succeeded.
    pub(super) fn record(&self, connection: &Connection, now: Option<i64>) -> rusqlite::Result<()> {
        match now {
            Some(now) if now > self.recorded.saturating_add(LAG) => raise(connection, now),
            _ => Ok(()),
        }
    }

    pub(super) fn note(&mut self, now: Option<i64>) {
        let Some(now) = now else { return };
        self.known.fetch_max(now, SeqCst);
        if now > self.recorded.saturating_add(LAG) {
            self.recorded = now;
        }
    }

    /// Takes an operator's word that it is `now`. The tokens forgotten in between may be valid again, so all from before
    /// are refused.
    pub(super) fn accept(&mut self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE clock SET latest = ?1", [now])?;
        lose_records(&transaction, now)?;
        transaction.commit()?;
        self.recorded = now;
        self.known.store(now, SeqCst);
        Ok(())
    }
}

/// Refuses a clock that shows `now` and has gone back too far since `latest`.
pub(super) fn check(now: i64, latest: i64, path: &Path) -> Result<(), Error> {
    if now.saturating_add(CLOCK_TOLERANCE) < latest {
        return Err(Error::ClockBehind { path: path.to_owned(), latest, now });
    }
    Ok(())
}

/// When a commit happens, as far as it says.
pub(super) fn time_of(commit: &Commit) -> Option<i64> {
    let issued = commit.certificate.as_ref().map(|certificate| certificate.issued_at);
    issued.max(commit.revocation.as_ref().map(|revocation| revocation.revoked_at))
}

/// The latest time on record.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT latest FROM clock", [], |row| row.get(0))
}

/// Writes a time down if it is later.
pub(super) fn raise(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE clock SET latest = max(latest, ?1)")?.execute([now]).map(drop)
}

/// Has all tokens refused that were made until now.
pub(super) fn lose_records(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO records_lost (id, until) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)",
            [now.saturating_add(LEEWAY)],
        )
        .map(drop)
}
