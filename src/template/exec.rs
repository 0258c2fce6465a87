//! Rendering: walks the nodes of a template with its data and writes bytes.

use crate::template::context::Context;
use crate::template::context::Meter;
use crate::template::error::Stop;
use crate::template::format;
use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::lex::Span;
use crate::template::node::Branch;
use crate::template::node::Command;
use crate::template::node::Name;
use crate::template::node::Node;
use crate::template::node::Operand;
use crate::template::node::OperandKind;
use crate::template::node::Pipe;
use crate::template::node::Variable;
use crate::template::parse::Definitions;
use crate::template::trace::Tracer;
use crate::template::value::Integer;
use crate::template::value::List;
use crate::template::value::ListKind;
use crate::template::value::Text;
use crate::template::value::Value;

pub(super) type Outcome<T> = Result<T, Box<Stop>>;

/// What a list of nodes ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

pub(super) struct State<'a> {
    definitions: &'a Definitions,
    pub(super) context: &'a Context<'a>,
    pub(super) meter: Meter,
    variables: Vec<(Variable, Value)>,
    pub(super) output: Vec<u8>,
    depth: usize,
    /// The template being executed; stays at the failing one when a rendering stops.
    pub(super) current: &'a Text,
    /// Keeps the trace, if one is wanted.
    pub(super) tracer: Option<Tracer>,
}

impl<'a> State<'a> {
    pub(super) fn new(
        definitions: &'a Definitions,
        context: &'a Context<'a>,
        name: &'a Text,
        data: &Value,
    ) -> Self {
        Self {
            definitions,
            context,
            meter: Meter::new(context.limits),
            variables: vec![(Variable::DATA, data.clone())],
            output: Vec::with_capacity(1024),
            depth: 0,
            current: name,
            tracer: None,
        }
    }

    pub(super) fn walk(&mut self, dot: &Value, list: &'a [Node]) -> Outcome<Flow> {
        for node in list {
            match self.node(dot, node)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value, node: &'a Node) -> Outcome<Flow> {
        match node {
            Node::Text(start, text) => {
                self.source(*start, true);
                self.write(text.as_bytes()).map_err(|failure| stop(NOWHERE, failure))?;
            }
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.source(pipe.span.start, false);
                    self.print(pipe.span, &value)?;
                }
            }
            Node::If(branch) => return self.choose(dot, branch, false),
            Node::With(branch) => return self.choose(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { span, name, pipe } => self.invoke(dot, *span, name, pipe.as_ref())?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn choose(&mut self, dot: &Value, branch: &'a Branch, with: bool) -> Outcome<Flow> {
        self.enter(branch.pipe.span)?;
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match value.is_true() {
            true if with => self.walk(&value, &branch.list),
            true => self.walk(dot, &branch.list),
            false => self.walk(dot, &branch.otherwise),
        }?;
        self.variables.truncate(mark);
        self.depth -= 1;
        Ok(flow)
    }

    fn range(&mut self, dot: &Value, branch: &'a Branch) -> Outcome<Flow> {
        let span = branch.pipe.span;
        self.enter(span)?;
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match self.repeat(branch, &value)? {
            true => Flow::Next,
            false => {
                self.variables.truncate(mark);
                self.walk(dot, &branch.otherwise)?
            }
        };
        self.variables.truncate(mark);
        self.depth -= 1;
        Ok(flow)
    }

    /// Runs the body of a `range` for each element; false if there was none.
    fn repeat(&mut self, branch: &'a Branch, value: &Value) -> Outcome<bool> {
        let span = branch.pipe.span;
        if let Some(map) = value.as_map().filter(|_| value.kind_name() == "map") {
            let entries = map.snapshot();
            self.charge(span, value.shallow_size())?;
            for (key, element) in &entries {
                if self.turn(branch, &Value::String(key.clone()), element)? == Flow::Break {
                    break;
                }
            }
            return Ok(!entries.is_empty());
        }
        match value {
            Value::Nil | Value::Missing => Ok(false),
            Value::Int(Integer { kind, bits }) => {
                if branch.pipe.variables.len() > 1 {
                    let message = format!("can't use {bits} to iterate over more than one variable");
                    return Err(stop(span, Failure::Error(message)));
                }
                for number in 0..*bits {
                    let element = Value::Int(Integer { kind: *kind, bits: number });
                    if self.turn(branch, &Value::Missing, &element)? == Flow::Break {
                        break;
                    }
                }
                Ok(*bits > 0)
            }
            _ if value.kind_name() == "slice" => {
                let list = value.as_list().unwrap_or_else(|| List::nil(ListKind::ANY));
                for (element, index) in list.items().iter().zip(0..) {
                    if self.turn(branch, &Value::int(index), element)? == Flow::Break {
                        break;
                    }
                }
                Ok(!list.items().is_empty())
            }
            _ => Err(stop(span, Failure::Error(format!("range can't iterate over a {}", value.type_name())))),
        }
    }

    /// One turn of a `range`.
    fn turn(&mut self, branch: &'a Branch, index: &Value, element: &Value) -> Outcome<Flow> {
        let span = branch.pipe.span;
        self.step(span)?;
        let mark = self.variables.len();
        match branch.pipe.variables.as_slice() {
            [] => {}
            [single] => self.set(span, *single, element)?,
            [first, second, ..] => {
                self.set(span, *first, index)?;
                self.set(span, *second, element)?;
            }
        }
        let flow = self.walk(element, &branch.list)?;
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn invoke(&mut self, dot: &Value, span: Span, name: &Text, pipe: Option<&'a Pipe>) -> Outcome<()> {
        self.enter(span)?;
        let Some((name, list)) = self.definitions.get_key_value(name) else {
            let message = format!("template {:?} not defined", name.to_str_lossy());
            return Err(stop(span, Failure::Error(message)));
        };
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let variables = std::mem::replace(&mut self.variables, vec![(Variable::DATA, dot.clone())]);
        let caller = std::mem::replace(&mut self.current, name);
        self.walk(&dot, list)?;
        self.current = caller;
        self.variables = variables;
        self.depth -= 1;
        Ok(())
    }

    fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Outcome<Value> {
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(dot, command, value.take())?;
            // A nil that went through a pipeline has lost its type: a field of it is missing, not an error.
            value = Some(if result.is_nil() { Value::Missing } else { result });
        }
        let value = value.unwrap_or(Value::Missing);
        for variable in &pipe.variables {
            if pipe.assigns {
                self.set(pipe.span, *variable, &value)?;
            } else {
                self.variables.push((*variable, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Value, command: &'a Command, last: Option<Value>) -> Outcome<Value> {
        self.step(command.span)?;
        let head = &command.head;
        let bare = command.arguments.is_empty() && last.is_none();
        match &head.kind {
            OperandKind::Field(names) => {
                self.fields(dot, head.span, dot.clone(), names, &command.arguments, last)
            }
            OperandKind::Chain(inner, names) => {
                let receiver = self.chain_start(dot, inner)?;
                self.fields(dot, head.span, receiver, names, &command.arguments, last)
            }
            OperandKind::Variable(variable, names) if !names.is_empty() => {
                let receiver = self.lookup(head.span, *variable)?;
                self.fields(dot, head.span, receiver, names, &command.arguments, last)
            }
            OperandKind::Function(callee) => {
                self.function(dot, command.span, *callee, &command.arguments, last)
            }
            _ if !bare => Err(stop(head.span, Failure::error("can't give argument to non-function"))),
            OperandKind::Nil => Err(stop(head.span, Failure::error("nil is not a command"))),
            _ => self.operand(dot, head),
        }
    }

    /// An operand that takes no arguments.
    pub(super) fn operand(&mut self, dot: &Value, operand: &'a Operand) -> Outcome<Value> {
        match &operand.kind {
            OperandKind::Dot => {
                self.note(operand.span, dot, &[], dot);
                Ok(dot.clone())
            }
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Bool(truth) => Ok(Value::Bool(*truth)),
            OperandKind::Number(number) => {
                number.ideal().map_err(|why| stop(operand.span, Failure::error(why)))
            }
            OperandKind::String(text) => Ok(Value::String(text.clone())),
            OperandKind::Field(names) => self.fields(dot, operand.span, dot.clone(), names, &[], None),
            OperandKind::Variable(variable, names) => {
                let receiver = self.lookup(operand.span, *variable)?;
                self.fields(dot, operand.span, receiver, names, &[], None)
            }
            OperandKind::Function(callee) => self.function(dot, operand.span, *callee, &[], None),
            OperandKind::Pipe(pipe) => {
                self.enter(operand.span)?;
                let value = self.pipe(dot, pipe)?;
                self.depth -= 1;
                Ok(value)
            }
            OperandKind::Chain(inner, names) => {
                let receiver = self.chain_start(dot, inner)?;
                self.fields(dot, operand.span, receiver, names, &[], None)
            }
        }
    }

    fn chain_start(&mut self, dot: &Value, inner: &'a Operand) -> Outcome<Value> {
        let value = self.operand(dot, inner)?;
        Ok(if value.is_nil() { Value::Missing } else { value })
    }

    fn print(&mut self, span: Span, value: &Value) -> Outcome<()> {
        let result = match value {
            Value::String(text) => self.write(text.as_bytes()),
            Value::Nil | Value::Missing if !self.context.options.odd_text => {
                Err(Failure::Strict("has no value to print".to_owned()))
            }
            Value::Nil | Value::Missing => self.write(b"<no value>"),
            _ => {
                let mut call = Call { context: self.context, meter: &mut self.meter };
                format::print(&mut call, std::slice::from_ref(value))
                    .and_then(|text| self.write(text.as_bytes()))
            }
        };
        result.map_err(|failure| stop(span, failure))
    }

    /// Notes a read for whoever wants a trace.
    pub(super) fn note(&mut self, span: Span, receiver: &Value, names: &[Name], value: &Value) {
        if let Some(tracer) = &mut self.tracer {
            tracer.read(span, receiver, names, value);
        }
    }

    /// Notes where the output comes from, for the same.
    fn source(&mut self, template: u32, copied: bool) {
        if let Some(tracer) = &mut self.tracer {
            tracer.write(self.output.len(), template, copied);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.output.len() + bytes.len() > self.meter.limits.output {
            return Err(Failure::Limit("too much output"));
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn lookup(&self, span: Span, variable: Variable) -> Outcome<Value> {
        let found = self.variables.iter().rev().find(|(known, _)| *known == variable);
        found.map(|(_, value)| value.clone()).ok_or_else(|| stop(span, Failure::error("undefined variable")))
    }

    fn set(&mut self, span: Span, variable: Variable, value: &Value) -> Outcome<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == variable) {
            Some((_, slot)) => {
                *slot = value.clone();
                Ok(())
            }
            None => Err(stop(span, Failure::error("undefined variable"))),
        }
    }

    fn enter(&mut self, span: Span) -> Outcome<()> {
        self.depth += 1;
        if self.depth > self.meter.limits.depth {
            return Err(stop(span, Failure::Limit("nested too deeply")));
        }
        Ok(())
    }

    fn step(&mut self, span: Span) -> Outcome<()> {
        self.meter.step().map_err(|failure| stop(span, failure))
    }

    fn charge(&mut self, span: Span, bytes: usize) -> Outcome<()> {
        self.meter.charge(bytes).map_err(|failure| stop(span, failure))
    }
}

const NOWHERE: Span = Span { start: 0, end: 0 };

pub(super) fn stop(span: Span, failure: Failure) -> Box<Stop> {
    Box::new(Stop { span, failure })
}
