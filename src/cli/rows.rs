//! Rows as a table, as JSON or as comma-separated values; and what people write to choose them.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::duration::GoDuration;
use crate::duration::format_rfc3339;
use crate::duration::parse_rfc3339;
use crate::x509::serial::SerialNumber;

/// How to print rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
    /// A JSON object a line.
    #[value(skip)]
    Lines,
}

/// Unix seconds as RFC 3339.
pub(super) fn instant(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map(format_rfc3339).unwrap_or_default()
}

/// A time as Unix seconds: RFC 3339, or what `at` makes of a duration.
pub(super) fn time(text: &str, at: impl FnOnce(time::Duration) -> OffsetDateTime) -> Result<i64, Failure> {
    let time = text.parse::<GoDuration>().ok().map(|duration| at(duration.as_time()));
    time.or_else(|| parse_rfc3339(text)).map(OffsetDateTime::unix_timestamp).ok_or_else(|| {
        Failure::usage(
            format!("{text:?} is neither a duration nor an RFC 3339 time"),
            "write 24h, 90m or 2030-01-02T15:04:05Z; days are no unit",
        )
    })
}

/// A serial number, decimal or with 0x.
pub(super) fn serial(text: &str) -> Result<SerialNumber, Failure> {
    SerialNumber::parse_signed(text).map_err(|_| {
        Failure::usage(
            format!("{text:?} is no serial number"),
            "write it in decimal, or with 0x in hexadecimal",
        )
    })
}

/// A value as text, a list with spaces between.
fn cell(row: &Map<String, Value>, column: &str) -> String {
    match row.get(column) {
        None => String::new(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Prints rows as they come, apart from a table's, whose widths have to be known first.
pub(super) struct Rows {
    format: Format,
    columns: &'static [&'static str],
    /// Those of a table.
    few: &'static [&'static str],
    /// What a table without rows is.
    nothing: &'static str,
    rows: Vec<Vec<String>>,
    any: bool,
}

impl Rows {
    pub(super) fn new(
        format: Format,
        columns: &'static [&'static str],
        few: &'static [&'static str],
        nothing: &'static str,
    ) -> Self {
        if format == Format::Csv {
            super::print(&csv(columns.iter().map(|column| (*column).to_owned())));
        }
        Self { format, columns, few, nothing, rows: Vec::new(), any: false }
    }

    pub(super) fn add(&mut self, row: &Map<String, Value>) {
        match self.format {
            Format::Table => {
                self.rows.push(self.few.iter().map(|column| printable(&cell(row, column))).collect());
            }
            Format::Csv => super::print(&csv(self.columns.iter().map(|column| cell(row, column)))),
            Format::Lines => super::print(&format!("{}\n", self.object(row))),
            Format::Json => {
                let start = if self.any { ",\n" } else { "[" };
                super::print(&format!("{start}{}", self.object(row)));
            }
        }
        self.any = true;
    }

    /// The row without what is for tables alone.
    fn object(&self, row: &Map<String, Value>) -> Value {
        let cell =
            |column: &&str| row.get_key_value(*column).map(|(name, value)| (name.clone(), value.clone()));
        Value::Object(self.columns.iter().filter_map(cell).collect())
    }

    pub(super) fn finish(self) {
        match self.format {
            Format::Csv | Format::Lines => {}
            Format::Json => super::print(if self.any { "]\n" } else { "[]\n" }),
            Format::Table if self.rows.is_empty() => super::print(&format!("{}\n", self.nothing)),
            Format::Table => super::print(&table(self.few, &self.rows)),
        }
    }
}

/// A subject may hold what would make a terminal do things.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut lines = vec![columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.iter().cloned());
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A line of comma-separated values, RFC 4180.
fn csv(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_csv_needs_it() {
        let check = |cells: &[&str], expected: &str| {
            assert_eq!(csv(cells.iter().map(|cell| (*cell).to_owned())), expected);
        };
        check(&["a", "", "b c"], "a,,b c\r\n");
        check(&["a,b", "say \"x\"", "two\nlines"], "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn a_table_has_columns_and_no_control_characters() {
        let rows = [["1", "CN=a\u{1b}[2J", ""].map(printable).to_vec()];
        let text = table(&["serial", "subject", "grantId"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].find("subject"), lines[1].find("CN=a"));
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
