//! Go types and kinds of values.

use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("typeOf", &[Kind::Any], |_, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(value.type_name().into())
    }),
    Function::new("kindOf", &[Kind::Any], |_, arguments| {
        let [value] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(value.kind_name().into())
    }),
    Function::new("typeIs", &[Kind::String, Kind::Any], |_, arguments| {
        let (name, value) = name_value(arguments)?;
        Ok((value.type_name().as_bytes() == name).into())
    }),
    Function::new("typeIsLike", &[Kind::String, Kind::Any], |_, arguments| {
        let (name, value) = name_value(arguments)?;
        let found = value.type_name();
        let found = found.as_bytes();
        Ok((found == name || found.strip_prefix(b"*") == Some(name)).into())
    }),
    Function::new("kindIs", &[Kind::String, Kind::Any], |_, arguments| {
        let (name, value) = name_value(arguments)?;
        Ok((value.kind_name().as_bytes() == name).into())
    }),
    Function::new("deepEqual", &[Kind::Any, Kind::Any], |call, arguments| {
        let [left, right] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(call.deep_equal(left, right)?.into())
    }),
];

fn name_value(arguments: &[Value]) -> Result<(&[u8], &Value), Failure> {
    let [name, value] = arguments else {
        return Err(Failure::arguments());
    };
    Ok((bytes(name)?, value))
}
