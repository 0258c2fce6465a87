//! One connection: handshake, then requests, each for the configuration in service when it comes.
//!
//! Every step has 15 seconds (CONTRACT.md section 1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::Watcher;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use crate::authority::ClientCertificateError;
use crate::http::generation::Current;
use crate::http::generation::Generation;
use crate::http::server::RemoteAddress;

/// How long a client may take for a handshake, a header, a body, or between requests.
const PATIENCE: Duration = Duration::from_secs(15);

/// The largest header section, in bytes.
const MAX_HEADER: usize = 1 << 20;

/// A request gets no answer: the connection is dropped.
#[derive(Debug, thiserror::Error)]
enum Dropped {
    #[error("the request was not complete within 15 seconds")]
    Stalled,
    /// A resumed session, or one that lasts, may bring a certificate that would not pass a handshake any more.
    #[error(transparent)]
    Client(#[from] ClientCertificateError),
    #[error("the answer was to hang up")]
    HungUp,
}

/// Put into an answer's extensions, makes the server drop the connection in place of sending it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

/// A client that has connected.
pub(super) struct Connection {
    current: Arc<Current>,
    remote: RemoteAddress,
}

impl Connection {
    pub(super) fn new(current: Arc<Current>, remote: SocketAddr) -> Self {
        Self { current, remote: RemoteAddress(remote) }
    }

    /// Serves over TLS.
    pub(super) async fn run(self, stream: TcpStream, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let mut stream = stream;
        match tokio::time::timeout(PATIENCE, speaks_tls(&mut stream)).await {
            Ok(true) => {}
            _ => return,
        }
        let generation = self.current.get();
        // Upkeep comes by once a minute; a clock that was set, or a machine that slept, is further on.
        generation.renew_certificate_if_due();
        let handshake = TlsAcceptor::from(Arc::clone(generation.tls())).accept(stream);
        drop(generation);
        match tokio::time::timeout(PATIENCE, handshake).await {
            Ok(Ok(stream)) => self.serve(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, remote_address = %self.remote, "no TLS handshake"),
            Err(_) => {}
        }
    }

    /// Serves plain HTTP/1.1: the CRL.
    pub(super) async fn run_insecure(self, stream: TcpStream, watcher: Watcher) {
        let current = Arc::clone(&self.current);
        self.run_plain(stream, watcher, move || current.get().insecure_router().clone()).await;
    }

    /// Serves plain HTTP/1.1 with the routes that `router` gives for each request.
    pub(super) async fn run_plain(
        self,
        stream: TcpStream,
        watcher: Watcher,
        router: impl Fn() -> Router + Send + Sync + 'static,
    ) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let router = router();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(self.remote);
            answer(router, request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(MAX_HEADER)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn serve(self, stream: TlsStream<TcpStream>, watcher: Watcher) {
        let (_, session) = stream.get_ref();
        let h2 = session.alpn_protocol() == Some(b"h2");
        let chain: Arc<[CertificateDer<'static>]> = session
            .peer_certificates()
            .map(|chain| chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
            .unwrap_or_default();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let generation = self.current.get();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(self.remote);
            let admitted = admit_client(&generation, &chain, &mut request);
            async move {
                admitted?;
                answer(generation.router().clone(), request).await
            }
        });
        let io = TokioIo::new(stream);
        let result = if h2 {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(PATIENCE)
                .keep_alive_timeout(PATIENCE)
                .max_header_list_size(u32::try_from(MAX_HEADER).unwrap_or(u32::MAX))
                .serve_connection(io, service);
            watcher.watch(connection).await
        } else {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(MAX_HEADER)
                .serve_connection(io, service);
            watcher.watch(connection).await
        };
        if let Err(error) = result {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Puts the client's certificate into the request, if it has one. It is judged anew for each request: a resumed
/// session skips that part of the handshake, and a reload may have changed whom to trust.
fn admit_client(
    generation: &Generation,
    chain: &[CertificateDer<'static>],
    request: &mut Request,
) -> Result<(), Dropped> {
    if !chain.is_empty() {
        let client = generation.authority().verify_client(chain.iter().map(CertificateDer::as_ref))?;
        request.extensions_mut().insert(client);
    }
    Ok(())
}

/// An error makes hyper drop the connection, which is what a client that stalls gets.
async fn answer(router: Router, request: Request) -> Result<Response, Dropped> {
    match tokio::time::timeout(PATIENCE, router.oneshot(request)).await {
        Ok(Ok(response)) if response.extensions().get::<HangUp>().is_some() => Err(Dropped::HungUp),
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => Err(Dropped::Stalled),
    }
}

/// Waits for the first byte; answers a client that speaks plain HTTP, and tells whether to go on.
async fn speaks_tls(stream: &mut TcpStream) -> bool {
    let mut first = [0; 1];
    match stream.peek(&mut first).await {
        Ok(1) if !first[0].is_ascii_uppercase() => true,
        Ok(1) => {
            const ANSWER: &[u8] =
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            let _ = stream.write_all(ANSWER).await;
            let _ = stream.shutdown().await;
            false
        }
        _ => false,
    }
}
