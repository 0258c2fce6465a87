//! A provisioner's certificate template: found, parsed once, its data checked (CONTRACT.md D24).
//!
//! A template that cannot be had does not stop the start, as in step-ca: its provisioner then answers each
//! request with an error, and the start says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;

use crate::config::Files;
use crate::config::provisioner::X509Options;
use crate::template::FunctionTable;
use crate::template::Template;
use crate::template_data;
use crate::x509::oid::Oid;

/// A template and what goes with it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CertificateTemplate {
    /// The parsed template, or why there is none, with file, line and column.
    pub template: Result<Template, String>,
    /// The text, empty if it cannot be had.
    pub text: String,
    /// `templateData`, without the names that stand for verified claims.
    pub data: Map<String, Value>,
    /// Extensions whose value need not be DER, from `rawExtensions`.
    pub raw_extensions: Vec<Oid>,
}

/// Finds and parses the template of `options`, if it has one. What is wrong goes into `warnings` as well.
pub(super) fn load(
    provisioner: &str,
    options: &X509Options,
    files: &dyn Files,
    functions: &FunctionTable,
    warnings: &mut Vec<String>,
) -> Option<CertificateTemplate> {
    let mut warn = |text: String| warnings.push(format!("provisioner {provisioner:?}: {text}"));
    let (name, text) = match (&options.template, &options.template_file) {
        (Some(inline), _) => ("template", inline_text(inline)),
        (None, Some(path)) => (path.as_str(), file_text(path, files)),
        (None, None) => return None,
    };
    let template = text.clone().and_then(|text| {
        Template::parse(name, &text, functions)
            .map_err(|error| format!("{name}:{}:{}: {}", error.line, error.column, error.message))
    });
    if let Err(reason) = &template {
        warn(format!("its template cannot be used, so it issues nothing: {reason}"));
    }
    let data = allowed_data(options.template_data.clone().unwrap_or_default(), &mut warn);
    Some(CertificateTemplate {
        template,
        text: text.unwrap_or_default(),
        data,
        raw_extensions: options.raw_extensions.clone(),
    })
}

/// `templateData` less the names that stand for verified claims; each of those is a warning.
pub(crate) fn allowed_data(data: Map<String, Value>, warn: &mut dyn FnMut(String)) -> Map<String, Value> {
    let (refused, allowed): (Map<_, _>, Map<_, _>) =
        data.into_iter().partition(|(name, _)| template_data::RESERVED.contains(&name.as_str()));
    for name in refused.keys() {
        warn(format!("templateData {name:?} is refused: configuration does not replace what a token says"));
    }
    allowed
}

/// An inline template begins with `{`, or it is base64.
fn inline_text(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('{') {
        return Ok(text.to_owned());
    }
    let bytes = STANDARD.decode(text).map_err(|_| "template: neither JSON nor base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "template: not UTF-8".to_owned())
}

fn file_text(path: &str, files: &dyn Files) -> Result<String, String> {
    let bytes = files
        .read_template(path)
        .map_err(|error| format!("error reading {path:?}: {}", super::load::reason(&error)))?;
    String::from_utf8(bytes).map_err(|_| format!("{path}: not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MemoryFiles;
    use crate::template::functions;

    /// Loads `options` beside a file `good.tpl`.
    fn loaded(options: &X509Options) -> (Option<CertificateTemplate>, Vec<String>) {
        let files = MemoryFiles::default()
            .with("good.tpl", "{}")
            .with("bad.tpl", "{\n  {{ nosuch }}\n}")
            .with("latin1.tpl", &b"\xe4"[..]);
        let mut warnings = Vec::new();
        let template = load("p", options, &files, &functions::table(), &mut warnings);
        (template, warnings)
    }

    fn file(path: &str) -> X509Options {
        X509Options { template_file: Some(path.to_owned()), ..X509Options::default() }
    }

    fn inline(text: &str) -> X509Options {
        X509Options { template: Some(text.to_owned()), ..X509Options::default() }
    }

    /// The text that was parsed, or why there is none; the reason stands in the only warning too.
    fn check(options: &X509Options, expected: Result<&str, &str>) {
        let (template, warnings) = loaded(options);
        let template = template.unwrap();
        let found = template.template.as_ref().map(|_| template.text.as_str());
        assert_eq!(found.map_err(String::as_str), expected);
        let warning = expected.err().map(|reason| {
            format!("provisioner \"p\": its template cannot be used, so it issues nothing: {reason}")
        });
        assert_eq!(warnings, Vec::from_iter(warning));
    }

    #[test]
    fn templates_come_from_files() {
        check(&file("good.tpl"), Ok("{}"));
        check(&file("none.tpl"), Err("error reading \"none.tpl\": no such file or directory"));
        check(&file("latin1.tpl"), Err("latin1.tpl: not UTF-8"));
        check(&file("bad.tpl"), Err("bad.tpl:2:6: function \"nosuch\" not defined"));
        assert!(loaded(&X509Options::default()).0.is_none());
    }

    #[test]
    fn inline_templates_are_text_or_base64() {
        check(&inline(" {\"a\": 1}\n"), Ok("{\"a\": 1}"));
        check(&inline("e30="), Ok("{}"));
        check(&inline("\n e30= \n"), Ok("{}"));
        check(&inline("subject"), Err("template: neither JSON nor base64"));
        check(&inline("5A=="), Err("template: not UTF-8"));
        check(&inline("{{ if }}"), Err("template:1:7: missing value for if"));
        // The inline one wins over the file.
        check(&X509Options { template: Some("{}".to_owned()), ..file("none.tpl") }, Ok("{}"));
    }

    #[test]
    fn data_never_name_what_the_token_says() {
        let data = r#"{"org": "x", "Token": {"sub": "admin"}, "subject": "y", "Insecure": 1}"#;
        let data: Map<String, Value> = serde_json::from_str(data).unwrap();
        let (template, warnings) = loaded(&X509Options { template_data: Some(data), ..file("good.tpl") });
        let template = template.unwrap();
        let names: Vec<&str> = template.data.keys().map(String::as_str).collect();
        assert_eq!(names, ["org", "subject"]);
        let refused = |name: &str| {
            format!(
                "provisioner \"p\": templateData {name:?} is refused: configuration does not replace what a token says"
            )
        };
        assert_eq!(warnings, [refused("Token"), refused("Insecure")]);
    }
}
