//! Commits in one transaction: what becomes of each, and the rows to write for that, column by column.

use std::borrow::Cow;
use std::collections::HashSet;

use tokio_postgres::Row;

use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::postgres::text::escape;

/// What is to be looked up before the commits are decided.
#[derive(Default)]
pub(super) struct Keys<'a> {
    pub(super) tokens: Vec<&'a [u8]>,
    /// Serial numbers that must not be revoked.
    pub(super) revocations: Vec<&'a [u8]>,
    pub(super) certificates: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(commits: &[&'a Commit]) -> Self {
        let mut keys = Self::default();
        for commit in commits {
            keys.tokens.extend(commit.token.iter().map(|token| token.key.0.as_slice()));
            keys.revocations.extend(must_not_be_revoked(commit));
            keys.certificates
                .extend(commit.certificate.iter().map(|certificate| certificate.serial.content()));
        }
        keys
    }
}

fn must_not_be_revoked(commit: &Commit) -> impl Iterator<Item = &[u8]> {
    commit.revocation.iter().map(|revocation| &revocation.serial).chain(&commit.renewed).map(|s| s.content())
}

/// The keys that are on record, and those that this transaction adds.
#[derive(Default)]
pub(super) struct Known {
    tokens: HashSet<Vec<u8>>,
    revocations: HashSet<Vec<u8>>,
    certificates: HashSet<Vec<u8>>,
    /// Tokens issued before then count as spent.
    pub(super) records_lost_until: Option<i64>,
}

impl Known {
    /// Takes rows of a kind and a key, as [`KNOWN`](super::records::KNOWN) selects them.
    pub(super) fn read(rows: &[Row], records_lost_until: Option<i64>) -> Result<Self, tokio_postgres::Error> {
        let mut known = Self { records_lost_until, ..Self::default() };
        for row in rows {
            let key: Vec<u8> = row.try_get(1)?;
            match row.try_get::<_, i16>(0)? {
                0 => known.tokens.insert(key),
                1 => known.revocations.insert(key),
                _ => known.certificates.insert(key),
            };
        }
        Ok(known)
    }

    /// Decides one commit, and adds what it records.
    fn decide(&mut self, commit: &Commit) -> Outcome {
        if commit.token.as_ref().is_some_and(|token| self.is_spent(token)) {
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

    fn is_spent(&self, token: &SpentToken) -> bool {
        self.tokens.contains(token.key.0.as_slice())
            || self
                .records_lost_until
                .is_some_and(|until| token.issued_at.is_none_or(|issued| issued < until))
    }
}

/// What a transaction writes, and what it answers.
pub(super) struct Batch<'a> {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) tokens: TokenColumns<'a>,
    pub(super) certificates: CertificateColumns<'a>,
    pub(super) revocations: RevocationColumns<'a>,
    /// The number of the newest record when all is written.
    pub(super) last_record: i64,
}

impl<'a> Batch<'a> {
    /// Decides the commits in their order.
    pub(super) fn decide(commits: &[&'a Commit], mut known: Known, last_record: i64) -> Self {
        let mut batch = Self {
            outcomes: Vec::with_capacity(commits.len()),
            tokens: TokenColumns::default(),
            certificates: CertificateColumns::default(),
            revocations: RevocationColumns::default(),
            last_record,
        };
        for commit in commits {
            let outcome = known.decide(commit);
            if outcome == Outcome::Recorded {
                batch.write(commit);
            }
            batch.outcomes.push(outcome);
        }
        batch
    }

    fn write(&mut self, commit: &'a Commit) {
        if let Some(token) = &commit.token {
            self.tokens.key.push(&token.key.0);
            self.tokens.expires_at.push(token.expires_at);
        }
        if let Some(revocation) = &commit.revocation {
            self.last_record += 1;
            self.revocations.push(revocation, self.last_record);
        }
        if let Some(certificate) = &commit.certificate {
            self.last_record += 1;
            self.certificates.push(certificate, self.last_record);
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.key.is_empty()
            && self.certificates.serial.is_empty()
            && self.revocations.serial.is_empty()
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
