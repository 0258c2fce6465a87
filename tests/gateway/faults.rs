//! The gateway's client against a CA that answers badly: each error of its own kind, and never a certificate.

use std::time::Duration;

use stepless::CaClient;
use stepless::MiniCa;
use stepless::client::CaClientError;
use stepless::client::CaClientErrorKind as Kind;
use stepless::client::IssueCertRequest;
use stepless::client::IssuedCert;
use stepless::client::Retry;
use stepless::client::Settings;
use stepless::jose::PrivateJwk;
use stepless::mini::Defect;
use stepless::mini::FEDERATION_HS256;
use stepless::mini::Fault;
use stepless::mini::NewCsr;
use uuid::Uuid;

const NAME: &str = "gateway.example";

/// A CA, and a gateway's client of it that tries once.
struct Scene {
    ca: MiniCa,
    csr: NewCsr,
}

impl Scene {
    async fn new() -> Self {
        let ca = MiniCa::start().await.unwrap();
        let csr = ca.csr(NAME).unwrap();
        Self { ca, csr }
    }

    fn client(&self, retry: Retry, patience: Duration) -> CaClient {
        let key = PrivateJwk::open(&self.ca.provisioner_key(FEDERATION_HS256).unwrap(), None).unwrap();
        let settings = Settings::new(&self.ca.url(), &self.ca.root_pem(), key).unwrap();
        let settings = settings.with_provisioner(FEDERATION_HS256).with_retry(retry).with_patience(patience);
        CaClient::new(settings).unwrap()
    }

    fn request(&self) -> IssueCertRequest {
        IssueCertRequest {
            csr_pem: self.csr.pem().to_owned(),
            grant_id: Uuid::from_u128(1),
            subject_user_id: Uuid::from_u128(2),
            ttl: None,
        }
    }

    /// Asks for a certificate, meeting these faults one after another.
    async fn meet(&self, faults: Vec<Fault>, tries: u32) -> Result<IssuedCert, CaClientError> {
        for fault in faults {
            self.ca.faults().push(fault);
        }
        let retry = Retry { tries, first_wait: Duration::from_millis(1) };
        let result = self.client(retry, Duration::from_secs(30)).issue_cert(&self.request()).await;
        assert_eq!(self.ca.faults().pending(), 0, "{result:?}");
        result
    }

    #[track_caller]
    fn check(result: Result<IssuedCert, CaClientError>, kind: Kind, status: Option<u16>) {
        let Err(error) = result else { panic!("a certificate was handed out: {result:?}") };
        assert_eq!((error.kind(), error.status()), (kind, status), "{error}");
        assert!(!error.remediation().is_empty() && !error.to_string().contains("eyJ"), "{error}");
    }
}

#[tokio::test]
async fn refusals_have_a_kind_each() {
    let scene = Scene::new().await;
    for (status, kind) in [
        (400, Kind::Rejected),
        (401, Kind::Unauthorized),
        (403, Kind::Forbidden),
        (404, Kind::Rejected),
        (413, Kind::Rejected),
        (429, Kind::Rejected),
        (500, Kind::Server),
        (501, Kind::Server),
        (503, Kind::Server),
    ] {
        Scene::check(scene.meet(vec![Fault::status(status)], 1).await, kind, Some(status));
    }
    assert!(scene.ca.issued().is_empty());
}

#[tokio::test]
async fn answers_that_are_none_have_a_kind_each() {
    let scene = Scene::new().await;
    Scene::check(scene.meet(vec![Fault::not_json()], 1).await, Kind::NotJson, None);
    Scene::check(scene.meet(vec![Fault::without_certificate()], 1).await, Kind::NoCertificate, None);
    for fault in [Fault::hang_up(), Fault::lost_answer(), Fault::half_answer()] {
        // Though more tries are allowed: what became of the request is not known.
        Scene::check(scene.meet(vec![fault], 3).await, Kind::Connection, None);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let scene = Scene::new().await;
    scene.ca.faults().push(Fault::delay(Duration::from_secs(20)));
    let client = scene.client(Retry::default(), Duration::from_millis(200));
    Scene::check(client.issue_cert(&scene.request()).await, Kind::Timeout, None);
}

#[tokio::test]
async fn certificates_that_are_not_as_asked_are_never_handed_out() {
    let scene = Scene::new().await;
    for (defect, kind) in [
        (Defect::Expired, Kind::Certificate),
        (Defect::NotYetValid, Kind::Certificate),
        (Defect::OtherIssuer, Kind::Certificate),
        (Defect::ForgedSignature, Kind::Certificate),
        (Defect::OtherKey, Kind::Certificate),
        (Defect::OtherName, Kind::Certificate),
        (Defect::WithoutGrant, Kind::Extensions),
        (Defect::HalfGrant, Kind::Extensions),
        (Defect::MalformedGrant, Kind::Extensions),
        (Defect::OtherGrant, Kind::Extensions),
    ] {
        let result = scene.meet(vec![Fault::certificate(defect)], 1).await;
        assert!(result.is_err(), "{defect:?} was handed out");
        Scene::check(result, kind, None);
    }
}

#[tokio::test]
async fn a_busy_authority_is_asked_again_with_another_token() {
    let scene = Scene::new().await;
    let busy = || Fault::status(503).retry_after(0);
    scene.meet(vec![busy(), busy()], 3).await.unwrap();
    Scene::check(scene.meet(vec![busy(), busy()], 2).await, Kind::Server, Some(503));
    // Longer than anybody should be kept waiting.
    Scene::check(scene.meet(vec![Fault::status(503).retry_after(3600)], 3).await, Kind::Server, Some(503));
    Scene::check(scene.meet(vec![Fault::status(500)], 3).await, Kind::Server, Some(500));
    assert_eq!(scene.ca.issued().len(), 1);
    assert!(scene.ca.refused().is_empty(), "{:?}", scene.ca.refused());
}

#[tokio::test]
async fn the_authority_has_on_record_what_was_asked_for() {
    let scene = Scene::new().await;
    let request = IssueCertRequest { ttl: Some(Duration::from_secs(600)), ..scene.request() };
    let client = scene.client(Retry::default(), Duration::from_secs(30));
    let issued = client.issue_cert(&request).await.unwrap();
    let records = scene.ca.issued();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.serial.to_string(), issued.serial);
    assert_eq!(record.provisioner, FEDERATION_HS256);
    assert_eq!(record.grant_id.as_deref(), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(record.subject_user_id.as_deref(), Some("00000000-0000-0000-0000-000000000002"));
    assert_eq!(record.not_after - record.not_before, 660);
    assert_eq!(record.subject, NAME);
}
