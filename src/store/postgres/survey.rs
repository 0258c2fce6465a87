//! The task that reads through everything, on a connection for each time.

use tokio::sync::mpsc::Receiver;

use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::Counts;
use crate::store::Error;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::postgres::address::PostgresAddress;
use crate::store::postgres::audit;
use crate::store::postgres::failure;
use crate::store::postgres::records;
use crate::store::postgres::session::Bare;
use crate::store::postgres::writer::Reply;

/// What takes reading through everything.
#[derive(Debug)]
pub(super) enum Survey {
    /// The certificates that fit, this many at most.
    List(Filter, usize, Reply<Vec<Listed>>),
    /// The records of the audit log that fit, this many at most.
    Audit(AuditFilter, usize, Reply<Vec<AuditRecord>>),
    /// How much there is.
    Counts(Reply<Counts>),
}

/// Reads through everything for whoever asks, one at a time. Nobody may be waiting any more.
pub(super) async fn run(address: PostgresAddress, mut surveys: Receiver<Survey>) {
    while let Some(survey) = surveys.recv().await {
        match survey {
            Survey::List(filter, limit, reply) => drop(reply.send(list(&address, &filter, limit).await)),
            Survey::Audit(filter, limit, reply) => drop(reply.send(audited(&address, &filter, limit).await)),
            Survey::Counts(reply) => drop(reply.send(counts(&address).await)),
        }
    }
}

async fn list(address: &PostgresAddress, filter: &Filter, limit: usize) -> Result<Vec<Listed>, Error> {
    let mut found = Vec::new();
    if limit > 0 {
        let mut bare = Bare::open_for_long(address).await?;
        let listed = records::list(&mut bare.client, filter, &mut take(&mut found, limit)).await;
        listed.map_err(failure::of(&address.to_string()))?;
    }
    Ok(found)
}

async fn audited(
    address: &PostgresAddress,
    filter: &AuditFilter,
    limit: usize,
) -> Result<Vec<AuditRecord>, Error> {
    let mut found = Vec::new();
    if limit > 0 {
        let mut bare = Bare::open_for_long(address).await?;
        let listed = audit::list(&mut bare.client, filter, &mut take(&mut found, limit)).await;
        listed.map_err(failure::of(&address.to_string()))?;
    }
    Ok(found)
}

async fn counts(address: &PostgresAddress) -> Result<Counts, Error> {
    let bare = Bare::open_for_long(address).await?;
    records::counts(&bare.client).await.map_err(failure::of(&address.to_string()))
}

fn take<T>(found: &mut Vec<T>, limit: usize) -> impl FnMut(T) -> bool {
    move |item| {
        found.push(item);
        found.len() < limit
    }
}
