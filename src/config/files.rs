//! Where the files that ca.json names come from: a folder, or memory.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The largest file that is read, in bytes; certificates, keys and templates are far smaller.
const MAX_FILE_SIZE: u64 = 16 << 20;

/// Reads whole files by the names that ca.json uses.
pub trait Files: Debug {
    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// The system's, or `NotFound`.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The bytes of a `templateFile`, whose name may be relative to other folders than the rest.
    ///
    /// # Errors
    ///
    /// As for [`Files::read`].
    fn read_template(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read(path)
    }
}

/// Files of the system; relative names start at a given folder.
#[derive(Debug, Clone)]
pub struct DirectoryFiles {
    base: PathBuf,
    step_path: PathBuf,
    home: PathBuf,
}

impl DirectoryFiles {
    /// Relative names start at `base`, an empty one is the working directory; those of templates without
    /// `./` start at `step_path`, and `~/` is `home`.
    pub fn new(base: impl AsRef<Path>, step_path: impl AsRef<Path>, home: impl AsRef<Path>) -> Self {
        Self {
            base: base.as_ref().to_owned(),
            step_path: step_path.as_ref().to_owned(),
            home: home.as_ref().to_owned(),
        }
    }
}

impl Files for DirectoryFiles {
    /// `templateFile` is absolute, `./` or `../` from the base, `~/`, else from the step path (CONTRACT.md
    /// section 11).
    fn read_template(&self, path: &str) -> io::Result<Vec<u8>> {
        let full = match path.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None if path.starts_with("./") || path.starts_with("../") => self.base.join(path),
            None => self.step_path.join(path),
        };
        self.read(&full.to_string_lossy())
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        use std::io::Read;
        let file = std::fs::File::open(self.base.join(path))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_SIZE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file larger than 16 MiB"));
        }
        Ok(bytes)
    }
}

/// Files in memory, by name.
#[derive(Clone, Default)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// Adds or replaces a file.
    #[must_use]
    pub fn with(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.to_owned(), bytes.into());
        self
    }
}

impl Debug for MemoryFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
