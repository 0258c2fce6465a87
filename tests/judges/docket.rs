//! The folder that the judges read: certificates (`.crt`), CRLs (`.crl`), and the cases in `cases.tsv`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A chain to be judged. Names are those of files in the folder.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// When, in seconds since the epoch.
    pub(crate) at: i64,
    pub(crate) root: String,
    /// From the one below the root downwards.
    pub(crate) intermediates: Vec<String>,
    pub(crate) leaf: String,
    /// The CRL to ask for the leaf.
    pub(crate) crl: Option<String>,
    /// What the judges shall find.
    pub(crate) expected: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// It stands on the CRL.
    Revoked,
    /// It has a critical extension that nobody knows.
    UnknownCritical,
}

/// Everything that was made.
#[derive(Debug)]
pub(crate) struct Docket {
    pub(crate) folder: PathBuf,
    pub(crate) cases: Vec<Case>,
    files: BTreeSet<String>,
}

impl Docket {
    /// An empty one, in a folder of the build directory which keeps what the last run has made.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, cases: Vec::new(), files: BTreeSet::new() }
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, der: &[u8]) -> String {
        assert!(self.files.insert(name.to_owned()), "{name} is made twice");
        fs::write(self.folder.join(name), der).unwrap();
        name.to_owned()
    }

    /// The files with this ending, in order.
    pub(crate) fn files(&self, ending: &str) -> Vec<&str> {
        self.files.iter().filter(|name| name.ends_with(ending)).map(String::as_str).collect()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    /// Writes the cases down.
    pub(crate) fn close(self) -> Self {
        let mut text = String::new();
        for case in &self.cases {
            let Case { name, at, root, intermediates, leaf, crl, .. } = case;
            let (intermediates, crl) = (intermediates.join(","), crl.as_deref().unwrap_or("-"));
            writeln!(text, "{name}\t{at}\t{root}\t{intermediates}\t{leaf}\t{crl}").unwrap();
        }
        fs::write(self.folder.join("cases.tsv"), text).unwrap();
        self
    }
}
