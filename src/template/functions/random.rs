//! Random texts and numbers, from the rendering's source of randomness.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::fits;
use crate::template::functions::integer;
use crate::template::go::binary_text::base64_encode;
use crate::template::go::runes::valid_text;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("uuidv4", &[], |call, _| {
        let mut bytes = [0; 16];
        call.random(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
    }),
    Function::new("randAlpha", &[Kind::Int], |call, arguments| {
        characters(call, arguments, |byte| byte.is_ascii_alphabetic())
    }),
    Function::new("randAlphaNum", &[Kind::Int], |call, arguments| {
        characters(call, arguments, |byte| byte.is_ascii_alphanumeric())
    }),
    Function::new("randNumeric", &[Kind::Int], |call, arguments| {
        characters(call, arguments, |byte| byte.is_ascii_digit())
    }),
    Function::new("randAscii", &[Kind::Int], |call, arguments| {
        characters(call, arguments, |byte| matches!(byte, b' '..=b'~'))
    }),
    Function::new("randBytes", &[Kind::Int], |call, arguments| {
        let [count] = arguments else {
            return Err(Failure::arguments());
        };
        let count = usize::try_from(integer(count)?).map_err(|_| Failure::error("negative count"))?;
        fits(call, count.checked_mul(2))?;
        let mut bytes = vec![0; count];
        call.random(&mut bytes)?;
        Ok(base64_encode(&bytes).into())
    }),
    Function::new("randInt", &[Kind::Int, Kind::Int], |call, arguments| {
        let [least, end] = arguments else {
            return Err(Failure::arguments());
        };
        let (least, end) = (integer(least)?, integer(end)?);
        let span = u64::try_from(i128::from(end) - i128::from(least)).ok().filter(|span| *span > 0);
        let span = span.ok_or_else(|| Failure::error("invalid argument to Intn"))?;
        Ok(Value::int(least.wrapping_add_unsigned(below(call, span)?)))
    }),
    Function::new("shuffle", &[Kind::String], |call, arguments| {
        let [text] = arguments else {
            return Err(Failure::arguments());
        };
        let text = bytes(text)?;
        fits(call, text.len().checked_mul(size_of::<char>()))?;
        let mut characters: Vec<char> = valid_text(text).chars().collect();
        for last in (1..characters.len()).rev() {
            let other = usize::try_from(below(call, last as u64 + 1)?).unwrap_or(last);
            characters.swap(last, other);
        }
        Ok(characters.into_iter().collect::<String>().into())
    }),
];

/// A number below `end`, all of them equally likely.
fn below(call: &Call<'_>, end: u64) -> Result<u64, Failure> {
    let fair = u64::MAX - u64::MAX % end.max(1);
    loop {
        let mut bytes = [0; 8];
        call.random(&mut bytes)?;
        let number = u64::from_le_bytes(bytes);
        if number < fair {
            return Ok(number % end.max(1));
        }
    }
}

fn characters(call: &Call<'_>, arguments: &[Value], allowed: fn(&u8) -> bool) -> Result<Value, Failure> {
    let [count] = arguments else {
        return Err(Failure::arguments());
    };
    // A negative count gives the empty text, as in sprig.
    let count = usize::try_from(integer(count)?).unwrap_or(0);
    fits(call, Some(count))?;
    let set: Vec<u8> = (0..=127).filter(allowed).collect();
    let mut text = Vec::with_capacity(count);
    for _ in 0..count {
        let index = usize::try_from(below(call, set.len() as u64)?).unwrap_or(0);
        text.extend(set.get(index));
    }
    Ok(text.into())
}
