//! `stepless certificate`: key, request, token, call, check, files.

use std::path::Path;
use std::path::PathBuf;

use crate::cli::directory;
use crate::cli::directory::Access;
use crate::cli::failure::Failure;
use crate::cli::inspect;
use crate::cli::target;
use crate::cli::target::Credentials;
use crate::cli::target::Order;
use crate::cli::target::Target;
use crate::cli::target::Terms;
use crate::client;
use crate::client::Received;
use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::SystemEntropy;
use crate::signer::key_file;
use crate::x509::csr::Csr;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    order: Order,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    terms: Terms,
    /// The folder for SUBJECT.crt, SUBJECT.chain.crt and SUBJECT.key
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// The kind of key to make
    #[arg(long, value_enum, default_value_t = LeafKey::P256)]
    kty: LeafKey,
    /// Overwrite files of an earlier certificate, the key included
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The kind of the certificate's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LeafKey {
    P256,
    P384,
    Ed25519,
    Rsa2048,
}

impl LeafKey {
    pub(super) fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::P384 => KeyKind::P384,
            Self::Ed25519 => KeyKind::Ed25519,
            Self::Rsa2048 => KeyKind::Rsa,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let stem = file_stem(&args.order.subject);
    let path = |ending: &str| args.out.join(format!("{stem}.{ending}"));
    let (crt, chain, key_path) = (path("crt"), path("chain.crt"), path("key"));
    refuse_existing(&[&crt, &chain, &key_path], args.force)?;
    let authority = args.target.open()?;

    let failed = |error: &dyn std::fmt::Display| {
        Failure::start(
            format!("cannot make a request: {error}"),
            "names are ASCII, an international one is written as xn--…",
        )
    };
    let key = PrivateKey::generate(args.kty.kind(), &SystemEntropy::new()).map_err(|e| failed(&e))?;
    let der = client::create_csr(&key, &args.order.subject, &args.order.names()).map_err(|e| failed(&e))?;
    let csr = Csr::parse(&der).and_then(|csr| csr.verify()).map_err(|e| failed(&e))?;
    let received = super::block_on(async {
        let token = args.credentials.token(&args.target, &args.order, Some(csr.fingerprint())).await?;
        args.terms.issue(&authority, &args.order, csr.der(), csr.public_key(), &token).await
    })??;

    let key_pem = key_file::encode_plain(&key).map_err(|e| failed(&e))?;
    directory::create_folder(&args.out)?;
    directory::replace(&key_path, key_pem.as_bytes(), Access::Private)?;
    directory::replace(&crt, received.certificate_pem.as_bytes(), Access::Private)?;
    directory::replace(&chain, received.chain_pem.as_bytes(), Access::Private)?;
    report(
        &received,
        &args.terms.oid_arc,
        &[("certificate", &crt), ("chain", &chain), ("key", &key_path)],
        args.json,
    )
}

/// A file name for a subject: what is no letter, digit, dot, dash or underscore becomes an underscore.
fn file_stem(subject: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let stem: String = subject.chars().take(100).map(safe).collect();
    // Neither a hidden file nor the folder above.
    if stem.trim_matches('.').is_empty() || stem.starts_with('.') { format!("_{stem}") } else { stem }
}

/// Refuses before anything is asked for: a certificate is not issued to be thrown away.
pub(super) fn refuse_existing(paths: &[&PathBuf], force: bool) -> Result<(), Failure> {
    match paths.iter().find(|path| path.exists()) {
        Some(path) if !force => Err(Failure::start(
            format!("{} exists", path.display()),
            "choose another folder or name, or overwrite it with --force",
        )),
        _ => Ok(()),
    }
}

/// Shows what was received and where it lies.
pub(super) fn report(
    received: &Received,
    arc: &str,
    files: &[(&str, &Path)],
    json: bool,
) -> Result<(), Failure> {
    let oids = target::grant_oids(arc)?;
    let mut summary = inspect::certificate(&received.certificate, &oids);
    if json {
        let files: serde_json::Map<String, serde_json::Value> = files
            .iter()
            .map(|(name, path)| ((*name).to_owned(), path.display().to_string().into()))
            .collect();
        if let Some(members) = summary.as_object_mut() {
            members.insert("files".to_owned(), files.into());
        }
        super::print(&format!("{summary}\n"));
        return Ok(());
    }
    let mut text = inspect::text(&summary);
    for (name, path) in files {
        text.push_str(&format!("{name:<16} {}\n", path.display()));
    }
    super::print(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_become_harmless_file_names() {
        assert_eq!(file_stem("a.example"), "a.example");
        assert_eq!(file_stem("../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_stem("*.x y"), "_.x_y");
        assert_eq!(file_stem(".."), "_..");
        assert_eq!(file_stem(""), "_");
    }
}
