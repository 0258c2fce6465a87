//! The thread that owns the database: takes what waits, writes it in one transaction, answers.

use std::path::Path;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;

use crate::store::CLOCK_TOLERANCE;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::sqlite::clock;
use crate::store::sqlite::clock::Latest;
use crate::store::sqlite::failure;
use crate::store::sqlite::files;
use crate::store::sqlite::records;
use crate::store::sqlite::schema;
use crate::x509::serial::SerialNumber;

/// Commits in one transaction at most: more would hardly save anything, and with about 1 kB each this many still fit
/// the page cache.
const BATCH: usize = 512;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What can be asked of the writer.
#[derive(Debug)]
pub(super) enum Request {
    /// Record this.
    Commit(Box<Commit>, Reply<Outcome>),
    /// Read a certificate.
    Find(SerialNumber, Reply<Option<CertificateRecord>>),
    /// Read the revocation of this serial number.
    FindRevocation(SerialNumber, Reply<Option<Revocation>>),
    /// Read the revocations of certificates that expire at this time or later.
    ListRevocations(i64, Reply<Vec<Revocation>>),
    /// Read the latest CRL.
    FindCrl(Reply<Option<CrlRecord>>),
    /// Replace the latest CRL if this one's number is the next.
    RecordCrl(CrlRecord, Reply<bool>),
    /// Delete at most `limit` tokens that expired before `now`.
    Prune { now: i64, limit: u32, reply: Reply<u64> },
    /// Take this time although later ones are on record.
    AcceptClock(i64, Reply<()>),
    /// Show that the database can be read and written.
    Health(Reply<()>),
}

/// A commit that waits for its outcome.
type Waiting = (Box<Commit>, Reply<Outcome>);

/// What the writer knows besides the file.
#[derive(Debug)]
struct State {
    latest: Latest,
    /// The end of the audit log; nobody else writes one.
    chain: Chain,
    /// Whether the last commit failed for another reason than its own content.
    is_ailing: bool,
}

/// Serves requests until there are no more senders and the queue is empty.
pub(super) fn run(
    mut connection: Connection,
    latest: Latest,
    chain: Chain,
    requests: &Receiver<Request>,
    path: &Path,
) {
    let mut state = State { latest, chain, is_ailing: false };
    while let Ok(first) = requests.recv() {
        let mut commits = Vec::new();
        let mut others = Vec::new();
        for request in std::iter::once(first).chain(requests.try_iter().take(BATCH - 1)) {
            match request {
                Request::Commit(commit, reply) => match state.latest.check(clock::time_of(&commit), path) {
                    Ok(()) => commits.push((commit, reply)),
                    Err(error) => drop(reply.send(Err(error))),
                },
                other => others.push(other),
            }
        }
        commit_all(&mut connection, &mut state, commits, path);
        for request in others {
            serve(&connection, &mut state, request, path);
        }
    }
}

/// Answers what needs no transaction of several requests. An answer that nobody waits for any more is dropped.
fn serve(connection: &Connection, state: &mut State, request: Request, path: &Path) {
    let failed = failure::of(path);
    match request {
        // They have been taken out before.
        Request::Commit(..) => {}
        Request::Find(serial, reply) => {
            let _ = reply.send(records::find(connection, &serial).map_err(failed));
        }
        Request::FindRevocation(serial, reply) => {
            let _ = reply.send(records::revocation(connection, &serial).map_err(failed));
        }
        Request::ListRevocations(now, reply) => {
            let _ = reply.send(records::revocations(connection, now).map_err(failed));
        }
        Request::FindCrl(reply) => {
            let _ = reply.send(records::crl(connection).map_err(failed));
        }
        Request::RecordCrl(crl, reply) => {
            let latest = &mut state.latest;
            let timely = latest.check(Some(crl.this_update), path);
            let _ = reply.send(timely.and_then(|()| record_crl(connection, latest, &crl).map_err(failed)));
        }
        Request::Prune { now, limit, reply } => {
            let _ = reply.send(prune(connection, &mut state.latest, now, limit).map_err(failed));
        }
        Request::AcceptClock(now, reply) => {
            let _ = reply.send(state.latest.accept(connection, now).map_err(failed));
        }
        Request::Health(reply) => {
            let _ = reply.send(health(connection, state, path));
        }
    }
}

/// Shows that something can be recorded: after a failure as much as a commit takes, since a little may still fit.
fn health(connection: &Connection, state: &mut State, path: &Path) -> Result<(), Error> {
    schema::touch(connection).map_err(failure::of(path))?;
    if state.is_ailing {
        files::try_space(path)?;
        state.is_ailing = false;
    }
    Ok(())
}

fn record_crl(connection: &Connection, latest: &mut Latest, crl: &CrlRecord) -> rusqlite::Result<bool> {
    let now = Some(crl.this_update);
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let written = records::record_crl(&transaction, crl)?;
    latest.record(&transaction, now)?;
    transaction.commit()?;
    latest.note(now);
    Ok(written)
}

/// Forgets tokens, and the times at which they would pass.
fn prune(connection: &Connection, latest: &mut Latest, now: i64, limit: u32) -> rusqlite::Result<u64> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let pruned = records::prune(&transaction, now, limit)?;
    if pruned == 0 {
        return Ok(0);
    }
    let earliest = now.saturating_add(CLOCK_TOLERANCE);
    clock::raise(&transaction, earliest)?;
    transaction.commit()?;
    latest.note(Some(earliest));
    Ok(pruned)
}

/// Records the commits in one transaction, or each in its own if one of them spoils that, and answers all of them.
fn commit_all(connection: &mut Connection, state: &mut State, waiting: Vec<Waiting>, path: &Path) {
    if waiting.is_empty() {
        return;
    }
    let now = waiting.iter().filter_map(|(commit, _)| clock::time_of(commit)).max();
    match record(connection, state, now, waiting.iter().map(|(commit, _)| &**commit)) {
        Ok(outcomes) => {
            state.is_ailing = false;
            for ((_, reply), outcome) in waiting.into_iter().zip(outcomes) {
                let _ = reply.send(Ok(outcome));
            }
        }
        Err(error) if waiting.len() > 1 && failure::may_be_one_records(&error) => {
            for alone in waiting {
                commit_all(connection, state, vec![alone], path);
            }
        }
        Err(error) => {
            let error = failure::of(path)(error);
            state.is_ailing = !matches!(error, Error::Corrupt { .. } | Error::Locked { .. });
            for (_, reply) in waiting {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

/// Writes the commits in one transaction and returns their outcomes, in order. After an error nothing is written.
fn record<'a>(
    connection: &mut Connection,
    state: &mut State,
    now: Option<i64>,
    commits: impl Iterator<Item = &'a Commit>,
) -> rusqlite::Result<Vec<Outcome>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut longer = state.chain;
    let outcomes = commits
        .map(|commit| records::apply(&transaction, &mut longer, commit))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    state.latest.record(&transaction, now)?;
    transaction.commit()?;
    state.latest.note(now);
    state.chain = longer;
    Ok(outcomes)
}
