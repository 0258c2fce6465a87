//! A user of `step` with an empty home directory, and a CA with everything that the command has routes for.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::ca::step_ca_available;
use crate::common::certificate::Profile;
use crate::common::fixture::Fixture;
use crate::common::tools;

/// How long something may take to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A user with an empty home directory, and a CA.
pub(crate) struct Setting {
    step: PathBuf,
    home: TempDir,
    pub(crate) ca: Ca,
}

impl Setting {
    /// One that knows the CA; `None`, after a loud line, if something is missing.
    pub(crate) fn bootstrapped(kind: Kind) -> Option<Self> {
        let setting = Self::new(kind)?;
        setting.bootstrap();
        Some(setting)
    }

    /// `None`, after a loud line, if something is missing.
    pub(crate) fn new(kind: Kind) -> Option<Self> {
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
        let home = TempDir::with_prefix("stepless-home-").unwrap();
        match Ca::try_start(kind, fixture()) {
            Ok(ca) => Some(Self { step, home, ca }),
            Err(error) => panic!("{kind:?} does not start: {error}"),
        }
    }

    /// `step` in the user's home, with the words of `line`, and `more` arguments after them.
    pub(crate) fn step(&self, line: &str, more: &[&str]) -> Command {
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

    /// Runs `step` and returns what it printed.
    #[track_caller]
    pub(crate) fn run(&self, line: &str, more: &[&str]) -> String {
        tools::run(&mut self.step(line, more))
    }

    /// Runs `step` and returns what it told the user beside its output.
    #[track_caller]
    pub(crate) fn told(&self, line: &str, more: &[&str]) -> String {
        let output = self.step(line, more).output().unwrap();
        assert!(output.status.success(), "{line}: {}", tools::said(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs `step`, which has to fail, and returns its complaint.
    #[track_caller]
    pub(crate) fn fail(&self, line: &str, more: &[&str]) -> String {
        let output = self.step(line, more).output().unwrap();
        assert!(!output.status.success(), "{line}: {}", tools::said(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn openssl(&self, line: &str) -> String {
        let mut command = Command::new("openssl");
        tools::run(command.args(line.split(' ')).current_dir(self.home.path()))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// The password file of the CA and of all its provisioners.
    pub(crate) fn password(&self) -> String {
        path(&self.ca.fixture.file("secrets/password.txt"))
    }

    pub(crate) fn fingerprint(&self) -> String {
        let root = path(&self.ca.fixture.file("certs/root_ca.crt"));
        self.run("certificate fingerprint", &[&root]).trim().to_owned()
    }

    pub(crate) fn bootstrap(&self) {
        self.run("ca bootstrap", &["--ca-url", &self.ca.url(), "--fingerprint", &self.fingerprint()]);
    }

    /// A token for `subject` by the provisioner's encrypted key, which the command fetches from the CA.
    pub(crate) fn token(&self, provisioner: &str, subject: &str) -> String {
        self.token_with("ca token", provisioner, subject)
    }

    /// The same with further options.
    pub(crate) fn token_with(&self, line: &str, provisioner: &str, subject: &str) -> String {
        let password = self.password();
        let more = ["--provisioner", provisioner, "--provisioner-password-file", &password, subject];
        self.run(line, &more).trim().to_owned()
    }

    /// A certificate in `name.crt` with its key in `name.key`, with further options in `line`.
    pub(crate) fn certificate(&self, provisioner: &str, name: &str, line: &str) -> Profile {
        let token = self.token(provisioner, "a.example");
        let (crt, key) = (format!("{name}.crt"), format!("{name}.key"));
        let line = format!("ca certificate --force {line}");
        self.run(line.trim(), &["--token", &token, "a.example", &crt, &key]);
        self.profile(&crt)
    }

    pub(crate) fn profile(&self, name: &str) -> Profile {
        Profile::read(&self.read(name))
    }

    /// The serial number in decimal, as `step certificate inspect` shows it.
    pub(crate) fn serial(&self, name: &str) -> String {
        let inspected = self.run("certificate inspect --format json", &[name]);
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        inspected["serial_number"].as_str().unwrap().to_owned()
    }

    /// Both verifiers accept the certificate in `name`, with the chain behind it in the same file.
    #[track_caller]
    pub(crate) fn verify(&self, name: &str) {
        self.run("certificate verify --roots .step/certs/root_ca.crt", &[name]);
        let verdict = self.openssl(&format!(
            "verify -x509_strict -CAfile .step/certs/root_ca.crt -untrusted {name} {name}"
        ));
        assert_eq!(verdict.trim(), format!("{name}: OK"));
    }
}

/// The fixture with a short-lived provisioner, one whose template takes the request's data, one for certificates, a
/// federated root, and a CRL that is issued at each revocation.
fn fixture() -> Fixture {
    let fixture = Fixture::copy("mosaic");
    let mut config = fixture.config();
    let root = STANDARD.encode(fixture.root_pem());
    let federated = Fixture::copy("rsa").root_pem();
    fs::write(fixture.file("certs/federated.crt"), federated).unwrap();
    config["federatedRoots"] = json!(["certs/federated.crt"]);
    config["crl"] = json!({"enabled": true, "generateOnRevoke": true});
    let provisioners = config["authority"]["provisioners"].as_array_mut().unwrap();
    let template = r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }},
        "organizationalUnit": {{ toJson .Insecure.User.ou }}}, "sans": {{ toJson .SANs }}}"#;
    for provisioner in provisioners.iter_mut() {
        if provisioner["name"] == "plain-twin" {
            provisioner["options"] = json!({"x509": {"template": template}});
        }
    }
    provisioners.push(json!({"type": "X5C", "name": "devices", "roots": root}));
    fs::write(fixture.file("ca.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    fixture
}

/// Waits for a condition that another process brings about.
#[track_caller]
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn path(path: &Path) -> String {
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}
