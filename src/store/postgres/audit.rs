//! The audit log: its rows, column by column, and read with what they point at.

use sha2::Digest;
use sha2::Sha256;
use tokio_postgres::Client;
use tokio_postgres::Error;
use tokio_postgres::Row;
use tokio_postgres::Transaction;

use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;
use crate::store::AuditWalk;
use crate::store::Broken;
use crate::store::Chain;
use crate::store::postgres::records::Hash;
use crate::store::postgres::records::Kind;
use crate::store::postgres::records::PAGE;
use crate::store::postgres::records::optional_serial;
use crate::store::postgres::records::optional_text;
use crate::store::postgres::text::escape;
use crate::x509::serial::SerialNumber;

/// Events to be written. Of a certificate or revocation on record, only where it stands.
#[derive(Default)]
pub(super) struct AuditColumns {
    pub(super) sequence: Vec<i64>,
    pub(super) kind: Vec<i16>,
    pub(super) hash: Vec<Vec<u8>>,
    pub(super) certificate: Vec<Option<i64>>,
    pub(super) revocation: Vec<Option<i64>>,
    pub(super) previous: Vec<Option<Vec<u8>>>,
    pub(super) at: Vec<Option<i64>>,
    pub(super) request_id: Vec<Option<String>>,
    pub(super) provisioner_id: Vec<Option<String>>,
    pub(super) named_provisioner: Vec<Option<String>>,
    pub(super) subject: Vec<Option<String>>,
    pub(super) grant_id: Vec<Option<String>>,
    pub(super) subject_user_id: Vec<Option<String>>,
    pub(super) serial: Vec<Option<Vec<u8>>>,
    pub(super) expires_at: Vec<Option<i64>>,
    pub(super) code: Vec<Option<String>>,
    pub(super) cause: Vec<Option<String>>,
}

impl AuditColumns {
    /// Adds the event at the end of `chain`, of the certificate with this number.
    pub(super) fn push_certificate(&mut self, chain: &Chain, event: AuditEvent, certificate: i64) {
        let bare = AuditEvent { previous: event.previous, ..AuditEvent::new(event.kind, event.at) };
        self.push_row(chain, bare, false, Some(certificate), None);
    }

    /// Adds the event at the end of `chain`, of the revocation with this number, and of its certificate.
    pub(super) fn push_revocation(
        &mut self,
        chain: &Chain,
        at: i64,
        certificate: Option<i64>,
        revocation: i64,
    ) {
        self.push_row(chain, AuditEvent::new(AuditKind::Revoked, at), false, certificate, Some(revocation));
    }

    /// Adds any other event at the end of `chain`, with all that it says.
    pub(super) fn push(&mut self, chain: &Chain, event: AuditEvent) {
        self.push_row(chain, event, true, None, None);
    }

    fn push_row(
        &mut self,
        chain: &Chain,
        event: AuditEvent,
        with_time: bool,
        certificate: Option<i64>,
        revocation: Option<i64>,
    ) {
        let text = |text: Option<String>| text.map(|text| escape(&text).into_owned());
        let content = |serial: Option<SerialNumber>| serial.map(|serial| serial.content().to_vec());
        self.sequence.push(chain.sequence.cast_signed());
        self.kind.push(event.kind.number().into());
        self.hash.push(chain.hash.to_vec());
        self.certificate.push(certificate);
        self.revocation.push(revocation);
        self.previous.push(content(event.previous));
        self.at.push(with_time.then_some(event.at));
        self.request_id.push(text(event.request_id));
        self.provisioner_id.push(text(event.provisioner));
        self.named_provisioner.push(text(event.named_provisioner));
        self.subject.push(text(event.subject));
        self.grant_id.push(text(event.grant_id));
        self.subject_user_id.push(text(event.subject_user_id));
        self.serial.push(content(event.serial));
        self.expires_at.push(event.expires_at);
        self.code.push(text(event.code));
        self.cause.push(text(event.cause));
    }
}

/// The statement that writes them.
pub(super) const LOG: &str = "
    INSERT INTO stepless.audit (sequence, kind, hash, certificate, revocation, previous, at, request_id, provisioner_id,
        named_provisioner, subject, grant_id, subject_user_id, serial, expires_at, code, cause)
    SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bytea[],
        $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[],
        $15::bigint[], $16::text[], $17::text[])";

/// Reads the records that fit, in the filter's order; `visit` says whether to go on.
pub(super) async fn list(
    client: &mut Client,
    filter: &AuditFilter,
    visit: &mut dyn FnMut(AuditRecord) -> bool,
) -> Result<(), Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    list_within(&transaction, filter, visit).await
}

async fn list_within(
    transaction: &Transaction<'_>,
    filter: &AuditFilter,
    visit: &mut dyn FnMut(AuditRecord) -> bool,
) -> Result<(), Error> {
    let order = if filter.newest_first { "DESC" } else { "ASC" };
    let kinds: Vec<i16> = filter.kinds.iter().map(|kind| kind.number().into()).collect();
    let statement = format!(
        "SELECT sequence, kind, hash, audit.revocation, previous, at, audit.request_id, audit.provisioner_id,
             named_provisioner, audit.subject, audit.grant_id, audit.subject_user_id, audit.serial, audit.expires_at,
             code, cause,
             certificates.issued_at, certificates.request_id AS issued_request_id,
             certificates.provisioner_id AS issued_provisioner, certificates.subject AS issued_subject,
             certificates.grant_id AS issued_grant, certificates.subject_user_id AS issued_user,
             certificates.serial AS issued_serial, certificates.not_after, certificates.der,
             revocations.revoked_at, revocations.request_id AS revoked_request_id,
             revocations.provisioner_id AS revoked_provisioner, revocations.serial AS revoked_serial,
             revocations.expires_at AS revoked_expires_at, revocations.reason_code, revocations.reason
         FROM stepless.audit
             LEFT JOIN stepless.certificates ON certificates.record = audit.certificate
             LEFT JOIN stepless.revocations ON revocations.record = audit.revocation
         WHERE sequence > $1 AND sequence < $2 AND (cardinality($3::smallint[]) = 0 OR kind = ANY($3))
         ORDER BY sequence {order}"
    );
    let bounded = |sequence: u64| i64::try_from(sequence).unwrap_or(i64::MAX);
    let (after, before) = (filter.after.map_or(i64::MIN, bounded), filter.before.map_or(i64::MAX, bounded));
    let statement = transaction.prepare(&statement).await?;
    let portal = transaction.bind(&statement, &[&after, &before, &kinds]).await?;
    loop {
        let rows = transaction.query_portal(&portal, PAGE).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let record = read(row)?;
            if filter.fits(record.sequence, &record.event) && !visit(record) {
                return Ok(());
            }
        }
    }
}

/// Walks along the whole log, calling `visit` with each record that is in order, and compares it with what is on record.
///
/// Yields how far it came, and where the log breaks if it does.
pub(super) async fn walk(
    client: &mut Client,
    visit: &mut dyn FnMut(&AuditRecord),
) -> Result<(AuditWalk, Option<Broken>), Error> {
    // One look at all of it, however long it takes and whoever writes.
    let level = tokio_postgres::IsolationLevel::RepeatableRead;
    let transaction = client.build_transaction().isolation_level(level).read_only(true).start().await?;
    let mut walk = AuditWalk::default();
    let mut broken = None;
    let mut follow = |record: AuditRecord| {
        broken = walk.follow(&record).err();
        if broken.is_none() {
            visit(&record);
        }
        broken.is_none()
    };
    list_within(&transaction, &AuditFilter::default(), &mut follow).await?;
    if broken.is_none() {
        let unlogged = "SELECT
            (SELECT count(*) FROM stepless.certificates WHERE NOT EXISTS
                (SELECT 1 FROM stepless.audit WHERE certificate = record AND kind <> $1)),
            (SELECT count(*) FROM stepless.revocations WHERE NOT EXISTS
                (SELECT 1 FROM stepless.audit WHERE revocation = record AND kind = $1))";
        let row = transaction.query_one(unlogged, &[&i16::from(AuditKind::Revoked.number())]).await?;
        let (certificates, revocations): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        broken = walk.compare(certificates.unsigned_abs(), revocations.unsigned_abs()).err();
    }
    Ok((walk, broken))
}

/// A record whose certificate or revocation is gone lacks what stood there, and so does not pass [`Chain::follow`].
fn read(row: &Row) -> Result<AuditRecord, Error> {
    let kind = row.try_get::<_, Kind>("kind")?.0;
    let at = |column: &str| row.try_get::<_, Option<i64>>(column).map(Option::unwrap_or_default);
    let event = if kind.is_of_certificate() {
        AuditEvent {
            request_id: optional_text(row, "issued_request_id")?,
            provisioner: optional_text(row, "issued_provisioner")?,
            subject: optional_text(row, "issued_subject")?,
            grant_id: optional_text(row, "issued_grant")?,
            subject_user_id: optional_text(row, "issued_user")?,
            serial: optional_serial(row, "issued_serial")?,
            previous: optional_serial(row, "previous")?,
            expires_at: row.try_get("not_after")?,
            ..AuditEvent::new(kind, at("issued_at")?)
        }
    } else if row.try_get::<_, Option<i64>>("revocation")?.is_some() {
        AuditEvent {
            request_id: optional_text(row, "revoked_request_id")?,
            provisioner: optional_text(row, "revoked_provisioner")?,
            subject: optional_text(row, "issued_subject")?,
            grant_id: optional_text(row, "issued_grant")?,
            subject_user_id: optional_text(row, "issued_user")?,
            serial: optional_serial(row, "revoked_serial")?,
            expires_at: row.try_get("revoked_expires_at")?,
            code: row.try_get::<_, Option<i16>>("reason_code")?.map(|code| code.to_string()),
            cause: optional_text(row, "reason")?,
            ..AuditEvent::new(kind, at("revoked_at")?)
        }
    } else {
        AuditEvent {
            request_id: optional_text(row, "request_id")?,
            provisioner: optional_text(row, "provisioner_id")?,
            named_provisioner: optional_text(row, "named_provisioner")?,
            subject: optional_text(row, "subject")?,
            grant_id: optional_text(row, "grant_id")?,
            subject_user_id: optional_text(row, "subject_user_id")?,
            serial: optional_serial(row, "serial")?,
            previous: optional_serial(row, "previous")?,
            expires_at: row.try_get("expires_at")?,
            code: optional_text(row, "code")?,
            cause: optional_text(row, "cause")?,
            ..AuditEvent::new(kind, at("at")?)
        }
    };
    let der: Option<&[u8]> = if kind.is_of_certificate() { row.try_get("der")? } else { None };
    Ok(AuditRecord {
        sequence: row.try_get::<_, i64>("sequence")?.unsigned_abs(),
        event,
        certificate_sha256: der.map(|der| Sha256::digest(der).into()),
        hash: row.try_get::<_, Hash>("hash")?.0,
    })
}
