//! The members of a JSON object as they are written: in order, values as raw text, names twice if need be.

use serde_json::Value;

use super::random::Random;

/// Names and raw values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members(pub(crate) Vec<(String, String)>);

impl Members {
    /// Sets a member, in place if it is there.
    pub(crate) fn set(&mut self, name: &str, value: &Value) {
        self.set_raw(name, &value.to_string());
    }

    /// Sets a member to raw text.
    pub(crate) fn set_raw(&mut self, name: &str, raw: &str) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, value)) => raw.clone_into(value),
            None => self.0.push((name.to_owned(), raw.to_owned())),
        }
    }

    /// Writes a member again.
    pub(crate) fn repeat(&mut self, name: &str, raw: &str) {
        self.0.push((name.to_owned(), raw.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    /// The raw value of the last member of this name, if there is one that is not `null`.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| *value != "null")
    }

    /// Its value.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.raw(name).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }

    /// The value of a member named in whatever case.
    pub(crate) fn folded(&self, name: &str) -> Value {
        let found = self.0.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.and_then(|(_, raw)| serde_json::from_str(raw).ok()).unwrap_or_default()
    }

    /// Changes one character of a name or a raw value: to another, to none, or to two.
    pub(crate) fn scramble(&mut self, random: &mut Random) {
        let at = random.below(self.0.len());
        let (name, raw) = &mut self.0[at];
        let text = if raw.starts_with('@') || random.one_in(4) { name } else { raw };
        let mut letters: Vec<char> = text.chars().collect();
        if letters.is_empty() {
            return;
        }
        let place = random.below(letters.len());
        let letter = random.pick(&[
            '0',
            '1',
            '9',
            '-',
            '+',
            '.',
            'e',
            'E',
            '"',
            '\\',
            '/',
            '{',
            '}',
            '[',
            ']',
            ':',
            ',',
            ' ',
            '\t',
            '\n',
            '\0',
            'n',
            'u',
            'a',
            'Z',
            '\u{e9}',
            '\u{2028}',
            '\u{1f600}',
            '#',
            '?',
            '%',
            '*',
            '@',
            '<',
        ]);
        match random.below(3) {
            0 => letters[place] = letter,
            1 => letters.insert(place, letter),
            _ => {
                letters.remove(place);
            }
        }
        *text = letters.into_iter().collect();
    }

    /// Whether a name stands twice; in whatever case, if it is one of `known`.
    pub(crate) fn has_twins(&self, known: &[&str]) -> bool {
        let fold = |name: &String| match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => (*known).to_owned(),
            None => name.clone(),
        };
        let names: Vec<String> = self.0.iter().map(|(name, _)| fold(name)).collect();
        (1..names.len()).any(|at| names[..at].contains(&names[at]))
    }

    pub(crate) fn text(&self) -> String {
        let members: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
        format!("{{{}}}", members.join(","))
    }
}
