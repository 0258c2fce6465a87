//! An authority in this process on a copy of a fixture, with a clock that can be set, and certificates that it might
//! have issued.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use stepless::authority::Authority;
use stepless::authority::ClientCertificate;
use stepless::authority::Options;
use stepless::clock::Clock as _;
use stepless::clock::FixedClock;
use stepless::clock::SystemClock;
use stepless::config::Config;
use stepless::config::DirectoryFiles;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::http::RouterOptions;
use stepless::profile;
use stepless::profile::Draft;
use stepless::profile::Issuance;
use stepless::store::MemoryStore;
use stepless::x509::extension::Extension;
use stepless::x509::pem;
use stepless::x509::san::San;
use stepless::x509::serial::SerialNumber;
use stepless::x509::tbs;
use time::Duration;
use tower::ServiceExt as _;

use super::fixture::Fixture;
use super::panics;

/// The common name and only name of every certificate issued here.
pub(crate) const NAME: &str = "renew.example";

/// The authority. Its clock begins with the system's, since clients over TLS have no other.
pub(crate) struct Local {
    pub(crate) fixture: Fixture,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) panics: panics::Watch,
}

/// An answer of the router.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The stable code of a refusal; empty if it is none.
    pub(crate) code: String,
    pub(crate) body: Value,
}

impl Local {
    pub(crate) fn start(fixture: &str) -> Self {
        Self::start_with(fixture, |_| ())
    }

    /// Starts it with another configuration.
    pub(crate) fn start_with(fixture: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Fixture::copy(fixture), change)
    }

    /// Starts it on a directory, with another configuration.
    pub(crate) fn on(fixture: Fixture, change: impl FnOnce(&mut Config)) -> Self {
        let panics = panics::Watch::start();
        let clock = Arc::new(FixedClock::new(SystemClock.now()));
        let store = Arc::new(MemoryStore::new());
        let mut config = config(&fixture);
        change(&mut config);
        let options = Options {
            store: Arc::clone(&store) as _,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy::new()),
        };
        let authority = Arc::new(Authority::new(config, options).expect("an authority"));
        Self { fixture, clock, store, authority, panics }
    }

    /// The extension that names a provisioner.
    pub(crate) fn provisioner_extension(&self, name: &str) -> Extension {
        let provisioner = self.authority.provisioners().iter().find(|p| p.name() == name);
        provisioner.and_then(|p| p.provisioner_extension()).expect("a provisioner with an extension")
    }

    /// Issues a certificate for an hour, without a record: of a kind that the authority itself makes, but for what
    /// `change` does to it.
    pub(crate) fn issue(
        &self,
        kind: KeyKind,
        extensions: &[Extension],
        change: impl FnOnce(&mut Draft),
    ) -> (Vec<u8>, Arc<PrivateKey>) {
        let key = match kind {
            KeyKind::Rsa => {
                let pem = include_bytes!("../data/crypto/rsa_2048.pem");
                let block = pem::Blocks::new(pem).next().expect("a PEM block");
                PrivateKey::from_pkcs8_der(&block.content).expect("a key")
            }
            kind => PrivateKey::generate(kind, &SystemEntropy::new()).expect("a key"),
        };
        let now = self.clock.now();
        let mut draft = profile::default_leaf(NAME, &[San::Dns(NAME.to_owned())], key.public_key());
        change(&mut draft);
        let config = self.authority.config();
        let issuance = Issuance {
            issuer: config.issuer(),
            public_key: key.public_key(),
            serial_number: &SerialNumber::random(&SystemEntropy::new()).expect("a number"),
            not_before: now - Duration::MINUTE,
            not_after: now + Duration::HOUR,
            signature_algorithm: config.key.default_algorithm(),
            extra_extensions: extensions,
        };
        let tbs = draft.to_be_signed(&issuance).expect("a certificate");
        let algorithm = config.key.default_algorithm();
        let signature = config.key.sign(algorithm, &tbs).expect("a signature");
        (tbs::assemble(&tbs, algorithm, &signature), Arc::new(key))
    }

    /// The certificate as TLS would hand it over.
    pub(crate) fn client(&self, der: &[u8]) -> ClientCertificate {
        self.authority.verify_client([der].into_iter()).expect("a client certificate that is believed")
    }

    /// Sends a POST; refusals tell their code.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
        client: Option<ClientCertificate>,
    ) -> Answer {
        let mut request = axum::http::Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_string())).expect("a request");
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let router = stepless::http::router(Arc::clone(&self.authority), RouterOptions::development());
        block_on(async {
            let response = router.oneshot(request).await.expect("a router answers");
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let code = parts.headers.get("x-stepless-refusal").and_then(|code| code.to_str().ok());
            Answer {
                status: parts.status.as_u16(),
                code: code.unwrap_or_default().to_owned(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            }
        })
    }
}

/// A fixture's configuration; the plain listener takes any free port.
pub(crate) fn config(fixture: &Fixture) -> Config {
    let mut ca = stepless::config::parse(fixture.read("ca.json").as_bytes()).expect("a configuration");
    if !ca.insecure_address.is_empty() {
        ca.insecure_address = "127.0.0.1:0".to_owned();
    }
    let files = DirectoryFiles::new(fixture.path(), fixture.path(), fixture.path());
    Config::load(ca, &files, Some(fixture.password().as_bytes()), SystemClock.now()).expect("its files")
}

/// Waits for a future of an authority on a memory store.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
