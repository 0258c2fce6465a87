//! Text for columns of type `text`, which cannot hold U+0000.

use std::borrow::Cow;

/// Writes `\` twice and U+0000 as `\0`.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\0']) {
        Cow::Owned(text.replace('\\', r"\\").replace('\0', r"\0"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Undoes [`escape`].
pub(super) fn unescape(text: String) -> String {
    if !text.contains('\\') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('0') => plain.push('\0'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back() {
        for (plain, escaped) in
            [("CN=a", "CN=a"), ("a\0b", r"a\0b"), (r"a\0b", r"a\\0b"), ("\\", r"\\"), ("", "")]
        {
            assert_eq!(escape(plain), escaped);
            assert_eq!(unescape(escaped.to_owned()), plain);
        }
    }
}
