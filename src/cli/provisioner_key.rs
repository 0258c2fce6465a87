//! The key of a provisioner that is added or rotated: made here, or given.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::password;
use crate::config::edit::NewKey;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::entropy::SystemEntropy;
use crate::jose;
use crate::jose::Jwk;
use crate::jose::JwsAlgorithm;
use crate::jose::PrivateJwk;
use crate::jose::ProvisionerKey;
use crate::x509::pem;

#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The kind of key to make [default: p256, or for rotate that of the old key]
    #[arg(long, value_enum, conflicts_with = "public_key")]
    kty: Option<Kind>,
    /// Take this public key, a JWK or PEM, instead of making one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["password_file", "key_out"])]
    public_key: Option<PathBuf>,
    /// A file with the password that encrypts the private key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write the private key here as well, mode 0600: encrypted, but a secret of HMAC as it is
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
}

/// The kind of a provisioner's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa2048,
    Hs256,
    Hs384,
    Hs512,
}

impl Kind {
    fn of(key: &Jwk) -> Self {
        match (key.public_key().map(PublicKey::kind), key.algorithm()) {
            (Some(KeyKind::P384), _) => Self::P384,
            (Some(KeyKind::P521), _) => Self::P521,
            (Some(KeyKind::Ed25519), _) => Self::Ed25519,
            (Some(KeyKind::Rsa), _) => Self::Rsa2048,
            (Some(KeyKind::P256), _) => Self::P256,
            (None, "HS384") => Self::Hs384,
            (None, "HS512") => Self::Hs512,
            (None, _) => Self::Hs256,
        }
    }

    fn generate(self) -> Result<PrivateJwk, jose::Error> {
        let entropy = &SystemEntropy::new();
        match self {
            Self::P256 => PrivateJwk::generate(KeyKind::P256, entropy),
            Self::P384 => PrivateJwk::generate(KeyKind::P384, entropy),
            Self::P521 => PrivateJwk::generate(KeyKind::P521, entropy),
            Self::Ed25519 => PrivateJwk::generate(KeyKind::Ed25519, entropy),
            Self::Rsa2048 => PrivateJwk::generate(KeyKind::Rsa, entropy),
            Self::Hs256 => PrivateJwk::generate_secret(JwsAlgorithm::HS256, entropy),
            Self::Hs384 => PrivateJwk::generate_secret(JwsAlgorithm::HS384, entropy),
            Self::Hs512 => PrivateJwk::generate_secret(JwsAlgorithm::HS512, entropy),
        }
    }
}

/// A key that is to be registered.
pub(super) struct Made {
    pub(super) key_id: String,
    pub(super) key: NewKey,
    /// Whether ca.json will hold a secret as it is.
    pub(super) secret: bool,
    out: Option<(PathBuf, Zeroizing<String>)>,
}

impl KeyArgs {
    /// Makes or reads the key; of the kind of `old` if nobody said otherwise. Writes nothing.
    pub(super) fn make(&self, old: Option<&str>) -> Result<Made, Failure> {
        if let Some(path) = &self.public_key {
            let jwk = read_public(path)?;
            let key = serde_json::to_value(&jwk).unwrap_or_default();
            let key = NewKey { key, encrypted: None };
            return Ok(Made { key_id: jwk.key_id().to_owned(), key, secret: false, out: None });
        }
        if let Some(path) = self.key_out.as_ref().filter(|path| path.exists()) {
            return Err(Failure::start(
                format!("{} exists", path.display()),
                "choose another file: a key is never overwritten",
            ));
        }
        let failed = |error: jose::Error| {
            Failure::start(format!("cannot make a provisioner key: {error}"), NO_RANDOMNESS)
        };
        let old = old.and_then(|old| Jwk::parse(old.as_bytes()).ok());
        let kind = self.kty.or_else(|| old.as_ref().map(Kind::of)).unwrap_or(Kind::P256);
        let secret = matches!(kind, Kind::Hs256 | Kind::Hs384 | Kind::Hs512);
        // Asked for before a key is made, which takes its time for RSA.
        let password = if secret { None } else { Some(self.password()?) };
        let private = kind.generate().map_err(failed)?;
        let whole = private.to_json().map_err(failed)?;
        let (key, encrypted) = match &password {
            None => (serde_json::from_str(&whole).unwrap_or_default(), None),
            Some(password) => {
                let entropy = SystemEntropy::new();
                let jwe = jose::jwe::encrypt(
                    whole.as_bytes(),
                    password.as_bytes(),
                    jose::jwe::DEFAULT_ITERATIONS,
                    &entropy,
                );
                let public = serde_json::to_value(private.public()).unwrap_or_default();
                (public, Some(jwe.map_err(failed)?))
            }
        };
        let text = encrypted.clone().map_or(whole, Zeroizing::new);
        Ok(Made {
            key_id: private.public().key_id().to_owned(),
            key: NewKey { key, encrypted },
            secret,
            out: self.key_out.clone().map(|path| (path, text)),
        })
    }

    fn password(&self) -> Result<Zeroizing<String>, Failure> {
        let password = match &self.password_file {
            Some(path) => password::from_file(path)?,
            None => password::from_terminal("password for the provisioner's key")?,
        };
        if password.is_empty() {
            return Err(Failure::start("the password is empty", "write one into the password file"));
        }
        Ok(password)
    }
}

impl Made {
    /// Writes the private key where it was asked for.
    pub(super) fn write_out(&self) -> Result<(), Failure> {
        match &self.out {
            Some((path, text)) => directory::write_new(path, text.as_bytes(), Access::Private),
            None => Ok(()),
        }
    }

    /// Takes back what [`write_out`](Self::write_out) wrote: the key was registered nowhere.
    pub(super) fn discard(&self) {
        if let Some((path, _)) = &self.out {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A public key; a file with a private one is refused, lest it be published.
fn read_public(path: &PathBuf) -> Result<Jwk, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let fault = |reason: &str| {
        Failure::usage(
            format!("{} holds no public key: {reason}", path.display()),
            "give a public JWK, or PEM with the label PUBLIC KEY",
        )
    };
    let (public, key_id, algorithm) = if text.trim_start().starts_with('{') {
        let key = ProvisionerKey::parse(text.trim().as_bytes()).map_err(|error| fault(&error.to_string()))?;
        if key.secret_members() {
            return Err(fault("it holds a private one"));
        }
        let jwk = key.jwk();
        let public = jwk.public_key().cloned().ok_or_else(|| fault("oct has none"))?;
        (public, jwk.key_id().to_owned(), JwsAlgorithm::from_name(jwk.algorithm()))
    } else {
        let block =
            pem::Blocks::new(text.as_bytes()).next().ok_or_else(|| fault("no JWK and no PEM block"))?;
        if block.label != "PUBLIC KEY" {
            return Err(fault("its label is another one"));
        }
        let public = PublicKey::from_spki_der(&block.content).map_err(|error| fault(&error.to_string()))?;
        (public, String::new(), None)
    };
    let key_id = if key_id.is_empty() { jose::thumbprint(&public) } else { key_id };
    let algorithm = algorithm.unwrap_or_else(|| JwsAlgorithm::default_for(public.kind()));
    Ok(Jwk::of(public, key_id, algorithm))
}
