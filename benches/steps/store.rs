//! Recording a certificate with its token and its event: alone, and as one of 64 requests that come at once.

use std::cell::RefCell;
use std::sync::Arc;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::Throughput;
use stepless::entropy::Entropy as _;
use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::MemoryStore;
use stepless::store::Outcome;
use stepless::store::SpentToken;
use stepless::store::SqliteStore;
use stepless::store::Store;
use stepless::store::TokenKey;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::rig::NAME;
use crate::rig::Rig;

/// A store with so many records is given up for a new one, so that a fast one does not fill the memory.
const MOST: usize = 100_000;

pub(crate) fn bench(criterion: &mut Criterion, rig: &Rig) {
    let folder = TempDir::with_prefix("stepless-bench-").unwrap();
    let der = rig.certificate();
    let mut group = criterion.benchmark_group("store: commit");
    for at_once in [1, 64] {
        group.throughput(Throughput::Elements(at_once));
        for kind in ["memory", "SQLite"] {
            let open = || -> Arc<dyn Store> {
                match kind {
                    "memory" => Arc::new(MemoryStore::new()),
                    _ => Arc::new(SqliteStore::open(&folder.path().join(rig.serial().to_string())).unwrap()),
                }
            };
            let store = RefCell::new((open(), 0));
            let prepare = || {
                let (store, records) = &mut *store.borrow_mut();
                if *records > MOST {
                    (*store, *records) = (open(), 0);
                }
                *records += at_once as usize;
                let commits: Vec<Commit> = (0..at_once).map(|_| commit(rig, &der)).collect();
                (Arc::clone(store), commits)
            };
            group.bench_function(format!("{kind}, {at_once} at once"), |b| {
                b.iter_batched(
                    prepare,
                    |(store, commits)| rig.runtime.block_on(record(&store, commits)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

async fn record(store: &Arc<dyn Store>, commits: Vec<Commit>) {
    let mut tasks = JoinSet::new();
    for commit in commits {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.commit(commit).await });
    }
    while let Some(outcome) = tasks.join_next().await {
        assert_eq!(outcome.unwrap().unwrap(), Outcome::Recorded);
    }
}

fn commit(rig: &Rig, der: &[u8]) -> Commit {
    let (now, mut key) = (rig.now().unix_timestamp(), [0; 32]);
    rig.entropy.fill(&mut key).unwrap();
    let provisioner = rig.provisioner("HS256");
    let grant = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let certificate = CertificateRecord {
        serial: rig.serial(),
        der: der.to_vec(),
        not_before: now,
        not_after: now + 3600,
        subject: NAME.to_owned(),
        provisioner: provisioner.name().to_owned(),
        provisioner_id: provisioner.id().to_owned(),
        grant_id: Some(grant.to_owned()),
        subject_user_id: Some(grant.to_owned()),
        issued_at: now,
        request_id: rig.serial().to_string(),
    };
    let token = SpentToken { key: TokenKey(key), expires_at: now + 360, issued_at: Some(now) };
    Commit { token: Some(token), certificate: Some(certificate), ..Commit::default() }
}
