//! Commits in one transaction: what becomes of each, and the rows to write for that, column by column.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;

use tokio_postgres::Row;

use crate::store::AuditEvent;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::postgres::audit::AuditColumns;
use crate::store::postgres::text::escape;
use crate::x509::serial::SerialNumber;

/// What is to be looked up before the commits are decided.
#[derive(Default)]
pub(super) struct Keys<'a> {
    pub(super) tokens: Vec<&'a [u8]>,
    /// Serial numbers that must not be revoked.
    pub(super) revocations: Vec<&'a [u8]>,
    pub(super) certificates: Vec<&'a [u8]>,
    /// Serial numbers that are revoked: the log tells whose.
    pub(super) revoked: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(commits: &[&'a Commit]) -> Self {
        let mut keys = Self::default();
        for commit in commits {
            keys.tokens.extend(commit.token.iter().map(|token| token.key.0.as_slice()));
            keys.revocations.extend(must_not_be_revoked(commit));
            keys.revoked.extend(commit.revocation.iter().map(|revocation| revocation.serial.content()));
            keys.certificates
                .extend(commit.certificate.iter().map(|certificate| certificate.serial.content()));
        }
        keys
    }
}

fn must_not_be_revoked(commit: &Commit) -> impl Iterator<Item = &[u8]> {
    let renewed = commit.renewed.iter().map(|renewed| &renewed.serial);
    commit.revocation.iter().map(|revocation| &revocation.serial).chain(renewed).map(SerialNumber::content)
}

/// The keys that are on record, and those that this transaction adds.
#[derive(Default)]
pub(super) struct Known {
    tokens: HashSet<Vec<u8>>,
    revocations: HashSet<Vec<u8>>,
    certificates: HashSet<Vec<u8>>,
    /// Tokens issued before then count as spent.
    records_lost_until: Option<i64>,
    /// Used tokens that ended before may be forgotten.
    forgotten_until: i64,
    /// Hashes of the event that was looked for.
    hashes: HashSet<Vec<u8>>,
}

impl Known {
    /// Takes rows of a kind and a key.
    pub(super) fn read(rows: &[Row], head: &Head) -> Result<Self, tokio_postgres::Error> {
        let mut known = Self {
            records_lost_until: head.records_lost_until,
            forgotten_until: head.forgotten_until,
            ..Self::default()
        };
        for row in rows {
            let key: Vec<u8> = row.try_get(1)?;
            match row.try_get::<_, i16>(0)? {
                0 => known.tokens.insert(key),
                1 => known.revocations.insert(key),
                2 => known.certificates.insert(key),
                _ => known.hashes.insert(key),
            };
        }
        Ok(known)
    }

    /// Whether the log holds the event at the end of this chain, or the chain is empty.
    pub(super) fn has(&self, chain: &Chain) -> bool {
        chain.sequence == 0 || self.hashes.contains(chain.hash.as_slice())
    }

    /// Decides one commit, and adds what it records.
    fn decide(&mut self, commit: &Commit) -> Outcome {
        if commit.token.as_ref().is_some_and(|token| self.is_spent(token) || self.may_be_forgotten(commit)) {
            return Outcome::TokenAlreadySpent;
        }
        if must_not_be_revoked(commit).any(|serial| self.revocations.contains(serial)) {
            return Outcome::AlreadyRevoked;
        }
        if let Some(certificate) = &commit.certificate
            && self.certificates.contains(certificate.serial.content())
        {
            return Outcome::SerialExists;
        }
        self.tokens.extend(commit.token.iter().map(|token| token.key.0.to_vec()));
        self.revocations
            .extend(commit.revocation.iter().map(|revocation| revocation.serial.content().to_vec()));
        self.certificates.extend(commit.certificate.iter().map(|c| c.serial.content().to_vec()));
        Outcome::Recorded
    }

    /// Whether the commit is of a process whose clock has gone back behind tokens that were forgotten since.
    fn may_be_forgotten(&self, commit: &Commit) -> bool {
        commit.audited_at().is_some_and(|at| at < self.forgotten_until)
    }

    fn is_spent(&self, token: &SpentToken) -> bool {
        self.tokens.contains(token.key.0.as_slice())
            || self
                .records_lost_until
                .is_some_and(|until| token.issued_at.is_none_or(|issued| issued < until))
    }
}

/// Where the records end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Number of the newest certificate or revocation.
    pub(super) last_record: i64,
    pub(super) records_lost_until: Option<i64>,
    /// Used tokens that ended before may have been deleted.
    pub(super) forgotten_until: i64,
    /// The end of the audit log.
    pub(super) chain: Chain,
}

/// What a transaction writes, and what it answers.
pub(super) struct Batch<'a> {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) tokens: TokenColumns<'a>,
    pub(super) certificates: CertificateColumns<'a>,
    pub(super) revocations: RevocationColumns<'a>,
    pub(super) audit: AuditColumns,
    /// Where the records end when all is written.
    pub(super) head: Head,
    /// Certificates of this batch, with their numbers.
    issued: HashMap<&'a [u8], (i64, &'a CertificateRecord)>,
}

impl<'a> Batch<'a> {
    /// Decides the commits in their order. `revoked` are the certificates on record with one of [`Keys::revoked`], and
    /// their numbers.
    pub(super) fn decide(
        commits: &[&'a Commit],
        mut known: Known,
        revoked: &[(i64, CertificateRecord)],
        head: Head,
    ) -> Self {
        let mut batch = Self {
            outcomes: Vec::with_capacity(commits.len()),
            tokens: TokenColumns::default(),
            certificates: CertificateColumns::default(),
            revocations: RevocationColumns::default(),
            audit: AuditColumns::default(),
            head,
            issued: HashMap::new(),
        };
        for commit in commits {
            let outcome = known.decide(commit);
            if outcome == Outcome::Recorded {
                batch.write(commit, revoked);
            }
            batch.outcomes.push(outcome);
        }
        batch
    }

    fn write(&mut self, commit: &'a Commit, revoked: &[(i64, CertificateRecord)]) {
        if let Some(token) = &commit.token {
            self.tokens.key.push(&token.key.0);
            self.tokens.expires_at.push(token.expires_at);
        }
        if let Some(revocation) = &commit.revocation {
            let record = self.next_record();
            self.revocations.push(revocation, record);
            let serial = revocation.serial.content();
            let recorded = || revoked.iter().find(|(_, certificate)| certificate.serial == revocation.serial);
            let certificate = self.issued.get(serial).copied().or_else(|| recorded().map(|(n, c)| (*n, c)));
            let event =
                AuditEvent::of_revocation(revocation, certificate.map(|(_, certificate)| certificate));
            let certificate = certificate.map(|(record, _)| record);
            self.head.chain.extend(&event, None);
            self.audit.push_revocation(&self.head.chain, event.at, certificate, record);
        }
        if let (Some(certificate), Some((event, sha256))) = (&commit.certificate, commit.certificate_event())
        {
            let record = self.next_record();
            self.certificates.push(certificate, record);
            self.issued.insert(certificate.serial.content(), (record, certificate));
            self.head.chain.extend(&event, Some(&sha256));
            self.audit.push_certificate(&self.head.chain, event, record);
        }
        if let Some(event) = &commit.event {
            let event = event.clone().bounded();
            self.head.chain.extend(&event, None);
            self.audit.push(&self.head.chain, event);
        }
    }

    fn next_record(&mut self) -> i64 {
        self.head.last_record += 1;
        self.head.last_record
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.key.is_empty() && self.audit.sequence.is_empty()
    }
}

#[derive(Default)]
pub(super) struct TokenColumns<'a> {
    pub(super) key: Vec<&'a [u8]>,
    pub(super) expires_at: Vec<i64>,
}

#[derive(Default)]
pub(super) struct CertificateColumns<'a> {
    pub(super) serial: Vec<&'a [u8]>,
    pub(super) record: Vec<i64>,
    pub(super) not_before: Vec<i64>,
    pub(super) not_after: Vec<i64>,
    pub(super) issued_at: Vec<i64>,
    pub(super) provisioner: Vec<Cow<'a, str>>,
    pub(super) provisioner_id: Vec<Cow<'a, str>>,
    pub(super) subject: Vec<Cow<'a, str>>,
    pub(super) grant_id: Vec<Option<Cow<'a, str>>>,
    pub(super) subject_user_id: Vec<Option<Cow<'a, str>>>,
    pub(super) request_id: Vec<Cow<'a, str>>,
    pub(super) der: Vec<&'a [u8]>,
}

impl<'a> CertificateColumns<'a> {
    fn push(&mut self, certificate: &'a CertificateRecord, record: i64) {
        self.serial.push(certificate.serial.content());
        self.record.push(record);
        self.not_before.push(certificate.not_before);
        self.not_after.push(certificate.not_after);
        self.issued_at.push(certificate.issued_at);
        self.provisioner.push(escape(&certificate.provisioner));
        self.provisioner_id.push(escape(&certificate.provisioner_id));
        self.subject.push(escape(&certificate.subject));
        self.grant_id.push(certificate.grant_id.as_deref().map(escape));
        self.subject_user_id.push(certificate.subject_user_id.as_deref().map(escape));
        self.request_id.push(escape(&certificate.request_id));
        self.der.push(&certificate.der);
    }
}

#[derive(Default)]
pub(super) struct RevocationColumns<'a> {
    pub(super) serial: Vec<&'a [u8]>,
    pub(super) record: Vec<i64>,
    pub(super) revoked_at: Vec<i64>,
    pub(super) reason_code: Vec<i16>,
    pub(super) reason: Vec<Cow<'a, str>>,
    pub(super) expires_at: Vec<Option<i64>>,
    pub(super) provisioner_id: Vec<Option<Cow<'a, str>>>,
    pub(super) request_id: Vec<Cow<'a, str>>,
}

impl<'a> RevocationColumns<'a> {
    fn push(&mut self, revocation: &'a Revocation, record: i64) {
        self.serial.push(revocation.serial.content());
        self.record.push(record);
        self.revoked_at.push(revocation.revoked_at);
        self.reason_code.push(revocation.reason_code.into());
        self.reason.push(escape(&revocation.reason));
        self.expires_at.push(revocation.expires_at);
        self.provisioner_id.push(revocation.provisioner_id.as_deref().map(escape));
        self.request_id.push(escape(&revocation.request_id));
    }
}
