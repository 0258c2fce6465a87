//! What stepless issues, judged by others: OpenSSL, Go, Java, rustls-webpki, zlint and pkilint.
//!
//! Every kind of issuer with every kind of key below it, and a thousand certificates of random profiles
//! (`STEPLESS_JUDGES_SEED` takes other ones). A judge that is missing is skipped with a loud line, or fails under
//! `STEPLESS_REQUIRE_STEP_CA=1`. What was made stays in `target/tmp/judges`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../template_diff/random.rs"]
mod random;

mod docket;
mod findings;
mod fixture;
mod keys;
mod matrix;
mod openssl;
mod profiles;
mod programs;
mod step_ca;
mod webpki;

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use common::ca::step_ca_available;
use common::tools;
use docket::Docket;
use findings::Findings;
use fixture::Issuers;
use matrix::Requester;

/// The findings that docs/judges.md lists are those of this seed.
const SEED: u64 = 20_261_124;
const PROFILES: usize = 1000;

/// All that is judged.
struct Made {
    docket: Docket,
    issuers: Vec<Issuers>,
    centuries: Vec<Issuers>,
    requesters: Vec<Requester>,
    seed: u64,
}

static OPENSSL: LazyLock<Option<PathBuf>> = LazyLock::new(|| tools::find("openssl", &["version"]));

static MADE: LazyLock<Option<Made>> = LazyLock::new(|| {
    let openssl = OPENSSL.as_ref()?;
    let seed = tools::variable("STEPLESS_JUDGES_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let line = format!("\njudges: STEPLESS_JUDGES_SEED={seed}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let mut docket = Docket::new("ours");
    let requesters = matrix::requesters(openssl);
    let issuers = matrix::make(&mut docket, &requesters);
    let centuries: Vec<Issuers> = profiles::ISSUERS.iter().map(|kind| Issuers::for_a_century(kind)).collect();
    let profiles = profiles::random(seed, PROFILES, fixture::NOW);
    profiles::issue(&mut docket, &centuries, &requesters, &profiles);
    Some(Made { docket: docket.close(), issuers, centuries, requesters, seed })
});

/// All that is judged; `None`, said loudly, where it cannot be made.
fn made() -> Option<&'static Made> {
    if MADE.is_none() {
        tools::skip("there is no openssl");
    }
    MADE.as_ref()
}

#[track_caller]
fn none(complaints: &[String]) {
    let shown = complaints.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} complaints:\n{shown}", complaints.len());
}

#[test]
fn openssl_verifies() {
    if let (Some(made), Some(openssl)) = (made(), OPENSSL.as_ref()) {
        none(&openssl::judge(openssl, &made.docket));
    }
}

#[test]
fn go_verifies() {
    let Some(made) = made() else { return };
    match programs::go() {
        Ok(program) => none(&programs::go_verdicts(program, &made.docket)),
        Err(reason) => tools::skip(&reason),
    }
}

#[test]
fn java_verifies() {
    let Some(made) = made() else { return };
    match programs::java() {
        Ok(classes) => none(&programs::java_verdicts(&classes, &made.docket)),
        Err(reason) => tools::skip(&reason),
    }
}

#[test]
fn webpki_verifies() {
    if let Some(made) = made() {
        none(&webpki::judge(&made.docket));
    }
}

/// Lints a folder: one line for each finding, or what is missing for that.
type Linter = fn(&Path) -> Result<String, String>;

/// What a linter finds in ours.
type Ours = LazyLock<Option<Result<Findings, String>>>;

static ZLINT: Ours = LazyLock::new(|| Some(findings(programs::zlint, &MADE.as_ref()?.docket)));
static PKILINT: Ours = LazyLock::new(|| Some(findings(programs::pkilint, &MADE.as_ref()?.docket)));

fn findings(linter: Linter, docket: &Docket) -> Result<Findings, String> {
    let findings = Findings::read(&linter(&docket.folder)?);
    assert_eq!(findings.files(), docket.files("").len(), "every file is read");
    Ok(findings)
}

/// What a linter finds is listed, and what is listed it finds.
fn lint(name: &str, ours: &Ours) {
    if made().is_none() {
        return;
    }
    match ours.as_ref().unwrap() {
        Ok(findings) => {
            let other_seed = tools::variable("STEPLESS_JUDGES_SEED").is_some();
            none(&findings.unlisted(name, other_seed));
        }
        Err(reason) => tools::skip(reason),
    }
}

#[test]
fn zlint_finds_what_is_listed() {
    lint("zlint", &ZLINT);
}

#[test]
fn pkilint_finds_what_is_listed() {
    lint("pkilint", &PKILINT);
}

/// No linter finds a fault in ours that it does not find in step-ca's for the same request.
#[test]
fn step_ca_s_certificates_have_the_same_faults() {
    let Some(made) = made() else { return };
    if let Err(reason) = step_ca_available() {
        return tools::skip(&reason);
    }
    let Some(step) = tools::find("step", &["version"]) else { return tools::skip("there is no step") };
    let theirs = step_ca::make(made, &step);
    for (linter, ours) in [(programs::zlint as Linter, &ZLINT), (programs::pkilint, &PKILINT)] {
        match (ours.as_ref().unwrap(), findings(linter, &theirs)) {
            (Ok(ours), Ok(theirs)) => none(&ours.beyond(&theirs)),
            (Err(reason), _) => tools::skip(reason),
            (_, Err(reason)) => tools::skip(&reason),
        }
    }
}
