//! TLS to a server of records: rustls with ring, and the checks that were asked for.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::verifier::Lenient;

/// What is asked of the server's certificate, and the files for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Protection {
    pub(super) verify: Verify,
    /// `sslrootcert`; without it the roots of the system.
    pub(super) roots: Option<PathBuf>,
    /// `sslcert` and `sslkey`: the client's own.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL has such modes"))]
pub(super) enum Verify {
    /// Any certificate will do: `disable` to `require` without roots.
    Nothing,
    /// It is issued by one of the roots: `verify-ca`.
    Chain,
    /// And it has the server's name: `verify-full`.
    ChainAndName,
}

/// Where systems keep the roots that they trust, the usual places in turn.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Protection {
    /// Reads the files; a reason against is for people, and names the file.
    pub(super) fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.verify {
            Verify::Nothing => Arc::new(Lenient { chain: None, provider: Arc::clone(&provider) }),
            verify => {
                let roots = Arc::new(roots(self.roots.as_deref())?);
                let strict = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                let strict = strict.build().map_err(|error| error.to_string())?;
                if verify == Verify::ChainAndName {
                    strict
                } else {
                    Arc::new(Lenient { chain: Some(strict), provider: Arc::clone(&provider) })
                }
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match &self.identity {
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let pem = zeroize::Zeroizing::new(read(key)?);
                let key = PrivateKeyDer::from_pem_slice(&pem)
                    .map_err(|error| format!("sslkey {}: {error}", key.display()))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("sslcert {}: {error}", certificate.display()))
            }
            None => Ok(config.with_no_client_auth()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{} has no certificate", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn roots(path: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match path {
        Some(path) => {
            for root in certificates(path)? {
                roots.add(root).map_err(|error| format!("sslrootcert {}: {error}", path.display()))?;
            }
        }
        None => {
            let bundle = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
            let bundle = bundle.ok_or("this system has no bundle of roots: name one with sslrootcert")?;
            roots.add_parsable_certificates(certificates(bundle)?);
        }
    }
    Ok(roots)
}
