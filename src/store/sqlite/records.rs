//! Single records to rows and back, inside whatever transaction is open.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::types::Type;

use crate::store::AuditEvent;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Commit;
use crate::store::CrlRecord;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::store::Outcome;
use crate::store::Revocation;
use crate::store::SpentToken;
use crate::store::sqlite::audit;
use crate::store::sqlite::checksum::Checked as _;
use crate::x509::serial::SerialNumber;

/// Writes one commit and its audit events. If this fails, the transaction holds part of it and has to be rolled back.
pub(super) fn apply(
    connection: &Connection,
    chain: &mut Chain,
    commit: &Commit,
) -> rusqlite::Result<Outcome> {
    let Commit { token, revocation, renewed: _, certificate, event } = commit;
    if let Some(obstacle) = obstacle(connection, commit)? {
        return Ok(match token {
            Some(token) if is_spent(connection, token)? => Outcome::TokenAlreadySpent,
            _ => obstacle,
        });
    }
    if let Some(token) = token
        && !spend(connection, token)?
    {
        return Ok(Outcome::TokenAlreadySpent);
    }
    if let Some(at) = commit.audited_at() {
        audit::begin(connection, chain, at)?;
    }
    if let Some(revocation) = revocation {
        let revoked = find(connection, &revocation.serial)?;
        let event = AuditEvent::of_revocation(revocation, revoked.as_ref());
        let row = revoke(connection, revocation)?;
        audit::append_revocation(connection, chain, &event, row)?;
    }
    if let (Some(certificate), Some((event, sha256))) = (certificate, commit.certificate_event()) {
        let row = insert(connection, certificate)?;
        audit::append_certificate(connection, chain, &event, &sha256, row)?;
    }
    if let Some(event) = event {
        audit::append(connection, chain, &event.clone().bounded())?;
    }
    Ok(Outcome::Recorded)
}

/// What stands in the way of a commit, apart from its token.
fn obstacle(connection: &Connection, commit: &Commit) -> rusqlite::Result<Option<Outcome>> {
    let must_not_be_revoked = commit.revocation.iter().map(|revocation| &revocation.serial);
    let renewed = commit.renewed.iter().map(|renewed| &renewed.serial);
    for serial in must_not_be_revoked.chain(renewed) {
        if exists(connection, "SELECT 1 FROM revocations WHERE serial = ?1", serial.content())? {
            return Ok(Some(Outcome::AlreadyRevoked));
        }
    }
    if let Some(certificate) = &commit.certificate
        && exists(connection, "SELECT 1 FROM certificates WHERE serial = ?1", certificate.serial.content())?
    {
        return Ok(Some(Outcome::SerialExists));
    }
    Ok(None)
}

fn exists(connection: &Connection, sql: &str, key: &[u8]) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists([key])
}

fn is_spent(connection: &Connection, token: &SpentToken) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM spent_tokens WHERE key = ?1)
                 OR EXISTS (SELECT 1 FROM records_lost WHERE until > ?2)",
        )?
        .exists((&token.key.0, token.issued_at.unwrap_or(i64::MIN)))
}

/// Whether the token was unspent until now. One from before a loss of records may not have been.
fn spend(connection: &Connection, token: &SpentToken) -> rusqlite::Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO spent_tokens (key, expires_at)
             SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM records_lost WHERE until > ?3)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute((&token.key.0, token.expires_at, token.issued_at.unwrap_or(i64::MIN)))?;
    Ok(inserted == 1)
}

/// Returns the id of the row.
fn revoke(connection: &Connection, revocation: &Revocation) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO revocations (serial, revoked_at, reason_code, reason, expires_at, provisioner_id, request_id,
                 checksum)
             VALUES (:serial, :revoked_at, :reason_code, :reason, :expires_at, :provisioner_id, :request_id,
                 :checksum)",
        )?
        .execute(named_params! {
            ":serial": revocation.serial.content(),
            ":revoked_at": revocation.revoked_at,
            ":reason_code": revocation.reason_code,
            ":reason": revocation.reason,
            ":expires_at": revocation.expires_at,
            ":provisioner_id": revocation.provisioner_id,
            ":request_id": revocation.request_id,
            ":checksum": revocation.checksum(),
        })?;
    Ok(connection.last_insert_rowid())
}

/// Returns the id of the row.
fn insert(connection: &Connection, certificate: &CertificateRecord) -> rusqlite::Result<i64> {
    let provisioner = (&certificate.provisioner_id, &certificate.provisioner);
    connection
        .prepare_cached(
            "INSERT INTO provisioners (provisioner_id, name) VALUES (?1, ?2)
             ON CONFLICT (provisioner_id, name) DO NOTHING",
        )?
        .execute(provisioner)?;
    let provisioner: i64 = connection
        .prepare_cached("SELECT id FROM provisioners WHERE provisioner_id = ?1 AND name = ?2")?
        .query_row(provisioner, |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO certificates (serial, not_before, not_after, issued_at, provisioner, subject,
                 grant_id, subject_user_id, request_id, der, checksum)
             VALUES (:serial, :not_before, :not_after, :issued_at, :provisioner, :subject,
                 :grant_id, :subject_user_id, :request_id, :der, :checksum)",
        )?
        .execute(named_params! {
            ":serial": certificate.serial.content(),
            ":not_before": certificate.not_before,
            ":not_after": certificate.not_after,
            ":issued_at": certificate.issued_at,
            ":provisioner": provisioner,
            ":subject": certificate.subject,
            ":grant_id": certificate.grant_id,
            ":subject_user_id": certificate.subject_user_id,
            ":request_id": certificate.request_id,
            ":der": certificate.der,
            ":checksum": certificate.checksum(),
        })?;
    Ok(connection.last_insert_rowid())
}

/// Reads certificates and revocations as [`Listed`]; those revoked without a record come last.
///
/// `visit` says whether to go on.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    visit: &mut dyn FnMut(Listed) -> bool,
) -> rusqlite::Result<()> {
    let order = match filter.order {
        Order::Newest => "certificates.id DESC",
        Order::Expiry => "not_after, certificates.id DESC",
    };
    let mut statement = connection.prepare(&format!(
        "SELECT certificates.serial, der, not_before, not_after, subject, name, provisioners.provisioner_id, grant_id,
             subject_user_id, issued_at, certificates.request_id, certificates.checksum,
             revocations.id IS NOT NULL AS is_revoked
         FROM certificates JOIN provisioners ON provisioners.id = certificates.provisioner
         LEFT JOIN revocations ON revocations.serial = certificates.serial
         WHERE (:serial IS NULL OR certificates.serial = :serial)
             AND (:grant_id IS NULL OR grant_id = :grant_id)
             AND (:user_id IS NULL OR subject_user_id = :user_id)
             AND (:from IS NULL OR not_after >= :from)
             AND (:to IS NULL OR not_after < :to)
             AND (NOT :revoked OR is_revoked)
         ORDER BY {order}",
    ))?;
    let mut rows = statement.query(named_params! {
        ":serial": filter.serial.as_ref().map(SerialNumber::content),
        ":grant_id": filter.grant_id,
        ":user_id": filter.subject_user_id,
        ":from": filter.expiring_from,
        ":to": filter.expiring_before,
        ":revoked": filter.revoked,
    })?;
    while let Some(row) = rows.next()? {
        let certificate = read(row)?;
        if !filter.is_named(&certificate) {
            continue;
        }
        let revocation =
            if row.get("is_revoked")? { revocation(connection, &certificate.serial)? } else { None };
        let serial = certificate.serial.clone();
        if !visit(Listed { serial, certificate: Some(certificate), revocation }) {
            return Ok(());
        }
    }
    if !filter.takes_unrecorded() {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT * FROM revocations
         WHERE NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.serial = revocations.serial)
             AND (:serial IS NULL OR serial = :serial)
             AND (:from IS NULL OR expires_at >= :from)
             AND (:to IS NULL OR expires_at < :to)
         ORDER BY id DESC",
    )?;
    let mut rows = statement.query(named_params! {
        ":serial": filter.serial.as_ref().map(SerialNumber::content),
        ":from": filter.expiring_from,
        ":to": filter.expiring_before,
    })?;
    while let Some(row) = rows.next()? {
        let revocation = read_revocation(row)?;
        let serial = revocation.serial.clone();
        if !visit(Listed { serial, certificate: None, revocation: Some(revocation) }) {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads everything that has a checksum.
pub(super) fn read_all(connection: &Connection) -> rusqlite::Result<()> {
    list(connection, &Filter::default(), &mut |_| true)?;
    crl(connection).map(drop)
}

/// Reads a certificate.
pub(super) fn find(
    connection: &Connection,
    serial: &SerialNumber,
) -> rusqlite::Result<Option<CertificateRecord>> {
    connection
        .prepare_cached(
            "SELECT serial, der, not_before, not_after, subject, name, provisioner_id, grant_id,
                 subject_user_id, issued_at, request_id, checksum
             FROM certificates JOIN provisioners ON provisioners.id = certificates.provisioner
             WHERE serial = ?1",
        )?
        .query_row([serial.content()], read)
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<CertificateRecord> {
    let serial = row.get_ref("serial")?.as_blob()?;
    let record = CertificateRecord {
        serial: SerialNumber::from_content(serial)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))?,
        der: row.get("der")?,
        not_before: row.get("not_before")?,
        not_after: row.get("not_after")?,
        subject: row.get("subject")?,
        provisioner: row.get("name")?,
        provisioner_id: row.get("provisioner_id")?,
        grant_id: row.get("grant_id")?,
        subject_user_id: row.get("subject_user_id")?,
        issued_at: row.get("issued_at")?,
        request_id: row.get("request_id")?,
    };
    record.verified(row.get("checksum")?)
}

/// Reads a revocation.
pub(super) fn revocation(
    connection: &Connection,
    serial: &SerialNumber,
) -> rusqlite::Result<Option<Revocation>> {
    connection
        .prepare_cached("SELECT * FROM revocations WHERE serial = ?1")?
        .query_row([serial.content()], read_revocation)
        .optional()
}

/// Reads the revocations of certificates that expire at `now` or later, or at an unknown time.
pub(super) fn revocations(connection: &Connection, now: i64) -> rusqlite::Result<Vec<Revocation>> {
    connection
        .prepare_cached("SELECT * FROM revocations WHERE expires_at IS NULL OR expires_at >= ?1 ORDER BY id")?
        .query_map([now], read_revocation)?
        .collect()
}

fn read_revocation(row: &Row<'_>) -> rusqlite::Result<Revocation> {
    let serial = row.get_ref("serial")?.as_blob()?;
    let revocation = Revocation {
        serial: SerialNumber::from_signed_content(serial)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))?,
        revoked_at: row.get("revoked_at")?,
        reason_code: row.get("reason_code")?,
        reason: row.get("reason")?,
        expires_at: row.get("expires_at")?,
        provisioner_id: row.get("provisioner_id")?,
        request_id: row.get("request_id")?,
    };
    revocation.verified(row.get("checksum")?)
}

/// Reads the latest CRL.
pub(super) fn crl(connection: &Connection) -> rusqlite::Result<Option<CrlRecord>> {
    connection
        .prepare_cached("SELECT number, this_update, next_update, der, checksum FROM crl")?
        .query_row([], |row| {
            let crl = CrlRecord {
                number: row.get("number")?,
                this_update: row.get("this_update")?,
                next_update: row.get("next_update")?,
                der: row.get("der")?,
            };
            crl.verified(row.get("checksum")?)
        })
        .optional()
}

/// Puts a CRL in place of the latest one if its number follows that one's, and tells whether it did.
pub(super) fn record_crl(connection: &Connection, crl: &CrlRecord) -> rusqlite::Result<bool> {
    let written = connection
        .prepare_cached(
            "INSERT INTO crl (id, number, this_update, next_update, der, checksum)
             VALUES (1, :number, :this_update, :next_update, :der, :checksum)
             ON CONFLICT (id) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
                 next_update = excluded.next_update, der = excluded.der, checksum = excluded.checksum
             WHERE excluded.number = crl.number + 1",
        )?
        .execute(named_params! {
            ":number": crl.number,
            ":this_update": crl.this_update,
            ":next_update": crl.next_update,
            ":der": crl.der,
            ":checksum": crl.checksum(),
        })?;
    Ok(written == 1)
}

/// Deletes at most `limit` tokens that expired before `now` and returns how many.
///
/// By the index and by the row, which say the same unless one is damaged.
pub(super) fn prune(connection: &Connection, now: i64, limit: u32) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM spent_tokens WHERE key IN
                 (SELECT key FROM spent_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)
                 AND expires_at < ?1",
        )?
        .execute((now, limit))?;
    Ok(deleted as u64)
}
