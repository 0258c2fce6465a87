//! The server's side of TLS: its certificate, made at start and renewed while it runs, and the `tls`
//! block of ca.json.
//!
//! Client certificates are `client_auth`'s.
//!
//! CONTRACT.md section 1: a fresh P-256 key, the names of `dnsNames`, 24 hours and a minute back, the
//! chain of the leaf and the `crt` file, replaced at about two thirds of its life.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use time::Duration;
use time::OffsetDateTime;

use crate::authority::Authority;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::http::client_auth::ClientVerifier;
use crate::wire::TlsOptions;

/// How long the server's certificate lives, and when it is replaced.
const LIFETIME: Duration = Duration::hours(24);
const RENEW_AFTER: Duration = Duration::hours(16);

/// TLS cannot be served as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// rustls has none of the versions asked for.
    #[error("tls maxVersion {0} cannot be served: TLS 1.2 and 1.3 are offered")]
    Versions(f64),
    /// rustls has none of the cipher suites asked for.
    #[error("none of the tls cipherSuites can be served: {0}")]
    CipherSuites(String),
    /// The server's own certificate cannot be made.
    #[error("the server's TLS certificate cannot be made: {0}")]
    Certificate(String),
}

/// The server's certificate, which changes while connections go on.
#[derive(Debug)]
pub struct ServerCertificate {
    current: RwLock<Arc<CertifiedKey>>,
    renew_at: RwLock<OffsetDateTime>,
}

impl ServerCertificate {
    /// Makes the first certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`].
    pub fn new(authority: &Authority) -> Result<Self, Error> {
        let now = authority.clock().now();
        Ok(Self {
            current: RwLock::new(Arc::new(issue(authority, now)?)),
            renew_at: RwLock::new(now + RENEW_AFTER),
        })
    }

    /// Makes the next one if it is time for it, and tells whether it did.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`]; the present one stays.
    pub fn renew_if_due(&self, authority: &Authority) -> Result<bool, Error> {
        let now = authority.clock().now();
        if now < *self.renew_at.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(false);
        }
        let next = Arc::new(issue(authority, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        *self.renew_at.write().unwrap_or_else(PoisonError::into_inner) = now + RENEW_AFTER;
        Ok(true)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn issue(authority: &Authority, now: OffsetDateTime) -> Result<CertifiedKey, Error> {
    let fault = |error: &dyn std::fmt::Display| Error::Certificate(error.to_string());
    let key = PrivateKey::generate(KeyKind::P256, &**authority.entropy()).map_err(|e| fault(&e))?;
    let leaf = authority.server_certificate(key.public_key(), now, LIFETIME).map_err(|e| fault(&e))?;
    let mut chain = vec![leaf.into()];
    chain.extend(authority.config().intermediates.iter().map(|c| c.der().to_vec().into()));
    let pkcs8 = key.to_pkcs8_der().map_err(|e| fault(&e))?;
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let signer = ring::sign::any_ecdsa_type(&der.into()).map_err(|e| fault(&e))?;
    Ok(CertifiedKey::new(chain, signer))
}

/// The rustls configuration for the `tls` block of ca.json, with what could not be honoured as warnings.
///
/// # Errors
///
/// [`Error::Versions`] or [`Error::CipherSuites`] if nothing of what is asked for can be served.
pub fn server_config(
    authority: &Arc<Authority>,
    certificate: Arc<ServerCertificate>,
) -> Result<(ServerConfig, Vec<String>), Error> {
    let options = &authority.config().ca.tls;
    let mut warnings = Vec::new();
    let mut versions = Vec::new();
    if options.min_version <= 1.2 && options.max_version >= 1.2 {
        versions.push(&rustls::version::TLS12);
    }
    if options.max_version >= 1.3 {
        versions.push(&rustls::version::TLS13);
    }
    if versions.is_empty() {
        return Err(Error::Versions(options.max_version));
    }
    if options.min_version < 1.2 {
        warnings.push(format!("tls minVersion {} is served as 1.2", options.min_version));
    }
    if options.renegotiation {
        warnings.push("tls renegotiation is never served".to_owned());
    }
    let mut provider = ring::default_provider();
    if versions.contains(&&rustls::version::TLS12) {
        restrict_suites(&mut provider, options, &mut warnings)?;
    }
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .map_err(|error| Error::Certificate(error.to_string()))?
        .with_client_cert_verifier(Arc::new(ClientVerifier::new(Arc::clone(authority))))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, warnings))
}

/// Keeps the TLS 1.2 suites that ca.json names; those of TLS 1.3 are not configurable in step-ca either.
fn restrict_suites(
    provider: &mut CryptoProvider,
    options: &TlsOptions,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let offered: Vec<String> = provider.cipher_suites.iter().map(|suite| go_name(suite.suite())).collect();
    let asked: Vec<String> = options.cipher_suites.iter().map(|name| full_name(name)).collect();
    for name in asked.iter().filter(|name| !offered.contains(name)) {
        warnings.push(format!("tls cipher suite {name} is not served"));
    }
    provider.cipher_suites.retain(|suite| suite.tls13().is_some() || asked.contains(&go_name(suite.suite())));
    // The server's own key is ECDSA, so a suite for RSA certificates would never be chosen.
    if !provider.cipher_suites.iter().any(|s| go_name(s.suite()).starts_with("TLS_ECDHE_ECDSA_"))
        && options.max_version < 1.3
    {
        return Err(Error::CipherSuites(options.cipher_suites.join(", ")));
    }
    Ok(())
}

fn go_name(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}")
}

/// Two of Go's names exist in a short form.
fn full_name(name: &str) -> String {
    if name.ends_with("CHACHA20_POLY1305") { format!("{name}_SHA256") } else { name.to_owned() }
}
