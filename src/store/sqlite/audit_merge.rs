//! What becomes of the audit log when a backup is brought back: it goes on, and no event of the backup is lost.
//!
//! Two logs that have parted cannot be one chain. Events that only the backup has are appended to the present log with
//! the times at which they happened, and a record after them says so and names the end of the backup's chain.

use std::collections::HashSet;

use rusqlite::Connection;

use crate::hex;
use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;
use crate::store::Chain;
use crate::store::sqlite::audit;
use crate::store::sqlite::records;

/// Brings the events of the database `backup` into the present one, whose certificates and revocations are merged
/// already. Returns how many it lacked.
pub(super) fn merge(connection: &Connection, now: i64) -> rusqlite::Result<u64> {
    let mut chain = audit::end(connection, "main")?;
    let theirs = audit::end(connection, "backup")?;
    let shared: Option<i64> = connection.query_row(
        "SELECT max(sequence) FROM main.audit AS ours JOIN backup.audit AS theirs USING (sequence)
         WHERE ours.hash = theirs.hash",
        [],
        |row| row.get(0),
    )?;
    let shared = shared.map_or(0, i64::unsigned_abs);
    let (mut appended, mut left_out) = (0, 0);
    if theirs.sequence > shared {
        // They may have come from another backup before.
        let mut known = HashSet::new();
        audit::list(connection, "main", &AuditFilter::default(), &mut |record| {
            known.insert(content(&record));
            true
        })?;
        let filter = AuditFilter { after: Some(shared), ..AuditFilter::default() };
        let mut result = Ok(());
        audit::list(connection, "backup", &filter, &mut |record| {
            if known.contains(&content(&record)) {
                return true;
            }
            match append(connection, &mut chain, &record) {
                Ok(true) => appended += 1,
                Ok(false) => left_out += 1,
                Err(error) => result = Err(error),
            }
            result.is_ok()
        })?;
        result?;
    }
    let mut detail = format!("{appended} records came from the log of a backup");
    if left_out > 0 {
        detail.push_str(&format!(", {left_out} did not: other certificates have their serial numbers"));
    }
    finish(connection, &mut chain, now, format!("{detail}; {}", ending(&theirs)))?;
    Ok(appended)
}

/// Goes on with the log of a backup that has taken the place of all records. Returns how many records it has.
pub(super) fn resume(connection: &Connection, now: i64) -> rusqlite::Result<u64> {
    let mut chain = audit::end(connection, "main")?;
    let events = chain.sequence;
    let detail = format!("a backup took the place of all records; {}", ending(&chain));
    finish(connection, &mut chain, now, detail)?;
    Ok(events)
}

/// A hash of a record's event, wherever it stands: that of a chain of it alone.
fn content(record: &AuditRecord) -> [u8; 32] {
    let mut alone = Chain::default();
    alone.extend(&record.event, record.certificate_sha256.as_ref());
    alone.hash
}

fn ending(chain: &Chain) -> String {
    format!("its log ended with record {}, {}", chain.sequence, hex::encode(&chain.hash))
}

fn finish(connection: &Connection, chain: &mut Chain, now: i64, detail: String) -> rusqlite::Result<()> {
    let (certificates, revocations) = audit::unlogged(connection)?;
    let event = AuditEvent {
        cause: Some(detail),
        certificates: Some(certificates),
        revocations: Some(revocations),
        ..AuditEvent::new(AuditKind::Restored, now)
    };
    audit::append(connection, chain, &event)
}

/// Appends an event of the backup, and tells whether it did: not if its certificate is not here.
fn append(connection: &Connection, chain: &mut Chain, record: &AuditRecord) -> rusqlite::Result<bool> {
    let AuditRecord { event, certificate_sha256, .. } = record;
    let Some(serial) = &event.serial else {
        return audit::append(connection, chain, event).map(|()| true);
    };
    if event.kind.is_of_certificate() {
        let found = records::find(connection, serial)?;
        let same = found.is_some_and(|certificate| {
            AuditEvent::of_certificate(event.kind, event.previous.clone(), &certificate) == *event
                && Some(audit::digest(&certificate.der)) == *certificate_sha256
        });
        let (true, Some(sha256)) = (same, certificate_sha256) else { return Ok(false) };
        let row = row_of(connection, "certificates", serial.content())?;
        return audit::append_certificate(connection, chain, event, sha256, row).map(|()| true);
    }
    if event.kind == AuditKind::Revoked
        && let Some(revocation) = records::revocation(connection, serial)?
        && AuditEvent::of_revocation(&revocation, records::find(connection, serial)?.as_ref()) == *event
    {
        let row = row_of(connection, "revocations", serial.content())?;
        return audit::append_revocation(connection, chain, event, row).map(|()| true);
    }
    // It was revoked here as well, or its certificate was not on record there: the event says all of it.
    audit::append(connection, chain, event).map(|()| true)
}

fn row_of(connection: &Connection, table: &str, serial: &[u8]) -> rusqlite::Result<i64> {
    let sql = format!("SELECT id FROM main.{table} WHERE serial = ?1");
    connection.prepare_cached(&sql)?.query_row([serial], |row| row.get(0))
}
