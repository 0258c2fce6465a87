//! A directory that `stepless provisioner` has edited, served by either CA and used by `step`.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::tools;
use crate::setting::Setting;

pub(crate) fn edited_provisioners(kind: Kind) {
    let Some(mut setting) = Setting::new(kind) else {
        return;
    };
    let fixture = setting.ca.stop();
    fs::write(fixture.file("new-password"), "another secret").unwrap();
    for line in [
        "add added --password-file new-password --x509-default-dur 1h",
        "add guests --type X5C --x5c-roots certs/root_ca.crt",
        "rotate plain --password-file new-password",
        "rotate mosaic-fed --new-name mosaic-fed-2 --password-file new-password",
        "remove rsa2048",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepless"));
        command.arg("provisioner").args(line.split(' ')).args(["--ca-config", "ca.json"]);
        tools::run(command.current_dir(fixture.path()).env("STEPPATH", fixture.path()));
    }
    setting.ca = Ca::try_start(kind, fixture).unwrap();
    setting.bootstrap();
    let list: Value = serde_json::from_str(&setting.run("ca provisioner list", &[])).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(
        names.ends_with(&["added", "guests", "mosaic-fed-2"]) && !names.contains(&"rsa2048"),
        "{names:?}"
    );
    for provisioner in ["added", "plain"] {
        let password = setting.ca.fixture.file("new-password");
        setting.run(
            "ca certificate --force --provisioner-password-file",
            &[password.to_str().unwrap(), "--provisioner", provisioner, "e.example", "e.crt", "e.key"],
        );
        setting.verify("e.crt");
    }
}
