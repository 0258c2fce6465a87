//! A store in one SQLite file, shared with nobody but an operator who looks into it.
//!
//! One thread writes. Whatever requests have come in while it wrote the last transaction go into the next one
//! together, so under load one fsync serves many and an idle store adds no wait. The file is in WAL mode with
//! `synchronous=FULL`: what was answered as recorded survives a power cut.
//!
//! `sqlite3 FILE 'SELECT * FROM issued'` (or `revoked`, or `audited`) works at any time, also while the CA runs.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::thread;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::Counts;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::Store;
use crate::store::StoreFuture;
use crate::x509::serial::SerialNumber;

mod audit;
mod audit_merge;
mod backup;
mod checksum;
mod clock;
mod connection;
mod failure;
mod files;
mod reader;
mod records;
mod restore;
mod schema;
mod writer;

pub use reader::SqliteReader;
pub use restore::Restored;
pub use restore::restore;

use clock::Latest;
use files::Claim;
use writer::Reply;
use writer::Request;

/// Requests that may wait for the writer; with a certificate each, some 8 MiB.
///
/// At ten thousand records a second this is less than half a second of work: who would wait longer is better off
/// knowing it at once.
const QUEUE: usize = 4096;

/// Tokens forgotten in one transaction, so that pruning never holds up commits for long.
const PRUNE_SLICE: u32 = 1000;

/// Keeps everything in one SQLite file.
///
/// The file is created readable for its owner alone, and so are directories that have to be made for it. While the
/// store is open, `<file>.lock` keeps other processes out; it stays behind, unlocked, when the store is closed.
///
/// Dropping the store writes what it has accepted and closes the file.
///
/// # Examples
///
/// ```no_run
/// use std::path::Path;
///
/// use stepless::store::SqliteStore;
///
/// let store = SqliteStore::open(Path::new("db/stepless.db"))?;
/// # Ok::<(), stepless::store::Error>(())
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    /// `None` only while dropping.
    queue: Option<SyncSender<Request>>,
    writer: Option<JoinHandle<()>>,
    claim: Claim,
    latest: Arc<AtomicI64>,
}

impl SqliteStore {
    /// Opens the file, or creates it; brings an older schema up to date.
    ///
    /// Damage is looked for where that is quick; [`check`](Self::check) reads everything.
    ///
    /// # Errors
    ///
    /// See [`Error`]: [`InUse`](Error::InUse), [`NotADatabase`](Error::NotADatabase), [`Foreign`](Error::Foreign),
    /// [`NewerSchema`](Error::NewerSchema), [`Corrupt`](Error::Corrupt), or the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let claim = Claim::take(path)?;
        let stopped = Error::Stopped { path: claim.path().to_owned() };
        let (reply, opened) = mpsc::sync_channel(1);
        let store = Self::start(claim, move |result| drop(reply.send(result)))?;
        opened.recv().map_err(|_| stopped)??;
        Ok(store)
    }

    /// The same without waiting for it, which takes the longer the more tokens were used of late: damage is looked for.
    ///
    /// Until the future ends requests wait, so nothing is done with a damaged file; after an error of it the store stays
    /// stopped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`], or the file cannot be created; the future has the other errors of [`open`](Self::open).
    pub fn open_ahead(path: &Path) -> Result<(Self, StoreFuture<'static, ()>), Error> {
        let claim = Claim::take(path)?;
        let stopped = Error::Stopped { path: claim.path().to_owned() };
        let (reply, opened) = oneshot::channel();
        // Nobody may be waiting any more.
        let store = Self::start(claim, move |result| drop(reply.send(result)))?;
        Ok((store, Box::pin(async move { opened.await.map_err(|_| stopped)? })))
    }

    /// Starts the writer, who opens the file and says how that went before he does anything else.
    fn start(claim: Claim, reply: impl FnOnce(Result<(), Error>) + Send + 'static) -> Result<Self, Error> {
        let (queue, requests) = mpsc::sync_channel(QUEUE);
        let latest = Arc::new(AtomicI64::new(i64::MIN));
        let (path, known) = (claim.path().to_owned(), Arc::clone(&latest));
        let writer = thread::Builder::new()
            .name("stepless-store".to_owned())
            .spawn(move || match open_file(&path, known) {
                Ok((connection, latest, chain)) => {
                    reply(Ok(()));
                    writer::run(connection, latest, chain, &requests, &path);
                }
                Err(error) => reply(Err(error)),
            })
            .map_err(|error| Error::File {
                path: claim.path().to_owned(),
                action: "start the writer of",
                detail: error.to_string(),
            })?;
        Ok(Self { queue: Some(queue), writer: Some(writer), claim, latest })
    }

    /// Checks that a clock has not gone back behind what is on record, by more than
    /// [`CLOCK_TOLERANCE`](crate::store::CLOCK_TOLERANCE).
    ///
    /// # Errors
    ///
    /// [`Error::ClockBehind`], and then whatever has a time is refused with it.
    pub fn check_clock(&self, now: i64) -> Result<(), Error> {
        clock::check(now, self.latest.load(SeqCst), self.path())
    }

    /// Takes an operator's word that it is `now`, Unix seconds, although later times are on record. Tokens that were made
    /// up to a minute after, or do not say when, are refused as spent: nobody knows which of them were.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn accept_clock(&self, now: i64) -> StoreFuture<'_, ()> {
        Box::pin(self.ask(move |reply| Request::AcceptClock(now, reply)))
    }

    /// Gives the space of deleted records back to the file system; returns the file's size in bytes before and after.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while an authority has it open, [`Error::Full`] if there is no room for a copy, or the file cannot
    /// be used.
    pub fn compact(path: &Path) -> Result<(u64, u64), Error> {
        backup::compact(path)
    }

    /// Moves a database out of the way, so that [`open`](Self::open) begins a new one, and returns where it is now:
    /// beside it, with `.forgotten-1` or the next free number at its end. `None` if there was none.
    ///
    /// # Errors
    ///
    /// [`InUse`](Error::InUse), or the file cannot be renamed.
    pub fn set_aside(path: &Path) -> Result<Option<PathBuf>, Error> {
        files::set_aside(path)
    }

    /// The database file, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// Reads the whole file and looks for damage and for breaks in the audit log, on a thread and a connection of its own.
    ///
    /// Takes seconds for each GiB; commits go on meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] with what was found, or the file cannot be read.
    pub fn check(&self) -> StoreFuture<'_, ()> {
        self.beside_the_writer(|path| SqliteReader::open(path)?.check())
    }

    /// Asks the writer and waits for its answer.
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Error::Stopped { path: self.path().to_owned() };
        match &self.queue {
            Some(queue) => queue.try_send(request(reply)).map_err(|refused| match refused {
                TrySendError::Full(_) => Error::Busy { path: self.path().to_owned(), waiting: QUEUE },
                TrySendError::Disconnected(_) => stopped(),
            })?,
            None => return Err(stopped()),
        }
        answer.await.map_err(|_| stopped())?
    }

    /// Runs long reading work on a thread of its own, with a connection of its own.
    fn beside_the_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, Error> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let path: PathBuf = self.path().to_owned();
            thread::Builder::new()
                .name("stepless-store-reader".to_owned())
                .spawn(move || {
                    // Nobody may be waiting any more.
                    let _ = reply.send(work(&path));
                })
                .map_err(|error| Error::File {
                    path: self.path().to_owned(),
                    action: "start a reader of",
                    detail: error.to_string(),
                })?;
            answer.await.map_err(|_| Error::Stopped { path: self.path().to_owned() })?
        })
    }
}

/// Opens the file that is claimed, and looks for damage; `known` becomes the latest time on record.
fn open_file(path: &Path, known: Arc<AtomicI64>) -> Result<(Connection, Latest, Chain), Error> {
    let connection = connection::open(path)?;
    files::tighten(path)?;
    connection::look_for_damage(&connection, path)?;
    let chain = audit::end(&connection, "main").map_err(failure::of(path))?;
    let latest = Latest::read(&connection, known).map_err(failure::of(path))?;
    Ok((connection, latest, chain))
}

impl Store for SqliteStore {
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome> {
        Box::pin(self.ask(|reply| Request::Commit(Box::new(commit), reply)))
    }

    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>> {
        let serial = serial.clone();
        Box::pin(self.ask(move |reply| Request::Find(serial, reply)))
    }

    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>> {
        let serial = serial.clone();
        Box::pin(self.ask(move |reply| Request::FindRevocation(serial, reply)))
    }

    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>> {
        self.beside_the_writer(move |path| {
            let mut found = Vec::new();
            let mut visit = |listed| {
                if found.len() < limit {
                    found.push(listed);
                }
                found.len() < limit
            };
            SqliteReader::open(path)?.list(&filter, &mut visit)?;
            Ok(found)
        })
    }

    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>> {
        self.beside_the_writer(move |path| {
            let mut found = Vec::new();
            let mut visit = |record| {
                if found.len() < limit {
                    found.push(record);
                }
                found.len() < limit
            };
            SqliteReader::open(path)?.audit(&filter, &mut visit)?;
            Ok(found)
        })
    }

    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>> {
        Box::pin(self.ask(move |reply| Request::ListRevocations(now, reply)))
    }

    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>> {
        Box::pin(self.ask(Request::FindCrl))
    }

    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool> {
        Box::pin(self.ask(|reply| Request::RecordCrl(crl, reply)))
    }

    fn prune(&self, now: i64) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut pruned = 0;
            loop {
                let slice = self.ask(|reply| Request::Prune { now, limit: PRUNE_SLICE, reply }).await?;
                pruned += slice;
                if slice < u64::from(PRUNE_SLICE) {
                    return Ok(pruned);
                }
            }
        })
    }

    fn counts(&self) -> StoreFuture<'_, Counts> {
        self.beside_the_writer(connection::counts)
    }

    fn health(&self, now: i64) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.claim.still_holds()?;
            self.ask(Request::Health).await?;
            self.check_clock(now)
        })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Without a sender the writer empties the queue, closes the file and ends; only then does the lock go.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It only fails if the writer panicked, and then everybody waiting has got an error already.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod audit_tests;
#[cfg(test)]
mod backup_tests;
#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;
