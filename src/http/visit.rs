//! One request on a connection: whether it is let in, and that it is answered in time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use hyper::body::Body as _;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;

use crate::authority::ClientCertificateError;
use crate::http::edge::Edge;
use crate::http::edge::Open;
use crate::http::edge::Overloaded;
use crate::http::problem;
use crate::http::seats::Seat;
use crate::http::server::RemoteAddress;

/// A request gets no answer: the connection is dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Dropped {
    #[error("the request was not complete in time")]
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

/// What all requests of a connection pass.
pub(super) struct Gate {
    pub(super) edge: Arc<Edge>,
    pub(super) seat: Arc<Seat>,
    pub(super) remote: RemoteAddress,
    /// Whether an answer may say that it is the last.
    pub(super) http1: bool,
}

/// A request that counts as open until this is dropped.
pub(super) struct Visit {
    open: Result<Open, Overloaded>,
    edge: Arc<Edge>,
    seat: Arc<Seat>,
    http1: bool,
    /// Whether the server lives is answered whatever happens.
    asks_for_health: bool,
}

impl Gate {
    pub(super) fn let_in(&self, request: hyper::Request<Incoming>) -> (Request, Visit) {
        let seat = &self.seat;
        let has_body = !request.body().is_end_stream();
        seat.begin(has_body);
        let mut request: Request = request.map(|body| match has_body {
            true => Body::new(Arriving { body, seat: Some(Arc::clone(seat)) }),
            false => Body::empty(),
        });
        request.extensions_mut().insert(self.remote);
        let asks_for_health = matches!(request.uri().path(), "/health" | "/1.0/health");
        let (edge, seat) = (Arc::clone(&self.edge), Arc::clone(seat));
        (request, Visit { open: edge.open(), edge, seat, http1: self.http1, asks_for_health })
    }
}

impl Visit {
    /// An error makes hyper drop the connection, which is what a client that stalls gets.
    pub(super) async fn answer(self, answer: impl Future<Output = Response>) -> Result<Response, Dropped> {
        if self.open.is_err() && !self.asks_for_health {
            self.edge.turned_away(problem::OVERLOADED);
            return Ok(self.last_if_closing(problem::overloaded()));
        }
        match tokio::time::timeout(self.edge.limits.patience, answer).await {
            Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(Dropped::HungUp),
            Ok(response) => Ok(self.last_if_closing(response)),
            Err(_) => Err(Dropped::Stalled),
        }
    }

    fn last_if_closing(&self, mut response: Response) -> Response {
        if self.http1 && self.edge.closes.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.seat.end();
    }
}

/// A body whose client keeps the server waiting until it has come.
struct Arriving {
    body: Incoming,
    /// `None` once it has come.
    seat: Option<Arc<Seat>>,
}

impl Arriving {
    fn arrived(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.arrived();
        }
    }
}

impl hyper::body::Body for Arriving {
    type Data = <Incoming as hyper::body::Body>::Data;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.arrived();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.arrived();
    }
}
