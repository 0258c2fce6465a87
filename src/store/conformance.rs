//! What every [`Store`] must do, as one suite that each store's tests run.

pub(super) mod audit;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Barrier;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::thread;
use std::thread::Thread;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prop_assert_eq;
use proptest::prop_oneof;
use proptest::test_runner::Config;
use proptest::test_runner::TestCaseError;
use proptest::test_runner::TestRunner;

use super::CertificateRecord;
use super::Commit;
use super::Counts;
use super::CrlRecord;
use super::Filter;
use super::Listed;
use super::Order;
use super::Outcome;
use super::Renewed;
use super::Revocation;
use super::SpentToken;
use super::Store;
use super::TokenKey;
use crate::x509::serial::SerialNumber;

/// Waits for a future on this thread; the stores must not need more of an executor than this.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park();
    }
}

pub(super) fn token(number: u8, expires_at: i64) -> SpentToken {
    SpentToken { key: TokenKey([number; 32]), expires_at, issued_at: Some(expires_at - 300) }
}

pub(super) fn serial(number: u32) -> SerialNumber {
    u64::from(number).into()
}

pub(super) fn certificate(number: u32) -> CertificateRecord {
    CertificateRecord {
        serial: serial(number),
        der: number.to_be_bytes().repeat(200),
        not_before: 1_795_480_507,
        not_after: 1_795_566_967,
        subject: format!("CN=host{number}.example"),
        provisioner: "mosaic".to_owned(),
        provisioner_id: format!("mosaic:key{}", number % 3),
        grant_id: number.is_multiple_of(2).then(|| "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned()),
        subject_user_id: None,
        issued_at: 1_795_480_567,
        request_id: "b7e0c1f6-3f0e-4f5e-9f0e-1a2b3c4d5e6f".to_owned(),
    }
}

pub(super) fn both(token: SpentToken, certificate: CertificateRecord) -> Commit {
    Commit { token: Some(token), certificate: Some(certificate), ..Commit::default() }
}

pub(super) fn only(token: SpentToken) -> Commit {
    Commit { token: Some(token), ..Commit::default() }
}

pub(super) fn revocation(number: u32, expires_at: Option<i64>) -> Revocation {
    Revocation {
        serial: serial(number),
        revoked_at: 1_795_480_600,
        reason_code: 1,
        reason: "stolen".to_owned(),
        expires_at,
        provisioner_id: number.is_multiple_of(2).then(|| "mosaic:key".to_owned()),
        request_id: format!("request{number}"),
    }
}

pub(super) fn revoke(number: u32, expires_at: Option<i64>) -> Commit {
    Commit { revocation: Some(revocation(number, expires_at)), ..Commit::default() }
}

pub(super) fn crl(number: i64) -> CrlRecord {
    let this_update = 1_795_480_600 + number * 10;
    CrlRecord { number, this_update, next_update: this_update + 5, der: vec![7; 300] }
}

#[track_caller]
pub(super) fn check(store: &impl Store, commit: Commit, expected: Outcome) {
    assert_eq!(block_on(store.commit(commit)).unwrap(), expected);
}

#[track_caller]
pub(super) fn check_counts(store: &impl Store, spent_tokens: u64, certificates: u64) {
    let expected = Counts { spent_tokens, certificates };
    assert_eq!(block_on(store.counts()).unwrap(), expected);
}

#[track_caller]
pub(super) fn check_certificate(store: &impl Store, number: u32, expected: bool) {
    assert_eq!(block_on(store.certificate(&serial(number))).unwrap(), expected.then(|| certificate(number)));
}

/// Runs the suite, each case on a store of its own.
pub(super) fn run<S: Store>(open: &dyn Fn() -> S) {
    a_token_is_spent_once(&open());
    token_and_certificate_go_together(&open());
    a_replay_writes_nothing(&open());
    a_taken_serial_leaves_the_token_unspent(&open());
    nothing_to_record_is_recorded(&open());
    optional_members_come_back(&open());
    prune_drops_only_the_expired(&open());
    of_fifty_at_once_one_wins(&open());
    many_at_once_are_all_recorded(&open());
    a_serial_is_revoked_once(&open());
    a_revoked_certificate_is_not_renewed(&open());
    the_first_obstacle_is_the_answer(&open());
    lists_forget_what_expired(&open());
    crl_numbers_only_rise(&open());
    of_fifty_revocations_one_wins(&open());
    lists_hold_what_fits(&open());
    audit::run(open);
}

fn a_token_is_spent_once(store: &impl Store) {
    block_on(store.health(0)).unwrap();
    check(store, only(token(1, 100)), Outcome::Recorded);
    check(store, only(token(1, 100)), Outcome::TokenAlreadySpent);
    check(store, only(token(1, 999)), Outcome::TokenAlreadySpent);
    check(store, only(token(2, 100)), Outcome::Recorded);
    check_counts(store, 2, 0);
}

fn token_and_certificate_go_together(store: &impl Store) {
    check_certificate(store, 7, false);
    check(store, both(token(1, 100), certificate(7)), Outcome::Recorded);
    check_certificate(store, 7, true);
    check_certificate(store, 8, false);
    check_counts(store, 1, 1);
}

fn a_replay_writes_nothing(store: &impl Store) {
    check(store, only(token(1, 100)), Outcome::Recorded);
    check(store, both(token(1, 100), certificate(7)), Outcome::TokenAlreadySpent);
    check_certificate(store, 7, false);
    check_counts(store, 1, 0);
}

fn a_taken_serial_leaves_the_token_unspent(store: &impl Store) {
    check(store, both(token(1, 100), certificate(7)), Outcome::Recorded);
    let mut other = certificate(8);
    other.serial = serial(7);
    check(store, both(token(2, 100), other.clone()), Outcome::SerialExists);
    check(store, both(token(1, 100), other), Outcome::TokenAlreadySpent);
    check_certificate(store, 7, true);
    check_counts(store, 1, 1);
    check(store, both(token(2, 100), certificate(8)), Outcome::Recorded);
}

fn nothing_to_record_is_recorded(store: &impl Store) {
    check(store, Commit::default(), Outcome::Recorded);
    check_counts(store, 0, 0);
}

fn optional_members_come_back(store: &impl Store) {
    let mut largest = certificate(1);
    largest.serial = SerialNumber::from_content(&[0x7f; 20]).unwrap();
    largest.der = vec![0; 100_000];
    largest.not_before = i64::MIN;
    largest.not_after = i64::MAX;
    largest.subject = "CN=bücher\u{0}.example".to_owned();
    largest.subject_user_id = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let mut zero = certificate(3);
    zero.serial = SerialNumber::from(0);
    zero.der.clear();
    for record in [largest, zero] {
        let commit = Commit { certificate: Some(record.clone()), ..Commit::default() };
        check(store, commit, Outcome::Recorded);
        let found = block_on(store.certificate(&record.serial)).unwrap();
        assert_eq!(found, Some(record));
    }
}

fn prune_drops_only_the_expired(store: &impl Store) {
    for number in 0..=200 {
        check(
            store,
            both(token(number, 1000 + i64::from(number)), certificate(number.into())),
            Outcome::Recorded,
        );
    }
    assert_eq!(block_on(store.prune(1000)).unwrap(), 0);
    assert_eq!(block_on(store.prune(1150)).unwrap(), 150);
    assert_eq!(block_on(store.prune(1150)).unwrap(), 0);
    check_counts(store, 51, 201);
    check(store, only(token(150, 1150)), Outcome::TokenAlreadySpent);
    check(store, only(token(149, 1149)), Outcome::Recorded);
}

fn of_fifty_at_once_one_wins(store: &impl Store) {
    for round in 0..10 {
        let outcomes = at_once(50, |number| {
            let number = u32::from(round) * 50 + number;
            block_on(store.commit(both(token(round, 100), certificate(number)))).unwrap()
        });
        let recorded = |outcome: &&Outcome| **outcome == Outcome::Recorded;
        assert_eq!(outcomes.iter().filter(recorded).count(), 1, "{outcomes:?}");
        check_counts(store, u64::from(round) + 1, u64::from(round) + 1);
        for (number, outcome) in outcomes.iter().enumerate() {
            let number = u32::from(round) * 50 + u32::try_from(number).unwrap();
            check_certificate(store, number, recorded(&outcome));
        }
    }
}

fn many_at_once_are_all_recorded(store: &impl Store) {
    at_once(20, |thread| {
        for number in thread * 50..(thread + 1) * 50 {
            let commit = Commit { certificate: Some(certificate(number)), ..Commit::default() };
            check(store, commit, Outcome::Recorded);
            check_certificate(store, number, true);
        }
    });
    check_counts(store, 0, 1000);
}

fn a_serial_is_revoked_once(store: &impl Store) {
    assert_eq!(block_on(store.revocation(&serial(7))).unwrap(), None);
    check(store, revoke(7, None), Outcome::Recorded);
    check(store, revoke(7, Some(5)), Outcome::AlreadyRevoked);
    assert_eq!(block_on(store.revocation(&serial(7))).unwrap(), Some(revocation(7, None)));
    assert_eq!(block_on(store.revocation(&serial(8))).unwrap(), None);
    let mut negative = revocation(9, Some(i64::MAX));
    negative.serial = SerialNumber::parse_signed("-255009").unwrap();
    negative.reason = "bücher\u{0}".to_owned();
    let commit = Commit { revocation: Some(negative.clone()), ..Commit::default() };
    check(store, commit, Outcome::Recorded);
    assert_eq!(block_on(store.revocation(&negative.serial)).unwrap(), Some(negative));
}

fn a_revoked_certificate_is_not_renewed(store: &impl Store) {
    let renewal = |old: u32, new: u32| Commit {
        renewed: Some(Renewed { serial: serial(old), rekeyed: false }),
        ..both(token(9, 100), certificate(new))
    };
    check(store, revoke(7, None), Outcome::Recorded);
    check(store, renewal(7, 70), Outcome::AlreadyRevoked);
    check_certificate(store, 70, false);
    check_counts(store, 0, 0);
    check(store, renewal(8, 80), Outcome::Recorded);
    check_certificate(store, 80, true);
}

fn the_first_obstacle_is_the_answer(store: &impl Store) {
    check(store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    check(store, revoke(1, None), Outcome::Recorded);
    let all =
        |key: u8| Commit { revocation: Some(revocation(1, None)), ..both(token(key, 100), certificate(1)) };
    check(store, all(1), Outcome::TokenAlreadySpent);
    check(store, all(2), Outcome::AlreadyRevoked);
    check(store, both(token(2, 100), certificate(1)), Outcome::SerialExists);
    // None of them spent the second token.
    check(store, only(token(2, 100)), Outcome::Recorded);
}

fn lists_forget_what_expired(store: &impl Store) {
    for (number, expires_at) in [(5, Some(100)), (3, None), (4, Some(101)), (1, Some(99))] {
        check(store, revoke(number, expires_at), Outcome::Recorded);
    }
    let listed = |now: i64| {
        let revocations = block_on(store.revocations(now)).unwrap();
        revocations.into_iter().map(|revocation| revocation.serial).collect::<Vec<_>>()
    };
    assert_eq!(listed(0), [5, 3, 4, 1].map(serial));
    assert_eq!(listed(100), [5, 3, 4].map(serial));
    assert_eq!(listed(102), [3].map(serial));
    // Off the list is not forgotten.
    assert_eq!(block_on(store.revocation(&serial(1))).unwrap(), Some(revocation(1, Some(99))));
}

fn crl_numbers_only_rise(store: &impl Store) {
    let record = |number: i64| block_on(store.record_crl(crl(number))).unwrap();
    assert_eq!(block_on(store.crl()).unwrap(), None);
    assert!(record(0));
    for refused in [0, -1, 2, 7] {
        assert!(!record(refused), "{refused}");
    }
    assert_eq!(block_on(store.crl()).unwrap(), Some(crl(0)));
    assert!(record(1));
    assert!(!record(0));
    assert_eq!(block_on(store.crl()).unwrap(), Some(crl(1)));
}

fn of_fifty_revocations_one_wins(store: &impl Store) {
    let outcomes = at_once(50, |_| block_on(store.commit(revoke(7, None))).unwrap());
    let recorded = outcomes.iter().filter(|outcome| **outcome == Outcome::Recorded).count();
    assert_eq!(recorded, 1, "{outcomes:?}");
    assert_eq!(block_on(store.revocations(0)).unwrap().len(), 1);
}

fn lists_hold_what_fits(store: &impl Store) {
    for (number, end) in [(1, 300), (2, 100), (3, 200)] {
        let record = CertificateRecord { not_after: end, ..certificate(number) };
        let commit = Commit { certificate: Some(record), ..Commit::default() };
        check(store, commit, Outcome::Recorded);
    }
    check(store, revoke(3, Some(200)), Outcome::Recorded);
    check(store, revoke(8, Some(250)), Outcome::Recorded);
    check(store, revoke(9, None), Outcome::Recorded);
    let check = |filter: Filter, limit: usize, expected: &[u32]| {
        let listed = block_on(store.list(filter.clone(), limit)).unwrap();
        let serials: Vec<_> = listed.iter().map(|listed| listed.serial.clone()).collect();
        let expected: Vec<_> = expected.iter().copied().map(serial).collect();
        assert_eq!(serials, expected, "{filter:?}");
        for Listed { serial, certificate, revocation } in listed {
            assert_eq!(certificate, block_on(store.certificate(&serial)).unwrap());
            assert_eq!(revocation, block_on(store.revocation(&serial)).unwrap());
        }
    };
    let all = Filter::default;
    check(all(), 9, &[3, 2, 1, 9, 8]);
    check(all(), 2, &[3, 2]);
    check(all(), 0, &[]);
    check(Filter { order: Order::Expiry, ..all() }, 9, &[2, 3, 1, 9, 8]);
    check(Filter { order: Order::Expiry, expiring_from: Some(200), ..all() }, 9, &[3, 1, 8]);
    check(Filter { expiring_before: Some(200), ..all() }, 9, &[2]);
    check(Filter { revoked: true, ..all() }, 9, &[3, 9, 8]);
    check(Filter { serial: Some(serial(8)), ..all() }, 9, &[8]);
    check(Filter { grant_id: certificate(2).grant_id, ..all() }, 9, &[2]);
    check(Filter { subject_user_id: Some("x".to_owned()), ..all() }, 9, &[]);
    check(Filter { name: Some("HOST3.ex".to_owned()), ..all() }, 9, &[3]);
}

/// Runs `work` with 0, 1, 2, … on as many threads, started together.
fn at_once<T: Send>(threads: u32, work: impl Fn(u32) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(usize::try_from(threads).unwrap());
    thread::scope(|scope| {
        let handles = (0..threads)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect::<Vec<_>>();
        let join = |handle: thread::ScopedJoinHandle<'_, T>| handle.join().unwrap();
        handles.into_iter().map(join).collect()
    })
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Option<(u8, i64)>, Option<u32>),
    Find(u32),
    Prune(i64),
    Reopen,
}

/// Keys, serials and times from a small range, so that they meet often.
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (option::of((0..6_u8, 0..20_i64)), option::of(0..8_u32))
            .prop_map(|(token, certificate)| Step::Commit(token, certificate)),
        2 => (0..8_u32).prop_map(Step::Find),
        2 => (0..22_i64).prop_map(Step::Prune),
        1 => Just(Step::Reopen),
    ]
}

/// Compares a store with maps, over random sequences of steps.
///
/// `reopen` closes the store and opens it again; a store that cannot do so skips these steps.
pub(super) fn compare_with_model<S: Store>(
    open: &dyn Fn() -> S,
    reopen: Option<&dyn Fn(S) -> S>,
    cases: u32,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&vec(step(), 1..40), |steps| {
            let mut store = open();
            let mut tokens = HashMap::<u8, i64>::new();
            let mut serials = HashMap::<u32, ()>::new();
            for step in steps {
                match step {
                    Step::Commit(spent, number) => {
                        let expected = if spent.is_some_and(|(key, _)| tokens.contains_key(&key)) {
                            Outcome::TokenAlreadySpent
                        } else if number.is_some_and(|number| serials.contains_key(&number)) {
                            Outcome::SerialExists
                        } else {
                            tokens.extend(spent);
                            serials.extend(number.map(|number| (number, ())));
                            Outcome::Recorded
                        };
                        let commit = Commit {
                            token: spent.map(|(key, expires_at)| token(key, expires_at)),
                            certificate: number.map(certificate),
                            ..Commit::default()
                        };
                        let outcome = block_on(store.commit(commit)).map_err(fail)?;
                        prop_assert_eq!(outcome, expected);
                    }
                    Step::Find(number) => {
                        let found = block_on(store.certificate(&serial(number))).map_err(fail)?;
                        let expected = serials.get(&number).map(|()| certificate(number));
                        prop_assert_eq!(found, expected);
                    }
                    Step::Prune(now) => {
                        let before = tokens.len();
                        tokens.retain(|_, expires_at| *expires_at >= now);
                        let pruned = block_on(store.prune(now)).map_err(fail)?;
                        prop_assert_eq!(pruned, (before - tokens.len()) as u64);
                    }
                    Step::Reopen => {
                        if let Some(reopen) = reopen {
                            store = reopen(store);
                        }
                    }
                }
                let expected =
                    Counts { spent_tokens: tokens.len() as u64, certificates: serials.len() as u64 };
                prop_assert_eq!(block_on(store.counts()).map_err(fail)?, expected);
            }
            prop_assert_eq!(audit::log(&store).len(), serials.len());
            Ok(())
        })
        .unwrap();
}

fn fail(error: super::Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}
