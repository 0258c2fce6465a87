//! The statements, and rows to records and back.

use std::error::Error as StdError;

use tokio_postgres::Client;
use tokio_postgres::Error;
use tokio_postgres::Row;
use tokio_postgres::Statement;
use tokio_postgres::types::FromSql;
use tokio_postgres::types::Type;

use crate::store::AuditKind;
use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::Counts;
use crate::store::CrlRecord;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::store::Revocation;
use crate::store::postgres::audit::LOG;
use crate::store::postgres::batch::Batch;
use crate::store::postgres::batch::Head;
use crate::store::postgres::batch::Keys;
use crate::store::postgres::text::escape;
use crate::store::postgres::text::unescape;
use crate::x509::serial::SerialNumber;

const HEAD: &str = "
    SELECT last_record, records_lost_until, audit_sequence, audit_hash FROM stepless.head WHERE id = 1 FOR UPDATE";

/// A statement of its own behind [`HEAD`]: it must see what was committed while that one waited for its lock.
const KNOWN: &str = "
    SELECT 0::smallint, key FROM stepless.spent_tokens WHERE key = ANY($1::bytea[])
    UNION ALL SELECT 1::smallint, serial FROM stepless.revocations WHERE serial = ANY($2::bytea[])
    UNION ALL SELECT 2::smallint, serial FROM stepless.certificates WHERE serial = ANY($3::bytea[])
    UNION ALL SELECT 3::smallint, hash FROM stepless.audit WHERE sequence = $4";

const REVOKED: &str = "SELECT * FROM stepless.certificates WHERE serial = ANY($1::bytea[])";

const SPEND: &str =
    "INSERT INTO stepless.spent_tokens (key, expires_at) SELECT * FROM unnest($1::bytea[], $2::bigint[])";

const ISSUE: &str = "
    INSERT INTO stepless.certificates (serial, record, not_before, not_after, issued_at, provisioner, provisioner_id,
        subject, grant_id, subject_user_id, request_id, der)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[])";

const REVOKE: &str = "
    INSERT INTO stepless.revocations (serial, record, revoked_at, reason_code, reason, expires_at, provisioner_id,
        request_id)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[],
        $8::text[])";

const COUNT_ON: &str =
    "UPDATE stepless.head SET last_record = $1, audit_sequence = $2, audit_hash = $3 WHERE id = 1";

/// As after a backup was brought back: what tokens were spent is not known, nor which CRL numbers were used.
pub(super) const RECORDS_LOST: &str = "
    UPDATE stepless.head SET records_lost_until = floor(extract(epoch FROM now()))::bigint + 60 WHERE id = 1;
    UPDATE stepless.crl SET number = number + 4294967296 WHERE id = 1";

const CERTIFICATE: &str = "SELECT * FROM stepless.certificates WHERE serial = $1";
const REVOCATION: &str = "SELECT * FROM stepless.revocations WHERE serial = $1";
const REVOCATIONS: &str =
    "SELECT * FROM stepless.revocations WHERE expires_at IS NULL OR expires_at >= $1 ORDER BY record";
const CRL: &str = "SELECT number, this_update, next_update, der FROM stepless.crl WHERE id = 1";

const RECORD_CRL: &str = "
    INSERT INTO stepless.crl AS last (id, number, this_update, next_update, der) VALUES (1, $1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
        next_update = excluded.next_update, der = excluded.der
    WHERE excluded.number = last.number + 1";

/// A token must have ended by the server's clock too, so that a process whose clock is ahead forgets none that others
/// would take.
const PRUNE: &str = "
    DELETE FROM stepless.spent_tokens WHERE key IN (
        SELECT key FROM stepless.spent_tokens
        WHERE expires_at < least($1::bigint, floor(extract(epoch FROM now()))::bigint)
        ORDER BY expires_at LIMIT $2::bigint)";

const WRITABLE: &str = "SELECT current_setting('transaction_read_only') FROM stepless.head WHERE id = 1";

/// What is prepared on each connection.
#[derive(Debug)]
pub(super) struct Statements {
    head: Statement,
    known: Statement,
    revoked: Statement,
    spend: Statement,
    issue: Statement,
    revoke: Statement,
    count_on: Statement,
    log: Statement,
    certificate: Statement,
    revocation: Statement,
    revocations: Statement,
    crl: Statement,
    record_crl: Statement,
    prune: Statement,
    writable: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let (head, known, revoked, spend, issue, revoke, log, count_on) = tokio::try_join!(
            client.prepare(HEAD),
            client.prepare(KNOWN),
            client.prepare(REVOKED),
            client.prepare(SPEND),
            client.prepare(ISSUE),
            client.prepare(REVOKE),
            client.prepare(LOG),
            client.prepare(COUNT_ON),
        )?;
        let (certificate, revocation, revocations, crl, record_crl, prune, writable) = tokio::try_join!(
            client.prepare(CERTIFICATE),
            client.prepare(REVOCATION),
            client.prepare(REVOCATIONS),
            client.prepare(CRL),
            client.prepare(RECORD_CRL),
            client.prepare(PRUNE),
            client.prepare(WRITABLE),
        )?;
        Ok(Self {
            head,
            known,
            revoked,
            spend,
            issue,
            revoke,
            count_on,
            log,
            certificate,
            revocation,
            revocations,
            crl,
            record_crl,
            prune,
            writable,
        })
    }

    /// Takes the turn to write, and tells where the records end.
    pub(super) async fn head(&self, client: &Client) -> Result<Head, Error> {
        let row = client.query_one(&self.head, &[]).await?;
        let chain =
            Chain { sequence: row.try_get::<_, i64>(2)?.unsigned_abs(), hash: row.try_get::<_, Hash>(3)?.0 };
        Ok(Head { last_record: row.try_get(0)?, records_lost_until: row.try_get(1)?, chain })
    }

    /// Which keys are on record, and whether the end of the log that was `seen` is.
    pub(super) async fn known(
        &self,
        client: &Client,
        keys: &Keys<'_>,
        seen: &Chain,
    ) -> Result<Vec<Row>, Error> {
        let sequence = seen.sequence.cast_signed();
        client.query(&self.known, &[&keys.tokens, &keys.revocations, &keys.certificates, &sequence]).await
    }

    /// The certificates that are to be revoked, with their numbers.
    pub(super) async fn revoked(
        &self,
        client: &Client,
        keys: &Keys<'_>,
    ) -> Result<Vec<(i64, CertificateRecord)>, Error> {
        if keys.revoked.is_empty() {
            return Ok(Vec::new());
        }
        let rows = client.query(&self.revoked, &[&keys.revoked]).await?;
        rows.iter().map(|row| Ok((row.try_get("record")?, read_certificate(row)?))).collect()
    }

    pub(super) async fn spend(&self, client: &Client, batch: &Batch<'_>) -> Result<u64, Error> {
        let rows = &batch.tokens;
        if rows.key.is_empty() {
            return Ok(0);
        }
        client.execute(&self.spend, &[&rows.key, &rows.expires_at]).await
    }

    pub(super) async fn issue(&self, client: &Client, batch: &Batch<'_>) -> Result<u64, Error> {
        let rows = &batch.certificates;
        if rows.serial.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.issue,
                &[
                    &rows.serial,
                    &rows.record,
                    &rows.not_before,
                    &rows.not_after,
                    &rows.issued_at,
                    &rows.provisioner,
                    &rows.provisioner_id,
                    &rows.subject,
                    &rows.grant_id,
                    &rows.subject_user_id,
                    &rows.request_id,
                    &rows.der,
                ],
            )
            .await
    }

    pub(super) async fn revoke(&self, client: &Client, batch: &Batch<'_>) -> Result<u64, Error> {
        let rows = &batch.revocations;
        if rows.serial.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.revoke,
                &[
                    &rows.serial,
                    &rows.record,
                    &rows.revoked_at,
                    &rows.reason_code,
                    &rows.reason,
                    &rows.expires_at,
                    &rows.provisioner_id,
                    &rows.request_id,
                ],
            )
            .await
    }

    pub(super) async fn log(&self, client: &Client, batch: &Batch<'_>) -> Result<u64, Error> {
        let rows = &batch.audit;
        if rows.sequence.is_empty() {
            return Ok(0);
        }
        client
            .execute(
                &self.log,
                &[
                    &rows.sequence,
                    &rows.kind,
                    &rows.hash,
                    &rows.certificate,
                    &rows.revocation,
                    &rows.previous,
                    &rows.at,
                    &rows.request_id,
                    &rows.provisioner_id,
                    &rows.named_provisioner,
                    &rows.subject,
                    &rows.grant_id,
                    &rows.subject_user_id,
                    &rows.serial,
                    &rows.expires_at,
                    &rows.code,
                    &rows.cause,
                ],
            )
            .await
    }

    pub(super) async fn count_on(&self, client: &Client, batch: &Batch<'_>) -> Result<u64, Error> {
        let Head { last_record, chain, .. } = &batch.head;
        let (sequence, hash) = (chain.sequence.cast_signed(), chain.hash.as_slice());
        client.execute(&self.count_on, &[last_record, &sequence, &hash]).await
    }

    pub(super) async fn certificate(
        &self,
        client: &Client,
        serial: &SerialNumber,
    ) -> Result<Option<CertificateRecord>, Error> {
        let row = client.query_opt(&self.certificate, &[&serial.content()]).await?;
        row.as_ref().map(read_certificate).transpose()
    }

    pub(super) async fn revocation(
        &self,
        client: &Client,
        serial: &SerialNumber,
    ) -> Result<Option<Revocation>, Error> {
        let row = client.query_opt(&self.revocation, &[&serial.content()]).await?;
        row.as_ref().map(read_revocation).transpose()
    }

    pub(super) async fn revocations(&self, client: &Client, now: i64) -> Result<Vec<Revocation>, Error> {
        client.query(&self.revocations, &[&now]).await?.iter().map(read_revocation).collect()
    }

    pub(super) async fn crl(&self, client: &Client) -> Result<Option<CrlRecord>, Error> {
        let Some(row) = client.query_opt(&self.crl, &[]).await? else { return Ok(None) };
        Ok(Some(CrlRecord {
            number: row.try_get(0)?,
            this_update: row.try_get(1)?,
            next_update: row.try_get(2)?,
            der: row.try_get(3)?,
        }))
    }

    pub(super) async fn record_crl(&self, client: &Client, crl: &CrlRecord) -> Result<bool, Error> {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&crl.number, &crl.this_update, &crl.next_update, &crl.der];
        Ok(client.execute(&self.record_crl, &values).await? == 1)
    }

    pub(super) async fn prune(&self, client: &Client, now: i64, limit: i64) -> Result<u64, Error> {
        client.execute(&self.prune, &[&now, &limit]).await
    }

    /// Whether this is a server that writes.
    pub(super) async fn is_writable(&self, client: &Client) -> Result<bool, Error> {
        let read_only: String = client.query_one(&self.writable, &[]).await?.try_get(0)?;
        Ok(read_only == "off")
    }
}

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

fn read_certificate(row: &Row) -> Result<CertificateRecord, Error> {
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

fn read_revocation(row: &Row) -> Result<Revocation, Error> {
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
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&serial, &filter.expiring_from, &filter.expiring_before];
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
