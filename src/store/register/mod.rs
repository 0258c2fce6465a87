//! A register of spent tokens on a Valkey or Redis server, for processes that keep their certificates apart.
//!
//! Each token is claimed there before the store behind is asked, by `SET … NX EXAT`: one process gets it, and the register
//! forgets it a minute after its end. What the register cannot promise: it forgets what it has not written to disk or to
//! its replica when it fails over, and whoever empties it makes every token new again for processes that have not seen it.
//! docs/scaling.md says so to operators.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::hex;
use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Counts;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::Store;
use crate::store::StoreFuture;
use crate::store::TokenKey;
use crate::x509::serial::SerialNumber;

mod address;
mod connection;

pub use address::RegisterAddress;

use connection::ANSWER;
use connection::Answer;
use connection::Connection;

/// Questions that may wait.
const QUEUE: usize = 4096;

/// Questions sent together at most.
const BATCH: usize = 512;

/// Seconds that the register keeps a token past its end: the server's clock may be ahead.
const GRACE: i64 = 60;

/// The last second that every version takes as an end: that of the year 9999.
const LATEST: i64 = 253_402_300_799;

/// The wait after the first failed connection; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What can be asked of the register.
enum Question {
    /// Claim this token, and tell whether nobody had.
    Claim(SpentToken, Reply<bool>),
    /// Give this token back.
    Release(TokenKey, Reply<()>),
    /// Answer.
    Ping(Reply<()>),
}

/// A register of spent tokens, connected again by itself when the connection is lost.
pub struct TokenRegister {
    /// `None` only while dropping.
    questions: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
    address: RegisterAddress,
}

impl fmt::Debug for TokenRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenRegister({})", self.address)
    }
}

impl TokenRegister {
    /// Connects. Waits for the server.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub fn open(address: &RegisterAddress) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel(QUEUE);
        let (opened, opening) = std_mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unavailable(address, error.to_string()))?;
        let mut link = Link { address: address.clone(), connection: None, wait: FIRST_WAIT, closed: None };
        let work = move || {
            runtime.block_on(async move {
                let connected = link.connect().await;
                let failed = connected.is_err();
                // The caller waits below.
                let _ = opened.send(connected);
                if !failed {
                    link.serve(asked).await;
                }
            });
        };
        let thread = thread::Builder::new().name("stepless-register".to_owned()).spawn(work);
        let thread = thread.map_err(|error| unavailable(address, error.to_string()))?;
        let stopped = |_| unavailable(address, "its thread has ended".to_owned());
        opening.recv().map_err(stopped)??;
        Ok(Self { questions: Some(questions), thread: Some(thread), address: address.clone() })
    }

    /// Goes to the server and back.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn health(&self) -> Result<(), Error> {
        self.ask(Question::Ping).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, Error> {
        let stopped = || unavailable(&self.address, "its thread has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        let questions = self.questions.as_ref().ok_or_else(stopped)?;
        questions.try_send(question(reply)).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Busy { path: self.address.to_string().into(), waiting: QUEUE },
            TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for TokenRegister {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if it panicked, and then everybody waiting has got an error already.
            let _ = thread.join();
        }
    }
}

fn unavailable(address: &RegisterAddress, detail: String) -> Error {
    Error::Unavailable { server: address.to_string(), detail }
}

/// The connection, and when to try for a new one.
struct Link {
    address: RegisterAddress,
    connection: Option<Connection>,
    wait: Duration,
    /// Until then nobody tries again, and everybody hears the last reason.
    closed: Option<(Instant, Error)>,
}

impl Link {
    /// Answers questions until nobody can ask any more. What comes in while answers are awaited goes out together.
    async fn serve(mut self, mut questions: mpsc::Receiver<Question>) {
        let mut taken = Vec::new();
        loop {
            let count = match &mut self.connection {
                None => questions.recv_many(&mut taken, BATCH).await,
                Some(connection) => tokio::select! {
                    biased;
                    count = questions.recv_many(&mut taken, BATCH) => count,
                    // So that a connection which the server closed is not used: nobody could tell then whether
                    // a token was claimed.
                    () = connection.ended() => {
                        self.connection = None;
                        continue;
                    }
                },
            };
            if count == 0 {
                return;
            }
            self.answer(std::mem::take(&mut taken)).await;
        }
    }

    async fn answer(&mut self, questions: Vec<Question>) {
        let answers = match self.connect().await {
            Ok(()) => self.ask(&questions).await,
            Err(error) => Err(error),
        };
        if answers.is_err() {
            self.connection = None;
        }
        for (index, question) in questions.into_iter().enumerate() {
            let answer = match &answers {
                Ok(answers) => match answers.get(index) {
                    Some(Answer::Refused(reason)) => Err(unavailable(&self.address, reason.clone())),
                    Some(answer) => Ok(*answer == Answer::Done),
                    None => Err(unavailable(&self.address, "an answer is missing".to_owned())),
                },
                Err(error) => Err(error.clone()),
            };
            // Nobody may be waiting any more.
            match question {
                Question::Claim(_, reply) => drop(reply.send(answer)),
                Question::Release(_, reply) | Question::Ping(reply) => drop(reply.send(answer.map(drop))),
            }
        }
    }

    /// Sees to a connection.
    async fn connect(&mut self) -> Result<(), Error> {
        if self.connection.is_some() {
            return Ok(());
        }
        if let Some((until, error)) = &self.closed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match Connection::open(&self.address).await {
            Ok(connection) => {
                self.connection = Some(connection);
                (self.wait, self.closed) = (FIRST_WAIT, None);
                Ok(())
            }
            Err(reason) => {
                let error = unavailable(&self.address, reason);
                if self.closed.is_none() {
                    tracing::error!(%error, hint = error.hint(), "the register of spent tokens is not available");
                }
                self.closed = Some((Instant::now() + self.wait, error.clone()));
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
                Err(error)
            }
        }
    }

    async fn ask(&mut self, questions: &[Question]) -> Result<Vec<Answer>, Error> {
        let name = |key: &TokenKey| format!("stepless:spent:{}", hex::encode(&key.0));
        let words: Vec<Vec<String>> = questions
            .iter()
            .map(|question| match question {
                Question::Claim(token, _) => {
                    let end = token.expires_at.saturating_add(GRACE).clamp(1, LATEST);
                    let words = ["SET", &name(&token.key), "1", "NX", "EXAT", &end.to_string()];
                    words.map(str::to_owned).to_vec()
                }
                Question::Release(key, _) => vec!["DEL".to_owned(), name(key)],
                Question::Ping(_) => vec!["PING".to_owned()],
            })
            .collect();
        let commands: Vec<Vec<&str>> =
            words.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
        let Some(connection) = &mut self.connection else {
            return Err(unavailable(&self.address, "there is no connection".to_owned()));
        };
        match tokio::time::timeout(ANSWER, connection.ask(&commands)).await {
            Ok(answers) => answers.map_err(|error| unavailable(&self.address, error.to_string())),
            Err(_) => Err(unavailable(&self.address, format!("no answer within {ANSWER:?}"))),
        }
    }
}

/// A store whose spent tokens a register knows too: a token has to be new to both.
///
/// If the register does not answer, nothing is recorded; the token may be claimed there then.
#[derive(Debug)]
pub struct RegisteredStore {
    store: Arc<dyn Store>,
    register: TokenRegister,
}

impl RegisteredStore {
    /// Puts a register before a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, register: TokenRegister) -> Self {
        Self { store, register }
    }

    async fn commit_claimed(&self, commit: Commit) -> Result<Outcome, Error> {
        let Some(token) = commit.token else { return self.store.commit(commit).await };
        if !self.register.ask(|reply| Question::Claim(token, reply)).await? {
            return Ok(Outcome::TokenAlreadySpent);
        }
        let outcome = self.store.commit(commit).await?;
        if matches!(outcome, Outcome::AlreadyRevoked | Outcome::SerialExists) {
            // Nothing was written, so the token is not spent. If this fails, it is lost, which harms nobody.
            let _ = self.register.ask(|reply| Question::Release(token.key, reply)).await;
        }
        Ok(outcome)
    }
}

impl Store for RegisteredStore {
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome> {
        Box::pin(self.commit_claimed(commit))
    }

    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>> {
        self.store.certificate(serial)
    }

    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>> {
        self.store.revocation(serial)
    }

    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>> {
        self.store.list(filter, limit)
    }

    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>> {
        self.store.audit(filter, limit)
    }

    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>> {
        self.store.revocations(now)
    }

    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>> {
        self.store.crl()
    }

    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool> {
        self.store.record_crl(crl)
    }

    fn prune(&self, now: i64) -> StoreFuture<'_, u64> {
        self.store.prune(now)
    }

    fn counts(&self) -> StoreFuture<'_, Counts> {
        self.store.counts()
    }

    fn health(&self, now: i64) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.store.health(now).await?;
            self.register.health().await
        })
    }
}

#[cfg(test)]
mod tests;
