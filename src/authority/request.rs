//! A signing request's body, read as far as that goes without the token.

use thiserror::Error;
use time::OffsetDateTime;

use crate::duration::GoDuration;
use crate::duration::parse_rfc3339;
use crate::wire::DecodeError;
use crate::wire::SignRequest;
use crate::x509::csr::Csr;
use crate::x509::csr::UnverifiedCsr;
use crate::x509::pem;

/// How deep the request's `templateData` may be nested for a template to see it.
const MAX_TEMPLATE_DATA_DEPTH: usize = 100;

/// The body is not a signing request; every one of these answers 400 and leaves the token unspent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is no JSON of the right form.
    #[error(transparent)]
    Json(#[from] DecodeError),
    /// `csr` holds no PEM block.
    #[error("csr holds no PEM block")]
    NoPem,
    /// `csr` holds more than one PEM block (CONTRACT.md D15).
    #[error("csr holds more than one PEM block: which one was meant?")]
    SeveralBlocks,
    /// `csr` is no certification request.
    #[error("csr cannot be read: {0}")]
    Csr(#[source] crate::x509::csr::Error),
    /// `notBefore` or `notAfter` is neither a duration nor an instant.
    #[error("failed to parse {0:?}")]
    Time(String),
    /// There is no `csr`.
    #[error("missing csr")]
    MissingCsr,
    /// The request's own signature does not hold.
    #[error("invalid csr: {0}")]
    InvalidCsr(#[source] crate::x509::csr::Error),
    /// There is no `ott`.
    #[error("missing ott")]
    MissingOtt,
}

/// An instant, or a length of time from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeDuration {
    Instant(OffsetDateTime),
    Duration(GoDuration),
}

/// A request whose CSR is signed by its own key and that brings a token.
pub(super) struct Request {
    pub(super) csr: Csr,
    pub(super) ott: String,
    pub(super) not_before: Option<TimeDuration>,
    pub(super) not_after: Option<TimeDuration>,
    pub(super) template_data: Option<serde_json::Value>,
}

impl Request {
    /// Reads a body in step-ca's order: everything that its JSON decoder does, then what it misses.
    pub(super) fn read(body: SignRequest) -> Result<Self, RequestError> {
        let csr = body.csr.as_deref().map(parse_csr).transpose()?;
        let not_before = body.not_before.as_deref().map(parse_time).transpose()?.flatten();
        let not_after = body.not_after.as_deref().map(parse_time).transpose()?.flatten();
        let csr = csr.ok_or(RequestError::MissingCsr)?.verify().map_err(RequestError::InvalidCsr)?;
        let ott = body.ott.ok_or(RequestError::MissingOtt)?;
        // It is JSON already; what a template cannot take, such as a number beyond a double, is absent.
        let template_data = body.template_data.and_then(|text| read_template_data(&text));
        Ok(Self { csr, ott, not_before, not_after, template_data })
    }
}

/// `templateData` as templates see it; `None` for what is no JSON, and for what they cannot take.
pub(crate) fn read_template_data(text: &str) -> Option<serde_json::Value> {
    crate::json::parse(text).and_then(|raw| raw.to_tree(MAX_TEMPLATE_DATA_DEPTH)).ok()
}

pub(super) fn parse_csr(text: &str) -> Result<UnverifiedCsr, RequestError> {
    let mut blocks = pem::Blocks::new(text.as_bytes());
    let block = blocks.next().ok_or(RequestError::NoPem)?;
    if blocks.next().is_some() {
        return Err(RequestError::SeveralBlocks);
    }
    Csr::parse(&block.content).map_err(RequestError::Csr)
}

/// A duration or an instant; a zero duration and the first instant of year 1 are absent, as in step-ca.
fn parse_time(text: &str) -> Result<Option<TimeDuration>, RequestError> {
    if let Ok(duration) = text.parse::<GoDuration>() {
        return Ok((duration != GoDuration::ZERO).then_some(TimeDuration::Duration(duration)));
    }
    let instant = parse_rfc3339(text).ok_or_else(|| RequestError::Time(text.to_owned()))?;
    let zero = time::macros::datetime!(0001-01-01 0:00 UTC);
    Ok((instant != zero).then_some(TimeDuration::Instant(instant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_durations_or_instants() {
        let check = |text: &str, expected: Result<Option<TimeDuration>, ()>| {
            assert_eq!(parse_time(text).map_err(|_| ()), expected, "{text}");
        };
        check("1h", Ok(Some(TimeDuration::Duration(GoDuration::from_seconds(3600)))));
        check("0", Ok(None));
        check("0s", Ok(None));
        check("0001-01-01T00:00:00Z", Ok(None));
        check("1970-01-01T00:00:00Z", Ok(Some(TimeDuration::Instant(OffsetDateTime::UNIX_EPOCH))));
        check("soon", Err(()));
    }
}
