//! `stepless roots`: the root certificates that the authority names.

use std::path::PathBuf;

use crate::cli::certificate;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::target::Fingerprint;
use crate::cli::target::Target;
use crate::client;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write them, in PEM [default: standard output]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Trust the root with this SHA-256 fingerprint instead of a file
    #[arg(long, value_name = "SHA256", conflicts_with = "root")]
    fingerprint: Option<Fingerprint>,
    /// Overwrite the file
    #[arg(long, short)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(file) = &args.file {
        certificate::refuse_existing(&[file], args.force)?;
    }
    let roots = super::block_on(async {
        let client = match &args.fingerprint {
            Some(fingerprint) => args.target.open_by_fingerprint(fingerprint).await?,
            None => args.target.open()?.client,
        };
        Ok::<_, Failure>(client.roots().await?)
    })??;
    let text = roots.iter().map(|root| normal(root)).collect::<Result<String, Failure>>()?;
    match &args.file {
        Some(file) => directory::replace(file, text.as_bytes(), Access::Private),
        None => {
            super::print(&text);
            Ok(())
        }
    }
}

/// One certificate, and nothing of what else the answer may hold.
fn normal(root: &str) -> Result<String, Failure> {
    let block = pem::Blocks::new(root.as_bytes()).next();
    let certificate = block.map(|block| Certificate::parse(&block.content));
    let reason = match certificate {
        Some(Ok(certificate)) => return Ok(certificate.to_pem()),
        Some(Err(error)) => error.to_string(),
        None => "no PEM block".to_owned(),
    };
    Err(client::Error::Answer { path: "/1.0/roots".to_owned(), reason }.into())
}
