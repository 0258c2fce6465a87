//! A store on a PostgreSQL server, shared by any number of processes.
//!
//! One thread owns the connections. One connection writes: whatever requests have come in while it wrote the last
//! transaction go into the next one together, so under load one round trip and one sync serve many, and an idle store adds
//! no wait. Another reads. Both are made again when they are lost; until then every answer is [`Error::Unavailable`].
//!
//! The tables lie in a schema `stepless` of their own, beside those of step-ca if it used the database.

use std::sync::mpsc as std_mpsc;
use std::thread;
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Broken;
use crate::store::CertificateRecord;
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

mod address;
mod audit;
mod batch;
mod failure;
mod reader;
mod records;
mod schema;
mod session;
mod statements;
mod survey;
mod text;
mod tls;
mod writer;

pub use address::PostgresAddress;

use reader::Question;
use session::Bare;
use session::Link;
use survey::Survey;
use writer::Reply;
use writer::Request;

/// Requests that may wait for the writer, and for the reader; with a certificate each, some 8 MiB.
const QUEUE: usize = 4096;

/// Tokens forgotten in one statement, so that it never holds up reading for long.
const PRUNE_SLICE: i64 = 1000;

/// Keeps everything in a PostgreSQL database.
///
/// Opening it takes the server; later it may go and come back. Dropping the store writes what it has accepted, if the
/// server answers.
///
/// # Examples
///
/// ```no_run
/// use stepless::store::PostgresAddress;
/// use stepless::store::PostgresStore;
///
/// let address = PostgresAddress::parse("postgresql://ca:secret@db.example/records?sslmode=verify-full", None, None)?;
/// let store = PostgresStore::open(&address)?;
/// # Ok::<(), stepless::store::Error>(())
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    /// `None` only while dropping.
    queues: Option<Queues>,
    thread: Option<JoinHandle<()>>,
    address: PostgresAddress,
}

#[derive(Debug)]
struct Queues {
    requests: Sender<Request>,
    questions: Sender<Question>,
    /// Long reading, each on a connection of its own.
    surveys: Sender<Survey>,
}

/// Who has kept records in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residents {
    /// stepless has.
    pub stepless: bool,
    /// step-ca has.
    pub step_ca: bool,
}

impl PostgresStore {
    /// Looks who has kept records in a database; changes nothing. Waits for the server.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], or the server refuses.
    pub fn residents(address: &PostgresAddress) -> Result<Residents, Error> {
        run_beside(address, || async {
            let bare = Bare::open(address).await?;
            let server = address.to_string();
            let failed = failure::of(&server);
            Ok(Residents {
                stepless: schema::exists(&bare.client).await.map_err(failed)?,
                step_ca: schema::has_step_ca(&bare.client).await.map_err(failed)?,
            })
        })
    }

    /// Connects, makes the tables or brings them up to date. Waits for the server.
    ///
    /// # Errors
    ///
    /// See [`Error`]: [`Unavailable`](Error::Unavailable), [`NewerSchema`](Error::NewerSchema), or the server refuses.
    pub fn open(address: &PostgresAddress) -> Result<Self, Error> {
        let (requests, written) = mpsc::channel(QUEUE);
        let (questions, asked) = mpsc::channel(QUEUE);
        let (surveys, surveyed) = mpsc::channel(QUEUE);
        let (opened, opening) = std_mpsc::channel();
        let for_thread = address.clone();
        let work = move || {
            let work = async {
                let link = connect(&for_thread).await?;
                // The caller waits below.
                let _ = opened.send(Ok(()));
                tokio::join!(
                    writer::run(link, written),
                    reader::run(Link::new(for_thread.clone()), asked),
                    survey::run(for_thread.clone(), surveyed),
                );
                Ok(())
            };
            if let Err(error) = run(&for_thread, work) {
                let _ = opened.send(Err(error));
            }
        };
        let thread = thread::Builder::new().name("stepless-store".to_owned()).spawn(work);
        let thread = thread.map_err(|error| no_thread(address, &error))?;
        opening.recv().map_err(|_| stopped(address))??;
        let queues = Some(Queues { requests, questions, surveys });
        Ok(Self { queues, thread: Some(thread), address: address.clone() })
    }

    /// Reads a database beside the authorities that write it; changes nothing. Calls `visit` with each certificate that
    /// fits, in the filter's order, until it answers `false`; then with the revocations of those that are not on record.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], or the server refuses.
    pub fn read(
        address: &PostgresAddress,
        filter: &Filter,
        visit: &mut dyn FnMut(Listed) -> bool,
    ) -> Result<(), Error> {
        stream(visit, |found| {
            run(address, async {
                let mut bare = Bare::open_for_long(address).await?;
                let mut visit = |listed| found.send(listed).is_ok();
                let listed = records::list(&mut bare.client, filter, &mut visit).await;
                listed.map_err(failure::of(&address.to_string()))
            })
        })
        .ok_or_else(|| stopped(address))?
    }

    /// Reads the audit log beside the authorities that write it. Calls `visit` with each record that fits, in the
    /// filter's order, until it answers `false`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], or the server refuses.
    pub fn read_audit(
        address: &PostgresAddress,
        filter: &AuditFilter,
        visit: &mut dyn FnMut(AuditRecord) -> bool,
    ) -> Result<(), Error> {
        stream(visit, |found| {
            run(address, async {
                let mut bare = Bare::open_for_long(address).await?;
                let mut visit = |record| found.send(record).is_ok();
                let listed = audit::list(&mut bare.client, filter, &mut visit).await;
                listed.map_err(failure::of(&address.to_string()))
            })
        })
        .ok_or_else(|| stopped(address))?
    }

    /// Walks along the whole audit log, calling `visit` with each record that is in order. Returns how far it came, and
    /// where the log breaks if it does.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], or the server refuses.
    pub fn walk_audit(
        address: &PostgresAddress,
        visit: &mut dyn FnMut(&AuditRecord),
    ) -> Result<(AuditWalk, Option<Broken>), Error> {
        let mut visit = |record: AuditRecord| {
            visit(&record);
            true
        };
        stream(&mut visit, |found| {
            run(address, async {
                let mut bare = Bare::open_for_long(address).await?;
                // Whoever looks takes all of them.
                let mut visit = |record: &AuditRecord| drop(found.send(record.clone()));
                audit::walk(&mut bare.client, &mut visit).await.map_err(failure::of(&address.to_string()))
            })
        })
        .ok_or_else(|| stopped(address))?
    }

    /// Where the database is.
    #[must_use]
    pub fn address(&self) -> &PostgresAddress {
        &self.address
    }

    /// Asks one of the tasks and waits for its answer.
    async fn ask<Q, T>(
        &self,
        queue: impl FnOnce(&Queues) -> &Sender<Q>,
        question: impl FnOnce(Reply<T>) -> Q,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let queues = self.queues.as_ref().ok_or_else(|| stopped(&self.address))?;
        queue(queues).try_send(question(reply)).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Busy { path: self.address.to_string().into(), waiting: QUEUE },
            TrySendError::Closed(_) => stopped(&self.address),
        })?;
        answer.await.map_err(|_| stopped(&self.address))?
    }
}

/// Runs `read` on a thread of its own while `visit` looks at what it finds, until that answers `false`; `None` if it
/// panicked.
fn stream<F: Send, T: Send>(
    visit: &mut dyn FnMut(F) -> bool,
    read: impl FnOnce(std_mpsc::SyncSender<F>) -> T + Send,
) -> Option<T> {
    // A few pages at most ahead of whoever looks at them.
    let (found, finding) = std_mpsc::sync_channel(1000);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(found));
        finding.into_iter().all(&mut *visit);
        reading.join().ok()
    })
}

/// Connects for the first time.
async fn connect(address: &PostgresAddress) -> Result<Link, Error> {
    let bare = Bare::open(address).await?;
    schema::migrate(&bare.client, &address.to_string()).await?;
    let mut link = Link::new(address.clone());
    link.session().await?;
    Ok(link)
}

/// Runs `work` on this thread, which must not be within an executor.
fn run<T>(address: &PostgresAddress, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_thread(address, &error))?.block_on(work)
}

/// Runs `work` on a thread of its own and waits for it, within an executor or not.
fn run_beside<T: Send, F: Future<Output = Result<T, Error>>>(
    address: &PostgresAddress,
    work: impl FnOnce() -> F + Send,
) -> Result<T, Error> {
    thread::scope(|scope| scope.spawn(|| run(address, work())).join()).map_err(|_| stopped(address))?
}

fn no_thread(address: &PostgresAddress, error: &std::io::Error) -> Error {
    let detail = format!("cannot start a thread for it: {error}");
    Error::Unavailable { server: address.to_string(), detail }
}

fn stopped(address: &PostgresAddress) -> Error {
    Error::Stopped { path: address.to_string().into() }
}

impl Store for PostgresStore {
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome> {
        Box::pin(self.ask(|queues| &queues.requests, |reply| Request::Commit(Box::new(commit), reply)))
    }

    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>> {
        let serial = serial.clone();
        Box::pin(self.ask(|queues| &queues.questions, move |reply| Question::Certificate(serial, reply)))
    }

    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>> {
        let serial = serial.clone();
        Box::pin(self.ask(|queues| &queues.questions, move |reply| Question::Revocation(serial, reply)))
    }

    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>> {
        Box::pin(self.ask(|queues| &queues.surveys, move |reply| Survey::List(filter, limit, reply)))
    }

    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>> {
        Box::pin(self.ask(|queues| &queues.surveys, move |reply| Survey::Audit(filter, limit, reply)))
    }

    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>> {
        Box::pin(self.ask(|queues| &queues.questions, move |reply| Question::Revocations(now, reply)))
    }

    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>> {
        Box::pin(self.ask(|queues| &queues.questions, Question::Crl))
    }

    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool> {
        Box::pin(self.ask(|queues| &queues.requests, |reply| Request::RecordCrl(crl, reply)))
    }

    fn prune(&self, now: i64) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut pruned = 0;
            loop {
                let question = |reply| Question::Prune { now, limit: PRUNE_SLICE, reply };
                let slice = self.ask(|queues| &queues.questions, question).await?;
                pruned += slice;
                if slice < PRUNE_SLICE.unsigned_abs() {
                    return Ok(pruned);
                }
            }
        })
    }

    fn counts(&self) -> StoreFuture<'_, Counts> {
        Box::pin(self.ask(|queues| &queues.surveys, Survey::Counts))
    }

    fn health(&self, now: i64) -> StoreFuture<'_, ()> {
        Box::pin(self.ask(|queues| &queues.requests, move |reply| Request::Health(now, reply)))
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // Without senders the tasks empty their queues and end.
        self.queues = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if it panicked, and then everybody waiting has got an error already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
