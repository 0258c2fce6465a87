//! Completion scripts and manual pages know every command.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Command;
use std::process::Stdio;

use common::binary::Desk;

const COMMANDS: [&str; 4] = ["serve", "certificate", "doctor", "store"];

#[test]
fn shells_get_completions() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = desk.run(&format!("completions {shell}"));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{shell}");
        for command in COMMANDS {
            assert!(outcome.stdout.contains(command), "{shell} does not know {command}");
        }
        if shell == "bash" {
            desk.write("stepless.bash", &outcome.stdout);
            let mut bash = Command::new("bash");
            bash.arg("-n").arg(desk.file("stepless.bash")).stdin(Stdio::null());
            assert!(bash.status().unwrap().success());
        }
    }
    assert_eq!(desk.run("completions tcsh").code, Some(1));
}

#[test]
fn every_command_has_a_page() {
    let desk = Desk::new();
    let outcome = desk.run("man pages/man1");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    for name in ["stepless", "stepless-serve", "stepless-store-check", "stepless-template-check"] {
        let page = desk.read(&format!("pages/man1/{name}.1"));
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{name}");
    }
    assert!(desk.read("pages/man1/stepless-serve.1").contains("password\\-file"));
    desk.write("file", "");
    assert_eq!(desk.run("man file").code, Some(2));
}
