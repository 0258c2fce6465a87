//! `stepless health`: whether the authority works, for monitors.

use crate::cli::failure::Failure;
use crate::cli::target::Target;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.target.open()?.client;
    let look = "look into the authority's log";
    match super::block_on(client.health())? {
        Ok(health) if health.status == "ok" => {
            super::print("ok\n");
            Ok(())
        }
        Ok(health) => {
            Err(Failure::unreachable(format!("the authority says {:?} and not ok", health.status), look))
        }
        // A monitor asks one question: whichever way it does not work, the code is the same.
        Err(error) => Err(Failure::unreachable(error.to_string(), error.remediation())),
    }
}
