//! Records: used tokens, issued and revoked certificates, the CRL, the audit log; keeps them, decides nothing.
//!
//! A [`Store`] answers one question that matters, whether a token was used before, and answers it in the same
//! transaction that records the certificate made with it. No rule of issuing lives here, no clock is read, and what
//! the keys and certificates mean is left to the rooms above. The futures run on any executor.
//!
//! - [`MemoryStore`] forgets everything when it is dropped;
//! - `SqliteStore` (feature `sqlite`) keeps everything in one file;
//! - `PostgresStore` (feature `postgres`) keeps everything on a server that any number of processes share;
//! - `RegisteredStore` (feature `valkey`) is another store whose used tokens a Valkey or Redis server knows too.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::x509::serial::SerialNumber;

mod audit;
mod chain;
#[cfg(test)]
mod conformance;
mod error;
mod memory;
#[cfg(any(feature = "postgres", feature = "valkey"))]
mod percent;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(feature = "valkey")]
mod register;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "valkey"))]
mod tls;
#[cfg(test)]
#[cfg_attr(
    not(all(unix, feature = "postgres", feature = "valkey")),
    expect(dead_code, reason = "the tests of stores on servers use it")
)]
#[path = "../../tests/common/tools.rs"]
mod tools;

pub use audit::AuditEvent;
pub use audit::AuditFilter;
pub use audit::AuditKind;
pub use audit::AuditRecord;
pub use chain::AuditWalk;
pub use chain::Broken;
pub use chain::Chain;
pub use error::Error;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresAddress;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "postgres")]
pub use postgres::Residents;
pub use record::CertificateRecord;
pub use record::Commit;
pub use record::Counts;
pub use record::CrlRecord;
pub use record::Filter;
pub use record::Listed;
pub use record::Order;
pub use record::Outcome;
pub use record::Renewed;
pub use record::Revocation;
pub use record::SpentToken;
pub use record::TokenKey;
#[cfg(feature = "valkey")]
pub use register::RegisterAddress;
#[cfg(feature = "valkey")]
pub use register::RegisteredStore;
#[cfg(feature = "valkey")]
pub use register::TokenRegister;
#[cfg(feature = "sqlite")]
pub use sqlite::Restored;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteReader;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
#[cfg(feature = "sqlite")]
pub use sqlite::restore;

/// How far a clock may go back without anybody's word, in seconds.
pub const CLOCK_TOLERANCE: i64 = 300;

/// What every method of a [`Store`] returns; nothing happens until it is polled.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Keeps used tokens, certificates and revocations (CONTRACT.md section 4, "One-time use", and section 9).
///
/// What a method reported as recorded is as durable as the store is at all: no later answer forgets it.
/// If a future is dropped before it is ready, its change may or may not have been made.
pub trait Store: Debug + Send + Sync {
    /// Records a token's use, a revocation, a certificate, or several together: all or nothing, in one transaction.
    ///
    /// Of any number of commits of one token, or of revocations of one serial number, at whatever time and from
    /// whatever thread, exactly one is [`Outcome::Recorded`]. The other outcomes write nothing at all. If several
    /// apply, the first of [`Outcome::TokenAlreadySpent`], [`Outcome::AlreadyRevoked`], [`Outcome::SerialExists`] is
    /// the answer.
    ///
    /// The events of what is recorded go into the audit log in the same transaction: their numbers follow each other
    /// without gaps in the order of the commits, and a [`Chain`] ties them together.
    ///
    /// # Errors
    ///
    /// Any [`Error`] means: not recorded, so a certificate must not leave. [`Error::Busy`] may be tried again later;
    /// [`Error::ClockBehind`] is the answer of a store that outlives its process if the commit's time lies more than
    /// [`CLOCK_TOLERANCE`] before one that is on record.
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome>;

    /// The certificate with this serial number.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be read.
    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>>;

    /// The revocation of this serial number.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be read.
    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>>;

    /// The certificates that fit, and the revocations of those that are not on record; `limit` at most. May read
    /// through all of the store: for people, not for each request.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>>;

    /// The records of the audit log that fit, in the filter's order; `limit` at most. To go on, ask again for what comes
    /// [`after`](AuditFilter::after), or [`before`](AuditFilter::before), the last one. May read through all of the
    /// store: for people, not for each request.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>>;

    /// What a CRL lists: the revocations of certificates that expire at `now` (Unix seconds) or later, or nobody
    /// knows when. In the order in which they were recorded.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be read.
    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>>;

    /// The CRL issued last.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be read.
    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>>;

    /// Records a CRL in place of the last one, and tells whether it did: only if its number is the next one, or any
    /// if it is the first. So numbers only rise, and of two issued side by side one is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be written.
    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool>;

    /// Forgets the tokens that expired before `now` (Unix seconds) and returns how many (CONTRACT.md D22).
    ///
    /// A token whose `expires_at` equals `now` stays. To be called with the present less [`CLOCK_TOLERANCE`]: a store that
    /// outlives its process refuses from then on what is said to happen before `now`, since a forgotten token would pass
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], or the store cannot be written; some tokens may have been forgotten already.
    fn prune(&self, now: i64) -> StoreFuture<'_, u64>;

    /// How much the store holds. May read through all of it: for diagnosis, not for each request.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn counts(&self) -> StoreFuture<'_, Counts>;

    /// Goes to the store and back, to tell whether it still answers, and can record what happens at `now` (Unix
    /// seconds).
    ///
    /// # Errors
    ///
    /// Why it does not; [`Error::ClockBehind`] or [`Error::ClockBehindServer`] if `now` is what is wrong.
    fn health(&self, now: i64) -> StoreFuture<'_, ()>;
}
