//! How `template check` shows what it found: rendered text, certificate, reads, and the place of a problem.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::cli::describe;
use crate::cli::failure::Failure;
use crate::hex;
use crate::profile::Draft;
use crate::profile::GrantOids;
use crate::template::Context;
use crate::template::Read;
use crate::template::Trace;
use crate::x509::csr::Csr;
use crate::x509::words;

/// The most characters of a value, and of a source line, that are shown.
const WIDEST: usize = 100;

/// Why a template is refused.
#[derive(Debug)]
pub(super) struct Problem {
    /// Line and column in bytes, both from 1.
    pub(super) place: Option<(usize, usize)>,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl Problem {
    pub(super) fn at(line: usize, column: usize, message: &str, hint: &'static str) -> Self {
        Self { place: Some((line, column)), message: message.to_owned(), hint }
    }
}

/// Everything there is to show.
pub(super) struct Report<'a> {
    pub(super) file: &'a Path,
    pub(super) template: &'a str,
    /// `None` if the template was never rendered.
    pub(super) trace: Option<&'a Trace>,
    pub(super) context: &'a Context<'a>,
    pub(super) certificate: Option<&'a Value>,
    pub(super) problem: Option<&'a Problem>,
    pub(super) explain: bool,
}

/// Where a value came from, by the beginning of its path.
const ORIGINS: [(&str, &str); 7] = [
    (".Token", "token"),
    (".Subject", "token"),
    (".SANs", "token"),
    (".Insecure.CR", "request"),
    (".Insecure.User", "user data"),
    (".Insecure", "request and user data"),
    (".", "everything"),
];

/// `None` for data of the configuration.
fn origin(path: &str) -> Option<&'static str> {
    let below = |start: &str| match path.strip_prefix(start) {
        Some(rest) => rest.is_empty() || start != "." && rest.starts_with(['.', '[']),
        None => false,
    };
    ORIGINS.iter().find(|(start, _)| below(start)).map(|(_, origin)| *origin)
}

/// What the certificate will hold, less what the authority adds.
pub(super) fn certificate(draft: &Draft, csr: &Csr, oids: &GrantOids) -> Value {
    let extensions = draft.to_extensions(csr.public_key(), None, &[]).unwrap_or_default();
    let extensions: Vec<Value> = extensions
        .iter()
        .map(|extension| {
            json!({
                "oid": extension.oid.to_string(),
                "name": describe::extension_name(&extension.oid, oids),
                "critical": extension.critical,
                "value": describe::extension_value(extension, draft),
                "der": hex::encode(&extension.value),
            })
        })
        .collect();
    let names: Vec<Value> =
        draft.names.iter().map(|name| json!({"type": name.kind(), "value": name.to_string()})).collect();
    json!({
        "subject": words::subject(&draft.subject_der().unwrap_or_default()),
        "names": names,
        "extensions": extensions,
    })
}

impl Report<'_> {
    /// The reads that came from outside, with their origin.
    fn reads(&self) -> impl Iterator<Item = (&'static str, &Read)> {
        let reads = self.trace.filter(|_| self.explain).map(Trace::reads).unwrap_or_default();
        reads.iter().filter_map(|read| Some((origin(&read.path)?, read)))
    }

    pub(super) fn to_json(&self) -> Value {
        let rendered = self.trace.map(|trace| String::from_utf8_lossy(trace.output()).into_owned());
        let mut report = json!({
            "rendered": rendered,
            "certificate": self.certificate,
        });
        let Some(members) = report.as_object_mut() else { return report };
        if self.explain {
            let reads = self.reads().map(|(origin, read)| {
                let value = read.to_json(self.context);
                json!({
                    "origin": origin,
                    "path": read.path,
                    "expression": read.expression,
                    "line": read.line,
                    "column": read.column,
                    "value": value.and_then(|text| serde_json::from_str::<Value>(&text).ok()),
                })
            });
            members.insert("reads".to_owned(), reads.collect());
        }
        if let Some(problem) = self.problem {
            let (line, column) = problem.place.unzip();
            members.insert(
                "error".to_owned(),
                json!({"file": self.file.display().to_string(), "line": line, "column": column, "message": problem.message}),
            );
        }
        report
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(trace) = self.trace {
            let output = String::from_utf8_lossy(trace.output());
            let heading = if trace.finished() { "rendered" } else { "rendered until the error" };
            if !output.trim().is_empty() {
                text.push_str(&format!("{heading}\n\n{}\n", output.trim_matches('\n')));
            }
        }
        if let Some(certificate) = self.certificate {
            text.push_str(&certificate_text(certificate));
        }
        let reads: Vec<_> = self.reads().collect();
        if self.explain && self.trace.is_some() {
            text.push_str(if text.is_empty() { "read\n\n" } else { "\nread\n\n" });
            for (origin, read) in &reads {
                let place = format!("{}:{}", read.line, read.column);
                let value = read.to_json(self.context).unwrap_or_else(|| "nothing".to_owned());
                let (path, value) = (clip(&read.path), clip(&value));
                text.push_str(&format!("{origin:<10} {place:<7} {path} = {value}\n"));
                if read.expression != read.path {
                    text.push_str(&format!("{:18} as {}\n", "", clip(&read.expression)));
                }
            }
            if reads.is_empty() {
                text.push_str("nothing of the token, the request or its data\n");
            }
        }
        text
    }

    /// The failure of the command, with the source line and a caret.
    pub(super) fn failure(&self, problem: &Problem) -> Failure {
        let file = self.file.display();
        let message = match problem.place {
            None => format!("{file}: {}", problem.message),
            Some((line, column)) => {
                let source = self.template.split('\n').nth(line - 1).unwrap_or_default();
                format!("{file}:{line}:{column}: {}\n{}", problem.message, pointed(source, column))
            }
        };
        Failure::start(message, problem.hint)
    }
}

fn certificate_text(certificate: &Value) -> String {
    let list = |name: &str| certificate.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text_of =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut text = format!("\ncertificate\n\n{:<28} {}\n", "subject", text_of(certificate, "subject"));
    for name in list("names") {
        let label = format!("{} name", text_of(&name, "type"));
        text.push_str(&format!("{label:<28} {}\n", text_of(&name, "value")));
    }
    for extension in list("extensions") {
        let critical = extension.get("critical").and_then(Value::as_bool).unwrap_or(false);
        let name = match text_of(&extension, "name") {
            name if name.is_empty() => text_of(&extension, "oid"),
            name => name,
        };
        let mark = if critical { ", critical" } else { "" };
        text.push_str(&format!("{:<28} {}\n", format!("{name}{mark}"), text_of(&extension, "value")));
    }
    text
}

/// A text in one short line.
fn clip(text: &str) -> String {
    let line: String = text.chars().take(WIDEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(WIDEST).is_some() { format!("{line}...") } else { line }
}

/// A source line, or the part of it around a column in bytes, and a caret below.
fn pointed(source: &str, column: usize) -> String {
    let before = source.get(..column - 1).unwrap_or(source).chars().count();
    let skipped = before.saturating_sub(WIDEST * 3 / 4);
    let line: String = source.chars().skip(skipped).collect();
    format!("  {}\n  {}^", clip(line.trim_end()), " ".repeat(before - skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_character() {
        let check = |source: &str, column: usize, expected: &str| {
            assert_eq!(pointed(source, column), expected);
        };
        check("a {{ b }}\r", 6, "  a {{ b }}\n       ^");
        check("\t\u{e4} x", 5, "   \u{e4} x\n     ^");
        check("", 1, "  \n  ^");
        let long = "x".repeat(500);
        let shown = pointed(&long, 300);
        assert_eq!(shown.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [105, 78]);
    }

    #[test]
    fn values_have_an_origin() {
        assert_eq!(origin(".Token.sub"), Some("token"));
        assert_eq!(origin(".SANs[0].Value"), Some("token"));
        assert_eq!(origin(".Insecure.CR.PublicKey"), Some("request"));
        assert_eq!(origin(".Insecure.User"), Some("user data"));
        assert_eq!(origin(".Tokens"), None);
        assert_eq!(origin("."), Some("everything"));
    }
}
