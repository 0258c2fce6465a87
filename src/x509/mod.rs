//! X.509 structures; never sees a token or a file.

pub mod certificate;
pub mod crl;
pub mod csr;
pub(crate) mod element;
pub(crate) mod encode;
pub mod error;
pub mod extension;
pub mod hierarchy;
pub mod mailbox;
pub mod name;
pub mod name_constraints;
pub mod oid;
pub mod path;
pub mod pem;
pub mod request;
pub mod san;
pub mod serial;
pub mod tbs;
pub(crate) mod time;
#[cfg(feature = "server")]
pub(crate) mod words;
