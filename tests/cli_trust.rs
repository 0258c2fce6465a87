//! `stepless bootstrap`, `health` and `roots`: the first contact with an authority, as their users see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::Outcome;
use common::binary::free_port;
use common::csr::hex;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use serde_json::json;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;

const NOT_SHOWN: &str = "error: the authority does not show a root certificate with this fingerprint\n\
                         hint: compare the fingerprint with the one that the authority prints at start; if they \
                         are the same, somebody stands between you and the authority\n";

/// A development authority in `dev`, and the fingerprint of its root.
fn authority() -> (Desk, Daemon, String) {
    let desk = Desk::new();
    let daemon = desk.serve("serve --dev --dir dev --address 127.0.0.1:0");
    let defaults: Value = serde_json::from_str(&desk.read("dev/config/defaults.json")).unwrap();
    let fingerprint = defaults["fingerprint"].as_str().unwrap().to_owned();
    (desk, daemon, fingerprint)
}

#[track_caller]
fn check(outcome: &Outcome, code: i32, stdout: &str, stderr: &str) {
    let got = (outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str());
    assert_eq!(got, (Some(code), stdout, stderr));
}

#[test]
fn after_a_bootstrap_no_flag_is_needed() {
    let (desk, daemon, fingerprint) = authority();
    let url = daemon.url();
    let line = format!("bootstrap --ca-url {url} --fingerprint {fingerprint}");
    let said = "The root certificate has been saved in DESK/.step/certs/root_ca.crt.\n\
                The authority configuration has been saved in DESK/.step/config/defaults.json.\n";
    check(&desk.run(&line), 0, said, "");
    let root = desk.read("dev/certs/root_ca.crt");
    assert_eq!(desk.read(".step/certs/root_ca.crt"), root);
    let path = desk.file(".step/certs/root_ca.crt");
    let defaults = format!(
        "{{\n  \"ca-url\": \"{url}\",\n  \"fingerprint\": \"{fingerprint}\",\n  \"root\": \"{}\"\n}}",
        path.display()
    );
    assert_eq!(desk.read(".step/config/defaults.json"), defaults);
    for (name, mode) in [("certs", 0o700), ("certs/root_ca.crt", 0o600), ("config/defaults.json", 0o644)] {
        let found = std::fs::metadata(desk.file(".step").join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }

    check(&desk.run("health"), 0, "ok\n", "");
    check(&desk.run("roots"), 0, &root, "");
    let token = desk.run("token a.example --provisioner mosaic-fed --password-file dev/secrets/password");
    assert_eq!((token.code, token.stderr.as_str()), (Some(0), ""));

    // Nothing is overwritten unasked, whatever it is.
    let refused = "error: DESK/.step/certs/root_ca.crt exists\n\
                   hint: choose another folder or name, or overwrite it with --force\n";
    check(&desk.run(&line), 2, "", refused);
    desk.write(".step/certs/root_ca.crt", "something else");
    check(&desk.run(&line), 2, "", refused);
    check(&desk.run(&format!("{line} --force")), 0, said, "");
    assert_eq!(desk.read(".step/certs/root_ca.crt"), root);

    // Without the scheme, as the step command takes it, and elsewhere.
    let (_, address) = url.split_once("://").unwrap();
    let colons: Vec<String> =
        fingerprint.to_uppercase().as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into()).collect();
    let line = format!("bootstrap --ca-url {address} --fingerprint {} --dir other", colons.join(":"));
    assert_eq!(desk.run(&line).code, Some(0));
    let other = desk.read("other/config/defaults.json");
    assert_eq!(other, defaults.replace("/.step/", "/other/"));
}

#[test]
fn another_fingerprint_writes_nothing() {
    let (desk, daemon, fingerprint) = authority();
    let other = "0".repeat(64);
    let url = daemon.url();
    check(&desk.run(&format!("bootstrap --ca-url {url} --fingerprint {other}")), 4, "", NOT_SHOWN);
    check(&desk.run(&format!("roots --ca-url {url} --fingerprint {other} r.pem")), 4, "", NOT_SHOWN);
    assert!(!desk.file(".step").exists() && !desk.file("r.pem").exists());
    // The issuing certificate is no root.
    let text = desk.read("dev/certs/intermediate_ca.crt");
    let block = pem::Blocks::new(text.as_bytes()).next().unwrap();
    let intermediate = hex(&Certificate::parse(&block.content).unwrap().fingerprint());
    check(&desk.run(&format!("bootstrap --ca-url {url} --fingerprint {intermediate}")), 4, "", NOT_SHOWN);
    let bad = desk.run(&format!("bootstrap --ca-url {url} --fingerprint 12ab"));
    assert_eq!((bad.code, bad.stdout.as_str()), (Some(1), ""));
    assert!(bad.stderr.contains("64 hexadecimal digits"), "{}", bad.stderr);
    let bad = desk.run(&format!("bootstrap --ca-url http://{} --fingerprint {fingerprint}", &url[8..]));
    assert_eq!(bad.code, Some(1), "{}", bad.stderr);
}

/// A TLS server with a certificate of its own making, which gives `body` to whoever asks; tells its URL.
fn liar(status: &str, body: &str) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(tls, tcp);
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    format!("https://{address}")
}

#[test]
fn a_server_between_is_not_believed() {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret");
    for name in ["theirs", "ours"] {
        assert_eq!(desk.run(&format!("init --dir {name} --password-file password")).code, Some(0));
    }
    let theirs = desk.read("theirs/certs/root_ca.crt");
    let defaults: Value = serde_json::from_str(&desk.read("ours/config/defaults.json")).unwrap();
    let fingerprint = defaults["fingerprint"].as_str().unwrap();
    let bootstrap = |url: &str| desk.run(&format!("bootstrap --ca-url {url} --fingerprint {fingerprint}"));
    // What it says is not repeated: it could be anything.
    for (status, body) in [
        ("200 OK", json!({ "ca": theirs }).to_string()),
        ("404 Not Found", json!({ "status": 404, "message": "\u{1b}[2Jtype your password" }).to_string()),
        ("200 OK", "<html>".to_owned()),
    ] {
        check(&bootstrap(&liar(status, &body)), 4, "", NOT_SHOWN);
        assert!(!desk.file(".step").exists());
    }
    // The right root may come from anywhere.
    let ours = json!({ "ca": desk.read("ours/certs/root_ca.crt") }).to_string();
    assert_eq!(bootstrap(&liar("200 OK", &ours)).code, Some(0));
}

#[test]
fn an_authority_does_not_bootstrap_its_own_folder() {
    let (desk, daemon, fingerprint) = authority();
    let url = daemon.url();
    let before = desk.read("dev/config/defaults.json");
    check(
        &desk.run(&format!("bootstrap --ca-url {url} --fingerprint {fingerprint} --dir dev --force")),
        2,
        "",
        "error: DESK/dev is the folder of an authority\n\
         hint: choose another folder with --dir or STEPPATH\n",
    );
    assert_eq!(desk.read("dev/config/defaults.json"), before);
}

#[test]
fn roots_by_file_and_by_fingerprint() {
    let (desk, daemon, fingerprint) = authority();
    let root = desk.read("dev/certs/root_ca.crt");
    let url = daemon.url();
    check(&desk.run(&format!("roots --ca-url {url} --root dev/certs/root_ca.crt r.pem")), 0, "", "");
    assert_eq!(desk.read("r.pem"), root);
    check(&desk.run(&format!("roots --ca-url {url} --fingerprint {fingerprint}")), 0, &root, "");
    let again = format!("roots --ca-url {url} --fingerprint {fingerprint} r.pem");
    let refused = "error: r.pem exists\nhint: choose another folder or name, or overwrite it with --force\n";
    check(&desk.run(&again), 2, "", refused);
    check(&desk.run(&format!("{again} --force")), 0, "", "");
}

#[test]
fn health_is_one_question() {
    let (desk, mut daemon, _) = authority();
    let (url, port) = (daemon.url(), daemon.port);
    let line = format!("health --ca-url {url} --root dev/certs/root_ca.crt");
    check(&desk.run(&line), 0, "ok\n", "");

    // Not trusted.
    desk.write_secret("password", "not a secret");
    assert_eq!(desk.run("init --dir other --password-file password").code, Some(0));
    let other = desk.run(&format!("health --ca-url {url} --root other/certs/root_ca.crt"));
    assert_eq!((other.code, other.stdout.as_str()), (Some(4), ""));
    assert!(other.stderr.starts_with(&format!("error: 127.0.0.1:{port} is not trusted: ")), "{other:?}");

    assert_eq!(daemon.signal("TERM").code(), Some(0));
    let gone = free_port();
    check(
        &desk.run(&format!("health --ca-url https://127.0.0.1:{gone} --root dev/certs/root_ca.crt")),
        4,
        "",
        &format!(
            "error: cannot connect to 127.0.0.1:{gone}: connection refused\n\
             hint: check the URL, and that the authority is running\n"
        ),
    );
    let unnamed = desk.run("health --root dev/certs/root_ca.crt");
    check(&unnamed, 1, "", "error: no authority is named\nhint: give its URL with --ca-url\n");
}
