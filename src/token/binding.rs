//! The binding of a token to one certification request.
//!
//! `cnf.x5rt#S256` is base64url of the SHA-256 of the CSR's DER; `step.sha` the same as 64 hexadecimal
//! digits or base64url. Each is checked whenever it is there (CONTRACT.md sections 4 and D1).

use subtle::ConstantTimeEq;

use crate::hex;
use crate::jose::base64url;
use crate::token::claims::Claims;

/// The token is bound to another request, or to something that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The fingerprint is that of another request.
    #[error("certificate request fingerprint does not match {0:?}")]
    Mismatch(String),
    /// `cnf` holds no base64url.
    #[error("error decoding fingerprint")]
    Undecodable,
}

/// Whether a token names the request it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `step.sha` or `cnf` is there, and all that are there fit.
    Bound,
    /// Neither is there.
    Unbound,
}

/// Compares the claims with the SHA-256 of the request's DER.
///
/// # Errors
///
/// [`Error::Mismatch`] or [`Error::Undecodable`], for `cnf` first.
pub fn check(claims: &Claims, fingerprint: &[u8; 32]) -> Result<Binding, Error> {
    let mut binding = Binding::Unbound;
    if let Some(text) = &claims.confirmation {
        let claimed = base64url::decode(text).map_err(|_| Error::Undecodable)?;
        if !bool::from(claimed.ct_eq(fingerprint.as_slice())) {
            return Err(Error::Mismatch(text.clone()));
        }
        binding = Binding::Bound;
    }
    if let Some(text) = &claims.step_sha {
        let digits = hex::decode(text).filter(|claimed| claimed.len() == fingerprint.len());
        let claimed = digits.or_else(|| base64url::decode(text).ok()).unwrap_or_default();
        if !bool::from(claimed.ct_eq(fingerprint.as_slice())) {
            return Err(Error::Mismatch(text.clone()));
        }
        binding = Binding::Bound;
    }
    Ok(binding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINT: [u8; 32] = [0xab; 32];

    fn check_claims(step_sha: Option<&str>, cnf: Option<&str>, expected: Result<Binding, Error>) {
        let mut claims = Claims::parse(b"{}").unwrap();
        claims.step_sha = step_sha.map(str::to_owned);
        claims.confirmation = cnf.map(str::to_owned);
        assert_eq!(check(&claims, &PRINT), expected, "{step_sha:?} {cnf:?}");
    }

    #[test]
    fn each_present_claim_is_compared() {
        let hex = "ab".repeat(32);
        let base64 = base64url::encode(&PRINT);
        check_claims(None, None, Ok(Binding::Unbound));
        check_claims(Some(&hex), None, Ok(Binding::Bound));
        check_claims(Some(&hex.to_uppercase()), None, Ok(Binding::Bound));
        check_claims(Some(&base64), Some(&base64), Ok(Binding::Bound));
        let other = base64url::encode(&[0; 32]);
        check_claims(Some(&hex), Some(&other), Err(Error::Mismatch(other.clone())));
        check_claims(Some(&other), Some(&base64), Err(Error::Mismatch(other.clone())));
        check_claims(None, Some("!"), Err(Error::Undecodable));
        for bad in ["ab:ab", "abab", "zz", "A"] {
            check_claims(Some(bad), None, Err(Error::Mismatch(bad.to_owned())));
        }
    }
}
