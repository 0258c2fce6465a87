//! One connection to the server with what is prepared on it, and how it is made again when it is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::store::Chain;
use crate::store::Error;
use crate::store::postgres::address::PostgresAddress;
use crate::store::postgres::failure;
use crate::store::postgres::schema;
use crate::store::postgres::statements::Statements;
use crate::store::postgres::tls::Tls;

/// The server gives up a statement, or a wait for another process, after this time, and a transaction whose process
/// says no more. So no process can hold up the others for longer, however it ends.
///
/// Rows are found by their keys even while a table is small or freshly filled, for a plan is kept for long.
const SETTINGS: &str = "
    SET statement_timeout = '8s';
    SET lock_timeout = '8s';
    SET idle_in_transaction_session_timeout = '8s';
    SET enable_seqscan = off;
";

/// For reading through everything.
const LONG_SETTINGS: &str = "SET statement_timeout = '120s'";

/// What is recorded must be on disk; other strengths than `off` are the administrator's choice.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

/// The wait after the first failed connection; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A connection on which nothing is set or prepared.
#[derive(Debug)]
pub(super) struct Bare {
    pub(super) client: Client,
    driver: Driver,
}

/// A connection that writes and finds records.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    _driver: Driver,
}

/// The task that moves bytes; a connection that is dropped closes at once, whatever the server still does.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bare {
    /// Connects.
    pub(super) async fn open(address: &PostgresAddress) -> Result<Self, Error> {
        let unavailable = |detail: String| Error::Unavailable { server: address.to_string(), detail };
        let tls = Tls::new(&address.protection).map_err(unavailable)?;
        let patience = address.patience();
        let (client, connection) = tokio::time::timeout(patience, address.config.connect(tls))
            .await
            .map_err(|_| unavailable(format!("no connection within {patience:?}")))?
            .map_err(failure::of(&address.to_string()))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer hears of it.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the database has ended");
            }
        });
        Ok(Self { client, driver: Driver(driver) })
    }

    /// Connects for reading through everything.
    pub(super) async fn open_for_long(address: &PostgresAddress) -> Result<Self, Error> {
        let bare = Self::open(address).await?;
        bare.client.batch_execute(LONG_SETTINGS).await.map_err(failure::of(&address.to_string()))?;
        Ok(bare)
    }
}

impl Session {
    async fn open(address: &PostgresAddress) -> Result<Self, Error> {
        let Bare { client, driver } = Bare::open(address).await?;
        let server = address.to_string();
        let failed = failure::of(&server);
        let patience = address.patience();
        let prepare = async {
            client.batch_execute(SETTINGS).await.map_err(failed)?;
            client.batch_execute(DURABLE).await.map_err(failed)?;
            schema::require_current(&client, &server).await?;
            Statements::prepare(&client).await.map_err(failed)
        };
        let statements = tokio::time::timeout(patience, prepare).await.map_err(|_| {
            Error::Unavailable { server: server.clone(), detail: format!("no answer within {patience:?}") }
        })??;
        Ok(Self { client, statements, _driver: driver })
    }
}

/// A session that is opened when it is needed, and again after it was lost.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) address: PostgresAddress,
    /// The address as it is shown.
    pub(super) server: String,
    /// The end of the audit log when something was written here last.
    pub(super) seen: Chain,
    session: Option<Arc<Session>>,
    wait: Duration,
    /// Until then nobody tries again, and everybody hears the last reason.
    closed: Option<(Instant, Error)>,
}

impl Link {
    pub(super) fn new(address: PostgresAddress) -> Self {
        let server = address.to_string();
        Self { address, server, seen: Chain::default(), session: None, wait: FIRST_WAIT, closed: None }
    }

    /// The session, opened if there is none that works.
    pub(super) async fn session(&mut self) -> Result<Arc<Session>, Error> {
        if let Some(session) = self.session.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        self.session = None;
        if let Some((until, error)) = &self.closed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match Session::open(&self.address).await {
            Ok(session) => {
                if self.closed.take().is_some() {
                    tracing::info!(database = %self.server, "the database is available again");
                }
                self.wait = FIRST_WAIT;
                let session = Arc::new(session);
                self.session = Some(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                if self.closed.is_none() {
                    tracing::error!(%error, hint = error.hint(), "the database is not available");
                }
                self.closed = Some((Instant::now() + self.wait, error.clone()));
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
                Err(error)
            }
        }
    }

    /// Gives up the session: what is under way on it is of no interest any more.
    pub(super) fn hang_up(&mut self) {
        self.session = None;
    }
}
