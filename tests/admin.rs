//! What operators and people see: pages, metrics, readiness, and who is kept from them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use common::https::Client;
use common::https::Request;
use common::local::Local;
use common::local::block_on;
use regex::Regex;
use serde_json::json;
use stepless::clock::Clock as _;
use stepless::http::RouterOptions;
use stepless::http::server::Server;
use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::Outcome;
use stepless::store::Store as _;
use stepless::x509::serial::SerialNumber;
use tokio::sync::watch;

/// A server with the listener for operators.
struct Operated {
    local: Local,
    client: Client,
    admin: std::net::SocketAddr,
    _stop: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
}

impl Operated {
    fn start() -> Self {
        let local = Local::start("mosaic");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let bound = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), RouterOptions::default());
            bound.await.unwrap().with_admin("127.0.0.1:0").await.unwrap()
        });
        let (admin, https) = (server.admin_local_address().unwrap(), server.local_address().unwrap());
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(server.serve(stopped));
        let client = Client::new(https, &local.fixture.root_pem());
        Self { local, client, admin, _stop: stop, _runtime: runtime }
    }

    /// Head and body of an answer.
    fn get_as(&self, path: &str, host: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> String {
        let (head, body) = self.get_as(path, "127.0.0.1");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        body
    }

    /// Records a certificate as if it had been issued.
    fn record(&self, serial: u64, subject: &str) {
        let now = self.local.clock.now().unix_timestamp();
        let certificate = CertificateRecord {
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
        };
        let commit = Commit { certificate: Some(certificate), ..Commit::default() };
        assert_eq!(block_on(self.local.store.commit(commit)).unwrap(), Outcome::Recorded);
    }
}

#[test]
fn hostile_names_are_text_and_nothing_comes_from_elsewhere() {
    let ca = Operated::start();
    ca.record(7, "<script>alert(1)</script>\" onload=x");
    for path in
        ["/", "/certificates", "/certificates?q=%3Cscript%3E", "/certificates/7", "/revoked", "/refusals"]
    {
        let (head, body) = ca.get_as(path, "localhost:1");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none'; style-src 'self'"), "{head}");
        assert!(!body.contains("<script") && !body.contains("<b>"), "{path}: {body}");
        assert!(
            !body.contains("://") && !body.contains("style=") && !body.contains("src="),
            "{path}: {body}"
        );
    }
    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=x";
    for path in ["/", "/certificates?q=ALERT", "/certificates?q=3F2504E0-4f89-41d3-9a0c-0305e82c3301"] {
        assert!(ca.get(path).contains(shown), "{path}");
    }
    assert!(ca.get("/certificates?q=nobody").contains("None."));
    assert!(ca.get_as("/certificates/8", "[::1]").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn other_hosts_are_refused() {
    let ca = Operated::start();
    for host in ["evil.example", "10.0.0.1:9444", ""] {
        let (head, body) = ca.get_as("/metrics", host);
        assert!(head.starts_with("HTTP/1.1 421") && !body.contains("stepless_"), "{host}: {head}");
    }
    let local = Local::start("mosaic");
    for address in ["0.0.0.0:0", "[::]:0", ":9444", "192.0.2.1:0", "127.0.0.1"] {
        let error = block_on(async {
            let server = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), RouterOptions::default());
            server.await.unwrap().with_admin(address).await.unwrap_err().to_string()
        });
        assert!(error.contains("has to be a loopback address"), "{error}");
    }
}

#[test]
fn refusals_are_counted_and_told_without_the_token() {
    let ca = Operated::start();
    let secret = "planted-secret-token";
    let body = json!({"csr": "nonsense", "ott": secret});
    let answer = ca.client.send(&Request::post("/1.0/sign", &body)).unwrap();
    assert_eq!(answer.status, 400);
    let refusals = ca.get("/refusals");
    assert!(refusals.contains("csr.malformed") && refusals.contains("400 /sign"), "{refusals}");
    let metrics = ca.get("/metrics");
    for line in [
        "stepless_http_requests_total{route=\"/sign\",status=\"400\"} 1\n",
        "stepless_refusals_total{code=\"csr.malformed\"} 1\n",
        "stepless_http_request_duration_seconds_count{route=\"/sign\"} 1\n",
        "stepless_certificates_issued_total 0\n",
        "stepless_store_up 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    let sample =
        Regex::new(r#"^[a-z_]+(\{[a-z0-9_]+="[^"]*"(,[a-z0-9_]+="[^"]*")*\})? [0-9]+(\.[0-9]+)?$"#).unwrap();
    let comment = Regex::new("^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))$").unwrap();
    for line in metrics.lines() {
        assert!(sample.is_match(line) || comment.is_match(line), "{line}");
    }
    for page in ["/", "/refusals", "/metrics", "/certificates"] {
        assert!(!ca.get(page).contains(secret), "{page}");
    }
    assert_eq!(ca.get("/ready"), "{\"status\":\"ok\"}\n");
    assert_eq!(ca.get("/health"), "{\"status\":\"ok\"}\n");
}

#[test]
fn the_page_for_people_is_for_browsers_alone() {
    let ca = Operated::start();
    let ask = |path: &str, accept: Option<&str>| {
        let mut request = Request::get(path);
        request.headers.extend(accept.map(|accept| ("Accept".to_owned(), accept.to_owned())));
        ca.client.send(&request).unwrap()
    };
    for accept in [None, Some("*/*"), Some("application/json")] {
        let answer = ask("/", accept);
        assert_eq!((answer.status, answer.text().as_str()), (404, "404 page not found\n"), "{accept:?}");
        assert_eq!(answer.header("content-security-policy"), None);
    }
    let answer = ask("/", Some("text/html,*/*;q=0.8"));
    let root = &ca.local.authority.config().roots[0];
    let fingerprint: String = root.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(answer.text().contains(&fingerprint), "{}", answer.text());
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(ask("/root.der", Some("text/html,*/*;q=0.8")).body, root.der());
    assert_eq!(ask("/style.css", Some("text/css,*/*;q=0.1")).status, 200);
    for path in ["/root.der", "/style.css"] {
        assert_eq!(ask(path, None).status, 404, "{path}");
    }
}
