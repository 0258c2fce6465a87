//! Texts: trimming, cutting, joining, recasing.
//!
//! Positions and lengths count bytes, as in Go.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::fits;
use crate::template::functions::integer;
use crate::template::functions::text_of;
use crate::template::functions::texts_of;
use crate::template::go::quote;
use crate::template::go::text;
use crate::template::go::word_case;
use crate::template::value::Map;
use crate::template::value::MapKind;
use crate::template::value::Text;
use crate::template::value::Value;

const TEXT: &[Kind] = &[Kind::String];
const TWO_TEXTS: &[Kind] = &[Kind::String, Kind::String];
const NUMBER_TEXT: &[Kind] = &[Kind::Int, Kind::String];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("hello", &[], |_, _| Ok(Value::from("Hello!"))),
    Function::new("trim", TEXT, |_, arguments| Ok(text::trim_space(one(arguments)?).into())),
    Function::new("upper", TEXT, |_, arguments| Ok(text::to_upper(one(arguments)?).into())),
    Function::new("lower", TEXT, |_, arguments| Ok(text::to_lower(one(arguments)?).into())),
    Function::new("title", TEXT, |_, arguments| Ok(text::title(one(arguments)?).into())),
    Function::new("untitle", TEXT, |_, arguments| Ok(text::untitle(one(arguments)?).into())),
    Function::new("swapcase", TEXT, |_, arguments| Ok(text::swap_case(one(arguments)?).into())),
    Function::new("snakecase", TEXT, |_, arguments| Ok(word_case::connected(utf8(arguments)?, '_').into())),
    Function::new("kebabcase", TEXT, |_, arguments| Ok(word_case::connected(utf8(arguments)?, '-').into())),
    Function::new("camelcase", TEXT, |_, arguments| Ok(word_case::pascal(utf8(arguments)?).into())),
    Function::new("initials", TEXT, |call, arguments| latin1(call, one(arguments)?, text::initials)),
    Function::new("nospace", TEXT, |call, arguments| latin1(call, one(arguments)?, text::without_space)),
    Function::new("trimAll", TWO_TEXTS, trim_all),
    Function::new("trimall", TWO_TEXTS, trim_all),
    Function::new("trimPrefix", TWO_TEXTS, |_, arguments| {
        let (prefix, text) = two(arguments)?;
        Ok(text.strip_prefix(prefix).unwrap_or(text).into())
    }),
    Function::new("trimSuffix", TWO_TEXTS, |_, arguments| {
        let (suffix, text) = two(arguments)?;
        Ok(text.strip_suffix(suffix).unwrap_or(text).into())
    }),
    Function::new("contains", TWO_TEXTS, |_, arguments| {
        let (part, text) = two(arguments)?;
        Ok(text::find(text, part).is_some().into())
    }),
    Function::new("hasPrefix", TWO_TEXTS, |_, arguments| {
        let (prefix, text) = two(arguments)?;
        Ok(text.starts_with(prefix).into())
    }),
    Function::new("hasSuffix", TWO_TEXTS, |_, arguments| {
        let (suffix, text) = two(arguments)?;
        Ok(text.ends_with(suffix).into())
    }),
    Function::new("trunc", NUMBER_TEXT, |_, arguments| {
        let (count, text) = number_text(arguments)?;
        Ok(text::trunc(text, count).into())
    }),
    Function::new("abbrev", NUMBER_TEXT, |_, arguments| {
        let (width, text) = number_text(arguments)?;
        Ok(text::abbreviate(text, width).into())
    }),
    Function::new("abbrevboth", &[Kind::Int, Kind::Int, Kind::String], |_, arguments| {
        let [left, width, text] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(text::abbreviate_both(bytes(text)?, integer(left)?, integer(width)?).into())
    }),
    Function::new("substr", &[Kind::Int, Kind::Int, Kind::String], substr),
    Function::new("repeat", NUMBER_TEXT, repeat),
    Function::new("indent", NUMBER_TEXT, |call, arguments| indent(call, arguments).map(Value::from)),
    Function::new("nindent", NUMBER_TEXT, |call, arguments| {
        Ok([b"\n".to_vec(), indent(call, arguments)?].concat().into())
    }),
    Function::new("wrap", NUMBER_TEXT, |call, arguments| {
        let (width, text) = number_text(arguments)?;
        wrap(call, width, b"\n", text, false)
    }),
    Function::new("wrapWith", &[Kind::Int, Kind::String, Kind::String], |call, arguments| {
        let [width, newline, text] = arguments else {
            return Err(Failure::arguments());
        };
        wrap(call, integer(width)?, bytes(newline)?, bytes(text)?, true)
    }),
    Function::new("replace", &[Kind::String, Kind::String, Kind::String], replace),
    Function::new("plural", &[Kind::String, Kind::String, Kind::Int], |_, arguments| {
        let [one, many, count] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(if integer(count)? == 1 { one.clone() } else { many.clone() })
    }),
    Function::variadic("quote", &[], Kind::Any, |call, arguments| {
        each_given(call, arguments, |call, value| {
            Ok(quote::quote(text_of(call, value)?.as_bytes()).into_bytes())
        })
    }),
    Function::variadic("squote", &[], Kind::Any, |call, arguments| {
        each_given(call, arguments, |call, value| Ok([b"'", call.text_of(value)?.as_bytes(), b"'"].concat()))
    }),
    Function::variadic("cat", &[], Kind::Any, |call, arguments| {
        each_given(call, arguments, |call, value| Ok(call.text_of(value)?.as_bytes().to_vec()))
    }),
    Function::new("toString", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(Value::String(text_of(call, value)?))
    }),
    Function::new("toStrings", &[Kind::Any], |call, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(Value::strings(texts_of(call, value)?))
    }),
    Function::new("join", &[Kind::String, Kind::Any], join),
    Function::new("split", TWO_TEXTS, |_, arguments| {
        let (separator, text) = two(arguments)?;
        Ok(numbered(text::split(text, separator, None)))
    }),
    Function::new("splitn", &[Kind::String, Kind::Int, Kind::String], |_, arguments| {
        let [separator, limit, text] = arguments else {
            return Err(Failure::arguments());
        };
        let limit = usize::try_from(integer(limit)?).ok();
        Ok(numbered(text::split(bytes(text)?, bytes(separator)?, limit)))
    }),
    Function::new("splitList", TWO_TEXTS, |call, arguments| {
        let (separator, text) = two(arguments)?;
        fits(call, text.len().checked_mul(size_of::<Value>()))?;
        Ok(Value::strings(text::split(text, separator, None)))
    }),
];

fn one(arguments: &[Value]) -> Result<&[u8], Failure> {
    arguments.first().ok_or_else(Failure::arguments).and_then(bytes)
}

fn two(arguments: &[Value]) -> Result<(&[u8], &[u8]), Failure> {
    let [first, second] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((bytes(first)?, bytes(second)?))
}

fn number_text(arguments: &[Value]) -> Result<(i64, &[u8]), Failure> {
    let [number, text] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((integer(number)?, bytes(text)?))
}

/// Words are found among characters; where other bytes are, or stood before they were replaced, there are none.
fn utf8(arguments: &[Value]) -> Result<&[u8], Failure> {
    let text = one(arguments)?;
    match std::str::from_utf8(text) {
        Ok(characters) if !characters.contains(char::REPLACEMENT_CHARACTER) => Ok(text),
        _ => Err(Failure::error("the text is not utf-8")),
    }
}

fn latin1(call: &Call<'_>, text: &[u8], change: fn(&[u8]) -> Vec<u8>) -> Result<Value, Failure> {
    let changed = change(text);
    if !text.is_ascii() && changed != text {
        call.lenient("characters beyond ascii would be garbled")?;
    }
    Ok(changed.into())
}

fn trim_all(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (set, text) = two(arguments)?;
    Ok(text::trim_all(text, set).into())
}

/// Bytes from `start` to `end`; a negative start means the beginning, an end out of range the end.
fn substr(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [start, end, text] = arguments else {
        return Err(Failure::arguments());
    };
    let (start, end, text) = (integer(start)?, integer(end)?, bytes(text)?);
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let bounds = match (start, end) {
        (..0, ..0) => Err(format!("[:{end}]")),
        (..0, _) if end > length => Err(format!("[:{end}] with length {length}")),
        (..0, _) => Ok((0, end)),
        (_, end) if end < 0 || end > length => match start > length {
            true => Err(format!("[{start}:{length}]")),
            false => Ok((start, length)),
        },
        _ if start > end => Err(format!("[{start}:{end}]")),
        _ => Ok((start, end)),
    };
    let (start, end) = bounds
        .map_err(|bounds| Failure::error(format!("runtime error: slice bounds out of range {bounds}")))?;
    let index = |at: i64| usize::try_from(at).unwrap_or(0);
    Ok(text.get(index(start)..index(end)).unwrap_or_default().into())
}

fn count_of(number: i64) -> Result<usize, Failure> {
    usize::try_from(number).map_err(|_| Failure::error("strings: negative Repeat count"))
}

fn repeat(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (count, text) = number_text(arguments)?;
    let count = count_of(count)?;
    fits(call, text.len().checked_mul(count))?;
    Ok(if text.is_empty() { Value::from("") } else { text.repeat(count).into() })
}

fn indent(call: &mut Call<'_>, arguments: &[Value]) -> Result<Vec<u8>, Failure> {
    let (spaces, text) = number_text(arguments)?;
    let spaces = count_of(spaces)?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    fits(call, lines.checked_mul(spaces).and_then(|pads| pads.checked_add(text.len())))?;
    Ok(text::indent(text, spaces))
}

fn wrap(call: &Call<'_>, width: i64, newline: &[u8], text: &[u8], cut_words: bool) -> Result<Value, Failure> {
    let lines = text.len() / usize::try_from(width).unwrap_or(0).max(1) + 1;
    fits(call, lines.checked_mul(newline.len()).and_then(|breaks| breaks.checked_add(text.len())))?;
    Ok(text::wrap(text, width, newline, cut_words).into())
}

fn replace(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [old, new, text] = arguments else {
        return Err(Failure::arguments());
    };
    let (old, new, text) = (bytes(old)?, bytes(new)?, bytes(text)?);
    fits(call, text.len().checked_mul(size_of::<&[u8]>()))?;
    let places = if old.is_empty() { text.len() + 1 } else { text::split(text, old, None).len() };
    fits(call, places.checked_mul(new.len()).and_then(|new| new.checked_add(text.len())))?;
    Ok(text::replace(text, old, new).into())
}

/// Joins what a function makes of every argument that is not nil.
fn each_given(
    call: &mut Call<'_>,
    arguments: &[Value],
    write: fn(&mut Call<'_>, &Value) -> Result<Vec<u8>, Failure>,
) -> Result<Value, Failure> {
    let given = arguments.iter().filter(|argument| !argument.is_nil());
    let texts = given.map(|argument| write(call, argument)).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join(b" ".as_slice()).into())
}

fn join(call: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [separator, list] = arguments else {
        return Err(Failure::arguments());
    };
    let separator = bytes(separator)?;
    let texts = texts_of(call, list)?;
    let size = texts.iter().try_fold(0_usize, |size, text| {
        size.checked_add(text.len()).and_then(|size| size.checked_add(separator.len()))
    });
    fits(call, size)?;
    Ok(texts.iter().map(Text::as_bytes).collect::<Vec<_>>().join(separator).into())
}

/// A `map[string]string` with the keys `_0`, `_1` and so on.
fn numbered(parts: Vec<&[u8]>) -> Value {
    let entries =
        parts.into_iter().enumerate().map(|(index, part)| (format!("_{index}").into(), part.into()));
    Value::Map(Map::new(MapKind::STRING, entries.collect()))
}
