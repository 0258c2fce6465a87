//! Public keys as templates see them: Go's `*rsa.PublicKey`, `*ecdsa.PublicKey` and `ed25519.PublicKey`.

use std::sync::Arc;

use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::template::Field;
use crate::template::Object;
use crate::template::Text;
use crate::template::Value;

/// The key under its Go type.
pub(super) fn value(key: &PublicKey) -> Value {
    let (name, bits) = match key.kind() {
        KeyKind::Rsa => return rsa(key),
        KeyKind::Ed25519 => {
            return Object::named("ed25519.PublicKey", "slice", Value::bytes(key.key_bits())).into_value();
        }
        KeyKind::P256 => ("P-256", 256),
        KeyKind::P384 => ("P-384", 384),
        KeyKind::P521 => ("P-521", 521),
    };
    let parameters = Object::structure("elliptic.CurveParams")
        .pointer()
        .field(Field::new("BitSize", "BitSize", Value::int(bits)))
        .field(Field::new("Name", "Name", Value::from(name)))
        .into_value();
    let curve = Object::structure("elliptic.Curve")
        .pointer()
        .with_constant("Params", parameters.clone())
        .into_value();
    let (x, y) = key.ec_point().unwrap_or_default();
    Object::structure("ecdsa.PublicKey")
        .pointer()
        .field(Field::new("Curve", "Curve", curve))
        .field(Field::new("X", "X", big_integer(x)))
        .field(Field::new("Y", "Y", big_integer(y)))
        .with_constant("Params", parameters)
        .into_value()
}

/// Go's number of the algorithm, which prints as its name.
pub(super) fn algorithm(key: &PublicKey) -> Value {
    let (number, name) = match key.kind() {
        KeyKind::Rsa => (1, "RSA"),
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => (3, "ECDSA"),
        KeyKind::Ed25519 => (4, "Ed25519"),
    };
    Object::named("x509.PublicKeyAlgorithm", "int", Value::int(number)).with_text(name).into_value()
}

fn rsa(key: &PublicKey) -> Value {
    let modulus = key.rsa_modulus().unwrap_or_default();
    let exponent = key.rsa_exponent().and_then(|exponent| i64::try_from(exponent).ok()).unwrap_or(0);
    Object::structure("rsa.PublicKey")
        .pointer()
        .field(Field::new("N", "N", big_integer(modulus)))
        .field(Field::new("E", "E", Value::int(exponent)))
        .with_constant("Size", Value::int((bit_length(modulus) + 7) / 8))
        .into_value()
}

/// Go's `*big.Int`, from big-endian bytes; its decimal text is worked out when it is asked for.
pub(super) fn big_integer(bytes: &[u8]) -> Value {
    let length = bit_length(bytes);
    let bytes: Arc<[u8]> = Arc::from(bytes);
    Object::structure("big.Int")
        .pointer()
        .with_text_later(move || decimal(&bytes))
        .with_text_as_json()
        .with_constant("BitLen", Value::int(length))
        .into_value()
}

fn bit_length(bytes: &[u8]) -> i64 {
    let zeros: u32 = bytes.iter().take_while(|byte| **byte == 0).count().try_into().unwrap_or(u32::MAX);
    let first = bytes.iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros());
    let all = i64::try_from(bytes.len()).unwrap_or(i64::MAX / 8) * 8;
    all - i64::from(zeros) * 8 - i64::from(first)
}

/// Divides by a billion again and again; each remainder is nine digits.
fn decimal(bytes: &[u8]) -> Text {
    const BILLION: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = bytes
        .rchunks(4)
        .rev()
        .map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte)))
        .collect();
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut remainder = 0;
        for limb in &mut limbs {
            let number = remainder << 32 | u64::from(*limb);
            *limb = u32::try_from(number / BILLION).unwrap_or(u32::MAX);
            remainder = number % BILLION;
        }
        groups.push(format!("{remainder:09}"));
    }
    let digits: String = groups.into_iter().rev().collect();
    let digits = digits.trim_start_matches('0');
    Text::from(if digits.is_empty() { "0" } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_integers_are_decimal() {
        let check = |bytes: &[u8], text: &str, bits: i64| {
            assert_eq!((decimal(bytes), bit_length(bytes)), (Text::from(text), bits));
        };
        check(&[], "0", 0);
        check(&[0, 1], "1", 1);
        check(&[0x3b, 0x9a, 0xca, 0x00], "1000000000", 30);
        check(&[1, 0, 0, 0, 0, 0, 0, 0, 0], "18446744073709551616", 65);
        check(&[0xff; 16], "340282366920938463463374607431768211455", 128);
    }
}
