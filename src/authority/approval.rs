//! The last word on a draft: what the issuer may sign, and what the policy lets it sign.
//!
//! Only this file makes an [`Approved`] draft, and only that is signed. Whether a draft makes a certificate at
//! all (CONTRACT.md D12, D17, D18) is checked where it is encoded.

use std::net::IpAddr;
use std::sync::Arc;

use crate::authority::error::Error;
use crate::policy::NamePolicy;
use crate::policy::Names;
use crate::profile::Draft;
use crate::x509::certificate::Certificate;
use crate::x509::san::San;

/// A draft that may be signed.
#[derive(Debug)]
pub(super) struct Approved(Draft);

impl Approved {
    pub(super) fn draft(&self) -> &Draft {
        &self.0
    }
}

/// Judges a draft: the name constraints of every CA above it, then the policy.
pub(super) fn approve(
    draft: Draft,
    chain: &[Arc<Certificate>],
    policy: Option<&NamePolicy>,
) -> Result<Approved, Error> {
    for issuer in chain {
        issuer.name_constraints().check(&draft.names)?;
    }
    if let Some(policy) = policy {
        check_policy(&draft, policy)?;
    }
    Ok(Approved(draft))
}

fn check_policy(draft: &Draft, policy: &NamePolicy) -> Result<(), Error> {
    let (mut dns, mut emails, mut uris) = (Vec::new(), Vec::new(), Vec::new());
    let mut ips: Vec<IpAddr> = Vec::new();
    for name in &draft.names {
        match name {
            San::Dns(name) => dns.push(name.clone()),
            San::Email(name) => emails.push(name.clone()),
            San::Ip(address) => ips.push(*address),
            San::Uri(uri) => uris.push(uri.clone()),
        }
    }
    let common_name = draft.common_name();
    policy.check(&Names {
        common_name: Some(&common_name),
        dns: &dns,
        ips: &ips,
        emails: &emails,
        uris: &uris,
    })?;
    Ok(())
}
