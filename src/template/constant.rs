//! Constants as a template writes them: numbers, characters and strings in Go's forms.

use crate::template::function::Kind;
use crate::template::go::strconv;
use crate::template::value::Value;

/// A number constant: it has no type until something asks for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    integer: Option<i64>,
    float: Option<f64>,
    /// The imaginary part, when the constant is complex.
    imaginary: Option<f64>,
    /// The type it has where none is asked for.
    ideal: Ideal,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ideal {
    Integer,
    Float,
    Complex,
    /// A number beyond `int`, which is an error when it is used.
    Overflow,
}

impl Number {
    /// Reads `0x1p4`, `1_000`, `2i`, `1+2i`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with('i') {
            return Self::complex(text);
        }
        let bytes = text.as_bytes();
        let mut integer = strconv::parse_int(bytes, 0).ok();
        // Go reads a sign with ParseInt only, so an unsigned number beyond int64 has none.
        let unsigned = strconv::unsigned(bytes, 0).ok();
        let looks_float = text.contains(['.', 'e', 'E', 'p', 'P']) && !is_hex_integer(text);
        let mut float = integer.map(|number| number as f64).or(unsigned.map(|number| number as f64));
        if float.is_none() {
            let number =
                strconv::parse_float(bytes).map_err(|_| format!("illegal number syntax: {text:?}"))?;
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {text:?}"));
            }
            float = Some(number);
        }
        if integer.is_none() && unsigned.is_none() {
            integer = float.and_then(whole);
        }
        let ideal = match (looks_float, integer) {
            (true, _) => Ideal::Float,
            (false, Some(_)) => Ideal::Integer,
            (false, None) => Ideal::Overflow,
        };
        Ok(Self { integer, float, imaginary: None, ideal })
    }

    /// Reads a character constant with its quotes; it is an integer.
    pub(super) fn parse_character(text: &str) -> Result<Self, String> {
        let malformed = || format!("malformed character constant: {text}");
        let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(malformed)?;
        let (unit, rest) = unescape(inner, '\'').ok_or_else(malformed)?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        let code = match unit {
            Unit::Byte(byte) => i64::from(byte),
            Unit::Character(character) => i64::from(u32::from(character)),
        };
        Ok(Self { integer: Some(code), float: Some(code as f64), imaginary: None, ideal: Ideal::Integer })
    }

    fn complex(text: &str) -> Result<Self, String> {
        let malformed = || format!("illegal number syntax: {text:?}");
        let body = text.strip_suffix('i').ok_or_else(malformed)?;
        // The sign between the parts is the last one that is neither first nor part of an exponent.
        let split = body
            .char_indices()
            .rev()
            .find(|(at, sign)| {
                matches!(sign, '+' | '-')
                    && *at > 0
                    && !body.get(..*at).is_some_and(|head| head.ends_with(['e', 'E', 'p', 'P']))
            })
            .map(|(at, _)| at);
        let float = |part: &str| strconv::parse_float(part.as_bytes()).map_err(|_| malformed());
        let (real, imaginary) = match split.and_then(|at| body.split_at_checked(at)) {
            Some((real, imaginary)) => (float(real)?, float(imaginary)?),
            None => (0.0, float(body)?),
        };
        let plain = imaginary == 0.0;
        Ok(Self {
            integer: plain.then(|| whole(real)).flatten(),
            float: plain.then_some(real),
            imaginary: Some(imaginary),
            ideal: Ideal::Complex,
        }
        .with_real(real))
    }

    fn with_real(mut self, real: f64) -> Self {
        // The real part is kept in `float` even where the number cannot be used as one.
        self.float = Some(real);
        self
    }

    /// The value where no type is asked for.
    pub(super) fn ideal(self) -> Result<Value, &'static str> {
        match self.ideal {
            Ideal::Integer => Ok(Value::int(self.integer.unwrap_or(0))),
            Ideal::Float => Ok(Value::Float(self.float.unwrap_or(0.0))),
            Ideal::Complex => Ok(Value::Complex(self.float.unwrap_or(0.0), self.imaginary.unwrap_or(0.0))),
            Ideal::Overflow => Err("overflows int"),
        }
    }

    /// The value as an argument of the given kind; `1.0` is an integer where one is wanted, `1` a float.
    pub(super) fn of_kind(self, kind: Kind) -> Option<Value> {
        match kind {
            Kind::Int => self.integer.map(Value::int),
            Kind::Int64 => self.integer.map(Value::int64),
            Kind::Duration => self.integer.map(Value::Duration),
            Kind::Float if self.imaginary.is_none_or(|imaginary| imaginary == 0.0) => {
                self.float.map(Value::Float)
            }
            _ => None,
        }
    }
}

/// `0x1e4` has an `e` and no exponent.
fn is_hex_integer(text: &str) -> bool {
    let body = text.trim_start_matches(['+', '-']);
    (body.starts_with("0x") || body.starts_with("0X")) && !body.contains(['p', 'P'])
}

fn whole(number: f64) -> Option<i64> {
    let integer = number as i64;
    // The cast saturates, so the ends of the range need the exact comparison.
    (integer as f64 == number && integer != i64::MAX).then_some(integer)
}

/// What a quoted string stands for: escapes resolved, bytes and not characters.
pub(super) fn unquote(text: &str) -> Option<Vec<u8>> {
    if let Some(raw) = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        return Some(raw.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, after) = unescape(rest, '"')?;
        match unit {
            Unit::Byte(byte) => bytes.push(byte),
            Unit::Character(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes())
            }
        }
        rest = after;
    }
    Some(bytes)
}

enum Unit {
    Byte(u8),
    Character(char),
}

/// Reads one character or escape and gives what follows it.
fn unescape(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut characters = text.chars();
    let first = characters.next()?;
    if first == quote || first == '\n' {
        return None;
    }
    if first != '\\' {
        return Some((Unit::Character(first), characters.as_str()));
    }
    let simple = |byte: u8, rest| Some((Unit::Character(char::from(byte)), rest));
    let escape = characters.next()?;
    let rest = characters.as_str();
    match escape {
        'a' => simple(7, rest),
        'b' => simple(8, rest),
        'f' => simple(12, rest),
        'n' => simple(b'\n', rest),
        'r' => simple(b'\r', rest),
        't' => simple(b'\t', rest),
        'v' => simple(11, rest),
        '\\' => simple(b'\\', rest),
        '\'' | '"' if escape == quote => Some((Unit::Character(escape), rest)),
        'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            Some((Unit::Byte(u8::try_from(code).ok()?), rest))
        }
        'u' | 'U' => {
            let (code, rest) = digits(rest, if escape == 'u' { 4 } else { 8 }, 16)?;
            Some((Unit::Character(char::from_u32(code)?), rest))
        }
        '0'..='7' => {
            let (code, rest) = digits(text.get(1..)?, 3, 8)?;
            Some((Unit::Byte(u8::try_from(code).ok()?), rest))
        }
        _ => None,
    }
}

fn digits(text: &str, count: usize, radix: u32) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    if !head.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some((u32::from_str_radix(head, radix).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_an_ideal_type() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = Number::parse(text).map(|number| format!("{:?}", number.ideal()));
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("7", Ok("Ok(Int(Integer { kind: Int, bits: 7 }))"));
        check("1_000", Ok("Ok(Int(Integer { kind: Int, bits: 1000 }))"));
        check("0x1e4", Ok("Ok(Int(Integer { kind: Int, bits: 484 }))"));
        check("0o17", Ok("Ok(Int(Integer { kind: Int, bits: 15 }))"));
        check("1.0", Ok("Ok(Float(1.0))"));
        check("0x1p4", Ok("Ok(Float(16.0))"));
        check("1e3", Ok("Ok(Float(1000.0))"));
        check("2i", Ok("Ok(Complex(0.0, 2.0))"));
        check("1+2i", Ok("Ok(Complex(1.0, 2.0))"));
        check("18446744073709551615", Ok("Err(\"overflows int\")"));
        check("99999999999999999999", Err("integer overflow: \"99999999999999999999\""));
        check("08", Err("integer overflow: \"08\""));
        check("1__0", Err("illegal number syntax: \"1__0\""));
    }

    #[test]
    fn strings_are_bytes() {
        let check =
            |text: &str, expected: Option<&[u8]>| assert_eq!(unquote(text).as_deref(), expected, "{text}");
        check(r#""a\x0c\x24\xff""#, Some(b"a\x0c\x24\xff"));
        check(r#""\101\u00e9\a""#, Some(b"A\xc3\xa9\x07"));
        check("`a\r\n\\n`", Some(b"a\n\\n"));
        check(r#""\'""#, None);
        check(r#""\x4""#, None);
        check(r#""\ud800""#, None);
        check(r#""\400""#, None);
    }
}
