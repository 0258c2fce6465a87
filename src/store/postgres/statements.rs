//! What is prepared on each connection, and run there.

use tokio_postgres::Client;
use tokio_postgres::Error;
use tokio_postgres::Row;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use crate::store::CertificateRecord;
use crate::store::Chain;
use crate::store::CrlRecord;
use crate::store::Revocation;
use crate::store::postgres::audit::LOG;
use crate::store::postgres::batch::Batch;
use crate::store::postgres::batch::Head;
use crate::store::postgres::batch::Keys;
use crate::store::postgres::records::Hash;
use crate::store::postgres::records::read_certificate;
use crate::store::postgres::records::read_revocation;
use crate::x509::serial::SerialNumber;

const HEAD: &str = "
    SELECT last_record, records_lost_until, audit_sequence, audit_hash, forgotten_until FROM stepless.head
    WHERE id = 1 FOR UPDATE";

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
    WITH forgotten AS (
        UPDATE stepless.head
        SET forgotten_until = greatest(forgotten_until, least($1::bigint, floor(extract(epoch FROM now()))::bigint))
        WHERE id = 1)
    DELETE FROM stepless.spent_tokens WHERE key IN (
        SELECT key FROM stepless.spent_tokens
        WHERE expires_at < least($1::bigint, floor(extract(epoch FROM now()))::bigint)
        ORDER BY expires_at LIMIT $2::bigint)";

const CONDITION: &str =
    "SELECT current_setting('transaction_read_only'), forgotten_until FROM stepless.head WHERE id = 1";

/// How the server is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) writable: bool,
    /// Used tokens that ended before may have been deleted; Unix seconds.
    pub(super) forgotten_until: i64,
}

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
    condition: Statement,
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
        let (certificate, revocation, revocations, crl, record_crl, prune, condition) = tokio::try_join!(
            client.prepare(CERTIFICATE),
            client.prepare(REVOCATION),
            client.prepare(REVOCATIONS),
            client.prepare(CRL),
            client.prepare(RECORD_CRL),
            client.prepare(PRUNE),
            client.prepare(CONDITION),
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
            condition,
        })
    }

    /// Takes the turn to write, and tells where the records end.
    pub(super) async fn head(&self, client: &Client) -> Result<Head, Error> {
        let row = client.query_one(&self.head, &[]).await?;
        let chain =
            Chain { sequence: row.try_get::<_, i64>(2)?.unsigned_abs(), hash: row.try_get::<_, Hash>(3)?.0 };
        Ok(Head {
            last_record: row.try_get(0)?,
            records_lost_until: row.try_get(1)?,
            forgotten_until: row.try_get(4)?,
            chain,
        })
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
        let values: [&(dyn ToSql + Sync); 4] = [&crl.number, &crl.this_update, &crl.next_update, &crl.der];
        Ok(client.execute(&self.record_crl, &values).await? == 1)
    }

    pub(super) async fn prune(&self, client: &Client, now: i64, limit: i64) -> Result<u64, Error> {
        client.execute(&self.prune, &[&now, &limit]).await
    }

    pub(super) async fn condition(&self, client: &Client) -> Result<Condition, Error> {
        let row = client.query_one(&self.condition, &[]).await?;
        let read_only: String = row.try_get(0)?;
        Ok(Condition { writable: read_only == "off", forgotten_until: row.try_get(1)? })
    }
}
