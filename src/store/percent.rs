//! Percent-encoding in the addresses of servers.

use zeroize::Zeroizing;

/// Undoes it; `None` for a `%` without two digits, and for what is no UTF-8 then. It may be a password.
pub(super) fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.extend(crate::hex::decode(after.get(..2)?)?);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}
