//! Many clients at once, each kind of request, while the configuration changes: no answer is wrong, none is missing,
//! and nothing that was answered is forgotten when the process is killed, or stopped.
//!
//! 20 seconds, or as many as `STEPLESS_CONCURRENCY_SECONDS` says; prints what it has done, and the seed of what the
//! clients choose to do, which `STEPLESS_CONCURRENCY_SEED` sets. How they meet is never the same.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod deeds;
mod dice;
mod model;

use std::io::Write as _;
use std::time::Duration;
use std::time::Instant;

use common::ca::Ca;
use common::ca::Kind;
use common::fixture::Fixture;
use common::https::Answer;
use common::https::Request;
use common::local::block_on;
use common::tools;
use deeds::Worker;
use dice::Dice;
use model::Model;
use serde_json::Value;
use stepless::store::SqliteStore;
use stepless::store::Store as _;
use stepless::x509::serial::SerialNumber;

/// Is always there.
const STABLE: &str = "plain";

/// Comes and goes with the configuration.
const VOLATILE: &str = "hs512";

const PROVISIONERS: &str = "/provisioners?limit=100";

const CLIENTS: u64 = 32;

/// How long a configuration is left alone.
const CALM: Duration = Duration::from_millis(200);

/// After this nothing is slow, it hangs.
const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn many_clients_at_once_and_none_is_told_a_wrong_thing() {
    let seconds = tools::variable("STEPLESS_CONCURRENCY_SECONDS").map_or(20, |text| text.parse().unwrap());
    let seed = tools::variable("STEPLESS_CONCURRENCY_SEED");
    let seed = seed.map_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0, |text| text.parse().unwrap());
    say(&format!("STEPLESS_CONCURRENCY_SEED={seed}"));
    let fixture = Fixture::copy("mosaic");
    fixture.replace("\"enabled\": true", "\"enabled\": true, \"generateOnRevoke\": true");
    let ca = Ca::try_start(Kind::Stepless, fixture).unwrap();
    let model = Model::new(ca.address, &ca.fixture);
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);

    let reloads = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let worker = Worker::new(&model, &ca.fixture, ca.client(), Dice::new(seed, client));
            scope.spawn(move || worker.run_until(end));
        }
        let reloads = reload_until(end, &ca, &model);
        model.stop();
        reloads
    });
    let (took, figures) = (begun.elapsed().as_secs(), model.figures());
    say(&format!("{CLIENTS} clients, {took} s, {reloads} reloads\n{figures}"));
    let faults = model.faults();
    assert!(faults.is_empty(), "{} faults\n{}\n{}", faults.len(), faults.join("\n"), tail(&ca.log()));
    assert_eq!(model.half_revoked(), [""; 0]);
    assert!(reloads > 1, "{reloads} reloads");

    // Killed, not stopped: what was answered is on record.
    let fixture = ca.stop();
    check_records(&fixture, &model);
    std::fs::write(fixture.file("ca.json"), &model.configurations[0]).unwrap();
    let ca = Ca::try_start(Kind::Stepless, fixture).unwrap();
    check_memory(&ca, &model);
    let fixture = ca.terminate();
    check_records(&fixture, &model);
    check_memory(&Ca::try_start(Kind::Stepless, fixture).unwrap(), &model);
}

/// Not `eprintln!`: the test runner would hide it.
fn say(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// Changes the configuration to and fro; returns how often.
fn reload_until(end: Instant, ca: &Ca, model: &Model) -> usize {
    let mut reloads = 0;
    while Instant::now() < end && !model.stopped() {
        std::thread::sleep(CALM);
        if reloads % 5 == 3 {
            // One that cannot be read is refused, and changes nothing.
            write(&ca.fixture, "{");
            ca.signal("HUP");
            std::thread::sleep(CALM);
        }
        let present = reloads % 2 == 1;
        model.volatile_may_change();
        write(&ca.fixture, &model.configurations[usize::from(!present)]);
        for _ in 0..=reloads % 3 {
            ca.signal("HUP");
        }
        let begun = Instant::now();
        let read = || ca.client().send(&Request::get(PROVISIONERS)).map_err(|error| format!("{error:?}"));
        while read().and_then(|answer| listed(&answer)) != Ok(present) {
            if begun.elapsed() > DEADLINE {
                model.fault("a reload does not end".to_owned());
                return reloads;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        model.volatile_is(present);
        reloads += 1;
    }
    reloads
}

/// Puts a ca.json in the place of the other, so that no reader meets half of one.
fn write(fixture: &Fixture, text: &str) {
    std::fs::write(fixture.file("ca.json.new"), text).unwrap();
    std::fs::rename(fixture.file("ca.json.new"), fixture.file("ca.json")).unwrap();
}

/// Whether the provisioner that comes and goes is there.
fn listed(answer: &Answer) -> Result<bool, String> {
    let provisioners = answer.json()["provisioners"].as_array().cloned().unwrap_or_default();
    let has = |name: &str| provisioners.iter().any(|provisioner| provisioner["name"] == name);
    if answer.status == 200 && has(STABLE) { Ok(has(VOLATILE)) } else { Err(answer.text()) }
}

/// Every certificate that was handed out is on record, and no other.
fn check_records(fixture: &Fixture, model: &Model) {
    let store = SqliteStore::open(&fixture.file("db/stepless.db")).unwrap();
    let issued = model.issued();
    for (serial, der) in &issued {
        let number = SerialNumber::parse_signed(serial).unwrap();
        let record = block_on(store.certificate(&number)).unwrap();
        assert_eq!(record.map(|record| record.der).as_ref(), Some(der), "{serial} is not on record");
    }
    let counts = block_on(store.counts()).unwrap();
    assert_eq!(counts.certificates, issued.len() as u64, "there are certificates that nobody has got");
    block_on(store.check()).unwrap();
}

/// After a restart all is as it was.
fn check_memory(ca: &Ca, model: &Model) {
    let worker = Worker::new(model, &ca.fixture, ca.client(), Dice::new(0, 0));
    let number = model.crl_number();
    worker.crl().unwrap();
    assert!(model.crl_number() > number, "a start issues a CRL");
    let revoked = model.revoked();
    assert!(!revoked.is_empty());
    // A few of each are enough: the CRL has them all.
    for held in revoked.iter().rev().take(20) {
        let held = held.at(ca.address);
        worker.renew(&held).unwrap();
        worker.revoke(&held).unwrap();
    }
    for body in model.spent().iter().rev().take(20) {
        let body: &Value = body;
        worker.sign_again(body).unwrap();
    }
}

/// The end of a log.
fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(4000);
    log.get(start..).unwrap_or(log)
}
