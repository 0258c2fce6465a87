//! `stepless serve`: an authority over HTTPS.

use std::path::Path;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::authority;
use crate::authority::Authority;
use crate::authority::Options;
use crate::authority::Service;
use crate::cli::access::Secrets;
use crate::cli::context;
use crate::cli::database;
use crate::cli::dev;
use crate::cli::ephemeral;
use crate::cli::failure;
use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::init;
use crate::cli::key_password::KeyPassword;
use crate::cli::limits;
use crate::cli::log;
use crate::cli::memory;
use crate::cli::notify::Notifier;
use crate::cli::pidfile::PidFile;
use crate::cli::records;
use crate::cli::records::Opened;
use crate::cli::records::Wishes;
use crate::cli::reload;
use crate::cli::reload::Reloader;
use crate::cli::signals::Signal;
use crate::cli::signals::Signals;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::CaJson;
use crate::config::Config;
use crate::config::DirectoryFiles;
use crate::entropy::SystemEntropy;
use crate::http::RouterOptions;
use crate::http::server;
use crate::http::server::Server;
use crate::store::CLOCK_TOLERANCE;
use crate::store::Store;

/// How often used tokens that cannot be valid any more are dropped.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The ca.json to serve [default: $STEPPATH/config/ca.json]
    config: Option<PathBuf>,
    /// A file with the password of the intermediate key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Serve an authority for development, made at first start; refusals tell their reason
    #[arg(long, conflicts_with = "config")]
    dev: bool,
    /// The folder of the development authority [default: ./stepless-dev]
    #[arg(long, value_name = "FOLDER", requires = "dev")]
    dir: Option<PathBuf>,
    /// Serve an authority for tests that leaves nothing behind: new keys, records in memory, a free port of 127.0.0.1;
    /// it ends with its parent
    #[arg(long, requires = "dev", conflicts_with_all = ["dir", "password_file", "pidfile", "forget_database", "accept_clock"])]
    ephemeral: bool,
    /// Print one line of JSON: url, root, fingerprint, and the provisioners' private keys
    #[arg(long, requires = "ephemeral")]
    print_json: bool,
    /// Listen here instead of where ca.json says; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Serve operators here over plain HTTP: page, /metrics, /ready, /health; a loopback address
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    #[command(flatten)]
    limits: limits::Args,
    /// Print only the first and the last line at start
    #[arg(long)]
    quiet: bool,
    /// Begin with no records: a database that stepless kept is moved aside, step-ca's is not touched
    #[arg(long)]
    forget_database: bool,
    /// Take the clock for right although later times are on record in a file; tokens made before the next minute are
    /// refused
    #[arg(long)]
    accept_clock: bool,
    /// A file for the process id while it serves
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// Serve although others may use the issuing key, its password or ca.json: for mounts that settle their modes
    #[arg(long)]
    accept_key_modes: bool,
    /// The context of `step` whose authority is served
    #[arg(long, value_name = "NAME", conflicts_with = "dev")]
    context: Option<String>,
    /// Accepted as step-ca accepts it, and not needed: no names are looked up
    #[arg(long, value_name = "ADDRESS")]
    resolver: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.ephemeral {
        return ephemeral::serve(args.address.as_deref(), args.print_json, args.limits.limits());
    }
    if args.dev {
        let address = args.address.as_deref().unwrap_or(dev::ADDRESS);
        let development = dev::prepare(args.dir.as_deref(), address, args.password_file.as_deref())?;
        let path = development.layout.ca_json();
        let password = KeyPassword::new(Some(&development.password_file));
        let welcome = move |url: &str| dev::welcome(&development, url);
        return serve(args, &path, password, Some(&welcome));
    }
    let path = match &args.config {
        Some(path) => path.clone(),
        None => context::folder(args.context.as_deref())?.join("config/ca.json"),
    };
    serve(args, &path, KeyPassword::new(args.password_file.as_deref()), None)
}

type Welcome<'a> = &'a dyn Fn(&str) -> Result<String, Failure>;

fn serve(
    args: &Args,
    path: &Path,
    mut password: KeyPassword,
    welcome: Option<Welcome<'_>>,
) -> Result<(), Failure> {
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        Failure::usage(
            format!("cannot read {}: {}", path.display(), failure::reason(&error)),
            "give the path of a ca.json, or make an authority with: stepless init",
        )
    })?;
    let ca = config::parse(&bytes)?;
    drop(bytes);
    log::start(ca.log_format.as_deref());
    refuse_demo_keys(&ca, args.dev)?;
    let files = files(args.context.as_deref());
    if !args.dev {
        memory::seal();
    }
    let warnings = Secrets { config: path, password_file: password.file() };
    let warnings = warnings.check(&ca, &files, args.accept_key_modes)?;
    let key_digest = reload::digest(&files, &ca.key);
    let text = password.find(&ca, &files)?;
    let mut config = Config::load(ca, &files, text.as_ref().map(|text| text.as_bytes()), SystemClock.now())?;
    drop(text);
    config.ca.warnings.extend(warnings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::start(format!("cannot start: {error}"), NO_RANDOMNESS))?;
    let wishes = Wishes { forget: args.forget_database, accept_clock: args.accept_clock };
    let database = records::open(&config.ca, path, wishes, SystemClock.now())?;
    runtime.block_on(async {
        // Before anyone can know that it serves, so that no signal finds it unprepared.
        let signals = Signals::new()?;
        let (server, authority) = bind(args, config, Arc::clone(&database.store)).await?;
        let _pidfile = args.pidfile.as_deref().map(PidFile::write).transpose()?;
        let reloader = Reloader {
            path: path.to_owned(),
            password,
            key_digest,
            accept_key_modes: args.accept_key_modes,
            address: args.address.clone(),
            context: args.context.clone(),
            dev: args.dev,
            server: server.handle(),
            authority,
        };
        run_until_stopped(args, server, reloader, signals, database, welcome).await
    })
}

async fn bind(
    args: &Args,
    config: Config,
    store: Arc<dyn Store>,
) -> Result<(Server, Arc<Authority>), Failure> {
    super::eprint("Building new tls configuration using step-ca's contract\n");
    let address = args.address.clone().unwrap_or_else(|| config.ca.address.clone());
    let options = Options { store, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy::new()) };
    let authority = Authority::new(config, options).map_err(|error| {
        Failure::start(error.to_string(), "correct that member of ca.json and start again")
    })?;
    let authority = Arc::new(authority);
    let routes = if args.dev { RouterOptions::development() } else { RouterOptions::default() };
    let mut limits = args.limits.limits();
    if let Some(warning) = limits::fit(&mut limits) {
        tracing::warn!("{warning}");
    }
    let bound = Server::listen(&address, Arc::clone(&authority), routes.with_limits(limits)).await;
    let bound = match (bound, &args.admin) {
        (Ok(server), Some(admin)) => server.with_admin(admin).await,
        (bound, _) => bound,
    };
    let server = bound.map_err(|error| server_failure(&error))?;
    Ok((server, authority))
}

fn server_failure(error: &server::Error) -> Failure {
    let hint = match error {
        server::Error::Listen { .. } => "choose a free HOST:PORT with --address",
        server::Error::NotLoopback(_) => "to look from elsewhere, use: ssh -L 9444:127.0.0.1:9444 HOST",
        server::Error::Tls(_) => "correct the member tls of ca.json and start again",
        server::Error::Crl(authority::Error::Store(error)) => error.hint(),
        _ => "look at the log, and start again",
    };
    Failure::start(error.to_string(), hint)
}

async fn run_until_stopped(
    args: &Args,
    server: Server,
    mut reloader: Reloader,
    mut signals: Signals,
    mut database: Opened,
    welcome: Option<Welcome<'_>>,
) -> Result<(), Failure> {
    let authority = Arc::clone(&reloader.authority);
    let address = args.address.clone().unwrap_or_else(|| authority.config().ca.address.clone());
    let local = server.local_address();
    let port = local
        .map_or_else(|| address.rsplit(':').next().unwrap_or_default().to_owned(), |a| a.port().to_string());
    let host = authority.config().ca.dns_names.first().map_or("localhost", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = format!("https://{host}:{port}");
    let lines = start_lines(&authority, &reloader.path, &url, &server, &database);

    let mut started = pin!(authority.audit_service(Service::Start));
    // Under way ahead of whatever a client asks for.
    let recorded = tokio::select! {
        biased;
        () = &mut started => true,
        () = std::future::ready(()) => false,
    };
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(server.serve(stopped));
    database.ready.as_mut().await.map_err(|error| database::store_failure(&error))?;
    if !recorded {
        started.await;
    }
    server::issue_crl(&authority).await.map_err(|error| server_failure(&error))?;

    if args.quiet {
        // What becomes of records has to be said somewhere.
        database.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    } else {
        super::eprint(&lines);
    }
    if let Some(welcome) = welcome {
        super::print(&welcome(&url)?);
    }
    // The line that operators and scripts wait for.
    let line = format!("Serving HTTPS on {} ...", local.map_or(address, |a| a.to_string()));
    super::eprint(&format!("{line}\n"));
    let notifier = Notifier::from_environment();
    notifier.ready(&line);
    notifier.keep_watchdog_quiet();

    let mut prune = tokio::time::interval(PRUNE_INTERVAL);
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Stop => break,
                Signal::Reload => {
                    notifier.reloading();
                    let outcome = reloader.reload().await;
                    notifier.ready(&outcome);
                }
            },
            _ = prune.tick() => {
                let ended = SystemClock.now().unix_timestamp().saturating_sub(CLOCK_TOLERANCE);
                if let Err(error) = database.store.prune(ended).await {
                    tracing::error!(%error, hint = error.hint(), "used tokens not pruned");
                }
            }
        }
    }
    notifier.stopping();
    tracing::info!("stopping: running requests may finish");
    let _ = stop.send(true);
    let _ = serving.await;
    Ok(())
}

/// What an operator of step-ca expects to read at start.
fn start_lines(authority: &Authority, path: &Path, url: &str, server: &Server, database: &Opened) -> String {
    let mut lines = format!(
        "Starting stepless/{} ({}/{})\nConfig file: {}\nThe primary server URL is {url}\n\
         Root certificates are available at {url}/roots.pem\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        path.display(),
    );
    if let Some(place) = &database.place {
        lines.push_str(&format!("Records are kept in {place}\n"));
    }
    for root in &authority.config().roots {
        lines.push_str(&format!("X.509 Root Fingerprint: {}\n", init::fingerprint(root)));
    }
    if let Some(address) = server.insecure_local_address() {
        lines.push_str(&format!("Serving the CRL over HTTP on {address}\n"));
    }
    if let Some(address) = server.admin_local_address() {
        lines.push_str(&format!("Serving operators on http://{address}\n"));
    }
    for warning in database.warnings.iter().chain(&authority.config().ca.warnings).chain(server.warnings()) {
        lines.push_str(&format!("warning: {warning}\n"));
    }
    lines
}

pub(super) fn refuse_demo_keys(ca: &CaJson, dev: bool) -> Result<(), Failure> {
    match dev::demo_provisioners(ca).as_slice() {
        [] => Ok(()),
        _ if dev => Ok(()),
        names => Err(Failure::start(
            format!("published demo keys, which anybody can use, are those of {}", names.join(" and ")),
            "give every provisioner a key of its own, or serve with --dev while developing",
        )),
    }
}

/// The files that ca.json names: relative to the working directory, templates to the folder of `step`.
pub(super) fn files(context: Option<&str>) -> DirectoryFiles {
    let folder = context::folder(context).unwrap_or_default();
    DirectoryFiles::new("", folder, init::home().unwrap_or_default())
}
