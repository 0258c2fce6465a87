//! What `step` reads from a CA without a token.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::ca::Kind;
use crate::common::tools;
use crate::setting::Setting;

pub(crate) fn bootstrap(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    let wrong = "0".repeat(64);
    let said = setting.fail("ca bootstrap", &["--ca-url", &setting.ca.url(), "--fingerprint", &wrong]);
    assert!(said.contains(&format!("root certificate with fingerprint \"{wrong}\" was not found")), "{said}");
    assert!(!setting.file(".step/certs/root_ca.crt").exists());

    setting.bootstrap();
    let root = setting.read(".step/certs/root_ca.crt");
    assert_eq!(root, setting.ca.fixture.root_pem());
    assert_eq!(setting.run("ca health", &[]).trim(), "ok");

    // `stepless bootstrap` leaves the same bytes, whichever CA answers.
    let left = || [".step/certs/root_ca.crt", ".step/config/defaults.json"].map(|name| setting.read(name));
    let by_step = left();
    let defaults: Value = serde_json::from_str(&by_step[1]).unwrap();
    let of = |member: &str| defaults[member].as_str().unwrap();
    fs::remove_dir_all(setting.file(".step")).unwrap();
    let mut bootstrap = Command::new(env!("CARGO_BIN_EXE_stepless"));
    bootstrap.args(["bootstrap", "--ca-url", of("ca-url"), "--fingerprint", of("fingerprint")]);
    tools::run(bootstrap.env("STEPPATH", setting.file(".step")));
    assert_eq!(left(), by_step);
    assert_eq!(setting.run("ca health", &[]).trim(), "ok");
}

pub(crate) fn roots(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let root = setting.ca.fixture.root_pem();
    setting.run("ca root", &["root.pem", "--fingerprint", &setting.fingerprint()]);
    assert_eq!(setting.read("root.pem"), root);
    setting.run("ca roots", &["roots.pem"]);
    assert_eq!(setting.read("roots.pem"), root);

    let federated = setting.ca.fixture.read("certs/federated.crt");
    setting.run("ca federation", &["federation.pem"]);
    let federation = setting.read("federation.pem");
    assert!(federation == format!("{root}{federated}") || federation == format!("{federated}{root}"));
}

pub(crate) fn provisioners(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let list: Value = serde_json::from_str(&setting.run("ca provisioner list", &[])).unwrap();
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    // The command asks page by page until the last; a CA leaves out a provisioner of a type it does not know.
    let configured = &setting.ca.fixture.config()["authority"]["provisioners"];
    let mut expected = names(configured);
    expected.retain(|name| name != "unknown-type");
    assert_eq!(names(&list), expected);

    let plain = configured.as_array().unwrap().iter().find(|item| item["name"] == "plain").unwrap();
    let kid = plain["key"]["kid"].as_str().unwrap();
    let key = setting.run("ca provisioner jwe-key", &[kid]);
    assert_eq!(key.trim(), plain["encryptedKey"].as_str().unwrap());
    let said = setting.fail("ca provisioner jwe-key", &["nobody"]);
    assert!(said.contains("The requested resource could not be found"), "{said}");
}
