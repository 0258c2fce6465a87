//! A CA directory around a hierarchy, for stepless and step-ca alike, and the requests put to both.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use serde_json::json;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::x509::certificate::Certificate;
use stepless::x509::hierarchy::CaCertificate;
use stepless::x509::name::Subject;
use stepless::x509::name_constraints::NameConstraints;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;
use time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::common::fixture::Fixture;
use crate::common::local::Local;
use crate::common::token;
use crate::common::tools;
use crate::keys;

/// The only name of every request.
pub(crate) const NAME: &str = "judged.example";

/// Where the CRL says it is to be had.
pub(crate) const CRL_URL: &str = "http://crl.judged.example/ca.crl";

/// The provisioner without a template.
pub(crate) const PLAIN: &str = "plain";
/// The provisioner whose template is the claim `document` of the token.
pub(crate) const FREE: &str = "window";

/// When ours are issued. Linters go by the beginning of the validity to tell which rules are in force, and those of the
/// public web change from year to year.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

/// Root and intermediate of one authority.
#[derive(Debug)]
pub(crate) struct Issuers {
    pub(crate) root: Certificate,
    pub(crate) root_key: PrivateKey,
    pub(crate) intermediate: Certificate,
    pub(crate) intermediate_key: PrivateKey,
}

/// A CA certificate of the profile that `stepless init` makes.
pub(crate) fn ca_certificate(title: &str, path_length: u32) -> CaCertificate {
    CaCertificate {
        subject: Subject {
            organization: vec!["Judged".to_owned()],
            ..Subject::from_common_name(&format!("Judged {title} CA"))
        },
        path_length: Some(path_length),
        name_constraints: NameConstraints::default(),
        serial_number: SerialNumber::random(&SystemEntropy::new()).unwrap(),
        not_before: NOW - Duration::DAY,
        not_after: NOW + Duration::days(3650),
    }
}

impl Issuers {
    /// An authority in this process whose clock stands still at [`NOW`].
    pub(crate) fn authority(&self) -> Local {
        let authority = Local::on(self.fixture(), |_| ());
        authority.clock.set(NOW);
        authority
    }

    /// An authority for a hundred years whose intermediate may have CAs below it.
    pub(crate) fn for_a_century(kind: &str) -> Self {
        let draft = |title: &str, path_length: u32| CaCertificate {
            not_after: datetime!(2120-01-01 0:00 UTC),
            ..ca_certificate(title, path_length)
        };
        let (root_key, intermediate_key) = (keys::key(kind, "root"), keys::key(kind, "intermediate"));
        let root = draft("Century Root", 2).self_signed(&root_key).unwrap();
        let root = Certificate::parse(&root).unwrap();
        let intermediate =
            draft("Century", 1).signed_by(intermediate_key.public_key(), &root, &root_key).unwrap();
        Self { root, root_key, intermediate: Certificate::parse(&intermediate).unwrap(), intermediate_key }
    }

    /// A directory that either CA serves.
    pub(crate) fn fixture(&self) -> Fixture {
        let fixture = Fixture::copy("mosaic");
        let config = fixture.config();
        let provisioners = config["authority"]["provisioners"].as_array().unwrap();
        let mut provisioners: Vec<Value> =
            provisioners.iter().filter(|p| p["name"] == PLAIN || p["name"] == FREE).cloned().collect();
        for provisioner in &mut provisioners {
            if provisioner["name"] == FREE {
                let template = "{{ toJson .Token.document }}";
                provisioner["options"] = json!({ "x509": { "template": template } });
            }
        }
        let config = json!({
            "root": "certs/root_ca.crt",
            "crt": "certs/intermediate_ca.crt",
            "key": "secrets/intermediate_ca_key",
            "address": config["address"],
            "dnsNames": config["dnsNames"],
            "logger": { "format": "text" },
            "db": config["db"],
            "crl": { "enabled": true, "generateOnRevoke": true, "idpURL": CRL_URL },
            "authority": {
                "disableIssuedAtCheck": true,
                "claims": { "minTLSCertDuration": "1m", "maxTLSCertDuration": "876000h" },
                "provisioners": provisioners,
            },
        });
        let write = |name: &str, text: &str| fs::write(fixture.file(name), text).unwrap();
        write("ca.json", &serde_json::to_string_pretty(&config).unwrap());
        write("certs/root_ca.crt", &self.root.to_pem());
        write("certs/intermediate_ca.crt", &self.intermediate.to_pem());
        write("secrets/intermediate_ca_key", &keys::to_pem(&self.intermediate_key));
        fixture
    }
}

/// A certification request for `NAME` with this key, made by OpenSSL.
pub(crate) fn request(openssl: &Path, key: &PrivateKey) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), keys::to_pem(key)).unwrap();
    let mut command = Command::new(openssl);
    command.args(["req", "-new", "-key", "key", "-subj", &format!("/CN={NAME}")]);
    command.args(["-addext", &format!("subjectAltName=DNS:{NAME}")]);
    let text = tools::run(command.current_dir(folder.path()));
    text[text.find("-----BEGIN").unwrap()..].to_owned()
}

/// The claims of a token for use at an instant.
fn claims(provisioner: &str, subject: &str, now: OffsetDateTime) -> Value {
    let mut claims = token::claims(provisioner, subject);
    let now = now.unix_timestamp();
    claims["iat"] = now.into();
    claims["nbf"] = now.into();
    claims["exp"] = (now + 300).into();
    claims
}

/// The body that asks for a certificate; with a document, for exactly that.
pub(crate) fn sign_body(
    fixture: &Fixture,
    csr: &str,
    document: Option<&Value>,
    now: OffsetDateTime,
) -> Value {
    let provisioner = if document.is_some() { FREE } else { PLAIN };
    let mut claims = claims(provisioner, NAME, now);
    if let Some(document) = document {
        claims["document"] = document.clone();
    }
    json!({ "csr": csr, "ott": token::mint(&fixture.provisioner_key(provisioner), &claims) })
}

/// The body that revokes a certificate.
pub(crate) fn revoke_body(fixture: &Fixture, certificate: &Certificate, now: OffsetDateTime) -> Value {
    let serial = certificate.serial_number().to_string();
    let mut claims = claims(PLAIN, &serial, now);
    claims["aud"] = "https://localhost/1.0/revoke".into();
    let ott = token::mint(&fixture.provisioner_key(PLAIN), &claims);
    json!({ "serial": serial, "ott": ott, "passive": true, "reasonCode": 1, "reason": "lost" })
}

/// The document of a certificate that names the CRL.
pub(crate) fn crl_document() -> Value {
    json!({
        "subject": NAME,
        "dnsNames": NAME,
        "keyUsage": "digitalSignature",
        "extKeyUsage": ["serverAuth", "clientAuth"],
        "crlDistributionPoints": CRL_URL,
    })
}

/// The DER of the certificate in an answer to `/sign`.
pub(crate) fn certificate_der(answer: &Value) -> Vec<u8> {
    pem::decode_first(answer["crt"].as_str().unwrap()).unwrap().content.to_vec()
}
