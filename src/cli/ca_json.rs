//! Edits a ca.json as a whole or not at all: checked before, kept as a copy, replaced in one step.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::dev;
use crate::cli::directory;
use crate::cli::failure::Failure;
use crate::cli::init;
use crate::cli::process;
use crate::cli::process::Process;
use crate::cli::serve;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::CaJson;
use crate::config::edit;
use crate::config::edit::Provisioners;

/// Which ca.json, and who reads it.
#[derive(Debug, clap::Args)]
pub(super) struct Edit {
    /// The ca.json to edit [default: $STEPPATH/config/ca.json]
    #[arg(long, value_name = "FILE")]
    ca_config: Option<PathBuf>,
    #[command(flatten)]
    server: Process,
}

impl Edit {
    /// The file.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        self.ca_config.clone().map_or_else(|| Ok(init::step_path()?.join("config/ca.json")), Ok)
    }

    /// Makes a change, and says in lines what was done. `touched` is the provisioner that has to work afterwards.
    pub(super) fn run(
        &self,
        touched: Option<&str>,
        change: impl FnOnce(&Provisioners<'_>) -> Result<String, edit::Error>,
    ) -> Result<String, Failure> {
        let server = self.server.find()?;
        let path = self.path()?;
        // What a link leads to is replaced, not the link.
        let path = path.canonicalize().map_err(|error| Failure::file("read", &path, &error))?;
        let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let old = String::from_utf8(bytes)
            .map(Zeroizing::new)
            .map_err(|_| Failure::start(format!("{} is not UTF-8", path.display()), "save it as UTF-8"))?;
        let new = Zeroizing::new(change(&Provisioners::find(&old)?)?);
        let warnings = check(&old, &new, touched)?;

        let backup = directory::keep_copy(&path, old.as_bytes(), SystemClock.now())?;
        let unchanged = std::fs::read(&path).is_ok_and(|bytes| bytes == old.as_bytes());
        if !unchanged {
            return Err(Failure::start(
                format!("{} was changed by somebody else meanwhile", path.display()),
                "nothing was changed here: try again",
            ));
        }
        directory::replace_keeping(&path, new.as_bytes())?;
        for warning in warnings {
            super::eprint(&format!("warning: {warning}\n"));
        }
        let reload = match server.map(|id| (id, process::send(id, process::HANGUP))) {
            Some((id, Ok(()))) => format!("SIGHUP sent to {id}; its log says whether it took the change"),
            Some((id, Err(reason))) => format!("SIGHUP did not reach {id}: {reason}"),
            None => "kill -HUP PID of the server, or start it again".to_owned(),
        };
        Ok(format!(
            "{:<16} {}\n{:<16} {}\n{:<16} {reload}\n",
            "configuration",
            path.display(),
            "backup",
            backup.display(),
            "reload"
        ))
    }
}

/// Refuses a text that would not load, and gives the warnings that are new.
fn check(old: &str, new: &str, touched: Option<&str>) -> Result<Vec<String>, Failure> {
    let fault = |reason: &str| {
        Failure::start(format!("the edited ca.json would not load: {reason}"), "nothing was changed")
    };
    let load = |text: &str| {
        let mut ca = config::parse(text.as_bytes())?;
        ca.check_files(&serve::files(None), SystemClock.now())?;
        Ok::<CaJson, config::Error>(ca)
    };
    let ca = load(new).map_err(|error| fault(&error.to_string()))?;
    if let Some(entry) = ca.provisioners.iter().find(|entry| Some(entry.name.as_str()) == touched) {
        if let Err(reason) = &entry.effective_claims {
            return Err(fault(&format!("provisioner {:?} would be off: {reason}", entry.name)));
        }
        let template = entry.x509.as_ref().and_then(|options| options.loaded.as_ref());
        if let Some(Err(reason)) = template.map(|template| &template.template) {
            return Err(fault(reason));
        }
        if dev::demo_provisioners(&ca).contains(&entry.name) {
            return Err(Failure::start(
                "that key is a published demo key, which anybody can use",
                "nothing was changed: make a key of your own",
            ));
        }
    }
    let before = load(old).map(|ca| ca.warnings).unwrap_or_default();
    Ok(ca.warnings.into_iter().filter(|warning| !before.contains(warning)).collect())
}

impl From<edit::Error> for Failure {
    fn from(error: edit::Error) -> Self {
        let hint = match &error {
            edit::Error::Unknown { .. } => "choose one of these",
            edit::Error::Taken(_) => {
                "choose another name, or replace its key with: stepless provisioner rotate"
            }
            edit::Error::NoKey { .. } => {
                "add another provisioner, and remove this one when it is not used any more"
            }
            edit::Error::Twice(_) => "leave one of them, and try again",
            _ => "correct the file, and try again",
        };
        Self::start(error.to_string(), hint)
    }
}

/// Whether others than its owner may read a file.
pub(super) fn is_open(path: &Path) -> bool {
    #[cfg(unix)]
    return std::fs::metadata(path)
        .is_ok_and(|data| std::os::unix::fs::PermissionsExt::mode(&data.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
