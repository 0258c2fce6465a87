//! Sends requests over a number of kept connections, and keeps each answer and its time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use serde_json::Value;
use stepless::x509::certificate::Certificate;
use stepless::x509::oid::Oid;
use stepless::x509::pem;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::requests;
use crate::requests::Request;

pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
}

/// The answers of a run, in the order of the requests.
pub(crate) struct Run {
    answers: Vec<(Duration, u16, Bytes)>,
    took: Duration,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, root_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for block in pem::Blocks::new(root_pem.as_bytes()) {
            roots.add(CertificateDer::from(block.content.to_vec())).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Every connection is a new one, not a resumed one.
        config.resumption = rustls::client::Resumption::disabled();
        Self { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// None if nobody answers.
    async fn try_open(&self) -> Option<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = self.tls.connect(name, stream).await.ok()?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(sender)
    }

    async fn open(&self) -> SendRequest<Full<Bytes>> {
        self.try_open().await.expect("a connection")
    }

    /// Whether it answers that it is well.
    pub(crate) async fn is_answered(&self) -> bool {
        let Some(mut sender) = self.try_open().await else { return false };
        send(&mut sender, "GET", "/health", Bytes::new()).await.0 == 200
    }

    /// Opens and closes connections one after another, asking each for its health.
    pub(crate) async fn connect(&self, count: usize) {
        for _ in 0..count {
            assert!(self.is_answered().await);
        }
    }

    /// Sends all requests, as many at once as there are connections.
    pub(crate) async fn run(&self, requests: &[Request], connections: usize) -> Run {
        let bodies: Arc<Vec<Bytes>> = Arc::new(requests.iter().map(|request| request.body.clone()).collect());
        let next = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        for _ in 0..connections {
            senders.push(self.open().await);
        }
        let begun = Instant::now();
        let tasks: Vec<_> = senders
            .into_iter()
            .map(|mut sender| {
                let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut answers = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(body) = bodies.get(index) else { return answers };
                        let sent = Instant::now();
                        let (status, body) = send(&mut sender, "POST", "/1.0/sign", body.clone()).await;
                        answers.push((index, (sent.elapsed(), status, body)));
                    }
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.extend(task.await.expect("a task"));
        }
        let took = begun.elapsed();
        answers.sort_by_key(|(index, _)| *index);
        Run { answers: answers.into_iter().map(|(_, answer)| answer).collect(), took }
    }
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, method: &str, path: &str, body: Bytes) -> (u16, Bytes) {
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(body))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.expect("a body").to_bytes())
}

impl Run {
    /// Certificates a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.took.as_secs_f64()
    }

    /// A percentile of the time that an answer took, in milliseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let mut times: Vec<Duration> = self.answers.iter().map(|(time, _, _)| *time).collect();
        times.sort();
        let rank = (percent / 100.0 * times.len() as f64).ceil() as usize;
        times[rank.clamp(1, times.len()) - 1].as_secs_f64() * 1e3
    }

    /// Each answer is a certificate of the issuer for the name and the grant that were asked for.
    pub(crate) fn check(&self, requests: &[Request]) {
        assert_eq!(self.answers.len(), requests.len());
        let share = requests.len().div_ceil(requests::threads()).max(1);
        std::thread::scope(|scope| {
            for (answers, requests) in self.answers.chunks(share).zip(requests.chunks(share)) {
                scope.spawn(move || {
                    for ((_, status, body), request) in answers.iter().zip(requests) {
                        check(*status, body, request);
                    }
                });
            }
        });
    }
}

fn check(status: u16, body: &[u8], request: &Request) {
    let oid = Oid::parse("1.3.6.1.4.1.99999.1").expect("an OID");
    let parse = |text: &Value| {
        let block = pem::decode_first(text.as_str().expect("text")).expect("PEM");
        Certificate::parse(&block.content).expect("a certificate")
    };
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(body));
    let answer: Value = serde_json::from_slice(body).expect("JSON");
    let (leaf, issuer) = (parse(&answer["crt"]), parse(&answer["ca"]));
    leaf.verify_signature(&issuer.public_key().expect("a key")).expect("a signature of the issuer");
    assert_eq!(leaf.common_name().as_deref(), Some(request.name.as_str()));
    let extension = leaf.extension(&oid).expect("the grant extension");
    assert_eq!(extension.value, [b"\x0c\x24", request.grant.as_bytes()].concat());
}
