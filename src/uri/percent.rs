//! Percent-encoding by the part of the URI it stands in.
//!
//! Which bytes a part leaves alone follows Go's `net/url`, which is laxer than RFC 3986 §2 in hosts and stricter in
//! paths; both sides of a name comparison have passed through here, so the sets must not drift.

use crate::uri::Error;

/// The part of a URI, which decides about the bytes that need escaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Host,
    /// The zone of an IPv6 literal (RFC 6874 §2).
    Zone,
    UserInfo,
    Fragment,
}

impl Part {
    /// Whether `byte` stands for itself in this part.
    const fn keeps(self, byte: u8) -> bool {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => true,
            b'$' | b'&' | b'+' | b',' | b';' | b'=' => true,
            b':' => !matches!(self, Self::UserInfo),
            b'/' | b'@' => matches!(self, Self::Path | Self::Fragment),
            b'?' => matches!(self, Self::Fragment),
            b'!' | b'(' | b')' | b'*' => matches!(self, Self::Host | Self::Zone | Self::Fragment),
            b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => matches!(self, Self::Host | Self::Zone),
            _ => false,
        }
    }
}

/// Undoes percent-encoding.
///
/// The result is bytes, because `%ff` alone is no UTF-8.
///
/// # Errors
///
/// [`Error::Escape`] for a `%` without two hexadecimal digits, and in hosts for an escaped ASCII byte;
/// [`Error::HostCharacter`] for a byte that may not stand in a host.
pub(super) fn decode(text: &str, part: Part) -> Result<Vec<u8>, Error> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let escape = || Error::Escape(format!("%{}", text_start(tail, 2)));
            let (value, tail) = hex_pair(tail).ok_or_else(escape)?;
            let allowed = match part {
                // RFC 6874 §2: "%25" introduces the zone of a scoped IPv6 literal.
                Part::Host => value >= 0x80 || value == b'%',
                Part::Zone => value == b'%' || value == b' ' || part.keeps(value),
                Part::Path | Part::UserInfo | Part::Fragment => true,
            };
            if !allowed {
                return Err(escape());
            }
            decoded.push(value);
            rest = tail;
        } else {
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !part.keeps(byte) {
                return Err(Error::HostCharacter(char::from(byte)));
            }
            decoded.push(byte);
        }
    }
    Ok(decoded)
}

/// Encodes every byte that does not stand for itself in `part`, with upper-case digits.
pub(super) fn encode(bytes: &[u8], part: Part) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if part.keeps(byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
    }
    text
}

/// Whether `text`, as written, may stand in `part`: then it is kept in place of the default encoding.
pub(super) fn is_encoded(text: &str, part: Part) -> bool {
    text.bytes().all(|byte| {
        // The sub-delimiters and gen-delimiters of a pchar (RFC 3986 Appendix A), brackets as browsers leave them.
        matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*' | b':' | b'@' | b'[' | b']' | b'%')
            || part.keeps(byte)
    })
}

fn hex_pair(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], tail) = bytes.split_first_chunk::<2>()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((digit(high)? << 4 | digit(low)?, tail))
}

fn text_start(bytes: &[u8], length: usize) -> String {
    String::from_utf8_lossy(bytes.get(..length).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, part: Part, expected: Option<&[u8]>) {
        let decoded = decode(text, part);
        assert_eq!(decoded.as_deref().ok(), expected, "{text:?} in {part:?}: {decoded:?}");
    }

    #[test]
    fn decodes_by_part() {
        check("a%20b", Part::Path, Some(b"a b"));
        check("a%20b", Part::Host, None);
        check("a b", Part::Host, None);
        check("%c3%bc", Part::Host, Some("ü".as_bytes()));
        check("ü", Part::Host, Some("ü".as_bytes()));
        check("%ff", Part::Fragment, Some(b"\xff"));
        check("%25en%200", Part::Zone, Some(b"%en 0"));
        check("%2f", Part::Zone, None);
        check("+", Part::Path, Some(b"+"));
    }

    #[test]
    fn refuses_broken_escapes() {
        for text in ["%", "%a", "%zz", "a%2", "%ü", "%%20"] {
            check(text, Part::Path, None);
        }
        assert_eq!(decode("a%zzb", Part::Path).unwrap_err().to_string(), "invalid escape \"%zz\" in URI");
    }

    #[test]
    fn encodes_by_part() {
        let all = b" !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x7f\xff";
        let expected = [
            (
                Part::Path,
                "%20%21%22%23$%25&%27%28%29%2A+,-./09:;%3C=%3E%3F@AZ%5B%5C%5D%5E_%60az%7B%7C%7D~%7F%FF",
            ),
            (Part::Host, "%20!\"%23$%25&'()*+,-.%2F09:;<=>%3F%40AZ[%5C]%5E_%60az%7B%7C%7D~%7F%FF"),
            (
                Part::UserInfo,
                "%20%21%22%23$%25&%27%28%29%2A+,-.%2F09%3A;%3C=%3E%3F%40AZ%5B%5C%5D%5E_%60az%7B%7C%7D~%7F%FF",
            ),
            (Part::Fragment, "%20!%22%23$%25&%27()*+,-./09:;%3C=%3E?@AZ%5B%5C%5D%5E_%60az%7B%7C%7D~%7F%FF"),
        ];
        for (part, text) in expected {
            assert_eq!(encode(all, part), text, "{part:?}");
        }
    }
}
