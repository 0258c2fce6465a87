//! Where requests are put and judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use http_body_util::BodyExt as _;
use rustls::sign::CertifiedKey;
use serde_json::Value;
use stepless::authority::ClientCertificate;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::http::RouterOptions;
use stepless::jose::PrivateJwk;
use stepless::jose::ProvisionerKey;
use stepless::store::Store as _;
use tower::ServiceExt as _;

use crate::bodies::Body;
use crate::common::csr::Csr;
use crate::common::csr::hex;
use crate::common::https::Answer;
use crate::common::https::Client;
use crate::common::https::Failure;
use crate::common::local::block_on;
use crate::common::served::Identity;
use crate::common::served::Served;
use crate::common::served::TestKey;
use crate::over_http;
use crate::paths::Path;
use crate::shape;
use crate::successes;
use crate::tokens::Fault;
use crate::tokens::Purpose;

/// Signs every kind of token.
pub(crate) const PROVISIONER: &str = "plain";

/// By which way a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Tls,
    TlsWithCertificate,
    Plain,
}

pub(crate) const LISTENERS: [Listener; 3] = [Listener::Tls, Listener::TlsWithCertificate, Listener::Plain];

/// A request, and what it is meant to be.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) listener: Listener,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) route: Option<&'static str>,
    /// The path's parameter or query names something.
    pub(crate) good_path: bool,
    pub(crate) body: Body,
    pub(crate) authorization: Vec<Vec<u8>>,
    /// Whether `Authorization` has a good renew token in the form of the contract.
    pub(crate) good_renew_token: bool,
    pub(crate) request_id: Option<String>,
    /// For messages.
    authorization_name: String,
}

/// What a request's certificate and key are.
#[derive(Debug)]
pub(crate) struct Known {
    der: Vec<u8>,
    pub(crate) key: TestKey,
    certificate: ClientCertificate,
    tls: Client,
}

/// A served authority, and the list of what happened.
pub(crate) struct Desk {
    router: axum::Router,
    insecure_router: axum::Router,
    runtime: tokio::runtime::Runtime,
    pub(crate) client: Known,
    pub(crate) stranger: PrivateKey,
    provisioner: Value,
    /// Of the root, hexadecimal.
    pub(crate) fingerprint: String,
    pub(crate) kid: String,
    pub(crate) csr: String,
    serial: u64,
    asked: usize,
    issued: usize,
    /// How often each listed success has occurred.
    occurred: BTreeMap<String, usize>,
    pub(crate) ca: Served,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listener, method, path, body, authorization_name, .. } = self;
        write!(f, "{listener:?} {method} {path}, body {:?}, authorization {authorization_name:?}", body.name)
    }
}

impl Asked {
    pub(crate) fn new(listener: Listener, method: &'static str, path: &Path, body: Body) -> Self {
        Self {
            listener,
            method,
            path: path.text.clone(),
            route: path.route,
            good_path: path.good,
            body,
            authorization: Vec::new(),
            good_renew_token: false,
            request_id: None,
            authorization_name: String::new(),
        }
    }

    /// Adds a token in a header, perhaps with a second header behind it.
    pub(crate) fn authorize(
        &mut self,
        scheme: &str,
        token: &str,
        purpose: Purpose,
        fault: Fault,
        twice: bool,
    ) {
        self.authorization_name = format!("{scheme}{purpose:?} {fault:?} {twice}");
        self.authorization.push(format!("{scheme}{token}").into_bytes());
        if twice {
            self.authorization.push(b"Bearer a.b.c".to_vec());
        }
        // A key id is not looked at, since the header has the key.
        let good = matches!(fault, Fault::None | Fault::OtherKeyId);
        self.good_renew_token = scheme.contains("Bearer ") && purpose == Purpose::Renew && good;
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let ca = Served::start("insecure");
        let authority = &ca.local.authority;
        let provisioner = ca.local.fixture.provisioner_key(PROVISIONER);
        Self {
            router: stepless::http::router(Arc::clone(authority), RouterOptions::default()),
            insecure_router: stepless::http::insecure_router(Arc::clone(authority), RouterOptions::default()),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            client: Known::new(&ca),
            stranger: PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).expect("a key"),
            fingerprint: hex(&authority.config().roots[0].fingerprint()),
            kid: provisioner["kid"].as_str().expect("a kid").to_owned(),
            provisioner,
            csr: Csr::new("a.example", &["a.example"]).pem,
            serial: 1000,
            asked: 0,
            issued: 0,
            occurred: BTreeMap::new(),
            ca,
        }
    }

    /// Puts a request to the routes in process, and judges the answer.
    pub(crate) fn ask(&mut self, asked: &Asked) {
        let mut asked = asked.clone();
        // Some clients name their requests.
        asked.request_id = self.asked.is_multiple_of(7).then(|| format!("request-{}", self.asked));
        let answer = self.answer(&asked);
        self.judge(&asked, answer);
    }

    /// Sends a request through a socket.
    pub(crate) fn send(&self, asked: &Asked) -> Result<Answer, Failure> {
        let request = over_http(asked);
        match asked.listener {
            Listener::Tls => self.ca.client(None).send(&request),
            Listener::TlsWithCertificate => self.client.tls.send(&request),
            Listener::Plain => Client::send_plain(self.ca.insecure.expect("a plain listener"), &request),
        }
    }

    /// An answer succeeds if the list says so, and has the contract's form in any case.
    pub(crate) fn judge(&mut self, asked: &Asked, answer: Answer) {
        self.asked += 1;
        let listed = successes::listed(asked);
        match listed {
            Some((status, _)) => assert_eq!(answer.status, status, "{asked:?}: {}", answer.text()),
            None => assert!(answer.status >= 400, "{asked:?} is not listed: {answer:?}"),
        }
        shape::check(asked, &answer);
        let Some((_, name)) = listed else { return };
        *self.occurred.entry(name.to_owned()).or_default() += 1;
        if asked.method == "POST" && answer.status == 201 {
            self.issued += 1;
        }
        if name == "/revoke, certificate" {
            // The next request has another one.
            self.client = Known::new(&self.ca);
        }
    }

    /// Every certificate that was handed out is on record and no other, and what was to happen has; returns the
    /// number of requests.
    pub(crate) fn finish(self, expected: &[&str]) -> usize {
        let counts = block_on(self.ca.local.store.counts()).expect("a store");
        assert_eq!(counts.certificates, self.issued as u64);
        for name in expected {
            assert!(self.occurred.contains_key(*name), "{name} did not occur: {:?}", self.occurred);
        }
        self.asked
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut request = axum::http::Request::builder().method(asked.method).uri(&asked.path);
        for value in &asked.authorization {
            request = request.header("authorization", value.as_slice());
        }
        if let Some(id) = &asked.request_id {
            request = request.header("x-request-id", id);
        }
        let mut request = request.body(HttpBody::from(asked.body.bytes.clone())).expect("a request");
        if asked.listener == Listener::TlsWithCertificate {
            request.extensions_mut().insert(self.client.certificate.clone());
        }
        let router = if asked.listener == Listener::Plain { &self.insecure_router } else { &self.router };
        let response = router.clone().oneshot(request);
        self.runtime.block_on(async {
            let Ok(response) = response.await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes().to_vec();
            let text =
                |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            Answer { status: parts.status.as_u16(), headers, body }
        })
    }

    /// Uses a token for what it is made for.
    pub(crate) fn use_up(&mut self, purpose: Purpose, token: &str) {
        let path = |text: &str| Path { text: text.to_owned(), route: None, good: true };
        let with = |path: Path, body: Value| {
            Asked::new(Listener::Tls, "POST", &path, Body::plain("", &body.to_string()))
        };
        let asked = match purpose {
            Purpose::Sign => with(path("/sign"), serde_json::json!({"csr": self.csr, "ott": token})),
            Purpose::Revoke => {
                let serial = self.next_serial();
                with(path("/revoke"), serde_json::json!({"serial": serial, "ott": token, "passive": true}))
            }
            Purpose::Renew => {
                let mut asked = with(path("/renew"), Value::Null);
                asked.authorization.push(format!("Bearer {token}").into_bytes());
                asked
            }
        };
        let answer = self.answer(&asked);
        let status = if purpose == Purpose::Revoke { 200 } else { 201 };
        assert_eq!(answer.status, status, "{}", answer.text());
        self.issued += usize::from(status == 201);
    }

    /// The number that the next token for revoking is for.
    pub(crate) fn next_serial(&self) -> String {
        self.serial.to_string()
    }

    /// The same, and the next token is for another one.
    pub(crate) fn take_serial(&mut self) -> String {
        self.serial += 1;
        (self.serial - 1).to_string()
    }

    pub(crate) fn client_serial(&self) -> String {
        self.client.certificate.certificate().serial_number().to_string()
    }

    pub(crate) fn client_der(&self) -> &[u8] {
        &self.client.der
    }

    pub(crate) fn provisioner_key(&self) -> PrivateJwk {
        PrivateJwk::parse(self.provisioner.to_string().as_bytes()).expect("a key")
    }

    /// DER.
    pub(crate) fn provisioner_public_key(&self) -> Vec<u8> {
        let key = ProvisionerKey::parse(self.provisioner.to_string().as_bytes()).expect("a key");
        key.jwk().public_key().expect("a public key").spki_der().to_vec()
    }
}

impl Known {
    fn new(ca: &Served) -> Self {
        let (der, key) =
            ca.local.issue(KeyKind::P256, &[ca.local.provisioner_extension(PROVISIONER)], |_| ());
        let key = TestKey(key);
        let shown = CertifiedKey::new(vec![der.clone().into()], Arc::new(TestKey(Arc::clone(&key.0))));
        let tls = ca.client(Some(&Identity(Arc::new(shown))));
        Self { certificate: ca.local.client(&der), der, key, tls }
    }
}
