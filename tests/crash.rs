//! The authority is killed in the middle of its work, again and again, and goes on as if nothing had been.
//!
//! 300 kills, or as many as `STEPLESS_CRASH_KILLS` says. Prints what it has done and the seed, which
//! `STEPLESS_CRASH_SEED` sets: when it kills and what clients ask for; how they meet is never the same.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "concurrency/dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use std::time::Instant;

use common::ca::Ca;
use common::ca::Kind;
use common::csr::Csr;
use common::fixture::Fixture;
use common::https::Kept;
use common::https::Request;
use common::local::block_on;
use common::token;
use common::tools;
use dice::Dice;
use serde_json::Value;
use serde_json::json;
use stepless::store::Filter;
use stepless::store::SqliteStore;
use stepless::store::Store as _;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;
use stepless::x509::serial::SerialNumber;

const PROVISIONER: &str = "plain";

const CLIENTS: u64 = 4;

/// How long the authority may work before it is killed, at most.
const LIFE_MICROS: u64 = 100_000;

/// Kills between two looks at the records.
const CHECK_EVERY: usize = 50;

/// Kills of one directory; then another one is begun, so that looking at all of its records stays quick.
const KILLS_A_DIRECTORY: usize = 500;

#[test]
fn killed_in_the_middle_it_forgets_nothing() {
    let kills = tools::variable("STEPLESS_CRASH_KILLS").map_or(300, |text| text.parse().unwrap());
    let seed = tools::variable("STEPLESS_CRASH_SEED");
    let seed = seed.map_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0, |text| text.parse().unwrap());
    say(&format!("STEPLESS_CRASH_SEED={seed}"));
    let begun = Instant::now();
    let mut tally = Tally::default();
    while tally.kills < kills {
        let directory = Directory::new(seed.wrapping_add(tally.kills as u64));
        directory.kill_often((kills - tally.kills).min(KILLS_A_DIRECTORY), &mut tally);
    }
    say(&format!("{} s: {tally}", begun.elapsed().as_secs()));
    assert!(tally.under_way > tally.kills / 4, "too few kills met a request");
    assert!(tally.unheard > 0, "no kill fell between a record and its answer");
}

/// Not `eprintln!`: the test runner would hide it.
fn say(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// What has been done.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    /// Of them, those before it served.
    starting: usize,
    /// Of them, those that left a request without an answer.
    under_way: usize,
    granted: usize,
    refused: usize,
    /// Requests that were granted and recorded, and whose sender was not told.
    unheard: usize,
    start_times: Vec<Duration>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.start_times.clone();
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
        let Self { kills, starting, under_way, granted, refused, unheard, .. } = self;
        write!(
            f,
            "{kills} kills, {starting} of them while it started, {under_way} with requests under way\n\
             {granted} requests granted, {refused} used tokens refused, {unheard} granted unheard\n\
             start to first answer: p50 {} ms, p99 {} ms, max {} ms",
            at(50),
            at(99),
            at(100)
        )
    }
}

/// A token with its request: used once however often it is sent.
#[derive(Debug)]
struct Deed {
    /// Also the id of its requests.
    name: String,
    path: &'static str,
    body: Value,
    /// The serial number to be revoked, if it is not a certificate that is asked for.
    revokes: Option<String>,
    sent: AtomicUsize,
    /// What was answered: a certificate, or nothing for a revocation.
    granted: Mutex<Option<Vec<u8>>>,
}

/// An authority's directory, and what its clients know.
struct Directory {
    fixture: Mutex<Option<Fixture>>,
    key: Value,
    csr: Csr,
    dice: Dice,
    deeds: Mutex<Vec<Arc<Deed>>>,
    /// Those without an answer, or to be sent again for another reason.
    again: Mutex<Vec<Arc<Deed>>>,
    /// Certificates that nobody has asked to revoke.
    received: Mutex<Vec<String>>,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    /// Whether requests may stay without an answer.
    dying: AtomicBool,
    /// Whether clients shall end.
    resting: AtomicBool,
    faults: Mutex<Vec<String>>,
}

impl Directory {
    fn new(seed: u64) -> Self {
        let fixture = Fixture::copy("mosaic");
        let key = fixture.provisioner_key(PROVISIONER);
        Self {
            fixture: Mutex::new(Some(fixture)),
            key,
            csr: Csr::new("a.example", &["a.example"]),
            dice: Dice::new(seed, 0),
            deeds: Mutex::default(),
            again: Mutex::default(),
            received: Mutex::default(),
            refused: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            dying: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            faults: Mutex::default(),
        }
    }

    fn kill_often(&self, kills: usize, tally: &mut Tally) {
        for kill in 1..=kills {
            let [kind, _, _, _, time @ ..] = self.dice.throw();
            let time = (u64::from(u32::from_be_bytes(time)) * LIFE_MICROS) >> 32;
            if kind < 32 {
                self.kill_while_starting(Duration::from_micros(time));
                tally.starting += 1;
            } else {
                let ca = self.start(tally);
                self.work(&ca, || {
                    std::thread::sleep(Duration::from_micros(time));
                    self.dying.store(true, SeqCst);
                    ca.signal("KILL");
                });
                *lock(&self.fixture) = Some(ca.stop());
            }
            tally.kills += 1;
            tally.under_way += usize::from(self.unanswered.swap(0, SeqCst) > 0);
            if kill % CHECK_EVERY == 0 {
                self.check_records();
            }
        }
        // Whatever is still without an answer gets one.
        let ca = self.start(tally);
        self.work(&ca, || {
            while !lock(&self.again).is_empty() && lock(&self.faults).is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.resting.store(true, SeqCst);
        });
        *lock(&self.fixture) = Some(ca.terminate());
        tally.granted += lock(&self.deeds).iter().filter(|deed| lock(&deed.granted).is_some()).count();
        tally.refused += self.refused.load(SeqCst);
        tally.unheard += self.check_records();
    }

    fn kill_while_starting(&self, after: Duration) {
        let fixture = lock(&self.fixture);
        let mut child = Command::new(env!("CARGO_BIN_EXE_stepless"))
            .args(["serve", "ca.json", "--password-file", "secrets/password.txt", "--address", "127.0.0.1:0"])
            .current_dir(fixture.as_ref().unwrap().path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it ended by itself");
    }

    /// Starts it; nobody helps.
    fn start(&self, tally: &mut Tally) -> Ca {
        let begun = Instant::now();
        let fixture = lock(&self.fixture).take().unwrap();
        let ca = Ca::try_start(Kind::Stepless, fixture);
        let ca = ca.unwrap_or_else(|said| panic!("it does not start after {} kills: {said}", tally.kills));
        tally.start_times.push(begun.elapsed());
        ca
    }

    /// Has clients ask for things while `meanwhile` runs. They end with the first request that is not answered, as it
    /// may happen once `dying` is set, or after their present ones once `resting` is.
    fn work(&self, ca: &Ca, meanwhile: impl FnOnce()) {
        self.dying.store(false, SeqCst);
        self.resting.store(false, SeqCst);
        let client = ca.client();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let client = client.clone();
                scope.spawn(move || self.ask_and_ask(&Kept::new(client)));
            }
            meanwhile();
        });
        let faults = lock(&self.faults);
        assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), ca.log());
    }

    fn ask_and_ask(&self, client: &Kept) {
        while !self.resting.load(SeqCst) {
            let again = lock(&self.again).pop();
            let deed = again.unwrap_or_else(|| self.draw());
            match self.ask(client, &deed) {
                Ok(true) => {}
                Ok(false) => {
                    self.unanswered.fetch_add(1, SeqCst);
                    return lock(&self.again).push(deed);
                }
                Err(fault) => return lock(&self.faults).push(format!("{}: {fault}", deed.name)),
            }
        }
    }

    /// Something to ask for: mostly a certificate with a new token.
    fn draw(&self) -> Arc<Deed> {
        let [kind, _, _, _, choice @ ..] = self.dice.throw();
        let choice = u32::from_be_bytes(choice) as usize;
        let old = {
            let deeds = lock(&self.deeds);
            (!deeds.is_empty()).then(|| Arc::clone(&deeds[choice % deeds.len()]))
        };
        match (kind, old) {
            (0..40, Some(old)) => old,
            (40..60, _) => {
                let serial = lock(&self.received).pop();
                self.deed(serial)
            }
            (60..80, _) => {
                // Twice, maybe side by side.
                let deed = self.deed(None);
                lock(&self.again).push(Arc::clone(&deed));
                deed
            }
            _ => self.deed(None),
        }
    }

    fn deed(&self, revokes: Option<String>) -> Arc<Deed> {
        let (path, subject) = match &revokes {
            Some(serial) => ("/1.0/revoke", serial.as_str()),
            None => ("/1.0/sign", "a.example"),
        };
        let mut claims = token::claims(PROVISIONER, subject);
        claims["aud"] = format!("https://localhost{path}").into();
        // So that no used token is forgotten during the test.
        claims["exp"] = (token::now() + 86_400).into();
        let ott = token::mint(&self.key, &claims);
        let body = match &revokes {
            Some(serial) => json!({"serial": serial, "ott": ott, "reasonCode": 4, "passive": true}),
            None => json!({"csr": self.csr.pem, "ott": ott}),
        };
        let name = claims["jti"].as_str().unwrap().to_owned();
        let deed = Arc::new(Deed {
            name,
            path,
            body,
            revokes,
            sent: AtomicUsize::new(0),
            granted: Mutex::default(),
        });
        lock(&self.deeds).push(Arc::clone(&deed));
        deed
    }

    /// Sends a request, and tells whether there was an answer.
    fn ask(&self, client: &Kept, deed: &Deed) -> Result<bool, String> {
        let sent_before = deed.sent.fetch_add(1, SeqCst);
        let mut request = Request::post(deed.path, &deed.body);
        request.headers.push(("X-Request-Id".to_owned(), deed.name.clone()));
        let answer = match client.send(&request) {
            Ok(answer) => answer,
            Err(_) if self.dying.load(SeqCst) => return Ok(false),
            Err(failure) => return Err(format!("{failure:?}")),
        };
        match answer.status {
            200 | 201 => {
                let answer = answer.json();
                let der = answer["crt"].as_str().map(|crt| pem::decode_first(crt).unwrap().content.to_vec());
                if let Some(der) = &der {
                    let serial = Certificate::parse(der).map_err(|error| error.to_string())?;
                    lock(&self.received).push(serial.serial_number().to_string());
                }
                match lock(&deed.granted).replace(der.unwrap_or_default()) {
                    None => Ok(true),
                    Some(_) => Err("accepted twice".to_owned()),
                }
            }
            // Somebody else's sending may be the one that was granted, and its answer still be on the way.
            401 if sent_before > 0 || deed.sent.load(SeqCst) > 1 => {
                self.refused.fetch_add(1, SeqCst);
                Ok(true)
            }
            status => Err(format!("sent {sent_before} times before, answered {status}: {}", answer.text())),
        }
    }

    /// Compares what is on record with what was answered; returns how much was granted without an answer.
    fn check_records(&self) -> usize {
        let fixture = lock(&self.fixture);
        let store = SqliteStore::open(&fixture.as_ref().unwrap().file("db/stepless.db")).unwrap();
        block_on(store.check()).unwrap();
        let mut by_request = BTreeMap::new();
        let (mut certificates, mut revocations) = (0, 0);
        for listed in block_on(store.list(Filter::default(), usize::MAX)).unwrap() {
            if let Some(revocation) = &listed.revocation {
                revocations += 1;
                let asked = by_request.insert(revocation.request_id.clone(), Vec::new());
                assert_eq!(asked, None, "{} was accepted twice", revocation.request_id);
            }
            // The list is in the order of issue, which has each serial number once.
            let certificate = listed.certificate.expect("only certificates on record are revoked");
            certificates += 1;
            let asked = by_request.insert(certificate.request_id.clone(), certificate.der);
            assert_eq!(asked, None, "{} was accepted twice", certificate.request_id);
        }
        let counts = block_on(store.counts()).unwrap();
        assert_eq!(counts.certificates, certificates);
        assert_eq!(counts.spent_tokens, certificates + revocations, "a token without its record, or without");
        let mut unheard = 0;
        for deed in lock(&self.deeds).iter() {
            let recorded = by_request.remove(&deed.name);
            match &*lock(&deed.granted) {
                Some(granted) => {
                    assert_eq!(recorded.as_ref(), Some(granted), "{} is not on record", deed.name)
                }
                None => unheard += usize::from(recorded.is_some()),
            }
            if let (Some(serial), Some(_)) = (&deed.revokes, recorded) {
                let serial = SerialNumber::parse_signed(serial).unwrap();
                assert!(block_on(store.revocation(&serial)).unwrap().is_some(), "{serial} is not revoked");
            }
        }
        assert!(by_request.is_empty(), "records that nobody has asked for: {:?}", by_request.keys());
        unheard
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
