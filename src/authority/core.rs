//! The authority: configuration, provisioners, store and key together.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::authority::approval;
use crate::authority::error::Error;
use crate::authority::error::StartError;
use crate::authority::grant;
use crate::authority::grant::Grant;
use crate::authority::issue::Issued;
use crate::authority::renew::RenewError;
use crate::authority::renew::check_state;
use crate::authority::request::Request;
use crate::authority::request::TimeDuration;
use crate::authority::trail::Trail;
use crate::authority::validity;
use crate::authority::validity::Validity;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::entropy::Entropy;
use crate::hex;
use crate::profile::Draft;
use crate::profile::GrantOids;
use crate::profile::Issuance;
use crate::provisioner::Collection;
use crate::provisioner::DraftRequest;
use crate::provisioner::Provisioner;
use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Renewed;
use crate::store::SpentToken;
use crate::store::Store;
use crate::store::TokenKey;
use crate::token::UnverifiedToken;
use crate::token::VerifiedToken;
use crate::token::audience::Audiences;
use crate::token::audience::Purpose;
use crate::wire::SignRequest;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::pem;
use crate::x509::serial::SerialNumber;
use crate::x509::tbs;

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
    intermediates_pem: Vec<String>,
    /// Whom certificates of TLS clients have to lead to: roots and intermediates.
    pub(super) client_anchors: Vec<Arc<Certificate>>,
    /// Whose name constraints count: the issuer, the rest of its chain, and the roots above that.
    pub(super) issuing_chain: Vec<Arc<Certificate>>,
    started_at: OffsetDateTime,
    pub(super) options: Options,
    /// Whose turn it is to issue a CRL; shared with the authority that takes this one's place.
    pub(super) crl_turn: Arc<Mutex<()>>,
}

/// Tells by a provisioner's name whether it may have another certificate now, or how long it has to wait.
pub type Admit<'a> = &'a (dyn Fn(&str) -> Result<(), Duration> + Sync);

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

    /// Signs a certification request and returns what step-ca would answer.
    ///
    /// The token is spent as soon as it is verified, whatever happens afterwards, and a certificate leaves
    /// only once it and the token's use are recorded in one transaction. A refusal is in the audit log before it is
    /// answered.
    ///
    /// # Errors
    ///
    /// [`Error`] tells the rule that the request broke; its `code` is stable.
    pub async fn sign(&self, body: SignRequest, request_id: &str) -> Result<(Issued, SignResponse), Error> {
        self.sign_if(body, request_id, &|_| Ok(())).await
    }

    /// The same unless `admit` says that the token's provisioner has to wait.
    ///
    /// It is asked when the token holds and is not spent yet, so that the same request can be made again.
    ///
    /// # Errors
    ///
    /// As for [`sign`](Self::sign), and [`Error::Throttled`].
    pub async fn sign_if(
        &self,
        body: SignRequest,
        request_id: &str,
        admit: Admit<'_>,
    ) -> Result<(Issued, SignResponse), Error> {
        let now = self.options.clock.now();
        let mut trail = Trail::new(request_id, now);
        let result = self.sign_at(now, body, request_id, admit, &mut trail).await;
        self.audited(&trail, result).await
    }

    async fn sign_at(
        &self,
        now: OffsetDateTime,
        body: SignRequest,
        request_id: &str,
        admit: Admit<'_>,
        trail: &mut Trail,
    ) -> Result<(Issued, SignResponse), Error> {
        let request = Request::read(body)?;
        let (provisioner, token) = self.verify(&request.ott, Purpose::Sign, now, trail)?;
        admit(provisioner.name())
            .map_err(|wait| Error::Throttled { provisioner: provisioner.name().to_owned(), wait })?;
        let result = self.issue(&request, provisioner, &token, now, request_id);
        let spent = SpentToken {
            key: TokenKey(token.reuse_key()),
            expires_at: token.spendable_until(),
            issued_at: token.issued_at(),
        };
        let issued = self.record(trail, Some(spent), None, result).await?;
        let response = self.response(&issued.der);
        Ok((issued, response))
    }

    /// Records what has come of a request, and hands the certificate out only if that worked.
    ///
    /// One transaction decides who was first, also for a request that is refused: a used token answers as such
    /// whatever else is wrong with the request. `renewed` must not have been revoked meanwhile.
    pub(super) async fn record(
        &self,
        trail: &mut Trail,
        token: Option<SpentToken>,
        renewed: Option<Renewed>,
        result: Result<(Issued, CertificateRecord), Error>,
    ) -> Result<Issued, Error> {
        let (result, commit) = match result {
            Ok((issued, record)) => {
                (Ok(issued), Commit { token, renewed, certificate: Some(record), ..Commit::default() })
            }
            Err(refusal) => {
                let event = Some(trail.refusal(&refusal));
                (Err(refusal), Commit { token, event, ..Commit::default() })
            }
        };
        match self.options.store.commit(commit).await? {
            Outcome::Recorded => {
                trail.refusal_recorded = result.is_err();
                result
            }
            Outcome::TokenAlreadySpent => Err(Error::Replayed),
            Outcome::AlreadyRevoked => Err(Error::Renew(RenewError::Revoked)),
            Outcome::SerialExists => Err(Error::SerialExists),
        }
    }

    /// Finds the provisioner and verifies the token for it.
    pub(super) fn verify(
        &self,
        ott: &str,
        purpose: Purpose,
        now: OffsetDateTime,
        trail: &mut Trail,
    ) -> Result<(&Arc<Provisioner>, VerifiedToken), Error> {
        let token = UnverifiedToken::parse(ott)?;
        let provisioner = self.provisioner_named_by(&token)?;
        trail.names(provisioner);
        let token = self.verify_for(provisioner, token, purpose, now)?;
        trail.proves(provisioner, token.subject(), grant::of_claims(token.claims()));
        Ok((provisioner, token))
    }

    /// The provisioner that a token names, if it works.
    pub(super) fn provisioner_named_by(&self, token: &UnverifiedToken) -> Result<&Arc<Provisioner>, Error> {
        let provisioner = self.provisioners.find(&token.lookup()).ok_or(Error::UnknownProvisioner)?;
        check_state(provisioner).map_err(|disabled| match token.is_for(&self.audiences) {
            true => disabled,
            false => Error::UnknownProvisioner,
        })?;
        Ok(provisioner)
    }

    pub(super) fn verify_for(
        &self,
        provisioner: &Provisioner,
        token: UnverifiedToken,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> Result<VerifiedToken, Error> {
        let started_at = (!self.config.ca.disable_issued_at_check).then_some(self.started_at);
        Ok(provisioner.verify(token, purpose, &self.audiences, now, started_at)?)
    }

    /// Everything after the token: CSR, draft, grant rule, validity, approval, signature.
    fn issue(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
        now: OffsetDateTime,
        request_id: &str,
    ) -> Result<(Issued, CertificateRecord), Error> {
        let binding = provisioner.check_request(token, &request.csr)?;
        let draft = self.draft(request, provisioner, token)?;
        let grant = grant::check(&draft, token.claims(), binding, &self.grant_oids)?;
        let validity = self.validity(request, provisioner, token, &draft, now)?;
        let approved = approval::approve(draft, &self.issuing_chain, self.config.ca.policy.as_ref())?;
        let serial = match &approved.draft().serial_number {
            Some(serial) => serial.clone(),
            None => SerialNumber::random(&*self.options.entropy)?,
        };
        let extra = Vec::from_iter(provisioner.provisioner_extension());
        let der = self.sign_draft(approved.draft(), &serial, validity, request.csr.public_key(), &extra)?;
        let record = CertificateRecord {
            serial: serial.clone(),
            der: der.clone(),
            not_before: validity.not_before.unix_timestamp(),
            not_after: validity.not_after.unix_timestamp(),
            subject: token.subject().to_owned(),
            provisioner: provisioner.name().to_owned(),
            provisioner_id: provisioner.id().to_owned(),
            grant_id: grant.as_ref().map(|g: &Grant| g.grant_id.clone()),
            subject_user_id: grant.as_ref().map(|g| g.subject_user_id.clone()),
            issued_at: now.unix_timestamp(),
            request_id: request_id.to_owned(),
        };
        let issued = Issued {
            der,
            serial_number: serial.to_string(),
            subject: token.subject().to_owned(),
            token_id: Some(token.id()),
            names: token.claims().names().into_iter().map(str::to_owned).collect(),
            provisioner: provisioner.name().to_owned(),
            grant,
            not_before: validity.not_before,
            not_after: validity.not_after,
        };
        Ok((issued, record))
    }

    pub(super) fn validity(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
        draft: &Draft,
        now: OffsetDateTime,
    ) -> Result<Validity, Error> {
        let wishes = (
            request.not_before.or(draft.not_before.map(TimeDuration::Instant)),
            request.not_after.or(draft.not_after.map(TimeDuration::Instant)),
        );
        let window = token.certificate().map(|c| (c.not_before(), c.not_after()));
        Ok(validity::settle(now, wishes, provisioner.claims(), self.config.ca.backdate, window)?)
    }

    pub(super) fn draft(
        &self,
        request: &Request,
        provisioner: &Provisioner,
        token: &VerifiedToken,
    ) -> Result<Draft, Error> {
        let drawn = provisioner.draft(&DraftRequest {
            claims: token.claims(),
            subject: token.subject(),
            csr: &request.csr,
            authorization: token.certificate(),
            user_data: request.template_data.as_ref(),
            clock: &*self.options.clock,
            entropy: &*self.options.entropy,
        });
        if drawn.is_err() && provisioner.template_names_grants() {
            grant::check_claims(token.claims())?;
        }
        let mut draft = drawn?;
        draft.subject.fill_missing(&self.config.ca.default_subject);
        Ok(draft)
    }

    pub(super) fn sign_draft(
        &self,
        draft: &Draft,
        serial: &SerialNumber,
        validity: Validity,
        public_key: &PublicKey,
        extra_extensions: &[Extension],
    ) -> Result<Vec<u8>, Error> {
        let algorithm = draft.signature_algorithm.unwrap_or(self.algorithm);
        let tbs = draft.to_be_signed(&Issuance {
            issuer: self.config.issuer(),
            public_key,
            serial_number: serial,
            not_before: validity.not_before,
            not_after: validity.not_after,
            signature_algorithm: algorithm,
            extra_extensions,
        })?;
        self.sign_tbs(&tbs, algorithm)
    }

    pub(super) fn sign_tbs(&self, tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
        tbs::sign(tbs, &self.config.key, algorithm).map_err(|error| Error::Signing(error.to_string()))
    }

    /// The answer of `/sign` for a certificate of this authority.
    pub(super) fn response(&self, der: &[u8]) -> SignResponse {
        let crt = pem::encode("CERTIFICATE", der);
        let mut cert_chain = vec![crt.clone()];
        cert_chain.extend(self.intermediates_pem.iter().cloned());
        SignResponse {
            crt,
            ca: self.intermediates_pem.first().cloned().unwrap_or_default(),
            cert_chain,
            tls_options: Some(self.config.ca.tls.clone()),
        }
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
