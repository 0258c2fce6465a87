//! A bounded, lazy JSON reader with the rules of Go's `encoding/json`.
//!
//! It checks a text once, without recursion, and then hands out [`Raw`] values that are decoded only
//! where somebody looks. What it tolerates and refuses is CONTRACT.md section 1, "JSON decoding"; who
//! may repeat a member name is decided by the caller, see [`Raw::members`] and [`Raw::unique_members`].

use std::borrow::Cow;

use thiserror::Error;

/// The nesting that Go's decoder allows.
pub const MAX_DEPTH: usize = 10_000;

/// Why a text is not the JSON that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The text breaks the grammar of RFC 8259 at this byte.
    #[error("invalid JSON at byte {0}")]
    Syntax(usize),
    /// The text ends inside a value.
    #[error("unexpected end of JSON input")]
    UnexpectedEnd,
    /// More brackets are open than allowed.
    #[error("JSON nested deeper than {0} levels")]
    TooDeep(usize),
    /// Something other than white space follows the value.
    #[error("unexpected text after the JSON value at byte {0}")]
    TrailingText(usize),
    /// A member name stands twice in one object.
    #[error("duplicate member {0:?}")]
    DuplicateMember(String),
    /// A value is of another type than wanted.
    #[error("cannot read {member}: expected {expected}, got {got}")]
    Type {
        /// The member, or `value` where there is no name.
        member: String,
        /// The type wanted.
        expected: &'static str,
        /// The type found.
        got: &'static str,
    },
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The name that error messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// One well-formed JSON value, still as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// Reads one value that fills the whole text, apart from white space.
///
/// # Errors
///
/// [`Error::Syntax`], [`Error::UnexpectedEnd`], [`Error::TooDeep`] or [`Error::TrailingText`].
pub fn parse(text: &str) -> Result<Raw<'_>, Error> {
    let (raw, end) = parse_prefix(text)?;
    match text.as_bytes()[end..].iter().position(|b| !is_space(*b)) {
        None => Ok(raw),
        Some(at) => Err(Error::TrailingText(end + at)),
    }
}

/// Reads the first value and tells at which byte it ends; what follows is not looked at.
///
/// # Errors
///
/// [`Error::Syntax`], [`Error::UnexpectedEnd`] or [`Error::TooDeep`].
pub fn parse_prefix(text: &str) -> Result<(Raw<'_>, usize), Error> {
    let bytes = text.as_bytes();
    let start = skip_space(bytes, 0);
    let end = check_value(bytes, start)?;
    Ok((Raw(&text[start..end]), end))
}

impl<'a> Raw<'a> {
    /// The value's text, without white space around it.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Where the value stands in the text that it was read from.
    #[cfg(feature = "cli")]
    pub(crate) fn range_in(self, text: &str) -> std::ops::Range<usize> {
        let start = self.0.as_ptr().addr() - text.as_ptr().addr();
        start..start + self.0.len()
    }

    /// The value's type.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The decoded string; a lone surrogate becomes U+FFFD, as in Go.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::String).then(|| unquote(&self.0[1..self.0.len() - 1]))
    }

    /// The boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then_some(self.0 == "true")
    }

    /// The number as a double; `None` too where it is too large for one.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        self.0.parse::<f64>().ok().filter(|n| n.is_finite())
    }

    /// The elements of an array, in order.
    #[must_use]
    pub fn elements(self) -> Option<Vec<Raw<'a>>> {
        if self.kind() != Kind::Array {
            return None;
        }
        let bytes = self.0.as_bytes();
        let mut elements = Vec::new();
        let mut at = skip_space(bytes, 1);
        while bytes[at] != b']' {
            let end = skip_value(bytes, at);
            elements.push(Raw(&self.0[at..end]));
            at = skip_space(bytes, end);
            if bytes[at] == b',' {
                at = skip_space(bytes, at + 1);
            }
        }
        Some(elements)
    }

    /// The members of an object in the order of the text, repeated names included.
    #[must_use]
    pub fn members(self) -> Option<Vec<(Cow<'a, str>, Raw<'a>)>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let bytes = self.0.as_bytes();
        let mut members = Vec::new();
        let mut at = skip_space(bytes, 1);
        while bytes[at] != b'}' {
            let name_end = skip_value(bytes, at);
            let name = unquote(&self.0[at + 1..name_end - 1]);
            // The colon stands between the name and the value.
            let value = skip_space(bytes, skip_space(bytes, name_end) + 1);
            let end = skip_value(bytes, value);
            members.push((name, Raw(&self.0[value..end])));
            at = skip_space(bytes, end);
            if bytes[at] == b',' {
                at = skip_space(bytes, at + 1);
            }
        }
        Some(members)
    }

    /// The members of an object whose names all differ.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] if this is no object, [`Error::DuplicateMember`] for a repeated name.
    pub fn unique_members(self) -> Result<Vec<(Cow<'a, str>, Raw<'a>)>, Error> {
        let members = self.members().ok_or_else(|| self.mismatch("value", "object"))?;
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::DuplicateMember(pair[0].to_owned())),
            None => Ok(members),
        }
    }

    /// The error that says this value is of the wrong type.
    #[must_use]
    pub fn mismatch(self, member: &str, expected: &'static str) -> Error {
        Error::Type { member: member.to_owned(), expected, got: self.kind().name() }
    }

    /// The value as a tree with numbers as doubles; repeated names: the last one counts.
    ///
    /// # Errors
    ///
    /// [`Error::TooDeep`] beyond `max_depth` levels, [`Error::Type`] for a number that no double holds.
    pub fn to_tree(self, max_depth: usize) -> Result<serde_json::Value, Error> {
        use serde_json::Value;
        if max_depth == 0 {
            return Err(Error::TooDeep(0));
        }
        Ok(match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(self.0 == "true"),
            Kind::String => Value::String(self.as_str().unwrap_or_default().into_owned()),
            Kind::Number => self
                .as_f64()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| self.mismatch("value", "number within the range of a double"))?,
            Kind::Array => Value::Array(
                self.elements()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|e| e.to_tree(max_depth - 1))
                    .collect::<Result<_, _>>()?,
            ),
            Kind::Object => Value::Object(
                self.members()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, v)| Ok((name.into_owned(), v.to_tree(max_depth - 1)?)))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

/// Whether Go's decoder takes `name` for the ASCII field `field`: without regard to case, and with the
/// two characters outside ASCII that fold into it.
#[must_use]
pub fn field_matches(name: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(field.chars().map(fold))
}

/// Serialises as Go's encoder does: compact, with `<`, `>`, `&` and the two line separators escaped.
///
/// # Errors
///
/// [`Error::Type`] if `value` cannot be JSON, such as a map whose keys are no strings.
pub fn to_go_json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    let failed = || Error::Type { member: "value".to_owned(), expected: "serialisable value", got: "other" };
    // An answer with its certificates fits.
    let mut plain = Vec::with_capacity(4096);
    serde_json::to_writer(&mut plain, value).map_err(|_| failed())?;
    let plain = String::from_utf8(plain).map_err(|_| failed())?;
    // Byte by byte without an end before the last, which is done for many at once; 0xe2 begins U+2028 and U+2029.
    let is_special = |byte: u8| matches!(byte, b'<' | b'>' | b'&' | 0xe2);
    if !plain.bytes().fold(false, |found, byte| found | is_special(byte)) {
        return Ok(plain);
    }
    // These characters can only stand inside strings, so the text can be edited as a whole.
    let mut escaped = String::with_capacity(plain.len() + 32);
    for c in plain.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    Ok(escaped)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| is_space(*b)) {
        at += 1;
    }
    at
}

/// Checks one value that begins at `at` and returns its end.
fn check_value(bytes: &[u8], mut at: usize) -> Result<usize, Error> {
    let mut open: Vec<u8> = Vec::new();
    loop {
        // At the start of a value.
        at = skip_space(bytes, at);
        match bytes.get(at) {
            None => return Err(Error::UnexpectedEnd),
            Some(&bracket @ (b'{' | b'[')) => {
                if open.len() == MAX_DEPTH {
                    return Err(Error::TooDeep(MAX_DEPTH));
                }
                open.push(bracket);
                at = skip_space(bytes, at + 1);
                match (bracket, bytes.get(at)) {
                    (b'{', Some(b'}')) | (b'[', Some(b']')) => {
                        open.pop();
                        at += 1;
                    }
                    (b'{', _) => {
                        at = check_name(bytes, at)?;
                        continue;
                    }
                    _ => continue,
                }
            }
            Some(b'"') => at = check_string(bytes, at)?,
            Some(b'-' | b'0'..=b'9') => at = check_number(bytes, at)?,
            Some(b't') => at = check_word(bytes, at, b"true")?,
            Some(b'f') => at = check_word(bytes, at, b"false")?,
            Some(b'n') => at = check_word(bytes, at, b"null")?,
            Some(_) => return Err(Error::Syntax(at)),
        }
        // After a value: close what ends here, or go on to the next one.
        loop {
            let Some(bracket) = open.last() else { return Ok(at) };
            at = skip_space(bytes, at);
            match (bracket, bytes.get(at)) {
                (_, None) => return Err(Error::UnexpectedEnd),
                (b'{', Some(b'}')) | (b'[', Some(b']')) => {
                    open.pop();
                    at += 1;
                }
                (b'{', Some(b',')) => {
                    at = check_name(bytes, skip_space(bytes, at + 1))?;
                    break;
                }
                (_, Some(b',')) => {
                    at += 1;
                    break;
                }
                _ => return Err(Error::Syntax(at)),
            }
        }
    }
}

/// Checks `"name" :` and returns where the value may begin.
fn check_name(bytes: &[u8], at: usize) -> Result<usize, Error> {
    match bytes.get(at) {
        Some(b'"') => {}
        Some(_) => return Err(Error::Syntax(at)),
        None => return Err(Error::UnexpectedEnd),
    }
    let colon = skip_space(bytes, check_string(bytes, at)?);
    match bytes.get(colon) {
        Some(b':') => Ok(colon + 1),
        Some(_) => Err(Error::Syntax(colon)),
        None => Err(Error::UnexpectedEnd),
    }
}

fn check_word(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, Error> {
    for (i, expected) in word.iter().enumerate() {
        match bytes.get(at + i) {
            Some(b) if b == expected => {}
            Some(_) => return Err(Error::Syntax(at + i)),
            None => return Err(Error::UnexpectedEnd),
        }
    }
    Ok(at + word.len())
}

fn check_string(bytes: &[u8], start: usize) -> Result<usize, Error> {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            None => return Err(Error::UnexpectedEnd),
            Some(b'"') => return Ok(at + 1),
            Some(0..=0x1f) => return Err(Error::Syntax(at)),
            Some(b'\\') => match bytes.get(at + 1) {
                None => return Err(Error::UnexpectedEnd),
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => {
                    for i in at + 2..at + 6 {
                        match bytes.get(i) {
                            Some(b) if b.is_ascii_hexdigit() => {}
                            Some(_) => return Err(Error::Syntax(i)),
                            None => return Err(Error::UnexpectedEnd),
                        }
                    }
                    at += 6;
                }
                Some(_) => return Err(Error::Syntax(at + 1)),
            },
            Some(_) => at += 1,
        }
    }
}

fn check_number(bytes: &[u8], mut at: usize) -> Result<usize, Error> {
    let digits = |mut at: usize| -> Result<usize, Error> {
        match bytes.get(at) {
            Some(b'0'..=b'9') => {}
            Some(_) => return Err(Error::Syntax(at)),
            None => return Err(Error::UnexpectedEnd),
        }
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        Ok(at)
    };
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// The end of the value at `at`, in a text that [`check_value`] has passed.
fn skip_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b',' | b':' => {
                at += 1;
                continue;
            }
            b if is_space(b) => {
                at += 1;
                continue;
            }
            _ => {
                while bytes.get(at).is_some_and(|b| !is_space(*b) && !b",]}".contains(b)) {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// Undoes the escapes of a string's inside, which [`check_string`] has passed.
fn unquote(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let (unit, after) = hex_unit(rest);
                rest = after;
                let low = rest.strip_prefix("\\u").map(hex_unit);
                match (unit, low) {
                    (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, after))) => {
                        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                        rest = after;
                    }
                    _ => text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Four hexadecimal digits and the text behind them.
fn hex_unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(0xfffd), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Result<&str, Error>) {
        assert_eq!(parse(input).map(Raw::text), expected, "{input:?}");
    }

    #[test]
    fn grammar() {
        for good in ["null", "true", "-0.5e+3", "\"a\\u0041\"", "[]", "[1,[2]]", "{\"a\":{}}", "{}"] {
            check(good, Ok(good));
            check(&format!(" \n{good}\t\r"), Ok(good));
        }
        for (bad, at) in [
            ("nul!", 3),
            ("01", 1),
            ("+1", 0),
            ("{a:1}", 1),
            ("[1,]", 3),
            ("{\"a\":1,}", 7),
            ("'x'", 0),
            ("\u{feff}{}", 0),
            ("\"\n\"", 1),
            ("\"\\x\"", 2),
            ("[1}", 2),
            ("1.a", 2),
        ] {
            let got = parse(bad);
            assert!(
                matches!(got, Err(Error::Syntax(p) | Error::TrailingText(p)) if p == at),
                "{bad:?}: {got:?}"
            );
        }
        for cut in ["", "[", "{\"a\"", "{\"a\":", "\"abc", "\"\\u12", "-", "1e", "tru", "[1"] {
            check(cut, Err(Error::UnexpectedEnd));
        }
        check("{} {}", Err(Error::TrailingText(3)));
        assert_eq!(parse_prefix(" {\"a\":1} x").map(|(r, end)| (r.text(), end)), Ok(("{\"a\":1}", 8)));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        check(&deep(MAX_DEPTH + 1), Err(Error::TooDeep(MAX_DEPTH)));
        let text = deep(200);
        assert_eq!(parse(&text).and_then(|r| r.to_tree(100)), Err(Error::TooDeep(0)));
    }

    #[test]
    fn members_and_elements() {
        let raw = parse(r#" { "a" : [1, "x,]}", {"b":[]}] , "\u0061" :null, "c":"d" } "#).unwrap();
        let members = raw.members().unwrap();
        let names: Vec<_> = members.iter().map(|(n, _)| n.as_ref()).collect();
        assert_eq!(names, ["a", "a", "c"]);
        let elements: Vec<_> = members[0].1.elements().unwrap().iter().map(|e| e.text()).collect();
        assert_eq!(elements, ["1", r#""x,]}""#, r#"{"b":[]}"#]);
        assert!(members[1].1.is_null());
        assert_eq!(raw.unique_members(), Err(Error::DuplicateMember("a".to_owned())));
    }

    #[test]
    fn strings() {
        let text = |s: &str| parse(s).unwrap().as_str().unwrap().into_owned();
        assert_eq!(text(r#""\"\\\/\b\f\n\r\té""#), "\"\\/\u{8}\u{c}\n\r\té");
        assert_eq!(text(r#""\ud83d\ude00""#), "😀");
        assert_eq!(text(r#""\ud83dx\ude00\ud83d""#), "\u{fffd}x\u{fffd}\u{fffd}");
    }

    #[test]
    fn numbers() {
        let number = |s: &str| parse(s).unwrap().as_f64();
        assert_eq!(number("1e3"), Some(1000.0));
        assert_eq!(number("1e400"), None);
        assert_eq!(number("\"1\""), None);
    }

    #[test]
    fn field_names_fold() {
        assert!(field_matches("CSR", "csr"));
        assert!(field_matches("c\u{17f}r", "csr"));
        assert!(!field_matches("csr ", "csr"));
    }

    #[test]
    fn go_escapes_html() {
        assert_eq!(to_go_json(&"<a>&\u{2028}").unwrap(), "\"\\u003ca\\u003e\\u0026\\u2028\"");
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:,\"a0-9. eE+\\\\ntruefals-]{0,40}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = parse(&text).and_then(|r| r.to_tree(200)).is_ok();
            proptest::prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            if let Ok(raw) = parse(&text) {
                let _ = raw.to_tree(50);
            }
        }
    }
}
