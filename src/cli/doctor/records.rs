//! Whether the records can be read and written, and whether the clock has gone back since the last one.

use std::time::Instant;

use crate::cli::database;
use crate::cli::doctor::report::Report;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::Database;
use crate::store;
use crate::store::Filter;
use crate::store::SqliteReader;
use crate::store::SqliteStore;
use crate::store::Store as _;

/// Clocks may be off by this much, in seconds.
const LEEWAY: i64 = 60;

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
    let path = database::store_path(database, config);
    let target = path.display().to_string();
    if !path.exists() {
        // Opening it would make it, and a doctor changes nothing.
        report.good("store", &target, "is made at first start");
        return clock(report, None);
    }
    let begun = Instant::now();
    let hint = "see docs/operations.md, Records and Backup";
    let result = match SqliteStore::open(&path) {
        Ok(open) => super::super::block_on(open.health())
            .map_err(|_| ("cannot start a runtime".to_owned(), hint))
            .and_then(|health| health.map_err(|error| (error.to_string(), hint))),
        // An authority has it open, and writes.
        Err(store::Error::InUse { .. }) => Ok(()),
        Err(error) => Err((error.to_string(), hint)),
    };
    let result = result.and_then(|()| newest(&path).map_err(|error| (error.to_string(), hint)));
    if let Some(newest) = report.done("store", &target, begun, result) {
        clock(report, newest);
    }
}

/// When the newest certificate was issued.
fn newest(path: &std::path::Path) -> Result<Option<i64>, store::Error> {
    let mut newest = None;
    SqliteReader::open(path)?.list(&Filter::default(), &mut |listed| {
        newest = listed.certificate.map(|certificate| certificate.issued_at);
        false
    })?;
    Ok(newest)
}

fn clock(report: &mut Report, newest: Option<i64>) {
    let now = SystemClock.now();
    let target = crate::duration::format_rfc3339(now);
    match newest {
        Some(newest) if newest > now.unix_timestamp().saturating_add(LEEWAY) => report.fail(
            "clock",
            &target,
            &format!("the newest certificate was issued {} s later than now", newest - now.unix_timestamp()),
            "set the clock: tokens that have ended could pass again",
        ),
        _ => report.good("clock", &target, "not before the newest record"),
    }
}
