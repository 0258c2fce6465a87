//! `stepless sign`: a certificate for a certification request of your own.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::certificate;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::target::Credentials;
use crate::cli::target::Order;
use crate::cli::target::Target;
use crate::cli::target::Terms;
use crate::x509::csr::Csr;
use crate::x509::pem;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    order: Order,
    /// The certification request, in PEM
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// Where to write the certificate and its intermediates
    #[arg(long, value_name = "FILE")]
    crt: PathBuf,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    terms: Terms,
    /// Overwrite the certificate's file
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let csr = read_request(&args.csr)?;
    certificate::refuse_existing(&[&args.crt], args.force)?;
    let authority = args.target.open()?;
    let received = super::block_on(async {
        let token = args.credentials.token(&args.target, &args.order, Some(csr.fingerprint())).await?;
        args.terms.issue(&authority, &args.order, csr.der(), csr.public_key(), &token).await
    })??;
    directory::replace(&args.crt, received.chain_pem.as_bytes(), Access::Public)?;
    certificate::report(&received, &args.terms.oid_arc, &[("certificate", &args.crt)], args.json)
}

/// Reads a request whose own signature holds.
pub(super) fn read_request(path: &Path) -> Result<Csr, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let text = Zeroizing::new(text);
    let fault = |reason: String| {
        Failure::usage(
            format!("{} is no certification request: {reason}", path.display()),
            "make one with: openssl req -new -key KEY -subj /CN=NAME",
        )
    };
    let block = pem::Blocks::new(text.as_bytes()).next().ok_or_else(|| fault("no PEM block".to_owned()))?;
    Csr::parse(&block.content).and_then(|csr| csr.verify()).map_err(|error| fault(error.to_string()))
}
