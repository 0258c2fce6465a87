//! What stands between the clients and the authority: who may connect, who may ask, whose turn it is.
//!
//! One object for each server, handed from one configuration to the next, as its metrics are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use crate::clock::Clock;
use crate::http::limits::Limits;
use crate::http::limits::Site;
use crate::http::metrics::Metrics;
use crate::http::rates::Rates;
use crate::http::seats::Seats;

/// How often the log says that clients are turned away.
const SELDOM: Duration = Duration::from_secs(10);

/// The gates of one server.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    pub(super) seats: Arc<Seats>,
    /// Requests that have come, and are not answered.
    open: AtomicUsize,
    turns: Semaphore,
    waiting: AtomicUsize,
    large_bodies: Semaphore,
    addresses: Option<Rates<Site>>,
    provisioners: Option<Rates<String>>,
    /// Whether each answer is to be the last on its connection.
    pub(super) closes: AtomicBool,
    /// How often accepting a connection has failed.
    pub(super) accept_failures: AtomicU64,
    started: Instant,
    /// When the log last said so, in seconds since the start, from 1 on.
    said: AtomicU64,
}

/// A request is turned away: too many are being worked on.
#[derive(Debug)]
pub(super) struct Overloaded;

/// A request that counts as open while this lives.
#[derive(Debug)]
pub(super) struct Open(Arc<Edge>);

impl Edge {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            metrics: Metrics::default(),
            seats: Arc::new(Seats::new(limits)),
            open: AtomicUsize::new(0),
            turns: Semaphore::new(permits(limits.requests)),
            waiting: AtomicUsize::new(0),
            large_bodies: Semaphore::new(permits(limits.large_bodies)),
            addresses: limits.rate_per_address.map(Rates::new),
            provisioners: limits.rate_per_provisioner.map(Rates::new),
            closes: AtomicBool::new(false),
            accept_failures: AtomicU64::new(0),
            started: Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    /// Counts a request as open, unless too many are.
    pub(super) fn open(self: &Arc<Self>) -> Result<Open, Overloaded> {
        // Undone when dropped, also if it is one too many.
        let open = Open(Arc::clone(self));
        match self.open.fetch_add(1, Ordering::Relaxed) < self.limits.connections.max(1) {
            true => Ok(open),
            false => Err(Overloaded),
        }
    }

    /// Whether this address may ask, or how long it has to wait.
    pub(super) fn admit_address(&self, address: SocketAddr, clock: &Arc<dyn Clock>) -> Result<(), Duration> {
        self.addresses.as_ref().map_or(Ok(()), |rates| rates.take(Site::of(address), clock.now()))
    }

    /// Whether this provisioner may have another certificate, or how long it has to wait.
    pub(super) fn admit_provisioner(&self, name: &str, clock: &Arc<dyn Clock>) -> Result<(), Duration> {
        self.provisioners.as_ref().map_or(Ok(()), |rates| rates.take(name.to_owned(), clock.now()))
    }

    /// Waits until it is a request's turn, unless too many wait already. It is over when what is returned is dropped.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Overloaded> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let waiter = Waiter(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.waiting_requests {
            return Err(Overloaded);
        }
        let turn = tokio::time::timeout(self.limits.wait, self.turns.acquire()).await;
        drop(waiter);
        // The semaphore is never closed.
        turn.ok().and_then(Result::ok).ok_or(Overloaded)
    }

    /// Room for a large body, until what is returned is dropped.
    pub(super) fn room_for_a_large_body(&self) -> Result<SemaphorePermit<'_>, Overloaded> {
        self.large_bodies.try_acquire().map_err(|_| Overloaded)
    }

    /// Nothing could be accepted: whoever keeps waiting longest makes room, in case files are what is lacking.
    pub(super) fn accept_failed(&self) {
        self.accept_failures.fetch_add(1, Ordering::Relaxed);
        self.seats.make_room();
    }

    /// Counts a request that is turned away, and says so in the log, not each time.
    pub(super) fn turned_away(&self, code: &'static str) {
        self.metrics.turned_away(code);
        let now = self.started.elapsed().as_secs() + 1;
        let said = self.said.load(Ordering::Relaxed);
        let due = said == 0 || now >= said + SELDOM.as_secs();
        if due && self.said.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let hint = "further ones are counted in stepless_refusals_total, and said again in 10 seconds at the earliest";
            tracing::warn!(refusal = code, hint, "requests are turned away");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One that waits, until dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn permits(limit: usize) -> usize {
    limit.clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(change: impl FnOnce(&mut Limits)) -> Arc<Edge> {
        let mut limits = Limits { wait: Duration::from_millis(20), ..Limits::default() };
        change(&mut limits);
        Arc::new(Edge::new(limits))
    }

    #[tokio::test]
    async fn turns_are_waited_for_and_the_queue_is_short() {
        let edge = edge(|limits| {
            limits.requests = 1;
            limits.waiting_requests = 1;
            limits.wait = Duration::from_secs(60);
        });
        let first = edge.turn().await.unwrap();
        let mut second = Box::pin(edge.turn());
        assert!(tokio::time::timeout(Duration::ZERO, &mut second).await.is_err(), "it waits");
        assert!(edge.turn().await.is_err(), "a third one is turned away at once");
        drop(first);
        let turn = second.await.unwrap();
        drop(turn);
        // One that went away while it waited does not count.
        let turn = edge.turn().await.unwrap();
        for _ in 0..3 {
            let waits = tokio::time::timeout(Duration::ZERO, edge.turn()).await;
            assert!(waits.is_err());
        }
        drop(turn);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let edge = edge(|limits| limits.requests = 1);
        let _first = edge.turn().await.unwrap();
        assert!(edge.turn().await.is_err());
        assert_eq!(edge.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn open_requests_are_as_many_as_connections() {
        let edge = edge(|limits| limits.connections = 2);
        let (first, second) = (edge.open().unwrap(), edge.open().unwrap());
        assert!(edge.open().is_err());
        drop(first);
        let third = edge.open().unwrap();
        drop((second, third));
        assert_eq!(edge.open.load(Ordering::Relaxed), 0);
    }
}
