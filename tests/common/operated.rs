//! A server in this process with the listener for operators, and records in its store.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;

use stepless::clock::Clock as _;
use stepless::http::RouterOptions;
use stepless::http::server::Server;
use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::Outcome;
use stepless::store::Revocation;
use stepless::store::Store as _;
use stepless::x509::serial::SerialNumber;
use tokio::sync::watch;

use super::https::Client;
use super::local::Local;
use super::local::block_on;

/// A server with the listener for operators.
pub(crate) struct Operated {
    pub(crate) local: Local,
    pub(crate) client: Client,
    /// The listener for operators.
    pub(crate) admin: SocketAddr,
    /// The authority's own.
    pub(crate) https: SocketAddr,
    _stop: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
}

impl Operated {
    pub(crate) fn start() -> Self {
        let local = Local::start("mosaic");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(async {
            let bound = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), RouterOptions::default());
            bound.await.expect("a server").with_admin("127.0.0.1:0").await.expect("a listener")
        });
        let admin = server.admin_local_address().expect("it listens");
        let https = server.local_address().expect("it listens");
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(server.serve(stopped));
        let client = Client::new(https, &local.fixture.root_pem());
        Self { local, client, admin, https, _stop: stop, _runtime: runtime }
    }

    /// Head and body of an answer to operators.
    pub(crate) fn get_as(&self, path: &str, host: &str) -> (String, String) {
        get(self.admin, path, host)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let (head, body) = self.get_as(path, "127.0.0.1");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        body
    }

    /// A record of a certificate that ends in ten minutes, as if it had just been issued.
    pub(crate) fn certificate(&self, serial: u64, subject: &str) -> CertificateRecord {
        let now = self.local.clock.now().unix_timestamp();
        CertificateRecord {
            serial: SerialNumber::from(serial),
            der: vec![0],
            not_before: now,
            not_after: now + 600,
            subject: subject.to_owned(),
            provisioner: "<b>mosaic</b>".to_owned(),
            provisioner_id: "mosaic:key".to_owned(),
            grant_id: Some("3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned()),
            subject_user_id: None,
            issued_at: now,
            request_id: "\"><script>".to_owned(),
        }
    }

    /// Records a certificate.
    pub(crate) fn record(&self, certificate: CertificateRecord) {
        let commit = Commit { certificate: Some(certificate), ..Commit::default() };
        assert_eq!(block_on(self.local.store.commit(commit)).expect("a store"), Outcome::Recorded);
    }

    /// Records a revocation.
    pub(crate) fn revoke(&self, serial: u64, reason_code: u8, reason: &str) {
        let revocation = Revocation {
            serial: SerialNumber::from(serial),
            revoked_at: self.local.clock.now().unix_timestamp(),
            reason_code,
            reason: reason.to_owned(),
            expires_at: None,
            provisioner_id: None,
            request_id: String::new(),
        };
        let commit = Commit { revocation: Some(revocation), ..Commit::default() };
        assert_eq!(block_on(self.local.store.commit(commit)).expect("a store"), Outcome::Recorded);
    }
}

/// Head and body of an answer over plain HTTP.
pub(crate) fn get(address: SocketAddr, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it listens");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}
