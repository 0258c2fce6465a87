//! The task that reads, on a connection of its own: many questions at a time, answered as the server answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use crate::store::CertificateRecord;
use crate::store::CrlRecord;
use crate::store::Error;
use crate::store::Revocation;
use crate::store::postgres::failure;
use crate::store::postgres::session::Link;
use crate::store::postgres::session::Session;
use crate::store::postgres::writer::Reply;
use crate::x509::serial::SerialNumber;

/// After this time without an answer the connection counts as lost. The server gives up earlier.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be asked of the reader.
#[derive(Debug)]
pub(super) enum Question {
    /// A certificate.
    Certificate(SerialNumber, Reply<Option<CertificateRecord>>),
    /// The revocation of this serial number.
    Revocation(SerialNumber, Reply<Option<Revocation>>),
    /// The revocations of certificates that expire at this time or later.
    Revocations(i64, Reply<Vec<Revocation>>),
    /// The latest CRL.
    Crl(Reply<Option<CrlRecord>>),
    /// How many of at most `limit` tokens that expired before `now` were deleted: a write, but of what nobody needs.
    Prune { now: i64, limit: i64, reply: Reply<u64> },
}

/// Serves questions until there are no more senders.
pub(super) async fn run(mut link: Link, mut questions: Receiver<Question>) {
    while let Some(question) = questions.recv().await {
        match link.session().await {
            Ok(session) => drop(tokio::spawn(answer(session, question, link.server.clone()))),
            Err(error) => question.refuse(error),
        }
    }
}

async fn answer(session: Arc<Session>, question: Question, server: String) {
    let (client, statements) = (&session.client, &session.statements);
    match question {
        Question::Certificate(serial, reply) => {
            let _ = reply.send(in_time(&server, statements.certificate(client, &serial)).await);
        }
        Question::Revocation(serial, reply) => {
            let _ = reply.send(in_time(&server, statements.revocation(client, &serial)).await);
        }
        Question::Revocations(now, reply) => {
            let _ = reply.send(in_time(&server, statements.revocations(client, now)).await);
        }
        Question::Crl(reply) => {
            let _ = reply.send(in_time(&server, statements.crl(client)).await);
        }
        Question::Prune { now, limit, reply } => {
            let _ = reply.send(in_time(&server, statements.prune(client, now, limit)).await);
        }
    }
}

async fn in_time<T>(
    server: &str,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(failure::of(server)),
        Err(_) => {
            let detail = format!("no answer within {PATIENCE:?}");
            Err(Error::Unavailable { server: server.to_owned(), detail })
        }
    }
}

impl Question {
    fn refuse(self, error: Error) {
        match self {
            Self::Certificate(_, reply) => drop(reply.send(Err(error))),
            Self::Revocation(_, reply) => drop(reply.send(Err(error))),
            Self::Revocations(_, reply) => drop(reply.send(Err(error))),
            Self::Crl(reply) => drop(reply.send(Err(error))),
            Self::Prune { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
