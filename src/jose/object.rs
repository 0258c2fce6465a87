//! The JSON reader for JOSE: names are case sensitive, and none may appear twice at top level.
//!
//! Bytes that are not UTF-8 are replaced, as step-ca does (CONTRACT.md section 4).

use zeroize::Zeroizing;

use crate::jose::Error;
use crate::json;
use crate::json::Raw;

/// A JSON object with its members in order, their values as text.
///
/// The texts are wiped when dropped, since a JWK may hold secrets.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Object(Vec<(String, Zeroizing<String>)>);

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Object {
    /// Reads one JSON object and nothing after it; `null` reads as the empty object.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(text);
        let value = json::parse(&text).map_err(|error| Error::Json(error.to_string()))?;
        if value.is_null() {
            return Ok(Self::default());
        }
        let members = value.unique_members().map_err(|error| match error {
            json::Error::DuplicateMember(name) => Error::DuplicateMember(name),
            error => Error::Json(error.to_string()),
        })?;
        let own = |(name, value): (std::borrow::Cow<'_, str>, Raw<'_>)| {
            (name.into_owned(), Zeroizing::new(value.text().to_owned()))
        };
        Ok(Self(members.into_iter().map(own).collect()))
    }

    /// A member, unless it is missing or `null`.
    pub(crate) fn member(&self, name: &str) -> Option<Raw<'_>> {
        let (_, text) = self.0.iter().find(|(key, _)| key == name)?;
        json::parse(text).ok().filter(|value| !value.is_null())
    }

    /// A text member; `None` if it is missing or `null`.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<Zeroizing<String>>, Error> {
        match self.member(name).map(Raw::as_str) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(Zeroizing::new(text.into_owned()))),
            Some(None) => Err(Error::Member { name, problem: "is not a string" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<usize, &str>) {
        let got =
            Object::parse(json.as_bytes()).map(|object| object.0.len()).map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{json}");
    }

    #[test]
    fn objects() {
        check("{}", Ok(0));
        check("null", Ok(0));
        check(" {\"a\" : 1,\n\"A\":{\"b\":1,\"b\":2}} ", Ok(2));
    }

    #[test]
    fn refusals() {
        check("{\"a\":1,\"a\":1}", Err("duplicate member \"a\""));
        check("{\"a\":1,\"\\u0061\":1}", Err("duplicate member \"a\""));
        for json in ["", "hello", "[]", "1", "\"\"", "{} {}", "{", "{\"a\":}", "{a:1}", "\u{feff}{}"] {
            assert!(matches!(Object::parse(json.as_bytes()), Err(Error::Json(_))), "{json}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Object::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn members_by_name() {
        let object = Object::parse(b"{\"a\":\"x\xff\",\"b\":null,\"c\":1}").unwrap();
        assert_eq!(object.text("a").unwrap().unwrap().as_str(), "x\u{fffd}");
        assert_eq!(object.text("b"), Ok(None));
        assert_eq!(object.text("A"), Ok(None));
        assert!(object.text("c").is_err());
    }
}
