//! The hashes that tie the records of the audit log together.
//!
//! The hash of a record is the SHA-256 of the following, one after the other: the hash of the record before, 32 zero
//! bytes for the first; the version of this form, 1, one byte; the sequence number, 8 bytes; the number of the kind,
//! one byte; the time, 8 bytes; then the members in the order of [`AuditEvent`], and the SHA-256 of the certificate.
//! An absent member is one zero byte; one that is there is a byte 1, the number of its bytes in 8 bytes, and its bytes:
//! text in UTF-8, serial numbers as the content octets of their INTEGER, other numbers in 8 bytes. All numbers are big
//! endian, times two's complement.
//!
//! So whoever has noted one hash can tell whether anything before it has changed. Who may write the store can make
//! a new chain, and nothing tells how many records followed the last one.

use std::collections::BTreeMap;

use sha2::Digest;
use sha2::Sha256;

use crate::store::AuditEvent;
use crate::store::AuditKind;
use crate::store::AuditRecord;

/// The form of what is hashed.
const VERSION: u8 = 1;

/// The end of a chain: what the next record is tied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// Number of the last record; 0 if there is none.
    pub sequence: u64,
    /// Hash of the last record; zeros if there is none.
    pub hash: [u8; 32],
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// There is another record than the next one.
    #[error("audit record {expected} is missing: the next one there is {found}")]
    Missing {
        /// The number that comes next.
        expected: u64,
        /// The number that was found.
        found: u64,
    },
    /// A record's hash is not that of its content after the record before.
    #[error("audit record {0} was altered, or stands in another's place")]
    Altered(u64),
    /// The certificate of a record is not there any more.
    #[error("the certificate of audit record {0} is missing")]
    NoCertificate(u64),
    /// The revocation of a record is not there any more.
    #[error("the revocation of audit record {0} is missing")]
    NoRevocation(u64),
    /// There are more or fewer certificates without a record than earlier records say.
    #[error(
        "{found} certificates have no audit record, instead of {expected}: some were added or taken away"
    )]
    Certificates {
        /// What the log says.
        expected: u64,
        /// What the store holds.
        found: u64,
    },
    /// There are more or fewer revocations without a record than earlier records say.
    #[error("{found} revocations have no audit record, instead of {expected}: some were added or taken away")]
    Revocations {
        /// What the log says.
        expected: u64,
        /// What the store holds.
        found: u64,
    },
}

impl Chain {
    /// Ties an event to the chain, whose end is the event's record from now on.
    pub fn append(&mut self, event: AuditEvent, certificate_sha256: Option<[u8; 32]>) -> AuditRecord {
        self.extend(&event, certificate_sha256.as_ref());
        AuditRecord { sequence: self.sequence, event, certificate_sha256, hash: self.hash }
    }

    /// The same without a record.
    pub(super) fn extend(&mut self, event: &AuditEvent, certificate_sha256: Option<&[u8; 32]>) {
        self.sequence += 1;
        self.hash = hash(&self.hash, self.sequence, event, certificate_sha256);
    }

    /// Goes on to the next record.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not the next one as it was written; the chain stays where it was.
    pub fn follow(&mut self, record: &AuditRecord) -> Result<(), Broken> {
        let AuditRecord { sequence, event, certificate_sha256, hash } = record;
        let expected = self.sequence + 1;
        if *sequence != expected {
            return Err(Broken::Missing { expected, found: *sequence });
        }
        if event.kind.is_of_certificate() && certificate_sha256.is_none() {
            return Err(Broken::NoCertificate(expected));
        }
        if event.kind == AuditKind::Revoked && event.serial.is_none() {
            return Err(Broken::NoRevocation(expected));
        }
        let mut next = *self;
        next.extend(event, certificate_sha256.as_ref());
        if next.hash != *hash {
            return Err(Broken::Altered(expected));
        }
        *self = next;
        Ok(())
    }
}

/// A walk along a log from its first record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditWalk {
    /// The record reached.
    pub chain: Chain,
    /// How many records of each kind were passed.
    pub kinds: BTreeMap<AuditKind, u64>,
    /// When the first and the last event passed happened, Unix seconds.
    pub times: Option<(i64, i64)>,
    certificates: u64,
    revocations: u64,
}

impl AuditWalk {
    /// Goes on to the next record.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not the next one as it was written; the walk stays where it was.
    pub fn follow(&mut self, record: &AuditRecord) -> Result<(), Broken> {
        self.chain.follow(record)?;
        let event = &record.event;
        *self.kinds.entry(event.kind).or_default() += 1;
        self.times = Some((self.times.map_or(event.at, |(first, _)| first), event.at));
        self.certificates = event.certificates.unwrap_or(self.certificates);
        self.revocations = event.revocations.unwrap_or(self.revocations);
        Ok(())
    }

    /// Compares the numbers of certificates and revocations that have no record with what the records say: there are
    /// some if the store is older than its log, and it may have none yet.
    ///
    /// # Errors
    ///
    /// [`Broken::Certificates`], [`Broken::Revocations`].
    pub fn compare(&self, certificates: u64, revocations: u64) -> Result<(), Broken> {
        if self.chain.sequence == 0 {
            return Ok(());
        }
        if certificates != self.certificates {
            return Err(Broken::Certificates { expected: self.certificates, found: certificates });
        }
        if revocations != self.revocations {
            return Err(Broken::Revocations { expected: self.revocations, found: revocations });
        }
        Ok(())
    }
}

fn hash(before: &[u8; 32], sequence: u64, event: &AuditEvent, certificate: Option<&[u8; 32]>) -> [u8; 32] {
    let AuditEvent {
        kind,
        at,
        request_id,
        provisioner,
        named_provisioner,
        subject,
        grant_id,
        subject_user_id,
        serial,
        previous,
        expires_at,
        code,
        cause,
        certificates,
        revocations,
    } = event;
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update([VERSION]);
    hasher.update(sequence.to_be_bytes());
    hasher.update([kind.number()]);
    hasher.update(at.to_be_bytes());
    let mut member = |bytes: Option<&[u8]>| match bytes {
        None => hasher.update([0]),
        Some(bytes) => {
            hasher.update([1]);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
    };
    for text in [request_id, provisioner, named_provisioner, subject, grant_id, subject_user_id] {
        member(text.as_ref().map(String::as_bytes));
    }
    for serial in [serial, previous] {
        member(serial.as_ref().map(|serial| serial.content()));
    }
    member(expires_at.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    for text in [code, cause] {
        member(text.as_ref().map(String::as_bytes));
    }
    for number in [certificates, revocations] {
        member(number.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }
    member(certificate.map(<[u8; 32]>::as_slice));
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn refused() -> AuditEvent {
        AuditEvent {
            request_id: Some("r".to_owned()),
            provisioner: Some("p:k".to_owned()),
            serial: Some(0x1234.into()),
            code: Some("token.replayed".to_owned()),
            ..AuditEvent::new(AuditKind::Refused, 1_795_480_507)
        }
    }

    /// The form is on disks: it must not change. The expected values are another program's.
    #[test]
    fn the_form_is_fixed() {
        let mut chain = Chain::default();
        let check = |chain: &Chain, expected: &str| assert_eq!(hex::encode(&chain.hash), expected);
        chain.extend(&AuditEvent::new(AuditKind::Started, -1), None);
        check(&chain, "d1e8fcb2638dc3fb1f4ce81f2bd74a3b15ce7e31d80297bcf2ecf386eebe914c");
        chain.extend(&refused(), Some(&[7; 32]));
        check(&chain, "21972eb06cc951b4bacc3513837a65941006720b5fd31e82211e4bfe25e8fa92");
    }

    #[test]
    fn every_member_counts() {
        let base = refused();
        let text = || Some("x".to_owned());
        let mut others = vec![base.clone()];
        let mut other = |change: &dyn Fn(&mut AuditEvent)| {
            let mut event = base.clone();
            change(&mut event);
            others.push(event);
        };
        other(&|event| event.kind = AuditKind::Issued);
        other(&|event| event.at += 1);
        other(&|event| event.request_id = None);
        other(&|event| event.request_id = Some(String::new()));
        other(&|event| event.provisioner = text());
        // The same bytes one member further on.
        other(&|event| event.named_provisioner = event.provisioner.take());
        other(&|event| event.subject = text());
        other(&|event| event.grant_id = text());
        other(&|event| event.subject_user_id = text());
        other(&|event| event.serial = Some(0x1235.into()));
        other(&|event| event.previous = event.serial.take());
        other(&|event| event.expires_at = Some(0));
        other(&|event| event.cause = text());
        other(&|event| event.certificates = Some(0));
        other(&|event| event.revocations = Some(0));
        let hashes = |sequence: u64, certificate: Option<&[u8; 32]>| {
            others.iter().map(|event| hash(&[0; 32], sequence, event, certificate)).collect::<Vec<_>>()
        };
        let mut all = [hashes(1, None), hashes(2, None), hashes(1, Some(&[0; 32]))].concat();
        let number = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), number), (number, 48));
    }

    #[test]
    fn a_break_is_told_by_its_place() {
        let mut chain = Chain::default();
        let mut records: Vec<_> = (0..4).map(|_| chain.append(refused(), None)).collect();
        let walk = |records: &[AuditRecord]| {
            let mut chain = Chain::default();
            records.iter().try_for_each(|record| chain.follow(record)).map(|()| chain)
        };
        assert_eq!(walk(&records), Ok(chain));
        let whole = records.clone();
        let check = |records: &[AuditRecord], expected: Broken| assert_eq!(walk(records), Err(expected));

        records[1].event.at += 1;
        check(&records, Broken::Altered(2));
        records = whole.clone();
        records.remove(1);
        check(&records, Broken::Missing { expected: 2, found: 3 });
        records = whole.clone();
        records.swap(1, 2);
        check(&records, Broken::Missing { expected: 2, found: 3 });
        // Swapped and numbered anew.
        (records[1].sequence, records[2].sequence) = (2, 3);
        check(&records, Broken::Altered(2));
        records = whole;
        records[3].event.kind = AuditKind::Issued;
        check(&records, Broken::NoCertificate(4));
        records[3].event = AuditEvent::new(AuditKind::Revoked, 0);
        check(&records, Broken::NoRevocation(4));
    }
}
