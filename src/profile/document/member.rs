//! Members of a document, read into plain values with Go's leniencies: null is absence, a list may be one string.

use std::rc::Rc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;

use crate::profile::error::Error;
use crate::profile::json::Value;
use crate::profile::json::fold_char;
use crate::x509::oid::Oid;

/// Go's StdEncoding: padding required, unused bits ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 of the standard alphabet with padding; line breaks are ignored.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    BASE64.decode(text).ok()
}

/// A value with the path that leads to it; a missing member is null.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    /// What it is in; empty for the document itself.
    parent: Rc<str>,
    /// Its own name or index. The whole path is written for messages alone.
    place: Place,
    value: &'a Value,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// The parent itself.
    Itself,
    Named(&'static str),
    Indexed(usize),
}

/// The members of one object.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    path: Rc<str>,
    members: &'a [(String, Value)],
}

impl<'a> Member<'a> {
    /// The whole document.
    pub(super) fn document(value: &'a Value) -> Self {
        Self { parent: Rc::from(""), place: Place::Itself, value }
    }

    /// As messages name it: `extensions[1].value`.
    pub(super) fn path(&self) -> Rc<str> {
        match (&*self.parent, self.place) {
            (_, Place::Itself) => Rc::clone(&self.parent),
            ("", Place::Named(name)) => name.into(),
            (parent, Place::Named(name)) => format!("{parent}.{name}").into(),
            (parent, Place::Indexed(index)) => format!("{parent}[{index}]").into(),
        }
    }

    /// Another value under the path of this one.
    pub(super) fn holding<'b>(&self, value: &'b Value) -> Member<'b> {
        Member { parent: Rc::clone(&self.parent), place: self.place, value }
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> Error {
        Error::malformed(&*self.path(), reason)
    }

    pub(super) fn refused(&self, reason: impl Into<String>) -> Error {
        Error::refused(&*self.path(), reason)
    }

    pub(super) fn unsignable(&self, reason: impl Into<String>) -> Error {
        Error::unsignable(&*self.path(), reason)
    }

    fn wrong_type(&self, wanted: &str) -> Error {
        self.malformed(format!("{} where {wanted} should stand", self.value.kind()))
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// An object; `None` for null.
    pub(super) fn object(&self) -> Result<Option<Object<'a>>, Error> {
        match self.value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(Object { path: self.path(), members })),
            _ => Err(self.wrong_type("an object")),
        }
    }

    /// A list; empty for null.
    pub(super) fn list(&self) -> Result<Vec<Self>, Error> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::List(values) => {
                let parent = self.path();
                let at =
                    |(index, value)| Self { parent: Rc::clone(&parent), place: Place::Indexed(index), value };
                Ok(values.iter().enumerate().map(at).collect())
            }
            _ => Err(self.wrong_type("a list")),
        }
    }

    /// A string; `None` for null.
    pub(super) fn string(&self) -> Result<Option<&'a str>, Error> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// A string or a list of strings, each with its place; null inside a list is an empty string.
    pub(super) fn strings(&self) -> Result<Vec<(Self, &'a str)>, Error> {
        match self.value {
            Value::String(text) => Ok(vec![(self.clone(), text)]),
            Value::Null | Value::List(_) => {
                let strings = self.list()?.into_iter().map(|member| {
                    let text = member.string()?.unwrap_or_default();
                    Ok((member, text))
                });
                strings.collect()
            }
            _ => Err(self.wrong_type("a string or a list of strings")),
        }
    }

    /// As [`strings`](Self::strings), without the places.
    pub(super) fn texts(&self) -> Result<Vec<String>, Error> {
        Ok(self.strings()?.into_iter().map(|(_, text)| text.to_owned()).collect())
    }

    /// A boolean; false for null.
    pub(super) fn boolean(&self) -> Result<bool, Error> {
        match self.value {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    /// A whole number without fraction or exponent; `None` for null.
    pub(super) fn integer(&self) -> Result<Option<i64>, Error> {
        match self.value {
            Value::Null => Ok(None),
            Value::Number(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.malformed(format!("{text} is not a whole number of 64 bits"))),
            },
            _ => Err(self.wrong_type("a number")),
        }
    }

    /// Octets in base64, or as a list of numbers; `None` for null.
    pub(super) fn octets(&self) -> Result<Option<Vec<u8>>, Error> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => base64(text).map(Some).ok_or_else(|| self.malformed("not base64")),
            Value::List(_) => {
                let octets = self.list()?.into_iter().map(|member| {
                    let number = member.integer()?.unwrap_or_default();
                    u8::try_from(number).map_err(|_| member.malformed(format!("{number} is not an octet")))
                });
                octets.collect::<Result<_, _>>().map(Some)
            }
            _ => Err(self.wrong_type("a string of base64")),
        }
    }

    /// An object identifier; missing, null and empty are errors. Arcs from 2^31 up only where `big_arcs` says so.
    pub(super) fn oid(&self, big_arcs: bool) -> Result<Oid, Error> {
        self.parse_oid(self.string()?.unwrap_or_default(), big_arcs)
    }

    fn parse_oid(&self, text: &str, big_arcs: bool) -> Result<Oid, Error> {
        let oid = Oid::parse(text).map_err(|error| self.malformed(error.to_string()))?;
        if !big_arcs && !oid.has_small_arcs() {
            return Err(self.malformed(format!("{text} has an arc from 2^31 up")));
        }
        Ok(oid)
    }

    /// An object identifier or a list of them.
    pub(super) fn oids(&self, big_arcs: bool) -> Result<Vec<Oid>, Error> {
        let strings = self.strings()?.into_iter();
        strings.map(|(member, text)| member.parse_oid(text, big_arcs)).collect()
    }
}

impl<'a> Object<'a> {
    /// The member of this name, whatever the letter case; null if it is missing.
    pub(super) fn member(&self, name: &'static str) -> Member<'a> {
        self.find(name).unwrap_or_else(|| self.holding(name, &Value::Null))
    }

    /// The member of this name if it stands in the object, be it null.
    pub(super) fn find(&self, name: &'static str) -> Option<Member<'a>> {
        let (_, value) =
            self.members.iter().find(|(found, _)| found.chars().eq(name.chars().map(fold_char)))?;
        Some(self.holding(name, value))
    }

    fn holding<'b>(&self, name: &'static str, value: &'b Value) -> Member<'b> {
        Member { parent: Rc::clone(&self.path), place: Place::Named(name), value }
    }
}
