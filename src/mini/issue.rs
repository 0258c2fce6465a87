//! Certificates in process: key, request, token, signature, without a socket.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use time::Duration;
use zeroize::Zeroizing;

use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::duration::format_rfc3339;
use crate::mini::Error;
use crate::mini::core::Core;
use crate::mini::defect::Defect;
use crate::mini::token::TokenBuilder;
use crate::wire::SignRequest;
use crate::x509::certificate::Certificate;
use crate::x509::name::Subject;
use crate::x509::pem;
use crate::x509::request;
use crate::x509::san;

/// A key with a certification request.
#[derive(Debug)]
pub struct NewCsr {
    key: PrivateKey,
    pem: String,
}

impl NewCsr {
    pub(super) fn new(
        core: &Core,
        kind: KeyKind,
        common_name: &str,
        names: &[String],
    ) -> Result<Self, Error> {
        let key = PrivateKey::generate(kind, &*core.source)?;
        let names = san::classify_all(names.iter().map(String::as_str));
        let der = request::create(&key, &Subject::from_common_name(common_name), &names)?;
        Ok(Self { key, pem: pem::encode("CERTIFICATE REQUEST", &der) })
    }

    /// The request.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Its key in PEM, PKCS#8.
    ///
    /// # Errors
    ///
    /// [`Error::Key`], which holds for no key made here.
    pub fn key_pem(&self) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(pem::encode("PRIVATE KEY", &self.key.to_pkcs8_der()?)))
    }
}

/// A certificate to be. Ends with [`sign`](Self::sign).
///
/// It takes the way of any request: a token is minted for a fresh key and spent, and provisioner, template, grant rule
/// and policy have their say.
///
/// # Examples
///
/// ```
/// use stepless::mini::{Defect, MiniCa};
///
/// let ca = MiniCa::builder().build()?;
/// let leaf = ca.issue("db.example").names(["db.example", "127.0.0.1"]).sign()?;
/// assert_eq!(leaf.chain_der().len(), 2);
///
/// let stale = ca.issue("db.example").expired().sign()?;
/// assert!(stale.certificate().not_after() < ca.clock().now());
/// let stolen = ca.issue("db.example").with(Defect::OtherKey).sign()?;
/// # drop(stolen);
/// # Ok::<(), stepless::mini::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a certificate is issued by `sign`"]
pub struct IssueBuilder<'a> {
    core: &'a Core,
    subject: String,
    names: Vec<String>,
    token: TokenBuilder<'a>,
    kind: KeyKind,
    valid_for: Option<Duration>,
    defect: Option<Defect>,
}

impl<'a> IssueBuilder<'a> {
    pub(super) fn new(core: &'a Core, url: String, subject: &str) -> Self {
        Self {
            core,
            subject: subject.to_owned(),
            names: vec![subject.to_owned()],
            token: TokenBuilder::new(core, url, subject),
            kind: KeyKind::P256,
            valid_for: None,
            defect: None,
        }
    }

    /// The alternative names: DNS names, addresses, mailboxes, URIs. Without them it is the subject alone.
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Makes it a grant certificate with these ids, UUIDs of 36 characters.
    pub fn grant(mut self, grant_id: &str, subject_user_id: &str) -> Self {
        self.token = self.token.grant(grant_id, subject_user_id);
        self
    }

    /// Adds a claim to the token, for a template.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.token = self.token.claim(name, value);
        self
    }

    /// Asks this provisioner; see [`TokenBuilder::provisioner`].
    pub fn provisioner(mut self, name: &str) -> Self {
        self.token = self.token.provisioner(name);
        self
    }

    /// The kind of the key; P-256 unless told.
    pub fn key_kind(mut self, kind: KeyKind) -> Self {
        self.kind = kind;
        self
    }

    /// How long it shall be valid from now, within what the provisioner allows.
    pub fn valid_for(mut self, duration: Duration) -> Self {
        self.valid_for = Some(duration);
        self
    }

    /// Makes what is handed out wrong in this way. The CA has the right certificate on record.
    pub fn with(mut self, defect: Defect) -> Self {
        self.defect = Some(defect);
        self
    }

    /// Makes what is handed out one that has [expired](Defect::Expired).
    pub fn expired(self) -> Self {
        self.with(Defect::Expired)
    }

    /// Issues it.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the authority's reason; [`Error::NoProvisioner`].
    pub fn sign(self) -> Result<Leaf, Error> {
        let csr = NewCsr::new(self.core, self.kind, &self.subject, &self.names)?;
        let token = self.token.sans(self.names).bound_to(&csr.pem).mint()?;
        let end = self.valid_for.map(|duration| format_rfc3339(self.core.clock.now() + duration));
        let request =
            SignRequest { csr: Some(csr.pem), ott: Some(token), not_after: end, ..SignRequest::default() };
        let answer = self.core.sign(request)?;
        let block = pem::decode_first(&answer.crt).ok_or(Error::Tls("no certificate".to_owned()))?;
        let certificate = Certificate::parse(&block.content)?;
        let issuer = Certificate::clone(&self.core.plan.intermediate);
        let (certificate, issuer) = match self.defect {
            None => (certificate, issuer),
            Some(defect) => {
                let spoilt = defect.spoil(&certificate, self.core)?;
                (Certificate::parse(&spoilt.der)?, spoilt.issuer.unwrap_or(issuer))
            }
        };
        Ok(Leaf { certificate, issuer, pkcs8: csr.key.to_pkcs8_der()? })
    }
}

/// A certificate with its key, and the intermediate that leads to the root.
pub struct Leaf {
    certificate: Certificate,
    issuer: Certificate,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").field("serial", &self.serial()).finish_non_exhaustive()
    }
}

impl Leaf {
    /// The certificate, read.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The serial number in decimal.
    #[must_use]
    pub fn serial(&self) -> String {
        self.certificate.serial_number().to_string()
    }

    /// The certificate for rustls.
    #[must_use]
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.certificate.der().to_vec())
    }

    /// The certificate and the intermediate for rustls.
    #[must_use]
    pub fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate_der(), CertificateDer::from(self.issuer.der().to_vec())]
    }

    /// The key for rustls.
    #[must_use]
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()).into()
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn cert_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The certificate and the intermediate in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.certificate.to_pem() + &self.issuer.to_pem()
    }

    /// The key in PEM, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode("PRIVATE KEY", &self.pkcs8))
    }
}
