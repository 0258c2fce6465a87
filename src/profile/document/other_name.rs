//! Names of other kinds in `sans`: registered identifiers, directory names and other names (RFC 5280 §4.2.1.6).

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::profile::document::member::Member;
use crate::profile::document::member::Object;
use crate::profile::document::member::base64;
use crate::profile::document::subject;
use crate::profile::error::Error;
use crate::profile::json;
use crate::profile::json::Value;
use crate::x509::element;
use crate::x509::encode;
use crate::x509::name;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::time as x509_time;

/// Reads one item of `sans` into its GeneralName. An item without value is an error.
pub(super) fn read(item: &Object<'_>, kind: &str, value: &str) -> Result<Vec<u8>, Error> {
    let member = item.member("value");
    let asn1_value = item.member("asn1Value");
    if value.is_empty() && asn1_value.is_null() {
        return Err(member.refused("a name without value"));
    }
    match kind {
        "registeredID" => {
            let oid = Oid::parse(value).map_err(|error| member.unsignable(error.to_string()))?;
            Ok(encode::element(element::context(8), oid.content()))
        }
        "userPrincipalName" if value.is_empty() => Err(member.refused("a name without value")),
        "userPrincipalName" => Ok(other_name(&oid::USER_PRINCIPAL_NAME, &encode::utf8_string(value))),
        "permanentIdentifier" => permanent_identifier(&asn1_value, value),
        "hardwareModuleName" => with_structure(&asn1_value, &member, value, |structure| {
            let object = structure.object()?.ok_or_else(|| structure.refused("null is not a name"))?;
            let serial_number = object.member("serialNumber").octets()?.unwrap_or_default();
            if serial_number.is_empty() {
                return Err(object.member("serialNumber").refused("a name without value"));
            }
            let sequence = encode::sequence(&[
                encode::oid(&object.member("type").oid(true)?),
                encode::element(element::context(4), &serial_number),
            ]);
            Ok(other_name(&oid::HARDWARE_MODULE_NAME, &sequence))
        }),
        "dn" => with_structure(&asn1_value, &member, value, |structure| {
            let directory_name = subject::read_name(structure)?;
            subject::check_subject(&directory_name)?;
            let der = directory_name.to_der().map_err(|error| Error::encoding(&*structure.path(), &error))?;
            if der == name::EMPTY {
                return Err(structure.refused("an empty directory name"));
            }
            Ok(encode::explicit(4, &der))
        }),
        _ => {
            let kind = item.member("type");
            let unknown = || kind.unsignable("not a type of names");
            let oid = Oid::parse(kind.string()?.unwrap_or_default()).map_err(|_| unknown())?;
            typed_value(&member, value).map(|value| match value {
                TypedValue::Element(element) => other_name(&oid, &element),
                TypedValue::Raw(raw) => {
                    encode::element(element::context_constructed(0), &[encode::oid(&oid), raw].concat())
                }
            })
        }
    }
}

/// otherName: [0] { type-id, [0] EXPLICIT value }.
fn other_name(oid: &Oid, value: &[u8]) -> Vec<u8> {
    let members = [encode::oid(oid), encode::explicit(0, value)].concat();
    encode::element(element::context_constructed(0), &members)
}

/// Gives the structure in `asn1Value`, or else in the JSON text of `value`.
fn with_structure<T>(
    asn1_value: &Member<'_>,
    value_member: &Member<'_>,
    value: &str,
    read: impl Fn(&Member<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    if !asn1_value.is_null() {
        return read(asn1_value);
    }
    let parsed: Value = json::parse(value).map_err(|reason| value_member.unsignable(reason))?;
    read(&value_member.holding(&parsed))
}

fn permanent_identifier(asn1_value: &Member<'_>, value: &str) -> Result<Vec<u8>, Error> {
    let mut members = Vec::new();
    if let Some(object) = asn1_value.object()? {
        let identifier = object.member("identifier").string()?.unwrap_or_default();
        if !identifier.is_empty() {
            members.push(encode::utf8_string(identifier));
        }
        let assigner = object.member("assigner");
        if !assigner.is_null() {
            members.push(encode::oid(&assigner.oid(true)?));
        }
    } else {
        members.push(encode::utf8_string(value));
    }
    if members.is_empty() {
        return Err(asn1_value.refused("a name without value"));
    }
    Ok(other_name(&oid::PERMANENT_IDENTIFIER, &encode::sequence(&members)))
}

enum TypedValue {
    Element(Vec<u8>),
    /// Stands in the other name without a tag around it.
    Raw(Vec<u8>),
}

/// Reads `[type:]value`; without a type it is a PrintableString.
fn typed_value(member: &Member<'_>, text: &str) -> Result<TypedValue, Error> {
    let (kind, value) = text.split_once(':').unwrap_or(("printable", text));
    let unusable = || member.unsignable(format!("{value:?} is not of type {kind}"));
    if value.is_empty() {
        return Err(member.refused("a name without value"));
    }
    let string = |tag: u8, allowed: fn(u8) -> bool| {
        let fits = value.bytes().all(allowed);
        fits.then(|| encode::element(tag, value.as_bytes())).ok_or_else(unusable)
    };
    let element = match kind {
        "utf8" => encode::utf8_string(value),
        "printable" => string(element::PRINTABLE_STRING, |byte| name::is_printable(byte) || byte == b'*')?,
        "ia5" => string(element::IA5_STRING, |byte| byte.is_ascii())?,
        "numeric" => string(element::NUMERIC_STRING, |byte| byte.is_ascii_digit() || byte == b' ')?,
        "int" => encode::integer(value.parse().map_err(|_| unusable())?),
        "oid" => encode::oid(&Oid::parse(value).map_err(|_| unusable())?),
        "bool" | "boolean" => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => encode::boolean(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => encode::boolean(false),
            _ => return Err(unusable()),
        },
        "utc" | "generalized" => time_element(kind, value).ok_or_else(unusable)?,
        "raw" => {
            let raw = base64(value).filter(|raw| element::check_sound(raw).is_ok());
            return raw.map(TypedValue::Raw).ok_or_else(unusable);
        }
        _ => return Err(member.unsignable(format!("{kind:?} is not a type of values"))),
    };
    Ok(TypedValue::Element(element))
}

/// A time in RFC 3339, or as Go prints times (`2026-01-02 15:04:05 +0000 UTC`), in UTC and whole seconds.
fn time_element(kind: &str, text: &str) -> Option<Vec<u8>> {
    let go = format_description!(
        version = 2,
        "[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]] [offset_hour sign:mandatory][offset_minute]"
    );
    let without_zone_name = text.rsplit_once(' ').map_or(text, |(time, _)| time);
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(without_zone_name, go))
        .ok()?;
    match kind {
        "utc" => x509_time::utc_time(time),
        _ => x509_time::generalized_time(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(item: &str, expected: Result<&str, &str>) {
        let value = json::parse(item).unwrap();
        let object = Member::document(&value).object().unwrap().unwrap();
        let kind = object.member("type").string().unwrap().unwrap_or_default();
        let text = object.member("value").string().unwrap().unwrap_or_default();
        let hex = |der: Vec<u8>| der.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let read = read(&object, kind, text).map(hex).map_err(|error| error.to_string());
        assert_eq!(read.as_deref().map_err(String::as_str), expected, "{item}");
    }

    #[test]
    fn kinds_with_their_own_structure() {
        check(r#"{"type":"registeredID","value":"1.2.3.4"}"#, Ok("88032a0304"));
        check(
            r#"{"type":"userPrincipalName","value":"user@corp.example"}"#,
            Ok("a021060a2b060104018237140203a0130c117573657240636f72702e6578616d706c65"),
        );
        check(
            r#"{"type":"permanentIdentifier","asn1Value":{"identifier":"SN-1234","assigner":"1.2.3.4"}}"#,
            Ok("a01c06082b06010505070803a010300e0c07534e2d3132333406032a0304"),
        );
        check(
            r#"{"type":"hardwareModuleName","value":"{\"type\":\"1.2.3.4\",\"serialNumber\":\"AQID\"}"}"#,
            Ok("a01806082b06010505070804a00c300a06032a03048403010203"),
        );
    }

    #[test]
    fn typed_values() {
        check(r#"{"type":"1.2.3.5","value":"int:1024"}"#, Ok("a00b06032a0305a00402020400"));
        check(r#"{"type":"1.2.3.6","value":"oid:1.2.3"}"#, Ok("a00b06032a0306a00406022a03"));
        check(r#"{"type":"1.2.3.7","value":"raw:BQA="}"#, Ok("a00706032a03070500"));
        check(r#"{"type":"1.2.3.7","value":"bool:true"}"#, Ok("a00a06032a0307a0030101ff"));
        check(r#"{"type":"1.2.3.7","value":"numeric:12"}"#, Ok("a00b06032a0307a00412023132"));
        check(
            r#"{"type":"1.2.3.7","value":"utc:2026-01-02 03:04:05 +0100 CET"}"#,
            Ok("a01606032a0307a00f170d3236303130323032303430355a"),
        );
        check(
            r#"{"type":"1.2.3.7","value":"generalized:2026-01-02T03:04:05.5Z"}"#,
            Ok("a01806032a0307a011180f32303236303130323033303430355a"),
        );
    }

    #[test]
    fn refusals_name_the_member() {
        check(r#"{"type":"permanentIdentifier","value":""}"#, Err("value: a name without value"));
        check(r#"{"type":"permanentIdentifier","asn1Value":{}}"#, Err("asn1Value: a name without value"));
        check(r#"{"type":"dn","asn1Value":{}}"#, Err("asn1Value: an empty directory name"));
        check(r#"{"type":"DNS","value":"a"}"#, Err("type: not a type of names"));
        check(r#"{"type":"x400Address","value":"x"}"#, Err("type: not a type of names"));
        check(r#"{"type":"1.2.3","value":"urn:x"}"#, Err("value: \"urn\" is not a type of values"));
        check(r#"{"type":"1.2.3","value":"a@b"}"#, Err("value: \"a@b\" is not of type printable"));
        check(r#"{"type":"1.2.3","value":"raw:BQ=="}"#, Err("value: \"BQ==\" is not of type raw"));
        check(
            r#"{"type":"1.2.3","value":"utc:2050-01-01T00:00:00Z"}"#,
            Err("value: \"2050-01-01T00:00:00Z\" is not of type utc"),
        );
        check(r#"{"type":"registeredID","value":"x"}"#, Err("value: \"x\" is not an object identifier"));
    }
}
