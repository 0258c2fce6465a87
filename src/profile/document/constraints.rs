//! `basicConstraints` and `nameConstraints` of a document.

use crate::profile::document::member::Member;
use crate::profile::document::member::Object;
use crate::profile::error::Error;
use crate::profile::form;
use crate::x509::extension::BasicConstraints;
use crate::x509::name_constraints::IpRange;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::name_constraints::Subtrees;

/// Reads `basicConstraints`: a missing path length is 0, a negative one no limit; a leaf has none.
pub(super) fn basic(member: &Member<'_>) -> Result<Option<BasicConstraints>, Error> {
    let Some(object) = member.object()? else {
        return Ok(None);
    };
    let is_ca = object.member("isCA").boolean()?;
    let length_member = object.member("maxPathLen");
    let length = length_member.integer()?.unwrap_or(0);
    let path_length = match i32::try_from(length) {
        Ok(length) => u32::try_from(length).ok(),
        Err(_) if length < 0 => None,
        Err(_) => {
            return Err(length_member.malformed(format!("path length {length} exceeds {}", i32::MAX)));
        }
    };
    Ok(Some(BasicConstraints { is_ca, path_length: path_length.filter(|_| is_ca) }))
}

/// Reads `nameConstraints` and whether they are critical; an empty object is none.
pub(super) fn names(member: &Member<'_>, is_ca: bool) -> Result<Option<(NameConstraints, bool)>, Error> {
    let Some(object) = member.object()? else {
        return Ok(None);
    };
    let critical = object.member("critical").boolean()?;
    let constraints = NameConstraints {
        permitted: subtrees(&object, &PERMITTED)?,
        excluded: subtrees(&object, &EXCLUDED)?,
        others: false,
    };
    if constraints.is_empty() {
        return if critical { Err(member.malformed("no names to constrain")) } else { Ok(None) };
    }
    if !is_ca {
        return Err(member.malformed("name constraints in a certificate that is no CA's"));
    }
    Ok(Some((constraints, critical)))
}

/// The members of one kind of constraint: DNS domains, ranges of addresses, mailboxes, domains of URIs.
type Members = [&'static str; 4];

const PERMITTED: Members =
    ["permittedDNSDomains", "permittedIPRanges", "permittedEmailAddresses", "permittedURIDomains"];
const EXCLUDED: Members =
    ["excludedDNSDomains", "excludedIPRanges", "excludedEmailAddresses", "excludedURIDomains"];

fn subtrees(object: &Object<'_>, [dns, ip, email, uri]: &Members) -> Result<Subtrees, Error> {
    let texts = |name: &'static str, has_form: fn(&str) -> bool| {
        let texts = object.member(name).strings()?.into_iter().map(|(member, text)| {
            if has_form(text) {
                Ok(text.to_owned())
            } else {
                Err(member.refused(format!("{text:?} is not a name to constrain")))
            }
        });
        texts.collect::<Result<Vec<_>, Error>>()
    };
    let ranges = object.member(ip).strings()?.into_iter();
    let ranges = ranges
        .map(|(member, text)| IpRange::parse(text).map_err(|error| member.malformed(error.to_string())));
    Ok(Subtrees {
        dns: texts(dns, is_subdomain)?,
        ip: ranges.collect::<Result<_, _>>()?,
        email: texts(email, |text| is_subdomain(text) || form::check_mailbox(text).is_ok())?,
        uri: texts(uri, is_subdomain)?,
    })
}

/// A domain, perhaps with a leading dot.
fn is_subdomain(text: &str) -> bool {
    form::is_domain(text.strip_prefix('.').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::json;

    fn check(text: &str, is_ca: bool, expected: &str) {
        let value = json::parse(text).unwrap();
        let result = names(&Member::document(&value), is_ca);
        assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), expected, "{text}");
    }

    #[test]
    fn name_constraints() {
        check(
            r#"{"permittedDNSDomains": ["a.example", ".b.example"], "excludedEmailAddresses": ["a@b", "b"]}"#,
            true,
            "",
        );
        check("{}", false, "");
        check("null", false, "");
        check(r#"{"critical": true}"#, true, ": no names to constrain");
        check(
            r#"{"permittedDNSDomains": "a"}"#,
            false,
            ": name constraints in a certificate that is no CA's",
        );
        check(
            r#"{"excludedURIDomains": "https://x.example"}"#,
            true,
            "excludedURIDomains: \"https://x.example\" is not a name to constrain",
        );
        check(
            r#"{"permittedDNSDomains": [""]}"#,
            true,
            "permittedDNSDomains[0]: \"\" is not a name to constrain",
        );
        check(
            r#"{"permittedIPRanges": "192.0.2.0"}"#,
            true,
            "permittedIPRanges: \"192.0.2.0\" is not an IP range",
        );
    }

    #[test]
    fn path_lengths() {
        let read = |text: &str| {
            basic(&Member::document(&json::parse(text).unwrap())).map(|read| read.unwrap().path_length)
        };
        assert_eq!(read(r#"{"isCA": true}"#), Ok(Some(0)));
        assert_eq!(read(r#"{"isCA": true, "maxPathLen": -9223372036854775808}"#), Ok(None));
        assert_eq!(read(r#"{"isCA": false, "maxPathLen": 3}"#), Ok(None));
        assert!(read(r#"{"isCA": true, "maxPathLen": 2147483648}"#).is_err());
        assert!(read(r#"{"isCA": true, "maxPathLen": 1e0}"#).is_err());
    }
}
