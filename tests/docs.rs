//! The documents say what is so: links lead somewhere, and lists are whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of the project, as paths below its folder.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "keys", "examples/node"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The anchors that GitHub makes of a document's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// The links of a document that lead to a place in the project and do not arrive.
fn broken_links(document: &Path, text: &str) -> Vec<String> {
    let links = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut broken = Vec::new();
    for link in links.captures_iter(text) {
        let target = &link[1];
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = match path {
            "" => root().join(document),
            _ => root().join(document).parent().unwrap().join(path),
        };
        let there = match fs::read_to_string(&file) {
            Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
            Err(_) => anchor.is_empty() && file.exists(),
        };
        if !there {
            broken.push(format!("{}: {target}", document.display()));
        }
    }
    broken
}

#[test]
fn every_link_arrives() {
    let documents = documents();
    for expected in ["README.md", "docs/architecture.md", "CONTRIBUTING.md", "keys/README.md"] {
        assert!(documents.contains(&PathBuf::from(expected)), "{expected}");
    }
    let broken: Vec<String> = documents
        .iter()
        .flat_map(|document| broken_links(document, &read(document.to_str().unwrap())))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = read("README.md");
    let unlinked: Vec<PathBuf> = documents()
        .into_iter()
        .filter(|document| {
            document != Path::new("README.md") && !readme.contains(&format!("]({})", document.display()))
        })
        .collect();
    assert!(unlinked.is_empty(), "{unlinked:?}");
}

#[test]
fn broken_links_are_found() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(broken_links(Path::new("docs/x.md"), text), expected, "{text}");
    };
    check("[a](../README.md) [b](https://nowhere.example/x.md)", &[]);
    check("[a](nope.md)", &["docs/x.md: nope.md"]);
    check("[a](../README.md#licence)", &[]);
    check("[a](../README.md#nope)", &["docs/x.md: ../README.md#nope"]);
}

/// What stands in backquotes in the first cells of a document's tables.
fn first_cells(text: &str) -> BTreeSet<String> {
    let code = Regex::new(r"`([^`]+)`").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells
        .flat_map(|cell| code.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn refusals_are_all_listed_and_nothing_else() {
    let code = Regex::new(r#""([a-z]+\.[a-z_]+)""#).unwrap();
    let mut codes = BTreeSet::new();
    for file in ["src/authority/error.rs", "src/http/problem.rs"] {
        codes.extend(code.captures_iter(&read(file)).map(|found| found[1].to_owned()));
    }
    assert!(codes.len() > 40, "{codes:?}");
    assert_eq!(first_cells(&read("docs/refusals.md")), codes);
}

#[test]
fn dependencies_are_all_named_and_nothing_else() {
    let mut names = BTreeSet::new();
    let mut counts = false;
    for line in read("Cargo.toml").lines() {
        if let Some(section) = line.strip_prefix('[') {
            counts = section.trim_end_matches(']').ends_with("dependencies");
        } else if counts && let Some((name, _)) = line.split_once(" = ") {
            names.insert(name.trim_matches('"').to_owned());
        }
    }
    assert!(names.contains("ring") && names.contains("tempfile"), "{names:?}");
    let text = read("docs/dependencies.md");
    let table = text.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    let listed: BTreeSet<String> = rows
        .flat_map(|row| row.split(" | ").next().unwrap().trim_start_matches("| ").split(", "))
        .map(|name| name.split(" (").next().unwrap().to_owned())
        .collect();
    assert_eq!(listed, names);
}

#[test]
fn the_gateways_variables_are_all_listed_and_nothing_else() {
    let name = Regex::new(r#": &str = "(STEP_CA_[A-Z_]+)""#).unwrap();
    let source = read("src/client/settings.rs");
    let mut expected: BTreeSet<String> =
        name.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    assert_eq!(expected.len(), 6, "{expected:?}");
    let kind = Regex::new(r"(?m)^    ([A-Z][A-Za-z]+),$").unwrap();
    let source = read("src/client/fault.rs");
    let kinds = source.split("pub enum CaClientErrorKind").nth(1).unwrap().split("\n}").next().unwrap();
    expected.extend(kind.captures_iter(kinds).map(|found| found[1].to_owned()));
    assert!(expected.len() > 15, "{expected:?}");
    assert_eq!(first_cells(&read("docs/gateway.md")), expected);
}

/// The tests that a document's tables name in their last cells: files, and functions where they are given.
fn named_tests(text: &str) -> Vec<(String, Option<String>)> {
    let test = Regex::new(r"`((?:tests|src)/[a-z0-9_/]+\.rs)(?:::([a-z0-9_]+))?`").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let found = cells.flat_map(|cell| test.captures_iter(cell).collect::<Vec<_>>());
    found.map(|found| (found[1].to_owned(), found.get(2).map(|name| name.as_str().to_owned()))).collect()
}

#[test]
fn tests_that_are_named_exist() {
    let named = named_tests(&read("docs/security.md"));
    assert!(named.len() > 15, "{named:?}");
    for (file, function) in named {
        let text = read(&file);
        assert!(text.contains("#[test]") || text.contains("::test]"), "{file} has no test");
        let function = function.map(|name| format!("fn {name}("));
        assert!(
            function.as_ref().is_none_or(|function| text.contains(function)),
            "{file} has no {function:?}"
        );
    }
}

/// What `stepless <command> --help` prints.
fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stepless"))
        .args(command.split_whitespace())
        .arg("--help")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The commands below `command` that have none below themselves, in the order of the help.
fn commands_below(command: &str) -> Vec<String> {
    let text = help(command);
    let Some((_, rest)) = text.split_once("\nCommands:\n") else {
        return vec![command.to_owned()];
    };
    let lines = rest.split("\n\n").next().unwrap().lines();
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.flat_map(|name| commands_below(format!("{command} {name}").trim())).collect()
}

/// The texts in `docs/commands.md` are those of `--help`.
#[test]
fn the_commands_are_described_as_they_are() {
    let text = read("docs/commands.md");
    let whole = help("");
    assert!(text.contains(&format!("```text\n{whole}\n```")), "not in docs/commands.md:\n{whole}");
    let commands = commands_below("");
    assert!(commands.len() > 6, "{commands:?}");
    let described: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## stepless ")).collect();
    assert_eq!(described, commands);
    for command in commands {
        let help = help(&command);
        let section = text.split(&format!("## stepless {command}\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains(&format!("```text\n{help}\n```")), "docs/commands.md, {command}:\n{help}");
    }
}
