//! Certificates that end early.

use serde_json::Value;

use crate::common::ca::Kind;
use crate::setting::Setting;

pub(crate) fn revoke(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let revoked = |said: &str, serial: &str| {
        assert!(
            said.contains(&format!("Certificate with Serial Number {serial} has been revoked.")),
            "{said}"
        );
    };

    // By serial number and a token, made before or on the way.
    setting.certificate("plain", "a", "");
    let serial = setting.serial("a.crt");
    let token = setting.token_with("ca token --revoke", "plain", &serial);
    revoked(&setting.told("ca revoke --reasonCode 4 --token", &[&token, &serial]), &serial);
    let said = setting.fail("ca renew --force", &["a.crt", "a.key"]);
    assert!(said.contains("The request lacked necessary authorization to be completed"), "{said}");
    let token = setting.token_with("ca token --revoke", "rsa2048", &serial);
    let said = setting.fail("ca revoke --token", &[&token, &serial]);
    assert!(
        said.contains(&format!("certificate with serial number '{serial}' is already revoked")),
        "{said}"
    );

    // By the certificate itself.
    setting.certificate("plain", "b", "");
    let other = setting.serial("b.crt");
    let line = "ca revoke --reasonCode keyCompromise --reason a-test --cert b.crt --key b.key";
    revoked(&setting.told(line, &[]), &other);

    // A token for one number does not revoke another, nor does one to sign with.
    setting.certificate("plain", "c", "");
    let third = setting.serial("c.crt");
    let token = setting.token_with("ca token --revoke", "plain", &other);
    let said = setting.fail("ca revoke --token", &[&token, &third]);
    assert!(said.contains("do not match"), "{said}");
    let said = setting.fail("ca revoke --token", &[&setting.token("plain", &third), &third]);
    assert!(said.contains("The request lacked necessary authorization to be completed"), "{said}");
    setting.run("ca renew --force", &["c.crt", "c.key"]);

    let url = format!("{}/crl", setting.ca.url());
    let root = ".step/certs/root_ca.crt";
    setting.write("intermediate.crt", &setting.ca.fixture.read("certs/intermediate_ca.crt"));
    let list = setting.run("crl inspect --format json --ca intermediate.crt --roots", &[root, &url]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut entries: Vec<(&str, &str)> = list["revoked_certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let reason = entry["extensions"][0]["crl_reason_code"].as_str().unwrap();
            (entry["serial_number"].as_str().unwrap(), reason)
        })
        .collect();
    let mut expected = [(serial.as_str(), "Superseded"), (other.as_str(), "Key Compromise")];
    entries.sort_unstable();
    expected.sort_unstable();
    assert_eq!(entries, expected, "{list}");
    assert_eq!(list["signature"]["valid"], true, "{list}");
}
