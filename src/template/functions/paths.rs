//! Slash-separated paths (Go's package path; package filepath is the same where `/` parts directories).

use crate::template::function::Failure;
use crate::template::function::Function;
use crate::template::function::Kind;
use crate::template::functions::bytes;
use crate::template::value::Value;

const TEXT: &[Kind] = &[Kind::String];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("base", TEXT, |_, arguments| Ok(base(one(arguments)?).into())),
    Function::new("osBase", TEXT, |_, arguments| Ok(base(one(arguments)?).into())),
    Function::new("dir", TEXT, |_, arguments| Ok(dir(one(arguments)?).into())),
    Function::new("osDir", TEXT, |_, arguments| Ok(dir(one(arguments)?).into())),
    Function::new("clean", TEXT, |_, arguments| Ok(clean(one(arguments)?).into())),
    Function::new("osClean", TEXT, |_, arguments| Ok(clean(one(arguments)?).into())),
    Function::new("ext", TEXT, |_, arguments| Ok(extension(one(arguments)?).into())),
    Function::new("osExt", TEXT, |_, arguments| Ok(extension(one(arguments)?).into())),
    Function::new("isAbs", TEXT, |_, arguments| Ok(one(arguments)?.starts_with(b"/").into())),
    Function::new("osIsAbs", TEXT, |_, arguments| Ok(one(arguments)?.starts_with(b"/").into())),
];

fn one(arguments: &[Value]) -> Result<&[u8], Failure> {
    arguments.first().ok_or_else(Failure::arguments).and_then(bytes)
}

fn last_slash(path: &[u8]) -> Option<usize> {
    path.iter().rposition(|byte| *byte == b'/')
}

fn base(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/');
    match end.and_then(|end| path.get(..=end)) {
        None if path.is_empty() => b".",
        None => b"/",
        Some(path) => path.get(last_slash(path).map_or(0, |slash| slash + 1)..).unwrap_or_default(),
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    clean(path.get(..last_slash(path).map_or(0, |slash| slash + 1)).unwrap_or_default())
}

fn extension(path: &[u8]) -> &[u8] {
    let name = path.get(last_slash(path).map_or(0, |slash| slash + 1)..).unwrap_or_default();
    name.iter().rposition(|byte| *byte == b'.').and_then(|dot| name.get(dot..)).unwrap_or_default()
}

/// The shortest path of the same meaning, by the rules of Rob Pike's "Lexical File Names".
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            _ => kept.push(part),
        }
    }
    let joined = kept.join(b"/".as_slice());
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
