//! `stepless backup`, `restore` and `store`: the records of an authority as a file.

use std::path::Path;
use std::path::PathBuf;

use crate::cli::database;
use crate::cli::database::Place;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::store;
use crate::store::SqliteReader;
use crate::store::SqliteStore;

#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The file to write; one that exists is never overwritten
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// A file that `backup` wrote
    backup: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read all records and look for damage; the authority may run
    Check(Place),
    /// Give the space of deleted records back to the disk; the authority must not run
    Compact(Place),
}

/// Copies the records, also while the authority runs.
pub(super) fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let path = args.place.path()?;
    let reader = open(&path)?;
    reader.back_up(&args.out).map_err(|error| database::store_failure(&error))?;
    let counts = SqliteReader::open(&args.out).and_then(|copy| copy.counts());
    let counts = counts.map_err(|error| database::store_failure(&error))?;
    super::print(&format!(
        "{} holds {} certificates of {}\n",
        args.out.display(),
        counts.certificates,
        path.display()
    ));
    Ok(())
}

/// Brings a backup back.
pub(super) fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let path = args.place.path()?;
    let now = SystemClock.now().unix_timestamp();
    let restored = store::restore(&path, &args.backup, now).map_err(|error| match &error {
        store::Error::InUse { .. } => {
            Failure::start(error.to_string(), "stop the authority, restore, and start it again")
        }
        _ => database::store_failure(&error),
    })?;
    let mut text = format!(
        "{} certificates and {} revocations came back into {}\n",
        restored.certificates,
        restored.revocations,
        path.display()
    );
    if !restored.merged {
        text.push_str(
            "There was nothing to merge them with: what was recorded after the backup is lost. CRL numbers go on \
             4294967296 higher, and tokens made before the next minute are refused.\n",
        );
    }
    if let Some(damaged) = restored.damaged {
        text.push_str(&format!("The damaged file is now {}\n", damaged.display()));
    }
    super::print(&text);
    Ok(())
}

/// Checks or compacts the records.
pub(super) fn store(args: &StoreArgs) -> Result<(), Failure> {
    match &args.action {
        Action::Check(place) => {
            let path = place.path()?;
            let reader = open(&path)?;
            let counts = reader.check().and_then(|()| reader.counts());
            let counts = counts.map_err(|error| database::store_failure(&error))?;
            super::print(&format!(
                "{} is whole: {} certificates, {} spent tokens\n",
                path.display(),
                counts.certificates,
                counts.spent_tokens
            ));
        }
        Action::Compact(place) => {
            let path = place.path()?;
            let (before, after) = SqliteStore::compact(&path).map_err(|error| match &error {
                store::Error::InUse { .. } => {
                    Failure::start(error.to_string(), "stop the authority, compact, and start it again")
                }
                _ => database::store_failure(&error),
            })?;
            super::print(&format!("{}: {before} bytes, now {after}\n", path.display()));
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<SqliteReader, Failure> {
    SqliteReader::open(path).map_err(|error| database::store_failure(&error))
}
