//! The gateway's client against a CA that answers well: the `stepless` binary, and the real step-ca where there is one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::binary::Desk;
use crate::common::binary::free_port;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::ca::step_ca_available;
use crate::common::csr::Csr;
use crate::common::local::block_on;
use crate::common::tools;
use stepless::client::CaClient;
use stepless::client::CaClientError;
use stepless::client::CaClientErrorKind;
use stepless::client::Identity;
use stepless::client::IssueCertRequest;
use stepless::client::Settings;
use stepless::jose::PrivateJwk;
use stepless::x509::certificate::Certificate;
use stepless::x509::oid::Oid;
use stepless::x509::pem;
use uuid::Uuid;

pub(crate) const NAME: &str = "gateway.example";

/// Runs `check` on both CAs, on one where there is no step-ca.
fn both(check: impl Fn(&Ca)) {
    check(&Ca::start(Kind::Stepless, "mosaic"));
    match step_ca_available() {
        Ok(()) => check(&Ca::start(Kind::StepCa, "mosaic")),
        Err(reason) => tools::skip(&reason),
    }
}

/// Settings as an environment gives them, the key being that of `provisioner`.
fn settings(ca: &Ca, provisioner: &str) -> Settings {
    let root = ca.fixture.file("certs/root_ca.crt");
    Settings::read(|name| match name {
        "STEP_CA_URL" => Some(ca.url().into()),
        "STEP_CA_ROOT_CERT_PATH" => Some(root.clone().into()),
        "STEP_CA_PROVISIONER_KEY_JSON" => Some(ca.fixture.provisioner_key(provisioner).to_string().into()),
        _ => None,
    })
    .unwrap()
}

pub(crate) fn client(ca: &Ca, provisioner: &str) -> CaClient {
    CaClient::new(settings(ca, provisioner)).unwrap()
}

pub(crate) fn request(csr: &Csr) -> IssueCertRequest {
    IssueCertRequest {
        csr_pem: csr.pem.clone(),
        grant_id: Uuid::new_v4(),
        subject_user_id: Uuid::new_v4(),
        ttl: None,
    }
}

pub(crate) fn parse(pem: &str) -> Certificate {
    Certificate::parse(&pem::Blocks::new(pem.as_bytes()).next().unwrap().content).unwrap()
}

pub(crate) fn extension(certificate: &Certificate, oid: &str) -> Vec<u8> {
    certificate.extension(&Oid::parse(oid).unwrap()).unwrap().value.clone()
}

#[track_caller]
pub(crate) fn refused<T>(
    result: Result<T, CaClientError>,
    kind: CaClientErrorKind,
    status: Option<u16>,
) -> CaClientError {
    let Err(error) = result else { panic!("nothing was refused") };
    assert_eq!((error.kind(), error.status()), (kind, status), "{error}");
    assert!(!error.remediation().is_empty());
    error
}

#[test]
fn a_grant_is_issued_renewed_rekeyed_and_revoked() {
    both(|ca| {
        for provisioner in ["mosaic-hs", "mosaic-fed"] {
            let client = client(ca, provisioner);
            let csr = Csr::new(NAME, &[NAME, "10.0.0.1"]);
            let request = IssueCertRequest { ttl: Some(Duration::from_secs(3600)), ..request(&csr) };
            let issued = block_on(client.issue_cert(&request)).unwrap();
            let leaf = parse(&issued.cert_pem);
            let ids = [request.grant_id, request.subject_user_id].map(|id| id.to_string());
            assert_eq!(extension(&leaf, "1.3.6.1.4.1.99999.1"), [b"\x0c\x24", ids[0].as_bytes()].concat());
            assert_eq!(extension(&leaf, "1.3.6.1.4.1.99999.2"), [b"\x0c\x24", ids[1].as_bytes()].concat());
            assert_eq!((leaf.not_after() - leaf.not_before()).whole_seconds(), 3660);
            assert_eq!(issued.not_after, leaf.not_after());
            assert_eq!(issued.serial, leaf.serial_number().to_string());
            assert_eq!(
                issued.cert_chain_pem,
                issued.cert_pem.clone() + &ca.fixture.read("certs/intermediate_ca.crt")
            );

            let identity = Identity::from_pem(&issued.cert_chain_pem, &csr.key_pem).unwrap();
            let renewed = block_on(client.renew(&identity)).unwrap();
            assert_ne!(renewed.serial, issued.serial);
            let other = Csr::new(NAME, &[]);
            let rekeyed = block_on(client.rekey(&identity, &other.pem)).unwrap();
            let leaf = parse(&rekeyed.cert_pem);
            assert_eq!(extension(&leaf, "1.3.6.1.4.1.99999.1"), [b"\x0c\x24", ids[0].as_bytes()].concat());
            Identity::from_pem(&rekeyed.cert_pem, &other.key_pem).unwrap();

            block_on(client.revoke(&issued.serial, 1, "key was seen")).unwrap();
            let again = block_on(client.revoke(&issued.serial, 1, "key was seen"));
            let error = refused(again, CaClientErrorKind::Rejected, Some(400));
            assert!(error.to_string().contains("is already revoked"), "{error}");
            refused(block_on(client.renew(&identity)), CaClientErrorKind::Unauthorized, Some(401));
        }
    });
}

#[test]
fn health_and_provisioners() {
    both(|ca| {
        let client = client(ca, "mosaic-hs");
        assert_eq!(block_on(client.health()).unwrap().status, "ok");
        let list = block_on(client.provisioners()).unwrap();
        let names: Vec<&str> = list.iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(names.contains(&"mosaic-hs") && names.len() > 20, "{names:?}");
    });
}

#[test]
fn a_key_that_no_provisioner_has_is_named() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let text = br#"{"kty":"oct","kid":"nobody","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}"#;
    let settings =
        Settings::new(&ca.url(), &ca.fixture.root_pem(), PrivateJwk::parse(text).unwrap()).unwrap();
    let result = block_on(CaClient::new(settings).unwrap().issue_cert(&request(&Csr::new(NAME, &[]))));
    let error = refused(result, CaClientErrorKind::Configuration, None).to_string();
    assert!(
        error.contains("the key \"nobody\" of exactly one provisioner; it has ")
            && error.contains("mosaic-hs"),
        "{error}"
    );
}

#[test]
fn a_template_without_the_grant_is_no_grant_certificate() {
    // Both sign it; neither certificate is handed out.
    both(|ca| {
        let result = block_on(client(ca, "limits").issue_cert(&request(&Csr::new(NAME, &[NAME]))));
        let error = refused(result, CaClientErrorKind::Extensions, None).to_string();
        assert!(error.contains("lacks extension 1.3.6.1.4.1.99999.1"), "{error}");
    });
}

#[test]
fn the_pinned_root_is_the_only_one() {
    let ca = Ca::start(Kind::Stepless, "mosaic");
    let other = crate::common::fixture::Fixture::copy("chain3").root_pem();
    let key = PrivateJwk::parse(ca.fixture.provisioner_key("mosaic-hs").to_string().as_bytes()).unwrap();
    let client = CaClient::new(Settings::new(&ca.url(), &other, key).unwrap()).unwrap();
    refused(block_on(client.health()), CaClientErrorKind::TlsPin, None);
    refused(block_on(client.issue_cert(&request(&Csr::new(NAME, &[])))), CaClientErrorKind::TlsPin, None);
}

#[test]
fn nobody_asks_for_less_than_a_second() {
    // Nobody listens there: a call would be another error.
    let key =
        PrivateJwk::parse(br#"{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}"#).unwrap();
    let root = crate::common::fixture::Fixture::copy("mosaic").root_pem();
    let client = CaClient::new(Settings::new("https://localhost:1", &root, key).unwrap()).unwrap();
    let request =
        IssueCertRequest { ttl: Some(Duration::from_millis(900)), ..request(&Csr::new(NAME, &[NAME])) };
    refused(block_on(client.issue_cert(&request)), CaClientErrorKind::Configuration, None);
}

#[test]
fn the_environment_is_enough_as_the_document_sets_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gateway.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, block) = text.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let desk = Desk::new();
    let daemon = desk.serve(&format!("serve --dev --address 127.0.0.1:{}", free_port()));
    let script = block.replace(":9443", &format!(":{}", daemon.port));
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &format!("{script}env")]);
    desk.seat(&mut shell);
    let environment = tools::run(&mut shell);
    let settings = Settings::read(|name| {
        let value = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(Into::into)
    });
    let client = CaClient::new(settings.unwrap()).unwrap();
    block_on(client.issue_cert(&request(&Csr::new(NAME, &[NAME])))).unwrap();
}
