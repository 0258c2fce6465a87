//! The only room that knows the order of issuing.
//!
//! [`Authority::sign`] takes a request through token, CSR, draft, policy and signature, and hands the
//! certificate out once it is recorded. Each step takes what the previous one returned. Renewing, revoking and the
//! CRL have a file each; [`Authority::explain`] takes the same steps and issues nothing. CONTRACT.md sections 3 to 10.

mod approval;
pub mod bootstrap;
mod client;
mod core;
mod crl;
mod error;
mod explain;
mod grant;
mod issue;
mod renew;
mod request;
mod revoke;
mod server;
mod sign;
mod trail;
mod validity;

pub use client::ClientCertificate;
pub use client::ClientCertificateError;
pub use core::Authority;
pub use core::Options;
pub use crl::CrlError;
pub use error::Error;
pub use error::StartError;
pub use explain::Check;
pub use explain::Explanation;
pub use explain::Verdict;
pub use grant::Grant;
pub use grant::GrantError;
pub use grant::check_grant;
pub use issue::Issued;
pub use renew::RenewError;
pub use request::RequestError;
#[cfg(feature = "cli")]
pub(crate) use request::read_template_data;
pub use revoke::RevokeError;
pub use revoke::Revoked;
pub use sign::Admit;
pub use trail::Service;
pub use validity::ValidityError;
