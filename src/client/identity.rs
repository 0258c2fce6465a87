//! The client's own certificate and key, for TLS and for renew tokens.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureAlgorithm as TlsAlgorithm;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::sign::Signer;
use rustls::sign::SigningKey;
use serde_json::Value;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::crypto;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::crypto::SignatureAlgorithm;
use crate::entropy::Entropy;
use crate::jose::JwsAlgorithm;
use crate::jose::base64url;
use crate::signer::key_file;
use crate::token::mint::LIFETIME;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

/// An identity that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no certificate.
    #[error("there is no certificate")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate cannot be read: {0}")]
    Certificate(String),
    /// The key cannot be read.
    #[error("{0}")]
    KeyFile(String),
    /// The certificate is for another key.
    #[error("the key is not that of the certificate")]
    OtherKey,
    /// The key does not sign.
    #[error("the key cannot sign: {0}")]
    Key(#[from] crypto::Error),
    /// No random bytes for the `jti`.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::Unavailable),
}

/// A certificate with what leads to the root, and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    own: Certificate,
    intermediates: Vec<Certificate>,
    key: Arc<PrivateKey>,
}

impl Identity {
    /// Takes a chain, the client's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoCertificate`] or [`IdentityError::OtherKey`].
    pub fn new(chain: Vec<Certificate>, key: PrivateKey) -> Result<Self, IdentityError> {
        let mut chain = chain.into_iter();
        let own = chain.next().ok_or(IdentityError::NoCertificate)?;
        if own.spki_der() != key.public_key().spki_der() {
            return Err(IdentityError::OtherKey);
        }
        Ok(Self { own, intermediates: chain.collect(), key: Arc::new(key) })
    }

    /// The same from PEM: the client's own certificate and its intermediates, and the key in any form of
    /// CONTRACT.md section 11 that needs no password.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] for what cannot be read or does not fit.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let blocks = pem::Blocks::new(chain_pem.as_bytes()).filter(|block| block.label == "CERTIFICATE");
        let chain = blocks.map(|block| Certificate::parse(&block.content)).collect::<Result<_, _>>();
        let chain = chain.map_err(|error| IdentityError::Certificate(error.to_string()))?;
        let key = key_file::decode(key_pem.as_bytes(), None, "the key");
        Self::new(chain, key.map_err(|error| IdentityError::KeyFile(error.to_string()))?)
    }

    /// The client's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.own
    }

    /// A token that asks to renew the certificate, also when it has expired (CONTRACT.md section 8).
    ///
    /// `intermediates` complete the chain to the root if the identity holds the certificate alone.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if there is no randomness or the key cannot sign.
    pub fn renew_token(
        &self,
        audience: &str,
        intermediates: &[Certificate],
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<String>, IdentityError> {
        let more = if self.intermediates.is_empty() { intermediates } else { &self.intermediates };
        let chain = std::iter::once(&self.own).chain(more);
        let chain: Vec<Value> = chain.map(|certificate| STANDARD.encode(certificate.der()).into()).collect();
        let mut id = [0; 32];
        entropy.fill(&mut id)?;
        let now = now.unix_timestamp();
        let algorithm = JwsAlgorithm::default_for(self.key.kind());
        let header = serde_json::json!({ "alg": algorithm.name(), "typ": "JWT", "x5cInsecure": chain });
        let claims = serde_json::json!({
            "iss": "step-ca-client/1.0",
            "aud": audience,
            "sub": self.own.common_name().unwrap_or_default(),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "jti": base64url::encode(&id),
        });
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let mut token = Zeroizing::new(format!("{}.{}", part(&header), part(&claims)));
        let signature = self.key.sign_fixed(own_algorithm(self.key.kind()), token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url::encode(&signature));
        Ok(token)
    }

    /// What rustls shows to a server that asks for a certificate.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        let chain = std::iter::once(&self.own).chain(&self.intermediates);
        let chain = chain.map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
        let key = Arc::new(TlsKey(Arc::clone(&self.key)));
        Arc::new(Always(Arc::new(CertifiedKey::new(chain, key))))
    }
}

/// The algorithm of the key's kind in JOSE (RFC 7518 section 3.1).
fn own_algorithm(kind: KeyKind) -> SignatureAlgorithm {
    match kind {
        KeyKind::Rsa => SignatureAlgorithm::RsaSha256,
        KeyKind::P256 => SignatureAlgorithm::EcdsaSha256,
        KeyKind::P384 => SignatureAlgorithm::EcdsaSha384,
        KeyKind::P521 => SignatureAlgorithm::EcdsaSha512,
        KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
    }
}

/// One certificate, whichever issuers the server names.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Signs handshakes with our own keys: ring has no P-521.
#[derive(Debug)]
struct TlsKey(Arc<PrivateKey>);

#[derive(Debug)]
struct TlsSigner {
    key: Arc<PrivateKey>,
    scheme: SignatureScheme,
    algorithm: SignatureAlgorithm,
}

impl TlsKey {
    /// What the key can do, the best first (RFC 8446 section 4.2.3).
    fn schemes(&self) -> &'static [(SignatureScheme, SignatureAlgorithm)] {
        match self.0.kind() {
            KeyKind::Rsa => &[
                (SignatureScheme::RSA_PSS_SHA256, SignatureAlgorithm::RsaPssSha256),
                (SignatureScheme::RSA_PKCS1_SHA256, SignatureAlgorithm::RsaSha256),
            ],
            KeyKind::P256 => &[(SignatureScheme::ECDSA_NISTP256_SHA256, SignatureAlgorithm::EcdsaSha256)],
            KeyKind::P384 => &[(SignatureScheme::ECDSA_NISTP384_SHA384, SignatureAlgorithm::EcdsaSha384)],
            KeyKind::P521 => &[(SignatureScheme::ECDSA_NISTP521_SHA512, SignatureAlgorithm::EcdsaSha512)],
            KeyKind::Ed25519 => &[(SignatureScheme::ED25519, SignatureAlgorithm::Ed25519)],
        }
    }
}

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let &(scheme, algorithm) = self.schemes().iter().find(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(TlsSigner { key: Arc::clone(&self.0), scheme, algorithm }))
    }

    fn algorithm(&self) -> TlsAlgorithm {
        match self.0.kind() {
            KeyKind::Rsa => TlsAlgorithm::RSA,
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => TlsAlgorithm::ECDSA,
            KeyKind::Ed25519 => TlsAlgorithm::ED25519,
        }
    }
}

impl Signer for TlsSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.key.sign(self.algorithm, message).map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
