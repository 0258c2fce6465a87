//! Bodies of the HTTP contract, shared by server and client; no behaviour.
//!
//! Member names are step-ca's. CONTRACT.md sections 1 to 3.

use serde::Deserialize;
use serde::Serialize;

use crate::json;
use crate::json::Raw;

/// A request body is not what the route takes; the reason is for the log, the client hears
/// `error decoding json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is no JSON, or a member is of the wrong type.
    #[error("request body: {0}")]
    Json(#[from] json::Error),
    /// The body is a JSON value but no object.
    #[error("request body: expected an object, got {0}")]
    NotAnObject(&'static str),
    /// A known member stands twice, perhaps in different case (CONTRACT.md D16).
    #[error("request body: duplicate member {0:?}")]
    DuplicateMember(String),
}

/// The body of `POST /sign`.
///
/// Empty strings and `null` are absent (CONTRACT.md section 1, "JSON decoding").
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SignRequest {
    /// The certification request as PEM text.
    pub csr: Option<String>,
    /// The one-time token, a compact JWS. A secret until it is spent.
    pub ott: Option<String>,
    /// Start of the validity as sent: a Go duration or an RFC 3339 instant.
    pub not_before: Option<String>,
    /// End of the validity as sent.
    pub not_after: Option<String>,
    /// Data for a template as JSON text, of any type.
    pub template_data: Option<String>,
}

impl std::fmt::Debug for SignRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignRequest")
            .field("csr", &self.csr)
            .field("ott", &self.ott.as_ref().map(|_| "[redacted]"))
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl SignRequest {
    /// Reads a request body as step-ca does, apart from D16.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], for the log.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(body);
        let mut request = Self::default();
        read_object(&text, &["csr", "ott", "notBefore", "notAfter", "templateData"], |field, value| {
            if value.is_null() {
                return Ok(());
            }
            if field == "templateData" {
                request.template_data = Some(value.text().to_owned());
                return Ok(());
            }
            let text = value.as_str().ok_or_else(|| value.mismatch(field, "string"))?;
            // Go's request type takes the word null for an absent CSR.
            if text.is_empty() || (field == "csr" && text == "null") {
                return Ok(());
            }
            let slot = match field {
                "csr" => &mut request.csr,
                "ott" => &mut request.ott,
                "notBefore" => &mut request.not_before,
                _ => &mut request.not_after,
            };
            *slot = Some(text.into_owned());
            Ok(())
        })?;
        Ok(request)
    }

    /// The body that a client sends.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut members = serde_json::Map::new();
        let texts = [
            ("csr", &self.csr),
            ("ott", &self.ott),
            ("notBefore", &self.not_before),
            ("notAfter", &self.not_after),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                members.insert(name.to_owned(), text.as_str().into());
            }
        }
        serde_json::Value::Object(members).to_string()
    }
}

/// The body of `POST /rekey`: of a signing request, only this counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RekeyRequest {
    /// The certification request as PEM text.
    pub csr: Option<String>,
}

impl RekeyRequest {
    /// Reads a request body as step-ca does, apart from D16.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], for the log.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(body);
        let mut request = Self::default();
        read_object(&text, &["csr"], |field, value| {
            // As in a signing request, the word null is an absent CSR.
            request.csr = text_member(field, value)?.filter(|csr| csr != "null");
            Ok(())
        })?;
        Ok(request)
    }

    /// The body that a client sends.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::json!({ "csr": self.csr }).to_string()
    }
}

/// The body of `POST /revoke` (CONTRACT.md section 9).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RevokeRequest {
    /// The serial number as sent.
    pub serial: Option<String>,
    /// The one-time token, a compact JWS. A secret until it is spent.
    pub ott: Option<String>,
    /// The CRLReason of RFC 5280 §5.3.1 as sent; 0 if absent.
    pub reason_code: i64,
    /// The reason as text for people.
    pub reason: String,
    /// Whether only renewal is to be stopped, which is all that is offered.
    pub passive: bool,
}

impl std::fmt::Debug for RevokeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevokeRequest")
            .field("serial", &self.serial)
            .field("ott", &self.ott.as_ref().map(|_| "[redacted]"))
            .field("reason_code", &self.reason_code)
            .field("reason", &self.reason)
            .field("passive", &self.passive)
            .finish()
    }
}

impl RevokeRequest {
    /// Reads a request body as step-ca does, apart from D16.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], for the log.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(body);
        let mut request = Self::default();
        read_object(&text, &["serial", "ott", "reasonCode", "reason", "passive"], |field, value| {
            match field {
                "serial" => request.serial = text_member(field, value)?,
                "ott" => request.ott = text_member(field, value)?,
                "reason" => request.reason = text_member(field, value)?.unwrap_or_default(),
                _ if value.is_null() => {}
                "passive" => {
                    request.passive = value.as_bool().ok_or_else(|| value.mismatch(field, "bool"))?;
                }
                // Go takes no fraction and no exponent for an integer.
                _ => {
                    let number = value.text().parse().ok();
                    request.reason_code = number.ok_or_else(|| value.mismatch(field, "integer"))?;
                }
            }
            Ok(())
        })?;
        Ok(request)
    }

    /// The body that a client sends.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut members = serde_json::json!({
            "serial": self.serial,
            "reasonCode": self.reason_code,
            "reason": self.reason,
            "passive": self.passive,
        });
        if let (Some(members), Some(ott)) = (members.as_object_mut(), &self.ott) {
            members.insert("ott".to_owned(), ott.as_str().into());
        }
        members.to_string()
    }
}

/// A member that is text; `null` and the empty text are absent.
fn text_member(field: &str, value: Raw<'_>) -> Result<Option<String>, json::Error> {
    if value.is_null() {
        return Ok(None);
    }
    let text = value.as_str().ok_or_else(|| value.mismatch(field, "string"))?;
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

/// Reads the known members of a body: `take` is called for each with the name as listed in `fields`.
fn read_object<'t>(
    text: &'t str,
    fields: &[&'static str],
    mut take: impl FnMut(&'static str, Raw<'t>) -> Result<(), json::Error>,
) -> Result<(), DecodeError> {
    let body = json::parse(text)?;
    if body.is_null() {
        return Ok(());
    }
    if body.kind() != json::Kind::Object {
        return Err(DecodeError::NotAnObject(body.kind().name()));
    }
    let members = body.unique_members()?;
    let mut seen: Vec<&'static str> = Vec::new();
    for (name, value) in members {
        let Some(field) = fields.iter().find(|field| json::field_matches(&name, field)) else { continue };
        if seen.contains(field) {
            return Err(DecodeError::DuplicateMember(name.into_owned()));
        }
        seen.push(field);
        take(field, value)?;
    }
    Ok(())
}

/// The answer to a signing request (CONTRACT.md section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignResponse {
    /// The end-entity certificate as PEM.
    #[serde(default)]
    pub crt: String,
    /// The issuing certificate as PEM.
    #[serde(default)]
    pub ca: String,
    /// The end-entity certificate and the intermediates, PEM each, never the root.
    #[serde(rename = "certChain", default)]
    pub cert_chain: Vec<String>,
    /// TLS settings that the authority recommends.
    #[serde(rename = "tlsOptions", default, skip_serializing_if = "Option::is_none")]
    pub tls_options: Option<TlsOptions>,
}

/// TLS settings as ca.json writes them and answers repeat them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TlsOptions {
    /// Go's names of cipher suites.
    #[serde(rename = "cipherSuites")]
    pub cipher_suites: Vec<String>,
    /// 1.0 to 1.3.
    #[serde(rename = "minVersion", serialize_with = "go_float")]
    pub min_version: f64,
    /// 1.0 to 1.3.
    #[serde(rename = "maxVersion", serialize_with = "go_float")]
    pub max_version: f64,
    /// Whether a client may renegotiate; repeated, without effect here.
    pub renegotiation: bool,
}

/// Go writes a whole number without its fraction.
fn go_float<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e15")]
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

/// The body of every refusal (CONTRACT.md section 1, "Error bodies").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The HTTP status, repeated.
    pub status: u16,
    /// One sentence.
    pub message: String,
}

/// The body of a refusal that step-ca words in the form of its admin interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminErrorBody {
    /// The kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind once more.
    pub detail: String,
    /// One sentence.
    pub message: String,
}

/// The answer of `/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeResponse {
    /// `ok`.
    pub status: String,
}

/// The answer of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthResponse {
    /// `ok`.
    pub status: String,
}

/// The answer of `/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionResponse {
    /// The version of the step-ca contract that is served.
    pub version: String,
}

/// The answer of `/root/{sha}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootResponse {
    /// The root certificate as PEM.
    pub ca: String,
}

/// The answer of `/roots`, `/federation` and `/intermediates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatesResponse {
    /// Certificates as PEM.
    pub crts: Vec<String>,
}

/// The answer of `/provisioners/{kid}/encrypted-key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptedKeyResponse {
    /// The private JWK as a compact JWE.
    pub key: String,
}

/// The answer of `/provisioners`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvisionersResponse {
    /// One page of provisioners, `null` past the end.
    pub provisioners: Option<Vec<serde_json::Value>>,
    /// Where the next page begins; empty on the last one.
    #[serde(rename = "nextCursor")]
    pub next_cursor: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Result<(Option<&str>, Option<&str>), ()>) {
        let got = SignRequest::decode(body);
        let got = got.as_ref().map(|r| (r.csr.as_deref(), r.ott.as_deref())).map_err(|_| ());
        assert_eq!(got, expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn bodies_read_as_in_go() {
        check(b"{}", Ok((None, None)));
        check(b"null", Ok((None, None)));
        check(br#"{"csr":"a","ott":"b","x":[{}]}"#, Ok((Some("a"), Some("b"))));
        check(br#"{"CSR":"a","oTT":null}"#, Ok((Some("a"), None)));
        check(br#"{"csr":"null","ott":""}"#, Ok((None, None)));
        check(b"{\"csr\":\"a\",\"x\":\"\xff\"}", Ok((Some("a"), None)));
    }

    #[test]
    fn wrong_bodies_are_refused() {
        for bad in [
            &b""[..],
            b"[]",
            b"1",
            b"{\"csr\":1}",
            b"{\"ott\":[]}",
            b"{\"notAfter\":{}}",
            b"{} {}",
            b"{}x",
            b"{\"csr\":\"a\",\"csr\":\"a\"}",
            b"{\"csr\":\"a\",\"CSR\":\"a\"}",
            b"\xef\xbb\xbf{}",
        ] {
            check(bad, Err(()));
        }
    }

    #[test]
    fn revocations_read_as_in_go() {
        let read = |body: &str| RevokeRequest::decode(body.as_bytes());
        let all = r#"{"Serial":"7","ott":"t","reasonCode":-3,"reason":"r","passive":true}"#;
        let expected = RevokeRequest {
            serial: Some("7".to_owned()),
            ott: Some("t".to_owned()),
            reason_code: -3,
            reason: "r".to_owned(),
            passive: true,
        };
        assert_eq!(read(all), Ok(expected.clone()));
        assert_eq!(read(&expected.encode()), Ok(expected.clone()));
        assert!(!format!("{expected:?}").contains("\"t\""));
        let nulls = r#"{"serial":null,"ott":"","reasonCode":null,"reason":null,"passive":null}"#;
        assert_eq!(read(nulls), Ok(RevokeRequest::default()));
        for bad in [
            r#"{"serial":7}"#,
            r#"{"reasonCode":1.0}"#,
            r#"{"reasonCode":1e1}"#,
            r#"{"reasonCode":"1"}"#,
            r#"{"reasonCode":9223372036854775808}"#,
            r#"{"passive":1}"#,
            r#"{"reason":[]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let request = SignRequest { ott: Some("secret-token".to_owned()), ..SignRequest::default() };
        assert!(!format!("{request:?}").contains("secret-token"));
    }

    #[test]
    fn versions_are_written_as_go_does() {
        let options = TlsOptions {
            cipher_suites: Vec::new(),
            min_version: 1.0,
            max_version: 1.3,
            renegotiation: false,
        };
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(text, r#"{"cipherSuites":[],"minVersion":1,"maxVersion":1.3,"renegotiation":false}"#);
    }
}
