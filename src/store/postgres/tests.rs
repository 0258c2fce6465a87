//! The PostgreSQL store: the common suite, then what only a server can go wrong with. tests/postgres.rs has whole
//! processes.

#![cfg(unix)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::PostgresAddress;
use super::PostgresStore;
use super::Residents;
use crate::store::Broken;
use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Error;
use crate::store::Outcome;
use crate::store::Renewed;
use crate::store::SpentToken;
use crate::store::Store;
use crate::store::conformance;
use crate::store::conformance::block_on;
use crate::store::conformance::both;
use crate::store::conformance::certificate;
use crate::store::conformance::check;
use crate::store::conformance::check_certificate;
use crate::store::conformance::check_counts;
use crate::store::conformance::crl;
use crate::store::conformance::only;
use crate::store::conformance::revoke;
use crate::store::conformance::serial;
use crate::store::conformance::token;

#[path = "../../../tests/common/postgres.rs"]
mod server;

use crate::store::tools;
use server::PASSWORD;
use server::Postgres;

fn address(server: &Postgres, parameters: &str) -> PostgresAddress {
    PostgresAddress::parse(&server.data_source(parameters), None, None).unwrap()
}

/// With TLS, and the server's name checked.
fn open(server: &Postgres) -> PostgresStore {
    let root = server.root();
    let parameters = format!("sslmode=verify-full&sslrootcert={}", root.display());
    PostgresStore::open(&address(server, &parameters)).unwrap()
}

/// Begins with an empty database.
fn open_new(server: &Postgres) -> PostgresStore {
    server.sql("DROP SCHEMA IF EXISTS stepless CASCADE");
    open(server)
}

#[test]
fn conforms() {
    let Some(server) = Postgres::start() else { return };
    conformance::run(&|| open_new(&server));
    let reopen = |store: PostgresStore| {
        drop(store);
        open(&server)
    };
    conformance::audit::the_log_goes_on(open_new(&server), &reopen);
    conformance::compare_with_model(&|| open_new(&server), Some(&reopen), 12);
}

#[test]
fn stores_on_one_database_agree() {
    let Some(server) = Postgres::start() else { return };
    server.sql("ALTER DATABASE ca SET default_transaction_isolation = 'serializable'");
    // Made at the same moment, by all of them.
    let stores: Vec<PostgresStore> = thread::scope(|scope| {
        let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&server))).collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    });
    for round in 0..20_u8 {
        let outcomes: Vec<Outcome> = thread::scope(|scope| {
            let racing: Vec<_> = (0..12_u32)
                .map(|number| {
                    let store = &stores[number as usize % 4];
                    let commit = both(token(round, 100), certificate(u32::from(round) * 100 + number));
                    scope.spawn(move || block_on(store.commit(commit)).unwrap())
                })
                .collect();
            racing.into_iter().map(|racing| racing.join().unwrap()).collect()
        });
        let recorded = outcomes.iter().filter(|outcome| **outcome == Outcome::Recorded).count();
        assert_eq!(recorded, 1, "{outcomes:?}");
        check_counts(&stores[0], u64::from(round) + 1, u64::from(round) + 1);
    }
    check(&stores[1], revoke(7, None), Outcome::Recorded);
    let renewed = Some(Renewed { serial: serial(7), rekeyed: false });
    let renewal = Commit { renewed, ..only(token(99, 100)) };
    check(&stores[2], renewal, Outcome::AlreadyRevoked);
    let recorded = stores.iter().map(|store| block_on(store.record_crl(crl(0))).unwrap());
    assert_eq!(recorded.filter(|recorded| *recorded).count(), 1);
    // The order of records has no gap and no number twice.
    let gaps = "SELECT count(*), max(record), (SELECT last_record FROM stepless.head) FROM
        (SELECT record FROM stepless.certificates UNION ALL SELECT record FROM stepless.revocations) AS records";
    assert_eq!(server.sql(gaps), "21|21|21");
    // And so has the log.
    assert_eq!(conformance::audit::kinds(&stores[3]).len(), 21);
    let (walk, broken) = PostgresStore::walk_audit(stores[0].address(), &mut |_| ()).unwrap();
    assert_eq!((walk.chain.sequence, broken), (21, None));
    server.sql("DELETE FROM stepless.certificates WHERE record = 3");
    let (_, broken) = PostgresStore::walk_audit(stores[0].address(), &mut |_| ()).unwrap();
    assert_eq!(broken, Some(Broken::NoCertificate(3)));
    assert_eq!(server.sql("SELECT count(*) FROM stepless.audited WHERE kind IN ('issued', 'revoked')"), "21");
}

#[test]
fn a_failover_that_lost_records_is_noticed() {
    let Some(server) = Postgres::start() else { return };
    let store = open_new(&server);
    let before: i64 = server.sql("SELECT extract(epoch FROM now())::bigint").parse().unwrap();
    let issued = |key: u8, at: i64| only(SpentToken { issued_at: Some(at), ..token(key, at + 300) });
    check(&store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    assert!(block_on(store.record_crl(crl(0))).unwrap());
    // What a standby has that lags behind.
    server.sql("CREATE TABLE copy AS TABLE stepless.head");
    check(
        &store,
        Commit { token: issued(2, before).token, ..both(token(0, 0), certificate(2)) },
        Outcome::Recorded,
    );
    server.sql(
        "DELETE FROM stepless.certificates WHERE record = 2; DELETE FROM stepless.audit WHERE sequence = 2;
         DELETE FROM stepless.spent_tokens WHERE expires_at > 100;
         UPDATE stepless.head SET (last_record, audit_sequence, audit_hash) =
             (SELECT last_record, audit_sequence, audit_hash FROM copy)",
    );
    // It was spent, and nobody but this process knows.
    check(&store, issued(2, before), Outcome::TokenAlreadySpent);
    check(&store, issued(3, before), Outcome::TokenAlreadySpent);
    check(&store, issued(3, before + 3600), Outcome::Recorded);
    check(&store, both(issued(4, before + 3600).token.unwrap(), certificate(3)), Outcome::Recorded);
    assert_eq!(block_on(store.crl()).unwrap().map(|crl| crl.number), Some(1 << 32));
}

#[test]
fn one_bad_record_spoils_no_other() {
    let Some(server) = Postgres::start() else { return };
    let store = open_new(&server);
    // Something that this database takes of nobody.
    server.sql("ALTER TABLE stepless.certificates ADD CHECK (issued_at <> 13)");
    let mut bad = certificate(13);
    bad.issued_at = 13;
    thread::scope(|scope| {
        for number in 0..40 {
            let store = &store;
            let bad = bad.clone();
            scope.spawn(move || {
                if number == 13 {
                    let error = block_on(store.commit(both(token(13, 100), bad))).unwrap_err();
                    assert!(matches!(error, Error::Database { .. }), "{error}");
                } else {
                    let commit = both(token(number, 100), certificate(number.into()));
                    check(store, commit, Outcome::Recorded);
                }
            });
        }
    });
    check_counts(&store, 39, 39);
}

#[test]
fn a_server_may_go_and_come_back() {
    let Some(mut server) = Postgres::start() else { return };
    let store = open_new(&server);
    check(&store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    server.stop();
    for commit in [only(token(2, 100)), both(token(3, 100), certificate(3))] {
        let error = block_on(store.commit(commit)).unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(!format!("{error} {error:?} {store:?}").contains(PASSWORD), "{error:?}");
    }
    assert!(block_on(store.health(0)).unwrap_err().is_temporary());
    assert!(block_on(store.revocations(0)).unwrap_err().is_temporary());
    assert!(block_on(store.counts()).unwrap_err().is_temporary());
    let error = PostgresStore::open(store.address()).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    server.start_again();
    let begun = Instant::now();
    while block_on(store.health(0)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(20));
    }
    check(&store, only(token(1, 100)), Outcome::TokenAlreadySpent);
    check(&store, both(token(2, 100), certificate(2)), Outcome::Recorded);
    // Connections that the server closes while they are idle are not even noticed.
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepless'");
    check(&store, both(token(4, 100), certificate(4)), Outcome::Recorded);
    check_certificate_soon(&store, 4);
    check_counts(&store, 3, 3);
}

/// Reading is not tried again for its caller.
fn check_certificate_soon(store: &PostgresStore, number: u32) {
    let serial = certificate(number).serial;
    let begun = Instant::now();
    while block_on(store.certificate(&serial)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    check_certificate(store, number, true);
}

#[test]
fn what_is_cut_off_is_answered_truthfully() {
    let Some(server) = Postgres::start() else { return };
    let store = Arc::new(open_new(&server));
    let workers: Vec<_> = (0..8_u32)
        .map(|worker| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let mut recorded = Vec::new();
                let mut failed = 0_u32;
                for number in worker * 1000..worker * 1000 + 250 {
                    let commit = Commit { certificate: Some(certificate(number)), ..Commit::default() };
                    match block_on(store.commit(commit)) {
                        Ok(Outcome::Recorded) => recorded.push(number),
                        Ok(other) => panic!("{number}: {other:?}"),
                        Err(error) => {
                            assert!(error.is_temporary(), "{error}");
                            failed += 1;
                        }
                    }
                }
                (recorded, failed)
            })
        })
        .collect();
    while workers.iter().any(|worker| !worker.is_finished()) {
        server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepless'",
        );
    }
    let mut told = 0;
    let mut failures = 0;
    for worker in workers {
        let (recorded, failed) = worker.join().unwrap();
        for number in &recorded {
            check_certificate_soon(&store, *number);
        }
        told += recorded.len();
        failures += failed;
    }
    assert!(told > 0 && failures > 0, "{told} recorded, {failures} failed: nothing was cut off");
}

#[test]
fn a_process_that_stands_still_holds_up_nobody_for_long() {
    let Some(server) = Postgres::start() else { return };
    let store = open_new(&server);
    // Another process takes the turn, and says no more.
    let mut other = server.hold("BEGIN; SELECT * FROM stepless.head FOR UPDATE; SELECT pg_sleep(60)");
    let begun = Instant::now();
    while server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0" {
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    let error = block_on(store.commit(only(token(1, 100)))).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    check(&store, only(token(1, 100)), Outcome::Recorded);
}

#[test]
fn protection_is_what_sslmode_says() {
    let Some(server) = Postgres::start() else { return };
    let root = server.root();
    let with_root = |mode: &str| format!("sslmode={mode}&sslrootcert={}", root.display());
    let residents = |address: &PostgresAddress| PostgresStore::residents(address);
    let none = Residents { stepless: false, step_ca: false };
    for parameters in
        ["", "sslmode=require", "sslmode=disable", &with_root("verify-ca"), &with_root("verify-full")]
    {
        assert_eq!(residents(&address(&server, parameters)), Ok(none), "{parameters}");
    }
    let by_address = |parameters: &str| {
        let source = server.data_source(parameters).replace("localhost", "127.0.0.1");
        residents(&PostgresAddress::parse(&source, None, None).unwrap())
    };
    assert_eq!(by_address(&with_root("verify-ca")), Ok(none));
    let refused = |result: Result<Residents, Error>, reason: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains(PASSWORD), "{error}");
    };
    refused(by_address(&with_root("verify-full")), "not valid for name");
    // The system's roots do not know it.
    refused(residents(&address(&server, "sslmode=verify-ca")), "");
    refused(residents(&address(&server, "sslmode=verify-full&sslrootcert=/nowhere.pem")), "/nowhere.pem");
    let wrong = server.data_source("").replace(PASSWORD, "wrong");
    refused(
        residents(&PostgresAddress::parse(&wrong, None, None).unwrap()),
        "password authentication failed",
    );
    // SCRAM bound to the connection, and TLS demanded by the server.
    assert_eq!(residents(&address(&server, "sslmode=require&channel_binding=require")), Ok(none));
    let socket = format!("host={} user=ca dbname=ca port={}", server.folder().display(), server.port);
    assert_eq!(residents(&PostgresAddress::parse(&socket, None, None).unwrap()), Ok(none));
    let store = open(&server);
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'stepless'";
    assert_eq!(server.sql(encrypted), "t");
    drop(store);
    server.sql("CREATE TABLE used_ott (nkey bytea, nvalue bytea)");
    assert_eq!(residents(&address(&server, "")), Ok(Residents { stepless: true, step_ca: true }));
}

#[test]
fn tokens_of_a_clock_that_went_back_count_as_used() {
    let Some(server) = Postgres::start() else { return };
    let store = open_new(&server);
    let at = |number: u8, issued_at: i64| {
        let certificate = CertificateRecord { issued_at, ..certificate(number.into()) };
        Commit { token: Some(token(number, 2000)), certificate: Some(certificate), ..Commit::default() }
    };
    check(&store, at(1, 1990), Outcome::Recorded);
    assert_eq!(block_on(store.prune(3000)), Ok(1));
    // The same token, where the clock shows a time at which it was valid.
    check(&store, at(1, 1995), Outcome::TokenAlreadySpent);
    check(&store, at(2, 2999), Outcome::TokenAlreadySpent);
    check(&store, at(3, 3000), Outcome::Recorded);
}

#[test]
fn other_versions_and_lost_records_are_known() {
    let Some(server) = Postgres::start() else { return };
    let store = open_new(&server);
    server.sql("UPDATE stepless.head SET records_lost_until = 1000");
    check(&store, only(token(1, 1299)), Outcome::TokenAlreadySpent);
    check(&store, only(token(2, 1300)), Outcome::Recorded);
    server.sql("UPDATE stepless.schema_version SET version = 99");
    let error = PostgresStore::open(store.address()).unwrap_err();
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }), "{error}");
    server.sql("DROP SCHEMA stepless CASCADE; ALTER DATABASE ca SET synchronous_commit = off");
    let store = open(&server);
    check(&store, only(token(1, 100)), Outcome::Recorded);
    // Who reads the views is an administrator.
    check(&store, both(token(3, 100), certificate(9)), Outcome::Recorded);
    assert_eq!(server.sql("SELECT serial, provisioner FROM stepless.issued").lines().count(), 1);
    server.sql("SELECT * FROM stepless.revoked");
}
