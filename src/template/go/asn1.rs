//! DER as Go's encoding/asn1 makes it of a value, under parameters such as `explicit,tag:1,utf8`.

use time::OffsetDateTime;

use crate::template::go::Refusal;
use crate::template::go::binary_text::base64_decode;
use crate::template::go::strconv::atoi;
use crate::template::go::time_layout;

const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const OBJECT_IDENTIFIER: u8 = 6;
const UTF8_STRING: u8 = 12;
const SEQUENCE: u8 = 16;
const SET: u8 = 17;
const NUMERIC_STRING: u8 = 18;
const PRINTABLE_STRING: u8 = 19;
const IA5_STRING: u8 = 22;
const UTC_TIME: u8 = 23;
const GENERALIZED_TIME: u8 = 24;

/// A value to be encoded, as Go's reflection sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Element {
    /// No value at all.
    Nil,
    /// `bool`.
    Bool(bool),
    /// A signed integer of any width.
    Integer(i64),
    /// `string`.
    String(Vec<u8>),
    /// `[]byte`.
    Octets(Vec<u8>),
    /// An object identifier's arcs.
    Oid(Vec<u64>),
    /// `time.Time`.
    Time(OffsetDateTime),
    /// A slice.
    Sequence(Vec<Element>),
    /// Any other Go type, by its name.
    Unknown(String),
}

/// Parameters of an encoding; unknown ones are ignored, as in Go.
#[derive(Debug, Default)]
struct Parameters {
    optional: bool,
    explicit: bool,
    class: Class,
    default: Option<i64>,
    tag: Option<u32>,
    string: Option<u8>,
    time: Option<u8>,
    set: bool,
    omit_empty: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum Class {
    #[default]
    Context,
    Application,
    Private,
}

impl Parameters {
    fn parse(text: &str) -> Self {
        let mut parameters = Self::default();
        for part in text.split(',') {
            match part {
                "optional" => parameters.optional = true,
                "explicit" => {
                    parameters.explicit = true;
                    parameters.tag.get_or_insert(0);
                }
                "application" => {
                    parameters.class = Class::Application;
                    parameters.tag.get_or_insert(0);
                }
                "private" => {
                    // An application tag wins, whatever the order.
                    if !matches!(parameters.class, Class::Application) {
                        parameters.class = Class::Private;
                    }
                    parameters.tag.get_or_insert(0);
                }
                "generalized" => parameters.time = Some(GENERALIZED_TIME),
                "utc" => parameters.time = Some(UTC_TIME),
                "ia5" => parameters.string = Some(IA5_STRING),
                "printable" => parameters.string = Some(PRINTABLE_STRING),
                "numeric" => parameters.string = Some(NUMERIC_STRING),
                "utf8" => parameters.string = Some(UTF8_STRING),
                "set" => parameters.set = true,
                "omitempty" => parameters.omit_empty = true,
                _ => {
                    if let Some(number) = part.strip_prefix("default:") {
                        parameters.default = atoi(number.as_bytes()).ok().or(parameters.default);
                    } else if let Some(number) = part.strip_prefix("tag:") {
                        let tag = atoi(number.as_bytes()).ok().and_then(|tag| u32::try_from(tag).ok());
                        parameters.tag = tag.or(parameters.tag);
                    }
                }
            }
        }
        parameters
    }
}

fn structural(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(format!("asn1: structure error: {what}"))
}

/// Encodes a value under Go's field parameters; nested lists may be `depth` deep.
///
/// # Errors
///
/// Go's sentence for a type without an encoding or a text that does not fit its string type.
pub(crate) fn marshal(element: &Element, parameters: &str, depth: usize) -> Result<Vec<u8>, Refusal> {
    field(element, &Parameters::parse(parameters), depth)
}

fn field(element: &Element, parameters: &Parameters, depth: usize) -> Result<Vec<u8>, Refusal> {
    let depth = depth.checked_sub(1).ok_or_else(|| structural("value nested too deeply"))?;
    if left_out(element, parameters) {
        return Ok(Vec::new());
    }
    let natural = match element {
        Element::Nil => return Err(Refusal::new("asn1: cannot marshal nil value")),
        Element::Unknown(name) => return Err(structural(format_args!("unknown Go type: {name}"))),
        Element::Bool(_) => BOOLEAN,
        Element::Integer(_) => INTEGER,
        Element::String(_) => PRINTABLE_STRING,
        Element::Octets(_) => OCTET_STRING,
        Element::Oid(_) => OBJECT_IDENTIFIER,
        Element::Time(_) => UTC_TIME,
        Element::Sequence(_) => SEQUENCE,
    };
    if parameters.time.is_some() && natural != UTC_TIME {
        return Err(structural("explicit time type given to non-time member"));
    }
    if parameters.string.is_some() && natural != PRINTABLE_STRING {
        return Err(structural("explicit string type given to non-string member"));
    }
    if parameters.set && natural != SEQUENCE {
        return Err(structural("non sequence tagged as set"));
    }
    let (tag, body) = match element {
        Element::Nil | Element::Unknown(_) => (0, Vec::new()),
        Element::Bool(truth) => (BOOLEAN, vec![if *truth { 0xff } else { 0 }]),
        Element::Integer(number) => (INTEGER, integer(*number)),
        Element::String(text) => string(text, parameters.string)?,
        Element::Octets(bytes) => (OCTET_STRING, bytes.clone()),
        Element::Oid(arcs) => (OBJECT_IDENTIFIER, oid(arcs)?),
        Element::Time(at) => time(*at, parameters.time)?,
        Element::Sequence(items) => {
            let mut encoded = Vec::with_capacity(items.len());
            for item in items {
                encoded.push(field(item, &Parameters::default(), depth)?);
            }
            if parameters.set {
                encoded.sort();
            }
            (if parameters.set { SET } else { SEQUENCE }, encoded.concat())
        }
    };
    let constructed = natural == SEQUENCE;
    let Some(outer) = parameters.tag else {
        return Ok(wrap(0, u32::from(tag), constructed, &body));
    };
    let class = match parameters.class {
        Class::Application => 1,
        Class::Context => 2,
        Class::Private => 3,
    };
    Ok(match parameters.explicit {
        true => wrap(class, outer, true, &wrap(0, u32::from(tag), constructed, &body)),
        false => wrap(class, outer, constructed, &body),
    })
}

/// Whether an optional value is the default, and so not written.
fn left_out(element: &Element, parameters: &Parameters) -> bool {
    let empty = matches!(element, Element::Sequence(items) if items.is_empty())
        || matches!(element, Element::Octets(bytes) if bytes.is_empty());
    let default = match (element, parameters.default) {
        (Element::Integer(number), Some(default)) => *number == default,
        (_, Some(_)) => false,
        (Element::Integer(number), None) => *number == 0,
        (Element::Bool(truth), None) => !truth,
        (Element::String(text), None) => text.is_empty(),
        _ => false,
    };
    parameters.omit_empty && empty || parameters.optional && default
}

fn wrap(class: u8, tag: u32, constructed: bool, body: &[u8]) -> Vec<u8> {
    let lead = class << 6 | if constructed { 0x20 } else { 0 };
    let mut out = Vec::with_capacity(body.len() + 8);
    match u8::try_from(tag) {
        Ok(tag @ 0..31) => out.push(lead | tag),
        _ => {
            out.push(lead | 0x1f);
            push_base128(&mut out, u64::from(tag));
        }
    }
    match u8::try_from(body.len()) {
        Ok(length @ 0..128) => out.push(length),
        _ => {
            let length = body.len().to_be_bytes();
            let length = length.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            out.push(0x80 | length.len() as u8);
            out.extend(length);
        }
    }
    out.extend_from_slice(body);
    out
}

fn push_base128(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 0x7f | more);
    }
}

fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // As many bytes as keep the sign bit.
    let redundant = match number < 0 {
        true => number.leading_ones(),
        false => number.leading_zeros(),
    };
    let skip = (redundant.saturating_sub(1) / 8) as usize;
    bytes.get(skip..).unwrap_or_default().to_vec()
}

fn oid(arcs: &[u64]) -> Result<Vec<u8>, Refusal> {
    let invalid = || structural("invalid object identifier");
    let (first, second, rest) = match arcs {
        [first @ 0..=1, second @ 0..40, rest @ ..] => (*first, *second, rest),
        [2, second, rest @ ..] => (2, *second, rest),
        _ => return Err(invalid()),
    };
    let mut out = Vec::new();
    push_base128(&mut out, second.checked_add(first * 40).ok_or_else(invalid)?);
    for arc in rest {
        push_base128(&mut out, *arc);
    }
    Ok(out)
}

fn string(text: &[u8], kind: Option<u8>) -> Result<(u8, Vec<u8>), Refusal> {
    let fits = |tag: u8, name: &str, valid: fn(u8) -> bool| match text.iter().all(|byte| valid(*byte)) {
        true => Ok((tag, text.to_vec())),
        false => Err(structural(format_args!("{name} contains invalid character"))),
    };
    match kind {
        Some(IA5_STRING) => fits(IA5_STRING, "IA5String", |byte| byte.is_ascii()),
        Some(NUMERIC_STRING) => {
            fits(NUMERIC_STRING, "NumericString", |byte| byte == b' ' || byte.is_ascii_digit())
        }
        Some(PRINTABLE_STRING) => {
            fits(PRINTABLE_STRING, "PrintableString", |byte| byte == b'*' || is_printable(char::from(byte)))
        }
        Some(_) => Ok((UTF8_STRING, text.to_vec())),
        None if text.iter().all(|byte| is_printable(char::from(*byte))) => {
            Ok((PRINTABLE_STRING, text.to_vec()))
        }
        None if std::str::from_utf8(text).is_ok() => Ok((UTF8_STRING, text.to_vec())),
        None => Err(Refusal::new("asn1: string not valid UTF-8")),
    }
}

/// The characters of a PrintableString, X.680 §41.4.
pub(super) fn is_printable(value: char) -> bool {
    matches!(value, 'a'..='z' | 'A'..='Z' | '0'..='9' | '\''..=')' | '+'..='/' | ' ' | ':' | '=' | '?')
}

fn time(at: OffsetDateTime, kind: Option<u8>) -> Result<(u8, Vec<u8>), Refusal> {
    let utc = kind != Some(GENERALIZED_TIME) && (1950..2050).contains(&at.year());
    if !(0..=9999).contains(&at.year()) {
        return Err(structural("cannot represent time as GeneralizedTime"));
    }
    // A zone of less than a minute counts as none.
    let layout: &[u8] = match (utc, at.offset().whole_seconds() / 60) {
        (true, 0) => b"060102150405Z",
        (true, _) => b"060102150405-0700",
        (false, 0) => b"20060102150405Z",
        (false, _) => b"20060102150405-0700",
    };
    let tag = if utc { UTC_TIME } else { GENERALIZED_TIME };
    Ok((tag, time_layout::format(at, None, layout)))
}

/// Puts DER elements, given as base64, into a SEQUENCE.
///
/// # Errors
///
/// The place of the first byte that is no base64.
pub(crate) fn sequence<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Refusal> {
    Ok(wrap(0, u32::from(SEQUENCE), true, &joined(parts)?))
}

/// Puts DER elements, given as base64, into a SET, in the order given.
///
/// # Errors
///
/// The place of the first byte that is no base64.
pub(crate) fn set<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Refusal> {
    Ok(wrap(0, u32::from(SET), true, &joined(parts)?))
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    for part in parts {
        body.extend(base64_decode(part)?);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::go::binary_text::base64_encode;

    fn check_marshal(element: &Element, parameters: &str, expected: Result<&str, &str>) {
        let encoded = marshal(element, parameters, 10).map(|der| base64_encode(&der));
        assert_eq!(encoded, expected.map(str::to_owned).map_err(Refusal::new), "{element:?} {parameters}");
    }

    #[test]
    fn values_with_parameters() {
        let text = Element::String(b"abc".to_vec());
        check_marshal(&text, "", Ok("EwNhYmM="));
        check_marshal(&text, "utf8", Ok("DANhYmM="));
        check_marshal(&text, "explicit,tag:3,utf8", Ok("owUMA2FiYw=="));
        check_marshal(&text, "tag:40", Ok("nygDYWJj"));
        check_marshal(&text, "application", Ok("QANhYmM="));
        check_marshal(
            &text,
            "utc",
            Err("asn1: structure error: explicit time type given to non-time member"),
        );
        check_marshal(&Element::String("é".into()), "", Ok("DALDqQ=="));
        check_marshal(&Element::Integer(0), "optional", Ok(""));
        check_marshal(&Element::Nil, "utf8", Err("asn1: cannot marshal nil value"));
        let float = Element::Unknown("float64".to_owned());
        check_marshal(&float, "", Err("asn1: structure error: unknown Go type: float64"));
        let list = Element::Sequence(vec![Element::Integer(2), Element::Integer(1)]);
        check_marshal(&list, "", Ok("MAYCAQICAQE="));
        check_marshal(&list, "set", Ok("MQYCAQECAQI="));
        assert!(marshal(&Element::Sequence(vec![list]), "", 2).is_err());
    }
}
