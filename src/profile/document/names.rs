//! `dnsNames`, `emailAddresses`, `ipAddresses`, `uris` and `sans` of a document.

use crate::profile::document::member::Member;
use crate::profile::document::member::Object;
use crate::profile::document::other_name;
use crate::profile::error::Error;
use crate::profile::form;
use crate::uri::Uri;
use crate::x509::san;
use crate::x509::san::San;

/// The names that a document gives, apart from those in an explicit extension.
pub(super) struct Names {
    /// The names of the four kinds, in the order of the certificate.
    pub(super) names: Vec<San>,
    /// If there are names of another kind: all GeneralNames, in the order of the document.
    pub(super) general_names: Option<Vec<Vec<u8>>>,
}

enum Entry {
    Plain(San),
    Other(Vec<u8>),
}

/// Reads all names; each one must have the form of its kind.
pub(super) fn read(document: &Object<'_>) -> Result<Names, Error> {
    let mut entries = Vec::new();
    for (name, make) in [
        ("dnsNames", (|text| Ok(San::Dns(text.to_owned()))) as fn(&str) -> Result<San, String>),
        ("emailAddresses", |text| Ok(San::Email(text.to_owned()))),
        ("ipAddresses", ip),
        ("uris", canonical_uri),
    ] {
        for (member, text) in document.member(name).strings()? {
            // A text that is no address or URI at all is a fault of the document, as in step-ca.
            let name = make(text).map_err(|reason| member.malformed(reason))?;
            form::check(&name).map_err(|reason| member.refused(reason))?;
            entries.push(Entry::Plain(name));
        }
    }
    let sans = document.member("sans").list()?;
    let extended = sans.iter().map(is_extended).collect::<Result<Vec<_>, _>>()?.contains(&true);
    for member in sans {
        entries.push(read_san(&member, extended)?);
    }
    if !extended {
        let mut names: Vec<San> = entries.into_iter().filter_map(Entry::plain).collect();
        san::group(&mut names);
        return Ok(Names { names, general_names: None });
    }

    let mut names = Vec::new();
    let mut general_names = Vec::new();
    for entry in entries {
        general_names.push(match entry {
            Entry::Plain(name) => {
                let name = lower_case(name)?;
                let general_name = name.to_general_name();
                names.push(name);
                general_name.map_err(|error| Error::encoding("sans", &error))?
            }
            Entry::Other(general_name) => general_name,
        });
    }
    Ok(Names { names, general_names: Some(general_names) })
}

impl Entry {
    fn plain(self) -> Option<San> {
        match self {
            Self::Plain(name) => Some(name),
            Self::Other(_) => None,
        }
    }
}

/// Next to names of another kind step-ca writes DNS names in lower case and takes letters, digits and hyphens only.
fn lower_case(name: San) -> Result<San, Error> {
    let San::Dns(text) = name else {
        return Ok(name);
    };
    if text.contains(['_', '*']) {
        let reason = format!("{text:?} cannot stand next to names of another kind");
        return Err(Error::refused("sans", reason));
    }
    Ok(San::Dns(text.to_ascii_lowercase()))
}

/// Whether an item of `sans` has a type beyond the four.
fn is_extended(member: &Member<'_>) -> Result<bool, Error> {
    let Some(object) = member.object()? else {
        return Ok(false);
    };
    let kind = object.member("type").string()?.unwrap_or_default();
    Ok(!matches!(kind, "" | "auto" | "dns" | "email" | "ip" | "uri"))
}

fn read_san(member: &Member<'_>, extended: bool) -> Result<Entry, Error> {
    let object = member.object()?.ok_or_else(|| member.refused("null is not a name"))?;
    let kind = object.member("type").string()?.unwrap_or_default();
    let value_member = object.member("value");
    let value = value_member.string()?.unwrap_or_default();
    let name = match kind {
        "dns" => Ok(San::Dns(value.to_owned())),
        "email" => Ok(San::Email(value.to_owned())),
        "ip" => ip(value),
        "uri" => canonical_uri(value),
        "" | "auto" => Ok(san::classify(value)),
        _ => return other_name::read(&object, kind, value).map(Entry::Other),
    };
    let mut name = name.map_err(|reason| value_member.refused(reason))?;
    form::check(&name).map_err(|reason| value_member.refused(reason))?;
    if let San::Uri(text) = &mut name
        && extended
    {
        // step-ca writes it as given here, while it re-serialises URIs elsewhere.
        value.clone_into(text);
        form::check(&name).map_err(|reason| value_member.refused(reason))?;
    }
    Ok(Entry::Plain(name))
}

fn ip(text: &str) -> Result<San, String> {
    text.parse().map(San::ip).map_err(|_| format!("{text:?} is not an IP address"))
}

fn canonical_uri(text: &str) -> Result<San, String> {
    let uri = Uri::parse(text).map_err(|error| error.to_string())?;
    Ok(San::Uri(uri.to_string()))
}
