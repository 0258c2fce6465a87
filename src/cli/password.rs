//! Where passwords come from: a file, or the terminal.

use std::io::IsTerminal;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// Reads a password file; white space at its end does not count (CONTRACT.md section 12).
pub(super) fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end().to_owned()))
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
