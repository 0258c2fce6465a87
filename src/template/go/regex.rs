//! Go's regular expressions (package regexp, RE2 syntax) on the engine of the `regex` crate.
//!
//! `regex_syntax` translates the expression; here are size limits, walking through matches as Go does, and
//! Go's replacement templates.

use std::borrow::Cow;

use regex::bytes;
use regex::bytes::RegexBuilder;

use crate::template::go::Refusal;
use crate::template::go::regex_syntax::Translation;
use crate::template::go::regex_syntax::translate;
use crate::template::go::runes::first_rune;
use crate::template::go::runes::is_word;
use crate::template::go::runes::runes;

/// A compiled program may take this many bytes; the largest useful expression takes a hundredth.
const PROGRAM_BYTES: usize = 4 << 20;
/// An expression may have this many bytes.
const EXPRESSION_BYTES: usize = 8 << 10;

/// A compiled Go expression.
#[derive(Debug)]
pub(crate) struct Regex {
    program: bytes::Regex,
    /// The group names in order, group 0 first, empty where a group has none.
    names: Vec<String>,
    /// Whether the expression is the empty one.
    empty: bool,
}

/// Byte positions of one match and its groups.
type Groups = Vec<Option<(usize, usize)>>;

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Go's sentence about what is wrong with it, or that it is too large.
    pub(crate) fn new(expression: &[u8]) -> Result<Self, Refusal> {
        if expression.len() > EXPRESSION_BYTES {
            return Err(Refusal::new("error parsing regexp: expression too large"));
        }
        let Translation { pattern, names } = translate(expression)?;
        let program = RegexBuilder::new(&pattern)
            .size_limit(PROGRAM_BYTES)
            .dfa_size_limit(PROGRAM_BYTES)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => Refusal::new("error parsing regexp: expression too large"),
                // What translation lets through is at most a class name the engine does not know.
                _ => Refusal::new(format!(
                    "error parsing regexp: invalid character class range in `{}`",
                    String::from_utf8_lossy(expression)
                )),
            })?;
        Ok(Self { program, names, empty: expression.is_empty() })
    }

    /// Whether the expression matches anywhere in `text`.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.program.is_match(&Subject::new(text).text)
    }

    /// The leftmost match.
    pub(crate) fn find<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let (start, end) = self.matches(text, Some(1)).into_iter().next()?;
        text.get(start..end)
    }

    /// Up to `limit` matches, not overlapping; all of them without a limit.
    pub(crate) fn find_all<'t>(&self, text: &'t [u8], limit: Option<usize>) -> Vec<&'t [u8]> {
        self.matches(text, limit).into_iter().filter_map(|(start, end)| text.get(start..end)).collect()
    }

    fn matches(&self, text: &[u8], limit: Option<usize>) -> Vec<(usize, usize)> {
        let subject = Subject::new(text);
        let mut found = Vec::new();
        let mut at = 0;
        let mut last_end = None;
        while limit.is_none_or(|limit| found.len() < limit) && at <= subject.text.len() {
            let Some((start, end)) = self.match_at(&subject.text, at) else {
                break;
            };
            // An empty match right after a match does not count.
            let counts = end != at || Some(start) != last_end;
            at = if end == at { at + step(&subject.text, at) } else { end };
            last_end = Some(end);
            if counts {
                found.push((subject.original(start), subject.original(end)));
            }
        }
        found
    }

    /// Splits `text` at the matches into at most `limit` parts; none at all for a limit of zero.
    pub(crate) fn split<'t>(&self, text: &'t [u8], limit: Option<usize>) -> Vec<&'t [u8]> {
        if limit == Some(0) {
            return Vec::new();
        }
        if !self.empty && text.is_empty() {
            return vec![text];
        }
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for (start, stop) in self.matches(text, limit) {
            if limit.is_some_and(|limit| parts.len() + 1 == limit) {
                break;
            }
            end = start;
            if stop != 0 {
                parts.push(text.get(begin..end).unwrap_or_default());
            }
            begin = stop;
        }
        if end != text.len() {
            parts.push(text.get(begin..).unwrap_or_default());
        }
        parts
    }

    /// Replaces every match by `template`, in which `$1` and `${name}` stand for groups.
    ///
    /// # Errors
    ///
    /// The result would be longer than `limit` bytes.
    pub(crate) fn replace_all(&self, text: &[u8], template: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
        self.replace(text, limit, |groups, out| self.expand(template, text, groups, out))
    }

    /// Replaces every match by `replacement` as it is.
    ///
    /// # Errors
    ///
    /// The result would be longer than `limit` bytes.
    pub(crate) fn replace_all_literal(
        &self,
        text: &[u8],
        replacement: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, Refusal> {
        self.replace(text, limit, |_, out| out.extend_from_slice(replacement))
    }

    fn replace(
        &self,
        text: &[u8],
        limit: usize,
        put: impl Fn(&Groups, &mut Vec<u8>),
    ) -> Result<Vec<u8>, Refusal> {
        let subject = Subject::new(text);
        let mut out = Vec::new();
        let (mut last_end, mut at) = (0, 0);
        while at <= subject.text.len() {
            let Some(groups) = self.groups_at(&subject.text, at) else {
                break;
            };
            let Some(Some((start, end))) = groups.first().copied() else {
                break;
            };
            let between = text.get(subject.original(last_end)..subject.original(start));
            out.extend_from_slice(between.unwrap_or_default());
            // An empty match right after a match is not replaced.
            if end > last_end || start == 0 {
                let whole = |(start, end)| (subject.original(start), subject.original(end));
                put(&groups.iter().map(|group| group.map(whole)).collect(), &mut out);
            }
            if out.len() > limit {
                return Err(Refusal::new(format!("replacement exceeds {limit} bytes")));
            }
            last_end = end;
            at = end.max(at + step(&subject.text, at));
        }
        out.extend_from_slice(text.get(subject.original(last_end)..).unwrap_or_default());
        Ok(out)
    }

    fn expand(&self, template: &[u8], text: &[u8], groups: &Groups, out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
            let (before, after) = rest.split_at_checked(dollar).unwrap_or((rest, &[]));
            out.extend_from_slice(before);
            let after = after.get(1..).unwrap_or_default();
            if let Some(tail) = after.strip_prefix(b"$") {
                out.push(b'$');
                rest = tail;
                continue;
            }
            let Some((name, tail)) = reference(after) else {
                out.push(b'$');
                rest = after;
                continue;
            };
            if let Some((start, end)) = self.group(name, groups) {
                out.extend_from_slice(text.get(start..end).unwrap_or_default());
            }
            rest = tail;
        }
        out.extend_from_slice(rest);
    }

    fn group(&self, name: &[u8], groups: &Groups) -> Option<(usize, usize)> {
        if name.iter().all(u8::is_ascii_digit) {
            let index: usize = std::str::from_utf8(name).ok()?.parse().ok()?;
            return groups.get(index).copied().flatten();
        }
        let mut named = self.names.iter().zip(groups).filter(|(known, _)| known.as_bytes() == name);
        named.find_map(|(_, group)| *group)
    }

    fn match_at(&self, text: &[u8], mut at: usize) -> Option<(usize, usize)> {
        loop {
            let found = self.program.find_at(text, at)?;
            // Without Unicode an assertion such as \B can hold inside a character; Go never looks there.
            if found.start() == found.end() && inside_character(text, found.start()) {
                at = found.start() + 1;
                continue;
            }
            return Some((found.start(), found.end()));
        }
    }

    fn groups_at(&self, text: &[u8], at: usize) -> Option<Groups> {
        let (start, _) = self.match_at(text, at)?;
        let captures = self.program.captures_at(text, start.max(at))?;
        Some(captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect())
    }
}

/// Puts a backslash before every character that means something in an expression.
pub(crate) fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if b"\\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// A text to search in, its bad bytes replaced by U+FFFD as Go sees them.
struct Subject<'t> {
    text: Cow<'t, [u8]>,
    /// Where replaced bytes stand: position in the new text, and how many bytes it is longer up to there.
    shifts: Vec<(usize, usize)>,
}

impl<'t> Subject<'t> {
    fn new(text: &'t [u8]) -> Self {
        if std::str::from_utf8(text).is_ok() {
            return Self { text: Cow::Borrowed(text), shifts: Vec::new() };
        }
        let mut replaced = Vec::with_capacity(text.len() + 16);
        let mut shifts = Vec::new();
        for rune in runes(text) {
            let mut buffer = [0; 4];
            let bytes = rune.value.encode_utf8(&mut buffer).as_bytes();
            replaced.extend_from_slice(bytes);
            if !rune.valid {
                shifts.push((replaced.len(), 2 * (shifts.len() + 1)));
            }
        }
        Self { text: Cow::Owned(replaced), shifts }
    }

    fn original(&self, at: usize) -> usize {
        let before = self.shifts.partition_point(|(position, _)| *position <= at);
        let longer = before.checked_sub(1).and_then(|index| self.shifts.get(index)).map_or(0, |(_, by)| *by);
        at - longer
    }
}

fn inside_character(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80)
}

/// Bytes of the character at `at`; one past the end.
fn step(text: &[u8], at: usize) -> usize {
    text.get(at..).and_then(first_rune).map_or(1, |rune| rune.len)
}

/// Reads `name` or `{name}` off what follows a dollar sign.
fn reference(after: &[u8]) -> Option<(&[u8], &[u8])> {
    let braced = after.strip_prefix(b"{");
    let body = braced.unwrap_or(after);
    let len = runes(body).take_while(|rune| rune.valid && is_word(rune.value)).map(|rune| rune.len).sum();
    let (name, tail) = body.split_at_checked(len)?;
    if name.is_empty() {
        return None;
    }
    match braced {
        None => Some((name, tail)),
        Some(_) => tail.strip_prefix(b"}").map(|tail| (name, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_replace(expression: &str, text: &str, template: &str, expected: &str) {
        let regex = Regex::new(expression.as_bytes()).unwrap();
        let replaced = regex.replace_all(text.as_bytes(), template.as_bytes(), 1000).unwrap();
        assert_eq!(String::from_utf8_lossy(&replaced), expected, "{expression}");
    }

    #[test]
    fn replacement_templates() {
        check_replace("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-");
        check_replace("a(x*)b", "-ab-axxb-", "$1W", "---");
        check_replace("(?P<n>b)", "abc", "<${n}>", "a<b>c");
        check_replace("(?<first>[a-z]+)-(?P<last>[a-z]+)", "ada-byron", "${last} $first", "byron ada");
        check_replace("b", "abc", "$$ $ ${ ${x} $", "a$ $ ${  $c");
        check_replace("", "aé", "-", "-a-é-");
        check_replace("x*", "axb", "-", "-a-b-");
        check_replace("a*", "baaac", "x", "xbxcx");
        check_replace(r"\B", "é", "-", "-é-");
        check_replace("$", "ab", "!", "ab!");
    }

    fn check_split(expression: &str, text: &str, limit: Option<usize>, expected: &[&str]) {
        let regex = Regex::new(expression.as_bytes()).unwrap();
        let parts: Vec<_> =
            regex.split(text.as_bytes(), limit).into_iter().map(String::from_utf8_lossy).collect();
        assert_eq!(parts, expected, "{expression}");
    }

    #[test]
    fn splitting() {
        check_split("[,;]", "a,b;c", None, &["a", "b", "c"]);
        check_split("[,;]", "a,b;c", Some(2), &["a", "b;c"]);
        check_split("[,;]", "a,b;c", Some(0), &[]);
        check_split(",", "", None, &[""]);
        check_split("", "abc", None, &["a", "b", "c"]);
        check_split(",", ",a,", None, &["", "a", ""]);
        check_split("x*", "axbxc", None, &["a", "b", "c"]);
    }

    #[test]
    fn bad_bytes_are_characters() {
        let regex = Regex::new(b"[^a-z]").unwrap();
        assert!(regex.is_match(b"ab\xff"));
        assert_eq!(regex.find(b"ab\xff\xfecd"), Some(b"\xff".as_slice()));
        assert_eq!(
            regex.find_all(b"a\xffb\xfe\xc3\xa9c", None),
            vec![b"\xff".as_slice(), b"\xfe", "é".as_bytes()]
        );
        assert_eq!(regex.replace_all(b"a\xffb\xfe", b".", 100).unwrap(), b"a.b.");
    }

    #[test]
    fn limits_hold() {
        let regex = Regex::new(b"a").unwrap();
        assert!(regex.replace_all(&[b'a'; 100], &[b'b'; 100], 1000).is_err());
        assert!(Regex::new(&[b'a'; 10_000]).is_err());
        assert!(Regex::new(br"(\pL{10}){100}\pL{1000}").is_err());
        assert_eq!(quote_meta(b"a.b*c"), b"a\\.b\\*c");
    }
}
