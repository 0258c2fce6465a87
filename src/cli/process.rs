//! Tells another process that files have changed.

use std::path::PathBuf;

use crate::cli::failure::Failure;

/// Which process.
#[derive(Debug, clap::Args)]
pub(super) struct Process {
    /// Send a signal to the process with this id afterwards, SIGHUP unless told
    #[arg(long, value_name = "PID", conflicts_with = "pid_file")]
    pid: Option<u32>,
    /// The file with the id of that process
    #[arg(long, value_name = "FILE", alias = "pidfile")]
    pid_file: Option<PathBuf>,
}

impl Process {
    /// The id of a process that is there, if one was given.
    pub(super) fn find(&self) -> Result<Option<u32>, Failure> {
        let Some(id) = self.id()? else { return Ok(None) };
        reach(id).map_err(|reason| {
            Failure::start(
                format!("process {id} cannot be told: {reason}"),
                "nothing was changed: check the id",
            )
        })?;
        Ok(Some(id))
    }

    /// The id, if one was given.
    pub(super) fn id(&self) -> Result<Option<u32>, Failure> {
        let Some(path) = &self.pid_file else { return Ok(self.pid) };
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        let id = text.trim().parse().ok().filter(|id| *id > 0);
        id.map(Some).ok_or_else(|| {
            Failure::usage(format!("{} holds no process id", path.display()), "it has to hold one number")
        })
    }
}

/// The number of SIGHUP.
pub(super) const HANGUP: i32 = 1;

/// Whether a signal would arrive.
#[cfg(unix)]
fn reach(id: u32) -> Result<(), String> {
    let process = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    let process = process.ok_or_else(|| "no such process".to_owned())?;
    rustix::process::test_kill_process(process).map_err(|error| crate::cli::failure::reason(&error.into()))
}

#[cfg(not(unix))]
fn reach(id: u32) -> Result<(), String> {
    send(id, HANGUP)
}

/// Sends a signal by its number.
#[cfg(unix)]
pub(super) fn send(id: u32, signal: i32) -> Result<(), String> {
    let process = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    let (Some(process), Some(signal)) = (process, rustix::process::Signal::from_named_raw(signal)) else {
        return Err(format!("there is no process {id}, or no signal {signal}"));
    };
    rustix::process::kill_process(process, signal).map_err(|error| crate::cli::failure::reason(&error.into()))
}

#[cfg(not(unix))]
pub(super) fn send(_: u32, _: i32) -> Result<(), String> {
    Err("this system has no signals".to_owned())
}
