//! What operators and people see: pages, metrics, readiness, and who is kept from them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::binary::Daemon;
use common::binary::Desk;
use common::https::Request;
use common::local::Local;
use common::local::block_on;
use common::operated;
use common::operated::Operated;
use common::prometheus::Metrics;
use common::token;
use serde_json::json;
use stepless::http::RouterOptions;
use stepless::http::server::Server;

#[test]
fn hostile_names_are_text_and_nothing_comes_from_elsewhere() {
    let ca = Operated::start();
    ca.record(ca.certificate(7, "<script>alert(1)</script>\" onload=x"));
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
    for page in ["/", "/refusals", "/metrics", "/certificates"] {
        assert!(!ca.get(page).contains(secret), "{page}");
    }
    Metrics::parse(&metrics);
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

/// A daemon on a directory of its own, with a CRL and a listener for operators.
struct Attended {
    desk: Desk,
    daemon: Daemon,
    admin: SocketAddr,
}

impl Attended {
    fn start() -> Self {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        assert_eq!(desk.run("init --dir ca --password-file password").code, Some(0));
        desk.replace("ca/config/ca.json", "\"db\":", "\"crl\": {\"enabled\": true}, \"db\":");
        let (daemon, admin) = Self::serve(&desk);
        Self { desk, daemon, admin }
    }

    fn serve(desk: &Desk) -> (Daemon, SocketAddr) {
        let daemon = desk.serve(
            "serve ca/config/ca.json --password-file password --address 127.0.0.1:0 --admin 127.0.0.1:0",
        );
        let log = daemon.log_with("Serving operators on http://");
        let address = log.split("Serving operators on http://").nth(1).unwrap().lines().next().unwrap();
        let admin = address.parse().unwrap();
        (daemon, admin)
    }

    fn restart(&mut self) {
        assert_eq!(self.daemon.signal("TERM").code(), Some(0));
        (self.daemon, self.admin) = Self::serve(&self.desk);
    }

    fn get(&self, path: &str) -> (String, String) {
        operated::get(self.admin, path, "localhost")
    }

    fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").1)
    }
}

#[test]
fn counters_survive_a_reload() {
    let ca = Attended::start();
    let client = ca.daemon.client(&ca.desk.file("ca/certs/root_ca.crt"));
    let refused = || {
        let answer = client.send(&Request::post("/1.0/sign", &json!({"csr": "x", "ott": "x"}))).unwrap();
        assert_eq!(answer.status, 400);
    };
    refused();
    let before = ca.metrics();
    ca.daemon.tell("HUP");
    assert!(ca.daemon.log_with("the new configuration is in service").contains("is in service"));
    refused();
    let after = ca.metrics();
    let refusals = |metrics: &Metrics| metrics.value("stepless_refusals_total", &[("code", "csr.malformed")]);
    assert_eq!((refusals(&before), refusals(&after)), (Some(1.0), Some(2.0)));
    let started = |metrics: &Metrics| metrics.value("stepless_start_time_seconds", &[]);
    assert_eq!(started(&before), started(&after));
    assert_eq!(ca.get("/refusals").1.matches("<strong>csr.malformed</strong>").count(), 2);
}

#[test]
fn refusals_are_told_after_a_restart() {
    let mut ca = Attended::start();
    let client = ca.daemon.client(&ca.desk.file("ca/certs/root_ca.crt"));
    let too_large = "x".repeat(2 << 20);
    for csr in ["x", &too_large] {
        client.send(&Request::post("/1.0/sign", &json!({"csr": csr, "ott": "x"}))).unwrap();
    }
    let page = ca.get("/refusals").1;
    // Each once, also the one that did not reach the authority.
    assert_eq!(page.matches("400 /sign").count(), 1, "{page}");
    assert_eq!(page.matches("<strong>request.too_large</strong>").count(), 1, "{page}");
    ca.restart();
    let page = ca.get("/refusals").1;
    assert_eq!(page.matches("<strong>csr.malformed</strong>").count(), 1, "{page}");
    assert!(!page.contains("request.too_large") && !page.contains("Since the start"), "{page}");
}

#[test]
fn metrics_agree_with_each_other() {
    let ca = Attended::start();
    let client = ca.daemon.client(&ca.desk.file("ca/certs/root_ca.crt"));
    for path in ["/health", "/roots", "/provisioners", "/nowhere", "/health", "/crl"] {
        client.send(&Request::get(path)).unwrap();
    }
    let metrics = ca.metrics();
    let mut routes = 0;
    for (labels, count) in metrics.all("stepless_http_request_duration_seconds_count") {
        let route = labels["route"].as_str();
        let answers =
            metrics.all("stepless_http_requests_total").filter(|(labels, _)| labels["route"] == route);
        assert_eq!(answers.map(|(_, count)| count).sum::<f64>(), count, "{route}");
        let buckets: Vec<f64> = metrics
            .all("stepless_http_request_duration_seconds_bucket")
            .filter(|(labels, _)| labels["route"] == route)
            .map(|(_, count)| count)
            .collect();
        assert!(buckets.is_sorted() && buckets.len() == 13, "{route}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&count), "{route}");
        routes += 1;
    }
    assert_eq!(routes, 5);
    // The first CRL has the number 0, and holds for a day.
    assert_eq!(metrics.value("stepless_crl_number", &[]), Some(0.0));
    let now = f64::from(u32::try_from(token::now()).unwrap());
    let next = metrics.value("stepless_crl_next_update_timestamp_seconds", &[]).unwrap();
    assert!((next - now - 86_400.0).abs() < 60.0, "{next}");
    let ends: Vec<(String, f64)> = metrics
        .all("stepless_certificate_expiry_timestamp_seconds")
        .map(|(labels, end)| (labels["certificate"].clone(), end))
        .collect();
    for (name, days) in [("root", 3650.0), ("intermediate", 3650.0), ("server", 1.0)] {
        let end = ends.iter().find(|(other, _)| other == name).unwrap().1;
        assert!((end - now - days * 86_400.0).abs() < 120.0, "{name}: {end}");
    }
}

#[test]
fn a_store_that_is_gone_shows_at_once() {
    let ca = Attended::start();
    assert!(ca.get("/ready").0.starts_with("HTTP/1.1 200"));
    let database = ca.desk.file("ca/db/stepless.db");
    std::fs::rename(&database, ca.desk.file("ca/db/elsewhere.db")).unwrap();
    let (head, body) = ca.get("/ready");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], "unavailable");
    assert!(body["reason"].as_str().unwrap().contains("stepless.db"), "{body}");
    let metrics = ca.metrics();
    assert_eq!(metrics.value("stepless_store_up", &[]), Some(0.0));
    assert_eq!(metrics.value("stepless_crl_number", &[]), None);
    // The process itself serves on, and says so; the pages say what is wrong.
    assert!(ca.get("/health").0.starts_with("HTTP/1.1 200"));
    for path in ["/", "/certificates", "/revoked"] {
        assert!(ca.get(path).1.contains("<p class=\"bad\">"), "{path}");
    }
    std::fs::rename(ca.desk.file("ca/db/elsewhere.db"), &database).unwrap();
    assert!(ca.get("/ready").0.starts_with("HTTP/1.1 200"));
}
