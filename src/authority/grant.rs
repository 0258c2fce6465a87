//! The grant rule: what stands in the two grant extensions of a draft, whoever drew it up.
//!
//! A certificate that carries either extension carries both, each the DER of the token's claim, each
//! claim a UUID of 36 characters, and its token was bound to the CSR. CONTRACT.md D2 and D3.

use thiserror::Error;

use crate::profile::Draft;
use crate::profile::GRANT_ID;
use crate::profile::GrantOids;
use crate::profile::SUBJECT_USER_ID;
use crate::provisioner::is_uuid;
use crate::token::binding::Binding;
use crate::token::claims::Claims;
use crate::x509::extension;

/// A draft breaks the grant rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The token is bound to no CSR.
    #[error("grant certificates need a token bound to the certificate request: step.sha or cnf is required")]
    Unbound,
    /// The claim is missing or no UUID of 36 characters.
    #[error("token claim {0:?} is not a UUID of 36 characters")]
    Claim(&'static str),
    /// The certificate would lack the claim's extension, or carry it twice.
    #[error("certificate does not carry token claim {0:?} exactly once")]
    Missing(&'static str),
    /// The extension's value is not the DER of the claim.
    #[error("certificate extension differs from token claim {0:?}")]
    Differs(&'static str),
}

/// The ids of a grant certificate, each a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The grant's id.
    pub grant_id: String,
    /// The id of the user that the grant is for.
    pub subject_user_id: String,
}

/// Whether both claims are UUIDs, without a draft.
pub(super) fn check_claims(claims: &Claims) -> Result<(), GrantError> {
    [GRANT_ID, SUBJECT_USER_ID].into_iter().try_for_each(|claim| uuid(claims, claim).map(|_| ()))
}

/// What the claims say, if they are a grant's.
pub(super) fn of_claims(claims: &Claims) -> Option<Grant> {
    let id = |claim| uuid(claims, claim).ok().map(str::to_owned);
    Some(Grant { grant_id: id(GRANT_ID)?, subject_user_id: id(SUBJECT_USER_ID)? })
}

fn uuid<'a>(claims: &'a Claims, claim: &'static str) -> Result<&'a str, GrantError> {
    let text = claims.all.get(claim).and_then(serde_json::Value::as_str);
    text.filter(|text| is_uuid(text)).ok_or(GrantError::Claim(claim))
}

/// Applies the rule to what a template makes of claims, as if the token were bound to its request.
///
/// # Errors
///
/// [`GrantError`] names the claim.
pub fn check_grant(draft: &Draft, claims: &Claims, oids: &GrantOids) -> Result<Option<Grant>, GrantError> {
    check(draft, claims, Binding::Bound, oids)
}

/// Applies the rule; `None` for a certificate that is no grant.
pub(super) fn check(
    draft: &Draft,
    claims: &Claims,
    binding: Binding,
    oids: &GrantOids,
) -> Result<Option<Grant>, GrantError> {
    let both = [(&oids.grant_id, GRANT_ID), (&oids.subject_user_id, SUBJECT_USER_ID)];
    if !draft.extensions.iter().any(|e| both.iter().any(|(oid, _)| e.oid == **oid)) {
        return Ok(None);
    }
    if binding == Binding::Unbound {
        return Err(GrantError::Unbound);
    }
    let mut ids = both.map(|_| String::new());
    for ((oid, claim), id) in both.into_iter().zip(&mut ids) {
        let text = uuid(claims, claim)?;
        let mut carried = draft.extensions.iter().filter(|e| e.oid == *oid);
        let (Some(extension), None) = (carried.next(), carried.next()) else {
            return Err(GrantError::Missing(claim));
        };
        if extension.value != extension::utf8_string(oid.clone(), text, false).value {
            return Err(GrantError::Differs(claim));
        }
        text.clone_into(id);
    }
    let [grant_id, subject_user_id] = ids;
    Ok(Some(Grant { grant_id, subject_user_id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::oid::Oid;

    const A: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    const B: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

    fn check_draft(
        extensions: &[(&str, &str)],
        claims: &str,
        binding: Binding,
        expected: Result<bool, GrantError>,
    ) {
        let arc = Oid::parse("1.2.3").unwrap();
        let mut draft = Draft::default();
        for (oid, text) in extensions {
            draft.extensions.push(extension::utf8_string(Oid::parse(oid).unwrap(), text, false));
        }
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let got = check(&draft, &claims, binding, &GrantOids::below(&arc).unwrap());
        assert_eq!(got.map(|grant| grant.is_some()), expected);
    }

    #[test]
    fn both_or_none() {
        let claims = format!(r#"{{"mosaic_grant_id":"{A}","mosaic_subject_user_id":"{B}"}}"#);
        let good = [("1.2.3.1", A), ("1.2.3.2", B)];
        check_draft(&[], "{}", Binding::Unbound, Ok(false));
        check_draft(&[("1.2.4.1", "x")], "{}", Binding::Unbound, Ok(false));
        check_draft(&good, &claims, Binding::Bound, Ok(true));
        check_draft(&good, &claims, Binding::Unbound, Err(GrantError::Unbound));
        check_draft(&good[..1], &claims, Binding::Bound, Err(GrantError::Missing(SUBJECT_USER_ID)));
        check_draft(&good[1..], &claims, Binding::Bound, Err(GrantError::Missing(GRANT_ID)));
        check_draft(
            &[good[0], good[0], good[1]],
            &claims,
            Binding::Bound,
            Err(GrantError::Missing(GRANT_ID)),
        );
        check_draft(&[("1.2.3.1", B), good[1]], &claims, Binding::Bound, Err(GrantError::Differs(GRANT_ID)));
        check_draft(&good, "{}", Binding::Bound, Err(GrantError::Claim(GRANT_ID)));
        let short = format!(r#"{{"mosaic_grant_id":"{A}","mosaic_subject_user_id":"short"}}"#);
        check_draft(
            &[good[0], ("1.2.3.2", "short")],
            &short,
            Binding::Bound,
            Err(GrantError::Claim(SUBJECT_USER_ID)),
        );
    }
}
