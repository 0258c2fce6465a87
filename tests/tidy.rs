//! Keeps the floor plan and a few habits true, by reading the source as text.
//!
//! A room may use only rooms on lower floors; every file says what lives in it; nothing is unsafe; the book of the
//! house, `docs/architecture.md`, names every room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Every room and its floor, from the ground up.
const FLOORS: &[(&str, u8)] = &[
    ("clock", 0),
    ("entropy", 0),
    ("hex", 0),
    ("duration", 0),
    ("json", 0),
    ("uri", 0),
    ("crypto", 0),
    ("verifier", 0),
    ("jose", 1),
    ("x509", 1),
    ("template", 1),
    ("wire", 2),
    ("token", 2),
    ("policy", 2),
    ("profile", 2),
    ("template_data", 2),
    ("signer", 2),
    ("store", 2),
    ("config", 3),
    ("provisioner", 4),
    ("authority", 5),
    ("http", 6),
    ("client", 6),
    ("mini", 7),
    ("cli", 8),
];

/// Arrows allowed within a floor: from, to.
const STAIRS: &[(&str, &str)] = &[
    // A key is made of entropy, which knows nothing of keys.
    ("crypto", "entropy"),
];

/// Forbidden by the compiler too; here so that it does not come back in a macro or a build script.
const UNSAFE: &str = concat!("un", "safe");

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// One file of `src`: its path below `src`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room the file belongs to; `None` for `lib.rs` and `main.rs`, which stand above all of them.
    fn room(&self) -> Option<&str> {
        let first = self.path.split('/').next()?;
        let room = first.strip_suffix(".rs").unwrap_or(first);
        (room != "lib" && room != "main").then_some(room)
    }

    /// The code, comments blanked out, with line numbers from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| {
            let end = line.find("//").unwrap_or(line.len());
            (index + 1, &line[..end])
        })
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|file| Source {
            text: fs::read_to_string(&file).unwrap(),
            path: file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What is wrong with the `crate::` paths of a file.
fn arrows(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, code) in source.code() {
        for (at, _) in code.match_indices("crate::") {
            // `$crate::` in a macro leads to the same place; `my_crate::` does not.
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &code[at + "crate::".len()..];
            let place = format!("src/{}:{line}", source.path);
            if rest.starts_with('{') || rest.starts_with('*') {
                complaints.push(format!("{place}: one path per `use`, spelt out"));
                continue;
            }
            let target: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            complaints.extend(arrow(source.room(), &target).map(|why| format!("{place}: {why}")));
        }
    }
    complaints
}

/// Why a file in the room `from` may not name `crate::<to>`; `None` if it may.
fn arrow(from: Option<&str>, to: &str) -> Option<String> {
    let from = from?;
    if from == to || STAIRS.contains(&(from, to)) {
        return None;
    }
    match (floor(from), floor(to)) {
        (None, _) => Some(format!("{from} is in no floor plan")),
        (_, None) => Some(format!("crate::{to} is no room; use items from their own room")),
        (Some(here), Some(there)) if there >= here => {
            Some(format!("{from} (floor {here}) uses {to} (floor {there}), which is not below it"))
        }
        _ => None,
    }
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn rooms_use_only_rooms_below_them() {
    none(sources().iter().flat_map(arrows).collect());
}

#[test]
fn every_file_says_what_lives_in_it() {
    let silent = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| format!("src/{} does not begin with //!", source.path));
    none(silent.collect());
}

#[test]
fn nothing_is_unsafe() {
    let mut complaints = Vec::new();
    for source in sources() {
        for (line, code) in source.code() {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            if code.split(|c| !word(c)).any(|token| token == UNSAFE) {
                complaints.push(format!("src/{}:{line}", source.path));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_architecture_names_every_room() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(path).expect("docs/architecture.md is there");
    let rooms: BTreeSet<String> =
        sources().iter().filter_map(|source| source.room().map(str::to_owned)).collect();
    let unnamed = rooms
        .iter()
        .filter(|room| !text.contains(&format!("`{room}`")))
        .map(|room| format!("docs/architecture.md does not name `{room}`"));
    none(unnamed.collect());
}

#[test]
fn arrows_are_told_apart() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(arrows(&source), expected);
    };
    check("jose/jws.rs", "use crate::crypto::Key;", &[]);
    check("jose/jws.rs", "use crate::jose::jwk::Jwk;", &[]);
    check("crypto/mod.rs", "use crate::entropy::Entropy;", &[]);
    check("jose/jws.rs", "// see crate::cli", &[]);
    check("jose/jws.rs", "use my_crate::cli;", &[]);
    check("main.rs", "use crate::cli;", &[]);
    check(
        "jose/jws.rs",
        "\nlet x = crate::x509::pem::encode();",
        &["src/jose/jws.rs:2: jose (floor 1) uses x509 (floor 1), which is not below it"],
    );
    check(
        "clock.rs",
        "use crate::cli::run;",
        &["src/clock.rs:1: clock (floor 0) uses cli (floor 8), which is not below it"],
    );
    check("clock.rs", "use crate::{cli, jose};", &["src/clock.rs:1: one path per `use`, spelt out"]);
    check(
        "clock.rs",
        "use crate::Clock;",
        &["src/clock.rs:1: crate::Clock is no room; use items from their own room"],
    );
    check("attic.rs", "use crate::clock::Clock;", &["src/attic.rs:1: attic is in no floor plan"]);
}
