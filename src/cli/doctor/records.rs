//! Whether the records can be read and written, and whether the clock has gone back since.

use std::time::Instant;

use crate::cli::database;
use crate::cli::doctor::report::Report;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::CaJson;
use crate::config::Database;
use crate::store;
use crate::store::CLOCK_TOLERANCE;
use crate::store::Filter;
use crate::store::PostgresAddress;
use crate::store::PostgresStore;
use crate::store::SqliteReader;
use crate::store::SqliteStore;
use crate::store::Store as _;
use crate::store::TokenRegister;

/// What to do about a clock that is behind its records.
const IN_A_FILE: &str =
    "set the clock; if it is right, start once with --accept-clock: see docs/operations.md, The clock";
const ON_A_SERVER: &str = "set the clock; if it is right, see docs/scaling.md, Clocks";

pub(super) fn store(report: &mut Report, database: Option<&Database>, config: &std::path::Path) {
    let Some(database) = database else {
        report.warn(
            "store",
            "memory",
            "no database is configured: used tokens and certificates are forgotten at exit",
            "set `db` in ca.json",
        );
        return;
    };
    match database::server_address(database) {
        Ok(None) => {}
        Ok(Some(address)) => return on_server(report, &address),
        Err(failure) => {
            report.fail("store", "dataSource", failure.message(), "see docs/scaling.md, PostgreSQL");
            return;
        }
    }
    let path = database::store_path(database, config);
    let target = path.display().to_string();
    if !path.exists() {
        // Opening it would make it, and a doctor changes nothing.
        report.good("store", &target, "is made at first start");
        return clock(report, None, IN_A_FILE);
    }
    let begun = Instant::now();
    let hint = "see docs/operations.md, Records and Backup";
    let result = match SqliteStore::open(&path) {
        // The clock is a matter of its own.
        Ok(open) => super::super::block_on(open.health(i64::MAX))
            .map_err(|_| ("cannot start a runtime".to_owned(), hint))
            .and_then(|health| health.map_err(|error| (error.to_string(), hint))),
        // An authority has it open, and writes.
        Err(store::Error::InUse { .. }) => Ok(()),
        Err(error) => Err((error.to_string(), hint)),
    };
    let result = result.and_then(|()| latest(&path).map_err(|error| (error.to_string(), hint)));
    if let Some(latest) = report.done("store", &target, begun, result) {
        clock(report, Some(latest), IN_A_FILE);
    }
}

/// The latest time on record.
fn latest(path: &std::path::Path) -> Result<i64, store::Error> {
    SqliteReader::open(path)?.latest()
}

/// Reaches the server as `serve` would, and makes nothing there.
fn on_server(report: &mut Report, address: &PostgresAddress) {
    let target = address.to_string();
    let begun = Instant::now();
    let looked = PostgresStore::residents(address).and_then(|residents| {
        let mut newest = None;
        if residents.stepless {
            PostgresStore::read(address, &Filter::default(), &mut |listed| {
                newest = listed.certificate.map(|certificate| certificate.issued_at);
                false
            })?;
        }
        Ok(newest)
    });
    let looked = looked.map_err(|error| (error.to_string(), error.hint()));
    if let Some(newest) = report.done("store", &target, begun, looked) {
        clock(report, newest, ON_A_SERVER);
    }
}

/// Whether the register of spent tokens answers, if there is to be one.
pub(super) fn register(report: &mut Report, ca: &CaJson) {
    match database::register_address(ca) {
        Ok(None) => {}
        Ok(Some(address)) => {
            report.run("register", &address.to_string(), || {
                TokenRegister::open(&address).map(drop).map_err(|error| (error.to_string(), error.hint()))
            });
        }
        Err(failure) => {
            let hint = "write it as rediss://USER:PASSWORD@HOST:PORT/DATABASE";
            report.fail("register", "authority.tokenRegister", failure.message(), hint);
        }
    }
}

fn clock(report: &mut Report, latest: Option<i64>, hint: &str) {
    let now = SystemClock.now();
    let target = crate::duration::format_rfc3339(now);
    match latest {
        Some(latest) if latest > now.unix_timestamp().saturating_add(CLOCK_TOLERANCE) => report.fail(
            "clock",
            &target,
            &format!("something is recorded {} s later than now", latest - now.unix_timestamp()),
            hint,
        ),
        _ => report.good("clock", &target, "not before the latest record"),
    }
}
