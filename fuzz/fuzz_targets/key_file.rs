//! Files with private keys, plain and encrypted, in PEM, DER and JOSE; the password is `password`.
//!
//! What demands many iterations is left out: up to ten million are computed, which takes seconds and finds nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use stepless::crypto::PrivateKey;
use stepless::jose::PrivateJwk;
use stepless::jose::base64url;
use stepless::signer::key_file;
use stepless::x509::pem;

/// Few enough to try thousands of inputs a second.
const MAX_ITERATIONS: u64 = 1_000;

const PASSWORD: Option<&[u8]> = Some(b"password");

fuzz_target!(|data: &[u8]| {
    for key in [PrivateKey::from_pkcs8_der(data), PrivateKey::from_sec1_der(data)].into_iter().flatten() {
        let written = key.to_pkcs8_der().expect("what was read can be written");
        let again = PrivateKey::from_pkcs8_der(&written).expect("what was written can be read");
        assert_eq!(again.public_key(), key.public_key());
    }
    look_at_pem(data);
    for label in ["ENCRYPTED PRIVATE KEY", "PRIVATE KEY"] {
        look_at_pem(pem::encode(label, data).as_bytes());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        look_at_jose(text);
        // Mutations rarely hit valid base64url, so the input is also taken as a header, and as a key in JSON.
        look_at_jose(&format!("{}.AA.AA.AA.AA", base64url::encode(data)));
        let _ = PrivateJwk::parse(data);
    }
});

fn look_at_pem(text: &[u8]) {
    let demanding = pem::Blocks::new(text).any(|block| {
        let Ok(info) = EncryptedPrivateKeyInfoRef::from_der(&block.content) else { return false };
        let EncryptionScheme::Pbes2(scheme) = &info.encryption_algorithm else { return false };
        matches!(&scheme.kdf, Kdf::Pbkdf2(kdf) if u64::from(kdf.iteration_count) > MAX_ITERATIONS)
    });
    let needs_password = key_file::needs_password(text);
    if !demanding && key_file::decode(text, PASSWORD, "fuzz").is_ok() {
        let without = key_file::decode(text, None, "fuzz");
        assert_eq!(without.is_err(), needs_password, "a password is needed or it is not");
    }
}

fn look_at_jose(text: &str) {
    let trimmed = text.trim();
    let header = match serde_json::from_str::<serde_json::Value>(trimmed) {
        Ok(object) => object["protected"].as_str().unwrap_or_default().to_owned(),
        Err(_) => trimmed.split('.').next().unwrap_or_default().to_owned(),
    };
    let header = base64url::decode(&header).unwrap_or_default();
    let iterations = match serde_json::from_slice::<serde_json::Value>(&header) {
        Ok(header) => header["p2c"].as_u64().unwrap_or_default(),
        // Ours may read what that one does not.
        Err(_) if header.windows(5).any(|part| part == b"\"p2c\"") => return,
        Err(_) => 0,
    };
    if iterations <= MAX_ITERATIONS {
        let _ = PrivateJwk::open(text, PASSWORD);
    }
}
