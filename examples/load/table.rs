//! The figures as a table of medians.

use std::path::Path;

use crate::server::Kind;

/// Where a document has the table.
const BEGIN: &str = "<!-- load: begin -->";
const END: &str = "<!-- load: end -->";

/// Rows in the order in which their first values came.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    more_is_better: bool,
    values: Vec<(Kind, f64)>,
}

impl Table {
    /// Adds a value of which less is better.
    pub(crate) fn less(&mut self, kind: Kind, name: impl Into<String>, value: f64) {
        self.add(name.into(), false, kind, value);
    }

    /// Adds a value of which more is better.
    pub(crate) fn more(&mut self, kind: Kind, name: impl Into<String>, value: f64) {
        self.add(name.into(), true, kind, value);
    }

    fn add(&mut self, name: String, more_is_better: bool, kind: Kind, value: f64) {
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.values.push((kind, value)),
            None => self.rows.push(Row { name, more_is_better, values: vec![(kind, value)] }),
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "| figure | stepless | step-ca | ratio |\n| --- | --- | --- | --- |\n".to_owned();
        for row in &self.rows {
            let (ours, theirs) = (row.median(Kind::Stepless), row.median(Kind::StepCa));
            let ratio = ours.zip(theirs).map(|(ours, theirs)| match row.more_is_better {
                true => ours / theirs,
                false => theirs / ours,
            });
            let cells = [ours.map(rounded), theirs.map(rounded), ratio.map(|ratio| format!("{ratio:.1}"))];
            let cells = cells.map(|cell| cell.unwrap_or_else(|| "—".to_owned()));
            text.push_str(&format!("| {} | {} |\n", row.name, cells.join(" | ")));
        }
        text
    }
}

impl Row {
    fn median(&self, kind: Kind) -> Option<f64> {
        let values: Vec<f64> =
            self.values.iter().filter(|(of, _)| *of == kind).map(|(_, value)| *value).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }
}

/// The median of at least one value.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn rounded(value: f64) -> String {
    if value >= 20.0 { grouped(value.round() as usize) } else { format!("{value:.2}") }
}

/// A number with a comma before each three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| str::from_utf8(part).ok()).collect();
    parts.join(",")
}

/// Replaces what a document has between the markers.
pub(crate) fn write(path: &Path, table: &str) {
    let text = std::fs::read_to_string(path).expect("a document");
    let (head, rest) = text.split_once(BEGIN).expect("the first marker");
    let (_, tail) = rest.split_once(END).expect("the second marker");
    std::fs::write(path, format!("{head}{BEGIN}\n{table}{END}{tail}")).expect("a document");
}
