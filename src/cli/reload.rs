//! Reading ca.json again while the server serves (CONTRACT.md section 12, SIGHUP).
//!
//! Provisioners, claims, policy, certificates and key, TLS, CRL, the log's format, even addresses may change. The database
//! may not. If anything is wrong, nothing changes.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::authority::Service;
use crate::cli::access::Secrets;
use crate::cli::failure;
use crate::cli::failure::Failure;
use crate::cli::key_password::KeyPassword;
use crate::cli::log;
use crate::cli::serve;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::Config;
use crate::config::DirectoryFiles;
use crate::config::Files as _;
use crate::http::server::ServerHandle;

const DONE: &str = "the new configuration is in service";
const REFUSED: &str = "the new configuration is refused, the old one stays";

/// What a running server was started with.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    /// Where the key's password is found again.
    pub(super) password: KeyPassword,
    /// The digest of the key's file. One that has not changed is not opened again, so that its password may be gone.
    pub(super) key_digest: [u8; 32],
    /// Whether others may use the key.
    pub(super) accept_key_modes: bool,
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
        let (config, key_digest) = self.load().await?;
        let old = &self.authority.config().ca;
        if config.ca.database != old.database {
            return Err(Failure::start("db cannot change while the server runs", "restart it"));
        }
        if config.ca.token_register != old.token_register {
            let message = "authority.tokenRegister cannot change while the server runs";
            return Err(Failure::start(message, "restart it"));
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
        self.key_digest = key_digest;
        log::set_format(log_format.as_deref());
        Ok(warnings)
    }

    /// Reads ca.json and its files, away from the threads that serve: a key's password takes long to try.
    async fn load(&self) -> Result<(Config, [u8; 32]), Failure> {
        let files = serve::files(self.context.as_deref());
        let (path, dev) = (self.path.clone(), self.dev);
        let bytes = std::fs::read(&path).map(Zeroizing::new).map_err(|error| {
            let reason = failure::reason(&error);
            Failure::start(format!("cannot read {}: {reason}", path.display()), "")
        })?;
        let ca = config::parse(&bytes)?;
        serve::refuse_demo_keys(&ca, dev)?;
        let secrets = Secrets { config: &path, password_file: self.password.file() };
        let warnings = secrets.check(&ca, &files, self.accept_key_modes)?;
        // Before the key is read: if the file changes in between, the next reload sees it.
        let digest = digest(&files, &ca.key);
        let key = (digest == self.key_digest).then(|| Arc::clone(&self.authority.config().key));
        let password = if key.is_some() { None } else { self.password.find_again(&ca, &files)? };
        let load = move || match key {
            Some(key) => Config::load_with_key(ca, &files, key, SystemClock.now()),
            None => Config::load(ca, &files, password.as_ref().map(|p| p.as_bytes()), SystemClock.now()),
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let loaded = loaded.map_err(|error| Failure::start(format!("cannot read it: {error}"), ""))?;
        let mut config = loaded?;
        config.ca.warnings.extend(warnings);
        Ok((config, digest))
    }
}

/// The digest of a file, of nothing if it cannot be read.
pub(super) fn digest(files: &DirectoryFiles, path: &str) -> [u8; 32] {
    Sha256::digest(&*Zeroizing::new(files.read(path).unwrap_or_default())).into()
}
