//! Client certificates in the handshake: asked for, not demanded, and verified if given (CONTRACT.md section 1).
//!
//! What a certificate is worth the authority says; here it is put into rustls's words. Signatures are checked by the
//! crypto room, because ring has no P-521.

use std::sync::Arc;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::PeerMisbehaved;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;

use crate::authority::Authority;
use crate::authority::ClientCertificateError;
use crate::crypto::KeyKind;
use crate::crypto::SignatureAlgorithm;
use crate::x509::certificate::Certificate;
use crate::x509::path;

/// Asks the authority about certificates of clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    authority: Arc<Authority>,
    /// Clients with several certificates choose by it.
    issuers: Vec<DistinguishedName>,
}

impl ClientVerifier {
    pub(super) fn new(authority: Arc<Authority>) -> Self {
        let issuers = authority.client_issuers().map(|name| name.to_vec().into()).collect();
        Self { authority, issuers }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.issuers
    }

    /// The time is the authority's; `now`, the system's, is not looked at.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<&[u8]> =
            std::iter::once(end_entity).chain(intermediates).map(CertificateDer::as_ref).collect();
        match self.authority.verify_client(chain.into_iter()) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                tracing::info!(%error, "client certificate refused");
                Err(Error::InvalidCertificate(alert(&error, &self.authority)))
            }
        }
    }

    /// In TLS 1.2 a scheme says nothing about the curve (RFC 8422 section 5.1.1).
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, algorithm, _) = scheme(signed.scheme)?;
        verify_signature(message, certificate, signed, algorithm, None)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, algorithm, version_13) = scheme(signed.scheme)?;
        let Some(kind) = version_13 else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        verify_signature(message, certificate, signed, algorithm, Some(kind))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.iter().map(|(scheme, ..)| *scheme).collect()
    }
}

/// A scheme, its algorithm, and the kind of key that it goes with in TLS 1.3; `None` for TLS 1.2 alone.
type Scheme = (SignatureScheme, SignatureAlgorithm, Option<KeyKind>);

/// In order of preference.
const SCHEMES: [Scheme; 10] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, SignatureAlgorithm::EcdsaSha256, Some(KeyKind::P256)),
    (SignatureScheme::ECDSA_NISTP384_SHA384, SignatureAlgorithm::EcdsaSha384, Some(KeyKind::P384)),
    (SignatureScheme::ECDSA_NISTP521_SHA512, SignatureAlgorithm::EcdsaSha512, Some(KeyKind::P521)),
    (SignatureScheme::ED25519, SignatureAlgorithm::Ed25519, Some(KeyKind::Ed25519)),
    (SignatureScheme::RSA_PSS_SHA256, SignatureAlgorithm::RsaPssSha256, Some(KeyKind::Rsa)),
    (SignatureScheme::RSA_PSS_SHA384, SignatureAlgorithm::RsaPssSha384, Some(KeyKind::Rsa)),
    (SignatureScheme::RSA_PSS_SHA512, SignatureAlgorithm::RsaPssSha512, Some(KeyKind::Rsa)),
    (SignatureScheme::RSA_PKCS1_SHA256, SignatureAlgorithm::RsaSha256, None),
    (SignatureScheme::RSA_PKCS1_SHA384, SignatureAlgorithm::RsaSha384, None),
    (SignatureScheme::RSA_PKCS1_SHA512, SignatureAlgorithm::RsaSha512, None),
];

fn scheme(scheme: SignatureScheme) -> Result<Scheme, Error> {
    let known = SCHEMES.into_iter().find(|(known, ..)| *known == scheme);
    known.ok_or_else(|| PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
}

fn verify_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithm: SignatureAlgorithm,
    kind: Option<KeyKind>,
) -> Result<HandshakeSignatureValid, Error> {
    let refused = |error| Error::InvalidCertificate(error);
    let certificate = Certificate::parse(certificate).map_err(|_| refused(CertificateError::BadEncoding))?;
    let key = certificate.public_key().map_err(|_| refused(CertificateError::BadEncoding))?;
    if kind.is_some_and(|kind| kind != key.kind()) {
        return Err(refused(CertificateError::BadSignature));
    }
    key.verify(algorithm, message, signed.signature())
        .map(|()| HandshakeSignatureValid::assertion())
        .map_err(|_| refused(CertificateError::BadSignature))
}

/// What decides about the alert that the client gets.
fn alert(error: &ClientCertificateError, authority: &Authority) -> CertificateError {
    let ClientCertificateError::Path(error) = error else { return CertificateError::BadEncoding };
    match error {
        path::Error::Validity { not_before, .. } if authority.clock().now() < *not_before => {
            CertificateError::NotValidYet
        }
        path::Error::Validity { .. } => CertificateError::Expired,
        path::Error::Usage(_) => CertificateError::InvalidPurpose,
        path::Error::CriticalExtension(_) => CertificateError::UnhandledCriticalExtension,
        _ => CertificateError::UnknownIssuer,
    }
}
