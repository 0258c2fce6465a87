//! The thread that owns the database: takes what waits, writes it in one transaction, answers.

use std::path::Path;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;

use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::sqlite::failure;
use crate::store::sqlite::records;
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
    /// Show that the database can be read.
    Health(Reply<()>),
}

/// A commit that waits for its outcome.
type Waiting = (Box<Commit>, Reply<Outcome>);

/// Serves requests until there are no more senders and the queue is empty.
///
/// `chain` is the end of the audit log; nobody else writes one.
pub(super) fn run(mut connection: Connection, mut chain: Chain, requests: &Receiver<Request>, path: &Path) {
    while let Ok(first) = requests.recv() {
        let mut commits = Vec::new();
        let mut others = Vec::new();
        for request in std::iter::once(first).chain(requests.try_iter().take(BATCH - 1)) {
            match request {
                Request::Commit(commit, reply) => commits.push((commit, reply)),
                other => others.push(other),
            }
        }
        commit_all(&mut connection, &mut chain, commits, path);
        for request in others {
            serve(&connection, request, path);
        }
    }
}

/// Answers what needs no transaction of several requests. An answer that nobody waits for any more is dropped.
fn serve(connection: &Connection, request: Request, path: &Path) {
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
            let _ = reply.send(records::record_crl(connection, &crl).map_err(failed));
        }
        Request::Prune { now, limit, reply } => {
            let _ = reply.send(records::prune(connection, now, limit).map_err(failed));
        }
        Request::Health(reply) => {
            let _ = reply.send(records::touch(connection).map_err(failed));
        }
    }
}

/// Records the commits in one transaction, or each in its own if one of them spoils that, and answers all of them.
fn commit_all(connection: &mut Connection, chain: &mut Chain, waiting: Vec<Waiting>, path: &Path) {
    if waiting.is_empty() {
        return;
    }
    match record(connection, chain, waiting.iter().map(|(commit, _)| &**commit)) {
        Ok(outcomes) => {
            for ((_, reply), outcome) in waiting.into_iter().zip(outcomes) {
                let _ = reply.send(Ok(outcome));
            }
        }
        Err(error) if waiting.len() > 1 && failure::may_be_one_records(&error) => {
            for alone in waiting {
                commit_all(connection, chain, vec![alone], path);
            }
        }
        Err(error) => {
            let error = failure::of(path)(error);
            for (_, reply) in waiting {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

/// Writes the commits in one transaction and returns their outcomes, in order. After an error nothing is written.
fn record<'a>(
    connection: &mut Connection,
    chain: &mut Chain,
    commits: impl Iterator<Item = &'a Commit>,
) -> rusqlite::Result<Vec<Outcome>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut longer = *chain;
    let outcomes = commits
        .map(|commit| records::apply(&transaction, &mut longer, commit))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.commit()?;
    *chain = longer;
    Ok(outcomes)
}
