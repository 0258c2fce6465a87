//! Compares an answer with the recording, or with what stepless answers on purpose.

use serde_json::Value;

use super::Answer;
use super::Exchange;
use super::crl;
use super::leaf;

/// Exchanges whose certificate differs on purpose: `templateData` of ca.json does not replace what the token
/// says (docs/divergences.md, T10). Their status is compared, and that the token's subject stands.
const TOKEN_WINS: [&str; 1] = ["template/data-override"];

/// The first difference, if there is one.
pub(crate) fn compare(exchange: &Exchange, answer: Option<&Answer>) -> Result<(), String> {
    let Some(answer) = answer else {
        let expected = exchange.response["error"].as_str();
        return if expected == Some("tls") { Ok(()) } else { Err("the handshake failed".to_owned()) };
    };
    let text = String::from_utf8_lossy(&answer.body);
    if let Some(stricter) = exchange.stricter.as_object() {
        let rule = &stricter["rule"];
        same(&format!("status ({rule})"), &stricter["status"], &answer.status.into(), &text)?;
        return match stricter.get("body") {
            Some(body) if !body.is_null() => compare_json(exchange, body, &json(&text)?),
            _ => Ok(()),
        };
    }
    let response = &exchange.response;
    if let Some(error) = response["error"].as_str() {
        return Err(format!("expected no answer ({error}), got {}", answer.status));
    }
    same("status", &response["status"], &answer.status.into(), &text)?;
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        let got = answer.headers.get(name).and_then(|v| v.to_str().ok()).map(Value::from);
        same(&format!("header {name}"), value, &got.unwrap_or_default(), "")?;
    }
    if let Some(expected) = response.get("crl").filter(|crl| !crl.is_null()) {
        return crl::compare(expected, &answer.body);
    }
    if let Some(expected) = response["bodyText"].as_str() {
        return same("body", &expected.into(), &text.as_ref().into(), "");
    }
    if let Some(body) = response.get("body") {
        let got = json(&text)?;
        compare_json(exchange, body, &got)?;
        if let Some(expected) = response.get("leaf").filter(|leaf| !leaf.is_null()) {
            if TOKEN_WINS.contains(&exchange.name.as_str()) {
                let mut expected = expected.clone();
                expected["subjectHex"] = leaf::common_name_hex("a.example").into();
                return leaf::compare(&expected, got["crt"].as_str().unwrap_or_default());
            }
            return leaf::compare(expected, got["crt"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}

fn compare_json(exchange: &Exchange, expected: &Value, got: &Value) -> Result<(), String> {
    let (mut expected, mut got) = (expected.clone(), got.clone());
    let issued = exchange.response.get("leaf").is_some_and(|leaf| !leaf.is_null());
    for body in [&mut expected, &mut got] {
        let Some(members) = body.as_object_mut() else { continue };
        for name in &exchange.ignore {
            members.shift_remove(name);
        }
        for name in &exchange.unordered {
            if let Some(items) = members.get_mut(name).and_then(Value::as_array_mut) {
                items.sort_by_key(Value::to_string);
            }
        }
        // The new certificate differs each time: it is compared by its content.
        if issued {
            members.shift_remove("crt");
            if let Some(first) = members.get_mut("certChain").and_then(|chain| chain.get_mut(0)) {
                *first = Value::Null;
            }
        }
    }
    same("body", &expected, &got, "")
}

fn json(text: &str) -> Result<Value, String> {
    if !text.ends_with('\n') {
        return Err(format!("body without final newline: {text:?}"));
    }
    serde_json::from_str(text).map_err(|error| format!("body is no JSON ({error}): {text:?}"))
}

fn same(what: &str, expected: &Value, got: &Value, context: &str) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let cut = |value: String| value.chars().take(600).collect::<String>();
    Err(format!(
        "{what}: expected {}, got {} {}",
        cut(expected.to_string()),
        cut(got.to_string()),
        cut(context.to_owned())
    ))
}
