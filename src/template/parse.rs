//! Tokens into nodes, with Go's rules of what is a parse error.

use std::collections::HashMap;

use crate::template::constant::unquote;
use crate::template::error::ParseError;
use crate::template::function::FunctionTable;
use crate::template::lex::Keyword;
use crate::template::lex::Span;
use crate::template::lex::Token;
use crate::template::lex::TokenKind;
use crate::template::lex::tokens;
use crate::template::node::Branch;
use crate::template::node::List;
use crate::template::node::Node;
use crate::template::node::Variable;
use crate::template::value::Text;

/// A template text may be this long: what `ca.json` or a template file reasonably holds.
const LONGEST_TEXT: usize = 1 << 20;

/// Blocks and parentheses may be nested this deep; rendering recurses as deep as parsing does.
const DEEPEST: usize = 60;

/// The templates a text defines, by name; the text itself stands under the name it is parsed with.
pub(super) type Definitions = HashMap<Text, List>;

/// Parses `text` as the template `name`.
pub(super) fn parse(name: &str, text: &str, functions: &FunctionTable) -> Result<Definitions, ParseError> {
    if text.len() > LONGEST_TEXT {
        return Err(ParseError::new(
            name,
            text,
            0,
            format!("text of {} bytes exceeds {LONGEST_TEXT}", text.len()),
        ));
    }
    let mut parser = Parser {
        text,
        functions,
        tokens: tokens(text),
        next: 0,
        names: vec!["$"],
        scope: vec![Variable::DATA],
        range_depth: 0,
        depth: 0,
        definitions: Definitions::new(),
    };
    let result = parser.root().and_then(|list| parser.define(Text::from(name), list, 0));
    match result {
        Ok(()) => {
            parser.definitions.entry(Text::from(name)).or_default();
            Ok(parser.definitions)
        }
        Err(fault) => Err(ParseError::new(name, text, fault.position, fault.message)),
    }
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) functions: &'a FunctionTable,
    tokens: Vec<Token>,
    pub(super) next: usize,
    /// The variable names seen so far; a variable's number is its place here.
    pub(super) names: Vec<&'a str>,
    /// The variables that can be used here.
    pub(super) scope: Vec<Variable>,
    range_depth: usize,
    pub(super) depth: usize,
    definitions: Definitions,
}

pub(super) struct Fault {
    pub(super) position: usize,
    pub(super) message: String,
}

/// How a list of nodes ended.
enum Ending {
    End,
    Else,
}

impl Parser<'_> {
    fn root(&mut self) -> Result<List, Fault> {
        let mut list = List::new();
        loop {
            match self.peek().kind {
                TokenKind::End => return Ok(list),
                TokenKind::LeftDelimiter => {
                    let before = self.next;
                    self.advance();
                    if self.next_not_space().kind == TokenKind::Keyword(Keyword::Define) {
                        self.definition()?;
                        continue;
                    }
                    self.next = before;
                }
                _ => {}
            }
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(Ending::End) => return Err(self.fault("unexpected {{end}}")),
                Err(Ending::Else) => return Err(self.fault("unexpected {{else}}")),
            }
        }
    }

    fn definition(&mut self) -> Result<(), Fault> {
        let token = self.next_not_space();
        let name = self.string(token, "define clause")?;
        self.expect(TokenKind::RightDelimiter, "define clause")?;
        let list = self.body("define clause")?;
        self.define(name, list, token.span.start as usize)
    }

    /// Parses a body that has its own variables: of `define` or `block`.
    fn body(&mut self, context: &str) -> Result<List, Fault> {
        let scope = std::mem::replace(&mut self.scope, vec![Variable::DATA]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (list, ending) = self.item_list()?;
        self.scope = scope;
        self.range_depth = range_depth;
        match ending {
            Ending::End => Ok(list),
            Ending::Else => Err(self.fault(format!("unexpected {{{{else}}}} in {context}"))),
        }
    }

    /// Keeps a definition; an empty one does not replace another.
    fn define(&mut self, name: Text, list: List, position: usize) -> Result<(), Fault> {
        match self.definitions.get(&name) {
            Some(old) if !is_empty(old) => {
                if is_empty(&list) {
                    return Ok(());
                }
                let message = format!("multiple definition of template {:?}", name.to_str_lossy());
                Err(Fault { position, message })
            }
            _ => {
                self.definitions.insert(name, list);
                Ok(())
            }
        }
    }

    fn item_list(&mut self) -> Result<(List, Ending), Fault> {
        let mut list = List::new();
        loop {
            if self.peek_not_space().kind == TokenKind::End {
                return Err(self.fault("unexpected EOF"));
            }
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(ending) => return Ok((list, ending)),
            }
        }
    }

    fn text_or_action(&mut self) -> Result<Result<Node, Ending>, Fault> {
        let token = self.next_not_space();
        match token.kind {
            TokenKind::Text => Ok(Ok(Node::Text(token.span.start, Text::from(token.span.slice(self.text))))),
            TokenKind::LeftDelimiter => self.action(),
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Result<Node, Ending>, Fault> {
        let token = self.next_not_space();
        let node = match token.kind {
            TokenKind::Keyword(Keyword::If) => Node::If(self.branch("if", Some(Keyword::If))?),
            TokenKind::Keyword(Keyword::With) => Node::With(self.branch("with", Some(Keyword::With))?),
            TokenKind::Keyword(Keyword::Range) => Node::Range(self.branch("range", None)?),
            TokenKind::Keyword(Keyword::Template) => self.template()?,
            TokenKind::Keyword(Keyword::Block) => self.block()?,
            TokenKind::Keyword(Keyword::Break) => self.jump("break", Node::Break)?,
            TokenKind::Keyword(Keyword::Continue) => self.jump("continue", Node::Continue)?,
            TokenKind::Keyword(Keyword::End) => {
                self.expect(TokenKind::RightDelimiter, "end")?;
                return Ok(Err(Ending::End));
            }
            TokenKind::Keyword(Keyword::Else) => {
                let next = self.peek_not_space().kind;
                if !matches!(next, TokenKind::Keyword(Keyword::If | Keyword::With)) {
                    self.expect(TokenKind::RightDelimiter, "else")?;
                }
                return Ok(Err(Ending::Else));
            }
            _ => {
                self.next -= 1;
                Node::Action(self.pipeline("command", TokenKind::RightDelimiter)?)
            }
        };
        Ok(Ok(node))
    }

    fn jump(&mut self, name: &str, node: Node) -> Result<Node, Fault> {
        self.expect(TokenKind::RightDelimiter, &format!("{{{{{name}}}}}"))?;
        if self.range_depth == 0 {
            return Err(self.fault(format!("{{{{{name}}}}} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    /// Parses the rest of `if`, `with` or `range`; `chained` may follow `else` in the same action.
    fn branch(&mut self, context: &str, chained: Option<Keyword>) -> Result<Branch, Fault> {
        self.enter()?;
        let mark = self.scope.len();
        let pipe = self.pipeline(context, TokenKind::RightDelimiter)?;
        let in_range = usize::from(context == "range");
        self.range_depth += in_range;
        let (list, ending) = self.item_list()?;
        self.range_depth -= in_range;
        let otherwise = match (ending, chained) {
            (Ending::End, _) => List::new(),
            (Ending::Else, Some(keyword)) if self.peek_not_space().kind == TokenKind::Keyword(keyword) => {
                self.next_not_space();
                let branch = self.branch(context, chained)?;
                vec![if keyword == Keyword::If { Node::If(branch) } else { Node::With(branch) }]
            }
            (Ending::Else, _) => match self.item_list()? {
                (list, Ending::End) => list,
                (_, Ending::Else) => return Err(self.fault("expected end; found {{else}}")),
            },
        };
        self.scope.truncate(mark);
        self.depth -= 1;
        Ok(Branch { pipe, list, otherwise })
    }

    fn template(&mut self) -> Result<Node, Fault> {
        const CONTEXT: &str = "template clause";
        let token = self.next_not_space();
        let name = self.string(token, CONTEXT)?;
        let pipe = if self.peek_not_space().kind == TokenKind::RightDelimiter {
            self.next_not_space();
            None
        } else {
            Some(self.pipeline(CONTEXT, TokenKind::RightDelimiter)?)
        };
        Ok(Node::Template { span: token.span, name, pipe })
    }

    fn block(&mut self) -> Result<Node, Fault> {
        const CONTEXT: &str = "block clause";
        self.enter()?;
        let token = self.next_not_space();
        let name = self.string(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelimiter)?;
        let list = self.body(CONTEXT)?;
        self.define(name.clone(), list, token.span.start as usize)?;
        self.depth -= 1;
        Ok(Node::Template { span: token.span, name, pipe: Some(pipe) })
    }

    pub(super) fn string(&self, token: Token, context: &str) -> Result<Text, Fault> {
        if !matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let quoted = token.span.slice(self.text);
        let message = || format!("invalid string {quoted}");
        unquote(quoted).map(Text::from).ok_or_else(|| self.fault_at(token, message()))
    }

    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            Err(self.fault(format!("nested deeper than {DEEPEST} levels")))
        } else {
            Ok(())
        }
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Result<(), Fault> {
        let token = self.next_not_space();
        if token.kind == kind { Ok(()) } else { Err(self.unexpected(token, context)) }
    }

    pub(super) fn unexpected(&self, token: Token, context: &str) -> Fault {
        let text = token.span.slice(self.text);
        let message = match token.kind {
            TokenKind::Error(fault) => fault.message(),
            TokenKind::End => "unexpected EOF".to_owned(),
            TokenKind::Keyword(_) => format!("unexpected <{text}> in {context}"),
            _ => format!("unexpected {text:?} in {context}"),
        };
        self.fault_at(token, message)
    }

    /// A fault at the token read last.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        self.fault_at(self.previous(), message.into())
    }

    pub(super) fn fault_at(&self, token: Token, message: String) -> Fault {
        Fault { position: token.span.start as usize, message }
    }

    pub(super) fn previous(&self) -> Token {
        self.token(self.next.saturating_sub(1))
    }

    pub(super) fn peek(&self) -> Token {
        self.token(self.next)
    }

    pub(super) fn peek_not_space(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    pub(super) fn next_not_space(&mut self) -> Token {
        self.skip_space();
        self.advance()
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().kind == TokenKind::Space {
            self.next += 1;
        }
    }

    /// Takes a token; the last one, `End` or `Error`, can be taken again and again.
    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn token(&self, index: usize) -> Token {
        let nothing = Token { kind: TokenKind::End, span: Span { start: 0, end: 0 } };
        self.tokens.get(index).or(self.tokens.last()).copied().unwrap_or(nothing)
    }
}

/// Whether a list would print nothing but white space.
fn is_empty(list: &List) -> bool {
    list.iter().all(|node| matches!(node, Node::Text(_, text) if text.as_bytes().trim_ascii().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line: usize, column: usize, message: &str) {
        let found = parse("t", text, &FunctionTable::standard())
            .err()
            .map(|error| (error.line, error.column, error.message));
        assert_eq!(found, Some((line, column, message.to_owned())), "{text}");
    }

    #[test]
    fn parse_errors_have_the_words_of_go() {
        check("{{ }}", 1, 4, "missing value for command");
        check("a\n{{ nope }}", 2, 4, "function \"nope\" not defined");
        check("{{ $x }}", 1, 4, "undefined variable \"$x\"");
        check("{{ if true }}", 1, 12, "unexpected EOF");
        check("{{ end }}", 1, 8, "unexpected {{end}}");
        check("{{ break }}", 1, 10, "{{break}} outside {{range}}");
        check("{{ 1 | 2 }}", 1, 8, "non executable command in pipeline stage 2");
        check("{{ 1.x }}", 1, 6, "bad number syntax");
        check("{{ \"a\".x }}", 1, 4, "unexpected . after term \"\\\"a\\\"\"");
        check("{{ define \"t\" }}a{{ end }}b", 1, 1, "multiple definition of template \"t\"");
        check("{{ call 1 }}", 1, 4, "function \"call\" is refused: no value of a template is a function");
    }

    #[test]
    fn nesting_is_bounded() {
        check(&"{{ if 1 }}".repeat(100), 1, 594, "nested deeper than 60 levels");
        let text = format!("{{{{ {}1{} }}}}", "(".repeat(100), ")".repeat(100));
        check(&text, 1, 63, "nested deeper than 60 levels");
    }
}
