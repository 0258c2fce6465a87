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
use crate::table;

/// Processes, and connections to all of them together.
const SETTINGS: [(usize, usize); 4] = [(1, 1), (1, 64), (2, 64), (4, 64)];

const HEAD: &str = "\
| processes | connections | stepless, CPU µs a certificate | PostgreSQL, CPU µs a certificate | certificates/s | p50, ms | p99, ms |
| --- | --- | --- | --- | --- | --- | --- |
";

/// Measures each setting `rounds` times on a PostgreSQL server of its own, which writes durably. A table of medians.
pub(crate) fn measure(runtime: &Runtime, rounds: usize, count: usize) -> String {
    let database = Postgres::start_with(true).expect("PostgreSQL is installed");
    let mut figures = SETTINGS.map(|_| Vec::new());
    for round in 1..=rounds {
        for ((processes, connections), figures) in SETTINGS.into_iter().zip(&mut figures) {
            eprintln!("round {round} of {rounds}: {processes} processes, {connections} connections");
            // One at a time takes longer.
            let count = if connections == 1 { count / 4 } else { count };
            figures.push(measure_once(runtime, &database, processes, connections, count));
        }
    }
    let mut table = HEAD.to_owned();
    for ((processes, connections), figures) in SETTINGS.into_iter().zip(&figures) {
        let cell = |of: usize| table::rounded(table::median(figures.iter().map(|figures| figures[of])));
        let cells = [0, 1, 2, 3, 4].map(cell).join(" | ");
        table.push_str(&format!("| {processes} | {connections} | {cells} |\n"));
    }
    table
}

/// The figures of one setting, in the order of the columns.
fn measure_once(
    runtime: &Runtime,
    database: &Postgres,
    processes: usize,
    connections: usize,
    count: usize,
) -> [f64; 5] {
    let server = || Server::shared(&database.data_source("sslmode=disable"));
    let mut rigs: Vec<Rig<'_>> = (0..processes).map(|_| Rig::new(runtime, server())).collect();
    for rig in &mut rigs {
        rig.start();
        rig.under_load(Algorithm::Hs256, 400, 8);
    }
    let make = |rig: &Rig<'_>| requests::make(&rig.server.keys, Algorithm::Hs256, count / processes);
    let batches: Vec<Vec<Request>> = rigs.iter().map(make).collect();
    // The parent of all of the server's processes is in the first line.
    let file = std::fs::read_to_string(database.folder().join("data/postmaster.pid")).expect("it runs");
    let parent = file.lines().next().and_then(|id| id.parse().ok()).expect("a process id");
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
    let worst = |percent| runs.iter().map(|run| run.percentile(percent)).fold(0.0, f64::max);
    [own, theirs, runs.iter().map(Run::rate).sum(), worst(50.0), worst(99.0)]
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
