//! The store of `serve`: opening it, what becomes of the records of step-ca, and starting afresh.
//!
//! stepless keeps a file of its own and reads none of step-ca's. Used tokens of step-ca are refused all the same,
//! since they are older than the start; its revocations are not known.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::database;
use crate::cli::directory;
use crate::cli::failure::Failure;
use crate::config::CaJson;
use crate::config::Database;
use crate::store::MemoryStore;
use crate::store::SqliteStore;
use crate::store::Store;

/// The store, and what the operator has to know about it.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    /// Where records are kept.
    pub(super) place: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// Opens the store that the `db` of `config` stands for; with `forget` a new one, the old file is moved aside.
pub(super) fn open(ca: &CaJson, config: &Path, forget: bool) -> Result<Opened, Failure> {
    let Some(database) = &ca.database else {
        if forget {
            return Err(Failure::usage(
                "--forget-database has nothing to forget: ca.json has no db",
                "leave the option out",
            ));
        }
        let warning = "no database is configured: used tokens and certificates are forgotten at exit";
        return Ok(Opened {
            store: Arc::new(MemoryStore::new()),
            place: None,
            warnings: vec![warning.to_owned()],
        });
    };
    let path = database::store_path(database, config);
    let mut warnings = Vec::new();
    if let Some(records) = records_of_step_ca(database) {
        // A file of our own shows that this was decided at an earlier start.
        if !forget && !path.exists() {
            refuse_to_forget(ca, database, &records, &path)?;
        }
        warnings.push(format!("{records} are not read: what was revoked there is not revoked here"));
        if ca.disable_issued_at_check {
            warnings.push(format!("{records} are not read: tokens used there can be used again here"));
        }
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        directory::create_folder(folder)?;
    }
    if forget
        && let Some(aside) = SqliteStore::set_aside(&path).map_err(|error| database::store_failure(&error))?
    {
        warnings.push(format!("the records of before are forgotten; they lie in {}", aside.display()));
    }
    let store = SqliteStore::open(&path).map_err(|error| database::store_failure(&error))?;
    Ok(Opened { store: Arc::new(store), place: Some(path), warnings })
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
