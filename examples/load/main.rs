//! Puts load on stepless and on a real step-ca, in turn, and prints what each takes for a certificate.
//!
//! ```text
//! cargo build --release && cargo run --release --example load
//! ```
//!
//! Both serve the same directory, a copy of `tests/contract/fixtures/mosaic`: Go template, request log, durable
//! database. Requests are made beforehand, 10,000 at a time, each with a token and a name of its own, and every answer is
//! checked, both while nothing is measured. CPU time is the server process's own, from `/proc`. Without docker and the
//! reference image (`tests/reference/build.sh`) only stepless is measured.
//!
//! | option | |
//! | --- | --- |
//! | `--rounds N` | of all measurements (3) |
//! | `--requests N` | certificates in each measurement (6000) |
//! | `--stored N` | certificates before the last measurements of a round (100000) |
//! | `--many N` | and then certificates for stepless alone, measured beside a store of 1000 (none) |
//! | `--write FILE` | puts the table between the markers of a document |
//! | `--shared` | measures 1, 2 and 4 processes on one PostgreSQL server instead, which it starts for that |

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that goes wrong ends at once, and prints what it found"
)]

mod client;
mod many;
#[path = "../../tests/common/postgres.rs"]
#[expect(dead_code, reason = "tests ask more of it")]
mod postgres;
mod process;
mod requests;
mod rig;
mod rounds;
mod server;
mod shared;
mod table;
#[path = "../../tests/common/tools.rs"]
#[expect(dead_code, reason = "tests ask more of it")]
mod tools;

use std::path::PathBuf;

use crate::rig::Rig;
use crate::server::Kind;
use crate::server::Server;
use crate::table::Table;

struct Arguments {
    requests: usize,
    rounds: usize,
    stored: usize,
    many: Option<usize>,
    write: Option<PathBuf>,
    shared: bool,
}

impl Arguments {
    fn read() -> Self {
        let mut read =
            Self { requests: 6000, rounds: 3, stored: 100_000, many: None, write: None, shared: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
            let number = |value: String| value.parse().unwrap_or_else(|_| panic!("{value:?} is no number"));
            match name.as_str() {
                "--requests" => read.requests = number(value()),
                "--rounds" => read.rounds = number(value()),
                "--stored" => read.stored = number(value()),
                "--many" => read.many = Some(number(value())),
                "--write" => read.write = Some(value().into()),
                "--shared" => read.shared = true,
                _ => panic!("unknown argument {name}"),
            }
        }
        read
    }
}

fn main() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let table = match arguments.shared {
        true => shared::measure(&runtime, arguments.rounds, arguments.requests),
        false => compare(&runtime, &arguments),
    };
    println!("{table}");
    if let Some(path) = &arguments.write {
        table::write(path, &table);
    }
}

fn compare(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> String {
    let kinds = match server::reference_available() {
        Ok(()) => vec![Kind::Stepless, Kind::StepCa],
        Err(reason) => {
            eprintln!("*** only stepless is measured: {reason}");
            vec![Kind::Stepless]
        }
    };
    let (count, mut table) = (arguments.requests, Table::default());
    for round in 1..=arguments.rounds {
        for kind in &kinds {
            eprintln!("round {round} of {}: {kind:?}", arguments.rounds);
            let mut rig = Rig::new(runtime, Server::new(*kind));
            rounds::measure(&mut rig, *kind, count, arguments.stored, &mut table);
        }
    }
    if let Some(many) = arguments.many {
        many::measure(runtime, many, arguments.rounds, count, &mut table);
    }
    table.markdown()
}
