//! Hierarchies that no authority here has made: certificates of any profile, with their keys.

use std::sync::Arc;

use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::extension::BasicConstraints;
use stepless::x509::extension::Extension;
use stepless::x509::extension::KeyUsage;
use stepless::x509::name::Subject;
use stepless::x509::oid;
use stepless::x509::pem;
use stepless::x509::san::San;
use stepless::x509::serial::SerialNumber;
use stepless::x509::tbs;
use stepless::x509::tbs::TbsCertificate;
use time::Duration;
use time::OffsetDateTime;

use super::local::Local;
use super::token;

/// A certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) certificate: Arc<Certificate>,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) common_name: String,
    pub(crate) kind: KeyKind,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    pub(crate) extensions: Vec<Extension>,
}

impl Plan {
    /// A CA for a year, from an hour ago.
    pub(crate) fn ca(common_name: &str) -> Self {
        let extensions = vec![
            KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN).to_extension(),
            BasicConstraints { is_ca: true, path_length: None }.to_extension(),
        ];
        Self::new(common_name, Duration::days(365), extensions)
    }

    /// An end entity for an hour, from an hour ago, with the usages of one that step-ca issues.
    pub(crate) fn end_entity(common_name: &str) -> Self {
        let name = San::Dns(common_name.to_owned()).to_general_name().unwrap();
        let extensions = vec![
            KeyUsage::DIGITAL_SIGNATURE.to_extension(),
            extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
            extension::subject_alt_name(&[name], false),
        ];
        Self::new(common_name, Duration::HOUR, extensions)
    }

    fn new(common_name: &str, length: Duration, extensions: Vec<Extension>) -> Self {
        let now = OffsetDateTime::from_unix_timestamp(token::now()).unwrap();
        let (not_before, not_after) = (now - Duration::HOUR, now + length);
        Self { common_name: common_name.to_owned(), kind: KeyKind::P256, not_before, not_after, extensions }
    }

    pub(crate) fn kind(self, kind: KeyKind) -> Self {
        Self { kind, ..self }
    }

    /// From and to as seconds from now.
    pub(crate) fn valid(self, from: i64, to: i64) -> Self {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(token::now() + seconds).unwrap();
        Self { not_before: at(from), not_after: at(to), ..self }
    }

    /// With this extension, in place of one of its kind.
    pub(crate) fn with(mut self, extension: Extension) -> Self {
        self = self.without(&extension.oid);
        self.extensions.push(extension);
        self
    }

    pub(crate) fn without(mut self, oid: &oid::Oid) -> Self {
        self.extensions.retain(|extension| extension.oid != *oid);
        self
    }
}

impl Entity {
    /// One that signs itself.
    pub(crate) fn root(plan: Plan) -> Self {
        Self::make(None, plan)
    }

    /// One below this.
    pub(crate) fn issue(&self, plan: Plan) -> Self {
        Self::make(Some(self), plan)
    }

    /// The issuer of an authority.
    pub(crate) fn issuer_of(local: &Local) -> Self {
        let config = local.authority.config();
        Self { key: Arc::clone(&config.key), certificate: Arc::clone(config.issuer()) }
    }

    /// Another certificate for the key of this.
    pub(crate) fn again(&self, issuer: Option<&Self>, plan: Plan) -> Self {
        Self::certify(issuer, plan, Arc::clone(&self.key))
    }

    fn make(issuer: Option<&Self>, plan: Plan) -> Self {
        let key = match plan.kind {
            KeyKind::Rsa => {
                let block = pem::Blocks::new(include_bytes!("../data/crypto/rsa_2048.pem")).next().unwrap();
                PrivateKey::from_pkcs8_der(&block.content).unwrap()
            }
            kind => PrivateKey::generate(kind, &SystemEntropy::new()).unwrap(),
        };
        Self::certify(issuer, plan, Arc::new(key))
    }

    fn certify(issuer: Option<&Self>, plan: Plan, key: Arc<PrivateKey>) -> Self {
        let subject = Subject::from_common_name(&plan.common_name).to_der().unwrap();
        let mut extensions = plan.extensions;
        if !extensions.iter().any(|extension| extension.oid == oid::SUBJECT_KEY_IDENTIFIER) {
            extensions.push(extension::subject_key_identifier(&tbs::key_identifier(key.public_key())));
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        if let Some(identifier) = issuer.and_then(|issuer| issuer.certificate.subject_key_id()) {
            extensions.push(extension::authority_key_identifier(identifier));
        }
        let algorithm = signer.default_algorithm();
        let tbs = TbsCertificate {
            serial_number: &SerialNumber::random(&SystemEntropy::new()).unwrap(),
            signature_algorithm: algorithm,
            issuer: issuer.map_or(&subject, |issuer| issuer.certificate.subject_der()),
            not_before: plan.not_before,
            not_after: plan.not_after,
            subject: &subject,
            public_key: key.public_key(),
            extensions: &extensions,
        };
        let tbs = tbs.to_der().unwrap();
        let der = tbs::assemble(&tbs, algorithm, &signer.sign(algorithm, &tbs).unwrap());
        Self { key, certificate: Arc::new(Certificate::parse(&der).unwrap()) }
    }
}
