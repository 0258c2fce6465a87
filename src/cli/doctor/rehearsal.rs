//! A signing, a port and a TLS handshake, as they will be; nothing is recorded.

use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::authority::Authority;
use crate::authority::Options;
use crate::cli::doctor::report::Fault;
use crate::cli::doctor::report::Report;
use crate::client::Expected;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::SystemEntropy;
use crate::http::RouterOptions;
use crate::http::server::Server;
use crate::profile;
use crate::profile::Issuance;
use crate::store::MemoryStore;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::pem;
use crate::x509::san::San;
use crate::x509::serial::SerialNumber;
use crate::x509::tbs;

/// A name that nobody has (RFC 6761).
const NAME: &str = "doctor.invalid";

/// How long a handshake may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Signs a certificate with the issuing key, and checks it as a client would.
pub(super) fn signing(report: &mut Report, config: &Config) {
    let target = config.issuer().common_name().unwrap_or_default();
    report.run("signing", &target, || {
        sign(config)
            .map_err(|reason| (reason, "check that `crt` begins with the certificate of `key`, and `root`"))
    });
}

fn sign(config: &Config) -> Result<(), String> {
    let entropy = SystemEntropy::new();
    let key = PrivateKey::generate(KeyKind::P256, &entropy).map_err(|error| error.to_string())?;
    let draft = profile::default_leaf(NAME, &[San::Dns(NAME.to_owned())], key.public_key());
    let now = SystemClock.now();
    let algorithm = config.issuer().issuing_algorithm(config.key.kind());
    let issuance = Issuance {
        issuer: config.issuer(),
        public_key: key.public_key(),
        serial_number: &SerialNumber::random(&entropy).map_err(|error| error.to_string())?,
        not_before: now - Duration::MINUTE,
        not_after: now + Duration::MINUTE,
        signature_algorithm: algorithm,
        extra_extensions: &[],
    };
    let unsigned = draft.to_be_signed(&issuance).map_err(|error| error.to_string())?;
    let signed = tbs::sign(&unsigned, &config.key, algorithm).map_err(|error| error.to_string())?;
    let crt = pem::encode("CERTIFICATE", &signed);
    let intermediates = config.intermediates.iter().map(|certificate| certificate.to_pem());
    let answer = SignResponse {
        ca: config.issuer().to_pem(),
        cert_chain: std::iter::once(crt.clone()).chain(intermediates).collect(),
        crt,
        tls_options: None,
    };
    let roots: Vec<Certificate> = config.roots.iter().map(|root| Certificate::clone(root)).collect();
    let expected =
        Expected { roots: &roots, public_key: key.public_key(), names: &[NAME.to_owned()], ids: &[], now };
    expected.check(&answer).map(|_| ()).map_err(|error| error.to_string())
}

/// The port is free, or this authority answers there.
pub(super) async fn port(report: &mut Report, config: &Config, address: &str) {
    let begun = Instant::now();
    let bindable = match address.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => address.to_owned(),
    };
    let result: Result<&str, Fault> = match TcpListener::bind(&bindable).await {
        Ok(_) => Ok("free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let reachable = bindable.replace("[::]:", "localhost:").replace("0.0.0.0:", "localhost:");
            match shake_hands(config, &reachable).await {
                Ok(()) => Ok("this authority serves there"),
                Err(reason) => Err((
                    format!("somebody else listens there: {reason}"),
                    "end that program, or choose another `address`",
                )),
            }
        }
        Err(error) => Err((super::super::failure::reason(&error), "choose an `address` of this machine")),
    };
    match result {
        Ok(message) => report.good("port", address, message),
        Err(fault) => drop(report.done::<()>("port", address, begun, Err(fault))),
    }
}

/// Serves on a free port of this machine, with a store in memory, and connects as a client that pins the root.
pub(super) async fn handshake(report: &mut Report, config: Config) {
    let begun = Instant::now();
    let target = config.ca.dns_names.first().cloned().unwrap_or_default();
    let result = rehearse(config).await.map_err(|reason| {
        (reason, "check `crt`, `root` and `tls` of ca.json, and that clients trust that root")
    });
    report.done("handshake", &target, begun, result);
}

async fn rehearse(mut config: Config) -> Result<(), String> {
    // The plain listener's port may be in use, by this very authority.
    config.ca.insecure_address = String::new();
    let options = Options {
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
    };
    let authority = Arc::new(Authority::new(config, options).map_err(|error| error.to_string())?);
    let server = Server::bind("127.0.0.1:0", Arc::clone(&authority), RouterOptions::default());
    let server = server.await.map_err(|error| error.to_string())?;
    let address = server.local_address().ok_or("no address")?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(server.serve(stopped));
    let result = shake_hands(authority.config(), &address.to_string()).await;
    let _ = stop.send(true);
    let _ = serving.await;
    result
}

/// Connects to `address` and asks for the first of the authority's names.
async fn shake_hands(config: &Config, address: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for root in &config.roots {
        roots.add(CertificateDer::from(root.der().to_vec())).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = config.ca.dns_names.first().map_or("localhost", String::as_str).to_owned();
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let connect = async {
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(client)).connect(name, stream).await
    };
    match tokio::time::timeout(PATIENCE, connect).await {
        Ok(result) => result.map(|_| ()).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no handshake within {} s", PATIENCE.as_secs())),
    }
}
