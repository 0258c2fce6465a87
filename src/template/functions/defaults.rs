//! Choosing between values, and giving up.

use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("default", &[Kind::Any], Kind::Any, |_, arguments| {
        let [missing, given @ ..] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(given.first().filter(|given| given.is_true()).unwrap_or(missing).clone())
    }),
    Function::new("empty", &[Kind::Any], |_, arguments| {
        Ok(arguments.iter().all(|argument| !argument.is_true()).into())
    }),
    Function::variadic("coalesce", &[], Kind::Any, |_, arguments| {
        Ok(arguments.iter().find(|argument| argument.is_true()).cloned().unwrap_or(Value::Nil))
    }),
    Function::variadic("all", &[], Kind::Any, |_, arguments| Ok(arguments.iter().all(Value::is_true).into())),
    Function::variadic("any", &[], Kind::Any, |_, arguments| Ok(arguments.iter().any(Value::is_true).into())),
    Function::new("ternary", &[Kind::Any, Kind::Any, Kind::Bool], |_, arguments| {
        let [yes, no, Value::Bool(choice)] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(if *choice { yes.clone() } else { no.clone() })
    }),
    Function::new("fail", &[Kind::String], |_, arguments| {
        let [Value::String(message)] = arguments else {
            return Err(Failure::arguments());
        };
        Err(Failure::Fail(message.to_str_lossy().into_owned()))
    }),
];
