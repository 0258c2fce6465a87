//! What becomes of a certificate that both issued: renewed with a token, revoked with a token, not renewed any more.
//!
//! Each CA gets requests about its own certificate, which are otherwise the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::keys;
use super::keys::Key;
use super::oracle;
use super::oracle::Rule;
use super::oracle::Stage;
use super::pair::Pair;
use super::random::Random;
use crate::common::https::Answer;
use crate::common::https::Request;

/// One step: a name for it, the request made for each answer, and the rules that apply.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) requests: [Request; 2],
    pub(crate) rules: Vec<Rule>,
}

/// What can be odd about a renew token: claims set to another value, or left out where that is `null`.
type RenewFault = (&'static str, fn(&mut Value, &mut Random), Option<Rule>);

const fn rule(name: &'static str, instead_of: Option<u16>) -> Option<Rule> {
    Some(Rule { name, stage: Stage::Token, status: 401, perhaps: true, instead_of })
}

const RENEWALS: [RenewFault; 9] = [
    ("renew", |_, _| (), None),
    ("renew", |_, _| (), None),
    ("renew", |_, _| (), None),
    (
        "renew for a wrong audience",
        |claims, random| {
            claims["aud"] = random.pick(&["https://localhost/1.0/sign", "https://other/renew", ""]).into();
        },
        rule("D14", Some(500)),
    ),
    ("renew with a port", |claims, _| claims["aud"] = "https://localhost:77/renew".into(), None),
    ("renew for a wrong subject", |claims, _| claims["sub"] = "other".into(), None),
    ("renew by a wrong issuer", |claims, random| claims["iss"] = random.pick(&["", "other"]).into(), None),
    (
        "renew at a wrong time",
        |claims, random| {
            let name = random.pick(&["exp", "nbf", "iat"]);
            let distance = random.pick(&[-100, -35, 35, 100]);
            claims[name] = (claims["iat"].as_i64().unwrap() + distance).into();
        },
        None,
    ),
    ("renew without an end", |claims, _| claims["exp"] = Value::Null, rule("D9", None)),
];

/// The steps for what both answered to a pair.
pub(crate) fn steps(pair: &Pair<'_>, answers: [&Answer; 2], random: &mut Random) -> Vec<Step> {
    let bodies = answers.map(Answer::json);
    let certificates = bodies.each_ref().map(|body| der(&body["crt"]));
    let key = Key::new(pair.csr.kind, &mut Random::new(pair.csr.key_seed));
    let (name, change, rule) = random.pick(&RENEWALS);
    let change_seed = random.next();
    let renewals = || {
        [0, 1].map(|at| {
            let mut claims = json!({
                "iss": "step-ca-client/1.0",
                "sub": common_name(&certificates[at]),
                "aud": "https://localhost/1.0/renew",
                "iat": pair.now, "nbf": pair.now, "exp": pair.now + 300,
                "jti": uuid::Uuid::new_v4().to_string(),
            });
            change(&mut claims, &mut Random::new(change_seed));
            renewal(&key, &bodies[at], &claims)
        })
    };
    let rules = || oracle::rules_of_renewal(pair).into_iter().chain(rule).collect();
    let revocations = certificates.each_ref().map(|certificate| revocation(pair, &serial(certificate)));
    vec![
        Step { name, requests: renewals(), rules: rules() },
        Step { name: "revoke", requests: revocations.clone(), rules: Vec::new() },
        Step { name: "revoke again", requests: revocations, rules: Vec::new() },
        Step { name: "renew what is revoked", requests: renewals(), rules: rules() },
    ]
}

/// A request to renew with a token that the certificate's key signs (CONTRACT.md section 8).
fn renewal(key: &Key, body: &Value, claims: &Value) -> Request {
    let chain: Vec<_> =
        body["certChain"].as_array().unwrap().iter().map(|one| STANDARD.encode(der(one))).collect();
    let header = json!({ "alg": key.algorithm(), "typ": "JWT", "x5cInsecure": chain });
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = URL_SAFE_NO_PAD.encode(key.sign_token(message.as_bytes()));
    let mut request = Request::post("/1.0/renew", &Value::Null);
    request.body.clear();
    request.headers.push(("Authorization".to_owned(), format!("Bearer {message}.{signature}")));
    request
}

/// A request to revoke with a token of the provisioner.
fn revocation(pair: &Pair<'_>, serial: &str) -> Request {
    let header = json!({ "alg": pair.provisioner.algorithm(), "kid": pair.provisioner.key["kid"] });
    let claims = json!({
        "iss": pair.provisioner.name, "sub": serial, "aud": "https://localhost/1.0/revoke",
        "iat": pair.now, "nbf": pair.now, "exp": pair.now + 300, "jti": uuid::Uuid::new_v4().to_string(),
    });
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = keys::sign_token(&pair.provisioner.key, pair.provisioner.algorithm(), message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    Request::post("/1.0/revoke", &json!({ "serial": serial, "ott": token, "reasonCode": 1, "passive": true }))
}

fn der(pem: &Value) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem.as_str().unwrap().as_bytes()).unwrap().1
}

/// The common name, empty if there is none.
fn common_name(der: &[u8]) -> String {
    let certificate = Certificate::from_der(der).unwrap();
    let names = stepless::x509::name::common_name(
        &x509_cert::der::Encode::to_der(certificate.tbs_certificate().subject()).unwrap(),
    );
    names.unwrap().unwrap_or_default()
}

/// The serial number in decimal digits.
fn serial(der: &[u8]) -> String {
    let certificate = Certificate::from_der(der).unwrap();
    let number = certificate.tbs_certificate().serial_number().as_bytes().iter().fold(
        vec![0u8],
        |mut digits, octet| {
            let mut carry = u32::from(*octet);
            for digit in digits.iter_mut().rev() {
                carry += u32::from(*digit) * 256;
                *digit = u8::try_from(carry % 10).unwrap();
                carry /= 10;
            }
            while carry > 0 {
                digits.insert(0, u8::try_from(carry % 10).unwrap());
                carry /= 10;
            }
            digits
        },
    );
    let text: String = number.iter().map(|digit| char::from(b'0' + digit)).collect();
    let text = text.trim_start_matches('0');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}
