//! Texts cut, padded and recased as Go's strings package and sprig's helpers do it: by bytes, unless said otherwise.

use crate::template::go::runes::first_rune;
use crate::template::go::runes::is_space;
use crate::template::go::runes::lower;
use crate::template::go::runes::runes;
use crate::template::go::runes::title as title_case;
use crate::template::go::runes::upper;

/// Maps every code point; bad bytes become U+FFFD.
fn map(text: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    runes(text).map(|rune| change(rune.value)).collect::<String>().into_bytes()
}

/// strings.ToUpper.
pub(crate) fn to_upper(text: &[u8]) -> Vec<u8> {
    map(text, upper)
}

/// strings.ToLower.
pub(crate) fn to_lower(text: &[u8]) -> Vec<u8> {
    map(text, lower)
}

/// strings.Title: the first letter of each word, words being parted by anything but letters, digits and `_`.
pub(crate) fn title(text: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    map(text, |value| {
        let starts = match previous {
            '_' => false,
            _ if previous.is_ascii() => !previous.is_ascii_alphanumeric(),
            _ => !previous.is_alphanumeric() && is_space(previous),
        };
        previous = value;
        if starts { title_case(value) } else { value }
    })
}

/// Lower case for the first letter of each word, words being parted by white space.
pub(crate) fn untitle(text: &[u8]) -> Vec<u8> {
    let mut first = true;
    map(text, |value| {
        if is_space(value) {
            first = true;
            return value;
        }
        if std::mem::take(&mut first) { lower(value) } else { value }
    })
}

/// Capitals become small and small letters capital, with title case at the start of a word.
pub(crate) fn swap_case(text: &[u8]) -> Vec<u8> {
    let mut at_start = true;
    map(text, |value| {
        if value.is_lowercase() {
            return if std::mem::take(&mut at_start) { title_case(value) } else { upper(value) };
        }
        if value.is_uppercase() || matches!(value, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}') {
            at_start = false;
            return lower(value);
        }
        at_start = is_space(value);
        value
    })
}

/// Trims characters of `set` from both ends.
pub(crate) fn trim_all<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    trim_where(text, |value| runes(set).any(|rune| rune.value == value))
}

/// Trims white space from both ends.
pub(crate) fn trim_space(text: &[u8]) -> &[u8] {
    trim_where(text, is_space)
}

fn trim_where(text: &[u8], drop: impl Fn(char) -> bool) -> &[u8] {
    let (mut start, mut end, mut at) = (text.len(), text.len(), 0);
    let mut inside = false;
    for rune in runes(text) {
        if !drop(rune.value) {
            if !inside {
                start = at;
                inside = true;
            }
            end = at + rune.len;
        }
        at += rune.len;
    }
    text.get(start..end).unwrap_or_default()
}

/// The parts of `text` between the places of `separator`, at most `limit`; single characters if it is empty.
pub(crate) fn split<'t>(text: &'t [u8], separator: &[u8], limit: Option<usize>) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    if limit == Some(0) {
        return parts;
    }
    let mut rest = text;
    while limit.is_none_or(|limit| parts.len() + 1 < limit) {
        let cut = match separator {
            [] => first_rune(rest).map(|rune| rune.len).filter(|len| *len < rest.len()),
            _ => find(rest, separator),
        };
        let Some(cut) = cut else { break };
        let (head, tail) = rest.split_at_checked(cut).unwrap_or((rest, &[]));
        parts.push(head);
        rest = tail.get(separator.len()..).unwrap_or_default();
    }
    // The empty text has no characters.
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    parts
}

/// Where `part` first occurs in `text`.
pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    match part {
        [] => Some(0),
        _ => text.windows(part.len()).position(|window| window == part),
    }
}

/// Replaces `old` wherever it occurs; an empty `old` occurs before every character and at the end.
pub(crate) fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    if !old.is_empty() {
        return split(text, old, None).join(new);
    }
    let mut out = new.to_vec();
    let mut rest = text;
    while let Some(rune) = first_rune(rest) {
        let (head, tail) = rest.split_at_checked(rune.len).unwrap_or((rest, &[]));
        out.extend_from_slice(head);
        out.extend_from_slice(new);
        rest = tail;
    }
    out
}

/// The first bytes, or for a negative count the last.
pub(crate) fn trunc(text: &[u8], count: i64) -> &[u8] {
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let cut = match count < 0 {
        true => text.len().checked_sub(length).filter(|start| *start > 0).and_then(|start| text.get(start..)),
        false => text.get(..length),
    };
    cut.unwrap_or(text)
}

/// Spaces before every line.
pub(crate) fn indent(text: &[u8], spaces: usize) -> Vec<u8> {
    let pad = vec![b' '; spaces];
    let parting = [b"\n".as_slice(), &pad].concat();
    [pad, replace(text, b"\n", &parting)].concat()
}

/// At most `width` bytes, the end replaced by dots; nothing changes below a width of 4.
pub(crate) fn abbreviate(text: &[u8], width: i64) -> Vec<u8> {
    if width < 4 { text.to_vec() } else { abbreviate_from(text, 0, width) }
}

/// At most `width` bytes around the place `left`, both ends replaced by dots.
pub(crate) fn abbreviate_both(text: &[u8], left: i64, width: i64) -> Vec<u8> {
    if width < 4 || left > 0 && width < 7 { text.to_vec() } else { abbreviate_from(text, left, width) }
}

fn abbreviate_from(text: &[u8], left: i64, width: i64) -> Vec<u8> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if length <= width {
        return text.to_vec();
    }
    let cut = |from: i64, to: i64| {
        let index = |at: i64| usize::try_from(at).unwrap_or(0).min(text.len());
        text.get(index(from)..index(to)).unwrap_or_default()
    };
    let keep = width - 3;
    let offset = left.min(length - keep);
    if offset <= 4 {
        return [cut(0, keep), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + keep < length {
        return [b"...".as_slice(), cut(offset, offset + keep - 3), b"..."].concat();
    }
    [b"...", cut(length - keep, length)].concat()
}

/// Breaks a text into lines of `width` bytes at spaces; words too long are cut only if `cut_words` says so.
pub(crate) fn wrap(text: &[u8], width: i64, newline: &[u8], cut_words: bool) -> Vec<u8> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let newline = if newline.is_empty() { b"\n" } else { newline };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if let [b' ', tail @ ..] = rest {
            rest = tail;
            continue;
        }
        let line = rest.get(..=width).unwrap_or(rest);
        let space = line.iter().rposition(|byte| *byte == b' ');
        let space = match space {
            None if !cut_words => rest.iter().skip(width).position(|byte| *byte == b' ').map(|at| at + width),
            space => space,
        };
        let (taken, skipped) = match space {
            Some(space) => (space, space + 1),
            None if cut_words => (width, width),
            None => break,
        };
        out.extend_from_slice(rest.get(..taken).unwrap_or_default());
        out.extend_from_slice(newline);
        rest = rest.get(skipped..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Go reads single bytes as Latin-1 here, which garbles whatever is not ASCII.
fn latin1(text: &[u8]) -> impl Iterator<Item = char> {
    text.iter().map(|byte| char::from(*byte))
}

/// The first character of each word.
pub(crate) fn initials(text: &[u8]) -> Vec<u8> {
    let mut gap = true;
    let pick = |value: &char| {
        let starts = gap && !is_space(*value);
        gap = is_space(*value);
        starts
    };
    latin1(text).filter(pick).collect::<String>().into_bytes()
}

/// The text without white space.
pub(crate) fn without_space(text: &[u8]) -> Vec<u8> {
    if !latin1(text).any(is_space) {
        return text.to_vec();
    }
    latin1(text).filter(|value| !is_space(*value)).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(String::from_utf8_lossy(found.as_ref()), expected);
    }

    #[test]
    fn cases() {
        check(to_upper("aéßǆ".as_bytes()), "AÉßǄ");
        check(title("hello big-world o'neil a_b éa".as_bytes()), "Hello Big-World O'Neil A_b Éa");
        check(untitle(b"Hello World"), "hello world");
        check(swap_case(b"aBc deF 1a"), "AbC DEf 1A");
        check(initials(b"First Try  foo"), "FTf");
        check(without_space(b" a b\n"), "ab");
        check(without_space("é".as_bytes()), "é");
    }

    #[test]
    fn trims() {
        check(trim_space("\u{a0} a b \n".as_bytes()), "a b");
        check(trim_all(b"$5.00$", b"$"), "5.00");
        check(trim_all(b"xyaxy", b"xy"), "a");
        check(trim_all(b"xx", b"x"), "");
        check(trunc(b"hello", 2), "he");
        check(trunc(b"hello", -2), "lo");
        check(trunc(b"hello", -9), "hello");
        check(trunc(b"hello", 9), "hello");
    }

    fn check_split(text: &str, separator: &str, limit: Option<usize>, expected: &[&str]) {
        let parts = split(text.as_bytes(), separator.as_bytes(), limit);
        let parts: Vec<_> = parts.into_iter().map(String::from_utf8_lossy).collect();
        assert_eq!(parts, expected, "{text} at {separator}");
    }

    #[test]
    fn splits_and_replacements() {
        check_split("a,b,,c", ",", None, &["a", "b", "", "c"]);
        check_split("", ",", None, &[""]);
        check_split("aé", "", None, &["a", "é"]);
        check_split("", "", None, &[]);
        check_split("a.b.c", ".", Some(2), &["a", "b.c"]);
        check_split("a.b.c", ".", Some(0), &[]);
        check(replace(b"a.b.c", b".", b"--"), "a--b--c");
        check(replace("aé".as_bytes(), b"", b"-"), "-a-é-");
        check(indent(b"a\nb", 2), "  a\n  b");
    }

    #[test]
    fn abbreviations_and_lines() {
        check(abbreviate(b"hello world", 5), "he...");
        check(abbreviate(b"hello", 3), "hello");
        check(abbreviate_both(b"1234 5678 9123", 5, 10), "...5678...");
        check(abbreviate_both(b"1234 5678 9123", 9, 10), "...78 9123");
        check(wrap(b"hello big world", 5, b"", false), "hello\nbig\nworld");
        check(wrap(b"HelloBigWorld", 5, b"_", true), "Hello_BigWo_rld");
        check(wrap(b"verylongword a bcd", 4, b"", false), "verylongword\na\nbcd");
    }
}
