//! `stepless provisioner add`: a new entry of `authority.provisioners`, as the step command makes it.

use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::authority::bootstrap;
use crate::cli::ca_json::Edit;
use crate::cli::failure::Failure;
use crate::cli::provisioner;
use crate::cli::provisioner_key::KeyArgs;

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// The provisioner's name
    name: String,
    /// Who may sign its tokens
    #[arg(long = "type", value_enum, ignore_case = true, default_value_t = Type::Jwk)]
    kind: Type,
    /// Make a new key; so it is without --public-key anyway
    #[arg(long, conflicts_with = "public_key")]
    create: bool,
    #[command(flatten)]
    key: KeyArgs,
    /// The roots of the certificates that sign tokens, in PEM; for X5C
    #[arg(long, value_name = "FILE", alias = "x5c-root", required_if_eq("kind", "x5c"))]
    x5c_roots: Option<PathBuf>,
    /// Issue grant certificates, from the claims of a federation's tokens
    #[arg(long, conflicts_with = "x509_template")]
    grants: bool,
    /// The certificate template, which is copied into ca.json
    #[arg(long, value_name = "FILE")]
    x509_template: Option<PathBuf>,
    /// Data of the template, a JSON object
    #[arg(long, value_name = "FILE", requires = "x509_template")]
    x509_template_data: Option<PathBuf>,
    /// The shortest life of a certificate, such as 5m
    #[arg(long, value_name = "DURATION")]
    x509_min_dur: Option<String>,
    /// The longest life of a certificate, such as 24h
    #[arg(long, value_name = "DURATION")]
    x509_max_dur: Option<String>,
    /// The life of a certificate whose request names none
    #[arg(long, value_name = "DURATION")]
    x509_default_dur: Option<String>,
    /// Renew no certificate
    #[arg(long)]
    disable_renewal: bool,
    /// Renew certificates that have expired
    #[arg(long)]
    allow_renewal_after_expiry: bool,
    /// Leave the provisioner's extension out of certificates
    #[arg(long)]
    disable_smallstep_extensions: bool,
    #[command(flatten)]
    edit: Edit,
}

/// Who may sign the tokens of a provisioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Type {
    /// Whoever has the key
    Jwk,
    /// Whoever has the key of a certificate below the roots
    X5c,
}

pub(super) fn run(args: &AddArgs) -> Result<(), Failure> {
    if args.name.is_empty() || args.name.chars().any(char::is_control) {
        return Err(Failure::usage(
            "the name is empty or holds a control character",
            "give one line of text",
        ));
    }
    let kind = if args.kind == Type::X5c { "X5C" } else { "JWK" };
    let mut entry = Map::new();
    entry.insert("type".to_owned(), kind.into());
    entry.insert("name".to_owned(), args.name.as_str().into());
    if args.kind == Type::X5c {
        let path = args.x5c_roots.as_deref().unwrap_or(Path::new(""));
        let pem = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        entry.insert("roots".to_owned(), STANDARD.encode(pem).into());
        args.settings(&mut entry)?;
        let entry = Value::from(entry);
        let done = args.edit.run(Some(&args.name), |provisioners| provisioners.with(&args.name, &entry))?;
        super::print(&format!("{:<16} {}\n{done}", "provisioner", args.name));
        return Ok(());
    }
    if args.x5c_roots.is_some() {
        return Err(Failure::usage(
            "--x5c-roots is for --type X5C",
            "leave one of them out, or add the other",
        ));
    }
    let mut settings = Map::new();
    args.settings(&mut settings)?;
    let made = args.key.make(None)?;
    entry.insert("key".to_owned(), made.key.key.clone());
    if let Some(encrypted) = &made.key.encrypted {
        entry.insert("encryptedKey".to_owned(), encrypted.as_str().into());
    }
    entry.extend(settings);
    let entry = Value::from(entry);
    provisioner::register(&made, &args.name, &args.edit, |provisioners| provisioners.with(&args.name, &entry))
}

impl AddArgs {
    /// `claims` and `options`, where there is something to say.
    fn settings(&self, entry: &mut Map<String, Value>) -> Result<(), Failure> {
        let mut claims = Map::new();
        for (name, value) in [
            ("minTLSCertDuration", &self.x509_min_dur),
            ("maxTLSCertDuration", &self.x509_max_dur),
            ("defaultTLSCertDuration", &self.x509_default_dur),
        ] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.as_str().into());
            }
        }
        for (name, set) in [
            ("disableRenewal", self.disable_renewal),
            ("allowRenewalAfterExpiry", self.allow_renewal_after_expiry),
            ("disableSmallstepExtensions", self.disable_smallstep_extensions),
        ] {
            if set {
                claims.insert(name.to_owned(), true.into());
            }
        }
        if !claims.is_empty() {
            entry.insert("claims".to_owned(), claims.into());
        }
        if self.grants {
            entry.insert("options".to_owned(), bootstrap::grant_options());
        }
        if let Some(path) = &self.x509_template {
            let text = read(path)?;
            // Inline a template begins with a brace, or it is base64.
            let text = text.trim();
            let inline = if text.starts_with('{') && !text.starts_with("{{") {
                text.to_owned()
            } else {
                STANDARD.encode(text)
            };
            let mut x509 = json!({ "template": inline });
            if let Some(path) = &self.x509_template_data {
                let data: Map<String, Value> = serde_json::from_str(&read(path)?).map_err(|error| {
                    Failure::usage(
                        format!("{} is no JSON object: {error}", path.display()),
                        "give what the template shall find as variables",
                    )
                })?;
                x509["templateData"] = data.into();
            }
            entry.insert("options".to_owned(), json!({ "x509": x509 }));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}
