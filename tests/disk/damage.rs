//! A database that is cut short, or in which a bit has flipped: it says so, or answers as before; nothing panics, and no
//! token passes twice.
//!
//! 1000 bits, or as many as `STEPLESS_FLIPS` says, drawn from the seed `STEPLESS_FLIPS_SEED`; prints what became of them.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::CrlRecord;
use stepless::store::Error;
use stepless::store::Outcome;
use stepless::store::Renewed;
use stepless::store::Revocation;
use stepless::store::SpentToken;
use stepless::store::SqliteStore;
use stepless::store::Store as _;
use stepless::store::TokenKey;
use stepless::x509::serial::SerialNumber;
use tempfile::TempDir;

use crate::common::binary::Daemon;
use crate::common::binary::Desk;
use crate::common::local::block_on;
use crate::common::panics;
use crate::dice::Dice;
use crate::power::number;
use crate::say;

const NOW: i64 = 1_800_000_000;

/// Tokens and certificates; the first few certificates are revoked.
const RECORDS: u64 = 60;
const REVOKED: u64 = 20;

fn drawn(number: u64) -> u64 {
    u64::from_be_bytes(Dice::new(0, number).throw())
}

fn serial(number: u64) -> SerialNumber {
    // The numbers lie apart, as random ones do.
    SerialNumber::parse_signed(&format!("{}", u128::from(drawn(number)) << 32 | 1)).unwrap()
}

fn token(number: u64) -> SpentToken {
    let mut key = [0; 32];
    for (index, part) in key.chunks_mut(8).enumerate() {
        part.copy_from_slice(&drawn(number << 8 | index as u64).to_be_bytes());
    }
    SpentToken {
        key: TokenKey(key),
        expires_at: NOW + 300 + i64::try_from(number).unwrap(),
        issued_at: Some(NOW),
    }
}

fn record(serial: SerialNumber, number: u64) -> CertificateRecord {
    CertificateRecord {
        serial,
        der: (0..600).map(|at| drawn(number << 16 | at).to_be_bytes()[0]).collect(),
        not_before: NOW,
        not_after: NOW + 86_400,
        subject: format!("host{number}.example"),
        provisioner: "p".to_owned(),
        provisioner_id: "p:k".to_owned(),
        grant_id: Some("3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned()),
        subject_user_id: None,
        issued_at: NOW,
        request_id: format!("request {number}"),
    }
}

fn revocation(number: u64) -> Revocation {
    Revocation {
        serial: serial(number),
        revoked_at: NOW,
        reason_code: 4,
        reason: "lost".to_owned(),
        expires_at: Some(NOW + 86_400),
        provisioner_id: None,
        request_id: format!("revocation {number}"),
    }
}

fn list() -> CrlRecord {
    CrlRecord { number: 0, this_update: NOW, next_update: NOW + 60, der: vec![7; 200] }
}

/// A database, closed.
fn make(path: &Path) -> Vec<u8> {
    let store = SqliteStore::open(path).unwrap();
    for number in 0..RECORDS {
        let certificate = Some(record(serial(number), number));
        let commit = Commit { token: Some(token(number)), certificate, ..Commit::default() };
        assert_eq!(block_on(store.commit(commit)).unwrap(), Outcome::Recorded);
    }
    for number in 0..REVOKED {
        let commit = Commit { revocation: Some(revocation(number)), ..Commit::default() };
        assert_eq!(block_on(store.commit(commit)).unwrap(), Outcome::Recorded);
    }
    assert!(block_on(store.record_crl(list())).unwrap());
    drop(store);
    std::fs::read(path).unwrap()
}

/// The one wrong answer that is given: a certificate that is on record is not found by its number. Then its extension
/// tells its provisioner.
const NOT_FOUND: &str = "a certificate is not found";

/// What an answer is beside the one that was given before.
#[derive(Debug, Default)]
struct Answers {
    errors: usize,
    wrong: Vec<String>,
}

/// It is the flip that it speaks of, and it names the file.
#[track_caller]
fn check_error(error: &Error, path: &Path) {
    let is_of_damage = matches!(
        error,
        Error::Corrupt { .. }
            | Error::NotADatabase { .. }
            | Error::Foreign { .. }
            | Error::NewerSchema { .. }
            | Error::Database { .. }
            | Error::ClockBehind { .. }
    );
    assert!(is_of_damage && error.to_string().contains(path.to_str().unwrap()), "{error}");
}

impl Answers {
    fn take<T>(
        &mut self,
        path: &Path,
        answer: Result<T, Error>,
        is_right: impl FnOnce(T) -> bool,
        what: &str,
    ) {
        match answer {
            Ok(answer) => {
                if !is_right(answer) {
                    self.wrong.push(what.to_owned());
                }
            }
            Err(error) => {
                check_error(&error, path);
                self.errors += 1;
            }
        }
    }
}

/// Asks for all that a store is asked for.
fn ask(store: &SqliteStore, path: &Path) -> Answers {
    let mut answers = Answers::default();
    for number in 0..RECORDS {
        let certificate = Some(record(serial(1000 + number), number));
        let again = Commit { token: Some(token(number)), certificate, ..Commit::default() };
        let right = |outcome| outcome == Outcome::TokenAlreadySpent;
        answers.take(path, block_on(store.commit(again)), right, "a token was accepted twice");
        let found = block_on(store.certificate(&serial(number)));
        let expected = Some(record(serial(number), number));
        let what = if matches!(found, Ok(None)) { NOT_FOUND } else { "another certificate" };
        answers.take(path, found, |found| found == expected, what);
    }
    for number in 0..REVOKED {
        let certificate = Some(record(serial(2000 + number), number));
        let renewed = Renewed { serial: serial(number), rekeyed: false };
        let renewal = Commit { renewed: Some(renewed), certificate, ..Commit::default() };
        let right = |outcome| outcome == Outcome::AlreadyRevoked;
        answers.take(path, block_on(store.commit(renewal)), right, "a revoked certificate was renewed");
    }
    let revocations: Vec<_> = (0..REVOKED).map(revocation).collect();
    answers.take(path, block_on(store.revocations(NOW)), |found| found == revocations, "other revocations");
    let crl = block_on(store.crl());
    answers.take(path, crl, |found| found == Some(list()), "another CRL");
    answers
}

#[test]
fn a_bit_that_flips() {
    let (flips, seed) = (number("STEPLESS_FLIPS", 1000), number("STEPLESS_FLIPS_SEED", 1));
    let _panics = panics::Watch::start();
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    let path = folder.path().join("stepless.db");
    let whole = make(&path);
    let dice = Dice::new(seed, 0);
    let (mut at_open, mut at_use, mut not_found, mut unseen, mut harmless) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    for _ in 0..flips {
        let bit = usize::try_from(u64::from_be_bytes(dice.throw()) % (whole.len() as u64 * 8)).unwrap();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let opened = loop {
            match SqliteStore::open(&path) {
                // A process that another test is starting holds the last lock until it has become a program.
                Err(Error::InUse { .. }) => std::thread::sleep(Duration::from_millis(1)),
                other => break other,
            }
        };
        let store = match opened {
            Ok(store) => store,
            Err(error) => {
                check_error(&error, &path);
                at_open += 1;
                continue;
            }
        };
        let is_found = block_on(store.check()).is_err();
        let answers = ask(&store, &path);
        let is_found_by_check = is_found && answers.wrong.iter().all(|what| what == NOT_FOUND);
        match (answers.wrong.is_empty(), answers.errors > 0) {
            (false, _) if !is_found_by_check => wrong.push(format!("bit {bit}: {}", answers.wrong[0])),
            (true, true) => at_use += 1,
            (false, _) => not_found += 1,
            (true, false) if is_found => unseen += 1,
            (true, false) => harmless += 1,
        }
    }
    say(&format!(
        "{flips} flips (seed {seed}) in {} bytes: {at_open} refused at the start, {at_use} at use; {not_found} hid \
         certificates and {unseen} did nothing, and `store check` found them; {harmless} without effect; {} wrong answers",
        whole.len(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_database_cut_short() {
    let folder = TempDir::new().unwrap();
    let path: PathBuf = folder.path().join("stepless.db");
    let whole = make(&path);
    let mut lengths: Vec<usize> = (0..whole.len()).step_by(4096).map(|length| length + 1).collect();
    lengths.extend((0..whole.len()).step_by(4096).skip(1));
    for length in &lengths {
        std::fs::write(&path, &whole[..*length]).unwrap();
        let error = SqliteStore::open(&path).expect_err(&length.to_string());
        assert!(matches!(error, Error::Corrupt { .. } | Error::NotADatabase { .. }), "{length}: {error}");
    }
    say(&format!("cut short at {} lengths: all refused at the start", lengths.len()));

    // As an operator meets it.
    let desk = Desk::new();
    let line = "serve --dev --dir dev --address 127.0.0.1:0";
    assert!(desk.serve(line).signal("TERM").success());
    let database = desk.file("dev/db/stepless.db");
    std::fs::write(&database, &whole[..whole.len() - 5000]).unwrap();
    let check = desk.run("store check --config dev/config/ca.json");
    let start = Daemon::start(desk.command(line)).expect_err("it serves");
    for said in [check.stderr, start] {
        assert!(said.contains("dev/db/stepless.db\" is damaged"), "{said}");
        assert!(said.contains("hint: restore it from a backup"), "{said}");
    }
    // Nothing is left: that cannot be told from a first start, but from an ordinary one.
    std::fs::write(&database, []).unwrap();
    let daemon = desk.serve(line);
    assert!(daemon.log().contains("warning: ") && daemon.log().contains("is empty"), "{}", daemon.log());
}
