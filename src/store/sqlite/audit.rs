//! The audit log: its rows, written inside whatever transaction is open, and read with what they point at.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::types::Type;
use rusqlite::types::ValueRef;
use sha2::Digest;
use sha2::Sha256;

use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Broken;
use crate::store::Chain;
use crate::store::sqlite::failure;
use crate::x509::serial::SerialNumber;

/// The end of the log in the database of this name.
pub(super) fn end(connection: &Connection, database: &str) -> rusqlite::Result<Chain> {
    let sql = format!("SELECT sequence, hash FROM {database}.audit ORDER BY sequence DESC LIMIT 1");
    let last = connection
        .query_row(&sql, [], |row| {
            Ok(Chain { sequence: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? })
        })
        .optional()?;
    Ok(last.unwrap_or_default())
}

/// Begins the log of a store that had records before it had a log, and says how many; does nothing to any other.
pub(super) fn begin(connection: &Connection, chain: &mut Chain, at: i64) -> rusqlite::Result<()> {
    if chain.sequence > 0 {
        return Ok(());
    }
    let (certificates, revocations) = unlogged(connection)?;
    if (certificates, revocations) == (0, 0) {
        return Ok(());
    }
    let event = AuditEvent {
        certificates: Some(certificates),
        revocations: Some(revocations),
        ..AuditEvent::new(AuditKind::Began, at)
    };
    append(connection, chain, &event)
}

/// Appends the event of the certificate in this row.
pub(super) fn append_certificate(
    connection: &Connection,
    chain: &mut Chain,
    event: &AuditEvent,
    sha256: &[u8; 32],
    certificate: i64,
) -> rusqlite::Result<()> {
    chain.extend(event, Some(sha256));
    connection
        .prepare_cached(
            "INSERT INTO audit (sequence, kind, hash, certificate, previous) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            chain.sequence.cast_signed(),
            event.kind.number(),
            &chain.hash,
            certificate,
            event.previous.as_ref().map(SerialNumber::content),
        ))?;
    Ok(())
}

/// Appends the event of the revocation in this row.
pub(super) fn append_revocation(
    connection: &Connection,
    chain: &mut Chain,
    event: &AuditEvent,
    revocation: i64,
) -> rusqlite::Result<()> {
    chain.extend(event, None);
    connection
        .prepare_cached(
            "INSERT INTO audit (sequence, kind, hash, revocation, certificate)
             VALUES (?1, ?2, ?3, ?4, (SELECT certificates.id FROM certificates JOIN revocations USING (serial)
                 WHERE revocations.id = ?4))",
        )?
        .execute((chain.sequence.cast_signed(), event.kind.number(), &chain.hash, revocation))?;
    Ok(())
}

/// Appends any other event, with all that it says.
pub(super) fn append(connection: &Connection, chain: &mut Chain, event: &AuditEvent) -> rusqlite::Result<()> {
    chain.extend(event, None);
    connection
        .prepare_cached(
            "INSERT INTO audit (sequence, kind, hash, previous, at, request_id, provisioner_id, named_provisioner,
                 subject, grant_id, subject_user_id, serial, expires_at, code, cause, certificates, revocations)
             VALUES (:sequence, :kind, :hash, :previous, :at, :request_id, :provisioner_id, :named_provisioner,
                 :subject, :grant_id, :subject_user_id, :serial, :expires_at, :code, :cause, :certificates,
                 :revocations)",
        )?
        .execute(named_params! {
            ":sequence": chain.sequence.cast_signed(),
            ":kind": event.kind.number(),
            ":hash": chain.hash,
            ":previous": event.previous.as_ref().map(SerialNumber::content),
            ":at": event.at,
            ":request_id": event.request_id,
            ":provisioner_id": event.provisioner,
            ":named_provisioner": event.named_provisioner,
            ":subject": event.subject,
            ":grant_id": event.grant_id,
            ":subject_user_id": event.subject_user_id,
            ":serial": event.serial.as_ref().map(SerialNumber::content),
            ":expires_at": event.expires_at,
            ":code": event.code,
            ":cause": event.cause,
            ":certificates": event.certificates.map(u64::cast_signed),
            ":revocations": event.revocations.map(u64::cast_signed),
        })?;
    Ok(())
}

/// Reads the records that fit, in the filter's order, from the database of this name; `visit` says whether to go on.
///
/// A record whose certificate or revocation is gone lacks what stood there, and so does not pass
/// [`Chain::follow`].
pub(super) fn list(
    connection: &Connection,
    database: &str,
    filter: &AuditFilter,
    visit: &mut dyn FnMut(AuditRecord) -> bool,
) -> rusqlite::Result<()> {
    let order = if filter.newest_first { "DESC" } else { "ASC" };
    let kinds = filter.kinds.iter().map(|kind| kind.number().to_string()).collect::<Vec<_>>().join(", ");
    let kinds = if kinds.is_empty() { String::new() } else { format!("AND kind IN ({kinds})") };
    let mut statement = connection.prepare(&format!(
        "SELECT sequence, kind, hash, audit.revocation, previous, at, audit.request_id, audit.provisioner_id,
             named_provisioner, audit.subject, audit.grant_id, audit.subject_user_id, audit.serial,
             audit.expires_at, code, cause, audit.certificates AS certificate_count,
             audit.revocations AS revocation_count,
             certificates.issued_at, certificates.request_id AS issued_request_id,
             provisioners.provisioner_id AS issued_provisioner, certificates.subject AS issued_subject,
             certificates.grant_id AS issued_grant, certificates.subject_user_id AS issued_user,
             certificates.serial AS issued_serial, certificates.not_after, certificates.der,
             revocations.revoked_at, revocations.request_id AS revoked_request_id,
             revocations.provisioner_id AS revoked_provisioner, revocations.serial AS revoked_serial,
             revocations.expires_at AS revoked_expires_at, revocations.reason_code, revocations.reason
         FROM {database}.audit
             LEFT JOIN {database}.certificates ON certificates.id = audit.certificate
             LEFT JOIN {database}.provisioners ON provisioners.id = certificates.provisioner
             LEFT JOIN {database}.revocations ON revocations.id = audit.revocation
         WHERE sequence > :after AND sequence < :before {kinds}
         ORDER BY sequence {order}",
    ))?;
    let mut rows = statement.query(named_params! {
        ":after": filter.after.map_or(i64::MIN, bounded),
        ":before": filter.before.map_or(i64::MAX, bounded),
    })?;
    while let Some(row) = rows.next()? {
        let (sequence, event) = read(row)?;
        if !filter.fits(sequence, &event) {
            continue;
        }
        // Last, since it reads the certificate.
        let certificate_sha256 = match event.kind.is_of_certificate() {
            true => row.get_ref("der")?.as_blob_or_null()?.map(digest),
            false => None,
        };
        let hash = row.get("hash")?;
        if !visit(AuditRecord { sequence, event, certificate_sha256, hash }) {
            break;
        }
    }
    Ok(())
}

/// Walks along the whole log, calling `visit` with each record that is in order, and compares it with what is on record.
///
/// Yields how far it came, and where the log breaks if it does.
pub(super) fn walk(
    connection: &Connection,
    visit: &mut dyn FnMut(&AuditRecord),
) -> rusqlite::Result<(AuditWalk, Option<Broken>)> {
    // One look at all of it, however long it takes and whoever writes.
    let _transaction = connection.unchecked_transaction()?;
    let mut walk = AuditWalk::default();
    let mut broken = None;
    let read = list(connection, "main", &AuditFilter::default(), &mut |record| {
        broken = walk.follow(&record).err();
        if broken.is_none() {
            visit(&record);
        }
        broken.is_none()
    });
    if read.as_ref().is_err_and(failure::is_a_value) {
        broken = Some(Broken::Altered(walk.chain.sequence + 1));
    } else {
        read?;
    }
    if broken.is_none() {
        let (certificates, revocations) = unlogged(connection)?;
        broken = walk.compare(certificates, revocations).err();
    }
    Ok((walk, broken))
}

/// How many certificates and revocations have no event of their own.
pub(super) fn unlogged(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let revoked = AuditKind::Revoked.number();
    connection.query_row(
        "SELECT
             (SELECT count(*) FROM main.certificates WHERE id NOT IN
                 (SELECT certificate FROM main.audit WHERE certificate IS NOT NULL AND kind <> ?1)),
             (SELECT count(*) FROM main.revocations WHERE id NOT IN
                 (SELECT revocation FROM main.audit WHERE revocation IS NOT NULL AND kind = ?1))",
        [revoked],
        |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs())),
    )
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn bounded(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(u64, AuditEvent)> {
    let number: u8 = row.get("kind")?;
    let kind =
        AuditKind::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number.into()))?;
    let sequence = row.get::<_, i64>("sequence")?.unsigned_abs();
    let event = if kind.is_of_certificate() {
        AuditEvent {
            request_id: row.get("issued_request_id")?,
            provisioner: row.get("issued_provisioner")?,
            subject: row.get("issued_subject")?,
            grant_id: row.get("issued_grant")?,
            subject_user_id: row.get("issued_user")?,
            serial: serial(row, "issued_serial")?,
            previous: serial(row, "previous")?,
            expires_at: row.get("not_after")?,
            ..AuditEvent::new(kind, row.get::<_, Option<i64>>("issued_at")?.unwrap_or_default())
        }
    } else if row.get_ref("revocation")? != ValueRef::Null {
        AuditEvent {
            request_id: row.get("revoked_request_id")?,
            provisioner: row.get("revoked_provisioner")?,
            subject: row.get("issued_subject")?,
            grant_id: row.get("issued_grant")?,
            subject_user_id: row.get("issued_user")?,
            serial: serial(row, "revoked_serial")?,
            expires_at: row.get("revoked_expires_at")?,
            code: row.get::<_, Option<u8>>("reason_code")?.map(|code| code.to_string()),
            cause: row.get("reason")?,
            ..AuditEvent::new(kind, row.get::<_, Option<i64>>("revoked_at")?.unwrap_or_default())
        }
    } else {
        let count = |name: &str| row.get::<_, Option<i64>>(name).map(|count| count.map(i64::cast_unsigned));
        AuditEvent {
            request_id: row.get("request_id")?,
            provisioner: row.get("provisioner_id")?,
            named_provisioner: row.get("named_provisioner")?,
            subject: row.get("subject")?,
            grant_id: row.get("grant_id")?,
            subject_user_id: row.get("subject_user_id")?,
            serial: serial(row, "serial")?,
            previous: serial(row, "previous")?,
            expires_at: row.get("expires_at")?,
            code: row.get("code")?,
            cause: row.get("cause")?,
            certificates: count("certificate_count")?,
            revocations: count("revocation_count")?,
            ..AuditEvent::new(kind, row.get::<_, Option<i64>>("at")?.unwrap_or_default())
        }
    };
    Ok((sequence, event))
}

fn serial(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<SerialNumber>> {
    let content = row.get_ref(column)?.as_blob_or_null()?;
    let serial = content.map(SerialNumber::from_signed_content).transpose();
    serial.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))
}
