//! What the server serves, as one piece that a reload replaces: authority, routes, TLS.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

#[cfg(feature = "embed")]
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use rustls::ServerConfig;

use crate::authority::Authority;
use crate::http::App;
use crate::http::RouterOptions;
use crate::http::edge::Edge;
use crate::http::routes::Routes;
#[cfg(feature = "embed")]
use crate::http::routes::answer_of;
use crate::http::tls;
use crate::http::tls::ServerCertificate;

/// One configuration in service.
#[derive(Debug)]
pub(super) struct Generation {
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    tls: Arc<ServerConfig>,
    https: Https,
    insecure: Routes,
}

/// Who answers on the HTTPS listener.
#[derive(Debug)]
enum Https {
    Routes(Routes),
    /// The routes with something around them.
    #[cfg(feature = "embed")]
    Router(Router),
}

impl Generation {
    /// Makes routes and TLS for an authority, and tells what of its `tls` block is not honoured.
    pub(super) fn new(
        authority: Arc<Authority>,
        options: RouterOptions,
        edge: Arc<Edge>,
    ) -> Result<(Self, Vec<String>), tls::Error> {
        let app = App::new(authority, options, edge);
        Self::serving(Https::Routes(Routes::https(app.clone())), app)
    }

    /// The same with something around the routes of the HTTPS listener.
    #[cfg(feature = "embed")]
    pub(super) fn with_router(
        authority: Arc<Authority>,
        options: RouterOptions,
        router: Router,
        edge: Arc<Edge>,
    ) -> Result<(Self, Vec<String>), tls::Error> {
        Self::serving(Https::Router(router), App::new(authority, options, edge))
    }

    fn serving(https: Https, app: App) -> Result<(Self, Vec<String>), tls::Error> {
        let authority = Arc::clone(&app.authority);
        let certificate = Arc::new(ServerCertificate::new(&authority)?);
        let (tls, warnings) = tls::server_config(&authority, Arc::clone(&certificate))?;
        let insecure = Routes::insecure(app);
        Ok((Self { https, insecure, tls: Arc::new(tls), authority, certificate }, warnings))
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

    /// Answers a request of the HTTPS listener.
    pub(super) async fn answer(&self, request: Request) -> Response {
        match &self.https {
            Https::Routes(routes) => routes.answer(request).await,
            #[cfg(feature = "embed")]
            Https::Router(router) => answer_of(router.clone(), request).await,
        }
    }

    /// Answers a request of the plain listener.
    pub(super) async fn answer_insecure(&self, request: Request) -> Response {
        self.insecure.answer(request).await
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
