//! `stepless intermediate`: a new issuing key and its certificate, from a root that may be kept offline.
//!
//! The request goes out, the certificate comes in; neither the root's key nor the new one ever travels. Until the
//! certificate is there and fits, the key waits beside the present one and nothing else changes.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use time::Duration;
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::authority::Options;
use crate::authority::bootstrap;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::init;
use crate::cli::init::CaKey;
use crate::cli::password;
use crate::cli::process;
use crate::cli::process::Process;
use crate::cli::serve;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::CaJson;
use crate::config::Config;
use crate::config::Parts;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::duration::format_rfc3339;
use crate::entropy::SystemEntropy;
use crate::signer::key_file;
use crate::store::MemoryStore;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::oid;
use crate::x509::path::Rules;
use crate::x509::pem;
use crate::x509::request;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a new issuing key and a request for its certificate
    Request(RequestArgs),
    /// Sign such a request with the root's key, where that is
    Sign(SignArgs),
    /// Take the certificate, check it, and put it and its key into place
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
struct RequestArgs {
    /// The ca.json of the authority [default: $STEPPATH/config/ca.json]
    #[arg(long, value_name = "FILE")]
    ca_config: Option<PathBuf>,
    /// The kind of the key
    #[arg(long, value_enum, default_value_t = CaKey::P256)]
    kty: CaKey,
    /// A file with the password for the key, which is that of the present one
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The file for the request [default: beside `crt`, ending in .csr]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct SignArgs {
    /// The file of the request
    request: PathBuf,
    /// The file of the root certificate
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The file of its key
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// A file with the password of the root's key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How many days the certificate lives; never longer than the root
    #[arg(long, default_value_t = 3650)]
    days: u32,
    /// The file for the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// The file of the certificate; those between it and the root may follow
    certificate: PathBuf,
    /// The ca.json of the authority [default: $STEPPATH/config/ca.json]
    #[arg(long, value_name = "FILE")]
    ca_config: Option<PathBuf>,
    /// A file with the password of the key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    server: Process,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Request(args) => request(args),
        Command::Sign(args) => sign(args),
        Command::Import(args) => import(args),
    }
}

/// Where a key waits for its certificate.
pub(super) fn waiting(key: &Path) -> PathBuf {
    with_ending(key, ".next")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Writes a new key where it waits, and the request for it. A key that waits already is never overwritten.
pub(super) fn make_request(
    subject: &[u8],
    kind: KeyKind,
    password: &Zeroizing<String>,
    key_path: &Path,
    request_path: &Path,
) -> Result<(), Failure> {
    let entropy = SystemEntropy::new();
    let failed =
        |error: &dyn std::fmt::Display| Failure::start(format!("cannot make a key: {error}"), NO_RANDOMNESS);
    let key = PrivateKey::generate(kind, &entropy).map_err(|error| failed(&error))?;
    let der = request::create_for_ca(&key, subject).map_err(|error| failed(&error))?;
    let encrypted = key_file::encode_encrypted(&key, password.as_bytes(), &entropy);
    let encrypted = encrypted.map_err(|error| failed(&error))?;
    directory::write_new(key_path, encrypted.as_bytes(), Access::Private)?;
    directory::replace(request_path, pem::encode("CERTIFICATE REQUEST", &der).as_bytes(), Access::Private)
}

fn request(args: &RequestArgs) -> Result<(), Failure> {
    let ca = read(args.ca_config.as_deref())?;
    let (key_path, crt) = (PathBuf::from(&ca.key), PathBuf::from(&ca.crt));
    let next = waiting(&key_path);
    if next.exists() {
        return Err(Failure::start(
            format!("{} waits for its certificate already", next.display()),
            "bring it in with: stepless intermediate import FILE; or delete that key",
        ));
    }
    let (present, _) = init::read_certificate(&crt)?;
    let password = password_of(&ca, args.password_file.as_deref())?;
    let bytes =
        Zeroizing::new(std::fs::read(&key_path).map_err(|error| Failure::file("read", &key_path, &error))?);
    // The server is started with one password, before and after.
    key_file::decode(&bytes, Some(password.as_bytes()), &ca.key)
        .map_err(|error| Failure::start(error.to_string(), "give the password of the present key"))?;
    if !key_file::needs_password(&bytes) {
        super::eprint(
            "warning: the present key is not encrypted and the new one is: start the server with --password-file\n",
        );
    }
    let out = args.out.clone().unwrap_or_else(|| crt.with_extension("csr"));
    make_request(present.subject_der(), args.kty.kind(), &password, &next, &out)?;
    super::print(&format!(
        "{:<16} {}\n{:<16} {}\n{:<16} have it signed with the root's key, then: stepless intermediate import FILE\n",
        "key",
        next.display(),
        "request",
        out.display(),
        "next"
    ));
    Ok(())
}

fn sign(args: &SignArgs) -> Result<(), Failure> {
    let text = std::fs::read(&args.request).map_err(|error| Failure::file("read", &args.request, &error))?;
    let block = pem::Blocks::new(&text).next();
    let csr = block.and_then(|block| Csr::parse(&block.content).ok()).and_then(|csr| csr.verify().ok());
    let csr = csr.ok_or_else(|| {
        Failure::usage(
            format!("{} holds no certification request whose signature holds", args.request.display()),
            "give the file of: stepless intermediate request",
        )
    })?;
    let (root, _) = init::read_certificate(&args.root)?;
    let now = SystemClock.now();
    if root.path_length() == Some(0) || !root.is_ca() || now > root.not_after() {
        return Err(Failure::start(
            format!("{} cannot issue an intermediate certificate", args.root.display()),
            "it has to be a CA, valid now, and its path length must not be 0",
        ));
    }
    let name = args.root_key.display().to_string();
    let bytes =
        std::fs::read(&args.root_key).map_err(|error| Failure::file("read", &args.root_key, &error))?;
    let bytes = Zeroizing::new(bytes);
    let password = match &args.password_file {
        Some(path) => Some(password::from_file(path)?),
        None if key_file::needs_password(&bytes) => {
            Some(password::from_terminal(&format!("password of {name}"))?)
        }
        None => None,
    };
    let key = key_file::decode(&bytes, password.as_ref().map(|password| password.as_bytes()), &name)
        .map_err(|error| Failure::start(error.to_string(), "check the file and its password"))?;
    if key.public_key().spki_der() != root.spki_der() {
        return Err(Failure::start(
            format!("{name} is not the key of {}", args.root.display()),
            "give the root certificate and its own key",
        ));
    }
    let not_after = (now + Duration::days(args.days.into())).min(root.not_after());
    let signed = bootstrap::intermediate(&csr, &root, &key, now, not_after, &SystemEntropy::new());
    let certificate = signed.map_err(|error| {
        Failure::start(format!("cannot sign the request: {error}"), "make another request")
    })?;
    directory::replace(&args.out, certificate.to_pem().as_bytes(), Access::Private)?;
    super::print(&format!(
        "{:<16} {}\n{:<16} {}\n",
        "certificate",
        args.out.display(),
        "valid until",
        format_rfc3339(not_after)
    ));
    Ok(())
}

fn import(args: &ImportArgs) -> Result<(), Failure> {
    let server = args.server.find()?;
    let ca = read(args.ca_config.as_deref())?;
    let (key_path, crt) = (PathBuf::from(&ca.key), PathBuf::from(&ca.crt));
    let next = waiting(&key_path);
    if !next.exists() {
        return Err(Failure::start(
            format!("{} does not exist: no key waits for a certificate", next.display()),
            "make key and request with: stepless intermediate request",
        ));
    }
    let key_bytes =
        Zeroizing::new(std::fs::read(&next).map_err(|error| Failure::file("read", &next, &error))?);
    let password = password_of(&ca, args.password_file.as_deref())?;
    let key = key_file::decode(&key_bytes, Some(password.as_bytes()), &next.display().to_string())
        .map_err(|error| Failure::start(error.to_string(), "give the password that the key was made with"))?;
    let chain = check(&args.certificate, ca, key)?;
    let Some(issuer) = chain.first() else { return Ok(()) };

    let now = SystemClock.now();
    let text: String = chain.iter().map(|certificate| certificate.to_pem()).collect();
    let mut kept = Vec::new();
    // Whatever ends this half-way: the key waits until the last step, and the command can be given again.
    place(&crt, text.as_bytes(), now, &mut kept)?;
    place(&key_path, &key_bytes, now, &mut kept)?;
    std::fs::remove_file(&next).map_err(|error| Failure::file("remove", &next, &error))?;
    let mut done = format!(
        "{:<16} {}\n{:<16} {}\n{:<16} {}\n",
        "certificate",
        crt.display(),
        "valid until",
        format_rfc3339(issuer.not_after()),
        "key",
        key_path.display()
    );
    for copy in kept {
        done.push_str(&format!("{:<16} {}\n", "backup", copy.display()));
    }
    let reload = match server.map(|id| (id, process::send(id, process::HANGUP))) {
        Some((id, Ok(()))) => format!("SIGHUP sent to {id}; its log says whether it took the change"),
        Some((id, Err(reason))) => format!("SIGHUP did not reach {id}: {reason}"),
        None => "kill -HUP PID of the server, or start it".to_owned(),
    };
    super::print(&format!("{done}{:<16} {reload}\n", "reload"));
    Ok(())
}

/// Writes a file; what stood there is kept beside it. What a link leads to is replaced, not the link.
fn place(
    path: &Path,
    bytes: &[u8],
    now: time::OffsetDateTime,
    kept: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(old) if *old == bytes => Ok(()),
        Ok(old) => {
            kept.push(directory::keep_copy(path, &old, now)?);
            directory::replace_keeping(path, bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            directory::write_new(path, bytes, Access::Private)
        }
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

/// Checks that an authority with this certificate and key would issue what clients of the roots accept, and gives
/// the chain without the root.
fn check(path: &Path, ca: CaJson, key: PrivateKey) -> Result<Vec<Arc<Certificate>>, Failure> {
    let fault = |reason: String| {
        Failure::start(
            format!("{} cannot be taken: {reason}", path.display()),
            "nothing was changed: have the request signed again, as a CA below a root of ca.json",
        )
    };
    let shown = path.display().to_string();
    let files = serve::files(None);
    let roots = config::read_certificates(&files, &ca.root)?;
    let federated_roots = config::read_certificates(&files, &ca.federated_roots)?;
    let mut chain = config::read_certificates(&files, std::slice::from_ref(&shown))?;
    chain.retain(|certificate| !roots.iter().any(|root| root.der() == certificate.der()));
    let issuer = chain.first().cloned().ok_or_else(|| fault("it is a root of ca.json itself".to_owned()))?;
    if issuer.spki_der() != key.public_key().spki_der() {
        return Err(fault("it is for another key than the one that waits".to_owned()));
    }
    let parts =
        Parts { roots: roots.clone(), federated_roots, intermediates: chain.clone(), key: Arc::new(key) };
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let now = clock.now();
    let config = Config::from_parts(CaJson { crt: shown, ..ca }, parts, &files, now)
        .map_err(|error| fault(error.to_string()))?;
    let options = Options {
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(clock),
        entropy: Arc::new(SystemEntropy::new()),
    };
    let authority = Authority::new(config, options).map_err(|error| fault(error.to_string()))?;
    let probe = PrivateKey::generate(KeyKind::P256, &entropy).map_err(|error| fault(error.to_string()))?;
    // The server's own certificate has the names that clients call.
    let leaf = authority.server_certificate(probe.public_key(), now, Duration::HOUR, &entropy);
    let leaf = leaf.map_err(|error| fault(error.to_string()))?;
    let leaf = Certificate::parse(&leaf).map_err(|error| fault(error.to_string()))?;
    let others: Vec<Certificate> = chain.iter().map(|certificate| Certificate::clone(certificate)).collect();
    for usage in [&oid::SERVER_AUTH, &oid::CLIENT_AUTH] {
        let rules = Rules { anchors: &roots, at: now, usage };
        rules.verify(&leaf, &others).map_err(|error| fault(error.to_string()))?;
    }
    Ok(chain)
}

fn read(path: Option<&Path>) -> Result<CaJson, Failure> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => init::step_path()?.join("config/ca.json"),
    };
    let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    Ok(config::parse(&bytes)?)
}

fn password_of(ca: &CaJson, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let password = match (file, &ca.password) {
        (Some(path), _) => password::from_file(path)?,
        (None, Some(password)) => password.expose().clone(),
        (None, None) => password::from_terminal("password of the issuing key")?,
    };
    if password.is_empty() {
        return Err(Failure::start("the password is empty", "write one into the password file"));
    }
    Ok(password)
}
