//! `extensions` of a document, and that they agree with the members that make the same extension.

use crate::profile::document::member::Member;
use crate::profile::document::names::Names;
use crate::profile::draft::Draft;
use crate::profile::draft::SubjectKeyId;
use crate::profile::error::Error;
use crate::profile::form;
use crate::uri::Uri;
use crate::x509;
use crate::x509::element;
use crate::x509::element::Reader;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::extension::usages;
use crate::x509::name;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::san::GeneralNames;
use crate::x509::san::San;

/// One item of `extensions`, with its place for messages.
pub(super) struct Explicit<'a> {
    member: Member<'a>,
    extension: Extension,
}

/// Reads the items. A value must be exactly one sound DER element, unless its type is among `raw`.
pub(super) fn read<'a>(list: &Member<'a>, raw: &[Oid]) -> Result<Vec<Explicit<'a>>, Error> {
    let items = list.list()?.into_iter().map(|member| {
        let object = member.object()?.ok_or_else(|| member.malformed("null is not an extension"))?;
        let oid = object.member("id").oid(false)?;
        let critical = object.member("critical").boolean()?;
        let value_member = object.member("value");
        let value = value_member.octets()?.unwrap_or_default();
        if value.is_empty() {
            return Err(value_member.malformed("an extension without value"));
        }
        if !raw.contains(&oid) {
            element::check_sound(&value).map_err(|error| value_member.malformed(error.to_string()))?;
        }
        Ok(Explicit { member: value_member, extension: Extension::new(oid, critical, value) })
    });
    items.collect()
}

/// Puts the explicit extensions into the draft.
///
/// `draft` holds all that the other members say; `names` are theirs too.
pub(super) fn merge(draft: &mut Draft, names: Names, items: Vec<Explicit<'_>>) -> Result<(), Error> {
    draft.names.clone_from(&names.names);
    for item in &items {
        item.check(draft, &names)?;
    }
    if let Some(san) = items.iter().find(|item| item.extension.oid == oid::SUBJECT_ALT_NAME) {
        draft.names = san.subject_alt_names()?.names;
    } else if let Some(general_names) = &names.general_names {
        let critical = draft.subject_der()? == name::EMPTY;
        draft.extensions.push(extension::subject_alt_name(general_names, critical));
    }
    draft.extensions.extend(items.into_iter().map(|item| item.extension));
    Ok(())
}

impl Explicit<'_> {
    fn disagrees(&self, with: &str) -> Error {
        self.member.malformed(format!("extension {} disagrees with {with}", self.extension.oid))
    }

    fn agree(&self, agrees: bool, with: &str) -> Result<(), Error> {
        if agrees { Ok(()) } else { Err(self.disagrees(with)) }
    }

    fn broken(&self, error: &x509::error::Error) -> Error {
        self.member.unsignable(error.to_string())
    }

    fn check(&self, draft: &Draft, names: &Names) -> Result<(), Error> {
        let Extension { oid, value, .. } = &self.extension;
        if *oid == oid::AUTHORITY_KEY_IDENTIFIER {
            Err(self.member.malformed("the authority key identifier is the issuer's to write"))
        } else if *oid == oid::KEY_USAGE {
            let usage = KeyUsage::parse(value).map_err(|error| self.broken(&error))?;
            self.agree(draft.key_usage.is_empty() || draft.key_usage == usage, "keyUsage")
        } else if *oid == oid::EXTENDED_KEY_USAGE {
            self.check_extended_key_usage(draft)
        } else if *oid == oid::BASIC_CONSTRAINTS {
            self.check_basic_constraints(draft)
        } else if *oid == oid::SUBJECT_KEY_IDENTIFIER {
            let identifier = Reader::new(value).expect(element::OCTET_STRING);
            let identifier =
                identifier.ok_or_else(|| self.member.unsignable("malformed subject key identifier"))?;
            let agrees = match &draft.subject_key_id {
                SubjectKeyId::OfKey => true,
                SubjectKeyId::Given(given) => given == identifier.content,
                SubjectKeyId::Absent => false,
            };
            self.agree(agrees, "subjectKeyId")
        } else if *oid == oid::SUBJECT_ALT_NAME {
            self.check_names(names)
        } else if *oid == oid::NAME_CONSTRAINTS {
            NameConstraints::parse(value).map_err(|error| self.broken(&error))?;
            if !draft.is_ca() {
                return Err(self.member.malformed("name constraints in a certificate that is no CA's"));
            }
            self.same_as_any(&draft.issuer_extensions()?, "nameConstraints")
        } else if *oid == oid::AUTHORITY_INFO_ACCESS {
            self.same_as_any(draft.access_extension()?.as_slice(), "ocspServer or issuingCertificateURL")
        } else if *oid == oid::CERTIFICATE_POLICIES {
            self.same_as_any(&draft.issuer_extensions()?, "policyIdentifiers")
        } else if *oid == oid::CRL_DISTRIBUTION_POINTS {
            self.same_as_any(&draft.issuer_extensions()?, "crlDistributionPoints")
        } else {
            Ok(())
        }
    }

    /// The extension that a member makes, if it makes one, must have the same value.
    fn same_as_any(&self, made: &[Extension], with: &str) -> Result<(), Error> {
        let made = made.iter().find(|made| made.oid == self.extension.oid);
        self.agree(made.is_none_or(|made| made.value == self.extension.value), with)
    }

    fn check_extended_key_usage(&self, draft: &Draft) -> Result<(), Error> {
        let usages = usages(&self.extension.value);
        let mut usages = usages.ok_or_else(|| self.member.unsignable("malformed extended key usage"))?;
        let mut named = draft.extended_key_usage.clone();
        usages.sort();
        named.sort();
        self.agree(named.is_empty() || named == usages, "extKeyUsage")
    }

    fn check_basic_constraints(&self, draft: &Draft) -> Result<(), Error> {
        let explicit = BasicConstraints::parse(&self.extension.value).map_err(|error| self.broken(&error))?;
        match draft.basic_constraints {
            None if explicit.is_ca => Err(self.member.malformed("a CA without basicConstraints")),
            None => Ok(()),
            Some(named) => self.agree(named == explicit, "basicConstraints"),
        }
    }

    fn subject_alt_names(&self) -> Result<GeneralNames, Error> {
        GeneralNames::parse(&self.extension.value).map_err(|error| self.broken(&error))
    }

    fn check_names(&self, named: &Names) -> Result<(), Error> {
        let explicit = self.subject_alt_names()?;
        if explicit.names.is_empty() && explicit.others.is_empty() {
            return Err(self.member.refused("a subject alternative name without names"));
        }
        for name in &explicit.names {
            form::check(name).map_err(|reason| self.member.refused(reason))?;
        }
        let canonical: Vec<San> = explicit.names.iter().map(canonical_form).collect();
        if let Some(name) = named.names.iter().find(|name| !canonical.contains(&canonical_form(name))) {
            let reason = format!("the subject alternative name lacks {} {:?}", name.kind(), name.to_string());
            return Err(self.member.malformed(reason));
        }
        let mut others = named.general_names.iter().flatten().filter(|other| {
            // The four kinds have been compared above.
            !matches!(other.first(), Some(0x81 | 0x82 | 0x86 | 0x87))
        });
        self.agree(others.all(|other| explicit.others.contains(other)), "sans")
    }
}

fn canonical_form(name: &San) -> San {
    match name {
        San::Uri(text) => San::Uri(Uri::parse(text).map_or_else(|_| text.clone(), |uri| uri.to_string())),
        other => other.clone(),
    }
}
