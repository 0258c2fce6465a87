//! Words joined by case or by a connector: `CamelCase`, `snake_case`, `kebab-case`.
//!
//! Where a word ends follows the xstrings library, digits and abbreviations included: `HTTPServer2xx` has the
//! words `HTTP`, `Server` and `2xx`.

use std::sync::LazyLock;

use regex::Regex;

use crate::template::go::runes::is_space;
use crate::template::go::runes::lower;
use crate::template::go::runes::upper;
use crate::template::go::runes::valid_text;

/// What a run of characters is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// The pattern is a constant, so the absence of a match means only that.
static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{P}$").ok());

fn is_punctuation(value: char) -> bool {
    let mut buffer = [0; 4];
    let text = value.encode_utf8(&mut buffer);
    PUNCTUATION.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn is_connector(value: char) -> bool {
    value == '-' || value == '_' || is_space(value)
}

/// Letters other than Chinese characters, which are words of their own.
fn is_letter(value: char) -> bool {
    let chinese =
        matches!(value, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    value.is_alphabetic() && !chinese
}

fn class_of(value: char) -> Class {
    match value {
        _ if is_connector(value) => Class::Connector,
        _ if is_punctuation(value) => Class::Punctuation,
        _ if value.is_uppercase() => Class::Upper,
        _ if is_letter(value) => Class::Letters,
        _ if value.is_numeric() => Class::Number,
        _ => Class::Other,
    }
}

/// Cuts the first word off; a capital with small letters is one word, capitals before it another.
fn next_word(text: &[char]) -> Option<(Class, &[char], &[char])> {
    let first = *text.first()?;
    let class = class_of(first);
    let run = |from: usize, goes_on: fn(char) -> bool| {
        from + text.iter().skip(from).take_while(|value| goes_on(**value)).count()
    };
    let small = |value: char| is_letter(value) && !value.is_uppercase();
    let len = match class {
        Class::Connector => run(1, is_connector),
        Class::Punctuation => run(1, is_punctuation),
        Class::Letters => run(1, small),
        Class::Number => run(1, char::is_numeric),
        Class::Other => run(1, |value| class_of(value) == Class::Other),
        Class::Upper => match run(1, char::is_uppercase) {
            1 => run(1, small),
            capitals if text.get(capitals).is_some_and(|value| is_letter(*value)) => capitals - 1,
            capitals => capitals,
        },
    };
    let (word, rest) = text.split_at_checked(len)?;
    Some((class, word, rest))
}

/// Small letters, words parted by `connector`.
pub(crate) fn connected(text: &[u8], connector: char) -> Vec<u8> {
    let text: Vec<char> = valid_text(text).chars().collect();
    let mut out = String::new();
    let mut words = Words { rest: &text };
    let mut current = words.next();
    while let Some((class, word)) = current {
        push(&mut out, class, word, connector);
        let mut next = words.next();
        let part = |next: &Option<(Class, &[char])>, out: &mut String| {
            if next.is_some_and(|(class, _)| !matches!(class, Class::Connector | Class::Punctuation)) {
                out.push(connector);
            }
        };
        match class {
            Class::Connector | Class::Punctuation => {}
            Class::Number => {
                next = words.push_tail(next, connector, &mut out);
                part(&next, &mut out);
            }
            _ => match next {
                Some((Class::Number, number)) if !words.rest.is_empty() => {
                    next = words.next();
                    if next.is_some_and(|(class, _)| class == Class::Letters) {
                        // Small letters make the number a word of its own: http_2xx.
                        out.push(connector);
                        push(&mut out, Class::Number, number, connector);
                        next = words.push_tail(next, connector, &mut out);
                    } else {
                        push(&mut out, Class::Number, number, connector);
                    }
                    part(&next, &mut out);
                }
                Some((Class::Number, _)) => {}
                _ => part(&next, &mut out),
            },
        }
        current = next;
    }
    out.into_bytes()
}

struct Words<'a> {
    rest: &'a [char],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<(Class, &'a [char])> {
        let (class, word, rest) = next_word(self.rest)?;
        self.rest = rest;
        Some((class, word))
    }

    /// Writes the small letters and digits that stick to a number, and gives back what follows them.
    fn push_tail(
        &mut self,
        mut next: Option<(Class, &'a [char])>,
        connector: char,
        out: &mut String,
    ) -> Option<(Class, &'a [char])> {
        while let Some((class @ (Class::Letters | Class::Number), word)) = next {
            push(out, class, word, connector);
            next = self.next();
        }
        next
    }
}

fn push(out: &mut String, class: Class, word: &[char], connector: char) {
    match class {
        Class::Connector => out.extend(word.iter().map(|_| connector)),
        Class::Upper => out.extend(word.iter().map(|value| lower(*value))),
        _ => out.extend(word),
    }
}

/// Capitals at the start of words, connectors dropped: `some_words` becomes `SomeWords`.
pub(crate) fn pascal(text: &[u8]) -> Vec<u8> {
    let text = valid_text(text);
    let lead = text.find(|value| !is_connector(value)).unwrap_or(text.len());
    let (connectors, words) = text.split_at_checked(lead).unwrap_or((&text, ""));
    let mut out = connectors.to_owned();
    let mut rest = words.chars();
    let Some(first) = rest.next() else {
        // A text of connectors alone gets its last one twice.
        out.extend(connectors.chars().last());
        return out.into_bytes();
    };
    // Capitals that follow a capital become small, until the first that is not one.
    let mut shouting = first.is_uppercase();
    let mut previous = upper(first);
    for value in rest {
        if is_connector(value) && is_connector(previous) {
            out.push(previous);
            previous = value;
            continue;
        }
        let mut current = value;
        if is_connector(previous) {
            shouting = value.is_uppercase();
            current = upper(value);
        } else {
            if shouting {
                shouting = value.is_uppercase();
                current = lower(value);
            }
            out.push(previous);
        }
        previous = current;
    }
    out.push(previous);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, snake: &str, camel: &str) {
        let found = (connected(text.as_bytes(), '_'), pascal(text.as_bytes()));
        assert_eq!(
            (String::from_utf8_lossy(&found.0), String::from_utf8_lossy(&found.1)),
            (snake.into(), camel.into())
        );
    }

    #[test]
    fn words() {
        check("a -_-Bx", "a____bx", "A -_Bx");
        check("FirstName", "first_name", "FirstName");
        check("HTTPServer", "http_server", "Httpserver");
        check("NoHTTPS", "no_https", "NoHTTPS");
        check("GO_PATH", "go_path", "GoPath");
        check("GO PATH", "go_path", "GoPath");
        check("GO-PATH", "go_path", "GoPath");
        check("http2xx", "http_2xx", "Http2xx");
        check("HTTP20xOK", "http_20x_ok", "Http20xOK");
        check("Duration2m3s", "duration_2m3s", "Duration2m3s");
        check("Bld4Floor3rd", "bld4_floor_3rd", "Bld4Floor3rd");
        check("_complex__case_", "_complex__case_", "_Complex_Case_");
        check("some_words", "some_words", "SomeWords");
        check("a.b-c", "a.b_c", "A.bC");
        check("9lives9", "9lives9", "9lives9");
        check("A1", "a1", "A1");
        check("a1", "a1", "A1");
        check("A1b", "a_1b", "A1b");
        check("x--y", "x__y", "X-Y");
        check("", "", "");
        check("-", "_", "--");
        check("_a", "_a", "_A");
        check("aBc1D2e", "a_bc1_d_2e", "ABc1D2e");
        check("héLLo", "hé_l_lo", "HéLLo");
        check("12a3B", "12a3_b", "12a3B");
        check("A.B", "a.b", "A.B");
        check("aB.Cd", "a_b.cd", "AB.Cd");
        check("Foo2 bar", "foo2_bar", "Foo2Bar");
        check("3.14pi", "3.14pi", "3.14pi");
        check("ABC123DEF", "abc123_def", "Abc123DEF");
    }
}
