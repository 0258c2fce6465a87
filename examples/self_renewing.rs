//! An axum server that renews its own certificate at two thirds of its life, and a day that passes in a moment.
//!
//! ```sh
//! cargo run --example self_renewing --no-default-features --features embed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

#[path = "support/tls.rs"]
mod tls;

use std::error::Error;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener as _;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use stepless::MiniCa;
use stepless::mini::TestClock;
use stepless::wire::SignResponse;
use stepless::x509::certificate::Certificate;
use tls::TlsListener;

/// A certificate that is replaced while connections go on.
#[derive(Debug)]
struct Renewing {
    current: RwLock<Arc<CertifiedKey>>,
    key: PrivateKeyDer<'static>,
    root: CertificateDer<'static>,
    ca_url: String,
    /// In production, the system's.
    clock: TestClock,
}

impl ResolvesServerCert for Renewing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl Renewing {
    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn certified(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Arc<CertifiedKey>, Box<dyn Error>> {
        let signer = rustls::crypto::ring::sign::any_supported_type(key)?;
        Ok(Arc::new(CertifiedKey::new(chain, signer)))
    }

    /// Whether two thirds of the certificate's life are over.
    fn is_due(&self) -> Result<bool, Box<dyn Error>> {
        let certificate = Certificate::parse(&self.current().cert[0])?;
        let life = certificate.not_after() - certificate.not_before();
        Ok(self.clock.now() >= certificate.not_before() + life * 2 / 3)
    }

    /// `POST /renew`, showing the certificate that is to be renewed.
    async fn renew(&self) -> Result<(), Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_details(provider, Arc::new(self.clock.clone()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(self.current().cert.clone(), self.key.clone_key())?;
        let client = reqwest::Client::builder().use_preconfigured_tls(config).build()?;
        let answer = client.post(format!("{}/1.0/renew", self.ca_url)).send().await?.error_for_status()?;
        let answer: SignResponse = serde_json::from_slice(&answer.bytes().await?)?;
        let chain: Result<Vec<_>, _> =
            answer.cert_chain.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes())).collect();
        let next = Self::certified(chain?, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Looks now and then; a renewal that fails is tried again.
    async fn keep_fresh(&self, pause: Duration) {
        loop {
            if self.is_due().unwrap_or(true)
                && let Err(error) = self.renew().await
            {
                println!("not renewed: {error}");
            }
            tokio::time::sleep(pause).await;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let ca = MiniCa::start().await?;

    let first = ca.issue("127.0.0.1").sign()?;
    let renewing = Arc::new(Renewing {
        current: RwLock::new(Renewing::certified(first.chain_der(), &first.key_der())?),
        key: first.key_der(),
        root: ca.root_der(),
        ca_url: ca.url(),
        clock: ca.clock().clone(),
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&renewing) as _);
    let listener = TlsListener::bind(config).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let app = Router::new().route("/", get(|| async { "still here" }));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let upkeep = Arc::clone(&renewing);
    let upkeep = tokio::spawn(async move { upkeep.keep_fresh(Duration::from_millis(5)).await });

    // Three days later the server is still there, whose first certificate lived for one.
    for hours in (0..72).step_by(8) {
        let client = reqwest::Client::builder().use_preconfigured_tls(ca.rustls_client_config()?).build()?;
        let answer = client.get(&url).send().await?.text().await?;
        println!("{hours:>3} h: {answer}, {} certificates so far", ca.issued().len());
        ca.clock().advance(time::Duration::hours(8));
        while renewing.is_due()? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert!(ca.issued().len() >= 3, "{:?}", ca.refused());
    assert_eq!(ca.refused(), []);

    upkeep.abort();
    server.abort();
    Ok(())
}
