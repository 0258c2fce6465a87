//! The task that writes: takes what waits, records it in one transaction, answers.
//!
//! A transaction takes two round trips: its beginning, the turn and what is known go out together, and so do the rows and
//! the `COMMIT`. Whatever comes in meanwhile goes into the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::store::Chain;
use crate::store::Commit;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::postgres::batch::Batch;
use crate::store::postgres::batch::Keys;
use crate::store::postgres::batch::Known;
use crate::store::postgres::failure;
use crate::store::postgres::session::Link;
use crate::store::postgres::session::Session;
use crate::store::postgres::statements::Condition;
use crate::store::postgres::statements::RECORDS_LOST;

/// Commits in one transaction at most.
const BATCH: usize = 512;

/// How often a transaction is tried that stands in another's way.
const ATTEMPTS: usize = 10;

/// After this time without an answer the connection counts as lost. The server gives up earlier.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where an answer goes. Nobody may be waiting for it any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What can be asked of the writer.
#[derive(Debug)]
pub(super) enum Request {
    /// Record this.
    Commit(Box<Commit>, Reply<Outcome>),
    /// Replace the latest CRL if this one's number is the next.
    RecordCrl(CrlRecord, Reply<bool>),
    /// Show that what happens at this time, Unix seconds, can be recorded.
    Health(i64, Reply<()>),
}

/// A commit that waits for its outcome.
type Waiting = (Box<Commit>, Reply<Outcome>);

/// Serves requests until there are no more senders and the queue is empty.
pub(super) async fn run(mut link: Link, mut requests: Receiver<Request>) {
    let mut taken = Vec::new();
    while requests.recv_many(&mut taken, BATCH).await > 0 {
        let mut commits = Vec::new();
        let mut others = Vec::new();
        for request in taken.drain(..) {
            match request {
                Request::Commit(commit, reply) => commits.push((commit, reply)),
                other => others.push(other),
            }
        }
        if !commits.is_empty() {
            commit_all(&mut link, commits).await;
        }
        for request in others {
            match request {
                // They have been taken out before.
                Request::Commit(..) => {}
                Request::RecordCrl(crl, reply) => {
                    let _ = reply.send(record_crl(&mut link, &crl).await);
                }
                Request::Health(now, reply) => {
                    let _ = reply.send(health(&mut link, now).await);
                }
            }
        }
    }
}

/// Records the commits in one transaction, or each in its own if one of them spoils that, and answers all of them.
async fn commit_all(link: &mut Link, waiting: Vec<Waiting>) {
    let commits: Vec<&Commit> = waiting.iter().map(|(commit, _)| &**commit).collect();
    let result = record(link, &commits).await;
    match result {
        Err(Fault::OneRecords(_)) if waiting.len() > 1 => {
            for (commit, reply) in waiting {
                let alone = record(link, &[&*commit]).await;
                let _ = reply.send(alone.map_err(Error::from).and_then(|outcomes| only(&outcomes, link)));
            }
        }
        result => {
            let result = result.map_err(Error::from);
            for (index, (_, reply)) in waiting.into_iter().enumerate() {
                let outcome = result.clone().and_then(|outcomes| only(&outcomes[index..], link));
                let _ = reply.send(outcome);
            }
        }
    }
}

/// The first of the outcomes; there is one for each commit.
fn only(outcomes: &[Outcome], link: &Link) -> Result<Outcome, Error> {
    outcomes.first().copied().ok_or_else(|| Error::Stopped { path: link.server.clone().into() })
}

/// Why commits are not recorded.
enum Fault {
    /// One of them may be the reason.
    OneRecords(Error),
    /// None of them is.
    Servers(Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::OneRecords(error) | Fault::Servers(error) => error,
        }
    }
}

/// Writes the commits in one transaction and returns their outcomes, in order.
///
/// Tries again whatever is certain not to be recorded and may succeed. After any error the connection is given up unless
/// the server has said that the transaction is over.
async fn record(link: &mut Link, commits: &[&Commit]) -> Result<Vec<Outcome>, Fault> {
    let mut attempt = 1;
    loop {
        let session = link.session().await.map_err(Fault::Servers)?;
        let mut committing = false;
        let write = write(&session, commits, &mut committing, &mut link.seen);
        let written = match tokio::time::timeout(PATIENCE, write).await {
            Ok(Err(Stop::RecordsLost)) => match note_loss(&session).await {
                Ok(()) => {
                    link.seen = Chain::default();
                    continue;
                }
                Err(error) => Ok(Err(error)),
            },
            Ok(Err(Stop::Server(error))) => Ok(Err(error)),
            Ok(Ok(outcomes)) => Ok(Ok(outcomes)),
            Err(elapsed) => Err(elapsed),
        };
        let error = match written {
            Ok(Ok(outcomes)) => return Ok(outcomes),
            Ok(Err(error)) => error,
            Err(_) => {
                link.hang_up();
                return Err(Fault::Servers(lost(link, committing, format!("no answer within {PATIENCE:?}"))));
            }
        };
        let code = error.code().filter(|_| !session.client.is_closed());
        let Some(code) = code.filter(|code| !committing || failure::is_certain(code)) else {
            link.hang_up();
            // A connection that the server closed while it was idle shows only when it is used.
            if !committing && attempt == 1 {
                attempt += 1;
                continue;
            }
            return Err(Fault::Servers(lost(link, committing, failure::detail(&error))));
        };
        let (again, one) = (failure::is_conflict(code), failure::may_be_one_records(code));
        if again || one {
            // Ended already, if the server had got as far as `COMMIT`; then this does nothing.
            if session.client.batch_execute("ROLLBACK").await.is_err() {
                link.hang_up();
            }
        } else {
            link.hang_up();
        }
        if again && attempt < ATTEMPTS {
            attempt += 1;
            continue;
        }
        let error = failure::of(&link.server)(error);
        return Err(if one { Fault::OneRecords(error) } else { Fault::Servers(error) });
    }
}

fn lost(link: &Link, committing: bool, detail: String) -> Error {
    let server = link.server.clone();
    if committing { Error::Unknown { server, detail } } else { Error::Unavailable { server, detail } }
}

/// What stops a transaction.
enum Stop {
    Server(tokio_postgres::Error),
    /// What this process has recorded is on record no more.
    RecordsLost,
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// Writes the commits. `committing` tells whether the server may have recorded them, after an error; `seen` is the end
/// of the audit log when this process wrote last.
async fn write(
    session: &Arc<Session>,
    commits: &[&Commit],
    committing: &mut bool,
    seen: &mut Chain,
) -> Result<Vec<Outcome>, Stop> {
    let (client, statements) = (&session.client, &session.statements);
    let keys = Keys::of(commits);
    // Read committed, since each statement must see what others have committed until it begins.
    let ((), head, known, revoked) = tokio::try_join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        statements.head(client),
        statements.known(client, &keys, seen),
        statements.revoked(client, &keys),
    )?;
    let known = Known::read(&known, &head)?;
    if !known.has(seen) {
        return Err(Stop::RecordsLost);
    }
    let batch = Batch::decide(commits, known, &revoked, head);
    if batch.is_empty() {
        client.batch_execute("ROLLBACK").await?;
        return Ok(batch.outcomes);
    }
    *committing = true;
    // In this order: if one fails, the server makes a rollback of the `COMMIT`.
    tokio::try_join!(
        biased;
        statements.spend(client, &batch),
        statements.revoke(client, &batch),
        statements.issue(client, &batch),
        statements.log(client, &batch),
        statements.count_on(client, &batch),
        client.batch_execute("COMMIT"),
    )?;
    *seen = batch.head.chain;
    Ok(batch.outcomes)
}

/// Notes that records were lost, on a connection whose transaction has read so and holds the turn.
async fn note_loss(session: &Session) -> Result<(), tokio_postgres::Error> {
    tracing::error!(
        hint = "see docs/scaling.md, After a failover",
        "the database has lost what was recorded in it: tokens made before the next minute are refused"
    );
    session.client.batch_execute(RECORDS_LOST).await?;
    session.client.batch_execute("COMMIT").await
}

async fn record_crl(link: &mut Link, crl: &CrlRecord) -> Result<bool, Error> {
    let session = link.session().await?;
    let recorded = session.statements.record_crl(&session.client, crl);
    let detail = match tokio::time::timeout(PATIENCE, recorded).await {
        Ok(Ok(recorded)) => return Ok(recorded),
        Ok(Err(error)) if error.code().is_some_and(failure::is_certain) => {
            return Err(failure::of(&link.server)(error));
        }
        Ok(Err(error)) => failure::detail(&error),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    link.hang_up();
    Err(lost(link, true, detail))
}

async fn health(link: &mut Link, now: i64) -> Result<(), Error> {
    let session = link.session().await?;
    let condition = session.statements.condition(&session.client);
    let detail = match tokio::time::timeout(PATIENCE, condition).await {
        Ok(Ok(Condition { writable: true, forgotten_until })) if now >= forgotten_until => return Ok(()),
        Ok(Ok(Condition { writable: true, forgotten_until })) => {
            let server = link.server.clone();
            return Err(Error::ClockBehindServer { server, forgotten_until, now });
        }
        Ok(Ok(_)) => "it can be read only".to_owned(),
        Ok(Err(error)) => failure::detail(&error),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    link.hang_up();
    Err(lost(link, false, detail))
}
