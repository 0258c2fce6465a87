//! stepless and a real step-ca, side by side: the same ca.json, the same keys, the same requests.
//!
//! A difference that `docs/divergences.md` does not list fails, and so does a listed one that no longer occurs.
//! step-ca runs in a container; where there is none, the comparison is skipped with a loud line, or fails under
//! `STEPLESS_REQUIRE_STEP_CA=1`. `dockerd.sh` and `build.sh` beside this file provide it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod client;
mod compare;
mod divergences;
mod fresh;
mod own_templates;
mod property;
mod recorded;
mod x5c;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use cases::Case;
use common::ca::Ca;
use common::ca::Kind;
use common::ca::step_ca_available;
use common::fixture::Fixture;
use common::https::Request;
use common::tools::skip;
use divergences::Divergence;

/// One case as both CAs dealt with it.
#[derive(Debug)]
struct Observation {
    case: String,
    /// The rule by which stepless is to answer otherwise.
    rule: Option<String>,
    /// How step-ca's outcome differs from its recording.
    stale: Option<String>,
    /// How the second CA's outcome differs from step-ca's.
    differences: Vec<String>,
    /// How it differs from what the rule demands; empty without a rule.
    faults: Vec<String>,
}

#[test]
fn stepless_answers_as_step_ca() {
    if let Err(reason) = step_ca_available() {
        return skip(&reason);
    }
    let observations = observe(Kind::Stepless);
    let complaints = judge(&observations, &divergences::read());
    report(&observations);
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// The harness itself is at fault if it finds step-ca different from step-ca, or from its recordings.
#[test]
fn step_ca_answers_as_step_ca() {
    if let Err(reason) = step_ca_available() {
        return skip(&reason);
    }
    let observations = observe(Kind::StepCa);
    let differing: Vec<_> =
        observations.iter().filter(|o| !o.differences.is_empty() || o.stale.is_some()).collect();
    report(&observations);
    assert!(differing.is_empty(), "{differing:#?}");

    let missing = judge(&observations, &divergences::read());
    let ruled = observations.iter().filter(|o| o.rule.is_some()).count();
    assert!(
        missing.len() >= ruled,
        "every listed difference is missed where there is none: {ruled} listed, {missing:#?}"
    );
}

/// Whole templates of the kinds that sites write give the same certificate.
#[test]
fn templates_of_all_kinds_give_the_same_certificate() {
    if let Err(reason) = step_ca_available() {
        return skip(&reason);
    }
    let differences = own_templates::differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What `stepless init` makes, either of the two serves, one after the other on the same directory.
#[test]
fn step_ca_serves_what_init_made() {
    if let Err(reason) = step_ca_available() {
        return skip(&reason);
    }
    let mut fixture = Fixture::made_by_init();
    for kind in [Kind::StepCa, Kind::Stepless, Kind::StepCa] {
        let ca =
            Ca::try_start(kind, fixture).unwrap_or_else(|said| panic!("{kind:?} does not start: {said}"));
        let answer = ca.pinned_client().send(&Request::get("/provisioners")).unwrap();
        let text = answer.text();
        assert!(text.contains("mosaic-fed") && text.contains("mosaic-hs"), "{kind:?}: {text}");
        fixture = ca.stop();
    }
}

/// Puts every case to a step-ca and to a CA of the given kind.
fn observe(kind: Kind) -> Vec<Observation> {
    let mut by_fixture: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in recorded::cases().into_iter().chain(fresh::cases()).chain(x5c::cases()).chain(client::cases())
    {
        by_fixture.entry(case.fixture.clone()).or_default().push(case);
    }
    let mut observations = Vec::new();
    for (fixture, cases) in by_fixture {
        let start = |kind| {
            Ca::try_start(kind, cases::fixture(&fixture))
                .unwrap_or_else(|said| panic!("{kind:?} does not start on {fixture}: {said}"))
        };
        let (reference, candidate) = (start(Kind::StepCa), start(kind));
        for case in cases {
            let (left, right) = (case.send(&reference), case.send(&candidate));
            observations.push(Observation {
                differences: compare::differences(&left, &right, &case),
                faults: compare::faults(&right, &case),
                stale: compare::stale(&left, &case),
                rule: case.stricter.map(|stricter| stricter.rule),
                case: case.name,
            });
        }
    }
    for scene in fresh::scenes() {
        let left = (scene.play)(Kind::StepCa);
        let right = (scene.play)(kind);
        observations.push(Observation {
            case: scene.name.to_owned(),
            rule: Some(scene.rule.to_owned()),
            stale: None,
            faults: if right == scene.stricter {
                Vec::new()
            } else {
                vec![format!("{right}, not {}", scene.stricter)]
            },
            differences: if left == right { Vec::new() } else { vec![format!("{left} against {right}")] },
        });
    }
    observations
}

/// Compares what was seen with the list, both ways; one line a complaint.
fn judge(observations: &[Observation], list: &[Divergence]) -> Vec<String> {
    let mut complaints = Vec::new();
    for observation in observations {
        let Observation { case, rule, differences, faults, .. } = observation;
        match rule {
            None => complaints.extend(
                differences.iter().map(|difference| format!("{case}: unlisted difference: {difference}")),
            ),
            Some(rule) if differences.is_empty() => {
                complaints.push(format!("{case}: {rule} no longer occurs"));
            }
            Some(rule) => {
                complaints.extend(faults.iter().map(|fault| format!("{case}: {rule}: {fault}")));
                let row = list.iter().find(|row| row.rule == *rule);
                if !row.is_some_and(|row| row.exercised_by(case)) {
                    complaints.push(format!("{case}: {rule} does not list this case"));
                }
            }
        }
    }
    for row in list {
        for pattern in &row.cases {
            let seen = observations.iter().any(|observation| {
                observation.rule.as_deref() == Some(&row.rule)
                    && !observation.differences.is_empty()
                    && divergences::matches(pattern, &observation.case)
            });
            if !seen {
                complaints.push(format!("{}: no case {pattern} shows it", row.rule));
            }
        }
    }
    complaints
}

/// Tells how much was compared, past the test runner's capture.
fn report(observations: &[Observation]) {
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for observation in observations {
        if let (Some(rule), false) = (&observation.rule, observation.differences.is_empty()) {
            *by_rule.entry(rule).or_default() += 1;
        }
    }
    let distinct: BTreeSet<_> = observations.iter().map(|o| &o.case).collect();
    let mut line = format!("side by side: {} cases;", distinct.len());
    for (rule, count) in by_rule {
        let _ = write!(line, " {rule} in {count}");
    }
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::Divergence;
    use super::Observation;
    use super::judge;

    fn check(rule: Option<&str>, differs: bool, fault: bool, listed: &[(&str, &str)], complaint: &str) {
        let texts = |there: bool| if there { vec!["x".to_owned()] } else { vec![] };
        let observation = Observation {
            case: "area/case".to_owned(),
            rule: rule.map(str::to_owned),
            stale: None,
            differences: texts(differs),
            faults: texts(fault),
        };
        let list: Vec<_> = listed
            .iter()
            .map(|(rule, pattern)| Divergence {
                rule: (*rule).to_owned(),
                cases: vec![(*pattern).to_owned()],
                files: vec![],
            })
            .collect();
        assert_eq!(judge(&[observation], &list).join("\n"), complaint);
    }

    #[test]
    fn unlisted_and_vanished_differences_are_complaints() {
        check(None, false, false, &[], "");
        check(None, true, false, &[], "area/case: unlisted difference: x");
        check(Some("D1"), true, false, &[("D1", "area/*")], "");
        check(Some("D1"), true, true, &[("D1", "area/case")], "area/case: D1: x");
        check(Some("D1"), true, false, &[], "area/case: D1 does not list this case");
        check(
            Some("D1"),
            false,
            false,
            &[("D1", "area/*")],
            "area/case: D1 no longer occurs\nD1: no case area/* shows it",
        );
    }
}
