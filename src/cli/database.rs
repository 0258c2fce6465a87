//! Where an authority's records lie, and opening them.

use std::path::Path;
use std::path::PathBuf;

use crate::cli::failure;
use crate::cli::failure::Failure;
use crate::cli::init;
use crate::cli::password;
use crate::cli::reader::Reader;
use crate::config;
use crate::config::CaJson;
use crate::config::Database;
use crate::store;
use crate::store::PostgresAddress;
use crate::store::RegisterAddress;
use crate::store::SqliteReader;

/// Which authority's records.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The authority's ca.json [default: $STEPPATH/config/ca.json]
    #[arg(long, value_name = "FILE", conflicts_with = "db")]
    config: Option<PathBuf>,
    /// The file of the records itself, in place of ca.json
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

/// Where an authority's records are.
#[derive(Debug)]
enum Records {
    /// In a file.
    File(PathBuf),
    /// On a server.
    Server(Box<PostgresAddress>),
}

impl Place {
    /// The file of the records, for what is done to files alone.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        match self.records()? {
            Records::File(path) => Ok(path),
            Records::Server(address) => Err(Failure::usage(
                format!("the records are on a server, {address}, and in no file"),
                "use the server's own tools: pg_dump --schema=stepless, pg_restore, VACUUM",
            )),
        }
    }

    /// Where the records are.
    fn records(&self) -> Result<Records, Failure> {
        if let Some(path) = &self.db {
            return Ok(Records::File(path.clone()));
        }
        let path = match &self.config {
            Some(path) => path.clone(),
            None => init::step_path()?.join("config/ca.json"),
        };
        let bytes = std::fs::read(&path).map_err(|error| {
            Failure::usage(
                format!("cannot read {}: {}", path.display(), failure::reason(&error)),
                "give the authority's ca.json with --config, or the file of its records with --db",
            )
        })?;
        let database = config::parse(&bytes)?.database.ok_or_else(|| {
            Failure::usage(
                format!("{} has no member db, so there are no records", path.display()),
                "an authority without db keeps its records in memory, and only as long as it runs",
            )
        })?;
        match server_address(&database)? {
            Some(address) => Ok(Records::Server(Box::new(address))),
            None => Ok(Records::File(store_path(&database, &path))),
        }
    }

    /// The records, to be read beside whoever writes them.
    pub(super) fn reader(&self) -> Result<Reader, Failure> {
        match self.records()? {
            Records::File(path) => match SqliteReader::open(&path) {
                Ok(reader) => Ok(Reader::File(reader, path)),
                Err(error) => Err(store_failure(&error)),
            },
            Records::Server(address) => Ok(Reader::Server(address)),
        }
    }
}

/// The address of a database on a server that stepless uses; `None` if it keeps a file.
pub(super) fn server_address(database: &Database) -> Result<Option<PostgresAddress>, Failure> {
    if !database.kind.eq_ignore_ascii_case("postgresql") {
        return Ok(None);
    }
    let password = password::of_database()?;
    let password = password.as_ref().map(|password| password.as_str());
    PostgresAddress::parse(&database.data_source, database.name.as_deref(), password)
        .map(Some)
        .map_err(|error| store_failure(&error))
}

/// The address of the register of spent tokens, if there is to be one.
pub(super) fn register_address(ca: &CaJson) -> Result<Option<RegisterAddress>, Failure> {
    let Some(url) = &ca.token_register else { return Ok(None) };
    let password = password::of_register()?;
    let password = password.as_ref().map(|password| password.as_str());
    RegisterAddress::parse(url.expose(), password)
        .map(Some)
        .map_err(|error| Failure::start(error.to_string(), "correct authority.tokenRegister in ca.json"))
}

/// Where stepless keeps its records: beside step-ca's, which it neither reads nor changes.
pub(super) fn store_path(database: &Database, config: &Path) -> PathBuf {
    let source = Path::new(&database.data_source);
    match database.kind.to_ascii_lowercase().as_str() {
        "sqlite" if source.extension().is_some() => source.to_owned(),
        "bbolt" => {
            let name = source.file_name().unwrap_or_default().to_string_lossy();
            source.with_file_name(format!("{name}.stepless.db"))
        }
        // The source is an address: the folder is the one that `step ca init` makes.
        _ if is_server(database) => {
            let folder = config.parent().unwrap_or(Path::new(""));
            let folder =
                if folder.ends_with("config") { folder.with_file_name("db") } else { folder.join("db") };
            folder.join("stepless.db")
        }
        _ => source.join("stepless.db"),
    }
}

/// Whether `db` names a server of a kind that is not offered.
pub(super) fn is_server(database: &Database) -> bool {
    database.kind.eq_ignore_ascii_case("mysql")
}

/// A failure of the store, with its own hint.
pub(super) fn store_failure(error: &store::Error) -> Failure {
    Failure::start(error.to_string(), error.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, source: &str, config: &str, expected: &str) {
        let text = format!(
            r#"{{"root":"r","crt":"c","key":"k","address":":9000","db":{{"type":"{kind}","dataSource":"{source}"}}}}"#
        );
        let database = crate::config::parse(text.as_bytes()).unwrap().database.unwrap();
        assert_eq!(store_path(&database, Path::new(config)), Path::new(expected), "{kind} {source}");
        assert!(!format!("{database:?}").contains("hunter2"));
    }

    #[test]
    fn records_lie_beside_step_cas() {
        check("badgerv2", "/ca/db", "/ca/config/ca.json", "/ca/db/stepless.db");
        check("BadgerV1", "db", "ca.json", "db/stepless.db");
        check("bbolt", "/ca/records", "ca.json", "/ca/records.stepless.db");
        check("sqlite", "/ca/records.sqlite", "ca.json", "/ca/records.sqlite");
        check("sqlite", "/ca/db", "ca.json", "/ca/db/stepless.db");
        check("mysql", "ca:hunter2@tcp(host)/", "/ca/config/ca.json", "/ca/db/stepless.db");
        check("mysql", "", "config/ca.json", "db/stepless.db");
    }
}
