//! Serial numbers of certificates (RFC 5280 §4.1.2.2).

use std::fmt;

use crate::entropy::Entropy;
use crate::entropy::Unavailable;
use crate::x509::element;
use crate::x509::encode;
use crate::x509::error::Error;

/// The most content octets RFC 5280 §4.1.2.2 allows.
const MAX_OCTETS: usize = 20;

/// A serial number: at most 20 content octets, and not negative.
///
/// Only who revokes may name a negative one, of a certificate from elsewhere; no certificate is read or written with it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialNumber {
    /// The content octets of the INTEGER.
    content: Vec<u8>,
}

impl SerialNumber {
    /// Draws a number uniform in [0, 2^128), as step-ca does; up to 17 content octets.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there is no randomness.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, Unavailable> {
        let mut octets = [0; 16];
        entropy.fill(&mut octets)?;
        Ok(Self { content: encode::unsigned_content(&octets) })
    }

    /// Parses a number the way Go reads an integer with base 0: decimal, or with the prefix `0x`, `0o`, `0b` or `0`
    /// (octal), underscores between digits or behind the prefix (CONTRACT.md section 9).
    ///
    /// A plus sign may lead; a minus sign may not.
    ///
    /// # Errors
    ///
    /// [`Error::SerialNumber`] if it is no number, or needs more than 20 content octets.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse_magnitude(text)
            .map(|magnitude| encode::unsigned_content(&magnitude))
            .filter(|content| content.len() <= MAX_OCTETS)
            .map(|content| Self { content })
            .ok_or_else(|| Error::SerialNumber(text.chars().take(80).collect()))
    }

    /// As [`parse`](Self::parse), but a minus sign may lead: what `POST /revoke` takes (CONTRACT.md section 9).
    ///
    /// # Errors
    ///
    /// [`Error::SerialNumber`] likewise.
    pub fn parse_signed(text: &str) -> Result<Self, Error> {
        let Some(positive) = text.strip_prefix('-') else { return Self::parse(text) };
        let fault = || Error::SerialNumber(text.chars().take(80).collect());
        if positive.starts_with('+') {
            return Err(fault());
        }
        let content = negated(Self::parse(positive).map_err(|_| fault())?.content);
        Ok(Self { content })
    }

    /// Takes the content octets of a DER INTEGER, which may be negative.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is not in its shortest form, or longer than 20 octets.
    pub fn from_signed_content(content: &[u8]) -> Result<Self, Error> {
        if content.len() > MAX_OCTETS || !element::is_integer(content) {
            return Err(Error::Malformed("serial number"));
        }
        Ok(Self { content: content.to_vec() })
    }

    /// Takes the content octets of a DER INTEGER.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is negative, not in its shortest form, or longer than 20 octets.
    pub fn from_content(content: &[u8]) -> Result<Self, Error> {
        let negative = content.first().is_none_or(|&first| first >= 0x80);
        if negative || content.len() > MAX_OCTETS || !element::is_integer(content) {
            return Err(Error::Malformed("serial number"));
        }
        Ok(Self { content: content.to_vec() })
    }

    /// The content octets of the DER INTEGER.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.content == [0]
    }
}

impl From<u64> for SerialNumber {
    fn from(value: u64) -> Self {
        Self { content: encode::unsigned_content(&value.to_be_bytes()) }
    }
}

/// Writes the number in decimal, the form of revocation requests.
impl fmt::Display for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positive = self.content.strip_prefix(&[0]).unwrap_or(&self.content);
        let is_negative = self.content.first().is_some_and(|&first| first >= 0x80);
        if !is_negative && positive.len() <= 16 {
            // As all that are drawn here; the long division below is for those that others chose.
            let number = positive.iter().fold(0_u128, |number, &octet| number << 8 | u128::from(octet));
            return formatter.write_str(&number.to_string());
        }
        let mut magnitude = self.content.clone();
        if is_negative {
            formatter.write_str("-")?;
            // One more octet, since -128 has the magnitude 128, which needs it.
            magnitude.insert(0, 0xff);
            negate(&mut magnitude);
        }
        let mut digits = Vec::new();
        while digits.is_empty() || magnitude.iter().any(|&octet| octet != 0) {
            let mut remainder = 0_u16;
            for octet in &mut magnitude {
                let value = remainder << 8 | u16::from(*octet);
                // The remainder is below 10, so the quotient is below 256.
                *octet = (value / 10) as u8;
                remainder = value % 10;
            }
            digits.push(char::from(b'0' + remainder as u8));
        }
        formatter.write_str(&digits.iter().rev().collect::<String>())
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SerialNumber({self})")
    }
}

/// The other sign, in two's complement of the same width.
fn negate(octets: &mut [u8]) {
    let mut carry = true;
    for octet in octets.iter_mut().rev() {
        (*octet, carry) = (!*octet).overflowing_add(u8::from(carry));
    }
}

/// The content octets of the other sign of a number that is not negative.
fn negated(mut content: Vec<u8>) -> Vec<u8> {
    negate(&mut content);
    while !element::is_integer(&content) {
        content.remove(0);
    }
    content
}

/// Big-endian octets of the number in `text`.
fn parse_magnitude(text: &str) -> Option<Vec<u8>> {
    // 160 binary digits with underscores between them and a prefix.
    const MAX_LENGTH: usize = 400;
    if text.len() > MAX_LENGTH {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let (base, digits, prefixed) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, text.get(2..)?, true),
        [b'0', b'o' | b'O', ..] => (8, text.get(2..)?, true),
        [b'0', b'b' | b'B', ..] => (2, text.get(2..)?, true),
        [b'0', _, ..] => (8, text.get(1..)?, true),
        _ => (10, text, false),
    };
    let digits = if prefixed { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    let mut magnitude = vec![0_u8; MAX_OCTETS + 1];
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.chars() {
            let mut carry = digit.to_digit(base)?;
            for octet in magnitude.iter_mut().rev() {
                let value = u32::from(*octet) * base + carry;
                *octet = (value & 0xff) as u8;
                carry = value >> 8;
            }
            if carry != 0 {
                return None;
            }
        }
    }
    Some(magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let parsed = SerialNumber::parse(text);
        assert_eq!(parsed.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{text:?}");
        if let Ok(serial) = parsed {
            assert_eq!(SerialNumber::from_content(serial.content()), Ok(serial));
        }
    }

    #[test]
    fn parses_as_go_does() {
        check("0", Some("0"));
        check("78187493520", Some("78187493520"));
        check("0x1234567890", Some("78187493520"));
        check("0X_1234_5678_90", Some("78187493520"));
        check("+5", Some("5"));
        check("0b101", Some("5"));
        check("0o17", Some("15"));
        check("017", Some("15"));
        check("0_17", Some("15"));
        check("1_000", Some("1000"));
        check(
            "730750818665451459101842416358141509827966271487",
            Some("730750818665451459101842416358141509827966271487"),
        );
        check("730750818665451459101842416358141509827966271488", None);
        for text in
            ["", "-5", "+", "0x", "0x_", "_1", "1_", "1__0", "018", "0b2", "1.5", "1e3", "abc", " 1", "ß"]
        {
            check(text, None);
        }
        check(&"1".repeat(5000), None);
    }

    #[test]
    fn negative_numbers_are_for_revocations() {
        for (text, content, shown) in [
            ("-1", &[0xff][..], "-1"),
            ("-0", &[0], "0"),
            ("-128", &[0x80], "-128"),
            ("-129", &[0xff, 0x7f], "-129"),
            ("-0x100", &[0xff, 0], "-256"),
            ("-255009", &[0xfc, 0x1b, 0xdf], "-255009"),
            ("5", &[5], "5"),
        ] {
            let serial = SerialNumber::parse_signed(text).unwrap();
            assert_eq!(serial.content(), content, "{text}");
            assert_eq!(serial.to_string(), shown);
            assert_eq!(SerialNumber::from_signed_content(content), Ok(serial));
        }
        for text in ["-", "--1", "-+1", "-x", ""] {
            assert!(SerialNumber::parse_signed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn content_is_shortest_and_not_negative() {
        assert_eq!(SerialNumber::from(128).content(), [0, 128]);
        assert!(SerialNumber::from(0).is_zero());
        for content in [&[][..], &[0x80], &[0, 1], &[1; 21]] {
            assert!(SerialNumber::from_content(content).is_err());
        }
    }

    #[test]
    fn random_takes_all_128_bits() {
        #[derive(Debug)]
        struct Ones;
        impl Entropy for Ones {
            fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
                buffer.fill(0xff);
                Ok(())
            }
        }
        let serial = SerialNumber::random(&Ones).map(|serial| serial.content().to_vec());
        assert_eq!(serial, Ok([&[0][..], &[0xff; 16]].concat()));
    }
}
