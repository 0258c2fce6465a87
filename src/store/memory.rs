//! A store that lives and dies with the process.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditRecord;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::Counts;
use crate::store::CrlRecord;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::Store;
use crate::store::StoreFuture;
use crate::store::TokenKey;
use crate::x509::serial::SerialNumber;

/// Records of the audit log that are kept: anybody can have requests refused, and memory is not to grow with them.
const KEPT: usize = 65_536;

/// Keeps everything in memory, for tests and for a CA without a `db` in its ca.json.
///
/// It grows with every certificate, about 1 kB each. A restart forgets the used tokens, so a token that is still
/// valid could be used once more. Of the audit log, the newest 65,536 records are kept.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    /// Used tokens and their `expires_at`.
    tokens: HashMap<TokenKey, i64>,
    /// In the order in which they were recorded.
    certificates: Vec<CertificateRecord>,
    /// Where a serial number stands in `certificates`.
    issued: HashMap<SerialNumber, usize>,
    /// In the order in which they were recorded.
    revocations: Vec<Revocation>,
    /// Where a serial number stands in `revocations`.
    revoked: HashMap<SerialNumber, usize>,
    crl: Option<CrlRecord>,
    /// The newest records of the audit log, in order.
    audit: VecDeque<AuditRecord>,
    chain: Chain,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every certificate on record, in the order in which they were recorded.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateRecord> {
        self.state().certificates.clone()
    }

    /// Whether this token was used, and not pruned since.
    #[must_use]
    pub fn has_spent(&self, token: &TokenKey) -> bool {
        self.state().tokens.contains_key(token)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the maps half changed, so a panic elsewhere while the lock was held does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy that goes its own way.
impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { state: Mutex::new(self.state().clone()) }
    }
}

impl State {
    fn commit(&mut self, commit: Commit) -> Outcome {
        let certificate_event = commit.certificate_event();
        let Commit { token, revocation, renewed, certificate, event } = commit;
        if token.is_some_and(|token| self.tokens.contains_key(&token.key)) {
            return Outcome::TokenAlreadySpent;
        }
        let must_not_be_revoked = revocation
            .iter()
            .map(|revocation| &revocation.serial)
            .chain(renewed.iter().map(|renewed| &renewed.serial));
        if { must_not_be_revoked }.any(|serial| self.revoked.contains_key(serial)) {
            return Outcome::AlreadyRevoked;
        }
        if certificate.as_ref().is_some_and(|certificate| self.issued.contains_key(&certificate.serial)) {
            return Outcome::SerialExists;
        }
        if let Some(token) = token {
            self.tokens.insert(token.key, token.expires_at);
        }
        if let Some(revocation) = revocation {
            let event = AuditEvent::of_revocation(&revocation, self.certificate(&revocation.serial));
            self.log(event, None);
            self.revoked.insert(revocation.serial.clone(), self.revocations.len());
            self.revocations.push(revocation);
        }
        if let Some(certificate) = certificate {
            self.issued.insert(certificate.serial.clone(), self.certificates.len());
            self.certificates.push(certificate);
        }
        if let Some((event, sha256)) = certificate_event {
            self.log(event, Some(sha256));
        }
        if let Some(event) = event {
            self.log(event.bounded(), None);
        }
        Outcome::Recorded
    }

    fn log(&mut self, event: AuditEvent, certificate_sha256: Option<[u8; 32]>) {
        if self.audit.len() == KEPT {
            self.audit.pop_front();
        }
        self.audit.push_back(self.chain.append(event, certificate_sha256));
    }

    fn audit(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditRecord> {
        let fits = |record: &&AuditRecord| filter.fits(record.sequence, &record.event);
        match filter.newest_first {
            false => self.audit.iter().filter(fits).take(limit).cloned().collect(),
            true => self.audit.iter().rev().filter(fits).take(limit).cloned().collect(),
        }
    }

    fn certificate(&self, serial: &SerialNumber) -> Option<&CertificateRecord> {
        self.issued.get(serial).and_then(|index| self.certificates.get(*index))
    }

    fn revocation(&self, serial: &SerialNumber) -> Option<&Revocation> {
        self.revoked.get(serial).and_then(|index| self.revocations.get(*index))
    }

    fn list(&self, filter: &Filter, limit: usize) -> Vec<Listed> {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let in_time = |end: i64| {
            filter.expiring_from.is_none_or(|from| end >= from)
                && filter.expiring_before.is_none_or(|before| end < before)
        };
        let has_serial = |serial: &SerialNumber| filter.serial.as_ref().is_none_or(|wanted| wanted == serial);
        let fits = |certificate: &&CertificateRecord| {
            has_serial(&certificate.serial)
                && same(&filter.grant_id, &certificate.grant_id)
                && same(&filter.subject_user_id, &certificate.subject_user_id)
                && in_time(certificate.not_after)
                && (!filter.revoked || self.revoked.contains_key(&certificate.serial))
                && filter.is_named(certificate)
        };
        let mut certificates: Vec<&CertificateRecord> = self.certificates.iter().rev().filter(fits).collect();
        if filter.order == Order::Expiry {
            certificates.sort_by_key(|certificate| certificate.not_after);
        }
        let no_end = filter.expiring_from.is_none() && filter.expiring_before.is_none();
        let unrecorded = |revocation: &&Revocation| {
            filter.takes_unrecorded()
                && !self.issued.contains_key(&revocation.serial)
                && has_serial(&revocation.serial)
                && revocation.expires_at.map_or(no_end, in_time)
        };
        let recorded = certificates.into_iter().map(|certificate| Listed {
            serial: certificate.serial.clone(),
            certificate: Some(certificate.clone()),
            revocation: self.revocation(&certificate.serial).cloned(),
        });
        let unrecorded = self.revocations.iter().rev().filter(unrecorded).map(|revocation| Listed {
            serial: revocation.serial.clone(),
            certificate: None,
            revocation: Some(revocation.clone()),
        });
        recorded.chain(unrecorded).take(limit).collect()
    }

    fn record_crl(&mut self, crl: CrlRecord) -> bool {
        let is_next = self.crl.as_ref().is_none_or(|last| last.number.checked_add(1) == Some(crl.number));
        if is_next {
            self.crl = Some(crl);
        }
        is_next
    }
}

impl Store for MemoryStore {
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Outcome> {
        Box::pin(async move { Ok(self.state().commit(commit)) })
    }

    fn certificate(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<CertificateRecord>> {
        let serial = serial.clone();
        Box::pin(async move { Ok(self.state().certificate(&serial).cloned()) })
    }

    fn revocation(&self, serial: &SerialNumber) -> StoreFuture<'_, Option<Revocation>> {
        let serial = serial.clone();
        Box::pin(async move { Ok(self.state().revocation(&serial).cloned()) })
    }

    fn list(&self, filter: Filter, limit: usize) -> StoreFuture<'_, Vec<Listed>> {
        Box::pin(async move { Ok(self.state().list(&filter, limit)) })
    }

    fn audit(&self, filter: AuditFilter, limit: usize) -> StoreFuture<'_, Vec<AuditRecord>> {
        Box::pin(async move { Ok(self.state().audit(&filter, limit)) })
    }

    fn revocations(&self, now: i64) -> StoreFuture<'_, Vec<Revocation>> {
        Box::pin(async move {
            let listed = |revocation: &&Revocation| revocation.expires_at.is_none_or(|end| end >= now);
            Ok(self.state().revocations.iter().filter(listed).cloned().collect())
        })
    }

    fn crl(&self) -> StoreFuture<'_, Option<CrlRecord>> {
        Box::pin(async move { Ok(self.state().crl.clone()) })
    }

    fn record_crl(&self, crl: CrlRecord) -> StoreFuture<'_, bool> {
        Box::pin(async move { Ok(self.state().record_crl(crl)) })
    }

    fn prune(&self, now: i64) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut pruned = 0;
            self.state().tokens.retain(|_, expires_at| {
                let keep = *expires_at >= now;
                pruned += u64::from(!keep);
                keep
            });
            Ok(pruned)
        })
    }

    fn counts(&self) -> StoreFuture<'_, Counts> {
        Box::pin(async move {
            let state = self.state();
            Ok(Counts {
                spent_tokens: state.tokens.len() as u64,
                certificates: state.certificates.len() as u64,
            })
        })
    }

    fn health(&self, _now: i64) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AuditKind;
    use crate::store::conformance;

    #[test]
    fn conforms() {
        conformance::run(&MemoryStore::new);
    }

    #[test]
    fn the_newest_audit_records_are_kept() {
        let store = MemoryStore::new();
        for at in 1..=KEPT as i64 + 5 {
            let event = Some(AuditEvent::new(AuditKind::Refused, at));
            assert_eq!(store.state().commit(Commit { event, ..Commit::default() }), Outcome::Recorded);
        }
        let kept = conformance::block_on(store.audit(AuditFilter::default(), usize::MAX)).unwrap();
        assert_eq!((kept.len(), kept[0].sequence, kept[0].event.at), (KEPT, 6, 6));
    }

    #[test]
    fn agrees_with_the_model() {
        conformance::compare_with_model(&MemoryStore::new, None, 500);
    }
}
