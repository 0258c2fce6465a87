//! The rules of ca.json, read once at the start so that judging a name cannot fail on them.

use std::fmt;
use std::net::IpAddr;

use idna::AsciiDenyList;
use idna::uts46::DnsLength;
use idna::uts46::Hyphens;
use idna::uts46::Uts46;
use thiserror::Error as ThisError;

use crate::policy::NameKind;
use crate::x509::mailbox::Mailbox;
use crate::x509::mailbox::domain_labels;
use crate::x509::name_constraints::IpRange;

/// The lists of `policy.x509.allow` or `policy.x509.deny`, as they stand in ca.json (CONTRACT.md section 11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Common names, compared as a whole.
    pub cn: Vec<String>,
    /// Domains; `*.x` is exactly one label more than `x`.
    pub dns: Vec<String>,
    /// Addresses, or networks in CIDR notation.
    pub ip: Vec<String>,
    /// Whole addresses, or `@` and a domain.
    pub email: Vec<String>,
    /// Domains of the host, as in `dns`.
    pub uri: Vec<String>,
}

/// A rule that cannot be read; an error of the start-up.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("policy.x509.{list}.{kind} rule {rule:?} {fault}")]
pub struct RuleError {
    /// Where it stands.
    pub list: List,
    /// What it is about.
    pub kind: NameKind,
    /// Its text.
    pub rule: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The two lists of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
}

impl fmt::Display for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ThisError)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// It begins with a dot.
    #[error("begins with a dot; write *. for one label more")]
    LeadingDot,
    /// An asterisk that is not the whole first label, or where none may be.
    #[error("has a wildcard where none may be")]
    Wildcard,
    /// It cannot be a domain, also not after conversion to ASCII (UTS #46).
    #[error("is not a domain name")]
    NotADomain,
    /// It is no mailbox, and no domain with an `@` before it.
    #[error("is neither an e-mail address nor @ and a domain")]
    NotAMailbox,
    /// It is no address and no network.
    #[error("is neither an IP address nor a network")]
    NotAnIp,
    /// A URI rule with a scheme.
    #[error("has a scheme; rules for URIs are about their host")]
    Scheme,
    /// A URI rule with a port.
    #[error("has a port; rules for URIs hold for every port")]
    Port,
    /// A URI rule for an address, which no URI can match (RFC 5280 §4.2.1.10).
    #[error("is an IP address; rules for URIs are about domains")]
    IpHost,
}

/// [`Rules`], ready to be compared with names.
#[derive(Debug, Clone, Default)]
pub(super) struct Compiled {
    /// Case folded.
    pub(super) cn: Vec<String>,
    pub(super) dns: Vec<DomainRule>,
    pub(super) ip: Vec<IpRange>,
    pub(super) email: Vec<EmailRule>,
    pub(super) uri: Vec<DomainRule>,
}

impl Compiled {
    /// Reads the rules of a list.
    pub(super) fn compile(list: List, rules: &Rules) -> Result<Self, RuleError> {
        fn each<T>(
            list: List,
            kind: NameKind,
            rules: &[String],
            parse: impl Fn(&str) -> Result<T, Fault>,
        ) -> Result<Vec<T>, RuleError> {
            let named = |rule: &String| {
                parse(rule).map_err(|fault| RuleError { list, kind, rule: rule.clone(), fault })
            };
            rules.iter().map(named).collect()
        }
        Ok(Self {
            cn: each(list, NameKind::Cn, &rules.cn, common_name)?,
            dns: each(list, NameKind::Dns, &rules.dns, DomainRule::parse)?,
            ip: each(list, NameKind::Ip, &rules.ip, ip_range)?,
            email: each(list, NameKind::Email, &rules.email, EmailRule::parse)?,
            uri: each(list, NameKind::Uri, &rules.uri, DomainRule::parse_host)?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cn.is_empty()
            && self.dns.is_empty()
            && self.ip.is_empty()
            && self.email.is_empty()
            && self.uri.is_empty()
    }
}

/// A domain, or the domains with one label more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainRule {
    /// From the last to the first, in lower case.
    labels: Vec<String>,
    one_more: bool,
}

impl DomainRule {
    fn parse(rule: &str) -> Result<Self, Fault> {
        let rule = normalized(rule)?;
        if rule.starts_with('.') {
            return Err(Fault::LeadingDot);
        }
        let (domain, one_more) = match rule.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (rule.as_str(), false),
        };
        if domain.contains('*') {
            return Err(Fault::Wildcard);
        }
        let domain = to_ascii(domain).ok_or(Fault::NotADomain)?;
        let labels = domain_labels(&domain).filter(|labels| !labels.is_empty()).ok_or(Fault::NotADomain)?;
        Ok(Self { labels: labels.into_iter().map(str::to_owned).collect(), one_more })
    }

    fn parse_host(rule: &str) -> Result<Self, Fault> {
        let host = rule.trim();
        if host.contains("://") {
            return Err(Fault::Scheme);
        }
        if host.parse::<IpAddr>().is_ok() || host.contains(['[', ']']) {
            return Err(Fault::IpHost);
        }
        if host.contains(':') {
            return Err(Fault::Port);
        }
        Self::parse(host)
    }

    /// Whether a domain with these labels, from the last to the first, is meant; case does not matter.
    pub(super) fn matches(&self, labels: &[&str]) -> bool {
        labels.len() == self.labels.len() + usize::from(self.one_more)
            && self.labels.iter().zip(labels).all(|(rule, label)| rule.eq_ignore_ascii_case(label))
    }
}

/// A mailbox, or all mailboxes of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmailRule {
    local: Option<String>,
    /// In lower case.
    domain: String,
}

impl EmailRule {
    /// The local part becomes lower case too, as in step-ca, so it only matches names written so.
    fn parse(rule: &str) -> Result<Self, Fault> {
        let rule = normalized(rule)?;
        if rule.contains('*') {
            return Err(Fault::Wildcard);
        }
        let (local, domain) = match rule.strip_prefix('@') {
            None if rule.contains('@') => {
                let mailbox = Mailbox::parse(&rule).ok_or(Fault::NotAMailbox)?;
                (Some(mailbox.local), mailbox.domain)
            }
            domain => (None, domain.unwrap_or(&rule).to_owned()),
        };
        if domain.starts_with('.') {
            return Err(Fault::LeadingDot);
        }
        let domain = to_ascii(&domain).ok_or(Fault::NotAMailbox)?;
        match domain_labels(&domain) {
            Some(labels) if !labels.is_empty() => Ok(Self { local, domain }),
            _ => Err(Fault::NotAMailbox),
        }
    }

    /// Compares the local part exactly and the domain without case (RFC 5280 §7.5).
    pub(super) fn matches(&self, mailbox: &Mailbox) -> bool {
        self.local.as_ref().is_none_or(|local| *local == mailbox.local)
            && self.domain.eq_ignore_ascii_case(&mailbox.domain)
    }
}

/// A rule for the whole common name.
fn common_name(rule: &str) -> Result<String, Fault> {
    let rule = normalized(rule)?;
    match rule.as_str() {
        "*" => Err(Fault::Wildcard),
        rule => Ok(fold_case(rule)),
    }
}

/// An address or a network; IPv4 in IPv6 is IPv4, unless the prefix is so short that it holds more.
fn ip_range(rule: &str) -> Result<IpRange, Fault> {
    let parse = |text: &str| IpRange::parse(text).map_err(|_| Fault::NotAnIp);
    let (address, prefix) = match rule.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (rule, None),
    };
    let address: IpAddr = address.parse().map_err(|_| Fault::NotAnIp)?;
    let folded = address.to_canonical();
    let Some(prefix) = prefix else {
        let bits = if folded.is_ipv4() { 32 } else { 128 };
        return parse(&format!("{folded}/{bits}"));
    };
    let range = parse(rule)?;
    match prefix.parse() {
        Ok(bits @ 96_u8..) if folded != address => parse(&format!("{folded}/{}", bits - 96)),
        _ => Ok(range),
    }
}

/// Without white space around it, in lower case; not empty.
fn normalized(rule: &str) -> Result<String, Fault> {
    let rule = rule.trim();
    if rule.is_empty() {
        return Err(Fault::Empty);
    }
    Ok(rule.chars().flat_map(char::to_lowercase).collect())
}

/// A domain in ASCII, by UTS #46 as strictly as step-ca does for rules and DNS names: letters, digits and hyphens only,
/// hyphens neither at an end of a label nor third and fourth. The lengths of labels are not looked at.
pub(super) fn to_ascii(domain: &str) -> Option<String> {
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
        .ok()
        .map(Into::into)
}

/// A text such that two are equal if they differ in nothing but case, by Unicode's simple case folding.
pub(super) fn fold_case(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

/// Through upper case, so that letters with two lower-case forms (σ and ς, s and ſ) meet.
fn fold_char(character: char) -> char {
    fn single(mut mapped: impl Iterator<Item = char>, otherwise: char) -> char {
        match (mapped.next(), mapped.next()) {
            (Some(character), None) => character,
            _ => otherwise,
        }
    }
    match character {
        // Its upper case is I, but it is no i to Unicode's folding.
        'ı' => character,
        _ => {
            let upper = single(character.to_uppercase(), character);
            single(upper.to_lowercase(), upper)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: NameKind, rule: &str, expected: Option<Fault>) {
        let list = || vec![rule.to_owned()];
        let mut rules = Rules::default();
        match kind {
            NameKind::Cn => rules.cn = list(),
            NameKind::Dns => rules.dns = list(),
            NameKind::Ip => rules.ip = list(),
            NameKind::Email => rules.email = list(),
            NameKind::Uri => rules.uri = list(),
        }
        let error = Compiled::compile(List::Deny, &rules).err();
        assert_eq!(error.map(|error| error.fault), expected, "{kind} {rule:?}");
    }

    #[test]
    fn the_message_names_the_rule() {
        let rules =
            Rules { dns: vec!["good.example".to_owned(), ".bad.example".to_owned()], ..Rules::default() };
        assert_eq!(
            Compiled::compile(List::Allow, &rules).unwrap_err().to_string(),
            "policy.x509.allow.dns rule \".bad.example\" begins with a dot; write *. for one label more"
        );
    }

    #[test]
    fn common_names() {
        check(NameKind::Cn, "Jane Doe", None);
        check(NameKind::Cn, "a*", None);
        check(NameKind::Cn, " ", Some(Fault::Empty));
        check(NameKind::Cn, " * ", Some(Fault::Wildcard));
    }

    #[test]
    fn domains() {
        for kind in [NameKind::Dns, NameKind::Uri] {
            check(kind, "exact.example", None);
            check(kind, " *.Exact.Example\n", None);
            check(kind, "bücher.example", None);
            check(kind, "*.xn--bcher-kva.example", None);
            check(kind, "localhost", None);
            check(kind, &"a".repeat(300), None);
            check(kind, "", Some(Fault::Empty));
            check(kind, ".example", Some(Fault::LeadingDot));
            for wildcard in ["*", "*example", "a.*.example", "*.*.example", "**.example"] {
                check(kind, wildcard, Some(Fault::Wildcard));
            }
            for other in [
                "a..example",
                "example.",
                "*.",
                "a_b.example",
                "a b.example",
                "-a.example",
                "ab--c.example",
                "xn--a.example",
                "xn--\u{fc}.example",
                "a@b.example",
                "a\u{0}.example",
            ] {
                check(kind, other, Some(Fault::NotADomain));
            }
        }
        check(NameKind::Uri, "https://a.example", Some(Fault::Scheme));
        check(NameKind::Uri, "a.example:443", Some(Fault::Port));
        check(NameKind::Uri, "10.0.0.1", Some(Fault::IpHost));
        check(NameKind::Uri, "2001:db8::1", Some(Fault::IpHost));
        check(NameKind::Uri, "[2001:db8::1]", Some(Fault::IpHost));
        check(NameKind::Dns, "10.0.0.1", None);
    }

    #[test]
    fn addresses() {
        for rule in ["10.0.0.0/8", "10.1.2.3/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:10.0.0.0/104"] {
            check(NameKind::Ip, rule, None);
        }
        for rule in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.1 ",
            "010.0.0.1",
            "10.0.0.0/+8",
            "::/129",
            "fe80::1%eth0",
            "::ffff:10.0.0.0/129",
            "::ffff:10.0.0.0/+104",
            "a.example",
        ] {
            check(NameKind::Ip, rule, Some(Fault::NotAnIp));
        }
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        for (rule, expected) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:0:0/90", "::ffc0:0:0/90"),
        ] {
            assert_eq!(ip_range(rule).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn mailboxes() {
        for rule in
            ["@mail.example", "mail.example", "bob@corp.example", "\"a b\"@corp.example", "@bücher.example"]
        {
            check(NameKind::Email, rule, None);
        }
        check(NameKind::Email, "", Some(Fault::Empty));
        check(NameKind::Email, "*@corp.example", Some(Fault::Wildcard));
        check(NameKind::Email, "@.corp.example", Some(Fault::LeadingDot));
        for rule in ["@", "a@", "a@b@c", "@a@b", "@a..b", "a b@corp.example", "@a_b.example"] {
            check(NameKind::Email, rule, Some(Fault::NotAMailbox));
        }
    }

    #[test]
    fn case_is_folded() {
        for (left, right) in [("ΣΣ", "σς"), ("Kk", "\u{212a}K"), ("ſ", "S"), ("ẞ", "ß"), ("É", "é")]
        {
            assert_eq!(fold_case(left), fold_case(right), "{left} {right}");
        }
        for (left, right) in [("ı", "i"), ("ß", "ss"), ("e", "é")] {
            assert_ne!(fold_case(left), fold_case(right), "{left} {right}");
        }
    }
}
