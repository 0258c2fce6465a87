//! Judging names by the rules (CONTRACT.md section 11, `policy.x509`).

use std::net::IpAddr;

use crate::policy::Error;
use crate::policy::NameKind;
use crate::policy::rule::Compiled;
use crate::policy::rule::List;
use crate::policy::rule::RuleError;
use crate::policy::rule::Rules;
use crate::policy::rule::fold_case;
use crate::policy::rule::to_ascii;
use crate::uri::Uri;
use crate::x509::mailbox::Mailbox;
use crate::x509::mailbox::domain_labels;
use crate::x509::san::San;
use crate::x509::san::classify;

/// The names of a certificate that is about to be signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// The common name of the subject.
    pub common_name: Option<&'a str>,
    /// DNS names.
    pub dns: &'a [String],
    /// IP addresses.
    pub ips: &'a [IpAddr],
    /// E-mail addresses.
    pub emails: &'a [String],
    /// URIs.
    pub uris: &'a [String],
}

/// Which names may be certified.
///
/// Without any rule, all. With deny rules only, all that none of them matches. As soon as there is one allow rule of
/// whatever kind, each name needs an allow rule of its kind, and a kind without any rule is closed altogether; a kind
/// with deny rules only is not. Deny wins over allow.
///
/// # Examples
///
/// ```
/// use stepless::policy::NamePolicy;
/// use stepless::policy::Names;
/// use stepless::policy::Rules;
///
/// let allow = Rules {
///     dns: vec!["*.internal.example".to_owned()],
///     ..Rules::default()
/// };
/// let policy = NamePolicy::new(&allow, &Rules::default(), false)?;
/// let check = |name: &str| {
///     policy.check(&Names {
///         dns: &[name.to_owned()],
///         ..Names::default()
///     })
/// };
/// assert!(check("a.internal.example").is_ok());
/// assert_eq!(
///     check("internal.example").unwrap_err().to_string(),
///     r#"dns name "internal.example" not allowed"#
/// );
/// # Ok::<(), stepless::policy::RuleError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct NamePolicy {
    allow: Compiled,
    deny: Compiled,
    /// Whether allow rules match `*.x` as a name.
    allow_wildcard_names: bool,
}

impl NamePolicy {
    /// Reads the rules of `policy.x509`: its members `allow`, `deny` and `allowWildcardNames`.
    ///
    /// # Errors
    ///
    /// The first rule that cannot be read.
    pub fn new(allow: &Rules, deny: &Rules, allow_wildcard_names: bool) -> Result<Self, RuleError> {
        Ok(Self {
            allow: Compiled::compile(List::Allow, allow)?,
            deny: Compiled::compile(List::Deny, deny)?,
            allow_wildcard_names,
        })
    }

    /// Judges all names: first the alternative names in the order of [`Names`], then the common name.
    ///
    /// The common name passes if the `cn` rules say so: it is refused if `deny.cn` has it (CONTRACT.md D19), and passes
    /// if `allow.cn` has it or if there are `deny.cn` rules only. Otherwise it is judged as the kind of name it looks
    /// like.
    ///
    /// # Errors
    ///
    /// The first name that is refused: [`Error::NotAllowed`], or [`Error::Incomparable`] (CONTRACT.md D12).
    pub fn check(&self, names: &Names<'_>) -> Result<(), Error> {
        if self.allow.is_empty() && self.deny.is_empty() {
            return Ok(());
        }
        names.dns.iter().try_for_each(|name| self.check_dns(name))?;
        names.ips.iter().try_for_each(|ip| self.check_ip(*ip))?;
        names.emails.iter().try_for_each(|name| self.check_email(name))?;
        names.uris.iter().try_for_each(|name| self.check_uri(name))?;
        match names.common_name {
            Some(name) if !name.is_empty() => self.check_common_name(name),
            _ => Ok(()),
        }
    }

    fn check_common_name(&self, name: &str) -> Result<(), Error> {
        let (allow, deny) = (&self.allow.cn, &self.deny.cn);
        let folded = fold_case(name);
        if deny.contains(&folded) {
            return Err(not_allowed(NameKind::Cn, name));
        }
        let has_rules = !allow.is_empty() || !deny.is_empty();
        if has_rules && (allow.is_empty() || allow.contains(&folded)) {
            return Ok(());
        }
        let verdict = match classify(name) {
            San::Dns(name) => self.check_dns(&name),
            San::Ip(address) => self.check_ip(address),
            San::Email(name) => self.check_email(&name),
            San::Uri(name) => self.check_uri(&name),
        };
        verdict.map_err(|error| match error {
            Error::NotAllowed { name, .. } => not_allowed(NameKind::Cn, &name),
            Error::Incomparable { name, .. } => incomparable(NameKind::Cn, &name),
            other => other,
        })
    }

    fn check_dns(&self, name: &str) -> Result<(), Error> {
        let (allow, deny) = (&self.allow.dns, &self.deny.dns);
        self.check_kind_is_open(allow, deny, NameKind::Dns, name)?;
        let (domain, is_wildcard) = match name.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (name, false),
        };
        let domain = to_ascii(domain).unwrap_or_default();
        let mut labels = domain_labels(&domain).unwrap_or_default();
        if labels.is_empty() {
            return Err(incomparable(NameKind::Dns, name));
        }
        if is_wildcard {
            labels.push("*");
        }
        // Deny rules match wildcards even where these are not allowed: a deny list alone would let them through.
        let is_denied = deny.iter().any(|rule| rule.matches(&labels));
        let may_be_allowed = !is_wildcard || self.allow_wildcard_names;
        let is_allowed =
            allow.is_empty() || (may_be_allowed && allow.iter().any(|rule| rule.matches(&labels)));
        verdict(is_denied, is_allowed, NameKind::Dns, name)
    }

    fn check_ip(&self, address: IpAddr) -> Result<(), Error> {
        let (allow, deny) = (&self.allow.ip, &self.deny.ip);
        let address = address.to_canonical();
        let name = address.to_string();
        self.check_kind_is_open(allow, deny, NameKind::Ip, &name)?;
        let is_denied = deny.iter().any(|range| range.contains(address));
        let is_allowed = allow.is_empty() || allow.iter().any(|range| range.contains(address));
        verdict(is_denied, is_allowed, NameKind::Ip, &name)
    }

    fn check_email(&self, name: &str) -> Result<(), Error> {
        let (allow, deny) = (&self.allow.email, &self.deny.email);
        self.check_kind_is_open(allow, deny, NameKind::Email, name)?;
        let mailbox = Mailbox::parse(name)
            .filter(|mailbox| !mailbox.domain.is_empty())
            .ok_or_else(|| incomparable(NameKind::Email, name))?;
        let is_denied = deny.iter().any(|rule| rule.matches(&mailbox));
        let is_allowed = allow.is_empty() || allow.iter().any(|rule| rule.matches(&mailbox));
        verdict(is_denied, is_allowed, NameKind::Email, name)
    }

    fn check_uri(&self, name: &str) -> Result<(), Error> {
        let (allow, deny) = (&self.allow.uri, &self.deny.uri);
        let uri = Uri::parse(name).map_err(|_| incomparable(NameKind::Uri, name))?;
        let name = uri.to_string();
        self.check_kind_is_open(allow, deny, NameKind::Uri, &name)?;
        if allow.is_empty() && deny.is_empty() {
            return Ok(());
        }
        let host = uri.hostname();
        let labels = comparable_host(&uri, &host).ok_or_else(|| incomparable(NameKind::Uri, &name))?;
        let is_denied = deny.iter().any(|rule| rule.matches(&labels));
        let is_allowed = allow.is_empty() || allow.iter().any(|rule| rule.matches(&labels));
        verdict(is_denied, is_allowed, NameKind::Uri, &name)
    }

    /// Refuses names of a kind without any rule if there are allow rules for other kinds.
    fn check_kind_is_open<R>(
        &self,
        allow: &[R],
        deny: &[R],
        kind: NameKind,
        name: &str,
    ) -> Result<(), Error> {
        if allow.is_empty() && deny.is_empty() && !self.allow.is_empty() {
            return Err(not_allowed(kind, name));
        }
        Ok(())
    }
}

/// The labels of a host that is a domain: RFC 5280 §4.2.1.10 has URIs without one refused. Nor may it have a wildcard.
fn comparable_host<'a>(uri: &Uri, host: &'a str) -> Option<Vec<&'a str>> {
    let is_address = uri.host().starts_with('[') || host.parse::<IpAddr>().is_ok();
    if is_address || host.contains('*') {
        return None;
    }
    domain_labels(host).filter(|labels| !labels.is_empty())
}

fn verdict(is_denied: bool, is_allowed: bool, kind: NameKind, name: &str) -> Result<(), Error> {
    if is_denied || !is_allowed {
        return Err(not_allowed(kind, name));
    }
    Ok(())
}

fn not_allowed(kind: NameKind, name: &str) -> Error {
    Error::NotAllowed { kind, name: name.to_owned() }
}

fn incomparable(kind: NameKind, name: &str) -> Error {
    Error::Incomparable { kind, name: name.to_owned() }
}

#[cfg(test)]
mod tests;
