//! How a command fails: one sentence, a hint, an exit code.

use std::path::Path;
use std::process::ExitCode;

use crate::client;
use crate::config;

/// What helps where only the operating system can have failed.
pub(super) const NO_RANDOMNESS: &str = "check the machine: it gives no random bytes, memory or threads";

/// The end of a command that did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: String,
    hint: String,
}

impl Failure {
    /// The command line or a configuration cannot be read: exit code 1.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: hint.into() }
    }

    /// The command cannot start or carry on: exit code 2.
    pub(super) fn start(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), hint: hint.into() }
    }

    /// The authority's answer is not what was asked for: exit code 5.
    pub(super) fn answer(error: &client::AnswerError) -> Self {
        Self {
            code: 5,
            message: format!("nothing was written: {error}"),
            hint: "do not trust this authority before its log explains the difference".to_owned(),
        }
    }

    /// The authority cannot be reached, is not trusted, or does not work: exit code 4.
    pub(super) fn unreachable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: 4, message: message.into(), hint: hint.into() }
    }

    /// A file cannot be read or written: exit code 2.
    pub(super) fn file(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check who owns the file and its folder",
            std::io::ErrorKind::NotADirectory => "choose a folder where one can be",
            std::io::ErrorKind::IsADirectory => "give a file",
            std::io::ErrorKind::AlreadyExists => "choose another name, or move the old file away",
            _ => "check the disk",
        };
        Self::start(format!("cannot {action} {}: {}", path.display(), reason(error)), hint)
    }

    /// What went wrong, without the hint.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn print(&self) {
        super::eprint(&format!("error: {}\nhint: {}\n", self.message, self.hint));
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// A command line that is not understood, in one sentence and a hint like every other failure.
impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        let mut paragraphs = text.split("\n\n");
        let join = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let first = paragraphs.next().unwrap_or_default();
        let message = join(first.strip_prefix("error:").unwrap_or(first));
        let tip = paragraphs.next().and_then(|second| second.trim_start().strip_prefix("tip:"));
        let hint = match tip {
            Some(tip) => join(tip),
            None => "see what it takes with --help".to_owned(),
        };
        Self::usage(message, hint)
    }
}

/// The system's reason in lower case, without its number.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let code = match &error {
            client::Error::Refused { .. } => 3,
            client::Error::Url(_) | client::Error::Root(_) => 1,
            client::Error::Answer { .. } => 5,
            _ => 4,
        };
        let mut message = error.to_string();
        if let client::Error::Refused { code: Some(code), .. } = &error {
            message.push_str(&format!(" ({code})"));
        }
        Self { code, message, hint: error.remediation().to_owned() }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::start(error.to_string(), error.hint())
    }
}
