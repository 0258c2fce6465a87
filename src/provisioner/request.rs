//! The certification request against the token: binding, common name, key, names.
//!
//! In step-ca's order and words. CONTRACT.md section 5, D1 and D2.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

use thiserror::Error;

use crate::policy;
use crate::token::VerifiedToken;
use crate::token::binding;
use crate::token::binding::Binding;
use crate::uri::Uri;
use crate::x509::csr::Csr;
use crate::x509::san;
use crate::x509::san::San;

/// How a request differs from what the token allows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is bound to another request.
    #[error(transparent)]
    Binding(binding::Error),
    /// The token is bound to no request, and its provisioner demands it.
    #[error("token is not bound to the certificate request: step.sha or cnf is required")]
    Unbound,
    /// The common name is not among the token's names.
    #[error("certificate request does not contain the valid common name - got {got}, want {want}")]
    CommonName {
        /// The last common name of the request.
        got: String,
        /// Subject and names of the token, as Go prints a list; for type X5C the subject.
        want: String,
    },
    /// The key is too weak.
    #[error(transparent)]
    Key(policy::Error),
    /// The names of one type are not the token's.
    #[error("certificate request does not contain the valid {kind} - got {got}, want {want}")]
    Names {
        /// The type of name, in step-ca's plural.
        kind: &'static str,
        /// The request's names, as Go prints a list.
        got: String,
        /// The token's names.
        want: String,
    },
}

pub(super) fn check(token: &VerifiedToken, csr: &Csr, require_binding: bool) -> Result<Binding, Error> {
    let binding = binding::check(token.claims(), &csr.fingerprint()).map_err(Error::Binding)?;
    if require_binding && binding == Binding::Unbound {
        return Err(Error::Unbound);
    }
    check_common_name(token, csr)?;
    policy::check_key(csr.public_key()).map_err(Error::Key)?;
    check_names(token, csr)?;
    Ok(binding)
}

fn check_common_name(token: &VerifiedToken, csr: &Csr) -> Result<(), Error> {
    let Some(common_name) = csr.common_name().filter(|name| !name.is_empty()) else { return Ok(()) };
    let claims = token.claims();
    // A token that a certificate signed has no say but for its subject.
    if token.certificate().is_some() {
        let (got, want) = (common_name.to_owned(), token.subject().to_owned());
        return if got == want { Ok(()) } else { Err(Error::CommonName { got, want }) };
    }
    let allowed: Vec<&str> = match &claims.sans {
        Some(sans) => std::iter::once(token.subject()).chain(sans.iter().map(String::as_str)).collect(),
        None => vec![token.subject(), token.subject()],
    };
    if allowed.contains(&common_name) {
        return Ok(());
    }
    Err(Error::CommonName { got: common_name.to_owned(), want: go_list(&allowed) })
}

fn check_names(token: &VerifiedToken, csr: &Csr) -> Result<(), Error> {
    let (mut dns, mut emails, mut ips, mut uris) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in token.claims().names() {
        match san::classify(name) {
            San::Dns(name) => dns.push(name),
            San::Email(name) => emails.push(name),
            San::Ip(address) => ips.push(address),
            San::Uri(uri) => uris.push(canonical_uri(&uri)),
        }
    }
    let got_ips: Vec<IpAddr> = csr.ip_addresses().to_vec();
    let got_uris: Vec<String> = csr.uris().iter().map(|uri| canonical_uri(uri)).collect();
    same_set("DNS names", csr.dns_names(), &dns)?;
    same_set("email addresses", csr.email_addresses(), &emails)?;
    same_set("IP addresses", &got_ips, &ips)?;
    same_set("URIs", &got_uris, &uris)
}

/// URIs are compared as Go writes them back.
fn canonical_uri(text: &str) -> String {
    Uri::parse(text).map_or_else(|_| text.to_owned(), |uri| uri.to_string())
}

/// A type of name that the request has must be the same set in both; one that it lacks is not compared.
fn same_set<T: Ord + Display>(kind: &'static str, got: &[T], want: &[T]) -> Result<(), Error> {
    if got.is_empty() || got.iter().collect::<BTreeSet<_>>() == want.iter().collect::<BTreeSet<_>>() {
        return Ok(());
    }
    Err(Error::Names { kind, got: go_list(got), want: go_list(want) })
}

/// A list as Go prints it: `[a b]`.
fn go_list<T: Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(" "))
}
