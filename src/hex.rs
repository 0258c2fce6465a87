//! Bytes as hexadecimal digits, and back.

/// Two lower-case digits a byte.
///
/// ```
/// assert_eq!(stepless::hex::encode(&[0x00, 0xab]), "00ab");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of pairs of digits, in either case; `None` for anything else, an odd number of digits too.
///
/// ```
/// assert_eq!(stepless::hex::decode("00aB"), Some(vec![0x00, 0xab]));
/// assert_eq!(stepless::hex::decode("0ab"), None);
/// ```
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all.clone()));
        assert_eq!(decode(&encode(&all).to_uppercase()), Some(all));
        assert_eq!(decode(""), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_pair_of_digits_is_nothing() {
        for text in ["0", "0g", "g0", " 0", "+1", "0x", "é", "00:11"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
