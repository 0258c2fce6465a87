//! The sockets that are listened on, and what becomes of connections that nobody has accepted yet.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::http::edge::Edge;
use crate::http::server::Error;

/// How long nothing is accepted after a failure, such as too many open files: connections end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// What a server listens on.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) https: TcpListener,
    /// The plain one, for the CRL.
    pub(super) insecure: Option<TcpListener>,
    /// The plain one for operators, with its routes.
    pub(super) admin: Option<(TcpListener, Router)>,
    pub(super) pause: Pause,
}

/// What a new configuration changes about the listeners.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) https: Option<TcpListener>,
    /// `Some(None)` closes it.
    pub(super) insecure: Option<Option<TcpListener>>,
}

/// For whom a client has come.
#[derive(Debug)]
pub(super) enum Door {
    Https,
    Insecure,
    Admin(Router),
}

/// A client that has connected.
pub(super) type Caller = (Door, TcpStream, SocketAddr);

/// Whether accepting has failed lately.
#[derive(Debug, Default)]
pub(super) struct Pause(Option<Instant>);

impl Listeners {
    /// Waits for the next client; `None` after a failure.
    pub(super) async fn accept(&mut self, edge: &Edge) -> Option<Caller> {
        if let Pause(Some(until)) = self.pause {
            tokio::time::sleep_until(until).await;
        }
        let admin = self.admin.as_ref().map(|(listener, _)| listener);
        let (door, accepted) = tokio::select! {
            accepted = self.https.accept() => (Door::Https, accepted),
            accepted = accept_if_any(self.insecure.as_ref()) => (Door::Insecure, accepted),
            accepted = accept_if_any(admin) => (self.admin_door(), accepted),
        };
        self.pause.judge(accepted, edge).map(|(stream, remote)| (door, stream, remote))
    }

    fn admin_door(&self) -> Door {
        self.admin.as_ref().map_or(Door::Insecure, |(_, routes)| Door::Admin(routes.clone()))
    }

    /// Takes other sockets; returns the clients that had come to the ones before.
    pub(super) fn change(&mut self, change: Change) -> Vec<Caller> {
        let mut callers = Vec::new();
        if let Some(https) = change.https {
            let old = std::mem::replace(&mut self.https, https);
            callers.extend(left_in(old).map(|(stream, remote)| (Door::Https, stream, remote)));
        }
        if let Some(insecure) = change.insecure
            && let Some(old) = std::mem::replace(&mut self.insecure, insecure)
        {
            callers.extend(left_in(old).map(|(stream, remote)| (Door::Insecure, stream, remote)));
        }
        callers
    }

    /// Closes them; returns the clients that had come. The system has told these that they are connected.
    pub(super) fn close(self) -> Vec<Caller> {
        let https = left_in(self.https).map(|(stream, remote)| (Door::Https, stream, remote));
        let insecure = self.insecure.into_iter().flat_map(left_in);
        https.chain(insecure.map(|(stream, remote)| (Door::Insecure, stream, remote))).collect()
    }
}

impl Pause {
    /// A failure is logged once until accepting works again, and counted each time.
    fn judge<T>(&mut self, accepted: std::io::Result<T>, edge: &Edge) -> Option<T> {
        match accepted {
            Ok(accepted) => {
                if self.0.take().is_some() {
                    tracing::info!("connections are accepted again");
                }
                Some(accepted)
            }
            Err(error) => {
                if self.0.is_none() {
                    tracing::warn!(%error, "cannot accept a connection, and tries again");
                }
                edge.accept_failed();
                self.0 = Some(Instant::now() + PAUSE);
                None
            }
        }
    }
}

/// Closes a listener, and returns the clients that had come to it.
fn left_in(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    // The socket does not block; where it cannot be had, it is closed, which is what happens in the end.
    let listener = listener.into_std().ok();
    std::iter::from_fn(move || {
        let (stream, remote) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, remote))
    })
}

pub(super) async fn listen_unless_empty(address: &str) -> Result<Option<TcpListener>, Error> {
    if address.is_empty() { Ok(None) } else { listen(address).await.map(Some) }
}

pub(super) async fn listen(address: &str) -> Result<TcpListener, Error> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::http::limits::Limits;

    #[test]
    fn a_failure_makes_room_and_is_forgotten_when_it_works_again() {
        let edge = Edge::new(Limits::default());
        let seat = edge.seats.take("192.0.2.1:1".parse().unwrap()).unwrap();
        let mut pause = Pause::default();
        let failure = || Err::<(), _>(std::io::Error::from_raw_os_error(24));
        assert_eq!(pause.judge(failure(), &edge), None);
        assert!(pause.0.is_some());
        assert_eq!(edge.seats.census().open, 0, "an idle connection is closed");
        drop(seat);
        assert_eq!(pause.judge(failure(), &edge), None);
        assert_eq!(edge.accept_failures.load(Ordering::Relaxed), 2);
        assert_eq!(pause.judge(Ok(()), &edge), Some(()));
        assert!(pause.0.is_none());
    }

    #[tokio::test]
    async fn clients_that_have_connected_are_not_left_behind() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let left: Vec<_> = left_in(listener).collect();
        assert_eq!(left.len(), clients.len());
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
