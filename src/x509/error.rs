//! What can be wrong with an X.509 structure, read or about to be written.

use thiserror::Error;

use crate::crypto;

/// A fault in an X.509 structure.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not DER, or not the structure named.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A text that is no object identifier.
    #[error("{0:?} is not an object identifier")]
    ObjectIdentifier(String),
    /// A text that is no serial number of at most 20 octets.
    #[error("{0:?} is not a serial number")]
    SerialNumber(String),
    /// A name that an IA5String cannot hold.
    #[error("{0:?} holds characters outside ASCII")]
    NotAscii(String),
    /// An IP range that is no network in CIDR notation.
    #[error("{0:?} is not an IP range")]
    IpRange(String),
    /// The key did not sign.
    #[error("could not sign: {0}")]
    Signing(#[source] crypto::Error),
    /// A time whose year has no four digits.
    #[error("year {0} does not fit a certificate")]
    Year(i32),
}
