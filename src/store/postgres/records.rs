//! Rows to records and back, and reading through all of them.

use std::error::Error as StdError;

use tokio_postgres::Client;
use tokio_postgres::Error;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use tokio_postgres::types::ToSql;
use tokio_postgres::types::Type;

use crate::store::AuditKind;
use crate::store::CertificateRecord;
use crate::store::Counts;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::store::Revocation;
use crate::store::postgres::text::escape;
use crate::store::postgres::text::unescape;
use crate::x509::serial::SerialNumber;

/// A column of text as [`escape`] wrote it.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        String::from_sql(kind, raw).map(|text| Self(unescape(text)))
    }

    fn accepts(kind: &Type) -> bool {
        <String as FromSql<'_>>::accepts(kind)
    }
}

/// A value that was not written by us.
#[derive(Debug, thiserror::Error)]
#[error("it was not written by stepless")]
pub(super) struct BadValue;

/// A serial number; one of a revocation may be negative.
struct Serial(SerialNumber);

impl<'a> FromSql<'a> for Serial {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(SerialNumber::from_signed_content(raw).map_err(|_| BadValue)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }
}

/// The number of what happened.
pub(super) struct Kind(pub(super) AuditKind);

impl<'a> FromSql<'a> for Kind {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        let number = u8::try_from(i16::from_sql(kind, raw)?).ok();
        Ok(Self(number.and_then(AuditKind::from_number).ok_or(BadValue)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::INT2
    }
}

/// A SHA-256.
pub(super) struct Hash(pub(super) [u8; 32]);

impl<'a> FromSql<'a> for Hash {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw.try_into().map_err(|_| BadValue)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }
}

fn text(row: &Row, column: &str) -> Result<String, Error> {
    row.try_get::<_, Text>(column).map(|text| text.0)
}

pub(super) fn optional_text(row: &Row, column: &str) -> Result<Option<String>, Error> {
    row.try_get::<_, Option<Text>>(column).map(|text| text.map(|text| text.0))
}

pub(super) fn optional_serial(row: &Row, column: &str) -> Result<Option<SerialNumber>, Error> {
    row.try_get::<_, Option<Serial>>(column).map(|serial| serial.map(|serial| serial.0))
}

pub(super) fn read_certificate(row: &Row) -> Result<CertificateRecord, Error> {
    Ok(CertificateRecord {
        serial: row.try_get::<_, Serial>("serial")?.0,
        der: row.try_get("der")?,
        not_before: row.try_get("not_before")?,
        not_after: row.try_get("not_after")?,
        subject: text(row, "subject")?,
        provisioner: text(row, "provisioner")?,
        provisioner_id: text(row, "provisioner_id")?,
        grant_id: optional_text(row, "grant_id")?,
        subject_user_id: optional_text(row, "subject_user_id")?,
        issued_at: row.try_get("issued_at")?,
        request_id: text(row, "request_id")?,
    })
}

pub(super) fn read_revocation(row: &Row) -> Result<Revocation, Error> {
    Ok(Revocation {
        serial: row.try_get::<_, Serial>("serial")?.0,
        revoked_at: row.try_get("revoked_at")?,
        // Nothing else was written.
        reason_code: row.try_get::<_, i16>("reason_code")?.try_into().unwrap_or_default(),
        reason: text(row, "reason")?,
        expires_at: row.try_get("expires_at")?,
        provisioner_id: optional_text(row, "provisioner_id")?,
        request_id: text(row, "request_id")?,
    })
}

pub(super) async fn counts(client: &Client) -> Result<Counts, Error> {
    let counts =
        "SELECT (SELECT count(*) FROM stepless.spent_tokens), (SELECT count(*) FROM stepless.certificates)";
    let row = client.query_one(counts, &[]).await?;
    let (spent_tokens, certificates): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Counts { spent_tokens: spent_tokens.unsigned_abs(), certificates: certificates.unsigned_abs() })
}

/// Rows of a list fetched at once.
pub(super) const PAGE: i32 = 500;

/// Reads certificates and revocations as [`Listed`]; those revoked without a record come last. `visit` says whether to go
/// on.
pub(super) async fn list(
    client: &mut Client,
    filter: &Filter,
    visit: &mut dyn FnMut(Listed) -> bool,
) -> Result<(), Error> {
    let order = match filter.order {
        Order::Newest => "certificates.record DESC",
        Order::Expiry => "not_after, certificates.record DESC",
    };
    let issued = format!(
        "SELECT certificates.*, revocations.serial IS NOT NULL AS is_revoked, revoked_at, reason_code, reason, expires_at,
             revocations.provisioner_id AS revoked_by, revocations.request_id AS revoked_in
         FROM stepless.certificates LEFT JOIN stepless.revocations ON revocations.serial = certificates.serial
         WHERE ($1::bytea IS NULL OR certificates.serial = $1)
             AND ($2::text IS NULL OR grant_id = $2)
             AND ($3::text IS NULL OR subject_user_id = $3)
             AND ($4::bigint IS NULL OR not_after >= $4)
             AND ($5::bigint IS NULL OR not_after < $5)
             AND (NOT $6::boolean OR revocations.serial IS NOT NULL)
         ORDER BY {order}"
    );
    const UNRECORDED: &str = "
        SELECT * FROM stepless.revocations
        WHERE NOT EXISTS (SELECT 1 FROM stepless.certificates WHERE certificates.serial = revocations.serial)
            AND ($1::bytea IS NULL OR serial = $1)
            AND ($2::bigint IS NULL OR expires_at >= $2)
            AND ($3::bigint IS NULL OR expires_at < $3)
        ORDER BY record DESC";
    let serial = filter.serial.as_ref().map(SerialNumber::content);
    let transaction = client.build_transaction().read_only(true).start().await?;
    let statement = transaction.prepare(&issued).await?;
    let portal = transaction
        .bind(
            &statement,
            &[
                &serial,
                &filter.grant_id.as_deref().map(escape),
                &filter.subject_user_id.as_deref().map(escape),
                &filter.expiring_from,
                &filter.expiring_before,
                &filter.revoked,
            ],
        )
        .await?;
    loop {
        let rows = transaction.query_portal(&portal, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let certificate = read_certificate(row)?;
            if !filter.is_named(&certificate) {
                continue;
            }
            let revocation = revocation_beside(row, &certificate.serial)?;
            let serial = certificate.serial.clone();
            if !visit(Listed { serial, certificate: Some(certificate), revocation }) {
                return Ok(());
            }
        }
    }
    if filter.takes_unrecorded() {
        let statement = transaction.prepare(UNRECORDED).await?;
        let values: [&(dyn ToSql + Sync); 3] = [&serial, &filter.expiring_from, &filter.expiring_before];
        for row in transaction.query(&statement, &values).await? {
            let revocation = read_revocation(&row)?;
            let serial = revocation.serial.clone();
            if !visit(Listed { serial, certificate: None, revocation: Some(revocation) }) {
                break;
            }
        }
    }
    Ok(())
}

/// The revocation in a row of a certificate.
fn revocation_beside(row: &Row, serial: &SerialNumber) -> Result<Option<Revocation>, Error> {
    if !row.try_get::<_, bool>("is_revoked")? {
        return Ok(None);
    }
    Ok(Some(Revocation {
        serial: serial.clone(),
        revoked_at: row.try_get("revoked_at")?,
        reason_code: row.try_get::<_, i16>("reason_code")?.try_into().unwrap_or_default(),
        reason: text(row, "reason")?,
        expires_at: row.try_get("expires_at")?,
        provisioner_id: optional_text(row, "revoked_by")?,
        request_id: text(row, "revoked_in")?,
    }))
}
