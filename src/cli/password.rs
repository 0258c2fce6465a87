//! Where passwords come from: a file, a credential of the service manager, or the terminal.

use std::io::IsTerminal;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// Where a password file ends at the latest, in bytes.
const MAX_FILE_SIZE: usize = 1 << 16;

/// Reads a password file; white space at its end does not count (CONTRACT.md section 12).
pub(super) fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Read as _;
    // Room for all of it at once: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_SIZE));
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_SIZE as u64).read_to_string(&mut text))
        .map_err(|error| Failure::file("read", path, &error))?;
    if text.len() == MAX_FILE_SIZE {
        return Err(Failure::usage(
            format!("{} is longer than any password", path.display()),
            "give a file of less than 64 KiB",
        ));
    }
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

/// What a credential with the password of the issuing key may be called; the first that there is counts.
const CREDENTIALS: [&str; 2] = ["stepless-password", "password"];

/// Reads the credential that systemd lays down for a unit with `LoadCredential=`, if there is one.
pub(super) fn from_credential() -> Result<Option<Zeroizing<String>>, Failure> {
    credential(&CREDENTIALS)
}

/// The first credential of these names that there is.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn credential(names: &[&str]) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) else { return Ok(None) };
    let path = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
    path.map(|path| from_file(&path)).transpose()
}

/// The password of a database whose `dataSource` has none: the credential `stepless-database-password`, else
/// `PGPASSWORD`, as step-ca's driver takes it.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn of_database() -> Result<Option<Zeroizing<String>>, Failure> {
    match credential(&["stepless-database-password"])? {
        Some(password) => Ok(Some(password)),
        None => Ok(std::env::var("PGPASSWORD").ok().filter(|word| !word.is_empty()).map(Zeroizing::new)),
    }
}

/// The password of a register of spent tokens whose address has none: the credential `stepless-register-password`.
pub(super) fn of_register() -> Result<Option<Zeroizing<String>>, Failure> {
    credential(&["stepless-register-password"])
}

/// Asks on the terminal; without one it says what to do instead.
pub(super) fn from_terminal(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::start(
            format!("{question} is needed, and there is no terminal to ask on"),
            "give it with --password-file",
        ));
    }
    rpassword::prompt_password(format!("{question}: "))
        .map(Zeroizing::new)
        .map_err(|error| Failure::start(format!("cannot read the password: {error}"), "use --password-file"))
}
