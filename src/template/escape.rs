//! The escapes of Go's `html`, `js` and `urlquery`.

use crate::template::go::quote::is_print;
use crate::template::go::runes::runes;

/// HTML's special characters as entities.
pub(super) fn html(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        let entity: &[u8] = match byte {
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            0 => "\u{fffd}".as_bytes(),
            _ => std::slice::from_ref(byte),
        };
        out.extend_from_slice(entity);
    }
    out
}

/// What may stand inside a JavaScript string.
pub(super) fn js(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    for rune in runes(bytes) {
        let (head, tail) = rest.split_at_checked(rune.len).unwrap_or((rest, &[]));
        rest = tail;
        match rune.value {
            '\\' | '\'' | '"' => {
                out.push(b'\\');
                out.extend_from_slice(head);
            }
            '<' | '>' | '&' | '=' | '\0'..='\x1f' => {
                out.extend(format!("\\u{:04X}", u32::from(rune.value)).bytes())
            }
            value if value.is_ascii() || is_print(value) => out.extend_from_slice(head),
            value => out.extend(format!("\\u{:04X}", u32::from(value)).bytes()),
        }
    }
    out
}

/// A part of a URL's query.
pub(super) fn query(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            _ if byte.is_ascii_alphanumeric() => out.push(*byte),
            _ => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_in_go() {
        let check = |escape: fn(&[u8]) -> Vec<u8>, text: &str, expected: &str| {
            assert_eq!(String::from_utf8_lossy(&escape(text.as_bytes())), expected);
        };
        check(html, "<a href=\"x\">'&'\0", "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;\u{fffd}");
        check(js, "it's <b> \\ \u{2028}=é\n", "it\\'s \\u003Cb\\u003E \\\\ \\u2028\\u003Dé\\u000A");
        check(query, "a b&c=d/é?-_.~", "a+b%26c%3Dd%2F%C3%A9%3F-_.~");
    }
}
