//! `GET /refusals`: what was refused and why, the newest first, as the audit log has it.
//!
//! What is not in the log, since it did not reach the authority or could not be recorded, is known since the start.

use std::cmp::Reverse;
use std::collections::VecDeque;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::admin::Desk;
use crate::http::admin::pages;
use crate::http::admin::table;
use crate::http::admin::table::Column;
use crate::http::html;
use crate::http::html::escape;
use crate::http::metrics::Refusal;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;

/// How many are shown at most.
const SHOWN: usize = 200;

const COLUMNS: [Column; 4] =
    [Column("code", ""), Column("when", "when"), Column("why", "why"), Column("request", "request")];

/// A row of the page.
struct Row {
    /// Unix seconds.
    at: i64,
    code: String,
    /// Status and route, which the log does not have.
    answer: Option<(u16, &'static str)>,
    cause: String,
    provisioner: Option<String>,
    request_id: String,
}

pub(super) async fn page(State(desk): State<Desk>) -> Response {
    let counters = desk.edge.metrics.snapshot();
    let filter =
        AuditFilter { kinds: vec![AuditKind::Refused], newest_first: true, ..AuditFilter::default() };
    let generation = desk.current.get();
    let (logged, fault) = match generation.authority().store().audit(filter, SHOWN).await {
        Ok(logged) => (logged, String::new()),
        Err(error) => (Vec::new(), pages::fault(&error)),
    };
    let rows: String = merged(logged, counters.last_refusals).iter().map(Row::to_html).collect();
    let counts: String = { counters.refusals.iter() }
        .map(|(code, count)| format!("<dt>{}</dt><dd>{count}</dd>\n", escape(code)))
        .collect();
    let counts = match counts.is_empty() {
        true => String::new(),
        false => format!("<h2>Since the start</h2>\n<dl>\n{counts}</dl>\n<h2>The last ones</h2>\n"),
    };
    let note = "<p class=\"soft\">The last 200 in the audit log, and what failed beside it since the start. \
                docs/refusals.md says what to do about each code; <code>stepless list --refused</code> shows \
                all.</p>\n";
    let body = format!("{note}{fault}{counts}{}", table::or("<p>None.</p>\n", &COLUMNS, &rows));
    pages::page(&desk, "/refusals", StatusCode::OK, "Refusals", "", &body)
}

/// What is in the log, and what is not, the newest first; each once.
fn merged(logged: Vec<AuditRecord>, mut kept: VecDeque<Refusal>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for AuditRecord { event, .. } in logged {
        let [code, cause, request_id] =
            [event.code, event.cause, event.request_id].map(Option::unwrap_or_default);
        // The newest of a client that gives all its requests one id.
        let same = kept.iter().rposition(|kept| kept.code == code && kept.request_id == request_id);
        let kept = same.and_then(|index| kept.remove(index));
        let answer = kept.as_ref().map(|kept| (kept.status, kept.route));
        let provisioner = kept.and_then(|kept| kept.provisioner);
        let provisioner = provisioner.or(event.provisioner).or(event.named_provisioner);
        rows.push(Row { at: event.at, code, answer, cause, provisioner, request_id });
    }
    rows.extend(kept.into_iter().rev().map(|kept| Row {
        at: kept.at.unix_timestamp(),
        code: kept.code.to_owned(),
        answer: Some((kept.status, kept.route)),
        cause: kept.cause,
        provisioner: kept.provisioner,
        request_id: kept.request_id,
    }));
    rows.sort_by_key(|row| Reverse(row.at));
    rows.truncate(SHOWN);
    rows
}

impl Row {
    fn to_html(&self) -> String {
        let small = |text: String| format!("<small>{}</small>", escape(&text));
        let answer = self.answer.map(|(status, route)| small(format!("{status} {route}")));
        let provisioner = self.provisioner.as_ref().map(|name| small(format!("provisioner {name}")));
        table::row(
            &COLUMNS,
            &[
                format!("<strong>{}</strong>{}", escape(&self.code), answer.unwrap_or_default()),
                html::moment_of(self.at),
                format!("<div>{}{}</div>", escape(&self.cause), provisioner.unwrap_or_default()),
                format!("<code>{}</code>", escape(&self.request_id)),
            ],
        )
    }
}
