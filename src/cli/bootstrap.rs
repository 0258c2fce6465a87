//! `stepless bootstrap`: trust in an authority by its root's fingerprint, left where `step` and we look for it.

use std::path::PathBuf;

use crate::cli::certificate;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::init;
use crate::cli::init::Layout;
use crate::cli::target;
use crate::cli::target::Fingerprint;
use crate::client;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The authority's URL
    #[arg(long, value_name = "URL")]
    ca_url: String,
    /// The SHA-256 fingerprint of its root certificate
    #[arg(long, value_name = "SHA256")]
    fingerprint: Fingerprint,
    /// The folder to write to [default: $STEPPATH, else ~/.step]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Overwrite what an earlier bootstrap left
    #[arg(long, short)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => init::step_path()?,
    };
    let layout = Layout::new(&folder)?;
    // Its root would be replaced, and clients of this very authority would not trust it any more.
    if layout.ca_json().exists() {
        return Err(Failure::start(
            format!("{} is the folder of an authority", layout.folder.display()),
            "choose another folder with --dir or STEPPATH",
        ));
    }
    let (root_file, defaults_file) = (layout.root_certificate(), layout.defaults_json());
    certificate::refuse_existing(&[&root_file, &defaults_file], args.force)?;
    let url = target::complete_url(&args.ca_url);
    let root = super::block_on(client::fetch_root(&url, &args.fingerprint.0))??;

    for file in [&root_file, &defaults_file] {
        directory::create_folder(file.parent().unwrap_or(&folder))?;
    }
    directory::replace(&root_file, root.to_pem().as_bytes(), Access::Private)?;
    let defaults = serde_json::json!({
        "ca-url": url,
        "fingerprint": init::fingerprint(&root),
        "root": root_file.to_string_lossy(),
    });
    let defaults = serde_json::to_string_pretty(&defaults).unwrap_or_default();
    directory::replace(&defaults_file, defaults.as_bytes(), Access::Public)?;
    super::print(&format!(
        "The root certificate has been saved in {}.\nThe authority configuration has been saved in {}.\n",
        root_file.display(),
        defaults_file.display()
    ));
    Ok(())
}
