//! Template text into tokens: text between actions, and what is inside `{{` and `}}`.
//!
//! White space inside an action is a token of its own, because `.a.b` and `.a .b` differ. The first error becomes
//! the last token, so it is reported when the parser gets there and not before, as in Go.

/// Where a token or node stands in the template text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Pipe,
    Comma,
    OtherCharacter,
    LeftParenthesis,
    RightParenthesis,
    Dot,
    /// A field with its dot: `.name`.
    Field,
    /// A variable with its dollar; `$` alone is the data.
    Variable,
    Identifier,
    Keyword(Keyword),
    True,
    False,
    Nil,
    Number,
    Character,
    String,
    RawString,
    End,
    Error(LexFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexFault {
    UnclosedComment,
    CommentEnd,
    UnclosedAction,
    UnclosedParenthesis,
    UnexpectedParenthesis,
    ExpectedDeclare,
    UnterminatedCharacter,
    UnterminatedString,
    UnterminatedRawString,
    BadNumber,
    BadCharacter(char),
    UnrecognizedCharacter(char),
}

/// Splits `text` into tokens; the last one is `End` or `Error`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, position: 0, depth: 0, tokens: Vec::new() };
    if let Err(fault) = lexer.run() {
        lexer.push(TokenKind::Error(fault), lexer.position);
    } else {
        lexer.push(TokenKind::End, lexer.position);
    }
    lexer.tokens
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

struct Lexer<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), LexFault> {
        // White space after a right trim marker, already skipped, does not belong to the text that follows it.
        while self.position < self.text.len() {
            let start = self.position;
            let Some(found) = self.rest().find(LEFT) else {
                self.position = self.text.len();
                self.push_text(start, self.position);
                break;
            };
            let delimiter = start + found;
            let inside = delimiter + LEFT.len();
            let trim = has_left_trim(self.after(inside));
            let mut end = delimiter;
            if trim {
                end = start + self.text.get(start..delimiter).unwrap_or("").trim_end_matches(is_space).len();
            }
            self.push_text(start, end);
            let body = if trim { inside + 2 } else { inside };
            // The dash belongs to the delimiter, the space after it does not.
            if self.after(if trim { inside + 2 } else { inside }).starts_with("/*") {
                self.position = body;
                self.comment()?;
                continue;
            }
            self.position = if trim { inside + 1 } else { inside };
            self.push(TokenKind::LeftDelimiter, delimiter);
            self.depth = 0;
            while !self.action_token()? {}
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), LexFault> {
        let end = self.rest().find("*/").ok_or(LexFault::UnclosedComment)?;
        self.position += end + 2;
        let Some(trim) = self.at_right_delimiter() else {
            return Err(LexFault::CommentEnd);
        };
        self.close(trim);
        Ok(())
    }

    /// Steps over a right delimiter and what its trim marker takes along.
    fn close(&mut self, trim: bool) {
        self.position += RIGHT.len() + if trim { 2 } else { 0 };
        if trim {
            let rest = self.rest();
            self.position += rest.len() - rest.trim_start_matches(is_space).len();
        }
    }

    /// Reads one token inside an action; true when it was the right delimiter.
    fn action_token(&mut self) -> Result<bool, LexFault> {
        let start = self.position;
        if let Some(trim) = self.at_right_delimiter() {
            if self.depth > 0 {
                return Err(LexFault::UnclosedParenthesis);
            }
            self.close(trim);
            self.tokens.push(Token { kind: TokenKind::RightDelimiter, span: span(start, self.position) });
            return Ok(true);
        }
        let Some(character) = self.next() else {
            return Err(LexFault::UnclosedAction);
        };
        let kind = match character {
            ' ' | '\t' | '\r' | '\n' => {
                // The space of a trim marker is part of the delimiter.
                while self.peek().is_some_and(is_space) && self.at_right_delimiter().is_none() {
                    self.next();
                }
                TokenKind::Space
            }
            '=' => TokenKind::Assign,
            ':' => {
                if self.next() != Some('=') {
                    return Err(LexFault::ExpectedDeclare);
                }
                TokenKind::Declare
            }
            '|' => TokenKind::Pipe,
            '"' => self.quoted('"', LexFault::UnterminatedString, TokenKind::String)?,
            '\'' => self.quoted('\'', LexFault::UnterminatedCharacter, TokenKind::Character)?,
            '`' => {
                let end = self.rest().find('`').ok_or(LexFault::UnterminatedRawString)?;
                self.position += end + 1;
                TokenKind::RawString
            }
            '$' => {
                self.word()?;
                TokenKind::Variable
            }
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.word()?;
                if self.position == start + 1 { TokenKind::Dot } else { TokenKind::Field }
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position = start;
                self.number()?;
                TokenKind::Number
            }
            '(' => {
                self.depth += 1;
                TokenKind::LeftParenthesis
            }
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or(LexFault::UnexpectedParenthesis)?;
                TokenKind::RightParenthesis
            }
            ',' => TokenKind::Comma,
            letter if is_alphanumeric(letter) => {
                self.word()?;
                word_kind(self.text.get(start..self.position).unwrap_or(""))
            }
            other if other.is_ascii_graphic() => TokenKind::OtherCharacter,
            other => return Err(LexFault::UnrecognizedCharacter(other)),
        };
        self.push(kind, start);
        Ok(false)
    }

    /// Reads up to the closing `quote`, with its escapes left as they are.
    fn quoted(&mut self, quote: char, fault: LexFault, kind: TokenKind) -> Result<TokenKind, LexFault> {
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    None | Some('\n') => return Err(fault),
                    Some(_) => {}
                },
                None | Some('\n') => return Err(fault),
                Some(character) if character == quote => return Ok(kind),
                Some(_) => {}
            }
        }
    }

    /// Reads letters, digits and underscores, after which something must follow that ends a word.
    fn word(&mut self) -> Result<(), LexFault> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | '(' | ')') => Ok(()),
            _ if self.rest().starts_with(RIGHT) => Ok(()),
            Some(character) => Err(LexFault::BadCharacter(character)),
        }
    }

    fn number(&mut self) -> Result<(), LexFault> {
        self.scan_number()?;
        if matches!(self.peek(), Some('+' | '-')) {
            self.scan_number()?;
            if self.previous() != Some('i') {
                return Err(LexFault::BadNumber);
            }
        }
        Ok(())
    }

    fn scan_number(&mut self) -> Result<(), LexFault> {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            while self.accept("0123456789_") {}
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) { Err(LexFault::BadNumber) } else { Ok(()) }
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|character| set.contains(character));
        if found {
            self.next();
        }
        found
    }

    /// `Some(trims)` at a right delimiter.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some(false);
        }
        let marker = rest.strip_prefix(is_space)?.strip_prefix('-')?;
        marker.starts_with(RIGHT).then_some(true)
    }

    fn rest(&self) -> &str {
        self.after(self.position)
    }

    fn after(&self, position: usize) -> &str {
        self.text.get(position..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn previous(&self) -> Option<char> {
        self.text.get(..self.position)?.chars().next_back()
    }

    fn push_text(&mut self, start: usize, end: usize) {
        if end > start {
            self.tokens.push(Token { kind: TokenKind::Text, span: span(start, end) });
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, span: span(start, self.position) });
    }
}

fn span(start: usize, end: usize) -> Span {
    // Template texts are far below four gigabytes; the parser refuses longer ones before they come here.
    Span { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
}

fn has_left_trim(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphabetic() || character.is_numeric()
}

fn word_kind(word: &str) -> TokenKind {
    TokenKind::Keyword(match word {
        "true" => return TokenKind::True,
        "false" => return TokenKind::False,
        "nil" => return TokenKind::Nil,
        "block" => Keyword::Block,
        "break" => Keyword::Break,
        "continue" => Keyword::Continue,
        "define" => Keyword::Define,
        "else" => Keyword::Else,
        "end" => Keyword::End,
        "if" => Keyword::If,
        "range" => Keyword::Range,
        "template" => Keyword::Template,
        "with" => Keyword::With,
        _ => return TokenKind::Identifier,
    })
}

impl Span {
    /// From the start of `self` to the end of `other`.
    pub(super) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end.max(self.start) }
    }

    /// The text the span covers.
    pub(super) fn slice(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

impl LexFault {
    pub(super) fn message(self) -> String {
        match self {
            Self::UnclosedComment => "unclosed comment".to_owned(),
            Self::CommentEnd => "comment ends before closing delimiter".to_owned(),
            Self::UnclosedAction => "unclosed action".to_owned(),
            Self::UnclosedParenthesis => "unclosed left paren".to_owned(),
            Self::UnexpectedParenthesis => "unexpected right paren".to_owned(),
            Self::ExpectedDeclare => "expected :=".to_owned(),
            Self::UnterminatedCharacter => "unterminated character constant".to_owned(),
            Self::UnterminatedString => "unterminated quoted string".to_owned(),
            Self::UnterminatedRawString => "unterminated raw quoted string".to_owned(),
            Self::BadNumber => "bad number syntax".to_owned(),
            Self::BadCharacter(character) => {
                format!("bad character U+{:04X} {character:?}", u32::from(character))
            }
            Self::UnrecognizedCharacter(character) => {
                format!("unrecognized character in action: U+{:04X}", u32::from(character))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(TokenKind, &str)]) {
        let found: Vec<_> = tokens(text).iter().map(|token| (token.kind, token.span.slice(text))).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn actions_split_into_tokens() {
        use TokenKind::*;
        check(
            "a{{.b}}",
            &[(Text, "a"), (LeftDelimiter, "{{"), (Field, ".b"), (RightDelimiter, "}}"), (End, "")],
        );
        check("{{$}}", &[(LeftDelimiter, "{{"), (Variable, "$"), (RightDelimiter, "}}"), (End, "")]);
        check(
            "{{ 1.5|f }}",
            &[
                (LeftDelimiter, "{{"),
                (Space, " "),
                (Number, "1.5"),
                (Pipe, "|"),
                (Identifier, "f"),
                (Space, " "),
                (RightDelimiter, "}}"),
                (End, ""),
            ],
        );
    }

    #[test]
    fn trim_markers_take_white_space_along() {
        use TokenKind::*;
        check(
            "a \n{{- 1 -}}\t b",
            &[
                (Text, "a"),
                (LeftDelimiter, "{{-"),
                (Space, " "),
                (Number, "1"),
                (RightDelimiter, " -}}\t "),
                (Text, "b"),
                (End, ""),
            ],
        );
        check("{{-3}}", &[(LeftDelimiter, "{{"), (Number, "-3"), (RightDelimiter, "}}"), (End, "")]);
        check("a {{- /* c */ -}} b", &[(Text, "a"), (Text, "b"), (End, "")]);
    }

    #[test]
    fn faults_end_the_tokens() {
        let check = |text: &str, expected: LexFault| {
            assert_eq!(
                tokens(text).last().map(|token| token.kind),
                Some(TokenKind::Error(expected)),
                "{text}"
            );
        };
        check("{{", LexFault::UnclosedAction);
        check("{{ (1 }}", LexFault::UnclosedParenthesis);
        check("{{ 1) }}", LexFault::UnexpectedParenthesis);
        check("{{ \"a\n\" }}", LexFault::UnterminatedString);
        check("{{ `a }}", LexFault::UnterminatedRawString);
        check("{{ 3-}}", LexFault::BadNumber);
        check("{{ 12ab }}", LexFault::BadNumber);
        check("{{ $x=1 }}", LexFault::BadCharacter('='));
        check("{{ \u{0} }}", LexFault::UnrecognizedCharacter('\u{0}'));
        check("{{/* a", LexFault::UnclosedComment);
        check("{{/* a */ }}", LexFault::CommentEnd);
    }
}
