//! Documents whose commands are typed as they stand there.

use std::path::Path;
use std::process::Command;

use super::binary::Desk;
use super::tools;

/// The text of a document, by its path in the project.
pub(crate) fn document(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced `sh` blocks between a heading and the next one; the empty heading stands for the text before the first.
pub(crate) fn blocks(text: &str, heading: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut section, mut block): (&str, Option<String>) = ("", None);
    for line in text.lines() {
        match &mut block {
            Some(_) if line == "```" => found.extend(block.take()),
            Some(block) => *block += &format!("{line}\n"),
            None if line == "```sh" && section == heading => block = Some(String::new()),
            None => section = line.strip_prefix("## ").unwrap_or(section),
        }
    }
    found
}

/// A shell in the desk's folder where `stepless` and `step` are on PATH, for one block.
pub(crate) fn shell(desk: &Desk, block: &str) -> Command {
    let bin = desk.file("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).expect("a folder can be made");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stepless"), bin.join("stepless"))
            .expect("a link can be made");
    }
    let mut path = format!("{}:{}", bin.display(), tools::variable("PATH").unwrap_or_default());
    if let Some(step) = tools::find("step", &["version"]).filter(|step| step.is_absolute()) {
        path += &format!(":{}", step.parent().unwrap_or(Path::new("/")).display());
    }
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", block]);
    desk.seat(&mut shell);
    shell.env("PATH", path);
    shell
}
