//! Path parameters and queries as Go's `net/url` and step-ca's router see them.

/// The parameter of a path at this segment, counted from the end.
///
/// It is decoded only if the whole path is written the way Go would write it; a path in any other
/// spelling is taken literally.
pub(super) fn parameter(path: &str, from_end: usize) -> String {
    let segment = |path: &str| path.rsplit('/').nth(from_end).unwrap_or_default().to_owned();
    match decode(path, false) {
        Some(decoded) if encode(&decoded) == path && !decoded.contains(&0) => {
            segment(&String::from_utf8_lossy(&decoded))
        }
        _ => segment(path),
    }
}

/// The first value of `name` in a query, or nothing. Pairs that are malformed are skipped, as Go does.
pub(super) fn query_value(query: &str, name: &str) -> String {
    query
        .split('&')
        .filter(|pair| !pair.contains(';'))
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key, true)?, decode(value, true)?))
        })
        .find(|(key, _)| key == name.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
        .unwrap_or_default()
}

/// Whether a query has `name`, with or without a value.
pub(super) fn has_query_key(query: &str, name: &str) -> bool {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .any(|(key, value)| {
            decode(key, true).is_some_and(|key| key == name.as_bytes()) && decode(value, true).is_some()
        })
}

fn decode(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Some(bytes)
}

/// The canonical spelling of a path in Go.
fn encode(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(*byte))
            }
            b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'@' => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        assert_eq!(parameter("/root/abc", 0), "abc");
        assert_eq!(parameter("/root/%22%3Cx%3E", 0), "\"<x>");
        assert_eq!(parameter("/root/%22%3cx", 0), "%22%3cx", "lower-case escapes are not Go's spelling");
        assert_eq!(parameter("/root/a%2Fb", 0), "a%2Fb");
        assert_eq!(parameter("/provisioners/k-1/encrypted-key", 1), "k-1");
        assert_eq!(parameter("/root/%zz", 0), "%zz");
    }

    #[test]
    fn queries() {
        assert_eq!(query_value("limit=1&limit=2", "limit"), "1");
        assert_eq!(query_value("cursor=a%20b+c", "cursor"), "a b c");
        assert_eq!(query_value("limit=%zz&limit=3", "limit"), "3");
        assert_eq!(query_value("limit=1;2&x", "limit"), "");
        assert_eq!(query_value("", "limit"), "");
        for (query, expected) in
            [("pem", true), ("a&pem=no", true), ("", false), ("Pem", false), ("pem=%z", false)]
        {
            assert_eq!(has_query_key(query, "pem"), expected, "{query}");
        }
    }
}
