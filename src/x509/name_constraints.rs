//! Name constraints (RFC 5280 §4.2.1.10): written, read, and checked against the names of a certificate to be.
//!
//! Matching follows step-ca, which follows Go: a DNS constraint covers the domain and everything below it, one with a
//! leading dot only what is below, whatever the kind of name; letter case does not matter.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error as ThisError;

use crate::uri::Uri;
use crate::x509::element;
use crate::x509::element::Element;
use crate::x509::element::Reader;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::extension::Extension;
use crate::x509::mailbox::Mailbox;
use crate::x509::mailbox::domain_labels;
use crate::x509::oid;
use crate::x509::san;
use crate::x509::san::San;

/// The name spaces below a CA.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// If it holds a constraint of some kind, each name of that kind must match one of them.
    pub permitted: Subtrees,
    /// No name may match one of these.
    pub excluded: Subtrees,
    /// Whether there are constraints of other kinds of name, such as directory names. They are neither checked nor
    /// written: a verifier that meets them in a critical extension has to refuse.
    pub others: bool,
}

/// Constraints by kind of name, each in the form of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subtrees {
    /// Domains; a leading dot leaves the domain itself out, an empty text is every name.
    pub dns: Vec<String>,
    /// Networks.
    pub ip: Vec<IpRange>,
    /// Mailboxes or domains.
    pub email: Vec<String>,
    /// Domains of the host.
    pub uri: Vec<String>,
}

/// A network: an address whose host bits are zero, and the number of bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix: u8,
}

/// Why a name may not stand below an issuer. The texts are step-ca's (CONTRACT.md section 1).
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Violation {
    /// Constraints of its kind are permitted, and it matches none.
    #[error("{kind} {name:?} is not permitted by any constraint")]
    NotPermitted {
        /// `DNS name`, `IP address`, `Email address` or `URI`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// It matches an excluded constraint.
    #[error("{kind} {name:?} is excluded by constraint {constraint:?}")]
    Excluded {
        /// `DNS name`, `IP address`, `Email address` or `URI`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The constraint.
        constraint: String,
    },
    /// It, or a constraint of its kind, has no form that could be compared; the text is step-ca's.
    #[error("{0}")]
    Incomparable(String),
}

impl NameConstraints {
    /// Whether there is no constraint at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// Checks the names of a certificate that this issuer is to sign.
    ///
    /// # Errors
    ///
    /// The first [`Violation`].
    pub fn check(&self, names: &[San]) -> Result<(), Violation> {
        names.iter().try_for_each(|name| match name {
            San::Dns(domain) => self.check_name(
                "DNS name",
                name,
                |trees| &trees.dns,
                |constraint| match_domain(domain, constraint),
            ),
            San::Ip(address) => {
                let contains = |range: &IpRange| Ok(range.contains(*address));
                self.check_name("IP address", name, |trees| &trees.ip, contains)
            }
            San::Email(_) if self.is_empty() => Ok(()),
            San::Email(text) => {
                let mailbox = Mailbox::parse(text)
                    .ok_or_else(|| Violation::Incomparable(format!("cannot parse rfc822Name {text:?}")))?;
                self.check_name(
                    "Email address",
                    name,
                    |trees| &trees.email,
                    |constraint| match_mailbox(&mailbox, constraint),
                )
            }
            San::Uri(text) => {
                let host = constrainable_host(text);
                self.check_name(
                    "URI",
                    name,
                    |trees| &trees.uri,
                    |constraint| match_domain(host.as_ref().map_err(Clone::clone)?, constraint),
                )
            }
        })
    }

    /// `matches` says why, if name and constraint cannot be compared.
    fn check_name<C: fmt::Display>(
        &self,
        kind: &'static str,
        name: &San,
        constraints: impl Fn(&Subtrees) -> &[C],
        matches: impl Fn(&C) -> Result<bool, String>,
    ) -> Result<(), Violation> {
        for constraint in constraints(&self.excluded) {
            if matches(constraint).map_err(Violation::Incomparable)? {
                return Err(Violation::Excluded {
                    kind,
                    name: name.to_string(),
                    constraint: constraint.to_string(),
                });
            }
        }
        let permitted = constraints(&self.permitted);
        for constraint in permitted {
            if matches(constraint).map_err(Violation::Incomparable)? {
                return Ok(());
            }
        }
        if permitted.is_empty() {
            return Ok(());
        }
        Err(Violation::NotPermitted { kind, name: name.to_string() })
    }

    /// The extension.
    ///
    /// # Errors
    ///
    /// [`Error::NotAscii`] for a constraint outside ASCII.
    pub fn to_extension(&self, critical: bool) -> Result<Extension, Error> {
        let mut members = Vec::new();
        for (number, trees) in [(0, &self.permitted), (1, &self.excluded)] {
            if !trees.is_empty() {
                members.push(encode::element(element::context_constructed(number), &trees.to_der()?));
            }
        }
        Ok(Extension::new(oid::NAME_CONSTRAINTS, critical, encode::sequence(&members)))
    }

    /// Reads the value of a name constraints extension.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it has another form, or a minimum or maximum.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        Self::read(value).ok_or(Error::Malformed("name constraints"))
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut members = Reader::new(value).only(element::SEQUENCE)?;
        let mut others = false;
        let mut trees = |number| {
            let element = members.optional(element::context_constructed(number));
            element
                .map_or(Some(Subtrees::default()), |element| Subtrees::read(element.members(), &mut others))
        };
        let (permitted, excluded) = (trees(0)?, trees(1)?);
        members.is_empty().then_some(Self { permitted, excluded, others })
    }
}

impl Subtrees {
    /// Whether there is no constraint in here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.ip.is_empty() && self.email.is_empty() && self.uri.is_empty()
    }

    fn to_der(&self) -> Result<Vec<u8>, Error> {
        let text = |number: u8, text: &str| {
            if text.is_ascii() {
                Ok(encode::element(element::context(number), text.as_bytes()))
            } else {
                Err(Error::NotAscii(text.to_owned()))
            }
        };
        let mut bases = Vec::new();
        for domain in &self.dns {
            bases.push(text(2, domain)?);
        }
        for range in &self.ip {
            bases.push(encode::element(element::context(7), &range.octets()));
        }
        for mailbox in &self.email {
            bases.push(text(1, mailbox)?);
        }
        for domain in &self.uri {
            bases.push(text(6, domain)?);
        }
        Ok(bases.into_iter().flat_map(|base| encode::sequence(&[base])).collect())
    }

    /// Sets `others` where it meets a kind of name that has no place here.
    fn read(mut subtrees: Reader<'_>, others: &mut bool) -> Option<Self> {
        let mut found = Self::default();
        while !subtrees.is_empty() {
            let mut subtree = subtrees.expect(element::SEQUENCE)?.members();
            let Element { tag, content, .. } = subtree.next()?;
            match tag {
                0x81 => found.email.push(san::ascii(content)?),
                0x82 => found.dns.push(san::ascii(content)?),
                0x86 => found.uri.push(san::ascii(content)?),
                0x87 => found.ip.push(IpRange::from_octets(content)?),
                _ => *others = true,
            }
            if !subtree.is_empty() {
                return None;
            }
        }
        Some(found)
    }
}

impl IpRange {
    /// Parses CIDR notation, cutting host bits off.
    ///
    /// # Errors
    ///
    /// [`Error::IpRange`] with the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_cidr(text).ok_or_else(|| Error::IpRange(text.chars().take(80).collect()))
    }

    fn parse_cidr(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || prefix.len() > 3 {
            return None;
        }
        Self::new(address.parse().ok()?, prefix.parse().ok()?)
    }

    fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let network = match address {
            IpAddr::V4(address) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(u32::from(32 - prefix)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(u32::from(128 - prefix)).unwrap_or(0);
                IpAddr::V6((u128::from(address) & mask).into())
            }
            _ => return None,
        };
        Some(Self { network, prefix })
    }

    /// Whether the address is in the network; one of the other family never is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.prefix).is_some_and(|other| other.network == self.network)
    }

    fn octets(&self) -> Vec<u8> {
        let (mut octets, bits) = match self.network {
            IpAddr::V4(address) => (address.octets().to_vec(), 32),
            IpAddr::V6(address) => (address.octets().to_vec(), 128),
        };
        for index in 0..bits / 8 {
            let set = self.prefix.saturating_sub(index * 8).min(8);
            octets.push(0xff_u8.checked_shl(u32::from(8 - set)).unwrap_or(0));
        }
        octets
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let (address, mask) = octets.split_at_checked(octets.len() / 2)?;
        let address = san::address(address)?;
        let prefix: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
        let range = Self::new(address, u8::try_from(prefix).ok()?)?;
        // This also refuses masks with holes.
        (range.octets().get(mask.len()..)? == mask).then_some(range)
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.prefix)
    }
}

fn match_domain(domain: &str, constraint: &str) -> Result<bool, String> {
    if constraint.is_empty() {
        return Ok(true);
    }
    let unreadable = |text: &str| format!("internal error: cannot parse domain {text:?}");
    // step-ca's reader of domains overlooks one empty label, if it is the first.
    let visible = domain.strip_prefix('.').filter(|rest| !rest.is_empty()).unwrap_or(domain);
    let found = domain_labels(visible).ok_or_else(|| unreadable(domain))?;
    let (constraint, below_only) = match constraint.strip_prefix('.') {
        Some(constraint) => (constraint, true),
        None => (constraint, false),
    };
    let constraint = domain_labels(constraint).ok_or_else(|| unreadable(constraint))?;
    if found.len() < constraint.len() || (below_only && found.len() == constraint.len()) {
        return Ok(false);
    }
    let mut pairs = constraint.iter().zip(found);
    Ok(pairs.all(|(constraint, label)| constraint.eq_ignore_ascii_case(label)))
}

fn match_mailbox(mailbox: &Mailbox, constraint: &str) -> Result<bool, String> {
    if constraint.contains('@') {
        let parsed = Mailbox::parse(constraint)
            .ok_or_else(|| format!("internal error: cannot parse constraint {constraint:?}"))?;
        let same_domain = mailbox.domain.eq_ignore_ascii_case(&parsed.domain);
        return Ok(mailbox.local == parsed.local && same_domain);
    }
    match_domain(&mailbox.domain, constraint)
}

/// The host of a URI if it is a domain: RFC 5280 §4.2.1.10 wants URIs without one refused.
fn constrainable_host(text: &str) -> Result<String, String> {
    let refused = |what| format!("URI with {what} ({text:?}) cannot be matched against constraints");
    let uri = Uri::parse(text).map_err(|_| refused("odd form"))?;
    if uri.host().is_empty() {
        return Err(refused("empty host"));
    }
    let host = uri.hostname().into_owned();
    if uri.host().starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return Err(refused("IP"));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    /// The constraints of the `constrained` fixture.
    fn constraints() -> NameConstraints {
        NameConstraints {
            permitted: Subtrees {
                dns: list(&["good.example", "localhost"]),
                ip: vec![IpRange::parse("127.0.0.0/8").unwrap()],
                email: list(&["good.example", "bob@one.example"]),
                uri: list(&[".good.example"]),
            },
            excluded: Subtrees {
                dns: list(&["bad.good.example"]),
                ip: vec![IpRange::parse("127.9.0.0/16").unwrap()],
                ..Subtrees::default()
            },
            others: false,
        }
    }

    fn check(name: &str, expected: &str) {
        let result = constraints().check(&[san::classify(name)]);
        assert_eq!(result.err().map(|violation| violation.to_string()).unwrap_or_default(), expected);
    }

    #[test]
    fn names_are_matched_as_step_ca_does() {
        for name in [
            "good.example",
            "a.good.example",
            "A.GOOD.example",
            "*.good.example",
            "localhost",
            "127.0.0.1",
            "bob@good.example",
            "bob@sub.GOOD.example",
            "bob@One.example",
            "https://x.good.example/",
            "https://x.good.example:8443/",
        ] {
            check(name, "");
        }
        check("a.other.example", "DNS name \"a.other.example\" is not permitted by any constraint");
        check(".a.other.example", "DNS name \".a.other.example\" is not permitted by any constraint");
        check("..other.example", "internal error: cannot parse domain \"..other.example\"");
        check(".", "internal error: cannot parse domain \".\"");
        check("xgood.example", "DNS name \"xgood.example\" is not permitted by any constraint");
        check(
            "x.bad.good.example",
            "DNS name \"x.bad.good.example\" is excluded by constraint \"bad.good.example\"",
        );
        check("10.0.0.1", "IP address \"10.0.0.1\" is not permitted by any constraint");
        check("::1", "IP address \"::1\" is not permitted by any constraint");
        check("127.9.1.1", "IP address \"127.9.1.1\" is excluded by constraint \"127.9.0.0/16\"");
        check("bob@other.example", "Email address \"bob@other.example\" is not permitted by any constraint");
        check("Bob@one.example", "Email address \"Bob@one.example\" is not permitted by any constraint");
        check("https://good.example/", "URI \"https://good.example/\" is not permitted by any constraint");
        check(
            "https://127.0.0.1/",
            "URI with IP (\"https://127.0.0.1/\") cannot be matched against constraints",
        );
        check("https://[::1]/", "URI with IP (\"https://[::1]/\") cannot be matched against constraints");
        check("urn:x", "URI with empty host (\"urn:x\") cannot be matched against constraints");
        check("a..good.example", "internal error: cannot parse domain \"a..good.example\"");
        check("a b@good.example", "cannot parse rfc822Name \"a b@good.example\"");
    }

    #[test]
    fn no_constraints_permit_everything() {
        let names = san::classify_all(["a..b", "urn:x", "a b@c", "1.2.3.4"]);
        assert_eq!(NameConstraints::default().check(&names), Ok(()));
    }

    #[test]
    fn ranges_are_cut_to_their_network() {
        let written = |text: &str| IpRange::parse(text).map(|range| range.to_string()).ok();
        assert_eq!(written("192.0.2.77/24").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(written("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(written("1.2.3.4/0").as_deref(), Some("0.0.0.0/0"));
        for text in ["192.0.2.0", "192.0.2.0/33", "::/129", "x/8", "1.2.3.4/+8", "1.2.3.4/", "1.2.3.4/0008"] {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn written_constraints_are_read_again() {
        let extension = constraints().to_extension(true).unwrap();
        assert_eq!(NameConstraints::parse(&extension.value), Ok(constraints()));
        let ipv6 = NameConstraints {
            excluded: Subtrees { ip: vec![IpRange::parse("2001:db8::/33").unwrap()], ..Subtrees::default() },
            ..NameConstraints::default()
        };
        assert_eq!(NameConstraints::parse(&ipv6.to_extension(false).unwrap().value), Ok(ipv6));
    }

    #[test]
    fn constraints_of_other_kinds_are_noticed() {
        let directory = NameConstraints::parse(b"\x30\x08\xa0\x06\x30\x04\xa4\x02\x30\x00").unwrap();
        assert_eq!(directory, NameConstraints { others: true, ..NameConstraints::default() });
        let both = b"\x30\x0d\xa1\x0b\x30\x04\xa4\x02\x30\x00\x30\x03\x82\x01a";
        let both = NameConstraints::parse(both).unwrap();
        assert_eq!((both.others, both.excluded.dns.as_slice()), (true, &["a".to_owned()][..]));
    }

    #[test]
    fn refuses_constraints_that_cannot_be_kept() {
        for value in [
            &b"\x30\x0c\xa0\x0a\x30\x08\x87\x06\x01\x02\x03\x04\xff\xff"[..],
            b"\x30\x0e\xa0\x0c\x30\x0a\x87\x08\x01\x02\x03\x04\xff\x00\xff\x00",
            b"\x30\x0a\xa0\x08\x30\x06\x82\x01a\x80\x01\x01",
            b"\x30\x02\x05\x00",
            b"",
        ] {
            assert!(NameConstraints::parse(value).is_err(), "{value:02x?}");
        }
    }
}
