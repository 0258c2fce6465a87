//! JSON as Go's `encoding/json` writes it: keys in byte order, structures in field order, HTML characters escaped.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::go::runes::runes;
use crate::template::go::strconv;
use crate::template::object::Field;
use crate::template::object::Json;
use crate::template::object::Object;
use crate::template::value::Text;
use crate::template::value::Time;
use crate::template::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How the JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No white space; `<`, `>`, `&`, U+2028 and U+2029 escaped: `toJson`.
    Compact,
    /// Indented by two spaces, escaped likewise: `toPrettyJson`.
    Pretty,
    /// No white space, `<`, `>` and `&` left alone: `toRawJson`.
    Raw,
}

/// Writes `value` as JSON.
pub(super) fn encode(call: &mut Call<'_>, value: &Value, style: Style) -> Result<Text, Failure> {
    let mut writer = Writer { style, out: Vec::new(), charged: 0, level: 0, call };
    writer.value(value)?;
    writer.settle()?;
    Ok(Text::from(writer.out))
}

struct Writer<'w, 'c> {
    style: Style,
    out: Vec<u8>,
    /// How much of `out` has been charged.
    charged: usize,
    level: usize,
    call: &'w mut Call<'c>,
}

impl Writer<'_, '_> {
    fn value(&mut self, value: &Value) -> Result<(), Failure> {
        self.settle()?;
        match value {
            Value::Nil | Value::Missing => self.push("null"),
            Value::Bool(truth) => self.push(if *truth { "true" } else { "false" }),
            Value::Int(integer) => self.push(&integer.number().to_string()),
            Value::Duration(nanoseconds) => self.push(&nanoseconds.to_string()),
            Value::Float(number) => {
                self.push(
                    &strconv::json_float(*number).map_err(|refusal| Failure::Error(refusal.to_string()))?,
                );
            }
            Value::Complex(..) => return Err(Failure::error("json: unsupported type: complex128")),
            Value::String(text) => self.string(text.as_bytes()),
            Value::Bytes(bytes) => {
                let encoded = STANDARD.encode(bytes.as_bytes());
                self.string(encoded.as_bytes());
            }
            Value::Time(time) => self.time(time)?,
            Value::List(list) if list.is_nil() => self.push("null"),
            Value::List(list) => {
                self.open("[")?;
                for (index, item) in list.items().iter().enumerate() {
                    self.separate(index);
                    self.value(item)?;
                }
                self.close("]", list.items().len());
            }
            Value::Map(map) if map.is_nil() => self.push("null"),
            Value::Map(map) => {
                let entries = map.snapshot();
                self.open("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.member(index, key.as_bytes());
                    self.value(value)?;
                }
                self.close("}", entries.len());
            }
            Value::Object(object) => self.object(object)?,
        }
        Ok(())
    }

    fn object(&mut self, object: &Object) -> Result<(), Failure> {
        match (object.json(), object.fields(), object.underlying()) {
            (Some(Json::Value(value)), ..) => self.value(value),
            (Some(Json::Text), ..) => {
                self.out.extend_from_slice(object.text().unwrap_or_default().as_bytes());
                Ok(())
            }
            (None, Some(fields), _) => self.structure(fields),
            (None, None, Some(value)) => self.value(value),
            (None, None, None) => Ok(()),
        }
    }

    fn structure(&mut self, fields: &[Field]) -> Result<(), Failure> {
        self.open("{")?;
        let mut written = 0;
        for field in fields {
            let Some(name) = &field.json else { continue };
            if field.omit_empty && is_empty(&field.value) {
                continue;
            }
            self.member(written, name.as_bytes());
            self.value(&field.value)?;
            written += 1;
        }
        self.close("}", written);
        Ok(())
    }

    fn member(&mut self, index: usize, name: &[u8]) {
        self.separate(index);
        self.string(name);
        self.push(if self.style == Style::Pretty { ": " } else { ":" });
    }

    fn open(&mut self, bracket: &str) -> Result<(), Failure> {
        self.level += 1;
        if self.level > self.call.value_depth() {
            return Err(Failure::Limit("a value is nested too deeply"));
        }
        self.push(bracket);
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.push(",");
        }
        self.new_line();
    }

    fn close(&mut self, bracket: &str, members: usize) {
        self.level -= 1;
        if members > 0 {
            self.new_line();
        }
        self.push(bracket);
    }

    fn new_line(&mut self) {
        if self.style == Style::Pretty {
            self.push("\n");
            for _ in 0..self.level {
                self.push("  ");
            }
        }
    }

    fn time(&mut self, time: &Time) -> Result<(), Failure> {
        if !(0..=9999).contains(&time.instant.year()) {
            return Err(Failure::error("Time.MarshalJSON: year outside of range [0,9999]"));
        }
        self.push("\"");
        self.out.extend_from_slice(&super::go_time::rfc3339(time));
        self.push("\"");
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.push("\"");
        let plain =
            |byte: &u8| (b' '..=b'~').contains(byte) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&');
        if bytes.iter().all(plain) {
            self.out.extend_from_slice(bytes);
        } else {
            for rune in runes(bytes) {
                self.rune(rune.value, rune.valid);
            }
        }
        self.push("\"");
    }

    fn rune(&mut self, value: char, valid: bool) {
        match value {
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\x08' => self.push("\\b"),
            '\x0c' => self.push("\\f"),
            '\n' => self.push("\\n"),
            '\r' => self.push("\\r"),
            '\t' => self.push("\\t"),
            '<' | '>' | '&' if self.style == Style::Raw => self.push(value.encode_utf8(&mut [0; 4])),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                self.push(&format!("\\u{:04x}", u32::from(value)));
            }
            _ if !valid => self.push("\\ufffd"),
            _ => self.push(value.encode_utf8(&mut [0; 4])),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Charges what was written since the last time.
    fn settle(&mut self) -> Result<(), Failure> {
        let fresh = self.out.len() - self.charged;
        self.charged = self.out.len();
        self.call.charge(fresh)
    }
}

/// What `omitempty` leaves out: false, zero, nil and what has length zero; never a structure.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => match object.underlying() {
            Some(value) if !object.is_pointer() => is_empty(value),
            _ => false,
        },
        Value::Time(_) => false,
        _ => !value.is_true(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::template::context::Context;
    use crate::template::context::Limits;
    use crate::template::context::Meter;

    fn check(value: &Value, style: Style, expected: Result<&str, &str>) {
        let (clock, entropy) = (SystemClock, SystemEntropy::new());
        let context = Context::new(&clock, &entropy);
        let mut meter = Meter::new(Limits::default());
        let mut call = Call { context: &context, meter: &mut meter };
        let found = encode(&mut call, value, style).map_err(|failure| format!("{failure:?}"));
        let found = found.as_ref().map(|text| text.to_str().unwrap()).map_err(String::as_str);
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_are_escaped_for_html() {
        let text = Value::from("<a>&\"\\\u{2028}\u{7f}\x01é\n");
        check(&text, Style::Compact, Ok("\"\\u003ca\\u003e\\u0026\\\"\\\\\\u2028\u{7f}\\u0001é\\n\""));
        check(&text, Style::Raw, Ok("\"<a>&\\\"\\\\\\u2028\u{7f}\\u0001é\\n\""));
        check(&Value::from(&b"a\xffb"[..]), Style::Compact, Ok("\"a\\ufffdb\""));
    }

    #[test]
    fn structures_keep_their_order() {
        let value = Object::structure("t")
            .field(Field::new("B", "b", Value::int(1)))
            .field(Field::optional("A", "a", Value::from("")))
            .field(Field::hidden("C", Value::int(2)))
            .into_value();
        check(&value, Style::Compact, Ok("{\"b\":1}"));
        check(
            &Value::map([("z", Value::Nil), ("a", value)]),
            Style::Compact,
            Ok("{\"a\":{\"b\":1},\"z\":null}"),
        );
    }

    #[test]
    fn pretty_indents_by_two() {
        let value = Value::map([("a", Value::list(vec![Value::int(1), Value::list(vec![])]))]);
        check(&value, Style::Pretty, Ok("{\n  \"a\": [\n    1,\n    []\n  ]\n}"));
    }

    #[test]
    fn what_json_cannot_hold_is_an_error() {
        check(&Value::Float(f64::NAN), Style::Compact, Err("Error(\"json: unsupported value: NaN\")"));
        let Value::Map(map) = Value::map([("a", Value::Nil)]) else {
            return;
        };
        map.insert("self".into(), Value::Map(map.clone()));
        check(&Value::Map(map.clone()), Style::Compact, Err("Limit(\"a value is nested too deeply\")"));
        map.remove(b"self");
    }
}
