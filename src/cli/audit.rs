//! `stepless audit`: the log of what was issued, renewed, revoked and refused, checked and exported.

use clap::builder::PossibleValuesParser;
use serde_json::Map;
use serde_json::Value;

use crate::cli::database;
use crate::cli::database::Place;
use crate::cli::failure::Failure;
use crate::cli::reader::Reader;
use crate::cli::rows;
use crate::cli::rows::Format;
use crate::cli::rows::Rows;
use crate::cli::rows::instant;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::hex;
use crate::store::AuditEvent;
use crate::store::AuditFilter;
use crate::store::AuditKind;
use crate::store::AuditRecord;
use crate::store::AuditWalk;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Walk along the whole log and tell whether it is as it was written; exit code 1 if it is not
    Verify(VerifyArgs),
    /// Print the log, the oldest record first
    Export(Box<ExportArgs>),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// A hash that was noted earlier: a record has to have it
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// The number of the record that has the hash; alone, its hash is printed
    #[arg(long, value_name = "NUMBER")]
    at: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// Events of this kind; may be given several times
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(AuditKind::names()))]
    kind: Vec<String>,
    /// Events since this RFC 3339 time, or this long ago
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events before this RFC 3339 time, or this long ago
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Events of this grant
    #[arg(long, value_name = "UUID")]
    grant: Option<String>,
    /// Events of grants for this user
    #[arg(long, value_name = "UUID")]
    user: Option<String>,
    /// Events of the certificate with this serial number, decimal or with 0x
    #[arg(long, value_name = "NUMBER")]
    serial: Option<String>,
    /// Events of the request with this id
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Events of this provisioner, by name or id
    #[arg(long, value_name = "NAME")]
    provisioner: Option<String>,
    /// Events with this code, or with the part of one before its dot
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Records with higher numbers than this
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// This many at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// How to print them; of JSON, an object a line
    #[arg(long, value_enum, default_value_t = Form::Json)]
    format: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Json,
    Csv,
}

/// What is shown of a record, in this order.
pub(super) const COLUMNS: &[&str] = &[
    "sequence",
    "at",
    "kind",
    "requestId",
    "provisioner",
    "namedProvisioner",
    "subject",
    "grantId",
    "subjectUserId",
    "serial",
    "previousSerial",
    "expiresAt",
    "code",
    "cause",
    "certificates",
    "revocations",
    "certificateSha256",
    "hash",
];

/// The columns of a table of refusals.
pub(super) const REFUSED: &[&str] = &["at", "requestId", "who", "code", "cause"];

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.action {
        Action::Verify(args) => verify(args),
        Action::Export(args) => export(args),
    }
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let now = SystemClock.now();
    let time =
        |text: &Option<String>| text.as_ref().map(|text| rows::time(text, |ago| now - ago)).transpose();
    let filter = AuditFilter {
        kinds: args.kind.iter().filter_map(|name| AuditKind::from_name(name)).collect(),
        from: time(&args.from)?,
        to: time(&args.to)?,
        serial: args.serial.as_deref().map(rows::serial).transpose()?,
        grant_id: args.grant.as_ref().map(|id| id.to_lowercase()),
        subject_user_id: args.user.as_ref().map(|id| id.to_lowercase()),
        request_id: args.request.clone(),
        provisioner: args.provisioner.clone(),
        code: args.code.clone(),
        after: args.after,
        ..AuditFilter::default()
    };
    let format = match args.format {
        Form::Json => Format::Lines,
        Form::Csv => Format::Csv,
    };
    let reader = args.place.reader()?;
    print(&reader, &filter, args.limit, Rows::new(format, COLUMNS, &[], ""))
}

/// Prints the records that fit.
pub(super) fn print(
    reader: &Reader,
    filter: &AuditFilter,
    limit: Option<usize>,
    mut output: Rows,
) -> Result<(), Failure> {
    let mut left = limit.unwrap_or(usize::MAX);
    let read = reader.audit(filter, &mut |record| {
        if left > 0 {
            output.add(&row(&record));
            left -= 1;
        }
        left > 0
    });
    read.map_err(|error| database::store_failure(&error))?;
    output.finish();
    Ok(())
}

/// What is known of a record, absent where nothing is; `who` is for tables alone.
fn row(record: &AuditRecord) -> Map<String, Value> {
    let AuditRecord { sequence, event, certificate_sha256, hash } = record;
    let mut row = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    set("sequence", Some((*sequence).into()));
    set("at", Some(instant(event.at).into()));
    set("kind", Some(event.kind.name().into()));
    set("requestId", text(&event.request_id));
    set("provisioner", text(&event.provisioner));
    set("namedProvisioner", text(&event.named_provisioner));
    set("subject", text(&event.subject));
    set("grantId", text(&event.grant_id));
    set("subjectUserId", text(&event.subject_user_id));
    set("serial", event.serial.as_ref().map(|serial| serial.to_string().into()));
    set("previousSerial", event.previous.as_ref().map(|serial| serial.to_string().into()));
    set("expiresAt", event.expires_at.map(|at| instant(at).into()));
    set("code", text(&event.code));
    set("cause", text(&event.cause));
    set("certificates", event.certificates.map(Value::from));
    set("revocations", event.revocations.map(Value::from));
    set("certificateSha256", certificate_sha256.map(|sha256| hex::encode(&sha256).into()));
    set("hash", Some(hex::encode(hash).into()));
    set("who", who(event).map(Value::from));
    row
}

/// The provisioner's name without its key's id, and whether that is only what the request said.
fn who(event: &AuditEvent) -> Option<String> {
    let name = |id: &str| {
        let name = id.strip_prefix("x5c/").or(id.rsplit_once(':').map(|(name, _)| name));
        name.unwrap_or(id).to_owned()
    };
    let proven = event.provisioner.as_deref().map(name);
    proven.or_else(|| event.named_provisioner.as_deref().map(|id| format!("{} (claimed)", name(id))))
}

fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let head = args.head.as_deref().map(noted).transpose()?;
    let reader = args.place.reader()?;
    let (mut found, mut at) = (None, None);
    let walked = reader.walk_audit(&mut |record| {
        if head == Some(record.hash) {
            found = Some(record.sequence);
        }
        if args.at == Some(record.sequence) {
            at = Some(record.hash);
        }
    });
    let (walk, broken) = walked.map_err(|error| database::store_failure(&error))?;
    if let Some(broken) = broken {
        return Err(Failure::usage(
            format!("{broken}, in {}", reader),
            match walk.chain.sequence {
                0 => "nothing of the log is as it was written; compare it with that of a backup".to_owned(),
                last => format!(
                    "records 1 to {last} are as they were written; find out who can write there, and compare \
                     it with a backup"
                ),
            },
        ));
    }
    let cut = "the log was cut off, or another one was put in its place; compare it with that of a backup";
    if let Some(number) = args.at
        && at.is_none()
    {
        let last = walk.chain.sequence;
        return Err(Failure::usage(
            format!("there is no audit record {number} in {}: the last one is {last}", reader),
            cut,
        ));
    }
    if head.is_some() && (found.is_none() || args.at.is_some_and(|number| found != Some(number))) {
        let which =
            args.at.map_or_else(|| "no audit record".to_owned(), |at| format!("not audit record {at}"));
        return Err(Failure::usage(format!("{which} in {} has that hash", reader), cut));
    }
    super::print(&report(&reader.to_string(), &walk, found, args.at.zip(at)));
    Ok(())
}

fn report(path: &str, walk: &AuditWalk, found: Option<u64>, at: Option<(u64, [u8; 32])>) -> String {
    let last = walk.chain.sequence;
    let Some((from, to)) = walk.times else { return format!("{path} has no audit records yet\n") };
    let kinds: Vec<_> = walk.kinds.iter().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
    let mut text = format!(
        "{path}: audit records 1 to {last} are as they were written\n{}\nfrom {} to {}\n",
        kinds.join(", "),
        instant(from),
        instant(to)
    );
    match (found, at) {
        (Some(found), _) => {
            text.push_str(&format!("the hash is that of record {found}, {} came after it\n", last - found));
        }
        (None, Some((number, hash))) if number != last => {
            text.push_str(&format!("hash of record {number}: {}\n", hex::encode(&hash)));
        }
        _ => {}
    }
    let hash = hex::encode(&walk.chain.hash);
    text.push_str(&format!(
        "hash of record {last}: {hash}\nNote it elsewhere: only so can a later look tell that nothing was cut off."
    ));
    text.push_str(&format!("\n  stepless audit verify --at {last} --head {hash}\n"));
    text
}

fn noted(text: &str) -> Result<[u8; 32], Failure> {
    hex::decode(text.trim()).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no hash"), "give the 64 hexadecimal digits that verify printed")
    })
}
