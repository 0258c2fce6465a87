//! The judges that are programs of their own: Go's crypto/x509 and zlint, Java's PKIX, pkilint.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::common::tools;
use crate::docket::Docket;
use crate::docket::Verdict;

/// pkilint with all that it needs, in fixed versions.
const REQUIREMENTS: &str = include_str!("pkilint/requirements.txt");

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges").join(name)
}

/// Runs a command that prepares a judge; an error says what is missing.
fn prepare(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("{what}\n{}", tools::said(&output))) }
}

/// The Go program, built once.
pub(crate) fn go() -> Result<&'static Path, String> {
    static PROGRAM: LazyLock<Result<PathBuf, String>> = LazyLock::new(build_go);
    PROGRAM.as_deref().map_err(String::clone)
}

fn build_go() -> Result<PathBuf, String> {
    let go = tools::find("go", &["version"])
        .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.exists()))
        .ok_or("there is no go")?;
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge");
    let mut build = Command::new(go);
    build.args(["build", "-buildvcs=false", "-trimpath", "-o"]).arg(&program).arg(".");
    build.current_dir(source("go")).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    prepare(&mut build, "the Go program does not build")?;
    Ok(program)
}

/// Go's verdict on each case.
pub(crate) fn go_verdicts(program: &Path, docket: &Docket) -> Vec<String> {
    let said = tools::run(Command::new(program).arg("verify").arg(&docket.folder));
    let unknown = "x509: unhandled critical extension";
    complaints(&said, docket, |verdict, expected| match expected {
        Verdict::Accepted => verdict == "ok",
        Verdict::Revoked => verdict == "revoked",
        Verdict::UnknownCritical => verdict == unknown,
    })
}

/// zlint's findings in a folder, one line each.
pub(crate) fn zlint(folder: &Path) -> Result<String, String> {
    Ok(tools::run(Command::new(go()?).arg("lint").arg(folder)))
}

/// Compiles the Java program; gives the folder of its class.
pub(crate) fn java() -> Result<PathBuf, String> {
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge-java");
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(&classes).arg(source("java/Judge.java"));
    prepare(&mut compile, "javac, the Java compiler")?;
    Ok(classes)
}

/// Java's verdict on each case.
pub(crate) fn java_verdicts(classes: &Path, docket: &Docket) -> Vec<String> {
    let mut command = Command::new("java");
    command.args(["-XX:+UseSerialGC", "-cp"]).arg(classes).arg("Judge").arg(&docket.folder);
    let said = tools::run(&mut command);
    complaints(&said, docket, |verdict, expected| match expected {
        Verdict::Accepted => verdict == "ok",
        Verdict::Revoked => verdict.contains("Certificate has been revoked, reason: KEY_COMPROMISE"),
        Verdict::UnknownCritical => verdict.contains("unrecognized critical extension"),
    })
}

/// The interpreter of a Python environment with pkilint, which is kept from run to run.
fn python() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge-python");
    let python = home.join("bin/python");
    let finished = home.join("finished");
    if fs::read_to_string(&finished).is_ok_and(|made| made == REQUIREMENTS) {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    prepare(venv.args(["-m", "venv", "--clear"]).arg(&home), "python3 with its venv module")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
    prepare(install.arg(source("pkilint/requirements.txt")), "pkilint cannot be installed")?;
    fs::write(finished, REQUIREMENTS).unwrap();
    Ok(python)
}

/// pkilint's findings in a folder, one line each.
pub(crate) fn pkilint(folder: &Path) -> Result<String, String> {
    static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(python);
    let python = PYTHON.as_deref().map_err(String::clone)?;
    Ok(tools::run(Command::new(python).arg(source("pkilint/judge.py")).arg(folder)))
}

/// Compares lines `case TAB verdict` with what is expected.
fn complaints(said: &str, docket: &Docket, right: impl Fn(&str, Verdict) -> bool) -> Vec<String> {
    let verdicts: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(verdicts.len(), docket.cases.len(), "a verdict for each case");
    let cases = docket.cases.iter().zip(verdicts);
    cases
        .filter(|(case, (name, verdict))| case.name != *name || !right(verdict, case.expected))
        .map(|(case, (_, verdict))| format!("{}: expected {:?}, got {verdict}", case.name, case.expected))
        .collect()
}
