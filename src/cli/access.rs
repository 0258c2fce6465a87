//! Who may use the files that hold secrets, by their modes.
//!
//! An issuing key that lies open and bare stops the start. What is encrypted, and what protects or lies beside it, is
//! warned of: in many setups a mount settles its mode.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::config::CaJson;
use crate::config::Credential;
use crate::config::Files;
use crate::jose::VerificationKey;
use crate::signer::key_file;

/// Where the secrets of an authority lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secrets<'a> {
    /// The ca.json.
    pub(super) config: &'a Path,
    /// The file with the key's password, if one was given.
    pub(super) password_file: Option<&'a Path>,
}

impl Secrets<'_> {
    /// Refuses an issuing key that others may read or change, unless it is encrypted; warns of all else that they may.
    /// With `accept` there is nothing to say.
    pub(super) fn check(self, ca: &CaJson, files: &dyn Files, accept: bool) -> Result<Vec<String>, Failure> {
        if accept {
            return Ok(Vec::new());
        }
        let mut open = Vec::new();
        let key = Path::new(&ca.key);
        if let Some(mode) = usable_by_others(key) {
            // A missing file is named when it is loaded.
            let pem = zeroize::Zeroizing::new(files.read(&ca.key).unwrap_or_default());
            if !pem.is_empty() && !key_file::needs_password(&pem) {
                return Err(Failure::start(
                    format!(
                        "others may use the issuing key {} (mode {mode:03o}), and it is not encrypted",
                        key.display()
                    ),
                    format!(
                        "chmod 600 {}; where a mount settles the mode, serve with --accept-key-modes",
                        quoted(key)
                    ),
                ));
            }
            open.push((key, mode, "the issuing key"));
        }
        let others = [
            (self.password_file, "the password of the issuing key"),
            (holds_secret(ca).then_some(self.config), "a password or a provisioner's secret"),
        ];
        for (path, what) in others {
            if let Some(path) = path
                && let Some(mode) = usable_by_others(path)
            {
                open.push((path, mode, what));
            }
        }
        let warning = |(path, mode, what): (&Path, u32, &str)| {
            format!(
                "others may use {} (mode {mode:03o}), which holds {what}: chmod 600 {}",
                path.display(),
                quoted(path)
            )
        };
        Ok(open.into_iter().map(warning).collect())
    }
}

/// Whether a ca.json has a password or a provisioner's secret in it.
pub(super) fn holds_secret(ca: &CaJson) -> bool {
    let is_secret = |entry: &Credential| match entry {
        Credential::Jwk { key, .. } => {
            key.secret_members() || matches!(key.verification_key(), VerificationKey::Secret(_))
        }
        _ => false,
    };
    ca.password.is_some() || ca.provisioners.iter().any(|p| is_secret(&p.credential))
}

/// The rights of group and others on a file.
#[cfg(unix)]
pub(super) fn others(path: &Path) -> Option<u32> {
    mode(path).map(|mode| mode & 0o077)
}

/// Modes are of Unix.
#[cfg(not(unix))]
pub(super) fn others(_: &Path) -> Option<u32> {
    None
}

/// The mode of a regular file, if others may read or write it. What is no file, like a pipe, is nobody else's anyway.
#[cfg(unix)]
fn usable_by_others(path: &Path) -> Option<u32> {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    mode(path).filter(|mode| is_file && mode & 0o066 != 0)
}

#[cfg(not(unix))]
fn usable_by_others(_: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o777)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_for_a_shell() {
        assert_eq!(quoted(Path::new("secrets/intermediate_ca_key")), "secrets/intermediate_ca_key");
        assert_eq!(quoted(Path::new("a b/it's")), "'a b/it'\\''s'");
    }
}
