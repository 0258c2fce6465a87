//! A server with chosen limits, in a process of its own or in this one, and clients that do as they are told.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use serde_json::json;
use stepless::http::Limits;
use stepless::http::RouterOptions;
use stepless::http::server::Server;
use stepless::signer::key_file;
use stepless::x509::certificate::Certificate;
use stepless::x509::hierarchy::CaCertificate;
use stepless::x509::name::Subject;
use stepless::x509::name_constraints::NameConstraints;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::binary::Daemon;
use crate::common::csr::Csr;
use crate::common::fixture::Fixture;
use crate::common::local::Local;
use crate::common::token;
use crate::common::tools;

/// After this nothing is slow, it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The heavy tests are one at a time: each measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How long something is measured.
pub(crate) fn period() -> Duration {
    let seconds = tools::variable("STEPLESS_EDGE_SECONDS").map_or(4, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Not `eprintln!`: the test runner would hide it.
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Takes as many open files as there are: a thousand clients need a thousand.
pub(crate) fn raise_open_files() {
    use rustix::process::Resource;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
}

/// The binary on a copy of a fixture.
pub(crate) struct Rig {
    pub(crate) daemon: Daemon,
    pub(crate) client: Client,
    pub(crate) requests: Requests,
    pub(crate) fixture: Fixture,
}

impl Rig {
    pub(crate) fn start(options: &str) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_stepless")), Fixture::copy("mosaic"), options)
    }

    /// With an RSA key of 5120 bits to issue with, which takes 20 ms to sign: ring signs with up to 4096 bits, and the
    /// crate for larger ones is slower.
    pub(crate) fn start_slow(options: &str) -> Self {
        let fixture = Fixture::copy("mosaic");
        let password = fixture.password();
        let decode = |pem: &str, password| key_file::decode(pem.as_bytes(), password, "a key").unwrap();
        let root_key = decode(&fixture.read("secrets/root_ca_key"), Some(password.as_bytes()));
        let root = pem::decode_first(&fixture.root_pem()).unwrap();
        let root = Certificate::parse(&root.content).unwrap();
        let slow = include_str!("../data/crypto/rsa_5120.pem");
        let intermediate = CaCertificate {
            subject: Subject::from_common_name("Slow Intermediate CA"),
            path_length: Some(0),
            name_constraints: NameConstraints::default(),
            serial_number: SerialNumber::from(5120),
            not_before: root.not_before(),
            not_after: root.not_after(),
        };
        let der = intermediate.signed_by(decode(slow, None).public_key(), &root, &root_key).unwrap();
        std::fs::write(fixture.file("certs/intermediate_ca.crt"), pem::encode("CERTIFICATE", &der)).unwrap();
        std::fs::write(fixture.file("secrets/intermediate_ca_key"), slow).unwrap();
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_stepless")), fixture, options)
    }

    /// With few files to open.
    pub(crate) fn start_with_files(files: u32, options: &str) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files} && exec \"$@\"");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_stepless")]);
        Self::start_as(command, Fixture::copy("mosaic"), options)
    }

    fn start_as(mut command: Command, fixture: Fixture, options: &str) -> Self {
        command.args("serve ca.json --password-file secrets/password.txt --address 127.0.0.1:0".split(' '));
        command.args(options.split_whitespace()).current_dir(fixture.path()).stdin(Stdio::null());
        command.env("STEPPATH", fixture.path()).env_remove("STEPLESS_LOG");
        let daemon = Daemon::start(command).unwrap_or_else(|said| panic!("{said}"));
        let client = Client::new(([127, 0, 0, 1], daemon.port).into(), &fixture.root_pem());
        Self { daemon, client, requests: Requests::new(&fixture), fixture }
    }

    /// A figure of the process in KiB, such as `VmRSS` (proc_pid_status(5)).
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    }
}

/// A server in this process, whose limits can be anything, and whose clock can be set.
pub(crate) struct Short {
    pub(crate) client: Client,
    pub(crate) requests: Requests,
    pub(crate) runtime: Runtime,
    stop: tokio::sync::watch::Sender<bool>,
    /// Last, since it tells at its end what has panicked.
    pub(crate) local: Local,
}

impl Short {
    pub(crate) fn start(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let (local, runtime) = (Local::start("mosaic"), runtime());
        let options = RouterOptions::development().with_limits(limits);
        let server = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), options);
        let server = runtime.block_on(server).unwrap();
        let client = Client::new(server.local_address().unwrap(), &local.fixture.root_pem());
        let (stop, stopped) = tokio::sync::watch::channel(false);
        runtime.spawn(server.serve(stopped));
        let requests = Requests::new(&local.fixture);
        Self { client, requests, runtime, stop, local }
    }

    /// Tells the server to stop, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(DEADLINE, future).await.expect("it hangs") })
    }
}

/// Requests to sign, each with a token of its own and one key for all.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    csr: String,
    key: Value,
}

impl Requests {
    fn new(fixture: &Fixture) -> Self {
        Self { csr: Csr::new("a.example", &["a.example"]).pem, key: fixture.provisioner_key("plain") }
    }

    pub(crate) fn sign(&self) -> Bytes {
        let ott = token::mint(&self.key, &token::claims("plain", "a.example"));
        json!({ "csr": self.csr, "ott": ott }).to_string().into()
    }
}

/// Opens connections to a server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    roots: Arc<RootCertStore>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Nobody listens, or nobody has accepted: nothing was sent.
    Refused,
    /// The request was sent, and the connection ended.
    Lost,
    /// It was not taken, and may be sent elsewhere: the connection had ended before, or over HTTP/2 the server has said
    /// so with GOAWAY or REFUSED_STREAM (RFC 9113 sections 6.8 and 8.7).
    GoneAway,
}

/// An answer: status, `Retry-After`, the refusal's code, body, and whether it is the last on its connection.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) refusal: Option<String>,
    pub(crate) text: String,
    pub(crate) last: bool,
}

impl Client {
    fn new(address: SocketAddr, roots: &str) -> Self {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root.unwrap()).unwrap();
        }
        Self { address, roots: Arc::new(store) }
    }

    /// A connection on which `protocol` is spoken; full handshakes only.
    pub(crate) async fn tls(&self, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.shake_hands(TcpStream::connect(self.address).await?, protocol).await
    }

    /// One whose window for answers is as small as the system lets it be.
    pub(crate) async fn narrow(&self, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(1)?;
        self.shake_hands(socket.connect(self.address).await?, protocol).await
    }

    async fn shake_hands(&self, stream: TcpStream, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        stream.set_nodelay(true)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub(crate) async fn http1(&self) -> Result<Kept, Failure> {
        let stream = self.tls("http/1.1").await.map_err(|_| Failure::Refused)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(Kept::Http1(sender))
    }

    pub(crate) async fn http2(&self) -> Result<Kept, Failure> {
        let stream = self.tls("h2").await.map_err(|_| Failure::Refused)?;
        let made = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|_| Failure::Refused)?;
        tokio::spawn(connection);
        Ok(Kept::Http2(sender))
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Bytes) -> Result<Answer, Failure> {
        self.http1().await?.send(method, path, body).await
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) enum Kept {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Kept {
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let request = hyper::Request::builder().method(method);
        let answer = match self {
            Self::Http1(sender) => {
                let request = request.uri(path).header("host", "localhost").body(Full::new(body)).unwrap();
                sender.ready().await.map_err(|_| Failure::GoneAway)?;
                sender.send_request(request).await.map_err(|_| Failure::Lost)?
            }
            Self::Http2(sender) => {
                let uri = format!("https://localhost{path}");
                let request = request.uri(uri).body(Full::new(body)).unwrap();
                sender.ready().await.map_err(|_| Failure::GoneAway)?;
                sender.send_request(request).await.map_err(|error| untaken(&error))?
            }
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, last) = (answer.status().as_u16(), header("connection") == Some("close"));
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let refusal = header("x-stepless-refusal").map(str::to_owned);
        let body = answer.into_body().collect().await.map_err(|_| Failure::Lost)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, retry_after, refusal, text, last })
    }
}

/// Whether a request over HTTP/2 that got no answer is known not to have been taken.
fn untaken(error: &hyper::Error) -> Failure {
    let reason = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    let refused = reason.is_some_and(|error| match error.reason() {
        Some(h2::Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        reason => reason == Some(h2::Reason::REFUSED_STREAM),
    });
    // Cancelled: it has not been sent.
    if refused || error.is_canceled() { Failure::GoneAway } else { Failure::Lost }
}

/// How long answers took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, begun: Instant) {
        self.0.push(begun.elapsed());
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn at(&self, percent: usize) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }

    pub(crate) fn figures(&self) -> String {
        let [p50, p99, max] = [50, 99, 100].map(|percent| self.at(percent).as_secs_f64() * 1000.0);
        format!("{} answers, p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms", self.count())
    }
}
