//! `stepless token`: a one-time token, for `curl` and other clients.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::sign;
use crate::cli::target::Credentials;
use crate::cli::target::Order;
use crate::cli::target::Target;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    order: Order,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    credentials: Credentials,
    /// Bind the token to this certification request, in PEM; grant certificates need it
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let fingerprint = match &args.csr {
        Some(path) => Some(sign::read_request(path)?.fingerprint()),
        None => None,
    };
    let token = super::block_on(args.credentials.token(&args.target, &args.order, fingerprint))??;
    super::print(&format!("{}\n", token.as_str()));
    Ok(())
}
