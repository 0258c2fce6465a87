//! A JSON reader for certificate documents: stricter than JSON where leniency would change a certificate.
//!
//! Refused beyond RFC 8259: text behind the value, two members of one name (also by letter case, because members are
//! found without it), lone surrogates, deep nesting, and texts beyond a mebibyte. Numbers stay text.

use std::collections::HashSet;

/// The longest document taken, in bytes.
const MAX_LENGTH: usize = 1 << 20;
/// The deepest nesting taken; the members of a certificate need five levels.
const MAX_DEPTH: u8 = 64;
/// So many members of an object are compared one by one, more by their hashes.
const FEW: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    String(String),
    List(Vec<Value>),
    /// Members by folded name.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What the value is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Folds a character of a member name the way Go compares them: ASCII letters without case, with the two other characters that fold
/// to ASCII ones.
pub(super) const fn fold_char(character: char) -> char {
    match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// Parses exactly one value, white space around it.
///
/// The error is a reason with the byte offset where it was found.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("longer than {MAX_LENGTH} bytes"));
    }
    let mut parser = Parser { text, position: 0 };
    let value = parser.value(MAX_DEPTH)?;
    parser.skip_white_space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.fault("text behind the JSON value")),
    }
}

/// Where the text stops being JSON of the kind that is taken; `None` if it does not.
pub(super) fn fault_position(text: &str) -> Option<usize> {
    let mut parser = Parser { text, position: 0 };
    parser
        .value(MAX_DEPTH)
        .and_then(|_| {
            parser.skip_white_space();
            if parser.peek().is_none() { Ok(()) } else { Err(String::new()) }
        })
        .err()
        .map(|_| parser.position)
}

/// A step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Into the member of this name.
    Member(&'a str),
    /// To the element of this index.
    Element(usize),
}

/// Where the value at the end of a way begins, or the last one on the way that is there.
pub(super) fn find(text: &str, way: &[Step<'_>]) -> usize {
    let mut parser = Parser { text, position: 0 };
    parser.skip_white_space();
    let mut found = parser.position;
    for step in way {
        if !parser.enter(step).unwrap_or(false) {
            break;
        }
        parser.skip_white_space();
        found = parser.position;
    }
    found
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
    }

    fn fault(&self, reason: &str) -> String {
        format!("{reason} at byte {}", self.position)
    }

    /// Moves from the beginning of a container to that of a value in it; false if there is none.
    fn enter(&mut self, step: &Step<'_>) -> Result<bool, String> {
        let (open, close) = match step {
            Step::Member(_) => (b'{', b'}'),
            Step::Element(_) => (b'[', b']'),
        };
        if !self.take(open) {
            return Ok(false);
        }
        for index in 0.. {
            self.skip_white_space();
            if self.peek() == Some(close) {
                break;
            }
            let here = match step {
                Step::Member(name) => {
                    let found = fold(&self.string()?) == fold(name);
                    self.skip_white_space();
                    self.take(b':');
                    found
                }
                Step::Element(wanted) => index == *wanted,
            };
            if here {
                return Ok(true);
            }
            self.value(MAX_DEPTH)?;
            self.skip_white_space();
            self.take(b',');
        }
        Ok(false)
    }

    fn value(&mut self, depth_left: u8) -> Result<Value, String> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(self.fault("nested too deeply"));
        };
        self.skip_white_space();
        match self.peek() {
            Some(b'{') => self.object(depth_left),
            Some(b'[') => self.list(depth_left),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(_) => Err(self.fault("not a JSON value")),
            None => Err(self.fault("the text ends where a value should begin")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        if self.text.get(self.position..).is_some_and(|rest| rest.starts_with(word)) {
            self.position += word.len();
            Ok(value)
        } else {
            Err(self.fault("not a JSON value"))
        }
    }

    fn object(&mut self, depth_left: u8) -> Result<Value, String> {
        self.position += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut names = HashSet::new();
        self.skip_white_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_white_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a member name should stand"));
            }
            let name = fold(&self.string()?);
            let is_new = match members.len() {
                // Certificates have few.
                ..FEW => members.iter().all(|(other, _)| *other != name),
                FEW => {
                    names.extend(members.iter().map(|(other, _)| other.clone()));
                    names.insert(name.clone())
                }
                _ => names.insert(name.clone()),
            };
            if !is_new {
                return Err(self.fault(&format!("member {name:?} stands twice")));
            }
            self.skip_white_space();
            if !self.take(b':') {
                return Err(self.fault("a colon should stand"));
            }
            members.push((name, self.value(depth_left)?));
            self.skip_white_space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.fault("a comma or closing brace should stand"));
            }
        }
    }

    fn list(&mut self, depth_left: u8) -> Result<Value, String> {
        self.position += 1;
        let mut values = Vec::new();
        self.skip_white_space();
        if self.take(b']') {
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth_left)?);
            self.skip_white_space();
            if self.take(b']') {
                return Ok(Value::List(values));
            }
            if !self.take(b',') {
                return Err(self.fault("a comma or closing bracket should stand"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.position;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(self.text.get(start..self.position).unwrap_or_default().to_owned()))
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.position;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        if start == self.position {
            return Err(self.fault("a digit should stand"));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        self.position += 1;
        let mut text = String::new();
        loop {
            let rest = self.text.get(self.position..).unwrap_or_default();
            let plain = rest
                .find(|character: char| matches!(character, '"' | '\\' | '\u{0}'..='\u{1f}'))
                .ok_or_else(|| self.fault("a string does not end"))?;
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.position += plain;
            if self.take(b'"') {
                return Ok(text);
            }
            if !self.take(b'\\') {
                return Err(self.fault("control character in a string"));
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = self.peek().ok_or_else(|| self.fault("a string does not end"))?;
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.position += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.fault("unknown escape in a string")),
        };
        self.position += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, String> {
        let first = self.hex_unit()?;
        if let Some(character) = char::from_u32(u32::from(first)) {
            return Ok(character);
        }
        if self.take(b'\\') && self.take(b'u') {
            let second = self.hex_unit()?;
            if let Some(Ok(character)) = char::decode_utf16([first, second]).next() {
                return Ok(character);
            }
        }
        Err(self.fault("unpaired surrogate in a string"))
    }

    fn hex_unit(&mut self) -> Result<u16, String> {
        let digits = self.text.get(self.position..self.position + 4).unwrap_or_default();
        let hexadecimal = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal);
        let unit = unit.ok_or_else(|| self.fault("four hexadecimal digits should stand"))?;
        self.position += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Value) {
        assert_eq!(parse(text), Ok(expected), "{text:?}");
    }

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn parses_json() {
        check(" null\n", Value::Null);
        check("true", Value::Bool(true));
        check("-0.5e+10", Value::Number("-0.5e+10".to_owned()));
        check("\"Z\\u00fcrich \\ud83d\\ude00 \\/ \\\" \\n ü\"", string("Zürich 😀 / \" \n ü"));
        check("[]", Value::List(Vec::new()));
        check("[1, \"a\"]", Value::List(vec![Value::Number("1".to_owned()), string("a")]));
        let members = vec![("subject".to_owned(), string("x")), ("k\u{e9}s".to_owned(), Value::Null)];
        check("{\"Subject\" : \"x\", \"\\u212A\u{e9}\u{17f}\": null}", Value::Object(members));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "nul",
            "tru",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "{} {}",
            "{}}",
            "1 2",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"A\":1}",
            "{\"s\":1,\"\u{17f}\":1}",
            "NaN",
            "// x\n{}",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn values_are_found_by_their_way() {
        let text = r#" {"a": [1, {"B" : "x"}], "c": {}}"#;
        let at = |way: &[Step<'_>]| &text[find(text, way)..];
        assert_eq!(at(&[]), text.trim_start());
        assert_eq!(at(&[Step::Member("c")]), "{}}");
        assert_eq!(at(&[Step::Member("A"), Step::Element(1), Step::Member("b")]), r#""x"}], "c": {}}"#);
        assert_eq!(at(&[Step::Member("a"), Step::Element(7)]), r#"[1, {"B" : "x"}], "c": {}}"#);
        assert_eq!(at(&[Step::Element(0)]), text.trim_start());
        assert_eq!(fault_position(text), None);
        assert_eq!(fault_position("{\"a\": x}"), Some(6));
        assert_eq!(fault_position("{} x"), Some(3));
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(64)).is_ok());
        assert!(parse(&nested(65)).is_err());
        assert!(parse(&"[".repeat(MAX_LENGTH)).is_err());
        assert!(parse(&" ".repeat(MAX_LENGTH + 1)).is_err());
    }
}
