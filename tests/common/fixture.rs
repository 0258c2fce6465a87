//! Private copies of the CA directories under `tests/contract/fixtures`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

/// A copy of a fixture, gone when dropped.
#[derive(Debug)]
pub(crate) struct Fixture {
    directory: TempDir,
}

impl Fixture {
    /// Copies the fixture called `name`.
    pub(crate) fn copy(name: &str) -> Self {
        let directory = TempDir::with_prefix("stepless-").expect("a temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/fixtures").join(name);
        copy_tree(&source, directory.path());
        let copy = Self { directory };
        // As step writes them; a checkout has other modes.
        for secret in
            ["ca.json", "secrets/intermediate_ca_key", "secrets/root_ca_key", "secrets/password.txt"]
        {
            copy.set_mode(secret, 0o600);
        }
        // The extension that this template fills with plain text; step-ca ignores the member.
        let user = "\"templateFile\": \"./templates/user.tpl\"";
        if copy.read("ca.json").contains(user) {
            copy.replace(user, &format!("{user}, \"rawExtensions\": [\".4\"]"));
        }
        copy
    }

    /// A directory that `stepless init` made, with its ca.json where the other fixtures have theirs.
    pub(crate) fn made_by_init() -> Self {
        let directory = TempDir::with_prefix("stepless-").expect("a temporary directory");
        let fixture = Self { directory };
        fs::write(fixture.file("password"), "a password of init").expect("a file can be written");
        let mut init = std::process::Command::new(env!("CARGO_BIN_EXE_stepless"));
        init.args(["init", "--profile", "federation", "--dir", ".", "--password-file", "password"]);
        let output = init.current_dir(fixture.path()).output().expect("stepless runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (from, to) in [("config/ca.json", "ca.json"), ("password", "secrets/password.txt")] {
            fs::copy(fixture.file(from), fixture.file(to)).expect("a file can be copied");
        }
        fixture
    }

    /// A directory that `step ca init` made, with its ca.json and password also where the other fixtures have theirs.
    pub(crate) fn made_by_step(step: &Path, address: &str) -> Self {
        let directory = TempDir::with_prefix("stepless-").expect("a temporary directory");
        let fixture = Self { directory };
        fs::write(fixture.file("password"), "a password of init").expect("a file can be written");
        let mut init = std::process::Command::new(step);
        init.args(["ca", "init", "--name", "Example", "--dns", "localhost", "--address", address])
            .args(["--provisioner", "admin", "--password-file", "password"])
            .args(["--provisioner-password-file", "password", "--deployment-type", "standalone"])
            .current_dir(fixture.path())
            .env("STEPPATH", fixture.path());
        let output = init.output().expect("step runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (from, to) in [("config/ca.json", "ca.json"), ("password", "secrets/password.txt")] {
            fs::copy(fixture.file(from), fixture.file(to)).expect("a file can be copied");
        }
        fixture
    }

    /// Sets the mode of a file; elsewhere than on Unix there are none.
    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(self.file(name), permissions).expect("a mode can be set");
        }
        #[cfg(not(unix))]
        let _ = (name, mode);
    }

    /// Where the copy lies.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file of the copy.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The text of a file of the copy.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.file(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Replaces `from`, which must occur, in ca.json, leaving every other byte as it is.
    pub(crate) fn replace(&self, from: &str, to: &str) {
        let text = self.read("ca.json");
        assert!(text.contains(from), "ca.json has no {from}");
        fs::write(self.file("ca.json"), text.replace(from, to)).expect("ca.json can be written");
    }

    /// ca.json as a value.
    pub(crate) fn config(&self) -> Value {
        serde_json::from_str(&self.read("ca.json")).expect("ca.json is JSON")
    }

    /// Makes the CA listen on `address`.
    pub(crate) fn listen(&self, address: &str) {
        let config = self.config();
        let old = config["address"].as_str().expect("ca.json has an address");
        self.replace(&format!("\"address\": \"{old}\""), &format!("\"address\": \"{address}\""));
    }

    /// The first root certificate, PEM.
    pub(crate) fn root_pem(&self) -> String {
        self.read("certs/root_ca.crt")
    }

    /// The password of the CA's key and of the provisioners' encrypted keys.
    pub(crate) fn password(&self) -> String {
        self.read("secrets/password.txt")
    }

    /// The private JWK of a provisioner.
    pub(crate) fn provisioner_key(&self, name: &str) -> Value {
        let keys: Value = serde_json::from_str(&self.read("provisioner-keys.json")).expect("keys are JSON");
        assert!(keys[name].is_object(), "no provisioner {name}");
        keys[name].clone()
    }
}

fn copy_tree(source: &Path, target: &Path) {
    let entries = fs::read_dir(source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    for entry in entries {
        let entry = entry.expect("a directory can be read");
        let target = target.join(entry.file_name());
        if entry.file_type().expect("an entry has a type").is_dir() {
            fs::create_dir(&target).expect("a directory can be made");
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}
