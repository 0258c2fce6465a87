//! README.md and docs/getting-started.md are true: what they tell to type works as printed.
//!
//! The blocks under the three "certificate" headings run in one folder, against a development authority that was
//! started there. Only the port differs. The block for `step` is skipped with a loud line where there is no `step`,
//! and fails there under `STEPLESS_REQUIRE_STEP_CA=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::process::Command;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::free_port;
use common::certificate::Profile;
use common::csr::hex;
use common::document::blocks;
use common::document::document;
use common::document::shell;
use common::tools;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

fn readme() -> String {
    document("README.md")
}

/// A checkout with a binary and a development authority, as someone has it who typed the first command.
struct Checkout {
    desk: Desk,
    daemon: Daemon,
}

impl Checkout {
    fn new() -> Self {
        let first = blocks(&readme(), "");
        assert_eq!(first, ["cargo run --release -- serve --dev\n", "cargo test\n"]);
        let desk = Desk::new();
        fs::create_dir_all(desk.file("target/release")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stepless"), desk.file("target/release/stepless"))
            .unwrap();
        // Not port 0: the files that are made name the port.
        let daemon = desk.serve(&format!("serve --dev --address 127.0.0.1:{}", free_port()));
        Self { desk, daemon }
    }

    /// Runs the blocks under `heading` and returns what they printed.
    fn run(&self, heading: &str) -> String {
        let blocks = blocks(&readme(), heading);
        assert_eq!(blocks.len(), 1, "blocks under {heading:?}");
        let script = blocks.concat().replace(":9443", &format!(":{}", self.daemon.port));
        tools::run(&mut shell(&self.desk, &script))
    }

    /// The certificate in `file` is for `name` and carries both ids.
    fn check(&self, file: &str, name: &str) {
        let profile = Profile::read(&self.desk.read(file));
        for (oid, id) in [("1.3.6.1.4.1.99999.1", GRANT_ID), ("1.3.6.1.4.1.99999.2", USER_ID)] {
            // A UTF8String of 36 bytes.
            let value = format!("0c24{}", hex(id.as_bytes()));
            assert_eq!(profile.extension(oid), Some(value.as_str()), "{file}: {oid}");
        }
        let names = profile.extension("2.5.29.17").unwrap_or_default();
        assert!(names.contains(&hex(name.as_bytes())), "{file}: {names}");
    }
}

#[test]
fn a_certificate_with_stepless() {
    let checkout = Checkout::new();
    let said = checkout.run("A grant certificate with stepless");
    assert!(said.contains(GRANT_ID) && said.contains(USER_ID), "{said}");
    checkout.check("a.example.crt", "a.example");
    assert!(checkout.desk.file("a.example.key").exists());
    assert!(checkout.desk.file("a.example.chain.crt").exists());
}

#[test]
fn a_certificate_with_curl() {
    for (program, argument) in [("openssl", "version"), ("curl", "--version")] {
        if tools::find(program, &[argument]).is_none() {
            tools::skip(&format!("there is no {program}"));
            return;
        }
    }
    let checkout = Checkout::new();
    let said = checkout.run("The same with curl");
    assert!(said.contains(GRANT_ID) && said.contains(USER_ID), "{said}");
    checkout.check("b.crt", "b.example");
}

#[test]
fn a_certificate_with_step() {
    if tools::find("step", &["version"]).is_none() {
        tools::skip("there is no step: go install github.com/smallstep/cli/cmd/step@v0.30.6");
        return;
    }
    let checkout = Checkout::new();
    let said = checkout.run("The same with step");
    assert!(said.contains(GRANT_ID) && said.contains(USER_ID), "{said}");
    checkout.check("c.crt", "c.example");
}

/// The line that the development authority prints.
#[test]
fn the_line_to_paste_works() {
    let checkout = Checkout::new();
    let log = checkout.daemon.log_with(" certificate demo.example ");
    let line = log.lines().find(|line| line.contains(" certificate demo.example ")).expect("a line to paste");
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", line.trim()]);
    checkout.desk.seat(&mut shell);
    tools::run(&mut shell);
    checkout.check("stepless-dev/issued/demo.example.crt", "demo.example");
}

#[test]
fn getting_started() {
    if tools::find("openssl", &["version"]).is_none() {
        tools::skip("there is no openssl");
        return;
    }
    let text = document("docs/getting-started.md");
    let block = |heading: &str| {
        let blocks = blocks(&text, heading);
        assert_eq!(blocks.len(), 1, "blocks under {heading:?}");
        blocks.concat()
    };
    let desk = Desk::new();
    let port = free_port();
    let type_in = |script: &str| tools::run(&mut shell(&desk, &script.replace(":9000", &format!(":{port}"))));
    type_in(&block("Make it"));
    let serve = block("Serve it");
    let _daemon = desk.serve(serve.trim().strip_prefix("stepless ").unwrap());
    let said = type_in(&block("Use it"));
    assert!(said.contains(GRANT_ID) && said.contains(USER_ID), "{said}");
}
