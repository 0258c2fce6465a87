//! What a template can call: how a function is registered and what it is given.
//!
//! # How to write one
//!
//! ```
//! use stepless::template::Call;
//! use stepless::template::Failure;
//! use stepless::template::Function;
//! use stepless::template::FunctionTable;
//! use stepless::template::Kind;
//! use stepless::template::Value;
//!
//! const HAS_PREFIX: Function = Function::new("hasPrefix", &[Kind::String, Kind::String], has_prefix);
//! const LIST: Function = Function::variadic("list", &[], Kind::Any, list);
//!
//! fn has_prefix(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
//!     let [Value::String(prefix), Value::String(text)] = arguments else { return Err(Failure::arguments()) };
//!     Ok(Value::from(text.as_bytes().starts_with(prefix.as_bytes())))
//! }
//!
//! fn list(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
//!     Ok(Value::list(arguments.to_vec()))
//! }
//!
//! let mut table = FunctionTable::standard();
//! table.add(HAS_PREFIX);
//! table.add(LIST);
//! table.refuse("getHostByName", "a template must not reach the network");
//! ```
//!
//! The number of arguments and their kinds are checked before the body runs, with Go's messages, so a body may
//! match them by pattern and answer [`Failure::arguments`] otherwise. Numbers follow [`Kind`]: an argument of kind
//! `Int` arrives as a `Value::Int` of Go's type `int`, one of kind `Float` as `Value::Float`.
//!
//! - An error that Go would return is [`Failure::error`]; where step-ca silently falls back to something (a bad
//!   base64 text, a bad date) a strict rendering must refuse: `call.lenient("why")?` and then the fallback.
//! - Results are charged to the allocation limit after the call. A body whose result can be much larger than its
//!   arguments (`repeat`, `indent`, `untilStep`) calls [`Call::charge`] with the size before it allocates.
//! - The time is [`Call::now`], randomness [`Call::random`]; nothing else of the outside can be reached.
//! - Formatting as `%v` and JSON: [`Call::text_of`], [`Call::json_of`]. Go's `reflect.DeepEqual`: [`Call::deep_equal`].
//!
//! Go's own functions are in `builtin`; those of sprig and step-ca go into `functions/`, one file per subject with a
//! `const FUNCTIONS: &[Function]`, and `functions/mod.rs` adds them all to a [`FunctionTable::standard`].

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::template::context::Context;
use crate::template::context::Meter;
use crate::template::value::Text;
use crate::template::value::Value;

/// The Go type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `interface {}`: anything; a missing value arrives as nil.
    Any,
    /// `reflect.Value`: anything, a missing value included; only the functions of Go itself have it.
    Reflect,
    /// `string`.
    String,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `float64`.
    Float,
    /// `time.Time`.
    Time,
    /// `time.Duration`.
    Duration,
    /// `map[string]interface {}`.
    Map,
    /// `[]interface {}`.
    List,
}

/// Name and parameters of a function or method.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The name templates call it by.
    pub name: &'static str,
    /// The parameters that must be given.
    pub parameters: &'static [Kind],
    /// The kind of any further arguments, if there may be some.
    pub variadic: Option<Kind>,
}

/// A function that templates may call.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub(super) signature: Signature,
    pub(super) body: Body,
}

/// What a function does: arguments in, result out; any state is reached through the [`Call`].
pub type Body = fn(&mut Call<'_>, &[Value]) -> Result<Value, Failure>;

/// The functions a template is parsed with.
#[derive(Clone, Debug)]
pub struct FunctionTable {
    entries: HashMap<&'static str, Entry>,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Function(Function),
    Refused(&'static str),
}

/// What looking up a name gives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lookup {
    Function(Function),
    Refused(&'static str),
    Unknown,
}

/// What a running function may use.
#[derive(Debug)]
pub struct Call<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) meter: &'a mut Meter,
}

/// Why a function gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// What Go's function returns as its error.
    Error(String),
    /// The template called `fail`.
    Fail(String),
    /// A limit was reached.
    Limit(&'static str),
    /// step-ca would go on with a worthless value; only a lenient rendering does.
    Strict(String),
}

impl Function {
    /// A function with exactly these parameters.
    #[must_use]
    pub const fn new(name: &'static str, parameters: &'static [Kind], body: Body) -> Self {
        Self { signature: Signature { name, parameters, variadic: None }, body }
    }

    /// A function that takes further arguments of one kind.
    #[must_use]
    pub const fn variadic(name: &'static str, parameters: &'static [Kind], rest: Kind, body: Body) -> Self {
        Self { signature: Signature { name, parameters, variadic: Some(rest) }, body }
    }

    /// The name templates call it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.signature.name
    }
}

impl FunctionTable {
    /// The functions of Go's `text/template` and `toJson`.
    #[must_use]
    pub fn standard() -> Self {
        let mut table = Self { entries: HashMap::new() };
        table.add_all(crate::template::builtin::FUNCTIONS);
        table.refuse("call", "no value of a template is a function");
        table
    }

    /// Adds a function, replacing one of the same name.
    pub fn add(&mut self, function: Function) {
        self.entries.insert(function.name(), Entry::Function(function));
    }

    /// Adds functions, replacing those of the same name.
    pub fn add_all(&mut self, functions: &[Function]) {
        for function in functions {
            self.add(*function);
        }
    }

    /// Refuses a function by name: a template that names it does not parse, and the error says `why`.
    pub fn refuse(&mut self, name: &'static str, why: &'static str) {
        self.entries.insert(name, Entry::Refused(why));
    }

    /// The names that can be called, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Function(_))).map(|(name, _)| *name)
    }

    pub(super) fn lookup(&self, name: &str) -> Lookup {
        match self.entries.get(name) {
            Some(Entry::Function(function)) => Lookup::Function(*function),
            Some(Entry::Refused(why)) => Lookup::Refused(why),
            None => Lookup::Unknown,
        }
    }
}

impl Call<'_> {
    /// The present time, in UTC.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.context.clock.now()
    }

    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Error`] if the operating system gives none.
    pub fn random(&self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.context.entropy.fill(buffer).map_err(|error| Failure::Error(error.to_string()))
    }

    /// Counts one step of work, for functions that walk values or loop.
    ///
    /// # Errors
    ///
    /// [`Failure::Limit`] once the limit is passed.
    pub fn step(&mut self) -> Result<(), Failure> {
        self.meter.step()
    }

    /// Charges `bytes` to the allocation limit; call it before allocating them.
    ///
    /// # Errors
    ///
    /// [`Failure::Limit`] once the limit is passed.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.meter.charge(bytes)
    }

    /// Allows a silent fallback of step-ca's, in a lenient rendering only.
    ///
    /// # Errors
    ///
    /// [`Failure::Strict`] saying `why`, when the rendering is strict.
    pub fn lenient(&self, why: impl Into<String>) -> Result<(), Failure> {
        if self.context.options.strict { Err(Failure::Strict(why.into())) } else { Ok(()) }
    }

    /// Allows formatting that gives text such as `<nil>`, where a rendering lets that through.
    ///
    /// # Errors
    ///
    /// [`Failure::Strict`] saying `why`, elsewhere.
    pub fn odd_text(&self, why: impl Into<String>) -> Result<(), Failure> {
        if self.context.options.odd_text { Ok(()) } else { Err(Failure::Strict(why.into())) }
    }

    /// Whether the rendering is strict.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.context.options.strict
    }

    /// The value as Go's `%v` prints it.
    ///
    /// # Errors
    ///
    /// [`Failure::Strict`] for nil in a strict rendering, [`Failure::Limit`] for a value nested too deeply.
    pub fn text_of(&mut self, value: &Value) -> Result<Text, Failure> {
        super::format::print(self, std::slice::from_ref(value))
    }

    /// Whether two values are equal to Go's `reflect.DeepEqual`: same types, same content all the way down.
    ///
    /// # Errors
    ///
    /// [`Failure::Limit`] for values nested too deeply.
    pub fn deep_equal(&mut self, left: &Value, right: &Value) -> Result<bool, Failure> {
        super::compare::deep_equal(left, right, self.meter.limits.value_depth, self.meter)
    }

    /// How deep a value may be nested, for functions that walk one.
    #[must_use]
    pub fn value_depth(&self) -> usize {
        self.meter.limits.value_depth
    }

    /// The value as JSON, as Go's encoder writes it.
    ///
    /// # Errors
    ///
    /// [`Failure::Error`] for numbers without JSON form, [`Failure::Limit`] for a value nested too deeply.
    pub fn json_of(&mut self, value: &Value, style: super::json::Style) -> Result<Text, Failure> {
        super::json::encode(self, value, style)
    }
}

impl Failure {
    /// The error a Go function would return; `message` has its words.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into())
    }

    /// Arguments that do not fit the parameters: cannot happen after the check before the call.
    #[must_use]
    pub fn arguments() -> Self {
        Self::Error("arguments do not fit the parameters".to_owned())
    }
}
