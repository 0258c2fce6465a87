//! `serve --dev`: an authority for development that needs no preparation, and the published demo keys.

use std::path::Path;
use std::path::PathBuf;

use clap::Parser;
use subtle::ConstantTimeEq;

use crate::authority::bootstrap;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::init;
use crate::cli::init::Layout;
use crate::cli::password;
use crate::config::CaJson;
use crate::config::Credential;
use crate::config::ProvisionerEntry;
use crate::entropy::SystemEntropy;
use crate::jose;
use crate::jose::PrivateJwk;
use crate::jose::ProvisionerKey;
use crate::jose::VerificationKey;

/// Where a development authority lives unless told otherwise, below the working directory.
pub(super) const FOLDER: &str = "stepless-dev";

/// Where it listens.
pub(super) const ADDRESS: &str = "127.0.0.1:9443";

const DEMO_ES256: &str = include_str!("../../keys/mosaic-fed.jwk.json");
const DEMO_HS256: &str = include_str!("../../keys/mosaic-hs.jwk.json");

/// The demo keys of the federation provisioners, ES256 and HS256. Everybody knows them.
pub(super) fn demo_keys() -> Result<(PrivateJwk, PrivateJwk), jose::Error> {
    Ok((PrivateJwk::parse(DEMO_ES256.as_bytes())?, PrivateJwk::parse(DEMO_HS256.as_bytes())?))
}

/// The names of provisioners whose key is one of the published demo keys.
pub(super) fn demo_provisioners(ca: &CaJson) -> Vec<String> {
    let demo: Vec<ProvisionerKey> = [DEMO_ES256, DEMO_HS256]
        .iter()
        .filter_map(|key| ProvisionerKey::parse(key.as_bytes()).ok())
        .collect();
    let is_demo = |p: &&ProvisionerEntry| match &p.credential {
        Credential::Jwk { key, .. } => demo.iter().any(|demo| same_key(demo, key)),
        _ => false,
    };
    ca.provisioners.iter().filter(is_demo).map(|p| p.name.clone()).collect()
}

fn same_key(ours: &ProvisionerKey, theirs: &ProvisionerKey) -> bool {
    match (ours.verification_key(), theirs.verification_key()) {
        (VerificationKey::Public(ours), VerificationKey::Public(theirs)) => ours == theirs,
        (VerificationKey::Secret(ours), VerificationKey::Secret(theirs)) => {
            bool::from(ours.as_slice().ct_eq(theirs.as_slice()))
        }
        _ => false,
    }
}

/// The development authority: its files, made at first use, and where its password lies.
pub(super) struct Development {
    pub(super) layout: Layout,
    pub(super) password_file: PathBuf,
}

#[derive(Debug, Parser)]
struct InitArgs {
    #[command(flatten)]
    args: init::Args,
}

/// Finds the authority in `folder` or makes it.
///
/// `password_file` is for a folder that `init` made; without one the password lies beside the keys.
pub(super) fn prepare(
    folder: Option<&Path>,
    address: &str,
    password_file: Option<&Path>,
) -> Result<Development, Failure> {
    let layout = Layout::new(folder.unwrap_or(Path::new(FOLDER)))?;
    let password_file = password_file.map_or_else(|| layout.dev_password(), Path::to_owned);
    if !layout.ca_json().exists() {
        let own = password_file == layout.dev_password();
        let password = match password_file.exists() || !own {
            true => password::from_file(&password_file)?,
            false => {
                let password = bootstrap::random_password(&SystemEntropy::new())
                    .map_err(|error| Failure::start(error.to_string(), NO_RANDOMNESS))?;
                directory::create_folder(&layout.folder.join("secrets"))?;
                directory::write_new(&layout.dev_password(), password.as_bytes(), Access::Private)?;
                password
            }
        };
        let line = [
            "stepless",
            "--profile",
            "federation",
            "--name",
            "stepless development",
            "--dns",
            "127.0.0.1",
            "--dns",
            "localhost",
            "--dns",
            "::1",
            "--address",
            address,
        ];
        let args = InitArgs::try_parse_from(line)?.args;
        init::create(&layout, &args, &password)?;
    }
    if !password_file.exists() {
        return Err(Failure::start(
            format!("{} was made by init, so its password is not at hand", layout.folder.display()),
            "give the password with --password-file, or choose another folder with --dir",
        ));
    }
    Ok(Development { layout, password_file })
}

/// What a person sees first: where the root is, and a line to paste.
pub(super) fn welcome(development: &Development, url: &str) -> Result<String, Failure> {
    let Development { layout, password_file, .. } = development;
    let (root, _) = init::read_certificate(&layout.root_certificate())?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("stepless"));
    let quote = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    Ok(format!(
        "root         {}\nfingerprint  {}\n\nFor a grant certificate, paste this into another terminal:\n\n  \
         {} certificate demo.example --ca-url {url} --root {} --provisioner mosaic-fed --password-file {} \
         --grant-id 3f2504e0-4f89-41d3-9a0c-0305e82c3301 \
         --subject-user-id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d --out {} --force\n\n",
        layout.root_certificate().display(),
        init::fingerprint(&root),
        quote(&program),
        quote(&layout.root_certificate()),
        quote(password_file),
        quote(&layout.folder.join("issued")),
    ))
}
