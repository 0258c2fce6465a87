//! Go's `fmt`: `print`, `println` and `printf`.
//!
//! In a strict rendering whatever would write `%!…` or `<nil>` fails instead, and so does `%s` of what is neither a
//! string nor something with a `String` method: such text ends up in certificates.

use crate::template::format_cursor::Cursor;
use crate::template::format_cursor::Flags;
use crate::template::format_number as number;
use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::go::quote;
use crate::template::go::runes::runes;
use crate::template::object::Object;
use crate::template::value::Integer;
use crate::template::value::IntegerKind;
use crate::template::value::Text;
use crate::template::value::Value;

/// What Go's `fmt.Sprint` gives: a space only between two operands that are not strings.
pub(super) fn print(call: &mut Call<'_>, values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::new(call);
    let mut after_string = true;
    for value in values {
        let is_string = value.kind_name() == "string";
        if !is_string && !after_string {
            printer.push(b" ")?;
        }
        printer.argument(value, 'v')?;
        after_string = is_string;
    }
    Ok(Text::from(printer.out))
}

/// What Go's `fmt.Sprintln` gives.
pub(super) fn println(call: &mut Call<'_>, values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::new(call);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.push(b" ")?;
        }
        printer.argument(value, 'v')?;
    }
    printer.push(b"\n")?;
    Ok(Text::from(printer.out))
}

/// What Go's `fmt.Sprintf` gives.
pub(super) fn printf(call: &mut Call<'_>, format: &[u8], values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::new(call);
    printer.format(format, values)?;
    Ok(Text::from(printer.out))
}

pub(super) struct Printer<'p, 'c> {
    call: &'p mut Call<'c>,
    pub(super) out: Vec<u8>,
    pub(super) flags: Flags,
    level: usize,
}

impl<'p, 'c> Printer<'p, 'c> {
    fn new(call: &'p mut Call<'c>) -> Self {
        Self { call, out: Vec::new(), flags: Flags::default(), level: 0 }
    }

    fn format(&mut self, format: &[u8], values: &[Value]) -> Result<(), Failure> {
        let mut cursor = Cursor { format, position: 0, values, argument: 0, reordered: false, good: true };
        while let Some(percent) = cursor.find_percent() {
            self.push(format.get(cursor.position..percent).unwrap_or(&[]))?;
            cursor.position = percent + 1;
            self.directive(&mut cursor)?;
        }
        self.push(format.get(cursor.position..).unwrap_or(&[]))?;
        if !cursor.reordered && cursor.argument < values.len() {
            self.extra(values.get(cursor.argument..).unwrap_or(&[]))?;
        }
        Ok(())
    }

    fn directive(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        self.flags = cursor.flags();
        cursor.good = true;
        let mut after_index = cursor.index();
        if cursor.take(b'*') {
            match cursor.number_argument() {
                Some(width) => {
                    self.flags.minus |= width < 0;
                    self.flags.zero &= width >= 0;
                    self.flags.width = usize::try_from(width.abs()).ok();
                }
                None => self.complain(b"%!(BADWIDTH)")?,
            }
            after_index = false;
        } else if let Some(width) = cursor.number() {
            self.flags.width = Some(width);
            cursor.good &= !after_index;
        }
        if cursor.take(b'.') {
            cursor.good &= !after_index;
            after_index = cursor.index();
            if cursor.take(b'*') {
                match cursor.number_argument().map(usize::try_from) {
                    Some(Ok(precision)) => self.flags.precision = Some(precision),
                    _ => self.complain(b"%!(BADPREC)")?,
                }
                after_index = false;
            } else {
                self.flags.precision = Some(cursor.number().unwrap_or(0));
            }
        }
        if !after_index {
            cursor.index();
        }
        let Some(verb) = cursor.verb() else {
            return self.complain(b"%!(NOVERB)");
        };
        if verb == '%' {
            return self.push(b"%");
        }
        if !cursor.good {
            return self.complain(format!("%!{verb}(BADINDEX)").as_bytes());
        }
        let Some(value) = cursor.values.get(cursor.argument) else {
            return self.complain(format!("%!{verb}(MISSING)").as_bytes());
        };
        if matches!(verb, 'v' | 'w') {
            self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
            self.flags.plus_v = std::mem::take(&mut self.flags.plus);
        }
        cursor.argument += 1;
        self.argument(value, verb)
    }

    fn extra(&mut self, values: &[Value]) -> Result<(), Failure> {
        self.flags = Flags::default();
        self.complain(b"%!(EXTRA ")?;
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.push(b", ")?;
            }
            self.described(value)?;
        }
        self.push(b")")
    }

    /// Formats one operand.
    fn argument(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        match (value, verb) {
            (Value::Nil | Value::Missing, 'v') => {
                self.refuse("nil would print as <nil>")?;
                self.pad(b"<nil>")
            }
            (_, 'T') => {
                let name = value.type_name();
                if value.is_nil() {
                    self.refuse("nil would print as <nil>")?;
                    return self.pad(b"<nil>");
                }
                self.string(name.as_bytes(), 's', &Value::from(name.as_str()))
            }
            (_, 'p') => self.bad_verb(verb, value),
            _ => self.value(value, verb),
        }
    }

    fn value(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        self.level += 1;
        if self.level > self.call.value_depth() {
            return Err(Failure::Limit("a value is nested too deeply"));
        }
        match value {
            Value::Nil | Value::Missing if self.level > 1 => {
                self.refuse("nil would print as <nil>")?;
                let nil: &[u8] = if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" };
                self.push(nil)?;
            }
            // `%w` is for errors only; Go says so once for a whole list.
            Value::List(_) | Value::Map(_) | Value::Object(_) | Value::Time(_) | Value::Duration(_)
                if verb == 'w' =>
            {
                self.bad_verb(verb, value)?;
            }
            Value::Nil | Value::Missing => self.bad_verb(verb, value)?,
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { b"true" } else { b"false" })?,
                _ => self.bad_verb(verb, value)?,
            },
            Value::Int(integer) => self.integer(*integer, verb, value)?,
            Value::Float(float) => self.float(*float, verb, value)?,
            Value::Complex(real, imaginary) => self.complex(*real, *imaginary, verb, value)?,
            Value::String(text) => self.string(text.as_bytes(), verb, value)?,
            Value::Bytes(bytes) => self.bytes(bytes, verb, value, "[]byte")?,
            Value::List(list) => {
                self.refuse_text_verb(verb, value)?;
                let (open, close) = self.brackets(list.kind().name, list.is_nil(), "[", "]");
                self.push(open.as_bytes())?;
                self.sequence(list.items(), verb)?;
                self.push(close.as_bytes())?;
            }
            Value::Map(map) => {
                self.refuse_text_verb(verb, value)?;
                let (open, close) = self.brackets(map.kind().name, map.is_nil(), "map[", "]");
                self.push(open.as_bytes())?;
                for (index, (key, value)) in map.snapshot().iter().enumerate() {
                    self.separate(index)?;
                    self.value(&Value::String(key.clone()), verb)?;
                    self.push(b":")?;
                    self.value(value, verb)?;
                }
                self.push(close.as_bytes())?;
            }
            Value::Time(_) | Value::Duration(_) => match value.stringer_text() {
                Some(text) if is_text_verb(verb) && !self.flags.sharp_v => {
                    self.string(text.as_bytes(), verb, value)?
                }
                _ => match value {
                    Value::Duration(bits) => {
                        let integer = Integer { kind: IntegerKind::Int64, bits: *bits };
                        self.integer(integer, verb, value)?;
                    }
                    // Go would show the inside of the structure, addresses included.
                    _ => return Err(Failure::error(format!("a time has no form for %{verb}"))),
                },
            },
            Value::Object(object) => self.object(object, verb, value)?,
        }
        self.level -= 1;
        Ok(())
    }

    fn object(&mut self, object: &Object, verb: char, value: &Value) -> Result<(), Failure> {
        let asks_text = is_text_verb(verb) && !self.flags.sharp_v;
        if let Some(text) = asks_text.then(|| object.text()).flatten() {
            return self.string(text.as_bytes(), verb, value);
        }
        if object.is_pointer() {
            if self.level > 1 || object.fields().is_none() {
                return Err(Failure::error("a pointer has no text"));
            }
            self.push(b"&")?;
        }
        match (object.fields(), object.underlying()) {
            (Some(fields), _) => {
                self.refuse_text_verb(verb, value)?;
                let (open, close) = self.brackets(object.type_name(), false, "{", "}");
                self.push(open.as_bytes())?;
                for (index, field) in fields.iter().enumerate() {
                    self.separate(index)?;
                    if self.flags.plus_v || self.flags.sharp_v {
                        self.push(field.name.as_bytes())?;
                        self.push(b":")?;
                    }
                    self.value(&field.value, verb)?;
                }
                self.push(close.as_bytes())
            }
            (None, Some(Value::Bytes(bytes))) => self.bytes(bytes, verb, value, object.type_name()),
            (None, Some(underlying)) => self.value(underlying, verb),
            (None, None) => Ok(()),
        }
    }

    /// The brackets around a list, map or structure; Go source has its type in front.
    fn brackets(&self, name: &str, nil: bool, open: &str, close: &'static str) -> (String, &'static str) {
        match self.flags.sharp_v {
            true if nil => (format!("{name}("), "nil)"),
            true => (format!("{name}{{"), "}"),
            false => (open.to_owned(), close),
        }
    }

    fn sequence(&mut self, items: &[Value], verb: char) -> Result<(), Failure> {
        for (index, item) in items.iter().enumerate() {
            self.separate(index)?;
            self.value(item, verb)?;
        }
        Ok(())
    }

    fn separate(&mut self, index: usize) -> Result<(), Failure> {
        match index {
            0 => Ok(()),
            _ if self.flags.sharp_v => self.push(b", "),
            _ => self.push(b" "),
        }
    }

    fn integer(&mut self, integer: Integer, verb: char, value: &Value) -> Result<(), Failure> {
        let text = match verb {
            'v' if self.flags.sharp_v && !integer.kind.is_signed() => {
                format!("0x{:x}", integer.number()).into_bytes()
            }
            'c' => return self.pad(character(integer).encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => {
                let code = i64::try_from(integer.number()).unwrap_or(-1);
                return self.pad(quote::quote_rune(code, self.flags.plus).as_bytes());
            }
            'U' => number::unicode(integer, self.flags),
            _ => match number::integer(integer, verb, self.flags) {
                Some(text) => text,
                None => return self.bad_verb(verb, value),
            },
        };
        let zero = std::mem::take(&mut self.flags.zero);
        let result = self.pad(&text);
        self.flags.zero = zero;
        result
    }

    fn float(&mut self, float: f64, verb: char, value: &Value) -> Result<(), Failure> {
        self.call.charge(self.flags.precision.unwrap_or(0))?;
        let Some(text) = number::float(float, verb, self.flags) else {
            return self.bad_verb(verb, value);
        };
        let (sign, digits) = text.split_at_checked(1).unwrap_or(("", text.as_str()));
        let signed = matches!(sign, "-" | "+" | " ");
        if !float.is_finite() {
            let zero = std::mem::take(&mut self.flags.zero);
            let result = self.pad(text.as_bytes());
            self.flags.zero = zero;
            return result;
        }
        match self.flags.width {
            // The sign stands before the zeros.
            Some(width) if signed && self.flags.zero && !self.flags.minus && width > text.len() => {
                self.push(sign.as_bytes())?;
                self.fill(b'0', width - text.len())?;
                self.push(digits.as_bytes())
            }
            _ => self.pad(text.as_bytes()),
        }
    }

    fn complex(&mut self, real: f64, imaginary: f64, verb: char, value: &Value) -> Result<(), Failure> {
        if number::float(real, verb, self.flags).is_none() {
            return self.bad_verb(verb, value);
        }
        let plus = self.flags.plus;
        self.push(b"(")?;
        self.float(real, verb, value)?;
        self.flags.plus = true;
        self.float(imaginary, verb, value)?;
        self.flags.plus = plus;
        self.push(b"i)")
    }

    fn string(&mut self, bytes: &[u8], verb: char, value: &Value) -> Result<(), Failure> {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(bytes),
            'v' | 's' => {
                let bytes = truncate(bytes, self.flags.precision);
                self.pad(bytes)
            }
            'x' | 'X' => self.hexadecimal(bytes, verb == 'X'),
            'q' => self.quoted(bytes),
            _ => self.bad_verb(verb, value),
        }
    }

    fn bytes(&mut self, bytes: &Text, verb: char, value: &Value, name: &str) -> Result<(), Failure> {
        if matches!(verb, 's' | 'x' | 'X' | 'q') {
            return self.string(bytes.as_bytes(), verb, value);
        }
        let (open, close) = self.brackets(name, false, "[", "]");
        self.push(open.as_bytes())?;
        let items = value.as_list();
        self.sequence(items.as_ref().map_or(&[], |items| items.items()), verb)?;
        self.push(close.as_bytes())
    }

    fn quoted(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let bytes = truncate(bytes, self.flags.precision);
        self.call.charge(bytes.len().saturating_mul(4))?;
        if self.flags.sharp && quote::can_backquote(bytes) {
            return self.pad(&[b"`", bytes, b"`"].concat());
        }
        let text = if self.flags.plus { quote::quote_ascii(bytes) } else { quote::quote(bytes) };
        self.pad(text.as_bytes())
    }

    fn hexadecimal(&mut self, bytes: &[u8], upper: bool) -> Result<(), Failure> {
        let bytes = bytes.get(..self.flags.precision.unwrap_or(bytes.len())).unwrap_or(bytes);
        self.call.charge(bytes.len().saturating_mul(5))?;
        let prefix = if upper { "0X" } else { "0x" };
        let mut text = String::with_capacity(bytes.len() * 2 + 2);
        for (index, byte) in bytes.iter().enumerate() {
            if self.flags.space && index > 0 {
                text.push(' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                text.push_str(prefix);
            }
            text.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(text.as_bytes())
    }

    /// Writes `%!verb(type=value)`.
    fn bad_verb(&mut self, verb: char, value: &Value) -> Result<(), Failure> {
        self.refuse(&format!("%{verb} does not fit a value of type {}", value.type_name()))?;
        self.push(format!("%!{verb}(").as_bytes())?;
        self.described(value)?;
        self.push(b")")
    }

    /// Writes `type=value`.
    fn described(&mut self, value: &Value) -> Result<(), Failure> {
        if value.is_nil() {
            return self.push(b"<nil>");
        }
        self.push(value.type_name().as_bytes())?;
        self.push(b"=")?;
        self.value(value, 'v')
    }

    /// Writes a complaint of Go's, or fails with it.
    fn complain(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.refuse(&format!("the format gives {}", String::from_utf8_lossy(text)))?;
        self.push(text)
    }

    fn refuse(&self, why: &str) -> Result<(), Failure> {
        self.call.odd_text(why)
    }

    fn refuse_text_verb(&self, verb: char, value: &Value) -> Result<(), Failure> {
        if verb == 's' {
            self.refuse(&format!("%s of a value of type {}", value.type_name()))
        } else {
            Ok(())
        }
    }

    /// Writes `bytes` with padding; the width counts characters.
    pub(super) fn pad(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let missing = self.flags.width.map_or(0, |width| width.saturating_sub(runes(bytes).count()));
        if missing == 0 {
            return self.push(bytes);
        }
        if self.flags.minus {
            self.push(bytes)?;
            return self.fill(b' ', missing);
        }
        self.fill(if self.flags.zero { b'0' } else { b' ' }, missing)?;
        self.push(bytes)
    }

    fn fill(&mut self, byte: u8, count: usize) -> Result<(), Failure> {
        self.call.charge(count)?;
        self.out.extend(std::iter::repeat_n(byte, count));
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.call.charge(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Whether the verb asks a `String` method.
fn is_text_verb(verb: char) -> bool {
    matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
}

fn character(integer: Integer) -> char {
    u32::try_from(integer.number()).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The first `count` characters.
fn truncate(bytes: &[u8], count: Option<usize>) -> &[u8] {
    let Some(count) = count else { return bytes };
    let end: usize = runes(bytes).take(count).map(|rune| rune.len).sum();
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::template::context::Context;
    use crate::template::context::Limits;
    use crate::template::context::Meter;

    fn check(format: &str, values: &[Value], expected: &str) {
        let (clock, entropy) = (SystemClock, SystemEntropy::new());
        let context = Context::new(&clock, &entropy).lenient();
        let mut meter = Meter::new(Limits::default());
        let mut call = Call { context: &context, meter: &mut meter };
        let text = printf(&mut call, format.as_bytes(), values).unwrap();
        assert_eq!(text.to_str_lossy(), expected, "{format}");
    }

    #[test]
    fn numbers() {
        check(
            "%5d|%-5d|%05d|%+d|%x|%#X|%b|%o|%O",
            &[7; 9].map(Value::int),
            "    7|7    |00007|+7|7|0X7|111|7|0o7",
        );
        check("%.3d|%8.3d|%.0d", &[7, -7, 0].map(Value::int), "007|    -007|");
        check("%c|%q|%U|%#U", &[0x4e16; 4].map(Value::int), "世|'世'|U+4E16|U+4E16 '世'");
        check(
            "%v|%6.2f|%-8.1e|%08.2f",
            &[1e6, 2.5, 2.5, -2.5].map(Value::Float),
            "1e+06|  2.50|2.5e+00 |-0002.50",
        );
        check("%x|%.1x|%X", &[1.5, 1.99, 0.0].map(Value::Float), "0x1.8p+00|0x1.0p+01|0X0P+00");
        check("%v", &[Value::Float(f64::INFINITY)], "+Inf");
    }

    #[test]
    fn texts() {
        check("%6s|%-6s|%.1s|%q|%+q", &["é"; 5].map(Value::from), "     é|é     |é|\"é\"|\"\\u00e9\"");
        check("%x|% X|%#x|%.1x", &["az"; 4].map(Value::from), "617a|61 7A|0x617a|61");
        check("%s|%v|%d", &[(); 3].map(|()| Value::bytes(&b"hi"[..])), "hi|[104 105]|[104 105]");
    }

    #[test]
    fn complaints() {
        check("%d %", &[Value::from("x")], "%!d(string=x) %!(NOVERB)");
        check("%s %s", &[Value::from("a")], "a %!s(MISSING)");
        check("%[3]d|%[x]d|%[1]d", &[Value::int(1)], "%!d(BADINDEX)|%!d(BADINDEX)|1");
        check("x", &[Value::int(1), Value::Nil], "x%!(EXTRA int=1, <nil>)");
        check(
            "%*d|%.*f",
            &["x".into(), Value::int(1), Value::int(-1), Value::Float(1.0)],
            "%!(BADWIDTH)1|%!(BADPREC)1.000000",
        );
        check("%v %s", &[Value::Nil, Value::Nil], "<nil> %!s(<nil>)");
    }

    #[test]
    fn containers() {
        let map = Value::map([("b", Value::Nil), ("a", Value::list(vec![Value::int(1), "x".into()]))]);
        check(
            "%v|%#v",
            &[map.clone(), map],
            "map[a:[1 x] b:<nil>]|map[string]interface {}{\"a\":[]interface {}{1, \"x\"}, \"b\":interface {}(nil)}",
        );
    }
}
