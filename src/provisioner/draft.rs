//! Draws up the certificate: by step-ca's default leaf, with extensions from claims, or by a template.

use crate::clock::Clock;
use crate::config::CertificateTemplate;
use crate::config::ClaimExtension;
use crate::entropy::Entropy;
use crate::profile;
use crate::profile::Draft;
use crate::profile::document;
use crate::profile::document::DocumentRules;
use crate::provisioner::extensions;
use crate::template::Context;
use crate::template::RenderError;
use crate::template::RenderErrorKind;
use crate::template::Template;
use crate::template::Trace;
use crate::template_data;
use crate::template_data::TemplateData;
use crate::template_data::TemplateSan;
use crate::token::claims::Claims;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::san;

/// No certificate can be drawn up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A claim that becomes an extension is missing or malformed.
    #[error(transparent)]
    Claim(#[from] extensions::Error),
    /// The provisioner's template could not be read or parsed at start.
    #[error("template is unusable: {0}")]
    TemplateUnusable(String),
    /// The template called `fail`; the message is its own words.
    #[error("{}", .0.message)]
    TemplateFailed(RenderError),
    /// The template cannot be rendered with this data.
    #[error("{0}")]
    Render(#[source] RenderError),
    /// The data of the request would put text into the certificate that nobody wants there.
    #[error("{0}")]
    RenderRefused(#[source] RenderError),
    /// What the template renders is no certificate, or none that may be.
    #[error("{0}")]
    Document(#[source] profile::Error),
    /// The same, and the request's `templateData` is at fault (CONTRACT.md D14).
    #[error("templateData of the request: {0}")]
    UserData(#[source] profile::Error),
    /// Configuration and verified claims would mix.
    #[error(transparent)]
    Data(#[from] template_data::Error),
}

/// What a draft is made from.
#[derive(Debug, Clone, Copy)]
pub struct DraftRequest<'a> {
    /// The claims of the token, which has been verified unless nothing is to be issued.
    pub claims: &'a Claims,
    /// `sub` of the token, not empty.
    pub subject: &'a str,
    /// The certification request.
    pub csr: &'a Csr,
    /// The certificate that signed the token, which templates see as `.AuthorizationCrt`.
    pub authorization: Option<&'a Certificate>,
    /// `templateData` of the request's body, as JSON.
    pub user_data: Option<&'a serde_json::Value>,
    /// Tells templates the time.
    pub clock: &'a dyn Clock,
    /// Gives templates randomness.
    pub entropy: &'a dyn Entropy,
}

/// What drawing up by a template leaves behind for whoever explains it.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// The trace of the last rendering: what it read and wrote.
    pub trace: Trace,
}

/// How a provisioner draws up certificates.
#[derive(Debug)]
pub(super) enum Source {
    /// step-ca's default leaf and extensions from claims.
    Default(Vec<ClaimExtension>),
    /// A template.
    Template(Box<CertificateTemplate>),
}

impl Source {
    pub(super) fn draft(&self, request: &DraftRequest<'_>) -> Result<Draft, Error> {
        match self {
            Self::Default(rules) => default_leaf(rules, request),
            Self::Template(template) => from_template(template, request, None),
        }
    }
}

fn default_leaf(rules: &[ClaimExtension], request: &DraftRequest<'_>) -> Result<Draft, Error> {
    let claims = request.claims;
    let names = san::classify_all(claims.names());
    let mut draft = profile::default_leaf(request.subject, &names, request.csr.public_key());
    for rule in rules {
        draft.extensions.extend(extensions::from_claim(rule, claims)?);
    }
    Ok(draft)
}

/// Draws up the certificate that a template describes: the one way to do it, for issuing and for trying out.
///
/// With `notes`, the rendering is traced; the last one counts, be it refused or not.
///
/// # Errors
///
/// [`enum@Error`] if the template, what it renders or the request's own data is at fault.
pub fn from_template(
    settings: &CertificateTemplate,
    request: &DraftRequest<'_>,
    notes: Option<&mut Notes>,
) -> Result<Draft, Error> {
    let template = settings.template.as_ref().map_err(|error| Error::TemplateUnusable(error.clone()))?;
    match read(settings, template, request, notes) {
        // Whose fault is it? If the same template makes a certificate without the request's own data, the
        // request's.
        Err(Error::Document(error)) if request.user_data.is_some() => {
            let without = DraftRequest { user_data: None, ..*request };
            match read(settings, template, &without, None) {
                Ok(_) => Err(Error::UserData(error)),
                Err(_) => Err(Error::Document(error)),
            }
        }
        result => result,
    }
}

/// Renders and reads the document.
fn read(
    settings: &CertificateTemplate,
    template: &Template,
    request: &DraftRequest<'_>,
    mut notes: Option<&mut Notes>,
) -> Result<Draft, Error> {
    let rules = DocumentRules { raw_extension_oids: settings.raw_extensions.clone() };
    let context = Context::new(request.clock, request.entropy);
    let json = match render(settings, template, request, &context, notes.as_deref_mut()) {
        // The operator has declared some values to be free text: there `<nil>` may stand, nowhere else.
        Err(Error::RenderRefused(error)) if !rules.raw_extension_oids.is_empty() => {
            let json = render(settings, template, request, &context.with_odd_text(), notes)?;
            let draft = document::read(&json, &rules).map_err(Error::Document)?;
            return match holds_odd_text(&draft, &rules) {
                true => Err(Error::RenderRefused(error)),
                false => Ok(draft),
            };
        }
        result => result?,
    };
    document::read(&json, &rules).map_err(Error::Document)
}

fn render(
    settings: &CertificateTemplate,
    template: &Template,
    request: &DraftRequest<'_>,
    context: &Context<'_>,
    notes: Option<&mut Notes>,
) -> Result<String, Error> {
    let sans = TemplateSan::ordered(&san::classify_all(request.claims.names()));
    let data = TemplateData {
        subject: Some(request.subject),
        sans: Some(&sans),
        token: Some(&request.claims.all),
        configured: Some(&settings.data),
        user: request.user_data,
        csr: Some(request.csr),
        authorization_certificate: request.authorization,
        ..TemplateData::default()
    };
    let data = data.to_value_for(template)?;
    let rendered = match notes {
        None => template.render(&data, context),
        Some(notes) => {
            let (rendered, trace) = template.render_traced(&data, context);
            notes.trace = trace;
            rendered
        }
    };
    let rendered = rendered.map_err(|error| match error.kind {
        RenderErrorKind::Fail => Error::TemplateFailed(error),
        RenderErrorKind::Strict => Error::RenderRefused(error),
        _ => Error::Render(error),
    })?;
    String::from_utf8(rendered.bytes).map_err(|_| {
        Error::Document(profile::Error::Malformed {
            member: "document".to_owned(),
            reason: "not UTF-8".to_owned(),
        })
    })
}

/// Whether the text of a failed formatting stands anywhere but in the values that are free text.
fn holds_odd_text(draft: &Draft, rules: &DocumentRules) -> bool {
    let odd = |bytes: &[u8]| {
        [&b"<nil>"[..], b"<no value>", b"%!"].iter().any(|mark| bytes.windows(mark.len()).any(|w| w == *mark))
    };
    // Everything that becomes bytes of the certificate, with the free texts taken out.
    let mut rest = draft.clone();
    rest.extensions.retain(|extension| !rules.raw_extension_oids.contains(&extension.oid));
    let subject = rest.subject_der().unwrap_or_default();
    odd(&subject)
        || rest.names.iter().any(|name| odd(name.to_string().as_bytes()))
        || rest.extensions.iter().any(|extension| odd(&extension.value))
        || [&rest.ocsp_servers, &rest.issuing_certificate_urls, &rest.crl_distribution_points]
            .into_iter()
            .flatten()
            .any(|uri| odd(uri.as_bytes()))
        || rest.name_constraints.is_some_and(|(constraints, critical)| {
            constraints.to_extension(critical).map_or(true, |extension| odd(&extension.value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::template::functions;
    use crate::x509::oid::Oid;
    use crate::x509::pem;

    const CLAIMS: &str = r#"{"sub": "a.example", "name": "x", "odd": null, "n": 1}"#;

    fn settings(text: &str, raw: &[&str]) -> CertificateTemplate {
        CertificateTemplate {
            template: Template::parse("t", text, &functions::table()).map_err(|error| error.to_string()),
            text: text.to_owned(),
            data: serde_json::from_str(r#"{"site": "b"}"#).unwrap(),
            raw_extensions: raw.iter().map(|oid| Oid::parse(oid).unwrap()).collect(),
        }
    }

    fn draw(
        settings: &CertificateTemplate,
        user_data: Option<&str>,
        notes: Option<&mut Notes>,
    ) -> Result<Draft, Error> {
        let claims = Claims::parse(CLAIMS.as_bytes()).unwrap();
        let csr = include_str!("../../tests/cmd/template_check/p256.csr");
        let csr = Csr::parse(&pem::decode_first(csr).unwrap().content).unwrap().verify().unwrap();
        let user_data = user_data.map(|json| serde_json::from_str(json).unwrap());
        let (clock, entropy) = (SystemClock, SystemEntropy::new());
        let request = DraftRequest {
            claims: &claims,
            subject: "a.example",
            csr: &csr,
            authorization: None,
            user_data: user_data.as_ref(),
            clock: &clock,
            entropy: &entropy,
        };
        from_template(settings, &request, notes)
    }

    /// The kind of the end, and the common name or the message.
    fn check(text: &str, raw: &[&str], user_data: Option<&str>, expected: (&str, &str)) {
        let result = draw(&settings(text, raw), user_data, None);
        let (kind, said) = match &result {
            Ok(draft) => ("drawn", draft.common_name()),
            Err(error) => {
                let kind = match error {
                    Error::TemplateUnusable(_) => "unusable",
                    Error::TemplateFailed(_) => "failed",
                    Error::Render(_) => "render",
                    Error::RenderRefused(_) => "refused",
                    Error::Document(_) => "document",
                    Error::UserData(_) => "user data",
                    Error::Claim(_) | Error::Data(_) => "other",
                };
                (kind, error.to_string())
            }
        };
        assert_eq!((kind, said.as_str()), expected, "{text}");
    }

    #[test]
    fn every_fault_has_its_kind() {
        check(r#"{"subject": {{ toJson .Subject }}}"#, &[], None, ("drawn", "a.example"));
        check(r#"{"subject": "{{ .site }}{{ .Token.name }}"}"#, &[], None, ("drawn", "bx"));
        check("{{ fail \"no\" }}", &[], None, ("failed", "no"));
        check(
            "{{ nosuch }}",
            &[],
            None,
            ("unusable", "template is unusable: template: t:1: function \"nosuch\" not defined"),
        );
        check(
            "{{ .Token.name.x }}",
            &[],
            None,
            ("render", "template: t:1:4: <.Token.name.x>: can't evaluate field x in type string"),
        );
        check(
            r#"{"subject": "{{ .Token.none }}"}"#,
            &[],
            None,
            ("refused", "template: t:1:17: <.Token.none>: has no value to print"),
        );
        check("{", &[], None, ("document", "document: a member name should stand at byte 1"));
        check(r#"{"subject": "{{ "\xff" }}"}"#, &[], None, ("document", "document: not UTF-8"));
    }

    #[test]
    fn user_data_are_at_fault_if_the_template_makes_a_certificate_without_them() {
        let text = r#"{"subject": {"commonName": "a", "organization": {{ toJson .Insecure.User.o }}}}"#;
        let wrong = "subject.organization: a number where a string or a list of strings should stand";
        check(text, &[], Some(r#"{"o": "b"}"#), ("drawn", "a"));
        check(
            text,
            &[],
            Some(r#"{"o": 7}"#),
            ("user data", &format!("templateData of the request: {wrong}")),
        );
        // A template that is wrong in any case is the operator's to mend.
        let text = text.replace("\"a\"", "7");
        check(&text, &[], Some(r#"{"o": 7}"#), ("document", wrong));
    }

    #[test]
    fn odd_text_stands_in_raw_extensions_only() {
        const RAW: &[&str] = &["1.2.3.4"];
        let document = |cn: &str, san: &str, value: &str| {
            format!(
                r#"{{"subject": {cn}, "dnsNames": {san}, "extensions": [{{"id": "1.2.3.4", "value": "{{{{ {value} | b64enc }}}}"}}]}}"#
            )
        };
        let nil = r#"printf "%v" .Token.odd"#;
        let refused = |place: usize, expression: &str| {
            format!("template: t:1:{place}: <{expression}>: printf: nil would print as <nil>")
        };
        let text = document("\"a\"", "[]", nil);
        check(&text, RAW, None, ("drawn", "a"));
        check(&text, &[], None, ("refused", &refused(80, nil)));
        check(&text, &["1.2.3.5"], None, ("document", "extensions[0].value: malformed DER element"));
        let sound =
            text.replace("printf \"%v\" .Token.odd | b64enc", "printf \"utf8:%v\" .Token.odd | asn1Enc");
        check(&sound, &["1.2.3.5"], None, ("refused", &refused(80, "printf \"utf8:%v\" .Token.odd")));
        // Elsewhere in the same certificate it stays refused, be the extension as free as it may.
        let in_subject = document(r#""{{ printf "%v" .Token.odd }}""#, "[]", nil);
        check(&in_subject, RAW, None, ("refused", &refused(17, nil)));
        let raw_value = draw(&settings(&text, RAW), None, None).unwrap().extensions.remove(0).value;
        assert_eq!(raw_value, b"<nil>");
    }

    #[test]
    fn notes_tell_what_the_last_rendering_read() {
        let text = r#"{"subject": "{{ .Token.name }}", "extensions": [{"id": "1.2.3.4", "value": "{{ printf "%v" .Token.odd | b64enc }}"}]}"#;
        let mut notes = Notes::default();
        draw(&settings(text, &["1.2.3.4"]), None, Some(&mut notes)).unwrap();
        assert!(notes.trace.finished());
        let paths: Vec<&str> = notes.trace.reads().iter().map(|read| read.path.as_str()).collect();
        assert_eq!(paths, [".Token.name", ".Token.odd"]);

        let mut notes = Notes::default();
        draw(&settings(text, &[]), None, Some(&mut notes)).unwrap_err();
        assert!(!notes.trace.finished());
    }
}
