//! `stepless intermediate` and `init --root`: an issuing key and its certificate from a root that is kept offline.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;

use common::binary::Daemon;
use common::binary::Desk;
use common::entity::Entity;
use common::entity::Plan;
use common::tools;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::signer::key_file;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::extension::BasicConstraints;
use stepless::x509::extension::KeyUsage;
use stepless::x509::oid;
use stepless::x509::pem;

const SERVE: &str = "serve ca/config/ca.json --password-file password --address 127.0.0.1:0";
const IMPORT: &str = "intermediate import new.crt --ca-config ca/config/ca.json --password-file password";
const REQUEST: &str = "intermediate request --ca-config ca/config/ca.json --password-file password";
const CRT: &str = "ca/certs/intermediate_ca.crt";
const CSR: &str = "ca/certs/intermediate_ca.csr";
const KEY: &str = "ca/secrets/intermediate_ca_key";
const NEXT: &str = "ca/secrets/intermediate_ca_key.next";

fn authority() -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    done(&desk, "init --dir ca --password-file password --name Example");
    desk
}

/// A command that does what it is asked for, without a complaint.
#[track_caller]
fn done(desk: &Desk, line: &str) -> String {
    let outcome = desk.run(line);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{line}: {outcome:?}");
    outcome.stdout
}

/// It fails, says why, and changes nothing.
#[track_caller]
fn refused(desk: &Desk, line: &str, code: i32, says: &str) {
    let before = desk.files();
    let outcome = desk.run(line);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{line}: {outcome:?}");
    let mut lines = outcome.stderr.lines();
    let error = lines.next().unwrap_or_default();
    assert!(error.starts_with("error: ") && error.contains(says), "{line}: {}", outcome.stderr);
    assert!(lines.next().is_some_and(|hint| hint.starts_with("hint: ")), "{}", outcome.stderr);
    assert!(before == desk.files(), "{line} changed something");
}

fn certificates(desk: &Desk, name: &str) -> Vec<Certificate> {
    let text = desk.read(name);
    pem::Blocks::new(text.as_bytes()).map(|block| Certificate::parse(&block.content).unwrap()).collect()
}

fn key(desk: &Desk, name: &str) -> Arc<PrivateKey> {
    Arc::new(key_file::decode(desk.read(name).as_bytes(), Some(b"not a secret"), name).unwrap())
}

/// The authority's root, with its key.
fn root(desk: &Desk) -> Entity {
    let certificate = Arc::new(certificates(desk, "ca/certs/root_ca.crt").remove(0));
    Entity { key: key(desk, "ca/secrets/root_ca_key"), certificate }
}

/// Gets a certificate from a daemon, below its root.
#[track_caller]
fn issue(desk: &Desk, daemon: &Daemon, name: &str) {
    let line = format!(
        "certificate {name} --provisioner admin --password-file password --root ca/certs/root_ca.crt --ca-url {}",
        daemon.url()
    );
    done(desk, &line);
}

/// Runs a program of somebody else in the desk's folder.
fn run(desk: &Desk, program: &str, arguments: &str) -> String {
    let found = tools::find(program, &["version"]).unwrap();
    let mut command = Command::new(found);
    command.args(arguments.split_whitespace());
    desk.seat(&mut command);
    tools::run(&mut command)
}

/// Makes an authority below `root.crt`, which has no key here, and has `sign` sign its request.
fn offline(desk: &Desk, kty: &str, sign: impl Fn(&Desk)) {
    desk.write_secret("password", "not a secret\n");
    let line = format!("init --dir ca --password-file password --name Example --root root.crt --kty {kty}");
    let said = done(desk, &line);
    assert!(said.contains("waits for its certificate") && said.contains("intermediate import"), "{said}");
    assert!(!desk.file("ca/secrets/root_ca_key").exists() && !desk.file(CRT).exists());
    assert_eq!(desk.run(SERVE).code, Some(2));
    sign(desk);
    let said = done(desk, IMPORT);
    assert!(said.contains("valid until") && !said.contains("backup"), "{said}");
    assert!(!desk.file(NEXT).exists());
    for name in [CRT, KEY] {
        assert_eq!(
            std::fs::metadata(desk.file(name)).unwrap().permissions().mode() & 0o7777,
            0o600,
            "{name}"
        );
    }
    let daemon = desk.serve(SERVE);
    issue(desk, &daemon, "a.example");
    assert!(desk.read("a.example.chain.crt").ends_with(&desk.read(CRT)));
    let said = done(desk, "init --dir ca --password-file password");
    assert!(said.contains("nothing was changed") && said.contains("Start it with"), "{said}");
}

#[test]
fn an_openssl_root_signs_the_request() {
    if tools::find("openssl", &["version"]).is_none() {
        return tools::skip("there is no openssl");
    }
    let desk = Desk::new();
    run(
        &desk,
        "openssl",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout root.key -out root.crt -days 3650 \
         -subj /O=Example/CN=Offline -addext keyUsage=critical,keyCertSign,cRLSign",
    );
    offline(&desk, "p256", |desk| {
        run(
            desk,
            "openssl",
            &format!(
                "x509 -req -in {CSR} -CA root.crt -CAkey root.key -days 1825 -copy_extensions copy -out new.crt"
            ),
        );
    });
    run(
        &desk,
        "openssl",
        "verify -x509_strict -CAfile root.crt -untrusted ca/certs/intermediate_ca.crt a.example.crt",
    );
    let issuer = certificates(&desk, CRT).remove(0);
    assert_eq!(
        (issuer.path_length(), issuer.common_name().as_deref()),
        (Some(0), Some("Example Intermediate CA"))
    );
}

#[test]
fn a_step_root_signs_the_request() {
    if tools::find("step", &["version"]).is_none() {
        return tools::skip("there is no step: go install github.com/smallstep/cli/cmd/step@v0.30.6");
    }
    let desk = Desk::new();
    let profile = "--profile root-ca --no-password --insecure --not-after 87600h";
    run(&desk, "step", &format!("certificate create Offline root.crt root.key {profile}"));
    offline(&desk, "ed25519", |desk| {
        let signed = run(
            desk,
            "step",
            &format!("certificate sign {CSR} root.crt root.key --profile intermediate-ca --not-after 43800h"),
        );
        desk.write("new.crt", &signed);
    });
}

#[test]
fn an_authority_goes_on_with_a_new_intermediate() {
    let desk = authority();
    let daemon = desk.serve(SERVE);
    issue(&desk, &daemon, "old.example");
    let old = (desk.read(CRT), desk.read(KEY));

    done(&desk, REQUEST);
    assert_eq!((desk.read(CRT), desk.read(KEY)), old);
    refused(&desk, REQUEST, 2, "waits for its certificate already");
    let sign = format!(
        "intermediate sign {CSR} --root ca/certs/root_ca.crt --root-key ca/secrets/root_ca_key --password-file \
         password --days 90000 --out new.crt"
    );
    done(&desk, &sign);
    let said = done(&desk, &format!("{IMPORT} --pid {}", daemon.id()));
    assert!(said.contains(&format!("SIGHUP sent to {}", daemon.id())), "{said}");
    assert!(daemon.log_with("the new configuration is in service").contains("is in service"));

    let new = certificates(&desk, CRT).remove(0);
    let root = root(&desk);
    assert_eq!(new.not_after(), root.certificate.not_after(), "never longer than the root");
    assert_eq!(new.subject_der(), Certificate::subject_der(&certificates(&desk, "old.example.chain.crt")[1]));
    assert_eq!(new.authority_key_id(), root.certificate.subject_key_id());
    assert_eq!(new.extensions().iter().filter(|extension| extension.critical).count(), 2);
    let backups: Vec<String> = { desk.files().into_iter() }
        .filter(|(name, _)| name.contains(".bak-"))
        .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
        .collect();
    assert!(backups.contains(&old.0) && backups.contains(&old.1), "{said}");

    // Clients of before and after.
    issue(&desk, &daemon, "new.example");
    assert_eq!(certificates(&desk, "new.example.chain.crt")[1].der(), new.der());
    let target = format!("--root ca/certs/root_ca.crt --ca-url {}", daemon.url());
    for name in ["old.example", "new.example"] {
        done(&desk, &format!("renew {name}.chain.crt {name}.key {target}"));
        assert_eq!(certificates(&desk, &format!("{name}.chain.crt"))[1].der(), new.der(), "{name}");
    }
}

#[test]
fn a_key_that_was_not_encrypted_is_from_now_on() {
    let desk = authority();
    let plain = key_file::encode_plain(&key(&desk, KEY)).unwrap();
    desk.write("elsewhere", &plain);
    std::fs::remove_file(desk.file(KEY)).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", desk.file(KEY)).unwrap();
    let outcome = desk.run(REQUEST);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.starts_with("warning: the present key is not encrypted and the new one is"),
        "{outcome:?}"
    );
    let sign = "--root ca/certs/root_ca.crt --root-key ca/secrets/root_ca_key --password-file password --out new.crt";
    done(&desk, &format!("intermediate sign {CSR} {sign}"));
    done(&desk, IMPORT);
    // The link stays; what it leads to is the new key.
    assert!(std::fs::symlink_metadata(desk.file(KEY)).unwrap().is_symlink());
    assert!(desk.read("elsewhere").contains("ENCRYPTED"));
    desk.serve(SERVE);
}

/// What docs/rotation.md says of a password that is lost.
#[test]
fn a_lost_password_costs_an_intermediate() {
    let desk = authority();
    desk.write("another", "a new one\n");
    done(&desk, "init --dir rescue --root ca/certs/root_ca.crt --password-file another");
    let sign = "--root ca/certs/root_ca.crt --root-key ca/secrets/root_ca_key --password-file password --out new.crt";
    done(&desk, &format!("intermediate sign rescue/certs/intermediate_ca.csr {sign}"));
    done(&desk, "intermediate import new.crt --ca-config rescue/config/ca.json --password-file another");
    for name in ["certs/intermediate_ca.crt", "secrets/intermediate_ca_key"] {
        std::fs::copy(desk.file("rescue").join(name), desk.file("ca").join(name)).unwrap();
    }
    let daemon = desk.serve(&SERVE.replace("file password", "file another"));
    // The key of the provisioner is encrypted with the old one, and still there.
    issue(&desk, &daemon, "a.example");
}

#[test]
fn an_import_cut_short_can_be_given_again() {
    let desk = authority();
    done(&desk, REQUEST);
    let sign = "--root ca/certs/root_ca.crt --root-key ca/secrets/root_ca_key --password-file password --out new.crt";
    done(&desk, &format!("intermediate sign {CSR} {sign}"));
    // As if it had ended after the certificate was put into place.
    desk.write(CRT, &desk.read("new.crt"));
    assert_eq!(desk.run(SERVE).code, Some(2));
    done(&desk, IMPORT);
    desk.serve(SERVE);
}

#[test]
fn a_certificate_that_would_not_do_is_refused() {
    let desk = authority();
    refused(&desk, IMPORT, 2, "no key waits for a certificate");
    done(&desk, REQUEST);
    let root = root(&desk);
    let next = Entity { key: key(&desk, NEXT), certificate: Arc::clone(&root.certificate) };
    let check = |certificate: &Entity, says: &str| {
        desk.write("new.crt", &certificate.certificate.to_pem());
        refused(&desk, IMPORT, 2, says);
    };
    let plan = || Plan::ca("New");
    let below = |plan: Plan| next.again(Some(&root), plan);
    check(&root.issue(plan()), "it is for another key than the one that waits");
    check(&root, "it is a root of ca.json itself");
    check(&Entity::root(plan()), "it is for another key");
    check(&below(Plan::end_entity("New")), "is not a CA certificate");
    check(&below(plan().valid(-7200, -3600)), "expired at");
    check(&below(plan().valid(3600, 7200)), "is not valid before");
    check(
        &below(plan().with(KeyUsage::DIGITAL_SIGNATURE.to_extension())),
        "not allowed to sign certificates",
    );
    let usages = extension::extended_key_usage(&[oid::SERVER_AUTH]);
    check(&below(plan().with(usages)), "incompatible key usage");
    let unknown = extension::Extension::new(oid::Oid::parse("1.2.3.4").unwrap(), true, vec![5, 0]);
    check(&below(plan().with(unknown)), "critical extension 1.2.3.4");
    let stranger = Entity::root(plan());
    check(&next.again(Some(&stranger), plan()), "certificate signed by unknown authority");
    let no_length = BasicConstraints { is_ca: true, path_length: Some(0) }.to_extension();
    let narrow = Entity::root(Plan::ca("Narrow").with(no_length));
    desk.write("narrow.crt", &narrow.certificate.to_pem());
    let config = desk.read("ca/config/ca.json");
    desk.write(
        "ca/config/ca.json",
        &config.replace(&desk.file("ca/certs/root_ca.crt").display().to_string(), "narrow.crt"),
    );
    check(&next.again(Some(&narrow), plan()), "too many intermediates for the path length");
    desk.write("ca/config/ca.json", &config.replace("\"db\":", "\"crl\": {\"enabled\": true}, \"db\":"));
    check(&below(plan().with(KeyUsage::KEY_CERT_SIGN.to_extension())), "cRLSign");
    desk.write("ca/config/ca.json", &config);

    desk.write("new.crt", "nothing");
    refused(&desk, IMPORT, 2, "no certificate in the file");
    desk.write("wrong", "another\n");
    refused(&desk, &IMPORT.replace("file password", "file wrong"), 2, "password");
    refused(&desk, &format!("{IMPORT} --pid 4000000"), 2, "cannot be told");
    // What would do is taken, also with the root behind it.
    let good = below(plan()).certificate;
    desk.write("new.crt", &format!("{}{}", good.to_pem(), root.certificate.to_pem()));
    done(&desk, IMPORT);
    assert_eq!(certificates(&desk, CRT).len(), 1);
}

#[test]
fn requests_and_signatures_that_cannot_be_made() {
    let desk = authority();
    desk.write("wrong", "another\n");
    refused(&desk, &REQUEST.replace("file password", "file wrong"), 2, "password");
    done(&desk, REQUEST);
    let sign = |request: &str, root: &str, key: &str| {
        format!(
            "intermediate sign {request} --root {root} --root-key {key} --password-file password --out new.crt"
        )
    };
    let (root, key) = ("ca/certs/root_ca.crt", "ca/secrets/root_ca_key");
    refused(&desk, &sign(root, root, key), 1, "holds no certification request");
    refused(&desk, &sign(CSR, CRT, key), 2, "cannot issue an intermediate certificate");
    refused(&desk, &sign(CSR, root, KEY), 2, "is not the key of");
    refused(&desk, &sign(CSR, root, CSR), 2, CSR);

    for (file, plan, says) in [
        ("leaf.crt", Plan::end_entity("x"), "it is no CA"),
        ("old.crt", Plan::ca("x").valid(-7200, -3600), "it is not valid now"),
        (
            "narrow.crt",
            Plan::ca("x").with(BasicConstraints { is_ca: true, path_length: Some(0) }.to_extension()),
            "its path length is 0",
        ),
    ] {
        desk.write(file, &Entity::root(plan.kind(KeyKind::P256)).certificate.to_pem());
        refused(&desk, &format!("init --dir other --password-file password --root {file}"), 2, says);
    }
}
