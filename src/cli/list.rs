//! `stepless list`: the certificates on record, while the authority runs or not.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::database;
use crate::cli::database::Place;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::duration::GoDuration;
use crate::duration::format_rfc3339;
use crate::duration::parse_rfc3339;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::store::SqliteReader;
use crate::x509::certificate::Certificate;
use crate::x509::serial::SerialNumber;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Certificates of this grant
    #[arg(long, value_name = "UUID")]
    grant: Option<String>,
    /// Certificates of grants for this user
    #[arg(long, value_name = "UUID")]
    user: Option<String>,
    /// Certificates whose subject or names have this text in them, in whatever case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The certificate with this serial number, decimal or with 0x
    #[arg(long, value_name = "NUMBER")]
    serial: Option<String>,
    /// Certificates that are valid now and expire within this duration, or before this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    expiring: Option<String>,
    /// Revoked certificates only
    #[arg(long)]
    revoked: bool,
    /// This many at most, the newest first
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

/// What is shown of each, in this order.
const COLUMNS: [&str; 12] = [
    "serial",
    "subject",
    "names",
    "notBefore",
    "notAfter",
    "status",
    "provisioner",
    "grantId",
    "subjectUserId",
    "revokedAt",
    "reasonCode",
    "reason",
];

/// The columns of the table: for more, there are JSON and CSV.
const TABLE: [&str; 6] = ["serial", "subject", "notAfter", "status", "provisioner", "grantId"];

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let now = SystemClock.now();
    let filter = filter(args, now)?;
    let path = args.place.path()?;
    let reader = SqliteReader::open(&path).map_err(|error| database::store_failure(&error))?;
    let mut output = Output::new(args.format);
    let mut left = args.limit.unwrap_or(usize::MAX);
    let listed = reader.list(&filter, &mut |listed| {
        if left > 0 {
            output.add(&row(&listed, now));
            left -= 1;
        }
        left > 0
    });
    listed.map_err(|error| database::store_failure(&error))?;
    output.finish();
    Ok(())
}

fn filter(args: &Args, now: OffsetDateTime) -> Result<Filter, Failure> {
    let serial = args.serial.as_ref().map(|text| {
        SerialNumber::parse_signed(text).map_err(|_| {
            Failure::usage(
                format!("{text:?} is no serial number"),
                "write it in decimal, or with 0x in hexadecimal",
            )
        })
    });
    let before = args.expiring.as_ref().map(|text| {
        let duration = text.parse::<GoDuration>().ok().map(|duration| now + duration.as_time());
        duration.or_else(|| parse_rfc3339(text)).map(OffsetDateTime::unix_timestamp).ok_or_else(|| {
            Failure::usage(
                format!("{text:?} is neither a duration nor an RFC 3339 time"),
                "write 24h, 90m or 2030-01-02T15:04:05Z; days are no unit",
            )
        })
    });
    let before = before.transpose()?;
    Ok(Filter {
        serial: serial.transpose()?,
        grant_id: args.grant.as_ref().map(|id| id.to_lowercase()),
        subject_user_id: args.user.as_ref().map(|id| id.to_lowercase()),
        expiring_from: before.map(|_| now.unix_timestamp()),
        expiring_before: before,
        name: args.name.clone(),
        revoked: args.revoked,
        order: Order::Newest,
    })
}

/// What is known of one, absent where nothing is.
fn row(listed: &Listed, now: OffsetDateTime) -> Map<String, Value> {
    let instant =
        |seconds: i64| OffsetDateTime::from_unix_timestamp(seconds).map(format_rfc3339).unwrap_or_default();
    let mut row = Map::new();
    let mut set = |name: &str, value: Value| row.insert(name.to_owned(), value);
    set("serial", listed.serial.to_string().into());
    if let Some(certificate) = &listed.certificate {
        set("subject", certificate.subject.as_str().into());
        if let Ok(parsed) = Certificate::parse(&certificate.der) {
            let names = &parsed.subject_alt_names().names;
            set("names", names.iter().map(ToString::to_string).collect::<Vec<_>>().into());
        }
        set("notBefore", instant(certificate.not_before).into());
        set("notAfter", instant(certificate.not_after).into());
    } else if let Some(expires_at) = listed.revocation.as_ref().and_then(|revocation| revocation.expires_at) {
        set("notAfter", instant(expires_at).into());
    }
    let expired = listed.certificate.as_ref().is_some_and(|c| c.not_after < now.unix_timestamp());
    let status = match (&listed.revocation, expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "valid",
    };
    set("status", status.into());
    if let Some(certificate) = &listed.certificate {
        set("provisioner", certificate.provisioner.as_str().into());
        for (name, id) in
            [("grantId", &certificate.grant_id), ("subjectUserId", &certificate.subject_user_id)]
        {
            if let Some(id) = id {
                set(name, id.as_str().into());
            }
        }
    }
    if let Some(revocation) = &listed.revocation {
        set("revokedAt", instant(revocation.revoked_at).into());
        set("reasonCode", revocation.reason_code.into());
        set("reason", revocation.reason.as_str().into());
    }
    row
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
struct Output {
    format: Format,
    rows: Vec<[String; TABLE.len()]>,
    any: bool,
}

impl Output {
    fn new(format: Format) -> Self {
        if format == Format::Csv {
            super::print(&csv(&COLUMNS.map(str::to_owned)));
        }
        Self { format, rows: Vec::new(), any: false }
    }

    fn add(&mut self, row: &Map<String, Value>) {
        match self.format {
            Format::Table => self.rows.push(TABLE.map(|column| printable(&cell(row, column)))),
            Format::Csv => super::print(&csv(&COLUMNS.map(|column| cell(row, column)))),
            Format::Json => {
                let start = if self.any { ",\n" } else { "[" };
                super::print(&format!("{start}{}", Value::Object(row.clone())));
            }
        }
        self.any = true;
    }

    fn finish(self) {
        match self.format {
            Format::Csv => {}
            Format::Json => super::print(if self.any { "]\n" } else { "[]\n" }),
            Format::Table if self.rows.is_empty() => super::print("no certificates\n"),
            Format::Table => super::print(&table(&self.rows)),
        }
    }
}

/// A subject may hold what would make a terminal do things.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn table(rows: &[[String; TABLE.len()]]) -> String {
    let mut lines = vec![TABLE.map(str::to_owned)];
    lines.extend(rows.iter().cloned());
    let widths: Vec<usize> = (0..TABLE.len())
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
fn csv(cells: &[String]) -> String {
    let quoted = cells.iter().map(|cell| match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_csv_needs_it() {
        let check = |cells: &[&str], expected: &str| {
            let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
            assert_eq!(csv(&cells), expected);
        };
        check(&["a", "", "b c"], "a,,b c\r\n");
        check(&["a,b", "say \"x\"", "two\nlines"], "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn a_table_has_columns_and_no_control_characters() {
        let rows = [["1", "CN=a\u{1b}[2J", "t", "valid", "p", ""].map(printable)];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].find("subject"), lines[1].find("CN=a"));
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
