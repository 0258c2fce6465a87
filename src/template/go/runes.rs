//! Bytes read as Go reads them: one code point after the other, a bad byte standing for U+FFFD.

/// One step through a byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rune {
    /// The code point; U+FFFD for a byte that is no UTF-8.
    pub(crate) value: char,
    /// How many bytes it takes, 1 to 4; 1 for a bad byte.
    pub(crate) len: usize,
    /// Whether the bytes were UTF-8.
    pub(crate) valid: bool,
}

/// Reads the first code point, or nothing from no bytes.
pub(crate) fn first_rune(bytes: &[u8]) -> Option<Rune> {
    let lead = *bytes.first()?;
    let len = match lead {
        0x00..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => 0,
    };
    let value = bytes
        .get(..len)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.chars().next());
    Some(match value {
        Some(value) => Rune { value, len, valid: true },
        None => Rune { value: char::REPLACEMENT_CHARACTER, len: 1, valid: false },
    })
}

/// Walks through the code points.
pub(crate) fn runes(mut bytes: &[u8]) -> impl Iterator<Item = Rune> {
    std::iter::from_fn(move || {
        let rune = first_rune(bytes)?;
        bytes = bytes.get(rune.len..)?;
        Some(rune)
    })
}

/// Replaces every bad byte by U+FFFD.
pub(crate) fn valid_text(bytes: &[u8]) -> String {
    runes(bytes).map(|rune| rune.value).collect()
}

/// Go's unicode.ToUpper: the simple mapping, one code point for one.
pub(crate) fn upper(value: char) -> char {
    match value {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(value, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(value, 9),
        _ => single(value, value.to_uppercase()),
    }
}

/// Go's unicode.ToLower.
pub(crate) fn lower(value: char) -> char {
    match value {
        '\u{130}' => 'i',
        _ => single(value, value.to_lowercase()),
    }
}

/// Go's unicode.ToTitle, which differs from upper case for digraphs and Georgian.
pub(crate) fn title(value: char) -> char {
    match value {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => value,
        _ => upper(value),
    }
}

/// Go's unicode.IsSpace.
pub(crate) fn is_space(value: char) -> bool {
    value.is_whitespace()
}

/// A letter, a digit or an underscore, as names in Go's replacement templates have them.
pub(crate) fn is_word(value: char) -> bool {
    value == '_' || value.is_alphanumeric()
}

fn single(value: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(mapped), None) => mapped,
        _ => value,
    }
}

fn shifted(value: char, by: u32) -> char {
    char::from_u32(u32::from(value) + by).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(valid_text(bytes), expected);
    }

    #[test]
    fn every_bad_byte_counts_alone() {
        check(b"a\xffb", "a\u{fffd}b");
        check(b"\xe2\x82", "\u{fffd}\u{fffd}");
        check(b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}");
        check("é€😀".as_bytes(), "é€😀");
        check(b"\xc0\x80", "\u{fffd}\u{fffd}");
    }

    #[test]
    fn case_maps_one_to_one() {
        assert_eq!(upper('ß'), 'ß');
        assert_eq!(upper('é'), 'É');
        assert_eq!(upper('\u{1f80}'), '\u{1f88}');
        assert_eq!(lower('İ'), 'i');
        assert_eq!(title('ǆ'), 'ǅ');
    }
}
