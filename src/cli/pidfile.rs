//! `--pidfile`: the process id in a file, for as long as the daemon serves.

use std::path::Path;
use std::path::PathBuf;

use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;

/// A file with the id of this process, gone when dropped.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, in place of one that a daemon that was killed left behind.
    pub(super) fn write(path: &Path) -> Result<Self, Failure> {
        directory::replace(path, format!("{}\n", std::process::id()).as_bytes(), Access::Public)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Whoever removed it first did no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}
