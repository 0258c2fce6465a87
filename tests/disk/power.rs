//! The power is cut at any moment of a recorded run: what was answered is on the disk.
//!
//! Of what is not synced, any sectors are lost. 1000 cuts, or as many as `STEPLESS_POWER_CUTS` says; prints how many, and the
//! seed, which `STEPLESS_POWER_SEED` sets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use stepless::store::Filter;
use stepless::store::SqliteStore;
use stepless::store::Store as _;
use tempfile::TempDir;

use crate::common::local::block_on;
use crate::common::tools;
use crate::dice::Dice;
use crate::record;
use crate::record::Deed;
use crate::record::Disk;
use crate::record::Fate;
use crate::rig;
use crate::rig::Fault;
use crate::rig::Rig;
use crate::say;

/// Certificates that were handed out, with the length of the record when they arrived.
type Answered = Vec<(u64, Vec<u8>)>;

/// Requests of one client in one life of the authority.
const REQUESTS: usize = 60;

pub(crate) fn number(name: &str, default: u64) -> u64 {
    tools::variable(name).map_or(default, |text| text.parse().unwrap())
}

/// Asks for certificates, one after the other; returns those granted, and how many requests failed.
fn ask(rig: &Rig, client: &crate::common::https::Kept, requests: usize) -> (Answered, usize) {
    let (mut answered, mut failed) = (Vec::new(), 0);
    for _ in 0..requests {
        let answer = client.send(&rig.request()).unwrap();
        match rig::certificate(&answer) {
            Some(certificate) => answered.push((rig.position(), certificate)),
            None if answer.status == 500 => failed += 1,
            None => panic!("{}: {}", answer.status, answer.text()),
        }
    }
    (answered, failed)
}

/// Several lives: one client alone and a stop, eight at once and a kill, and a recovery. `disturb` is told of each
/// request of the one alone.
fn run(rig: &Rig, mut disturb: impl FnMut(usize)) -> (Answered, usize) {
    let mut all = ask_alone(rig, &mut disturb);
    let daemon = rig.start();
    let (client, eight) = (rig.client(&daemon), Mutex::new(&mut all));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (answered, failed) = ask(rig, &client, REQUESTS);
                let mut all = eight.lock().unwrap();
                all.0.extend(answered);
                all.1 += failed;
            });
        }
    });
    drop(daemon);
    let more = ask_alone(rig, &mut disturb);
    all.0.extend(more.0);
    all.1 += more.1;
    all
}

fn ask_alone(rig: &Rig, disturb: &mut impl FnMut(usize)) -> (Answered, usize) {
    let mut daemon = rig.start();
    let client = rig.client(&daemon);
    let mut all = (Vec::new(), 0);
    for request in 0..REQUESTS {
        disturb(request);
        let (answered, failed) = ask(rig, &client, 1);
        all.0.extend(answered);
        all.1 += failed;
    }
    disturb(REQUESTS);
    drop(client);
    assert!(daemon.signal("TERM").success());
    all
}

/// What is there after a cut.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    All,
    /// So many certificates that were handed out are not on record.
    Lacking(usize),
    Unreadable(String),
}

/// Recovers what is in the folder, and looks for what was answered.
fn recover(folder: &Path, answered: &[&[u8]]) -> Found {
    let read = || -> Result<Found, stepless::store::Error> {
        let store = SqliteStore::open(&folder.join("stepless.db"))?;
        block_on(store.check())?;
        let listed = block_on(store.list(Filter::default(), usize::MAX))?;
        let recorded: BTreeSet<Vec<u8>> =
            listed.into_iter().filter_map(|listed| Some(listed.certificate?.der)).collect();
        let counts = block_on(store.counts())?;
        assert_eq!(counts.spent_tokens, recorded.len() as u64, "a token without its certificate, or without");
        match answered.iter().filter(|der| !recorded.contains(**der)).count() {
            0 => Ok(Found::All),
            lacking => Ok(Found::Lacking(lacking)),
        }
    };
    read().unwrap_or_else(|error| Found::Unreadable(error.to_string()))
}

/// Cuts the power at `cuts` moments of a recorded run, and counts what was found otherwise than it was answered.
fn cut_often(
    rig: &Rig,
    deeds: &[Deed],
    answered: &Answered,
    cuts: u64,
    seed: u64,
) -> Vec<(usize, Fate, Found)> {
    let dice = Dice::new(seed, 1);
    let mut moments: Vec<usize> = (0..cuts)
        .map(|_| usize::try_from(u64::from_be_bytes(dice.throw()) % deeds.len() as u64).unwrap())
        .collect();
    moments.sort_unstable();
    let mut moments = moments.into_iter().peekable();
    let mut disk = Disk::new(&rig.folder(), Dice::new(seed, 2));
    let mut faults = Vec::new();
    for (number, deed) in deeds.iter().enumerate() {
        disk.apply(deed);
        while moments.next_if_eq(&number).is_some() {
            let fate = match dice.throw()[0] {
                _ if disk.is_safe() => Fate::Kept,
                0..64 => Fate::Lost,
                64..96 => Fate::Kept,
                _ => Fate::Torn,
            };
            let answered: Vec<&[u8]> =
                answered.iter().filter(|(at, _)| *at <= deed.end).map(|(_, der)| der.as_slice()).collect();
            // In memory where there is such a folder: what is tested is not this machine's disk.
            let memory = Path::new("/dev/shm");
            let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
            disk.cut_power(fate, folder.path());
            match recover(folder.path(), &answered) {
                Found::All => {}
                other => faults.push((number, fate, other)),
            }
        }
    }
    faults
}

#[test]
fn what_was_answered_survives_a_power_cut() {
    let Some(rig) = Rig::new() else { return };
    let (cuts, seed) = (number("STEPLESS_POWER_CUTS", 1000), number("STEPLESS_POWER_SEED", 1));
    let (answered, failed) = run(&rig, |_| {});
    assert_eq!(failed, 0);
    let deeds = record::read(&rig.record());
    let faults = cut_often(&rig, &deeds, &answered, cuts, seed);
    say(&format!(
        "power cut at {cuts} moments (seed {seed}) of {} writes and syncs, {} certificates answered: {} faults",
        deeds.len(),
        answered.len(),
        faults.len()
    ));
    assert!(faults.is_empty(), "{:?}", &faults[..faults.len().min(5)]);
}

#[test]
fn what_was_answered_survives_syncs_that_fail() {
    let Some(rig) = Rig::new() else { return };
    let (cuts, seed) = (number("STEPLESS_POWER_CUTS", 1000) / 3, number("STEPLESS_POWER_SEED", 1));
    // Two in a row fail, then three succeed.
    let (answered, failed) = run(&rig, |request| {
        rig.set(if request < REQUESTS && request % 5 < 2 { Fault::SyncFails } else { Fault::None });
    });
    assert!(failed >= REQUESTS / 5, "{failed} requests failed");
    let deeds = record::read(&rig.record());
    let faults = cut_often(&rig, &deeds, &answered, cuts, seed);
    say(&format!(
        "syncs failed and {failed} requests with them, power cut at {cuts} moments (seed {seed}), {} certificates \
         answered: {} faults",
        answered.len(),
        faults.len()
    ));
    assert!(faults.is_empty(), "{:?}", &faults[..faults.len().min(5)]);
}

/// What nobody can promise, and that the tests above can fail.
#[test]
fn a_disk_that_lies_loses_what_was_answered() {
    let Some(rig) = Rig::new() else { return };
    let (cuts, seed) = (number("STEPLESS_POWER_CUTS", 1000) / 15, number("STEPLESS_POWER_SEED", 1));
    let (answered, _) = run(&rig, |request| {
        rig.set(if request == 0 { Fault::None } else { Fault::SyncLies });
    });
    let deeds = record::read(&rig.record());
    let faults = cut_often(&rig, &deeds, &answered, cuts, seed);
    let unreadable = faults.iter().filter(|(_, _, found)| matches!(found, Found::Unreadable(_))).count();
    let lacking = faults.len() - unreadable;
    say(&format!(
        "a disk that says it has synced and has not, power cut at {cuts} moments (seed {seed}): {lacking} times \
         certificates were missing, {unreadable} times the database was found damaged"
    ));
    assert!(lacking > 0);
}
