//! The server under load: the binary beside this one, or step-ca in its container.

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use crate::process;
use crate::requests::Keys;

const IMAGE: &str = "stepless-reference/step-ca:0.30.2";

/// What it says at its start is kept, in lines.
const FIRST_LINES: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stepless,
    StepCa,
}

pub(crate) struct Server {
    kind: Kind,
    directory: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) root: String,
    pub(crate) keys: Keys,
    running: Option<Running>,
}

struct Running {
    child: Child,
    begun: Instant,
    /// The beginning of what it said.
    said: Arc<Mutex<String>>,
    container: Option<String>,
    /// The process that serves; not known before it does.
    id: Option<u32>,
}

/// Whether step-ca can be measured here, or why not.
pub(crate) fn reference_available() -> Result<(), String> {
    let docker = |arguments: &[&str]| {
        Command::new("docker").args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !docker(&["info"]) {
        return Err("no docker answers; tests/reference/dockerd.sh starts one".to_owned());
    }
    if !docker(&["image", "inspect", IMAGE]) {
        return Err(format!("docker has no image {IMAGE}; tests/reference/build.sh builds it"));
    }
    Ok(())
}

impl Server {
    /// One on a fresh copy of the fixture; it does not run yet.
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with(kind, |text| text)
    }

    /// stepless on a fresh copy, with its records on a PostgreSQL server.
    pub(crate) fn shared(data_source: &str) -> Self {
        Self::with(Kind::Stepless, |text| {
            let text = text.replace("\"badgerv2\"", "\"postgresql\"");
            text.replace("\"dataSource\": \"db\"", &format!("\"dataSource\": \"{data_source}\""))
        })
    }

    fn with(kind: Kind, edit: impl FnOnce(String) -> String) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/fixtures/mosaic");
        let directory = TempDir::with_prefix("stepless-load-").expect("a temporary folder");
        copy(&fixture, directory.path());
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let path = directory.path().join("ca.json");
        let text = std::fs::read_to_string(&path).expect("ca.json");
        let text = edit(text.replace("127.0.0.1:9500", &address.to_string()));
        std::fs::write(&path, text).expect("ca.json");
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("a file");
        let (root, keys) = (read("certs/root_ca.crt"), Keys::read(&read("provisioner-keys.json")));
        Self { kind, address, root, keys, directory, running: None }
    }

    /// Starts it on the directory as it is.
    pub(crate) fn start(&mut self) {
        let folder = self.directory.path();
        let container = format!("stepless-load-{}-{}", std::process::id(), self.address.port());
        let mut command = match self.kind {
            Kind::Stepless => {
                let mut command = Command::new(binary());
                command.args(["serve", "ca.json"]).current_dir(folder).env("STEPPATH", folder);
                command
            }
            Kind::StepCa => {
                let mut command = Command::new("docker");
                let folder = folder.to_str().expect("UTF-8");
                // The host's network: no port mapping between client and server.
                command.args(["run", "--rm", "--name", &container, "--network", "host"]);
                command.args([
                    "-v",
                    &format!("{folder}:{folder}"),
                    "-w",
                    folder,
                    "-e",
                    &format!("STEPPATH={folder}"),
                ]);
                command.args([IMAGE, "ca.json"]);
                command
            }
        };
        let begun = Instant::now();
        let mut child = command
            .args(["--password-file", "secrets/password.txt"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let said = Arc::new(Mutex::new(String::new()));
        let first = Arc::clone(&said);
        // The log has to be read, or the server would wait for it.
        std::thread::spawn(move || {
            for (number, line) in lines.enumerate() {
                if number < FIRST_LINES {
                    first.lock().unwrap_or_else(PoisonError::into_inner).push_str(&(line + "\n"));
                }
            }
        });
        let container = (self.kind == Kind::StepCa).then_some(container);
        self.running = Some(Running { child, begun, said, container, id: None });
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) {
        let running = self.running.as_mut().expect("it was started");
        if running.child.try_wait().expect("a child can be waited for").is_some() {
            panic!("it did not start:\n{}", running.said.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// It has answered for the first time: finds its process, and tells for how long that runs.
    pub(crate) fn answered(&mut self) -> Duration {
        let running = self.running.as_mut().expect("it was started");
        let Some(container) = &running.container else {
            running.id = Some(running.child.id());
            return running.begun.elapsed();
        };
        // Making a container takes docker longer than step-ca takes to start: count from its process's start.
        let now = process::since_boot();
        let output = Command::new("docker").args(["inspect", "-f", "{{.State.Pid}}", container]).output();
        let text = String::from_utf8(output.expect("docker").stdout).expect("UTF-8");
        let id = text.trim().parse().expect("a process id");
        running.id = Some(id);
        now.saturating_sub(process::started(id))
    }

    fn id(&self) -> u32 {
        self.running.as_ref().and_then(|running| running.id).expect("it has answered")
    }

    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.id())
    }

    /// Resident memory, KiB.
    pub(crate) fn memory(&self) -> u64 {
        process::memory(self.id(), "VmRSS")
    }

    /// The most that was ever resident, KiB.
    pub(crate) fn memory_peak(&self) -> u64 {
        process::memory(self.id(), "VmHWM")
    }

    /// Bytes of the database on disk.
    pub(crate) fn storage(&self) -> u64 {
        size(&self.directory.path().join("db"))
    }

    pub(crate) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let stopped = match &running.container {
            Some(name) => Command::new("docker").args(["stop", name]).output().map(drop),
            None => Command::new("kill").arg(running.child.id().to_string()).status().map(drop),
        };
        stopped.expect("it can be stopped");
        running.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.stop();
        }
    }
}

/// `target/release/stepless`, two folders above `target/release/examples/load`.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let binary = own.parent().and_then(Path::parent).expect("a folder").join("stepless");
    assert!(binary.exists(), "{} is not there: cargo build --release", binary.display());
    binary
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file");
        }
    }
}

fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir(path) else {
        // Blocks, since a database may be a sparse file.
        return path.metadata().map_or(0, |metadata| metadata.blocks() * 512);
    };
    entries.filter_map(Result::ok).map(|entry| size(&entry.path())).sum()
}
