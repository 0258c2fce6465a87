//! One connection: handshake, then requests, each for the configuration in service when it comes.
//!
//! Every step has its time (CONTRACT.md section 1), and is in vain if the connection has to make room for another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulConnection;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::edge::Edge;
use crate::http::generation::Current;
use crate::http::generation::Generation;
use crate::http::limits::MAX_HEADER;
use crate::http::seats::Seat;
use crate::http::server::RemoteAddress;
use crate::http::stall::Stalling;
use crate::http::streams::OpenStreams;
use crate::http::streams::Streams;
use crate::http::visit::Dropped;
use crate::http::visit::Gate;

/// How much of its bodies an HTTP/2 client may send before somebody reads it, in bytes: RFC 9113's own window.
const WINDOW: u32 = 65_535;

/// How much of an answer is held for an HTTP/2 stream whose client does not take it, in bytes.
const SEND_BUFFER: usize = 64 << 10;

/// Streams that an HTTP/2 client has opened and reset before they were looked at (CVE-2023-44487), and those that it
/// made the server reset (CVE-2025-8671): one more, and the connection ends. The first is h2's own default, the second
/// a fraction of it: an honest client causes none. The other floods have no setting: frames of CONTINUATION are bounded
/// by the size of a header (CVE-2024-27316), PING and SETTINGS are not read on while an answer to one cannot be
/// written, and tiny DATA frames have a budget.
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 64;

/// How long an HTTP/2 connection may take to close when it is idle, or when its client has asked for nothing yet.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client that has connected.
pub(super) struct Connection {
    pub(super) current: Arc<Current>,
    pub(super) edge: Arc<Edge>,
    pub(super) remote: RemoteAddress,
    pub(super) seat: Arc<Seat>,
    /// Holds true once the connection is to end with what it has begun.
    pub(super) ending: watch::Receiver<bool>,
}

impl Connection {
    /// Serves over TLS.
    pub(super) async fn run(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (patience, mut ending) = (self.edge.limits.patience, self.ending.clone());
        let shaken = tokio::select! {
            biased;
            shaken = tokio::time::timeout(patience, self.shake_hands(stream)) => shaken,
            () = self.seat.evicted() => return,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        let Ok(Some(stream)) = shaken else { return };
        self.seat.shook_hands();
        self.serve(stream).await;
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> Option<TlsStream<Stalling<TcpStream>>> {
        if !speaks_tls(&mut stream).await {
            return None;
        }
        let generation = self.current.get();
        // Upkeep comes by once a minute; a clock that was set, or a machine that slept, is further on.
        generation.renew_certificate_if_due();
        let acceptor = TlsAcceptor::from(Arc::clone(generation.tls()));
        drop(generation);
        let stream = Stalling::new(stream, self.edge.limits.patience);
        match acceptor.accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, remote_address = %self.remote, "no TLS handshake");
                None
            }
        }
    }

    /// Serves plain HTTP/1.1: the CRL.
    pub(super) async fn run_insecure(self, stream: TcpStream) {
        let current = Arc::clone(&self.current);
        self.run_plain(stream, move |request| {
            let generation = current.get();
            async move { generation.answer_insecure(request).await }
        })
        .await;
    }

    /// Serves plain HTTP/1.1 with these answers.
    pub(super) async fn run_plain<F>(
        self,
        stream: TcpStream,
        answer: impl Fn(Request) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Response> + Send + 'static,
    {
        let _ = stream.set_nodelay(true);
        self.seat.shook_hands();
        let gate = self.gate(true);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (request, visit) = gate.let_in(request);
            visit.answer(answer(request))
        });
        let patience = self.edge.limits.patience;
        let stream = TokioIo::new(Stalling::new(stream, patience));
        let connection = http1(patience).serve_connection(stream, service);
        self.drive(connection, None).await;
    }

    async fn serve(self, stream: TlsStream<Stalling<TcpStream>>) {
        let (_, session) = stream.get_ref();
        let h2 = session.alpn_protocol() == Some(b"h2");
        let chain: Arc<[CertificateDer<'static>]> = session
            .peer_certificates()
            .map(|chain| chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
            .unwrap_or_default();
        let (current, gate) = (Arc::clone(&self.current), self.gate(!h2));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let generation = current.get();
            let (mut request, visit) = gate.let_in(request);
            let admitted = admit_client(&generation, &chain, &mut request);
            async move {
                admitted?;
                visit.answer(generation.answer(request)).await
            }
        });
        let (io, patience) = (TokioIo::new(stream), self.edge.limits.patience);
        if h2 {
            let streams = Streams::new(patience);
            let open = Arc::clone(&streams.open);
            let connection = hyper::server::conn::http2::Builder::new(streams)
                .timer(TokioTimer::new())
                .keep_alive_interval(patience)
                .keep_alive_timeout(patience)
                .max_header_list_size(u32::try_from(MAX_HEADER).unwrap_or(u32::MAX))
                .max_concurrent_streams(self.edge.limits.streams.max(1))
                .max_pending_accept_reset_streams(PENDING_RESETS)
                .max_local_error_reset_streams(LOCAL_RESETS)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_send_buf_size(SEND_BUFFER)
                .serve_connection(io, service);
            self.drive(connection, Some(open)).await;
        } else {
            let connection = http1(patience).serve_connection(io, service);
            self.drive(connection, None).await;
        }
    }

    fn gate(&self, http1: bool) -> Gate {
        Gate { edge: Arc::clone(&self.edge), seat: Arc::clone(&self.seat), remote: self.remote, http1 }
    }

    /// Serves until the client leaves, has to make room, or the server ends; ends an HTTP/2 connection that is idle.
    async fn drive<C>(mut self, connection: C, streams: Option<Arc<OpenStreams>>)
    where
        C: GracefulConnection,
        C::Error: std::fmt::Debug,
    {
        let patience = self.edge.limits.patience;
        let mut connection = pin!(connection);
        let mut look = pin!(tokio::time::sleep(patience));
        let mut ends = false;
        let ended = loop {
            tokio::select! {
                // In this order: a request that has come is taken before the connection is told to end.
                biased;
                ended = connection.as_mut() => break ended,
                () = self.seat.evicted() => return,
                _ = self.ending.wait_for(|ending| *ending), if !ends => {
                    ends = true;
                    connection.as_mut().graceful_shutdown();
                    // hyper would wait for the first frame of a client that has sent none.
                    if streams.as_ref().is_some_and(|streams| streams.never_were()) {
                        look.as_mut().reset(tokio::time::Instant::now() + FAREWELL);
                    }
                }
                () = look.as_mut(), if streams.is_some() => {
                    let mut rest = match &streams {
                        Some(streams) if ends && streams.never_were() => Duration::ZERO,
                        Some(streams) => streams.idle_in(patience),
                        None => patience,
                    };
                    if rest.is_zero() {
                        if ends {
                            return;
                        }
                        ends = true;
                        connection.as_mut().graceful_shutdown();
                        rest = FAREWELL;
                    }
                    look.as_mut().reset(tokio::time::Instant::now() + rest);
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(?error, "connection ended");
        }
    }
}

fn http1(patience: Duration) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    // The second alone would let those pass that come in one piece.
    builder.max_buf_size(MAX_HEADER).max_header_size(MAX_HEADER);
    builder
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
