//! Completion scripts and manual pages know every command.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Command;
use std::process::Stdio;

use common::binary::Desk;
use common::tools;

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
    }
    assert_eq!(desk.run("completions tcsh").code, Some(1));
}

/// The shell reads the script, does what `line` says with it, and prints this.
#[track_caller]
fn check_shell(shell: &str, line: &str, expected: &str) {
    if tools::find(shell, &["--version"]).is_none() {
        return tools::skip(&format!("there is no {shell}"));
    }
    let desk = Desk::new();
    desk.write("script", &desk.run(&format!("completions {shell}")).stdout);
    let mut command = Command::new(shell);
    desk.seat(command.args(["-c", line]).stdin(Stdio::null()));
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", tools::said(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().any(|line| line.split_whitespace().next() == Some(expected)), "{shell}: {said}");
}

#[test]
fn bash_completes() {
    let line = "source ./script; COMP_WORDS=(stepless prov); COMP_CWORD=1; _stepless stepless prov stepless; \
                printf '%s\n' \"${COMPREPLY[@]}\"";
    check_shell("bash", line, "provisioner");
}

#[test]
fn zsh_reads_its_completions() {
    // It completes on a terminal only.
    check_shell("zsh", "zsh --no-exec ./script && echo read", "read");
}

#[test]
fn fish_completes() {
    check_shell("fish", "source ./script; complete --do-complete 'stepless prov'", "provisioner");
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

#[test]
fn the_pages_are_in_order() {
    if tools::find("mandoc", &["/dev/null"]).is_none() {
        return tools::skip("there is no mandoc");
    }
    let desk = Desk::new();
    assert_eq!(desk.run("man pages").code, Some(0));
    let pages: Vec<_> =
        std::fs::read_dir(desk.file("pages")).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 20, "{pages:?}");
    // Warnings are about dates, which the pages do not have, and empty lines.
    tools::run(Command::new("mandoc").args(["-T", "lint", "-W", "error"]).args(&pages));
    let mut shown = Command::new("mandoc");
    let text = tools::run(shown.args(["-T", "utf8"]).arg(desk.file("pages/stepless-serve.1")));
    assert!(text.contains("A file with the password of the intermediate key"), "{text}");
}
