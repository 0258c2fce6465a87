//! Fields, methods and functions: finding what an expression names, checking its arguments, calling it.

use std::sync::Arc;

use crate::template::exec::Outcome;
use crate::template::exec::State;
use crate::template::exec::stop;
use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Kind;
use crate::template::function::Signature;
use crate::template::go_time;
use crate::template::lex::Span;
use crate::template::node::Callee;
use crate::template::node::Name;
use crate::template::node::Operand;
use crate::template::node::OperandKind;
use crate::template::object::Object;
use crate::template::value::List;
use crate::template::value::ListKind;
use crate::template::value::Map;
use crate::template::value::MapKind;
use crate::template::value::Value;

impl<'a> State<'a> {
    /// Follows `names` from `receiver`; the last one gets the arguments.
    pub(super) fn fields(
        &mut self,
        dot: &Value,
        span: Span,
        receiver: Value,
        names: &[Name],
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Value> {
        // Kept for the trace alone.
        let start = self.tracer.is_some().then(|| receiver.clone());
        let mut value = receiver;
        if let Some((final_name, inner)) = names.split_last() {
            for name in inner {
                value = self.field(dot, span, value, name, &[], None)?;
            }
            value = self.field(dot, span, value, final_name, arguments, last)?;
        }
        if let Some(start) = start {
            self.note(span, &start, names, &value);
        }
        Ok(value)
    }

    fn field(
        &mut self,
        dot: &Value,
        span: Span,
        receiver: Value,
        name: &str,
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Value> {
        let has_arguments = !arguments.is_empty() || last.is_some();
        let found = match &receiver {
            Value::Missing => return Ok(Value::Missing),
            Value::Nil => {
                return Err(stop(
                    span,
                    Failure::Error(format!("nil pointer evaluating interface {{}}.{name}")),
                ));
            }
            Value::Map(map) => Some(map.get(name.as_bytes()).unwrap_or(Value::Missing)),
            Value::Object(object) => {
                if object.method(name).is_some() {
                    let object = Arc::clone(object);
                    return self.method(dot, span, &object, name, arguments, last);
                }
                match object.underlying() {
                    Some(Value::Map(map)) => Some(map.get(name.as_bytes()).unwrap_or(Value::Missing)),
                    _ => object.get(name).cloned(),
                }
            }
            Value::Time(_) | Value::Duration(_) => {
                if let Some(function) = go_time::method(&receiver, name) {
                    let values =
                        self.arguments(dot, span, function.signature, Some(receiver), arguments, last)?;
                    return self.call(span, function.signature.name, |call| (function.body)(call, &values));
                }
                None
            }
            _ => None,
        };
        match found {
            Some(_) if has_arguments => {
                Err(stop(span, Failure::Error(format!("{name} is not a method but has arguments"))))
            }
            Some(value) => Ok(value),
            None => {
                let message = format!("can't evaluate field {name} in type {}", receiver.type_name());
                Err(stop(span, Failure::Error(message)))
            }
        }
    }

    fn method(
        &mut self,
        dot: &Value,
        span: Span,
        object: &Object,
        name: &str,
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Value> {
        let Some(method) = object.method(name) else {
            return Ok(Value::Missing);
        };
        let values = self.arguments(dot, span, method.signature, None, arguments, last)?;
        self.call(span, method.signature.name, |call| (method.body)(call, &values))
    }

    pub(super) fn function(
        &mut self,
        dot: &Value,
        span: Span,
        callee: Callee,
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Value> {
        match callee {
            Callee::And => self.short_circuit(dot, span, "and", false, arguments, last),
            Callee::Or => self.short_circuit(dot, span, "or", true, arguments, last),
            Callee::Plain(function) => {
                let values = self.arguments(dot, span, function.signature, None, arguments, last)?;
                self.call(span, function.signature.name, |call| (function.body)(call, &values))
            }
        }
    }

    /// `and` and `or`: the first argument whose truth is `decisive`, or the last one.
    fn short_circuit(
        &mut self,
        dot: &Value,
        span: Span,
        name: &str,
        decisive: bool,
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Value> {
        let mut value = None;
        for argument in arguments {
            let result = self.argument(dot, argument, Kind::Reflect)?;
            if result.is_true() == decisive {
                return Ok(result);
            }
            value = Some(result);
        }
        let wrong_number = format!("wrong number of args for {name}: want at least 1 got 0");
        last.or(value).ok_or_else(|| stop(span, Failure::Error(wrong_number)))
    }

    /// Evaluates arguments and checks them against the parameters.
    fn arguments(
        &mut self,
        dot: &Value,
        span: Span,
        signature: Signature,
        receiver: Option<Value>,
        arguments: &'a [Operand],
        last: Option<Value>,
    ) -> Outcome<Vec<Value>> {
        let Signature { name, parameters, variadic } = signature;
        let parameters = if receiver.is_some() { parameters.get(1..).unwrap_or(&[]) } else { parameters };
        let given = arguments.len() + usize::from(last.is_some());
        let message = match variadic {
            Some(_) if given < parameters.len() => Some("at least "),
            None if given != parameters.len() => Some(""),
            _ => None,
        };
        if let Some(least) = message {
            let message =
                format!("wrong number of args for {name}: want {least}{} got {given}", parameters.len());
            return Err(stop(span, Failure::Error(message)));
        }
        let kind_at = |index: usize| parameters.get(index).copied().or(variadic).unwrap_or(Kind::Any);
        let mut values = Vec::with_capacity(given + 1);
        values.extend(receiver);
        for (index, argument) in arguments.iter().enumerate() {
            values.push(self.argument(dot, argument, kind_at(index))?);
        }
        if let Some(last) = last {
            values.push(fit(span, last, kind_at(given - 1))?);
        }
        let size = values.iter().fold(0, |size: usize, value| size.saturating_add(value.shallow_size()));
        self.meter.work(size).map_err(|failure| stop(span, failure))?;
        Ok(values)
    }

    fn argument(&mut self, dot: &Value, operand: &'a Operand, kind: Kind) -> Outcome<Value> {
        match (&operand.kind, kind) {
            (OperandKind::Nil, Kind::Any | Kind::Reflect) => Ok(Value::Nil),
            (OperandKind::Nil, Kind::Map | Kind::List) => fit(operand.span, Value::Missing, kind),
            (OperandKind::Nil, _) => {
                Err(stop(operand.span, Failure::Error(format!("cannot assign nil to {}", kind.name()))))
            }
            (OperandKind::Bool(truth), Kind::Bool) => Ok(Value::Bool(*truth)),
            (OperandKind::String(text), Kind::String) => Ok(Value::String(text.clone())),
            (
                OperandKind::Bool(_) | OperandKind::String(_) | OperandKind::Number(_),
                Kind::Any | Kind::Reflect,
            ) => self.operand(dot, operand),
            (OperandKind::Number(number), _) if number.of_kind(kind).is_some() => {
                Ok(number.of_kind(kind).unwrap_or(Value::Nil))
            }
            (OperandKind::Bool(_) | OperandKind::String(_) | OperandKind::Number(_), _) => {
                Err(stop(operand.span, Failure::Error(format!("expected {}", kind.name()))))
            }
            _ => {
                let value = self.operand(dot, operand)?;
                fit(operand.span, value, kind)
            }
        }
    }

    fn call(
        &mut self,
        span: Span,
        name: &str,
        body: impl FnOnce(&mut Call<'_>) -> Result<Value, Failure>,
    ) -> Outcome<Value> {
        let mut call = Call { context: self.context, meter: &mut self.meter };
        let result = body(&mut call).and_then(|value| call.charge(value.shallow_size()).map(|()| value));
        result.map_err(|failure| {
            let failure = match failure {
                Failure::Error(message) => Failure::Error(format!("error calling {name}: {message}")),
                Failure::Strict(message) => Failure::Strict(format!("{name}: {message}")),
                other => other,
            };
            stop(span, failure)
        })
    }
}

/// Checks a computed value against a parameter; nothing is converted but nil.
fn fit(span: Span, value: Value, kind: Kind) -> Outcome<Value> {
    let fits = match (&value, kind) {
        (_, Kind::Reflect) => true,
        (Value::Missing, Kind::Any) => return Ok(Value::Nil),
        (_, Kind::Any) => true,
        (Value::Missing, Kind::Map) => {
            return Ok(Value::Map(Map::nil(MapKind::ANY)));
        }
        (Value::Missing, Kind::List) => return Ok(Value::List(List::nil(ListKind::ANY))),
        (Value::String(_), Kind::String)
        | (Value::Bool(_), Kind::Bool)
        | (Value::Float(_), Kind::Float)
        | (Value::Time(_), Kind::Time)
        | (Value::Duration(_), Kind::Duration) => true,
        (Value::Int(integer), Kind::Int | Kind::Int64) => integer.kind.name() == kind.name(),
        (Value::Map(map), Kind::Map) => map.kind().element == MapKind::ANY.element,
        (Value::List(list), Kind::List) => list.kind().element == ListKind::ANY.element,
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    let message = match &value {
        Value::Missing => format!("invalid value; expected {}", kind.name()),
        Value::Nil => format!("wrong type for value; expected {}; got interface {{}}", kind.name()),
        _ => format!("wrong type for value; expected {}; got {}", kind.name(), value.type_name()),
    };
    Err(stop(span, Failure::Error(message)))
}

impl Kind {
    /// The Go type of the parameter.
    fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
        }
    }
}
