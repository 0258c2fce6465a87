//! What the guides for operators tell to type works as it stands there, and no command stands where no test types it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Command;

use common::binary::Daemon;
use common::binary::Desk;
use common::binary::free_port;
use common::ca;
use common::ca::Ca;
use common::ca::Kind;
use common::document::blocks;
use common::document::document;
use common::document::shell;
use common::fixture::Fixture;
use common::https::Request;
use common::tools;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension;
use stepless::x509::oid::Oid;
use stepless::x509::pem;

const RELOADED: &str = "the new configuration is in service";
const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/// Says loudly what is missing of the programs that the guides use.
fn have(programs: &[&str]) -> bool {
    let runs = |program: &str| {
        ["version", "--version", "-help"].iter().any(|word| tools::find(program, &[word]).is_some())
    };
    let missing = programs.iter().find(|program| !runs(program));
    if let Some(program) = missing {
        tools::skip(&format!("there is no {program}"));
    }
    missing.is_none()
}

/// An authority in `ca` that runs, and somebody who types.
struct Site {
    desk: Desk,
    daemon: Daemon,
}

impl Site {
    fn new(init: &str) -> Self {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        let line =
            format!("init --dir ca --password-file password --address 127.0.0.1:{} {init}", free_port());
        assert_eq!(desk.run(&line).code, Some(0));
        let daemon = desk.serve(Self::LINE);
        Self { desk, daemon }
    }

    const LINE: &str = "serve ca/config/ca.json --password-file password --pidfile ca.pid";

    fn command(&self, block: &str, folder: &str) -> Command {
        let mut shell = shell(&self.desk, block);
        shell.env("STEPPATH", self.desk.file(folder)).env("CA_URL", self.url());
        shell
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.daemon.port)
    }

    /// Types a block; where it tells the authority to read its files again, waits until that is done.
    fn type_in(&self, block: &str) -> String {
        let reloads = || self.daemon.log().matches(RELOADED).count();
        let (before, begun) = (reloads(), std::time::Instant::now());
        let said = tools::run(&mut self.command(block, "ca"));
        while block.contains("ca.pid") && reloads() == before {
            assert!(begun.elapsed().as_secs() < 30, "{block}\n{}", self.daemon.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        said
    }

    fn chain(&self, name: &str) -> Vec<Certificate> {
        chain(&self.desk.file(name))
    }

    /// Gets a certificate and renews it; gives the issuer's.
    fn renew(&self, name: &str) -> Certificate {
        self.type_in(&format!("stepless renew {name}.chain.crt {name}.key"));
        self.chain(&format!("{name}.chain.crt")).remove(1)
    }

    fn issue(&self, name: &str) {
        self.type_in(&format!("stepless certificate {name} --provisioner admin --password-file password"));
    }
}

fn chain(path: &Path) -> Vec<Certificate> {
    let text = std::fs::read_to_string(path).unwrap();
    pem::Blocks::new(text.as_bytes()).map(|block| Certificate::parse(&block.content).unwrap()).collect()
}

/// Where the tests are that type commands.
const TESTS: [&str; 3] = ["tests/readme.rs", "tests/guides.rs", "tests/gateway/client.rs"];

/// The headings under which the documents have commands, and the tests that type them.
const TYPED: [(&str, &str, &str); 25] = [
    ("README.md", "", "every test of readme.rs"),
    ("README.md", "A grant certificate with stepless", "a_certificate_with_stepless"),
    ("README.md", "The same with curl", "a_certificate_with_curl"),
    ("README.md", "The same with step", "a_certificate_with_step"),
    ("docs/embedding.md", "Other languages", "an_authority_for_other_languages"),
    ("docs/federation.md", "Moving to another arc", "another_arc"),
    ("docs/federation.md", "The profile", "federation"),
    ("docs/federation.md", "The registry", "federation"),
    ("docs/gateway.md", "The environment", "the_environment_is_enough_as_the_document_sets_it"),
    ("docs/getting-started.md", "Make it", "getting_started"),
    ("docs/getting-started.md", "Serve it", "getting_started"),
    ("docs/getting-started.md", "Use it", "getting_started"),
    ("docs/migration.md", "Back", "from_step_ca_and_back"),
    ("docs/migration.md", "Before", "from_step_ca_and_back"),
    ("docs/migration.md", "The move", "from_step_ca_and_back"),
    ("docs/operations.md", "Backup", "operations"),
    ("docs/operations.md", "Pages and metrics", "operations"),
    ("docs/operations.md", "Rotating a provisioner", "operations"),
    ("docs/operations.md", "The database", "operations"),
    ("docs/operations.md", "Trusting the authority", "operations"),
    ("docs/rotation.md", "An offline root", "an_offline_root"),
    ("docs/rotation.md", "Records that are lost or damaged", "records_that_are_lost_or_damaged"),
    ("docs/rotation.md", "The intermediate", "rotation_of_intermediate_and_root"),
    ("docs/rotation.md", "The root", "rotation_of_intermediate_and_root"),
    ("docs/templates.md", "Trying one out", "templates"),
];

#[test]
fn every_command_is_typed_by_a_test() {
    let mut found = Vec::new();
    let mut documents = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap() {
        documents.push(format!("docs/{}", entry.unwrap().file_name().to_string_lossy()));
    }
    documents.sort();
    for name in documents.iter().filter(|name| name.ends_with(".md")) {
        let text = document(name);
        let mut heading = "";
        let mut fenced = false;
        for line in text.lines() {
            match line.strip_prefix("```") {
                Some("") => fenced = false,
                Some(kind) => {
                    // Another name for the same would go unseen.
                    assert!(!["bash", "shell", "console"].contains(&kind), "{name}: {kind}");
                    fenced = true;
                    if kind == "sh" {
                        found.push((name.clone(), heading.to_owned()));
                    }
                }
                None if !fenced => heading = line.strip_prefix("## ").unwrap_or(heading),
                None => {}
            }
        }
    }
    found.sort();
    found.dedup();
    let typed: Vec<(String, String)> =
        TYPED.iter().map(|(name, heading, _)| ((*name).to_owned(), (*heading).to_owned())).collect();
    assert_eq!(found, typed);
    let tests = TESTS.map(document).concat();
    for (_, _, test) in TYPED.iter().skip(1) {
        assert!(tests.contains(&format!("fn {test}()")), "{test}");
    }
}

#[test]
fn operations() {
    if !have(&["sqlite3", "curl"]) {
        return;
    }
    let text = document("docs/operations.md");
    let site = Site::new("");
    let fingerprint = site.chain("ca/certs/root_ca.crt")[0].fingerprint();
    let fingerprint: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    let trust = blocks(&text, "Trusting the authority").concat();
    let said = tools::run(site.command(&trust, "client").env("FINGERPRINT", fingerprint));
    assert!(said.contains("\nok\n"), "{said}");
    assert_eq!(site.desk.read("roots.pem"), site.desk.read("ca/certs/root_ca.crt"));

    site.issue("a.example");
    let said = site.type_in(&blocks(&text, "The database").concat());
    assert!(said.contains("a.example"), "{said}");
    let backup = blocks(&text, "Backup");
    let [back_up, restore] = backup.as_slice() else { panic!("{backup:?}") };
    site.type_in(back_up);
    let said = site.type_in(&blocks(&text, "Rotating a provisioner").concat());
    assert!(said.contains("SIGHUP sent to"), "{said}");
    let config = site.desk.read("ca/config/ca.json");
    assert!(config.contains("\"admin-2\"") && !config.contains("\"admin\""), "{config}");
    // The unit's command line is understood.
    let unit = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/")).unwrap();
    let refused = site.command(unit, "ca").output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/etc/app/tls."), "{}", tools::said(&refused));

    let Site { desk, mut daemon } = site;
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    let admin = format!("127.0.0.1:{}", free_port());
    let in_folder = |block: &str| {
        let mut shell = shell(&desk, &block.replace("127.0.0.1:9444", &admin));
        shell.env("STEPPATH", desk.file("ca"));
        shell
    };
    tools::run(&mut in_folder(restore));
    let pages = blocks(&text, "Pages and metrics");
    let [serve, ask] = pages.as_slice() else { panic!("{pages:?}") };
    let _daemon = Daemon::start(in_folder(&format!("exec {serve}"))).unwrap();
    let said = tools::run(&mut in_folder(ask));
    assert!(said.contains("{\"status\":\"ok\"}") && said.contains("stepless_store_up 1"), "{said}");
}

/// What the page at `/` tells to type, as far as it can be typed without changing this machine.
#[test]
fn the_page_for_people() {
    if !have(&["curl", "openssl", "step", "node", "keytool"]) {
        return;
    }
    let site = Site::new("");
    let mut request = Request::get("/");
    request.headers.push(("Accept".to_owned(), "text/html".to_owned()));
    let client = site.daemon.client(&site.desk.file("ca/certs/root_ca.crt"));
    let page = client.send(&request).unwrap().text().replace("&amp;", "&");
    let port = format!(":{}", site.daemon.port);
    let type_in = |heading: &str| {
        let section =
            page.split(&format!("<h3>{heading}</h3><pre>")).nth(1).unwrap_or_else(|| panic!("{heading}"));
        let block = section.split("</pre>").next().unwrap();
        // The test's client names no port.
        let block = block.replace("https://localhost/", &format!("https://localhost{port}/"));
        let block = block.replace("https://localhost ", &format!("https://localhost{port} "));
        let store = "-keystore trust.jks -storepass changeit -noprompt";
        tools::run(&mut site.command(&block.replace("-cacerts", store), "client"))
    };
    let fingerprint = site.chain("ca/certs/root_ca.crt")[0].fingerprint();
    let fingerprint: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(type_in("curl and OpenSSL").contains(&fingerprint.join(":")));
    type_in("step, which compares by itself");
    assert_eq!(site.chain("client/certs/root_ca.crt")[0].der(), site.chain("ca/certs/root_ca.crt")[0].der());
    site.desk.write(
        "app.js",
        &format!(
            "require('https').get('{}/health', a => a.on('data', d => process.stdout.write(d)))",
            site.url()
        ),
    );
    assert_eq!(type_in("Node"), "{\"status\":\"ok\"}\n");
    type_in("Java");
    let listed = "keytool -list -keystore trust.jks -storepass changeit -alias stepless";
    assert!(tools::run(&mut site.command(listed, "client")).contains(&fingerprint.join(":")));
}

#[test]
fn an_authority_for_other_languages() {
    let desk = Desk::new();
    let block = blocks(&document("docs/embedding.md"), "Other languages").concat();
    let (_daemon, rest) =
        Daemon::start_until(shell(&desk, &format!("exec {block}")), "\"url\":\"https://").unwrap();
    assert!(rest.starts_with("127.0.0.1:"), "{rest}");
}

#[test]
fn templates() {
    let desk = Desk::new();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    std::os::unix::fs::symlink(templates, desk.file("templates")).unwrap();
    let said =
        tools::run(&mut shell(&desk, &blocks(&document("docs/templates.md"), "Trying one out").concat()));
    assert!(said.contains("grant id"), "{said}");
}

#[test]
fn rotation_of_intermediate_and_root() {
    if !have(&["openssl", "step"]) {
        return;
    }
    let text = document("docs/rotation.md");
    let site = Site::new("--name Example");
    site.issue("old.example");
    let first = site.chain("ca/certs/intermediate_ca.crt").remove(0);

    let intermediate = blocks(&text, "The intermediate");
    assert_eq!(intermediate.len(), 3);
    let said: Vec<String> = intermediate.iter().map(|block| site.type_in(block)).collect();
    assert!(said[2].contains("SIGHUP sent to") && said[2].contains("Example Intermediate CA"), "{said:?}");
    let second = site.chain("ca/certs/intermediate_ca.crt").remove(0);
    assert_ne!(first.spki_der(), second.spki_der());
    // One that has kept its certificate alone is not renewed, as the document says; one with the chain is.
    let alone = site.command("stepless renew old.example.crt old.example.key", "ca").output().unwrap();
    assert!(!alone.status.success());
    assert_eq!(site.renew("old.example").der(), second.der());

    let root = blocks(&text, "The root");
    let [make, both, fetch, below, drop_old, tell] = root.as_slice() else { panic!("{root:?}") };
    let client = |name: &str| site.daemon.client(&site.desk.file(name)).send(&Request::get("/health"));
    site.type_in(make);
    site.type_in(both);
    site.type_in(fetch);
    assert_eq!(site.chain("roots.pem").len(), 2);
    assert!(client("root_ca_2.crt").is_err() && client("ca/certs/root_ca.crt").is_ok());
    site.type_in(below);
    let third = site.chain("ca/certs/intermediate_ca.crt").remove(0);
    let new_root = site.chain("root_ca_2.crt").remove(0);
    assert_eq!(third.issuer_der(), new_root.subject_der());
    for (trusted, works) in [("root_ca_2.crt", true), ("roots.pem", true), ("ca/certs/root_ca.crt", false)] {
        assert_eq!(client(trusted).is_ok(), works, "{trusted}");
    }
    let renew = "stepless renew old.example.chain.crt old.example.key --ca-url \"$CA_URL\" --root roots.pem";
    site.type_in(renew);
    assert_eq!(site.chain("old.example.chain.crt")[1].der(), third.der());
    site.type_in(drop_old);
    let config = site.desk.read("ca/config/ca.json");
    assert!(config.contains("root_ca_2.crt\",") && !config.contains("root_ca.crt"), "{config}");
    let said = tools::run(&mut site.command(tell, "client"));
    assert!(site.desk.read("client/certs/root_ca.crt").contains(new_root.to_pem().trim()), "{said}");
}

#[test]
fn an_offline_root() {
    if !have(&["openssl", "step"]) {
        return;
    }
    let blocks = blocks(&document("docs/rotation.md"), "An offline root");
    let [root, init, by_openssl, by_step, import, serve] = blocks.as_slice() else { panic!("{blocks:?}") };
    for sign in [by_openssl, by_step] {
        let desk = Desk::new();
        desk.write_secret("password", "not a secret\n");
        desk.write_secret("root_password", "another one\n");
        for block in [root, init, sign, import] {
            tools::run(&mut shell(&desk, block));
        }
        assert_eq!(chain(&desk.file("intermediate.crt"))[0].path_length(), Some(0));
        let line = serve.trim().strip_prefix("stepless ").unwrap();
        let daemon = desk.serve(&format!("{line} --address 127.0.0.1:0"));
        assert_eq!(
            daemon.client(&desk.file("root_ca.crt")).send(&Request::get("/health")).unwrap().status,
            200
        );
    }
}

#[test]
fn records_that_are_lost_or_damaged() {
    let blocks = blocks(&document("docs/rotation.md"), "Records that are lost or damaged");
    let [backup, check, restore, forget] = blocks.as_slice() else { panic!("{blocks:?}") };
    let site = Site::new("");
    site.issue("a.example");
    site.type_in("stepless revoke --cert a.example.crt --key a.example.key");
    site.type_in(backup);
    site.type_in(check);
    let Site { desk, mut daemon, .. } = site;
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    let database = desk.file("ca/db/stepless.db");
    std::fs::write(&database, "nothing that a database would say".repeat(1000)).unwrap();
    let steppath = desk.file("ca");
    let shell = |block: &str| {
        let mut shell = shell(&desk, block);
        shell.env("STEPPATH", &steppath);
        shell
    };
    assert!(!shell(check).output().unwrap().status.success());
    assert_eq!(desk.run(Site::LINE).code, Some(2), "it does not start on damaged records");
    tools::run(&mut shell(restore));
    let daemon = desk.serve(Site::LINE);
    let renew =
        format!("stepless renew a.example.crt a.example.key --ca-url https://localhost:{}", daemon.port);
    assert!(!shell(&renew).output().unwrap().status.success());
    assert!(daemon.log_with("renew.revoked").contains("renew.revoked"), "{}", daemon.log());
    drop(daemon);

    std::fs::write(&database, "nothing").unwrap();
    let forget = forget.trim().strip_prefix("stepless ").unwrap();
    let line = forget.replace("\"$STEPPATH/config/ca.json\"", "ca/config/ca.json");
    let _daemon = desk.serve(&line);
    assert_eq!(desk.read("ca/db/stepless.db.forgotten-1"), "nothing");
    // As the document warns.
    tools::run(&mut shell(&renew));
}

#[test]
fn federation() {
    let text = document("docs/federation.md");
    let desk = Desk::new();
    desk.write_secret("password", "not a secret\n");
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    std::os::unix::fs::symlink(templates, desk.file("templates")).unwrap();
    let profile = blocks(&text, "The profile");
    let said: Vec<String> = profile.iter().map(|block| tools::run(&mut shell(&desk, block))).collect();
    assert!(said[1].contains(GRANT_ID), "{said:?}");
    // What the document shows is what init writes.
    let config: serde_json::Value = serde_json::from_str(&desk.read("ca/config/ca.json")).unwrap();
    let shown = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let shown: serde_json::Value = serde_json::from_str(&format!("{{{shown}}}")).unwrap();
    for provisioner in config["authority"]["provisioners"].as_array().unwrap() {
        assert_eq!(provisioner["options"], shown["options"], "{}", provisioner["name"]);
    }
    for block in blocks(&text, "The registry") {
        tools::run(&mut shell(&desk, &block));
    }
    assert!(desk.read("new/config/ca.json").contains("\"oidArc\": \"1.3.6.1.4.1.55555.1\""));
}

#[test]
fn another_arc() {
    let text = document("docs/federation.md");
    let blocks = blocks(&text, "Moving to another arc");
    let [both, ask, old_ones_out] = blocks.as_slice() else { panic!("{blocks:?}") };
    let site = Site::new("--profile federation --oid-arc 1.3.6.1.4.1.99999");
    let ask_with = |arc: &str, name: &str| {
        site.type_in(
            &ask.replace("a.example", name)
                .replace("--oid-arc 1.3.6.1.4.1.55555.1", &format!("--oid-arc {arc}")),
        )
    };
    let ids = |name: &str| {
        let certificate = site.chain(&format!("{name}.crt")).remove(0);
        let text = |oid: &str| {
            let oid = Oid::parse(oid).unwrap();
            certificate.extension(&oid).map(|found| extension::utf8_text(&found.value).unwrap())
        };
        (text("1.3.6.1.4.1.99999.1"), text("1.3.6.1.4.1.55555.1.1"))
    };
    let grant = || Some(GRANT_ID.to_owned());
    ask_with("1.3.6.1.4.1.99999", "before.example");
    assert_eq!(ids("before.example"), (grant(), None));
    // The exact octets that the document shows.
    let der = site
        .chain("before.example.crt")
        .remove(0)
        .extensions()
        .iter()
        .map(|e| e.to_der())
        .collect::<Vec<_>>();
    let mut expected = vec![0x30, 0x33, 6, 9, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1, 4, 0x26, 0x0c, 0x24];
    expected.extend_from_slice(GRANT_ID.as_bytes());
    assert_eq!(expected.len(), 53);
    assert!(der.contains(&expected), "{der:02x?}");

    site.type_in(both);
    let said = site.type_in(ask);
    assert!(said.matches(GRANT_ID).count() >= 2, "{said}");
    assert_eq!(ids("a.example"), (grant(), grant()));
    // A gateway that has not gone over yet is content too.
    ask_with("1.3.6.1.4.1.99999", "late.example");
    let found = site.type_in(&format!("stepless list --config ca/config/ca.json --grant {GRANT_ID}"));
    assert!(found.contains("a.example") && found.contains("before.example"), "{found}");
    // A renewed certificate keeps its OIDs, and is recorded without its grant.
    site.type_in("stepless renew before.example.crt before.example.key --oid-arc 1.3.6.1.4.1.99999");
    assert_eq!(ids("before.example"), (grant(), None));
    let renewed = site.chain("before.example.crt").remove(0).serial_number().to_string();
    let found =
        site.type_in(&format!("stepless list --config ca/config/ca.json --grant {GRANT_ID} --format json"));
    assert!(
        !found.contains(&renewed)
            && site.type_in("stepless list --config ca/config/ca.json --format json").contains(&renewed)
    );

    site.type_in(old_ones_out);
    ask_with("1.3.6.1.4.1.55555.1", "after.example");
    assert_eq!(ids("after.example"), (None, grant()));
}

/// The files of step-ca's database, by name.
fn records(steppath: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let files = std::fs::read_dir(steppath.join("db")).unwrap().map(|entry| entry.unwrap());
    let own = files.filter(|file| !file.file_name().to_string_lossy().starts_with("stepless.db"));
    let mut found: Vec<_> = own.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap())).collect();
    found.sort();
    found
}

#[test]
fn from_step_ca_and_back() {
    if !have(&["step", "openssl"]) {
        return;
    }
    if let Err(reason) = ca::step_ca_available() {
        return tools::skip(&reason);
    }
    let text = document("docs/migration.md");
    let step = tools::find("step", &["version"]).unwrap();
    let fixture = Fixture::made_by_step(&step, &format!("127.0.0.1:{}", free_port()));
    let desk = Desk::new();
    desk.write_secret("password", &fixture.read("password"));
    let steppath = fixture.path().to_owned();
    let command = |url: &str, block: &str| {
        let mut shell = shell(&desk, block);
        shell.env("STEPPATH", &steppath).env("CA_URL", url).env("STEP_CA_URL", url);
        shell
    };
    let type_in = |url: &str, block: &str| tools::run(&mut command(url, block));
    let try_in = |url: &str, block: &str| command(url, block).output().unwrap();
    let get = |name: &str| {
        format!(
            "step ca certificate {name}.example {name}.crt {name}.key --provisioner admin --provisioner-password-file password"
        )
    };
    let serial = |name: &str| chain(&desk.file(&format!("{name}.crt")))[0].serial_number().to_string();
    let old = Ca::try_start(Kind::StepCa, fixture).unwrap();
    for name in ["device", "stolen"] {
        type_in(&old.url(), &get(name));
    }
    let before = serial("device");
    type_in(&old.url(), "step ca revoke --cert stolen.crt --key stolen.key");
    let [doctor] = blocks(&text, "Before").try_into().unwrap_or_else(|found| panic!("{found:?}"));
    type_in(&old.url(), &doctor);
    let fixture = old.stop();
    let left_by_step_ca = records(&steppath);
    assert!(!left_by_step_ca.is_empty());

    let moving = blocks(&text, "The move");
    let [copy, serve, renew, revoke_again] = moving.as_slice() else { panic!("{moving:?}") };
    type_in("", copy);
    let line = serve.trim().strip_prefix("stepless ").unwrap();
    let line =
        line.replace("\"$STEPPATH/config/ca.json\"", steppath.join("config/ca.json").to_str().unwrap());
    let mut daemon = desk.serve(&line);
    assert!(
        daemon.log().contains("are not read: what was revoked there is not revoked here"),
        "{}",
        daemon.log()
    );
    let url = format!("https://localhost:{}", daemon.port);
    type_in(&url, renew);
    let renewed = serial("device");
    assert_ne!(before, renewed);
    // What the document warns of, and what it tells to do about it.
    type_in(&url, "step ca renew --force --out again.crt stolen.crt stolen.key");
    type_in(&url, revoke_again);
    let refused = try_in(&url, "step ca renew --force --out again.crt stolen.crt stolen.key");
    assert!(!refused.status.success(), "{}", tools::said(&refused));
    for name in ["newer", "gone"] {
        type_in(&url, &get(name));
    }
    type_in(&url, "step ca revoke --cert gone.crt --key gone.key");
    assert_eq!(daemon.signal("TERM").code(), Some(0));
    assert!(left_by_step_ca == records(&steppath), "step-ca's records were touched");

    let back = blocks(&text, "Back");
    assert_eq!(back.len(), 1);
    let new = Ca::try_start(Kind::StepCa, fixture).unwrap();
    let newer = serial("newer");
    type_in(&new.url(), &back[0]);
    assert!(serial("device") != renewed && serial("newer") != newer);
    // step-ca does not know what was revoked meanwhile, and still knows what it revoked itself.
    type_in(&new.url(), "step ca renew --force --out again.crt gone.crt gone.key");
    assert!(
        !try_in(&new.url(), "step ca renew --force --out again.crt stolen.crt stolen.key").status.success()
    );
}

#[test]
fn blocks_are_found_under_their_heading() {
    let text = "```sh\none\n```\n## A\n```sh\ntwo\nthree\n```\n```rust\nno\n```\n## B\n```sh\n## four\n```\n";
    let check = |heading: &str, expected: &[&str]| assert_eq!(blocks(text, heading), expected, "{heading}");
    check("", &["one\n"]);
    check("A", &["two\nthree\n"]);
    check("B", &["## four\n"]);
    check("C", &[]);
}
