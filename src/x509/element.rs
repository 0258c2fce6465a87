//! Reading DER, element by element (X.690 §8 and §10).
//!
//! Strict where DER is: definite lengths in their shortest form, nothing behind the end. Contents stay borrowed, so
//! that whoever needs raw bytes (issuer names, public keys, extension values) gets the very bytes that were signed.

use crate::x509::error::Error;
use crate::x509::oid::Oid;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const T61_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const VISIBLE_STRING: u8 = 0x1a;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The identifier octet of a primitive context-specific element; `number` is below 31.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The identifier octet of a constructed context-specific element; `number` is below 31.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

const CONSTRUCTED: u8 = 0x20;
const CLASS: u8 = 0xc0;

/// One element: identifier, length, content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The first identifier octet; tag numbers from 31 up end in `0x1f` here and match nothing.
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Identifier, length and content.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    pub(crate) const fn members(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// Reads elements one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the next element, whatever it is.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let start = self.0;
        let (&tag, mut rest) = start.split_first()?;
        if tag & 0x1f == 0x1f {
            rest = skip_high_tag_number(rest)?;
        }
        let (length, rest) = read_length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = start.get(..start.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, content, whole })
    }

    /// Reads the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// Reads the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.next().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// The inside of the one element in here, which must have this tag.
    pub(crate) fn only(mut self, tag: u8) -> Option<Self> {
        let element = self.expect(tag)?;
        self.is_empty().then(|| element.members())
    }
}

/// Skips a tag number from 31 up, in its shortest form and below 2^28.
fn skip_high_tag_number(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at_checked(length)?;
    match number {
        [] | [0x80, ..] | [0..=0x1e] => None,
        _ => Some(rest),
    }
}

/// Reads a definite length in its shortest form, below 2^32.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    match octets {
        [] | [0, ..] | [0..=0x7f] => None,
        [_, _, _, _, _, ..] => None,
        _ => {
            let length = octets.iter().fold(0_u64, |length, &octet| length << 8 | u64::from(octet));
            Some((usize::try_from(length).ok()?, rest))
        }
    }
}

/// Checks that `bytes` are exactly one sound DER element, its members included.
///
/// Looked into are constructed elements and the universal types that certificates hold; a primitive element of another
/// class may hold anything.
///
/// # Errors
///
/// [`Error::Malformed`] naming what is not sound.
pub(crate) fn check_sound(bytes: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(bytes);
    let element = reader.next().ok_or(Error::Malformed("DER element"))?;
    if !reader.is_empty() {
        return Err(Error::Malformed("DER element: bytes behind its end"));
    }
    check_element(&element, 32)
}

fn check_element(element: &Element<'_>, depth_left: u8) -> Result<(), Error> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return Err(Error::Malformed("DER element: nested too deeply"));
    };
    let constructed = element.tag & CONSTRUCTED != 0;
    if element.tag & CLASS == 0 {
        let must_be_constructed = matches!(element.tag & 0x1f, 0x08 | 0x0b | 0x10 | 0x11 | 0x1d);
        if constructed != must_be_constructed {
            return Err(Error::Malformed("DER element: a form its type cannot have"));
        }
        check_primitive(element.tag, element.content)?;
    }
    if constructed {
        let mut members = element.members();
        while !members.is_empty() {
            let member = members.next().ok_or(Error::Malformed("member of a DER element"))?;
            check_element(&member, depth_left)?;
        }
    }
    Ok(())
}

fn check_primitive(tag: u8, content: &[u8]) -> Result<(), Error> {
    let (sound, what) = match tag {
        0 => (false, "DER element: end of contents"),
        BOOLEAN => (matches!(content, [0 | 0xff]), "BOOLEAN"),
        INTEGER | ENUMERATED => (is_integer(content), "INTEGER"),
        BIT_STRING => (bit_string(content).is_some(), "BIT STRING"),
        NULL => (content.is_empty(), "NULL"),
        OBJECT_IDENTIFIER => (Oid::from_content(content).is_ok(), "OBJECT IDENTIFIER"),
        UTF8_STRING => (std::str::from_utf8(content).is_ok(), "UTF8String"),
        NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING | UTC_TIME | GENERALIZED_TIME => {
            (content.is_ascii(), "ASCII string")
        }
        BMP_STRING => (content.len().is_multiple_of(2), "BMPString"),
        _ => (true, ""),
    };
    if sound { Ok(()) } else { Err(Error::Malformed(what)) }
}

/// Whether the content octets are an integer in its shortest form.
pub(crate) const fn is_integer(content: &[u8]) -> bool {
    !matches!(content, [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..])
}

/// The octets of a BIT STRING and the number of unused bits in the last one, which must be zero.
pub(crate) fn bit_string(content: &[u8]) -> Option<(u8, &[u8])> {
    let (&unused, octets) = content.split_first()?;
    let last = octets.last().copied();
    let sound = match (unused, last) {
        (0, _) => true,
        (1..=7, Some(last)) => last.trailing_zeros() >= u32::from(unused),
        _ => false,
    };
    sound.then_some((unused, octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], sound: bool) {
        assert_eq!(check_sound(bytes).is_ok(), sound, "{bytes:02x?}: {:?}", check_sound(bytes));
    }

    #[test]
    fn sound_elements() {
        check(b"\x0c\x02hi", true);
        check(b"\x05\x00", true);
        check(b"\x30\x03\x02\x01\x05", true);
        check(b"\x03\x02\x07\x80", true);
        check(b"\x9f\x1f\x00", true);
        check(b"\xa0\x03\x01\x01\xff", true);
        check(&[&[0x04, 0x81, 0x80][..], &[0; 128]].concat(), true);
    }

    #[test]
    fn unsound_elements() {
        for bytes in [
            &b""[..],
            b"\x0c\x02h",
            b"\x0c\x02hixx",
            b"\x0c\x81\x02hi",
            b"\x0c\x82\x00\x02hi",
            b"\x30\x80\x05\x00\x00\x00",
            b"\x0c\x85\x01\x00\x00\x00\x00",
            b"\x0c\x02\xff\xff",
            b"\x30\x04\x0c\x04hi",
            b"\x02\x02\x00\x05",
            b"\x02\x02\xff\x80",
            b"\x02\x00",
            b"\x01\x01\x01",
            b"\x05\x01\x00",
            b"\x06\x01\x80",
            b"\x03\x02\x07\x81",
            b"\x03\x00",
            b"\x10\x00",
            b"\x2c\x00",
            b"\x00\x00",
            b"\x9f\x1e\x00",
            b"\x9f\x80\x1f\x00",
            b"\x16\x01\xff",
        ] {
            check(bytes, false);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            (0..depth).fold(vec![0x05, 0x00], |inner, _| crate::x509::encode::element(SEQUENCE, &inner))
        };
        check(&nested(31), true);
        check(&nested(32), false);
        check(&nested(5000), false);
    }

    #[test]
    fn optional_elements_stay_when_they_are_others() {
        let mut reader = Reader::new(b"\x02\x01\x05\x05\x00");
        assert_eq!(reader.optional(BOOLEAN), None);
        assert_eq!(reader.optional(INTEGER).map(|element| element.content), Some(&b"\x05"[..]));
        assert_eq!(reader.expect(INTEGER), None);
    }
}
