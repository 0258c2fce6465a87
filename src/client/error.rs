//! Why a call did not bring what was asked for.

use std::time::Duration;

/// A call that did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is not `https://host[:port]`.
    #[error("{0:?} is not an https URL of a certificate authority")]
    Url(String),
    /// The pinned root is no certificate.
    #[error("the root certificate cannot be read: {0}")]
    Root(String),
    /// No connection: nothing was sent.
    #[error("cannot connect to {address}: {reason}")]
    Connection {
        /// Host and port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The connection ended before the answer was there: the authority may have done what it was asked for.
    #[error("{address} ended the connection before its answer was complete: {reason}")]
    Interrupted {
        /// Host and port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The server's certificate does not chain to the pinned root.
    #[error("{address} is not trusted: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What TLS says.
        reason: String,
    },
    /// The server did not show a root certificate with the fingerprint; what it did show is not repeated.
    #[error("the authority does not show a root certificate with this fingerprint")]
    Fingerprint,
    /// Nothing came within the time.
    #[error("{address} did not answer within {} s", waited.as_secs_f64())]
    Timeout {
        /// Host and port.
        address: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The authority refused.
    #[error("the certificate authority refused with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The authority's sentence.
        message: String,
        /// The refusal's code, which only a development server tells.
        code: Option<String>,
        /// How long the authority asks to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// The answer is not what the contract says.
    #[error("the answer of {path} cannot be read: {reason}")]
    Answer {
        /// The route.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn remediation(&self) -> &'static str {
        match self {
            Self::Url(_) => "give the authority's URL, such as https://ca.example:9000",
            Self::Root(_) => "give the file of the authority's root certificate in PEM",
            Self::Connection { .. } => "check the URL, and that the authority is running",
            Self::Interrupted { .. } => {
                "look into the authority's log whether it did what it was asked for, and what ended the connection"
            }
            Self::Tls { .. } => {
                "compare the root's fingerprint with the one that the authority prints at start"
            }
            Self::Fingerprint => {
                "compare the fingerprint with the one that the authority prints at start; if they are the same, \
                 somebody stands between you and the authority"
            }
            Self::Timeout { .. } => "try again, and look into the authority's log if it happens again",
            Self::Refused { status: 401, .. } => {
                "a token is good once and for minutes: make a new one with the right provisioner, \
                 key and authority URL; the authority's log says which rule it broke"
            }
            Self::Refused { status: 429 | 503, .. } => "the authority is busy: try again later",
            Self::Refused { status: 500..=599, .. } => "look into the authority's log",
            Self::Refused { .. } => "correct the request as the message says",
            Self::Answer { .. } => "check that the URL is that of a step-ca compatible authority",
        }
    }
}
