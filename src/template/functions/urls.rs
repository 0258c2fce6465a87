//! URLs taken apart and put together, by the rules of Go's net/url.

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::go::quote::quote;
use crate::template::value::Value;
use crate::uri::Uri;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("urlParse", &[Kind::String], parse), Function::new("urlJoin", &[Kind::Map], join)];

/// What a path, a fragment and a host leave alone besides letters, digits and `-_.~`.
const PATH: &[u8] = b"$&+,/:;=@";
const FRAGMENT: &[u8] = b"$&+,/:;=@?!()*";
const HOST: &[u8] = b"!$&'()*+,;=:[]<>\"";

fn parse(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [text] = arguments else {
        return Err(Failure::arguments());
    };
    let text = bytes(text)?;
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::error(format!("unable to parse url: parse {}: {why}", quote(text)))
    };
    let text = std::str::from_utf8(text).map_err(|error| refuse(&error))?;
    let uri = Uri::parse(text).map_err(|error| refuse(&error))?;
    Ok(Value::map([
        ("scheme", uri.scheme().into()),
        ("host", uri.host().as_ref().into()),
        ("hostname", uri.hostname().as_ref().into()),
        ("path", uri.path().as_ref().into()),
        ("query", uri.raw_query().into()),
        ("opaque", uri.opaque().into()),
        ("fragment", uri.fragment().as_ref().into()),
        ("userinfo", user_info(&uri).unwrap_or_default().into()),
    ]))
}

/// The user information as it is written, an at sign in it being escaped.
fn user_info(uri: &Uri) -> Option<String> {
    let written = Some(uri.to_string()).filter(|_| uri.has_user())?;
    let (user, _) = written.split_once("//")?.1.split_once('@')?;
    Some(user.to_owned())
}

fn join(_: &mut Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let [map] = arguments else {
        return Err(Failure::arguments());
    };
    let part = |name: &str| match map.as_map().and_then(|map| map.get(name.as_bytes())) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Some(other) => Err(Failure::error(format!(
            "unable to parse {name} key, must be of type string, but {} found",
            other.kind_name()
        ))),
    };
    let (scheme, host, path, opaque) = (part("scheme")?, part("host")?, part("path")?, part("opaque")?);
    let user = user_of(&part("userinfo")?)?;
    let mut out = scheme.clone();
    if !scheme.is_empty() {
        out.push(b':');
    }
    if opaque.is_empty() {
        if !host.is_empty() || user.is_some() || !scheme.is_empty() && !path.is_empty() {
            out.extend(b"//");
        }
        if let Some(user) = user {
            out.extend(user.into_bytes());
            out.push(b'@');
        }
        out.extend(encoded(&host, HOST));
        if !host.is_empty() && path.first().is_some_and(|byte| *byte != b'/') {
            out.push(b'/');
        }
        // A colon in the first segment must not look like the end of a scheme, RFC 3986 §4.2.
        let first_segment = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        if out.is_empty() && first_segment.contains(&b':') {
            out.extend(b"./");
        }
        out.extend(if path == b"*" { path } else { encoded(&path, PATH) });
    } else {
        out.extend(opaque);
    }
    let query = part("query")?;
    if !query.is_empty() {
        out.push(b'?');
        out.extend(query);
    }
    let fragment = part("fragment")?;
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend(encoded(&fragment, FRAGMENT));
    }
    Ok(out.into())
}

fn user_of(text: &[u8]) -> Result<Option<String>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let refuse =
        |why: &dyn std::fmt::Display| Failure::error(format!("unable to parse userinfo in dict: {why}"));
    let text = std::str::from_utf8(text).map_err(|error| refuse(&error))?;
    let uri = Uri::parse(&format!("proto://{text}@host")).map_err(|error| refuse(&error))?;
    Ok(user_info(&uri))
}

fn encoded(text: &[u8], kept: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) || kept.contains(byte) {
            out.push(*byte);
        } else {
            out.extend(format!("%{byte:02X}").into_bytes());
        }
    }
    out
}
