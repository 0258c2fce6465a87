//! The client side: speaks the HTTP contract, trusts one pinned root, checks what it is given.
//!
//! [`CaClient`] is what a gateway uses: it mints the token, calls, and checks the answer. [`Api`] is below it: one
//! method a route, each answer as it came. A certificate that lacks what was asked for is an error, never an answer.

mod answer;
mod api;
mod bootstrap;
mod ca_client;
mod connection;
mod csr;
mod error;
mod fault;
mod identity;
mod provisioner;
mod retry;
mod settings;

pub use answer::AnswerError;
pub use answer::Expected;
pub use answer::Received;
pub use api::Api;
pub use bootstrap::fetch_root;
pub use ca_client::CaClient;
pub use ca_client::IssueCertRequest;
pub use ca_client::IssuedCert;
pub use csr::CsrError;
pub use csr::create as create_csr;
pub use error::Error;
pub use fault::CaClientError;
pub use fault::CaClientErrorKind;
pub use identity::Identity;
pub use identity::IdentityError;
pub use retry::Retry;
pub use settings::Settings;
pub use settings::SettingsError;
