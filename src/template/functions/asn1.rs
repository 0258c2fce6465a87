//! DER, as base64: step's functions for extensions and other names.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::go::asn1;
use crate::template::go::asn1::Element;
use crate::template::go::asn1_text;
use crate::template::go::binary_text::base64_encode;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("asn1Enc", &[Kind::String], |call, arguments| {
        let [text] = arguments else {
            return Err(Failure::arguments());
        };
        let text = bytes(text)?;
        if let Some(name) = asn1_text::unknown_type(text) {
            call.lenient(format!("unknown asn1 type {name:?}"))?;
        }
        Ok(base64_encode(&asn1_text::enc(text, call.value_depth())?).into())
    }),
    Function::variadic("asn1Marshal", &[Kind::Any], Kind::String, |call, arguments| {
        let [value, parameters @ ..] = arguments else {
            return Err(Failure::arguments());
        };
        let parameters = parameters.iter().map(bytes).collect::<Result<Vec<_>, _>>()?.join(b",".as_slice());
        let element = element(call, value, call.value_depth())?;
        let parameters = String::from_utf8_lossy(&parameters);
        Ok(base64_encode(&asn1::marshal(&element, &parameters, call.value_depth())?).into())
    }),
    Function::variadic("asn1Seq", &[], Kind::String, |_, arguments| {
        let parts = arguments.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        Ok(base64_encode(&asn1::sequence(parts)?).into())
    }),
    Function::variadic("asn1Set", &[], Kind::String, |_, arguments| {
        let parts = arguments.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        Ok(base64_encode(&asn1::set(parts)?).into())
    }),
];

/// What Go's encoder sees in a value. Structures of certificates have no use in DER and count as unknown.
fn element(call: &mut Call<'_>, value: &Value, depth: usize) -> Result<Element, Failure> {
    let depth = depth.checked_sub(1).ok_or(Failure::Limit("a value is nested too deeply"))?;
    call.charge(size_of::<Element>() + value.shallow_size())?;
    Ok(match value {
        Value::Nil | Value::Missing => Element::Nil,
        Value::Bool(truth) => Element::Bool(*truth),
        Value::Int(integer) if integer.kind.is_signed() => Element::Integer(integer.bits),
        Value::Duration(nanoseconds) => Element::Integer(*nanoseconds),
        Value::String(text) => Element::String(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => Element::Octets(bytes.as_bytes().to_vec()),
        Value::Time(time) => Element::Time(time.instant),
        Value::List(list) => {
            let items = list.items().iter().map(|item| element(call, item, depth));
            Element::Sequence(items.collect::<Result<_, _>>()?)
        }
        Value::Object(object) if !object.is_pointer() => match object.underlying() {
            Some(value) => element(call, value, depth)?,
            None => Element::Unknown(value.type_name()),
        },
        _ => Element::Unknown(value.type_name()),
    })
}
