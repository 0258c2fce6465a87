//! The server of a mini CA: a task of the test's runtime, or a thread with a runtime of its own.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::http::server::Server;
use crate::mini::Error;
use crate::mini::core::Core;

/// Ends the server when dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) address: Option<SocketAddr>,
    host: Host,
}

#[derive(Debug)]
enum Host {
    Nowhere,
    Task(tokio::task::JoinHandle<()>),
    Thread { stop: Option<oneshot::Sender<()>>, thread: Option<std::thread::JoinHandle<()>> },
}

impl Running {
    pub(super) fn nowhere() -> Self {
        Self { address: None, host: Host::Nowhere }
    }

    pub(super) async fn on_this_runtime(core: &Arc<Core>, listener: TcpListener) -> Result<Self, Error> {
        let server = server(core, listener).await?;
        let address = server.local_address();
        Ok(Self { address, host: Host::Task(tokio::spawn(serve(server))) })
    }

    pub(super) fn on_its_own_thread(core: &Arc<Core>, listener: TcpListener) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = mpsc::sync_channel(1);
        let core = Arc::clone(core);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("mini CA".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let server = match server(&core, listener).await {
                    Ok(server) => server,
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                // Nothing of the CA is kept here but what the server holds.
                drop(core);
                let _ = ready.send(Ok(server.local_address()));
                tokio::select! {
                    () = serve(server) => {}
                    // Also when the sender is gone.
                    _ = stopped => {}
                }
            });
        })?;
        let ended = || Err(std::io::Error::other("its thread has ended").into());
        let address = started.recv().unwrap_or_else(|_| ended())?;
        Ok(Self { address, host: Host::Thread { stop: Some(stop), thread: Some(thread) } })
    }

    /// Ends the server and waits until it has ended.
    pub(super) async fn stop(mut self) {
        if let Host::Task(task) = &mut self.host {
            task.abort();
            // Cancelled, as it was told.
            let _ = task.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match &mut self.host {
            Host::Nowhere => {}
            Host::Task(task) => task.abort(),
            Host::Thread { stop, thread } => {
                drop(stop.take());
                if let Some(thread) = thread.take() {
                    // It panicked if this fails, and said so.
                    let _ = thread.join();
                }
            }
        }
    }
}

async fn server(core: &Arc<Core>, listener: TcpListener) -> Result<Server, Error> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let authority = Arc::clone(&core.authority);
    Ok(Server::with_router(listener, authority, core.plan.router_options(), core.router()).await?)
}

async fn serve(server: Server) {
    let (_never, stop) = watch::channel(false);
    server.serve(stop).await;
}
