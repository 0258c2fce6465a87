//! Extensions made from claims: `options.x509.claimExtensions`.
//!
//! A value is a DER UTF8String, built with `der` and never by pasting bytes (CONTRACT.md section 6).

use thiserror::Error;

use crate::config::ClaimExtension;
use crate::token::claims::Claims;
use crate::x509::extension;
use crate::x509::extension::Extension;

/// A claim cannot become an extension.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The token lacks the claim.
    #[error("token claim {0:?} is missing")]
    Missing(String),
    /// The claim is no string.
    #[error("token claim {0:?} is not a string")]
    NotAString(String),
    /// The claim is no UUID of 36 characters.
    #[error("token claim {0:?} is not a UUID of 36 characters")]
    NotAUuid(String),
}

impl Error {
    /// The name of the claim.
    #[must_use]
    pub fn claim(&self) -> &str {
        match self {
            Self::Missing(claim) | Self::NotAString(claim) | Self::NotAUuid(claim) => claim,
        }
    }
}

/// The extension that `rule` makes from the claims; `None` if the claim is absent and may be.
pub(super) fn from_claim(rule: &ClaimExtension, claims: &Claims) -> Result<Option<Extension>, Error> {
    let text = match claims.all.get(&rule.claim) {
        None | Some(serde_json::Value::Null) if !rule.required => return Ok(None),
        None | Some(serde_json::Value::Null) => return Err(Error::Missing(rule.claim.clone())),
        Some(serde_json::Value::String(text)) => text,
        Some(_) => return Err(Error::NotAString(rule.claim.clone())),
    };
    if rule.uuid && !is_uuid(text) {
        return Err(Error::NotAUuid(rule.claim.clone()));
    }
    Ok(Some(extension::utf8_string(rule.oid.clone(), text, rule.critical)))
}

/// Whether `text` is a UUID in the form of RFC 9562 section 4: 32 hexadecimal digits in groups of 8, 4, 4,
/// 4 and 12, in either case; version and variant do not matter.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claims: &str, required: bool, expected: Result<Option<&[u8]>, Error>) {
        let rule = ClaimExtension {
            oid: crate::x509::oid::Oid::parse("1.2.3.1").unwrap(),
            claim: "id".to_owned(),
            uuid: true,
            required,
            critical: false,
        };
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let got = from_claim(&rule, &claims);
        assert_eq!(
            got.as_ref().map(|e| e.as_ref().map(|e| e.value.as_slice())).map_err(Clone::clone),
            expected
        );
    }

    #[test]
    fn only_a_uuid_becomes_an_extension() {
        let uuid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
        let mut der = vec![0x0c, 0x24];
        der.extend_from_slice(uuid.as_bytes());
        check(&format!(r#"{{"id":"{uuid}"}}"#), true, Ok(Some(&der)));
        check("{}", false, Ok(None));
        check(r#"{"id":null}"#, false, Ok(None));
        check("{}", true, Err(Error::Missing("id".to_owned())));
        check(r#"{"id":1}"#, false, Err(Error::NotAString("id".to_owned())));
        for bad in [
            "",
            "3f2504e0-4f89-41d3-9a0c-0305e82c330",
            "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
            "3f2504e04f8941d39a0c0305e82c3301",
            "3f2504e0-4f89-41d3-9a0c-0305e82c330g",
            "3f2504e-04f89-41d3-9a0c-0305e82c3301",
        ] {
            check(&format!(r#"{{"id":"{bad}"}}"#), true, Err(Error::NotAUuid("id".to_owned())));
        }
    }
}
