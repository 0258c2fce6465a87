//! An authority with the shim between it and the folder of its records.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use stepless::x509::pem;
use tempfile::TempDir;

use crate::common::binary::Daemon;
use crate::common::csr::Csr;
use crate::common::fixture::Fixture;
use crate::common::https::Answer;
use crate::common::https::Client;
use crate::common::https::Kept;
use crate::common::https::Request;
use crate::common::token;
use crate::common::tools;

const PROVISIONER: &str = "plain";

/// What the disk does wrong, flags of the shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None = 0,
    /// A sync fails, and what was to be synced may be lost for ever.
    SyncFails = 1,
    /// A sync says that it is done, and has done nothing.
    SyncLies = 2,
    /// Files cannot grow.
    Full = 4,
    ReadOnly = 8,
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) fixture: Fixture,
    scratch: TempDir,
    key: Value,
    csr: Csr,
}

/// The shim, compiled once; `None` if that cannot be done here.
fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let built = SHIM.get_or_init(|| {
        tools::find("cc", &["--version"])?;
        let folder = TempDir::with_prefix("stepless-shim-").unwrap();
        let path = folder.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
        let arguments = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"];
        tools::run(Command::new("cc").args(arguments).arg(&path).arg(source));
        Some((folder, path))
    });
    built.as_ref().map(|(_, path)| path.as_path())
}

impl Rig {
    /// `None`, said loudly, where there is no C compiler.
    pub(crate) fn new() -> Option<Self> {
        if shim().is_none() {
            tools::skip("no C compiler");
            return None;
        }
        let fixture = Fixture::copy("mosaic");
        let rig = Self {
            key: fixture.provisioner_key(PROVISIONER),
            fixture,
            scratch: TempDir::with_prefix("stepless-rig-").unwrap(),
            csr: Csr::new("a.example", &["a.example"]),
        };
        std::fs::write(rig.control(), [0; 24]).unwrap();
        Some(rig)
    }

    fn control(&self) -> PathBuf {
        self.scratch.path().join("control")
    }

    /// What was done to the records' folder.
    pub(crate) fn record(&self) -> PathBuf {
        self.scratch.path().join("record")
    }

    /// The length of the record, which tells what came before what.
    pub(crate) fn position(&self) -> u64 {
        std::fs::metadata(self.record()).unwrap().len()
    }

    /// The records' folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.fixture.path().canonicalize().unwrap().join("db")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("stepless.db")
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.put(0, fault as i64);
    }

    /// Under [`Fault::Full`], by how many bytes files may still grow.
    pub(crate) fn leave_free(&self, bytes: i64) {
        self.put(1, bytes);
    }

    /// Sets the authority's clock.
    pub(crate) fn set_clock_ahead(&self, seconds: i64) {
        self.put(2, seconds);
    }

    fn put(&self, member: u64, value: i64) {
        let file = OpenOptions::new().write(true).open(self.control()).unwrap();
        file.write_all_at(&value.to_ne_bytes(), member * 8).unwrap();
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepless"));
        command
            .args(line.split_whitespace())
            .current_dir(self.fixture.path())
            .env("STEPPATH", self.fixture.path())
            .env("LD_PRELOAD", shim().unwrap())
            .env("STEPLESS_DISK_FOLDER", self.folder())
            .env("STEPLESS_DISK_LOG", self.record())
            .env("STEPLESS_DISK_CONTROL", self.control());
        command
    }

    /// Starts the authority, or returns what it said instead.
    pub(crate) fn try_start(&self, options: &str) -> Result<Daemon, String> {
        let line = format!(
            "serve ca.json --password-file secrets/password.txt --address 127.0.0.1:0 --admin 127.0.0.1:0 {options}"
        );
        loop {
            match Daemon::start(self.command(&line)) {
                // A process that another test is starting holds this one's lock until it has become a program.
                Err(said) if said.contains(" is in use by process ") => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => return other,
            }
        }
    }

    pub(crate) fn start(&self) -> Daemon {
        self.try_start("").unwrap_or_else(|said| panic!("it does not start: {said}"))
    }

    /// A client that looks at no certificate: the authority's clock may be another one.
    pub(crate) fn client(&self, daemon: &Daemon) -> Kept {
        Kept::new(Client::unverified(([127, 0, 0, 1], daemon.port).into()))
    }

    /// A request with a fresh token, as of so many seconds after now.
    pub(crate) fn request_ahead(&self, seconds: i64) -> Request {
        let mut claims = token::claims(PROVISIONER, "a.example");
        for name in ["iat", "nbf", "exp"] {
            claims[name] = (claims[name].as_i64().unwrap() + seconds).into();
        }
        let ott = token::mint(&self.key, &claims);
        Request::post("/1.0/sign", &json!({"csr": self.csr.pem, "ott": ott}))
    }

    pub(crate) fn request(&self) -> Request {
        self.request_ahead(0)
    }
}

/// The certificate of an answer, DER.
pub(crate) fn certificate(answer: &Answer) -> Option<Vec<u8>> {
    let answer = (answer.status == 201).then(|| answer.json())?;
    Some(pem::decode_first(answer["crt"].as_str()?)?.content.to_vec())
}

/// `GET /ready` of the operators' listener: status and body.
pub(crate) fn ready(daemon: &Daemon) -> (u16, String) {
    let log = daemon.log_with("Serving operators on http://");
    let (_, rest) = log.split_once("Serving operators on http://").unwrap();
    let address = rest.lines().next().unwrap().parse().unwrap();
    let mut request = Request::get("/ready");
    request.headers.clear();
    let answer = Client::send_plain(address, &request).unwrap();
    (answer.status, answer.text())
}
