//! `GET /metrics` in the text format of Prometheus, version 0.0.4.

use std::fmt::Display;

use crate::http::metrics::BOUNDS;
use crate::http::metrics::Counters;
use crate::http::seats::Census;

/// One certificate of the authority and its end.
pub(super) struct Expiry {
    pub(super) certificate: &'static str,
    /// SHA-256 in hexadecimal digits; empty for the server's own, which changes every day.
    pub(super) fingerprint: String,
    /// Unix seconds.
    pub(super) not_after: i64,
}

/// What is known besides the counters.
pub(super) struct State {
    pub(super) started_at: i64,
    pub(super) expiries: Vec<Expiry>,
    /// Number and next update of the CRL, if there is one.
    pub(super) crl: Option<(i64, i64)>,
    pub(super) store_is_up: bool,
    pub(super) connections: Census,
    pub(super) accept_failures: u64,
}

/// Writes all of it.
pub(super) fn write(counters: &Counters, state: &State) -> String {
    let mut text = Text(String::new());
    text.family("stepless_build_info", "gauge", "The version that runs.");
    text.sample("stepless_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("stepless_start_time_seconds", "gauge", "When the server started, Unix seconds.");
    text.sample("stepless_start_time_seconds", &[], state.started_at);

    text.family("stepless_http_requests_total", "counter", "Answers by route and status.");
    for ((route, status), count) in &counters.requests {
        let labels = [("route", *route), ("status", &status.to_string())];
        text.sample("stepless_http_requests_total", &labels, count);
    }
    latencies(&mut text, counters);

    text.family("stepless_refusals_total", "counter", "Refused and failed requests by code.");
    for (code, count) in &counters.refusals {
        text.sample("stepless_refusals_total", &[("code", *code)], count);
    }
    for (name, help, count) in [
        ("stepless_certificates_issued_total", "Certificates issued for a token.", counters.issued),
        ("stepless_certificates_renewed_total", "Certificates renewed or rekeyed.", counters.renewed),
        ("stepless_certificates_revoked_total", "Certificates revoked.", counters.revoked),
    ] {
        text.family(name, "counter", help);
        text.sample(name, &[], count);
    }

    connections(&mut text, state);

    let name = "stepless_certificate_expiry_timestamp_seconds";
    text.family(name, "gauge", "When a certificate of the authority itself ends, Unix seconds.");
    for expiry in &state.expiries {
        let labels = [("certificate", expiry.certificate), ("sha256", &expiry.fingerprint)];
        let labels = if expiry.fingerprint.is_empty() { &labels[..1] } else { &labels };
        text.sample(name, labels, expiry.not_after);
    }
    if let Some((number, next_update)) = state.crl {
        text.family("stepless_crl_number", "gauge", "The number of the CRL.");
        text.sample("stepless_crl_number", &[], number);
        let name = "stepless_crl_next_update_timestamp_seconds";
        text.family(name, "gauge", "When the next CRL is due at the latest, Unix seconds.");
        text.sample(name, &[], next_update);
    }
    text.family("stepless_store_up", "gauge", "Whether the store answers.");
    text.sample("stepless_store_up", &[], u8::from(state.store_is_up));
    text.0
}

fn connections(text: &mut Text, state: &State) {
    text.family("stepless_connections", "gauge", "Open connections.");
    text.sample("stepless_connections", &[], state.connections.open);
    let name = "stepless_connections_closed_total";
    text.family(name, "counter", "Connections closed at a limit: new ones, and those that made room.");
    text.sample(name, &[("reason", "refused")], state.connections.refused);
    text.sample(name, &[("reason", "made_room")], state.connections.evicted);
    let name = "stepless_accept_failures_total";
    text.family(
        name,
        "counter",
        "How often the system had no connection to give, such as for too many open files.",
    );
    text.sample(name, &[], state.accept_failures);
}

fn latencies(text: &mut Text, counters: &Counters) {
    let name = "stepless_http_request_duration_seconds";
    text.family(name, "histogram", "How long answers took, by route.");
    for (route, latency) in &counters.latencies {
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (bound, count) in BOUNDS.iter().zip(latency.buckets) {
            total += count;
            text.sample(&bucket, &[("route", *route), ("le", &bound.to_string())], total);
        }
        text.sample(&bucket, &[("route", *route), ("le", "+Inf")], latency.count);
        text.sample(&format!("{name}_sum"), &[("route", *route)], latency.sum.as_secs_f64());
        text.sample(&format!("{name}_count"), &[("route", *route)], latency.count);
    }
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.0.push_str(&format!("{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' }));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.0.push_str(&format!("{end} {value}\n"));
    }
}
