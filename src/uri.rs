//! URIs as Go's `net/url` reads and writes them (RFC 3986, with Go's leniencies).
//!
//! step-ca sorts names, compares token audiences and applies policies through that package, so its rules decide what
//! counts as a URI here too. Nothing in here resolves references, reads query members or knows any scheme but for the
//! stricter colon rule of `http` and `https`.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

mod percent;

use percent::Part;

/// Why a text is not a URI reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An ASCII control character or DEL before the fragment.
    #[error("control character in URI")]
    ControlCharacter,
    /// The text begins with a colon.
    #[error("missing scheme in URI")]
    MissingScheme,
    /// A reference without scheme whose first segment holds a colon (RFC 3986 §3.3).
    #[error("first path segment in URI cannot contain colon")]
    ColonInFirstSegment,
    /// A percent sign without two hexadecimal digits, or an escape that a host may not hold.
    #[error("invalid escape {0:?} in URI")]
    Escape(String),
    /// A character that may not stand in a host.
    #[error("invalid character {0:?} in host name")]
    HostCharacter(char),
    /// Brackets in the wrong place, or around something that is no IPv6 address.
    #[error("invalid IP literal in host {0:?}")]
    IpLiteral(String),
    /// A port that is not made of digits.
    #[error("invalid port {0:?} after host")]
    Port(String),
    /// A character that may not stand in the user information.
    #[error("invalid user information in URI")]
    UserInfo,
}

/// A URI reference, taken apart.
///
/// Two are equal if they came from equivalent texts; [`Display`](fmt::Display) writes the canonical text, as Go's
/// `URL.String` does: scheme in lower case, spaces and non-ASCII characters of host, path and fragment
/// percent-encoded, query and opaque part as they were.
///
/// # Examples
///
/// ```
/// use stepless::uri::Uri;
///
/// let uri = Uri::parse("HTTPS://ca.example:9000/a b").unwrap();
/// assert_eq!(uri.to_string(), "https://ca.example:9000/a%20b");
/// assert_eq!(uri.hostname(), "ca.example");
/// assert_eq!(uri.without_port().to_string(), "https://ca.example/a%20b");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uri {
    scheme: String,
    opaque: String,
    user: Option<UserInfo>,
    host: Vec<u8>,
    /// The text had a path behind the scheme and no authority: `file:/x` is not written as `file:///x`.
    omit_host: bool,
    path: Component,
    /// The text had a `?` with nothing behind it.
    force_query: bool,
    raw_query: String,
    fragment: Component,
}

/// User name and password of an authority, decoded.
#[derive(Clone, PartialEq, Eq)]
struct UserInfo {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserInfo")
    }
}

/// A path or fragment: what it means and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Component {
    decoded: Vec<u8>,
    written: String,
}

impl Component {
    fn parse(text: &str, part: Part) -> Result<Self, Error> {
        let decoded = percent::decode(text, part)?;
        let written =
            if percent::is_encoded(text, part) { text.to_owned() } else { percent::encode(&decoded, part) };
        Ok(Self { decoded, written })
    }
}

impl Uri {
    /// Parses a URI or relative reference, by the rules of Go's `url.Parse`.
    ///
    /// A text has a scheme if a letter and then letters, digits, `+`, `-` or `.` stand before its first colon; so
    /// `localhost:8080` is the scheme `localhost` with the opaque part `8080`.
    ///
    /// # Errors
    ///
    /// One of the faults of this room's error type.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut uri = Self::parse_without_fragment(text)?;
        uri.fragment = Component::parse(fragment, Part::Fragment)?;
        Ok(uri)
    }

    fn parse_without_fragment(text: &str) -> Result<Self, Error> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Error::ControlCharacter);
        }
        let mut uri = Self::default();
        let (scheme, rest) = split_scheme(text)?;
        uri.scheme = scheme.to_ascii_lowercase();

        let (mut rest, query) =
            rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        uri.force_query = query == Some("");
        query.unwrap_or_default().clone_into(&mut uri.raw_query);

        if !rest.starts_with('/') {
            if !uri.scheme.is_empty() {
                rest.clone_into(&mut uri.opaque);
                return Ok(uri);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err(Error::ColonInFirstSegment);
            }
        }

        let has_authority = !uri.scheme.is_empty() || !rest.starts_with("///");
        if let Some(after) = rest.strip_prefix("//").filter(|_| has_authority) {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
            (uri.user, uri.host) = parse_authority(&uri.scheme, authority)?;
            rest = path;
        } else {
            uri.omit_host = !uri.scheme.is_empty() && rest.starts_with('/');
        }
        uri.path = Component::parse(rest, Part::Path)?;
        Ok(uri)
    }

    /// The scheme in lower case; empty for a relative reference.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme and the query if it does not begin with a slash; as written.
    #[must_use]
    pub fn opaque(&self) -> &str {
        &self.opaque
    }

    /// Whether the authority names a user.
    #[must_use]
    pub const fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// Host and port, decoded, IPv6 literals in brackets; bytes that are no UTF-8 show as U+FFFD.
    #[must_use]
    pub fn host(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.host)
    }

    /// The host without port and brackets.
    #[must_use]
    pub fn hostname(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(split_host_port(&self.host).0)
    }

    /// The digits of the port; empty if there are none.
    #[must_use]
    pub fn port(&self) -> &str {
        split_host_port(&self.host).1
    }

    /// The path, decoded; bytes that are no UTF-8 show as U+FFFD.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path.decoded)
    }

    /// The query without its question mark, as written.
    #[must_use]
    pub fn raw_query(&self) -> &str {
        &self.raw_query
    }

    /// The fragment, decoded, without its hash sign; empty if there is none.
    #[must_use]
    pub fn fragment(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.fragment.decoded)
    }

    /// The same URI without port, an IPv6 literal without brackets too: the form in which audiences are compared
    /// (CONTRACT.md section 4).
    #[must_use]
    pub fn without_port(&self) -> Self {
        Self { host: split_host_port(&self.host).0.to_vec(), ..self.clone() }
    }

    /// The same URI with this fragment, not encoded yet.
    #[must_use]
    pub fn with_fragment(&self, fragment: &str) -> Self {
        let decoded = fragment.as_bytes().to_vec();
        let written = percent::encode(&decoded, Part::Fragment);
        Self { fragment: Component { decoded, written }, ..self.clone() }
    }

    /// The same URI without fragment.
    #[must_use]
    pub fn without_fragment(&self) -> Self {
        Self { fragment: Component::default(), ..self.clone() }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(formatter, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            let host_or_user = !self.host.is_empty() || self.user.is_some();
            let authority = host_or_user || (!self.scheme.is_empty() && !self.omit_host);
            if authority && (host_or_user || !self.path.written.is_empty()) {
                formatter.write_str("//")?;
                if let Some(user) = &self.user {
                    formatter.write_str(&percent::encode(&user.name, Part::UserInfo))?;
                    if let Some(password) = &user.password {
                        write!(formatter, ":{}", percent::encode(password, Part::UserInfo))?;
                    }
                    formatter.write_str("@")?;
                }
                formatter.write_str(&percent::encode(&self.host, Part::Host))?;
            }
            // RFC 3986 §4.2: a colon in the first segment must not look like the end of a scheme.
            let first_segment = self.path.written.split('/').next().unwrap_or_default();
            if self.scheme.is_empty() && !host_or_user && first_segment.contains(':') {
                formatter.write_str("./")?;
            }
            formatter.write_str(&self.path.written)?;
        } else {
            formatter.write_str(&self.opaque)?;
        }
        if self.force_query || !self.raw_query.is_empty() {
            write!(formatter, "?{}", self.raw_query)?;
        }
        if !self.fragment.written.is_empty() {
            write!(formatter, "#{}", self.fragment.written)?;
        }
        Ok(())
    }
}

/// Splits the scheme off (RFC 3986 §3.1); without one the text comes back whole.
fn split_scheme(text: &str) -> Result<(&str, &str), Error> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(("", text));
    };
    let mut bytes = scheme.bytes();
    match bytes.next() {
        None => Err(Error::MissingScheme),
        Some(first)
            if first.is_ascii_alphabetic()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) =>
        {
            Ok((scheme, rest))
        }
        Some(_) => Ok(("", text)),
    }
}

fn parse_authority(scheme: &str, authority: &str) -> Result<(Option<UserInfo>, Vec<u8>), Error> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, host)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(allowed) {
        return Err(Error::UserInfo);
    }
    let (name, password) =
        user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)));
    let user = UserInfo {
        name: percent::decode(name, Part::UserInfo)?,
        password: password.map(|text| percent::decode(text, Part::UserInfo)).transpose()?,
    };
    Ok((Some(user), host))
}

/// Reads `host[:port]` into its decoded bytes.
fn parse_host(scheme: &str, host: &str) -> Result<Vec<u8>, Error> {
    match host.rfind('[') {
        Some(0) => return parse_ip_literal(host),
        Some(_) => return Err(Error::IpLiteral(host.to_owned())),
        None => {}
    }
    // Colons inside a host are an old leniency that http and https have lost.
    let strict = scheme == "http" || scheme == "https";
    let colon = if strict { host.find(':') } else { host.rfind(':') };
    check_port(colon.and_then(|index| host.get(index..)).unwrap_or_default())?;
    percent::decode(host, Part::Host)
}

/// Reads an IPv6 literal in brackets, possibly with zone and port (RFC 3986 §3.2.2, RFC 6874 §2).
fn parse_ip_literal(host: &str) -> Result<Vec<u8>, Error> {
    let refused = || Error::IpLiteral(host.to_owned());
    let (inside, port) = host.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).ok_or_else(refused)?;
    check_port(port)?;
    let mut literal = match inside.find("%25").and_then(|index| inside.split_at_checked(index)) {
        Some((address, zone)) => {
            let mut decoded = percent::decode(address, Part::Host)?;
            decoded.extend(percent::decode(zone, Part::Zone)?);
            decoded
        }
        None => percent::decode(inside, Part::Host)?,
    };
    let text = std::str::from_utf8(&literal).map_err(|_| refused())?;
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    if zone == Some("") || address.parse::<Ipv6Addr>().is_err() {
        return Err(refused());
    }
    literal.insert(0, b'[');
    literal.push(b']');
    literal.extend_from_slice(port.as_bytes());
    Ok(literal)
}

/// Accepts nothing, or a colon and any number of digits, even none.
fn check_port(port: &str) -> Result<(), Error> {
    if is_port(port.as_bytes()) { Ok(()) } else { Err(Error::Port(port.to_owned())) }
}

fn is_port(port: &[u8]) -> bool {
    match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

fn split_host_port(host: &[u8]) -> (&[u8], &str) {
    let colon = host.iter().rposition(|&byte| byte == b':');
    let (mut name, mut port) = (host, "");
    if let Some((before, after)) =
        colon.and_then(|index| host.split_at_checked(index)).filter(|split| is_port(split.1))
    {
        name = before;
        port = std::str::from_utf8(after).ok().and_then(|text| text.strip_prefix(':')).unwrap_or_default();
    }
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    (bare.unwrap_or(name), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, Error>) {
        let written = Uri::parse(text).map(|uri| uri.to_string());
        assert_eq!(written, expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn writes_canonically() {
        let cases = [
            ("", ""),
            ("*", "*"),
            ("a.example", "a.example"),
            ("HTTPS://x.example/", "https://x.example/"),
            ("https://x.example/a b", "https://x.example/a%20b"),
            ("https://x.example/ü", "https://x.example/%C3%BC"),
            ("https://ü.example/", "https://%C3%BC.example/"),
            ("https://x.example/a?b=c#d", "https://x.example/a?b=c#d"),
            ("https://x.example/a?b c#d e", "https://x.example/a?b c#d%20e"),
            ("https:///x", "https:///x"),
            ("https://x", "https://x"),
            ("https:", "https:"),
            ("file:/x", "file:/x"),
            ("file:///x", "file:///x"),
            ("//x/y", "//x/y"),
            ("///x/y", "///x/y"),
            ("x?", "x?"),
            ("x??", "x??"),
            ("x#", "x"),
            ("urn:uuid:6ba7b810", "urn:uuid:6ba7b810"),
            ("mailto:a b@c", "mailto:a b@c"),
            ("a.example:80", "a.example:80"),
            ("https://a:b:c@x/", "https://a:b%3Ac@x/"),
            ("https://a@b@x/", "https://a%40b@x/"),
            ("https://x/%2f", "https://x/%2f"),
            ("https://x/%2f b", "https://x//%20b"),
            ("a%3ab c", "./a:b%20c"),
            ("a%3ab", "a%3ab"),
            ("https://x/[a]'", "https://x/[a]'"),
            ("https://[::1]:/", "https://[::1]:/"),
            ("https://[fe80::1%25en0]/", "https://[fe80::1%25en0]/"),
            ("https://x:/", "https://x:/"),
            ("x://a:b:1/", "x://a:b:1/"),
            ("/a:b", "/a:b"),
            ("https://x/#\u{1}", "https://x/#%01"),
        ];
        for (text, expected) in cases {
            check(text, Ok(expected));
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        check("a\u{1}b", Err(Error::ControlCharacter));
        check("https://x/\u{7f}", Err(Error::ControlCharacter));
        check(":80", Err(Error::MissingScheme));
        check("1.2.3.4:80", Err(Error::ColonInFirstSegment));
        check("[::1]:80", Err(Error::ColonInFirstSegment));
        check("1http://x", Err(Error::ColonInFirstSegment));
        check("a%zz", Err(Error::Escape("%zz".to_owned())));
        check("https://x/#%", Err(Error::Escape("%".to_owned())));
        check("https://%41/", Err(Error::Escape("%41".to_owned())));
        check("https://a b/", Err(Error::HostCharacter(' ')));
        check("https://x:8a/", Err(Error::Port(":8a".to_owned())));
        check("https://x:1:2/", Err(Error::Port(":1:2".to_owned())));
        check("https://[::1]8/", Err(Error::Port("8".to_owned())));
        for literal in ["[::1", "x[::1]", "[1.2.3.4]", "[x]", "[::1%25]", "[]"] {
            check(&format!("https://{literal}/"), Err(Error::IpLiteral(literal.to_owned())));
        }
        check("https://a b@x/", Err(Error::UserInfo));
        check("https://%zz@x/", Err(Error::Escape("%zz".to_owned())));
    }

    #[test]
    fn takes_the_parts_apart() {
        let uri = Uri::parse("HTTPS://u@[::1]:8443/a%20b?q=%20#f%20g").unwrap();
        assert_eq!(
            (uri.scheme(), uri.host().as_ref(), uri.hostname().as_ref(), uri.port()),
            ("https", "[::1]:8443", "::1", "8443")
        );
        assert_eq!(
            (uri.path().as_ref(), uri.raw_query(), uri.fragment().as_ref(), uri.has_user()),
            ("/a b", "q=%20", "f g", true)
        );
        assert_eq!(uri.without_port().without_fragment().to_string(), "https://u@::1/a%20b?q=%20");

        let uri = Uri::parse("localhost:8080").unwrap();
        assert_eq!((uri.scheme(), uri.opaque(), uri.hostname().as_ref()), ("localhost", "8080", ""));
    }

    #[test]
    fn drops_any_port() {
        for text in ["https://x", "https://x:", "https://x:1", "https://x:123456"] {
            assert_eq!(Uri::parse(text).unwrap().without_port().to_string(), "https://x");
        }
    }

    #[test]
    fn debug_hides_user_information() {
        let uri = Uri::parse("https://user:secret@x/").unwrap();
        assert!(!format!("{uri:?}").contains("secret") && !format!("{uri:?}").contains("115"));
    }
}
