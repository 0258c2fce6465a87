//! Tokens in compact serialization, and keys as they stand in ca.json and in headers.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;
use stepless::jose::jws::UnverifiedJws;

static KEYS: LazyLock<Vec<ProvisionerKey>> = LazyLock::new(|| {
    [
        r#"{"kty":"oct","kid":"s","k":"uT8hJ2n3l0o1QzqY5r7cWJx9VfBvD4mKpE6sGtRiNaU"}"#,
        r#"{"kty":"EC","kid":"e","crv":"P-256","x":"_2Xa0hrEMLtT1nDblC1y5rDHqu8xeQnPBazAnkyq3nE","y":"HJS2V8Tk97CF3UDFe87O3JcVzLwYGeHEGJ1RNjfS7lA"}"#,
    ]
    .map(|json| ProvisionerKey::parse(json.as_bytes()).expect("the keys are well formed"))
    .into()
});

/// Whatever parses has one spelling only, and no signature is good for keys that signed nothing.
fn look_at(compact: &str) {
    let Ok(jws) = UnverifiedJws::parse(compact) else {
        return;
    };
    let signing_input = String::from_utf8_lossy(jws.signing_input());
    assert_eq!(format!("{signing_input}.{}", base64url::encode(jws.signature())), compact);
    for key in KEYS.iter() {
        assert!(jws.verify(key).is_err(), "a forged token: {compact}");
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        look_at(text);
    }
    // Mutations rarely hit valid base64url, so the input is also taken as a header.
    look_at(&format!("{}.e30.AA", base64url::encode(data)));
    let _ = ProvisionerKey::parse(data);
});
