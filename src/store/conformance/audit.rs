//! What every [`Store`] must do with the audit log.

use sha2::Digest;
use sha2::Sha256;

use super::at_once;
use super::block_on;
use super::both;
use super::certificate;
use super::check;
use super::only;
use super::revocation;
use super::revoke;
use super::serial;
use super::token;
use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Renewed;
use crate::store::Store;

/// The whole log, read by pages; its chain holds.
pub(in crate::store) fn log(store: &impl Store) -> Vec<AuditRecord> {
    let mut walk = AuditWalk::default();
    let mut records = Vec::new();
    loop {
        let filter = AuditFilter { after: Some(walk.chain.sequence), ..AuditFilter::default() };
        let page = block_on(store.audit(filter, 100)).unwrap();
        for record in &page {
            walk.follow(record).unwrap();
        }
        let done = page.len() < 100;
        records.extend(page);
        if done {
            return records;
        }
    }
}

pub(in crate::store) fn kinds(store: &impl Store) -> Vec<&'static str> {
    log(store).iter().map(|record| record.event.kind.name()).collect()
}

pub(in crate::store) fn refused(code: &str) -> AuditEvent {
    AuditEvent {
        request_id: Some("r-1".to_owned()),
        provisioner: Some("mosaic:key1".to_owned()),
        subject: Some("host.example".to_owned()),
        grant_id: Some("3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned()),
        code: Some(code.to_owned()),
        cause: Some("token already used".to_owned()),
        ..AuditEvent::new(AuditKind::Refused, 1_795_480_700)
    }
}

fn event(event: AuditEvent) -> Commit {
    Commit { event: Some(event), ..Commit::default() }
}

fn renewal(old: u32, new: u32, rekeyed: bool) -> Commit {
    let renewed = Some(Renewed { serial: serial(old), rekeyed });
    Commit { renewed, certificate: Some(certificate(new)), ..Commit::default() }
}

pub(super) fn run<S: Store>(open: &dyn Fn() -> S) {
    each_commit_has_its_events(&open());
    what_is_not_recorded_is_not_in_the_log(&open());
    of_many_at_once_the_log_has_each_once(&open());
    records_are_found_by_what_they_say(&open());
    no_event_is_long(&open());
}

fn each_commit_has_its_events(store: &impl Store) {
    assert_eq!(log(store), []);
    check(store, both(token(1, 100), certificate(2)), Outcome::Recorded);
    check(store, renewal(2, 3, false), Outcome::Recorded);
    check(store, renewal(3, 4, true), Outcome::Recorded);
    check(store, revoke(4, Some(9)), Outcome::Recorded);
    check(store, revoke(77, None), Outcome::Recorded);
    let spent = Commit { event: Some(refused("token.replayed")), ..only(token(2, 100)) };
    check(store, spent, Outcome::Recorded);
    check(store, event(AuditEvent::new(AuditKind::Reloaded, 5)), Outcome::Recorded);
    let all = Commit { revocation: Some(revocation(78, None)), ..both(token(3, 100), certificate(5)) };
    check(store, all, Outcome::Recorded);

    let made = |number: u32, kind, previous: Option<u32>| {
        let certificate = certificate(number);
        let sha256 = Sha256::digest(&certificate.der).into();
        (AuditEvent::of_certificate(kind, previous.map(serial), &certificate), Some(sha256))
    };
    let expected = [
        made(2, AuditKind::Issued, None),
        made(3, AuditKind::Renewed, Some(2)),
        made(4, AuditKind::Rekeyed, Some(3)),
        (AuditEvent::of_revocation(&revocation(4, Some(9)), Some(&certificate(4))), None),
        (AuditEvent::of_revocation(&revocation(77, None), None), None),
        (refused("token.replayed"), None),
        (AuditEvent::new(AuditKind::Reloaded, 5), None),
        (AuditEvent::of_revocation(&revocation(78, None), None), None),
        made(5, AuditKind::Issued, None),
    ];
    let found: Vec<_> =
        log(store).into_iter().map(|record| (record.event, record.certificate_sha256)).collect();
    assert_eq!(found, expected);
    // What comes on record later was not known then.
    check(store, both(token(4, 100), certificate(77)), Outcome::Recorded);
    assert_eq!(log(store)[4].event, expected[4].0);
}

fn what_is_not_recorded_is_not_in_the_log(store: &impl Store) {
    check(store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    check(store, revoke(1, None), Outcome::Recorded);
    let before = log(store);
    check(store, both(token(1, 100), certificate(2)), Outcome::TokenAlreadySpent);
    let spent = Commit { event: Some(refused("csr.names_mismatch")), ..only(token(1, 100)) };
    check(store, spent, Outcome::TokenAlreadySpent);
    check(store, revoke(1, None), Outcome::AlreadyRevoked);
    check(store, renewal(1, 2, false), Outcome::AlreadyRevoked);
    check(store, both(token(2, 100), certificate(1)), Outcome::SerialExists);
    check(store, only(token(3, 100)), Outcome::Recorded);
    check(store, Commit::default(), Outcome::Recorded);
    assert_eq!(log(store), before);
}

fn of_many_at_once_the_log_has_each_once(store: &impl Store) {
    // Two threads want each certificate and each token.
    let recorded: usize = at_once(20, |thread| {
        let commits = (0..25).map(|number| {
            let number = (thread / 2) * 25 + number;
            let commit = match number % 3 {
                0 => both(token((number % 250) as u8, 100), certificate(number)),
                1 => revoke(number, None),
                _ => Commit { event: Some(refused("x")), ..only(token((number % 250) as u8, 100)) },
            };
            usize::from(block_on(store.commit(commit)).unwrap() == Outcome::Recorded)
        });
        commits.sum::<usize>()
    })
    .into_iter()
    .sum();
    let records = log(store);
    assert_eq!((records.len(), recorded), (250, 250));
    let count = |kind| records.iter().filter(|record| record.event.kind == kind).count();
    assert_eq!(
        (count(AuditKind::Issued), count(AuditKind::Revoked), count(AuditKind::Refused)),
        (84, 83, 83)
    );
}

fn records_are_found_by_what_they_say(store: &impl Store) {
    for number in 1..=4 {
        check(store, both(token(number, 100), certificate(number.into())), Outcome::Recorded);
    }
    check(store, renewal(4, 5, false), Outcome::Recorded);
    check(store, revoke(2, None), Outcome::Recorded);
    check(store, event(refused("token.replayed")), Outcome::Recorded);
    check(store, event(refused("csr.names_mismatch")), Outcome::Recorded);
    let check = |filter: AuditFilter, limit: usize, expected: &[u64]| {
        let found = block_on(store.audit(filter.clone(), limit)).unwrap();
        let found: Vec<u64> = found.iter().map(|record| record.sequence).collect();
        assert_eq!(found, expected, "{filter:?}");
    };
    let all = AuditFilter::default;
    let of = |kinds: &[AuditKind]| AuditFilter { kinds: kinds.to_vec(), ..all() };
    check(all(), 3, &[1, 2, 3]);
    check(all(), 0, &[]);
    check(AuditFilter { after: Some(3), ..all() }, 2, &[4, 5]);
    check(AuditFilter { after: Some(8), ..all() }, 2, &[]);
    check(AuditFilter { after: Some(u64::MAX), ..all() }, 2, &[]);
    check(AuditFilter { newest_first: true, ..all() }, 2, &[8, 7]);
    check(AuditFilter { newest_first: true, before: Some(7), ..all() }, 2, &[6, 5]);
    check(of(&[AuditKind::Refused]), 9, &[7, 8]);
    check(of(&[AuditKind::Renewed, AuditKind::Revoked]), 9, &[5, 6]);
    check(AuditFilter { newest_first: true, ..of(&[AuditKind::Issued]) }, 2, &[4, 3]);
    // Issued, revoked and refused in this order, by their times.
    check(AuditFilter { from: Some(1_795_480_600), ..all() }, 9, &[6, 7, 8]);
    check(
        AuditFilter { from: Some(1_795_480_567), to: Some(1_795_480_601), ..all() },
        9,
        &[1, 2, 3, 4, 5, 6],
    );
    check(AuditFilter { to: Some(1_795_480_567), ..all() }, 9, &[]);
    check(AuditFilter { serial: Some(serial(2)), ..all() }, 9, &[2, 6]);
    check(AuditFilter { serial: Some(serial(4)), ..all() }, 9, &[4, 5]);
    check(AuditFilter { grant_id: certificate(2).grant_id, ..all() }, 9, &[2, 4, 6]);
    check(AuditFilter { grant_id: refused("x").grant_id, ..all() }, 9, &[7, 8]);
    check(AuditFilter { subject_user_id: Some("x".to_owned()), ..all() }, 9, &[]);
    check(AuditFilter { request_id: Some("request2".to_owned()), ..all() }, 9, &[6]);
    check(AuditFilter { provisioner: Some("mosaic:key1".to_owned()), ..all() }, 9, &[1, 4, 7, 8]);
    check(AuditFilter { code: Some("token".to_owned()), ..all() }, 9, &[7]);
}

fn no_event_is_long(store: &impl Store) {
    let long = AuditEvent { cause: Some("ü".repeat(100_000)), ..refused("x") };
    check(store, event(long), Outcome::Recorded);
    let cause = log(store)[0].event.cause.clone().unwrap();
    assert_eq!(cause.chars().count(), 201, "{cause}");
    assert!(cause.ends_with("ü…"), "{cause}");
}

/// For a store that outlives its process: the log goes on where it was.
pub(in crate::store) fn the_log_goes_on<S: Store>(store: S, reopen: &dyn Fn(S) -> S) {
    check(&store, both(token(1, 100), certificate(1)), Outcome::Recorded);
    check(&store, event(refused("token.replayed")), Outcome::Recorded);
    let before = log(&store);
    let store = reopen(store);
    assert_eq!(log(&store), before);
    check(&store, revoke(1, None), Outcome::Recorded);
    let after = log(&store);
    assert_eq!((&after[..2], after.len()), (&before[..], 3));
}
