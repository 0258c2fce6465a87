//! What the linters find: at most what they find in step-ca's own certificates, and what docs/judges.md lists.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The document that lists what remains.
const DOCUMENT: &str = "docs/judges.md";

/// Linter, code, severity.
pub(crate) type Finding = (String, String, String);

/// The findings in each file of a folder.
#[derive(Debug, Default)]
pub(crate) struct Findings(BTreeMap<String, BTreeSet<Finding>>);

impl Findings {
    /// Reads lines `file TAB linter TAB code TAB severity`, and `file TAB` for each file read.
    pub(crate) fn read(lines: &str) -> Self {
        let mut found: BTreeMap<String, BTreeSet<Finding>> = BTreeMap::new();
        for line in lines.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let file = found.entry(fields[0].to_owned()).or_default();
            if let [_, linter, code, severity] = fields[..] {
                file.insert((linter.to_owned(), code.to_owned(), severity.to_owned()));
            }
        }
        Self(found)
    }

    /// How many files were read.
    pub(crate) fn files(&self) -> usize {
        self.0.len()
    }

    /// What is found here and not in the file of the same name there.
    pub(crate) fn beyond(&self, reference: &Self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (file, theirs) in &reference.0 {
            let Some(ours) = self.0.get(file) else {
                complaints.push(format!("{file}: made by step-ca alone"));
                continue;
            };
            // Ours begin at a fixed day and step-ca's today: how long those of the public web may live changes meanwhile.
            let beyond =
                ours.difference(theirs).filter(|(_, code, _)| !code.contains("_valid_time_longer_than_"));
            for (linter, code, severity) in beyond {
                complaints.push(format!("{file}: {linter} finds {code} ({severity}), not in step-ca's"));
            }
        }
        complaints
    }

    /// Each finding with the kinds of files that have it: `root`, `leaf` and so on.
    fn kinds(&self) -> BTreeMap<&Finding, BTreeSet<&str>> {
        let mut kinds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (file, findings) in &self.0 {
            for finding in findings {
                kinds.entry(finding).or_default().insert(kind(file));
            }
        }
        kinds
    }

    /// Compares with the list, both ways; one way if `listed_may_be_missing`.
    pub(crate) fn unlisted(&self, linter: &str, listed_may_be_missing: bool) -> Vec<String> {
        let found: BTreeSet<String> = self
            .kinds()
            .into_iter()
            .filter(|((by, ..), _)| by == linter)
            .map(|((linter, code, severity), kinds)| {
                let kinds: Vec<&str> = kinds.into_iter().collect();
                format!("| {linter} | `{code}` | {severity} | {} |", kinds.join(", "))
            })
            .collect();
        let listed = listed(linter);
        let mut complaints: Vec<String> =
            found.difference(&listed).map(|row| format!("{DOCUMENT} lacks {row}")).collect();
        if !listed_may_be_missing {
            let gone =
                listed.difference(&found).map(|row| format!("{DOCUMENT} lists what does not occur: {row}"));
            complaints.extend(gone);
        }
        complaints
    }
}

/// The rows of the document, without the reason.
fn listed(linter: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with(&format!("| {linter} |")));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(!cells[4].is_empty(), "no reason: {row}");
        format!("| {} |", cells[..4].join(" | "))
    })
    .collect()
}

/// The kind of a file by its name, `leaf-p256-rsa2048.crt`.
fn kind(file: &str) -> &str {
    file.split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Findings;

    #[test]
    fn what_step_ca_s_lacks_is_a_complaint() {
        let check = |ours: &str, theirs: &str, expected: &[&str]| {
            assert_eq!(Findings::read(ours).beyond(&Findings::read(theirs)), expected);
        };
        check("a.crt\t\na.crt\tzlint\tx\twarn", "a.crt\t\na.crt\tzlint\tx\twarn\na.crt\tzlint\ty\twarn", &[]);
        check("a.crt\tzlint\tx\twarn", "a.crt\t", &["a.crt: zlint finds x (warn), not in step-ca's"]);
        check(
            "a.crt\tzlint\tx\terror",
            "a.crt\tzlint\tx\twarn",
            &["a.crt: zlint finds x (error), not in step-ca's"],
        );
        check("a.crt\tzlint\tx\twarn", "b.crt\t", &["b.crt: made by step-ca alone"]);
    }

    #[test]
    fn the_list_is_exact_both_ways() {
        let unlisted = Findings::read("leaf-x.crt\tnobody\tx\twarn").unlisted("nobody", false);
        assert_eq!(unlisted, ["docs/judges.md lacks | nobody | `x` | warn | leaf |"]);
        let gone = Findings::read("").unlisted("zlint", false);
        assert!(
            gone.iter().all(|line| line.starts_with("docs/judges.md lists what does not occur: | zlint |"))
        );
        assert!(!gone.is_empty());
        assert!(Findings::read("").unlisted("zlint", true).is_empty());
    }
}
