//! The server's side of TLS: its certificate, made at start and renewed while it runs, and the `tls`
//! block of ca.json.
//!
//! Client certificates are `client_auth`'s.
//!
//! CONTRACT.md section 1: a fresh P-256 key, the names of `dnsNames`, 24 hours and a minute back, the
//! chain of the leaf and the `crt` file, replaced at about two thirds of its life.

use std::ops::Range;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use rustls::ServerConfig;
use rustls::SupportedProtocolVersion;
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
use crate::entropy::SystemEntropy;
use crate::http::client_auth::ClientVerifier;
use crate::wire::TlsOptions;

/// How long the server's certificate lives, and when it is replaced.
const LIFETIME: Duration = Duration::hours(24);
const RENEW_AFTER: Duration = Duration::hours(16);

/// TLS cannot be served as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// rustls has no version below 1.2.
    #[error("tls {member} {version} cannot be served: TLS 1.2 and 1.3 are offered")]
    Version {
        /// `minVersion` or `maxVersion`.
        member: &'static str,
        /// Its value.
        version: String,
    },
    /// rustls has none of the cipher suites asked for, or none that fits the server's key.
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
    /// When it is good, and not yet to be replaced.
    fresh: RwLock<Range<OffsetDateTime>>,
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
            fresh: RwLock::new(freshness(now)),
        })
    }

    /// When the present one ends.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.fresh.read().unwrap_or_else(PoisonError::into_inner).end + (LIFETIME - RENEW_AFTER)
    }

    /// Makes the next one if it is time for it, and tells whether it did.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`]; the present one stays.
    pub fn renew_if_due(&self, authority: &Authority) -> Result<bool, Error> {
        let now = authority.clock().now();
        if self.fresh.read().unwrap_or_else(PoisonError::into_inner).contains(&now) {
            return Ok(false);
        }
        let next = Arc::new(issue(authority, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        *self.fresh.write().unwrap_or_else(PoisonError::into_inner) = freshness(now);
        Ok(true)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A clock that is set back makes a new one necessary too.
fn freshness(issued_at: OffsetDateTime) -> Range<OffsetDateTime> {
    issued_at - Duration::MINUTE..issued_at + RENEW_AFTER
}

fn issue(authority: &Authority, now: OffsetDateTime) -> Result<CertifiedKey, Error> {
    let fault = |error: &dyn std::fmt::Display| Error::Certificate(error.to_string());
    let entropy = SystemEntropy::new();
    let key = PrivateKey::generate(KeyKind::P256, &entropy).map_err(|e| fault(&e))?;
    let leaf = authority.server_certificate(key.public_key(), now, LIFETIME, &entropy);
    let leaf = leaf.map_err(|e| fault(&e))?;
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
/// [`Error::Version`] for a limit below TLS 1.2, [`Error::CipherSuites`] if none of the suites can be served.
pub fn server_config(
    authority: &Arc<Authority>,
    certificate: Arc<ServerCertificate>,
) -> Result<(ServerConfig, Vec<String>), Error> {
    let options = &authority.config().ca.tls;
    let mut warnings = Vec::new();
    let (provider, versions) = offer(options, &mut warnings)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .map_err(|error| Error::Certificate(error.to_string()))?
        .with_client_cert_verifier(Arc::new(ClientVerifier::new(Arc::clone(authority))))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, warnings))
}

/// What of the `tls` block is served.
fn offer(
    options: &TlsOptions,
    warnings: &mut Vec<String>,
) -> Result<(CryptoProvider, Vec<&'static SupportedProtocolVersion>), Error> {
    // Clients that need an older version would be turned away by a server that looks as if it took them.
    for (member, version) in [("maxVersion", options.max_version), ("minVersion", options.min_version)] {
        if version < 1.2 {
            return Err(Error::Version { member, version: format!("{version:.1}") });
        }
    }
    let mut versions = Vec::new();
    let mut provider = ring::default_provider();
    if options.max_version >= 1.3 {
        versions.push(&rustls::version::TLS13);
    }
    if options.min_version <= 1.2 {
        versions.push(&rustls::version::TLS12);
        restrict_suites(&mut provider, options, warnings)?;
    }
    if options.renegotiation {
        warnings.push("tls renegotiation has no effect: a server never renegotiates".to_owned());
    }
    Ok((provider, versions))
}

/// Keeps the TLS 1.2 suites that ca.json names; those of TLS 1.3 are not configurable in step-ca either.
fn restrict_suites(
    provider: &mut CryptoProvider,
    options: &TlsOptions,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let offered: Vec<String> = provider.cipher_suites.iter().map(|suite| go_name(suite.suite())).collect();
    let asked: Vec<String> = options.cipher_suites.iter().map(|name| full_name(name)).collect();
    let (served, left_out): (Vec<_>, Vec<_>) = asked.iter().partition(|name| offered.contains(name));
    // The server's own key is ECDSA, so a suite for RSA certificates is never chosen.
    let usable = served.iter().any(|name| name.starts_with("TLS_ECDHE_ECDSA_"));
    if served.is_empty() || (!usable && options.max_version < 1.3) {
        return Err(Error::CipherSuites(options.cipher_suites.join(", ")));
    }
    warnings.extend(left_out.iter().map(|name| format!("tls cipher suite {name} is not offered")));
    if !usable {
        warnings.push("tls cipherSuites has none for TLS 1.2 and an ECDSA key: TLS 1.3 is served".to_owned());
    }
    provider.cipher_suites.retain(|suite| suite.tls13().is_some() || asked.contains(&go_name(suite.suite())));
    Ok(())
}

fn go_name(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}").replace("TLS13_", "TLS_")
}

/// Two of Go's names exist in a short form.
fn full_name(name: &str) -> String {
    if name.ends_with("CHACHA20_POLY1305") { format!("{name}_SHA256") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is served of limits and suites (none: the default): versions, TLS 1.2 suites; warnings; or the refusal.
    #[track_caller]
    fn check(limits: (f64, f64), suites: &[&str], expected: Result<(&str, &str, &[&str]), &str>) {
        let default =
            ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];
        let suites = if suites.is_empty() { &default } else { suites };
        let options = TlsOptions {
            cipher_suites: suites.iter().map(|name| (*name).to_owned()).collect(),
            min_version: limits.0,
            max_version: limits.1,
            renegotiation: false,
        };
        let mut warnings = Vec::new();
        let found = offer(&options, &mut warnings).map_err(|error| error.to_string());
        let found = found.map(|(provider, versions)| {
            let versions: Vec<String> = versions.iter().map(|v| format!("{:?}", v.version)).collect();
            let mut suites: Vec<String> = provider
                .cipher_suites
                .iter()
                .filter(|suite| suite.tls13().is_none() && versions.contains(&"TLSv1_2".to_owned()))
                .map(|suite| go_name(suite.suite()))
                .collect();
            suites.sort();
            (versions.join(" "), suites.join(" "))
        });
        let found = found.as_ref().map(|(versions, suites)| (versions.as_str(), suites.as_str()));
        match expected {
            Ok((versions, suites, expected)) => {
                assert_eq!(
                    (found, warnings),
                    (Ok((versions, suites)), expected.iter().map(|w| (*w).to_owned()).collect())
                );
            }
            Err(sentence) => assert_eq!(found.map_err(String::as_str), Err(sentence)),
        }
    }

    const AES: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    const CHACHA: &str = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    const CBC: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA";
    const RC4: &str = "TLS_ECDHE_RSA_WITH_RC4_128_SHA";
    const DES: &str = "TLS_RSA_WITH_3DES_EDE_CBC_SHA";
    const RSA: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

    #[test]
    fn versions_are_honoured_or_refused() {
        let both = format!("{AES} {CHACHA}");
        check((1.2, 1.3), &[], Ok(("TLSv1_3 TLSv1_2", &both, &[])));
        check((1.2, 1.2), &[], Ok(("TLSv1_2", &both, &[])));
        check((1.3, 1.3), &[], Ok(("TLSv1_3", "", &[])));
        let refused = |member: &str, version: &str| {
            format!("tls {member} {version} cannot be served: TLS 1.2 and 1.3 are offered")
        };
        check((1.0, 1.3), &[], Err(&refused("minVersion", "1.0")));
        check((1.1, 1.2), &[], Err(&refused("minVersion", "1.1")));
        check((1.0, 1.1), &[], Err(&refused("maxVersion", "1.1")));
        check((1.0, 1.0), &[], Err(&refused("maxVersion", "1.0")));
    }

    #[test]
    fn suites_are_honoured_named_or_refused() {
        let left_out = |name: &str| format!("tls cipher suite {name} is not offered");
        check((1.2, 1.3), &[CBC, AES, RC4], Ok(("TLSv1_3 TLSv1_2", AES, &[&left_out(CBC), &left_out(RC4)])));
        check((1.2, 1.2), &["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"], Ok(("TLSv1_2", CHACHA, &[])));
        let none = |names: &str| format!("none of the tls cipherSuites can be served: {names}");
        for limits in [(1.2, 1.2), (1.2, 1.3)] {
            for name in [CBC, RC4, DES] {
                check(limits, &[name], Err(&none(name)));
            }
            check(limits, &[CBC, DES], Err(&none(&format!("{CBC}, {DES}"))));
        }
        // With TLS 1.3 alone the list has nothing to say.
        check((1.3, 1.3), &[CBC], Ok(("TLSv1_3", "", &[])));
        // As with step-ca, whose key is ECDSA as well.
        check((1.2, 1.2), &[RSA], Err(&none(RSA)));
        let only = "tls cipherSuites has none for TLS 1.2 and an ECDSA key: TLS 1.3 is served";
        check((1.2, 1.3), &[RSA], Ok(("TLSv1_3 TLSv1_2", RSA, &[only])));
        check((1.2, 1.3), &["TLS_AES_128_GCM_SHA256"], Ok(("TLSv1_3 TLSv1_2", "", &[only])));
    }
}
