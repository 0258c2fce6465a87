//! Stands between a client and an authority: keeps what the client sent, and changes what the authority answered.
//!
//! Its certificate is by the authority itself, so that a client which trusts that root alone trusts the relay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::serve::Listener as _;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::client;
use crate::common::ca::Ca;
use crate::common::csr::Csr;
use crate::common::https::Client;
use crate::common::https::Request;
use crate::common::local::block_on;
use crate::tls::TlsListener;

/// Status and body of an answer.
pub(crate) type Answer = (u16, Vec<u8>);

/// A request that came in, and what the authority answered to it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) answer: Value,
}

/// A relay that listens until it is dropped.
pub(crate) struct Relay {
    pub(crate) url: String,
    way: Arc<Way>,
    _runtime: Runtime,
}

struct Way {
    authority: Client,
    calls: Mutex<Vec<Call>>,
    change: Mutex<Box<dyn Fn(Answer) -> Answer + Send>>,
}

impl Relay {
    pub(crate) fn start(ca: &Ca) -> Self {
        let csr = Csr::new("relay.example", &["127.0.0.1"]);
        let issued = block_on(client::client(ca, "mosaic-hs").issue_cert(&client::request(&csr))).unwrap();
        let config = server_config(&issued.cert_chain_pem, &csr.key_pem);
        let way = Arc::new(Way {
            authority: ca.client(),
            calls: Mutex::default(),
            change: Mutex::new(Box::new(|answer| answer)),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TlsListener::bind(config)).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&way));
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { url: format!("https://{address}"), way, _runtime: runtime }
    }

    /// What becomes of answers from now on.
    pub(crate) fn change(&self, change: impl Fn(Answer) -> Answer + Send + 'static) {
        *self.way.change.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(change);
    }

    /// Takes these members out of the answers from now on.
    pub(crate) fn leave_out(&self, members: &'static [&str]) {
        self.change(|(status, body)| {
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            body.as_object_mut().unwrap().retain(|name, _| !members.contains(&name.as_str()));
            (status, body.to_string().into_bytes())
        });
    }

    /// What came in since it was last asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.way.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn server_config(chain_pem: &str, key_pem: &str) -> ServerConfig {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    builder.with_single_cert(chain, key).unwrap()
}

async fn pass(State(way): State<Arc<Way>>, method: Method, uri: Uri, body: Bytes) -> (StatusCode, Vec<u8>) {
    let path = uri.to_string();
    let request =
        Request { method: method.to_string(), path: path.clone(), body: body.to_vec(), ..Request::default() };
    let authority = way.authority.clone();
    let answer = tokio::task::spawn_blocking(move || authority.send(&request)).await.unwrap().unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    way.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call { path, body, answer: answer.json() });
    let (status, body) =
        way.change.lock().unwrap_or_else(PoisonError::into_inner)((answer.status, answer.body));
    (StatusCode::from_u16(status).unwrap(), body)
}
