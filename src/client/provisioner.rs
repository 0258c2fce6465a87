//! Which provisioner a key belongs to, asked of the authority.

use serde_json::Value;

use crate::jose::PrivateJwk;
use crate::jose::thumbprint;

/// The name of the JWK provisioner that has `key`, out of the authority's list.
///
/// Keys are compared by `kid`; a key without one has its thumbprint, as `step` gives it (RFC 7638). A secret without
/// `kid` has neither, and is found only if it can be one provisioner's alone.
///
/// # Errors
///
/// The names of all, if it is none of them.
pub(super) fn named(list: &[Value], key: &PrivateJwk) -> Result<String, String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let jwk = |p: &&Value| text(p, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("jwk"));
    let key_id = key_id(key);
    let fits = |p: &&Value| {
        let Some(listed) = p.get("key") else { return false };
        match key_id.is_empty() {
            true => text(listed, "kty").as_deref() == Some("oct"),
            false => text(listed, "kid").as_deref() == Some(key_id.as_str()),
        }
    };
    let found: Vec<&Value> = list.iter().filter(jwk).filter(fits).collect();
    match found.as_slice() {
        [only] => text(only, "name").ok_or_else(String::new),
        _ => Err(list.iter().filter_map(|p| text(p, "name")).collect::<Vec<_>>().join(", ")),
    }
}

/// The key's `kid`, else its thumbprint; empty for a secret without one.
pub(super) fn key_id(key: &PrivateJwk) -> String {
    match (key.public().key_id(), key.private_key()) {
        ("", Some(private)) => thumbprint(private.public_key()),
        (key_id, _) => key_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn provisioners_are_found_by_their_key() {
        let secret = |kid: &str| {
            let jwk =
                json!({ "kty": "oct", "kid": kid, "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA" });
            PrivateJwk::parse(jwk.to_string().as_bytes()).unwrap()
        };
        let listed = |name: &str, kty: &str, kid: &str| json!({ "type": "JWK", "name": name, "key": { "kty": kty, "kid": kid } });
        let other = json!({ "type": "X5C", "name": "x", "roots": "" });
        let list = [other.clone(), listed("a", "EC", "k1"), listed("b", "oct", "k2")];
        let all = "x, a, b".to_owned();
        assert_eq!(named(&list, &secret("k2")), Ok("b".to_owned()));
        assert_eq!(named(&list, &secret("k1")), Ok("a".to_owned()));
        assert_eq!(named(&list, &secret("")), Ok("b".to_owned()));
        assert_eq!(named(&list, &secret("k3")), Err(all));
        let twice = [listed("a", "oct", "k1"), listed("b", "oct", "k2")];
        assert_eq!(named(&twice, &secret("")), Err("a, b".to_owned()));
        assert_eq!(named(&[other], &secret("k1")), Err("x".to_owned()));
        assert_eq!(named(&[], &secret("k1")), Err(String::new()));
    }
}
