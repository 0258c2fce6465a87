//! Runs the template cases: `cargo test --test templates`.
//!
//! A case is one JSON file with a template, its data and what step-ca 0.30.2 makes of them. The folder is
//! `tests/templates` or what `STEPLESS_TEMPLATE_DIR` names; its subfolders are the groups. Every failure is a line, and
//! the last line counts. Arguments that do not begin with a dash select cases whose name contains one of them.
//!
//! The strict rendering is the one that counts; what it gives is made into a certificate and compared with the recorded
//! one. Where a case says `stricter`, the rendering or the certificate must be refused, and the lenient rendering must
//! still give what step-ca gave.

mod template_support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value as Json;
use stepless::clock::SystemClock;
use stepless::entropy::SystemEntropy;
use stepless::template::Context;
use stepless::template::FunctionTable;
use stepless::template::Limits;
use stepless::template::RenderErrorKind;
use stepless::template::Template;
use stepless::template_data::TemplateData;
use stepless::template_data::TemplateSan;
use stepless::x509::certificate::Certificate;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use stepless::x509::san;
use template_support::certificate;
use template_support::certificate::Made;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    compare: String,
    template: String,
    data: Data,
    rendered: Option<String>,
    rendered_hex: Option<String>,
    render_error: Option<ExpectedError>,
    stricter: Option<Json>,
    #[serde(default)]
    render_only: bool,
    #[serde(default)]
    certificate: Json,
    certificate_error: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    subject: Option<String>,
    sans: Option<Vec<String>>,
    typed_sans: Option<Vec<TypedSan>>,
    token: Option<Map<String, Json>>,
    template_data: Option<Map<String, Json>>,
    user: Option<Json>,
    webhooks: Option<Map<String, Json>>,
    authorization_crt_pem: Option<String>,
    csr_pem: Option<String>,
}

#[derive(Deserialize)]
struct TypedSan {
    r#type: String,
    value: String,
}

#[derive(Deserialize)]
struct ExpectedError {
    kind: String,
    message: String,
}

/// What rendering a case gave.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Rendered(Vec<u8>),
    Failed { kind: &'static str, message: String },
}

/// How a case ended.
enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

fn main() -> ExitCode {
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let functions = stepless::template::functions::table();
    let issuer = match certificate::issuer(&folder()) {
        Ok(issuer) => issuer,
        Err(why) => {
            let _ = writeln!(std::io::stdout(), "FAILED: {why}\n0 passed, 1 failed, 0 skipped");
            return ExitCode::FAILURE;
        }
    };
    let mut counts = BTreeMap::<String, Counts>::new();
    let mut out = std::io::stdout().lock();
    for path in case_files() {
        let group =
            path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read(&path).unwrap_or_default();
        let (name, verdict) = match serde_json::from_slice::<Case>(&text) {
            Ok(case) if !selected(&case.name, &filters) => continue,
            Ok(case) => {
                let verdict = judge(&case, &functions, &issuer);
                (case.name, verdict)
            }
            Err(error) => (path.display().to_string(), Verdict::Failed(format!("unreadable: {error}"))),
        };
        let counts = counts.entry(group).or_default();
        let line = match verdict {
            Verdict::Passed => {
                counts.passed += 1;
                continue;
            }
            Verdict::Failed(why) => {
                counts.failed += 1;
                format!("FAILED {name}: {why}")
            }
            Verdict::Skipped(why) => {
                counts.skipped += 1;
                format!("skipped {name}: {why}")
            }
        };
        let _ = writeln!(out, "{line}");
    }
    let mut all = Counts::default();
    for (group, counts) in &counts {
        let _ = writeln!(out, "{group}: {counts}");
        all.add(counts);
    }
    let _ = writeln!(out, "{all}");
    if all.failed > 0 || all.passed == 0 && filters.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The folder that holds `issuer.pem` and the groups.
#[expect(clippy::disallowed_methods, reason = "a test may be pointed at other cases")]
fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    std::env::var_os("STEPLESS_TEMPLATE_DIR").map_or(default, PathBuf::from)
}

fn case_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn selected(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
}

fn judge(case: &Case, functions: &FunctionTable, issuer: &Certificate) -> Verdict {
    let rendered = render(case, functions, true).and_then(|s| Ok((s, render(case, functions, false)?)));
    let (strict, lenient) = match rendered {
        Ok(outcomes) => outcomes,
        Err(why) => return Verdict::Skipped(why),
    };
    let made = match &strict {
        Outcome::Rendered(bytes) if !case.render_only => make(case, bytes, issuer),
        _ => None,
    };
    if case.stricter.is_some() {
        return match (&strict, agrees(case, &lenient), &made) {
            (Outcome::Failed { kind: "data" | "parse", .. }, ..) => Verdict::Passed,
            (_, Err(why), _) => Verdict::Failed(format!("the lenient rendering differs: {why}")),
            (Outcome::Failed { .. }, Ok(()), _) | (_, Ok(()), Some(Made::Refused(_))) => Verdict::Passed,
            _ => Verdict::Failed("is not refused".to_owned()),
        };
    }
    match agrees(case, &strict) {
        Ok(()) => {}
        // That `%s` takes strings only, and that no unknown zone becomes UTC, is stricter than the cases mark; the
        // lenient rendering is compared.
        Err(_) if refuses_beyond_cases(&strict) && agrees(case, &lenient).is_ok() => return Verdict::Passed,
        Err(why) => return Verdict::Failed(why),
    }
    match (made, case.certificate_error.is_some()) {
        (None, _) | (Some(Made::Refused(_)), true) | (Some(Made::Certificate(Ok(()))), false) => {
            Verdict::Passed
        }
        (Some(Made::Refused(why)), false) => Verdict::Failed(format!("the certificate is refused: {why}")),
        (Some(Made::Certificate(_)), true) => Verdict::Failed("the certificate is not refused".to_owned()),
        (Some(Made::Certificate(Err(why))), false) => Verdict::Failed(why),
    }
}

/// Makes the certificate; `None` where the text differs from one rendering to the next, or there is no request.
fn make(case: &Case, rendered: &[u8], issuer: &Certificate) -> Option<Made> {
    if case.compare != "exact" {
        return None;
    }
    let csr = read_csr(case.data.csr_pem.as_deref()?).ok()?;
    Some(certificate::make(rendered, &csr, issuer, &case.certificate))
}

fn refuses_beyond_cases(outcome: &Outcome) -> bool {
    let marks = ["%s of a value of type", "unknown time zone"];
    matches!(outcome, Outcome::Failed { kind: "strict", message } if marks.iter().any(|m| message.contains(m)))
}

fn agrees(case: &Case, outcome: &Outcome) -> Result<(), String> {
    match (&case.render_error, outcome) {
        (Some(expected), Outcome::Failed { kind, message }) => {
            if *kind != expected.kind && !(*kind == "strict" && expected.kind == "exec") {
                return Err(format!("expected a {} error, got {kind}: {message}", expected.kind));
            }
            if expected.kind == "fail" && *message != expected.message {
                return Err(format!("expected fail {:?}, got {message:?}", expected.message));
            }
            Ok(())
        }
        (Some(expected), Outcome::Rendered(bytes)) => {
            Err(format!("expected {} error {:?}, got {:?}", expected.kind, expected.message, lossy(bytes)))
        }
        (None, Outcome::Failed { kind, message }) => Err(format!("{kind}: {message}")),
        (None, Outcome::Rendered(bytes)) => compare(case, bytes),
    }
}

fn compare(case: &Case, bytes: &[u8]) -> Result<(), String> {
    if let Some(pattern) = case.compare.strip_prefix("regexp:") {
        let pattern = regex::bytes::Regex::new(pattern).map_err(|error| error.to_string())?;
        return if pattern.is_match(bytes) {
            Ok(())
        } else {
            Err(format!("{:?} does not match {pattern}", lossy(bytes)))
        };
    }
    let expected = match &case.rendered_hex {
        Some(digits) => hexadecimal(digits).ok_or("bad renderedHex")?,
        None => case.rendered.clone().unwrap_or_default().into_bytes(),
    };
    if expected == bytes {
        return Ok(());
    }
    Err(format!("expected {:?}, got {:?}", lossy(&expected), lossy(bytes)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| u8::try_from(pair.first()? << 4 | pair.get(1)?).ok()).collect()
}

fn render(case: &Case, functions: &FunctionTable, strict: bool) -> Result<Outcome, String> {
    let csr = case.data.csr_pem.as_deref().map(read_csr).transpose()?;
    let authorization = case.data.authorization_crt_pem.as_deref().map(read_certificate).transpose()?;
    let sans = match (&case.data.typed_sans, &case.data.sans) {
        (Some(typed), _) => Some(
            typed
                .iter()
                .map(|san| TemplateSan { kind: san.r#type.clone(), value: san.value.clone() })
                .collect(),
        ),
        (None, Some(names)) => {
            Some(TemplateSan::ordered(&san::classify_all(names.iter().map(String::as_str))))
        }
        (None, None) => None,
    };
    let data = TemplateData {
        subject: case.data.subject.as_deref(),
        sans: sans.as_deref(),
        token: case.data.token.as_ref(),
        configured: case.data.template_data.as_ref(),
        user: case.data.user.as_ref(),
        webhooks: case.data.webhooks.as_ref(),
        csr: csr.as_ref(),
        authorization_certificate: authorization.as_ref(),
    };
    let failed = |kind, message| Ok(Outcome::Failed { kind, message });
    let value = match data.to_value() {
        Ok(value) => value,
        Err(error) => return failed("data", error.to_string()),
    };
    let template = match Template::parse("template", &case.template, functions) {
        Ok(template) => template,
        Err(error) => return failed("parse", error.to_string()),
    };
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let context = Context::new(&clock, &entropy);
    let context = if strict {
        context
    } else {
        Context { limits: Limits { allocation: 64 << 20, ..Limits::default() }, ..context.lenient() }
    };
    match template.render(&value, &context) {
        Ok(rendered) => Ok(Outcome::Rendered(rendered.bytes)),
        Err(error) => {
            let kind = match error.kind {
                RenderErrorKind::Exec => "exec",
                RenderErrorKind::Fail => "fail",
                RenderErrorKind::Limit => "limit",
                _ => "strict",
            };
            failed(kind, error.message)
        }
    }
}

fn read_csr(text: &str) -> Result<Csr, String> {
    let block = pem::decode_first(text).ok_or("no PEM block")?;
    let unverified = Csr::parse(&block.content).map_err(|error| format!("request: {error}"))?;
    unverified.verify().map_err(|error| format!("request: {error}"))
}

fn read_certificate(text: &str) -> Result<Certificate, String> {
    let block = pem::decode_first(text).ok_or("no PEM block")?;
    Certificate::parse(&block.content).map_err(|error| format!("certificate: {error}"))
}
