//! The register: the common suite with a store behind it, then what a server of its kind can and cannot promise.

#![cfg(unix)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::RegisterAddress;
use super::RegisteredStore;
use super::TokenRegister;
use crate::store::Error;
use crate::store::MemoryStore;
use crate::store::Outcome;
use crate::store::SpentToken;
use crate::store::Store;
use crate::store::conformance;
use crate::store::conformance::block_on;
use crate::store::conformance::both;
use crate::store::conformance::certificate;
use crate::store::conformance::check;
use crate::store::conformance::check_counts;
use crate::store::conformance::only;
use crate::store::conformance::token;

#[path = "../../../tests/common/redis.rs"]
mod server;

use crate::store::tools;
use server::PASSWORD;
use server::Redis;

/// The end of tokens: the server counts in real time.
const LATER: i64 = 4_000_000_000;

/// A process with a store of its own.
fn open(server: &Redis) -> RegisteredStore {
    let address = RegisterAddress::parse(&server.url(), None).unwrap();
    RegisteredStore::new(Arc::new(MemoryStore::new()), TokenRegister::open(&address).unwrap())
}

fn open_new(server: &Redis) -> RegisteredStore {
    server.ask("FLUSHALL");
    open(server)
}

#[test]
fn conforms() {
    let Some(server) = Redis::start(false) else { return };
    conformance::run(&|| open_new(&server));
    conformance::compare_with_model(&|| open_new(&server), None, 50);
}

#[test]
fn a_token_is_spent_once_over_stores_that_share_nothing_else() {
    let Some(server) = Redis::start(true) else { return };
    let stores: Vec<RegisteredStore> = (0..3).map(|_| open(&server)).collect();
    for round in 0..20_u8 {
        let outcomes: Vec<Outcome> = thread::scope(|scope| {
            let racing: Vec<_> = (0..12_u32)
                .map(|number| {
                    let store = &stores[number as usize % 3];
                    let commit = both(token(round, LATER), certificate(u32::from(round) * 100 + number));
                    scope.spawn(move || block_on(store.commit(commit)).unwrap())
                })
                .collect();
            racing.into_iter().map(|racing| racing.join().unwrap()).collect()
        });
        let recorded = outcomes.iter().filter(|outcome| **outcome == Outcome::Recorded).count();
        assert_eq!(recorded, 1, "{outcomes:?}");
    }
    let key = format!("stepless:spent:{}", "00".repeat(32));
    let left: i64 = server.ask(&format!("EXPIRETIME {key}")).parse().unwrap();
    assert_eq!(left, LATER + 60);
    assert!(!format!("{stores:?}").contains(PASSWORD));
}

#[test]
fn a_commit_that_fails_otherwise_gives_its_token_back() {
    let Some(server) = Redis::start(false) else { return };
    let (a, b) = (open(&server), open(&server));
    check(&a, both(token(1, LATER), certificate(1)), Outcome::Recorded);
    check(&a, both(token(2, LATER), certificate(1)), Outcome::SerialExists);
    check(&b, only(token(2, LATER)), Outcome::Recorded);
}

#[test]
fn without_the_register_nothing_is_recorded() {
    let Some(mut server) = Redis::start(false) else { return };
    let store = open(&server);
    check(&store, both(token(1, LATER), certificate(1)), Outcome::Recorded);
    server.stop();
    let error = block_on(store.commit(both(token(2, LATER), certificate(2)))).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.is_temporary() && !error.to_string().contains(PASSWORD), "{error}");
    assert!(block_on(store.health(0)).is_err());
    check_counts(&store, 1, 1);
    let address = RegisterAddress::parse(&server.url(), None).unwrap();
    assert!(TokenRegister::open(&address).is_err());
    server.start_again();
    let begun = Instant::now();
    while block_on(store.health(0)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(20));
    }
    check(&store, both(token(2, LATER), certificate(2)), Outcome::Recorded);
    // It had no file, so it has forgotten; the process has not.
    check(&store, only(token(1, LATER)), Outcome::TokenAlreadySpent);
}

#[test]
fn a_register_that_forgot_cannot_promise_what_it_knew() {
    let Some(server) = Redis::start(false) else { return };
    let (a, b) = (open(&server), open(&server));
    check(&a, only(token(1, LATER)), Outcome::Recorded);
    check(&b, only(token(1, LATER)), Outcome::TokenAlreadySpent);
    // As after a failover to a replica that lagged behind.
    server.ask("FLUSHALL");
    check(&a, only(token(1, LATER)), Outcome::TokenAlreadySpent);
    server.ask("FLUSHALL");
    // This is what docs/scaling.md warns of: another process takes the token once more.
    check(&b, only(token(1, LATER)), Outcome::Recorded);
    check(&b, only(SpentToken { issued_at: None, ..token(1, LATER) }), Outcome::TokenAlreadySpent);
}

#[test]
fn who_signs_in_wrongly_is_told_so() {
    let Some(server) = Redis::start(true) else { return };
    for (url, reason) in [
        (server.url().replace(PASSWORD, "wrong"), "WRONGPASS"),
        (server.url().replace("/0", "/99"), "out of range"),
        (server.url().replace("localhost", "127.0.0.1"), "certificate"),
        (server.url().replace("rediss", "redis").split('?').next().unwrap().to_owned(), ""),
        (server.url().split('?').next().unwrap().to_owned(), "certificate"),
    ] {
        let error =
            TokenRegister::open(&RegisterAddress::parse(&url, None).unwrap()).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains(PASSWORD), "{url}: {error}");
    }
}
