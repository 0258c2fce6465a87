//! One HTTPS request after the other, trusting the pinned root alone.
//!
//! The one exception is [`Connector::unverified`], for the first contact.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::Error;
use crate::uri::Uri;
use crate::verifier::Lenient;
use crate::x509::pem;

/// How long a call may take as a whole, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) body: Option<String>,
    pub(super) authorization: Option<String>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The refusal's code, which only a development server tells.
    pub(super) code: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

pub(super) struct Connector {
    host: String,
    port: u16,
    tls: TlsConnector,
    /// How long a call may take as a whole.
    pub(super) patience: Duration,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// With `identity` the client shows a certificate of its own.
    pub(super) fn new(
        url: &str,
        root_pem: &str,
        identity: Option<Arc<dyn ResolvesClientCert>>,
    ) -> Result<Self, Error> {
        let (host, port) = place(url)?;
        let mut roots = RootCertStore::empty();
        for block in pem::Blocks::new(root_pem.as_bytes()).filter(|block| block.label == "CERTIFICATE") {
            roots
                .add(CertificateDer::from(block.content.to_vec()))
                .map_err(|error| Error::Root(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(Error::Root("no certificate in the text".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Root(error.to_string()))?
            .with_root_certificates(roots);
        let config = match identity {
            Some(identity) => config.with_client_cert_resolver(identity),
            None => config.with_no_client_auth(),
        };
        Ok(Self { host, port, tls: TlsConnector::from(Arc::new(config)), patience: PATIENCE })
    }

    /// Believes whoever answers, so that nothing secret may be sent, and nothing taken that is not checked.
    pub(super) fn unverified(url: &str) -> Result<Self, Error> {
        let (host, port) = place(url)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Lenient { chain: None, provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Root(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { host, port, tls: TlsConnector::from(Arc::new(config)), patience: PATIENCE })
    }

    pub(super) fn base_url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// Host and port, as a URL writes them.
    fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Sends one request.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        match tokio::time::timeout(self.patience, self.exchange(call)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { address: self.address(), waited: self.patience }),
        }
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let address = self.address();
        let unreachable =
            |reason: String| Error::Connection { address: address.clone(), reason: plain(&reason) };
        let interrupted = |error: &(dyn std::error::Error + 'static)| match tls_fault(error) {
            Some(fault) => Error::Tls { address: address.clone(), reason: fault.to_string() },
            None => Error::Interrupted { address: address.clone(), reason: plain(&error.to_string()) },
        };
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| Error::Url(format!("https://{address}")))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let stream = self.tls.connect(name, stream).await.map_err(|error| match tls_fault(&error) {
            Some(fault) => Error::Tls { address: address.clone(), reason: fault.to_string() },
            None => unreachable(error.to_string()),
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header("host", address.as_str())
            .header("content-type", "application/json");
        if let Some(authorization) = &call.authorization {
            request = request.header("authorization", authorization.as_str());
        }
        let request = request
            .body(Full::new(Bytes::from(call.body.clone().unwrap_or_default())))
            .map_err(|error| unreachable(error.to_string()))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| interrupted(&error))?;
            let status = response.status().as_u16();
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let code = header("x-stepless-refusal").map(str::to_owned);
            // A date in place of seconds is possible (RFC 9110 section 10.2.3), but no authority here sends one.
            let retry_after =
                header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|error| interrupted(&*error))?
                .to_bytes();
            Ok(Answer { status, code, retry_after, body })
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        // The connection has to be driven while the answer is awaited; once it ends, what was read counts.
        tokio::select! {
            result = &mut exchange => result,
            _ = &mut connection => exchange.await,
        }
    }
}

/// What TLS had against the other side, or it against us, if that is what is behind an error.
fn tls_fault<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref() {
            return Some(fault);
        }
        // An I/O error hides what it wraps from `source`.
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Host and port of an authority's URL.
fn place(url: &str) -> Result<(String, u16), Error> {
    let fault = || Error::Url(url.to_owned());
    let uri = Uri::parse(url).map_err(|_| fault())?;
    let host = uri.hostname().into_owned();
    if uri.scheme() != "https" || host.is_empty() || !matches!(uri.path().as_ref(), "" | "/") {
        return Err(fault());
    }
    let port = if uri.port().is_empty() { 443 } else { uri.port().parse().map_err(|_| fault())? };
    Ok((host, port))
}

/// The system's reason in lower case, without its number.
fn plain(reason: &str) -> String {
    let reason = reason.to_lowercase();
    reason.split(" (os error").next().unwrap_or_default().to_owned()
}
