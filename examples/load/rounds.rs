//! What is measured of both servers, in rounds.

use crate::requests::Algorithm;
use crate::rig::Rig;
use crate::rig::micros;
use crate::server::Kind;
use crate::table::Table;
use crate::table::grouped;

/// All measurements of one server, from its start to its end: `count` certificates in each, and `stored` before the
/// last ones.
pub(crate) fn measure(rig: &mut Rig<'_>, kind: Kind, count: usize, stored: usize, table: &mut Table) {
    let start_empty = rig.start();
    let memory_idle = rig.memory();
    // Caches, allocations and connections of the first requests count for neither.
    rig.under_load(Algorithm::Hs256, 200, 8);

    let (cpu, run) = rig.under_load(Algorithm::Hs256, count, 64);
    table.less(kind, "CPU per certificate, HS256, 64 connections, µs", cpu);
    let (cpu, _) = rig.under_load(Algorithm::Es256, count, 64);
    table.less(kind, "CPU per certificate, ES256, 64 connections, µs", cpu);
    table.more(kind, "certificates/s, 64 connections", run.rate());
    let (_, few) = rig.under_load(Algorithm::Hs256, count, 8);
    table.more(kind, "certificates/s, 8 connections", few.rate());
    let (_, one) = rig.under_load(Algorithm::Hs256, count / 4, 1);
    table.less(kind, "latency, 1 connection, p50, ms", one.percentile(50.0));
    table.less(kind, "latency, 1 connection, p99, ms", one.percentile(99.0));
    table.less(kind, "latency, 64 connections, p99, ms", run.percentile(99.0));

    let before = rig.server.cpu();
    let connections = count / 6;
    rig.runtime.block_on(rig.client.connect(connections));
    let cpu = micros(rig.server.cpu() - before) / connections as f64;
    table.less(kind, "CPU per new TLS connection, µs", cpu);

    table.less(kind, "memory idle, MiB", memory_idle);
    table.less(kind, "memory peak, MiB", rig.server.memory_peak() as f64 / 1024.0);
    rig.fill(stored);
    let stored = grouped(rig.stored);
    table.less(kind, format!("memory after {stored} certificates, MiB"), rig.memory());
    let (cpu, _) = rig.under_load(Algorithm::Hs256, count, 64);
    table.less(kind, format!("CPU per certificate, {stored} stored, µs"), cpu);
    rig.server.stop();
    table.less(kind, "start to first answer, empty, ms", start_empty);
    table.less(kind, format!("start to first answer, {stored} certificates, ms"), rig.start());
    rig.server.stop();
    table.less(kind, "storage per certificate, bytes", rig.server.storage() as f64 / rig.stored as f64);
}
