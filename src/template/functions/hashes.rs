//! Checksums, as hexadecimal text.

use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512;

use crate::hex;
use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sha1sum", &[Kind::String], |_, arguments| digest::<Sha1>(arguments)),
    Function::new("sha256sum", &[Kind::String], |_, arguments| digest::<Sha256>(arguments)),
    Function::new("sha512sum", &[Kind::String], |_, arguments| digest::<Sha512>(arguments)),
    Function::new("adler32sum", &[Kind::String], |_, arguments| {
        let [text] = arguments else {
            return Err(Failure::arguments());
        };
        Ok(adler32(bytes(text)?).to_string().into())
    }),
];

fn digest<D: Digest>(arguments: &[Value]) -> Result<Value, Failure> {
    let [text] = arguments else {
        return Err(Failure::arguments());
    };
    Ok(hex::encode(&D::digest(bytes(text)?)).into())
}

/// RFC 1950 §8.2.
fn adler32(text: &[u8]) -> u32 {
    const PRIME: u32 = 65521;
    let (low, high) = text.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % PRIME;
        (low, (high + low) % PRIME)
    });
    high << 16 | low
}
