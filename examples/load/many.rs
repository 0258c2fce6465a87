//! What a store with many certificates costs stepless: memory, time to start, and CPU beside one with few.

use tokio::runtime::Runtime;

use crate::requests::Algorithm;
use crate::rig::Rig;
use crate::server::Kind;
use crate::server::Server;
use crate::table::Table;
use crate::table::grouped;

/// The store with few.
const FEW: usize = 1000;

/// Fills one server with `many`, and measures `rounds` times `count` certificates of it and, in turn, of a new one that
/// has a thousand.
pub(crate) fn measure(runtime: &Runtime, many: usize, rounds: usize, count: usize, table: &mut Table) {
    let mut full = Rig::new(runtime, Server::new(Kind::Stepless));
    full.start();
    let step = many.div_ceil(10).max(1);
    while full.stored < many {
        full.fill((full.stored + step).min(many));
        eprintln!("{} certificates, {:.1} MiB", grouped(full.stored), full.memory());
    }
    let (few, many) = (grouped(FEW), grouped(many));
    table.less(Kind::Stepless, format!("memory after {many} certificates, MiB"), full.memory());
    full.server.stop();
    let storage = full.server.storage() as f64 / full.stored as f64;
    table.less(Kind::Stepless, format!("storage per certificate, {many} stored, bytes"), storage);
    for _ in 0..rounds {
        let started = full.start();
        table.less(Kind::Stepless, format!("start to first answer, {many} certificates, ms"), started);
        let mut fresh = Rig::new(runtime, Server::new(Kind::Stepless));
        fresh.start();
        // Both have answered as many since they started.
        fresh.fill(FEW);
        full.under_load(Algorithm::Hs256, FEW, 64);
        let (at_few, _) = fresh.under_load(Algorithm::Hs256, count, 64);
        let (at_many, _) = full.under_load(Algorithm::Hs256, count, 64);
        full.server.stop();
        table.less(Kind::Stepless, format!("CPU per certificate, {few} stored, µs"), at_few);
        table.less(Kind::Stepless, format!("CPU per certificate, {many} stored, µs"), at_many);
        table.less(
            Kind::Stepless,
            format!("CPU per certificate, {many} stored to {few} stored"),
            at_many / at_few,
        );
    }
}
