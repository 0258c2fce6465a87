//! What a gateway calls: a certificate for a grant, checked before it is handed out.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::client::AnswerError;
use crate::client::Api;
use crate::client::CaClientError;
use crate::client::Expected;
use crate::client::Identity;
use crate::client::Received;
use crate::client::Settings;
use crate::client::provisioner;
use crate::client::retry::Effect;
use crate::crypto::PublicKey;
use crate::profile::GRANT_ID;
use crate::profile::SUBJECT_USER_ID;
use crate::token::mint::NewToken;
use crate::wire::HealthResponse;
use crate::wire::RekeyRequest;
use crate::wire::RevokeRequest;
use crate::wire::SignRequest;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::oid::Oid;
use crate::x509::pem;

/// The certificate that a gateway wants.
#[derive(Debug, Clone)]
pub struct IssueCertRequest {
    /// The certification request, PKCS#10 as one PEM block. Its names become those of the certificate.
    pub csr_pem: String,
    /// The grant's id.
    pub grant_id: Uuid,
    /// The id of the user that the grant is for.
    pub subject_user_id: Uuid,
    /// How long the certificate shall live, in whole seconds; what the provisioner gives if absent.
    pub ttl: Option<Duration>,
}

/// A certificate that is what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedCert {
    /// The certificate as PEM.
    pub cert_pem: String,
    /// The certificate and the intermediates as PEM, as far as the authority sent them; never the root.
    pub cert_chain_pem: String,
    /// The serial number in decimal digits, as `/revoke` takes it.
    pub serial: String,
    /// The last second of the validity.
    pub not_after: OffsetDateTime,
}

/// A client of one authority, with the key of one of its provisioners.
///
/// Trusts the pinned root and nothing else. Each call is one connection; what is safe to try again is tried again
/// ([`Retry`](crate::client::Retry)).
///
/// ```no_run
/// # async fn issue(csr_pem: String, grant_id: uuid::Uuid, user_id: uuid::Uuid) -> Result<(), stepless::client::CaClientError> {
/// use stepless::client::{CaClient, IssueCertRequest};
///
/// let client = CaClient::from_env()?;
/// let request = IssueCertRequest { csr_pem, grant_id, subject_user_id: user_id, ttl: None };
/// let issued = client.issue_cert(&request).await?;
/// println!("{} until {}", issued.serial, issued.not_after);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CaClient {
    settings: Settings,
    api: Api,
    provisioner: OnceCell<String>,
}

impl CaClient {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`CaClientError::Call`] if the URL is not `https://host[:port]`.
    pub fn new(settings: Settings) -> Result<Self, CaClientError> {
        let api = Api::new(&settings.url, &settings.root_pem)?.with_patience(settings.patience);
        let provisioner = OnceCell::new_with(settings.provisioner.clone());
        Ok(Self { settings, api, provisioner })
    }

    /// A client as the environment says: `STEP_CA_URL`, `STEP_CA_ROOT_CERT_PATH`, `STEP_CA_PROVISIONER_KEY_JSON`,
    /// `STEP_CA_PROVISIONER_PASSWORD`, each also as `…_FILE`; docs/gateway.md has the table. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`CaClientError::Settings`] for what is missing or cannot be used, [`CaClientError::Call`] for a wrong URL.
    pub fn from_env() -> Result<Self, CaClientError> {
        Self::new(Settings::from_env()?)
    }

    /// Asks for a certificate for a grant.
    ///
    /// The request is checked first, and nothing is sent if it cannot be used. The token is made for it alone
    /// (`step.sha` and `cnf`). Chain, key, names, validity and both grant extensions of the answer are checked.
    ///
    /// # Errors
    ///
    /// [`CaClientError`]; then there is no certificate, whatever the authority sent.
    pub async fn issue_cert(&self, request: &IssueCertRequest) -> Result<IssuedCert, CaClientError> {
        let csr = read_csr(&request.csr_pem)?;
        let names = csr.names();
        let Some(subject) =
            csr.common_name().filter(|name| !name.is_empty()).or(names.first().map(String::as_str))
        else {
            return Err(CaClientError::Csr("it has neither a common name nor a subjectAltName".to_owned()));
        };
        let names = if names.is_empty() { vec![subject.to_owned()] } else { names.clone() };
        let not_after = request.ttl.map(ttl_text).transpose()?;
        let ids = [request.grant_id, request.subject_user_id].map(|id| id.hyphenated().to_string());
        let claims = [GRANT_ID, SUBJECT_USER_ID].iter().zip(&ids);
        let claims: serde_json::Map<String, Value> =
            claims.map(|(name, id)| ((*name).to_owned(), id.as_str().into())).collect();
        let asked_at = self.settings.clock.now();
        let answer = self
            .retried(Effect::Once, async || {
                // A token is good once, whatever became of the call that carried it.
                let ott = self
                    .token(NewToken {
                        audience: self.api.audience("/1.0/sign"),
                        subject: subject.to_owned(),
                        sans: names.clone(),
                        fingerprint: Some(csr.fingerprint()),
                        claims: claims.clone(),
                        ..NewToken::default()
                    })
                    .await?;
                let request = SignRequest {
                    csr: Some(pem::encode("CERTIFICATE REQUEST", csr.der())),
                    ott: Some(ott.to_string()),
                    not_after: not_after.clone(),
                    ..SignRequest::default()
                };
                Ok(self.api.sign(&request).await?)
            })
            .await?;
        let oids = &self.settings.grant_oids;
        let [grant_id, user_id] = ids;
        let ids = [(oids.grant_id.clone(), grant_id), (oids.subject_user_id.clone(), user_id)];
        let issued = self.check(&answer, csr.public_key(), &names, &ids).await?;
        if let Some(ttl) = request.ttl {
            AnswerError::check_lifetime(asked_at, self.settings.clock.now(), ttl, issued.not_after)?;
        }
        Ok(issued)
    }

    /// Renews a certificate over TLS: same key, same names, same grant.
    ///
    /// # Errors
    ///
    /// [`CaClientError`].
    pub async fn renew(&self, identity: &Identity) -> Result<IssuedCert, CaClientError> {
        let api = self.as_identity(identity)?;
        let answer = self.retried(Effect::Once, async || Ok(api.renew().await?)).await?;
        let old = identity.certificate();
        let key = old.public_key().map_err(|error| AnswerError::Unreadable(error.to_string()))?;
        self.check_like(&answer, old, &key).await
    }

    /// Renews a certificate for the key of another request: same names, same grant.
    ///
    /// # Errors
    ///
    /// [`CaClientError`].
    pub async fn rekey(&self, identity: &Identity, csr_pem: &str) -> Result<IssuedCert, CaClientError> {
        let csr = read_csr(csr_pem)?;
        let api = self.as_identity(identity)?;
        let request = RekeyRequest { csr: Some(pem::encode("CERTIFICATE REQUEST", csr.der())) };
        let answer = self.retried(Effect::Once, async || Ok(api.rekey(&request).await?)).await?;
        self.check_like(&answer, identity.certificate(), csr.public_key()).await
    }

    /// Revokes a certificate in the provisioner's name: it will not be renewed, and the revocation list names it.
    ///
    /// `serial` is decimal, as in [`IssuedCert`]; `reason_code` is the CRLReason of RFC 5280 section 5.3.1.
    ///
    /// # Errors
    ///
    /// [`CaClientError`]; a certificate that is revoked already is a refusal with status 400.
    pub async fn revoke(&self, serial: &str, reason_code: u8, reason: &str) -> Result<(), CaClientError> {
        self.retried(Effect::Once, async || {
            let ott = self
                .token(NewToken {
                    audience: self.api.audience("/1.0/revoke"),
                    subject: serial.to_owned(),
                    ..NewToken::default()
                })
                .await?;
            let request = RevokeRequest {
                serial: Some(serial.to_owned()),
                ott: Some(ott.to_string()),
                reason_code: reason_code.into(),
                reason: reason.to_owned(),
                passive: true,
            };
            Ok(self.api.revoke(&request).await?)
        })
        .await
        .map(|_| ())
    }

    /// Whether the authority is up.
    ///
    /// # Errors
    ///
    /// [`CaClientError`].
    pub async fn health(&self) -> Result<HealthResponse, CaClientError> {
        self.retried(Effect::None, async || Ok(self.api.health().await?)).await
    }

    /// All provisioners, as the authority lists them.
    ///
    /// # Errors
    ///
    /// [`CaClientError`].
    pub async fn provisioners(&self) -> Result<Vec<Value>, CaClientError> {
        self.retried(Effect::None, async || Ok(self.api.provisioners().await?)).await
    }

    fn as_identity(&self, identity: &Identity) -> Result<Api, CaClientError> {
        let api = Api::with_identity(&self.settings.url, &self.settings.root_pem, identity)?;
        Ok(api.with_patience(self.settings.patience))
    }

    /// A token in the provisioner's name, whose name is asked for once.
    async fn token(&self, token: NewToken) -> Result<Zeroizing<String>, CaClientError> {
        let issuer = self.provisioner.get_or_try_init(async || {
            let list = self.provisioners().await?;
            provisioner::named(&list, &self.settings.key).map_err(|provisioners| {
                let key_id = provisioner::key_id(&self.settings.key);
                CaClientError::Provisioner { key_id, provisioners }
            })
        });
        let token = NewToken { issuer: issuer.await?.clone(), ..token };
        Ok(token.sign(&self.settings.key, self.settings.clock.now(), &*self.settings.entropy)?)
    }

    async fn retried<T>(
        &self,
        effect: Effect,
        call: impl AsyncFn() -> Result<T, CaClientError>,
    ) -> Result<T, CaClientError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match call().await {
                Err(CaClientError::Call(error)) => error,
                other => return other,
            };
            match self.settings.retry.wait(tried, effect, &error) {
                Some(wait) => {
                    tracing::debug!(%error, ?wait, tried, "the call is tried again");
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error.into()),
            }
        }
    }

    /// A renewed certificate has the names and the grant of the old one.
    async fn check_like(
        &self,
        answer: &SignResponse,
        old: &Certificate,
        key: &PublicKey,
    ) -> Result<IssuedCert, CaClientError> {
        let ids = Expected::ids_of(old, &self.settings.grant_oids);
        self.check(answer, key, &Expected::names_of(old), &ids).await
    }

    async fn check(
        &self,
        answer: &SignResponse,
        public_key: &PublicKey,
        names: &[String],
        ids: &[(Oid, String)],
    ) -> Result<IssuedCert, CaClientError> {
        let roots = &self.settings.roots;
        let expected = Expected { roots, public_key, names, ids, now: self.settings.clock.now() };
        let received = match expected.check(answer) {
            // The certificate alone does not lead to the root: its issuer has to be asked for.
            Err(AnswerError::Chain(_)) if answer.cert_chain.is_empty() && answer.ca.is_empty() => {
                let intermediates: Vec<String> =
                    self.retried(Effect::None, async || Ok(self.api.intermediates().await?)).await?;
                let cert_chain = [vec![answer.crt.clone()], intermediates].concat();
                let received = expected.check(&SignResponse { cert_chain, ..answer.clone() })?;
                Received { chain_pem: received.certificate_pem.clone(), ..received }
            }
            other => other?,
        };
        Ok(IssuedCert {
            serial: received.certificate.serial_number().to_string(),
            not_after: received.certificate.not_after(),
            cert_pem: received.certificate_pem,
            cert_chain_pem: received.chain_pem,
        })
    }
}

/// Reads a request as the authority will (CONTRACT.md section 5, D15).
fn read_csr(text: &str) -> Result<Csr, CaClientError> {
    let fault = |reason: &dyn std::fmt::Display| CaClientError::Csr(reason.to_string());
    let mut blocks = pem::Blocks::new(text.as_bytes());
    let block = blocks.next().ok_or_else(|| fault(&"there is no PEM block"))?;
    if blocks.next().is_some() {
        return Err(fault(&"there is more than one PEM block"));
    }
    Csr::parse(&block.content).and_then(|csr| csr.verify()).map_err(|error| fault(&error))
}

/// A time to live as the authority reads it.
fn ttl_text(ttl: Duration) -> Result<String, CaClientError> {
    // A Go duration is an int64 of nanoseconds.
    match ttl.as_secs() {
        0 => Err(CaClientError::Ttl(ttl)),
        seconds if i64::try_from(ttl.as_nanos()).is_err() => {
            Err(CaClientError::Ttl(Duration::from_secs(seconds)))
        }
        seconds => Ok(format!("{seconds}s")),
    }
}
