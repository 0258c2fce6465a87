//! What the daemon and the commands say, answer, count and write.

use crate::common::binary::Outcome;
use crate::common::https::Client;
use crate::common::https::Request;
use crate::site::PASSWORD;
use crate::site::Site;

/// All answers as one text.
fn answers(site: &mut Site, daemon: &crate::common::binary::Daemon) -> String {
    let client = site.client(daemon);
    let mut text = String::new();
    let mut issued = 0;
    for request in site.requests() {
        // An answer may be cut off where the body was too large.
        if let Ok(answer) = client.send(&request) {
            issued += usize::from(answer.status == 201 && request.path == "/1.0/sign");
            text.push_str(&format!("{} {:?} {}\n", answer.status, answer.headers, answer.text()));
        }
    }
    assert!(issued >= 2, "nothing was issued:\n{}", daemon.log());
    text
}

#[track_caller]
fn silent(site: &Site, what: &str, text: &[u8]) {
    let found = site.found_in(text);
    let shown = String::from_utf8_lossy(text);
    let line = |secret: &[u8]| {
        let line =
            shown.lines().find(|line| line.as_bytes().windows(secret.len()).any(|part| part == secret));
        line.unwrap_or_default().chars().take(2_000).collect::<String>()
    };
    let first = site.planted.iter().find(|(name, _)| found.first() == Some(&name.as_str()));
    assert!(found.is_empty(), "{what} holds {found:?}: {}", line(first.map_or(b"", |(_, secret)| secret)));
}

fn check_daemon(log_format: &str) {
    let mut site = Site::new(log_format);
    let mut daemon = site.serve("--admin 127.0.0.1:0");
    let admin = daemon.log_with("Serving operators on http://");
    let admin =
        admin.split("Serving operators on http://").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let said = answers(&mut site, &daemon);
    silent(&site, "an answer", said.as_bytes());
    assert!(said.len() > 50_000, "{}", said.len());
    for path in ["/", "/metrics", "/ready", "/health", "/certificates?q=a.example", "/revoked", "/refusals"] {
        let page = Client::send_plain(admin, &Request::get(path)).unwrap();
        assert_eq!(page.status, 200, "{path}");
        silent(&site, path, page.text().as_bytes());
    }
    daemon.tell("HUP");
    daemon.log_with("the new configuration is in service");
    assert!(daemon.signal("TERM").success());
    let log = daemon.log();
    // It is the trace that was asked for, and it names what happened.
    assert!(
        log.contains("TRACE") && log.contains("token.replayed") && log.contains("certificate issued"),
        "{log}"
    );
    silent(&site, "the log", log.as_bytes());
    for (name, bytes) in site.desk.files() {
        if !Site::is_source(&name) {
            silent(&site, &name, &bytes);
        }
    }
}

#[test]
fn the_daemon_keeps_silent_in_text() {
    check_daemon("text");
}

#[test]
fn the_daemon_keeps_silent_in_json() {
    check_daemon("json");
}

#[test]
fn the_commands_keep_silent() {
    let mut site = Site::new("text");
    let daemon = site.serve("");
    let at = format!("--ca-url https://localhost:{} --root ca/certs/root_ca.crt", daemon.port);
    site.write_key("own-hs", 0);
    site.write_key("own-ec", 1);
    site.desk.write("own-wrong", &format!("{PASSWORD}, but wrong"));
    site.desk.write("csr", &crate::common::csr::Csr::new("b.example", &["b.example"]).pem);
    let token =
        site.desk.run(&format!("token t.example {at} --provisioner planted-ec --provisioner-key own-ec"));
    assert_eq!(token.code, Some(0), "{token:?}");
    let token = token.stdout.trim().to_owned();
    site.plant(&token);
    site.desk.write("own-token", &token);
    let ec = format!("{at} --provisioner planted-ec --provisioner-key own-ec");
    let admin = format!("{at} --provisioner admin");
    let mut outcomes: Vec<(String, Outcome)> = Vec::new();
    for (line, code) in [
        (format!("certificate a.example {ec} --out own-out --json"), 0),
        (format!("certificate c.example {admin} --password-file password --out own-out"), 0),
        (format!("certificate a.example {admin} --password-file own-wrong --out own-out"), 2),
        (format!("certificate a.example {ec} --out own-out"), 2),
        (
            format!(
                "certificate a.example {at} --provisioner planted-hs --provisioner-key own-hs --out own-hs-out"
            ),
            0,
        ),
        (
            format!(
                "certificate a.example {at} --provisioner planted-ec --provisioner-key own-hs --out own-x"
            ),
            3,
        ),
        (
            format!(
                "certificate a.example {at} --provisioner planted-ec --provisioner-key password --out own-x"
            ),
            2,
        ),
        (format!("certificate a.example {at} --provisioner planted-ec --provisioner-key csr --out own-x"), 2),
        (
            "certificate a.example --ca-url https://localhost:1 --root ca/certs/root_ca.crt --provisioner planted-ec --provisioner-key own-ec --out own-x".to_owned(),
            4,
        ),
        (format!("sign b.example {ec} --csr csr --crt b.crt"), 0),
        (format!("sign b.example {ec} --csr own-ec --crt x.crt"), 1),
        (format!("renew own-out/a.example.crt own-out/a.example.key {at}"), 0),
        (format!("renew own-out/a.example.crt own-out/a.example.key {at} --token"), 0),
        (format!("renew own-out/a.example.crt own-ec {at}"), 2),
        (format!("rekey own-out/a.example.crt own-out/a.example.key {at} --force"), 0),
        (format!("revoke 7 {ec}"), 0),
        (format!("revoke 7 {admin} --password-file own-wrong"), 2),
        (format!("provisioner list {at}"), 0),
        ("provisioner list --ca-config ca/config/ca.json".to_owned(), 0),
        ("provisioner add more --kty hs256 --key-out own-more --ca-config ca/config/ca.json".to_owned(), 0),
        ("provisioner add again --password-file password --ca-config ca/config/ca.json".to_owned(), 0),
        ("provisioner add public --public-key own-ec --ca-config ca/config/ca.json".to_owned(), 1),
        ("provisioner rotate planted-hs --key-out own-rotated --ca-config ca/config/ca.json".to_owned(), 0),
        ("provisioner remove more --ca-config ca/config/ca.json".to_owned(), 0),
        ("inspect own-token".to_owned(), 0),
        ("inspect own-ec".to_owned(), 1),
        ("inspect password".to_owned(), 1),
        ("doctor ca/config/ca.json --password-file password --json".to_owned(), 0),
        ("doctor ca/config/ca.json --password-file own-wrong".to_owned(), 2),
        ("list --config ca/config/ca.json".to_owned(), 0),
        ("backup ca.backup --config ca/config/ca.json".to_owned(), 0),
        ("serve ca/config/ca.json --password-file own-wrong".to_owned(), 2),
        ("serve own-ec --password-file password".to_owned(), 2),
        ("serve password".to_owned(), 2),
        ("init --dir ca --password-file password".to_owned(), 0),
    ] {
        let mut command = site.desk.command(&line);
        command.env("STEPLESS_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let outcome = Outcome {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        if outcome.code != Some(code) {
            outcomes.push((line.clone(), outcome.clone()));
        }
        silent(&site, &line, outcome.stdout.as_bytes());
        silent(&site, &line, outcome.stderr.as_bytes());
        assert!(!outcome.stdout.is_empty() || !outcome.stderr.is_empty(), "{line} says nothing");
    }
    assert!(outcomes.is_empty(), "other ends than expected: {outcomes:#?}");
    silent(&site, "the log", daemon.log().as_bytes());
    for (name, bytes) in site.desk.files() {
        if !Site::is_source(&name) {
            silent(&site, &name, &bytes);
        }
    }
}
