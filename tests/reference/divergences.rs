//! Reads `docs/divergences.md`, the list of all that stepless does otherwise than step-ca.
//!
//! A row of its tables is a rule: number, step-ca, stepless, why, tests. In the last column each `code span` is either
//! a file of tests (`.rs`, or `.json` for a case of its own), or the side-by-side cases that show the difference:
//! `area/case`, or `area/*` for several. Rules of the contract begin with D, those of templates with T.

use std::fs;
use std::path::Path;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// `D1` or `T1` and so on.
    pub(crate) rule: String,
    /// Patterns of side-by-side cases.
    pub(crate) cases: Vec<String>,
    /// Files of other tests.
    pub(crate) files: Vec<String>,
}

impl Divergence {
    /// Whether the row names `case`.
    pub(crate) fn exercised_by(&self, case: &str) -> bool {
        self.cases.iter().any(|pattern| matches(pattern, case))
    }
}

/// Whether `case` fits a pattern.
pub(crate) fn matches(pattern: &str, case: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(area) => case.starts_with(area),
        None => case == pattern,
    }
}

/// The list as it stands in the repository.
pub(crate) fn read() -> Vec<Divergence> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/divergences.md");
    parse(&fs::read_to_string(path).expect("docs/divergences.md is there"))
}

fn parse(text: &str) -> Vec<Divergence> {
    text.lines()
        .filter(|line| line.starts_with("| D") || line.starts_with("| T"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [rule, _, _, _, tests] = cells[..] else {
                panic!("a row has five cells: {line}");
            };
            let (files, cases) = tests
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .partition(|test| test.ends_with(".rs") || test.ends_with(".json"));
            Divergence { rule: rule.to_owned(), cases, files }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_rule_with_its_tests() {
        let text = "text\n| rule | a | b | c | d |\n| D7 | x `y` | z | w | `a/b`, `c/*`; `src/d.rs` |\n| T1 | x | y | z | `e/f.json` |\n";
        assert_eq!(
            parse(text),
            [
                Divergence {
                    rule: "D7".into(),
                    cases: vec!["a/b".into(), "c/*".into()],
                    files: vec!["src/d.rs".into()],
                },
                Divergence { rule: "T1".into(), cases: vec![], files: vec!["e/f.json".into()] },
            ]
        );
    }

    #[test]
    fn the_list_is_in_order_and_names_files_that_exist() {
        let list = read();
        assert!(!list.is_empty());
        let rules: Vec<(&str, u32)> = list
            .iter()
            .map(|row| (&row.rule[..1], row.rule[1..].parse().expect("a letter and a number")))
            .collect();
        assert!(rules.is_sorted_by(|a, b| a < b), "{rules:?}");
        for file in list.iter().flat_map(|row| &row.files) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            assert!(path.is_file(), "no file {file}");
        }
    }
}
