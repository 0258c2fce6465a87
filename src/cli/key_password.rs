//! The password of the issuing key: read where it lies when it is needed, and not kept.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::password;
use crate::config::CaJson;
use crate::config::Files;
use crate::signer::key_file;

/// Where the password comes from.
#[derive(Default)]
pub(super) struct KeyPassword {
    /// A file that was given; it goes before ca.json.
    file: Option<PathBuf>,
    /// What somebody typed. It is nowhere else, so it is kept for a reload.
    typed: Option<Zeroizing<String>>,
}

impl KeyPassword {
    pub(super) fn new(file: Option<&Path>) -> Self {
        Self { file: file.map(Path::to_owned), typed: None }
    }

    /// The file that was given.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Finds it: file, ca.json (CONTRACT.md section 12), credential, terminal. `None` if the key needs none.
    pub(super) fn find(
        &mut self,
        ca: &CaJson,
        files: &dyn Files,
    ) -> Result<Option<Zeroizing<String>>, Failure> {
        let found = self.look(ca, files)?;
        // A missing file is named when it is loaded.
        if found.is_none() && needs_password(ca, files) {
            self.typed = Some(password::from_terminal(&format!("password of {}", ca.key))?);
        }
        Ok(found.or_else(|| self.typed.clone()))
    }

    /// Finds it again, when nobody can be asked any more.
    pub(super) fn find_again(
        &self,
        ca: &CaJson,
        files: &dyn Files,
    ) -> Result<Option<Zeroizing<String>>, Failure> {
        Ok(self.look(ca, files)?.or_else(|| self.typed.clone()))
    }

    fn look(&self, ca: &CaJson, files: &dyn Files) -> Result<Option<Zeroizing<String>>, Failure> {
        if let Some(file) = &self.file {
            return password::from_file(file).map(Some);
        }
        if let Some(password) = &ca.password {
            return Ok(Some(password.expose().clone()));
        }
        if needs_password(ca, files) { password::from_credential() } else { Ok(None) }
    }
}

fn needs_password(ca: &CaJson, files: &dyn Files) -> bool {
    let pem = Zeroizing::new(files.read(&ca.key).unwrap_or_default());
    key_file::needs_password(&pem)
}
