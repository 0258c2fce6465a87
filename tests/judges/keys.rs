//! A key of every kind for each of the three who need one.

use std::fs;
use std::path::Path;

use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::x509::pem;

/// The kinds by the names that files bear: elliptic curves and Ed25519, RSA by its bits.
pub(crate) const KINDS: [&str; 7] = ["p256", "p384", "p521", "ed25519", "rsa2048", "rsa3072", "rsa4096"];

/// A key for `owner`: `root`, `intermediate` or `leaf`.
pub(crate) fn key(kind: &str, owner: &str) -> PrivateKey {
    let kind = match kind {
        "p256" => KeyKind::P256,
        "p384" => KeyKind::P384,
        "p521" => KeyKind::P521,
        "ed25519" => KeyKind::Ed25519,
        rsa => return rsa_key(rsa.trim_start_matches("rsa"), owner),
    };
    PrivateKey::generate(kind, &SystemEntropy::new()).unwrap()
}

fn rsa_key(bits: &str, owner: &str) -> PrivateKey {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/judges");
    let text = fs::read(folder.join(format!("rsa_{bits}_{owner}.pem"))).unwrap();
    PrivateKey::from_pkcs8_der(&pem::Blocks::new(&text).next().unwrap().content).unwrap()
}

/// The key in PEM, unencrypted.
pub(crate) fn to_pem(key: &PrivateKey) -> String {
    pem::encode("PRIVATE KEY", &key.to_pkcs8_der().unwrap())
}
