//! Regular expressions in Go's syntax.

use std::sync::Arc;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::fits;
use crate::template::functions::integer;
use crate::template::go::Refusal;
use crate::template::go::quote::can_backquote;
use crate::template::go::quote::quote;
use crate::template::go::regex::Regex;
use crate::template::go::regex::quote_meta;
use crate::template::value::List;
use crate::template::value::ListKind;
use crate::template::value::Text;
use crate::template::value::Value;

const TWO: &[Kind] = &[Kind::String, Kind::String];
const THREE: &[Kind] = &[Kind::String, Kind::String, Kind::String];
const TWO_AND_COUNT: &[Kind] = &[Kind::String, Kind::String, Kind::Int];

/// Charged for every compilation, which costs time whatever its size.
const COMPILATION_BYTES: usize = 1024;

/// A compilation is as much work as looking at so many bytes.
const COMPILATION_WORK: usize = 1 << 20;

/// So many compiled expressions are kept; each may take megabytes.
const KEPT: usize = 8;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", TWO, |call, arguments| {
        let (expression, text) = two(arguments)?;
        match compile(call, expression, text)? {
            Ok(regex) => Ok(regex.is_match(text).into()),
            Err(refusal) => call.lenient(refusal.to_string()).map(|()| false.into()),
        }
    }),
    Function::new("mustRegexMatch", TWO, |call, arguments| {
        let (expression, text) = two(arguments)?;
        Ok(compile(call, expression, text)??.is_match(text).into())
    }),
    Function::new("regexFind", TWO, |call, arguments| find(call, arguments, panicking)),
    Function::new("mustRegexFind", TWO, |call, arguments| find(call, arguments, returning)),
    Function::new("regexFindAll", TWO_AND_COUNT, |call, arguments| find_all(call, arguments, panicking)),
    Function::new("mustRegexFindAll", TWO_AND_COUNT, |call, arguments| find_all(call, arguments, returning)),
    Function::new("regexSplit", TWO_AND_COUNT, |call, arguments| split(call, arguments, panicking)),
    Function::new("mustRegexSplit", TWO_AND_COUNT, |call, arguments| split(call, arguments, returning)),
    Function::new("regexReplaceAll", THREE, |call, arguments| {
        replace(call, arguments, panicking, Regex::replace_all)
    }),
    Function::new("mustRegexReplaceAll", THREE, |call, arguments| {
        replace(call, arguments, returning, Regex::replace_all)
    }),
    Function::new("regexReplaceAllLiteral", THREE, |call, arguments| {
        replace(call, arguments, panicking, Regex::replace_all_literal)
    }),
    Function::new("mustRegexReplaceAllLiteral", THREE, |call, arguments| {
        replace(call, arguments, returning, Regex::replace_all_literal)
    }),
    Function::new("regexQuoteMeta", &[Kind::String], |_, arguments| {
        let [text] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(quote_meta(bytes(text)?).into())
    }),
];

fn two(arguments: &[Value]) -> Result<(&[u8], &[u8]), Failure> {
    let [expression, text, ..] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((bytes(expression)?, bytes(text)?))
}

fn limit(arguments: &[Value]) -> Result<Option<usize>, Failure> {
    let count = arguments.get(2).ok_or_else(Failure::arguments)?;
    Ok(usize::try_from(integer(count)?).ok())
}

/// Compiles an expression that `text` is about to be searched for.
fn compile(
    call: &mut Call<'_>,
    expression: &[u8],
    text: &[u8],
) -> Result<Result<Arc<Regex>, Refusal>, Failure> {
    // In the worst case every character of the text is held against every part of the expression.
    call.meter.work(text.len().saturating_mul(1 + expression.len() / 16))?;
    if let Some((_, regex)) = call.meter.regexes.iter().find(|(known, _)| known.as_bytes() == expression) {
        return Ok(Ok(Arc::clone(regex)));
    }
    call.charge(COMPILATION_BYTES + 16 * expression.len())?;
    call.meter.work(COMPILATION_WORK)?;
    let regex = match Regex::new(expression) {
        Ok(regex) => Arc::new(regex),
        Err(refusal) => return Ok(Err(refusal)),
    };
    call.meter.regexes.truncate(KEPT - 1);
    call.meter.regexes.push_front((Text::from(expression), Arc::clone(&regex)));
    Ok(Ok(regex))
}

/// How a function words a bad expression.
type Wording = fn(&[u8], Refusal) -> Failure;

/// The words of regexp.MustCompile, which the plain functions use.
fn panicking(expression: &[u8], refusal: Refusal) -> Failure {
    let quoted = match can_backquote(expression) {
        true => format!("`{}`", String::from_utf8_lossy(expression)),
        false => quote(expression),
    };
    Failure::error(format!("regexp: Compile({quoted}): {refusal}"))
}

fn returning(_: &[u8], refusal: Refusal) -> Failure {
    refusal.into()
}

fn compiled(
    call: &mut Call<'_>,
    expression: &[u8],
    text: &[u8],
    wording: Wording,
) -> Result<Arc<Regex>, Failure> {
    compile(call, expression, text)?.map_err(|refusal| wording(expression, refusal))
}

fn find(call: &mut Call<'_>, arguments: &[Value], wording: Wording) -> Result<Value, Failure> {
    let (expression, text) = two(arguments)?;
    Ok(compiled(call, expression, text, wording)?.find(text).unwrap_or_default().into())
}

fn find_all(call: &mut Call<'_>, arguments: &[Value], wording: Wording) -> Result<Value, Failure> {
    let (expression, text) = two(arguments)?;
    fits(call, text.len().checked_mul(size_of::<Value>()))?;
    let found = compiled(call, expression, text, wording)?;
    let found = found.find_all(text, limit(arguments)?);
    Ok(if found.is_empty() { nil_list() } else { Value::strings(found) })
}

fn split(call: &mut Call<'_>, arguments: &[Value], wording: Wording) -> Result<Value, Failure> {
    let (expression, text) = two(arguments)?;
    fits(call, text.len().checked_mul(size_of::<Value>()))?;
    let regex = compiled(call, expression, text, wording)?;
    let limit = limit(arguments)?;
    Ok(if limit == Some(0) { nil_list() } else { Value::strings(regex.split(text, limit)) })
}

fn nil_list() -> Value {
    Value::List(List::nil(ListKind::STRING))
}

/// Replaces in a text, up to a number of bytes; the only way it fails is that the result is longer.
type Replace = fn(&Regex, &[u8], &[u8], usize) -> Result<Vec<u8>, Refusal>;

fn replace(
    call: &mut Call<'_>,
    arguments: &[Value],
    wording: Wording,
    replace: Replace,
) -> Result<Value, Failure> {
    let (expression, text) = two(arguments)?;
    let replacement = arguments.get(2).ok_or_else(Failure::arguments).and_then(bytes)?;
    let regex = compiled(call, expression, text, wording)?;
    let replaced = replace(&regex, text, replacement, call.meter.limits.allocation);
    Ok(replaced.map_err(|_| Failure::Limit("too much memory"))?.into())
}
