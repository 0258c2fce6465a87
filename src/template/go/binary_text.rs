//! Base64 and base32 with padding, as Go's standard encodings have them: line breaks are skipped when reading.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::template::go::Refusal;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Standard base64 with padding.
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64 with padding; bits left over in the last digit do not matter.
///
/// # Errors
///
/// Go's sentence, with the place that Go names.
pub(crate) fn base64_decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bytes = text.iter().enumerate().filter(|(_, byte)| !is_break(**byte)).peekable();
    while bytes.peek().is_some() {
        let (mut value, mut digits) = (0_u32, 0_usize);
        while digits < 4 {
            let Some((place, byte)) = bytes.next() else {
                return Err(illegal("base64", text.len() - digits));
            };
            match base64_digit(*byte) {
                Some(digit) => value = value << 6 | u32::from(digit),
                None if *byte == b'=' && digits >= 2 => break,
                None => return Err(illegal("base64", place)),
            }
            digits += 1;
        }
        if digits == 2 {
            match bytes.next() {
                Some((_, b'=')) => {}
                // Go names the byte before the one that ought to be a second padding.
                Some((place, _)) => return Err(illegal("base64", place - 1)),
                None => return Err(illegal("base64", text.len())),
            }
        }
        if digits < 4
            && let Some((place, _)) = bytes.peek()
        {
            return Err(illegal("base64", *place));
        }
        value <<= 6 * (4 - digits);
        out.extend(value.to_be_bytes().iter().skip(1).take(digits - 1));
    }
    Ok(out)
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Standard base32 with padding.
pub(crate) fn base32_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let value =
            (0..5).fold(0_u64, |value, at| value << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let digits = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let digit = (value >> (35 - 5 * at)) as usize & 31;
            let digit = BASE32.get(digit).copied().filter(|_| at < digits).unwrap_or(b'=');
            out.push(char::from(digit));
        }
    }
    out
}

/// Decodes standard base32 with padding, capitals only.
///
/// # Errors
///
/// Go's sentence, with the place that Go names: that in the text without line breaks.
pub(crate) fn base32_decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let plain: Vec<u8> = text.iter().copied().filter(|byte| !is_break(*byte)).collect();
    let mut out = Vec::with_capacity(plain.len() / 8 * 5);
    for (group, start) in plain.chunks(8).zip((0..).step_by(8)) {
        let (mut value, mut digits) = (0_u64, 0);
        for (byte, place) in group.iter().zip(start..) {
            // Padding ends the text: no whole group may follow it.
            if *byte == b'=' && digits >= 2 && plain.len() - place <= 8 {
                let bad = (place + 1..start + 8).find(|at| plain.get(*at) != Some(&b'='));
                match bad {
                    _ if plain.len() < start + 8 => return Err(illegal("base32", plain.len())),
                    Some(bad) => return Err(illegal("base32", bad - 1)),
                    None if matches!(digits, 3 | 6) => return Err(illegal("base32", place)),
                    None => break,
                }
            }
            let digit = BASE32.iter().position(|known| known == byte);
            let digit = digit.ok_or_else(|| illegal("base32", place))?;
            value = value << 5 | digit as u64;
            digits += 1;
        }
        if digits < 8 && group.len() < 8 {
            return Err(illegal("base32", start));
        }
        value <<= 5 * (8 - digits);
        out.extend(value.to_be_bytes().iter().skip(3).take(digits * 5 / 8));
        if digits < 8 {
            break;
        }
    }
    Ok(out)
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn illegal(encoding: &str, place: usize) -> Refusal {
    Refusal::new(format!("illegal {encoding} data at input byte {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[u8], &str>) {
        assert_eq!(
            base64_decode(text.as_bytes()),
            expected.map(<[u8]>::to_vec).map_err(Refusal::new),
            "{text:?}"
        );
    }

    #[test]
    fn base64_is_padded() {
        check("BQA=", Ok(&[5, 0]));
        check("BQ\r\nA=\n", Ok(&[5, 0]));
        check("BQB=", Ok(&[5, 0]));
        check("", Ok(&[]));
        check("***", Err("illegal base64 data at input byte 0"));
        check("_-8=", Err("illegal base64 data at input byte 0"));
        check("BQA", Err("illegal base64 data at input byte 0"));
        check("BQAD\nB", Err("illegal base64 data at input byte 5"));
        check("BQ=", Err("illegal base64 data at input byte 3"));
        check("BQ=A", Err("illegal base64 data at input byte 2"));
        check("BQA=BQA=", Err("illegal base64 data at input byte 4"));
    }

    fn check_base32(bytes: &[u8], text: &str) {
        assert_eq!(base32_encode(bytes), text);
        assert_eq!(base32_decode(text.as_bytes()).as_deref(), Ok(bytes));
    }

    #[test]
    fn base32_is_padded() {
        check_base32(b"", "");
        check_base32(b"f", "MY======");
        check_base32(b"fo", "MZXQ====");
        check_base32(b"foo", "MZXW6===");
        check_base32(b"foob", "MZXW6YQ=");
        check_base32(b"hello", "NBSWY3DP");
        check_base32(b"foobar", "MZXW6YTBOI======");
        for bad in ["1", "MY", "MY=====", "MZX=====", "nbswy3dp", "MY======MY======", "M=Y====="] {
            assert!(base32_decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
