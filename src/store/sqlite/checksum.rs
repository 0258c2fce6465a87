//! A checksum in each row that is shown to somebody: SQLite has none of its own, and a flipped bit is no error to it.
//!
//! Against disks, not against people: whoever can write the file can write the checksum. Rows of before there were checksums have none.

use rusqlite::types::Type;
use sha2::Digest as _;
use sha2::Sha256;

use crate::store::CertificateRecord;
use crate::store::CrlRecord;
use crate::store::Revocation;

/// Octets of a SHA-256 that are kept: the odds that damage goes unseen are one in 2⁶⁴.
const LENGTH: usize = 8;

/// A row that has one.
pub(super) trait Checked {
    /// Takes in every value, each once.
    fn digest(&self, sum: &mut Sum);

    /// The checksum.
    fn checksum(&self) -> [u8; LENGTH] {
        let mut sum = Sum(Sha256::new());
        self.digest(&mut sum);
        let mut checksum = [0; LENGTH];
        checksum.copy_from_slice(&sum.0.finalize()[..LENGTH]);
        checksum
    }

    /// Refuses what was read if it is not what was written.
    fn verified(self, expected: Option<Vec<u8>>) -> rusqlite::Result<Self>
    where
        Self: Sized,
    {
        match expected {
            Some(expected) if expected != self.checksum() => {
                Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(Mismatch)))
            }
            _ => Ok(self),
        }
    }
}

/// What was read is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("a row does not have its checksum")]
struct Mismatch;

/// A checksum in the making.
pub(super) struct Sum(Sha256);

impl Sum {
    /// With its length, so that neighbours cannot trade bytes.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        self.bytes(text.unwrap_or_default().as_bytes());
    }
}

impl Checked for CertificateRecord {
    fn digest(&self, sum: &mut Sum) {
        sum.bytes(self.serial.content());
        sum.bytes(&self.der);
        for time in [self.not_before, self.not_after, self.issued_at] {
            sum.number(time);
        }
        for text in [&self.subject, &self.provisioner, &self.provisioner_id, &self.request_id] {
            sum.bytes(text.as_bytes());
        }
        sum.optional(self.grant_id.as_deref());
        sum.optional(self.subject_user_id.as_deref());
    }
}

impl Checked for Revocation {
    fn digest(&self, sum: &mut Sum) {
        sum.bytes(self.serial.content());
        sum.number(self.revoked_at);
        sum.number(self.reason_code.into());
        sum.bytes(self.reason.as_bytes());
        sum.optional(self.expires_at.map(|time| time.to_string()).as_deref());
        sum.optional(self.provisioner_id.as_deref());
        sum.bytes(self.request_id.as_bytes());
    }
}

impl Checked for CrlRecord {
    fn digest(&self, sum: &mut Sum) {
        for number in [self.number, self.this_update, self.next_update] {
            sum.number(number);
        }
        sum.bytes(&self.der);
    }
}
