//! The HTTPS server: accepts, shakes hands, serves, takes another configuration, and stops when told.
//!
//! CONTRACT.md sections 1 and 12: HTTP/2 and 1.1 by ALPN, 15 seconds for a handshake, a header, a body and
//! an idle connection; a plain HTTP request on the TLS port is answered as Go does. The plain listener of section 10
//! is served here too.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::authority::Authority;
use crate::http::RouterOptions;
use crate::http::admin;
use crate::http::connection::Connection;
use crate::http::edge::Edge;
use crate::http::generation::Current;
use crate::http::generation::Generation;
use crate::http::listeners::Caller;
use crate::http::listeners::Change;
use crate::http::listeners::Door;
use crate::http::listeners::Listeners;
use crate::http::listeners::Pause;
use crate::http::listeners::listen;
use crate::http::listeners::listen_unless_empty;
use crate::http::routes::answer_of;
use crate::http::tls;

/// How long running requests may take once the server is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);

/// How long a client that has connected may take for its first request, or for its next one, once the server is to
/// stop: what was under way in the network shall be answered.
const LINGER: Duration = Duration::from_secs(1);

/// How many connections operators may have.
const ADMIN_CONNECTIONS: usize = 64;

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

/// Gives another configuration to a server that is serving.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    current: Arc<Current>,
    options: RouterOptions,
    edge: Arc<Edge>,
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
        let server = Self::listen(address, Arc::clone(&authority), options).await?;
        issue_crl(&authority).await?;
        Ok(server)
    }

    /// The same without the first CRL.
    pub(crate) async fn listen(
        address: &str,
        authority: Arc<Authority>,
        options: RouterOptions,
    ) -> Result<Self, Error> {
        let edge = Arc::new(Edge::new(options.limits));
        let served = Generation::new(authority, options, Arc::clone(&edge))?;
        let https = listen(address).await?;
        Self::on(https, address, served, options, edge).await
    }

    /// Serves on a listener that is there already, with `router` in place of the routes alone.
    #[cfg(feature = "embed")]
    pub(crate) async fn with_router(
        https: TcpListener,
        authority: Arc<Authority>,
        options: RouterOptions,
        router: axum::Router,
    ) -> Result<Self, Error> {
        let edge = Arc::new(Edge::new(options.limits));
        let served = Generation::with_router(Arc::clone(&authority), options, router, Arc::clone(&edge))?;
        let address = https.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let server = Self::on(https, &address, served, options, edge).await?;
        issue_crl(&authority).await?;
        Ok(server)
    }

    async fn on(
        https: TcpListener,
        address: &str,
        (generation, warnings): (Generation, Vec<String>),
        options: RouterOptions,
        edge: Arc<Edge>,
    ) -> Result<Self, Error> {
        let addresses = Addresses::new(address, generation.authority());
        let insecure = listen_unless_empty(&addresses.insecure).await?;
        let (changes, receiver) = mpsc::unbounded_channel();
        let handle = ServerHandle {
            current: Arc::new(Current::new(generation)),
            options,
            edge,
            changes,
            addresses: Arc::new(tokio::sync::Mutex::new(addresses)),
        };
        Ok(Self {
            listeners: Listeners { https, insecure, admin: None, pause: Pause::default() },
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
        let routes = admin::router(Arc::clone(&self.handle.current), Arc::clone(&self.handle.edge));
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

    /// Serves until `stop` holds true. Whoever has connected by then is answered: clients have a second to send what
    /// they have begun to send, and running requests a minute to finish.
    ///
    /// If the future is dropped, everything ends at once.
    pub async fn serve(mut self, mut stop: watch::Receiver<bool>) {
        let (end, ending) = watch::channel(false);
        let host = Host::new(self.handle, ending);
        let (mut upkeep, mut connections) = (JoinSet::new(), JoinSet::new());
        upkeep.spawn(keep_up(Arc::clone(&host.current)));
        loop {
            tokio::select! {
                caller = self.listeners.accept(&host.edge) => {
                    caller.into_iter().for_each(|caller| host.welcome(caller, &mut connections));
                }
                Some(_) = connections.join_next() => {}
                Some(change) = self.changes.recv() => {
                    let left = self.listeners.change(change);
                    left.into_iter().for_each(|caller| host.welcome(caller, &mut connections));
                }
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        break;
                    }
                }
            }
        }
        upkeep.abort_all();
        drop(self.changes);
        host.bid_farewell();
        let left = self.listeners.close();
        left.into_iter().for_each(|caller| host.welcome(caller, &mut connections));
        if tokio::time::timeout(LINGER, all(&mut connections)).await.is_err() {
            end.send_replace(true);
            if tokio::time::timeout(SHUTDOWN_PATIENCE, all(&mut connections)).await.is_err() {
                tracing::warn!("requests were still running after a minute and are cut off");
            }
        }
    }
}

/// Waits until all connections have ended.
async fn all(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// Who receives the clients.
struct Host {
    current: Arc<Current>,
    edge: Arc<Edge>,
    /// Operators are apart: they look when the others are too many.
    admin_edge: Arc<Edge>,
    ending: watch::Receiver<bool>,
}

impl Host {
    fn new(handle: ServerHandle, ending: watch::Receiver<bool>) -> Self {
        let mut limits = handle.edge.limits;
        limits.connections = ADMIN_CONNECTIONS;
        let admin_edge = Arc::new(Edge::new(limits));
        Self { current: handle.current, edge: handle.edge, admin_edge, ending }
    }

    /// Each answer from now on is the last on its connection.
    fn bid_farewell(&self) {
        for edge in [&self.edge, &self.admin_edge] {
            edge.closes.store(true, Ordering::Relaxed);
        }
    }

    /// Serves a client, or closes its connection if there is no room.
    fn welcome(&self, (door, stream, remote): Caller, connections: &mut JoinSet<()>) {
        let edge = if let Door::Admin(_) = door { &self.admin_edge } else { &self.edge };
        let Some(seat) = edge.seats.take(remote) else { return };
        let connection = Connection {
            current: Arc::clone(&self.current),
            edge: Arc::clone(edge),
            remote: RemoteAddress(remote),
            seat: Arc::new(seat),
            ending: self.ending.clone(),
        };
        match door {
            Door::Https => connections.spawn(connection.run(stream)),
            Door::Insecure => connections.spawn(connection.run_insecure(stream)),
            Door::Admin(routes) => connections
                .spawn(connection.run_plain(stream, move |request| answer_of(routes.clone(), request))),
        };
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
            Generation::new(Arc::clone(&authority), self.options, Arc::clone(&self.edge))?;
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

/// Renews the server's certificate and the CRL as they fall due; both are new when it begins.
async fn keep_up(current: Arc<Current>) {
    loop {
        let period = current.get().authority().config().ca.crl.as_ref().map(|crl| crl.renew_period);
        let period = period.and_then(|period| u64::try_from(period.nanoseconds()).ok());
        let pause = period.map_or(UPKEEP, Duration::from_nanos).clamp(Duration::from_secs(1), UPKEEP);
        // Neither a configuration nor its authority is kept while waiting.
        tokio::time::sleep(pause).await;
        let generation = current.get();
        generation.renew_certificate_if_due();
        match generation.authority().renew_crl_if_due().await {
            Ok(true) => tracing::info!("certificate revocation list issued"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "certificate revocation list not issued"),
        }
    }
}

/// A CRL is issued at every start, so that it says what the present configuration says.
pub(crate) async fn issue_crl(authority: &Authority) -> Result<(), Error> {
    if authority.config().ca.crl.is_some() {
        authority.issue_crl().await.map_err(Error::Crl)?;
    }
    Ok(())
}
