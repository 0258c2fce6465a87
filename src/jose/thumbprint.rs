//! JWK thumbprints, RFC 7638 and RFC 8037 section 2; the `kid` that step gives a key.

use crate::crypto::PublicKey;
use crate::jose::base64url;
use crate::jose::jwk::PublicMembers;

/// SHA-256 over the required members of the public JWK in lexicographic order, in base64url: 43
/// characters.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    let PublicMembers { crv, n, e, x, y, .. } = PublicMembers::of(key);
    // Every value is base64url or a registered name, so nothing needs escaping.
    let json = match (n, e, x, y) {
        (Some(n), Some(e), _, _) => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        (_, _, Some(x), Some(y)) => {
            format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        (_, _, x, _) => {
            let x = x.unwrap_or_default();
            format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
        }
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, json.as_bytes());
    base64url::encode(digest.as_ref())
}

#[cfg(test)]
mod tests {
    use crate::jose::Jwk;

    fn check(jwk: &str, expected: &str) {
        let jwk = Jwk::parse(jwk.as_bytes()).unwrap();
        assert_eq!(super::thumbprint(jwk.public_key().unwrap()), expected);
    }

    #[test]
    fn rfc_7638_section_3_1() {
        check(
            r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        );
    }

    #[test]
    fn rfc_8037_appendix_a_3() {
        check(
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        );
    }

    #[test]
    fn kid_of_a_key_made_by_step() {
        check(
            r#"{"kty":"EC","crv":"P-256","x":"uuqbyUjipUB5KI1uDsP6Ru6a5Fe8C3i3XDr74nf8YZ0","y":"pqPHz14Gh1eu9naHjSJgDQbstQGGamMak2LZ_8L7_os"}"#,
            "4ZPydKRjIIUAhpgTOXpjG8Rz8QVepFjvUiWn-KKXunI",
        );
    }
}
