//! Translation of Go's RE2 syntax into that of the `regex` crate.
//!
//! The two differ in what Perl classes mean (ASCII in Go), in escapes, in literal braces, and in what is an
//! error. Whatever the reader here does not know is refused, with Go's words.

use crate::template::go::Refusal;

/// Repetitions, multiplied through nested ones, up to this count.
const REPEAT_LIMIT: u32 = 1000;
/// Groups may nest this deep.
const DEPTH_LIMIT: usize = 250;

/// An expression for the `regex` crate, its groups all unnamed.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The name of each group, group 0 first, empty where it has none.
    pub(super) names: Vec<String>,
}

/// Translates an expression.
///
/// # Errors
///
/// Go's sentence about what is wrong.
pub(super) fn translate(expression: &[u8]) -> Result<Translation, Refusal> {
    let text = std::str::from_utf8(expression).map_err(|error| {
        let rest = expression.get(error.valid_up_to()..).unwrap_or_default();
        fault("invalid UTF-8", &String::from_utf8_lossy(rest))
    })?;
    let mut reader = Reader {
        rest: text,
        whole: text,
        out: String::with_capacity(text.len() * 2),
        names: vec![String::new()],
        groups: vec![Level { operand: Operand::None, repeat: 1 }],
    };
    reader.read()?;
    Ok(Translation { pattern: reader.out, names: reader.names })
}

fn fault(what: &str, excerpt: &str) -> Refusal {
    Refusal::new(format!("error parsing regexp: {what}: `{excerpt}`"))
}

/// What a repetition operator would apply to.
#[derive(Clone, Copy)]
enum Operand {
    /// Nothing: the start of the expression, a group or an alternative.
    None,
    /// Something, in which a counted repetition already multiplies to this.
    Single(u32),
    /// Something repeated, by an operator that begins with this many bytes left to read.
    Repeated { left: usize },
}

/// One open group, or the whole expression.
struct Level {
    operand: Operand,
    /// The largest product of counted repetitions inside.
    repeat: u32,
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
    out: String,
    names: Vec<String>,
    groups: Vec<Level>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), Refusal> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.bump(1);
                    self.out.push('|');
                    self.set_operand(Operand::None);
                }
                '*' | '+' | '?' => self.repeat_operator()?,
                '{' => self.count()?,
                '^' | '$' | '.' => {
                    self.bump(1);
                    self.out.push(next);
                    self.set_operand(Operand::Single(1));
                }
                _ => {
                    self.bump(next.len_utf8());
                    self.literal(next);
                }
            }
        }
        if self.groups.len() > 1 {
            return Err(fault("missing closing )", self.whole));
        }
        Ok(())
    }

    fn bump(&mut self, len: usize) -> &'a str {
        let (head, tail) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = tail;
        head
    }

    /// What was read since `left` bytes were left.
    fn since(&self, left: usize) -> &'a str {
        let start = self.whole.len() - left.min(self.whole.len());
        self.whole.get(start..self.whole.len() - self.rest.len()).unwrap_or_default()
    }

    fn set_operand(&mut self, operand: Operand) {
        if let Some(level) = self.groups.last_mut() {
            level.operand = operand;
        }
    }

    fn literal(&mut self, value: char) {
        push_literal(&mut self.out, value);
        self.set_operand(Operand::Single(1));
    }

    fn escape(&mut self) -> Result<(), Refusal> {
        if let Some(quoted) = self.rest.strip_prefix("\\Q") {
            let (text, tail) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            self.rest = tail;
            text.chars().for_each(|value| self.literal(value));
            return Ok(());
        }
        let translated = match self.rest.as_bytes().get(1) {
            Some(b'A') => "\\A",
            Some(b'z') => "\\z",
            Some(b'b') => "(?-u:\\b)",
            Some(b'B') => "(?-u:\\B)",
            _ => "",
        };
        if !translated.is_empty() {
            self.bump(2);
            self.out.push_str(translated);
        } else if !self.escaped_class()? {
            let value = self.escaped_character()?;
            push_literal(&mut self.out, value);
        }
        self.set_operand(Operand::Single(1));
        Ok(())
    }

    /// Reads `\d`, `\pL` and the like, which stand inside and outside brackets.
    fn escaped_class(&mut self) -> Result<bool, Refusal> {
        let class = match self.rest.as_bytes().get(1) {
            Some(b'd') => "[0-9]",
            Some(b'D') => "[^0-9]",
            Some(b's') => "[\\t\\n\\x0C\\r ]",
            Some(b'S') => "[^\\t\\n\\x0C\\r ]",
            Some(b'w') => "[0-9A-Za-z_]",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'p' | b'P') => return self.unicode_class().map(|()| true),
            _ => return Ok(false),
        };
        self.bump(2);
        self.out.push_str(class);
        Ok(true)
    }

    fn unicode_class(&mut self) -> Result<(), Refusal> {
        let left = self.rest.len();
        let upper = self.bump(2).ends_with('P');
        let name = match self.rest.strip_prefix('{') {
            Some(body) => {
                let Some((name, _)) = body.split_once('}') else {
                    self.rest = "";
                    return Err(fault("invalid character class range", self.since(left)));
                };
                self.bump(name.len() + 2);
                name
            }
            None => {
                let len = self.rest.chars().next().map_or(0, char::len_utf8);
                self.bump(len)
            }
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (!upper, name),
            None => (upper, name),
        };
        let known = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !known {
            return Err(fault("invalid character class range", self.since(left)));
        }
        let letter = if negated { 'P' } else { 'p' };
        self.out.push_str(&format!("\\{letter}{{{name}}}"));
        Ok(())
    }

    fn escaped_character(&mut self) -> Result<char, Refusal> {
        let left = self.rest.len();
        self.bump(1);
        let Some(letter) = self.rest.chars().next() else {
            return Err(fault("trailing backslash at end of expression", ""));
        };
        self.bump(letter.len_utf8());
        let value = match letter {
            '0'..='7' => self.octal(letter),
            'x' => self.hexadecimal(),
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Some(letter),
            _ => None,
        };
        value.ok_or_else(|| fault("invalid escape sequence", self.since(left)))
    }

    fn octal(&mut self, first: char) -> Option<char> {
        let digits = self.rest.bytes().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        // A single digit other than 0 would be a back reference.
        if first != '0' && digits == 0 {
            return None;
        }
        let digits = self.bump(digits);
        u32::from_str_radix(&format!("{first}{digits}"), 8).ok().and_then(char::from_u32)
    }

    fn hexadecimal(&mut self) -> Option<char> {
        let digits = match self.rest.strip_prefix('{') {
            Some(body) => {
                let (digits, _) = body.split_once('}')?;
                self.bump(digits.len() + 2);
                digits
            }
            None => {
                let digits = self.rest.get(..2)?;
                self.bump(2);
                digits
            }
        };
        let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| hex).and_then(char::from_u32)
    }

    fn class(&mut self) -> Result<(), Refusal> {
        let left = self.rest.len();
        self.bump(1);
        self.out.push('[');
        if self.rest.starts_with('^') {
            self.bump(1);
            self.out.push('^');
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.is_empty() {
                return Err(fault("missing closing ]", self.since(left)));
            }
            if self.rest.starts_with("[:") && self.named_class()? {
                continue;
            }
            if self.rest.starts_with('\\') && self.escaped_class()? {
                continue;
            }
            self.class_range(left)?;
        }
        self.bump(1);
        self.out.push(']');
        self.set_operand(Operand::Single(1));
        Ok(())
    }

    fn named_class(&mut self) -> Result<bool, Refusal> {
        let Some((name, _)) = self.rest.get(2..).and_then(|body| body.split_once(":]")) else {
            return Ok(false);
        };
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let written = self.bump(name.len() + 4);
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(fault("invalid character class range", written));
        }
        self.out.push_str(written);
        Ok(true)
    }

    fn class_range(&mut self, class_left: usize) -> Result<(), Refusal> {
        let left = self.rest.len();
        let low = self.class_character(class_left)?;
        let mut high = low;
        if self.rest.starts_with('-') && self.rest.len() >= 2 && !self.rest.starts_with("-]") {
            self.bump(1);
            high = self.class_character(class_left)?;
        }
        if high < low {
            return Err(fault("invalid character class range", self.since(left)));
        }
        push_class_character(&mut self.out, low);
        if high != low {
            self.out.push('-');
            push_class_character(&mut self.out, high);
        }
        Ok(())
    }

    fn class_character(&mut self, class_left: usize) -> Result<char, Refusal> {
        match self.rest.chars().next() {
            None => Err(fault("missing closing ]", self.since(class_left))),
            Some('\\') => self.escaped_character(),
            Some(value) => {
                self.bump(value.len_utf8());
                Ok(value)
            }
        }
    }

    fn open(&mut self) -> Result<(), Refusal> {
        if self.groups.len() > DEPTH_LIMIT {
            return Err(fault("expression nests too deeply", self.whole));
        }
        if self.rest.starts_with("(?P<") || self.rest.starts_with("(?<") {
            self.named_group()?;
        } else if self.rest.starts_with("(?") {
            return self.flags();
        } else {
            self.bump(1);
            self.names.push(String::new());
        }
        self.out.push('(');
        self.groups.push(Level { operand: Operand::None, repeat: 1 });
        Ok(())
    }

    fn named_group(&mut self) -> Result<(), Refusal> {
        let start = if self.rest.starts_with("(?P") { 4 } else { 3 };
        let Some((name, _)) = self.rest.get(start..).and_then(|body| body.split_once('>')) else {
            return Err(fault("invalid named capture", self.rest));
        };
        let written = self.bump(start + name.len() + 1);
        let valid = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        if !valid {
            return Err(fault("invalid named capture", written));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Reads `(?i)`, `(?s-m:` and the like.
    fn flags(&mut self) -> Result<(), Refusal> {
        let left = self.rest.len();
        self.bump(2);
        let (mut negative, mut seen) = (false, false);
        loop {
            let next = self.rest.chars().next();
            self.bump(next.map_or(0, char::len_utf8));
            match next {
                Some('i' | 'm' | 's' | 'U') => seen = true,
                Some('-') if !negative => {
                    negative = true;
                    seen = false;
                }
                Some(':') if !negative || seen => {
                    self.out.push_str(self.since(left));
                    self.groups.push(Level { operand: Operand::None, repeat: 1 });
                    return Ok(());
                }
                Some(')') if !negative || seen => {
                    let written = self.since(left);
                    // Go takes flags that change nothing; the engine does not.
                    if written != "(?)" {
                        self.out.push_str(written);
                    }
                    self.set_operand(Operand::None);
                    return Ok(());
                }
                _ => {
                    return Err(fault("invalid or unsupported Perl syntax", self.since(left)));
                }
            }
        }
    }

    fn close(&mut self) -> Result<(), Refusal> {
        if self.groups.len() < 2 {
            return Err(fault("unexpected )", self.whole));
        }
        let inner = self.groups.pop().map_or(1, |level| level.repeat);
        self.bump(1);
        self.out.push(')');
        self.note_repeat(inner);
        self.set_operand(Operand::Single(inner));
        Ok(())
    }

    fn note_repeat(&mut self, repeat: u32) {
        if let Some(level) = self.groups.last_mut() {
            level.repeat = level.repeat.max(repeat);
        }
    }

    fn repeat_operator(&mut self) -> Result<(), Refusal> {
        let left = self.rest.len();
        let len = 1 + usize::from(self.rest.get(1..2) == Some("?"));
        let operator = self.bump(len);
        self.repeated(operator, 1, left)
    }

    fn repeated(&mut self, operator: &str, times: u32, left: usize) -> Result<(), Refusal> {
        let inner = match self.groups.last().map_or(Operand::None, |level| level.operand) {
            Operand::None => {
                return Err(fault("missing argument to repetition operator", operator));
            }
            Operand::Repeated { left } => {
                return Err(fault("invalid nested repetition operator", self.since(left)));
            }
            Operand::Single(inner) => inner,
        };
        let repeat = inner.saturating_mul(times.max(1));
        if repeat > REPEAT_LIMIT {
            return Err(fault("invalid repeat count", operator));
        }
        self.out.push_str(operator);
        self.note_repeat(repeat);
        self.set_operand(Operand::Repeated { left });
        Ok(())
    }

    /// Reads `{2,3}`; a brace that begins nothing of the kind is a literal.
    fn count(&mut self) -> Result<(), Refusal> {
        let left = self.rest.len();
        let counts = self.rest.split_once('}').and_then(|(head, _)| {
            let body = head.get(1..)?;
            let (low, high) = match body.split_once(',') {
                None => (bound(body)?, Some(bound(body)?)),
                Some((low, "")) => (bound(low)?, None),
                Some((low, high)) => (bound(low)?, Some(bound(high)?)),
            };
            Some((head.len() + 1, low, high))
        });
        let Some((len, low, high)) = counts else {
            self.bump(1);
            self.literal('{');
            return Ok(());
        };
        let lazy = self.rest.get(len..len + 1) == Some("?");
        let most = high.unwrap_or(low);
        if low > REPEAT_LIMIT || most > REPEAT_LIMIT || most < low {
            return Err(fault("invalid repeat count", self.rest.get(..len).unwrap_or_default()));
        }
        let operator = self.bump(len + usize::from(lazy));
        self.repeated(operator, most, left)
    }
}

/// A repetition bound: digits without a leading zero; anything beyond the limit counts as beyond it.
fn bound(digits: &str) -> Option<u32> {
    let form = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    (form && canonical).then(|| digits.parse().unwrap_or(u32::MAX))
}

fn push_literal(out: &mut String, value: char) {
    let mut buffer = [0; 4];
    out.push_str(&regex::escape(value.encode_utf8(&mut buffer)));
}

fn push_class_character(out: &mut String, value: char) {
    if value.is_alphanumeric() {
        out.push(value);
    } else {
        out.push_str(&format!("\\x{{{:X}}}", u32::from(value)));
    }
}

#[cfg(test)]
mod tests {
    use crate::template::go::regex::Regex;

    fn check(expression: &str, text: &str, expected: bool) {
        let found = Regex::new(expression.as_bytes()).map(|regex| regex.is_match(text.as_bytes()));
        assert_eq!(found, Ok(expected), "{expression} on {text:?}");
    }

    #[test]
    fn perl_classes_are_ascii() {
        check(r"^\d$", "٣", false);
        check(r"^\w$", "é", false);
        check(r"^[\W]$", "é", true);
        check(r"^[\D]$", "5", false);
        check(r"^\s$", "\u{a0}", false);
        check(r"^\s$", "\x0b", false);
        check(r"\bé", "é", false);
        check(r"^[[:alpha:]]$", "é", false);
        check(r"^[[:^alpha:]]$", "é", true);
        check(r"^\p{L}+\pL$", "éa", true);
        check(r"^\p{^L}\P{Greek}$", "1é", true);
    }

    #[test]
    fn go_syntax() {
        check(r"^\Qa.b\E$", "a.b", true);
        check(r"^\Qa.b", "a.bc", true);
        check("(?U)^a+", "aaa", true);
        check("^(?:a|b){2,3}$", "abab", false);
        check("^(?i)ABC(?-i:d)$", "abcd", true);
        check(r"a\z", "a", true);
        check("(?s)a.b", "a\nb", true);
        check("a.b", "a\nb", false);
        check("a$", "a\n", false);
        check("(?m)^b$", "a\nb\nc", true);
        check("^x{,2}$", "x{,2}", true);
        check("^a{b}{$", "a{b}{", true);
        check(r"^[]a\]-]+$", "]a-]", true);
        check("^[^]a]$", "b", true);
        check("^[a-c&&b]+$", "&a", true);
        check("^[[]~~]$", "[~~]", true);
        check(r"^\x41\x{1F600}\101\07\a$", "A😀A\x07\x07", true);
        check(r"^\_\-\ $", "_- ", true);
        check("^[+--]$", ",", true);
        check("(?)a", "a", true);
        check("(?<a>x)(?<a>y)", "xy", true);
        check(r"^a\Q\E*$", "aa", true);
        check("(|a)()", "", true);
        check("^(?P<9a>x)$", "x", true);
    }

    fn check_error(expression: &str, expected: &str) {
        let error = Regex::new(expression.as_bytes()).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(error, Err(format!("error parsing regexp: {expected}")), "{expression}");
    }

    #[test]
    fn errors_have_the_words_of_go() {
        check_error("(", "missing closing ): `(`");
        check_error("a)", "unexpected ): `a)`");
        check_error("[a", "missing closing ]: `[a`");
        check_error("*", "missing argument to repetition operator: `*`");
        check_error("(|+)", "missing argument to repetition operator: `+`");
        check_error("a**", "invalid nested repetition operator: `**`");
        check_error("a{2}{3}", "invalid nested repetition operator: `{2}{3}`");
        check_error("a{1001}", "invalid repeat count: `{1001}`");
        check_error("a{3,2}", "invalid repeat count: `{3,2}`");
        check_error("(a{100}){100}", "invalid repeat count: `{100}`");
        check_error(r"\y", r"invalid escape sequence: `\y`");
        check_error(r"\1", r"invalid escape sequence: `\1`");
        check_error(r"\Z", r"invalid escape sequence: `\Z`");
        check_error("a\\", "trailing backslash at end of expression: ``");
        check_error("[b-a]", "invalid character class range: `b-a`");
        check_error(r"\p{x=y}", r"invalid character class range: `\p{x=y}`");
        check_error("[[:foo:]]", "invalid character class range: `[:foo:]`");
        check_error("a(?=b)", "invalid or unsupported Perl syntax: `(?=`");
        check_error("(?x)a", "invalid or unsupported Perl syntax: `(?x`");
        check_error("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`");
        check_error(r"\E", r"invalid escape sequence: `\E`");
        check_error("(?i", "invalid or unsupported Perl syntax: `(?i`");
        check_error("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`");
    }
}
