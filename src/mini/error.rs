//! What can go wrong with a mini CA.

use crate::authority;
use crate::authority::bootstrap;
use crate::config;
use crate::crypto;
use crate::entropy;
use crate::http;
use crate::jose;
use crate::x509;

/// A mini CA cannot start, or cannot do what a test asks of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Root, intermediate or a provisioner's key cannot be made.
    #[error(transparent)]
    Hierarchy(#[from] bootstrap::Error),
    /// What the builder was told does not make a configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The authority cannot start.
    #[error(transparent)]
    Start(#[from] authority::StartError),
    /// The server cannot start.
    #[error(transparent)]
    Server(#[from] http::server::Error),
    /// The listener or the runtime's thread is not to be had.
    #[error("cannot start the server: {0}")]
    System(#[from] std::io::Error),
    /// The authority refused to issue.
    #[error("the mini CA refused: {code}: {0}", code = .0.code())]
    Refused(#[from] authority::Error),
    /// There is no provisioner of this name, or none that does what is asked for.
    #[error("the mini CA has no provisioner {0}")]
    NoProvisioner(String),
    /// The text to bind a token to is no certification request in PEM.
    #[error("a token can only be bound to a certification request in PEM")]
    NoRequest,
    /// A token cannot be minted.
    #[error(transparent)]
    Mint(#[from] crate::token::mint::Error),
    /// A token cannot be signed.
    #[error(transparent)]
    Token(#[from] jose::Error),
    /// A key cannot be made or written.
    #[error(transparent)]
    Key(#[from] crypto::Error),
    /// A request or certificate cannot be written.
    #[error(transparent)]
    Certificate(#[from] x509::error::Error),
    /// rustls does not take a certificate or key.
    #[error("no TLS configuration can be made: {0}")]
    Tls(String),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] entropy::Unavailable),
}
