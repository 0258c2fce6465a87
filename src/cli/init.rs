//! `stepless init`: a new authority in a step-ca directory, which step-ca can serve as well.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::authority::bootstrap;
use crate::authority::bootstrap::Hierarchy;
use crate::authority::bootstrap::NewConfig;
use crate::authority::bootstrap::NewProvisioner;
use crate::cli::claim;
use crate::cli::claim::Claim;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::intermediate;
use crate::cli::password;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::hex;
use crate::jose::JwsAlgorithm;
use crate::jose::PrivateJwk;
use crate::signer::key_file;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the authority [default: $STEPPATH, else ~/.step]
    #[arg(long, value_name = "FOLDER")]
    pub(super) dir: Option<PathBuf>,
    /// The organization in the names of root and intermediate
    #[arg(long, default_value = "stepless")]
    pub(super) name: String,
    /// A name or address of the authority; give it several times for several
    #[arg(long = "dns", value_name = "NAME", default_values_t = [String::from("localhost"), String::from("127.0.0.1")])]
    pub(super) dns_names: Vec<String>,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub(super) address: String,
    /// The name of the first provisioner (without a profile)
    #[arg(long, default_value = "admin")]
    pub(super) provisioner: String,
    /// Which provisioners to make: `plain`, or `federation` for grant certificates
    #[arg(long, value_enum, default_value_t = Profile::Plain)]
    pub(super) profile: Profile,
    /// The OID arc of the grant extensions, written as authority.oidArc
    #[arg(long, value_name = "OID")]
    pub(super) oid_arc: Option<String>,
    /// The kind of the CA keys
    #[arg(long, value_enum, default_value_t = CaKey::P256)]
    pub(super) kty: CaKey,
    /// A file with the password for the CA keys and the provisioner keys
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Take this root certificate, whose key is elsewhere: make a key and a request for the intermediate alone
    #[arg(long, value_name = "FILE")]
    pub(super) root: Option<PathBuf>,
    /// Use the published demo keys for the federation provisioners; only `serve --dev` takes them
    #[arg(long)]
    pub(super) demo_keys: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which provisioners a new authority has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Profile {
    /// One provisioner of type JWK with an ES256 key.
    Plain,
    /// `mosaic-fed` (ES256) and `mosaic-hs` (HS256), which issue grant certificates.
    Federation,
}

/// The kind of the CA keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum CaKey {
    P256,
    P384,
    Ed25519,
}

impl CaKey {
    pub(super) fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::P384 => KeyKind::P384,
            Self::Ed25519 => KeyKind::Ed25519,
        }
    }
}

/// Where the files of an authority lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
}

impl Layout {
    /// The layout below `folder`, as an absolute path: ca.json carries it.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let folder =
            std::path::absolute(folder).map_err(|error| Failure::file("find folder", folder, &error))?;
        Ok(Self { folder })
    }

    pub(super) fn root_certificate(&self) -> PathBuf {
        self.folder.join("certs/root_ca.crt")
    }

    pub(super) fn intermediate_certificate(&self) -> PathBuf {
        self.folder.join("certs/intermediate_ca.crt")
    }

    fn root_key(&self) -> PathBuf {
        self.folder.join("secrets/root_ca_key")
    }

    fn intermediate_key(&self) -> PathBuf {
        self.folder.join("secrets/intermediate_ca_key")
    }

    fn request(&self) -> PathBuf {
        self.folder.join("certs/intermediate_ca.csr")
    }

    pub(super) fn ca_json(&self) -> PathBuf {
        self.folder.join("config/ca.json")
    }

    pub(super) fn defaults_json(&self) -> PathBuf {
        self.folder.join("config/defaults.json")
    }

    /// The password that `serve --dev` makes.
    pub(super) fn dev_password(&self) -> PathBuf {
        self.folder.join("secrets/password")
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => step_path()?,
    };
    let layout = Layout::new(&folder)?;
    let mut fresh = !layout.ca_json().exists();
    if fresh {
        // They would stand in every name of the hierarchy, and reach whatever terminal shows it.
        if args.name.chars().any(char::is_control) {
            return Err(Failure::usage(
                "the name holds a control character",
                "give --name as one line of text",
            ));
        }
        let password = match &args.password_file {
            Some(path) => password::from_file(path)?,
            None => password::from_terminal("password for the CA keys")?,
        };
        if password.is_empty() {
            return Err(Failure::start("the password is empty", "write one into the password file"));
        }
        fresh = create(&layout, args, &password)?;
    }
    report(&layout, fresh, args.json)
}

/// `$STEPPATH`, else `~/.step`.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn step_path() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("STEPPATH").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let unset = || Failure::usage("neither STEPPATH nor HOME is set", "give the folder with --dir");
    Ok(home().ok_or_else(unset)?.join(".step"))
}

/// `$HOME`.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Makes every file of an authority; false if another process has made it meanwhile.
///
/// ca.json comes last: where it stands, the rest is whole.
pub(super) fn create(layout: &Layout, args: &Args, password: &Zeroizing<String>) -> Result<bool, Failure> {
    let entropy = SystemEntropy::new();
    let failed = |error: bootstrap::Error| {
        Failure::start(format!("cannot make the authority: {error}"), "choose another --name")
    };
    let waiting = intermediate::waiting(&layout.intermediate_key());
    let keys = [&layout.root_key(), &layout.intermediate_key(), &waiting];
    for path in keys {
        // In this order: who is about to finish renames the one file to the other.
        if path.exists() && !claim::is_begun(&layout.ca_json()) && !layout.ca_json().exists() {
            return Err(Failure::start(
                format!("{} exists, but {} does not", path.display(), layout.ca_json().display()),
                "a key is never overwritten: move the folder away, or put its config/ca.json back",
            ));
        }
    }
    let making = match &args.root {
        Some(root) => Making::Below {
            root: Box::new(given_root(root)?),
            name: bootstrap::intermediate_name(&args.name).map_err(failed)?,
        },
        None => Making::Whole(Box::new(
            Hierarchy::generate(&args.name, args.kty.kind(), SystemClock.now(), &entropy).map_err(failed)?,
        )),
    };
    let provisioners = provisioners(args, &entropy)?
        .iter()
        .map(|provisioner| provisioner.to_entry(password.as_bytes(), &entropy))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let encrypted = |key: &PrivateKey| {
        key_file::encode_encrypted(key, password.as_bytes(), &entropy)
            .map_err(|error| Failure::start(format!("cannot encrypt a CA key: {error}"), NO_RANDOMNESS))
    };
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let ca_json = bootstrap::ca_json(&NewConfig {
        root: &text(layout.root_certificate()),
        crt: &text(layout.intermediate_certificate()),
        key: &text(layout.intermediate_key()),
        address: &args.address,
        dns_names: &args.dns_names,
        data_source: &text(layout.folder.join("db")),
        oid_arc: args.oid_arc.as_deref(),
        provisioners,
    });
    crate::config::parse(ca_json.as_bytes())
        .map_err(|error| Failure::usage(error.to_string(), "correct that option: nothing was made"))?;
    for folder in ["certs", "secrets", "config", "db", "templates"] {
        directory::create_folder(&layout.folder.join(folder))?;
    }
    let Some(mut claim) = Claim::stake(&layout.ca_json())? else { return Ok(false) };
    if claim.after_another() {
        for path in keys {
            directory::put_aside(path, "unfinished")?;
        }
    }
    claim.begin(&ca_json)?;
    let root = match &making {
        Making::Whole(hierarchy) => {
            write_hierarchy(layout, hierarchy, encrypted)?;
            &hierarchy.root
        }
        Making::Below { root, name } => {
            intermediate::make_request(name, args.kty.kind(), password, &waiting, &layout.request())?;
            root
        }
    };
    directory::replace(&layout.root_certificate(), root.to_pem().as_bytes(), Access::Private)?;
    let defaults = serde_json::json!({
        "ca-url": ca_url(args),
        "ca-config": text(layout.ca_json()),
        "fingerprint": fingerprint(root),
        "root": text(layout.root_certificate()),
    });
    let defaults = format!("{}\n", serde_json::to_string_pretty(&defaults).unwrap_or_default());
    directory::replace(&layout.defaults_json(), defaults.as_bytes(), Access::Public)?;
    claim.finish()?;
    Ok(true)
}

/// What an authority begins with.
enum Making {
    /// A hierarchy of its own.
    Whole(Box<Hierarchy>),
    /// A root whose key is elsewhere, and the name of the intermediate to be, DER.
    Below { root: Box<Certificate>, name: Vec<u8> },
}

/// Keys and issuing certificate of a new hierarchy.
fn write_hierarchy(
    layout: &Layout,
    hierarchy: &Hierarchy,
    encrypted: impl Fn(&PrivateKey) -> Result<String, Failure>,
) -> Result<(), Failure> {
    directory::write_new(&layout.root_key(), encrypted(&hierarchy.root_key)?.as_bytes(), Access::Private)?;
    directory::write_new(
        &layout.intermediate_key(),
        encrypted(&hierarchy.intermediate_key)?.as_bytes(),
        Access::Private,
    )?;
    let intermediate = hierarchy.intermediate.to_pem();
    directory::replace(&layout.intermediate_certificate(), intermediate.as_bytes(), Access::Private)
}

/// A root that is made elsewhere; one that no intermediate can stand below is refused before anything is made.
fn given_root(path: &Path) -> Result<Certificate, Failure> {
    let (root, _) = read_certificate(path)?;
    let now = SystemClock.now();
    let fault = if !root.is_ca() {
        "it is no CA"
    } else if root.path_length() == Some(0) {
        "its path length is 0, so no intermediate can stand below it"
    } else if now < root.not_before() || now > root.not_after() {
        "it is not valid now"
    } else {
        return Ok(root);
    };
    Err(Failure::start(
        format!("{} cannot be the root: {fault}", path.display()),
        "make another root: nothing was made here",
    ))
}

fn ca_url(args: &Args) -> String {
    let host = args.dns_names.first().map_or("localhost", String::as_str);
    let port = args.address.rsplit(':').next().unwrap_or("443");
    if port == "443" { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

fn provisioners(args: &Args, entropy: &dyn Entropy) -> Result<Vec<NewProvisioner>, Failure> {
    let failed = |error: crate::jose::Error| {
        Failure::start(format!("cannot make a provisioner key: {error}"), NO_RANDOMNESS)
    };
    if args.profile == Profile::Plain {
        let key = PrivateJwk::generate(KeyKind::P256, entropy).map_err(failed)?;
        return Ok(vec![NewProvisioner { name: args.provisioner.clone(), key, grants: false }]);
    }
    let (es256, hs256) = if args.demo_keys {
        super::dev::demo_keys().map_err(failed)?
    } else {
        let es256 = PrivateJwk::generate(KeyKind::P256, entropy).map_err(failed)?;
        (es256, PrivateJwk::generate_secret(JwsAlgorithm::HS256, entropy).map_err(failed)?)
    };
    Ok(vec![
        NewProvisioner { name: "mosaic-fed".to_owned(), key: es256, grants: true },
        NewProvisioner { name: "mosaic-hs".to_owned(), key: hs256, grants: true },
    ])
}

/// SHA-256 of a certificate's DER, in lower-case hexadecimal digits.
pub(super) fn fingerprint(certificate: &Certificate) -> String {
    hex::encode(&certificate.fingerprint())
}

/// Reads a file with one certificate, and gives its text as well.
pub(super) fn read_certificate(path: &Path) -> Result<(Certificate, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let block = pem::Blocks::new(text.as_bytes()).next();
    let certificate = block.as_ref().and_then(|block| Certificate::parse(&block.content).ok());
    match certificate {
        Some(certificate) => Ok((certificate, text)),
        None => Err(Failure::start(
            format!("{} holds no certificate", path.display()),
            "the file has to hold a certificate in PEM",
        )),
    }
}

fn report(layout: &Layout, fresh: bool, json: bool) -> Result<(), Failure> {
    let (root, _) = read_certificate(&layout.root_certificate())?;
    let fingerprint = fingerprint(&root);
    let text = if json {
        let value = serde_json::json!({
            "created": fresh,
            "config": layout.ca_json(),
            "root": layout.root_certificate(),
            "fingerprint": fingerprint,
        });
        format!("{value}\n")
    } else {
        let ca_json = layout.ca_json();
        let next = match layout.intermediate_certificate().exists() {
            true => format!("Start it with: stepless serve {} --password-file FILE", ca_json.display()),
            false => format!(
                "Have {} signed with the root's key, then: stepless intermediate import FILE --ca-config {} --password-file FILE",
                layout.request().display(),
                ca_json.display()
            ),
        };
        let said = match fresh {
            true if layout.intermediate_certificate().exists() => "The authority is ready.",
            true => "The authority waits for its certificate.",
            false => "The authority was there already; nothing was changed.",
        };
        format!(
            "{said}\n\n  configuration  {}\n  root           {}\n  fingerprint    {fingerprint}\n\n{next}\n",
            ca_json.display(),
            layout.root_certificate().display(),
        )
    };
    super::print(&text);
    Ok(())
}
