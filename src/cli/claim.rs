//! The claim on a folder in which an authority is being made: one process at a time, and a crash blocks nobody.
//!
//! `ca.json` is written first, as `ca.json.unfinished`, and gets its name last. So keys beside an unfinished
//! `ca.json` are of an authority that never was, and the next process may begin anew.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::directory;
use crate::cli::failure::Failure;

/// A claim, held until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    ca_json: PathBuf,
    after_another: bool,
}

impl Claim {
    /// Waits for whoever makes the authority now; `None` if there is one then.
    pub(super) fn stake(ca_json: &Path) -> Result<Option<Self>, Failure> {
        let path = unfinished(ca_json);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        // A provisioner's secret may stand in it, now or later.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| Failure::file("write", &path, &error))?;
        file.lock().map_err(|error| Failure::file("lock", &path, &error))?;
        if ca_json.exists() {
            // Made here after the other one was done, if it is there at all.
            let _ = std::fs::remove_file(&path);
            return Ok(None);
        }
        let after_another = is_begun(ca_json);
        Ok(Some(Self { file, ca_json: ca_json.to_owned(), after_another }))
    }

    /// Whether another process held the claim and ended before it was done.
    pub(super) fn after_another(&self) -> bool {
        self.after_another
    }

    /// Puts down what ca.json shall say. Keys are written after this, and not before.
    pub(super) fn begin(&mut self, text: &str) -> Result<(), Failure> {
        let path = unfinished(&self.ca_json);
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Failure::file("write", &path, &error))?;
        directory::sync_folder(&path);
        Ok(())
    }

    /// Gives ca.json its name: from here on the authority exists.
    pub(super) fn finish(self) -> Result<(), Failure> {
        std::fs::rename(unfinished(&self.ca_json), &self.ca_json)
            .map_err(|error| Failure::file("write", &self.ca_json, &error))?;
        directory::sync_folder(&self.ca_json);
        Ok(())
    }
}

/// Whether somebody has begun to make the authority of this ca.json, and keys may be theirs.
pub(super) fn is_begun(ca_json: &Path) -> bool {
    std::fs::metadata(unfinished(ca_json)).is_ok_and(|data| data.len() > 0)
}

fn unfinished(ca_json: &Path) -> PathBuf {
    ca_json.with_file_name("ca.json.unfinished")
}
