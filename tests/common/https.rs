//! A blocking HTTPS client that trusts what it is given, and shows an answer byte for byte.
//!
//! HTTP/1.1, no redirects: nothing between a test and the wire. One connection a request, unless it is [`Kept`].

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::StreamOwned;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject as _;

/// Longer than any server keeps a request waiting: both close a stalled one after 15 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection left alone for this long is not used again: servers close it after 15 s, and a request sent then
/// would be lost without anybody's fault.
const IDLE: Duration = Duration::from_secs(5);

/// Sends requests to one CA.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    address: SocketAddr,
    name: ServerName<'static>,
}

/// Sends requests to one CA on connections that stay open, one for each request that is under way.
#[derive(Debug)]
pub(crate) struct Kept {
    client: Client,
    /// With the time of their last answers.
    idle: Mutex<Vec<(Instant, Connection)>>,
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A request, headers in the order they are sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunked: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody listens.
    Refused,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended without an answer.
    Closed,
}

impl Request {
    /// A GET without headers.
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET".into(), path: path.into(), ..Self::default() }
    }

    /// A POST of JSON.
    pub(crate) fn post(path: &str, body: &serde_json::Value) -> Self {
        Self {
            method: "POST".into(),
            path: path.into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
            chunked: false,
        }
    }
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Believes every server certificate, and whoever holds its key.
#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

impl Client {
    /// A client that connects to `address` as `localhost` and trusts the certificates in `roots`, PEM.
    pub(crate) fn new(address: SocketAddr, roots: &str) -> Self {
        Self::with_certificate(address, roots, ring::default_provider(), rustls::ALL_VERSIONS, None)
    }

    /// A client that connects to `address` as `localhost` and believes whoever answers.
    pub(crate) fn unverified(address: SocketAddr) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Believer))
            .with_no_client_auth();
        Self { config: Arc::new(config), address, name: ServerName::try_from("localhost").expect("a name") }
    }

    /// A client that shows a certificate of its own, if the server asks for one.
    pub(crate) fn with_certificate(
        address: SocketAddr,
        roots: &str,
        provider: rustls::crypto::CryptoProvider,
        versions: &[&'static rustls::SupportedProtocolVersion],
        certificate: Option<Arc<dyn ResolvesClientCert>>,
    ) -> Self {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root.expect("roots are PEM")).expect("a root can be a trust anchor");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("ring has the versions")
            .with_root_certificates(store);
        let config = match certificate {
            Some(certificate) => config.with_client_cert_resolver(certificate),
            None => config.with_no_client_auth(),
        };
        Self {
            config: Arc::new(config),
            address,
            name: ServerName::try_from("localhost").expect("localhost is a name"),
        }
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(|_| Failure::Refused)?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        socket.set_nodelay(true).expect("a socket takes an option");
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .expect("the configuration is complete");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|_| Failure::Tls)?;
        }
        Ok(stream)
    }

    /// Sends one request and reads the whole answer.
    pub(crate) fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let mut stream = self.connect()?;
        // A server may refuse a body while it is still being sent: what it answered is then what counts.
        let _ = stream.write_all(&serialize(request, self.address, "close"));
        let _ = stream.flush();
        receive(&mut stream, request)
    }

    /// Sends one request without TLS and reads the whole answer.
    pub(crate) fn send_plain(address: SocketAddr, request: &Request) -> Result<Answer, Failure> {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE).map_err(|_| Failure::Refused)?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        let _ = socket.write_all(&serialize(request, address, "close"));
        receive(&mut socket, request)
    }
}

fn receive(stream: &mut impl Read, request: &Request) -> Result<Answer, Failure> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
        Err(_) if !bytes.is_empty() => {}
        Err(_) => return Err(Failure::Closed),
    }
    parse(&bytes, request.method == "HEAD").ok_or(Failure::Closed)
}

impl Kept {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, idle: Mutex::default() }
    }

    /// Closes what nobody uses.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn send_apart(&self, request: &Request) -> Result<Answer, Failure> {
        self.client.send(request)
    }

    /// Sends one request and reads the whole answer, which must tell its own length.
    pub(crate) fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match idle.filter(|(since, _)| since.elapsed() < IDLE) {
            Some((_, stream)) => stream,
            None => self.client.connect()?,
        };
        let sent = serialize(request, self.client.address, "keep-alive");
        stream.write_all(&sent).and_then(|()| stream.flush()).map_err(|_| Failure::Closed)?;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 1 << 14]);
        let answer = loop {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return Err(Failure::Closed),
                Ok(length) => bytes.extend(&buffer[..length]),
            }
            let told = |answer: &Answer| {
                answer.header("content-length").or(answer.header("transfer-encoding")).is_some()
            };
            if let Some(answer) = parse(&bytes, request.method == "HEAD").filter(told) {
                break answer;
            }
        };
        if answer.header("connection") != Some("close") {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push((Instant::now(), stream));
        }
        Ok(answer)
    }
}

fn serialize(request: &Request, address: SocketAddr, connection: &str) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: {connection}\r\n",
        request.method,
        request.path,
        address.port()
    );
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut bytes;
    if request.chunked {
        head += "Transfer-Encoding: chunked\r\n\r\n";
        bytes = head.into_bytes();
        for chunk in request.body.chunks(100) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
    } else {
        if !request.body.is_empty() || request.method == "POST" {
            head += &format!("Content-Length: {}\r\n", request.body.len());
        }
        head += "\r\n";
        bytes = head.into_bytes();
        bytes.extend(&request.body);
    }
    bytes
}

/// Reads an answer that ends with the connection; interim answers (RFC 9110 section 15.2) are skipped.
fn parse(bytes: &[u8], no_body: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let rest = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if (100..200).contains(&status) {
        return parse(rest, no_body);
    }
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    if !no_body {
        answer.body = if answer.header("transfer-encoding") == Some("chunked") {
            dechunk(rest)?
        } else {
            let length =
                answer.header("content-length").map_or(Some(rest.len()), |length| length.parse().ok())?;
            rest.get(..length)?.to_vec()
        };
    }
    Some(answer)
}

fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        bytes = &bytes[end + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend(bytes.get(..length)?);
        bytes = bytes.get(length + 2..)?;
    }
}
