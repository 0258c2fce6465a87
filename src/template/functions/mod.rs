//! The functions of sprig 3.3.0 and of step, grouped by subject.
//!
//! Left out are those a certificate template has no business calling: network, key generation, password
//! hashing, encryption. A template that names one of them does not parse, as with any unknown function.
//!
//! Where step-ca goes on with a worthless value after bad input, these ask [`Call::lenient`] first.

mod asn1;
mod dates;
mod defaults;
mod dicts;
mod encoding;
mod hashes;
mod json_text;
mod lists;
mod numbers;
mod paths;
mod random;
mod regexes;
mod strings;
mod types;
mod urls;
mod versions;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::FunctionTable;
use crate::template::go::Refusal;
use crate::template::value::Text;
use crate::template::value::Value;

/// All functions that templates of a certificate authority may call, those of Go included.
#[must_use]
pub fn table() -> FunctionTable {
    let mut table = FunctionTable::standard();
    for functions in [
        asn1::FUNCTIONS,
        dates::FUNCTIONS,
        defaults::FUNCTIONS,
        dicts::FUNCTIONS,
        encoding::FUNCTIONS,
        hashes::FUNCTIONS,
        lists::FUNCTIONS,
        numbers::FUNCTIONS,
        paths::FUNCTIONS,
        random::FUNCTIONS,
        regexes::FUNCTIONS,
        strings::FUNCTIONS,
        types::FUNCTIONS,
        urls::FUNCTIONS,
        versions::FUNCTIONS,
    ] {
        table.add_all(functions);
    }
    table
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Error(refusal.to_string())
    }
}

/// The bytes of an argument declared as a string.
fn bytes(value: &Value) -> Result<&[u8], Failure> {
    value.as_text().map(Text::as_bytes).ok_or_else(Failure::arguments)
}

/// The number of an argument declared as an integer.
fn integer(value: &Value) -> Result<i64, Failure> {
    value.as_integer().map(|integer| integer.bits).ok_or_else(Failure::arguments)
}

/// Refuses to make a result of `size` bytes that alone exceeds the allocation limit; it is charged once made.
fn fits(call: &Call<'_>, size: Option<usize>) -> Result<(), Failure> {
    match size {
        Some(size) if size <= call.meter.limits.allocation => Ok(()),
        _ => Err(Failure::Limit("too much memory")),
    }
}

/// The text sprig makes of any value: strings and bytes as they are, stringers by their method, the rest as `%v`.
fn text_of(call: &mut Call<'_>, value: &Value) -> Result<Text, Failure> {
    match value {
        Value::String(text) | Value::Bytes(text) => Ok(text.clone()),
        _ => match value.stringer_text() {
            Some(text) => Ok(text),
            None => call.text_of(value),
        },
    }
}

/// The texts sprig makes of the members of a list, nil left out; what is no list counts as one member.
fn texts_of(call: &mut Call<'_>, value: &Value) -> Result<Vec<Text>, Failure> {
    match lists::items_of(value) {
        Some(items) => {
            let text = |item| {
                let text = text_of(call, item)?;
                call.meter.work(text.len())?;
                Ok(text)
            };
            items.items().iter().filter(|item| !item.is_nil()).map(text).collect()
        }
        None if value.is_nil() => Ok(Vec::new()),
        None => Ok(vec![text_of(call, value)?]),
    }
}

#[cfg(test)]
mod bombs;
#[cfg(test)]
mod tests;
