//! Why a template does not parse or render, with the place in its text.

use thiserror::Error;

use crate::template::function::Failure;
use crate::template::lex::Span;

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("template: {name}:{line}: {message}")]
#[non_exhaustive]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong, in Go's words.
    pub message: String,
}

/// A rendering that came to no end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("template: {name}:{line}:{column}: {message}")]
#[non_exhaustive]
pub struct RenderError {
    /// Which sort of end it was.
    pub kind: RenderErrorKind,
    /// The name of the template it happened in.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What went wrong, naming the expression; for [`RenderErrorKind::Fail`] the template's own words and nothing else.
    pub message: String,
}

/// The sorts of render errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenderErrorKind {
    /// What Go's engine refuses too.
    Exec,
    /// The template called `fail`.
    Fail,
    /// A limit of [`Limits`](super::Limits) was reached.
    Limit,
    /// What step-ca renders, but as text nobody wants in a certificate.
    Strict,
}

/// Where and why a rendering stopped.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) span: Span,
    pub(super) failure: Failure,
}

impl ParseError {
    pub(super) fn new(name: &str, text: &str, position: usize, message: String) -> Self {
        let (line, column) = place(text, position);
        Self { name: name.to_owned(), line, column, message }
    }
}

impl RenderError {
    pub(super) fn new(name: &str, text: &str, stop: Stop) -> Self {
        let (line, column) = place(text, stop.span.start as usize);
        let source = excerpt(stop.span.slice(text));
        let (kind, message) = match stop.failure {
            // step-ca does not recognise an empty message as one of its own.
            Failure::Fail(message) if message.is_empty() => {
                (RenderErrorKind::Exec, format!("<{source}>: fail"))
            }
            Failure::Fail(message) => (RenderErrorKind::Fail, message),
            Failure::Error(message) => (RenderErrorKind::Exec, format!("<{source}>: {message}")),
            Failure::Limit(what) => (RenderErrorKind::Limit, format!("<{source}>: {what}")),
            Failure::Strict(message) => (RenderErrorKind::Strict, format!("<{source}>: {message}")),
        };
        Self { kind, name: name.to_owned(), line, column, message }
    }
}

/// Line and column of a byte position, both from 1.
pub(super) fn place(text: &str, position: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

/// An expression short enough for a message.
fn excerpt(source: &str) -> String {
    const LONGEST: usize = 80;
    match source.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", source.get(..end).unwrap_or("")),
        None => source.to_owned(),
    }
}
