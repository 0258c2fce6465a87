//! Edits `authority.provisioners` in the text of a ca.json; every other byte stays as it is.
//!
//! Members that nobody here knows, their order, numbers in their spelling and white space live on, since only the
//! spans of what changes are written anew, in the layout of what stands beside them. Whether the result can be used
//! is for [`parse`](crate::config::parse) to say.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;
use thiserror::Error;

use crate::config::layout::Layout;
use crate::json;
use crate::json::Raw;

/// Why a text cannot be edited.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The text is no JSON.
    #[error("ca.json is no JSON: {0}")]
    Json(#[from] json::Error),
    /// A member that has to be there is missing or of another type.
    #[error("ca.json has no {0}")]
    Missing(&'static str),
    /// A member stands twice, and readers may differ on which one counts.
    #[error("{0} stands twice in one object of ca.json")]
    Twice(&'static str),
    /// There is no provisioner of this name.
    #[error("there is no provisioner {name:?}, only {}", .others.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        others: Vec<String>,
    },
    /// There is a provisioner of this name, or there are several.
    #[error("there is a provisioner {0:?} already")]
    Taken(String),
    /// The provisioner has no key of its own.
    #[error("provisioner {name:?} of type {kind} has no key to replace")]
    NoKey {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
    },
}

/// The list of provisioners in the text of a ca.json.
#[derive(Debug)]
pub(crate) struct Provisioners<'a> {
    text: &'a str,
    list: Raw<'a>,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    name: String,
    kind: String,
    raw: Raw<'a>,
    key: Option<Raw<'a>>,
}

/// A new key: what is published of it, and the private half if it is to stand there, encrypted.
#[derive(Debug)]
pub(crate) struct NewKey {
    pub(crate) key: Value,
    pub(crate) encrypted: Option<String>,
}

impl<'a> Provisioners<'a> {
    /// Finds the list.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Missing`] or [`Error::Twice`].
    pub(crate) fn find(text: &'a str) -> Result<Self, Error> {
        // step-ca's decoder does not look behind the object.
        let (root, _) = json::parse_prefix(text)?;
        let authority = only(root, "authority")?.ok_or(Error::Missing("authority"))?;
        let list = only(authority, "provisioners")?.ok_or(Error::Missing("authority.provisioners"))?;
        let items = match list.is_null() {
            true => Vec::new(),
            false => list.elements().ok_or(Error::Missing("list in authority.provisioners"))?,
        };
        let entries = items.into_iter().map(|raw| {
            let string = |field| Ok::<_, Error>(only(raw, field)?.and_then(Raw::as_str).map(Cow::into_owned));
            Ok(Entry {
                name: string("name")?.unwrap_or_default(),
                kind: string("type")?.unwrap_or_default(),
                key: only(raw, "key")?,
                raw,
            })
        });
        Ok(Self { text, list, entries: entries.collect::<Result<_, Error>>()? })
    }

    /// The key of a provisioner as it stands there.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], [`Error::Taken`] or [`Error::NoKey`].
    pub(crate) fn key(&self, name: &str) -> Result<&'a str, Error> {
        let entry = &self.entries[self.position(name)?];
        let fault = || Error::NoKey { name: name.to_owned(), kind: entry.kind.clone() };
        entry.key.filter(|_| entry.kind.eq_ignore_ascii_case("JWK")).map(Raw::text).ok_or_else(fault)
    }

    /// The text with one more provisioner at the end of the list.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] if there is one of this name, of whichever type.
    pub(crate) fn with(&self, name: &str, entry: &Value) -> Result<String, Error> {
        self.free(name)?;
        let layout = Layout::of_items(self.text, self.list);
        Ok(self.append(&layout, &layout.render(entry)))
    }

    /// The text without a provisioner.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], or [`Error::Taken`] if there are several of this name.
    pub(crate) fn without(&self, name: &str) -> Result<String, Error> {
        let at = self.position(name)?;
        let span = |i: usize| self.entries[i].raw.range_in(self.text);
        let gone = match at {
            0 if self.entries.len() == 1 => inside(self.list.range_in(self.text)),
            0 => span(0).start..span(1).start,
            _ => span(at - 1).end..span(at).end,
        };
        Ok(replaced(self.text, gone, ""))
    }

    /// The text with another key for a provisioner.
    ///
    /// # Errors
    ///
    /// As [`key`](Self::key).
    pub(crate) fn with_key(&self, name: &str, new: &NewKey) -> Result<String, Error> {
        self.key(name)?;
        let raw = self.entries[self.position(name)?].raw;
        Ok(replaced(self.text, raw.range_in(self.text), &rekeyed(raw.text(), new)?))
    }

    /// The text with one more provisioner, which is like the one called `name` but for its name and its key.
    ///
    /// # Errors
    ///
    /// As [`key`](Self::key), and [`Error::Taken`] if `new_name` is.
    pub(crate) fn with_copy(&self, name: &str, new_name: &str, new: &NewKey) -> Result<String, Error> {
        self.key(name)?;
        self.free(new_name)?;
        let raw = self.entries[self.position(name)?].raw;
        let copy = set_member(raw.text(), "name", Some(&new_name.into()))?;
        Ok(self.append(&Layout::of_items(self.text, self.list), &rekeyed(&copy, new)?))
    }

    fn free(&self, name: &str) -> Result<(), Error> {
        match self.entries.iter().any(|entry| entry.name == name) {
            true => Err(Error::Taken(name.to_owned())),
            false => Ok(()),
        }
    }

    /// The place of the only provisioner with this name.
    fn position(&self, name: &str) -> Result<usize, Error> {
        let mut found = self.entries.iter().enumerate().filter(|(_, entry)| entry.name == name);
        let others = || self.entries.iter().map(|entry| entry.name.clone()).collect();
        let (at, _) =
            found.next().ok_or_else(|| Error::Unknown { name: name.to_owned(), others: others() })?;
        match found.next() {
            Some(_) => Err(Error::Taken(name.to_owned())),
            None => Ok(at),
        }
    }

    fn append(&self, layout: &Layout, entry: &str) -> String {
        match self.entries.last() {
            Some(last) => {
                let end = last.raw.range_in(self.text).end;
                replaced(self.text, end..end, &format!(",{}{entry}", layout.between))
            }
            None => {
                let list = format!("[{}{entry}{}]", layout.between, layout.end);
                replaced(self.text, self.list.range_in(self.text), &list)
            }
        }
    }
}

/// An entry with another key, its private half beside it.
fn rekeyed(entry: &str, new: &NewKey) -> Result<String, Error> {
    let entry = set_member(entry, "key", Some(&new.key))?;
    set_member(&entry, "encryptedKey", new.encrypted.as_deref().map(Value::from).as_ref())
}

/// Gives a member of an object another value, takes it away, or puts it behind the member `key`.
fn set_member(object: &str, field: &'static str, value: Option<&Value>) -> Result<String, Error> {
    let (raw, _) = json::parse_prefix(object)?;
    only(raw, field)?;
    let layout = Layout::of_items(object, raw);
    let members = raw.members().unwrap_or_default();
    let value_span = |i: usize| members[i].1.range_in(object);
    let place = |name: &str| members.iter().position(|(found, _)| json::field_matches(found, name));
    // Between two members stand white space and a comma, so the next quotation mark begins a name.
    let name_start = |i: usize| {
        let from = if i == 0 { 1 } else { value_span(i - 1).end };
        from + object[from..].find('"').unwrap_or_default()
    };
    Ok(match (place(field), value) {
        (Some(at), Some(value)) => {
            let one_line = !members[at].1.text().contains('\n');
            let text = if one_line { value.to_string() } else { layout.render(value) };
            replaced(object, value_span(at), &text)
        }
        (Some(at), None) => {
            let gone = match at {
                0 if members.len() == 1 => inside(0..object.len()),
                0 => name_start(0)..name_start(1),
                _ => value_span(at - 1).end..value_span(at).end,
            };
            replaced(object, gone, "")
        }
        (None, Some(value)) => {
            let beside = place("key").ok_or(Error::Missing("key in the provisioner"))?;
            let end = value_span(beside).end;
            let (_, name_length) = json::parse_prefix(&object[name_start(beside)..])?;
            let colon = &object[name_start(beside) + name_length..value_span(beside).start];
            let text = layout.render(value);
            replaced(object, end..end, &format!(",{}\"{field}\"{colon}{text}", layout.between))
        }
        (None, None) => object.to_owned(),
    })
}

/// The only member whose name Go would take for this field.
fn only<'a>(object: Raw<'a>, field: &'static str) -> Result<Option<Raw<'a>>, Error> {
    let members = object.members().unwrap_or_default();
    let mut found = members.into_iter().filter(|(name, _)| json::field_matches(name, field));
    let first = found.next().map(|(_, value)| value);
    if found.next().is_some() { Err(Error::Twice(field)) } else { Ok(first) }
}

fn inside(brackets: Range<usize>) -> Range<usize> {
    brackets.start + 1..brackets.end - 1
}

fn replaced(text: &str, span: Range<usize>, with: &str) -> String {
    [&text[..span.start], with, &text[span.end..]].concat()
}

#[cfg(test)]
mod tests;
