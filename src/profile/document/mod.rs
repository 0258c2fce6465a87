//! The certificate document: the JSON that a template renders, read into a [`Draft`].
//!
//! Members and forms are step-ca's (go.step.sm/crypto/x509util). Where step-ca drops, replaces or ignores something
//! that changes the certificate, the document is refused instead: duplicate members, text behind the object, values
//! that are no DER, names that are none, members that disagree with an explicit extension. Every message names the
//! member.

mod constraints;
mod explicit;
mod member;
mod names;
mod other_name;
mod subject;
mod usage;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::profile::document::member::Member;
use crate::profile::document::member::Object;
use crate::profile::draft::Draft;
use crate::profile::draft::SubjectKeyId;
use crate::profile::error::Error;
use crate::profile::form;
use crate::profile::json;
use crate::x509::oid::Oid;
use crate::x509::serial::SerialNumber;

/// What a provisioner's configuration allows a document beyond the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentRules {
    /// Extensions whose value need not be DER: some relying parties define theirs as plain text.
    pub raw_extension_oids: Vec<Oid>,
}

/// Where in a document an error is: the byte that its member begins at, or where the text stops being JSON.
#[must_use]
pub fn place_of(json: &str, error: &Error) -> usize {
    if let Some(position) = json::fault_position(json) {
        return position;
    }
    let (Error::Malformed { member, .. } | Error::Refused { member, .. } | Error::Unsignable { member, .. }) =
        error;
    let mut way = Vec::new();
    for part in member.split(['.', '[']) {
        way.push(match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => json::Step::Element(index),
            None => json::Step::Member(part),
        });
    }
    json::find(json, &way)
}

/// Reads a document.
///
/// The draft still has to pass [`Draft::check`] after the authority's default subject has been merged in.
///
/// # Errors
///
/// [`Error`], separated by who is at fault.
///
/// # Examples
///
/// ```
/// use stepless::profile::document::DocumentRules;
/// use stepless::profile::document::read;
///
/// let draft = read(r#"{"subject": "a.example", "dnsNames": "a.example"}"#, &DocumentRules::default()).unwrap();
/// assert_eq!(draft.common_name(), "a.example");
///
/// let error = read(r#"{"subject": "a", "Subject": "b"}"#, &DocumentRules::default()).unwrap_err();
/// assert_eq!(error.to_string(), "document: member \"subject\" stands twice at byte 26");
/// ```
pub fn read(json: &str, rules: &DocumentRules) -> Result<Draft, Error> {
    let value = json::parse(json).map_err(|reason| Error::malformed("document", reason))?;
    let not_an_object = || Error::malformed("document", "not a JSON object");
    let document = Member::document(&value).object().ok().flatten().ok_or_else(not_an_object)?;

    check_overruled(&document)?;
    let mut draft = Draft::default();
    read_subject(&document, &mut draft)?;
    draft.key_usage = usage::key_usage(&document.member("keyUsage"))?;
    draft.extended_key_usage = usage::extended_key_usage(&document.member("extKeyUsage"))?;
    draft.extended_key_usage.extend(document.member("unknownExtKeyUsage").oids(false)?);
    draft.basic_constraints = constraints::basic(&document.member("basicConstraints"))?;
    draft.name_constraints = constraints::names(&document.member("nameConstraints"), draft.is_ca())?;
    draft.subject_key_id = match document.member("subjectKeyId").octets()? {
        None => SubjectKeyId::OfKey,
        Some(identifier) if identifier.is_empty() => SubjectKeyId::Absent,
        Some(identifier) => SubjectKeyId::Given(identifier),
    };
    draft.ocsp_servers = uris(&document.member("ocspServer"))?;
    draft.issuing_certificate_urls = uris(&document.member("issuingCertificateURL"))?;
    draft.crl_distribution_points = uris(&document.member("crlDistributionPoints"))?;
    draft.certificate_policies = document.member("policyIdentifiers").oids(true)?;
    draft.serial_number = document.find("serialNumber").map(|member| serial_number(&member)).transpose()?;
    draft.not_before = instant(&document.member("notBefore"))?;
    draft.not_after = instant(&document.member("notAfter"))?;
    draft.signature_algorithm = usage::signature_algorithm(&document.member("signatureAlgorithm"))?;

    let extensions = explicit::read(&document.member("extensions"), &rules.raw_extension_oids)?;
    explicit::merge(&mut draft, names::read(&document)?, extensions)?;
    Ok(draft)
}

/// `issuer`, `version` and `authorityKeyId` are the authority's to say, but must have their form.
fn check_overruled(document: &Object<'_>) -> Result<(), Error> {
    subject::read_name(&document.member("issuer"))?;
    document.member("version").integer()?;
    document.member("authorityKeyId").octets()?;
    Ok(())
}

fn read_subject(document: &Object<'_>, draft: &mut Draft) -> Result<(), Error> {
    draft.subject = subject::read_name(&document.member("subject"))?;
    let member = document.member("rawSubject");
    draft.raw_subject = member.octets()?.filter(|der| !der.is_empty());
    match &draft.raw_subject {
        Some(der) => subject::check_raw_subject(&member, der),
        None => subject::check_subject(&draft.subject),
    }
}

fn uris(member: &Member<'_>) -> Result<Vec<String>, Error> {
    let uris = member.strings()?.into_iter().map(|(member, text)| {
        form::check_uri(text).map_err(|reason| member.refused(reason))?;
        Ok(text.to_owned())
    });
    uris.collect()
}

/// A number, or a string that Go reads with base 0; positive.
fn serial_number(member: &Member<'_>) -> Result<SerialNumber, Error> {
    let serial_number = match member.string() {
        Ok(Some(text)) => SerialNumber::parse(text),
        Ok(None) => return Err(member.malformed("null is not a serial number")),
        Err(_) => SerialNumber::parse(&member.integer()?.unwrap_or_default().to_string()),
    };
    let serial_number = serial_number.map_err(|error| member.malformed(error.to_string()))?;
    if serial_number.is_zero() {
        return Err(member.malformed("a serial number is positive"));
    }
    Ok(serial_number)
}

/// An instant in RFC 3339 with upper-case letters; null and Go's zero time are absence.
fn instant(member: &Member<'_>) -> Result<Option<OffsetDateTime>, Error> {
    let Some(text) = member.string()? else {
        return Ok(None);
    };
    let malformed = || member.malformed(format!("{text:?} is not an instant of RFC 3339"));
    // The time crate also takes lower case and leap seconds.
    let letters = text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte));
    if !letters || text.get(17..19) == Some("60") {
        return Err(malformed());
    }
    let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| malformed())?;
    let go_zero = datetime!(0001-01-01 0:00 UTC);
    Ok(Some(instant).filter(|instant| *instant != go_zero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::oid;

    /// `expected` is the message of the error, empty for none.
    fn check(members: &str, expected: &str) {
        let document = format!("{{\"subject\": \"x\", {members}}}");
        let result = read(&document, &DocumentRules::default());
        assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), expected, "{members}");
    }

    #[test]
    fn messages_name_the_member() {
        check(r#""keyUsage": ["flyKites"]"#, "keyUsage[0]: \"flyKites\" is not a key usage");
        check(r#""keyUsage": 7"#, "keyUsage: a number where a string or a list of strings should stand");
        check(r#""dnsNames": ["a", ""]"#, "dnsNames[1]: \"\" is not a DNS name");
        check(
            r#""sans": [{"type": "ip", "value": "300.1.1.1"}]"#,
            "sans[0].value: \"300.1.1.1\" is not an IP address",
        );
        check(r#""sans": [null]"#, "sans[0]: null is not a name");
        check(
            r#""basicConstraints": {"isCA": "true"}"#,
            "basicConstraints.isCA: a string where a boolean should stand",
        );
        check(
            r#""extensions": [{"id": "1.2.+3", "value": "BQA="}]"#,
            "extensions[0].id: \"1.2.+3\" is not an object identifier",
        );
        check(
            r#""extensions": [{"id": "1.2.3", "value": "prod"}]"#,
            "extensions[0].value: malformed DER element",
        );
        check(r#""serialNumber": -1"#, "serialNumber: \"-1\" is not a serial number");
        check(r#""serialNumber": "0x0""#, "serialNumber: a serial number is positive");
        check(
            r#""signatureAlgorithm": "SHA1-RSA""#,
            "signatureAlgorithm: \"SHA1-RSA\" is not a signature algorithm in use",
        );
        check(r#""version": "3""#, "version: a string where a number should stand");
    }

    #[test]
    fn explicit_extensions_must_agree() {
        let san = r#"{"id": "2.5.29.17", "value": "MAuCCWEuZXhhbXBsZQ=="}"#;
        check(&format!(r#""extensions": [{san}]"#), "");
        check(&format!(r#""dnsNames": "a.example", "extensions": [{san}]"#), "");
        check(
            &format!(r#""dnsNames": "b.example", "extensions": [{san}]"#),
            "extensions[0].value: the subject alternative name lacks dns \"b.example\"",
        );
        check(
            r#""extensions": [{"id": "2.5.29.17", "value": "MAA="}]"#,
            "extensions[0].value: a subject alternative name without names",
        );
        check(
            r#""extensions": [{"id": "2.5.29.19", "value": "MAMBAf8="}]"#,
            "extensions[0].value: a CA without basicConstraints",
        );
        check(
            r#""basicConstraints": {"isCA": true, "maxPathLen": -1}, "extensions": [{"id": "2.5.29.19", "value": "MAMBAf8="}]"#,
            "",
        );
        check(
            r#""extensions": [{"id": "2.5.29.35", "value": "MAA="}]"#,
            "extensions[0].value: the authority key identifier is the issuer's to write",
        );
        check(
            r#""subjectKeyId": "AQ==", "extensions": [{"id": "2.5.29.14", "value": "BAEC"}]"#,
            "extensions[0].value: extension 2.5.29.14 disagrees with subjectKeyId",
        );
    }

    #[test]
    fn names_of_an_explicit_extension_are_the_draft_s() {
        let document = r#"{"extensions": [{"id": "2.5.29.17", "value": "MAuCCWEuZXhhbXBsZQ=="}]}"#;
        let draft = read(document, &DocumentRules::default()).unwrap();
        assert_eq!(draft.names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.example"]);
        assert_eq!(draft.check(), Ok(()));
    }

    #[test]
    fn raw_values_pass_where_the_rules_say_so() {
        let document = r#"{"subject": "x", "extensions": [{"id": "1.2.3.4", "value": "prod"}]}"#;
        let rules = DocumentRules { raw_extension_oids: vec![Oid::parse("1.2.3.4").unwrap()] };
        assert!(read(document, &DocumentRules::default()).is_err());
        assert_eq!(read(document, &rules).unwrap().extensions[0].value, [0xa6, 0xba, 0x1d]);
        let rules = DocumentRules { raw_extension_oids: vec![oid::KEY_USAGE] };
        assert!(read(&document.replace("1.2.3.4", "2.5.29.15"), &rules).is_err());
    }

    #[test]
    fn instants() {
        let at = |text: &str| {
            let document = format!(r#"{{"subject": "x", "notBefore": "{text}"}}"#);
            read(&document, &DocumentRules::default()).map(|draft| draft.not_before)
        };
        assert_eq!(at("2026-01-01T12:00:00+02:00"), Ok(Some(datetime!(2026-01-01 10:00 UTC))));
        assert_eq!(at("0001-01-01T00:00:00Z"), Ok(None));
        for text in [
            "",
            "720h",
            "2026-01-01",
            "2026-01-01t00:00:00Z",
            "2026-01-01T00:00:00z",
            "2026-06-30T23:59:60Z",
            "2026-01-01T00:00:00",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn kinds_of_errors_are_kept_apart() {
        let kind = |document: &str| match read(document, &DocumentRules::default()) {
            Ok(draft) => match draft.check() {
                Ok(()) => "good",
                Err(Error::Refused { .. }) => "refused late",
                Err(_) => "other",
            },
            Err(Error::Malformed { .. }) => "malformed",
            Err(Error::Refused { .. }) => "refused",
            Err(Error::Unsignable { .. }) => "unsignable",
        };
        assert_eq!(kind(r#"{"subject": "x"}"#), "good");
        assert_eq!(kind("{}"), "refused late");
        assert_eq!(kind("null"), "malformed");
        assert_eq!(kind(r#"{"subject": 1}"#), "malformed");
        assert_eq!(kind(r#"{"subject": "a\u0000b"}"#), "refused");
        assert_eq!(kind(r#"{"dnsNames": "a b"}"#), "refused");
        assert_eq!(kind(r#"{"sans": [{"type": "x400Address", "value": "x"}]}"#), "unsignable");
    }
}
