//! When a CRL is issued, and what goes from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::local::Local;
use common::local::block_on;
use der::Decode as _;
use stepless::authority::Authority;
use stepless::authority::Options;
use stepless::clock::Clock as _;
use stepless::store::AuditFilter;
use stepless::store::AuditRecord;
use stepless::store::CertificateRecord;
use stepless::store::Commit;
use stepless::store::Counts;
use stepless::store::CrlRecord;
use stepless::store::Filter;
use stepless::store::Listed;
use stepless::store::MemoryStore;
use stepless::store::Outcome;
use stepless::store::Revocation;
use stepless::store::Store;
use stepless::store::StoreFuture;
use stepless::x509::serial::SerialNumber;
use time::Duration;
use x509_cert::crl::CertificateList;

fn revoke(ca: &Local, serial: u64, expires_at: Option<i64>) {
    let revocation = Revocation {
        serial: SerialNumber::from(serial),
        revoked_at: ca.clock.now().unix_timestamp(),
        reason_code: 0,
        reason: String::new(),
        expires_at,
        provisioner_id: None,
        request_id: String::new(),
    };
    let commit = Commit { revocation: Some(revocation), ..Commit::default() };
    assert_eq!(block_on(ca.store.commit(commit)).unwrap(), Outcome::Recorded);
}

fn serials(crl: &CrlRecord) -> Vec<u8> {
    let list: CertificateList = CertificateList::from_der(&crl.der).unwrap();
    let entries = list.tbs_cert_list.revoked_certificates.unwrap_or_default();
    entries.iter().map(|entry| entry.serial_number.as_bytes()[0]).collect()
}

#[test]
fn one_is_issued_as_it_falls_due() {
    let ca = Local::start("mosaic");
    let due = || block_on(ca.authority.renew_crl_if_due()).unwrap();
    let number = || block_on(ca.authority.crl()).unwrap().number;
    let start = ca.clock.now();
    assert!(due(), "the first");
    assert_eq!(number(), 0);
    // Two thirds of 24 hours.
    for (hours, expected) in [(15, false), (16, true)] {
        ca.clock.set(start + Duration::hours(hours));
        assert_eq!(due(), expected, "{hours}");
    }
    assert_eq!(number(), 1);
    // Nobody looked for longer than it holds: it is replaced before it is served.
    ca.clock.set(start + Duration::hours(40) - Duration::SECOND);
    assert_eq!(number(), 1);
    ca.clock.set(start + Duration::hours(40));
    let crl = block_on(ca.authority.crl()).unwrap();
    assert_eq!((crl.number, crl.this_update), (2, ca.clock.now().unix_timestamp()));
}

#[test]
fn entries_go_an_hour_after_expiry() {
    let ca = Local::start("mosaic");
    let start = ca.clock.now();
    let end = start.unix_timestamp() + 600;
    revoke(&ca, 1, Some(end));
    revoke(&ca, 2, None);
    let listed = || serials(&block_on(ca.authority.issue_crl()).unwrap());
    assert_eq!(listed(), [1, 2]);
    ca.clock.set(start + Duration::seconds(600 + 3600));
    assert_eq!(listed(), [1, 2]);
    ca.clock.set(start + Duration::seconds(600 + 3601));
    assert_eq!(listed(), [2]);
}

#[test]
fn authorities_side_by_side_never_share_a_number() {
    let ca = Local::start("mosaic");
    let config = common::local::config(&ca.fixture);
    let other: Arc<Authority> = Arc::new(ca.authority.succeed_with(config).unwrap());
    let numbers = std::thread::scope(|scope| {
        let issue = |authority: &Arc<Authority>| {
            let authority = Arc::clone(authority);
            move || {
                let mut numbers = Vec::new();
                for _ in 0..20 {
                    numbers.extend(block_on(authority.issue_crl()).map(|crl| crl.number));
                }
                numbers
            }
        };
        let threads = [scope.spawn(issue(&ca.authority)), scope.spawn(issue(&other))];
        threads.map(|thread| thread.join().unwrap()).concat()
    });
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), numbers.len());
    assert_eq!(block_on(ca.authority.crl()).unwrap().number, *sorted.last().unwrap());
}

/// A store in which somebody else is always a little faster with the next CRL.
#[derive(Debug)]
struct Contended(Arc<MemoryStore>);

impl Store for Contended {
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome> {
        self.0.commit(commit)
    }

    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>> {
        self.0.certificate(serial)
    }

    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>> {
        self.0.revocation(serial)
    }

    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>> {
        self.0.audit(filter, limit)
    }

    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>> {
        self.0.revocations(now)
    }

    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>> {
        self.0.crl()
    }

    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool> {
        Box::pin(async {
            assert!(self.0.record_crl(crl.clone()).await?, "the other's");
            self.0.record_crl(crl).await
        })
    }

    fn prune(&self, now: i64) -> StoreFuture<'_, u64> {
        self.0.prune(now)
    }

    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>> {
        self.0.list(filter, limit)
    }

    fn counts(&self) -> StoreFuture<'_, Counts> {
        self.0.counts()
    }

    fn health(&self, now: i64) -> StoreFuture<'_, ()> {
        self.0.health(now)
    }
}

/// The answer was a 500 after ten CRLs of others, though the certificate was revoked and in all but the first.
#[test]
fn a_crl_of_somebody_else_serves_as_well() {
    let ca = Local::start("mosaic");
    let mut config = common::local::config(&ca.fixture);
    config.ca.crl.as_mut().unwrap().generate_on_revoke = true;
    let options = Options {
        store: Arc::new(Contended(Arc::clone(&ca.store))),
        clock: Arc::clone(&ca.clock) as _,
        entropy: Arc::clone(ca.authority.entropy()),
    };
    let authority = Arc::new(Authority::new(config, options).unwrap());
    let ca = Local { authority, ..ca };
    // There is none yet, so anybody's is new.
    assert_eq!(block_on(ca.authority.crl()).unwrap().number, 0);
    let (der, _) = ca.issue(stepless::crypto::KeyKind::P256, &[], |_| ());
    let client = ca.client(&der);
    let serial = client.certificate().serial_number().to_string();
    let body = serde_json::json!({"serial": serial, "passive": true});
    let answer = ca.post("/revoke", &[], &body, Some(client));
    assert_eq!(answer.status, 200, "{answer:?}");
    // The one that was being made meanwhile may lack it, the one after has it.
    assert_eq!(block_on(ca.store.crl()).unwrap().unwrap().number, 2);
}

#[test]
fn a_key_that_may_not_sign_them_stops_the_start() {
    let ca = Local::start("mosaic");
    let mut config = common::local::config(&ca.fixture);
    // A certificate of an end entity stands for one without cRLSign.
    let (der, _) = ca.issue(stepless::crypto::KeyKind::P256, &[], |_| ());
    config.intermediates[0] = Arc::new(stepless::x509::certificate::Certificate::parse(&der).unwrap());
    let error = ca.authority.succeed_with(config).unwrap_err();
    assert!(error.to_string().contains("cRLSign"), "{error}");
}
