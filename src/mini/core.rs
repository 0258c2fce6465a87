//! The state of a mini CA without its server: the plan it was made by, the authority, and what a test looks at.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use axum::Router;
use axum::middleware;
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::authority::Error as Refused;
use crate::authority::Options;
use crate::authority::bootstrap::Hierarchy;
use crate::config;
use crate::config::Config;
use crate::config::MemoryFiles;
use crate::config::Parts;
use crate::crypto::PrivateKey;
use crate::http;
use crate::http::Limits;
use crate::http::RouterOptions;
use crate::mini::Error;
use crate::mini::clock::TestClock;
use crate::mini::faults::Faults;
use crate::mini::layer;
use crate::mini::provisioner::Signer;
use crate::mini::records::Asked;
use crate::mini::records::Refusal;
use crate::mini::seed::Source;
use crate::store::MemoryStore;
use crate::wire::SignRequest;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;

/// What does not change: from it, the same CA can be made again.
#[derive(Debug)]
pub(super) struct Plan {
    /// Holds the secrets of HMAC provisioners.
    ca_json: Zeroizing<String>,
    pub(super) root: Arc<Certificate>,
    pub(super) intermediate: Arc<Certificate>,
    pub(super) key: Arc<PrivateKey>,
    pub(super) signers: Vec<Signer>,
    limits: Limits,
}

impl Plan {
    pub(super) fn new(
        ca_json: Zeroizing<String>,
        hierarchy: Hierarchy,
        signers: Vec<Signer>,
        limits: Limits,
    ) -> Self {
        Self {
            ca_json,
            root: Arc::new(hierarchy.root),
            intermediate: Arc::new(hierarchy.intermediate),
            key: Arc::new(hierarchy.intermediate_key),
            signers,
            limits,
        }
    }

    /// How requests are served.
    pub(super) fn router_options(&self) -> RouterOptions {
        RouterOptions::development().with_limits(self.limits)
    }

    fn config(&self, clock: &TestClock) -> Result<Config, Error> {
        let parts = Parts {
            roots: vec![Arc::clone(&self.root)],
            federated_roots: Vec::new(),
            intermediates: vec![Arc::clone(&self.intermediate)],
            key: Arc::clone(&self.key),
        };
        let ca = config::parse(self.ca_json.as_bytes())?;
        Ok(Config::from_parts(ca, parts, &MemoryFiles::default(), clock.now())?)
    }
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) plan: Arc<Plan>,
    pub(super) authority: Arc<Authority>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: TestClock,
    pub(super) source: Arc<Source>,
    pub(super) faults: Faults,
    refused: Mutex<Vec<Refusal>>,
    stranger: OnceLock<Hierarchy>,
}

impl Core {
    pub(super) fn new(plan: Arc<Plan>, source: Arc<Source>, clock: TestClock) -> Result<Arc<Self>, Error> {
        let store = Arc::new(MemoryStore::new());
        let authority = Authority::new(plan.config(&clock)?, options(&store, &clock, &source))?;
        Ok(Self::of(plan, authority, store, clock, source))
    }

    /// A copy that goes its own way: same root, keys and start; store, clock and randomness as they are now.
    pub(super) fn fork(&self) -> Result<Arc<Self>, Error> {
        let (plan, clock, source) = (Arc::clone(&self.plan), self.clock.fork(), self.source.fork());
        let store = Arc::new(MemoryStore::clone(&self.store));
        let authority = self.authority.fork(plan.config(&clock)?, options(&store, &clock, &source))?;
        Ok(Self::of(plan, authority, store, clock, source))
    }

    fn of(
        plan: Arc<Plan>,
        authority: Authority,
        store: Arc<MemoryStore>,
        clock: TestClock,
        source: Arc<Source>,
    ) -> Arc<Self> {
        Arc::new(Self {
            plan,
            authority: Arc::new(authority),
            store,
            clock,
            source,
            faults: Faults::default(),
            refused: Mutex::default(),
            stranger: OnceLock::new(),
        })
    }

    /// step-ca's routes with records and faults around them.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        http::router(Arc::clone(&self.authority), self.plan.router_options())
            .layer(middleware::from_fn_with_state(Arc::clone(self), layer::around))
    }

    /// Signs without a socket. Refusals are recorded as they are for requests.
    pub(super) fn sign(&self, request: SignRequest) -> Result<SignResponse, Refused> {
        let asked = Asked::of(request.ott.as_deref());
        let signed = at_once(self.authority.sign(request, "in-process"));
        match signed {
            Ok((_, response)) => Ok(response),
            Err(error) => {
                self.refused().push(asked.refused("", 0, error.code(), &error.to_string()));
                Err(error)
            }
        }
    }

    pub(super) fn refused(&self) -> MutexGuard<'_, Vec<Refusal>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hierarchy that nobody knows, with the same names.
    pub(super) fn stranger(&self) -> Result<&Hierarchy, Error> {
        if let Some(stranger) = self.stranger.get() {
            return Ok(stranger);
        }
        let kind = self.plan.key.kind();
        let key = || Ok::<_, Error>(self.source.suit(PrivateKey::generate(kind, &*self.source)?));
        let made =
            Hierarchy::of_keys("Stranger", key()?, key()?, self.plan.root.not_before(), &*self.source)?;
        Ok(self.stranger.get_or_init(|| made))
    }
}

fn options(store: &Arc<MemoryStore>, clock: &TestClock, source: &Arc<Source>) -> Options {
    Options {
        store: Arc::clone(store) as _,
        clock: Arc::new(clock.clone()),
        entropy: Arc::clone(source) as _,
    }
}

/// The value of a future of an authority on a memory store, which never waits: works inside and outside of a runtime.
fn at_once<T>(future: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => Err(Refused::Signing("the memory store kept the authority waiting".to_owned())),
    }
}
