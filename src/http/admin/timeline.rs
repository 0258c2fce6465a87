//! Certificates by expiry: how many end when, and for each how much of its life is left.

use crate::http::admin::certificate;
use crate::http::admin::table;
use crate::http::admin::table::Column;
use crate::http::html;
use crate::http::html::escape;
use crate::store::CertificateRecord;
use crate::store::Listed;

/// How many rows a part has where the others are shown too.
const EACH: usize = 10;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A part of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// What stands in the address.
    key: &'static str,
    title: &'static str,
    /// The last second from now that belongs to it; it begins where the one before ends.
    end: i64,
}

const SPANS: [Span; 5] = [
    Span { key: "hour", title: "within an hour", end: HOUR },
    Span { key: "day", title: "within a day", end: DAY },
    Span { key: "week", title: "within a week", end: 7 * DAY },
    Span { key: "month", title: "within 30 days", end: 30 * DAY },
    Span { key: "later", title: "later", end: i64::MAX },
];

impl Span {
    /// The span with this key.
    pub(super) fn named(key: &str) -> Option<Self> {
        SPANS.into_iter().find(|span| span.key == key)
    }

    fn of(left: i64) -> Self {
        SPANS.into_iter().find(|span| left <= span.end).unwrap_or(SPANS[SPANS.len() - 1])
    }
}

/// The timeline of certificates in the order in which they end; of one span alone, `rows` at most.
pub(super) fn write(listed: &[Listed], only: Option<Span>, now: i64, rows: usize) -> String {
    let mut parts: Vec<(Span, Vec<(&Listed, &CertificateRecord)>)> =
        SPANS.into_iter().map(|span| (span, Vec::new())).collect();
    for listed in listed {
        let Some(record) = &listed.certificate else { continue };
        let span = Span::of(record.not_after.saturating_sub(now));
        if let Some((_, part)) = parts.iter_mut().find(|(other, _)| *other == span) {
            part.push((listed, record));
        }
    }
    if parts.iter().all(|(_, part)| part.is_empty()) {
        return "<p>No certificate on record is valid now. The first one will stand here as soon as it is \
                issued.</p>\n"
            .to_owned();
    }
    let counts: Vec<(Span, usize)> = parts.iter().map(|(span, part)| (*span, part.len())).collect();
    let mut html = chart(&counts, only);
    for (span, part) in &parts {
        if part.is_empty() || only.is_some_and(|only| only != *span) {
            continue;
        }
        let shown = if only.is_some() { rows } else { EACH };
        html.push_str(&format!("<h2>{} <small>{}</small></h2>\n", capital(span.title), part.len()));
        html.push_str(&rows_of(part, now, shown));
        if part.len() > shown && only.is_none() {
            html.push_str(&format!("<p><a href=\"/?until={}\">More of these</a></p>\n", span.key));
        } else if part.len() > shown {
            html.push_str(&format!("<p class=\"soft\">The first {shown} are shown.</p>\n"));
        }
    }
    html
}

/// A column for each span, as high as there are certificates in it.
fn chart(counts: &[(Span, usize)], only: Option<Span>) -> String {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let columns: String = { counts.iter() }
        .map(|(span, count)| {
            // Rounded up, so that one among thousands can be seen.
            let height = (count * 100).div_ceil(most);
            let mark = if only == Some(*span) { " aria-current=\"true\"" } else { "" };
            format!(
                "<li><a href=\"/?until={}\"{mark}><svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><rect y=\"{}\" width=\"100\" height=\"{height}\"/></svg>\
                 <strong>{count}</strong> <span>{}</span></a></li>\n",
                span.key,
                100 - height,
                span.title
            )
        })
        .collect();
    format!("<ol class=\"spans\">\n{columns}</ol>\n")
}

fn rows_of(part: &[(&Listed, &CertificateRecord)], now: i64, shown: usize) -> String {
    const COLUMNS: [Column; 4] = [
        Column("certificate", ""),
        Column("provisioner", "provisioner"),
        Column("valid until", "until"),
        Column("left of its life", "left"),
    ];
    let rows: String = { part.iter().take(shown) }
        .map(|(listed, record)| {
            let name = certificate::link_and_grant(listed);
            let cells =
                [name, escape(&record.provisioner), html::moment_of(record.not_after), left(record, now)];
            table::row(&COLUMNS, &cells)
        })
        .collect();
    table::or("", &COLUMNS, &rows)
}

/// The time left in words, and as a share of the whole. In the last third a client that renews should have done so.
fn left(record: &CertificateRecord, now: i64) -> String {
    let (left, life) =
        (record.not_after.saturating_sub(now), record.not_after.saturating_sub(record.not_before));
    let share = left.saturating_mul(100) / life.max(1);
    let class = if share < 33 { "bar warn" } else { "bar" };
    format!(
        "<div>{} <span class=\"soft\">of {}</span><svg class=\"{class}\" viewBox=\"0 0 100 4\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100\" height=\"4\"/>\
         <rect width=\"{}\" height=\"4\"/></svg></div>",
        words(left),
        words(life),
        share.clamp(1, 100)
    )
}

/// A duration in its two largest units.
fn words(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(365 * DAY, "y"), (DAY, "d"), (HOUR, "h"), (60, "min")];
    let Some(index) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return format!("{seconds} s");
    };
    let (unit, name) = UNITS[index];
    let (whole, rest) = (seconds / unit, seconds % unit);
    match UNITS.get(index + 1).map(|(next, name)| (rest / next, name)) {
        Some((more, next)) if more > 0 => format!("{whole} {name} {more} {next}"),
        _ => format!("{whole} {name}"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let check = |seconds: i64, expected: &str| assert_eq!(words(seconds), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(HOUR - 1, "59 min");
        check(5 * HOUR + 12 * 60 + 59, "5 h 12 min");
        check(DAY, "1 d");
        check(3650 * DAY, "10 y");
        check(400 * DAY, "1 y 35 d");
    }

    #[test]
    fn spans_meet_without_a_gap() {
        let check = |left: i64, expected: &str| assert_eq!(Span::of(left).key, expected, "{left}");
        check(0, "hour");
        check(HOUR, "hour");
        check(HOUR + 1, "day");
        // What an ordinary certificate has when it is new.
        check(DAY, "day");
        check(7 * DAY + 1, "month");
        check(30 * DAY + 1, "later");
        check(i64::MAX, "later");
        assert_eq!(Span::named("day"), Some(SPANS[1]));
        assert_eq!(Span::named("<script>"), None);
    }
}
