//! `subject`, `rawSubject` and directory names of a document.

use crate::profile::document::member::Member;
use crate::profile::error::Error;
use crate::profile::form;
use crate::x509::name;
use crate::x509::name::ExtraName;
use crate::x509::name::Subject;
use crate::x509::oid;

/// The upper bound of a common name, in characters (RFC 5280 Appendix A.1, ub-common-name).
const MAX_COMMON_NAME: usize = 64;

/// Reads the JSON form of a name: an object of attributes, or a string for the common name; null is an empty name.
pub(super) fn read_name(member: &Member<'_>) -> Result<Subject, Error> {
    if let Ok(Some(common_name)) = member.string() {
        return Ok(Subject::from_common_name(common_name));
    }
    let Some(object) = member.object()? else {
        return Ok(Subject::default());
    };
    let texts = |name| object.member(name).texts();
    let text = |name| object.member(name).string().map(|text| text.unwrap_or_default().to_owned());
    let extra_names = object.member("extraNames").list()?.into_iter().map(|member| read_extra_name(&member));
    Ok(Subject {
        country: texts("country")?,
        province: texts("province")?,
        locality: texts("locality")?,
        street_address: texts("streetAddress")?,
        postal_code: texts("postalCode")?,
        organization: texts("organization")?,
        organizational_unit: texts("organizationalUnit")?,
        common_name: text("commonName")?,
        serial_number: text("serialNumber")?,
        extra_names: extra_names.collect::<Result<_, _>>()?,
    })
}

fn read_extra_name(member: &Member<'_>) -> Result<ExtraName, Error> {
    let object = member.object()?.ok_or_else(|| member.malformed("null is not an attribute"))?;
    let value = object.member("value");
    match value.string() {
        Ok(Some(text)) => Ok(ExtraName { oid: object.member("type").oid(false)?, value: text.to_owned() }),
        _ => Err(value.unsignable("the value of an attribute should be a string")),
    }
}

/// Checks what a subject's attributes may hold: common names of at most 64 characters, no control characters.
pub(super) fn check_subject(subject: &Subject) -> Result<(), Error> {
    for (attribute, values) in subject.attributes() {
        for value in values {
            check_attribute("subject", &attribute, value)?;
        }
    }
    Ok(())
}

/// Checks the DER of a name likewise.
pub(super) fn check_raw_subject(member: &Member<'_>, der: &[u8]) -> Result<(), Error> {
    let texts = name::texts(der).ok_or_else(|| member.unsignable("not the DER of a name"))?;
    texts.iter().try_for_each(|(attribute, value)| check_attribute(&member.path(), attribute, value))
}

fn check_attribute(member: &str, attribute: &oid::Oid, value: &str) -> Result<(), Error> {
    if form::has_control(value) {
        return Err(Error::refused(member, format!("control characters in attribute {attribute}")));
    }
    let length = value.chars().count();
    if *attribute == oid::COMMON_NAME && length > MAX_COMMON_NAME {
        let reason = format!("common name of {length} characters exceeds {MAX_COMMON_NAME}");
        return Err(Error::refused(member, reason));
    }
    Ok(())
}
