//! The figures of all rounds as a table of medians.

use std::path::Path;

use crate::server::Kind;

/// Where a document has the table.
const BEGIN: &str = "<!-- load: begin -->";
const END: &str = "<!-- load: end -->";

/// One value a round.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cpu_hs: Vec<f64>,
    pub(crate) cpu_es: Vec<f64>,
    pub(crate) rate_64: Vec<f64>,
    pub(crate) rate_8: Vec<f64>,
    pub(crate) p50_1: Vec<f64>,
    pub(crate) p99_1: Vec<f64>,
    pub(crate) p99_64: Vec<f64>,
    pub(crate) memory_idle: Vec<f64>,
    pub(crate) memory_peak: Vec<f64>,
    pub(crate) memory_stored: Vec<f64>,
    pub(crate) start_empty: Vec<f64>,
    pub(crate) start_stored: Vec<f64>,
    pub(crate) cpu_connection: Vec<f64>,
    pub(crate) cpu_stored: Vec<f64>,
    pub(crate) storage: Vec<f64>,
    /// Certificates on record at the end.
    pub(crate) stored: usize,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

pub(crate) fn markdown(kinds: &[Kind], figures: &[Figures]) -> String {
    let stored = figures[0].stored;
    type Row = (String, fn(&Figures) -> &[f64], bool);
    let rows: [Row; 15] = [
        ("CPU per certificate, HS256, 64 connections, µs".to_owned(), |f| &f.cpu_hs, false),
        ("CPU per certificate, ES256, 64 connections, µs".to_owned(), |f| &f.cpu_es, false),
        ("certificates/s, 64 connections".to_owned(), |f| &f.rate_64, true),
        ("certificates/s, 8 connections".to_owned(), |f| &f.rate_8, true),
        ("latency, 1 connection, p50, ms".to_owned(), |f| &f.p50_1, false),
        ("latency, 1 connection, p99, ms".to_owned(), |f| &f.p99_1, false),
        ("latency, 64 connections, p99, ms".to_owned(), |f| &f.p99_64, false),
        ("memory idle, MiB".to_owned(), |f| &f.memory_idle, false),
        ("memory peak, MiB".to_owned(), |f| &f.memory_peak, false),
        (format!("memory after {stored} certificates, MiB"), |f| &f.memory_stored, false),
        ("start to ready, empty, ms".to_owned(), |f| &f.start_empty, false),
        (format!("start to ready, {stored} certificates, ms"), |f| &f.start_stored, false),
        ("CPU per new TLS connection, µs".to_owned(), |f| &f.cpu_connection, false),
        (format!("CPU per certificate, {stored} stored, µs"), |f| &f.cpu_stored, false),
        ("storage per certificate, bytes".to_owned(), |f| &f.storage, false),
    ];
    let mut text = "| figure |".to_owned();
    for kind in kinds {
        text.push_str(&format!(" {kind:?} |"));
    }
    let both = kinds.len() == 2;
    text.push_str(if both { " ratio |\n" } else { "\n" });
    text.push_str(&format!("| --- |{}\n", " --- |".repeat(kinds.len() + usize::from(both))));
    for (name, of, more_is_better) in rows {
        let values: Vec<f64> = figures.iter().map(|figures| median(of(figures))).collect();
        text.push_str(&format!("| {name} |"));
        for value in &values {
            text.push_str(&if *value >= 20.0 { format!(" {value:.0} |") } else { format!(" {value:.2} |") });
        }
        if let [ours, theirs] = values[..] {
            let ratio = if more_is_better { ours / theirs } else { theirs / ours };
            text.push_str(&format!(" {ratio:.1} |"));
        }
        text.push('\n');
    }
    text
}

/// Replaces what a document has between the markers.
pub(crate) fn write(path: &Path, table: &str) {
    let text = std::fs::read_to_string(path).expect("a document");
    let (head, rest) = text.split_once(BEGIN).expect("the first marker");
    let (_, tail) = rest.split_once(END).expect("the second marker");
    std::fs::write(path, format!("{head}{BEGIN}\n{table}{END}{tail}")).expect("a document");
}
