//! Every kind of issuer with every kind of key below it: roots, intermediates, leaves and CRLs.

use std::path::Path;

use serde_json::Value;
use stepless::authority::bootstrap::Hierarchy;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::x509::certificate::Certificate;
use time::Duration;

use crate::common::local::Local;
use crate::common::local::block_on;
use crate::docket::Case;
use crate::docket::Docket;
use crate::docket::Verdict;
use crate::fixture;
use crate::fixture::Issuers;
use crate::fixture::NOW;
use crate::keys;
use crate::keys::KINDS;

/// Somebody who asks for certificates.
#[derive(Debug)]
pub(crate) struct Requester {
    pub(crate) key: PrivateKey,
    /// The request, PEM.
    pub(crate) csr: String,
}

/// One for each kind of key, in the order of [`KINDS`].
pub(crate) fn requesters(openssl: &Path) -> Vec<Requester> {
    let keys = KINDS.iter().map(|kind| keys::key(kind, "leaf"));
    keys.map(|key| Requester { csr: fixture::request(openssl, &key), key }).collect()
}

/// Makes all of it; returns the authority of each kind, in the order of [`KINDS`].
pub(crate) fn make(docket: &mut Docket, requesters: &[Requester]) -> Vec<Issuers> {
    // Later than the beginning of every CRL that is about to be made.
    let at = (NOW + Duration::HOUR).unix_timestamp();
    made_by_init(docket);
    let issuers: Vec<Issuers> = KINDS.iter().map(|kind| new_issuers(kind)).collect();
    for (kind, own) in KINDS.iter().zip(&issuers) {
        docket.add(&format!("root-{kind}.crt"), own.root.der());
    }
    for (kind, own) in KINDS.iter().zip(&issuers) {
        let authority = own.authority();
        for ((above_kind, above), requester) in KINDS.iter().zip(&issuers).zip(requesters) {
            // The authority's own one below the root of its kind, another one with its key below each other root.
            let certificate = if above_kind == kind {
                own.intermediate.clone()
            } else {
                intermediate(&above.root, &above.root_key, &own.intermediate_key)
            };
            let file = format!("intermediate-{above_kind}-{kind}.crt");
            let intermediates = vec![docket.add(&file, certificate.der())];
            let name = format!("leaf-{kind}-{above_kind}");
            let leaf = docket.add(&format!("{name}.crt"), &sign(&authority, &requester.csr, None));
            let root = format!("root-{above_kind}.crt");
            let expected = Verdict::Accepted;
            docket.cases.push(Case { name, at, root, intermediates, leaf, crl: None, expected });
        }
        with_crl(docket, &authority, kind, &requesters[0].csr, at);
    }
    issuers
}

fn new_issuers(kind: &str) -> Issuers {
    let (root_key, intermediate_key) = (keys::key(kind, "root"), keys::key(kind, "intermediate"));
    let root = fixture::ca_certificate("Root", 1).self_signed(&root_key).unwrap();
    let root = Certificate::parse(&root).unwrap();
    let intermediate = intermediate(&root, &root_key, &intermediate_key);
    Issuers { root, root_key, intermediate, intermediate_key }
}

fn intermediate(root: &Certificate, root_key: &PrivateKey, key: &PrivateKey) -> Certificate {
    let der = fixture::ca_certificate("Intermediate", 0).signed_by(key.public_key(), root, root_key);
    Certificate::parse(&der.unwrap()).unwrap()
}

fn sign(authority: &Local, request: &str, document: Option<&Value>) -> Vec<u8> {
    let body = fixture::sign_body(&authority.fixture, request, document, NOW);
    let answer = authority.post("/1.0/sign", &[], &body, None);
    assert_eq!(answer.status, 201, "{document:?}: {:?}", answer.body);
    fixture::certificate_der(&answer.body)
}

/// An empty CRL and one with an entry, and two certificates to look up there.
fn with_crl(docket: &mut Docket, authority: &Local, kind: &str, request: &str, at: i64) {
    let crl = || block_on(authority.authority.issue_crl()).unwrap().der;
    docket.add(&format!("crl-{kind}-empty.crl"), &crl());
    let document = fixture::crl_document();
    let revoked = sign(authority, request, Some(&document));
    let good = sign(authority, request, Some(&document));
    let body = fixture::revoke_body(&authority.fixture, &Certificate::parse(&revoked).unwrap(), NOW);
    let answer = authority.post("/1.0/revoke", &[], &body, None);
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let crl = docket.add(&format!("crl-{kind}.crl"), &crl());
    for (name, der, expected) in [("good", good, Verdict::Accepted), ("revoked", revoked, Verdict::Revoked)] {
        let name = format!("leaf-{kind}-{name}");
        let leaf = docket.add(&format!("{name}.crt"), &der);
        docket.cases.push(Case {
            name,
            at,
            root: format!("root-{kind}.crt"),
            intermediates: vec![format!("intermediate-{kind}-{kind}.crt")],
            leaf,
            crl: Some(crl.clone()),
            expected,
        });
    }
}

/// The certificates of `stepless init`, for the kinds of keys that it makes.
fn made_by_init(docket: &mut Docket) {
    let kinds = [
        ("p256", KeyKind::P256),
        ("p384", KeyKind::P384),
        ("p521", KeyKind::P521),
        ("ed25519", KeyKind::Ed25519),
    ];
    for (name, kind) in kinds {
        let made = Hierarchy::generate("Judged", kind, NOW, &SystemEntropy::new()).unwrap();
        docket.add(&format!("root-init-{name}.crt"), made.root.der());
        docket.add(&format!("intermediate-init-{name}.crt"), made.intermediate.der());
    }
}
