//! ca.json and the files that it names, ready to issue.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::config::CaJson;
use crate::config::Error;
use crate::config::Files;
use crate::config::template;
use crate::crypto::PrivateKey;
use crate::signer::key_file;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

/// A configuration whose files are read and fit together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// What ca.json says.
    pub ca: CaJson,
    /// Root certificates in ca.json's order.
    pub roots: Vec<Arc<Certificate>>,
    /// Federated roots.
    pub federated_roots: Vec<Arc<Certificate>>,
    /// The issuing certificate, then the rest of its chain.
    pub intermediates: Vec<Arc<Certificate>>,
    /// The issuing key.
    pub key: Arc<PrivateKey>,
}

/// The certificates and the key of an authority.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Root certificates.
    pub roots: Vec<Arc<Certificate>>,
    /// Federated roots.
    pub federated_roots: Vec<Arc<Certificate>>,
    /// The issuing certificate, then the rest of its chain.
    pub intermediates: Vec<Arc<Certificate>>,
    /// The issuing key.
    pub key: Arc<PrivateKey>,
}

impl Config {
    /// Reads the files that `ca` names.
    ///
    /// `password` opens the key if it is encrypted; `now` judges the issuing certificate.
    ///
    /// # Errors
    ///
    /// The first file that is missing, broken, or does not fit the others.
    pub fn load(
        ca: CaJson,
        files: &dyn Files,
        password: Option<&[u8]>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        Self::load_and(ca, files, now, |ca| {
            let key_bytes = zeroize::Zeroizing::new(read(files, &ca.key)?);
            key_file::decode(&key_bytes, password, &ca.key).map(Arc::new).map_err(Error::Key)
        })
    }

    /// Reads the files as [`Config::load`] does, all but the issuing key, which is at hand.
    ///
    /// # Errors
    ///
    /// As for [`Config::load`].
    #[cfg(feature = "cli")]
    pub(crate) fn load_with_key(
        ca: CaJson,
        files: &dyn Files,
        key: Arc<PrivateKey>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        Self::load_and(ca, files, now, |_| Ok(key))
    }

    fn load_and(
        ca: CaJson,
        files: &dyn Files,
        now: OffsetDateTime,
        key: impl FnOnce(&CaJson) -> Result<Arc<PrivateKey>, Error>,
    ) -> Result<Self, Error> {
        let roots = read_certificates(files, &ca.root)?;
        let federated_roots = read_certificates(files, &ca.federated_roots)?;
        let intermediates = read_certificates(files, std::slice::from_ref(&ca.crt))?;
        let key = key(&ca)?;
        let parts = Parts { roots, federated_roots, intermediates, key };
        Self::from_parts(ca, parts, files, now)
    }

    /// Puts a configuration together from what its files would hold; of `files`, only templates are read. The password
    /// in `ca` has done its work, and is wiped.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] without an issuing certificate, [`Error::KeyMismatch`], [`Error::Intermediate`].
    pub fn from_parts(
        mut ca: CaJson,
        parts: Parts,
        files: &dyn Files,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let Parts { roots, federated_roots, intermediates, key } = parts;
        let issuer = intermediates.first().ok_or_else(|| Error::Certificate {
            path: ca.crt.clone(),
            reason: "no certificate in the file".to_owned(),
        })?;
        if key.public_key().spki_der() != issuer.spki_der() {
            return Err(Error::KeyMismatch { key: ca.key.clone(), certificate: ca.crt.clone() });
        }
        check_issuer(issuer, &ca.crt, now)?;
        ca.password = None;
        ca.load_templates(files);
        Ok(Self { roots, federated_roots, intermediates, key, ca })
    }

    /// The certificate that issues.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Certificate> {
        &self.intermediates[0]
    }
}

impl CaJson {
    /// Reads the files as [`Config::load`] does, all but the issuing key.
    ///
    /// # Errors
    ///
    /// The first file that is missing or broken.
    #[cfg(feature = "cli")]
    pub(crate) fn check_files(&mut self, files: &dyn Files, now: OffsetDateTime) -> Result<(), Error> {
        read_certificates(files, &self.root)?;
        read_certificates(files, &self.federated_roots)?;
        let intermediates = read_certificates(files, std::slice::from_ref(&self.crt))?;
        if let Some(issuer) = intermediates.first() {
            check_issuer(issuer, &self.crt, now)?;
        }
        self.load_templates(files);
        Ok(())
    }

    fn load_templates(&mut self, files: &dyn Files) {
        let functions = crate::template::functions::table();
        for provisioner in &mut self.provisioners {
            if let Some(options) = &mut provisioner.x509 {
                let name = &provisioner.name;
                options.loaded = template::load(name, options, files, &functions, &mut self.warnings);
            }
        }
    }
}

fn check_issuer(issuer: &Certificate, path: &str, now: OffsetDateTime) -> Result<(), Error> {
    let fault = |reason: String| Err(Error::Intermediate { path: path.to_owned(), reason });
    if !issuer.is_ca() {
        return fault("is not a CA certificate".to_owned());
    }
    if now > issuer.not_after() {
        return fault(format!("expired at {}", crate::duration::format_rfc3339(issuer.not_after())));
    }
    if now < issuer.not_before() {
        return fault(format!(
            "is not valid before {}",
            crate::duration::format_rfc3339(issuer.not_before())
        ));
    }
    Ok(())
}

fn read(files: &dyn Files, path: &str) -> Result<Vec<u8>, Error> {
    files.read(path).map_err(|error| Error::Read { path: path.to_owned(), reason: reason(&error) })
}

/// The system's reason, in lower case and without its number.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

/// Certificates of several files. A file holds PEM blocks among other text, or one certificate in DER.
pub(crate) fn read_certificates(files: &dyn Files, paths: &[String]) -> Result<Vec<Arc<Certificate>>, Error> {
    let mut certificates = Vec::new();
    for path in paths.iter().filter(|path| !path.is_empty()) {
        let bytes = read(files, path)?;
        let fault = |reason: String| Error::Certificate { path: path.clone(), reason };
        let mut blocks: Vec<Vec<u8>> = pem::Blocks::new(&bytes)
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| block.content.to_vec())
            .collect();
        if blocks.is_empty() {
            if !bytes.starts_with(&[0x30]) {
                return Err(fault("no certificate in the file".to_owned()));
            }
            blocks.push(bytes);
        }
        for der in blocks {
            let certificate = Certificate::parse(&der).map_err(|error| fault(error.to_string()))?;
            certificates.push(Arc::new(certificate));
        }
    }
    Ok(certificates)
}
