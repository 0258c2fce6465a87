//! The tables, in a schema of our own, and how a database of an older version gets them.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::store::Error;
use crate::store::postgres::failure;

/// One step for each version, as in the SQLite store: once released, a step never changes.
///
/// Every transaction that writes locks the one row of `head` first. So all processes write in turn, `record` counts
/// without gaps in the order of commits, and nobody reads what another is about to change. The unique keys are there all
/// the same: they decide if anybody does not keep to it. No sequence, trigger, advisory lock or type of PostgreSQL alone is
/// needed, so that databases that speak its protocol will do.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE stepless.head (
        id smallint PRIMARY KEY CHECK (id = 1),
        last_record bigint NOT NULL,     -- number of the newest certificate or revocation
        records_lost_until bigint,       -- Unix seconds; tokens issued before may have been spent without a record
        forgotten_until bigint NOT NULL, -- Unix seconds; used tokens that ended before may have been deleted
        audit_sequence bigint NOT NULL,  -- number and hash of the newest event in audit
        audit_hash bytea NOT NULL
    );
    INSERT INTO stepless.head (id, last_record, forgotten_until, audit_sequence, audit_hash)
        VALUES (1, 0, 0, 0, decode(repeat('00', 32), 'hex'));

    CREATE TABLE stepless.spent_tokens (
        key bytea PRIMARY KEY,           -- SHA-256 of what makes the token unique
        expires_at bigint NOT NULL       -- Unix seconds; may be deleted afterwards
    );
    CREATE INDEX spent_tokens_by_expiry ON stepless.spent_tokens (expires_at);

    CREATE TABLE stepless.certificates (
        serial bytea PRIMARY KEY,        -- content octets of the INTEGER: big endian, may begin with 00
        record bigint NOT NULL UNIQUE,   -- order of issue
        not_before bigint NOT NULL,      -- Unix seconds, as all times
        not_after bigint NOT NULL,
        issued_at bigint NOT NULL,
        provisioner text NOT NULL,       -- in text, \\\\ is \\ and \\0 is U+0000
        provisioner_id text NOT NULL,    -- <name>:<kid>
        subject text NOT NULL,
        grant_id text,
        subject_user_id text,
        request_id text NOT NULL,
        der bytea NOT NULL
    );

    CREATE TABLE stepless.revocations (
        serial bytea PRIMARY KEY,        -- as in certificates
        record bigint NOT NULL UNIQUE,   -- order of record
        revoked_at bigint NOT NULL,
        reason_code smallint NOT NULL,   -- CRLReason, 0 to 10
        reason text NOT NULL,
        expires_at bigint,               -- end of the certificate's validity, if known
        provisioner_id text,             -- whose token asked for it; NULL for the certificate's own key
        request_id text NOT NULL
    );

    CREATE TABLE stepless.crl (
        id smallint PRIMARY KEY CHECK (id = 1),
        number bigint NOT NULL,
        this_update bigint NOT NULL,
        next_update bigint NOT NULL,
        der bytea NOT NULL
    );

    CREATE TABLE stepless.audit (
        sequence bigint PRIMARY KEY,     -- from 1, without gaps
        kind smallint NOT NULL,          -- what happened; see the view audited
        hash bytea NOT NULL,             -- SHA-256 over the hash before and the event
        certificate bigint,              -- record of what was issued; of what was revoked, if on record then
        revocation bigint,               -- record of the revocation
        previous bytea,                  -- serial of the certificate that was renewed
        -- All else of an event that is not of a certificate or revocation on record.
        at bigint,
        request_id text,
        provisioner_id text,
        named_provisioner text,
        subject text,
        grant_id text,
        subject_user_id text,
        serial bytea,
        expires_at bigint,
        code text,
        cause text
    );

    -- For people.
    CREATE VIEW stepless.audited AS
        SELECT sequence, CASE kind WHEN 1 THEN 'began' WHEN 2 THEN 'started' WHEN 3 THEN 'reloaded' WHEN 4 THEN 'issued'
                WHEN 5 THEN 'renewed' WHEN 6 THEN 'rekeyed' WHEN 7 THEN 'revoked' WHEN 8 THEN 'refused'
                ELSE kind::text END AS kind,
            to_timestamp(coalesce(at, revoked_at, issued_at)) AS at,
            coalesce(audit.request_id, revocations.request_id, certificates.request_id) AS request_id,
            CASE WHEN revocation IS NULL THEN coalesce(audit.provisioner_id, certificates.provisioner_id)
                ELSE revocations.provisioner_id END AS provisioner,
            named_provisioner, coalesce(audit.subject, certificates.subject) AS subject,
            coalesce(audit.grant_id, certificates.grant_id) AS grant_id,
            coalesce(audit.subject_user_id, certificates.subject_user_id) AS subject_user_id,
            encode(coalesce(audit.serial, revocations.serial, certificates.serial), 'hex') AS serial,
            coalesce(code, reason_code::text) AS code, coalesce(cause, reason) AS cause
        FROM stepless.audit LEFT JOIN stepless.certificates ON certificates.record = audit.certificate
            LEFT JOIN stepless.revocations ON revocations.record = audit.revocation;
    CREATE VIEW stepless.issued AS
        SELECT encode(serial, 'hex') AS serial, subject, to_timestamp(not_before) AS not_before,
            to_timestamp(not_after) AS not_after, to_timestamp(issued_at) AS issued_at, provisioner_id AS provisioner,
            grant_id, subject_user_id, request_id, record
        FROM stepless.certificates;
    CREATE VIEW stepless.revoked AS
        SELECT encode(serial, 'hex') AS serial, to_timestamp(revoked_at) AS revoked_at, reason_code, reason,
            to_timestamp(expires_at) AS expires_at, provisioner_id, request_id, record
        FROM stepless.revocations;
"];

/// The lock of whoever makes the tables: \"stpl" in ASCII.
const ADVISORY_LOCK: i64 = 0x7374_706c;

/// How often to begin again when another process makes the same at the same moment.
const ATTEMPTS: usize = 20;

/// Why the tables are not there.
enum Fault {
    Server(tokio_postgres::Error),
    Ours(Error),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// Makes the tables or brings them up to date, in turn with every other process that does so.
pub(super) async fn migrate(client: &Client, server: &str) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        match try_to_migrate(client, MIGRATIONS, server).await {
            Ok(()) => return Ok(()),
            Err(Fault::Ours(error)) => return Err(error),
            Err(Fault::Server(error)) => {
                if attempt == ATTEMPTS || !error.code().is_some_and(is_race) {
                    return Err(failure::of(server)(error));
                }
                attempt += 1;
            }
        }
        // Fails only with the connection, and then so does the next attempt.
        let _ = client.batch_execute("ROLLBACK").await;
    }
}

/// Whether another process made the same thing meanwhile: `IF NOT EXISTS` does not look at what is not committed.
fn is_race(code: &SqlState) -> bool {
    failure::is_conflict(code) || *code == SqlState::DUPLICATE_SCHEMA || *code == SqlState::DUPLICATE_TABLE
}

async fn try_to_migrate(client: &Client, migrations: &[&str], server: &str) -> Result<(), Fault> {
    let encoding: String =
        client.query_one("SELECT current_setting('server_encoding')", &[]).await?.try_get(0)?;
    if !encoding.eq_ignore_ascii_case("UTF8") && !encoding.eq_ignore_ascii_case("UTF-8") {
        let detail = format!("its encoding is {encoding}, not UTF8");
        return Err(Fault::Ours(Error::Database { path: server.into(), detail }));
    }
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    // A database without advisory locks has the lock of the row below.
    client.batch_execute("SAVEPOINT before_lock").await?;
    match client.execute("SELECT pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await {
        Ok(_) => {}
        Err(error)
            if error.code().is_some_and(|code| {
                *code == SqlState::UNDEFINED_FUNCTION || *code == SqlState::FEATURE_NOT_SUPPORTED
            }) =>
        {
            client.batch_execute("ROLLBACK TO SAVEPOINT before_lock").await?;
        }
        Err(error) => return Err(error.into()),
    }
    if !exists(client).await? {
        // Whoever may not make a schema finds one that an administrator has made.
        let there = "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'stepless'";
        if client.query_opt(there, &[]).await?.is_none() {
            client.batch_execute("CREATE SCHEMA stepless").await?;
        }
        client
            .batch_execute(
                "CREATE TABLE stepless.schema_version (id smallint PRIMARY KEY CHECK (id = 1), version bigint NOT NULL);
                 INSERT INTO stepless.schema_version (id, version) VALUES (1, 0)",
            )
            .await?;
    }
    let row =
        client.query_one("SELECT version FROM stepless.schema_version WHERE id = 1 FOR UPDATE", &[]).await?;
    let found: i64 = row.try_get(0)?;
    let known = version_of(migrations);
    if found > known {
        return Err(Fault::Ours(Error::NewerSchema { path: server.into(), found, known }));
    }
    let missing = usize::try_from(found).ok().and_then(|found| migrations.get(found..)).unwrap_or_default();
    for migration in missing {
        client.batch_execute(migration).await?;
    }
    if !missing.is_empty() {
        client.execute("UPDATE stepless.schema_version SET version = $1 WHERE id = 1", &[&known]).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
}

/// Whether stepless has kept records here before.
pub(super) async fn exists(client: &Client) -> Result<bool, tokio_postgres::Error> {
    has_table(client, "stepless", &["schema_version"]).await
}

/// Whether step-ca has kept records here.
pub(super) async fn has_step_ca(client: &Client) -> Result<bool, tokio_postgres::Error> {
    has_table(client, "public", &["used_ott", "x509_certs", "revoked_x509_certs"]).await
}

async fn has_table(client: &Client, schema: &str, names: &[&str]) -> Result<bool, tokio_postgres::Error> {
    let names: Vec<&str> = names.to_vec();
    let found = client
        .query_opt(
            "SELECT 1 FROM information_schema.tables
             WHERE table_schema = $1::text AND table_name = ANY($2::text[]) LIMIT 1",
            &[&schema, &names],
        )
        .await?;
    Ok(found.is_some())
}

/// Refuses tables that are not of this version.
pub(super) async fn require_current(client: &Client, server: &str) -> Result<(), Error> {
    let failed = failure::of(server);
    let row = client.query_one("SELECT version FROM stepless.schema_version WHERE id = 1", &[]).await;
    let found: i64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    let (path, known) = (server.into(), version_of(MIGRATIONS));
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(Error::OlderSchema { path, found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Error::NewerSchema { path, found, known }),
    }
}

fn version_of(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}
