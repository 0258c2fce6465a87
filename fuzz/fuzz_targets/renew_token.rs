//! Renew tokens, whose chain and signature are judged before anything is known of their sender.
#![no_main]

use std::sync::Arc;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stepless::jose::base64url;
use stepless::token::renew::SignedRenewToken;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem::Blocks;

static ROOTS: LazyLock<Vec<Arc<Certificate>>> = LazyLock::new(|| {
    let pem = include_bytes!("../../tests/contract/fixtures/mosaic/certs/root_ca.crt");
    let certificate = |der: &[u8]| Certificate::parse(der).expect("the fixture has a certificate");
    Blocks::new(pem).map(|block| Arc::new(certificate(&block.content))).collect()
});

fuzz_target!(|data: &[u8]| {
    // A recorded token is believed: the seeds hold some, and no other text is.
    if let Ok(token) = std::str::from_utf8(data) {
        if let Ok(token) = SignedRenewToken::parse(token, &ROOTS) {
            assert!(token.certificate().issuer_der() != token.certificate().subject_der());
        }
    }
    // Mutations rarely hit valid base64url, so the input is also taken as a header; nobody signed that.
    let unsigned = format!("{}.e30.AA", base64url::encode(data));
    assert!(SignedRenewToken::parse(&unsigned, &ROOTS).is_err(), "a forged token");
});
