//! Writing DER (X.690 §8 and §10): each function gives one whole element.

use crate::x509::element;
use crate::x509::oid::Oid;

/// An element with this identifier octet and these content octets.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = Vec::with_capacity(length.saturating_add(10));
    bytes.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let octets = length.to_be_bytes();
            let skipped = octets.iter().take_while(|&&octet| octet == 0).count();
            let octets = octets.get(skipped..).unwrap_or_default();
            // A length has at most eight octets, so their number fits seven bits.
            bytes.push(0x80 | u8::try_from(octets.len()).unwrap_or(0));
            bytes.extend_from_slice(octets);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A SEQUENCE of whole elements.
pub(crate) fn sequence(members: &[Vec<u8>]) -> Vec<u8> {
    element(element::SEQUENCE, &members.concat())
}

/// A SET OF whole elements, in the order of their encodings (X.690 §11.6).
pub(crate) fn set_of(mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    element(element::SET, &members.concat())
}

/// An OBJECT IDENTIFIER.
pub(crate) fn oid(oid: &Oid) -> Vec<u8> {
    element(element::OBJECT_IDENTIFIER, oid.content())
}

/// A BOOLEAN.
pub(crate) fn boolean(value: bool) -> Vec<u8> {
    element(element::BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// The content octets of a non-negative INTEGER: no needless zeros, but one before a high bit.
pub(crate) fn unsigned_content(magnitude: &[u8]) -> Vec<u8> {
    let skipped = magnitude.iter().take_while(|&&octet| octet == 0).count();
    let significant = magnitude.get(skipped..).unwrap_or_default();
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_none_or(|&first| first >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    content
}

/// An INTEGER.
pub(crate) fn integer(value: i64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    // A leading octet is needless if it only repeats the sign of the next one.
    let skipped =
        octets.windows(2).take_while(|pair| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff])).count();
    element(element::INTEGER, octets.get(skipped..).unwrap_or(&octets))
}

/// An OCTET STRING.
pub(crate) fn octet_string(octets: &[u8]) -> Vec<u8> {
    element(element::OCTET_STRING, octets)
}

/// A BIT STRING whose last octet has `unused` bits, all zero.
pub(crate) fn bit_string(unused: u8, octets: &[u8]) -> Vec<u8> {
    let mut content = vec![unused];
    content.extend_from_slice(octets);
    element(element::BIT_STRING, &content)
}

/// A UTF8String.
pub(crate) fn utf8_string(text: &str) -> Vec<u8> {
    element(element::UTF8_STRING, text.as_bytes())
}

/// A whole element wrapped in an explicit context-specific tag; `number` is below 31.
pub(crate) fn explicit(number: u8, inner: &[u8]) -> Vec<u8> {
    element(element::context_constructed(number), inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_shortest() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65536, &[4, 0x83, 1, 0, 0]),
        ] {
            let bytes = octet_string(&vec![7; length]);
            assert!(bytes.starts_with(header), "{length}");
            assert_eq!(bytes.len(), header.len() + length);
        }
    }

    #[test]
    fn integers_are_shortest() {
        for (value, content) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0, 128]),
            (1024, &[4, 0]),
            (-1, &[255]),
            (-128, &[128]),
            (-129, &[255, 127]),
            (i64::MIN, &[128, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(integer(value), element(element::INTEGER, content), "{value}");
        }
        assert_eq!(unsigned_content(&[]), [0]);
        assert_eq!(unsigned_content(&[0, 0, 0x80]), [0, 0x80]);
    }

    #[test]
    fn sets_are_sorted() {
        let set = set_of(vec![utf8_string("b"), utf8_string("aa"), utf8_string("a")]);
        assert_eq!(set, b"\x31\x0a\x0c\x01a\x0c\x01b\x0c\x02aa");
    }
}
