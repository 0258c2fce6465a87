//! `stepless renew` and `stepless rekey`: another certificate for one that is there.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::certificate;
use crate::cli::certificate::LeafKey;
use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::password;
use crate::cli::target;
use crate::cli::target::Authority;
use crate::cli::target::Target;
use crate::cli::unattended::Unattended;
use crate::client;
use crate::client::AnswerError;
use crate::client::Expected;
use crate::client::Identity;
use crate::client::Received;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::DEFAULT_OID_ARC;
use crate::crypto::PrivateKey;
use crate::crypto::PublicKey;
use crate::entropy::SystemEntropy;
use crate::profile::GrantOids;
use crate::signer::key_file;
use crate::wire::RekeyRequest;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

/// The certificate at hand.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Own {
    /// The file of the certificate, alone or with its intermediates, in PEM
    pub(super) crt: PathBuf,
    /// The file of its private key
    pub(super) key: PathBuf,
    /// A file with the password of that key
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RenewArgs {
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    target: Target,
    /// Write the new certificate here, in place of CRT
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the certificate in a token and not over TLS; an expired one is always shown so
    #[arg(long)]
    token: bool,
    #[command(flatten)]
    unattended: Unattended,
    /// The OID arc of the grant extensions
    #[arg(long, value_name = "OID", default_value = DEFAULT_OID_ARC)]
    oid_arc: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RekeyArgs {
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    target: Target,
    /// Write the new certificate here, in place of CRT
    #[arg(long, value_name = "FILE")]
    out_crt: Option<PathBuf>,
    /// Write the new key here, in place of KEY
    #[arg(long, value_name = "FILE")]
    out_key: Option<PathBuf>,
    /// The kind of key to make
    #[arg(long, value_enum, default_value_t = LeafKey::P256)]
    kty: LeafKey,
    /// Overwrite files, the old key included
    #[arg(long)]
    force: bool,
    /// The OID arc of the grant extensions
    #[arg(long, value_name = "OID", default_value = DEFAULT_OID_ARC)]
    oid_arc: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Own {
    /// Reads certificate and key, and tells whether the file holds more than the certificate.
    pub(super) fn read(&self) -> Result<(Identity, Certificate, bool), Failure> {
        let chain = self.certificates()?;
        let own = chain[0].clone();
        let with_chain = chain.len() > 1;
        let key = self.key()?;
        let identity = Identity::new(chain, key).map_err(|error| {
            Failure::start(
                format!("{} and {} do not fit: {error}", self.crt.display(), self.key.display()),
                "give the certificate and its own key",
            )
        })?;
        Ok((identity, own, with_chain))
    }

    /// The certificate and what else its file holds.
    fn certificates(&self) -> Result<Vec<Certificate>, Failure> {
        let chain = read_chain(&self.crt)?;
        if chain.is_empty() {
            return Err(Failure::start(
                format!("{} holds no certificate", self.crt.display()),
                "the file has to hold a certificate in PEM",
            ));
        }
        Ok(chain)
    }

    /// Refuses a key whose password would have to be typed at each renewal.
    fn refuse_questions(&self) -> Result<(), Failure> {
        let bytes = std::fs::read(&self.key).map_err(|error| Failure::file("read", &self.key, &error))?;
        let bytes = Zeroizing::new(bytes);
        if self.password_file.is_none() && key_file::needs_password(&bytes) {
            return Err(Failure::usage(
                format!("{} is encrypted, and nobody is there to type its password", self.key.display()),
                "give it with --password-file",
            ));
        }
        Ok(())
    }

    fn key(&self) -> Result<PrivateKey, Failure> {
        let name = self.key.display().to_string();
        let bytes = std::fs::read(&self.key).map_err(|error| Failure::file("read", &self.key, &error))?;
        let bytes = Zeroizing::new(bytes);
        let password = match &self.password_file {
            Some(path) => Some(password::from_file(path)?),
            None if key_file::needs_password(&bytes) => {
                Some(password::from_terminal(&format!("password of {name}"))?)
            }
            None => None,
        };
        let password = password.as_ref().map(|password| password.as_bytes());
        key_file::decode(&bytes, password, &name)
            .map_err(|error| Failure::start(error.to_string(), "check the file and its password"))
    }
}

pub(super) fn renew(args: &RenewArgs) -> Result<(), Failure> {
    let old = args.own.certificates()?.remove(0);
    let out = args.out.as_ref().unwrap_or(&args.own.crt);
    if args.unattended.daemon {
        args.own.refuse_questions()?;
        return super::block_on(args.unattended.run(out, old, async |renewals| {
            // What was written last is what has to be renewed.
            let crt = if renewals == 0 { &args.own.crt } else { out };
            renew_once(args, crt, out).await.map(|received| received.certificate)
        }))?;
    }
    if args.unattended.too_early(&old)? {
        return Ok(());
    }
    let received = super::block_on(renew_once(args, &args.own.crt, out))??;
    certificate::report(&received, &args.oid_arc, &[("certificate", out)], args.json)?;
    super::block_on(args.unattended.tell())?
}

/// Renews the certificate in `crt` and writes the new one to `out`.
async fn renew_once(args: &RenewArgs, crt: &Path, out: &Path) -> Result<Received, Failure> {
    let oids = target::grant_oids(&args.oid_arc)?;
    let own = Own { crt: crt.to_owned(), ..args.own.clone() };
    let (identity, old, with_chain) = own.read()?;
    let expired = old.not_after() < SystemClock.now();
    let (authority, answer) = if args.token || expired {
        let authority = args.target.open()?;
        let token = renew_token(&args.target, &authority, &identity, with_chain).await?;
        let answer = authority.client.renew_with_token(&token).await?;
        (authority, answer)
    } else {
        let authority = args.target.open_as(Some(&identity))?;
        let answer = authority.client.renew().await?;
        (authority, answer)
    };
    let key = old.public_key().map_err(|error| {
        Failure::start(format!("key of the certificate: {error}"), "get a new certificate")
    })?;
    let received = check(&authority, &old, &key, &oids, &answer)?;
    write_certificate(out, &received, with_chain)?;
    Ok(received)
}

async fn renew_token(
    target: &Target,
    authority: &Authority,
    identity: &Identity,
    with_chain: bool,
) -> Result<Zeroizing<String>, Failure> {
    let mut intermediates = Vec::new();
    if !with_chain {
        for text in authority.client.intermediates().await? {
            let block = pem::Blocks::new(text.as_bytes()).next();
            intermediates.extend(block.and_then(|block| Certificate::parse(&block.content).ok()));
        }
    }
    let audience = target.audience("/1.0/renew")?;
    identity
        .renew_token(&audience, &intermediates, SystemClock.now(), &SystemEntropy::new())
        .map_err(|error| Failure::start(format!("cannot make a token: {error}"), "check the key"))
}

pub(super) fn rekey(args: &RekeyArgs) -> Result<(), Failure> {
    let oids = target::grant_oids(&args.oid_arc)?;
    let crt = args.out_crt.as_ref().unwrap_or(&args.own.crt);
    let key_path = args.out_key.as_ref().unwrap_or(&args.own.key);
    certificate::refuse_existing(&[crt, key_path], args.force)?;
    let (identity, old, with_chain) = args.own.read()?;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::start(format!("cannot make a request: {error}"), "check the certificate")
    };
    let key = PrivateKey::generate(args.kty.kind(), &SystemEntropy::new()).map_err(|e| failed(&e))?;
    let name = old.common_name().unwrap_or_default();
    let csr = client::create_csr(&key, &name, &[]).map_err(|e| failed(&e))?;
    let received = super::block_on(async {
        let authority = args.target.open_as(Some(&identity))?;
        let request = RekeyRequest { csr: Some(pem::encode("CERTIFICATE REQUEST", &csr)) };
        let answer = authority.client.rekey(&request).await?;
        check(&authority, &old, key.public_key(), &oids, &answer)
    })??;
    let key_pem = key_file::encode_plain(&key).map_err(|e| failed(&e))?;
    directory::replace(key_path, key_pem.as_bytes(), Access::Private)?;
    write_certificate(crt, &received, with_chain)?;
    certificate::report(&received, &args.oid_arc, &[("certificate", crt), ("key", key_path)], args.json)
}

/// The answer has to be for the same names and, if it is a grant, for the same ids.
fn check(
    authority: &Authority,
    old: &Certificate,
    public_key: &PublicKey,
    oids: &GrantOids,
    answer: &SignResponse,
) -> Result<Received, Failure> {
    let expected = Expected {
        roots: &authority.roots,
        public_key,
        names: &Expected::names_of(old),
        ids: &Expected::ids_of(old, oids),
        now: SystemClock.now(),
    };
    expected.check(answer).map_err(|error: AnswerError| Failure::answer(&error))
}

/// The file keeps its form: the certificate alone, or with its intermediates.
fn write_certificate(path: &Path, received: &Received, with_chain: bool) -> Result<(), Failure> {
    let text = if with_chain { &received.chain_pem } else { &received.certificate_pem };
    directory::replace(path, text.as_bytes(), Access::Private)
}

fn read_chain(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let blocks = pem::Blocks::new(&text).filter(|block| block.label == "CERTIFICATE");
    let read = blocks.map(|block| Certificate::parse(&block.content)).collect::<Result<_, _>>();
    read.map_err(|error| {
        Failure::start(
            format!("{} cannot be read: {error}", path.display()),
            "the file has to hold certificates in PEM",
        )
    })
}
