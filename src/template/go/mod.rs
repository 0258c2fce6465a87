//! Rules of Go's world that a template can observe: numbers, quoting, times, expressions, ASN.1.
//!
//! Everything here takes and gives bytes, numbers and times; template values are not known on this floor of
//! the room. Nothing here reads a clock, a file or the environment.

pub(crate) mod asn1;
pub(crate) mod asn1_text;
pub(crate) mod binary_text;
pub(crate) mod decimal;
pub(crate) mod duration;
pub(crate) mod quote;
pub(crate) mod regex;
mod regex_syntax;

pub(crate) mod runes;
pub(crate) mod semver;
pub(crate) mod strconv;
pub(crate) mod text;
pub(crate) mod time_layout;
pub(crate) mod time_parse;
pub(crate) mod time_zone;
pub(crate) mod word_case;

/// What Go's library would have answered instead of a result; the text is Go's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(String);

impl Refusal {
    /// Makes a refusal that reads `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
