//! The authority: configuration, provisioners, store and key together.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::authority::error::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::SignatureAlgorithm;
use crate::entropy::Entropy;
use crate::hex;
use crate::profile::GrantOids;
use crate::provisioner::Collection;
use crate::provisioner::Provisioner;
use crate::store::Store;
use crate::token::UnverifiedToken;
use crate::token::audience::Audiences;
use crate::x509::certificate::Certificate;
use crate::x509::extension::KeyUsage;

/// What an authority is given besides its configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where tokens and certificates are recorded.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws serial numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// A certificate authority, without its network.
/// # Examples
///
/// An authority that has no files, and a certificate from it:
///
/// ```
/// use std::sync::Arc;
/// use stepless::authority::bootstrap::{Hierarchy, NewConfig, NewProvisioner, ca_json};
/// use stepless::authority::{Authority, Options};
/// use stepless::clock::{Clock, SystemClock};
/// use stepless::config::{self, Config, DirectoryFiles, Parts};
/// use stepless::crypto::{KeyKind, PrivateKey};
/// use stepless::entropy::SystemEntropy;
/// use stepless::jose::PrivateJwk;
/// use stepless::store::MemoryStore;
/// use stepless::token::mint::NewToken;
/// use stepless::wire::SignRequest;
/// use stepless::x509::{name::Subject, pem, request, san};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (entropy, now) = (SystemEntropy::new(), SystemClock.now());
/// let made = Hierarchy::generate("Example", KeyKind::P256, now, &entropy)?;
/// let provisioner = NewProvisioner {
///     name: "admin".to_owned(),
///     key: PrivateJwk::generate(KeyKind::P256, &entropy)?,
///     grants: false,
/// };
/// let text = ca_json(&NewConfig {
///     root: "root.crt",
///     crt: "ca.crt",
///     key: "ca.key",
///     address: ":443",
///     dns_names: &["ca.example".to_owned()],
///     data_source: "db",
///     oid_arc: None,
///     provisioners: vec![provisioner.to_public_entry()?],
/// });
/// let parts = Parts {
///     roots: vec![Arc::new(made.root)],
///     federated_roots: vec![],
///     intermediates: vec![Arc::new(made.intermediate)],
///     key: Arc::new(made.intermediate_key),
/// };
/// let config = Config::from_parts(config::parse(text.as_bytes())?, parts, &DirectoryFiles::new("", "", ""), now)?;
/// let options = Options {
///     store: Arc::new(MemoryStore::new()),
///     clock: Arc::new(SystemClock),
///     entropy: Arc::new(SystemEntropy::new()),
/// };
/// let authority = Authority::new(config, options)?;
///
/// let key = PrivateKey::generate(KeyKind::P256, &entropy)?;
/// let csr = request::create(&key, &Subject::from_common_name("a.example"), &[san::classify("a.example")])?;
/// let token = NewToken {
///     issuer: "admin".to_owned(),
///     audience: "https://ca.example/1.0/sign".to_owned(),
///     subject: "a.example".to_owned(),
///     ..NewToken::default()
/// };
/// let body = SignRequest {
///     csr: Some(pem::encode("CERTIFICATE REQUEST", &csr)),
///     ott: Some(token.sign(&provisioner.key, now, &entropy)?.to_string()),
///     ..SignRequest::default()
/// };
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (issued, answer) = authority.sign(body, "request-1").await?;
/// assert_eq!(issued.names, ["a.example"]);
/// assert!(answer.crt.starts_with("-----BEGIN CERTIFICATE-----"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Authority {
    pub(super) config: Config,
    pub(super) provisioners: Collection,
    pub(super) audiences: Audiences,
    pub(super) grant_oids: GrantOids,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) intermediates_pem: Vec<String>,
    /// Whom certificates of TLS clients have to lead to: roots and intermediates.
    pub(super) client_anchors: Vec<Arc<Certificate>>,
    /// Whose name constraints count: the issuer, the rest of its chain, and the roots above that.
    pub(super) issuing_chain: Vec<Arc<Certificate>>,
    pub(super) started_at: OffsetDateTime,
    pub(super) options: Options,
    /// Whose turn it is to issue a CRL; shared with the authority that takes this one's place.
    pub(super) crl_turn: Arc<Mutex<()>>,
}

impl Authority {
    /// Starts an authority; `options.clock` settles from when on tokens are taken.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what does not fit.
    pub fn new(mut config: Config, options: Options) -> Result<Self, StartError> {
        let arc = &config.ca.oid_arc;
        let grant_oids = GrantOids::below(arc).ok_or_else(|| StartError::OidArc(arc.to_string()))?;
        if config.ca.crl.is_some() {
            check_crl_issuer(config.issuer())?;
        }
        let entries = std::mem::take(&mut config.ca.provisioners);
        let oids = [grant_oids.grant_id.clone(), grant_oids.subject_user_id.clone()];
        let provisioners = entries.into_iter().map(|entry| Provisioner::new(entry, &oids)).collect();
        Ok(Self {
            provisioners: Collection::new(provisioners),
            audiences: Audiences::new(&config.ca.dns_names),
            grant_oids,
            algorithm: config.issuer().issuing_algorithm(config.key.kind()),
            intermediates_pem: config.intermediates.iter().map(|c| c.to_pem()).collect(),
            client_anchors: config.roots.iter().chain(&config.intermediates).cloned().collect(),
            issuing_chain: issuing_chain(&config),
            started_at: options.clock.now(),
            options,
            crl_turn: Arc::default(),
            config,
        })
    }

    /// An authority on another configuration in place of this one, with the same store, clock and start: tokens that
    /// this one would have taken are taken still.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what does not fit; this authority stays as it is.
    pub fn succeed_with(&self, config: Config) -> Result<Self, StartError> {
        // The store is the same, and so is the order of its revocation lists.
        let crl_turn = Arc::clone(&self.crl_turn);
        Ok(Self { crl_turn, ..self.fork(config, self.options.clone())? })
    }

    /// The same with another store, clock or source of randomness.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what does not fit.
    pub fn fork(&self, config: Config, options: Options) -> Result<Self, StartError> {
        Ok(Self { started_at: self.started_at, ..Self::new(config, options)? })
    }

    /// The configuration in use; its provisioners are in [`Authority::provisioners`].
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Who may ask for certificates.
    #[must_use]
    pub fn provisioners(&self) -> &Collection {
        &self.provisioners
    }

    /// The OIDs of the grant extensions.
    #[must_use]
    pub fn grant_oids(&self) -> &GrantOids {
        &self.grant_oids
    }

    /// Where tokens and certificates are recorded.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.options.store
    }

    /// The provisioner that a token says it is for, if there is one; nothing of the token is verified.
    #[must_use]
    pub fn named_provisioner(&self, token: &str) -> Option<String> {
        let token = UnverifiedToken::parse(token).ok()?;
        Some(self.provisioners.find(&token.lookup())?.name().to_owned())
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.options.clock
    }

    /// The source of randomness.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.options.entropy
    }

    /// The root or federated root with this fingerprint: hexadecimal SHA-256 of its DER, case and dashes
    /// ignored (CONTRACT.md section 2).
    #[must_use]
    pub fn root(&self, fingerprint: &str) -> Option<&Arc<Certificate>> {
        let wanted = fingerprint.replace('-', "");
        let wanted = hex::decode(&wanted)?;
        let mut roots = self.config.roots.iter().chain(&self.config.federated_roots);
        roots.find(|root| root.fingerprint()[..] == wanted)
    }
}

/// The intermediates, and the roots of the last one's issuer by name and key identifier.
fn issuing_chain(config: &Config) -> Vec<Arc<Certificate>> {
    let mut chain = config.intermediates.clone();
    if let Some(last) = config.intermediates.last() {
        let above = config.roots.iter().filter(|root| {
            root.subject_der() == last.issuer_der() && root.subject_key_id() == last.authority_key_id()
        });
        chain.extend(above.cloned());
    }
    chain
}

/// A CRL is signed with the issuing key: its certificate has to allow that (RFC 5280 §4.2.1.3).
fn check_crl_issuer(issuer: &Certificate) -> Result<(), StartError> {
    match issuer.key_usage() {
        Some(usage) if !usage.contains(KeyUsage::CRL_SIGN) => Err(StartError::CrlIssuer),
        _ => Ok(()),
    }
}
