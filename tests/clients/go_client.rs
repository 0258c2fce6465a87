//! smallstep's client package for Go, in a program of its own: `go/main.go`.
//!
//! What the program prints is compared with `go/transcript.txt`, against stepless as against step-ca: so both behave
//! alike, and the text cannot age. `STEPLESS_WRITE_TRANSCRIPTS=1` takes it from step-ca anew.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::ca::step_ca_available;
use crate::common::fixture::Fixture;
use crate::common::tools;

pub(crate) fn go_client(kind: Kind) {
    if let (Kind::StepCa, Err(reason)) = (kind, step_ca_available()) {
        return tools::skip(&reason);
    }
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = match PROGRAM.get_or_init(build) {
        Ok(program) => program,
        Err(reason) => return tools::skip(reason),
    };
    let fixture = Fixture::copy("mosaic");
    // Certificates of provisioner `deftiny` have to be renewed within the test: ten seconds after they were made.
    fixture.replace("\"defaultTLSCertDuration\": \"1m\"\n", "\"defaultTLSCertDuration\": \"15s\"\n");
    let ca = match Ca::try_start(kind, fixture) {
        Ok(ca) => ca,
        Err(error) => panic!("{kind:?} does not start: {error}"),
    };
    let home = TempDir::with_prefix("stepless-home-").unwrap();
    let said = tools::run(
        Command::new(program)
            .arg(ca.url())
            .arg(ca.fixture.path())
            .env("HOME", home.path())
            .env("STEPPATH", home.path()),
    );
    let transcript = source().join("transcript.txt");
    if tools::variable("STEPLESS_WRITE_TRANSCRIPTS").is_some() && kind == Kind::StepCa {
        fs::write(&transcript, &said).unwrap();
    }
    let expected = fs::read_to_string(transcript).unwrap();
    for (index, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
        assert_eq!(said, expected, "line {}", index + 1);
    }
    assert_eq!(said.lines().count(), expected.lines().count());
}

/// Builds the program; an error says what is missing.
fn build() -> Result<PathBuf, String> {
    let go = tools::find("go", &["version"])
        .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.exists()))
        .ok_or("there is no go")?;
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go_client");
    let mut build = Command::new(go);
    build
        .args(["build", "-buildvcs=false", "-trimpath", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(source())
        // As build.sh builds step-ca, whose packages then need not be compiled again.
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local");
    let output = build.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the Go program does not build\n{}", tools::said(&output)));
    }
    Ok(program)
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/go")
}
