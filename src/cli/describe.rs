//! Extensions of a draft in words.

use crate::hex;
use crate::profile::Draft;
use crate::profile::GrantOids;
use crate::x509::extension::Extension;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::words;

/// What an extension is called, the two of a grant included.
pub(super) fn extension_name(oid: &Oid, grant: &GrantOids) -> Option<&'static str> {
    match oid {
        oid if *oid == grant.grant_id => Some("grant id"),
        oid if *oid == grant.subject_user_id => Some("subject user id"),
        oid => words::extension_name(oid),
    }
}

/// What an extension of a draft says; hexadecimal digits for what has no words here.
pub(super) fn extension_value(extension: &Extension, draft: &Draft) -> String {
    let oid = &extension.oid;
    let words = if *oid == oid::CERTIFICATE_POLICIES && !draft.certificate_policies.is_empty() {
        let policies: Vec<String> = draft.certificate_policies.iter().map(ToString::to_string).collect();
        Some(policies.join(", "))
    } else if *oid == oid::CRL_DISTRIBUTION_POINTS && !draft.crl_distribution_points.is_empty() {
        Some(draft.crl_distribution_points.join(", "))
    } else if *oid == oid::AUTHORITY_INFO_ACCESS {
        let ocsp = draft.ocsp_servers.iter().map(|uri| format!("ocsp {uri}"));
        let issuers = draft.issuing_certificate_urls.iter().map(|uri| format!("issuer {uri}"));
        Some(ocsp.chain(issuers).collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
    } else {
        words::extension_value(extension)
    };
    words.unwrap_or_else(|| hex::encode(&extension.value))
}
