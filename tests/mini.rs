//! `MiniCa` as a test uses it: served, in process, by its own clock, from a seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;

use axum::body::Body;
use rustls::ClientConfig;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use sha2::Digest as _;
use stepless::MiniCa;
use stepless::authority::Verdict;
use stepless::client::Api;
use stepless::client::Error as ClientError;
use stepless::crypto::KeyKind;
use stepless::http::Limits;
use stepless::jose::PrivateJwk;
use stepless::mini::Defect;
use stepless::mini::Error;
use stepless::mini::FEDERATION;
use stepless::mini::FEDERATION_HS256;
use stepless::mini::NewCsr;
use stepless::mini::PLAIN;
use stepless::mini::Provisioner;
use stepless::mini::TestClock;
use stepless::wire::RevokeRequest;
use stepless::wire::SignRequest;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension::utf8_text;
use stepless::x509::oid::Oid;
use stepless::x509::pem;
use time::Duration;
use time::macros::datetime;
use tower::ServiceExt as _;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

fn client(ca: &MiniCa) -> Api {
    Api::new(&ca.url(), &ca.root_pem()).unwrap()
}

fn request(csr: &NewCsr, token: &str) -> SignRequest {
    SignRequest { csr: Some(csr.pem().to_owned()), ott: Some(token.to_owned()), ..SignRequest::default() }
}

fn read(pem: &str) -> Certificate {
    Certificate::parse(&pem::decode_first(pem).unwrap().content).unwrap()
}

/// The two ids in a certificate.
fn grant(certificate: &Certificate, arc: &str) -> [Option<String>; 2] {
    [1, 2].map(|last| {
        let oid = Oid::parse(&format!("{arc}.{last}")).unwrap();
        certificate.extension(&oid).and_then(|extension| utf8_text(&extension.value))
    })
}

/// One handshake in memory: what the client says of it, then the server.
async fn handshake(server: ServerConfig, client: ClientConfig, name: &str) -> Result<(), String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let accepted = tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(far);
    let connected = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, near);
    let (accepted, connected) = tokio::join!(accepted, connected);
    connected.map_err(|error| error.to_string())?;
    accepted.map(|_| ()).map_err(|error| error.to_string())
}

/// A handshake with the CA's own server, by the CA's clock.
async fn knock(ca: &MiniCa) -> Result<(), String> {
    let address = ca.url().strip_prefix("https://").unwrap().to_owned();
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let config = Arc::new(ca.rustls_client_config().unwrap());
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connected = tokio_rustls::TlsConnector::from(config).connect(name, stream).await;
    connected.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_client_gets_a_grant_certificate_over_https() {
    let ca = MiniCa::start().await.unwrap();
    for provisioner in [FEDERATION, FEDERATION_HS256] {
        let csr = ca.csr("a.example").unwrap();
        let token =
            ca.token("a.example").provisioner(provisioner).grant(GRANT_ID, USER_ID).bound_to(csr.pem());
        let answer = client(&ca).sign(&request(&csr, &token.mint().unwrap())).await.unwrap();
        let certificate = read(&answer.crt);
        let ids = [GRANT_ID, USER_ID].map(|id| Some(id.to_owned()));
        assert_eq!(grant(&certificate, "1.3.6.1.4.1.99999"), ids, "{provisioner}");
        assert_eq!(certificate.spki_der(), csr.key().public_key().spki_der());
    }
    let issued = ca.issued();
    let of_grant = issued.iter().filter(|record| record.grant_id.as_deref() == Some(GRANT_ID)).count();
    assert_eq!((issued.len(), of_grant), (2, 2));
    assert_eq!(issued[1].provisioner, FEDERATION_HS256);
    assert_eq!(ca.refused(), []);
}

#[test]
fn a_test_that_is_not_async_has_one_too() {
    let ca = MiniCa::start_blocking().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(client(&ca).health()).unwrap().status, "ok");
    let fork = ca.fork_blocking().unwrap();
    assert_ne!(fork.url(), ca.url());
    assert_eq!(runtime.block_on(client(&fork).health()).unwrap().status, "ok");
}

#[test]
fn the_fingerprint_is_that_of_step() {
    let ca = MiniCa::builder().build().unwrap();
    let der = ca.root_der();
    let expected: String = sha2::Sha256::digest(&der).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(ca.root_fingerprint(), expected);
    assert_eq!(read(&ca.root_pem()).der(), der.as_ref());
    assert_eq!(read(&ca.intermediate_pem()).issuer_der(), read(&ca.root_pem()).subject_der());
}

#[test]
fn dropping_it_closes_port_and_connections() {
    let ca = MiniCa::start_blocking().unwrap();
    let address = ca.url().strip_prefix("https://").unwrap().to_owned();
    let mut open = TcpStream::connect(&address).unwrap();
    drop(ca);
    assert!(TcpStream::connect(&address).is_err());
    let ended = std::io::Read::read(&mut open, &mut [0; 1]);
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn stopping_it_frees_the_port_and_the_keys() {
    let ca = MiniCa::start().await.unwrap();
    let address = ca.url().strip_prefix("https://").unwrap().to_owned();
    let authority = Arc::downgrade(ca.authority());
    knock(&ca).await.unwrap();
    ca.stop().await;
    assert!(TcpStream::connect(&address).is_err());
    // Connections of the runtime end with the server's task, and with them the last who had the key.
    while authority.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_listener_can_be_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ca = MiniCa::builder().listener(listener).start().await.unwrap();
    assert_eq!(ca.url(), format!("https://{address}"));
    client(&ca).health().await.unwrap();
}

#[tokio::test]
async fn two_in_one_process_share_nothing() {
    let (one, other) = (MiniCa::start().await.unwrap(), MiniCa::start().await.unwrap());
    assert_ne!(one.root_fingerprint(), other.root_fingerprint());
    one.issue("a.example").sign().unwrap();
    assert_eq!((one.issued().len(), other.issued().len()), (1, 0));
    one.clock().advance(Duration::days(2));
    assert!(one.clock().now() - other.clock().now() > Duration::days(1));
    let wrong = Api::new(&one.url(), &other.root_pem()).unwrap();
    assert!(matches!(wrong.health().await, Err(ClientError::Tls { .. })));
}

/// Everything that a CA from this seed shows: root, intermediate, keys, certificates, serial numbers.
fn seeded(seed: u64, kind: KeyKind) -> Vec<Vec<u8>> {
    let ca = MiniCa::builder().seed(seed).key_kind(kind).build().unwrap();
    let mut all = vec![ca.root_der().to_vec(), ca.intermediate_pem().into_bytes()];
    for name in [PLAIN, FEDERATION, FEDERATION_HS256] {
        all.push(ca.provisioner_key(name).unwrap().as_bytes().to_vec());
    }
    for defect in [None, Some(Defect::OtherIssuer), Some(Defect::ForgedSignature), Some(Defect::OtherKey)] {
        let builder = ca.issue("a.example").grant(GRANT_ID, USER_ID);
        let leaf = match defect {
            None => builder.sign(),
            Some(defect) => builder.with(defect).sign(),
        };
        let leaf = leaf.unwrap();
        all.extend([leaf.chain_pem().into_bytes(), leaf.key_pem().as_bytes().to_vec()]);
    }
    all.push(ca.token("a.example").mint().unwrap().into_bytes());
    all
}

#[test]
fn a_seed_repeats_every_byte() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        assert_eq!(seeded(7, kind), seeded(7, kind), "{kind}");
    }
    let (seven, eight) = (seeded(7, KeyKind::P256), seeded(8, KeyKind::P256));
    for (index, (one, other)) in seven.iter().zip(&eight).enumerate() {
        assert_ne!(one, other, "{index}");
    }
}

#[tokio::test]
async fn asking_after_its_health_does_not_change_what_a_seed_gives() {
    let quiet = MiniCa::builder().seed(1).build().unwrap();
    let busy = MiniCa::builder().seed(1).build().unwrap();
    let health = axum::http::Request::get("/health").body(Body::empty()).unwrap();
    assert_eq!(busy.router().oneshot(health).await.unwrap().status(), 200);
    let serial = |ca: &MiniCa| ca.issue("a.example").sign().unwrap().serial();
    assert_eq!(serial(&quiet), serial(&busy));
}

#[tokio::test]
async fn a_certificate_expires_when_the_test_says_so() {
    let ca = MiniCa::start().await.unwrap();
    let leaf = ca.issue("user").sign().unwrap();
    let server = ca.rustls_mtls_server_config(["db.example"]).unwrap();
    let shown = || ca.rustls_client_config_with(&leaf).unwrap();
    handshake(server.clone(), shown(), "db.example").await.unwrap();
    let nobody = handshake(server.clone(), ca.rustls_client_config().unwrap(), "db.example").await;
    assert!(nobody.unwrap_err().contains("peer sent no certificates"));

    ca.clock().advance(Duration::hours(25));
    let late = handshake(server, shown(), "db.example").await.unwrap_err();
    assert!(late.contains("Expired") || late.contains("expired"), "{late}");
    // A new certificate is good, and so is the CA's own, which it has renewed.
    let server = ca.rustls_server_config(["db.example"]).unwrap();
    handshake(server, ca.rustls_client_config().unwrap(), "db.example").await.unwrap();
    knock(&ca).await.unwrap();
    ca.clock().advance(-Duration::hours(25));
    knock(&ca).await.unwrap();
}

#[test]
fn the_clock_is_set_moved_and_let_go() {
    let start = datetime!(2031-05-06 7:08:09 UTC);
    let ca = MiniCa::builder().at(start).build().unwrap();
    let leaf = ca.issue("a.example").valid_for(Duration::HOUR).sign().unwrap();
    let validity = (leaf.certificate().not_before(), leaf.certificate().not_after());
    assert_eq!(validity, (start - Duration::MINUTE, start + Duration::HOUR));
    ca.clock().set(start + Duration::DAY);
    assert_eq!(ca.clock().now(), start + Duration::DAY);
    ca.clock().resume();
    assert_ne!(ca.clock().now(), start + Duration::DAY);

    let shared = TestClock::at(start);
    let cas = [(); 2].map(|()| MiniCa::builder().clock(&shared).build().unwrap());
    shared.advance(Duration::WEEK);
    assert!(cas.iter().all(|ca| ca.clock().now() == start + Duration::WEEK));
}

#[test]
fn a_token_can_be_wrong_in_every_way() {
    let ca = MiniCa::builder().build().unwrap();
    let csr = ca.csr("a.example").unwrap();
    let other = ca.csr("a.example").unwrap();
    let token = || ca.token("a.example").grant(GRANT_ID, USER_ID);
    let far = ca.clock().now() + Duration::DAY;
    let cases = [
        (token().bound_to(csr.pem()).expired(), "token.expired"),
        (token().bound_to(csr.pem()).not_yet_valid(), "token.not_yet_valid"),
        (token().bound_to(csr.pem()).forged(), "token.signature_invalid"),
        (token().bound_to(csr.pem()).provisioner(FEDERATION_HS256).forged(), "token.signature_invalid"),
        (token().bound_to(csr.pem()).malformed(), "token.malformed"),
        (token().bound_to(csr.pem()).claim("aud", "https://elsewhere/1.0/sign"), "token.audience_mismatch"),
        (token().bound_to(csr.pem()).claim("iss", "nobody"), "provisioner.unknown"),
        (token().bound_to(csr.pem()).without("exp"), "token.expiry_missing"),
        (token().bound_to(csr.pem()).claim("iat", far.unix_timestamp()), "token.issued_in_future"),
        (token().bound_to(other.pem()), "csr.binding_mismatch"),
        (token(), "csr.binding_missing"),
        (token().bound_to(csr.pem()).claim("mosaic_grant_id", "one"), "grant.claim_invalid"),
        (token().bound_to(csr.pem()).sans(["b.example"]), "csr.names_mismatch"),
        (token().bound_to(csr.pem()).for_revocation(), "token.audience_mismatch"),
    ];
    for (index, (token, code)) in cases.into_iter().enumerate() {
        let asked = request(&csr, &token.mint().unwrap());
        assert_eq!(ca.explain(asked.clone()).refusal(), Some(code), "{index}");
        let Err(Error::Refused(error)) = ca.sign(asked) else { panic!("{index}: not refused") };
        assert_eq!(error.code(), code, "{index}");
        assert_eq!(ca.refused()[index].code, code);
    }
    assert_eq!(ca.issued().len(), 0);
    assert!(matches!(token().provisioner("nobody").mint(), Err(Error::NoProvisioner(_))));
    assert!(matches!(token().bound_to("no request").mint(), Err(Error::NoRequest)));
}

#[tokio::test]
async fn what_it_refused_can_be_asserted_on() {
    let ca = MiniCa::start().await.unwrap();
    let csr = ca.csr("a.example").unwrap();
    let token = ca.token("a.example").grant(GRANT_ID, USER_ID).bound_to(csr.pem()).mint().unwrap();
    client(&ca).sign(&request(&csr, &token)).await.unwrap();
    client(&ca).sign(&request(&csr, &token)).await.unwrap_err();
    let serial = ca.issued()[0].serial.to_string();
    let ott = ca.token("another").for_revocation().mint().unwrap();
    let revocation = RevokeRequest {
        serial: Some(serial.clone()),
        ott: Some(ott),
        passive: true,
        ..RevokeRequest::default()
    };
    client(&ca).revoke(&revocation).await.unwrap_err();

    let [replay, revoke] = ca.refused().try_into().unwrap();
    assert_eq!(
        (replay.path.as_str(), replay.status, replay.code.as_str()),
        ("/1.0/sign", 401, "token.replayed")
    );
    assert_eq!((replay.subject.as_deref(), replay.grant_id.as_deref()), (Some("a.example"), Some(GRANT_ID)));
    assert_eq!(
        (revoke.path.as_str(), revoke.status, revoke.code.as_str()),
        ("/1.0/revoke", 403, "revoke.subject_mismatch")
    );
    assert_eq!(revoke.serial, Some(serial));
}

#[test]
fn explaining_spends_nothing() {
    let ca = MiniCa::builder().build().unwrap();
    let csr = ca.csr("a.example").unwrap();
    let asked = request(&csr, &ca.token("a.example").bound_to(csr.pem()).mint().unwrap());
    for _ in 0..2 {
        let explanation = ca.explain(asked.clone());
        assert_eq!(explanation.refusal(), None, "{explanation}");
        assert!(explanation.checks.iter().all(|check| check.verdict == Verdict::Passed), "{explanation}");
    }
    ca.sign(asked.clone()).unwrap();
    assert_eq!(ca.explain(asked).refusal(), Some("token.replayed"));

    // Independent faults are all named, and what hangs on them is not reached.
    let other = ca.csr("a.example").unwrap();
    let token = ca.token("a.example").bound_to(other.pem()).mint().unwrap();
    let asked = SignRequest { not_after: Some("48h".to_owned()), ..request(&csr, &token) };
    let codes = |asked: SignRequest| -> Vec<String> {
        let explanation = ca.explain(asked);
        explanation
            .checks
            .iter()
            .map(|check| match &check.verdict {
                Verdict::Failed { code, .. } => format!("{} {code}", check.name),
                Verdict::NotReached => format!("{} -", check.name),
                _ => String::new(),
            })
            .filter(|line| !line.is_empty())
            .collect()
    };
    assert_eq!(codes(asked), ["csr csr.binding_mismatch", "validity validity.too_long"]);
    let none = [
        "request token.missing",
        "provisioner -",
        "token -",
        "unspent -",
        "csr -",
        "draft -",
        "grant -",
        "validity -",
        "policy -",
    ];
    assert_eq!(codes(SignRequest { csr: Some(csr.pem().to_owned()), ..SignRequest::default() }), none);
}

#[tokio::test]
async fn a_fork_goes_its_own_way() {
    let ca = MiniCa::builder().seed(3).start().await.unwrap();
    let csr = ca.csr("a.example").unwrap();
    let token = ca.token("a.example").bound_to(csr.pem()).mint().unwrap();
    ca.sign(request(&csr, &token)).unwrap();
    let unspent = ca.token("a.example").bound_to(csr.pem()).mint().unwrap();

    let fork = ca.fork().await.unwrap();
    assert_eq!(fork.root_fingerprint(), ca.root_fingerprint());
    assert_ne!(fork.url(), ca.url());
    assert_eq!(fork.issued(), ca.issued());
    // What was spent is spent in both; what is spent from now on is spent in one.
    assert_eq!(fork.explain(request(&csr, &token)).refusal(), Some("token.replayed"));
    fork.sign(request(&csr, &unspent)).unwrap();
    ca.sign(request(&csr, &unspent)).unwrap();
    // They go on alike, until one is treated otherwise.
    assert_eq!(fork.issued().last().map(|record| &record.der), ca.issued().last().map(|record| &record.der));
    fork.clock().advance(Duration::HOUR);
    assert_ne!(fork.clock().now(), ca.clock().now());
    knock(&fork).await.unwrap();
}

#[test]
fn settings_are_heeded() {
    let key = PrivateJwk::generate(KeyKind::Ed25519, &stepless::entropy::SystemEntropy::new()).unwrap();
    let jwk = key.to_json().unwrap();
    let template = r#"{{/* one OU */}}{"subject": {"commonName": {{ toJson .Subject.CommonName }}, "organizationalUnit": {{ toJson .Token.team }}}, "sans": {{ toJson .SANs }}}"#;
    let minutes = |minutes: u64| std::time::Duration::from_secs(60 * minutes);
    let ca = MiniCa::builder()
        .name("Acme")
        .dns_names(["ca.acme", "127.0.0.1"])
        .key_kind(KeyKind::P384)
        .oid_arc("1.3.6.1.4.1.55555")
        .durations(minutes(1), minutes(10), minutes(20))
        .provisioner(Provisioner::with_key("own", key).template(template))
        .provisioner(Provisioner::hs256("grants").grants())
        .configure(|ca_json| {
            ca_json["authority"]["policy"] =
                serde_json::json!({ "x509": { "deny": { "dns": ["bad.example"] } } })
        })
        .build()
        .unwrap();
    assert_eq!(ca.url(), "https://ca.acme");
    assert_eq!(*ca.provisioner_key("own").unwrap(), *jwk);
    assert_eq!(read(&ca.root_pem()).common_name().as_deref(), Some("Acme Root CA"));
    assert_eq!(read(&ca.root_pem()).public_key().unwrap().kind(), KeyKind::P384);

    let own = ca.issue("a.example").claim("team", "blue").key_kind(KeyKind::Ed25519).sign().unwrap();
    let ou = Oid::parse("2.5.4.11").unwrap();
    assert!(own.certificate().subject_der().windows(4).any(|part| part == b"blue"), "{ou}");
    assert_eq!(own.certificate().not_after() - own.certificate().not_before(), Duration::minutes(11));
    assert_eq!(own.certificate().public_key().unwrap().kind(), KeyKind::Ed25519);

    let granted = ca.issue("a.example").grant(GRANT_ID, USER_ID).sign().unwrap();
    assert_eq!(
        grant(granted.certificate(), "1.3.6.1.4.1.55555"),
        [GRANT_ID, USER_ID].map(|id| Some(id.to_owned()))
    );
    let Err(Error::Refused(error)) = ca.issue("bad.example").claim("team", "blue").sign() else {
        panic!("issued")
    };
    assert_eq!(error.code(), "policy.name_not_allowed");
    let Err(Error::Refused(error)) =
        ca.issue("a.example").claim("team", "x").valid_for(Duration::HOUR).sign()
    else {
        panic!("issued")
    };
    assert_eq!(error.code(), "validity.too_long");
    assert!(matches!(MiniCa::builder().oid_arc("grants").build(), Err(Error::Config(_))));
}

#[tokio::test]
async fn a_password_publishes_the_keys_as_step_ca_does() {
    let ca = MiniCa::builder()
        .provisioner(Provisioner::es256("p"))
        .provisioner_password("secret")
        .start()
        .await
        .unwrap();
    let list = client(&ca).provisioners().await.unwrap();
    let kid = list[0]["key"]["kid"].as_str().unwrap();
    let jwe = client(&ca).encrypted_key(kid).await.unwrap();
    let key = stepless::jose::jwe::decrypt(&jwe, b"secret").unwrap();
    assert_eq!(std::str::from_utf8(&key).unwrap(), ca.provisioner_key("p").unwrap().as_str());
}

#[tokio::test]
async fn the_router_can_be_mounted_in_an_app() {
    let ca = MiniCa::builder().build().unwrap();
    let app =
        axum::Router::new().route("/", axum::routing::get(|| async { "the app" })).nest("/ca", ca.router());
    let get = |path: &str| axum::http::Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(get("/")).await.unwrap().status(), 200);
    assert_eq!(app.oneshot(get("/ca/1.0/health")).await.unwrap().status(), 200);
    let csr = ca.csr("a.example").unwrap();
    let token = ca.token("a.example").bound_to(csr.pem()).mint().unwrap();
    let body = Body::from(request(&csr, &token).encode());
    let post = axum::http::Request::post("/1.0/sign").body(body).unwrap();
    assert_eq!(ca.router().oneshot(post).await.unwrap().status(), 201);
    // Without any HTTP at all, too.
    let token = ca.token("a.example").bound_to(csr.pem()).mint().unwrap();
    let (issued, _) = ca.authority().sign(request(&csr, &token), "by hand").await.unwrap();
    assert_eq!(ca.issued()[1].der, issued.der);
    assert_eq!(ca.issued()[1].request_id, "by hand");
}

#[tokio::test]
async fn limits_are_those_of_the_builder() {
    let mut limits = Limits::default();
    limits.rate_per_provisioner = Some("0.001:1".parse().unwrap());
    let ca = MiniCa::builder().limits(limits).start().await.unwrap();
    let csr = ca.csr("a.example").unwrap();
    let sign = async || {
        let token = ca.token("a.example").bound_to(csr.pem()).mint().unwrap();
        client(&ca).sign(&request(&csr, &token)).await
    };
    sign().await.unwrap();
    let refused = sign().await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 429, .. }), "{refused:?}");
    // What is asked without the server is not counted.
    ca.issue("a.example").sign().unwrap();
}

#[test]
fn debug_shows_no_secret() {
    let ca = MiniCa::builder().build().unwrap();
    let leaf = ca.issue("a.example").sign().unwrap();
    let shown = format!("{ca:?} {leaf:?} {:?}", ca.csr("a.example").unwrap());
    for name in [PLAIN, FEDERATION, FEDERATION_HS256] {
        let key: serde_json::Value = serde_json::from_str(&ca.provisioner_key(name).unwrap()).unwrap();
        let secret = key["d"].as_str().or(key["k"].as_str()).unwrap();
        assert!(!shown.contains(secret), "{name}");
    }
}
