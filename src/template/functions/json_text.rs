//! Reading a JSON text into values, every number a double, as `fromJson` needs it.
//!
//! Stricter than Go in a strict rendering: members must not repeat and text must be valid, for what Go makes of
//! such documents, last member or U+FFFD, hides that two readers disagree about them.

use std::collections::BTreeMap;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::go::Refusal;
use crate::template::go::quote::quote_rune;
use crate::template::go::runes::first_rune;
use crate::template::go::strconv::parse_float;
use crate::template::value::Map;
use crate::template::value::MapKind;
use crate::template::value::Text;
use crate::template::value::Value;

/// Reads one document; the outer error is a limit, the inner one a bad text.
pub(super) fn read(call: &mut Call<'_>, text: &[u8]) -> Result<Result<Value, Refusal>, Failure> {
    let strict = call.is_strict();
    let depth = call.value_depth();
    let mut reader = Reader { rest: text, strict, call };
    let read = reader.document(depth);
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Text(refusal)) => Ok(Err(refusal)),
        Err(Stop::Limit(failure)) => Err(failure),
    }
}

enum Stop {
    Text(Refusal),
    Limit(Failure),
}

struct Reader<'a, 'c, 'x> {
    rest: &'a [u8],
    strict: bool,
    call: &'c mut Call<'x>,
}

fn ended() -> Stop {
    Stop::Text(Refusal::new("unexpected end of JSON input"))
}

impl Reader<'_, '_, '_> {
    fn document(&mut self, depth: usize) -> Result<Value, Stop> {
        let value = self.value(depth)?;
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.unexpected("after top-level value")),
        }
    }

    fn peek(&mut self) -> Option<u8> {
        let space = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.rest = self.rest.get(space..).unwrap_or_default();
        self.rest.first().copied()
    }

    fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn unexpected(&self, place: &str) -> Stop {
        match first_rune(self.rest) {
            None => ended(),
            Some(rune) => {
                let found = quote_rune(i64::from(u32::from(rune.value)), false);
                Stop::Text(Refusal::new(format!("invalid character {found} {place}")))
            }
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Stop> {
        self.call.charge(bytes).map_err(Stop::Limit)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        let depth = depth.checked_sub(1).ok_or_else(|| Stop::Text(Refusal::new("exceeded max depth")))?;
        self.charge(size_of::<Value>())?;
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        for expected in word.bytes() {
            if self.rest.first() != Some(&expected) {
                return Err(self.unexpected(&format!("in literal {word}")));
            }
            self.bump();
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.rest;
        if self.rest.first() == Some(&b'-') {
            self.bump();
        }
        match self.rest.first() {
            Some(b'0') => self.bump(),
            _ => self.digits("in numeric literal")?,
        }
        if self.rest.first() == Some(&b'.') {
            self.bump();
            self.digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.bump();
            if let Some(b'+' | b'-') = self.rest.first() {
                self.bump();
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = start.get(..start.len() - self.rest.len()).unwrap_or_default();
        let number = parse_float(text).map_err(|_| {
            let text = String::from_utf8_lossy(text);
            Stop::Text(Refusal::new(format!(
                "json: cannot unmarshal number {text} into Go value of type float64"
            )))
        })?;
        Ok(number.into())
    }

    fn digits(&mut self, place: &str) -> Result<(), Stop> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err(self.unexpected(place));
        }
        self.rest = self.rest.get(digits..).unwrap_or_default();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Value, Stop> {
        self.bump();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.bump();
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth)?);
            match self.peek() {
                Some(b',') => self.bump(),
                Some(b']') => {
                    self.bump();
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Stop> {
        self.bump();
        let mut members = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.bump();
            return Ok(Value::Map(Map::new(MapKind::ANY, members)));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let name = self.string()?;
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.bump();
            let value = self.value(depth)?;
            if self.strict && members.contains_key(&name) {
                return Err(Stop::Text(Refusal::new(format!("duplicate member {name:?}"))));
            }
            members.insert(name, value);
            match self.peek() {
                Some(b',') => self.bump(),
                Some(b'}') => {
                    self.bump();
                    return Ok(Value::Map(Map::new(MapKind::ANY, members)));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn string(&mut self) -> Result<Text, Stop> {
        self.bump();
        let mut out = String::new();
        loop {
            let rune = first_rune(self.rest).ok_or_else(ended)?;
            match rune.value {
                '"' => {
                    self.bump();
                    self.charge(out.len())?;
                    return Ok(out.into());
                }
                '\\' => {
                    self.bump();
                    let value = self.escape()?;
                    out.push(value);
                }
                '\0'..='\x1f' => return Err(self.unexpected("in string literal")),
                _ if !rune.valid && self.strict => {
                    return Err(Stop::Text(Refusal::new("invalid UTF-8 in string")));
                }
                value => {
                    out.push(value);
                    self.rest = self.rest.get(rune.len..).unwrap_or_default();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let letter = *self.rest.first().ok_or_else(ended)?;
        let value = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.bump();
                return self.unicode();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.bump();
        Ok(value)
    }

    fn unicode(&mut self) -> Result<char, Stop> {
        let first = self.unit()?;
        if let Some(value) = char::from_u32(first) {
            return Ok(value);
        }
        let before = self.rest;
        if let (0xd800..0xdc00, Some(rest)) = (first, self.rest.strip_prefix(b"\\u")) {
            self.rest = rest;
            let second = self.unit()?;
            if let 0xdc00..0xe000 = second {
                let value = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        if self.strict {
            return Err(Stop::Text(Refusal::new(format!("lone surrogate \\u{first:04x} in string"))));
        }
        self.rest = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn unit(&mut self) -> Result<u32, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.rest.first().copied().ok_or_else(ended)?;
            let digit = char::from(digit).to_digit(16);
            unit = unit << 4 | digit.ok_or_else(|| self.unexpected("in \\u hexadecimal character escape"))?;
            self.bump();
        }
        Ok(unit)
    }
}
