//! Certification paths (RFC 5280 §6): whether a certificate leads to one that is trusted.
//!
//! Signatures, validity, CA flag and path length, key usage, name constraints, extended key usage and critical
//! extensions, as Go's verifier judges them; certificate policies are not processed. Every search is bounded.

use std::sync::Arc;

use ::time::OffsetDateTime;

use crate::x509::certificate::Certificate;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::oid;
use crate::x509::oid::Oid;

/// Certificates of a path, the anchor not counted. Real ones have two or three.
const MAX_PATH: usize = 8;

/// Signatures checked for one path: without a limit, certificates of one name could make the search exponential. Real
/// paths need three or four, and whoever has not shown a good one yet is owed no more work than a few times that.
const MAX_SIGNATURES: usize = 16;

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No path leads to a trust anchor.
    #[error("certificate signed by unknown authority")]
    UnknownAuthority,
    /// The time lies outside the validity of a certificate.
    #[error("certificate is valid from {not_before} to {not_after}, not at {at}")]
    Validity {
        /// The first second of its validity.
        not_before: OffsetDateTime,
        /// The last second of its validity.
        not_after: OffsetDateTime,
        /// The time in question.
        at: OffsetDateTime,
    },
    /// A certificate may not be used for the purpose in question.
    #[error("certificate specifies an incompatible key usage: {0} is missing")]
    Usage(Oid),
    /// A critical extension that is not understood.
    #[error("critical extension {0} is not understood")]
    CriticalExtension(Oid),
    /// A certificate of the path may not issue certificates.
    #[error("an issuer in the path is not allowed to sign certificates")]
    NotAnIssuer,
    /// More intermediates than an issuer allows, or than are looked at.
    #[error("too many intermediates for the path length")]
    TooLong,
    /// An issuer's name constraints forbid a name.
    #[error(transparent)]
    NameConstraints(#[from] crate::x509::name_constraints::Violation),
    /// Too many candidates to try them all.
    #[error("signature check limit of {MAX_SIGNATURES} reached while looking for a path")]
    TooMuchWork,
}

/// What a path has to meet.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Whom to trust. They are judged like other issuers.
    pub anchors: &'a [Arc<Certificate>],
    /// The time at which all certificates have to be valid.
    pub at: OffsetDateTime,
    /// The extended key usage that every certificate has to allow (RFC 5280 §4.2.1.12).
    pub usage: &'a Oid,
}

impl Rules<'_> {
    /// Looks for a path from `end_entity` over `others`, in whatever order they are, to an anchor.
    ///
    /// # Errors
    ///
    /// [`Error`] for the end entity, or for the last path that was tried.
    pub fn verify(&self, end_entity: &Certificate, others: &[Certificate]) -> Result<(), Error> {
        self.check_validity(end_entity)?;
        check_critical_extensions(end_entity)?;
        self.check_usage(end_entity)?;
        // One that is trusted itself needs nobody above it, be it a CA or not.
        if self.anchors.iter().any(|anchor| anchor.der() == end_entity.der()) {
            return Ok(());
        }
        let mut search =
            Search { rules: self, others, path: vec![end_entity], signatures_left: MAX_SIGNATURES };
        search.climb()
    }

    fn check_validity(&self, certificate: &Certificate) -> Result<(), Error> {
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if self.at < not_before || self.at > not_after {
            return Err(Error::Validity { not_before, not_after, at: self.at });
        }
        Ok(())
    }

    fn check_usage(&self, certificate: &Certificate) -> Result<(), Error> {
        let usages = certificate.extended_key_usage();
        let allowed = |usage: &Oid| usage == self.usage || *usage == oid::ANY_EXTENDED_KEY_USAGE;
        if usages.is_empty() || usages.iter().any(allowed) {
            return Ok(());
        }
        Err(Error::Usage(self.usage.clone()))
    }
}

struct Search<'a> {
    rules: &'a Rules<'a>,
    others: &'a [Certificate],
    /// From the end entity up.
    path: Vec<&'a Certificate>,
    signatures_left: usize,
}

impl<'a> Search<'a> {
    /// Leads the path to an anchor. Recursion ends at `MAX_PATH`.
    fn climb(&mut self) -> Result<(), Error> {
        let Some(&subject) = self.path.last() else { return Err(Error::UnknownAuthority) };
        let mut failure = Error::UnknownAuthority;
        for anchor in self.rules.anchors.iter().filter(|anchor| issued(anchor, subject)) {
            if self.is_on_path(anchor) {
                continue;
            }
            match self.check_issuer(anchor, true) {
                Ok(()) => return Ok(()),
                Err(error @ Error::TooMuchWork) => return Err(error),
                Err(error) => failure = error,
            }
        }
        for candidate in self.others.iter().filter(|candidate| issued(candidate, subject)) {
            if self.is_on_path(candidate) {
                continue;
            }
            if self.path.len() >= MAX_PATH {
                return Err(Error::TooLong);
            }
            let climbed = self.check_issuer(candidate, false).and_then(|()| {
                self.path.push(candidate);
                let climbed = self.climb();
                self.path.pop();
                climbed
            });
            match climbed {
                Ok(()) => return Ok(()),
                Err(error @ Error::TooMuchWork) => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether the path holds a certificate of the same name, key and alternative names: a path that meets somebody
    /// twice leads nowhere.
    fn is_on_path(&self, candidate: &Certificate) -> bool {
        let names = |certificate: &Certificate| {
            certificate.extension(&oid::SUBJECT_ALT_NAME).map(|extension| extension.value.clone())
        };
        self.path.iter().any(|known| {
            known.subject_der() == candidate.subject_der()
                && known.spki_der() == candidate.spki_der()
                && names(known) == names(candidate)
        })
    }

    /// Whether `issuer` may stand above the path, and did sign its last certificate.
    fn check_issuer(&mut self, issuer: &Certificate, is_anchor: bool) -> Result<(), Error> {
        self.rules.check_validity(issuer)?;
        check_critical_extensions(issuer)?;
        // A certificate of version 1 says nothing about what it is; only as an anchor it may be an issuer.
        let may_issue = issuer.is_ca() || (is_anchor && issuer.extensions().is_empty());
        if !may_issue {
            return Err(Error::NotAnIssuer);
        }
        if issuer.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::KEY_CERT_SIGN)) {
            return Err(Error::NotAnIssuer);
        }
        let intermediates = u32::try_from(self.path.len() - 1).unwrap_or(u32::MAX);
        if issuer.path_length().is_some_and(|length| intermediates > length) {
            return Err(Error::TooLong);
        }
        for below in &self.path {
            issuer.name_constraints().check(&below.subject_alt_names().names)?;
        }
        self.rules.check_usage(issuer)?;

        self.signatures_left = self.signatures_left.checked_sub(1).ok_or(Error::TooMuchWork)?;
        let key = issuer.public_key().map_err(|_| Error::UnknownAuthority)?;
        let subject = self.path.last().ok_or(Error::UnknownAuthority)?;
        subject.verify_signature(&key).map_err(|_| Error::UnknownAuthority)
    }
}

/// By name; the signature tells later.
fn issued(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject_der() == subject.issuer_der()
}

fn check_critical_extensions(certificate: &Certificate) -> Result<(), Error> {
    let known = |extension: &&Extension| match &extension.oid {
        // One without a name of a known kind tells nothing that could be understood.
        oid if *oid == oid::SUBJECT_ALT_NAME => !certificate.subject_alt_names().names.is_empty(),
        oid if *oid == oid::NAME_CONSTRAINTS => !certificate.name_constraints().others,
        oid => UNDERSTOOD.contains(oid),
    };
    match certificate.extensions().iter().filter(|extension| extension.critical).find(|e| !known(e)) {
        Some(unknown) => Err(Error::CriticalExtension(unknown.oid.clone())),
        None => Ok(()),
    }
}

/// Extensions that are processed, or may be passed over by a verifier without policies or CRLs.
const UNDERSTOOD: [Oid; 9] = [
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::CERTIFICATE_POLICIES,
    oid::AUTHORITY_INFO_ACCESS,
];

#[cfg(test)]
mod tests {
    use ::time::macros::datetime;

    use super::*;
    use crate::crypto::KeyKind;
    use crate::crypto::PrivateKey;
    use crate::crypto::SignatureAlgorithm;
    use crate::entropy::SystemEntropy;
    use crate::x509::extension;
    use crate::x509::extension::BasicConstraints;
    use crate::x509::name::Subject;
    use crate::x509::name_constraints::NameConstraints;
    use crate::x509::name_constraints::Subtrees;
    use crate::x509::san::San;
    use crate::x509::serial::SerialNumber;
    use crate::x509::tbs;
    use crate::x509::tbs::TbsCertificate;

    const NOW: OffsetDateTime = datetime!(2026-11-24 0:34:50 UTC);
    const END: OffsetDateTime = datetime!(2027-11-24 0:34:50 UTC);

    /// An entity with its key and certificate.
    struct Entity {
        key: PrivateKey,
        certificate: Certificate,
    }

    fn issue(name: &str, issuer: Option<&Entity>, extensions: &[Extension]) -> Entity {
        let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let subject = Subject::from_common_name(name).to_der().unwrap();
        let tbs = TbsCertificate {
            serial_number: &SerialNumber::from(1),
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: issuer.map_or(&subject, |issuer| issuer.certificate.subject_der()),
            not_before: NOW,
            not_after: END,
            subject: &subject,
            public_key: key.public_key(),
            extensions,
        };
        let tbs = tbs.to_der().unwrap();
        let signature = issuer.map_or(&key, |issuer| &issuer.key).sign(SignatureAlgorithm::EcdsaSha256, &tbs);
        let der = tbs::assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &signature.unwrap());
        Entity { key, certificate: Certificate::parse(&der).unwrap() }
    }

    fn ca(path_length: Option<u32>) -> Vec<Extension> {
        vec![BasicConstraints { is_ca: true, path_length }.to_extension()]
    }

    fn end_entity() -> Vec<Extension> {
        let name = San::Dns("a.example".to_owned()).to_general_name().unwrap();
        vec![
            extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
            extension::subject_alt_name(&[name], false),
        ]
    }

    #[track_caller]
    fn check_at(
        at: OffsetDateTime,
        anchors: &[&Entity],
        others: &[&Entity],
        leaf: &Entity,
        expected: Result<(), Error>,
    ) {
        let anchors: Vec<_> = anchors.iter().map(|entity| Arc::new(entity.certificate.clone())).collect();
        let others: Vec<_> = others.iter().map(|entity| entity.certificate.clone()).collect();
        let rules = Rules { anchors: &anchors, at, usage: &oid::CLIENT_AUTH };
        assert_eq!(rules.verify(&leaf.certificate, &others), expected);
    }

    #[track_caller]
    fn check(anchors: &[&Entity], others: &[&Entity], leaf: &Entity, expected: Result<(), Error>) {
        check_at(NOW, anchors, others, leaf, expected);
    }

    #[test]
    fn a_path_leads_to_an_anchor() {
        let root = issue("root", None, &ca(Some(1)));
        let intermediate = issue("intermediate", Some(&root), &ca(Some(0)));
        let leaf = issue("leaf", Some(&intermediate), &end_entity());
        let stranger = issue("root", None, &ca(None));
        check(&[&root], &[&intermediate], &leaf, Ok(()));
        check(&[&root], &[&stranger, &leaf, &intermediate], &leaf, Ok(()));
        check(&[&stranger, &root], &[&intermediate], &leaf, Ok(()));
        check(&[&intermediate], &[], &leaf, Ok(()));
        check(&[&root], &[], &leaf, Err(Error::UnknownAuthority));
        check(&[], &[&intermediate, &root], &leaf, Err(Error::UnknownAuthority));
        check(&[&stranger], &[&intermediate], &leaf, Err(Error::UnknownAuthority));
    }

    #[test]
    fn every_certificate_has_to_be_valid() {
        let root = issue("root", None, &ca(None));
        let leaf = issue("leaf", Some(&root), &end_entity());
        check_at(END, &[&root], &[], &leaf, Ok(()));
        for at in [NOW - ::time::Duration::NANOSECOND, END + ::time::Duration::NANOSECOND] {
            let expected = Error::Validity { not_before: NOW, not_after: END, at };
            check_at(at, &[&root], &[], &leaf, Err(expected));
        }
    }

    #[test]
    fn issuers_keep_to_what_they_may() {
        let root = issue("root", None, &ca(Some(0)));
        let intermediate = issue("intermediate", Some(&root), &ca(None));
        let leaf = issue("leaf", Some(&intermediate), &end_entity());
        check(&[&root], &[&intermediate], &leaf, Err(Error::TooLong));

        let root = issue("root", None, &ca(None));
        let no_ca = issue("intermediate", Some(&root), &end_entity());
        let leaf = issue("leaf", Some(&no_ca), &end_entity());
        check(&[&root], &[&no_ca], &leaf, Err(Error::NotAnIssuer));
        check(&[&no_ca], &[], &leaf, Err(Error::NotAnIssuer));
        check(&[&no_ca], &[], &no_ca, Ok(()));
        let version_1 = issue("root", None, &[]);
        let leaf = issue("leaf", Some(&version_1), &end_entity());
        check(&[&version_1], &[], &leaf, Ok(()));

        let mut extensions = ca(None);
        extensions.push(KeyUsage::CRL_SIGN.to_extension());
        let root = issue("root", None, &extensions);
        let leaf = issue("leaf", Some(&root), &end_entity());
        check(&[&root], &[], &leaf, Err(Error::NotAnIssuer));

        let mut extensions = ca(None);
        let excluded = Subtrees { dns: vec!["example".to_owned()], ..Subtrees::default() };
        let constraints = NameConstraints { excluded, ..NameConstraints::default() };
        extensions.push(constraints.to_extension(true).unwrap());
        let root = issue("root", None, &extensions);
        let leaf = issue("leaf", Some(&root), &end_entity());
        let violation = constraints.check(&leaf.certificate.subject_alt_names().names).unwrap_err();
        check(&[&root], &[], &leaf, Err(Error::NameConstraints(violation)));
    }

    #[test]
    fn the_usage_is_allowed_all_the_way() {
        let root = issue("root", None, &ca(None));
        let server = issue("leaf", Some(&root), &[extension::extended_key_usage(&[oid::SERVER_AUTH])]);
        check(&[&root], &[], &server, Err(Error::Usage(oid::CLIENT_AUTH)));
        let any =
            issue("leaf", Some(&root), &[extension::extended_key_usage(&[oid::ANY_EXTENDED_KEY_USAGE])]);
        check(&[&root], &[], &any, Ok(()));
        let none = issue("leaf", Some(&root), &[]);
        check(&[&root], &[], &none, Ok(()));
        let mut extensions = ca(None);
        extensions.push(extension::extended_key_usage(&[oid::SERVER_AUTH]));
        let root = issue("root", None, &extensions);
        let leaf = issue("leaf", Some(&root), &end_entity());
        check(&[&root], &[], &leaf, Err(Error::Usage(oid::CLIENT_AUTH)));
    }

    #[test]
    fn critical_extensions_have_to_be_understood() {
        let private = Oid::parse("1.2.3").unwrap();
        let root = issue("root", None, &ca(None));
        let leaf =
            |critical| issue("leaf", Some(&root), &[Extension::new(private.clone(), critical, vec![5, 0])]);
        check(&[&root], &[], &leaf(false), Ok(()));
        check(&[&root], &[], &leaf(true), Err(Error::CriticalExtension(private.clone())));
        let other_name = [0xa0, 8, 6, 2, 0x2a, 3, 0xa0, 2, 5, 0].to_vec();
        let unknown_names = issue("leaf", Some(&root), &[extension::subject_alt_name(&[other_name], true)]);
        check(&[&root], &[], &unknown_names, Err(Error::CriticalExtension(oid::SUBJECT_ALT_NAME)));
        let mut extensions = ca(None);
        extensions.push(Extension::new(private.clone(), true, vec![5, 0]));
        let root = issue("root", None, &extensions);
        let leaf = issue("leaf", Some(&root), &end_entity());
        check(&[&root], &[], &leaf, Err(Error::CriticalExtension(private)));
        // Constraints that are not processed.
        for critical in [true, false] {
            let mut extensions = ca(None);
            let value = b"\x30\x08\xa0\x06\x30\x04\xa4\x02\x30\x00".to_vec();
            extensions.push(Extension::new(oid::NAME_CONSTRAINTS, critical, value));
            let root = issue("root", None, &extensions);
            let expected =
                if critical { Err(Error::CriticalExtension(oid::NAME_CONSTRAINTS)) } else { Ok(()) };
            check(&[&root], &[], &issue("leaf", Some(&root), &end_entity()), expected);
        }
    }

    #[test]
    fn a_maze_ends() {
        let root = issue("root", None, &ca(None));
        let mut maze = Vec::new();
        let mut last = issue("maze", Some(&root), &ca(None));
        for _ in 0..12 {
            let next = issue("maze", Some(&last), &ca(None));
            maze.push(std::mem::replace(&mut last, next));
        }
        let leaf = issue("leaf", Some(&last), &end_entity());
        maze.push(last);
        let others: Vec<&Entity> = maze.iter().collect();
        let anchors = [];
        let others: Vec<_> = others.iter().map(|entity| entity.certificate.clone()).collect();
        let rules = Rules { anchors: &anchors, at: NOW, usage: &oid::CLIENT_AUTH };
        let error = rules.verify(&leaf.certificate, &others).unwrap_err();
        assert!(matches!(error, Error::TooMuchWork | Error::TooLong), "{error}");
    }
}
