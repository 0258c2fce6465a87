//! The `stepless` command: the sole user of arguments, environment and terminal.
//!
//! One file a command. Every failure is one sentence, then `hint:` with the next thing to do.

mod access;
mod audit;
mod backup;
mod bootstrap;
mod ca_json;
mod certificate;
mod claim;
mod completions;
mod context;
mod database;
mod describe;
mod dev;
mod directory;
mod doctor;
mod ephemeral;
mod failure;
mod health;
mod init;
mod inspect;
mod intermediate;
mod key_password;
mod limits;
mod list;
mod log;
mod log_line;
mod memory;
mod notify;
mod password;
mod pidfile;
mod process;
mod provisioner;
mod provisioner_add;
mod provisioner_key;
mod reader;
mod records;
mod reload;
mod renew;
mod revoke;
mod roots;
mod rows;
mod schedule;
mod serve;
mod sign;
mod signals;
mod target;
mod template;
mod template_report;
mod token;
mod unattended;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use failure::Failure;
use failure::NO_RANDOMNESS;

/// A certificate authority that speaks step-ca's X.509 contract, and the tools around it.
#[derive(Debug, Parser)]
#[command(
    name = "stepless",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 command line or configuration cannot be read; 2 cannot start or \
                  carry on; 3 the authority refused; 4 the authority cannot be reached or is not trusted; \
                  5 the authority's answer is not what was asked for."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new authority: root, intermediate and provisioners in a step-ca directory
    Init(init::Args),
    /// Serve an authority over HTTPS
    Serve(serve::Args),
    /// Trust an authority by its root's fingerprint, here and in the step command
    Bootstrap(bootstrap::Args),
    /// Tell whether the authority works
    Health(health::Args),
    /// Fetch the authority's root certificates
    Roots(roots::Args),
    /// Make a one-time token
    Token(token::Args),
    /// Get a certificate: make a key and a request, get it signed, check the answer, write the files
    Certificate(certificate::Args),
    /// Get your own certification request signed
    Sign(sign::Args),
    /// Renew a certificate: same key, same names, a new validity
    Renew(renew::RenewArgs),
    /// Renew a certificate for a new key
    Rekey(renew::RekeyArgs),
    /// Revoke a certificate: it will not be renewed, and the revocation list names it
    Revoke(revoke::Args),
    /// List provisioners, and add, remove and rotate those of a ca.json
    Provisioner(provisioner::Args),
    /// Give an authority a new issuing key and certificate, also below a root that is kept offline
    Intermediate(intermediate::Args),
    /// Show what a certificate, a certification request or a token says
    Inspect(inspect::Args),
    /// Try out a certificate template
    Template(template::Args),
    /// Look an authority over: files, keys, certificates, records, clock, port, TLS and a signing
    Doctor(doctor::Args),
    /// List the certificates on record, or the refusals
    List(list::Args),
    /// Check or export the audit log, also while the authority runs
    Audit(audit::Args),
    /// Copy the records of an authority into a file, also while it runs
    Backup(backup::BackupArgs),
    /// Bring a backup back, without forgetting what was recorded after it
    Restore(backup::RestoreArgs),
    /// Look after the records of an authority
    Store(backup::StoreArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the manual pages
    Man(completions::ManArgs),
    /// Print the version
    Version(version::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = as_step_ca(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            use clap::error::ErrorKind;
            // Help is printed as it is; without a command it is what the user needs, but not what was asked for.
            let asked = !error.use_stderr();
            if asked || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                let _ = error.print();
                return if asked { ExitCode::SUCCESS } else { ExitCode::from(1) };
            }
            let failure = Failure::from(error);
            failure.print();
            return failure.exit_code();
        }
    };
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Bootstrap(args) => bootstrap::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Roots(args) => roots::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Certificate(args) => certificate::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Renew(args) => renew::renew(&args),
        Command::Rekey(args) => renew::rekey(&args),
        Command::Revoke(args) => revoke::run(&args),
        Command::Provisioner(args) => provisioner::run(&args),
        Command::Intermediate(args) => intermediate::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Template(args) => template::run(&args),
        Command::Doctor(args) => match doctor::run(&args) {
            Ok(code) => return ExitCode::from(code),
            Err(failure) => Err(failure),
        },
        Command::List(args) => list::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Store(args) => backup::store(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Version(args) => version::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

/// Lets `stepless CONFIG --password-file F` stand for `stepless serve CONFIG --password-file F`, as
/// step-ca is called.
fn as_step_ca(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const STEP_CA_FLAGS: [&str; 5] = ["--password-file", "--quiet", "--pidfile", "--context", "--resolver"];
    let first = arguments.get(1).and_then(|first| first.to_str()).unwrap_or_default().to_owned();
    let flag = STEP_CA_FLAGS.iter().any(|f| first == *f || first.starts_with(&format!("{f}=")));
    let config = first.ends_with(".json") && !first.starts_with('-');
    if flag || config {
        arguments.insert(1, "serve".into());
    }
    arguments
}

/// Writes to standard output, and lets a reader that has gone away end the command quietly.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes to standard error.
fn eprint(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Runs a future to its end on this thread.
fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::start(format!("cannot start: {error}"), NO_RANDOMNESS))?;
    Ok(runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn step_cas_way_of_calling_works() {
        let check = |line: &str, expected: &str| {
            let given = line.split(' ').map(OsString::from).collect();
            let got: Vec<String> =
                as_step_ca(given).into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
            assert_eq!(got.join(" "), expected);
        };
        check("stepless ca.json --password-file f", "stepless serve ca.json --password-file f");
        check("stepless --password-file f ca.json", "stepless serve --password-file f ca.json");
        check("stepless --pidfile=p ca.json", "stepless serve --pidfile=p ca.json");
        check("stepless --context c", "stepless serve --context c");
        check("stepless serve ca.json", "stepless serve ca.json");
        check("stepless --help", "stepless --help");
    }
}
