//! The authority whose steps are measured, and what each of them takes from the one before.

use std::sync::Arc;

use stepless::clock::Clock as _;
use stepless::config::Config;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::jose::PrivateJwk;
use stepless::profile::Draft;
use stepless::provisioner::DraftRequest;
use stepless::provisioner::Provisioner;
use stepless::token::UnverifiedToken;
use stepless::token::VerifiedToken;
use stepless::token::audience::Audiences;
use stepless::token::audience::Purpose;
use stepless::token::mint::NewToken;
use stepless::wire::SignRequest;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;
use time::OffsetDateTime;
use tokio::runtime::Runtime;

use crate::common::local::Local;

/// The name on all certificates.
pub(crate) const NAME: &str = "grant.example";

/// What the tokens are signed with, and the provisioner whose key that is; both issue by the same template.
pub(crate) const PROVISIONERS: [(&str, &str); 2] = [("HS256", "mosaic-hs"), ("ES256", "mosaic-fed")];

pub(crate) struct Rig {
    pub(crate) local: Local,
    pub(crate) csr: Csr,
    pub(crate) entropy: SystemEntropy,
    pub(crate) runtime: Runtime,
    keys: [PrivateJwk; 2],
}

impl Rig {
    pub(crate) fn new() -> Self {
        let (local, entropy) = (Local::start("mosaic"), SystemEntropy::new());
        let key = |(_, name)| PrivateJwk::parse(local.fixture.provisioner_key(name).to_string().as_bytes());
        let keys = PROVISIONERS.map(|provisioner| key(provisioner).unwrap());
        let leaf = PrivateKey::generate(KeyKind::P256, &entropy).unwrap();
        let der = stepless::client::create_csr(&leaf, NAME, &[NAME.to_owned()]).unwrap();
        let csr = Csr::parse(&der).unwrap().verify().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { local, csr, entropy, runtime, keys }
    }

    pub(crate) fn config(&self) -> &Config {
        self.local.authority.config()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.local.clock.now()
    }

    pub(crate) fn provisioner(&self, algorithm: &str) -> &Arc<Provisioner> {
        let (_, name) = PROVISIONERS.iter().find(|(known, _)| *known == algorithm).unwrap();
        self.local.authority.provisioners().by_name(name).unwrap()
    }

    /// A token that was not used yet.
    pub(crate) fn token(&self, algorithm: &str) -> String {
        let of = PROVISIONERS.iter().position(|(known, _)| *known == algorithm).unwrap();
        let mut token = NewToken {
            issuer: PROVISIONERS[of].1.to_owned(),
            audience: "https://localhost/1.0/sign".to_owned(),
            subject: NAME.to_owned(),
            sans: vec![NAME.to_owned()],
            fingerprint: Some(self.csr.fingerprint()),
            ..NewToken::default()
        };
        for claim in ["mosaic_grant_id", "mosaic_subject_user_id"] {
            token.claims.insert(claim.to_owned(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301".into());
        }
        token.sign(&self.keys[of], self.now(), &self.entropy).unwrap().to_string()
    }

    /// A request's body with a token that was not used yet.
    pub(crate) fn body(&self, algorithm: &str) -> String {
        let csr = Some(pem::encode("CERTIFICATE REQUEST", self.csr.der()));
        SignRequest { csr, ott: Some(self.token(algorithm)), ..SignRequest::default() }.encode()
    }

    pub(crate) fn verified(&self) -> VerifiedToken {
        let token = UnverifiedToken::parse(&self.token("HS256")).unwrap();
        let audiences = Audiences::new(&self.config().ca.dns_names);
        self.provisioner("HS256").verify(token, Purpose::Sign, &audiences, self.now(), None).unwrap()
    }

    pub(crate) fn draft(&self, token: &VerifiedToken) -> Draft {
        let request = DraftRequest {
            claims: token.claims(),
            subject: token.subject(),
            csr: &self.csr,
            authorization: None,
            user_data: None,
            clock: &*self.local.clock,
            entropy: &self.entropy,
        };
        self.provisioner("HS256").draft(&request).unwrap()
    }

    pub(crate) fn serial(&self) -> SerialNumber {
        SerialNumber::random(&self.entropy).unwrap()
    }

    /// A certificate that the authority has issued, DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let request = SignRequest::decode(self.body("HS256").as_bytes()).unwrap();
        self.runtime.block_on(self.local.authority.sign(request, "bench")).unwrap().0.der
    }
}
