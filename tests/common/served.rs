//! A server in this process on a fixture, with a clock that can be set, and clients that show certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::SignatureAlgorithm as TlsAlgorithm;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::sign::Signer;
use rustls::sign::SigningKey;
use stepless::config::Config;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::http::RouterOptions;
use stepless::http::server::Server;
use stepless::http::server::ServerHandle;
use stepless::x509::extension::Extension;

use super::https::Client;
use super::local::Local;

/// A server in this process, whose clock can be set.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// The plain listener's.
    pub(crate) insecure: Option<SocketAddr>,
    handle: ServerHandle,
    /// Ends the server when dropped.
    _stop: tokio::sync::watch::Sender<bool>,
    runtime: tokio::runtime::Runtime,
    /// Last, since it tells at its end what has panicked.
    pub(crate) local: Local,
}

impl Served {
    /// Serves a fixture on free ports.
    pub(crate) fn start(name: &str) -> Self {
        let local = Local::start(name);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let bound = Server::bind("127.0.0.1:0", Arc::clone(&local.authority), RouterOptions::development());
        let server = runtime.block_on(bound).expect("a server");
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (address, insecure) =
            (server.local_address().expect("it listens"), server.insecure_local_address());
        let handle = server.handle();
        runtime.spawn(server.serve(stopped));
        Self { address, insecure, handle, _stop: stop, runtime, local }
    }

    /// A certificate of provisioner `longlived`, for an hour from now.
    pub(crate) fn identity(&self, kind: KeyKind, extra: Option<Extension>) -> Identity {
        let mut extensions = vec![self.local.provisioner_extension("longlived")];
        extensions.extend(extra);
        let (der, key) = self.local.issue(kind, &extensions, |_| ());
        Identity(Arc::new(CertifiedKey::new(vec![der.into()], Arc::new(TestKey(key)))))
    }

    /// A client that shows the certificate, if it has one.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> Client {
        self.client_with(identity, rustls::ALL_VERSIONS)
    }

    /// The same with some versions of TLS alone.
    pub(crate) fn client_with(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Client {
        let certificate = identity.map(|identity| Arc::new(identity.clone()) as Arc<dyn ResolvesClientCert>);
        let roots = self.local.fixture.root_pem();
        Client::with_certificate(self.address, &roots, ring::default_provider(), versions, certificate)
    }

    /// Serves another configuration from now on.
    pub(crate) fn reload(&self, config: Config) -> Result<(), String> {
        let authority = self.local.authority.succeed_with(config).map_err(|error| error.to_string())?;
        let reloaded = self.handle.reload("127.0.0.1:0", Arc::new(authority));
        self.runtime.block_on(reloaded).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// A certificate and its key, as a client shows them whatever the server would like to see.
#[derive(Debug, Clone)]
pub(crate) struct Identity(pub(crate) Arc<CertifiedKey>);

impl Identity {
    /// A chain, end entity first, and its key.
    pub(crate) fn new(chain: &[&[u8]], key: &Arc<PrivateKey>) -> Self {
        let chain = chain.iter().map(|der| der.to_vec().into()).collect();
        Self(Arc::new(CertifiedKey::new(chain, Arc::new(TestKey(Arc::clone(key))))))
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Signs with our own keys, since ring has no P-521.
#[derive(Debug)]
pub(crate) struct TestKey(pub(crate) Arc<PrivateKey>);

impl TestKey {
    fn scheme(&self) -> (SignatureScheme, SignatureAlgorithm) {
        match self.0.kind() {
            KeyKind::Rsa => (SignatureScheme::RSA_PSS_SHA256, SignatureAlgorithm::RsaPssSha256),
            KeyKind::P256 => (SignatureScheme::ECDSA_NISTP256_SHA256, SignatureAlgorithm::EcdsaSha256),
            KeyKind::P384 => (SignatureScheme::ECDSA_NISTP384_SHA384, SignatureAlgorithm::EcdsaSha384),
            KeyKind::P521 => (SignatureScheme::ECDSA_NISTP521_SHA512, SignatureAlgorithm::EcdsaSha512),
            KeyKind::Ed25519 => (SignatureScheme::ED25519, SignatureAlgorithm::Ed25519),
        }
    }
}

impl SigningKey for TestKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme().0).then(|| Box::new(Self(Arc::clone(&self.0))) as _)
    }

    fn algorithm(&self) -> TlsAlgorithm {
        TlsAlgorithm::Unknown(0)
    }
}

impl Signer for TestKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(self.0.sign(self.scheme().1, message).expect("a signature"))
    }

    fn scheme(&self) -> SignatureScheme {
        Self::scheme(self).0
    }
}
