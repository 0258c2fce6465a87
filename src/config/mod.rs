//! ca.json into checked values. Opens no port and issues nothing.
//!
//! [`parse`] reads the text alone, [`Config::load`] adds the certificates and the key that it names.
//! Fields are ignored where step-ca ignores them. CONTRACT.md section 11.

mod ca_json;
mod claims;
mod crl;
mod database;
#[cfg(feature = "cli")]
pub(crate) mod edit;
mod files;
#[cfg(feature = "cli")]
mod layout;
mod load;
mod provisioner;
mod reader;
mod template;
mod tls;
mod unoffered;

use thiserror::Error;

pub use ca_json::CaJson;
pub use ca_json::Password;
pub use ca_json::parse;
pub use claims::Claims;
pub use claims::Contradiction;
pub use claims::EffectiveClaims;
pub use claims::SshClaims;
pub use crl::CrlOptions;
pub use database::Database;
pub use files::DirectoryFiles;
pub use files::Files;
pub use files::MemoryFiles;
pub use load::Config;
pub use load::Parts;
#[cfg(feature = "cli")]
pub(crate) use load::read_certificates;
pub use provisioner::ClaimExtension;
pub use provisioner::Credential;
pub use provisioner::ProvisionerEntry;
pub use provisioner::X509Options;
#[cfg(feature = "cli")]
pub(crate) use provisioner::extension_oid;
pub use template::CertificateTemplate;
#[cfg(feature = "cli")]
pub(crate) use template::allowed_data;

/// The arc of the grant extensions until an operator sets `authority.oidArc`.
pub const DEFAULT_OID_ARC: &str = "1.3.6.1.4.1.99999";

/// Why a configuration cannot be used. Messages are step-ca's where it has one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// ca.json is no JSON or a member is of the wrong type.
    #[error("error parsing ca.json: {0}")]
    Json(#[from] crate::json::Error),
    /// A member has a value that is not to be had.
    #[error("error parsing ca.json: {place}: {reason}")]
    Value {
        /// The member, such as `authority.provisioners[0].key`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule over several members is broken.
    #[error("{0}")]
    Invalid(String),
    /// A file cannot be read.
    #[error("error reading {path:?}: {reason}")]
    Read {
        /// The file as ca.json names it.
        path: String,
        /// The system's reason, in lower case.
        reason: String,
    },
    /// A file holds no certificates, or broken ones.
    #[error("error parsing {path:?}: {reason}")]
    Certificate {
        /// The file as ca.json names it.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The intermediate key cannot be opened.
    #[error("{0}")]
    Key(#[source] crate::signer::Error),
    /// The key is not that of the issuing certificate.
    #[error(
        "the key in {key:?} does not match {certificate:?}: provided PrivateKey doesn't match parent's PublicKey"
    )]
    KeyMismatch {
        /// The key file.
        key: String,
        /// The certificate file.
        certificate: String,
    },
    /// The issuing certificate cannot issue now.
    #[error("the intermediate certificate in {path:?} {reason}")]
    Intermediate {
        /// The certificate file.
        path: String,
        /// Why it cannot issue.
        reason: String,
    },
}

impl Error {
    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Value { .. } | Self::Invalid(_) => {
                "correct that member of ca.json and start again"
            }
            Self::Read { .. } => {
                "relative paths start at the working directory: change to the CA's folder or write absolute paths"
            }
            Self::Certificate { .. } => "the file has to hold PEM certificates, the issuing one first",
            Self::Key(_) => {
                "check the password: --password-file goes first, then ca.json, then the credential"
            }
            Self::KeyMismatch { .. } => "`crt` has to begin with the certificate that belongs to `key`",
            Self::Intermediate { .. } => {
                "issue a new intermediate certificate with the root key, and check the machine's clock"
            }
        }
    }
}
