//! `stepless version`.

use crate::cli::failure::Failure;

/// The step-ca release whose contract is served.
const CONTRACT: &str = "0.30.2";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    super::print(&if args.json {
        format!("{}\n", serde_json::json!({ "version": version, "stepCa": CONTRACT }))
    } else {
        format!("stepless {version} (contract of step-ca {CONTRACT})\n")
    });
    Ok(())
}
