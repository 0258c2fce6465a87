//! Quoted strings as Go writes them: `%q`, `%+q`, `%#q`, and the quoted text in its error messages.

use std::fmt::Write;

use crate::template::go::runes::runes;

/// Quotes a byte string with double quotes, escaping what does not print.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quoted(bytes, '"', false)
}

/// Quotes a byte string with double quotes, escaping all but ASCII.
pub(crate) fn quote_ascii(bytes: &[u8]) -> String {
    quoted(bytes, '"', true)
}

/// Quotes one code point with single quotes; what is none stands for U+FFFD.
pub(crate) fn quote_rune(value: i64, ascii: bool) -> String {
    let value = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut buffer = [0; 4];
    quoted(value.encode_utf8(&mut buffer).as_bytes(), '\'', ascii)
}

/// Whether a byte string can stand between backquotes unchanged.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    runes(bytes).all(|rune| {
        rune.valid && !matches!(rune.value, '\0'..='\x08' | '\n'..='\x1f' | '`' | '\x7f' | '\u{feff}')
    })
}

/// Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(value: char) -> bool {
    if value.is_ascii() {
        return matches!(value, ' '..='~');
    }
    // Rust's escape_debug knows the same classes, but escapes a combining mark at the start of a text.
    let text = String::from_iter(['a', value]);
    text.escape_debug().nth(1) == Some(value)
}

fn quoted(bytes: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    let mut rest = bytes;
    for rune in runes(bytes) {
        let (head, tail) = rest.split_at_checked(rune.len).unwrap_or((rest, &[]));
        rest = tail;
        match (rune.valid, head) {
            (false, [byte]) => push(&mut out, format_args!("\\x{byte:02x}")),
            _ => push_escaped(&mut out, rune.value, mark, ascii),
        }
    }
    out.push(mark);
    out
}

fn push_escaped(out: &mut String, value: char, mark: char, ascii: bool) {
    match value {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ if value == mark || value == '\\' => out.extend(['\\', value]),
        _ if is_print(value) && (value.is_ascii() || !ascii) => out.push(value),
        '\0'..' ' | '\x7f' => push(out, format_args!("\\x{:02x}", u32::from(value))),
        '\u{80}'..='\u{ffff}' => push(out, format_args!("\\u{:04x}", u32::from(value))),
        _ => push(out, format_args!("\\U{:08x}", u32::from(value))),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(quote(bytes), expected);
    }

    #[test]
    fn escapes_are_go_escapes() {
        check(b"plain 'text'", "\"plain 'text'\"");
        check(b"\"\\\x07\x08\x0c\n\r\t\x0b\0\x1f\x7f", r#""\"\\\a\b\f\n\r\t\v\x00\x1f\x7f""#);
        check(b"\xff\xc3\xa9", "\"\\xffé\"");
        check(
            "\u{a0}\u{2028}\u{feff}\u{e000}\u{10ffff}".as_bytes(),
            r#""\u00a0\u2028\ufeff\ue000\U0010ffff""#,
        );
        check("e\u{301}☺\u{fffd}".as_bytes(), "\"e\u{301}☺\u{fffd}\"");
    }

    #[test]
    fn ascii_and_rune_forms() {
        assert_eq!(quote_ascii("é😀".as_bytes()), r#""\u00e9\U0001f600""#);
        assert_eq!(quote_rune(0x27, false), r"'\''");
        assert_eq!(quote_rune(i64::from(b'"'), false), "'\"'");
        assert_eq!(quote_rune(-1, false), "'\u{fffd}'");
        assert!(can_backquote(b"a\tb \\n"));
        assert!(!can_backquote(b"a`"));
        assert!(!can_backquote(b"a\n"));
    }
}
