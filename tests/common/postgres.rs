//! A real PostgreSQL server of the test's own: a temporary folder, a port that is free, TLS with a certificate made here.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use super::tools;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user and group that owns nothing: the server refuses to run as root.
const NOBODY: u32 = 65534;

/// The password of [`USER`]; it must turn up in no output.
pub(crate) const PASSWORD: &str = "planted-pg-password";

/// The only user, and the name of the only database.
pub(crate) const USER: &str = "ca";

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    as_root: bool,
    child: Option<Child>,
    /// Whether what it has committed survives a power cut.
    durable: bool,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
}

impl Postgres {
    /// Makes and starts a server, or says why the test is skipped.
    ///
    /// It is not durable: a killed process loses nothing without it, and disks are slow where tests run.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(false)
    }

    /// The same, durable if that is wanted.
    pub(crate) fn start_with(durable: bool) -> Option<Self> {
        let Some(programs) = programs() else {
            tools::skip("there is no PostgreSQL server: install Debian's postgresql");
            return None;
        };
        let folder = TempDir::with_prefix("stepless-pg-").expect("a temporary folder");
        let as_root = tools::run(Command::new("id").arg("-u")).trim() == "0";
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let mut server = Self { folder, programs, as_root, child: None, durable, port };
        server.write("password", PASSWORD);
        let key = rcgen::generate_simple_self_signed(["db.example".to_owned(), "localhost".to_owned()]);
        let key = key.expect("a certificate");
        server.write("server.crt", &key.cert.pem());
        server.write("server.key", &key.signing_key.serialize_pem());
        if as_root {
            std::os::unix::fs::chown(server.folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let mut command = server.program("initdb");
        command
            .arg("-D")
            .arg(server.file("data"))
            .args(["-U", USER, "--pwfile"])
            .arg(server.file("password"));
        command.args(["-A", "scram-sha-256", "--auth-local=trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        tools::run(&mut command);
        server.start_again();
        server.sql_in("template1", &format!("CREATE DATABASE {USER}"));
        Some(server)
    }

    /// Starts it on the same port after [`stop`](Self::stop).
    pub(crate) fn start_again(&mut self) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.file("data")).arg("-k").arg(self.folder.path());
        command.arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "ssl=on",
            if self.durable { "fsync=on" } else { "fsync=off" },
            "max_connections=100",
            &format!("ssl_cert_file={}", self.file("server.crt").display()),
            &format!("ssl_key_file={}", self.file("server.key").display()),
        ] {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::options().append(true).create(true).open(self.file("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("postgres runs"));
        let begun = Instant::now();
        while !self.psql("template1", "SELECT 1").status().expect("psql runs").success() {
            assert!(begun.elapsed() < PATIENCE, "postgres does not start; it said\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it at once, as a crash would, and waits for its end.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGQUIT: the server and all of its processes end without winding up.
            let told = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            assert!(told.is_ok_and(|status| status.success()), "kill runs");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Runs SQL as the database's owner, and gives its rows, `|` between columns.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.sql_in(USER, sql)
    }

    #[track_caller]
    fn sql_in(&self, database: &str, sql: &str) -> String {
        let mut command = self.psql(database, sql);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        tools::run(&mut command).trim_end().to_owned()
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = self.program("psql");
        command.args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-c", sql]);
        command.arg("-h").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs SQL that does not end by itself.
    pub(crate) fn hold(&self, sql: &str) -> Child {
        self.psql(USER, sql).spawn().expect("psql runs")
    }

    /// A `dataSource` with more parameters.
    pub(crate) fn data_source(&self, parameters: &str) -> String {
        format!("postgresql://{USER}:{PASSWORD}@localhost:{}/{USER}?{parameters}", self.port)
    }

    /// The server's certificate, which is its own root.
    pub(crate) fn root(&self) -> PathBuf {
        self.file("server.crt")
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that the server may read and nobody else.
    fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        std::fs::write(&path, text).expect("a file can be written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        if self.as_root {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir("/").env_remove("PGPASSWORD").env("LC_ALL", "C");
        if self.as_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

/// Where the server's programs are: on PATH, or where Debian puts them, the newest version.
fn programs() -> Option<PathBuf> {
    let runs = |folder: &Path| {
        Command::new(folder.join("initdb"))
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if runs(Path::new("")) {
        return Some(PathBuf::new());
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    versions.into_iter().rev().find(|folder| runs(folder))
}
