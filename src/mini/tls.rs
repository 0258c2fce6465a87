//! rustls configurations whose certificates come from the CA, and which judge by its clock.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;

use crate::mini::Error;
use crate::mini::core::Core;
use crate::mini::issue::Leaf;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

fn roots(core: &Core) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(core.plan.root.der())).map_err(fault)?;
    Ok(Arc::new(roots))
}

/// A server that shows `leaf`, and asks its clients for a certificate below the root if it is to.
pub(super) fn server(core: &Core, leaf: &Leaf, ask_clients: bool) -> Result<ServerConfig, Error> {
    let clock = Arc::new(core.clock.clone());
    let builder = ServerConfig::builder_with_details(provider(), clock)
        .with_safe_default_protocol_versions()
        .map_err(fault)?;
    let builder = if ask_clients {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(core)?, provider());
        builder.with_client_cert_verifier(verifier.build().map_err(fault)?)
    } else {
        builder.with_no_client_auth()
    };
    builder.with_single_cert(leaf.chain_der(), leaf.key_der()).map_err(fault)
}

/// A client that trusts the root alone, and shows `leaf` if there is one.
pub(super) fn client(core: &Core, leaf: Option<&Leaf>) -> Result<ClientConfig, Error> {
    let clock = Arc::new(core.clock.clone());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(core)?, provider());
    let builder = ClientConfig::builder_with_details(provider(), clock)
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .with_webpki_verifier(verifier.build().map_err(fault)?);
    match leaf {
        None => Ok(builder.with_no_client_auth()),
        Some(leaf) => builder.with_client_auth_cert(leaf.chain_der(), leaf.key_der()).map_err(fault),
    }
}
