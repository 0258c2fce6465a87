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
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use crate::process;
use crate::requests::Keys;

const IMAGE: &str = "stepless-reference/step-ca:0.30.2";

/// What both print when they accept connections.
const READY: &str = "Serving HTTPS on ";

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
    /// From the start of the program to its first answer.
    pub(crate) started_in: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// The process that serves.
    id: u32,
    container: Option<String>,
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
    /// Starts one on a fresh copy of the fixture.
    pub(crate) fn start(kind: Kind) -> Self {
        Self::start_with(kind, |text| text)
    }

    /// Starts stepless on a fresh copy, with its records on a PostgreSQL server.
    pub(crate) fn start_shared(data_source: &str) -> Self {
        Self::start_with(Kind::Stepless, |text| {
            let text = text.replace("\"badgerv2\"", "\"postgresql\"");
            text.replace("\"dataSource\": \"db\"", &format!("\"dataSource\": \"{data_source}\""))
        })
    }

    fn start_with(kind: Kind, edit: impl FnOnce(String) -> String) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/fixtures/mosaic");
        let directory = TempDir::with_prefix("stepless-load-").expect("a temporary folder");
        copy(&fixture, directory.path());
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let path = directory.path().join("ca.json");
        let text = std::fs::read_to_string(&path).expect("ca.json");
        let text = edit(text.replace("127.0.0.1:9500", &address.to_string()));
        std::fs::write(&path, text).expect("ca.json");
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("a file");
        let mut server = Self {
            kind,
            address,
            root: read("certs/root_ca.crt"),
            keys: Keys::read(&read("provisioner-keys.json")),
            directory,
            started_in: Duration::ZERO,
            running: None,
        };
        server.start_again();
        server
    }

    /// Starts it on the directory as it is.
    pub(crate) fn start_again(&mut self) {
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
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut said = String::new();
        loop {
            let line =
                lines.next().and_then(Result::ok).unwrap_or_else(|| panic!("it did not start:\n{said}"));
            said.push_str(&line);
            said.push('\n');
            if line.contains(READY) {
                break;
            }
        }
        self.started_in = begun.elapsed();
        // The log has to be read, or the server would wait for it.
        std::thread::spawn(move || for _ in lines {});
        let (id, container) = match self.kind {
            Kind::Stepless => (child.id(), None),
            Kind::StepCa => {
                let output = Command::new("docker")
                    .args(["inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", &container])
                    .output()
                    .expect("docker");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let id = text.split_whitespace().next().and_then(|id| id.parse().ok()).expect("a process id");
                // Making a container takes docker longer than step-ca takes to start: count from its process's start.
                self.started_in = started_ago(id).min(self.started_in);
                (id, Some(container))
            }
        };
        self.running = Some(Running { child, id, container });
    }

    fn id(&self) -> u32 {
        self.running.as_ref().expect("it runs").id
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
            None => Command::new("kill").arg(running.id.to_string()).status().map(drop),
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

/// How long ago a process started, from its start in ticks since boot and the uptime (proc(5)).
fn started_ago(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let ticks: f64 = rest.split_whitespace().nth(19).and_then(|text| text.parse().ok()).expect("ticks");
    let uptime = std::fs::read_to_string("/proc/uptime").expect("an uptime");
    let uptime: f64 = uptime.split_whitespace().next().and_then(|text| text.parse().ok()).expect("seconds");
    Duration::from_secs_f64((uptime - ticks / 100.0).max(0.0))
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
