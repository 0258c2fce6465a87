//! The template engine and Go's, side by side: random templates and data give the same bytes, or both fail.
//!
//! The reference is a Go program, `go/main.go`, with the packages of step-ca 0.30.2. Where `go` is missing the test is
//! skipped with a loud line, or fails under `STEPLESS_REQUIRE_STEP_CA=1`. `STEPLESS_DIFF_SEED` draws others,
//! `STEPLESS_DIFF_COUNT` says how many templates there are. What we refuse on purpose is listed in `stricter.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "this test uses a part")]
#[path = "../common/tools.rs"]
mod tools;

mod constants;
mod decimals;
mod functions;
mod grammar;
mod random;
mod reference;
mod samples;
mod stricter;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;

use serde_json::Value as Json;
use stepless::clock::SystemClock;
use stepless::entropy::SystemEntropy;
use stepless::template::Context;
use stepless::template::FunctionTable;
use stepless::template::Limits;
use stepless::template::RenderErrorKind;
use stepless::template::Template;
use stepless::template::Value;

use grammar::Grammar;
use random::Random;
use reference::Reference;
use tree::Tree;

/// What a rendering came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rendered(Vec<u8>),
    Failed { stage: String, message: String },
}

/// A template with its data, as our engine rendered it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) template: String,
    pub(crate) data: Json,
    pub(crate) ours: Outcome,
    /// Ours ended at a limit.
    pub(crate) limited: bool,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    SameBytes,
    BothFail,
    Stricter(&'static str),
    Different,
}

const COUNT: usize = 5000;

/// Drawn once: what other seeds find must not fail unrelated changes.
const SEED: u64 = 20_261_124;

/// So many differing cases are shown.
const SHOWN: usize = 5;

#[test]
fn templates_render_as_in_go() {
    let reference = match Reference::build() {
        Ok(reference) => reference,
        Err(why) => return tools::skip(&why),
    };
    let number = |name| tools::variable(name).map(|text| text.parse::<u64>().expect("it is a number"));
    let seed = number("STEPLESS_DIFF_SEED").unwrap_or(SEED);
    let count = number("STEPLESS_DIFF_COUNT").map_or(COUNT, |count| usize::try_from(count).unwrap());
    let (grammar, functions) = (Grammar::new(), stepless::template::functions::table());
    let mut random = Random::new(seed);
    let cases: Vec<(Tree, Json)> =
        (0..count).map(|_| (grammar.template(&mut random), samples::data(&mut random))).collect();
    let verdicts = compare(&reference, &functions, &cases);
    let mut counts = BTreeMap::<String, usize>::new();
    for (verdict, _, _) in &verdicts {
        *counts.entry(format!("{verdict:?}")).or_default() += 1;
    }
    say(&format!("\ntemplate_diff: STEPLESS_DIFF_SEED={seed}: {counts:?}\n"));
    let mut shown = 0;
    for ((verdict, _, _), (tree, data)) in verdicts.iter().zip(&cases) {
        if *verdict != Verdict::Different || shown == SHOWN {
            continue;
        }
        shown += 1;
        let (case, theirs) = shrink(&reference, &functions, tree, data);
        say(&format!("\n--- differs, seed {seed}\n{case}reference: {theirs}\n"));
    }
    assert_eq!(shown, 0, "templates differ, seed {seed}");
    let same = verdicts.iter().filter(|(verdict, _, _)| *verdict == Verdict::SameBytes).count();
    assert!(same * 3 >= count, "only {same} of {count} templates rendered, which tests little");
}

fn compare(
    reference: &Reference,
    functions: &FunctionTable,
    cases: &[(Tree, Json)],
) -> Vec<(Verdict, Case, Outcome)> {
    let texts: Vec<(String, Json)> = cases
        .iter()
        .map(|(tree, data)| {
            let mut text = String::new();
            tree.write(&mut text);
            (text, data.clone())
        })
        .collect();
    let outcomes = reference.render(&texts);
    let verdict = |((template, data), theirs)| {
        let case = render(functions, template, data);
        (judge(&case, &theirs), case, theirs)
    };
    texts.into_iter().zip(outcomes).map(verdict).collect()
}

fn judge(case: &Case, theirs: &Outcome) -> Verdict {
    match (&case.ours, theirs) {
        (Outcome::Rendered(ours), Outcome::Rendered(theirs)) if ours == theirs => Verdict::SameBytes,
        (Outcome::Failed { stage: ours, .. }, Outcome::Failed { stage: theirs, .. }) if ours == theirs => {
            Verdict::BothFail
        }
        (Outcome::Failed { message, .. }, _) => stricter::RULES
            .iter()
            .find(|rule| (rule.applies)(case, message))
            .map_or(Verdict::Different, |rule| Verdict::Stricter(rule.name)),
        _ => Verdict::Different,
    }
}

fn render(functions: &FunctionTable, template: String, data: Json) -> Case {
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let limits = Limits { allocation: 64 << 20, ..Limits::default() };
    let context = Context { limits, ..Context::new(&clock, &entropy).lenient() };
    let failed = |stage: &str, message| Outcome::Failed { stage: stage.to_owned(), message };
    let mut limited = false;
    let ours = match Template::parse("template", &template, functions) {
        Ok(parsed) => match parsed.render(&Value::from_json(&data), &context) {
            Ok(rendered) => Outcome::Rendered(rendered.bytes),
            Err(error) => {
                limited = error.kind == RenderErrorKind::Limit;
                failed("exec", error.to_string())
            }
        },
        Err(error) => failed("parse", error.to_string()),
    };
    Case { template, data, ours, limited }
}

/// Makes a differing case smaller as long as it differs.
fn shrink(reference: &Reference, functions: &FunctionTable, tree: &Tree, data: &Json) -> (Case, Outcome) {
    let (mut tree, mut data) = (tree.clone(), data.clone());
    loop {
        let mut cases: Vec<(Tree, Json)> =
            tree.smaller().into_iter().map(|smaller| (smaller, data.clone())).collect();
        cases.extend(smaller_data(&data).into_iter().map(|smaller| (tree.clone(), smaller)));
        let verdicts = compare(reference, functions, &cases);
        let differing = verdicts
            .into_iter()
            .zip(cases)
            .filter(|((verdict, _, _), _)| *verdict == Verdict::Different)
            .min_by_key(|((_, case, _), _)| case.template.len() + case.data.to_string().len());
        match differing {
            Some((_, smaller)) => (tree, data) = smaller,
            None => break,
        }
    }
    let (_, case, theirs) = compare(reference, functions, &[(tree, data)]).pop().unwrap();
    (case, theirs)
}

fn smaller_data(data: &Json) -> Vec<Json> {
    let Some(members) = data.as_object() else {
        return Vec::new();
    };
    members
        .keys()
        .map(|name| {
            let mut fewer = members.clone();
            fewer.remove(name);
            Json::Object(fewer)
        })
        .collect()
}

/// Not `eprintln!`: the test runner would hide it, and a seed unseen cannot be repeated.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rendered(bytes) => write!(formatter, "\"{}\"", bytes.escape_ascii()),
            Self::Failed { stage, message } => write!(formatter, "{stage} error: {message}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "template: {}\ndata: {}\nours: {}", self.template, self.data, self.ours)
    }
}
