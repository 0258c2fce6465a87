//! Reads what `/metrics` says, and refuses what Prometheus would not take (text format 0.0.4) or would warn about.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use regex::Regex;

/// Samples by name, in order, each with its labels and value.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<(String, BTreeMap<String, String>, f64)>);

impl Metrics {
    /// Reads all lines.
    ///
    /// Each family has one HELP and one TYPE before its samples, which stand together; no series comes twice; names of
    /// counters end in `_total`, those of histograms have the three endings.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let comment = Regex::new("^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$").expect("an expression");
        let sample = Regex::new(r#"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$"#).expect("an expression");
        let label = Regex::new(r#"^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)"#)
            .expect("an expression");
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut samples, mut series, mut families) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let (mut family, mut kind) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(found) = comment.captures(line) {
                match &found[1] {
                    "HELP" => {
                        family = found[2].to_owned();
                        kind.clear();
                        assert!(families.insert(family.clone()), "a family twice: {line}");
                    }
                    _ => {
                        assert_eq!(family, &found[2], "TYPE without HELP: {line}");
                        kind = found[3].to_owned();
                        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{line}");
                        assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
                    }
                }
                continue;
            }
            let found = sample.captures(line).unwrap_or_else(|| panic!("neither comment nor sample: {line}"));
            let name = found[1].to_owned();
            let ending =
                name.strip_prefix(&family).unwrap_or_else(|| panic!("outside of its family: {line}"));
            match kind.as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&ending), "{line}"),
                "" => panic!("no TYPE before {line}"),
                _ => assert_eq!(ending, "", "{line}"),
            }
            let mut labels = BTreeMap::new();
            let mut rest = found.get(2).map_or("", |labels| labels.as_str());
            while let Some(found) = label.captures(rest) {
                assert!(
                    labels.insert(found[1].to_owned(), found[2].to_owned()).is_none(),
                    "a label twice: {line}"
                );
                rest = &rest[found[0].len()..];
            }
            assert_eq!(rest, "", "{line}");
            assert!(series.insert((name.clone(), labels.clone())), "a series twice: {line}");
            let value = found[3].parse().unwrap_or_else(|_| panic!("no number: {line}"));
            samples.push((name, labels, value));
        }
        assert!(!samples.is_empty(), "no samples");
        Self(samples)
    }

    /// The samples of this name.
    pub(crate) fn all<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a BTreeMap<String, String>, f64)> {
        let samples = self.0.iter().filter(move |(other, _, _)| other == name);
        samples.map(|(_, labels, value)| (labels, *value))
    }

    /// The sample of this name and exactly these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = { labels.iter() }.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        self.all(name).find(|(other, _)| **other == labels).map(|(_, value)| value)
    }
}
