//! What stays in the memory of the daemon, and who may look there.

use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use stepless::jose::base64url;

use crate::common::binary::Daemon;
use crate::common::tools;
use crate::site::PASSWORD;
use crate::site::SECRET;
use crate::site::Site;
use crate::site::contains;

/// How long the last connection may take to go.
const PATIENCE: Duration = Duration::from_secs(20);

/// The memory that a process can write to, as far as it is there; `None` if it cannot be read from here.
fn memory(daemon: &Daemon) -> Option<Vec<u8>> {
    let folder = format!("/proc/{}", daemon.id());
    let maps = std::fs::read_to_string(format!("{folder}/maps")).ok()?;
    let mut file = std::fs::File::open(format!("{folder}/mem")).ok()?;
    let mut pages = std::fs::File::open(format!("{folder}/pagemap")).ok()?;
    let page: u64 = tools::run(Command::new("getconf").arg("PAGESIZE")).trim().parse().expect("a size");
    let mut memory = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next()?, fields.next()?);
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).expect("an address"));
        // Eight bytes a page; an allocator reserves far more than it uses.
        let mut entries = Vec::new();
        pages.seek(SeekFrom::Start(start / page * 8)).ok()?;
        pages.by_ref().take((end - start) / page * 8).read_to_end(&mut entries).ok()?;
        for (entry, address) in entries.chunks_exact(8).zip((start..end).step_by(page as usize)) {
            // Present or swapped, proc_pid_pagemap(5).
            if entry[7] & 0xc0 != 0 {
                file.seek(SeekFrom::Start(address)).ok()?;
                // What was unmapped in between ends early.
                let _ = file.by_ref().take(page).read_to_end(&mut memory);
            }
        }
    }
    Some(memory)
}

fn found<'a>(memory: &[u8], secrets: &'a [(String, Vec<u8>)]) -> Vec<&'a str> {
    secrets.iter().filter(|(_, secret)| contains(memory, secret)).map(|(name, _)| name.as_str()).collect()
}

/// Looks until nothing is found, and fails if something stays.
#[track_caller]
fn forgets(daemon: &Daemon, secrets: &[(String, Vec<u8>)]) {
    let begun = Instant::now();
    loop {
        let left = found(&memory(daemon).expect("it could be read before"), secrets);
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "still in memory: {left:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn passwords_and_tokens_are_gone_after_use() {
    let mut site = Site::new("text");
    let daemon = site.serve("");
    let Some(at_start) = memory(&daemon) else {
        return tools::skip("the memory of another process cannot be read here: that takes root");
    };
    // The search finds what has to be there: without it no token could be checked.
    assert!(contains(&at_start, SECRET), "the secret of HMAC is not where it must be");
    let password = ("the password".to_owned(), PASSWORD.as_bytes().to_vec());
    let written = ("k as ca.json has it".to_owned(), base64url::encode(SECRET).into_bytes());
    let private = site.planted.iter().filter(|(name, _)| name.starts_with("d of planted-ec")).cloned();
    let mut secrets: Vec<_> = [password, written].into_iter().chain(private).collect();
    forgets(&daemon, &secrets);

    let before = site.planted.len();
    let client = site.client(&daemon);
    for request in site.requests() {
        let _ = client.send(&request);
    }
    secrets.extend_from_slice(&site.planted[before..]);
    assert!(secrets.len() > 30);
    forgets(&daemon, &secrets);
}

#[test]
fn a_password_of_ca_json_is_gone_after_the_start() {
    let site = Site::new("text");
    site.desk.replace("ca/config/ca.json", "{", &format!("{{\"password\": \"{PASSWORD}\","));
    let daemon = Daemon::start(site.desk.command("serve ca/config/ca.json")).unwrap();
    if memory(&daemon).is_none() {
        return tools::skip("the memory of another process cannot be read here: that takes root");
    }
    let password = [("the password".to_owned(), PASSWORD.as_bytes().to_vec())];
    forgets(&daemon, &password);
    daemon.tell("HUP");
    daemon.log_with("the new configuration is in service");
    forgets(&daemon, &password);
}

/// A crash leaves no core file, and nobody but root may look into the memory.
#[test]
fn no_core_file_and_no_debugger() {
    let site = Site::new("text");
    let line =
        "ulimit -c unlimited 2>/dev/null; exec \"$0\" serve ca/config/ca.json --password-file password";
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_stepless")]);
    site.desk.seat(&mut command);
    // Files below /proc belong to the group of a process, unless it may not be looked into.
    let is_root = std::fs::metadata("/proc/self/mem").is_ok_and(|metadata| metadata.uid() == 0);
    if is_root {
        command.gid(65_534);
    }
    let mut daemon = Daemon::start(command).unwrap();
    let folder = format!("/proc/{}", daemon.id());
    if cfg!(target_os = "linux") {
        let limits = std::fs::read_to_string(format!("{folder}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
        let owner = std::fs::metadata(format!("{folder}/mem")).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (0, 0));
    }
    let status = daemon.signal("ABRT");
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}
