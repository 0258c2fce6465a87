//! `stepless list`: the certificates on record, or the refusals, while the authority runs or not.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::audit;
use crate::cli::database;
use crate::cli::database::Place;
use crate::cli::failure::Failure;
use crate::cli::rows;
use crate::cli::rows::Format;
use crate::cli::rows::Rows;
use crate::cli::rows::instant;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::Filter;
use crate::store::Listed;
use crate::store::Order;
use crate::x509::certificate::Certificate;
use crate::x509::serial::SerialNumber;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Certificates of this grant
    #[arg(long, value_name = "UUID")]
    grant: Option<String>,
    /// Certificates of grants for this user
    #[arg(long, value_name = "UUID")]
    user: Option<String>,
    /// Certificates whose subject or names have this text in them, in whatever case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The certificate with this serial number, decimal or with 0x
    #[arg(long, value_name = "NUMBER")]
    serial: Option<String>,
    /// Certificates that are valid now and expire within this duration, or before this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    expiring: Option<String>,
    /// Revoked certificates only
    #[arg(long)]
    revoked: bool,
    /// Refused requests instead of certificates
    #[arg(long, conflicts_with_all = ["name", "expiring", "revoked"])]
    refused: bool,
    /// Refusals with this code, or with the part of one before its dot
    #[arg(long, value_name = "CODE", requires = "refused")]
    code: Option<String>,
    /// Refusals where this provisioner was asked, by name or id
    #[arg(long, value_name = "NAME", requires = "refused")]
    provisioner: Option<String>,
    /// Refusals since this RFC 3339 time, or this long ago
    #[arg(long, value_name = "TIME", requires = "refused")]
    from: Option<String>,
    /// Refusals before this RFC 3339 time, or this long ago
    #[arg(long, value_name = "TIME", requires = "refused")]
    to: Option<String>,
    /// This many at most, the newest first
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What is shown of each, in this order.
const COLUMNS: &[&str] = &[
    "serial",
    "subject",
    "names",
    "notBefore",
    "notAfter",
    "status",
    "provisioner",
    "grantId",
    "subjectUserId",
    "revokedAt",
    "reasonCode",
    "reason",
];

/// The columns of the table: for more, there are JSON and CSV.
const TABLE: &[&str] = &["serial", "subject", "notAfter", "status", "provisioner", "grantId"];

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let now = SystemClock.now();
    if args.refused {
        return list_refused(args, now);
    }
    let filter = filter(args, now)?;
    let reader = args.place.reader()?;
    let mut output = Rows::new(args.format, COLUMNS, TABLE, "no certificates");
    let mut left = args.limit.unwrap_or(usize::MAX);
    let listed = reader.list(&filter, &mut |listed| {
        if left > 0 {
            output.add(&row(&listed, now));
            left -= 1;
        }
        left > 0
    });
    listed.map_err(|error| database::store_failure(&error))?;
    output.finish();
    Ok(())
}

fn list_refused(args: &Args, now: OffsetDateTime) -> Result<(), Failure> {
    let time =
        |text: &Option<String>| text.as_ref().map(|text| rows::time(text, |ago| now - ago)).transpose();
    let filter = AuditFilter {
        kinds: vec![AuditKind::Refused],
        from: time(&args.from)?,
        to: time(&args.to)?,
        serial: serial(args)?,
        grant_id: args.grant.as_ref().map(|id| id.to_lowercase()),
        subject_user_id: args.user.as_ref().map(|id| id.to_lowercase()),
        provisioner: args.provisioner.clone(),
        code: args.code.clone(),
        newest_first: true,
        ..AuditFilter::default()
    };
    let reader = args.place.reader()?;
    let output = Rows::new(args.format, audit::COLUMNS, audit::REFUSED, "no refusals");
    audit::print(&reader, &filter, args.limit, output)
}

fn serial(args: &Args) -> Result<Option<SerialNumber>, Failure> {
    args.serial.as_deref().map(rows::serial).transpose()
}

fn filter(args: &Args, now: OffsetDateTime) -> Result<Filter, Failure> {
    let before = args.expiring.as_ref().map(|text| rows::time(text, |duration| now + duration));
    let before = before.transpose()?;
    Ok(Filter {
        serial: serial(args)?,
        grant_id: args.grant.as_ref().map(|id| id.to_lowercase()),
        subject_user_id: args.user.as_ref().map(|id| id.to_lowercase()),
        expiring_from: before.map(|_| now.unix_timestamp()),
        expiring_before: before,
        name: args.name.clone(),
        revoked: args.revoked,
        order: Order::Newest,
    })
}

/// What is known of one, absent where nothing is.
fn row(listed: &Listed, now: OffsetDateTime) -> Map<String, Value> {
    let mut row = Map::new();
    let mut set = |name: &str, value: Value| row.insert(name.to_owned(), value);
    set("serial", listed.serial.to_string().into());
    if let Some(certificate) = &listed.certificate {
        set("subject", certificate.subject.as_str().into());
        if let Ok(parsed) = Certificate::parse(&certificate.der) {
            let names = &parsed.subject_alt_names().names;
            set("names", names.iter().map(ToString::to_string).collect::<Vec<_>>().into());
        }
        set("notBefore", instant(certificate.not_before).into());
        set("notAfter", instant(certificate.not_after).into());
    } else if let Some(expires_at) = listed.revocation.as_ref().and_then(|revocation| revocation.expires_at) {
        set("notAfter", instant(expires_at).into());
    }
    let expired = listed.certificate.as_ref().is_some_and(|c| c.not_after < now.unix_timestamp());
    let status = match (&listed.revocation, expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "valid",
    };
    set("status", status.into());
    if let Some(certificate) = &listed.certificate {
        set("provisioner", certificate.provisioner.as_str().into());
        for (name, id) in
            [("grantId", &certificate.grant_id), ("subjectUserId", &certificate.subject_user_id)]
        {
            if let Some(id) = id {
                set(name, id.as_str().into());
            }
        }
    }
    if let Some(revocation) = &listed.revocation {
        set("revokedAt", instant(revocation.revoked_at).into());
        set("reasonCode", revocation.reason_code.into());
        set("reason", revocation.reason.as_str().into());
    }
    row
}
