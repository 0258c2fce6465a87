//! Reading ca.json again while the server serves (CONTRACT.md section 12, SIGHUP).
//!
//! Provisioners, claims, policy, certificates and key, TLS, CRL, the log's format, even addresses may change. The database
//! may not. If anything is wrong, nothing changes.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::authority::Service;
use crate::cli::failure;
use crate::cli::failure::Failure;
use crate::cli::log;
use crate::cli::serve;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::Config;
use crate::http::server::ServerHandle;

const DONE: &str = "the new configuration is in service";
const REFUSED: &str = "the new configuration is refused, the old one stays";

/// What a running server was started with.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    /// The key's password, from wherever it came at start.
    pub(super) password: Option<Zeroizing<String>>,
    /// Whether it was given apart from ca.json, and so goes before the one there.
    pub(super) password_given: bool,
    /// In place of the address of ca.json.
    pub(super) address: Option<String>,
    /// The context of `step`.
    pub(super) context: Option<String>,
    /// Whether demo keys are welcome.
    pub(super) dev: bool,
    pub(super) server: ServerHandle,
    pub(super) authority: Arc<Authority>,
}

impl Reloader {
    /// Serves what ca.json says now, or logs why not; returns the outcome in a sentence.
    pub(super) async fn reload(&mut self) -> String {
        tracing::info!(config = %self.path.display(), "SIGHUP: reading the configuration again");
        match self.try_reload().await {
            Ok(warnings) => {
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("{DONE}");
                DONE.to_owned()
            }
            Err(failure) => {
                tracing::error!(reason = %failure.message(), "{REFUSED}");
                format!("{REFUSED}: {}", failure.message())
            }
        }
    }

    async fn try_reload(&mut self) -> Result<Vec<String>, Failure> {
        let config = self.load().await?;
        let old = &self.authority.config().ca;
        if config.ca.database != old.database {
            return Err(Failure::start("db cannot change while the server runs", "restart it"));
        }
        let mut warnings = config.ca.warnings.clone();
        let log_format = config.ca.log_format.clone();
        let address = self.address.clone().unwrap_or_else(|| config.ca.address.clone());
        let authority = self.authority.succeed_with(config);
        let authority = Arc::new(authority.map_err(|error| Failure::start(error.to_string(), ""))?);
        let reloaded = self.server.reload(&address, Arc::clone(&authority)).await;
        warnings.extend(reloaded.map_err(|error| Failure::start(error.to_string(), ""))?);
        authority.audit_service(Service::Reload).await;
        self.authority = authority;
        log::set_format(log_format.as_deref());
        Ok(warnings)
    }

    /// Reads ca.json and its files, away from the threads that serve: a key's password takes long to try.
    async fn load(&self) -> Result<Config, Failure> {
        let (path, password, dev) = (self.path.clone(), self.password.clone(), self.dev);
        let files = serve::files(self.context.as_deref());
        let password_given = self.password_given;
        let load = move || {
            let bytes = std::fs::read(&path).map_err(|error| {
                let reason = failure::reason(&error);
                Failure::start(format!("cannot read {}: {reason}", path.display()), "")
            })?;
            let ca = config::parse(&bytes)?;
            serve::refuse_demo_keys(&ca, dev)?;
            let in_file = ca.password.as_ref().filter(|_| !password_given).map(|p| p.expose().clone());
            let password = in_file.or(password);
            let password = password.as_ref().map(|password| password.as_bytes());
            Ok(Config::load(ca, &files, password, SystemClock.now())?)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|error| Err(Failure::start(format!("cannot read it: {error}"), "")))
    }
}
