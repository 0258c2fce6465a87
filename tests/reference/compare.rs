//! How two answers to one request are compared.

use serde_json::Value;

use crate::cases::Case;
use crate::common::certificate::Profile;
use crate::common::https::Answer;
use crate::common::https::Failure;

/// Both CAs are asked within this time, and date certificates by their own present.
const TOLERANCE_SECONDS: i64 = 10;

type Outcome = Result<Answer, Failure>;

/// How `right` differs from `left`, one line each; empty if they agree.
pub(crate) fn differences(left: &Outcome, right: &Outcome, case: &Case) -> Vec<String> {
    let (left, right) = match (left, right) {
        (Ok(left), Ok(right)) => (left, right),
        (left, right) if left == right => return Vec::new(),
        (left, right) => return vec![format!("{} against {}", outline(left), outline(right))],
    };
    let mut lines = Vec::new();
    if left.status != right.status {
        lines.push(format!("{} against {}", outline(&Ok(left.clone())), outline(&Ok(right.clone()))));
        return lines;
    }
    for name in &case.headers {
        if left.header(name) != right.header(name) {
            lines.push(format!("{name}: {:?} against {:?}", left.header(name), right.header(name)));
        }
    }
    let (left_leaf, right_leaf) = (leaf(left), leaf(right));
    if let (Some(left_leaf), Some(right_leaf)) = (&left_leaf, &right_leaf) {
        let (left, right) = (Profile::read(left_leaf), Profile::read(right_leaf));
        lines.extend(left.differences(&right, TOLERANCE_SECONDS));
    }
    let left = comparable(left, left_leaf.as_deref(), &case.ignore);
    let right = comparable(right, right_leaf.as_deref(), &case.ignore);
    if left != right {
        lines.push(format!("body: {} against {}", cut(&left), cut(&right)));
    }
    lines
}

/// How step-ca's outcome differs from the recording, if there is one: then the recording is not of this step-ca.
pub(crate) fn stale(outcome: &Outcome, case: &Case) -> Option<String> {
    let status = case.recorded?;
    match outcome {
        Ok(answer) if u64::from(answer.status) == status => None,
        _ => Some(format!("{}, recorded {status}", outline(outcome))),
    }
}

/// How an outcome differs from what the case's rule demands of stepless.
pub(crate) fn faults(outcome: &Outcome, case: &Case) -> Vec<String> {
    let Some(stricter) = &case.stricter else {
        return Vec::new();
    };
    match outcome {
        Ok(answer) if answer.status != stricter.status => {
            vec![format!("{}, not {}", outline(outcome), stricter.status)]
        }
        Ok(answer) if stricter.body.as_ref().is_some_and(|body| *body != answer.json()) => {
            vec![format!("body: {}", cut(&answer.text()))]
        }
        Ok(_) => Vec::new(),
        Err(_) => vec![format!("{}, not {}", outline(outcome), stricter.status)],
    }
}

/// The new certificate in an answer.
fn leaf(answer: &Answer) -> Option<String> {
    answer.json()["crt"].as_str().map(str::to_owned)
}

/// The body as text, members in order, with the new certificate and all that does not matter taken out.
fn comparable(answer: &Answer, leaf: Option<&str>, ignore: &[String]) -> String {
    let text = answer.text();
    if !ignore.is_empty() {
        let mut json = answer.json();
        for pointer in ignore {
            if let Some(value) = json.pointer_mut(pointer) {
                *value = Value::Null;
            }
        }
        return json.to_string();
    }
    match leaf {
        // As it stands in the JSON text, so that the order of members and their spelling are compared as well.
        Some(leaf) => text.replace(&Value::from(leaf).to_string(), "\"<leaf>\""),
        None => text,
    }
}

fn outline(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) if answer.status < 300 => answer.status.to_string(),
        Ok(answer) => format!("{} {}", answer.status, cut(answer.text().trim_end())),
        Err(failure) => format!("{failure:?}"),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(600).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::https::Request;

    fn check(left: (u16, &str), right: (u16, &str), ignore: &[&str], expected: &str) {
        let answer = |(status, body): (u16, &str)| {
            Ok(Answer {
                status,
                headers: vec![("content-type".into(), body.len().to_string())],
                body: body.as_bytes().to_vec(),
            })
        };
        let ignore = ignore.iter().map(|pointer| (*pointer).to_owned()).collect();
        let case = Case { headers: vec![], ignore, ..Case::new("area/case", "mosaic", Request::get("/")) };
        let lines = differences(&answer(left), &answer(right), &case);
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn answers_are_compared_as_text() {
        check((200, "{}\n"), (200, "{}\n"), &[], "");
        check((200, "{}\n"), (200, "{}"), &[], "body: {}\n against {}");
        check((200, "{}"), (404, "{}"), &[], "200 against 404 {}");
        check(
            (200, r#"{"a":1,"b":2}"#),
            (200, r#"{"b":2,"a":1}"#),
            &[],
            r#"body: {"a":1,"b":2} against {"b":2,"a":1}"#,
        );
        check((200, r#"{"a":1}"#), (200, r#"{"a":2}"#), &["/a"], "");
    }
}
