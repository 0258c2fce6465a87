//! The `stepless` command as its users see it: what it prints, its exit codes, and the files it leaves.
//!
//! A failure is one sentence and a hint on standard error, nothing on standard output, and no file half made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::Outcome;
use common::csr::Csr;
use common::https::Request;
use serde_json::Value;
use serde_json::json;
use stepless::signer::key_file;
use stepless::x509::certificate::Certificate;
use stepless::x509::hierarchy::CaCertificate;
use stepless::x509::name::Subject;
use stepless::x509::name_constraints::NameConstraints;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// What a daemon says before it looks at what only a start can show.
const BUILDING: &str = "Building new tls configuration using step-ca's contract\n";

/// A desk with an authority in `ca`, its password in `password`.
fn authority(options: &str) -> Desk {
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    let made = desk.run(&format!("init --dir ca --password-file password {options}"));
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    desk
}

/// A development authority that runs, and the words that lead a client to it.
struct Development {
    desk: Desk,
    daemon: Daemon,
    target: String,
}

impl Development {
    fn new() -> Self {
        let desk = Desk::new();
        let daemon = desk.serve("serve --dev --dir dev --address 127.0.0.1:0");
        let url = daemon.url();
        let target = format!(
            "--ca-url {url} --root dev/certs/root_ca.crt --provisioner mosaic-fed --password-file dev/secrets/password"
        );
        Self { desk, daemon, target }
    }

    /// Runs a command of a client.
    fn run(&self, line: &str) -> Outcome {
        self.desk.run(&format!("{line} {}", self.target))
    }

    fn client(&self) -> common::https::Client {
        self.daemon.client(&self.desk.file("dev/certs/root_ca.crt"))
    }

    /// A request to sign for `a.example`, with a token of its own.
    fn signing_request(&self) -> Request {
        let csr = Csr::new("a.example", &["a.example"]);
        self.desk.write("a.csr", &csr.pem);
        let token = self
            .run(&format!("token a.example --csr a.csr --grant-id {GRANT_ID} --subject-user-id {USER_ID}"));
        assert_eq!((token.code, token.stderr.as_str()), (Some(0), ""));
        Request::post("/1.0/sign", &json!({ "csr": csr.pem, "ott": token.stdout.trim() }))
    }
}

/// The command failed as documented: a code, one sentence, a hint, and nothing on standard output.
#[track_caller]
fn failed(outcome: &Outcome, code: i32, message: &str, hint: &str) {
    let stderr = outcome.stderr.strip_prefix(BUILDING).unwrap_or(&outcome.stderr);
    assert_eq!(stderr, format!("error: {message}\nhint: {hint}\n"));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(desk: &Desk) -> Vec<String> {
    desk.files().into_iter().map(|(name, _)| name).collect()
}

mod init {
    use super::*;

    #[test]
    fn a_fresh_authority() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        let made = desk.run("init --dir ca --password-file password");
        let fingerprint = fingerprint(&desk.file("ca/certs/root_ca.crt"));
        assert_eq!(
            made.stdout,
            format!(
                "The authority is ready.\n\n  configuration  DESK/ca/config/ca.json\n  \
                 root           DESK/ca/certs/root_ca.crt\n  fingerprint    {fingerprint}\n\n\
                 Start it with: stepless serve DESK/ca/config/ca.json --password-file FILE\n"
            )
        );
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
        let mut expected = vec![
            ("ca/certs/intermediate_ca.crt", 0o600),
            ("ca/certs/root_ca.crt", 0o600),
            ("ca/config/ca.json", 0o600),
            ("ca/config/defaults.json", 0o644),
            ("ca/secrets/intermediate_ca_key", 0o600),
            ("ca/secrets/root_ca_key", 0o600),
        ];
        let mut expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        expected_names.push("password");
        assert_eq!(names(&desk), expected_names);
        expected.extend(
            ["ca", "ca/certs", "ca/config", "ca/db", "ca/secrets", "ca/templates"].map(|name| (name, 0o700)),
        );
        for (name, expected) in expected {
            assert_eq!(mode(&desk.file(name)), expected, "{name}");
        }
        let config: Value = serde_json::from_str(&desk.read("ca/config/ca.json")).unwrap();
        assert_eq!(config["authority"]["provisioners"][0]["name"], "admin");
        let defaults: Value = serde_json::from_str(&desk.read("ca/config/defaults.json")).unwrap();
        assert_eq!(defaults["ca-url"], "https://localhost:9000");
        assert_eq!(defaults["fingerprint"], fingerprint);
    }

    fn fingerprint(path: &Path) -> String {
        let text = fs::read(path).unwrap();
        let block = pem::Blocks::new(&text).next().unwrap();
        common::csr::hex(&Certificate::parse(&block.content).unwrap().fingerprint())
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let desk = authority("");
        let before = desk.files();
        let again = desk.run("init --dir ca --password-file password --name other --profile federation");
        assert!(
            again.stdout.starts_with("The authority was there already; nothing was changed.\n"),
            "{again:?}"
        );
        assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
        // Not even a password is needed.
        let json = desk.run("init --dir ca --json");
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["created"], false);
        assert_eq!(json["config"], "DESK/ca/config/ca.json");
        assert!(before == desk.files());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let desk = authority("");
        fs::remove_file(desk.file("ca/config/ca.json")).unwrap();
        let before = desk.files();
        failed(
            &desk.run("init --dir ca --password-file password"),
            2,
            "DESK/ca/secrets/root_ca_key exists, but DESK/ca/config/ca.json does not",
            "a key is never overwritten: move the folder away, or put its config/ca.json back",
        );
        assert!(before == desk.files());
    }

    /// `init` ended midway, as the disk or a signal would have it.
    fn interrupted() -> Desk {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        // No file can take the place of a folder.
        fs::create_dir_all(desk.file("ca/certs/intermediate_ca.crt")).unwrap();
        let made = desk.run("init --dir ca --password-file password");
        assert_eq!((made.code, made.stdout.as_str()), (Some(2), ""), "{made:?}");
        fs::remove_dir(desk.file("ca/certs/intermediate_ca.crt")).unwrap();
        let left =
            ["ca/config/ca.json.unfinished", "ca/secrets/intermediate_ca_key", "ca/secrets/root_ca_key"];
        assert_eq!(names(&desk)[..3], left, "it ended midway");
        desk
    }

    #[test]
    fn after_one_that_did_not_finish_the_next_begins_anew() {
        let desk = interrupted();
        let (root, intermediate) =
            (desk.read("ca/secrets/root_ca_key"), desk.read("ca/secrets/intermediate_ca_key"));
        let made = desk.run("init --dir ca --password-file password --name Second");
        assert!(made.stdout.starts_with("The authority is ready.\n"), "{made:?}");
        // What it left is set aside, and what stands there now belongs together.
        assert_eq!(desk.read("ca/secrets/root_ca_key.unfinished-1"), root);
        assert_eq!(desk.read("ca/secrets/intermediate_ca_key.unfinished-1"), intermediate);
        assert_ne!(desk.read("ca/secrets/root_ca_key"), root);
        assert!(!desk.file("ca/config/ca.json.unfinished").exists());
        let mut daemon = desk.serve("serve ca/config/ca.json --password-file password --address 127.0.0.1:0");
        let issued = desk.run(&format!(
            "certificate a.example --ca-url {} --root ca/certs/root_ca.crt --provisioner admin \
             --password-file password",
            daemon.url()
        ));
        assert_eq!(issued.code, Some(0), "{issued:?}");
        assert_eq!(daemon.signal("TERM").code(), Some(0));

        // Once it is made, a missing ca.json counts as lost again, and its keys are not touched.
        fs::remove_file(desk.file("ca/config/ca.json")).unwrap();
        let before = desk.files();
        assert_eq!(desk.run("init --dir ca --password-file password").code, Some(2));
        assert!(before == desk.files());
    }

    #[test]
    fn an_unfinished_authority_is_not_served() {
        let desk = interrupted();
        failed(
            &desk.run("serve ca/config/ca.json --password-file password"),
            1,
            "cannot read ca/config/ca.json: no such file or directory",
            "give the path of a ca.json, or make an authority with: stepless init",
        );
    }

    #[test]
    fn a_signal_at_any_moment_blocks_nobody() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        let line = "init --dir ca --password-file password";
        // Each as soon as the next file is there, unless it is done by then.
        for file in ["config", "config/ca.json.unfinished", "secrets/root_ca_key", "certs/root_ca.crt"] {
            let mut child = desk.command(line).stdout(std::process::Stdio::null()).spawn().unwrap();
            while !desk.file("ca").join(file).exists() && child.try_wait().unwrap().is_none() {}
            let _ = child.kill();
            child.wait().unwrap();
        }
        let made = desk.run(line);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
        assert_eq!(
            desk.run("doctor ca/config/ca.json --password-file password --address 127.0.0.1:0").code,
            Some(0)
        );
    }

    #[test]
    fn of_several_at_once_one_makes_it() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        let start = || {
            let mut command = desk.command("init --dir ca --password-file password --json");
            command.stdout(std::process::Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = std::iter::repeat_with(start).take(4).collect();
        let said: Vec<Value> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{output:?}");
                serde_json::from_slice(&output.stdout).unwrap()
            })
            .collect();
        assert_eq!(said.iter().filter(|said| said["created"] == true).count(), 1, "{said:?}");
        assert!(said.iter().all(|other| other["fingerprint"] == said[0]["fingerprint"]), "{said:?}");
        let found = names(&desk);
        assert!(!found.iter().any(|name| name.contains("unfinished")), "{found:?}");
    }

    #[test]
    fn the_folder_is_steppath_unless_named() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret");
        let mut command = desk.command("init --password-file password --json");
        let output = command.env("STEPPATH", desk.file("step")).output().unwrap();
        assert!(output.status.success());
        assert!(desk.file("step/config/ca.json").exists());
        // Else `.step` in the home directory, which is the desk.
        assert_eq!(desk.run("init --password-file password").code, Some(0));
        assert!(desk.file(".step/config/ca.json").exists());
    }

    #[test]
    fn options_reach_ca_json() {
        let desk = authority(
            "--profile federation --oid-arc 1.3.6.1.4.1.55555 --dns ca.example --dns 10.0.0.1 \
             --address :9443 --kty p384 --name Example",
        );
        let config: Value = serde_json::from_str(&desk.read("ca/config/ca.json")).unwrap();
        assert_eq!(config["dnsNames"], json!(["ca.example", "10.0.0.1"]));
        assert_eq!(config["address"], ":9443");
        assert_eq!(config["authority"]["oidArc"], "1.3.6.1.4.1.55555");
        let provisioners = config["authority"]["provisioners"].as_array().unwrap();
        let names: Vec<&str> = provisioners.iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["mosaic-fed", "mosaic-hs"]);
        assert_eq!(provisioners[0]["options"]["x509"]["claimExtensions"][0]["claim"], "mosaic_grant_id");
        let root = desk.run("inspect ca/certs/root_ca.crt --json");
        let root: Value = serde_json::from_str(&root.stdout).unwrap();
        assert_eq!((root["subject"].as_str(), root["key"].as_str()), (Some("Example Root CA"), Some("P384")));
    }

    #[test]
    fn a_name_with_control_characters_is_refused() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        for name in ["a\u{1b}[2Jb", "two\nlines", "\u{85}"] {
            let mut command = desk.command("init --dir ca --password-file password --name");
            let output = command.arg(name).output().unwrap();
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                "error: the name holds a control character\nhint: give --name as one line of text\n"
            );
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
            assert!(!desk.file("ca").exists());
        }
    }

    #[test]
    fn refusals_leave_nothing_behind() {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        desk.write("empty", "\n");
        let before = names(&desk);
        let check = |line: &str, code: i32, message: &str, hint: &str| {
            failed(&desk.run(line), code, message, hint);
            assert_eq!(names(&desk), before, "{line}");
            assert!(!desk.file("ca").exists(), "{line}: a folder was left");
        };
        let correct = "correct that option: nothing was made";
        check(
            "init --dir ca",
            2,
            "password for the CA keys is needed, and there is no terminal to ask on",
            "give it with --password-file",
        );
        check(
            "init --dir ca --password-file nope",
            2,
            "cannot read nope: no such file or directory",
            "check the path",
        );
        check(
            "init --dir ca --password-file empty",
            2,
            "the password is empty",
            "write one into the password file",
        );
        check(
            "init --dir ca --password-file password --oid-arc x",
            1,
            "error parsing ca.json: authority.oidArc: \"x\" is no object identifier",
            correct,
        );
        check("init --dir ca --password-file password --address foo", 1, "invalid address foo", correct);
        check(
            "init --dir ca --nope",
            1,
            "unexpected argument '--nope' found",
            "see what it takes with --help",
        );
        check(
            "init --dir ca --naem x",
            1,
            "unexpected argument '--naem' found",
            "a similar argument exists: '--name'",
        );
    }
}

mod serve {
    use super::*;

    #[test]
    fn what_it_says_and_that_it_serves() {
        let desk = authority("");
        let mut daemon = desk.serve("serve ca/config/ca.json --password-file password --address 127.0.0.1:0");
        let answer = daemon.client(&desk.file("ca/certs/root_ca.crt")).send(&Request::get("/health"));
        assert_eq!(answer.unwrap().json(), json!({ "status": "ok" }));
        assert_eq!(daemon.signal("TERM").code(), Some(0));
        let defaults: Value = serde_json::from_str(&desk.read("ca/config/defaults.json")).unwrap();
        let port = daemon.port;
        let desk_path = desk.path().display();
        let expected = format!(
            "{BUILDING}Starting stepless/{} ({}/{})\nConfig file: ca/config/ca.json\n\
             The primary server URL is https://localhost:{port}\n\
             Root certificates are available at https://localhost:{port}/roots.pem\n\
             Records are kept in {desk_path}/ca/db/stepless.db\n\
             X.509 Root Fingerprint: {}\nServing HTTPS on 127.0.0.1:{port} ...\n",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            defaults["fingerprint"].as_str().unwrap(),
        );
        let log = daemon.log();
        assert!(log.starts_with(&expected), "{log}\n--- not\n{expected}");
        assert!(log.contains("stopping: running requests may finish"), "{log}");
    }

    #[test]
    fn step_cas_way_of_calling_and_quiet() {
        let desk = authority("");
        desk.replace("ca/config/ca.json", "127.0.0.1:9000", "127.0.0.1:0");
        let mut daemon = desk.serve("ca/config/ca.json --password-file password --quiet");
        assert_eq!(daemon.log(), format!("{BUILDING}Serving HTTPS on 127.0.0.1:{} ...\n", daemon.port));
        assert_eq!(daemon.signal("INT").code(), Some(0));
    }

    #[test]
    fn a_development_authority_is_made_once() {
        let desk = Desk::new();
        let line = "serve --dev --address 127.0.0.1:0";
        let mut first = desk.serve(line);
        assert_eq!(first.signal("TERM").code(), Some(0));
        let without_database = |desk: &Desk| {
            let mut files = desk.files();
            files.retain(|(name, _)| !name.contains("/db/"));
            files
        };
        let made = without_database(&desk);
        let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "stepless-dev/certs/intermediate_ca.crt",
                "stepless-dev/certs/root_ca.crt",
                "stepless-dev/config/ca.json",
                "stepless-dev/config/defaults.json",
                "stepless-dev/secrets/intermediate_ca_key",
                "stepless-dev/secrets/password",
                "stepless-dev/secrets/root_ca_key",
            ]
        );
        assert_eq!(mode(&desk.file("stepless-dev/secrets/password")), 0o600);
        assert_eq!(mode(&desk.file("stepless-dev/db/stepless.db")), 0o600);
        let mut second = desk.serve(line);
        assert_eq!(second.signal("TERM").code(), Some(0));
        assert!(made == without_database(&desk));
        let without_port = |daemon: &Daemon| {
            let log = daemon.log().replace(&format!(":{}", daemon.port), ":PORT");
            let mut lines: Vec<String> =
                log.lines().filter(|l| !l.contains("stopping")).map(str::to_owned).collect();
            // Two streams are read as one.
            lines.sort();
            lines
        };
        assert_eq!(without_port(&first), without_port(&second));
    }

    /// Fails and changes no file.
    #[track_caller]
    fn refuses(desk: &Desk, line: &str, code: i32, message: &str, hint: &str) {
        let without_database =
            |desk: &Desk| desk.files().into_iter().filter(|(n, _)| !n.contains("/db/")).collect::<Vec<_>>();
        let before = without_database(desk);
        failed(&desk.run(line), code, message, hint);
        assert!(before == without_database(desk), "{line}");
    }

    const LINE: &str = "serve ca/config/ca.json --password-file password --address 127.0.0.1:0";

    #[test]
    fn passwords() {
        let desk = authority("");
        desk.write("wrong", "a guess");
        refuses(
            &desk,
            "serve ca/config/ca.json --password-file wrong",
            2,
            "error decrypting DESK/ca/secrets/intermediate_ca_key: x509: decryption password incorrect",
            "check the password: --password-file goes first, then ca.json, then the credential",
        );
        refuses(
            &desk,
            "serve ca/config/ca.json",
            2,
            "password of DESK/ca/secrets/intermediate_ca_key is needed, and there is no terminal to ask on",
            "give it with --password-file",
        );
        refuses(
            &desk,
            "serve ca/config/ca.json --password-file nope",
            2,
            "cannot read nope: no such file or directory",
            "check the path",
        );
        // In ca.json, as step-ca reads it.
        desk.replace(
            "ca/config/ca.json",
            "\"federatedRoots\"",
            "\"password\":\"not a secret\",\"federatedRoots\"",
        );
        let daemon = desk.serve("serve ca/config/ca.json --address 127.0.0.1:0");
        assert!(!daemon.log().contains("not a secret"));
    }

    #[test]
    fn configurations() {
        let desk = authority("");
        refuses(
            &desk,
            "serve nope.json",
            1,
            "cannot read nope.json: no such file or directory",
            "give the path of a ca.json, or make an authority with: stepless init",
        );
        refuses(
            &desk,
            "serve --dir ca",
            1,
            "the following required arguments were not provided: --dev",
            "see what it takes with --help",
        );
        let correct = "correct that member of ca.json and start again";
        desk.write("broken.json", "{");
        refuses(
            &desk,
            "serve broken.json",
            2,
            "error parsing ca.json: unexpected end of JSON input",
            correct,
        );
        desk.replace("ca/config/ca.json", "\"maxVersion\": 1.3", "\"maxVersion\": 1.2");
        desk.replace("ca/config/ca.json", "\"minVersion\": 1.2", "\"minVersion\": 1.3");
        refuses(&desk, LINE, 2, "tls minVersion cannot exceed tls maxVersion", correct);
    }

    #[test]
    fn intermediates() {
        let desk = authority("");
        let (crt, root) = (desk.file("ca/certs/intermediate_ca.crt"), desk.file("ca/certs/root_ca.crt"));
        let expired = expired_intermediate(&desk);
        fs::write(&crt, expired).unwrap();
        refuses(
            &desk,
            LINE,
            2,
            "the intermediate certificate in \"DESK/ca/certs/intermediate_ca.crt\" expired at 2001-01-01T00:00:00Z",
            "issue a new intermediate certificate with the root key, and check the machine's clock",
        );
        fs::copy(&root, &crt).unwrap();
        refuses(
            &desk,
            LINE,
            2,
            "the key in \"DESK/ca/secrets/intermediate_ca_key\" does not match \
             \"DESK/ca/certs/intermediate_ca.crt\": provided PrivateKey doesn't match parent's PublicKey",
            "`crt` has to begin with the certificate that belongs to `key`",
        );
        fs::write(&crt, "no certificate").unwrap();
        refuses(
            &desk,
            LINE,
            2,
            "error parsing \"DESK/ca/certs/intermediate_ca.crt\": no certificate in the file",
            "the file has to hold PEM certificates, the issuing one first",
        );
        fs::remove_file(&crt).unwrap();
        refuses(
            &desk,
            LINE,
            2,
            "error reading \"DESK/ca/certs/intermediate_ca.crt\": no such file or directory",
            "relative paths start at the working directory: change to the CA's folder or write absolute paths",
        );
    }

    /// A certificate for the intermediate's key that ended with the year 2000.
    fn expired_intermediate(desk: &Desk) -> String {
        let key = |name: &str| {
            let text = fs::read(desk.file(name)).unwrap();
            key_file::decode(&text, Some(b"not a secret"), name).unwrap()
        };
        let text = fs::read(desk.file("ca/certs/root_ca.crt")).unwrap();
        let root = Certificate::parse(&pem::Blocks::new(&text).next().unwrap().content).unwrap();
        let draft = CaCertificate {
            subject: Subject { common_name: "old".to_owned(), ..Subject::default() },
            path_length: Some(0),
            name_constraints: NameConstraints::default(),
            serial_number: SerialNumber::random(&stepless::entropy::SystemEntropy::new()).unwrap(),
            not_before: time::macros::datetime!(2000-01-01 0:00 UTC),
            not_after: time::macros::datetime!(2001-01-01 0:00 UTC),
        };
        let intermediate = key("ca/secrets/intermediate_ca_key");
        let der = draft.signed_by(intermediate.public_key(), &root, &key("ca/secrets/root_ca_key")).unwrap();
        pem::encode("CERTIFICATE", &der)
    }

    #[test]
    fn a_port_and_a_database_have_one_daemon() {
        let desk = authority("");
        let daemon = desk.serve(LINE);
        let id = daemon.id();
        let second = desk.run(LINE);
        failed(
            &second,
            2,
            &format!("database \"DESK/ca/db/stepless.db\" is in use by process {id}"),
            "stop the other process, or name another file: one process serves one database",
        );
        let made = desk.run("init --dir other --password-file password");
        assert_eq!(made.code, Some(0));
        let port = daemon.port;
        failed(
            &desk.run(&format!(
                "serve other/config/ca.json --password-file password --address 127.0.0.1:{port}"
            )),
            2,
            &format!("cannot listen on 127.0.0.1:{port}: address already in use"),
            "choose a free HOST:PORT with --address",
        );
        // The first one is none the worse.
        let client = daemon.client(&desk.file("ca/certs/root_ca.crt"));
        assert_eq!(client.send(&Request::get("/health")).unwrap().status, 200);
    }

    #[test]
    fn demo_keys_are_for_development() {
        let desk = authority("--profile federation --demo-keys");
        refuses(
            &desk,
            LINE,
            2,
            "published demo keys, which anybody can use, are those of mosaic-fed and mosaic-hs",
            "give every provisioner a key of its own, or serve with --dev while developing",
        );
        refuses(
            &desk,
            "serve --dev --dir ca",
            2,
            "DESK/ca was made by init, so its password is not at hand",
            "give the password with --password-file, or choose another folder with --dir",
        );
        let daemon = desk.serve("serve --dev --dir ca --password-file password --address 127.0.0.1:0");
        desk.write("mosaic-hs.jwk", include_str!("../keys/mosaic-hs.jwk.json"));
        let made = desk.run(&format!(
            "certificate a.example --ca-url {} --root ca/certs/root_ca.crt --provisioner mosaic-hs \
             --provisioner-key mosaic-hs.jwk --grant-id {GRANT_ID} --subject-user-id {USER_ID}",
            daemon.url()
        ));
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{}", daemon.log());
    }
}

mod tokens {
    use super::*;

    #[test]
    fn a_token_used_once_is_used_after_a_crash_too() {
        let Development { desk, daemon, target } = Development::new();
        drop(daemon);
        // Else the token would be refused for being older than the restarted daemon.
        desk.replace(
            "dev/config/ca.json",
            "\"authority\": {",
            "\"authority\": {\"disableIssuedAtCheck\": true,",
        );
        let line = "serve --dev --dir dev --address 127.0.0.1:0";
        let daemon = desk.serve(line);
        let target = target.replace(target.split_whitespace().nth(1).unwrap(), &daemon.url());
        let development = Development { desk, daemon, target };
        let request = development.signing_request();
        let first = development.client().send(&request).unwrap();
        assert_eq!(first.status, 201, "{}", first.text());
        // Killed, not stopped: what was answered is on disk.
        drop(development.daemon);
        let daemon = development.desk.serve(line);
        let second = daemon.client(&development.desk.file("dev/certs/root_ca.crt")).send(&request).unwrap();
        assert_eq!(
            (second.status, second.header("x-stepless-refusal")),
            (401, Some("token.replayed")),
            "{}",
            second.text()
        );
        let lines = daemon.log_with("token.replayed");
        assert!(lines.contains("refusal=\"token.replayed\" cause=\"token already used\""), "{lines}");
    }

    #[test]
    fn of_fifty_at_once_one_gets_a_certificate() {
        let development = Development::new();
        let (request, client) = (development.signing_request(), development.client());
        let barrier = std::sync::Barrier::new(50);
        let answers: Vec<(u16, Option<String>)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..50)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let answer = client.send(&request).unwrap();
                        (answer.status, answer.header("x-stepless-refusal").map(str::to_owned))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |wanted: (u16, Option<&str>)| {
            answers.iter().filter(|(status, code)| (*status, code.as_deref()) == wanted).count()
        };
        assert_eq!(count((201, None)), 1, "{answers:?}");
        assert_eq!(count((401, Some("token.replayed"))), 49, "{answers:?}");
    }

    #[test]
    fn a_token_says_what_it_was_asked_to() {
        let desk = Desk::new();
        let csr = Csr::new("a.example", &["a.example", "b.example"]);
        desk.write("a.csr", &csr.pem);
        desk.write("key.jwk", include_str!("../keys/mosaic-fed.jwk.json"));
        let made = desk.run(&format!(
            "token a.example --san a.example --san b.example --ca-url https://ca.example:9000/ --provisioner p \
             --provisioner-key key.jwk --csr a.csr --claim level=3 --claim who=me --grant-id {GRANT_ID} \
             --subject-user-id {USER_ID}"
        ));
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
        let shown = desk.run_with("inspect - --json", made.stdout.as_bytes());
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        let without_times = |mut value: Value| {
            let members = value.as_object_mut().unwrap();
            assert!(members.remove("issuedAt").is_some() && members.remove("expires").is_some());
            value
        };
        let key: Value = serde_json::from_str(include_str!("../keys/mosaic-fed.jwk.json")).unwrap();
        assert_eq!(
            without_times(shown),
            json!({
                "kind": "token (signature not checked)",
                "algorithm": "ES256",
                "kid": key["kid"],
                "issuer": "p",
                "subject": "a.example",
                "names": ["a.example", "b.example"],
                "audience": ["https://ca.example:9000/1.0/sign"],
                "grantId": GRANT_ID,
                "subjectUserId": USER_ID,
                "bound": true,
            })
        );
    }

    #[test]
    fn tokens_that_cannot_be_made() {
        let desk = Desk::new();
        desk.write("key.jwk", include_str!("../keys/mosaic-fed.jwk.json"));
        desk.write("bad.jwk", "{\"kty\":\"EC\"}");
        let check = |line: &str, code: i32, message: &str, hint: &str| {
            failed(&desk.run(&format!("token a.example --provisioner p {line}")), code, message, hint);
        };
        check("--provisioner-key key.jwk", 1, "no authority is named", "give its URL with --ca-url");
        check("--ca-url https://ca.example", 1, "no root certificate is named", "give its file with --root");
        check(
            "--ca-url https://ca.example --provisioner-key bad.jwk",
            2,
            "the key of bad.jwk cannot be read: unsupported key type \"EC\", curve \"\"",
            "check the password and the key",
        );
        check(
            "--ca-url https://ca.example --provisioner-key key.jwk --csr bad.jwk",
            1,
            "bad.jwk is no certification request: no PEM block",
            "make one with: openssl req -new -key KEY -subj /CN=NAME",
        );
        check(
            "--ca-url https://ca.example --provisioner-key key.jwk --claim level",
            1,
            "claim \"level\" has no value",
            "write --claim NAME=VALUE",
        );
        check(
            &format!("--ca-url https://ca.example --provisioner-key key.jwk --grant-id {GRANT_ID}"),
            1,
            "the following required arguments were not provided: --subject-user-id <UUID>",
            "see what it takes with --help",
        );
    }
}

mod certificate {
    use super::*;

    fn line() -> String {
        format!("certificate a.example --grant-id {GRANT_ID} --subject-user-id {USER_ID}")
    }

    #[test]
    fn three_private_files() {
        let development = Development::new();
        let made = development.run(&format!("{} --out issued/new --json", line()));
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        assert_eq!(
            made["files"],
            json!({
                "certificate": "issued/new/a.example.crt",
                "chain": "issued/new/a.example.chain.crt",
                "key": "issued/new/a.example.key",
            })
        );
        assert_eq!(
            (made["grantId"].as_str(), made["subjectUserId"].as_str()),
            (Some(GRANT_ID), Some(USER_ID))
        );
        let desk = &development.desk;
        let in_folder = || fs::read_dir(desk.file("issued/new")).unwrap().count();
        assert_eq!(in_folder(), 3);
        for ending in ["crt", "chain.crt", "key"] {
            assert_eq!(mode(&desk.file(&format!("issued/new/a.example.{ending}"))), 0o600, "{ending}");
        }
        // The key is the certificate's, and the chain is the certificate and the intermediate.
        let key = desk.read("issued/new/a.example.key");
        let key = key_file::decode(key.as_bytes(), None, "key").unwrap();
        let chain = desk.read("issued/new/a.example.chain.crt");
        let chain: Vec<Certificate> = pem::Blocks::new(chain.as_bytes())
            .map(|block| Certificate::parse(&block.content).unwrap())
            .collect();
        assert_eq!(chain.len(), 2);
        assert_eq!(chain[0].spki_der(), key.public_key().spki_der());

        let before = desk.files();
        failed(
            &development.run(&format!("{} --out issued/new", line())),
            2,
            "issued/new/a.example.crt exists",
            "choose another folder or name, or overwrite it with --force",
        );
        // Nor is a key overwritten that has lost its certificate.
        fs::remove_file(desk.file("issued/new/a.example.crt")).unwrap();
        failed(
            &development.run(&format!("{} --out issued/new", line())),
            2,
            "issued/new/a.example.chain.crt exists",
            "choose another folder or name, or overwrite it with --force",
        );
        let again = development.run(&format!("{} --out issued/new --force --kty ed25519", line()));
        assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
        assert!(again.stdout.contains("key              Ed25519\n"), "{}", again.stdout);
        assert_eq!(in_folder(), 3);
        assert!(before != desk.files());
    }

    #[test]
    fn what_is_refused_writes_nothing() {
        let development = Development::new();
        development.desk.write("wrong", "a guess");
        let before = names(&development.desk);
        let refused = "the certificate authority refused with status";
        let check = |options: &str, code: i32, message: &str, hint: &str| {
            failed(
                &development.run(&format!("certificate a.example --out new {options}")),
                code,
                message,
                hint,
            );
            let now: Vec<String> = names(&development.desk);
            assert_eq!(now, before, "{options}");
            assert!(!development.desk.file("new").exists(), "{options}");
        };
        let ids = format!("--grant-id {GRANT_ID} --subject-user-id {USER_ID}");
        let correct = "correct the request as the message says";
        check(
            "",
            3,
            &format!(
                "{refused} 403: The request was forbidden by the certificate authority: token claim \
                 \"mosaic_grant_id\" is missing. (grant.claim_invalid)"
            ),
            correct,
        );
        check(
            &format!("{ids} --not-after 48h"),
            3,
            &format!(
                "{refused} 403: The request was forbidden by the certificate authority: requested duration of \
                 48h1m0s is more than the authorized maximum certificate duration of 24h1m0s. \
                 (validity.too_long)"
            ),
            correct,
        );
        check(
            &format!("{ids} --claim iss=nobody"),
            3,
            &format!(
                "{refused} 401: The request lacked necessary authorization to be completed. Please see the \
                 certificate authority logs for more info. (provisioner.unknown)"
            ),
            "a token is good once and for minutes: make a new one with the right provisioner, key and \
             authority URL; the authority's log says which rule it broke",
        );
        // Issued, but not as asked: the ids stand below another arc.
        check(
            &format!("{ids} --oid-arc 1.2.3"),
            5,
            &format!("nothing was written: the certificate lacks extension 1.2.3.1 with the id {GRANT_ID}"),
            "do not trust this authority before its log explains the difference",
        );
        check(
            &format!("{ids} --not-after 1d"),
            1,
            "\"1d\" is neither a duration nor an RFC 3339 time",
            "write 24h, 90m or 2030-01-02T15:04:05Z; days are no unit",
        );
        check(
            &format!("{ids} --san ä.example"),
            2,
            "cannot make a request: \"ä.example\" cannot stand in a request: Invalid IA5String: 'ä.example'",
            "names are ASCII, an international one is written as xn--…",
        );
    }

    #[test]
    fn authorities_and_provisioners_that_are_not_there() {
        let development = Development::new();
        let desk = &development.desk;
        desk.write("wrong", "a guess");
        let made = desk.run("init --dir other --password-file wrong");
        assert_eq!(made.code, Some(0));
        let url = development.daemon.url();
        let port = development.daemon.port;
        let check = |from: &str, to: &str, code: i32, message: &str, hint: &str| {
            let whole = format!("{} --out new {}", line(), development.target);
            assert!(whole.contains(from), "{whole}");
            failed(&desk.run(&whole.replace(from, to)), code, message, hint);
            assert!(!desk.file("new").exists());
        };
        check(
            &url,
            "https://127.0.0.1:1",
            4,
            "cannot connect to 127.0.0.1:1: connection refused",
            "check the URL, and that the authority is running",
        );
        check(
            "https:",
            "http:",
            1,
            &format!("\"http://127.0.0.1:{port}\" is not an https URL of a certificate authority"),
            "give the authority's URL, such as https://ca.example:9000",
        );
        check(
            "dev/certs/root_ca.crt",
            "nope.crt",
            2,
            "cannot read nope.crt: no such file or directory",
            "check the path",
        );
        check(
            "dev/certs/root_ca.crt",
            "wrong",
            2,
            "wrong holds no certificate",
            "the file has to hold a certificate in PEM",
        );
        check(
            "dev/certs/root_ca.crt",
            "other/certs/root_ca.crt",
            4,
            &format!("127.0.0.1:{port} is not trusted: invalid peer certificate: UnknownIssuer"),
            "compare the root's fingerprint with the one that the authority prints at start",
        );
        check(
            "mosaic-fed",
            "nobody",
            1,
            "the authority has no provisioner \"nobody\"",
            "it has mosaic-fed, mosaic-hs",
        );
        check(
            "mosaic-fed",
            "mosaic-hs",
            1,
            "the authority does not keep the key of provisioner \"mosaic-hs\"",
            "give the key's file with --provisioner-key",
        );
        check(
            "dev/secrets/password",
            "wrong",
            2,
            "the key of provisioner \"mosaic-fed\" cannot be read: cannot decrypt: wrong password or altered data",
            "check the password and the key",
        );
        check(
            "--password-file dev/secrets/password",
            "",
            2,
            "password of the key of provisioner \"mosaic-fed\" is needed, and there is no terminal to ask on",
            "give it with --password-file",
        );
    }
}

mod sign {
    use super::*;

    #[test]
    fn a_request_of_ones_own() {
        let development = Development::new();
        let csr = Csr::new("a.example", &["a.example"]);
        development.desk.write("a.csr", &csr.pem);
        let line = format!(
            "sign a.example --csr a.csr --crt a.crt --grant-id {GRANT_ID} --subject-user-id {USER_ID}"
        );
        let made = development.run(&line);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
        assert!(made.stdout.contains(&format!("grant id         {GRANT_ID}\n")), "{}", made.stdout);
        assert!(made.stdout.ends_with("certificate      a.crt\n"), "{}", made.stdout);
        assert_eq!(mode(&development.desk.file("a.crt")), 0o644);
        assert_eq!(development.desk.read("a.crt").matches("BEGIN CERTIFICATE").count(), 2);
        let before = development.desk.read("a.crt");
        failed(
            &development.run(&line),
            2,
            "a.crt exists",
            "choose another folder or name, or overwrite it with --force",
        );
        assert_eq!(development.desk.read("a.crt"), before);
        assert_eq!(development.run(&format!("{line} --force")).code, Some(0));
        assert_ne!(development.desk.read("a.crt"), before);

        // Not the request that was asked for.
        let refused = development
            .run(&line.replace("sign a.example", "sign b.example").replace("--crt a.crt", "--crt b.crt"));
        failed(
            &refused,
            3,
            "the certificate authority refused with status 403: The request was forbidden by the certificate \
             authority: certificate request does not contain the valid common name - got a.example, want \
             [b.example b.example]. (csr.common_name_mismatch)",
            "correct the request as the message says",
        );
        assert!(!development.desk.file("b.crt").exists());
    }

    #[test]
    fn a_request_that_is_none() {
        let desk = Desk::new();
        let csr = Csr::new("a.example", &["a.example"]);
        // One byte of the signature is another.
        let mut forged = csr.der.clone();
        *forged.last_mut().unwrap() ^= 1;
        desk.write("forged.csr", &pem::encode("CERTIFICATE REQUEST", &forged));
        let outcome = desk.run("sign a.example --csr forged.csr --crt a.crt --provisioner p");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
        assert!(
            outcome.stderr.starts_with("error: forged.csr is no certification request: ")
                && outcome
                    .stderr
                    .ends_with("\nhint: make one with: openssl req -new -key KEY -subj /CN=NAME\n"),
            "{}",
            outcome.stderr
        );
        failed(
            &desk.run("sign a.example --csr nope.csr --crt a.crt --provisioner p"),
            2,
            "cannot read nope.csr: no such file or directory",
            "check the path",
        );
    }
}

mod inspect {
    use super::*;

    #[test]
    fn certificates_and_requests() {
        let desk = Desk::new();
        let root = include_str!("contract/fixtures/mosaic/certs/root_ca.crt");
        desk.write("root.crt", root);
        let shown = desk.run("inspect root.crt");
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
        assert!(shown.stdout.starts_with("kind             certificate\n"), "{}", shown.stdout);
        assert!(shown.stdout.contains("\npath length      1\n"), "{}", shown.stdout);
        assert_eq!(desk.run_with("inspect -", root.as_bytes()), shown);

        let csr = Csr::new("a.example", &["a.example", "10.0.0.1"]);
        desk.write("a.csr", &csr.pem);
        let sha = csr.sha256_hex();
        let shown = desk.run("inspect a.csr");
        assert_eq!(
            shown.stdout,
            format!(
                "kind             certification request\nsubject          a.example\n\
                 names            a.example, 10.0.0.1\nkey              P256\nsha256           {sha}\n"
            )
        );
        // Several in one file are a list.
        let both = desk.run_with("inspect - --json", format!("{root}{}", csr.pem).as_bytes());
        let both: Value = serde_json::from_str(&both.stdout).unwrap();
        assert_eq!(
            (both[0]["kind"].as_str(), both[1]["sha256"].as_str()),
            (Some("certificate"), Some(&*sha))
        );
    }

    #[test]
    fn what_cannot_be_shown() {
        let desk = authority("");
        let hint = "give a certificate, a certification request or a token";
        let check = |input: &[u8], what: &str| {
            failed(&desk.run_with("inspect -", input), 1, &format!("- cannot be shown: {what}"), hint);
        };
        check(b"", "neither PEM nor a token");
        check(b"junk", "neither PEM nor a token");
        check(&[0xff; 100], "neither PEM nor a token");
        check(b"a.b.c", "neither PEM nor a token");
        failed(
            &desk.run("inspect ca/secrets/root_ca_key"),
            1,
            "ca/secrets/root_ca_key cannot be shown: a PEM block of EC PRIVATE KEY",
            hint,
        );
        failed(&desk.run("inspect nope"), 2, "cannot read nope: no such file or directory", "check the path");
        failed(&desk.run("inspect ca"), 2, "cannot read ca: is a directory", "give a file");
        let junk = pem::encode("CERTIFICATE", b"junk");
        let outcome = desk.run_with("inspect -", junk.as_bytes());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
        assert!(outcome.stderr.starts_with("error: - cannot be shown: CERTIFICATE: "), "{}", outcome.stderr);
    }
}

#[test]
fn version_and_help() {
    let desk = Desk::new();
    let version = env!("CARGO_PKG_VERSION");
    let check = |line: &str, code: i32, stdout: &str| {
        let outcome = desk.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), stdout), "{line}");
    };
    check("version", 0, &format!("stepless {version} (contract of step-ca 0.30.2)\n"));
    check("version --json", 0, &format!("{{\"version\":\"{version}\",\"stepCa\":\"0.30.2\"}}\n"));
    check("--version", 0, &format!("stepless {version}\n"));
    // Without a command the help is an answer, but not to a question.
    check("", 1, "");
    failed(
        &desk.run("certficate"),
        1,
        "unrecognized subcommand 'certficate'",
        "a similar subcommand exists: 'certificate'",
    );
    assert!(desk.files().is_empty());
}
