//! Several processes on one PostgreSQL database: what a certificate costs each of them and the server.

use crate::Requests;
use crate::client::Client;
use crate::micros;
use crate::process;
use crate::requests::Algorithm;
use crate::server::Server;

/// Measures 1, 2 and 4 processes and prints a table. The database is one to play with: its records stay.
pub(crate) fn measure(
    runtime: &tokio::runtime::Runtime,
    data_source: &str,
    postmaster: Option<u32>,
    count: usize,
) -> String {
    let mut table =
        "| processes | connections | certificates/s | stepless, CPU µs each | PostgreSQL, CPU µs each \
                     | p50, ms | p99, ms |\n| --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (processes, connections) in [(1, 1), (1, 64), (2, 64), (4, 64)] {
        let servers: Vec<Server> = (0..processes).map(|_| Server::start_shared(data_source)).collect();
        let clients: Vec<Client> =
            servers.iter().map(|server| Client::new(server.address, &server.root)).collect();
        let count = if connections == 1 { count / 4 } else { count };
        let make = |count: usize| Requests::make(&servers[0].keys, Algorithm::Hs256, count / processes);
        for client in &clients {
            runtime.block_on(client.run(&make(400), 8));
        }
        let batches: Vec<Requests> = (0..processes).map(|_| make(count)).collect();
        let used = || servers.iter().map(Server::cpu).sum::<std::time::Duration>();
        let (own, theirs) = (used(), postmaster.map(process::family_cpu));
        let runs: Vec<_> = runtime.block_on(async {
            let runs = clients
                .iter()
                .zip(&batches)
                .map(|(client, batch)| client.run(batch, connections / processes));
            join_all(runs).await
        });
        let own = micros(used() - own) / count as f64;
        let theirs = postmaster.map(process::family_cpu).zip(theirs).map(|(after, before)| after - before);
        for (run, batch) in runs.iter().zip(&batches) {
            run.check(batch);
        }
        let rate: f64 = runs.iter().map(crate::client::Run::rate).sum();
        let worst = |percent| runs.iter().map(|run| run.percentile(percent)).fold(0.0, f64::max);
        table.push_str(&format!(
            "| {processes} | {connections} | {rate:.0} | {own:.0} | {} | {:.1} | {:.1} |\n",
            theirs.map_or("-".to_owned(), |theirs| format!("{:.0}", micros(theirs) / count as f64)),
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
