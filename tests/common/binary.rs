//! The `stepless` binary as its users run it: in a folder of their own, and nothing inherited.

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use super::panics;

/// How long a daemon may take to serve, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder to type commands in, gone when dropped; also their home.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::with_prefix("stepless-desk-").expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file; one that is there keeps its mode.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("a file can be written");
    }

    /// Writes a file for its owner alone: each start would warn of a password that others may read.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        self.write(name, text);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.file(name), private).expect("a mode can be set");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.file(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Replaces `from`, which must occur, in a file.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replace(from, to));
    }

    /// The command, with the words of `line` as arguments.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepless"));
        command.args(line.split_whitespace()).stdin(Stdio::null());
        self.seat(&mut command);
        command
    }

    /// Lets a program run here.
    pub(crate) fn seat(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env("HOME", self.path())
            .env_remove("STEPPATH")
            .env_remove("STEPLESS_LOG")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .env_remove("RUST_BACKTRACE");
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.outcome(&self.command(line).output().expect("the binary runs"))
    }

    /// Runs a command with `input` on its standard input.
    pub(crate) fn run_with(&self, line: &str, input: &[u8]) -> Outcome {
        let mut command = self.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        // A command that reads nothing may have ended.
        let _ = child.stdin.take().expect("stdin is a pipe").write_all(input);
        self.outcome(&child.wait_with_output().expect("it ends"))
    }

    /// Output with the folder's path written as `DESK`.
    fn outcome(&self, output: &Output) -> Outcome {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace(self.path().to_str().expect("temporary paths are UTF-8"), "DESK")
        };
        let stderr = text(&output.stderr);
        panics::check_log(&stderr);
        Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr }
    }

    /// Every file below the folder with its bytes, in the order of their paths.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        collect(self.path(), &mut |path| {
            let name = path.strip_prefix(self.path()).expect("below the folder").display().to_string();
            found.push((name, std::fs::read(path).expect("a file can be read")));
        });
        found.sort();
        found
    }

    /// Starts a daemon and waits until it serves.
    pub(crate) fn serve(&self, line: &str) -> Daemon {
        Daemon::start(self.command(line)).unwrap_or_else(|said| panic!("{line}: {said}"))
    }
}

fn collect(folder: &Path, take: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, take) } else { take(&path) }
    }
}

/// A daemon that serves; killed when dropped. A test whose daemon panicked fails.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    /// The port it listens on.
    pub(crate) port: u16,
}

impl Daemon {
    /// Starts `command` and waits for the line that says where it serves, or returns what it said instead.
    pub(crate) fn start(command: Command) -> Result<Self, String> {
        let (mut daemon, serving) = Self::start_until(command, "Serving HTTPS on ")?;
        let port = serving.trim_end_matches(" ...").rsplit(':').next().and_then(|port| port.parse().ok());
        daemon.port = port.ok_or(serving)?;
        Ok(daemon)
    }

    /// Starts `command` and waits for a line that holds `ready`; gives what follows there.
    pub(crate) fn start_until(
        mut command: Command,
        ready_line: &'static str,
    ) -> Result<(Self, String), String> {
        use std::io::BufRead as _;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, readiness) = mpsc::channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stderr.take().expect("stderr is a pipe")),
            Box::new(child.stdout.take().expect("stdout is a pipe")),
        ];
        let mut readers = Vec::new();
        for stream in streams {
            let (ready, log) = (ready.clone(), Arc::clone(&log));
            readers.push(std::thread::spawn(move || {
                for line in std::io::BufReader::new(stream).lines().map_while(Result::ok) {
                    let serving = line.split_once(ready_line).map(|(_, rest)| rest.to_owned());
                    *log.lock().expect("no reader panicked") += &format!("{line}\n");
                    if let Some(rest) = serving {
                        // The receiver is gone once the first line was seen.
                        let _ = ready.send(rest);
                    }
                }
            }));
        }
        drop(ready);
        let daemon = Self { child, log, readers, port: 0 };
        let rest = readiness.recv_timeout(PATIENCE).map_err(|_| daemon.log())?;
        Ok((daemon, rest))
    }

    /// All that it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it has said once it has said `text`, or after some time without it: an answer may come before the
    /// line about it.
    pub(crate) fn log_with(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) || begun.elapsed() > PATIENCE {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `https://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// A client that trusts the root in the file alone.
    pub(crate) fn client(&self, root: &Path) -> super::https::Client {
        let root = std::fs::read_to_string(root).expect("a root certificate");
        super::https::Client::new(([127, 0, 0, 1], self.port).into(), &root)
    }

    /// Sends a signal by its name.
    pub(crate) fn tell(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success(), "kill -s {name} {id}");
    }

    /// Sends a signal by its name and waits for the end, and for its last words.
    pub(crate) fn signal(&mut self, name: &str) -> ExitStatus {
        self.tell(name);
        self.end()
    }

    /// Waits for the end, and for its last words.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let status = self.wait();
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panicked");
        }
        status
    }

    /// Waits for the end.
    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop; it said\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        panics::check_log(&self.log());
    }
}

/// A port of the loopback interface that is free now, and nearly surely still is when it is taken.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
