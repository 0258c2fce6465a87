//! `stepless template check`, word for word: the transcripts in `tests/cmd/template_check`.
//!
//! A transcript is a command line after `$ `, its exit code, and all that it wrote to stdout and stderr. The commands
//! run in that folder. `STEPLESS_WRITE_TRANSCRIPTS=1` writes them anew, for a look at the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn template_check_says_what_the_transcripts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/template_check");
    #[expect(clippy::disallowed_methods, reason = "a test may be asked to write its data")]
    let write = std::env::var_os("STEPLESS_WRITE_TRANSCRIPTS").is_some();
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "transcript"));
    paths.sort();
    assert!(paths.len() >= 12, "{paths:?}");
    for path in paths {
        let expected = fs::read_to_string(&path).unwrap();
        let line = expected.lines().next().and_then(|line| line.strip_prefix("$ stepless ")).unwrap();
        let found = transcript(&folder, line);
        if write {
            fs::write(&path, found).unwrap();
        } else {
            assert_eq!(found, expected, "{}", path.display());
        }
    }
}

fn transcript(folder: &Path, line: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stepless"))
        .args(line.split(' '))
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let mut text = format!("$ stepless {line}\nexit code {}\n", output.status.code().unwrap());
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes)).unwrap();
    }
    text
}
