//! `stepless serve --dev --ephemeral --print-json` as a test suite in another language uses it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use common::binary::Desk;
use common::csr::Csr;
use common::local::block_on;
use serde_json::Value;
use stepless::CaClient;
use stepless::client::IssueCertRequest;
use stepless::client::Settings;
use stepless::jose::PrivateJwk;
use uuid::Uuid;

const LINE: &str = "serve --dev --ephemeral --print-json";

/// Starts one and reads its line.
fn start(desk: &Desk) -> (Child, Value) {
    let mut child = desk.command(LINE).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let line = first_line(&mut child);
    (child, serde_json::from_str(&line).unwrap())
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn a_test_suite_gets_all_that_it_needs_in_one_line() {
    let desk = Desk::new();
    let (mut child, said) = start(&desk);
    let names: Vec<&str> =
        said["provisioners"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["mini", "mosaic-fed", "mosaic-hs"]);
    assert_eq!(said["fingerprint"].as_str().unwrap().len(), 64);
    let (url, root) = (said["url"].as_str().unwrap(), said["root"].as_str().unwrap());
    for provisioner in &said["provisioners"].as_array().unwrap()[1..] {
        let key = PrivateJwk::open(&provisioner["key"].to_string(), None).unwrap();
        let client = CaClient::new(Settings::new(url, root, key).unwrap()).unwrap();
        let csr_pem = Csr::new("suite.example", &["suite.example"]).pem;
        let request = IssueCertRequest {
            csr_pem,
            grant_id: Uuid::new_v4(),
            subject_user_id: Uuid::new_v4(),
            ttl: None,
        };
        block_on(client.issue_cert(&request)).unwrap();
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(desk.files().is_empty(), "it leaves nothing behind: {:?}", desk.files());
}

#[test]
fn it_ends_with_its_parent() {
    let desk = Desk::new();
    // A shell that starts it and is gone.
    let mut shell = Command::new("sh");
    desk.seat(&mut shell);
    let program = env!("CARGO_BIN_EXE_stepless");
    shell.args(["-c", &format!("{program} {LINE} & echo $!; sleep 1000")]);
    let mut shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let second = lines.next().unwrap();
    let id = [first, second].into_iter().find(|line| !line.starts_with('{')).unwrap();
    let lives = || Command::new("kill").args(["-0", &id]).stderr(Stdio::null()).status().unwrap().success();
    assert!(lives());
    shell.kill().unwrap();
    shell.wait().unwrap();
    let begun = Instant::now();
    while lives() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it outlives its parent");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let desk = Desk::new();
    for line in [
        "serve --ephemeral",
        "serve --dev --print-json",
        "serve --dev --ephemeral --dir x",
        "serve --dev --ephemeral --password-file x",
    ] {
        assert_eq!(desk.run(line).code, Some(1), "{line}");
    }
    assert_eq!(desk.run("serve --dev --ephemeral --address 192.0.2.1:1").code, Some(2));
}
