//! The inside of an action: pipelines, commands, operands.

use std::sync::Arc;

use crate::template::constant::Number;
use crate::template::function::Lookup;
use crate::template::lex::Token;
use crate::template::lex::TokenKind;
use crate::template::node::Callee;
use crate::template::node::Command;
use crate::template::node::Name;
use crate::template::node::Operand;
use crate::template::node::OperandKind;
use crate::template::node::Pipe;
use crate::template::node::Variable;
use crate::template::parse::Fault;
use crate::template::parse::Parser;

impl<'a> Parser<'a> {
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipe, Fault> {
        self.enter()?;
        let start = self.peek_not_space().span;
        let mut pipe = Pipe { span: start, assigns: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(context, &mut pipe)?;
        loop {
            let token = self.next_not_space();
            match token.kind {
                kind if kind == end => break,
                kind if starts_operand(kind) => {
                    self.next -= 1;
                    pipe.commands.push(self.command()?);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        let Some(last) = pipe.commands.last() else {
            return Err(self.fault(format!("missing value for {context}")));
        };
        pipe.span = start.to(last.span);
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if command.head.is_constant() {
                let message = format!("non executable command in pipeline stage {}", index + 1);
                return Err(Fault { position: command.span.start as usize, message });
            }
        }
        self.depth -= 1;
        Ok(pipe)
    }

    /// Reads `$x :=`, `$x =` and, in `range`, `$i, $x :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Result<(), Fault> {
        loop {
            let before = self.next;
            if self.peek_not_space().kind != TokenKind::Variable {
                return Ok(());
            }
            let name = self.next_not_space().span.slice(self.text);
            let token = self.next_not_space();
            match token.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    pipe.assigns = token.kind == TokenKind::Assign;
                    let variable = self.declare(name);
                    pipe.variables.push(variable);
                    return Ok(());
                }
                TokenKind::Comma => {
                    let variable = self.declare(name);
                    pipe.variables.push(variable);
                    if context != "range" || pipe.variables.len() > 1 {
                        return Err(self.fault(format!("too many declarations in {context}")));
                    }
                    let next = self.peek_not_space().kind;
                    if !matches!(
                        next,
                        TokenKind::Variable | TokenKind::RightDelimiter | TokenKind::RightParenthesis
                    ) {
                        return Err(self.fault("range can only initialize variables"));
                    }
                }
                _ => {
                    self.next = before;
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, name: &'a str) -> Variable {
        let variable = self.variable(name);
        self.scope.push(variable);
        variable
    }

    /// The number of a variable by its text, dollar included.
    fn variable(&mut self, text: &'a str) -> Variable {
        let number = self.names.iter().position(|known| *known == text);
        let number = number.unwrap_or_else(|| {
            self.names.push(text);
            self.names.len() - 1
        });
        Variable(u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn command(&mut self) -> Result<Command, Fault> {
        let start = self.peek_not_space().span;
        let mut operands = Vec::new();
        let mut end = start;
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                end = operand.span;
                operands.push(operand);
            }
            let token = self.advance();
            match token.kind {
                TokenKind::Space => {}
                TokenKind::RightDelimiter | TokenKind::RightParenthesis => {
                    self.next -= 1;
                    break;
                }
                TokenKind::Pipe => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        let mut operands = operands.into_iter();
        let Some(head) = operands.next() else {
            return Err(self.fault("empty command"));
        };
        Ok(Command { span: start.to(end), head, arguments: operands.collect() })
    }

    fn operand(&mut self) -> Result<Option<Operand>, Fault> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let mut names = Vec::new();
        let mut end = operand.span;
        while self.peek().kind == TokenKind::Field {
            let token = self.advance();
            end = token.span;
            names.push(self.field_name(token));
        }
        if names.is_empty() {
            return Ok(Some(operand));
        }
        let span = operand.span.to(end);
        let kind = match operand.kind {
            OperandKind::Field(mut fields) => {
                fields.append(&mut names);
                OperandKind::Field(fields)
            }
            OperandKind::Variable(variable, mut fields) => {
                fields.append(&mut names);
                OperandKind::Variable(variable, fields)
            }
            kind => {
                operand.kind = kind;
                if operand.is_constant() {
                    let message = format!("unexpected . after term {:?}", operand.span.slice(self.text));
                    return Err(Fault { position: operand.span.start as usize, message });
                }
                OperandKind::Chain(Box::new(operand), names)
            }
        };
        Ok(Some(Operand { span, kind }))
    }

    fn term(&mut self) -> Result<Option<Operand>, Fault> {
        let before = self.next;
        let token = self.next_not_space();
        let text = token.span.slice(self.text);
        let mut span = token.span;
        let kind = match token.kind {
            TokenKind::Identifier => self.function(token, text)?,
            TokenKind::Dot => OperandKind::Dot,
            TokenKind::Nil => OperandKind::Nil,
            TokenKind::True => OperandKind::Bool(true),
            TokenKind::False => OperandKind::Bool(false),
            TokenKind::Variable => {
                let variable = self.variable(text);
                if !self.scope.contains(&variable) {
                    return Err(self.fault_at(token, format!("undefined variable {text:?}")));
                }
                OperandKind::Variable(variable, Vec::new())
            }
            TokenKind::Field => OperandKind::Field(vec![self.field_name(token)]),
            TokenKind::Number => {
                OperandKind::Number(Number::parse(text).map_err(|message| self.fault_at(token, message))?)
            }
            TokenKind::Character => OperandKind::Number(
                Number::parse_character(text).map_err(|message| self.fault_at(token, message))?,
            ),
            TokenKind::String | TokenKind::RawString => OperandKind::String(self.string(token, "operand")?),
            TokenKind::LeftParenthesis => {
                let pipe = self.pipeline("parenthesized pipeline", TokenKind::RightParenthesis)?;
                span = span.to(self.previous().span);
                OperandKind::Pipe(Box::new(pipe))
            }
            _ => {
                self.next = before;
                return Ok(None);
            }
        };
        Ok(Some(Operand { span, kind }))
    }

    fn function(&self, token: Token, name: &str) -> Result<OperandKind, Fault> {
        match self.functions.lookup(name) {
            Lookup::Function(_) if name == "and" => Ok(OperandKind::Function(Callee::And)),
            Lookup::Function(_) if name == "or" => Ok(OperandKind::Function(Callee::Or)),
            Lookup::Function(function) => Ok(OperandKind::Function(Callee::Plain(function))),
            Lookup::Refused(why) => Err(self.fault_at(token, format!("function {name:?} is refused: {why}"))),
            Lookup::Unknown => Err(self.fault_at(token, format!("function {name:?} not defined"))),
        }
    }

    fn field_name(&self, token: Token) -> Name {
        let text = token.span.slice(self.text);
        Arc::from(text.strip_prefix('.').unwrap_or(text))
    }
}

impl Operand {
    /// Whether this can neither be called nor have fields.
    fn is_constant(&self) -> bool {
        matches!(
            self.kind,
            OperandKind::Bool(_)
                | OperandKind::Dot
                | OperandKind::Nil
                | OperandKind::Number(_)
                | OperandKind::String(_)
        )
    }
}

fn starts_operand(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::True
            | TokenKind::False
            | TokenKind::Character
            | TokenKind::Dot
            | TokenKind::Field
            | TokenKind::Identifier
            | TokenKind::Number
            | TokenKind::Nil
            | TokenKind::RawString
            | TokenKind::String
            | TokenKind::Variable
            | TokenKind::LeftParenthesis
    )
}
