//! The parsed form of a template.

use std::sync::Arc;

use crate::template::constant::Number;
use crate::template::function::Function;
use crate::template::lex::Span;
use crate::template::value::Text;

/// What stands in a template, in order.
pub(super) type List = Vec<Node>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text, and where it begins.
    Text(u32, Text),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template {
        span: Span,
        name: Text,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// `if`, `with` or `range` with its two lists.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) list: List,
    pub(super) otherwise: List,
}

/// Commands joined by `|`, their result perhaps kept in variables.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) span: Span,
    /// Whether the variables exist already (`=`) or are made here (`:=`).
    pub(super) assigns: bool,
    pub(super) variables: Vec<Variable>,
    pub(super) commands: Vec<Command>,
}

/// A variable by number: every name in a template text has one; `$` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable(pub(super) u32);

impl Variable {
    /// `$`, the data.
    pub(super) const DATA: Self = Self(0);
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) span: Span,
    pub(super) head: Operand,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) span: Span,
    pub(super) kind: OperandKind,
}

#[derive(Clone, Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    String(Text),
    /// `.a.b`
    Field(Vec<Name>),
    /// `$x.a.b`
    Variable(Variable, Vec<Name>),
    Function(Callee),
    Pipe(Box<Pipe>),
    /// `(…).a.b` or `f.a.b`
    Chain(Box<Operand>, Vec<Name>),
}

/// A field name with the position an error points to.
pub(super) type Name = Arc<str>;

#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// `and`: stops at the first false argument.
    And,
    /// `or`: stops at the first true argument.
    Or,
    Plain(Function),
}
