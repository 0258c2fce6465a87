//! Replays the recorded exchanges with step-ca against the router, in process and with a settable clock.
//!
//! `cargo test --test contract`. The folder that holds `exchanges/` and `fixtures/` is `tests/contract`, or
//! that of `STEPLESS_CONTRACT_DIR`. Prints one line per failure and `N passed, N failed, N skipped`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reads its environment, prints, and fails by panicking"
)]

mod contract_support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use contract_support::Exchange;
use contract_support::Replica;
use contract_support::compare;

/// Areas that stepless does not serve yet, with the reason.
const SKIPPED_AREAS: [(&str, &str); 0] = [];

fn main() -> ExitCode {
    let folder = std::env::var_os("STEPLESS_CONTRACT_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contract"), PathBuf::from);
    let filter: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut exchanges = Exchange::read_all(&folder);
    // A fixture's exchanges go to one authority in the order of their recording.
    exchanges.sort_by(|a, b| (&a.now, &a.name).cmp(&(&b.now, &b.name)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut replicas: BTreeMap<(String, bool), Replica> = BTreeMap::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, BTreeMap::<&str, usize>::new());
    let mut seen = BTreeSet::new();
    for exchange in &exchanges {
        if !filter.is_empty() && !filter.iter().any(|f| exchange.name.contains(f.as_str())) {
            continue;
        }
        if let Some((area, _)) = SKIPPED_AREAS.iter().find(|(area, _)| *area == exchange.area()) {
            *skipped.entry(area).or_default() += 1;
            continue;
        }
        seen.insert(exchange.area().to_owned());
        let claim_extensions = exchange.wants_claim_extensions();
        let key = (exchange.fixture.clone(), claim_extensions);
        let replica = replicas.entry(key).or_insert_with(|| {
            runtime.block_on(Replica::start(&folder, &exchange.fixture, claim_extensions))
        });
        let answer = runtime.block_on(replica.send(exchange));
        match compare(exchange, answer.as_ref()) {
            Ok(()) => passed += 1,
            Err(difference) => {
                failed += 1;
                println!("FAILED {}: {difference}", exchange.name);
            }
        }
    }
    for (area, count) in &skipped {
        let reason = SKIPPED_AREAS.iter().find(|(name, _)| name == area).map_or("", |(_, reason)| reason);
        println!("skipped {count} of area {area}: {reason}");
    }
    if exchanges.is_empty() {
        println!("FAILED: no exchanges below {}", folder.display());
        failed += 1;
    }
    println!("{passed} passed, {failed} failed, {} skipped", skipped.values().sum::<usize>());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
