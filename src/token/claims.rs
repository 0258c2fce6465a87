//! The claims of a one-time token, parsed once.
//!
//! Top-level names must differ (CONTRACT.md section 4, "Form"); a claim of a wrong type is an error and
//! never an absent claim. Which claims are demanded is decided where the token is verified.

use std::borrow::Cow;

use crate::json;
use crate::json::Raw;

/// Claims deeper than this are refused: they would be walked by templates.
const MAX_CLAIM_DEPTH: usize = 1_000;

/// What a token claims (RFC 7519 section 4, and step-ca's own).
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `iss`, the provisioner's name.
    pub issuer: Option<String>,
    /// `sub`, the certificate's subject.
    pub subject: Option<String>,
    /// `aud`, one or more URLs.
    pub audience: Vec<String>,
    /// `exp` in whole seconds since 1970, fractions cut.
    pub expires_at: Option<i64>,
    /// `nbf` likewise.
    pub not_before: Option<i64>,
    /// `iat` likewise.
    pub issued_at: Option<i64>,
    /// `jti`; empty is absent.
    pub token_id: Option<String>,
    /// `sans` as sent, empty strings included; an empty list is absent.
    pub sans: Option<Vec<String>>,
    /// `step.sha`, the fingerprint of the CSR; empty is absent.
    pub step_sha: Option<String>,
    /// `cnf.x5rt#S256`, the same; empty is absent.
    pub confirmation: Option<String>,
    /// Every claim, numbers as doubles, for templates and extensions.
    pub all: serde_json::Map<String, serde_json::Value>,
}

impl Claims {
    /// Reads the payload of a token.
    ///
    /// # Errors
    ///
    /// [`json::Error`] names the claim that is malformed, repeated or of a wrong type.
    pub fn parse(payload: &[u8]) -> Result<Self, json::Error> {
        let text = String::from_utf8_lossy(payload);
        let raw = json::parse(&text)?;
        let members = if raw.is_null() { Vec::new() } else { raw.unique_members()? };
        let find = |name: &str| members.iter().find(|(n, v)| n == name && !v.is_null()).map(|(_, v)| *v);
        let string = |name: &str| -> Result<Option<String>, json::Error> {
            find(name).map(|value| text_of(name, value).map(Cow::into_owned)).transpose()
        };
        let date = |name: &str| find(name).map(|value| numeric_date(name, value)).transpose();
        // Read for their type alone: step-ca refuses them otherwise.
        for name in ["email", "nonce"] {
            string(name)?;
        }
        let all = match raw.to_tree(MAX_CLAIM_DEPTH)? {
            serde_json::Value::Object(all) => all,
            _ => serde_json::Map::new(),
        };
        Ok(Self {
            issuer: string("iss")?,
            subject: string("sub")?,
            audience: find("aud").map(audience).transpose()?.unwrap_or_default(),
            expires_at: date("exp")?,
            not_before: date("nbf")?,
            issued_at: date("iat")?,
            token_id: string("jti")?.filter(|id| !id.is_empty()),
            sans: find("sans").map(sans).transpose()?.filter(|names| !names.is_empty()),
            step_sha: find("step").map(step_sha).transpose()?.flatten(),
            confirmation: find("cnf").map(confirmation).transpose()?.flatten(),
            all,
        })
    }

    /// The names that the certificate shall carry: `sans`, or the subject alone; empty ones are dropped.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match &self.sans {
            Some(sans) => sans.iter().map(String::as_str).filter(|name| !name.is_empty()).collect(),
            None => self.subject.iter().map(String::as_str).collect(),
        }
    }
}

fn text_of<'a>(name: &str, value: Raw<'a>) -> Result<Cow<'a, str>, json::Error> {
    value.as_str().ok_or_else(|| value.mismatch(name, "string"))
}

/// A NumericDate (RFC 7519 section 2) in whole seconds. One beyond 64 bits lies in the past: that is
/// what the conversion yields in step-ca.
fn numeric_date(name: &str, value: Raw<'_>) -> Result<i64, json::Error> {
    let seconds = value.as_f64().ok_or_else(|| value.mismatch(name, "number"))?;
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&seconds) {
        return Ok(i64::MIN);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is cut, the range was checked")]
    Ok(seconds as i64)
}

fn audience(value: Raw<'_>) -> Result<Vec<String>, json::Error> {
    match value.as_str() {
        Some(one) => Ok(vec![one.into_owned()]),
        None => value
            .elements()
            .ok_or_else(|| value.mismatch("aud", "string or list of strings"))?
            .into_iter()
            .map(|item| text_of("aud", item).map(Cow::into_owned))
            .collect(),
    }
}

fn sans(value: Raw<'_>) -> Result<Vec<String>, json::Error> {
    value
        .elements()
        .ok_or_else(|| value.mismatch("sans", "list of strings"))?
        .into_iter()
        // A null item is Go's zero value, an empty name.
        .map(
            |item| {
                if item.is_null() { Ok(String::new()) } else { text_of("sans", item).map(Cow::into_owned) }
            },
        )
        .collect()
}

fn step_sha(value: Raw<'_>) -> Result<Option<String>, json::Error> {
    let members = value.unique_members().map_err(|error| named(error, "step"))?;
    for (name, member) in &members {
        if matches!(name.as_ref(), "ssh" | "ra") && !member.is_null() && member.kind() != json::Kind::Object {
            return Err(member.mismatch(name, "object"));
        }
    }
    fingerprint(&members, "sha", "step.sha")
}

fn confirmation(value: Raw<'_>) -> Result<Option<String>, json::Error> {
    let members = value.unique_members().map_err(|error| named(error, "cnf"))?;
    fingerprint(&members, "x5rt#S256", "cnf.x5rt#S256")
}

fn fingerprint(
    members: &[(Cow<'_, str>, Raw<'_>)],
    name: &str,
    full_name: &str,
) -> Result<Option<String>, json::Error> {
    members
        .iter()
        .find(|(n, v)| n == name && !v.is_null())
        .map(|(_, v)| text_of(full_name, *v).map(Cow::into_owned))
        .transpose()
        .map(|text| text.filter(|text| !text.is_empty()))
}

/// Puts the claim's name into a type error.
fn named(error: json::Error, claim: &str) -> json::Error {
    match error {
        json::Error::Type { expected, got, .. } => {
            json::Error::Type { member: claim.to_owned(), expected, got }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        Claims::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_claim_is_read() {
        let c = claims(
            r#"{"iss":"p","sub":"s","aud":"a","exp":1.9,"nbf":-1,"iat":1e3,"jti":"j","sans":["x",null],
               "step":{"sha":"f","ssh":null,"ra":{}},"cnf":{"x5rt#S256":"g"},"n":[1]}"#,
        );
        assert_eq!(c.issuer.as_deref(), Some("p"));
        assert_eq!(c.audience, ["a"]);
        assert_eq!((c.expires_at, c.not_before, c.issued_at), (Some(1), Some(-1), Some(1000)));
        assert_eq!(c.sans, Some(vec!["x".to_owned(), String::new()]));
        assert_eq!(c.names(), ["x"]);
        assert_eq!((c.step_sha.as_deref(), c.confirmation.as_deref()), (Some("f"), Some("g")));
        assert_eq!(c.all["n"], serde_json::json!([1.0]));
    }

    #[test]
    fn null_and_empty_are_absent() {
        let c = claims(r#"{"exp":null,"jti":"","sans":[],"step":null,"cnf":{"x5rt#S256":""},"sub":"s"}"#);
        assert_eq!((c.expires_at, c.token_id.clone(), c.sans.clone()), (None, None, None));
        assert_eq!((c.step_sha.clone(), c.confirmation.clone()), (None, None));
        assert_eq!(c.names(), ["s"]);
        assert_eq!(claims("null").issuer, None);
    }

    #[test]
    fn wrong_types_and_repeated_names_are_refused() {
        for bad in [
            r#"{"iss":["p"]}"#,
            r#"{"sub":1}"#,
            r#"{"aud":{}}"#,
            r#"{"aud":[1]}"#,
            r#"{"exp":"1"}"#,
            r#"{"exp":true}"#,
            r#"{"exp":1e400}"#,
            r#"{"iat":{}}"#,
            r#"{"jti":1}"#,
            r#"{"sans":"x"}"#,
            r#"{"sans":[1]}"#,
            r#"{"email":1}"#,
            r#"{"nonce":1}"#,
            r#"{"step":[]}"#,
            r#"{"step":{"ssh":1}}"#,
            r#"{"step":{"ra":[]}}"#,
            r#"{"step":{"sha":1}}"#,
            r#"{"cnf":"x"}"#,
            r#"{"cnf":{"x5rt#S256":1}}"#,
            r#"{"a":1,"a":1}"#,
            "[]",
            "hello",
            "",
        ] {
            assert!(Claims::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Claims::parse(br#"{"x":{"a":1,"a":2}}"#).is_ok());
    }

    #[test]
    fn claims_of_other_token_kinds_may_be_anything() {
        assert_eq!(claims(r#"{"sub":"s","azp":7,"tid":[]}"#).names(), ["s"]);
    }

    #[test]
    fn an_expiry_beyond_64_bits_is_past() {
        assert_eq!(claims(r#"{"exp":1e19}"#).expires_at, Some(i64::MIN));
    }
}
