//! `stepless completions` and `stepless man`: the command line, as shells and `man` want it.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::cli::directory;
use crate::cli::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder for stepless.1 and a page for each command
    folder: PathBuf,
}

/// Prints a completion script.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stepless", &mut script);
    super::print(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Writes the manual pages.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    directory::create_folder(&args.folder)?;
    clap_mangen::generate_to(Cli::command(), &args.folder)
        .map_err(|error| Failure::file("write manual pages into", &args.folder, &error))
}
