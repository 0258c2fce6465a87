//! Starts a CA on a private copy of a fixture: the `stepless` binary, or step-ca in a container.
//!
//! Each stops when dropped, and a test whose CA panicked fails. Both run with the fixture as working directory and as `STEPPATH`.

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use stepless::crypto::KeyKind;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;
use testcontainers::Container;
use testcontainers::GenericImage;
use testcontainers::ImageExt as _;
use testcontainers::bollard;
use testcontainers::core::IntoContainerPort as _;
use testcontainers::core::Mount;
use testcontainers::core::WaitFor;
use testcontainers::runners::SyncRunner as _;

use super::fixture::Fixture;
use super::https::Client;
use super::https::Request;
use super::panics;
use super::served::Identity;
use super::tools;

/// How long a CA may take to answer.
const START_UP: Duration = Duration::from_secs(30);

/// What both CAs print on stderr when they accept connections, followed by the address and ` ...`.
const READY: &str = "Serving HTTPS on ";

/// The user and password file arguments are the same for both.
const PASSWORD_FILE: [&str; 2] = ["--password-file", "secrets/password.txt"];

/// Which CA to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The binary of this crate.
    Stepless,
    /// The real one.
    StepCa,
}

/// A CA that answers.
#[derive(Debug)]
pub(crate) struct Ca {
    /// Where it listens, on this machine.
    pub(crate) address: SocketAddr,
    /// The directory it runs on.
    pub(crate) fixture: Fixture,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Process(Process),
    Container(Box<Container<GenericImage>>),
}

#[derive(Debug)]
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        panics::check_log(&self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Ca {
    /// Starts a CA on `fixture`, changing the address in its ca.json to a free port.
    ///
    /// # Errors
    ///
    /// What the CA said, if it did not come up.
    pub(crate) fn try_start(kind: Kind, fixture: Fixture) -> Result<Self, String> {
        let (address, running) = match kind {
            Kind::Stepless => start_process(&fixture)?,
            Kind::StepCa => start_container(&fixture)?,
        };
        let ca = Self { address, fixture, running };
        let begun = Instant::now();
        loop {
            match ca.client().send(&Request::get("/health")) {
                Ok(answer) if answer.status == 200 => return Ok(ca),
                other if begun.elapsed() > START_UP => {
                    return Err(format!("/health: {other:?}\n{}", ca.log()));
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Starts a CA on a copy of the fixture called `name`; one that does not come up fails the test.
    pub(crate) fn start(kind: Kind, name: &str) -> Self {
        match Self::try_start(kind, Fixture::copy(name)) {
            Ok(ca) => ca,
            Err(error) => panic!("{kind:?} does not start on {name}: {error}"),
        }
    }

    /// Stops it and gives its directory back.
    pub(crate) fn stop(self) -> Fixture {
        drop(self.running);
        self.fixture
    }

    /// Stops it as an operator would, and gives its directory back; it must end well.
    pub(crate) fn terminate(mut self) -> Fixture {
        self.signal("TERM");
        let begun = Instant::now();
        let status = loop {
            let Running::Process(process) = &mut self.running else { panic!("only a process gets signals") };
            if let Some(status) = process.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(begun.elapsed() < START_UP, "it does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}:\n{}", self.log());
        self.stop()
    }

    /// A client that trusts the CA's root, and the certificates below it.
    ///
    /// The issuing certificates are anchors of their own because ring verifies no P-521 signature; for the same
    /// reason a CA that signs with P-521 itself is believed.
    pub(crate) fn client(&self) -> Client {
        if signs_with_p521(&self.fixture.read("certs/intermediate_ca.crt")) {
            return Client::unverified(self.address);
        }
        Client::new(self.address, &self.anchors())
    }

    /// The same with a certificate of its own.
    pub(crate) fn client_with(&self, identity: &Identity) -> Client {
        let certificate = Some(Arc::new(identity.clone()) as _);
        let provider = rustls::crypto::ring::default_provider();
        Client::with_certificate(self.address, &self.anchors(), provider, rustls::ALL_VERSIONS, certificate)
    }

    fn anchors(&self) -> String {
        self.fixture.root_pem() + &self.fixture.read("certs/intermediate_ca.crt")
    }

    /// A client that trusts the root alone.
    pub(crate) fn pinned_client(&self) -> Client {
        Client::new(self.address, &self.fixture.root_pem())
    }

    /// Sends the CA, if it is a process, a signal by its name: `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let Running::Process(process) = &self.running else { panic!("only a process gets signals") };
        let id = process.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("there is a kill command");
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Waits until the log holds `text` more often than `before` times.
    pub(crate) fn wait_for(&self, text: &str, before: usize) {
        let begun = Instant::now();
        while self.log().matches(text).count() <= before {
            assert!(begun.elapsed() < START_UP, "no {text:?} in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `https://localhost:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// All that the CA has written to stderr and stdout so far.
    pub(crate) fn log(&self) -> String {
        match &self.running {
            Running::Process(process) => process.log.lock().expect("no reader panicked").clone(),
            Running::Container(container) => {
                let mut log = container.stderr_to_vec().expect("a container has a log");
                log.extend(container.stdout_to_vec().expect("a container has a log"));
                String::from_utf8_lossy(&log).into_owned()
            }
        }
    }
}

/// Whether a certificate, in PEM, holds a P-521 key.
fn signs_with_p521(certificate: &str) -> bool {
    let block = pem::decode_first(certificate);
    let certificate = block.and_then(|block| Certificate::parse(&block.content).ok());
    let key = certificate.and_then(|certificate| certificate.public_key().ok());
    key.is_some_and(|key| key.kind() == KeyKind::P521)
}

/// The command that serves `ca.json` in the working directory.
fn stepless_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepless"));
    command.args(["serve", "ca.json"]).args(PASSWORD_FILE);
    command
}

fn start_process(fixture: &Fixture) -> Result<(SocketAddr, Running), String> {
    fixture.listen("127.0.0.1:0");
    let mut child = stepless_command()
        .current_dir(fixture.path())
        .env("STEPPATH", fixture.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("stepless: {error}"))?;
    let stderr = child.stderr.take().expect("stderr is a pipe");
    let log = Arc::new(Mutex::new(String::new()));
    let (ready, readiness) = mpsc::channel();
    let reader_log = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once(READY) {
                // The receiver is gone once the first line was seen.
                let _ = ready.send(rest.trim_end_matches(" ...").to_owned());
            }
            let mut log = reader_log.lock().expect("no reader panicked");
            log.push_str(&line);
            log.push('\n');
        }
    });
    let process = Process { child, log: Arc::clone(&log), reader: Some(reader) };
    // An ended process closes the pipe, which ends the reader, which ends this wait.
    match readiness.recv_timeout(START_UP) {
        Ok(text) => match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok((address, Running::Process(process))),
            _ => Err(format!("the readiness line names {text:?}, no address with a port")),
        },
        Err(_) => Err(format!("no readiness line; it said:\n{}", log.lock().expect("no reader panicked"))),
    }
}

/// The image of the reference, with its tag.
fn image() -> String {
    tools::variable("STEPLESS_STEP_CA_IMAGE")
        .unwrap_or_else(|| "stepless-reference/step-ca:0.30.2".to_owned())
}

/// Whether step-ca can be started here, or why not.
pub(crate) fn step_ca_available() -> Result<(), String> {
    let docker = |arguments: &[&str]| {
        Command::new("docker").args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !docker(&["info"]) {
        return Err("no docker answers; tests/reference/dockerd.sh starts one".to_owned());
    }
    let image = image();
    if !docker(&["image", "inspect", &image]) {
        return Err(format!("docker has no image {image}; tests/reference/build.sh builds it"));
    }
    Ok(())
}

fn start_container(fixture: &Fixture) -> Result<(SocketAddr, Running), String> {
    // Free now, and nearly surely still free when the container takes it; only the host's network needs that.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())?
        .port();
    fixture.listen(&format!(":{port}"));
    let bridged = Command::new("docker")
        .args(["network", "inspect", "bridge"])
        .output()
        .is_ok_and(|output| output.status.success());

    let image = image();
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let directory = fixture.path().to_str().expect("temporary paths are UTF-8");
    let owner = std::fs::metadata(fixture.path()).map_err(|error| error.to_string())?;
    let container = GenericImage::new(name, tag)
        .with_exposed_port(port.tcp())
        .with_wait_for(WaitFor::message_on_stderr(READY))
        .with_startup_timeout(START_UP)
        .with_mount(Mount::bind_mount(directory, directory))
        .with_working_dir(directory)
        .with_user(format!("{}:{}", owner.uid(), owner.gid()))
        .with_env_var("STEPPATH", directory)
        .with_cmd(["ca.json"].into_iter().chain(PASSWORD_FILE))
        .with_host_config_modifier(move |host| {
            negotiate_version();
            if bridged {
                host.publish_all_ports = Some(false);
                host.port_bindings = Some([(format!("{port}/tcp"), Some(vec![loopback()]))].into());
            } else {
                host.publish_all_ports = None;
                host.port_bindings = None;
                host.network_mode = Some("host".to_owned());
            }
        })
        .start()
        .map_err(|error| error.to_string())?;
    let port =
        if bridged { container.get_host_port_ipv4(port).map_err(|error| error.to_string())? } else { port };
    Ok(((Ipv4Addr::LOCALHOST, port).into(), Running::Container(Box::new(container))))
}

/// A free port of the loopback interface, whichever docker finds.
fn loopback() -> bollard::models::PortBinding {
    bollard::models::PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: None }
}

/// Makes testcontainers speak the daemon's version of the API.
///
/// It asks for the newest one and leaves negotiation out, which all but the newest daemons refuse. Its client is
/// shared, and alive while a container is being prepared: that is when this runs.
fn negotiate_version() {
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            if let Ok(docker) = testcontainers::core::client::docker_client_instance().await {
                // A daemon that does not answer here does not answer the next request either, which reports it.
                let _ = docker.negotiate_version().await;
            }
        });
    });
}
