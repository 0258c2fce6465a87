//! RFC 8725, the best current practice for JSON Web Tokens, section by section: docs/security.md is its table of
//! contents. Every test shows a token that would pass and the same with what the section warns of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::csr::Csr;
use common::local::Answer;
use common::local::Local;
use common::token::claims;
use common::token::now;
use serde_json::Value;
use serde_json::json;
use stepless::jose::JwsAlgorithm;
use stepless::jose::PrivateJwk;
use stepless::jose::ProvisionerKey;
use stepless::jose::base64url;

/// A name for certificates.
const NAME: &str = "a.example";

/// An authority, and what a provisioner's tokens are made of.
struct Desk {
    ca: Local,
}

impl Desk {
    fn new() -> Self {
        Self { ca: Local::start("mosaic") }
    }

    fn key(&self, provisioner: &str) -> PrivateJwk {
        let json = self.ca.fixture.provisioner_key(provisioner).to_string();
        PrivateJwk::parse(json.as_bytes()).unwrap()
    }

    /// Asks for a certificate with a token as it is.
    fn ask(&self, token: &str) -> Answer {
        self.ca.post("/1.0/sign", &[], &json!({"csr": Csr::new(NAME, &[NAME]).pem, "ott": token}), None)
    }

    /// Asks with a token of the provisioner `plain`, with `change` done to its header and its claims.
    fn ask_with(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Answer {
        let key = self.key("plain");
        let mut header = json!({"alg": "ES256", "kid": key.public().key_id(), "typ": "JWT"});
        let mut claims = claims("plain", NAME);
        change(&mut header, &mut claims);
        self.ask(&signed(
            &key,
            JwsAlgorithm::ES256,
            header.to_string().as_bytes(),
            claims.to_string().as_bytes(),
        ))
    }
}

/// Signs a header and a payload as they are.
fn signed(key: &PrivateJwk, algorithm: JwsAlgorithm, header: &[u8], payload: &[u8]) -> String {
    let input = [header, payload].map(base64url::encode).join(".");
    let signature = key.sign(algorithm, input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(&signature))
}

#[track_caller]
fn check(answer: &Answer, code: &str) {
    let status = if code.is_empty() { 201 } else { 401 };
    assert_eq!((answer.status, answer.code.as_str()), (status, code), "{answer:?}");
}

#[test]
fn section_3_1_the_algorithm_is_the_registered_one() {
    let desk = Desk::new();
    check(&desk.ask_with(|_, _| ()), "");
    for other in ["none", "None", "NONE", "", "es256", "HS256", "ES384", "RS256"] {
        check(&desk.ask_with(|header, _| header["alg"] = other.into()), "token.algorithm_mismatch");
    }
    check(
        &desk.ask_with(|header, _| drop(header.as_object_mut().unwrap().remove("alg"))),
        "token.algorithm_mismatch",
    );
    // Another algorithm of the same key, with a signature that holds.
    let key = desk.key("rsa2048");
    let header = |algorithm: &str| json!({"alg": algorithm, "kid": key.public().key_id()}).to_string();
    let token = |algorithm: JwsAlgorithm| {
        let payload = claims("rsa2048", NAME).to_string();
        signed(&key, algorithm, header(algorithm.name()).as_bytes(), payload.as_bytes())
    };
    check(&desk.ask(&token(JwsAlgorithm::RS256)), "");
    check(&desk.ask(&token(JwsAlgorithm::RS512)), "token.algorithm_mismatch");
    check(&desk.ask(&token(JwsAlgorithm::PS256)), "token.algorithm_mismatch");
}

#[test]
fn section_3_1_a_public_key_is_no_secret() {
    let desk = Desk::new();
    for provisioner in ["plain", "rsa2048"] {
        let own = desk.key(provisioner);
        let public = own.public().public_key().unwrap();
        let pem = stepless::x509::pem::encode("PUBLIC KEY", public.spki_der());
        let jwk = serde_json::to_string(own.public()).unwrap();
        for bytes in
            [public.spki_der(), public.key_bits(), pem.as_bytes(), pem.trim_end().as_bytes(), jwk.as_bytes()]
        {
            let secret = json!({"kty": "oct", "k": base64url::encode(bytes)}).to_string();
            let secret = PrivateJwk::parse(secret.as_bytes()).unwrap();
            let header = json!({"alg": "HS256", "kid": own.public().key_id()}).to_string();
            let payload = claims(provisioner, NAME).to_string();
            let token = signed(&secret, JwsAlgorithm::HS256, header.as_bytes(), payload.as_bytes());
            check(&desk.ask(&token), "token.algorithm_mismatch");
        }
    }
}

#[test]
fn section_3_2_only_algorithms_that_are_still_good() {
    let names = JwsAlgorithm::ALL.map(JwsAlgorithm::name);
    assert_eq!(
        names,
        [
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
            "ES384", "ES512", "EdDSA"
        ]
    );
    // RSA-PKCS1 v1.5 encryption is the one that the section names; keys are encrypted with a password alone.
    for algorithm in ["RSA1_5", "RSA-OAEP", "dir", "A128KW"] {
        let header = json!({"alg": algorithm, "enc": "A256GCM", "p2c": 1000, "p2s": "AQ"}).to_string();
        let compact = format!("{}.AA.AA.AA.AA", base64url::encode(header.as_bytes()));
        let error = stepless::jose::jwe::decrypt(&compact, b"password").unwrap_err();
        assert_eq!(error, stepless::jose::Error::UnknownAlgorithm(algorithm.to_owned()));
    }
}

#[test]
fn section_3_3_every_signature_counts() {
    let desk = Desk::new();
    // Nested tokens are not read: what a token holds is claims, or it is refused.
    let key = desk.key("plain");
    let header = json!({"alg": "ES256", "kid": key.public().key_id(), "cty": "JWT"}).to_string();
    let inner =
        signed(&key, JwsAlgorithm::ES256, header.as_bytes(), claims("plain", NAME).to_string().as_bytes());
    let nested = signed(&key, JwsAlgorithm::ES256, header.as_bytes(), inner.as_bytes());
    check(&desk.ask(&nested), "token.claims_malformed");
    // Each part altered, and the signature cut off.
    let token =
        signed(&key, JwsAlgorithm::ES256, header.as_bytes(), claims("plain", NAME).to_string().as_bytes());
    let (input, signature) = token.rsplit_once('.').unwrap();
    check(&desk.ask(&format!("{input}.")), "token.signature_invalid");
    let mut bytes = base64url::decode(signature).unwrap();
    bytes[40] ^= 1;
    check(&desk.ask(&format!("{input}.{}", base64url::encode(&bytes))), "token.signature_invalid");
    let other = claims("plain", "b.example").to_string();
    let (header, _) = input.split_once('.').unwrap();
    check(
        &desk.ask(&format!("{header}.{}.{signature}", base64url::encode(other.as_bytes()))),
        "token.signature_invalid",
    );
    check(&desk.ask(&token), "");
}

#[test]
fn section_3_4_points_lie_on_their_curve() {
    let good = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    assert!(ProvisionerKey::parse(good.as_bytes()).is_ok());
    for (from, to) in [("f83O", "f83P"), ("x_FE", "AAAA"), ("P-256", "P-384")] {
        assert!(ProvisionerKey::parse(good.replace(from, to).as_bytes()).is_err(), "{from}");
    }
    // No key agreement is offered, whose inputs the section is about: ECDH-ES is unknown.
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM"}).to_string();
    let compact = format!("{}..AA.AA.AA", base64url::encode(header.as_bytes()));
    assert!(stepless::jose::jwe::decrypt(&compact, b"password").is_err());
}

#[test]
fn section_3_5_keys_that_can_be_guessed_are_refused() {
    let desk = Desk::new();
    let start = |key: &Value| {
        let mut config: Value = desk.ca.fixture.config();
        config["authority"]["provisioners"] = json!([{"type": "JWK", "name": "weak", "key": key}]);
        stepless::config::parse(config.to_string().as_bytes()).map(drop).map_err(|error| error.to_string())
    };
    let secret = |len: usize| json!({"kty": "oct", "k": base64url::encode(&vec![7; len]), "alg": "HS256"});
    assert_eq!(start(&secret(32)), Ok(()));
    for len in [8, 31] {
        let error = start(&secret(len)).unwrap_err();
        assert!(error.contains(&format!("a secret of {len} bytes is weaker than 32")), "{error}");
    }
    let short = stepless::x509::pem::Blocks::new(include_bytes!("data/crypto/rsa_1024.pem")).next().unwrap();
    assert!(stepless::crypto::PrivateKey::from_pkcs8_der(&short.content).is_err());
}

#[test]
fn section_3_6_nothing_is_decompressed() {
    let header =
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 1000, "p2s": "AQ", "zip": "DEF"});
    let compact = format!("{}.AA.AA.AA.AA", base64url::encode(header.to_string().as_bytes()));
    let error = stepless::jose::jwe::decrypt(&compact, b"password").unwrap_err();
    assert_eq!(error, stepless::jose::Error::Critical("zip".to_owned()));
}

#[test]
fn section_3_7_other_encodings_are_no_json() {
    let desk = Desk::new();
    let key = desk.key("plain");
    let header = json!({"alg": "ES256", "kid": key.public().key_id()}).to_string();
    let payload = claims("plain", NAME).to_string();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let ask = |header: &[u8], payload: &[u8]| desk.ask(&signed(&key, JwsAlgorithm::ES256, header, payload));
    check(&ask(&utf16(&header), payload.as_bytes()), "token.malformed");
    check(&ask(header.as_bytes(), &utf16(&payload)), "token.claims_malformed");
    let marked = [b"\xef\xbb\xbf", payload.as_bytes()].concat();
    check(&ask(header.as_bytes(), &marked), "token.claims_malformed");
    check(&ask(header.as_bytes(), payload.as_bytes()), "");
}

#[test]
fn section_3_8_issuer_and_subject_are_the_keys() {
    let desk = Desk::new();
    // The key is that of `plain`, whatever the token says: another issuer has another key, or none.
    for (issuer, code) in [("limits", "provisioner.unknown"), ("nobody", "provisioner.unknown")] {
        check(&desk.ask_with(|_, claims| claims["iss"] = issuer.into()), code);
    }
    // The provisioner that has the kid and the name of another: its key did not sign this.
    let other = desk.key("limits").public().key_id().to_owned();
    let answer = desk.ask_with(|header, claims| {
        header["kid"] = other.into();
        claims["iss"] = "limits".into();
    });
    check(&answer, "token.signature_invalid");
    // An audience's fragment finds a provisioner too, and the issuer has to be that one.
    let id = format!("plain:{}", desk.key("plain").public().key_id());
    let answer = desk.ask_with(|_, claims| {
        claims["aud"] = format!("https://localhost/1.0/sign#{id}").into();
        claims["iss"] = "limits".into();
    });
    check(&answer, "token.issuer_mismatch");
    check(&desk.ask_with(|_, claims| claims["sub"] = "".into()), "token.subject_missing");
    check(&desk.ask_with(|_, claims| claims["sub"] = 7.into()), "token.claims_malformed");
}

#[test]
fn section_3_9_the_audience_is_this_authority_and_this_use() {
    let desk = Desk::new();
    for (audience, code) in [
        (json!("https://other.example/1.0/sign"), "token.audience_mismatch"),
        (json!([]), "token.audience_mismatch"),
        (json!("https://localhost/1.0/revoke"), "token.audience_mismatch"),
        (json!("https://localhost/1.0/renew"), "token.audience_mismatch"),
        (json!(["https://other.example/1.0/sign", "https://localhost/1.0/sign"]), ""),
    ] {
        check(&desk.ask_with(|_, claims| claims["aud"] = audience), code);
    }
}

/// `kid` finds a provisioner and nothing else, and what a header offers to fetch or to trust is not fetched or trusted.
#[test]
fn section_3_10_headers_are_only_claims() {
    let desk = Desk::new();
    for kid in ["' OR '1'='1", "../../etc/passwd", "*", "", "\0"] {
        check(&desk.ask_with(|header, _| header["kid"] = kid.into()), "provisioner.unknown");
    }
    // A listener that nobody may call.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let own = PrivateJwk::generate(stepless::crypto::KeyKind::P256, &stepless::entropy::SystemEntropy::new())
        .unwrap();
    let header = json!({
        "alg": "ES256", "kid": desk.key("plain").public().key_id(), "jku": url, "x5u": url, "jwk": own.public(),
    });
    let token = signed(
        &own,
        JwsAlgorithm::ES256,
        header.to_string().as_bytes(),
        claims("plain", NAME).to_string().as_bytes(),
    );
    check(&desk.ask(&token), "token.signature_invalid");
    let called = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(called, Err(std::io::ErrorKind::WouldBlock));
}

/// Types are not demanded, since every client in the field writes `JWT`; kinds are told apart as in the next test.
#[test]
fn section_3_11_types_are_not_looked_at() {
    let desk = Desk::new();
    for kind in ["JWT", "at+jwt", "anything"] {
        check(&desk.ask_with(|header, _| header["typ"] = kind.into()), "");
    }
    let token = "eyJhbGciOiJub25lIn0";
    check(&desk.ask(token), "token.malformed");
}

/// Tokens to sign, to renew and to revoke differ in their audience; a renew token also in who signs it.
#[test]
fn section_3_12_one_kind_of_token_is_no_other() {
    let desk = Desk::new();
    let key = desk.key("plain");
    let token = |path: &str| {
        let mut claims = claims("plain", "1");
        claims["aud"] = format!("https://localhost/1.0/{path}").into();
        let header = json!({"alg": "ES256", "kid": key.public().key_id()}).to_string();
        signed(&key, JwsAlgorithm::ES256, header.as_bytes(), claims.to_string().as_bytes())
    };
    let revoke = |token: &str| {
        desk.ca.post("/1.0/revoke", &[], &json!({"serial": "1", "ott": token, "passive": true}), None)
    };
    let renew = |token: &str| {
        let header = format!("Bearer {token}");
        desk.ca.post("/1.0/renew", &[("authorization", &header)], &Value::Null, None)
    };
    check(&desk.ask(&token("revoke")), "token.audience_mismatch");
    assert_eq!(revoke(&token("sign")).code, "token.audience_mismatch");
    assert_eq!(renew(&token("renew")).code, "token.chain_untrusted");
    assert_eq!(renew(&token("sign")).code, "token.chain_untrusted");
    assert_eq!(revoke(&token("revoke")).status, 200);
}

/// Beyond the sections: times are checked, and a token is good for one use.
#[test]
fn a_token_is_short_lived_and_used_once() {
    let desk = Desk::new();
    check(&desk.ask_with(|_, claims| claims["exp"] = (now() - 120).into()), "token.expired");
    check(&desk.ask_with(|_, claims| claims["nbf"] = (now() + 120).into()), "token.not_yet_valid");
    check(&desk.ask_with(|_, claims| claims["iat"] = (now() + 120).into()), "token.issued_in_future");
    check(
        &desk.ask_with(|_, claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        "token.expiry_missing",
    );
    let fixed = claims("plain", NAME);
    check(&desk.ask_with(|_, claims| *claims = fixed.clone()), "");
    check(&desk.ask_with(|_, claims| *claims = fixed.clone()), "token.replayed");
}
