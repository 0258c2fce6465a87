//! What the authority says to input that is wrong, hostile or cut short, and what it never says.
//!
//! Over the router in process, at a fixed time, with the refusals' codes revealed. After every request the answer and
//! the whole log are searched for what was planted: the token, the passwords, the private keys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::csr::Csr;
use common::fixture::Fixture;
use http_body_util::BodyExt as _;
use jsonwebtoken::EncodingKey;
use serde_json::Value;
use serde_json::json;
use stepless::authority::Authority;
use stepless::authority::Options;
use stepless::clock::FixedClock;
use stepless::config::Config;
use stepless::config::DirectoryFiles;
use stepless::entropy::SystemEntropy;
use stepless::http::MAX_BODY;
use stepless::http::RouterOptions;
use stepless::jose::PrivateJwk;
use stepless::jose::ProvisionerKey;
use stepless::signer::key_file;
use stepless::store::MemoryStore;
use stepless::token::UnverifiedToken;
use stepless::wire::SignRequest;
use stepless::x509::pem;
use time::OffsetDateTime;
use tower::ServiceExt as _;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// A moment at which the fixture's certificates are valid, in Unix seconds.
const NOW: i64 = 1_795_503_600;

/// All that this process logs, at every level.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of_this_process() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// An authority on the fixture `mosaic`.
struct Desk {
    fixture: Fixture,
    authority: Arc<Authority>,
    router: axum::Router,
    runtime: tokio::runtime::Runtime,
    log: &'static Log,
    _panics: common::panics::Watch,
}

/// An answer: status, the refusal's code, the body.
struct Answer {
    status: u16,
    code: String,
    body: String,
}

impl Desk {
    fn new() -> Self {
        let panics = common::panics::Watch::start();
        let log = Log::of_this_process();
        let fixture = Fixture::copy("mosaic");
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        let ca = stepless::config::parse(fixture.read("ca.json").as_bytes()).unwrap();
        let files = DirectoryFiles::new(fixture.path(), fixture.path(), fixture.path());
        let password = fixture.password();
        let config = Config::load(ca, &files, Some(password.trim_end().as_bytes()), now).unwrap();
        let options = Options {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(FixedClock::new(now)),
            entropy: Arc::new(SystemEntropy::new()),
        };
        let authority = Arc::new(Authority::new(config, options).unwrap());
        let router = stepless::http::router(Arc::clone(&authority), RouterOptions::development());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { fixture, authority, router, runtime, log, _panics: panics }
    }

    fn send(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send_to("/1.0/sign", "", body)
    }

    fn send_to(&self, path: &str, authorization: &str, body: impl Into<Vec<u8>>) -> Answer {
        let mut request = axum::http::Request::post(path);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Body::from(body.into())).expect("a request");
        let (parts, body) = self.runtime.block_on(async {
            let response = match self.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let (parts, body) = response.into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        });
        let code = parts.headers.get("x-stepless-refusal").map(|code| code.to_str().unwrap().to_owned());
        Answer {
            status: parts.status.as_u16(),
            code: code.unwrap_or_default(),
            body: String::from_utf8(body.to_vec()).expect("answers are UTF-8"),
        }
    }

    /// Sends `body` and expects a refusal in step-ca's form, and silence about `planted` and the fixture's secrets.
    #[track_caller]
    fn refuses(&self, what: &str, body: impl Into<Vec<u8>>, status: u16, code: &str, planted: &[&str]) {
        let answer = self.send(body);
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{what}: {}", answer.body);
        let error: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(error["status"], status, "{what}");
        assert!(error["message"].is_string(), "{what}");
        assert_eq!(error.as_object().unwrap().len(), 2, "{what}");
        self.is_silent(what, &answer.body, planted);
    }

    /// Neither `said` nor the log holds anything that was planted.
    #[track_caller]
    fn is_silent(&self, what: &str, said: &str, planted: &[&str]) {
        let log = self.log.text();
        let secrets = self.secrets();
        for secret in secrets.iter().map(String::as_str).chain(planted.iter().copied()) {
            assert!(!said.contains(secret), "{what}: {said} holds {secret}");
            assert!(!log.contains(secret), "{what}: the log holds {secret}");
        }
    }

    /// The password and all private members of the provisioners' keys.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![self.fixture.password().trim_end().to_owned()];
        let keys: Value = serde_json::from_str(&self.fixture.read("provisioner-keys.json")).unwrap();
        for key in keys.as_object().unwrap().values() {
            for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                secrets.extend(key[member].as_str().map(str::to_owned));
            }
        }
        assert!(secrets.len() > 10);
        secrets
    }

    /// Sends a request with a token, which is planted as a whole and by its signature.
    #[track_caller]
    fn refuses_token(&self, what: &str, csr: &Csr, token: &str, status: u16, code: &str) {
        let mut planted = vec![token];
        // A short text may stand anywhere.
        planted.extend(token.rsplit('.').next().filter(|signature| signature.len() > 16));
        planted.retain(|text| text.len() > 4);
        self.refuses(what, body(csr, token), status, code, &planted);
    }

    fn key(&self, provisioner: &str) -> Value {
        self.fixture.provisioner_key(provisioner)
    }
}

fn body(csr: &Csr, token: &str) -> Vec<u8> {
    json!({ "csr": csr.pem, "ott": token }).to_string().into_bytes()
}

/// The claims of a good token of `mosaic-fed` for `csr`.
fn claims(csr: &Csr) -> Value {
    json!({
        "iss": "mosaic-fed",
        "aud": "https://localhost/1.0/sign",
        "sub": "a.example",
        "sans": ["a.example"],
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        "jti": uuid::Uuid::new_v4().to_string(),
        "mosaic_grant_id": GRANT_ID,
        "mosaic_subject_user_id": USER_ID,
        "step": { "sha": csr.sha256_hex() },
    })
}

fn a_csr() -> Csr {
    Csr::new("a.example", &["a.example"])
}

/// Header, payload and signature as they are given.
fn assemble(header: &Value, payload: &[u8], signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(payload), encode(signature))
}

#[test]
fn a_good_request_is_granted_and_says_nothing_of_its_token() {
    let desk = Desk::new();
    let csr = a_csr();
    let token = common::token::mint(&desk.key("mosaic-fed"), &claims(&csr));
    let answer = desk.send(body(&csr, &token));
    assert_eq!(answer.status, 201, "{}", answer.body);
    desk.is_silent("granted", &answer.body, &[&token, token.rsplit('.').next().unwrap()]);
    assert!(desk.log.text().contains(GRANT_ID), "what was issued is logged");
    desk.refuses_token("again", &csr, &token, 401, "token.replayed");
}

#[test]
fn malformed_json() {
    let desk = Desk::new();
    let planted = "planted-in-a-broken-body";
    let check = |text: &[u8]| {
        let what = String::from_utf8_lossy(text).into_owned();
        desk.refuses(&what[..what.len().min(60)], text, 400, "request.malformed", &[planted]);
    };
    for text in ["", " ", "{", "}", "[]", "1", "\"x\"", "true", "{\"csr\"}", "{\"csr\":}", "nul", "{'csr':1}"]
    {
        check(text.as_bytes());
    }
    for text in [
        format!("{{\"ott\":\"{planted}\""),
        format!("{{\"ott\":\"{planted}\",\"ott\":\"{planted}\"}}"),
        format!("{{\"ott\":\"{planted}\",\"OTT\":\"{planted}\"}}"),
        format!("{{\"ott\":\"{planted}\"}} trailing"),
        format!("{{\"ott\":\"{planted}\"}}{{}}"),
        format!("\u{feff}{{\"ott\":\"{planted}\"}}"),
        format!("{{\"ott\":[\"{planted}\"]}}"),
        format!("{{\"csr\":{{\"a\":\"{planted}\"}}}}"),
        format!("{{\"csr\":17,\"ott\":\"{planted}\"}}"),
        format!("{{\"notAfter\":24,\"ott\":\"{planted}\"}}"),
        format!("{{\"ott\":\"{planted}\\u12\"}}"),
    ] {
        check(text.as_bytes());
    }
    check(&"[".repeat(100_000).into_bytes());
    check(format!("{{\"templateData\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)).as_bytes());
    check(&[0xff, 0xfe, b'{', 0, b'}', 0]);
    desk.refuses("an object", "{}", 400, "csr.missing", &[]);
    desk.refuses("null", "null", 400, "csr.missing", &[]);
    let time = json!({ "csr": a_csr().pem, "ott": planted, "notAfter": "1d" }).to_string();
    desk.refuses("1d", time, 400, "request.invalid_time", &[planted]);
}

#[test]
fn a_body_of_more_than_1_mib() {
    let desk = Desk::new();
    let body = |length: usize| {
        let frame = "{\"ott\":\"\"}".len();
        format!("{{\"ott\":\"{}\"}}", "a".repeat(length - frame))
    };
    desk.refuses("exactly 1 MiB", body(MAX_BODY), 400, "csr.missing", &[]);
    let answer = desk.send(body(MAX_BODY + 1));
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.body,
        "{\"status\":413,\"message\":\"The request could not be completed: the body is larger than 1 MiB.\"}\n"
    );
}

#[test]
fn malformed_pem_and_der() {
    let desk = Desk::new();
    let csr = a_csr();
    let planted = "planted-beside-a-broken-csr";
    let check = |what: &str, pem: &str, code: &str| {
        let body = json!({ "csr": pem, "ott": planted }).to_string();
        desk.refuses(what, body, 400, code, &[planted]);
    };
    check("empty", "", "csr.missing");
    check("text", "hello", "csr.malformed");
    check("no end", csr.pem.split("-----END").next().unwrap(), "csr.malformed");
    check("other end", &csr.pem.replace("END CERTIFICATE REQUEST", "END CERTIFICATE"), "csr.malformed");
    check("no base64", &csr.pem.replace('M', "!"), "csr.malformed");
    check("two", &csr.pem.repeat(2), "csr.several_blocks");
    let of = |der: &[u8]| pem::encode("CERTIFICATE REQUEST", der);
    check("a certificate", &desk.fixture.root_pem(), "csr.malformed");
    check("nothing", &of(&[]), "csr.malformed");
    check("bytes behind", &of(&[csr.der.as_slice(), &[0]].concat()), "csr.malformed");
    check("a huge length", &of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), "csr.malformed");
    check("an endless length", &of(&[0x30, 0x80, 0, 0]), "csr.malformed");
    // A thousand sequences in one another.
    let mut deep = vec![0x05, 0x00];
    for _ in 0..1000 {
        let length = u16::try_from(deep.len()).unwrap().to_be_bytes();
        deep = [&[0x30, 0x82], length.as_slice(), &deep].concat();
    }
    check("deep", &of(&deep), "csr.malformed");
    for length in 0..csr.der.len() {
        check(&format!("the first {length} bytes"), &of(&csr.der[..length]), "csr.malformed");
    }
}

#[test]
fn no_byte_of_a_request_can_be_changed() {
    let desk = Desk::new();
    let csr = a_csr();
    for at in 0..csr.der.len() {
        let mut der = csr.der.clone();
        der[at] ^= 1;
        let body = json!({ "csr": pem::encode("CERTIFICATE REQUEST", &der), "ott": "x" }).to_string();
        let answer = desk.send(body);
        assert_eq!(answer.status, 400, "byte {at}: {}", answer.body);
        assert!(
            matches!(&*answer.code, "csr.malformed" | "csr.signature_invalid"),
            "byte {at}: {}",
            answer.code
        );
    }
}

#[test]
fn malformed_tokens() {
    let desk = Desk::new();
    let csr = a_csr();
    let good = common::token::mint(&desk.key("mosaic-fed"), &claims(&csr));
    let parts: Vec<&str> = good.split('.').collect();
    let check = |what: &str, token: &str, code: &str| desk.refuses_token(what, &csr, token, 401, code);
    desk.refuses("empty", body(&csr, ""), 400, "token.missing", &[]);
    for (what, token) in [
        ("no dots", "planted-token-without-dots".to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.AAAA")),
        ("a space", format!("{good} ")),
        ("a line break", good.replace('.', ".\n")),
        ("padding", format!("{good}=")),
        ("another alphabet", format!("+{good}")),
        ("no header", format!(".{}.{}", parts[1], parts[2])),
        ("a header that is no JSON", format!("AAAA.{}.{}", parts[1], parts[2])),
        (
            "the JSON form",
            json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] }).to_string(),
        ),
        ("a header that is a list", assemble(&json!([]), b"{}", b"0123456789abcdef")),
        (
            "crit",
            assemble(&json!({"alg": "ES256", "crit": ["b64"], "b64": false}), b"{}", b"0123456789abcdef"),
        ),
    ] {
        check(what, &token, "token.malformed");
    }
    let header = json!({ "alg": "ES256", "kid": desk.key("mosaic-fed")["kid"] });
    for (what, payload) in [
        ("no claims", "".to_owned()),
        ("a list of claims", "[]".to_owned()),
        ("claims cut off", "{\"iss\":\"mosaic-fed\"".to_owned()),
        ("deep claims", "[".repeat(50_000)),
        ("a claim twice", "{\"iss\":\"mosaic-fed\",\"iss\":\"mosaic-fed\"}".to_owned()),
    ] {
        check(what, &assemble(&header, payload.as_bytes(), b"0123456789abcdef"), "token.claims_malformed");
    }
    // Nothing of all this has spent the token.
    assert_eq!(desk.send(body(&csr, &good)).status, 201);
}

#[test]
fn no_signature_and_foreign_signatures() {
    let desk = Desk::new();
    let csr = a_csr();
    let key = desk.key("mosaic-fed");
    let good_claims = claims(&csr);
    let payload = good_claims.to_string().into_bytes();
    for alg in [json!("none"), json!("None"), json!("NONE"), json!("nOnE"), json!(""), json!("ES257")] {
        let header = json!({ "alg": alg, "kid": key["kid"] });
        let what = format!("alg {alg}");
        desk.refuses_token(&what, &csr, &assemble(&header, &payload, b""), 401, "token.algorithm_mismatch");
        let forged = assemble(&header, &payload, b"0123456789abcdef0123456789abcdef");
        desk.refuses_token(&what, &csr, &forged, 401, "token.algorithm_mismatch");
    }

    // The public key as an HMAC secret, in every form that someone may hold it in.
    let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [&[4], member("x").as_slice(), &member("y")].concat();
    let public = ProvisionerKey::parse(key.to_string().as_bytes()).unwrap();
    let spki = public.jwk().public_key().unwrap().spki_der().to_vec();
    let spki_pem = pem::encode("PUBLIC KEY", &spki);
    let jwk = serde_json::to_string(public.jwk()).unwrap();
    for secret in
        [point.as_slice(), &spki, spki_pem.as_bytes(), spki_pem.trim().as_bytes(), jwk.as_bytes(), b""]
    {
        for algorithm in
            [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS384, jsonwebtoken::Algorithm::HS512]
        {
            let mut header = jsonwebtoken::Header::new(algorithm);
            header.kid = key["kid"].as_str().map(str::to_owned);
            let forged =
                jsonwebtoken::encode(&header, &good_claims, &EncodingKey::from_secret(secret)).unwrap();
            desk.refuses_token("a public secret", &csr, &forged, 401, "token.algorithm_mismatch");
        }
    }

    // Another key under this kid, and this key under another provisioner's name.
    let mut foreign = desk.key("plain");
    foreign["kid"] = key["kid"].clone();
    let forged = common::token::mint(&foreign, &good_claims);
    desk.refuses_token("a foreign key", &csr, &forged, 401, "token.signature_invalid");
    let mut other = good_claims.clone();
    other["iss"] = json!("plain");
    let forged = common::token::mint(&key, &other);
    desk.refuses_token("a foreign name", &csr, &forged, 401, "provisioner.unknown");
    // Whether a provisioner is off learns only who means this authority.
    for (audience, code) in [
        ("https://localhost/1.0/renew", "provisioner.disabled"),
        ("https://other/1.0/sign", "provisioner.unknown"),
    ] {
        let mut other = good_claims.clone();
        (other["iss"], other["aud"]) = (json!("disabled"), json!(audience));
        let token = common::token::mint(&desk.key("disabled"), &other);
        desk.refuses_token(audience, &csr, &token, 401, code);
    }
    // A key of the attacker's own in the header.
    let mut header: Value = json!({ "alg": "ES256", "kid": key["kid"] });
    header["jwk"] =
        serde_json::to_value(ProvisionerKey::parse(desk.key("plain").to_string().as_bytes()).unwrap().jwk())
            .unwrap();
    let forged = assemble(&header, &payload, &[1; 64]);
    desk.refuses_token("a key in the header", &csr, &forged, 401, "token.signature_invalid");

    // A forged token does not spend the genuine one with the same id.
    let genuine = common::token::mint(&key, &good_claims);
    assert_eq!(desk.send(body(&csr, &genuine)).status, 201);
}

#[test]
fn every_claim_of_a_wrong_type() {
    let desk = Desk::new();
    let csr = a_csr();
    let key = desk.key("mosaic-fed");
    let check = |claim: &str, value: Value, status: u16, code: &str| {
        let mut wrong = claims(&csr);
        let what = format!("{claim}: {value}");
        wrong[claim] = value;
        desk.refuses_token(&what, &csr, &common::token::mint(&key, &wrong), status, code);
    };
    let malformed = "token.claims_malformed";
    for claim in ["iss", "sub", "jti", "email", "nonce"] {
        for value in [json!(17), json!(true), json!(["x"]), json!({ "x": 1 })] {
            check(claim, value, 401, malformed);
        }
    }
    for claim in ["exp", "nbf", "iat"] {
        for value in [json!("1795503900"), json!(true), json!([1]), json!({})] {
            check(claim, value, 401, malformed);
        }
    }
    for value in [json!("a.example"), json!(17), json!({}), json!([17]), json!([["a.example"]])] {
        check("sans", value, 401, malformed);
    }
    for value in [json!(17), json!({}), json!([17])] {
        check("aud", value, 401, malformed);
    }
    for claim in ["step", "cnf"] {
        for value in [json!("x"), json!(17), json!(true), json!([])] {
            check(claim, value, 401, malformed);
        }
    }
    check("step", json!({ "sha": 17 }), 401, malformed);
    check("step", json!({ "ssh": "x" }), 401, malformed);
    check("cnf", json!({ "x5rt#S256": 17 }), 401, malformed);
    for claim in ["mosaic_grant_id", "mosaic_subject_user_id"] {
        for value in [
            json!(null),
            json!(17),
            json!(true),
            json!([GRANT_ID]),
            json!({ "id": GRANT_ID }),
            json!(""),
            json!(GRANT_ID.replace('-', "")),
            json!(format!("{{{GRANT_ID}}}")),
            json!(format!("{GRANT_ID}\n")),
        ] {
            check(claim, value, 403, "grant.claim_invalid");
        }
    }
    // Of the right type, and still no.
    check("exp", json!(NOW - 61), 401, "token.expired");
    check("exp", json!(null), 401, "token.expiry_missing");
    check("exp", json!(-1e300), 401, "token.expired");
    check("nbf", json!(NOW + 61), 401, "token.not_yet_valid");
    check("iat", json!(NOW + 61), 401, "token.issued_in_future");
    check("sub", json!(""), 401, "token.subject_missing");
    check("aud", json!("https://elsewhere.example/1.0/sign"), 401, "token.audience_mismatch");
    check("aud", json!([]), 401, "token.audience_mismatch");
    check("jti", json!("j".repeat(70_000)), 401, "token.jti_too_long");
}

#[test]
fn a_request_for_another_token() {
    let desk = Desk::new();
    let (csr, other) = (a_csr(), a_csr());
    let key = desk.key("mosaic-fed");
    let check = |what: &str, claims: &Value, code: &str| {
        desk.refuses_token(what, &csr, &common::token::mint(&key, claims), 403, code);
    };
    check("another request's sha", &claims(&other), "csr.binding_mismatch");
    let mut cnf = claims(&csr);
    cnf["step"] = json!(null);
    cnf["cnf"] = json!({ "x5rt#S256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
    check("another request's cnf", &cnf, "csr.binding_mismatch");
    cnf["cnf"] = json!({ "x5rt#S256": "not base64url!" });
    cnf["jti"] = json!("2");
    check("no base64url", &cnf, "csr.binding_undecodable");
    let mut unbound = claims(&csr);
    unbound["step"] = json!(null);
    check("bound to nothing", &unbound, "csr.binding_missing");
    let mut names = claims(&csr);
    names["sans"] = json!(["a.example", "b.example"]);
    check("more names", &names, "csr.names_mismatch");
    names["sub"] = json!("b.example");
    names["sans"] = json!(["b.example"]);
    names["jti"] = json!("3");
    check("another name", &names, "csr.common_name_mismatch");
}

#[test]
fn the_other_routes() {
    let desk = Desk::new();
    let csr = a_csr();
    let token = common::token::mint(&desk.key("mosaic-fed"), &claims(&csr));
    let check = |path: &str, authorization: &str, body: &str, status: u16, code: &str| {
        let answer = desk.send_to(path, authorization, body);
        assert_eq!((answer.status, &*answer.code), (status, code), "{path} {body}: {}", answer.body);
        desk.is_silent(path, &answer.body, &["planted", &token, token.rsplit('.').next().unwrap()]);
    };
    let revoke =
        |serial: Value, ott: &str| json!({ "serial": serial, "ott": ott, "passive": true }).to_string();
    check("/revoke", "", "{\"ott\":\"planted", 400, "request.malformed");
    check("/revoke", "", "{\"ott\":\"planted\",\"ott\":\"planted\"}", 400, "request.malformed");
    check("/revoke", "", &revoke(json!(17), "planted"), 400, "request.malformed");
    check("/revoke", "", &revoke(json!(""), "planted"), 400, "revoke.serial_missing");
    check("/revoke", "", &revoke(json!("seventeen"), "planted"), 400, "revoke.serial_invalid");
    check("/revoke", "", &revoke(json!("17"), "planted"), 401, "token.malformed");
    check("/revoke", "", &revoke(json!("17"), ""), 400, "revoke.credential_missing");
    check("/revoke", "", &json!({ "serial": "17", "ott": "planted" }).to_string(), 501, "revoke.not_passive");
    // A token for signing revokes nothing, and renews nothing.
    check("/revoke", "", &revoke(json!("17"), &token), 401, "token.audience_mismatch");
    check("/renew", "", "", 400, "renew.credential_missing");
    check("/renew", "Bearer planted", "", 401, "token.malformed");
    check("/rekey", "Bearer planted", "{}", 400, "renew.credential_missing");
    let renewal = desk.send_to("/renew", &format!("Bearer {token}"), "");
    assert_eq!(renewal.status, 401, "{}", renewal.body);
    desk.is_silent("/renew", &renewal.body, &[&token]);
    let large = desk.send_to("/revoke", "", " ".repeat(MAX_BODY + 1));
    assert_eq!(large.status, 413);
    // All this has not spent it.
    assert_eq!(desk.send(body(&csr, &token)).status, 201);
}

/// Bytes changed anywhere in a good body bring a refusal, never a fault of the server's.
#[test]
fn changed_bytes_are_never_the_servers_fault() {
    let desk = Desk::new();
    let csr = a_csr();
    let key = desk.key("mosaic-fed");
    let good = body(&csr, &common::token::mint(&key, &claims(&csr)));
    // A prime, so that all parts of all texts are hit.
    for at in (0..good.len()).step_by(7) {
        for change in [0x01_u8, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= change;
            let answer = desk.send(bad);
            let refused = matches!(answer.status, 400 | 401 | 403);
            assert!(
                refused || answer.status == 201,
                "byte {at} by {change}: {} {}",
                answer.status,
                answer.body
            );
        }
    }
}

#[test]
fn debug_output_shows_no_secret() {
    let desk = Desk::new();
    let csr = a_csr();
    let fed = desk.key("mosaic-fed");
    let hs = desk.key("mosaic-hs");
    let token = common::token::mint(&fed, &claims(&csr));
    let check = |what: &str, shown: String, secrets: &[&str]| {
        assert!(shown.len() > 4, "{what}: {shown}");
        desk.is_silent(what, &shown, secrets);
    };
    let request = SignRequest::decode(&body(&csr, &token)).unwrap();
    check("SignRequest", format!("{request:?}"), &[&token]);
    let parts: Vec<&str> = token.split('.').collect();
    let unverified = UnverifiedToken::parse(&token).unwrap();
    check("UnverifiedToken", format!("{unverified:?}"), &[&token, parts[1], parts[2]]);
    for key in [&fed, &hs] {
        let text = key.to_string();
        check("PrivateJwk", format!("{:?}", PrivateJwk::parse(text.as_bytes()).unwrap()), &[]);
        check("ProvisionerKey", format!("{:?}", ProvisionerKey::parse(text.as_bytes()).unwrap()), &[]);
    }
    let pem_text = desk.fixture.read("secrets/intermediate_ca_key");
    let password = desk.fixture.password();
    let key = key_file::decode(pem_text.as_bytes(), Some(password.trim_end().as_bytes()), "key").unwrap();
    let plain = key_file::encode_plain(&key).unwrap();
    let line = plain.lines().nth(1).unwrap();
    check("PrivateKey", format!("{key:?}"), &[line]);
    check("Authority", format!("{:?}", desk.authority), &[line]);
    let with_password = desk.fixture.read("ca.json").replacen(
        '{',
        &format!("{{\"password\": \"{}\",", password.trim_end()),
        1,
    );
    let ca = stepless::config::parse(with_password.as_bytes()).unwrap();
    check("CaJson", format!("{ca:?}"), &[]);
}

#[test]
fn errors_about_secrets_do_not_quote_them() {
    let planted = "planted0planted0planted0planted0planted0plan";
    let check = |what: &str, error: Option<(String, String)>| {
        let (shown, debug) = error.unwrap_or_else(|| panic!("{what}: no error"));
        assert!(!shown.contains("planted"), "{what}: {shown}");
        assert!(!debug.contains("planted"), "{what}: {debug}");
    };
    fn both<T, E: std::fmt::Display + std::fmt::Debug>(result: Result<T, E>) -> Option<(String, String)> {
        result.err().map(|error| (error.to_string(), format!("{error:?}")))
    }
    for key in [
        json!({ "kty": "oct", "alg": "HS256", "k": format!("{planted}!") }),
        json!({ "kty": "oct", "alg": "HS256", "k": [planted] }),
        json!({ "kty": "EC", "crv": "P-256", "d": planted, "x": planted, "y": planted }),
        json!({ "kty": "OKP", "crv": "Ed25519", "d": planted, "x": "AA" }),
        json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": planted, "p": planted, "q": planted }),
    ] {
        let text = key.to_string();
        check(&text, both(PrivateJwk::parse(text.as_bytes())));
        let ca = json!({
            "root": "r", "crt": "c", "key": "k", "address": ":1",
            "authority": { "provisioners": [{ "type": "JWK", "name": "p", "key": key }] },
        });
        let text = ca.to_string();
        if let Some(error) = both(stepless::config::parse(text.as_bytes())) {
            check(&text, Some(error));
        }
    }
    check("cut off", both(PrivateJwk::parse(format!("{{\"kty\":\"oct\",\"k\":\"{planted}").as_bytes())));
    check("password", both(stepless::config::parse(format!("{{\"password\":[\"{planted}\"]}}").as_bytes())));
    check("decrypt", both(stepless::jose::jwe::decrypt(planted, planted.as_bytes())));
    let encrypted = include_str!("contract/fixtures/mosaic/secrets/intermediate_ca_key");
    check("key file", both(key_file::decode(encrypted.as_bytes(), Some(planted.as_bytes()), "key")));
    check("token", both(UnverifiedToken::parse(&format!("{planted}.{planted}.{planted}"))));
    check("client", both(SignRequest::decode(format!("{{\"ott\":[\"{planted}\"]}}").as_bytes())));
}
