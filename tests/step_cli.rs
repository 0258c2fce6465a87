//! The real `step` command against a CA: what its users type, and what OpenSSL thinks of the result.
//!
//! Each scenario runs against stepless, and against step-ca, which shows that the scenario itself is right. Skipped
//! with a loud line where `step`, `openssl` or step-ca is missing; fails there under `STEPLESS_REQUIRE_STEP_CA=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use common::ca::Ca;
use common::ca::Kind;
use common::ca::step_ca_available;
use common::certificate::Profile;
use common::tools;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// A user with an empty home directory, and a CA.
struct Setting {
    step: PathBuf,
    home: TempDir,
    ca: Ca,
}

impl Setting {
    /// `None`, after a loud line, if something is missing.
    fn new(kind: Kind) -> Option<Self> {
        let Some(step) = tools::find("step", &["version"]) else {
            tools::skip("there is no step: go install github.com/smallstep/cli/cmd/step@v0.30.6");
            return None;
        };
        if tools::find("openssl", &["version"]).is_none() {
            tools::skip("there is no openssl");
            return None;
        }
        if let (Kind::StepCa, Err(reason)) = (kind, step_ca_available()) {
            tools::skip(&reason);
            return None;
        }
        Some(Self {
            step,
            home: TempDir::with_prefix("stepless-home-").unwrap(),
            ca: Ca::start(kind, "mosaic"),
        })
    }

    /// `step` in the user's home, with the words of `line`, and `more` arguments after them.
    fn step(&self, line: &str, more: &[&str]) -> Command {
        let mut command = Command::new(&self.step);
        command
            .args(line.split(' '))
            .args(more)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("STEPPATH", self.home.path().join(".step"))
            .stdin(Stdio::null());
        command
    }

    fn openssl(&self, line: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(line.split(' ')).current_dir(self.home.path());
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn bootstrap(&self) {
        let root = self.ca.fixture.file("certs/root_ca.crt");
        let fingerprint = tools::run(Command::new(&self.step).args(["certificate", "fingerprint"]).arg(root));
        let url = self.ca.url();
        let arguments = ["--ca-url", &url, "--fingerprint", fingerprint.trim()];
        tools::run(&mut self.step("ca bootstrap", &arguments));
    }

    /// A token for `subject` by the provisioner's encrypted key, which the command fetches from the CA.
    fn token(&self, provisioner: &str, subject: &str) -> String {
        let password = self.ca.fixture.file("secrets/password.txt");
        let token = tools::run(&mut self.step(
            "ca token --provisioner-password-file",
            &[path(&password), "--provisioner", provisioner, subject],
        ));
        token.trim().to_owned()
    }

    /// Both verifiers accept the certificate in `name`, with the chain behind it in the same file.
    fn verify(&self, name: &str) {
        tools::run(&mut self.step("certificate verify --roots .step/certs/root_ca.crt", &[name]));
        let verdict = tools::run(&mut self.openssl(&format!(
            "verify -x509_strict -CAfile .step/certs/root_ca.crt -untrusted {name} {name}"
        )));
        assert_eq!(verdict.trim(), format!("{name}: OK"));
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn bootstrap(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    setting.bootstrap();
    let root = fs::read_to_string(setting.file(".step/certs/root_ca.crt")).unwrap();
    assert_eq!(root, setting.ca.fixture.root_pem());
    let health = tools::run(&mut setting.step("ca health", &[]));
    assert_eq!(health.trim(), "ok");
    tools::run(&mut setting.step("ca roots", &["roots.pem"]));
    assert_eq!(fs::read_to_string(setting.file("roots.pem")).unwrap(), root);
}

fn provisioner_list(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    setting.bootstrap();
    let list: Value =
        serde_json::from_str(&tools::run(&mut setting.step("ca provisioner list", &[]))).unwrap();
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    // The command asks page by page until the last; a CA leaves out a provisioner of a type it does not know.
    let mut expected = names(&setting.ca.fixture.config()["authority"]["provisioners"]);
    expected.retain(|name| name != "unknown-type");
    assert_eq!(names(&list), expected);
}

fn certificate(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    setting.bootstrap();
    let token = setting.token("plain", "a.example");
    tools::run(&mut setting.step("ca certificate --token", &[&token, "a.example", "a.crt", "a.key"]));
    setting.verify("a.crt");

    // The token made on the way, several names, a shorter life.
    let password = setting.ca.fixture.file("secrets/password.txt");
    tools::run(&mut setting.step(
        "ca certificate --provisioner plain --san b.example --san 10.0.0.1 --not-after 1h",
        &["--provisioner-password-file", path(&password), "b.example", "b.crt", "b.key"],
    ));
    setting.verify("b.crt");
    let profile = Profile::read(&fs::read_to_string(setting.file("b.crt")).unwrap());
    assert_eq!(profile.not_after - profile.not_before, 3660);
    let names = setting.openssl("x509 -in b.crt -noout -ext subjectAltName");
    let names = tools::run(&mut { names });
    assert!(names.contains("DNS:b.example, IP Address:10.0.0.1"), "{names}");
}

fn sign(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    setting.bootstrap();
    for (provisioner, key) in [
        ("plain", "--kty EC --curve P-256"),
        ("rsa2048", "--kty RSA --size 2048"),
        ("p521", "--kty EC --curve P-384"),
        ("ed25519", "--kty OKP --curve Ed25519"),
    ] {
        let request = format!(
            "certificate create --csr --no-password --insecure --force {key} --san c.example c.example c.csr c.key"
        );
        tools::run(&mut setting.step(&request, &[]));
        let token = setting.token(provisioner, "c.example");
        tools::run(&mut setting.step("ca sign --force --token", &[&token, "c.csr", "c.crt"]));
        setting.verify("c.crt");

        // One token, one certificate.
        let again = setting.step("ca sign --force --token", &[&token, "c.csr", "d.crt"]).output().unwrap();
        assert!(!again.status.success(), "{}", tools::said(&again));
        assert!(!setting.file("d.crt").exists());
    }
}

fn grants(kind: Kind) {
    let Some(setting) = Setting::new(kind) else {
        return;
    };
    setting.bootstrap();
    let request = "certificate create --csr --no-password --insecure --san g.example g.example g.csr g.key";
    tools::run(&mut setting.step(request, &[]));
    tools::run(&mut setting.openssl("req -in g.csr -outform DER -out g.der"));
    let digest = tools::run(&mut setting.openssl("dgst -sha256 -r g.der"));
    let sha = digest.split(' ').next().unwrap();

    for provisioner in ["mosaic-fed", "mosaic-hs"] {
        let key = setting.ca.fixture.provisioner_key(provisioner);
        fs::write(setting.file("key.jwk"), key.to_string()).unwrap();
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

        tools::run(&mut setting.step("ca sign --force --token", &[token.trim(), "g.csr", "g.crt"]));
        setting.verify("g.crt");
        let profile = Profile::read(&fs::read_to_string(setting.file("g.crt")).unwrap());
        for (oid, id) in [("1.3.6.1.4.1.99999.1", GRANT_ID), ("1.3.6.1.4.1.99999.2", USER_ID)] {
            // A UTF8String of 36 bytes.
            let value = format!("0c24{}", common::csr::hex(id.as_bytes()));
            assert_eq!(profile.extension(oid), Some(value.as_str()));
        }
    }
}

/// Makes a test of each scenario against each CA.
macro_rules! scenarios {
    ($($scenario:ident),*) => {
        mod with_stepless {
            $(#[test]
            fn $scenario() {
                super::$scenario(super::Kind::Stepless);
            })*
        }
        mod with_step_ca {
            $(#[test]
            fn $scenario() {
                super::$scenario(super::Kind::StepCa);
            })*
        }
    };
}

scenarios!(bootstrap, provisioner_list, certificate, sign, grants);
