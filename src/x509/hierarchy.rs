//! Certificates of CAs: the profile of `step ca init` (CONTRACT.md section 11).
//!
//! Extensions: key usage keyCertSign and cRLSign, basic constraints, subject key identifier, authority key identifier
//! for an intermediate only, name constraints if there are some.

use ::time::OffsetDateTime;

use crate::crypto::PrivateKey;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::error::Error;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::KeyUsage;
use crate::x509::name::Subject;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::serial::SerialNumber;
use crate::x509::tbs;
use crate::x509::tbs::TbsCertificate;

/// A CA certificate to be. Use [`self_signed`](Self::self_signed) for a root, [`signed_by`](Self::signed_by) for an
/// intermediate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificate {
    /// The CA's name.
    pub subject: Subject,
    /// How many intermediates may follow: 1 for the root of `step ca init`, 0 for its intermediate.
    pub path_length: Option<u32>,
    /// The name spaces below it; critical if there are some.
    pub name_constraints: NameConstraints,
    /// The serial number.
    pub serial_number: SerialNumber,
    /// The first second of validity.
    pub not_before: OffsetDateTime,
    /// The last second of validity.
    pub not_after: OffsetDateTime,
}

impl CaCertificate {
    /// The DER of a root, signed with its own key.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] if the key fails; [`Error::NotAscii`] or [`Error::Year`] for what has no form in DER.
    pub fn self_signed(&self, key: &PrivateKey) -> Result<Vec<u8>, Error> {
        let subject = self.subject.to_der()?;
        self.sign(&subject, key.public_key(), &subject, None, key, key.default_algorithm())
    }

    /// The DER of an intermediate for `public_key`, signed with the issuer's key.
    ///
    /// # Errors
    ///
    /// As for [`self_signed`](Self::self_signed).
    pub fn signed_by(
        &self,
        public_key: &PublicKey,
        issuer: &Certificate,
        issuer_key: &PrivateKey,
    ) -> Result<Vec<u8>, Error> {
        self.below(&self.subject.to_der()?, public_key, issuer, issuer_key)
    }

    /// The DER of an intermediate with the name and key of a request, whatever else it asks for.
    ///
    /// # Errors
    ///
    /// As for [`self_signed`](Self::self_signed).
    pub fn signed_for(
        &self,
        csr: &Csr,
        issuer: &Certificate,
        issuer_key: &PrivateKey,
    ) -> Result<Vec<u8>, Error> {
        self.below(csr.subject_der(), csr.public_key(), issuer, issuer_key)
    }

    fn below(
        &self,
        subject: &[u8],
        public_key: &PublicKey,
        issuer: &Certificate,
        issuer_key: &PrivateKey,
    ) -> Result<Vec<u8>, Error> {
        let algorithm = issuer.issuing_algorithm(issuer_key.kind());
        self.sign(subject, public_key, issuer.subject_der(), issuer.subject_key_id(), issuer_key, algorithm)
    }

    fn sign(
        &self,
        subject: &[u8],
        public_key: &PublicKey,
        issuer: &[u8],
        authority_key_id: Option<&[u8]>,
        issuer_key: &PrivateKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, Error> {
        let basic_constraints = BasicConstraints { is_ca: true, path_length: self.path_length };
        let mut extensions = vec![
            KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN).to_extension(),
            basic_constraints.to_extension(),
            extension::subject_key_identifier(&tbs::key_identifier(public_key)),
        ];
        extensions.extend(authority_key_id.map(extension::authority_key_identifier));
        if !self.name_constraints.is_empty() {
            extensions.push(self.name_constraints.to_extension(true)?);
        }
        let tbs_certificate = TbsCertificate {
            serial_number: &self.serial_number,
            signature_algorithm: algorithm,
            issuer,
            not_before: self.not_before,
            not_after: self.not_after,
            subject,
            public_key,
            extensions: &extensions,
        };
        tbs::sign(&tbs_certificate.to_der()?, issuer_key, algorithm).map_err(Error::Signing)
    }
}

#[cfg(test)]
mod tests {
    use ::time::macros::datetime;

    use super::*;
    use crate::crypto::KeyKind;
    use crate::entropy::SystemEntropy;

    fn description(name: &str, path_length: u32) -> CaCertificate {
        CaCertificate {
            subject: Subject { organization: vec!["Test".to_owned()], ..Subject::from_common_name(name) },
            path_length: Some(path_length),
            name_constraints: NameConstraints::default(),
            serial_number: SerialNumber::from(u64::from(path_length) + 1),
            not_before: datetime!(2026-11-24 0:29:17 UTC),
            not_after: datetime!(2036-11-21 0:29:17 UTC),
        }
    }

    fn check(root_kind: KeyKind, intermediate_kind: KeyKind, algorithm: SignatureAlgorithm) {
        let entropy = SystemEntropy::new();
        let (root_key, key) = (
            PrivateKey::generate(root_kind, &entropy).unwrap(),
            PrivateKey::generate(intermediate_kind, &entropy).unwrap(),
        );
        let root = description("Test Root CA", 1).self_signed(&root_key).unwrap();
        let root = Certificate::parse(&root).unwrap();
        let der =
            description("Test Intermediate CA", 0).signed_by(key.public_key(), &root, &root_key).unwrap();
        let intermediate = Certificate::parse(&der).unwrap();

        assert_eq!(intermediate.verify_signature(root_key.public_key()), Ok(()));
        assert_eq!(intermediate.signature_algorithm(), Some(algorithm));
        assert_eq!(intermediate.issuer_der(), root.subject_der());
        assert_eq!(intermediate.authority_key_id(), root.subject_key_id());
        assert_eq!((root.path_length(), intermediate.path_length()), (Some(1), Some(0)));
        let types = |certificate: &Certificate| {
            certificate
                .extensions()
                .iter()
                .map(|extension| (extension.oid.to_string(), extension.critical))
                .collect::<Vec<_>>()
        };
        let common = [("2.5.29.15", true), ("2.5.29.19", true), ("2.5.29.14", false)];
        let common = common.map(|(oid, critical)| (oid.to_owned(), critical));
        assert_eq!(types(&root), common);
        assert_eq!(types(&intermediate)[..3], common);
        assert_eq!(types(&intermediate)[3], ("2.5.29.35".to_owned(), false));
    }

    #[test]
    fn has_the_profile_of_step_ca_init() {
        check(KeyKind::P256, KeyKind::P256, SignatureAlgorithm::EcdsaSha256);
        check(KeyKind::P384, KeyKind::P521, SignatureAlgorithm::EcdsaSha384);
        check(KeyKind::Ed25519, KeyKind::P256, SignatureAlgorithm::Ed25519);
    }
}
