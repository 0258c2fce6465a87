//! Puts load on stepless and on a real step-ca, in turn, and prints what each takes for a certificate.
//!
//! ```text
//! cargo build --release && cargo run --release --example load
//! ```
//!
//! Both serve the same directory, a copy of `tests/contract/fixtures/mosaic`: Go template, request log, durable
//! database. Requests are made beforehand, each with a token and a name of its own, and every answer is checked. CPU
//! time is the server process's own, from `/proc`. Without docker and the reference image (`tests/reference/build.sh`)
//! only stepless is measured.
//!
//! `--requests N` certificates in each measurement (6000), `--rounds N` of all (3), `--stored N` certificates before the
//! last ones (20000), `--write FILE` puts the table between the markers of a document.
//!
//! `--shared DATASOURCE` measures 1, 2 and 4 processes on that PostgreSQL database instead, and with `--postmaster PID` what
//! its server takes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that goes wrong ends at once, and prints what it found"
)]

mod client;
mod process;
mod requests;
mod server;
mod shared;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use crate::client::Client;
use crate::client::Run;
use crate::requests::Algorithm;
use crate::requests::Requests;
use crate::server::Kind;
use crate::server::Server;
use crate::table::Figures;

struct Arguments {
    requests: usize,
    rounds: usize,
    stored: usize,
    write: Option<PathBuf>,
    shared: Option<String>,
    postmaster: Option<u32>,
}

impl Arguments {
    fn read() -> Self {
        let mut read =
            Self { requests: 6000, rounds: 3, stored: 20_000, write: None, shared: None, postmaster: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
            match name.as_str() {
                "--requests" => read.requests = value.parse().expect("a number"),
                "--rounds" => read.rounds = value.parse().expect("a number"),
                "--stored" => read.stored = value.parse().expect("a number"),
                "--write" => read.write = Some(value.into()),
                "--shared" => read.shared = Some(value),
                "--postmaster" => read.postmaster = Some(value.parse().expect("a process id")),
                _ => panic!("unknown argument {name}"),
            }
        }
        read
    }
}

fn main() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(data_source) = &arguments.shared {
        let table = shared::measure(&runtime, data_source, arguments.postmaster, arguments.requests);
        println!("{table}");
        if let Some(path) = &arguments.write {
            table::write(path, &table);
        }
        return;
    }
    let kinds = match server::reference_available() {
        Ok(()) => vec![Kind::Stepless, Kind::StepCa],
        Err(reason) => {
            eprintln!("*** only stepless is measured: {reason}");
            vec![Kind::Stepless]
        }
    };
    let mut figures: Vec<Figures> = kinds.iter().map(|_| Figures::default()).collect();
    for round in 1..=arguments.rounds {
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            eprintln!("round {round} of {}: {kind:?}", arguments.rounds);
            measure(&runtime, *kind, &arguments, figures);
        }
    }
    let table = table::markdown(&kinds, &figures);
    println!("{table}");
    if let Some(path) = &arguments.write {
        table::write(path, &table);
    }
}

/// All measurements of one server, from its start to its end.
fn measure(runtime: &tokio::runtime::Runtime, kind: Kind, arguments: &Arguments, figures: &mut Figures) {
    let count = arguments.requests;
    let mut server = Server::start(kind);
    figures.start_empty.push(server.started_in.as_secs_f64() * 1e3);
    figures.memory_idle.push(server.memory() as f64 / 1024.0);
    let client = Client::new(server.address, &server.root);

    // Caches, allocations and connections of the first requests count for neither.
    let warm = Requests::make(&server.keys, Algorithm::Hs256, 200);
    runtime.block_on(client.run(&warm, 8));

    let (cpu, run) = under_load(runtime, &server, &client, Algorithm::Hs256, count, 64);
    figures.cpu_hs.push(cpu);
    figures.rate_64.push(run.rate());
    figures.p99_64.push(run.percentile(99.0));
    let (cpu, _) = under_load(runtime, &server, &client, Algorithm::Es256, count, 64);
    figures.cpu_es.push(cpu);
    let (_, run) = under_load(runtime, &server, &client, Algorithm::Hs256, count, 8);
    figures.rate_8.push(run.rate());
    let (_, run) = under_load(runtime, &server, &client, Algorithm::Hs256, count / 4, 1);
    figures.p50_1.push(run.percentile(50.0));
    figures.p99_1.push(run.percentile(99.0));

    let before = server.cpu();
    let connections = count / 6;
    runtime.block_on(client.connect(connections));
    figures.cpu_connection.push(micros(server.cpu() - before) / connections as f64);
    figures.memory_peak.push(server.memory_peak() as f64 / 1024.0);

    // What a large store costs.
    let mut stored = 200 + 3 * count + count / 4;
    while stored < arguments.stored {
        let batch = (arguments.stored - stored).min(20_000);
        runtime.block_on(client.run(&Requests::make(&server.keys, Algorithm::Hs256, batch), 64));
        stored += batch;
    }
    let (cpu, _) = under_load(runtime, &server, &client, Algorithm::Hs256, count, 64);
    stored += count;
    figures.stored = stored;
    figures.cpu_stored.push(cpu);
    figures.memory_stored.push(server.memory() as f64 / 1024.0);
    drop(client);
    server.stop();
    figures.storage.push(server.storage() as f64 / stored as f64);
    server.start_again();
    figures.start_stored.push(server.started_in.as_secs_f64() * 1e3);
    server.stop();
}

/// Microseconds of the server's CPU time for each certificate, and how long each took.
fn under_load(
    runtime: &tokio::runtime::Runtime,
    server: &Server,
    client: &Client,
    algorithm: Algorithm,
    count: usize,
    connections: usize,
) -> (f64, Run) {
    let requests = Requests::make(&server.keys, algorithm, count);
    let before = server.cpu();
    let run = runtime.block_on(client.run(&requests, connections));
    let cpu = micros(server.cpu() - before) / count as f64;
    run.check(&requests);
    (cpu, run)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
