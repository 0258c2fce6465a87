//! `stepless template check`: what a certificate template makes of a token and a request, without an authority.
//!
//! Nothing is verified, signed or sent. The rules are those of issuing, by the same functions; only what depends on
//! an authority is left out: its policy, its issuer's constraints, whether the token allows the request.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::authority;
use crate::cli::failure::Failure;
use crate::cli::sign;
use crate::cli::target;
use crate::cli::template_report;
use crate::cli::template_report::Problem;
use crate::cli::template_report::Report;
use crate::client;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::CertificateTemplate;
use crate::config::DEFAULT_OID_ARC;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::SystemEntropy;
use crate::jose::jws::UnverifiedJws;
use crate::profile;
use crate::profile::Draft;
use crate::profile::GRANT_ID;
use crate::profile::GrantOids;
use crate::profile::SUBJECT_USER_ID;
use crate::profile::document;
use crate::provisioner;
use crate::provisioner::DraftError;
use crate::provisioner::DraftRequest;
use crate::provisioner::Notes;
use crate::template::Context;
use crate::template::Template;
use crate::template::Trace;
use crate::template::functions;
use crate::token::claims::Claims;
use crate::x509::csr::Csr;
use crate::x509::oid::Oid;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Render a template and show the certificate that it describes
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The template
    file: PathBuf,
    /// A token, or its claims as JSON; not verified [default: claims of a sample grant]
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The certification request, in PEM [default: a new one with a P-256 key]
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// templateData of the provisioner's options, a JSON object
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// templateData of the signing request, as JSON
    #[arg(long, value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// The OID arc of the grant extensions
    #[arg(long, value_name = "OID", default_value = DEFAULT_OID_ARC)]
    oid_arc: String,
    /// An extension whose value need not be DER, as in rawExtensions; several times for several
    #[arg(long = "raw-extension", value_name = "OID")]
    raw_extensions: Vec<String>,
    /// List what the template read of the token, the request and its data
    #[arg(long)]
    explain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Command::Check(args) = &args.command;
    let text = read(&args.file)?;
    let claims = claims(args.token.as_deref())?;
    let Some(subject) = claims.subject.as_deref().filter(|subject| !subject.is_empty()) else {
        return Err(Failure::usage("the token has no subject", "every token needs the claim sub"));
    };
    let csr = match &args.csr {
        Some(path) => sign::read_request(path)?,
        None => new_request(subject, &claims)?,
    };
    let user_data = args.user_data.as_deref().map(user_data).transpose()?;
    let oids = target::grant_oids(&args.oid_arc)?;
    let settings = settings(args, &text)?;

    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let request = DraftRequest {
        claims: &claims,
        subject,
        csr: &csr,
        authorization: None,
        user_data: user_data.as_ref(),
        clock: &clock,
        entropy: &entropy,
    };
    let (trace, drawn) = check(args, &settings, &request, &oids, &text);
    let certificate = drawn.as_ref().ok().map(|draft| template_report::certificate(draft, &csr, &oids));
    let report = Report {
        file: &args.file,
        template: &text,
        trace: trace.as_ref(),
        context: &Context::new(&clock, &entropy),
        certificate: certificate.as_ref(),
        problem: drawn.as_ref().err(),
        explain: args.explain,
    };
    super::print(&if args.json { format!("{}\n", report.to_json()) } else { report.to_text() });
    match &report.problem {
        Some(problem) => Err(report.failure(problem)),
        None => Ok(()),
    }
}

/// Parses, renders and reads the template; what was rendered comes back also where it is refused.
fn check(
    args: &CheckArgs,
    settings: &CertificateTemplate,
    request: &DraftRequest<'_>,
    oids: &GrantOids,
    text: &str,
) -> (Option<Trace>, Result<Draft, Problem>) {
    let name = args.file.display().to_string();
    if let Err(error) = Template::parse(&name, text, &functions::table()) {
        let place = Some((error.line, error.column));
        return (
            None,
            Err(Problem { place, message: error.message, hint: "docs/templates.md lists the functions" }),
        );
    }
    let mut notes = Notes::default();
    let drawn = provisioner::from_template(settings, request, Some(&mut notes));
    let trace = notes.trace;
    let drawn = match drawn {
        Ok(draft) => judge(draft, request, oids).map_err(|error| in_document(&trace, &error, DOCUMENT_HINT)),
        Err(error) => Err(problem(&trace, &error)),
    };
    (Some(trace), drawn)
}

/// What the authority checks of every draft.
fn judge(draft: Draft, request: &DraftRequest<'_>, oids: &GrantOids) -> Result<Draft, profile::Error> {
    draft.check()?;
    draft.to_extensions(request.csr.public_key(), None, &[])?;
    authority::check_grant(&draft, request.claims, oids).map_err(|error| profile::Error::Refused {
        member: "extensions".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(draft)
}

const DOCUMENT_HINT: &str = "correct what the template writes there";

fn problem(trace: &Trace, error: &DraftError) -> Problem {
    match error {
        DraftError::TemplateFailed(error) => {
            Problem::at(error.line, error.column, &error.message, "the template itself refuses these claims")
        }
        DraftError::RenderRefused(error) => Problem::at(
            error.line,
            error.column,
            &error.message,
            "test with if whether the value is there, or use toJson",
        ),
        DraftError::Render(error) => Problem::at(
            error.line,
            error.column,
            &error.message,
            "compare the expression with the data; --explain shows what was read",
        ),
        DraftError::Document(error) => in_document(trace, error, DOCUMENT_HINT),
        DraftError::UserData(error) => {
            in_document(trace, error, "without the user data it is a certificate: check them in the template")
        }
        other => Problem { place: None, message: other.to_string(), hint: "" },
    }
}

/// A problem of the document, at the place of the template that wrote it.
fn in_document(trace: &Trace, error: &profile::Error, hint: &'static str) -> Problem {
    let json = String::from_utf8_lossy(trace.output());
    Problem { place: trace.place_of(document::place_of(&json, error)), message: error.to_string(), hint }
}

fn settings(args: &CheckArgs, text: &str) -> Result<CertificateTemplate, Failure> {
    let arc = Oid::parse(&args.oid_arc).ok();
    let raw_extensions = args.raw_extensions.iter().map(|oid| {
        arc.as_ref().and_then(|arc| config::extension_oid(oid, arc)).ok_or_else(|| {
            Failure::usage(format!("{oid:?} is no object identifier"), "write it like 1.3.6.1.4.1.99999.4")
        })
    });
    let data = match &args.data {
        Some(path) => object(path)?,
        None => Map::new(),
    };
    let name = args.file.display().to_string();
    Ok(CertificateTemplate {
        template: Template::parse(&name, text, &functions::table()).map_err(|error| error.to_string()),
        text: text.to_owned(),
        data: config::allowed_data(data, &mut |warning| super::eprint(&format!("warning: {warning}\n"))),
        raw_extensions: raw_extensions.collect::<Result<_, _>>()?,
    })
}

/// The claims of a token, of a JSON file, or of a sample grant.
fn claims(path: Option<&Path>) -> Result<Claims, Failure> {
    let Some(path) = path else {
        return Claims::parse(sample_claims().to_string().as_bytes())
            .map_err(|error| Failure::start(error.to_string(), ""));
    };
    let text = read(path)?;
    let fault = |reason: String| {
        Failure::usage(
            format!("{} holds no claims: {reason}", path.display()),
            "give a token as stepless token prints it, or a JSON object of claims",
        )
    };
    if text.trim_start().starts_with('{') {
        return Claims::parse(text.as_bytes()).map_err(|error| fault(error.to_string()));
    }
    let jws = UnverifiedJws::parse(text.trim()).map_err(|error| fault(error.to_string()))?;
    Claims::parse(jws.payload()).map_err(|error| fault(error.to_string()))
}

fn sample_claims() -> Value {
    let now = SystemClock.now().unix_timestamp();
    json!({
        "iss": "sample",
        "aud": ["https://ca.example/1.0/sign"],
        "sub": "grant.example",
        "sans": ["grant.example"],
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": "0f6ad6f1-6b3f-4bb0-9d0c-52c2b1a5c0de",
        GRANT_ID: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        SUBJECT_USER_ID: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    })
}

/// A request for the names of the token, with a new key.
fn new_request(subject: &str, claims: &Claims) -> Result<Csr, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::start(format!("cannot make a request for this token: {error}"), "give one with --csr")
    };
    let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).map_err(|e| failed(&e))?;
    let names: Vec<String> = claims.names().into_iter().map(str::to_owned).collect();
    let der = client::create_csr(&key, subject, &names).map_err(|e| failed(&e))?;
    Csr::parse(&der).and_then(|csr| csr.verify()).map_err(|e| failed(&e))
}

fn user_data(path: &Path) -> Result<Value, Failure> {
    let text = read(path)?;
    authority::read_template_data(&text).ok_or_else(|| {
        Failure::usage(format!("{} is no JSON", path.display()), "give what a client sends as templateData")
    })
}

fn object(path: &Path) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(&read(path)?).map_err(|error| {
        Failure::usage(
            format!("{} is no JSON object: {error}", path.display()),
            "give what ca.json has as options.x509.templateData",
        )
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is not UTF-8", path.display()), "save it as UTF-8"))
}
