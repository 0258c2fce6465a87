//! Mailboxes: what an rfc822Name holds (RFC 2821 §4.1.2), as Go's `crypto/x509` reads it.
//!
//! Name constraints and policies compare the parts: the local part exactly, the domain without case.

/// A mailbox, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// What stands before the `@`, quotes and backslashes undone.
    pub local: String,
    /// What stands behind it, as written.
    pub domain: String,
}

impl Mailbox {
    /// Parses a mailbox; `None` if it is none.
    ///
    /// A space in a quoted local part and a backslash in an unquoted one pass, as RFC 3696 §3 shows them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = match text.strip_prefix('"') {
            Some(rest) => quoted_local_part(rest)?,
            None => local_part(text)?,
        };
        let domain = domain.strip_prefix('@')?;
        domain_labels(domain)?;
        Some(Self { local, domain: domain.to_owned() })
    }
}

fn quoted_local_part(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((local, chars.as_str())),
            '\\' => match chars.next()? {
                escaped @ ('\u{1}'..='\u{9}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{7f}') => local.push(escaped),
                _ => return None,
            },
            plain @ ('\u{1}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='!' | '#'..='[' | ']'..='\u{7f}') => {
                local.push(plain);
            }
            _ => return None,
        }
    }
}

fn local_part(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut chars = text.chars();
    let rest = loop {
        let rest = chars.as_str();
        match chars.next() {
            Some('\\') => match chars.next()? {
                escaped if escaped.is_ascii() => local.push(escaped),
                _ => return None,
            },
            Some(plain) if plain.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(plain) => {
                local.push(plain)
            }
            _ => break rest,
        }
    };
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    (!local.is_empty() && !dots).then_some((local, rest))
}

/// The labels of a domain from the last to the first; none for an empty domain.
///
/// `None` if a label is empty (so a dot ends or begins the domain) or holds anything but visible ASCII.
pub(crate) fn domain_labels(domain: &str) -> Option<Vec<&str>> {
    if domain.is_empty() {
        return Some(Vec::new());
    }
    domain
        .rsplit('.')
        .map(|label| {
            let visible = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic());
            visible.then_some(label)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let mailbox = Mailbox::parse(text);
        let parts = mailbox.as_ref().map(|mailbox| (mailbox.local.as_str(), mailbox.domain.as_str()));
        assert_eq!(parts, expected, "{text:?}");
    }

    #[test]
    fn parses_mailboxes() {
        check("a@b.example", Some(("a", "b.example")));
        check("a.b+c@X.example", Some(("a.b+c", "X.example")));
        check("\"a b\\\"c@d\"@x", Some(("a b\"c@d", "x")));
        check("a\\@b@x", Some(("a@b", "x")));
        check("a@[10.0.0.1]", Some(("a", "[10.0.0.1]")));
        check("a@", Some(("a", "")));
        check("a@b@x", Some(("a", "b@x")));
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "a",
            "@x",
            ".a@x",
            "a.@x",
            "a..b@x",
            "a b@x",
            "a@x.",
            "a@.x",
            "a@x..y",
            "a@x y",
            "ä@x",
            "a@ü",
            "\"a@x",
            "\"a\"b@x",
            "a\\",
            "\"\u{0}\"@x",
        ] {
            check(text, None);
        }
    }
}
