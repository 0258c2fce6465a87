//! What a mini CA shall be like, and how it is put together.

use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::authority::bootstrap::Hierarchy;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::http::Limits;
use crate::mini::Error;
use crate::mini::MiniCa;
use crate::mini::clock::TestClock;
use crate::mini::core::Core;
use crate::mini::core::Plan;
use crate::mini::provisioner;
use crate::mini::provisioner::FEDERATION;
use crate::mini::provisioner::FEDERATION_HS256;
use crate::mini::provisioner::PLAIN;
use crate::mini::provisioner::Provisioner;
use crate::mini::running::Running;
use crate::mini::seed::Source;

/// Where the clock of a seeded CA stands.
const SEEDED_START: OffsetDateTime = datetime!(2025-01-01 0:00 UTC);

/// Changes the text of ca.json before it is read.
type Change = Box<dyn FnOnce(&mut Value)>;

/// Settings of a mini CA to be. Everything has a default.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use stepless::mini::MiniCa;
///
/// let ca = MiniCa::builder()
///     .seed(7)
///     .dns_names(["ca.internal"])
///     .durations(Duration::from_secs(60), Duration::from_secs(3600), Duration::from_secs(7200))
///     .configure(|ca_json| ca_json["authority"]["policy"] = serde_json::json!({
///         "x509": { "allow": { "dns": ["*.example"] } }
///     }))
///     .build()?;
/// assert!(ca.issue("a.example").sign().is_ok());
/// assert!(ca.issue("a.other").sign().is_err());
/// # Ok::<(), stepless::mini::Error>(())
/// ```
#[derive(Default)]
pub struct Builder {
    name: Option<String>,
    dns_names: Vec<String>,
    key_kind: Option<KeyKind>,
    provisioners: Vec<Provisioner>,
    password: Option<Zeroizing<String>>,
    durations: serde_json::Map<String, Value>,
    oid_arc: Option<String>,
    seed: Option<u64>,
    clock: Option<TestClock>,
    listener: Option<TcpListener>,
    limits: Limits,
    changes: Vec<Change>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("dns_names", &self.dns_names)
            .field("provisioners", &self.provisioners)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The name in the subjects of root and intermediate; `Mini` unless told.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The CA's own names, for its TLS certificate and as audiences; `localhost`, `127.0.0.1` and `::1` unless told.
    #[must_use]
    pub fn dns_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.dns_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The kind of the root's and the intermediate's key; P-256 unless told.
    #[must_use]
    pub fn key_kind(mut self, kind: KeyKind) -> Self {
        self.key_kind = Some(kind);
        self
    }

    /// Adds a provisioner. The first one takes the place of all three defaults: [`PLAIN`], [`FEDERATION`] and
    /// [`FEDERATION_HS256`].
    #[must_use]
    pub fn provisioner(mut self, provisioner: Provisioner) -> Self {
        self.provisioners.push(provisioner);
        self
    }

    /// Publishes the provisioners' private keys, encrypted with this password, as step-ca does. Each takes about a
    /// third of a second.
    #[must_use]
    pub fn provisioner_password(mut self, password: &str) -> Self {
        self.password = Some(Zeroizing::new(password.to_owned()));
        self
    }

    /// The shortest, default and longest validity of certificates; step-ca's 5 minutes, 24 and 24 hours unless told.
    #[must_use]
    pub fn durations(mut self, min: Duration, default: Duration, max: Duration) -> Self {
        self.durations = provisioner::durations(min, default, max);
        self
    }

    /// The arc of the grant extensions; `1.3.6.1.4.1.99999` unless told.
    #[must_use]
    pub fn oid_arc(mut self, arc: &str) -> Self {
        self.oid_arc = Some(arc.to_owned());
        self
    }

    /// Makes keys, serial numbers and certificates the same from run to run, as long as the same is asked in the same
    /// order. Anybody can compute the keys.
    ///
    /// The clock then stands still at the beginning of 2025; see [`at`](Self::at).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts with the clock standing still at `instant`. Root and intermediate are valid from then on, for ten years.
    #[must_use]
    pub fn at(mut self, instant: OffsetDateTime) -> Self {
        self.clock = Some(TestClock::at(instant));
        self
    }

    /// Goes by this clock, which several CAs may share.
    #[must_use]
    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Serves on this listener, in place of a free port of `127.0.0.1`.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// What clients may have of the server; [`Limits::default`] unless told.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Changes the ca.json that the CA is made of, for whatever has no method here: policy, CRL, header names.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Value) + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Makes the CA without a server: to issue in process, or to mount its [`router`](MiniCa::router).
    ///
    /// # Errors
    ///
    /// [`Error`] tells what does not fit.
    pub fn build(self) -> Result<MiniCa, Error> {
        Ok(MiniCa::new(self.core()?, Running::nowhere()))
    }

    /// Makes the CA and serves it over HTTPS, on the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// [`Error`] tells what does not fit, or why there is no port.
    pub async fn start(mut self) -> Result<MiniCa, Error> {
        let listener = self.listener.take();
        let core = self.core()?;
        let running = Running::on_this_runtime(&core, listen(listener)?).await?;
        Ok(MiniCa::new(core, running))
    }

    /// The same on a thread of its own, for tests that are not async, or whose client blocks.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_blocking(mut self) -> Result<MiniCa, Error> {
        let listener = self.listener.take();
        let core = self.core()?;
        let running = Running::on_its_own_thread(&core, listen(listener)?)?;
        Ok(MiniCa::new(core, running))
    }

    fn core(self) -> Result<Arc<Core>, Error> {
        let source = Source::new(self.seed);
        let clock = match (self.clock, self.seed) {
            (Some(clock), _) => clock,
            (None, Some(_)) => TestClock::at(SEEDED_START),
            (None, None) => TestClock::running(),
        };
        let entropy: &dyn Entropy = &*source;
        let kind = self.key_kind.unwrap_or(KeyKind::P256);
        let root_key = source.suit(PrivateKey::generate(kind, entropy)?);
        let intermediate_key = source.suit(PrivateKey::generate(kind, entropy)?);
        let name = self.name.as_deref().unwrap_or("Mini");
        let hierarchy = Hierarchy::of_keys(name, root_key, intermediate_key, clock.now(), entropy)?;

        let mut provisioners = self.provisioners;
        if provisioners.is_empty() {
            provisioners = vec![
                Provisioner::es256(PLAIN),
                Provisioner::es256(FEDERATION).grants(),
                Provisioner::hs256(FEDERATION_HS256).grants(),
            ];
        }
        let password = self.password.as_ref().map(|password| password.as_str());
        let prepared = provisioners.into_iter().map(|p| p.prepare(&source, password, entropy));
        let (signers, entries): (Vec<_>, Vec<_>) =
            prepared.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();

        // The files that it names are never opened: their contents are given beside it.
        let mut ca_json = json!({
            "root": "root_ca.crt",
            "crt": "intermediate_ca.crt",
            "key": "intermediate_ca_key",
            "address": "127.0.0.1:0",
            "authority": { "provisioners": entries },
        });
        if !self.dns_names.is_empty() {
            ca_json["dnsNames"] = self.dns_names.into();
        }
        if let Some(arc) = self.oid_arc {
            ca_json["authority"]["oidArc"] = arc.into();
        }
        if !self.durations.is_empty() {
            ca_json["authority"]["claims"] = self.durations.into();
        }
        for change in self.changes {
            change(&mut ca_json);
        }
        let text = Zeroizing::new(ca_json.to_string());
        wipe(&mut ca_json);
        let plan = Plan::new(text, hierarchy, signers, self.limits);
        Core::new(Arc::new(plan), source, clock)
    }
}

/// Wipes every text: the secrets of HMAC provisioners stand among them.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

/// The given listener, or one on a free port of the loopback interface; ready for tokio.
pub(super) fn listen(given: Option<TcpListener>) -> Result<TcpListener, Error> {
    let listener = match given {
        Some(listener) => listener,
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}
