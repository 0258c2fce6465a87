//! `stepless provisioner`: lists the provisioners of an authority, and edits those of a ca.json.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use crate::cli::ca_json;
use crate::cli::ca_json::Edit;
use crate::cli::failure::Failure;
use crate::cli::provisioner_add;
use crate::cli::provisioner_add::AddArgs;
use crate::cli::provisioner_key::KeyArgs;
use crate::cli::provisioner_key::Made;
use crate::cli::target::Target;
use crate::config;
use crate::config::edit::Provisioners;
use crate::provisioner::Provisioner;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List provisioners as JSON, without secrets
    List(ListArgs),
    /// Add a provisioner to ca.json
    Add(Box<AddArgs>),
    /// Remove a provisioner from ca.json
    Remove(RemoveArgs),
    /// Give a provisioner of ca.json a new key
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// List those of this ca.json, and ask no authority
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ca_url", "root"])]
    ca_config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The provisioner's name
    name: String,
    #[command(flatten)]
    edit: Edit,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The provisioner's name
    name: String,
    /// Give the new key to a copy of the provisioner with this name; the old one stays until it is removed
    #[arg(long, value_name = "NAME")]
    new_name: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    edit: Edit,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Add(args) => provisioner_add::run(args),
        Command::Remove(args) => {
            let done = args.edit.run(None, |provisioners| provisioners.without(&args.name))?;
            super::print(&format!("{:<16} {}\n{done}", "removed", args.name));
            Ok(())
        }
        Command::Rotate(args) => rotate(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut list = match &args.ca_config {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
            let ca = config::parse(&bytes)?;
            for warning in ca.warnings.iter().filter(|warning| warning.starts_with("provisioner")) {
                super::eprint(&format!("warning: {warning}\n"));
            }
            let listing = |entry| Provisioner::new(entry, &[]).listing().clone();
            ca.provisioners.into_iter().map(listing).collect()
        }
        None => {
            super::block_on(async { Ok::<_, Failure>(args.target.open()?.client.provisioners().await?) })??
        }
    };
    // step-ca publishes the secrets of oct keys.
    for secret in list.iter_mut().filter_map(|item| item.pointer_mut("/key/k")) {
        *secret = "".into();
    }
    super::print(&format!("{:#}\n", Value::from(list)));
    Ok(())
}

fn rotate(args: &RotateArgs) -> Result<(), Failure> {
    let touched = args.new_name.as_ref().unwrap_or(&args.name);
    let old = old_key(args)?;
    let made = args.key.make(Some(&old))?;
    let change = |provisioners: &Provisioners<'_>| match &args.new_name {
        Some(new_name) => provisioners.with_copy(&args.name, new_name, &made.key),
        None => provisioners.with_key(&args.name, &made.key),
    };
    register(&made, touched, &args.edit, change)
}

/// The key as it stands in ca.json, so that what cannot be rotated is refused before a password is asked for.
fn old_key(args: &RotateArgs) -> Result<String, Failure> {
    let path = args.edit.path()?;
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    Ok(Provisioners::find(&text)?.key(&args.name)?.to_owned())
}

/// Writes a new key where it belongs and tells about it. First the key itself: ca.json names none that is lost.
pub(super) fn register(
    made: &Made,
    name: &str,
    edit: &Edit,
    change: impl FnOnce(&Provisioners<'_>) -> Result<String, config::edit::Error>,
) -> Result<(), Failure> {
    made.write_out()?;
    let done = edit.run(Some(name), change).inspect_err(|_| made.discard())?;
    super::print(&format!("{:<16} {name}\n{:<16} {}\n{done}", "provisioner", "kid", made.key_id));
    if made.secret && ca_json::is_open(&edit.path()?) {
        super::eprint("warning: ca.json holds a secret, and others than its owner may read it: chmod 600\n");
    }
    Ok(())
}
