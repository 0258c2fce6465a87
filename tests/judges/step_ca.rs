//! The same certificates and CRLs, made by the real step-ca, and by `step` where step-ca makes none.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stepless::clock::Clock as _;
use stepless::clock::SystemClock;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;

use crate::Made;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::https::Request;
use crate::common::tools;
use crate::docket::Docket;
use crate::fixture;
use crate::fixture::Issuers;
use crate::keys;
use crate::keys::KINDS;
use crate::profiles;

/// One of so many profiles is put to step-ca too.
const SAMPLE: usize = 4;

/// Makes them, under the names of ours.
pub(crate) fn make(made: &Made, step: &Path) -> Docket {
    let mut docket = Docket::new("theirs");
    for (kind, issuers) in KINDS.iter().zip(&made.issuers) {
        authorities(&mut docket, step, kind, issuers);
        let ca = start(issuers);
        for (above, requester) in KINDS.iter().zip(&made.requesters) {
            docket.add(&format!("leaf-{kind}-{above}.crt"), &sign(&ca, &requester.csr, None));
        }
        docket.add(&format!("crl-{kind}-empty.crl"), &crl(&ca));
        let revoked = sign(&ca, &made.requesters[0].csr, Some(&fixture::crl_document()));
        docket.add(&format!("leaf-{kind}-revoked.crt"), &revoked);
        let body =
            fixture::revoke_body(&ca.fixture, &Certificate::parse(&revoked).unwrap(), SystemClock.now());
        let answer = ca.client().send(&Request::post("/1.0/revoke", &body)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        docket.add(&format!("crl-{kind}.crl"), &crl(&ca));
    }
    // The same profiles, for the present.
    let profiles = profiles::random(made.seed, crate::PROFILES, SystemClock.now());
    for (index, issuers) in made.centuries.iter().enumerate() {
        let ca = start(issuers);
        for profile in profiles.iter().step_by(SAMPLE).filter(|profile| profile.issuer == index) {
            let csr = &made.requesters[profile.requester].csr;
            docket.add(&format!("{}.crt", profile.name), &sign(&ca, csr, Some(&profile.document)));
        }
    }
    docket
}

fn start(issuers: &Issuers) -> Ca {
    let started = Ca::try_start(Kind::StepCa, issuers.fixture());
    started.unwrap_or_else(|said| panic!("step-ca does not start: {said}"))
}

fn sign(ca: &Ca, csr: &str, document: Option<&Value>) -> Vec<u8> {
    let body = fixture::sign_body(&ca.fixture, csr, document, SystemClock.now());
    let answer = ca.client().send(&Request::post("/1.0/sign", &body)).unwrap();
    assert_eq!(answer.status, 201, "{document:?}: {}", answer.text());
    fixture::certificate_der(&serde_json::from_str(&answer.text()).unwrap())
}

fn crl(ca: &Ca) -> Vec<u8> {
    let answer = ca.client().send(&Request::get("/1.0/crl")).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

/// A root and an intermediate of one kind as `step` makes them, for keys of ours; they stand for all intermediates
/// of that kind.
fn authorities(docket: &mut Docket, step: &Path, kind: &str, issuers: &Issuers) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("root.key", &keys::to_pem(&issuers.root_key));
    write("intermediate.key", &keys::to_pem(&issuers.intermediate_key));
    for (profile, title, more) in [
        ("root-ca", "root", &["--not-after", "87600h"][..]),
        (
            "intermediate-ca",
            "intermediate",
            &["--not-after", "87599h", "--ca", "root.crt", "--ca-key", "root.key"],
        ),
    ] {
        let mut command = Command::new(step);
        command.args(["certificate", "create", &format!("Judged {title} CA"), &format!("{title}.crt")]);
        command.args(["--key", &format!("{title}.key"), "--profile", profile]).args(more);
        command.env("STEPPATH", folder.path()).current_dir(folder.path());
        tools::run(&mut command);
        let text = fs::read_to_string(folder.path().join(format!("{title}.crt"))).unwrap();
        let name = if title == "root" {
            format!("root-{kind}.crt")
        } else {
            format!("intermediate-{kind}-{kind}.crt")
        };
        docket.add(&name, &pem::decode_first(&text).unwrap().content);
    }
}
