//! `authority.provisioners`: those of type JWK and X5C in full, the others by name.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::Error;
use crate::config::claims::Claims;
use crate::config::claims::EffectiveClaims;
use crate::config::reader::Object;
use crate::config::template::CertificateTemplate;
use crate::config::unoffered;
use crate::jose::ProvisionerKey;
use crate::x509::certificate::Certificate;
use crate::x509::oid::Oid;
use crate::x509::pem;

/// Types of step-ca that stepless does not offer. A type outside this list is ignored, as step-ca does.
const OTHER_TYPES: [&str; 9] = ["OIDC", "GCP", "AWS", "Azure", "ACME", "K8sSA", "SSHPOP", "SCEP", "Nebula"];

/// The fewest bits of an RSA key and bytes of a secret (CONTRACT.md D20).
const MIN_RSA_BITS: usize = 2048;
const MIN_SECRET_BYTES: usize = 32;

/// A provisioner.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProvisionerEntry {
    /// The type as written; its case does not matter.
    pub kind: String,
    /// The name, which tokens carry as `iss`.
    pub name: String,
    /// Who may sign its tokens.
    pub credential: Credential,
    /// Claims as written.
    pub claims: Option<Claims>,
    /// Claims over the authority's, or why the provisioner is off, in step-ca's words.
    pub effective_claims: Result<EffectiveClaims, String>,
    /// `options.x509`.
    pub x509: Option<X509Options>,
    /// Whether every token has to be bound to its CSR, from `options.requireCsrBinding`.
    pub require_csr_binding: bool,
}

/// Who may sign the tokens of a provisioner.
#[derive(Debug)]
#[non_exhaustive]
pub enum Credential {
    /// Type JWK: whoever has the key.
    Jwk {
        /// The key that tokens are verified with.
        key: Box<ProvisionerKey>,
        /// The private key as a compact JWE, for clients that know its password. Not checked.
        encrypted_key: String,
    },
    /// Type X5C: whoever has the key of a certificate below these roots.
    X5c {
        /// The roots.
        roots: Vec<Arc<Certificate>>,
        /// The same as written: PEM in base64.
        text: String,
    },
}

impl ProvisionerEntry {
    /// The id: `<name>:<kid>` for type JWK, `x5c/<name>` for X5C.
    #[must_use]
    pub fn id(&self) -> String {
        match &self.credential {
            Credential::Jwk { key, .. } => format!("{}:{}", self.name, key.jwk().key_id()),
            Credential::X5c { .. } => format!("x5c/{}", self.name),
        }
    }
}

/// `options.x509` of a provisioner.
#[derive(Debug, Clone, Default)]
pub struct X509Options {
    /// An inline template, as JSON text or base64.
    pub template: Option<String>,
    /// A file with a template.
    pub template_file: Option<String>,
    /// Data for the template, in the order and spelling of ca.json.
    pub template_data: Option<serde_json::Map<String, serde_json::Value>>,
    /// Extensions of a template whose value need not be DER; step-ca ignores the member.
    pub raw_extensions: Vec<Oid>,
    /// The template, once [`Config::load`](crate::config::Config::load) has found it.
    pub loaded: Option<CertificateTemplate>,
    /// Extensions made from claims; step-ca ignores the member.
    pub claim_extensions: Vec<ClaimExtension>,
}

/// One extension that is made from a claim of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimExtension {
    /// The extension's OID. Written with a leading dot it stands below `authority.oidArc`.
    pub oid: Oid,
    /// The claim whose text becomes the value, a DER UTF8String.
    pub claim: String,
    /// Whether the text has to be a UUID of 36 characters (RFC 9562 section 4).
    pub uuid: bool,
    /// Whether a token without the claim is refused.
    pub required: bool,
    /// Whether the extension is critical.
    pub critical: bool,
}

/// Reads the list; what is not offered goes into `warnings`.
pub(crate) fn read_all(
    authority: &Object<'_>,
    global: &EffectiveClaims,
    arc: &Oid,
    warnings: &mut Vec<String>,
) -> Result<Vec<ProvisionerEntry>, Error> {
    let mut provisioners: Vec<ProvisionerEntry> = Vec::new();
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (i, raw) in authority.elements("provisioners")?.into_iter().enumerate() {
        let object = Object::new(&format!("{}[{i}]", authority.place("provisioners")), raw)?;
        let kind = object.text("type")?;
        let name = object.text("name")?;
        if !["JWK", "X5C"].iter().any(|offered| offered.eq_ignore_ascii_case(&kind)) {
            if OTHER_TYPES.iter().any(|other| other.eq_ignore_ascii_case(&kind)) {
                warnings.push(format!("provisioner {name:?} of type {kind} is not offered and stays off"));
            } else {
                warnings.push(format!("provisioner {name:?} of unknown type {kind:?} is ignored"));
            }
            continue;
        }
        let provisioner = read(&object, kind, name, global, arc, warnings)?;
        if !ids.insert(provisioner.id()) {
            return Err(Error::Invalid("cannot add multiple provisioners with the same id".to_owned()));
        }
        if !names.insert(provisioner.name.clone()) {
            return Err(Error::Invalid("cannot add multiple provisioners with the same name".to_owned()));
        }
        if let Err(reason) = &provisioner.effective_claims {
            warnings.push(format!("provisioner {:?} is off: {reason}", provisioner.name));
        }
        provisioners.push(provisioner);
    }
    Ok(provisioners)
}

fn read(
    object: &Object<'_>,
    kind: String,
    name: String,
    global: &EffectiveClaims,
    arc: &Oid,
    warnings: &mut Vec<String>,
) -> Result<ProvisionerEntry, Error> {
    let credential = if kind.eq_ignore_ascii_case("X5C") { x5c(object)? } else { jwk(object)? };
    let claims = Claims::read(object)?;
    let effective_claims = if name.is_empty() {
        Err("provisioner name cannot be empty".to_owned())
    } else {
        claims.clone().unwrap_or_default().over(global).map_err(|error| error.to_string())
    };
    let options = object.object("options")?;
    let require_csr_binding =
        options.as_ref().map(|o| o.bool("requireCsrBinding")).transpose()?.flatten().unwrap_or(false);
    if let Some(options) = &options {
        unoffered::check_webhooks(&name, options, warnings)?;
    }
    let x509 = match options.as_ref().map(|o| o.object("x509")).transpose()?.flatten() {
        Some(x509) => Some(x509_options(&x509, arc)?),
        None => None,
    };
    Ok(ProvisionerEntry { kind, name, credential, claims, effective_claims, x509, require_csr_binding })
}

fn jwk(object: &Object<'_>) -> Result<Credential, Error> {
    let key_place = object.place("key");
    let fault = |reason: String| Error::Value { place: key_place.clone(), reason };
    let key = object.field("key").ok_or_else(|| fault("provisioner key cannot be empty".to_owned()))?;
    let key = ProvisionerKey::parse(key.text().as_bytes()).map_err(|error| fault(error.to_string()))?;
    match (key.jwk().key_type(), key.strength_bits()) {
        ("RSA", bits) if bits < MIN_RSA_BITS => {
            return Err(fault(format!("an RSA key of {bits} bits is weaker than {MIN_RSA_BITS}")));
        }
        ("oct", bits) if bits < MIN_SECRET_BYTES * 8 => {
            return Err(fault(format!("a secret of {} bytes is weaker than {MIN_SECRET_BYTES}", bits / 8)));
        }
        _ => {}
    }
    Ok(Credential::Jwk { key: Box::new(key), encrypted_key: object.text("encryptedKey")? })
}

/// `roots` is what Go makes of bytes: base64 with padding, here of PEM.
fn x5c(object: &Object<'_>) -> Result<Credential, Error> {
    let place = object.place("roots");
    let fault = |reason: String| Error::Value { place: place.clone(), reason };
    let text = object.text("roots")?;
    if text.is_empty() {
        return Err(fault("provisioner root(s) cannot be empty".to_owned()));
    }
    let pem = STANDARD.decode(&text).map_err(|_| fault("not PEM in base64".to_owned()))?;
    let roots = pem::Blocks::new(&pem)
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| Certificate::parse(&block.content).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(error.to_string()))?;
    if roots.is_empty() {
        return Err(fault("no x509 certificates found".to_owned()));
    }
    Ok(Credential::X5c { roots, text })
}

fn x509_options(x509: &Object<'_>, arc: &Oid) -> Result<X509Options, Error> {
    let list = x509.place("claimExtensions");
    let claim_extensions = x509
        .elements("claimExtensions")?
        .into_iter()
        .enumerate()
        .map(|(i, raw)| claim_extension(&Object::new(&format!("{list}[{i}]"), raw)?, arc))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = claim_extensions.iter().find(|extension| !seen.insert(extension.oid.to_string())) {
        return Err(Error::Value { place: list, reason: format!("{} stands twice", twice.oid) });
    }
    Ok(X509Options {
        template: x509.string("template")?.filter(|text| !text.is_empty()),
        template_file: x509.string("templateFile")?.filter(|path| !path.is_empty()),
        template_data: template_data(x509)?,
        raw_extensions: x509
            .strings("rawExtensions")?
            .iter()
            .map(|text| {
                extension_oid(text, arc).ok_or_else(|| Error::Value {
                    place: x509.place("rawExtensions"),
                    reason: format!("{text:?} is no object identifier"),
                })
            })
            .collect::<Result<_, _>>()?,
        loaded: None,
        claim_extensions,
    })
}

fn claim_extension(object: &Object<'_>, arc: &Oid) -> Result<ClaimExtension, Error> {
    let fault = |field: &str, reason: String| Error::Value { place: object.place(field), reason };
    let text = object.text("oid")?;
    let oid =
        extension_oid(&text, arc).ok_or_else(|| fault("oid", format!("{text:?} is no object identifier")))?;
    let claim = object.text("claim")?;
    if claim.is_empty() {
        return Err(fault("claim", "the name of a claim is needed".to_owned()));
    }
    let kind = object.string("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "utf8String") {
        return Err(fault("type", format!("{:?} is not offered, only utf8String", kind.unwrap_or_default())));
    }
    let format = object.string("format")?;
    if format.as_deref().is_some_and(|format| format != "uuid") {
        return Err(fault("format", format!("{:?} is not offered, only uuid", format.unwrap_or_default())));
    }
    Ok(ClaimExtension {
        oid,
        claim,
        uuid: format.is_some(),
        required: object.bool("required")?.unwrap_or(false),
        critical: object.bool("critical")?.unwrap_or(false),
    })
}

/// An OID as written, or below the arc if it begins with a dot.
pub(crate) fn extension_oid(text: &str, arc: &Oid) -> Option<Oid> {
    let full = if text.starts_with('.') { format!("{arc}{text}") } else { text.to_owned() };
    Oid::parse(&full).ok()
}

/// `templateData`, which has to be an object. Go's decoder keeps it as text, so numbers keep their spelling.
fn template_data(x509: &Object<'_>) -> Result<Option<serde_json::Map<String, serde_json::Value>>, Error> {
    let Some(raw) = x509.field("templateData") else { return Ok(None) };
    let place = x509.place("templateData");
    match serde_json::from_str(raw.text()) {
        Ok(serde_json::Value::Object(members)) => Ok(Some(members)),
        Ok(_) => Err(Error::Json(raw.mismatch(&place, "object"))),
        Err(error) => Err(Error::Value { place, reason: error.to_string() }),
    }
}
