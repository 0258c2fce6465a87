//! What the server serves, as one piece that a reload replaces: authority, routes, TLS.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use axum::Router;
use rustls::ServerConfig;

use crate::authority::Authority;
use crate::http::App;
use crate::http::RouterOptions;
use crate::http::edge::Edge;
use crate::http::insecure_routes;
use crate::http::routes;
use crate::http::tls;
use crate::http::tls::ServerCertificate;

/// One configuration in service.
#[derive(Debug)]
pub(super) struct Generation {
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    tls: Arc<ServerConfig>,
    router: Router,
    insecure_router: Router,
}

impl Generation {
    /// Makes routes and TLS for an authority, and tells what of its `tls` block is not honoured.
    pub(super) fn new(
        authority: Arc<Authority>,
        options: RouterOptions,
        edge: Arc<Edge>,
    ) -> Result<(Self, Vec<String>), tls::Error> {
        let router = routes(App::new(Arc::clone(&authority), options, Arc::clone(&edge)));
        Self::with_router(authority, options, router, edge)
    }

    /// The same with something around the routes of the HTTPS listener.
    pub(super) fn with_router(
        authority: Arc<Authority>,
        options: RouterOptions,
        router: Router,
        edge: Arc<Edge>,
    ) -> Result<(Self, Vec<String>), tls::Error> {
        let certificate = Arc::new(ServerCertificate::new(&authority)?);
        let (tls, warnings) = tls::server_config(&authority, Arc::clone(&certificate))?;
        let app = App::new(Arc::clone(&authority), options, edge);
        let generation = Self {
            router,
            insecure_router: insecure_routes(app),
            tls: Arc::new(tls),
            authority,
            certificate,
        };
        Ok((generation, warnings))
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// When the server's own certificate ends.
    pub(super) fn certificate_end(&self) -> time::OffsetDateTime {
        self.certificate.not_after()
    }

    pub(super) fn tls(&self) -> &Arc<ServerConfig> {
        &self.tls
    }

    pub(super) fn router(&self) -> &Router {
        &self.router
    }

    /// The routes of the plain listener.
    pub(super) fn insecure_router(&self) -> &Router {
        &self.insecure_router
    }

    pub(super) fn renew_certificate_if_due(&self) {
        match self.certificate.renew_if_due(&self.authority) {
            Ok(true) => tracing::info!("server certificate renewed"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "server certificate not renewed"),
        }
    }
}

/// The configuration in service now.
#[derive(Debug)]
pub(super) struct Current(RwLock<Arc<Generation>>);

impl Current {
    pub(super) fn new(generation: Generation) -> Self {
        Self(RwLock::new(Arc::new(generation)))
    }

    pub(super) fn get(&self) -> Arc<Generation> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, generation: Generation) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(generation);
    }
}
