//! The HTTPS server: accepts, shakes hands, serves, takes another configuration, and stops when told.
//!
//! CONTRACT.md sections 1 and 12: HTTP/2 and 1.1 by ALPN, 15 seconds for a handshake, a header, a body and
//! an idle connection; a plain HTTP request on the TLS port is answered as Go does. The plain listener of section 10
//! is served here too.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::authority::Authority;
use crate::http::RouterOptions;
use crate::http::admin;
use crate::http::connection::Connection;
use crate::http::generation::Current;
use crate::http::generation::Generation;
use crate::http::metrics::Metrics;
use crate::http::tls;

/// How long running requests may take once the server is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);

/// How often the server looks whether its certificate or the CRL is due, at least.
const UPKEEP: Duration = Duration::from_secs(60);

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemoteAddress(pub(super) SocketAddr);

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.ip().fmt(f)
    }
}

/// The server cannot start, or cannot take another configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// The system's reason, in lower case.
        reason: String,
    },
    /// The address for operators can be reached from elsewhere, or is none.
    #[error(
        "operators cannot be served on {0}: what is shown there is shown without asking who asks, so it has to be a \
         loopback address with a port, such as 127.0.0.1:9444"
    )]
    NotLoopback(String),
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The first CRL cannot be issued.
    #[error("cannot issue a certificate revocation list: {0}")]
    Crl(#[source] crate::authority::Error),
    /// The server has ended.
    #[error("the server has stopped")]
    Stopped,
}

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    changes: mpsc::UnboundedReceiver<Change>,
    handle: ServerHandle,
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Listeners {
    https: TcpListener,
    /// The plain one, for the CRL.
    insecure: Option<TcpListener>,
    /// The plain one for operators, with its routes.
    admin: Option<(TcpListener, Router)>,
}

/// What a new configuration changes about the listeners.
#[derive(Debug, Default)]
struct Change {
    https: Option<TcpListener>,
    /// `Some(None)` closes it.
    insecure: Option<Option<TcpListener>>,
}

/// Gives another configuration to a server that is serving.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    current: Arc<Current>,
    options: RouterOptions,
    metrics: Arc<Metrics>,
    changes: mpsc::UnboundedSender<Change>,
    addresses: Arc<tokio::sync::Mutex<Addresses>>,
}

/// Where the server listens, as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Addresses {
    https: String,
    /// Empty for nowhere.
    insecure: String,
}

impl Addresses {
    fn new(https: &str, authority: &Authority) -> Self {
        let ca = &authority.config().ca;
        let insecure = if ca.crl.is_some() { ca.insecure_address.clone() } else { String::new() };
        Self { https: https.to_owned(), insecure }
    }
}

impl Server {
    /// Listens on `address` (`host:port`; an empty host is every address, port 0 any free one), and on
    /// `insecureAddress` while the CRL is on; issues the first CRL.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] if an address cannot be had, [`Error::Tls`] if the `tls` block cannot be served,
    /// [`Error::Crl`].
    pub async fn bind(
        address: &str,
        authority: Arc<Authority>,
        options: RouterOptions,
    ) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let served = Generation::new(Arc::clone(&authority), options, Arc::clone(&metrics))?;
        let https = listen(address).await?;
        Self::on(https, address, served, options, metrics).await
    }

    /// Serves on a listener that is there already, with `router` in place of the routes alone.
    #[cfg(feature = "embed")]
    pub(crate) async fn with_router(
        https: TcpListener,
        authority: Arc<Authority>,
        options: RouterOptions,
        router: axum::Router,
    ) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let served = Generation::with_router(authority, options, router, Arc::clone(&metrics))?;
        let address = https.local_addr().map(|address| address.to_string()).unwrap_or_default();
        Self::on(https, &address, served, options, metrics).await
    }

    async fn on(
        https: TcpListener,
        address: &str,
        (generation, warnings): (Generation, Vec<String>),
        options: RouterOptions,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let addresses = Addresses::new(address, generation.authority());
        let insecure = listen_unless_empty(&addresses.insecure).await?;
        issue_crl(generation.authority()).await?;
        let (changes, receiver) = mpsc::unbounded_channel();
        let handle = ServerHandle {
            current: Arc::new(Current::new(generation)),
            options,
            metrics,
            changes,
            addresses: Arc::new(tokio::sync::Mutex::new(addresses)),
        };
        Ok(Self {
            listeners: Listeners { https, insecure, admin: None },
            changes: receiver,
            handle,
            warnings,
        })
    }

    /// Listens for operators as well, over plain HTTP: page, metrics, readiness. A reload leaves this listener alone.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoopback`] unless `address` is the loopback interface's and has a port, [`Error::Listen`].
    pub async fn with_admin(mut self, address: &str) -> Result<Self, Error> {
        let literal = address.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let parsed = literal.as_deref().unwrap_or(address).parse::<SocketAddr>();
        let loopback = parsed.ok().filter(|address| address.ip().is_loopback());
        let loopback = loopback.ok_or_else(|| Error::NotLoopback(address.to_owned()))?;
        let listener = listen(&loopback.to_string()).await?;
        let routes = admin::router(Arc::clone(&self.handle.current), Arc::clone(&self.handle.metrics));
        self.listeners.admin = Some((listener, routes));
        Ok(self)
    }

    /// The address for operators, if there is one.
    #[must_use]
    pub fn admin_local_address(&self) -> Option<SocketAddr> {
        self.listeners.admin.as_ref()?.0.local_addr().ok()
    }

    /// The address that is listened on, with the port that was chosen.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.listeners.https.local_addr().ok()
    }

    /// The address of the plain listener, if there is one.
    #[must_use]
    pub fn insecure_local_address(&self) -> Option<SocketAddr> {
        self.listeners.insecure.as_ref()?.local_addr().ok()
    }

    /// What of the `tls` block is not honoured, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Through which another configuration is given while the server serves.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until `stop` holds true; running requests then finish, a minute at most.
    ///
    /// If the future is dropped, everything ends at once.
    pub async fn serve(mut self, mut stop: watch::Receiver<bool>) {
        let current = &self.handle.current;
        let graceful = GracefulShutdown::new();
        let (mut upkeep, mut connections) = (JoinSet::new(), JoinSet::new());
        upkeep.spawn(keep_up(Arc::clone(current)));
        loop {
            tokio::select! {
                accepted = self.listeners.https.accept() => {
                    if let Some((stream, remote)) = accepted_or_paused(accepted).await {
                        let connection = Connection::new(Arc::clone(current), remote);
                        connections.spawn(connection.run(stream, graceful.watcher()));
                    }
                }
                accepted = accept_if_any(self.listeners.insecure.as_ref()) => {
                    if let Some((stream, remote)) = accepted_or_paused(accepted).await {
                        let connection = Connection::new(Arc::clone(current), remote);
                        connections.spawn(connection.run_insecure(stream, graceful.watcher()));
                    }
                }
                Some(_) = connections.join_next() => {}
                accepted = accept_if_any(self.listeners.admin.as_ref().map(|(listener, _)| listener)) => {
                    if let (Some((stream, remote)), Some((_, routes))) =
                        (accepted_or_paused(accepted).await, &self.listeners.admin)
                    {
                        let connection = Connection::new(Arc::clone(current), remote);
                        let routes = routes.clone();
                        connections.spawn(connection.run_plain(stream, graceful.watcher(), move || routes.clone()));
                    }
                }
                Some(change) = self.changes.recv() => self.listeners.change(change),
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        break;
                    }
                }
            }
        }
        upkeep.abort_all();
        drop(self.changes);
        drop(self.listeners);
        if tokio::time::timeout(SHUTDOWN_PATIENCE, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still running after a minute and are cut off");
        }
    }
}

impl ServerHandle {
    /// Serves `authority` from now on, on `address` and its `insecureAddress`; returns what of its `tls` block is not
    /// honoured.
    ///
    /// Connections stay open: requests that have begun are finished by the authority before, the next ones are for
    /// the new one. A listener whose address is the same stays; nothing changes if there is an error.
    ///
    /// # Errors
    ///
    /// As for [`Server::bind`], or [`Error::Stopped`].
    pub async fn reload(&self, address: &str, authority: Arc<Authority>) -> Result<Vec<String>, Error> {
        let mut addresses = self.addresses.lock().await;
        let wanted = Addresses::new(address, &authority);
        let (generation, warnings) =
            Generation::new(Arc::clone(&authority), self.options, Arc::clone(&self.metrics))?;
        let mut change = Change::default();
        if wanted.https != addresses.https {
            change.https = Some(listen(&wanted.https).await?);
        }
        if wanted.insecure != addresses.insecure {
            change.insecure = Some(listen_unless_empty(&wanted.insecure).await?);
        }
        issue_crl(&authority).await?;
        if self.changes.is_closed() {
            return Err(Error::Stopped);
        }
        self.current.replace(generation);
        self.changes.send(change).map_err(|_| Error::Stopped)?;
        *addresses = wanted;
        Ok(warnings)
    }
}

impl Listeners {
    fn change(&mut self, change: Change) {
        if let Some(https) = change.https {
            self.https = https;
        }
        if let Some(insecure) = change.insecure {
            self.insecure = insecure;
        }
    }
}

/// Renews the server's certificate and the CRL as they fall due.
async fn keep_up(current: Arc<Current>) {
    loop {
        let generation = current.get();
        generation.renew_certificate_if_due();
        match generation.authority().renew_crl_if_due().await {
            Ok(true) => tracing::info!("certificate revocation list issued"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "certificate revocation list not issued"),
        }
        let period = generation.authority().config().ca.crl.as_ref().map(|crl| crl.renew_period);
        let period = period.and_then(|period| u64::try_from(period.nanoseconds()).ok());
        let pause = period.map_or(UPKEEP, Duration::from_nanos).clamp(Duration::from_secs(1), UPKEEP);
        // Neither this configuration nor its authority is kept while waiting.
        drop(generation);
        tokio::time::sleep(pause).await;
    }
}

/// A CRL is issued at every start, so that it says what the present configuration says.
async fn issue_crl(authority: &Authority) -> Result<(), Error> {
    if authority.config().ca.crl.is_some() {
        authority.issue_crl().await.map_err(Error::Crl)?;
    }
    Ok(())
}

async fn listen_unless_empty(address: &str) -> Result<Option<TcpListener>, Error> {
    if address.is_empty() { Ok(None) } else { listen(address).await.map(Some) }
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let target = if address.starts_with(':') { format!("[::]{address}") } else { address.to_owned() };
    let mut bound = TcpListener::bind(&target).await;
    if bound.is_err() && address.starts_with(':') {
        // A machine without IPv6.
        bound = TcpListener::bind(format!("0.0.0.0{address}")).await;
    }
    bound.map_err(|error| Error::Listen {
        address: address.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string().to_lowercase(),
        },
    })
}

/// Waits for ever without a listener.
async fn accept_if_any(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// A failure, such as too many open files, is logged and waited for: connections end meanwhile.
async fn accepted_or_paused(
    accepted: std::io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
