//! Several processes on one PostgreSQL server: what a certificate costs each of them and the server.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::client::Run;
use crate::postgres::Postgres;
use crate::process;
use crate::requests;
use crate::requests::Algorithm;
use crate::requests::Request;
use crate::rig::Rig;
use crate::rig::micros;
use crate::server::Server;

/// Measures 1, 2 and 4 processes on a server of its own, which writes durably.
pub(crate) fn measure(runtime: &Runtime, count: usize) -> String {
    let database = Postgres::start_with(true).expect("PostgreSQL is installed");
    // The parent of all of the server's processes is in the first line.
    let file = std::fs::read_to_string(database.folder().join("data/postmaster.pid")).expect("it runs");
    let parent = file.lines().next().and_then(|id| id.parse().ok()).expect("a process id");
    let mut table =
        "| processes | connections | certificates/s | stepless, CPU µs each | PostgreSQL, CPU µs each \
                     | p50, ms | p99, ms |\n| --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (processes, connections) in [(1, 1), (1, 64), (2, 64), (4, 64)] {
        let server = || Server::shared(&database.data_source("sslmode=disable"));
        let mut rigs: Vec<Rig<'_>> = (0..processes).map(|_| Rig::new(runtime, server())).collect();
        let count = if connections == 1 { count / 4 } else { count };
        for rig in &mut rigs {
            rig.start();
            rig.under_load(Algorithm::Hs256, 400, 8);
        }
        let batches: Vec<Vec<Request>> = rigs
            .iter()
            .map(|rig| requests::make(&rig.server.keys, Algorithm::Hs256, count / processes))
            .collect();
        let used = || rigs.iter().map(|rig| rig.server.cpu()).sum::<Duration>();
        let (own, theirs) = (used(), process::family_cpu(parent));
        let runs: Vec<Run> = runtime.block_on(async {
            let runs = rigs.iter().zip(&batches);
            join_all(runs.map(|(rig, batch)| rig.client.run(batch, connections / processes))).await
        });
        let each = |time: Duration| micros(time) / count as f64;
        let (own, theirs) = (each(used() - own), each(process::family_cpu(parent) - theirs));
        for (run, batch) in runs.iter().zip(&batches) {
            run.check(batch);
        }
        let rate: f64 = runs.iter().map(Run::rate).sum();
        let worst = |percent| runs.iter().map(|run| run.percentile(percent)).fold(0.0, f64::max);
        table.push_str(&format!(
            "| {processes} | {connections} | {rate:.0} | {own:.0} | {theirs:.0} | {:.1} | {:.1} |\n",
            worst(50.0),
            worst(99.0),
        ));
    }
    table
}

/// All of them at once, each on a task of its own within this one.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(outputs.drain(..).flatten().collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}
