//! Reads members of ca.json the way Go fills a structure.
//!
//! Names match without case, the last of equal names wins, `null` is absent, unknown names are ignored
//! (CONTRACT.md section 11).

use crate::config::Error;
use crate::duration::GoDuration;
use crate::json;
use crate::json::Raw;

/// An object of ca.json with its place, for messages: `authority.provisioners[2]`.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    place: String,
    members: Vec<(std::borrow::Cow<'a, str>, Raw<'a>)>,
}

impl<'a> Object<'a> {
    /// Reads `raw`, which stands at `place`; `null` has no members.
    pub(crate) fn new(place: &str, raw: Raw<'a>) -> Result<Self, Error> {
        if raw.is_null() {
            return Ok(Self { place: place.to_owned(), members: Vec::new() });
        }
        let members = raw.members().ok_or_else(|| mismatch(raw, place, "object"))?;
        Ok(Self { place: place.to_owned(), members })
    }

    /// The member's place, for messages.
    pub(crate) fn place(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}.{field}", self.place) }
    }

    /// The member, unless it is missing or `null`.
    pub(crate) fn field(&self, field: &str) -> Option<Raw<'a>> {
        let (_, value) = self.members.iter().rev().find(|(name, _)| json::field_matches(name, field))?;
        (!value.is_null()).then_some(*value)
    }

    pub(crate) fn object(&self, field: &str) -> Result<Option<Object<'a>>, Error> {
        self.field(field).map(|raw| Self::new(&self.place(field), raw)).transpose()
    }

    pub(crate) fn string(&self, field: &str) -> Result<Option<String>, Error> {
        self.read(field, "string", |raw| raw.as_str().map(std::borrow::Cow::into_owned))
    }

    /// A string, empty where it is missing.
    pub(crate) fn text(&self, field: &str) -> Result<String, Error> {
        Ok(self.string(field)?.unwrap_or_default())
    }

    pub(crate) fn bool(&self, field: &str) -> Result<Option<bool>, Error> {
        self.read(field, "bool", Raw::as_bool)
    }

    pub(crate) fn number(&self, field: &str) -> Result<Option<f64>, Error> {
        self.read(field, "number", Raw::as_f64)
    }

    pub(crate) fn duration(&self, field: &str) -> Result<Option<GoDuration>, Error> {
        let Some(text) = self.string(field)? else { return Ok(None) };
        // Go's duration type takes an empty text for none.
        if text.is_empty() {
            return Ok(Some(GoDuration::ZERO));
        }
        text.parse()
            .map(Some)
            .map_err(|error| Error::Value { place: self.place(field), reason: format!("{error}") })
    }

    pub(crate) fn strings(&self, field: &str) -> Result<Vec<String>, Error> {
        self.elements(field)?
            .into_iter()
            .enumerate()
            .map(|(i, item)| {
                item.as_str()
                    .map(std::borrow::Cow::into_owned)
                    .ok_or_else(|| mismatch(item, &format!("{}[{i}]", self.place(field)), "string"))
            })
            .collect()
    }

    /// A string or a list of strings.
    pub(crate) fn one_or_more(&self, field: &str) -> Result<Vec<String>, Error> {
        match self.field(field).map(Raw::kind) {
            Some(json::Kind::String) => Ok(self.string(field)?.into_iter().collect()),
            _ => self.strings(field),
        }
    }

    /// The elements of a list, none where it is missing.
    pub(crate) fn elements(&self, field: &str) -> Result<Vec<Raw<'a>>, Error> {
        Ok(self.read(field, "list", Raw::elements)?.unwrap_or_default())
    }

    fn read<T>(
        &self,
        field: &str,
        expected: &'static str,
        take: impl FnOnce(Raw<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.field(field)
            .map(|raw| take(raw).ok_or_else(|| mismatch(raw, &self.place(field), expected)))
            .transpose()
    }
}

fn mismatch(raw: Raw<'_>, place: &str, expected: &'static str) -> Error {
    Error::Json(raw.mismatch(if place.is_empty() { "ca.json" } else { place }, expected))
}
