//! Allow and deny rules and key rules, as pure functions over names and keys.
//!
//! What is judged, and when, is decided above: this room sees neither tokens nor requests nor certificates.

use std::fmt;

use thiserror::Error as ThisError;

use crate::crypto::PublicKey;

mod names;
mod rule;

pub use names::NamePolicy;
pub use names::Names;
pub use rule::Fault;
pub use rule::List;
pub use rule::RuleError;
pub use rule::Rules;

/// Octets of the smallest RSA modulus that is signed; a 2047-bit modulus fills them (CONTRACT.md section 5, "Keys").
const MIN_RSA_MODULUS: usize = 256;

/// Why something may not be certified. The texts, but for [`Error::Incomparable`], are step-ca's.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A rule denies the name, or rules exist and none allows it.
    #[error("{kind} name {name:?} not allowed")]
    NotAllowed {
        /// Kind of the name; [`NameKind::Cn`] for the common name, whatever it looks like.
        kind: NameKind,
        /// The name.
        name: String,
    },
    /// The name has no form that a rule could be compared with (CONTRACT.md D12).
    #[error("{kind} name {name:?} cannot be compared with the policy")]
    Incomparable {
        /// Kind of the name, as in [`Error::NotAllowed`].
        kind: NameKind,
        /// The name.
        name: String,
    },
    /// The RSA key is too short.
    #[error("certificate request RSA key must be at least 2048 bits (256 bytes)")]
    RsaKeyTooShort,
}

/// The kinds of names that rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// The common name of the subject.
    Cn,
    /// A DNS name.
    Dns,
    /// An IP address.
    Ip,
    /// An e-mail address.
    Email,
    /// A URI.
    Uri,
}

/// Writes the word of ca.json and of the messages.
impl fmt::Display for NameKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cn => "cn",
            Self::Dns => "dns",
            Self::Ip => "ip",
            Self::Email => "email",
            Self::Uri => "uri",
        })
    }
}

/// Checks that a key to be certified is strong enough.
///
/// Of the keys that [`PublicKey`] can hold only RSA keys may not be; a public exponent of 3 passes, as in step-ca.
///
/// # Errors
///
/// [`Error::RsaKeyTooShort`].
pub fn check_key(key: &PublicKey) -> Result<(), Error> {
    match key.rsa_modulus() {
        Some(modulus) if modulus.len() < MIN_RSA_MODULUS => Err(Error::RsaKeyTooShort),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(modulus_bits: usize, expected: Result<(), Error>) {
        let mut modulus = vec![0xff; modulus_bits.div_ceil(8)];
        modulus[0] = 0xff >> (modulus.len() * 8 - modulus_bits);
        let key = PublicKey::from_rsa(&modulus, &[3]).unwrap();
        assert_eq!(check_key(&key), expected, "{modulus_bits}");
    }

    #[test]
    fn rsa_keys_need_256_bytes() {
        check(4096, Ok(()));
        check(2048, Ok(()));
        check(2047, Ok(()));
        check(2041, Ok(()));
        check(2040, Err(Error::RsaKeyTooShort));
        check(1024, Err(Error::RsaKeyTooShort));
    }
}
