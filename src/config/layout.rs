//! How the items of a JSON array or object are laid out, so that what is added looks like what is there.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::PrettyFormatter;
use serde_json::ser::Serializer;

use crate::json::Raw;

/// White space around items.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Before an item, behind the comma.
    pub(super) between: String,
    /// Before the closing bracket.
    pub(super) end: String,
    /// What a deeper level adds; `None` where all stands in one line.
    unit: Option<String>,
}

impl Layout {
    /// That of an array or object, or of what stands for one (`null`), within a text.
    pub(super) fn of_items(text: &str, container: Raw<'_>) -> Self {
        let span = container.range_in(text);
        let inner = container.text().get(1..container.text().len() - 1).unwrap_or_default();
        let leading = |text: &str| text[..text.len() - text.trim_start().len()].to_owned();
        if container.is_null() || inner.trim().is_empty() {
            return Self::below(text, span.start);
        }
        let first = leading(inner);
        let end = inner[inner.trim_end().len()..].to_owned();
        if !first.contains('\n') {
            // All in one line, or the first item beside its bracket: as the second one is, if there is one.
            let items = container.elements().unwrap_or_default();
            let second = items.get(1).map(|item| item.range_in(text).start);
            let between = match (items.first(), second) {
                (Some(item), Some(second)) => leading(&text[item.range_in(text).end + 1..second]),
                _ => String::new(),
            };
            let unit = between.contains('\n').then(|| "\t".to_owned());
            return Self { between, end, unit };
        }
        let unit = indentation(&first).strip_prefix(indentation(&end)).filter(|unit| !unit.is_empty());
        Self { unit: Some(unit.unwrap_or("\t").to_owned()), between: first, end }
    }

    /// One level below the line of a byte, in the manner of the text's first indented line.
    fn below(text: &str, at: usize) -> Self {
        let Some(unit) = text.lines().skip(1).map(indented).find(|unit| !unit.is_empty()) else {
            return Self { between: String::new(), end: String::new(), unit: None };
        };
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        let end = format!("{newline}{}", indented(line));
        Self { between: format!("{end}{unit}"), end, unit: Some(unit.to_owned()) }
    }

    /// A value as an item.
    pub(super) fn render(&self, value: &Value) -> String {
        let Some(unit) = &self.unit else { return value.to_string() };
        let mut bytes = Vec::new();
        let formatter = PrettyFormatter::with_indent(unit.as_bytes());
        let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter));
        let newline = if self.between.contains("\r\n") { "\r\n" } else { "\n" };
        // No string of JSON holds a line end.
        match (written, String::from_utf8(bytes)) {
            (Ok(()), Ok(text)) => text.replace('\n', &format!("{newline}{}", indentation(&self.between))),
            _ => value.to_string(),
        }
    }
}

/// The white space that a line begins with.
fn indented(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// What follows the last line end.
fn indentation(space: &str) -> &str {
    space.rsplit('\n').next().unwrap_or_default()
}
