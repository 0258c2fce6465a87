//! `stepless doctor`: looks an authority over, one line for each thing, and says what to do about the bad ones.

mod files;
mod records;
mod rehearsal;
mod report;

use std::path::PathBuf;

use crate::cli::doctor::report::Report;
use crate::cli::failure;
use crate::cli::failure::Failure;
use crate::cli::init;
use crate::cli::key_password::KeyPassword;
use crate::cli::password;
use crate::cli::serve;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::CaJson;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The ca.json to look at [default: $STEPPATH/config/ca.json]
    config: Option<PathBuf>,
    /// A file with the password of the intermediate key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The address to look at, in place of that in ca.json
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Ends with 0 if all is well, 1 if something should be seen to, 2 if something is broken.
pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let mut report = Report::new(args.json);
    examine(args, &mut report)?;
    Ok(report.finish())
}

fn examine(args: &Args, report: &mut Report) -> Result<(), Failure> {
    let path = match &args.config {
        Some(path) => path.clone(),
        None => init::step_path()?.join("config/ca.json"),
    };
    let target = path.display().to_string();
    let parsed = report.run("configuration", &target, || {
        let bytes = std::fs::read(&path).map_err(|error| {
            (failure::reason(&error), "give the path of a ca.json, or make an authority with: stepless init")
        })?;
        config::parse(&bytes).map_err(|error| (error.to_string(), error.hint()))
    });
    let Some(ca) = parsed else { return Ok(()) };
    files::modes(report, &path, &ca);
    files::provisioners(report, &ca);
    records::store(report, ca.database.as_ref(), &path);
    records::register(report, &ca);
    let Some(config) = load(args, report, ca)? else { return Ok(()) };
    for warning in &config.ca.warnings {
        report.warn("configuration", &target, warning, "see docs/divergences.md and docs/templates.md");
    }
    files::certificates(report, &config, SystemClock.now());
    files::templates(report, &config);
    rehearsal::signing(report, &config);
    let address = args.address.clone().unwrap_or_else(|| config.ca.address.clone());
    super::block_on(async {
        rehearsal::port(report, &config, &address).await;
        rehearsal::handshake(report, config).await;
    })
}

/// Certificates, key and templates, as `serve` loads them.
fn load(args: &Args, report: &mut Report, ca: CaJson) -> Result<Option<Config>, Failure> {
    let given = args.password_file.as_deref().map(password::from_file).transpose()?;
    let files = serve::files(None);
    let target = ca.key.clone();
    let password = match given {
        Some(password) => Ok(Some(password)),
        None => KeyPassword::default().find(&ca, &files),
    };
    let password = match password {
        Ok(password) => password,
        Err(failure) => {
            report.fail("key", &target, failure.message(), "give the password with --password-file");
            return Ok(None);
        }
    };
    let password = password.as_ref().map(|password| password.as_bytes());
    Ok(report.run("key", &target, || {
        Config::load(ca, &files, password, SystemClock.now())
            .map_err(|error| (error.to_string(), error.hint()))
    }))
}
