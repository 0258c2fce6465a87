//! What the test knows, and so what an answer ought to be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use serde_json::Value;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;
use x509_cert::der::Decode as _;

use crate::VOLATILE;
use crate::common::fixture::Fixture;
use crate::common::https::Client;
use crate::common::https::Kept;

/// From how many of the last certificates one is chosen: the fewer, the more often clients meet.
const YOUNG: usize = 40;

/// Shared by all clients.
#[derive(Debug)]
pub(crate) struct Model {
    address: SocketAddr,
    roots: String,
    /// With and without the provisioner that comes and goes.
    pub(crate) configurations: [String; 2],
    /// What is renewed and revoked, the youngest last.
    held: Mutex<Vec<Arc<Held>>>,
    /// Every certificate that was handed out, DER by serial number.
    issued: Mutex<BTreeMap<String, Vec<u8>>>,
    /// In the order of the answers.
    revoked: Mutex<Vec<Arc<Held>>>,
    /// Requests whose tokens are spent.
    spent: Mutex<Vec<Value>>,
    crl_number: Mutex<u64>,
    volatile: Mutex<Volatile>,
    /// By kind of request and status.
    times: Mutex<BTreeMap<(&'static str, u16), Vec<Duration>>>,
    faults: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Held {
    /// Decimal.
    pub(crate) serial: String,
    /// Its content as INTEGER (X.690 section 8.3).
    pub(crate) serial_bytes: Vec<u8>,
    pub(crate) der: Vec<u8>,
    key_pem: String,
    /// Shows the certificate.
    pub(crate) client: Kept,
    roots: String,
    /// How many have asked to revoke it, and may have been heard.
    pub(crate) revocations_begun: AtomicUsize,
    /// Somebody has been told that it is revoked.
    pub(crate) revocation_answered: AtomicBool,
    /// How many were told that they have revoked it.
    pub(crate) revocations: AtomicUsize,
}

/// Whether the provisioner is there, `None` while that changes, and how often it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volatile {
    pub(crate) present: Option<bool>,
    changes: usize,
}

impl Model {
    pub(crate) fn new(address: SocketAddr, fixture: &Fixture) -> Self {
        let mut without = fixture.config();
        let provisioners = without["authority"]["provisioners"].as_array_mut().expect("provisioners");
        provisioners.retain(|provisioner| provisioner["name"] != VOLATILE);
        Self {
            address,
            roots: fixture.root_pem(),
            configurations: [fixture.read("ca.json"), without.to_string()],
            held: Mutex::default(),
            issued: Mutex::default(),
            revoked: Mutex::default(),
            spent: Mutex::default(),
            crl_number: Mutex::default(),
            volatile: Mutex::new(Volatile { present: Some(true), changes: 0 }),
            times: Mutex::default(),
            faults: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Takes note of a certificate that was handed out, and keeps it to be renewed if its key is given.
    pub(crate) fn issued_one(&self, crt: &str, key_pem: Option<&str>) -> Result<(), String> {
        let block = pem::Blocks::new(crt.as_bytes()).next().ok_or("no certificate in the answer")?;
        let certificate = Certificate::parse(&block.content).map_err(|error| error.to_string())?;
        let serial = certificate.serial_number().to_string();
        if lock(&self.issued).insert(serial.clone(), block.content.to_vec()).is_some() {
            return Err(format!("serial number {serial} twice"));
        }
        if let Some(key_pem) = key_pem {
            let held = Held::new(serial, block.content.to_vec(), key_pem, self.address, &self.roots);
            let mut all = lock(&self.held);
            all.push(Arc::new(held));
            // By now nobody is left who chose it while it was young; files that are open are few.
            if let Some(old) = all.len().checked_sub(4 * YOUNG) {
                all[old].client.close();
            }
        }
        Ok(())
    }

    /// One of the last certificates.
    pub(crate) fn held(&self, choice: usize) -> Option<Arc<Held>> {
        let held = lock(&self.held);
        let choices = held.len().min(YOUNG);
        (choices > 0).then(|| Arc::clone(&held[held.len() - 1 - choice % choices]))
    }

    pub(crate) fn issued(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.issued).clone()
    }

    /// Those that somebody has asked to revoke without ever being told that it is done.
    pub(crate) fn half_revoked(&self) -> Vec<String> {
        let half =
            |held: &&Arc<Held>| held.revocations_begun.load(SeqCst) > 0 && held.revocations.load(SeqCst) != 1;
        lock(&self.held).iter().filter(half).map(|held| held.serial.clone()).collect()
    }

    /// Those of whose revocation somebody has been told.
    pub(crate) fn revoked(&self) -> Vec<Arc<Held>> {
        lock(&self.revoked).clone()
    }

    pub(crate) fn revoked_one(&self, held: &Arc<Held>) {
        held.revocation_answered.store(true, SeqCst);
        lock(&self.revoked).push(Arc::clone(held));
    }

    pub(crate) fn spent(&self) -> Vec<Value> {
        lock(&self.spent).clone()
    }

    /// One of the requests whose tokens are spent.
    pub(crate) fn spent_one(&self, choice: usize) -> Option<Value> {
        let spent = lock(&self.spent);
        (!spent.is_empty()).then(|| spent[choice % spent.len()].clone())
    }

    pub(crate) fn spend(&self, body: Value) {
        lock(&self.spent).push(body);
    }

    /// The highest that was seen.
    pub(crate) fn crl_number(&self) -> u64 {
        *lock(&self.crl_number)
    }

    pub(crate) fn crl_seen(&self, number: u64) {
        let mut highest = lock(&self.crl_number);
        *highest = number.max(*highest);
    }

    pub(crate) fn volatile(&self) -> Volatile {
        *lock(&self.volatile)
    }

    pub(crate) fn volatile_may_change(&self) {
        let mut volatile = lock(&self.volatile);
        *volatile = Volatile { present: None, changes: volatile.changes + 1 };
    }

    pub(crate) fn volatile_is(&self, present: bool) {
        lock(&self.volatile).present = Some(present);
    }

    pub(crate) fn took(&self, kind: &'static str, status: u16, time: Duration) {
        lock(&self.times).entry((kind, status)).or_default().push(time);
    }

    /// Keeps what went wrong, and ends the run.
    pub(crate) fn fault(&self, what: String) {
        lock(&self.faults).push(what);
        self.stop();
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        lock(&self.faults).clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// A line for each kind of request.
    pub(crate) fn figures(&self) -> String {
        let mut lines = Vec::new();
        for ((kind, status), times) in lock(&self.times).iter() {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
            let (count, p50, p99, max) = (times.len(), at(50), at(99), at(100));
            lines.push(format!(
                "{kind:<20}{status:>5}{count:>7}   p50 {p50:>4} ms   p99 {p99:>5} ms   max {max:>5} ms"
            ));
        }
        let (issued, revoked) = (lock(&self.issued).len(), lock(&self.revoked).len());
        lines.push(format!("{issued} certificates, {revoked} revoked, CRL {}", self.crl_number()));
        lines.join("\n")
    }
}

impl Held {
    fn new(serial: String, der: Vec<u8>, key_pem: &str, address: SocketAddr, roots: &str) -> Self {
        let provider = ring::default_provider();
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).expect("a key");
        let key = CertifiedKey::from_der(vec![der.clone().into()], key, &provider).expect("a key that fits");
        let certificate = Arc::new(SingleCertAndKey::from(key));
        let client =
            Client::with_certificate(address, roots, provider, rustls::ALL_VERSIONS, Some(certificate));
        let parsed = x509_cert::Certificate::from_der(&der).expect("a certificate");
        Self {
            serial,
            serial_bytes: parsed.tbs_certificate().serial_number().as_bytes().to_vec(),
            der,
            key_pem: key_pem.to_owned(),
            client: Kept::new(client),
            roots: roots.to_owned(),
            revocations_begun: AtomicUsize::new(0),
            revocation_answered: AtomicBool::new(false),
            revocations: AtomicUsize::new(0),
        }
    }

    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The same, for a server elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Arc<Self> {
        let held = Self::new(self.serial.clone(), self.der.clone(), &self.key_pem, address, &self.roots);
        held.revocations_begun.store(self.revocations_begun.load(SeqCst), SeqCst);
        held.revocation_answered.store(self.revocation_answered.load(SeqCst), SeqCst);
        held.revocations.store(self.revocations.load(SeqCst), SeqCst);
        Arc::new(held)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
