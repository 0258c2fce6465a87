//! Why a gateway did not get its certificate: a kind for the program, a cause and a remediation for a person.

use thiserror::Error;

use crate::client::AnswerError;
use crate::client::Error as CallError;
use crate::client::IdentityError;
use crate::client::SettingsError;
use crate::token::mint;

/// No certificate was handed out, or the call did not do what it was made for.
///
/// [`kind`](Self::kind) tells them apart in a program, `Display` says what happened, and
/// [`remediation`](Self::remediation) what a person can do about it. No variant holds a token, a key or a password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaClientError {
    /// A setting is missing or wrong.
    #[error("the client is not set up: {0}")]
    Settings(#[from] SettingsError),
    /// The authority has no provisioner with the client's key, or several.
    #[error(
        "the authority does not list the key {key_id:?} of exactly one provisioner; it has {provisioners}"
    )]
    Provisioner {
        /// The `kid` of the client's key.
        key_id: String,
        /// The names of those it has.
        provisioners: String,
    },
    /// The certification request cannot be used; nothing was sent.
    #[error("the certification request cannot be used: {0}")]
    Csr(String),
    /// The time to live cannot be asked for; nothing was sent.
    #[error("a certificate cannot live for {0:?}")]
    Ttl(std::time::Duration),
    /// No token could be made; nothing was sent.
    #[error("no token could be made: {0}")]
    Token(#[from] mint::Error),
    /// The client's own certificate cannot be used; nothing was sent.
    #[error("the client's certificate cannot be used: {0}")]
    Identity(#[from] IdentityError),
    /// The call failed, or the authority refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is not what was asked for; nothing of it was handed out.
    #[error("the authority's answer was refused: {0}")]
    Answer(#[from] AnswerError),
}

/// What happened, for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CaClientErrorKind {
    /// The client's settings, its key or its own certificate.
    Configuration,
    /// The certification request; no call was made.
    MalformedCsr,
    /// No connection, or one that ended too soon.
    Connection,
    /// The server does not show a chain to the pinned root.
    TlsPin,
    /// No answer in time.
    Timeout,
    /// Status 401.
    Unauthorized,
    /// Status 403.
    Forbidden,
    /// Another status from 400 to 499.
    Rejected,
    /// Status 500 to 599.
    Server,
    /// The answer is not the JSON of the contract.
    NotJson,
    /// The answer has no certificate.
    NoCertificate,
    /// The certificate's grant extensions are missing or others than asked for.
    Extensions,
    /// The certificate is not what was asked for: chain, key, names or validity.
    Certificate,
}

impl CaClientError {
    /// What happened, for a program.
    #[must_use]
    pub fn kind(&self) -> CaClientErrorKind {
        use CaClientErrorKind as Kind;
        match self {
            Self::Settings(_)
            | Self::Provisioner { .. }
            | Self::Ttl(_)
            | Self::Token(_)
            | Self::Identity(_) => Kind::Configuration,
            Self::Csr(_) => Kind::MalformedCsr,
            Self::Call(error) => match error {
                CallError::Url(_) | CallError::Root(_) => Kind::Configuration,
                CallError::Connection { .. } | CallError::Interrupted { .. } => Kind::Connection,
                CallError::Tls { .. } | CallError::Fingerprint => Kind::TlsPin,
                CallError::Timeout { .. } => Kind::Timeout,
                CallError::Refused { status: 401, .. } => Kind::Unauthorized,
                CallError::Refused { status: 403, .. } => Kind::Forbidden,
                CallError::Refused { status: 500.., .. } => Kind::Server,
                CallError::Refused { .. } => Kind::Rejected,
                CallError::Answer { .. } => Kind::NotJson,
            },
            Self::Answer(AnswerError::NoCertificate) => Kind::NoCertificate,
            Self::Answer(AnswerError::Extension { .. }) => Kind::Extensions,
            Self::Answer(_) => Kind::Certificate,
        }
    }

    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn remediation(&self) -> &'static str {
        match self {
            Self::Settings(error) => error.remediation(),
            Self::Provisioner { .. } => {
                "give the key of one of the authority's provisioners, or its name in STEP_CA_PROVISIONER_NAME"
            }
            Self::Csr(_) => {
                "send one PEM block with a PKCS#10 request, signed with its own key, with a common name or a \
                 subjectAltName"
            }
            Self::Ttl(_) => "ask for a second or more, and at most what the provisioner allows",
            Self::Token(_) => "check the provisioner's key, and that the system gives random bytes",
            Self::Identity(_) => "give the certificate with its own private key",
            Self::Call(error) => error.remediation(),
            Self::Answer(AnswerError::Extension { .. }) => {
                "check the provisioner's template and the OID arc, which have to be the same here and at the \
                 authority"
            }
            Self::Answer(AnswerError::Validity | AnswerError::Lifetime { .. }) => {
                "compare the clocks of this machine and the authority, and the provisioner's durations"
            }
            Self::Answer(_) => "do not trust this authority before its log explains the difference",
        }
    }

    /// The HTTP status, if the authority refused.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Call(CallError::Refused { status, .. }) => Some(*status),
            _ => None,
        }
    }
}
