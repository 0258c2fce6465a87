//! The unsigned draft of a certificate, and its way into the to-be-signed part.

use time::OffsetDateTime;

use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::profile::error::Error;
use crate::profile::form;
use crate::x509::certificate::Certificate;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::name;
use crate::x509::name::Subject;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::san;
use crate::x509::san::San;
use crate::x509::serial::SerialNumber;
use crate::x509::tbs;
use crate::x509::tbs::TbsCertificate;

/// A certificate to be, before policy has judged it and an issuer is chosen.
///
/// What is missing here the authority fills in: serial number, validity, signature algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Draft {
    /// The subject, unless `raw_subject` is given.
    pub subject: Subject,
    /// The DER of the subject's name, taken as it is.
    pub raw_subject: Option<Vec<u8>>,
    /// Every name of the four kinds that the certificate will hold, also those of a subject alternative name among
    /// `extensions`: what policy and name constraints judge. In the order of the certificate.
    pub names: Vec<San>,
    /// Key usages; none leaves the extension out.
    pub key_usage: KeyUsage,
    /// Extended key usages; none leaves the extension out.
    pub extended_key_usage: Vec<Oid>,
    /// Basic constraints; `None` leaves the extension out.
    pub basic_constraints: Option<BasicConstraints>,
    /// Which subject key identifier to write.
    pub subject_key_id: SubjectKeyId,
    /// URIs of OCSP servers, for the authority information access.
    pub ocsp_servers: Vec<String>,
    /// URIs of the issuer's certificate, for the authority information access.
    pub issuing_certificate_urls: Vec<String>,
    /// URIs of CRLs.
    pub crl_distribution_points: Vec<String>,
    /// Certificate policies, without qualifiers.
    pub certificate_policies: Vec<Oid>,
    /// Name constraints, and whether their extension is critical; only for a CA.
    pub name_constraints: Option<(NameConstraints, bool)>,
    /// Further extensions, in order. One of a kind that the fields above make takes their place.
    pub extensions: Vec<Extension>,
    /// The serial number; `None` for a random one.
    pub serial_number: Option<SerialNumber>,
    /// The first second of validity; `None` for the authority's default.
    pub not_before: Option<OffsetDateTime>,
    /// The last second of validity; `None` for the authority's default.
    pub not_after: Option<OffsetDateTime>,
    /// The algorithm to sign with; `None` for the issuer's default.
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

/// The subject key identifier of a certificate to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SubjectKeyId {
    /// SHA-1 of the key's bits.
    #[default]
    OfKey,
    /// These octets.
    Given(Vec<u8>),
    /// No extension.
    Absent,
}

/// What the authority adds to a draft.
#[derive(Debug, Clone, Copy)]
pub struct Issuance<'a> {
    /// The issuing certificate.
    pub issuer: &'a Certificate,
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// The serial number.
    pub serial_number: &'a SerialNumber,
    /// The first second of validity; fractions are cut.
    pub not_before: OffsetDateTime,
    /// The last second of validity; fractions are cut.
    pub not_after: OffsetDateTime,
    /// The algorithm the issuer will sign with.
    pub signature_algorithm: SignatureAlgorithm,
    /// Extensions that the authority vouches for, such as step-ca's provisioner extension: each one replaces the
    /// draft's of its type, or stands last.
    pub extra_extensions: &'a [Extension],
}

/// step-ca's default leaf template (CONTRACT.md section 6): the names of the token, serverAuth and clientAuth,
/// digitalSignature, and keyEncipherment for an RSA key.
#[must_use]
pub fn default_leaf(subject_cn: &str, sans: &[San], key: &PublicKey) -> Draft {
    let mut names = sans.to_vec();
    san::group(&mut names);
    Draft {
        subject: Subject::from_common_name(subject_cn),
        names,
        key_usage: match key.kind() {
            KeyKind::Rsa => KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::KEY_ENCIPHERMENT),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => KeyUsage::DIGITAL_SIGNATURE,
        },
        extended_key_usage: vec![oid::SERVER_AUTH, oid::CLIENT_AUTH],
        ..Draft::default()
    }
}

impl Draft {
    /// The last common name that the certificate will hold; empty for none.
    #[must_use]
    pub fn common_name(&self) -> String {
        match &self.raw_subject {
            Some(der) => name::common_name(der).ok().flatten().unwrap_or_default(),
            None => self.subject.effective_common_name().to_owned(),
        }
    }

    /// The DER of the subject's name.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for an attribute that cannot be encoded.
    pub fn subject_der(&self) -> Result<Vec<u8>, Error> {
        match &self.raw_subject {
            Some(der) => Ok(der.clone()),
            None => self.subject.to_der().map_err(|error| Error::encoding("subject", &error)),
        }
    }

    /// Whether the certificate will be a CA's, be it through the field or through an extension.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        match self.explicit(&oid::BASIC_CONSTRAINTS) {
            // What cannot be read counts as the worse case.
            Some(explicit) => {
                BasicConstraints::parse(&explicit.value).map_or(true, |constraints| constraints.is_ca)
            }
            None => self.basic_constraints.is_some_and(|constraints| constraints.is_ca),
        }
    }

    /// The extension of this type among the further ones.
    #[must_use]
    pub fn explicit(&self, oid: &Oid) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.oid == *oid)
    }

    /// Checks what holds for every certificate, whatever made the draft.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it names nobody (CONTRACT.md D17), or a name holds control characters or does not fit its
    /// encoding (D12); [`Error::Unsignable`] if an extension stands twice.
    pub fn check(&self) -> Result<(), Error> {
        let subject = self.subject_der()?;
        if subject == name::EMPTY && self.names.is_empty() && self.explicit(&oid::SUBJECT_ALT_NAME).is_none()
        {
            return Err(Error::refused("document", "neither subject nor names"));
        }
        let texts = name::texts(&subject).ok_or_else(|| Error::unsignable("rawSubject", "not a name"))?;
        for (attribute, text) in texts {
            if form::has_control(&text) {
                return Err(Error::refused(
                    "subject",
                    format!("control characters in attribute {attribute}"),
                ));
            }
        }
        for name in &self.names {
            if form::has_control(&name.to_string()) {
                return Err(Error::refused("names", format!("control characters in {} name", name.kind())));
            }
            name.to_general_name().map_err(|error| Error::encoding("names", &error))?;
            if !form::has_readable_host(name) {
                return Err(Error::refused("names", "the host of a URI is no domain"));
            }
        }
        for (index, extension) in self.extensions.iter().enumerate() {
            let before = self.extensions.get(..index).unwrap_or_default();
            if before.iter().any(|earlier| earlier.oid == extension.oid) {
                let reason = format!("extension {} stands twice", extension.oid);
                return Err(Error::unsignable(format!("extensions[{index}].id"), reason));
            }
        }
        Ok(())
    }

    /// All extensions of the certificate, in order (CONTRACT.md section 6).
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for a value that cannot be encoded.
    pub fn to_extensions(
        &self,
        public_key: &PublicKey,
        authority_key_id: Option<&[u8]>,
        extra_extensions: &[Extension],
    ) -> Result<Vec<Extension>, Error> {
        let mut extensions = self.own_extensions(public_key, authority_key_id)?;
        extensions.retain(|extension| self.explicit(&extension.oid).is_none());
        extensions.extend(self.extensions.iter().cloned());
        for extra in extra_extensions {
            match extensions.iter_mut().find(|extension| extension.oid == extra.oid) {
                Some(extension) => extension.clone_from(extra),
                None => extensions.push(extra.clone()),
            }
        }
        Ok(extensions)
    }

    /// The extensions that the fields make, in order.
    fn own_extensions(
        &self,
        public_key: &PublicKey,
        authority_key_id: Option<&[u8]>,
    ) -> Result<Vec<Extension>, Error> {
        let mut extensions = Vec::new();
        if !self.key_usage.is_empty() {
            extensions.push(self.key_usage.to_extension());
        }
        if !self.extended_key_usage.is_empty() {
            extensions.push(extension::extended_key_usage(&self.extended_key_usage));
        }
        extensions.extend(self.basic_constraints.map(BasicConstraints::to_extension));
        match &self.subject_key_id {
            SubjectKeyId::OfKey => {
                extensions.push(extension::subject_key_identifier(&tbs::key_identifier(public_key)));
            }
            SubjectKeyId::Given(identifier) => extensions.push(extension::subject_key_identifier(identifier)),
            SubjectKeyId::Absent => {}
        }
        let authority_key_id = authority_key_id.filter(|identifier| !identifier.is_empty());
        extensions.extend(authority_key_id.map(extension::authority_key_identifier));
        extensions.extend(self.access_extension()?);
        if !self.names.is_empty() {
            let names = self.names.iter().map(San::to_general_name).collect::<Result<Vec<_>, _>>();
            let names = names.map_err(|error| Error::encoding("names", &error))?;
            let critical = self.subject_der()? == name::EMPTY;
            extensions.push(extension::subject_alt_name(&names, critical));
        }
        extensions.extend(self.issuer_extensions()?);
        Ok(extensions)
    }

    /// Authority information access, if there is something to say.
    pub(super) fn access_extension(&self) -> Result<Option<Extension>, Error> {
        if self.ocsp_servers.is_empty() && self.issuing_certificate_urls.is_empty() {
            return Ok(None);
        }
        let access = extension::authority_info_access(&self.ocsp_servers, &self.issuing_certificate_urls);
        access.map(Some).map_err(|error| Error::encoding("ocspServer, issuingCertificateURL", &error))
    }

    /// Policies, name constraints, CRL distribution points, as far as there are some.
    pub(super) fn issuer_extensions(&self) -> Result<Vec<Extension>, Error> {
        let mut extensions = Vec::new();
        if !self.certificate_policies.is_empty() {
            extensions.push(extension::certificate_policies(&self.certificate_policies));
        }
        if let Some((constraints, critical)) = &self.name_constraints {
            let constraints = constraints.to_extension(*critical);
            extensions.push(constraints.map_err(|error| Error::encoding("nameConstraints", &error))?);
        }
        if !self.crl_distribution_points.is_empty() {
            let points = extension::crl_distribution_points(&self.crl_distribution_points);
            extensions.push(points.map_err(|error| Error::encoding("crlDistributionPoints", &error))?);
        }
        Ok(extensions)
    }

    /// The TBSCertificate, ready to be signed.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check) and [`to_extensions`](Self::to_extensions); [`Error::Refused`] for a CA below an
    /// issuer whose path length is 0 (CONTRACT.md D18); [`Error::Unsignable`] for a time without form.
    pub fn to_be_signed(&self, issuance: &Issuance<'_>) -> Result<Vec<u8>, Error> {
        self.check()?;
        if self.is_ca() && issuance.issuer.path_length() == Some(0) {
            return Err(Error::refused("basicConstraints", "a CA below an issuer with path length 0"));
        }
        let subject = self.subject_der()?;
        let authority_key_id = issuance.issuer.subject_key_id();
        let extensions =
            self.to_extensions(issuance.public_key, authority_key_id, issuance.extra_extensions)?;
        let tbs_certificate = TbsCertificate {
            serial_number: issuance.serial_number,
            signature_algorithm: issuance.signature_algorithm,
            issuer: issuance.issuer.subject_der(),
            not_before: issuance.not_before,
            not_after: issuance.not_after,
            subject: &subject,
            public_key: issuance.public_key,
            extensions: &extensions,
        };
        tbs_certificate.to_der().map_err(|error| Error::unsignable("validity", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;
    use crate::x509::extension::Provisioner;
    use crate::x509::hierarchy::CaCertificate;

    const START: OffsetDateTime = datetime!(2026-11-24 0:34:50 UTC);

    fn key(kind: KeyKind) -> PrivateKey {
        PrivateKey::generate(kind, &SystemEntropy::new()).unwrap()
    }

    fn issuer(path_length: u32) -> Certificate {
        let description = CaCertificate {
            subject: Subject::from_common_name("Issuer"),
            path_length: Some(path_length),
            name_constraints: NameConstraints::default(),
            serial_number: SerialNumber::from(1),
            not_before: START,
            not_after: START,
        };
        Certificate::parse(&description.self_signed(&key(KeyKind::P256)).unwrap()).unwrap()
    }

    fn issue(draft: &Draft, path_length: u32, extra_extensions: &[Extension]) -> Result<Certificate, Error> {
        let (issuer, subject_key) = (issuer(path_length), key(KeyKind::P256));
        let issuance = Issuance {
            issuer: &issuer,
            public_key: subject_key.public_key(),
            serial_number: &SerialNumber::from(5),
            not_before: START,
            not_after: START,
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            extra_extensions,
        };
        let tbs_certificate = draft.to_be_signed(&issuance)?;
        Ok(Certificate::parse(&tbs::assemble(&tbs_certificate, SignatureAlgorithm::EcdsaSha256, &[0]))
            .unwrap())
    }

    fn check(draft: &Draft, expected: &str) {
        let result = issue(draft, 0, &[]);
        assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), expected);
    }

    fn leaf(names: &[&str]) -> Draft {
        let names = san::classify_all(names.iter().copied());
        default_leaf("a.example", &names, key(KeyKind::P256).public_key())
    }

    #[test]
    fn the_default_leaf_has_step_ca_s_extensions_in_order() {
        let provisioner =
            Provisioner { kind: Provisioner::JWK, name: "plain".to_owned(), credential_id: "kid".to_owned() };
        let grant = extension::utf8_string(Oid::parse("1.3.6.1.4.1.99999.1").unwrap(), "grant", false);
        let certificate = issue(&leaf(&["a.example"]), 0, &[grant, provisioner.to_extension()]).unwrap();
        let oids: Vec<String> =
            certificate.extensions().iter().map(|extension| extension.oid.to_string()).collect();
        assert_eq!(
            oids,
            [
                "2.5.29.15",
                "2.5.29.37",
                "2.5.29.14",
                "2.5.29.35",
                "2.5.29.17",
                "1.3.6.1.4.1.99999.1",
                "1.3.6.1.4.1.37476.9000.64.1"
            ]
        );
        let rsa = PublicKey::from_rsa(&[0xff; 256], &[1, 0, 1]).unwrap();
        assert!(default_leaf("x", &[], &rsa).key_usage.contains(KeyUsage::KEY_ENCIPHERMENT));
    }

    #[test]
    fn extra_extensions_replace_the_draft_s_in_place() {
        let extension = |oid: &str, text: &str| extension::utf8_string(Oid::parse(oid).unwrap(), text, false);
        let mut draft = leaf(&["a.example"]);
        draft.extensions = vec![extension("1.2.3", "forged"), extension("1.2.4", "last")];
        let certificate = issue(&draft, 0, &[extension("1.2.3", "true")]).unwrap();
        let last = certificate.extensions().last_chunk::<2>().unwrap();
        assert_eq!(last, &[extension("1.2.3", "true"), extension("1.2.4", "last")]);
    }

    #[test]
    fn a_subject_alternative_name_is_critical_only_without_subject() {
        let critical =
            |draft: &Draft| issue(draft, 0, &[]).unwrap().extension(&oid::SUBJECT_ALT_NAME).unwrap().critical;
        let mut draft = leaf(&["a.example"]);
        assert!(!critical(&draft));
        draft.subject = Subject::default();
        assert!(critical(&draft));
    }

    #[test]
    fn refuses_what_names_nobody_or_cannot_be_written() {
        check(&leaf(&["a b.example", "*.*.x", "urn:x", "https://a.example:80/\u{fc}", "https://[::1]/"]), "");
        for name in ["https://b\u{fc}cher.example/", "https://a..example/", "https://a.example./"] {
            check(&leaf(&[name]), "names: the host of a URI is no domain");
        }
        check(&Draft::default(), "document: neither subject nor names");
        check(&leaf(&["a\u{0}.example"]), "names: control characters in dns name");
        check(
            &leaf(&["b\u{fc}cher.example"]),
            "names: \"b\u{fc}cher.example\" holds characters outside ASCII",
        );
        let mut draft = leaf(&[]);
        draft.subject = Subject::from_common_name("a\u{1}");
        check(&draft, "subject: control characters in attribute 2.5.4.3");
        draft = leaf(&[]);
        let one = extension::utf8_string(oid::CA_ISSUERS, "x", false);
        draft.extensions = vec![one.clone(), one];
        check(&draft, "extensions[1].id: extension 1.3.6.1.5.5.7.48.2 stands twice");
    }

    #[test]
    fn a_ca_needs_an_issuer_whose_path_length_allows_it() {
        let mut draft = leaf(&[]);
        draft.basic_constraints = Some(BasicConstraints { is_ca: true, path_length: Some(0) });
        check(&draft, "basicConstraints: a CA below an issuer with path length 0");
        assert!(issue(&draft, 1, &[]).is_ok_and(|certificate| certificate.is_ca()));
        let explicit = draft.basic_constraints.take().map(BasicConstraints::to_extension);
        draft.extensions.extend(explicit);
        check(&draft, "basicConstraints: a CA below an issuer with path length 0");
    }
}
