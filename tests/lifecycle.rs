//! The life of the daemon: what it starts on, what it forgets, how it changes and how it ends (CONTRACT.md section 12).

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::Read as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::Outcome;
use common::https::Request;
use common::local::Local;
use stepless::clock::Clock as _;
use stepless::http::RouterOptions;
use stepless::http::server::Server;

const LINE: &str = "serve ca/config/ca.json --password-file password --address 127.0.0.1:0";
const CA_JSON: &str = "ca/config/ca.json";

fn authority() -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    let made = desk.run("init --dir ca --password-file password");
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    desk
}

/// Puts members into ca.json.
fn configure(desk: &Desk, members: &str) {
    desk.replace(CA_JSON, "\"federatedRoots\"", &format!("{members},\"federatedRoots\""));
}

/// It does not start, for this reason and with this advice.
#[track_caller]
fn refused(outcome: &Outcome, code: i32, message: &str, hint: &str) {
    let expected = format!("error: {message}\nhint: {hint}\n");
    assert!(outcome.stderr.ends_with(&expected), "{}--- not\n{expected}", outcome.stderr);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""));
}

/// Starts, and returns all that it said until it was stopped.
fn started(desk: &Desk, line: &str) -> String {
    let mut daemon = desk.serve(line);
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    daemon.log()
}

mod database {
    use super::*;

    const UNREAD: &str =
        "warning: step-ca's records in DESK/ca/db are not read: what was revoked there is not revoked here\n";

    fn said(desk: &Desk, line: &str) -> String {
        started(desk, line).replace(desk.path().to_str().unwrap(), "DESK")
    }

    /// What step-ca leaves in its folder at its first start.
    fn let_step_ca_have_run(desk: &Desk) {
        desk.write("ca/db/MANIFEST", "");
        desk.write("ca/db/000001.vlog", "");
    }

    #[test]
    fn records_of_step_ca_are_not_read_and_that_is_said() {
        let desk = authority();
        let fresh = said(&desk, LINE);
        assert!(!fresh.contains("warning"), "{fresh}");
        let_step_ca_have_run(&desk);
        for _ in 0..2 {
            let log = said(&desk, LINE);
            assert!(log.contains(UNREAD), "{log}");
        }
        // Not even a quiet start keeps that to itself.
        let quiet = said(&desk, &format!("{LINE} --quiet"));
        assert!(quiet.contains("are not read: what was revoked there"), "{quiet}");
        desk.replace(CA_JSON, "\"authority\": {", "\"authority\": {\"disableIssuedAtCheck\": true,");
        let log = said(&desk, LINE);
        assert!(log.contains("are not read: tokens used there can be used again here\n"), "{log}");
        assert_eq!(
            (desk.read("ca/db/MANIFEST"), desk.read("ca/db/000001.vlog")),
            (String::new(), String::new())
        );
    }

    #[test]
    fn a_revocation_list_is_not_begun_anew_unasked() {
        let desk = authority();
        let_step_ca_have_run(&desk);
        configure(&desk, "\"crl\":{\"enabled\":true}");
        refused(
            &desk.run(LINE),
            2,
            "step-ca's records in DESK/ca/db are not read: the revocation list would lack what was revoked there",
            "to go on without them, start once with --forget-database: records are kept in DESK/ca/db/stepless.db",
        );
        assert!(said(&desk, &format!("{LINE} --forget-database")).contains(UNREAD));
        // The word was given once.
        assert!(said(&desk, LINE).contains(UNREAD));
    }

    #[test]
    fn a_database_on_a_server_is_left_behind_once_that_is_said() {
        let desk = authority();
        desk.replace(CA_JSON, "badgerv2", "mysql");
        let source = format!("\"dataSource\": \"{}/ca/db\"", desk.path().display());
        desk.replace(CA_JSON, &source, "\"dataSource\": \"ca:hunter2@tcp(db.example)/\"");
        let refusal = desk.run(LINE);
        refused(
            &refusal,
            2,
            "a db of type mysql is not offered, and step-ca's records on that server would be forgotten",
            "to go on without them, start once with --forget-database: records are kept in ca/db/stepless.db",
        );
        assert!(!refusal.stderr.contains("hunter2") && !desk.file("ca/db/stepless.db").exists());
        for line in [&format!("{LINE} --forget-database"), LINE] {
            let log = said(&desk, line);
            let warning = "warning: step-ca's records on that server are not read: what was revoked there is not revoked here\n";
            assert!(log.contains(warning), "{log}");
            assert!(
                log.contains("Records are kept in ca/db/stepless.db\n") && !log.contains("hunter2"),
                "{log}"
            );
        }
    }

    #[test]
    fn records_are_moved_aside_not_deleted() {
        let desk = authority();
        let forget = format!("{LINE} --forget-database");
        assert!(!said(&desk, &forget).contains("warning"));
        let before = std::fs::read(desk.file("ca/db/stepless.db")).unwrap();
        for number in 1..3 {
            let log = said(&desk, &forget);
            let aside = format!("DESK/ca/db/stepless.db.forgotten-{number}\n");
            assert!(
                log.contains(&format!("warning: the records of before are forgotten; they lie in {aside}")),
                "{log}"
            );
        }
        assert!(before == std::fs::read(desk.file("ca/db/stepless.db.forgotten-1")).unwrap());
        // Not under a daemon that runs.
        let daemon = desk.serve(LINE);
        let id = daemon.id();
        refused(
            &desk.run(&forget),
            2,
            &format!("database \"DESK/ca/db/stepless.db\" is in use by process {id}"),
            "stop the other process, or name another file: one process serves one database",
        );
        drop(daemon);
        std::fs::write(desk.file("ca/db/stepless.db"), "no database at all").unwrap();
        refused(
            &desk.run(LINE),
            2,
            "\"DESK/ca/db/stepless.db\" is not a database",
            "leave that file alone and name another one",
        );
        let config = desk.read(CA_JSON);
        desk.write(CA_JSON, &config.replace("\"db\":", "\"nodb\":"));
        refused(
            &desk.run(&forget),
            1,
            "--forget-database is about records, and ca.json has no db",
            "leave the option out",
        );
    }
}

mod options {
    use super::*;

    #[test]
    fn a_pid_file_stands_while_it_serves() {
        let desk = authority();
        let line = format!("{LINE} --pidfile pid");
        let mut daemon = desk.serve(&line);
        assert_eq!(desk.read("pid"), format!("{}\n", daemon.id()));
        // A second one fails, and leaves the first one's alone.
        assert_eq!(desk.run(&line).code, Some(2));
        assert_eq!(desk.read("pid"), format!("{}\n", daemon.id()));
        assert_eq!(daemon.signal("TERM").code(), Some(0));
        assert!(!desk.file("pid").exists());
        let nowhere = desk.run(&format!("{LINE} --pidfile nowhere/pid"));
        refused(&nowhere, 2, "cannot write nowhere/pid: no such file or directory", "check the path");
    }

    #[test]
    fn contexts_and_resolvers_are_taken_as_step_ca_does() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        let made =
            desk.run("init --dir .step/authorities/two --password-file password --address 127.0.0.1:0");
        assert_eq!(made.code, Some(0));
        desk.write(".step/contexts.json", r#"{"second":{"authority":"two","profile":"two"}}"#);
        let log = started(&desk, "--context second --resolver 127.0.0.1:53 --password-file password");
        assert!(log.contains(".step/authorities/two/config/ca.json\n"), "{log}");
        refused(
            &desk.run("--context third --password-file password"),
            1,
            "DESK/.step/contexts.json has no context \"third\" with an authority",
            "see the contexts there are with: step context list",
        );
    }

    #[test]
    fn tls_that_cannot_be_served_stops_the_start() {
        let desk = authority();
        let hint = "correct the member tls of ca.json and start again";
        desk.replace(CA_JSON, "\"minVersion\": 1.2", "\"minVersion\": 1.1");
        refused(&desk.run(LINE), 2, "tls minVersion 1.1 cannot be served: TLS 1.2 and 1.3 are offered", hint);
    }
}

/// What comes on a connection until `text` has, or until it ends.
fn read_until(stream: &mut impl std::io::Read, text: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0; 1];
    while !String::from_utf8_lossy(&said).contains(text) {
        match stream.read(&mut byte) {
            Ok(1) => said.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn running_requests_finish_and_idle_connections_close() {
    let desk = authority();
    let mut daemon = desk.serve(LINE);
    let client = daemon.client(&desk.file("ca/certs/root_ca.crt"));
    let mut idle = client.connect().unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(read_until(&mut idle, "{\"status\":\"ok\"}\n").starts_with("HTTP/1.1 200 OK\r\n"));
    let mut running = client.connect().unwrap();
    let head =
        "POST /1.0/sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    running.write_all(head.as_bytes()).unwrap();
    assert!(read_until(&mut running, "\r\n\r\n").starts_with("HTTP/1.1 100 Continue"));

    daemon.tell("TERM");
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    // An idle connection would have ended by itself after 15 seconds.
    assert!(rest.is_empty() && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(client.connect().is_err(), "no new connections");
    running.write_all(b"{}").unwrap();
    let answer = read_until(&mut running, "missing csr");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request"), "{answer}");
    assert_eq!(daemon.end().code(), Some(0));
}

#[test]
fn the_format_of_the_log_changes_with_a_reload() {
    let desk = authority();
    let json = desk.read(CA_JSON);
    let daemon = desk.serve(LINE);
    let reload = |text: &str, times: usize| {
        desk.write(CA_JSON, text);
        daemon.tell("HUP");
        let begun = Instant::now();
        while daemon.log().matches("the new configuration is in service").count() < times {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    reload(&json.replace("\"format\": \"text\"", "\"format\": \"json\""), 1);
    let health = Request::get("/health");
    assert_eq!(daemon.client(&desk.file("ca/certs/root_ca.crt")).send(&health).unwrap().status, 200);
    let log = daemon.log_with("\"path\":\"/health\"");
    assert!(log.contains("\"path\":\"/health\""), "{log}");
    reload(&json, 2);
    assert_eq!(daemon.client(&desk.file("ca/certs/root_ca.crt")).send(&health).unwrap().status, 200);
    let log = daemon.log_with("path=\"/health\"");
    assert!(log.contains("path=\"/health\""), "{log}");
}

fn last_line(daemon: &Daemon) -> String {
    daemon.log().lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_reload_that_cannot_be_served_changes_nothing() {
    let desk = authority();
    let daemon = desk.serve(LINE);
    let good = desk.read(CA_JSON);
    let refused = "the new configuration is refused, the old one stays";
    for (number, (from, to, reason)) in [
        ("\"minVersion\": 1.2", "\"minVersion\": 1.0", "tls minVersion 1.0 cannot be served"),
        ("badgerv2", "mysql", "db cannot change while the server runs"),
        ("\"federatedRoots\"", "\"kms\":{\"uri\":\"pkcs11:x\"},\"federatedRoots\"", "keys have to be files"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(good.contains(from), "{from}");
        desk.write(CA_JSON, &good.replace(from, to));
        daemon.tell("HUP");
        let begun = Instant::now();
        while daemon.log().matches(refused).count() <= number {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(last_line(&daemon).contains(reason), "{reason}: {}", daemon.log());
        let health = Request::get("/health");
        assert_eq!(daemon.client(&desk.file("ca/certs/root_ca.crt")).send(&health).unwrap().status, 200);
    }
}

/// The server's certificate is replaced at two thirds of its life, and nobody's connection ends with it.
#[test]
fn the_server_certificate_is_renewed_while_it_serves() {
    // The CRL's short period has the server look every second whether something is due.
    let local = Local::start_with("mosaic", |config| {
        let text = r#"{"root":"r","crt":"c","key":"k","address":":0","db":{"type":"sqlite"},"crl":{"enabled":true,"renewPeriod":"1s"}}"#;
        config.ca.crl = stepless::config::parse(text.as_bytes()).unwrap().crl;
    });
    let now = local.clock.now();
    // Clients have the system's clock, so the first certificate has to be old already, and not over.
    local.clock.set(now - time::Duration::hours(17));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), RouterOptions::default());
    let server = runtime.block_on(server).unwrap();
    let address = server.local_address().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = runtime.spawn(server.serve(stopped));
    let client = common::https::Client::new(address, &local.fixture.root_pem());

    let certificate = |stream: &rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream>| {
        stream.conn.peer_certificates().unwrap()[0].as_ref().to_vec()
    };
    let mut kept = client.connect().unwrap();
    let first = certificate(&kept);
    let ask = |stream: &mut rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream>| {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let answer = read_until(stream, "{\"status\":\"ok\"}\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    };
    ask(&mut kept);
    assert!(certificate(&client.connect().unwrap()) == first);

    local.clock.set(now);
    let begun = Instant::now();
    while certificate(&client.connect().unwrap()) == first {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is not renewed");
        ask(&mut kept);
        std::thread::sleep(Duration::from_millis(100));
    }
    ask(&mut kept);
    drop(kept);
    stop.send(true).unwrap();
    runtime.block_on(serving).unwrap();
}
