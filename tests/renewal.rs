//! Renewing, rekeying and revoking: the rules that no recording shows, each refusal by its code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::local::Answer;
use common::local::Local;
use common::local::NAME;
use common::local::block_on;
use common::token::sign;
use serde_json::Value;
use serde_json::json;
use stepless::clock::Clock as _;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::profile::SubjectKeyId;
use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::Outcome;
use stepless::store::Store as _;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::extension::BasicConstraints;
use stepless::x509::extension::KeyUsage;
use stepless::x509::oid::Oid;
use stepless::x509::pem;
use time::Duration;

const TOKEN: &str = "error validating renew token";

/// An authority with a certificate of provisioner `longlived`.
struct Desk {
    ca: Local,
    der: Vec<u8>,
    key: Arc<PrivateKey>,
}

impl Desk {
    fn new() -> Self {
        let ca = Local::start("mosaic");
        let (der, key) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("longlived")], |_| ());
        Self { ca, der, key }
    }

    /// The certificate and its issuer, as the header carries them.
    fn chain(&self) -> Value {
        let issuer = self.ca.authority.config().issuer().der();
        json!([STANDARD.encode(&self.der), STANDARD.encode(issuer)])
    }

    fn claims(&self, jti: &str) -> Value {
        let now = self.ca.clock.now().unix_timestamp();
        json!({
            "iss": "step-ca-client/1.0", "aud": "https://localhost/1.0/renew", "sub": NAME,
            "nbf": now, "iat": now, "exp": now + 300, "jti": jti,
        })
    }

    fn renew(&self, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        self.ca.post("/1.0/renew", &[("Authorization", &authorization)], &Value::Null, None)
    }
}

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code.as_str()), (status, code), "{answer:?}");
}

#[track_caller]
fn check_token(answer: &Answer, code: &str, message: &str) {
    check(answer, 401, code);
    assert_eq!(answer.body["message"], message);
}

#[test]
fn a_token_renews_once() {
    let desk = Desk::new();
    let token = sign(&desk.key, &json!({"alg": "ES256", "x5cInsecure": desk.chain()}), &desk.claims("a"));
    check(&desk.renew(&token), 201, "");
    check(&desk.renew(&token), 401, "token.replayed");
    // The id belongs to the certificate: another one may use it too.
    let (der, key) = desk.ca.issue(KeyKind::P384, &[desk.ca.provisioner_extension("longlived")], |_| ());
    let other = Desk { der, key, ca: desk.ca };
    let token = sign(&other.key, &json!({"alg": "ES384", "x5cInsecure": other.chain()}), &other.claims("a"));
    check(&other.renew(&token), 201, "");
}

#[test]
fn a_certificate_without_a_common_name_fits_any_subject() {
    let ca = Desk::new().ca;
    let extensions = [ca.provisioner_extension("longlived")];
    let (der, key) = ca.issue(KeyKind::P256, &extensions, |draft| draft.subject.common_name.clear());
    let desk = Desk { der, key, ca };
    let header = json!({"alg": "ES256", "x5cInsecure": desk.chain()});
    for (jti, subject) in [("a", json!("other.example")), ("b", Value::Null)] {
        let mut claims = desk.claims(jti);
        claims["sub"] = subject;
        check(&desk.renew(&sign(&desk.key, &header, &claims)), 201, "");
    }
}

#[test]
fn claims_have_to_fit() {
    let desk = Desk::new();
    let now = desk.ca.clock.now().unix_timestamp();
    let header = json!({"alg": "ES256", "x5cInsecure": desk.chain()});
    for (claim, value, code, reason) in [
        ("sub", json!("other.example"), "token.subject_mismatch", ": invalid subject claim (sub)"),
        ("sub", Value::Null, "token.subject_mismatch", ": invalid subject claim (sub)"),
        (
            "aud",
            json!("https://localhost/1.0/sign"),
            "token.audience_mismatch",
            ": invalid audience claim (aud)",
        ),
        (
            "aud",
            json!("step-certificate-authority"),
            "token.audience_mismatch",
            ": invalid audience claim (aud)",
        ),
        ("iss", json!("plain"), "token.issuer_mismatch", ": invalid issuer claim (iss)"),
        ("exp", json!(now - 61), "token.expired", ": token is expired (exp)"),
        ("exp", Value::Null, "token.expiry_missing", ""),
        ("nbf", json!(now + 62), "token.not_yet_valid", ": token not valid yet (nbf)"),
        ("iat", json!(now + 62), "token.issued_in_future", ": token issued in the future (iat)"),
        ("jti", json!("x".repeat(70_000)), "token.jti_too_long", ""),
        ("jti", json!(1), "token.claims_malformed", ""),
    ] {
        let mut claims = desk.claims("a");
        claims[claim] = value;
        check_token(&desk.renew(&sign(&desk.key, &header, &claims)), code, &format!("{TOKEN}{reason}"));
    }
    // None of them spent it.
    check(&desk.renew(&sign(&desk.key, &header, &desk.claims("a"))), 201, "");
}

#[test]
fn the_chain_has_to_vouch_for_the_token() {
    let desk = Desk::new();
    let claims = desk.claims("a");
    let chain = desk.chain();
    let many: Vec<Value> = vec![chain[0].clone(); 11];
    for (list, code) in [
        (Value::Null, "token.chain_untrusted"),
        (json!([]), "token.chain_untrusted"),
        (json!("x"), "token.chain_untrusted"),
        (json!([1]), "token.chain_untrusted"),
        (json!(["!"]), "token.chain_untrusted"),
        (json!(["AAAA"]), "token.chain_untrusted"),
        (json!([chain[0]]), "token.chain_untrusted"),
        (json!([chain[1], chain[0]]), "token.chain_untrusted"),
        (json!(many), "token.chain_untrusted"),
    ] {
        let token = sign(&desk.key, &json!({"alg": "ES256", "x5cInsecure": list}), &claims);
        check_token(&desk.renew(&token), code, TOKEN);
    }
    let stranger = PrivateKey::generate(KeyKind::P256, &stepless::entropy::SystemEntropy::new()).unwrap();
    let header = json!({"alg": "ES256", "x5cInsecure": chain});
    check_token(&desk.renew(&sign(&stranger, &header, &claims)), "token.signature_invalid", TOKEN);
    for alg in ["none", "ES384", "HS256"] {
        let header = json!({"alg": alg, "x5cInsecure": chain});
        check_token(&desk.renew(&sign(&desk.key, &header, &claims)), "token.algorithm_mismatch", TOKEN);
    }
    check_token(&desk.renew("a.b.c"), "token.malformed", TOKEN);

    // The certificate's key may be there for other purposes.
    let extension = [desk.ca.provisioner_extension("longlived")];
    let (der, key) =
        desk.ca.issue(KeyKind::P256, &extension, |draft| draft.key_usage = KeyUsage::KEY_AGREEMENT);
    let desk = Desk { der, key, ca: desk.ca };
    let token = sign(&desk.key, &json!({"alg": "ES256", "x5cInsecure": desk.chain()}), &desk.claims("a"));
    check_token(&desk.renew(&token), "token.chain_untrusted", TOKEN);
}

#[test]
fn a_refused_renewal_spends_its_token() {
    let ca = Local::start("mosaic");
    let (der, key) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("norenew")], |_| ());
    let desk = Desk { ca, der, key };
    let token = sign(&desk.key, &json!({"alg": "ES256", "x5cInsecure": desk.chain()}), &desk.claims("a"));
    check(&desk.renew(&token), 401, "renew.disabled");
    check(&desk.renew(&token), 401, "token.replayed");
}

#[test]
fn an_expired_certificate_is_renewed_where_that_is_allowed() {
    for (provisioner, status, code) in [("longlived", 401, "renew.expired"), ("late", 201, "")] {
        let ca = Local::start("mosaic");
        let (der, key) = ca.issue(KeyKind::P256, &[ca.provisioner_extension(provisioner)], |_| ());
        let not_after = Certificate::parse(&der).unwrap().not_after();
        let desk = Desk { ca, der, key };
        for (late, status, code) in [(Duration::ZERO, 201, ""), (Duration::SECOND, status, code)] {
            desk.ca.clock.set(not_after + late);
            let header = json!({"alg": "ES256", "x5cInsecure": desk.chain()});
            let answer = desk.renew(&sign(&desk.key, &header, &desk.claims(&late.to_string())));
            check(&answer, status, code);
        }
    }
}

#[test]
fn where_a_certificate_comes_from_has_to_be_known() {
    let ca = Local::start("mosaic");
    let (der, _) = ca.issue(KeyKind::P256, &[], |_| ());
    let renew = || ca.post("/renew", &[], &Value::Null, Some(ca.client(&der)));
    check(&renew(), 401, "renew.provisioner_unknown");
    let named = |name: &str| {
        let credential_id = "a key that was replaced".to_owned();
        let extension = extension::Provisioner {
            kind: extension::Provisioner::JWK,
            name: name.to_owned(),
            credential_id,
        };
        let (der, _) = ca.issue(KeyKind::P256, &[extension.to_extension()], |_| ());
        ca.post("/renew", &[], &Value::Null, Some(ca.client(&der)))
    };
    check(&named("nobody"), 401, "renew.provisioner_unknown");
    // The name decides, as in step-ca: a new key of the provisioner does not end the certificates of the old one.
    check(&named("longlived"), 201, "");
    check(&named("norenew"), 401, "renew.disabled");

    // A record of the same number counts for the same certificate alone.
    let record = |der: &[u8]| {
        let certificate = Certificate::parse(der).unwrap();
        CertificateRecord {
            serial: certificate.serial_number().clone(),
            der: der.to_vec(),
            not_before: 0,
            not_after: 0,
            subject: NAME.to_owned(),
            provisioner: "longlived".to_owned(),
            provisioner_id: ca
                .authority
                .provisioners()
                .iter()
                .find(|p| p.name() == "longlived")
                .unwrap()
                .id()
                .to_owned(),
            grant_id: None,
            subject_user_id: None,
            issued_at: 0,
            request_id: String::new(),
        }
    };
    let mut other = record(&der);
    other.der = vec![0];
    let commit = Commit { certificate: Some(other), ..Commit::default() };
    assert_eq!(block_on(ca.store.commit(commit)).unwrap(), Outcome::Recorded);
    check(&renew(), 401, "renew.provisioner_unknown");
    let (der, _) = ca.issue(KeyKind::P256, &[], |_| ());
    let commit = Commit { certificate: Some(record(&der)), ..Commit::default() };
    assert_eq!(block_on(ca.store.commit(commit)).unwrap(), Outcome::Recorded);
    check(&ca.post("/renew", &[], &Value::Null, Some(ca.client(&der))), 201, "");
}

#[test]
fn grants_are_copied_and_recorded() {
    const IDS: [&str; 2] = ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"];
    let ca = Local::start("mosaic");
    let oids = ca.authority.grant_oids();
    let extensions = [
        extension::utf8_string(oids.grant_id.clone(), IDS[0], false),
        extension::utf8_string(oids.subject_user_id.clone(), IDS[1], false),
        ca.provisioner_extension("longlived"),
    ];
    let (der, _) = ca.issue(KeyKind::P256, &extensions, |_| ());
    let old = Certificate::parse(&der).unwrap();
    let answer = ca.post("/renew", &[], &Value::Null, Some(ca.client(&der)));
    check(&answer, 201, "");
    let crt = answer.body["crt"].as_str().unwrap();
    let new = Certificate::parse(&pem::Blocks::new(crt.as_bytes()).next().unwrap().content).unwrap();
    for extension in &extensions {
        assert_eq!(new.extension(&extension.oid), old.extension(&extension.oid));
    }
    let record = block_on(ca.store.certificate(new.serial_number())).unwrap().unwrap();
    assert_eq!(record.der, new.der());
    assert_eq!((record.grant_id.as_deref(), record.subject_user_id.as_deref()), (Some(IDS[0]), Some(IDS[1])));
    assert_eq!((record.provisioner.as_str(), record.subject.as_str()), ("longlived", NAME));
}

#[test]
fn a_ca_is_not_renewed_below_a_path_length_of_0() {
    let ca = Local::start("mosaic");
    // The authority would not issue it; a laxer one might have.
    let constraints = BasicConstraints { is_ca: true, path_length: None }.to_extension();
    let (der, _) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("longlived"), constraints], |draft| {
        draft.subject_key_id = SubjectKeyId::OfKey;
    });
    let answer = ca.post("/renew", &[], &Value::Null, Some(ca.client(&der)));
    check(&answer, 403, "certificate.invalid");
}

#[test]
fn weak_keys_are_not_rekeyed_to() {
    let ca = Local::start("mosaic");
    let (der, _) = ca.issue(KeyKind::P256, &[ca.provisioner_extension("longlived")], |_| ());
    let rekey = |name: &str| {
        let path = format!("{}/tests/contract/exchanges/csr-key/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let exchange: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let body = json!({"csr": exchange["request"]["body"]["csr"]});
        ca.post("/rekey", &[], &body, Some(ca.client(&der)))
    };
    check(&rekey("rsa1024"), 403, "csr.key_too_weak");
    check(&rekey("ec224"), 400, "csr.malformed");
    check(&rekey("ec256-sha1"), 400, "csr.signature_invalid");
    check(&rekey("ec521"), 201, "");
}

#[test]
fn revocation_needs_a_database() {
    let ca = Local::start_with("rsa", |config| {
        config.ca.database = None;
        config.ca.crl = None;
    });
    let mosaic = Local::start("mosaic");
    let (der, _) = mosaic.issue(KeyKind::P256, &[], |_| ());
    let client = mosaic.client(&der);
    let body = json!({"serial": client.certificate().serial_number().to_string(), "passive": true});
    check(&ca.post("/revoke", &[], &body, Some(client)), 501, "revoke.no_database");
}

#[test]
fn a_revoked_certificate_is_not_renewed_by_any_way() {
    let desk = Desk::new();
    let client = || Some(desk.ca.client(&desk.der));
    let serial = client().unwrap().certificate().serial_number().to_string();
    let body = json!({"serial": serial, "reasonCode": 4, "reason": "superseded", "passive": true});
    check(&desk.ca.post("/revoke", &[], &body, None), 400, "revoke.credential_missing");
    check(&desk.ca.post("/revoke", &[], &body, client()), 200, "");
    check(&desk.ca.post("/revoke", &[], &body, client()), 400, "revoke.already_revoked");
    check(&desk.ca.post("/renew", &[], &Value::Null, client()), 401, "renew.revoked");
    let token = sign(&desk.key, &json!({"alg": "ES256", "x5cInsecure": desk.chain()}), &desk.claims("a"));
    check(&desk.renew(&token), 401, "renew.revoked");
    let record = block_on(desk.ca.store.revocation(&client().unwrap().certificate().serial_number().clone()));
    let record = record.unwrap().unwrap();
    assert_eq!((record.reason_code, record.reason.as_str(), record.provisioner_id), (4, "superseded", None));
    let not_after = client().unwrap().certificate().not_after().unix_timestamp();
    assert_eq!(record.expires_at, Some(not_after));
}

#[test]
fn unknown_oids_do_not_matter() {
    let ca = Local::start("mosaic");
    let private = extension::utf8_string(Oid::parse("1.2.3.4").unwrap(), "kept", false);
    let (der, _) =
        ca.issue(KeyKind::Ed25519, &[ca.provisioner_extension("longlived"), private.clone()], |_| ());
    let answer = ca.post("/re-sign", &[], &Value::Null, Some(ca.client(&der)));
    check(&answer, 201, "");
    let crt = answer.body["crt"].as_str().unwrap();
    let new = Certificate::parse(&pem::Blocks::new(crt.as_bytes()).next().unwrap().content).unwrap();
    assert_eq!(new.extension(&private.oid), Some(&private));
}
