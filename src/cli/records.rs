//! The store of `serve`: opening it, what becomes of the records of step-ca, and starting afresh.
//!
//! stepless keeps a file of its own, or tables of its own in a PostgreSQL database, and reads none of step-ca's. Used
//! tokens of step-ca are refused all the same, since they are older than the start; its revocations are not known.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::cli::block_on;
use crate::cli::database;
use crate::cli::directory;
use crate::cli::failure::Failure;
use crate::config::CaJson;
use crate::config::Database;
use crate::store;
use crate::store::Error;
use crate::store::MemoryStore;
use crate::store::PostgresAddress;
use crate::store::PostgresStore;
use crate::store::RegisteredStore;
use crate::store::SqliteStore;
use crate::store::Store;
use crate::store::StoreFuture;
use crate::store::TokenRegister;

/// The store, and what the operator has to know about it.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// Where records are kept.
    pub(super) place: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Ends when the store is open and can be relied on; until then requests wait.
    pub(super) ready: StoreFuture<'static, ()>,
}

/// What the operator asks for, for once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    /// Begin a new file; the old one is moved aside.
    pub(super) forget: bool,
    /// Take the clock for right although later times are on record.
    pub(super) accept_clock: bool,
}

/// Opens the store, and the register before it if there is to be one.
pub(super) fn open(
    ca: &CaJson,
    config: &Path,
    wishes: Wishes,
    now: OffsetDateTime,
) -> Result<Opened, Failure> {
    let mut opened = open_store(ca, config, wishes, now)?;
    if let Some(address) = database::register_address(ca)? {
        let register = TokenRegister::open(&address).map_err(|error| database::store_failure(&error))?;
        opened.store = Arc::new(RegisteredStore::new(opened.store, register));
    }
    Ok(opened)
}

/// Opens the store that the `db` of `config` stands for.
fn open_store(ca: &CaJson, config: &Path, wishes: Wishes, now: OffsetDateTime) -> Result<Opened, Failure> {
    let Wishes { forget, accept_clock } = wishes;
    let Some(database) = &ca.database else {
        let meant_for_records = [(forget, "--forget-database"), (accept_clock, "--accept-clock")];
        if let Some((_, option)) = meant_for_records.into_iter().find(|(given, _)| *given) {
            return Err(Failure::usage(
                format!("{option} is about records, and ca.json has no db"),
                "leave the option out",
            ));
        }
        let warning = "no database is configured: used tokens and certificates are forgotten at exit";
        return Ok(Opened {
            store: Arc::new(MemoryStore::new()),
            place: None,
            warnings: vec![warning.to_owned()],
            ready: Box::pin(async { Ok(()) }),
        });
    };
    if let Some(address) = database::server_address(database)? {
        return open_shared(ca, &address, wishes, now);
    }
    let path = database::store_path(database, config);
    let mut warnings = Vec::new();
    if let Some(records) = records_of_step_ca(database) {
        // A file of our own shows that this was decided at an earlier start.
        if !forget && !path.exists() {
            refuse_to_forget(ca, database, &records, &path)?;
        }
        warnings.extend(left_behind(ca, &records));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        directory::create_folder(folder)?;
    }
    if forget
        && let Some(aside) = SqliteStore::set_aside(&path).map_err(|error| database::store_failure(&error))?
    {
        warnings.push(format!("the records of before are forgotten; they lie in {}", aside.display()));
    }
    if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
        warnings.push(format!("{} is empty: if it was not before, bring a backup back", path.display()));
    }
    let failed = |error| database::store_failure(&error);
    let place = Some(path.display().to_string());
    let now = now.unix_timestamp();
    if !accept_clock {
        let (store, opened) = SqliteStore::open_ahead(&path).map_err(failed)?;
        let store = Arc::new(store);
        let opened_store = Arc::clone(&store);
        let ready = Box::pin(async move {
            opened.await?;
            opened_store.check_clock(now)
        });
        return Ok(Opened { store, place, warnings, ready });
    }
    let store = SqliteStore::open(&path).map_err(failed)?;
    match store.check_clock(now) {
        Err(behind @ Error::ClockBehind { .. }) => {
            block_on(store.accept_clock(now))?.map_err(failed)?;
            warnings.push(format!(
                "the clock is taken for right, and tokens made before the next minute are refused; {behind}"
            ));
        }
        other => other.map_err(failed)?,
    }
    Ok(Opened { store: Arc::new(store), place, warnings, ready: Box::pin(async { Ok(()) }) })
}

/// Opens the store on a server, which other processes may have open too.
fn open_shared(
    ca: &CaJson,
    address: &PostgresAddress,
    wishes: Wishes,
    now: OffsetDateTime,
) -> Result<Opened, Failure> {
    let Wishes { forget, accept_clock } = wishes;
    if accept_clock {
        return Err(Failure::usage(
            format!("--accept-clock is about records in a file, and those in {address} are shared"),
            "leave the option out; what to do where a clock was ahead is in docs/scaling.md, Clocks",
        ));
    }
    let failed = |error: store::Error| database::store_failure(&error);
    let residents = PostgresStore::residents(address).map_err(failed)?;
    if forget && residents.stepless {
        return Err(Failure::usage(
            format!("--forget-database does not touch records that others may share, those in {address}"),
            "to begin anew, stop every process and say: ALTER SCHEMA stepless RENAME TO stepless_forgotten",
        ));
    }
    let mut warnings = Vec::new();
    if residents.step_ca {
        let records = format!("step-ca's records in {address}");
        // Tables of our own show that this was decided at an earlier start.
        if ca.crl.is_some() && !forget && !residents.stepless {
            return Err(Failure::start(
                format!("{records} are not read: the revocation list would lack what was revoked there"),
                "to go on without them, start once with --forget-database: step-ca's tables stay as they are",
            ));
        }
        warnings.extend(left_behind(ca, &records));
    }
    let store = PostgresStore::open(address).map_err(failed)?;
    // Whatever else is wrong with the server may pass while it serves.
    if let Err(behind @ Error::ClockBehindServer { .. }) = block_on(store.health(now.unix_timestamp()))? {
        return Err(failed(behind));
    }
    let place = Some(address.to_string());
    Ok(Opened { store: Arc::new(store), place, warnings, ready: Box::pin(async { Ok(()) }) })
}

/// What follows from records of step-ca that are not read.
fn left_behind(ca: &CaJson, records: &str) -> Vec<String> {
    let mut warnings = vec![format!("{records} are not read: what was revoked there is not revoked here")];
    if ca.disable_issued_at_check {
        warnings.push(format!("{records} are not read: tokens used there can be used again here"));
    }
    warnings
}

/// Where leaving step-ca's records behind needs an operator's word: a list of what is revoked would be wrong, and
/// records on a server may be in use by others.
fn refuse_to_forget(ca: &CaJson, database: &Database, records: &str, path: &Path) -> Result<(), Failure> {
    let (crl, server) = (ca.crl.is_some(), database::is_server(database));
    if !crl && !server {
        return Ok(());
    }
    let message = if server {
        format!("a db of type {} is not offered, and {records} would be forgotten", database.kind)
    } else {
        format!("{records} are not read: the revocation list would lack what was revoked there")
    };
    Err(Failure::start(
        message,
        format!(
            "to go on without them, start once with --forget-database: records are kept in {}",
            path.display()
        ),
    ))
}

/// What step-ca may have recorded in this database, in words; `None` if it has not run yet.
fn records_of_step_ca(database: &Database) -> Option<String> {
    let source = Path::new(&database.data_source);
    let there = match database.kind.to_ascii_lowercase().as_str() {
        "sqlite" => false,
        "bbolt" => std::fs::metadata(source).is_ok_and(|file| file.is_file() && file.len() > 0),
        // Badger writes it when it opens a folder for the first time.
        "badger" | "badgerv1" | "badgerv2" => source.join("MANIFEST").exists(),
        _ => return Some("step-ca's records on that server".to_owned()),
    };
    there.then(|| format!("step-ca's records in {}", source.display()))
}
