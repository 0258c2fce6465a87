//! Certificates, read (RFC 5280 §4.1).
//!
//! What is read is what an authority asks its own chain and the certificates of its clients; nothing here decides
//! whether a certificate is to be trusted.

use ::time::OffsetDateTime;
use sha2::Digest;
use sha2::Sha256;

use crate::crypto;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::x509::element;
use crate::x509::element::Element;
use crate::x509::element::Reader;
use crate::x509::error::Error;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::name;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::pem;
use crate::x509::san::GeneralNames;
use crate::x509::serial::SerialNumber;
use crate::x509::time;

/// A certificate of version 3, or of an older one without extensions.
///
/// The extensions that have a method of their own have been read with the certificate: one that is malformed makes the
/// whole certificate malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs_certificate: Vec<u8>,
    signature_algorithm: Vec<u8>,
    signature: Vec<u8>,
    serial_number: SerialNumber,
    issuer: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    subject: Vec<u8>,
    subject_public_key_info: Vec<u8>,
    extensions: Vec<Extension>,
    basic_constraints: BasicConstraints,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Vec<Oid>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    subject_alt_names: GeneralNames,
    name_constraints: NameConstraints,
}

impl Certificate {
    /// Parses the DER of one certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is none, has bytes behind its end, or a malformed extension among those read here.
    pub fn parse(der: &[u8]) -> Result<Self, Error> {
        Self::read(der).ok_or(Error::Malformed("certificate"))?
    }

    fn read(der: &[u8]) -> Option<Result<Self, Error>> {
        let mut parts = Reader::new(der).only(element::SEQUENCE)?;
        let tbs_certificate = parts.expect(element::SEQUENCE)?;
        let signature_algorithm = parts.expect(element::SEQUENCE)?;
        let (0, signature) = element::bit_string(parts.expect(element::BIT_STRING)?.content)? else {
            return None;
        };
        if !parts.is_empty() {
            return None;
        }

        let mut members = tbs_certificate.members();
        let version_3 = match members.optional(element::context_constructed(0)) {
            None => false,
            Some(version) => match version.content {
                [element::INTEGER, 1, 2] => true,
                [element::INTEGER, 1, 0 | 1] => false,
                _ => return None,
            },
        };
        let serial_number = SerialNumber::from_content(members.expect(element::INTEGER)?.content).ok()?;
        if members.expect(element::SEQUENCE)?.whole != signature_algorithm.whole {
            return None;
        }
        let issuer = members.expect(element::SEQUENCE)?;
        let (not_before, not_after) = validity(members.expect(element::SEQUENCE)?)?;
        let subject = members.expect(element::SEQUENCE)?;
        let subject_public_key_info = members.expect(element::SEQUENCE)?;
        if !name::is_name(issuer.whole) || !name::is_name(subject.whole) {
            return None;
        }
        // Unique identifiers of version 2, which nobody uses.
        members.optional(element::context(1));
        members.optional(element::context(2));
        let extensions = match members.optional(element::context_constructed(3)) {
            Some(extensions) if version_3 => {
                Extension::read_all(Reader::new(extensions.content).only(element::SEQUENCE)?)?
            }
            Some(_) => return None,
            None => Vec::new(),
        };
        if !members.is_empty() {
            return None;
        }

        let mut certificate = Self {
            der: der.to_vec(),
            tbs_certificate: tbs_certificate.whole.to_vec(),
            signature_algorithm: signature_algorithm.whole.to_vec(),
            signature: signature.to_vec(),
            serial_number,
            issuer: issuer.whole.to_vec(),
            not_before,
            not_after,
            subject: subject.whole.to_vec(),
            subject_public_key_info: subject_public_key_info.whole.to_vec(),
            extensions,
            basic_constraints: BasicConstraints::default(),
            key_usage: None,
            extended_key_usage: Vec::new(),
            subject_key_id: None,
            authority_key_id: None,
            subject_alt_names: GeneralNames::default(),
            name_constraints: NameConstraints::default(),
        };
        Some(certificate.read_extensions().map(|()| certificate))
    }

    fn read_extensions(&mut self) -> Result<(), Error> {
        for Extension { oid, value, .. } in &self.extensions {
            let value = value.as_slice();
            if *oid == oid::BASIC_CONSTRAINTS {
                self.basic_constraints = BasicConstraints::parse(value)?;
            } else if *oid == oid::KEY_USAGE {
                self.key_usage = Some(KeyUsage::parse(value)?);
            } else if *oid == oid::EXTENDED_KEY_USAGE {
                self.extended_key_usage =
                    extension::usages(value).ok_or(Error::Malformed("extended key usage"))?;
            } else if *oid == oid::SUBJECT_KEY_IDENTIFIER {
                let mut reader = Reader::new(value);
                let identifier = reader.expect(element::OCTET_STRING).filter(|_| reader.is_empty());
                let identifier = identifier.ok_or(Error::Malformed("subject key identifier"))?;
                self.subject_key_id = Some(identifier.content.to_vec());
            } else if *oid == oid::AUTHORITY_KEY_IDENTIFIER {
                let members = Reader::new(value).only(element::SEQUENCE);
                let mut members = members.ok_or(Error::Malformed("authority key identifier"))?;
                let identifier = members.optional(element::context(0));
                self.authority_key_id = identifier.map(|identifier| identifier.content.to_vec());
            } else if *oid == oid::SUBJECT_ALT_NAME {
                self.subject_alt_names = GeneralNames::parse(value)?;
            } else if *oid == oid::NAME_CONSTRAINTS {
                self.name_constraints = NameConstraints::parse(value)?;
            }
        }
        Ok(())
    }

    /// The whole certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as PEM, with a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", self.der())
    }

    /// SHA-256 over the whole certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The signed part.
    #[must_use]
    pub fn tbs_certificate(&self) -> &[u8] {
        &self.tbs_certificate
    }

    /// The AlgorithmIdentifier of the signature.
    #[must_use]
    pub fn signature_algorithm_der(&self) -> &[u8] {
        &self.signature_algorithm
    }

    /// The signature's octets.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The serial number.
    #[must_use]
    pub const fn serial_number(&self) -> &SerialNumber {
        &self.serial_number
    }

    /// The issuer's name.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// The first second of its validity.
    #[must_use]
    pub const fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// The last second of its validity.
    #[must_use]
    pub const fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The subject's name.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The last common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        name::common_name(&self.subject).ok().flatten()
    }

    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.subject_public_key_info
    }

    /// The subject's public key.
    ///
    /// # Errors
    ///
    /// The crypto room's, if it does not take the key.
    pub fn public_key(&self) -> Result<PublicKey, crypto::Error> {
        PublicKey::from_spki_der(&self.subject_public_key_info)
    }

    /// The algorithm of the signature; `None` if the crypto room does not know it.
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::from_algorithm_identifier(&self.signature_algorithm)
    }

    /// Verifies the signature with the issuer's key; the names are the caller's business.
    ///
    /// # Errors
    ///
    /// The crypto room's, if the algorithm is unknown, does not fit the key, or the signature is wrong.
    /// # Examples
    ///
    /// ```
    /// use stepless::authority::bootstrap::Hierarchy;
    /// use stepless::clock::{Clock, SystemClock};
    /// use stepless::crypto::KeyKind;
    /// use stepless::entropy::SystemEntropy;
    ///
    /// let made = Hierarchy::generate("Example", KeyKind::P256, SystemClock.now(), &SystemEntropy::new())?;
    /// made.intermediate.verify_signature(&made.root.public_key()?)?;
    /// assert!(made.root.verify_signature(&made.intermediate.public_key()?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify_signature(&self, issuer_key: &PublicKey) -> Result<(), crypto::Error> {
        let algorithm = self.signature_algorithm().ok_or_else(|| {
            let members = Reader::new(&self.signature_algorithm).only(element::SEQUENCE);
            let oid = members.and_then(|mut members| members.expect(element::OBJECT_IDENTIFIER));
            let oid = oid.and_then(|oid| Oid::from_content(oid.content).ok());
            crypto::Error::UnsupportedAlgorithm(oid.map_or_else(String::new, |oid| oid.to_string()))
        })?;
        issuer_key.verify(algorithm, &self.tbs_certificate, &self.signature)
    }

    /// The algorithm with which this issuer's key signs (CONTRACT.md section 6).
    ///
    /// An RSA key keeps to the hash of the issuer's own certificate if that has an RSA signature, else takes SHA-256;
    /// ECDSA goes by the curve.
    #[must_use]
    pub fn issuing_algorithm(&self, key: KeyKind) -> SignatureAlgorithm {
        match key {
            KeyKind::P256 => SignatureAlgorithm::EcdsaSha256,
            KeyKind::P384 => SignatureAlgorithm::EcdsaSha384,
            KeyKind::P521 => SignatureAlgorithm::EcdsaSha512,
            KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
            KeyKind::Rsa => {
                let own = self.signature_algorithm().filter(|algorithm| algorithm.fits(KeyKind::Rsa));
                own.unwrap_or(SignatureAlgorithm::RsaSha256)
            }
        }
    }

    /// All extensions, in order.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension of this type.
    #[must_use]
    pub fn extension(&self, oid: &Oid) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.oid == *oid)
    }

    /// Whether its subject is a CA.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.basic_constraints.is_ca
    }

    /// How many intermediates may follow this CA; `None` for any number.
    #[must_use]
    pub const fn path_length(&self) -> Option<u32> {
        self.basic_constraints.path_length
    }

    /// The key usages; `None` without the extension, which allows all.
    #[must_use]
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// The extended key usages; empty without the extension.
    #[must_use]
    pub fn extended_key_usage(&self) -> &[Oid] {
        &self.extended_key_usage
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The key identifier of the authority key identifier.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.authority_key_id.as_deref()
    }

    /// The subject alternative names; empty without the extension.
    #[must_use]
    pub const fn subject_alt_names(&self) -> &GeneralNames {
        &self.subject_alt_names
    }

    /// The name constraints; empty without the extension.
    #[must_use]
    pub const fn name_constraints(&self) -> &NameConstraints {
        &self.name_constraints
    }
}

fn validity(element: Element<'_>) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let mut times = element.members();
    let not_before = time::from_element(&times.next()?)?;
    let not_after = time::from_element(&times.next()?)?;
    times.is_empty().then_some((not_before, not_after))
}

#[cfg(test)]
mod tests {
    use ::time::macros::datetime;

    use super::*;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;
    use crate::x509::encode;
    use crate::x509::hierarchy::CaCertificate;
    use crate::x509::name::Subject;
    use crate::x509::name_constraints::Subtrees;
    use crate::x509::san::San;
    use crate::x509::tbs;

    fn root(key: &PrivateKey) -> Vec<u8> {
        let description = CaCertificate {
            subject: Subject::from_common_name("Root"),
            path_length: Some(1),
            name_constraints: NameConstraints {
                permitted: Subtrees { dns: vec!["good.example".to_owned()], ..Subtrees::default() },
                ..NameConstraints::default()
            },
            serial_number: SerialNumber::from(7),
            not_before: datetime!(2026-01-01 0:00 UTC),
            not_after: datetime!(2056-01-01 0:00 UTC),
        };
        description.self_signed(key).unwrap()
    }

    #[test]
    fn reads_what_was_written() {
        let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let certificate = Certificate::parse(&root(&key)).unwrap();
        assert_eq!(certificate.common_name().as_deref(), Some("Root"));
        assert_eq!(certificate.subject_der(), certificate.issuer_der());
        assert_eq!((certificate.is_ca(), certificate.path_length()), (true, Some(1)));
        assert_eq!(certificate.serial_number(), &SerialNumber::from(7));
        assert_eq!(certificate.not_after(), datetime!(2056-01-01 0:00 UTC));
        assert_eq!(certificate.public_key().as_ref(), Ok(key.public_key()));
        assert_eq!(certificate.verify_signature(key.public_key()), Ok(()));
        assert_eq!(certificate.subject_key_id().map(<[u8]>::len), Some(20));
        assert!(certificate.name_constraints().check(&[San::Dns("bad.example".to_owned())]).is_err());
    }

    #[test]
    fn refuses_every_truncation_and_bytes_behind() {
        let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let der = root(&key);
        for length in 0..der.len() {
            assert!(Certificate::parse(&der[..length]).is_err(), "{length}");
        }
        assert!(Certificate::parse(&[&der[..], &[0]].concat()).is_err());
        for index in 0..der.len() {
            let mut changed = der.clone();
            changed[index] ^= 0x81;
            let _ = Certificate::parse(&changed);
        }
    }

    #[test]
    fn a_malformed_known_extension_makes_a_malformed_certificate() {
        let broken = Extension::new(oid::BASIC_CONSTRAINTS, true, vec![5, 0]);
        let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let tbs = tbs::TbsCertificate {
            serial_number: &SerialNumber::from(1),
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: name::EMPTY,
            not_before: datetime!(2026-01-01 0:00 UTC),
            not_after: datetime!(2027-01-01 0:00 UTC),
            subject: name::EMPTY,
            public_key: key.public_key(),
            extensions: &[broken],
        };
        let der = tbs::assemble(&tbs.to_der().unwrap(), SignatureAlgorithm::EcdsaSha256, &[]);
        assert_eq!(Certificate::parse(&der), Err(Error::Malformed("basic constraints")));
        assert_eq!(Certificate::parse(&encode::sequence(&[])), Err(Error::Malformed("certificate")));
    }
}
