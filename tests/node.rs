//! The gateway in TypeScript, `examples/node`: its own tests pass on the binary, and its situations on step-ca too.
//!
//! Skipped with a loud line where Node, npm, its registry or step-ca is missing; fails there under
//! `STEPLESS_REQUIRE_STEP_CA=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::ca::Ca;
use common::ca::Kind;
use common::ca::step_ca_available;
use common::tools;
use regex::Regex;
use serde_json::json;
use tempfile::TempDir;

const SUITE: &str = "examples/node";

/// Ends well on Node 20 and later; older ones lack what `jose` needs.
const NODE: [&str; 2] = ["-e", "process.exit(parseInt(process.version.slice(1)) < 20 ? 1 : 0)"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The situations of a gateway's client, as docs/gateway.md lists them.
fn situations() -> Vec<String> {
    let text = read("docs/gateway.md");
    let section = text.split("\n## ").find(|section| section.starts_with("The eleven situations\n")).unwrap();
    let row = Regex::new(r"(?m)^\d+\. \*\*([a-z ]+)\*\*").unwrap();
    row.captures_iter(section).map(|found| found[1].to_owned()).collect()
}

/// The names of the tests that passed, those of suites with their suite: `stepless: a grant certificate is issued`.
fn passed(tap: &str) -> Vec<String> {
    let line = Regex::new(r"^( *)ok \d+ - (.*)$").unwrap();
    let mut inner = Vec::new();
    let mut all = Vec::new();
    for found in tap.lines().filter_map(|text| line.captures(text)) {
        match &found[1] {
            // The line of a suite follows those of its tests.
            "" if inner.is_empty() => all.push(found[2].to_owned()),
            "" => all.extend(inner.drain(..).map(|test: String| format!("{}: {test}", &found[2]))),
            _ => inner.push(found[2].to_owned()),
        }
    }
    all
}

/// The only block of TypeScript of a document.
fn typescript(path: &str) -> String {
    let block = Regex::new(r"(?s)\n```ts\n(.*?)```\n").unwrap();
    let text = read(path);
    let blocks: Vec<_> = block.captures_iter(&text).collect();
    assert_eq!(blocks.len(), 1, "{path}");
    blocks[0][1].to_owned()
}

/// A copy of the suite and what the documents show, with its packages, compiled; `None` where there is no registry.
fn build(npm: &Path) -> Option<TempDir> {
    let folder = TempDir::with_prefix("stepless-node-").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITE);
    for name in ["package.json", "package-lock.json", ".npmrc", "tsconfig.json"] {
        fs::copy(root.join(name), folder.path().join(name)).unwrap();
    }
    for name in ["src", "test"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        for entry in fs::read_dir(root.join(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(name).join(entry.file_name())).unwrap();
        }
    }
    let (gateway, embedding) = (typescript("docs/gateway.md"), typescript("docs/embedding.md"));
    fs::write(folder.path().join("src/document.ts"), gateway).unwrap();
    fs::write(folder.path().join("test/document.test.ts"), embedding).unwrap();
    let mut install = Command::new(npm);
    let output = install.args(["ci", "--prefer-offline"]).current_dir(folder.path()).output().unwrap();
    if !output.status.success() {
        let said = tools::said(&output);
        let unreachable =
            ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED"];
        assert!(
            unreachable.iter().any(|code| said.contains(code)),
            "npm ci ended with {}\n{said}",
            output.status
        );
        return None;
    }
    tools::run(Command::new(npm).args(["run", "build"]).current_dir(folder.path()));
    Some(folder)
}

#[test]
fn the_typescript_suite_passes() {
    let (Some(node), Some(npm)) = (tools::find("node", &NODE), tools::find("npm", &["--version"])) else {
        return tools::skip("there is no node of version 20 or later, or no npm");
    };
    let Some(folder) = build(&npm) else { return tools::skip("npm reaches no registry") };
    let step_ca = step_ca_available().map(|()| Ca::start(Kind::StepCa, "mosaic"));
    let tests = folder.path().join("dist/test");
    let mut files: Vec<_> = fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    let mut suite = Command::new(node);
    suite
        .args(["--test", "--test-reporter=tap", "--test-timeout=120000"])
        .args(&files)
        .current_dir(folder.path());
    suite.env("STEPLESS", env!("CARGO_BIN_EXE_stepless")).env_remove("STEPLESS_TEST_STEP_CA");
    if let Ok(ca) = &step_ca {
        let key = |name: &str| json!({ "name": name, "key": ca.fixture.provisioner_key(name) });
        let provisioners = [key("mosaic-fed"), key("mosaic-hs")];
        let line = json!({ "url": ca.url(), "root": ca.fixture.root_pem(), "provisioners": provisioners });
        suite.env("STEPLESS_TEST_STEP_CA", line.to_string());
    }
    let tap = tools::run(&mut suite);

    let passed = passed(&tap);
    let mut authorities = vec!["stepless"];
    match step_ca {
        Ok(_) => authorities.push("step-ca"),
        Err(reason) => tools::skip(&reason),
    }
    for authority in &authorities {
        for situation in situations() {
            let name = format!("{authority}: {situation}");
            assert!(passed.contains(&name), "{name:?} has not passed:\n{tap}");
        }
    }
    for name in [
        "the environment is enough",
        "a client of another authority is turned away",
        "a device gets its certificate",
    ] {
        assert!(passed.iter().any(|test| test == name), "{name:?} has not passed:\n{tap}");
    }
    // Besides the situations, what the other files have; a suite that runs nothing passes as well.
    let others = passed.iter().filter(|name| !name.contains(": ") && !name.contains(" # SKIP")).count();
    assert_eq!(others, 14, "{passed:#?}");
    assert!(tap.contains("\n# fail 0\n") && tap.contains("\n# cancelled 0\n"), "{tap}");
}

#[test]
fn each_of_the_eleven_situations_has_a_test_in_rust_and_one_in_typescript() {
    let situations = situations();
    assert_eq!(situations.len(), 11, "{situations:?}");
    let names = |path: &str, pattern: &str| -> Vec<String> {
        let test = Regex::new(pattern).unwrap();
        test.captures_iter(&read(path)).map(|found| found[1].replace('_', " ")).collect()
    };
    assert_eq!(names("tests/gateway/situations.rs", r"#\[test\]\nfn (\w+)\("), situations);
    assert_eq!(names("examples/node/test/situations.test.ts", r"(?m)^  test\('([^']+)'"), situations);
}

#[test]
fn the_lock_file_names_no_registry() {
    let lock: serde_json::Value = serde_json::from_str(&read("examples/node/package-lock.json")).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    assert!(packages.len() > 3, "{lock}");
    for (name, package) in packages {
        assert!(package.get("resolved").is_none(), "{name} is tied to {}", package["resolved"]);
        assert!(name.is_empty() || package["integrity"].is_string(), "{name} has no hash");
    }
}
