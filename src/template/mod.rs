//! The Go-template engine: text and data in, text out; has not heard of certificates.
//!
//! [`value`] and [`object`] are the values, [`function`] is how functions are written and registered, [`context`]
//! carries clock, limits and strictness. The language itself follows Go's `text/template` as of Go 1.26.

pub mod context;
pub mod function;
pub mod functions;
pub mod json;
pub mod object;
pub mod value;

mod builtin;
mod call;
mod compare;
mod constant;
mod container;
mod error;
mod escape;
mod exec;
mod format;
mod format_cursor;
mod format_number;
mod go;
mod go_time;
mod lex;
mod node;
mod parse;
mod parse_pipeline;
mod rendering;
mod sight;
mod text;
mod trace;

pub use context::Context;
pub use context::Limits;
pub use context::Options;
pub use error::ParseError;
pub use error::RenderError;
pub use error::RenderErrorKind;
pub use function::Call;
pub use function::Failure;
pub use function::Function;
pub use function::FunctionTable;
pub use function::Kind;
pub use function::Signature;
pub use json::Style;
pub use object::Field;
pub use object::Method;
pub use object::Object;
pub use rendering::Rendered;
pub use rendering::Template;
pub use trace::Read;
pub use trace::Trace;
pub use value::List;
pub use value::Map;
pub use value::Text;
pub use value::Value;
