//! Base64, base32 and JSON.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::functions::json_text;
use crate::template::go::Refusal;
use crate::template::go::binary_text;
use crate::template::json::Style;
use crate::template::value::Value;

const TEXT: &[Kind] = &[Kind::String];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("b64enc", TEXT, |_, arguments| Ok(binary_text::base64_encode(one(arguments)?).into())),
    Function::new("b64dec", TEXT, |call, arguments| {
        decoded(call, binary_text::base64_decode(one(arguments)?))
    }),
    Function::new("b32enc", TEXT, |_, arguments| Ok(binary_text::base32_encode(one(arguments)?).into())),
    Function::new("b32dec", TEXT, |call, arguments| {
        decoded(call, binary_text::base32_decode(one(arguments)?))
    }),
    Function::new("fromJson", TEXT, |call, arguments| match json_text::read(call, one(arguments)?)? {
        Ok(value) => Ok(value),
        Err(refusal) => call.lenient(refusal.to_string()).map(|()| Value::Nil),
    }),
    Function::new("mustFromJson", TEXT, |call, arguments| Ok(json_text::read(call, one(arguments)?)??)),
    Function::new("mustToJson", &[Kind::Any], |call, arguments| json(call, arguments, Style::Compact)),
    Function::new("toPrettyJson", &[Kind::Any], |call, arguments| {
        // The plain form swallows the error and gives the empty text.
        json(call, arguments, Style::Pretty).or_else(|failure| match failure {
            Failure::Error(why) => call.lenient(why).map(|()| Value::from("")),
            other => Err(other),
        })
    }),
    Function::new("mustToPrettyJson", &[Kind::Any], |call, arguments| json(call, arguments, Style::Pretty)),
    Function::new("toRawJson", &[Kind::Any], |call, arguments| json(call, arguments, Style::Raw)),
    Function::new("mustToRawJson", &[Kind::Any], |call, arguments| json(call, arguments, Style::Raw)),
];

fn one(arguments: &[Value]) -> Result<&[u8], Failure> {
    arguments.first().ok_or_else(Failure::arguments).and_then(bytes)
}

/// What was decoded; leniently the error's text stands in for it.
fn decoded(call: &Call<'_>, result: Result<Vec<u8>, Refusal>) -> Result<Value, Failure> {
    match result {
        Ok(bytes) => Ok(bytes.into()),
        Err(refusal) => {
            call.lenient(refusal.to_string())?;
            Ok(refusal.to_string().into())
        }
    }
}

fn json(call: &mut Call<'_>, arguments: &[Value], style: Style) -> Result<Value, Failure> {
    let [value] = arguments else {
        return Err(Failure::arguments());
    };
    call.json_of(value, style).map(Value::String)
}
