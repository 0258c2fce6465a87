//! Subject alternative names: the four kinds that step-ca compares, and general names around them.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::uri::Uri;
use crate::x509::element;
use crate::x509::element::Reader;
use crate::x509::encode;
use crate::x509::error::Error;

/// A name of one of the four kinds that tokens, requests and policies know (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum San {
    /// dNSName, as given; wildcards and odd characters included.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// iPAddress; IPv4-mapped IPv6 addresses are kept as IPv4.
    Ip(IpAddr),
    /// uniformResourceIdentifier, in canonical text.
    Uri(String),
}

impl San {
    /// step-ca's word for the kind: `dns`, `email`, `ip` or `uri`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Email(_) => "email",
            Self::Ip(_) => "ip",
            Self::Uri(_) => "uri",
        }
    }

    /// An address, folded from IPv4-mapped IPv6 to IPv4.
    #[must_use]
    pub const fn ip(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }

    /// The GeneralName.
    ///
    /// # Errors
    ///
    /// [`Error::NotAscii`] if the name does not fit an IA5String.
    pub fn to_general_name(&self) -> Result<Vec<u8>, Error> {
        let (number, octets) = match self {
            Self::Email(text) => (1, text.as_bytes()),
            Self::Dns(text) => (2, text.as_bytes()),
            Self::Uri(text) => (6, text.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => return Ok(ip_name(&address.octets())),
            Self::Ip(IpAddr::V6(address)) => return Ok(ip_name(&address.octets())),
        };
        if !octets.is_ascii() {
            return Err(Error::NotAscii(self.to_string()));
        }
        Ok(encode::element(element::context(number), octets))
    }
}

fn ip_name(octets: &[u8]) -> Vec<u8> {
    encode::element(element::context(7), octets)
}

impl fmt::Display for San {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => formatter.write_str(text),
            Self::Ip(address) => address.fmt(formatter),
        }
    }
}

/// Sorts a name of a token into its kind (CONTRACT.md section 5).
///
/// An IP address without zone is an IP; a text with a URL scheme, so `localhost:8080` too, a URI; one with an `@` an
/// e-mail address; anything else a DNS name.
///
/// # Examples
///
/// ```
/// use stepless::x509::san::San;
/// use stepless::x509::san::classify;
///
/// assert_eq!(classify("A.example"), San::Dns("A.example".to_owned()));
/// assert_eq!(classify("HTTPS://x/a b"), San::Uri("https://x/a%20b".to_owned()));
/// ```
#[must_use]
pub fn classify(name: &str) -> San {
    if let Ok(address) = name.parse() {
        return San::ip(address);
    }
    match Uri::parse(name) {
        Ok(uri) if !uri.scheme().is_empty() => San::Uri(uri.to_string()),
        _ if name.contains('@') => San::Email(name.to_owned()),
        _ => San::Dns(name.to_owned()),
    }
}

/// Sorts names into their kinds, grouped in the order dns, email, ip, uri, each group in the order given.
///
/// Empty names are dropped, repeats kept (CONTRACT.md sections 4 and 6).
#[must_use]
pub fn classify_all<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<San> {
    let mut names: Vec<San> = names.into_iter().filter(|name| !name.is_empty()).map(classify).collect();
    group(&mut names);
    names
}

/// Puts names into the order of the extension: dns, email, ip, uri; within a kind they keep their order.
pub fn group(names: &mut [San]) {
    names.sort_by_key(|name| match name {
        San::Dns(_) => 0,
        San::Email(_) => 1,
        San::Ip(_) => 2,
        San::Uri(_) => 3,
    });
}

/// What a subject alternative name extension holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GeneralNames {
    /// The names of the four kinds, in the order of the extension.
    pub names: Vec<San>,
    /// The other ones, each as its whole GeneralName.
    pub others: Vec<Vec<u8>>,
}

impl GeneralNames {
    /// Reads the value of a subject alternative name extension.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is no SEQUENCE OF GeneralName, or a name has a form that its kind cannot have: text
    /// outside ASCII, an address not of 4 or 16 octets, a URI that does not parse.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        Self::read(value).ok_or(Error::Malformed("subject alternative name"))
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut members = Reader::new(value).only(element::SEQUENCE)?;
        let mut found = Self::default();
        while !members.is_empty() {
            let member = members.next()?;
            let text = || ascii(member.content);
            match member.tag {
                0x81 => found.names.push(San::Email(text()?)),
                0x82 => found.names.push(San::Dns(text()?)),
                0x86 => {
                    let text = text()?;
                    Uri::parse(&text).ok()?;
                    found.names.push(San::Uri(text));
                }
                0x87 => found.names.push(San::ip(address(member.content)?)),
                0x88 | 0xa0 | 0xa3 | 0xa4 | 0xa5 => found.others.push(member.whole.to_vec()),
                _ => return None,
            }
        }
        Some(found)
    }
}

/// An address from its 4 or 16 octets.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(octets).ok().map(|octets| Ipv6Addr::from(octets).into())
}

/// An IA5String's text.
pub(crate) fn ascii(content: &[u8]) -> Option<String> {
    content.is_ascii().then(|| content.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, kind: &str, text: &str) {
        let san = classify(name);
        assert_eq!((san.kind(), san.to_string().as_str()), (kind, text), "{name:?}");
    }

    #[test]
    fn sorts_names_as_step_ca_does() {
        check("a.example", "dns", "a.example");
        check("*.A.example", "dns", "*.A.example");
        check("a b.example", "dns", "a b.example");
        check("a%zz.example", "dns", "a%zz.example");
        check("a\u{0}b", "dns", "a\u{0}b");
        check("10.0.0.1", "ip", "10.0.0.1");
        check("010.0.0.1", "dns", "010.0.0.1");
        check("2001:DB8::0:1", "ip", "2001:db8::1");
        check("::ffff:10.0.0.1", "ip", "10.0.0.1");
        check("fe80::1%eth0", "uri", "fe80::1%eth0");
        check("[::1]", "dns", "[::1]");
        check("10.0.0.1:80", "dns", "10.0.0.1:80");
        check("localhost:8080", "uri", "localhost:8080");
        check("urn:uuid:1", "uri", "urn:uuid:1");
        check("mailto:a@b", "uri", "mailto:a@b");
        check("HTTPS://x/a b", "uri", "https://x/a%20b");
        check("a@b", "email", "a@b");
        check("a b@c", "email", "a b@c");
    }

    #[test]
    fn groups_by_kind() {
        let names = classify_all(["u:x", "b.example", "", "10.0.0.1", "a@b", "a.example", "b.example"]);
        let texts: Vec<String> = names.iter().map(San::to_string).collect();
        assert_eq!(texts, ["b.example", "a.example", "b.example", "a@b", "10.0.0.1", "u:x"]);
    }

    #[test]
    fn writes_and_reads_general_names() {
        let names = classify_all(["a.example", "a@b", "10.0.0.1", "::1", "u:x"]);
        let members: Result<Vec<_>, _> = names.iter().map(San::to_general_name).collect();
        let value = members.map(|members| encode::sequence(&members));
        assert_eq!(value.and_then(|value| GeneralNames::parse(&value)).map(|found| found.names), Ok(names));
        assert!(matches!(San::Dns("bücher.example".to_owned()).to_general_name(), Err(Error::NotAscii(_))));
    }

    #[test]
    fn keeps_other_names_and_refuses_broken_ones() {
        let found = GeneralNames::parse(b"\x30\x05\x88\x03\x2a\x03\x04");
        assert_eq!(found.map(|found| found.others), Ok(vec![b"\x88\x03\x2a\x03\x04".to_vec()]));
        for value in [
            &b"\x30\x03\x82\x01\xff"[..],
            b"\x30\x05\x87\x03\x01\x02\x03",
            b"\x30\x03\x86\x01%",
            b"\x30\x02\x05\x00",
            b"\x30\x03\x82\x02a",
            b"\x30\x00\x00",
            b"",
        ] {
            assert!(GeneralNames::parse(value).is_err(), "{value:02x?}");
        }
    }
}
