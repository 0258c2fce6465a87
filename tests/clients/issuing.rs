//! Tokens of every kind, and certificates for them.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::common;
use crate::common::ca::Kind;
use crate::common::tools;
use crate::setting::Setting;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// What whoever lacks the right to something is told.
const UNAUTHORIZED: &str = "The request lacked necessary authorization to be completed";

pub(crate) fn certificate(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    setting.certificate("plain", "a", "");
    setting.verify("a.crt");

    // The token made on the way, several names, a shorter life.
    let password = setting.password();
    setting.run(
        "ca certificate --provisioner plain --san b.example --san 10.0.0.1 --not-after 1h",
        &["--provisioner-password-file", &password, "b.example", "b.crt", "b.key"],
    );
    setting.verify("b.crt");
    let profile = setting.profile("b.crt");
    assert_eq!(profile.not_after - profile.not_before, 3660);
    let names = setting.openssl("x509 -in b.crt -noout -ext subjectAltName");
    assert!(names.contains("DNS:b.example, IP Address:10.0.0.1"), "{names}");

    // Every kind of key that the command makes.
    for (options, shown) in [
        ("--kty EC --curve P-256", "ECDSA P-256"),
        ("--kty EC --curve P-384", "ECDSA P-384"),
        ("--kty EC --curve P-521", "ECDSA P-521"),
        ("--kty OKP --curve Ed25519", "Ed25519 256"),
        ("--kty RSA --size 3072", "RSA 3072"),
    ] {
        setting.certificate("plain", "k", options);
        setting.verify("k.crt");
        let inspected = setting.run("certificate inspect --short", &["k.crt"]);
        assert!(inspected.contains(&format!("X.509v3 TLS Certificate ({shown})")), "{inspected}");
        assert!(inspected.contains("Issuer:      Mosaic Fixture CA Intermediate CA"), "{inspected}");
        assert!(inspected.contains("Provisioner: plain [ID: "), "{inspected}");
    }

    // What a browser imports: `step` and OpenSSL read it back.
    fs::write(setting.file("p12-password"), "p12").unwrap();
    setting.run("certificate p12 --password-file p12-password", &["a.p12", "a.crt", "a.key"]);
    let shown = setting.openssl("pkcs12 -in a.p12 -passin pass:p12 -nokeys -clcerts");
    assert!(shown.contains("subject=CN = a.example") || shown.contains("subject=CN=a.example"), "{shown}");
}

pub(crate) fn template_data(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let subject = |name: &str| setting.openssl(&format!("x509 -in {name} -noout -subject -nameopt RFC2253"));
    setting.certificate("plain-twin", "a", "--set ou=anvils");
    assert_eq!(subject("a.crt").trim(), "subject=CN=a.example,OU=anvils");

    // What the token says of the user is for another template.
    let token = setting.token_with("ca token --set ou=pulleys", "tokuser", "a.example");
    setting.run("ca certificate --token", &[&token, "a.example", "t.crt", "t.key"]);
    assert_eq!(subject("t.crt").trim(), "subject=CN=a.example,OU=pulleys");

    setting.write("data.json", r#"{"ou": "ropes"}"#);
    let password = setting.password();
    setting
        .run("certificate create --csr --no-password --insecure --san a.example a.example a.csr b.key", &[]);
    setting.run(
        "ca sign --provisioner plain-twin --set-file data.json",
        &["--provisioner-password-file", &password, "a.csr", "b.crt"],
    );
    assert_eq!(subject("b.crt").trim(), "subject=CN=a.example,OU=ropes");
}

pub(crate) fn sign(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    for (provisioner, key) in [
        ("plain", "--kty EC --curve P-256"),
        ("rsa2048", "--kty RSA --size 2048"),
        ("p384", "--kty EC --curve P-521"),
        ("p521", "--kty EC --curve P-384"),
        ("ed25519", "--kty OKP --curve Ed25519"),
    ] {
        let request = format!(
            "certificate create --csr --no-password --insecure --force {key} --san c.example c.example c.csr c.key"
        );
        setting.run(&request, &[]);
        let token = setting.token(provisioner, "c.example");
        setting.run("ca sign --force --token", &[&token, "c.csr", "c.crt"]);
        setting.verify("c.crt");

        // One token, one certificate.
        let said = setting.fail("ca sign --force --token", &[&token, "c.csr", "d.crt"]);
        assert!(said.contains(UNAUTHORIZED), "{said}");
        assert!(!setting.file("d.crt").exists());
    }
}

pub(crate) fn tokens(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let sign = |token: &str, request: &str, certificate: &str| {
        setting.step("ca sign --force --token", &[token.trim(), request, certificate]).output().unwrap()
    };
    let signed = |token: &str| {
        let output = sign(token, "t.csr", "t.crt");
        assert!(output.status.success(), "{}", tools::said(&output));
        setting.verify("t.crt");
        setting.profile("t.crt")
    };
    let refused = |token: &str, request: &str, message: &str| {
        let output = sign(token, request, "refused.crt");
        assert!(!output.status.success(), "{}", tools::said(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(message), "{said}");
        assert!(!setting.file("refused.crt").exists());
    };
    for request in ["t", "u"] {
        let line = "certificate create --csr --no-password --insecure --san t.example t.example";
        setting.run(line, &[&format!("{request}.csr"), &format!("{request}.key")]);
    }

    // With the provisioner's key in a file, with and without a connection to the CA.
    let key = setting.ca.fixture.provisioner_key("plain");
    setting.write("key.jwk", &key.to_string());
    signed(&setting.run("ca token --provisioner plain --key key.jwk", &["t.example"]));
    let kid = key["kid"].as_str().unwrap();
    let (url, root) = (setting.ca.url(), ".step/certs/root_ca.crt");
    let offline =
        ["--offline", "--kid", kid, "--issuer", "plain", "--ca-url", &url, "--root", root, "t.example"];
    signed(&setting.run("ca token --key key.jwk", &offline));
    setting.run("ca token --provisioner plain --key key.jwk --output-file token", &["t.example"]);
    signed(&setting.read("token"));

    // Bound to a request, by its fingerprint or by the file.
    let fingerprint = setting.run("certificate fingerprint --format base64-url-raw", &["t.csr"]);
    let bound = format!("ca token --cnf {}", fingerprint.trim());
    refused(&setting.token_with(&bound, "plain", "t.example"), "u.csr", "fingerprint does not match");
    signed(&setting.token_with(&bound, "plain", "t.example"));
    signed(&setting.token_with("ca token --cnf-file t.csr", "plain", "t.example"));

    // By a certificate. It has to have come from the provisioner's roots.
    setting.certificate("plain", "device", "");
    let x5c = "ca token --provisioner devices --x5c-cert device.crt --x5c-key device.key";
    let profile = signed(&setting.run(x5c, &["t.example"]));
    assert!(profile.not_after <= setting.profile("device.crt").not_after);
    setting.run(
        "ca certificate --provisioner devices --x5c-cert device.crt --x5c-key device.key",
        &["x.example", "x.crt", "x.key"],
    );
    setting.verify("x.crt");
    setting.run(
        "certificate create --profile self-signed --subtle --no-password --insecure",
        &["stranger", "stranger.crt", "stranger.key"],
    );
    let x5c = "ca token --provisioner devices --x5c-cert stranger.crt --x5c-key stranger.key";
    refused(&setting.run(x5c, &["t.example"]), "t.csr", UNAUTHORIZED);

    // Made for something else, for another name, too long ago, by the wrong password.
    refused(&setting.token_with("ca token --revoke", "plain", "t.example"), "t.csr", UNAUTHORIZED);
    let token = setting.token_with("ca token --san other.example", "plain", "t.example");
    refused(&token, "t.csr", "does not contain the valid DNS names - got [t.example], want [other.example]");
    refused(
        &setting.token_with("ca token --not-before -10m --not-after -5m", "plain", "t.example"),
        "t.csr",
        UNAUTHORIZED,
    );
    setting.write("wrong", "a wrong password");
    let said = setting.fail("ca token --provisioner plain --provisioner-password-file wrong", &["t.example"]);
    assert!(said.contains("failed to decrypt JWE: invalid password"), "{said}");
}

pub(crate) fn grants(kind: Kind) {
    let Some(setting) = Setting::bootstrapped(kind) else {
        return;
    };
    let request = "certificate create --csr --no-password --insecure --san g.example g.example g.csr g.key";
    setting.run(request, &[]);
    setting.openssl("req -in g.csr -outform DER -out g.der");
    let digest = setting.openssl("dgst -sha256 -r g.der");
    let sha = digest.split(' ').next().unwrap();

    for provisioner in ["mosaic-fed", "mosaic-hs"] {
        let key = setting.ca.fixture.provisioner_key(provisioner);
        setting.write("key.jwk", &key.to_string());
        let claims = json!({
            "sans": ["g.example"],
            "mosaic_grant_id": GRANT_ID,
            "mosaic_subject_user_id": USER_ID,
            "step": { "sha": sha },
        });
        let now = common::token::now();
        let mut signer = setting
            .step(
                "crypto jwt sign --key key.jwk --sub g.example",
                &[
                    "--iss",
                    provisioner,
                    "--aud",
                    &format!("{}/1.0/sign", setting.ca.url()),
                    "--iat",
                    &now.to_string(),
                    "--nbf",
                    &now.to_string(),
                    "--exp",
                    &(now + 300).to_string(),
                    &format!("--jti={}", uuid::Uuid::new_v4()),
                    "-",
                ],
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = signer.stdin.take().unwrap();
        stdin.write_all(claims.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = signer.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", tools::said(&output));
        let token = String::from_utf8(output.stdout).unwrap();

        setting.run("ca sign --force --token", &[token.trim(), "g.csr", "g.crt"]);
        setting.verify("g.crt");
        let profile = setting.profile("g.crt");
        for (oid, id) in [("1.3.6.1.4.1.99999.1", GRANT_ID), ("1.3.6.1.4.1.99999.2", USER_ID)] {
            // A UTF8String of 36 bytes.
            let value = format!("0c24{}", common::csr::hex(id.as_bytes()));
            assert_eq!(profile.extension(oid), Some(value.as_str()));
        }
    }
}
