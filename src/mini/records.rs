//! What a mini CA refused, for a test to assert on. What it issued stands in its store.

use serde_json::Value;

use crate::profile::GRANT_ID;
use crate::token::UnverifiedToken;

/// A request that the CA refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The path of the request; empty if it was made in process.
    pub path: String,
    /// The HTTP status; 0 if it was made in process.
    pub status: u16,
    /// The stable code, as in docs/refusals.md: `token.replayed`.
    pub code: String,
    /// The cause in full, of which a client hears less.
    pub reason: String,
    /// `sub` of the token, which need not have been genuine.
    pub subject: Option<String>,
    /// The token's grant id, likewise.
    pub grant_id: Option<String>,
    /// The serial number that a revocation named.
    pub serial: Option<String>,
}

/// What a request says of itself, without any check.
#[derive(Debug, Default)]
pub(super) struct Asked {
    subject: Option<String>,
    grant_id: Option<String>,
    serial: Option<String>,
}

impl Asked {
    pub(super) fn of(ott: Option<&str>) -> Self {
        let Some(token) = ott.and_then(|ott| UnverifiedToken::parse(ott).ok()) else {
            return Self::default();
        };
        let claims = token.claims();
        let grant_id = claims.all.get(GRANT_ID).and_then(Value::as_str).map(str::to_owned);
        Self { subject: claims.subject.clone(), grant_id, serial: None }
    }

    pub(super) fn of_body(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let serial = body["serial"].as_str().map(str::to_owned);
        Self { serial, ..Self::of(body["ott"].as_str()) }
    }

    pub(super) fn refused(self, path: &str, status: u16, code: &str, reason: &str) -> Refusal {
        Refusal {
            path: path.to_owned(),
            status,
            code: code.to_owned(),
            reason: reason.to_owned(),
            subject: self.subject,
            grant_id: self.grant_id,
            serial: self.serial,
        }
    }
}
