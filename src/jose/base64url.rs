//! base64url without padding, RFC 7515 section 2.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jose::Error;

/// Encodes without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the one canonical spelling: no padding, no white space, unused bits zero.
///
/// # Errors
///
/// [`Error::Base64Url`] for every other spelling.
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Base64Url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_decodes() {
        fn check(text: &str, expected: Option<&[u8]>) {
            assert_eq!(decode(text).ok().as_deref(), expected, "{text:?}");
            if let Some(bytes) = expected {
                assert_eq!(encode(bytes), text);
            }
        }
        check("", Some(b""));
        check("YQ", Some(b"a"));
        check("-_8", Some(b"\xfb\xff"));
        check("YQ==", None);
        check("YR", None);
        check("YQ\n", None);
        check(" YQ", None);
        check("+/8", None);
        check("Y", None);
    }
}
