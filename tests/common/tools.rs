//! Programs from outside that a test needs, and what to do where one is missing.

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

/// Reads a variable of the environment.
#[expect(clippy::disallowed_methods, reason = "how a developer steers the tests")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Says loudly that a test is skipped because `what` is missing; fails it under `STEPLESS_REQUIRE_STEP_CA=1`.
pub(crate) fn skip(what: &str) {
    assert!(
        variable("STEPLESS_REQUIRE_STEP_CA").is_none_or(|value| value != "1"),
        "STEPLESS_REQUIRE_STEP_CA=1 and {what}"
    );
    say_skipped(what);
}

/// Says loudly that a test leaves out a part that no machine can be asked to have.
pub(crate) fn say_skipped(what: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`: the test runner would hide it, and a test skipped unseen is a test nobody has.
    let line = format!("\n*** SKIPPED {test}: {what}\n\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}

/// Finds `program` on PATH, or where the go command installs, if it runs with `arguments`.
pub(crate) fn find(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let mut candidates = vec![PathBuf::from(program)];
    if let Some(bin) = variable("GOBIN") {
        candidates.push(Path::new(&bin).join(program));
    }
    for go in ["go", "/usr/local/go/bin/go"] {
        if let Ok(output) = Command::new(go).args(["env", "GOPATH"]).output() {
            let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            candidates.push(Path::new(&path).join("bin").join(program));
        }
    }
    candidates.into_iter().find(|candidate| {
        Command::new(candidate).args(arguments).output().is_ok_and(|output| output.status.success())
    })
}

/// Runs `command` to its end and returns its standard output; a failure shows all that it said.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} ended with {}\n{}", output.status, said(&output));
    String::from_utf8(output.stdout).expect("output is text")
}

/// All that a program said, for a message.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "--- stdout\n{}\n--- stderr\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
