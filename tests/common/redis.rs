//! A real Redis or Valkey server of the test's own, on a port that is free, with a password and on demand TLS.

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

/// It must turn up in no output.
pub(crate) const PASSWORD: &str = "planted-register-password";

/// A server that runs until it is dropped. It writes nothing to disk.
#[derive(Debug)]
pub(crate) struct Redis {
    folder: TempDir,
    server: PathBuf,
    client: PathBuf,
    child: Option<Child>,
    port: u16,
    tls: bool,
}

impl Redis {
    /// Starts a server, or says why the test is skipped.
    pub(crate) fn start(tls: bool) -> Option<Self> {
        let both = |name: &str| {
            Some((
                tools::find(&format!("{name}-server"), &["--version"])?,
                tools::find(&format!("{name}-cli"), &["--version"])?,
            ))
        };
        let Some((server, client)) = both("redis").or_else(|| both("valkey")) else {
            tools::skip("there is neither Redis nor Valkey: install Debian's redis-server");
            return None;
        };
        let folder = TempDir::with_prefix("stepless-redis-").expect("a temporary folder");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let certificate =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(folder.path().join("server.crt"), certificate.cert.pem()).expect("a file");
        std::fs::write(folder.path().join("server.key"), certificate.signing_key.serialize_pem())
            .expect("a file");
        let mut redis = Self { folder, server, client, child: None, port, tls };
        redis.start_again();
        Some(redis)
    }

    /// Starts it on the same port after [`stop`](Self::stop), empty.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(&self.server);
        command.current_dir(self.folder.path());
        let port = self.port.to_string();
        let (plain, secure) = if self.tls { ("0", port.as_str()) } else { (port.as_str(), "0") };
        command.args(["--bind", "127.0.0.1", "--port", plain, "--tls-port", secure, "--save", ""]);
        command.args([
            "--requirepass",
            PASSWORD,
            "--tls-cert-file",
            "server.crt",
            "--tls-key-file",
            "server.key",
        ]);
        command.args(["--tls-auth-clients", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("the server runs"));
        let begun = Instant::now();
        while self.command("PING").output().expect("the client runs").stdout != b"PONG\n" {
            assert!(begun.elapsed() < PATIENCE, "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Its address, password included.
    pub(crate) fn url(&self) -> String {
        let root = self.folder.path().join("server.crt");
        match self.tls {
            true => format!("rediss://default:{PASSWORD}@localhost:{}/0?ca={}", self.port, root.display()),
            false => format!("redis://:{PASSWORD}@localhost:{}/0", self.port),
        }
    }

    /// Gives a command to the server, and its answer.
    #[track_caller]
    pub(crate) fn ask(&self, line: &str) -> String {
        tools::run(&mut self.command(line)).trim_end().to_owned()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["-h", "localhost", "-p", &self.port.to_string()]).env("REDISCLI_AUTH", PASSWORD);
        if self.tls {
            command.arg("--tls").arg("--cacert").arg(self.folder.path().join("server.crt"));
        }
        command.args(line.split(' '));
        command
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
