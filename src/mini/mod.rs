//! `MiniCa`: a real CA inside a test.
//!
//! An [`Authority`], its HTTPS server on a free port of the loopback interface, fresh keys
//! and a memory store, in one value. No file, no environment, nothing that two CAs in one process would share. Dropping
//! it ends the server and wipes the keys.
//!
//! ```
//! use stepless::MiniCa;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let ca = MiniCa::start().await?;
//! println!("{} {}", ca.url(), ca.root_fingerprint());
//!
//! // As any client does: a token for a request, sent to `url()`, or right here.
//! let leaf = ca.issue("db.example").sign()?;
//! let server = ca.rustls_server_config(["db.example"])?;
//! let client = ca.rustls_client_config_with(&leaf)?;
//!
//! assert_eq!(ca.issued().len(), 2);
//! assert!(ca.refused().is_empty());
//! # drop((server, client));
//! # Ok::<(), stepless::mini::Error>(())
//! # }).unwrap();
//! ```
//!
//! docs/embedding.md shows more.

mod builder;
mod clock;
mod core;
mod defect;
mod error;
mod faults;
mod issue;
mod layer;
mod provisioner;
mod records;
mod running;
mod seed;
mod tls;
mod token;

use std::sync::Arc;

use axum::Router;
use rustls::ClientConfig;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

pub use builder::Builder;
pub use clock::TestClock;
pub use defect::Defect;
pub use error::Error;
pub use faults::Fault;
pub use faults::Faults;
pub use issue::IssueBuilder;
pub use issue::Leaf;
pub use issue::NewCsr;
pub use provisioner::FEDERATION;
pub use provisioner::FEDERATION_HS256;
pub use provisioner::PLAIN;
pub use provisioner::Provisioner;
pub use records::Refusal;
pub use token::TokenBuilder;

use crate::authority::Authority;
use crate::authority::Explanation;
use crate::crypto::KeyKind;
use crate::hex;
use crate::mini::core::Core;
use crate::mini::running::Running;
use crate::store::CertificateRecord;
use crate::wire::SignRequest;
use crate::wire::SignResponse;

/// A CA for tests. Ends when dropped.
#[derive(Debug)]
pub struct MiniCa {
    core: Arc<Core>,
    running: Running,
}

impl MiniCa {
    /// Settings, each with a default.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A CA with all defaults, served on this runtime.
    ///
    /// # Errors
    ///
    /// [`Error`] tells why there is no port.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// A CA with all defaults, served on a thread of its own: for tests that are not async, or whose client blocks.
    ///
    /// # Errors
    ///
    /// [`Error`] tells why there is no port.
    ///
    /// # Examples
    ///
    /// ```
    /// use stepless::MiniCa;
    ///
    /// let ca = MiniCa::start_blocking()?;
    /// assert!(ca.url().starts_with("https://127.0.0.1:"));
    /// # Ok::<(), stepless::mini::Error>(())
    /// ```
    pub fn start_blocking() -> Result<Self, Error> {
        Self::builder().start_blocking()
    }

    fn new(core: Arc<Core>, running: Running) -> Self {
        Self { core, running }
    }

    /// Ends the server and waits until its port is free; dropping does not wait for a task of this runtime.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    /// Where it listens, `https://127.0.0.1:PORT`; without a server, its first name.
    #[must_use]
    pub fn url(&self) -> String {
        match self.running.address {
            Some(address) => format!("https://{address}"),
            None => {
                let name = self.core.authority.config().ca.dns_names.first();
                format!("https://{}", name.map_or("localhost", String::as_str))
            }
        }
    }

    /// The root certificate in PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.core.plan.root.to_pem()
    }

    /// The root certificate in DER.
    #[must_use]
    pub fn root_der(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.core.plan.root.der().to_vec())
    }

    /// SHA-256 of the root's DER, 64 lower-case hexadecimal digits: what `step ca bootstrap --fingerprint` takes.
    #[must_use]
    pub fn root_fingerprint(&self) -> String {
        hex::encode(&self.core.plan.root.fingerprint())
    }

    /// The intermediate certificate in PEM.
    #[must_use]
    pub fn intermediate_pem(&self) -> String {
        self.core.plan.intermediate.to_pem()
    }

    /// A provisioner's private key as a JWK: what a client under test is configured with.
    ///
    /// # Errors
    ///
    /// [`Error::NoProvisioner`].
    pub fn provisioner_key(&self, name: &str) -> Result<Zeroizing<String>, Error> {
        let signer = self.core.plan.signers.iter().find(|signer| signer.name == name);
        let signer = signer.ok_or_else(|| Error::NoProvisioner(format!("named {name:?}")))?;
        Ok(signer.key.to_json()?)
    }

    /// A token for this subject.
    pub fn token(&self, subject: &str) -> TokenBuilder<'_> {
        TokenBuilder::new(&self.core, self.url(), subject)
    }

    /// A fresh P-256 key and a request for this subject, which is its only alternative name too.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] for a name that has no form in a certificate.
    pub fn csr(&self, subject: &str) -> Result<NewCsr, Error> {
        NewCsr::new(&self.core, KeyKind::P256, subject, &[subject.to_owned()])
    }

    /// A certificate for this subject, without a socket.
    pub fn issue(&self, subject: &str) -> IssueBuilder<'_> {
        IssueBuilder::new(&self.core, self.url(), subject)
    }

    /// Answers a signing request as `/sign` would, without a socket.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub fn sign(&self, request: SignRequest) -> Result<SignResponse, Error> {
        Ok(self.core.sign(request)?)
    }

    /// What each check says of a signing request; nothing is issued and the token stays unspent.
    #[must_use]
    pub fn explain(&self, request: SignRequest) -> Explanation {
        self.core.authority.explain(request, &|token| self.core.store.has_spent(token))
    }

    /// A TLS server's configuration with a certificate for these names, the first one its subject.
    ///
    /// It goes by the CA's [`clock`](Self::clock). ALPN is left to the caller.
    ///
    /// # Errors
    ///
    /// As for [`IssueBuilder::sign`].
    pub fn rustls_server_config<S: Into<String>>(
        &self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<ServerConfig, Error> {
        tls::server(&self.core, &self.server_leaf(names)?, false)
    }

    /// The same, demanding a client's certificate that leads to the root.
    ///
    /// # Errors
    ///
    /// As for [`IssueBuilder::sign`].
    pub fn rustls_mtls_server_config<S: Into<String>>(
        &self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<ServerConfig, Error> {
        tls::server(&self.core, &self.server_leaf(names)?, true)
    }

    fn server_leaf<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<Leaf, Error> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let subject = names.first().map_or("localhost", String::as_str);
        self.issue(subject).names(names.clone()).sign()
    }

    /// A TLS client's configuration that trusts the root and nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] if rustls does not take the root.
    pub fn rustls_client_config(&self) -> Result<ClientConfig, Error> {
        tls::client(&self.core, None)
    }

    /// The same, showing a certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Tls`] if rustls does not take it.
    pub fn rustls_client_config_with(&self, leaf: &Leaf) -> Result<ClientConfig, Error> {
        tls::client(&self.core, Some(leaf))
    }

    /// Its clock, to be read, moved and set.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.core.clock
    }

    /// The faults that the next requests over HTTP shall meet.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// Every certificate that it issued, in order, in whatever way; its TLS certificate is not among them.
    #[must_use]
    pub fn issued(&self) -> Vec<CertificateRecord> {
        self.core.store.certificates()
    }

    /// Every request that it refused, in order. Answers that a [`Fault`] gave in its place are not among them.
    #[must_use]
    pub fn refused(&self) -> Vec<Refusal> {
        self.core.refused().clone()
    }

    /// step-ca's routes, with faults and records, as an axum router and tower service: to be mounted in a server of
    /// one's own, or called without one.
    pub fn router(&self) -> Router {
        self.core.router()
    }

    /// The authority, to be called without HTTP.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.core.authority
    }

    /// Another CA that goes on from here: same root and keys, a copy of store, clock and randomness, a port of its own
    /// if this one has one. Faults and refusals stay behind.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no port.
    pub async fn fork(&self) -> Result<Self, Error> {
        let core = self.core.fork()?;
        let running = match self.running.address {
            Some(_) => Running::on_this_runtime(&core, builder::listen(None)?).await?,
            None => Running::nowhere(),
        };
        Ok(Self::new(core, running))
    }

    /// The same, served on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no port.
    pub fn fork_blocking(&self) -> Result<Self, Error> {
        let core = self.core.fork()?;
        let running = match self.running.address {
            Some(_) => Running::on_its_own_thread(&core, builder::listen(None)?)?,
            None => Running::nowhere(),
        };
        Ok(Self::new(core, running))
    }
}
