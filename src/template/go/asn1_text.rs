//! The texts of step's `asn1Enc`: a type, a colon and a value, such as `utf8:grant`, `int:5` or `raw:BQA=`.

use crate::template::go::Refusal;
use crate::template::go::asn1::Element;
use crate::template::go::asn1::is_printable;
use crate::template::go::asn1::marshal;
use crate::template::go::binary_text::base64_decode;
use crate::template::go::runes::runes;
use crate::template::go::runes::valid_text;
use crate::template::go::strconv::atoi;
use crate::template::go::strconv::parse_bool;
use crate::template::go::time_layout;
use crate::template::go::time_parse;
use crate::template::go::time_zone::Zone;

/// Encodes a text of the form `type:value`, or a PrintableString without a type.
///
/// # Errors
///
/// The value does not fit the type.
pub(crate) fn enc(text: &[u8], depth: usize) -> Result<Vec<u8>, Refusal> {
    let (names, value) = match text.iter().position(|byte| *byte == b':') {
        None => (b"printable".as_slice(), text),
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
    };
    let names = valid_text(names);
    let EncodingType { name, parameters, .. } = encoding_type(&names);
    let invalid = |what: &str| Refusal::new(format!("invalid {what} value"));
    let wrapped = |what: &str, cause: Refusal| Refusal::new(format!("invalid {what} value: {cause}"));
    let characters = |what: &str, valid: fn(char) -> bool| match runes(value).all(|rune| valid(rune.value)) {
        true => Ok(Element::String(value.to_vec())),
        false => Err(invalid(what)),
    };
    let element = match name {
        "raw" => return base64_decode(value),
        "int" => Element::Integer(atoi(value).map_err(|cause| wrapped("int", cause))?),
        "oid" => Element::Oid(parse_oid(value).map_err(|cause| wrapped("oid", cause))?),
        "utf8" if std::str::from_utf8(value).is_err() => return Err(invalid("utf8")),
        "utf8" => Element::String(value.to_vec()),
        "ia5" => characters("ia5", |value| value.is_ascii())?,
        "numeric" => characters("numeric", |value| value == ' ' || value.is_ascii_digit())?,
        "utc" | "generalized" => {
            let read = |layout| time_parse::parse(layout, value, &Zone::utc());
            let printed = read(time_layout::PRINT);
            let at = printed.or_else(|cause| read(time_layout::RFC3339).map_err(|_| cause));
            Element::Time(at.map_err(|cause| wrapped(name, cause))?.at)
        }
        "bool" | "boolean" => Element::Bool(parse_bool(value).map_err(|cause| wrapped("bool", cause))?),
        _ => characters("printable", |value| matches!(value, '*' | '&') || is_printable(value))?,
    };
    marshal(&element, &parameters, depth)
}

/// What the part before the colon of an `asn1Enc` text says.
struct EncodingType<'a> {
    name: &'a str,
    parameters: String,
    unknown: Option<&'a str>,
}

fn encoding_type(names: &str) -> EncodingType<'_> {
    const MODIFIERS: [&str; 8] =
        ["optional", "explicit", "tag", "default", "set", "application", "private", "omitempty"];
    let mut found = EncodingType { name: "", parameters: String::new(), unknown: None };
    let mut parameters = Vec::new();
    for part in names.split(',').filter(|part| !part.is_empty()) {
        match part {
            "utf8" | "ia5" | "numeric" | "printable" | "utc" | "generalized" => {
                found.name = part;
                parameters.push(part);
            }
            "int" | "oid" | "bool" | "boolean" | "raw" => found.name = part,
            _ => {
                if !MODIFIERS.contains(&part) {
                    found.unknown = Some(part);
                }
                parameters.push(part);
            }
        }
    }
    found.parameters = parameters.join(",");
    found
}

/// The first word before the colon of an `asn1Enc` text that is neither a type nor a modifier.
pub(crate) fn unknown_type(text: &[u8]) -> Option<String> {
    let at = text.iter().position(|byte| *byte == b':')?;
    let names = valid_text(text.get(..at).unwrap_or_default());
    encoding_type(&names).unknown.map(str::to_owned)
}

fn parse_oid(text: &[u8]) -> Result<Vec<u64>, Refusal> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let arc = |arc: &[u8]| {
        // Go takes signs and leading zeros; no identifier has them.
        let canonical = arc == b"0" || arc.first().is_some_and(|byte| matches!(byte, b'1'..=b'9'));
        atoi(arc).ok().filter(|_| canonical).and_then(|arc| u64::try_from(arc).ok())
    };
    text.split(|byte| *byte == b'.').map(arc).collect::<Option<Vec<_>>>().ok_or_else(|| {
        Refusal::new(format!(
            "error unmarshaling json: {} is not an ASN1 object identifier",
            valid_text(text)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::binary_text::base64_encode;

    fn check(text: &str, expected: Result<&str, &str>) {
        let encoded = enc(text.as_bytes(), 10).map(|der| base64_encode(&der));
        assert_eq!(encoded, expected.map(str::to_owned).map_err(Refusal::new), "{text}");
    }

    #[test]
    fn texts_with_a_type() {
        check("abc", Ok("EwNhYmM="));
        check("a*b", Ok("EwNhKmI="));
        check("", Ok("EwA="));
        check("utf8:", Ok("DAA="));
        check("utf8:a:b:c", Ok("DAVhOmI6Yw=="));
        check("ia5:a@b", Ok("FgNhQGI="));
        check("numeric:12 3", Ok("EgQxMiAz"));
        check("int:123456", Ok("AgMB4kA="));
        check("int:-1", Ok("AgH/"));
        check("int:128", Ok("AgIAgA=="));
        check("int:-128", Ok("AgGA"));
        check("oid:1.2.3.4", Ok("BgMqAwQ="));
        check("oid:2.999.16384", Ok("BgWIN4GAAA=="));
        check("bool:true", Ok("AQH/"));
        check("boolean:0", Ok("AQEA"));
        check("raw:BQA=", Ok("BQA="));
        check("foo:bar", Ok("EwNiYXI="));
        check("explicit,tag:1,utf8:x", Ok("oAoTCDEsdXRmODp4"));
        check("utc:2024-07-02T23:16:02Z", Ok("Fw0yNDA3MDIyMzE2MDJa"));
        check("generalized:2024-07-02T23:16:02Z", Ok("GA8yMDI0MDcwMjIzMTYwMlo="));
        check("utc:2026-01-01 00:00:00 +0000 UTC", Ok("Fw0yNjAxMDEwMDAwMDBa"));
        check("utc:2050-01-01T00:00:00Z", Ok("GA8yMDUwMDEwMTAwMDAwMFo="));
    }

    #[test]
    fn texts_that_do_not_fit() {
        check("a@b", Err("invalid printable value"));
        check("a&b", Err("asn1: structure error: PrintableString contains invalid character"));
        check("ia5:é", Err("invalid ia5 value"));
        check("int:x", Err("invalid int value: strconv.Atoi: parsing \"x\": invalid syntax"));
        check(
            "oid:1.x",
            Err("invalid oid value: error unmarshaling json: 1.x is not an ASN1 object identifier"),
        );
        check(
            "oid:1.+2",
            Err("invalid oid value: error unmarshaling json: 1.+2 is not an ASN1 object identifier"),
        );
        check("oid:", Err("asn1: structure error: invalid object identifier"));
        check("oid:1.40", Err("asn1: structure error: invalid object identifier"));
        check("raw:###", Err("illegal base64 data at input byte 0"));
        check("bool:yes", Err("invalid bool value: strconv.ParseBool: parsing \"yes\": invalid syntax"));
        assert_eq!(unknown_type(b"foo:bar").as_deref(), Some("foo"));
        assert_eq!(unknown_type(b"explicit,tag:1,utf8:x"), None);
    }
}
