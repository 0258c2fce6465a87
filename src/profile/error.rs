//! Why a description is no certificate.

use thiserror::Error as ThisError;

use crate::x509;

/// What is wrong with a description, by who has to mend it.
///
/// The HTTP room answers each kind differently (CONTRACT.md section 1): [`Malformed`](Self::Malformed) with 500
/// `error applying certificate template`, [`Refused`](Self::Refused) with 403, [`Unsignable`](Self::Unsignable) with
/// the plain 500.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The document has not the form of one: the template is at fault.
    #[error("{member}: {reason}")]
    Malformed {
        /// The member, as a path: `extensions[1].value`; `document` for the whole.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that no certificate may hold: the data of the request is at fault.
    #[error("{member}: {reason}")]
    Refused {
        /// The member, as above.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate that cannot be made, though the document has the form of one.
    #[error("{member}: {reason}")]
    Unsignable {
        /// The member, as above.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(super) fn malformed(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed { member: member.into(), reason: reason.into() }
    }

    pub(super) fn refused(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused { member: member.into(), reason: reason.into() }
    }

    pub(super) fn unsignable(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsignable { member: member.into(), reason: reason.into() }
    }

    /// The refusal of a value that cannot be encoded.
    pub(super) fn encoding(member: impl Into<String>, error: &x509::error::Error) -> Self {
        Self::refused(member, error.to_string())
    }
}
