//! What a client has to know, from the environment or from the program.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::client::Error;
use crate::client::Retry;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::DEFAULT_OID_ARC;
use crate::entropy::Entropy;
use crate::entropy::SystemEntropy;
use crate::jose;
use crate::jose::PrivateJwk;
use crate::profile::GrantOids;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

const URL: &str = "STEP_CA_URL";
const ROOT: &str = "STEP_CA_ROOT_CERT_PATH";
const KEY: &str = "STEP_CA_PROVISIONER_KEY_JSON";
const PASSWORD: &str = "STEP_CA_PROVISIONER_PASSWORD";
const NAME: &str = "STEP_CA_PROVISIONER_NAME";
const ARC: &str = "STEP_CA_GRANT_OID_ARC";

/// More than any setting needs: a chain of roots, an encrypted RSA key.
const MAX_FILE: u64 = 1 << 20;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A setting is missing or cannot be used. Values are never shown, apart from URLs, paths and OIDs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The variable is not set, nor its `_FILE` form.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// Both forms are set.
    #[error("{0} and {0}_FILE are both set")]
    Both(&'static str),
    /// The value is no text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// A file cannot be read.
    #[error("{variable} names the file {}, which cannot be read: {reason}", path.display())]
    File {
        /// The variable that names the file.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The URL or the root cannot be used.
    #[error("{variable}: {source}")]
    Authority {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        source: Error,
    },
    /// The key is encrypted and there is no password.
    #[error("STEP_CA_PROVISIONER_KEY_JSON is encrypted and STEP_CA_PROVISIONER_PASSWORD is not set")]
    NoPassword,
    /// The key cannot be read.
    #[error("STEP_CA_PROVISIONER_KEY_JSON: {0}")]
    Key(#[source] jose::Error),
    /// The OID arc is none.
    #[error("STEP_CA_GRANT_OID_ARC: {0:?} is no object identifier")]
    OidArc(String),
}

impl SettingsError {
    /// What a person can do about it, one sentence without a full stop.
    #[must_use]
    pub fn remediation(&self) -> &'static str {
        match self {
            Self::Missing(URL) => "set it to the authority's URL, such as https://ca.example:9000",
            Self::Missing(ROOT) => "set it to the path of the authority's root certificate in PEM",
            Self::Missing(_) => {
                "set it to the provisioner's private JWK, or its _FILE form to a mounted secret's path"
            }
            Self::Both(_) => "unset one of them: which one was meant?",
            Self::NotText(_) => "write it as UTF-8",
            Self::File { .. } => "check the path, who may read the file, and that the secret is mounted",
            Self::Authority { source, .. } => source.remediation(),
            Self::NoPassword => "set STEP_CA_PROVISIONER_PASSWORD or STEP_CA_PROVISIONER_PASSWORD_FILE",
            Self::Key(jose::Error::Decryption) => {
                "compare STEP_CA_PROVISIONER_PASSWORD with the one the key was encrypted with"
            }
            Self::Key(_) => {
                "give a private JWK of type EC, RSA, OKP or oct, or the provisioner's encryptedKey and its password"
            }
            Self::OidArc(_) => "write it like 1.3.6.1.4.1.99999",
        }
    }
}

/// Where the authority is, whom it has to be, and which key makes its tokens.
#[derive(Clone)]
pub struct Settings {
    pub(super) url: String,
    pub(super) root_pem: String,
    pub(super) roots: Vec<Certificate>,
    pub(super) key: Arc<PrivateJwk>,
    pub(super) provisioner: Option<String>,
    pub(super) grant_oids: GrantOids,
    pub(super) patience: Duration,
    pub(super) retry: Retry,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("key", self.key.public())
            .field("provisioner", &self.provisioner)
            .field("grant_oids", &self.grant_oids)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The authority at `url`, trusted by `root_pem` alone, and the provisioner's private key.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Authority`] if there is no certificate in `root_pem`, or one that cannot be read.
    pub fn new(url: &str, root_pem: &str, key: PrivateJwk) -> Result<Self, SettingsError> {
        let unreadable =
            |reason: String| SettingsError::Authority { variable: ROOT, source: Error::Root(reason) };
        let roots = pem::Blocks::new(root_pem.as_bytes())
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| Certificate::parse(&block.content))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(error.to_string()))?;
        if roots.is_empty() {
            return Err(unreadable("no certificate in the text".to_owned()));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            root_pem: root_pem.to_owned(),
            roots,
            key: Arc::new(key),
            provisioner: None,
            grant_oids: grant_oids(DEFAULT_OID_ARC)?,
            patience: PATIENCE,
            retry: Retry::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
        })
    }

    /// From the environment, as docs/gateway.md lists it.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for the first variable that is missing or cannot be used.
    #[expect(clippy::disallowed_methods, reason = "to read the environment is what it is called for")]
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// The same from elsewhere: `lookup` gives the value of a variable.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for the first variable that is missing or cannot be used.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let value = |name| value(&lookup, name);
        let need = |name| value(name)?.ok_or(SettingsError::Missing(name));
        let url = need(URL)?;
        let root = PathBuf::from(need(ROOT)?.as_str());
        let root_pem = file(ROOT, &root)?;
        let password = value(PASSWORD)?;
        let key = PrivateJwk::open(&need(KEY)?, password.as_ref().map(|password| password.as_bytes()))
            .map_err(|error| match error {
                jose::Error::NoPassword => SettingsError::NoPassword,
                other => SettingsError::Key(other),
            })?;
        let mut settings = Self::new(&url, &root_pem, key)?;
        settings.provisioner = value(NAME)?.map(|name| name.to_string());
        if let Some(arc) = value(ARC)? {
            settings.grant_oids = grant_oids(&arc)?;
        }
        Ok(settings)
    }

    /// Names the provisioner; without it the authority is asked which one has the key.
    #[must_use]
    pub fn with_provisioner(mut self, name: &str) -> Self {
        self.provisioner = Some(name.to_owned());
        self
    }

    /// The two grant extensions, if they are not those below 1.3.6.1.4.1.99999.
    #[must_use]
    pub fn with_grant_oids(mut self, oids: GrantOids) -> Self {
        self.grant_oids = oids;
        self
    }

    /// How long one call may take, 30 s unless told.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How often a call is tried.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of token ids than the system's.
    #[must_use]
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }
}

/// A variable or what is in the file that its `_FILE` form names; the empty text is as if it was not set.
fn value(
    lookup: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<Zeroizing<String>>, SettingsError> {
    let text = |name: &str| match lookup(name).filter(|value| !value.is_empty()) {
        Some(value) => value.into_string().map(Some).map_err(|_| SettingsError::NotText(name.to_owned())),
        None => Ok(None),
    };
    let file_name = format!("{name}_FILE");
    match (text(name)?.map(Zeroizing::new), text(&file_name)?) {
        (Some(_), Some(_)) => Err(SettingsError::Both(name)),
        (Some(value), None) => Ok(Some(value)),
        (None, Some(path)) => {
            let content = Zeroizing::new(file(&file_name, Path::new(&path))?);
            // Secrets are mounted with a final newline that nobody meant.
            Ok(Some(Zeroizing::new(content.trim_end().to_owned())).filter(|text| !text.is_empty()))
        }
        (None, None) => Ok(None),
    }
}

fn file(variable: &str, path: &Path) -> Result<String, SettingsError> {
    let fault =
        |reason: String| SettingsError::File { variable: variable.to_owned(), path: path.to_owned(), reason };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| fault(error.to_string().to_lowercase()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(fault(format!("it is longer than {MAX_FILE} bytes")));
    }
    Ok(text)
}

fn grant_oids(arc: &str) -> Result<GrantOids, SettingsError> {
    GrantOids::parse(arc).ok_or_else(|| SettingsError::OidArc(arc.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::JwsAlgorithm;
    use crate::jose::jwe;

    const ROOT_PEM: &str = include_str!("../../tests/templates/issuer.pem");

    /// Reads settings out of a table and a folder with `root.pem`; `~` in a value stands for the folder.
    fn read(table: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), ROOT_PEM).unwrap();
        std::fs::write(folder.path().join("key"), format!("{}\n", key())).unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let home = folder.path().display().to_string();
        Settings::read(|name| {
            let (_, value) = table.iter().find(|(known, _)| *known == name)?;
            Some(value.replace('~', &home).into())
        })
    }

    fn key() -> String {
        r#"{"kty":"oct","kid":"k1","alg":"HS256","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}"#
            .to_owned()
    }

    #[track_caller]
    fn check(table: &[(&str, &str)], expected: &str) {
        let error = read(table).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(!error.remediation().is_empty());
        assert!(!text.contains("c2VjcmV0"), "{text}");
    }

    #[test]
    fn values_come_from_variables_or_files() {
        let key = key();
        let base = [(URL, "https://ca.example:9000/"), (ROOT, "~/root.pem")];
        let settings = read(&[base[0], base[1], (KEY, &key)]).unwrap();
        assert_eq!(settings.url, "https://ca.example:9000");
        assert_eq!(settings.key.public().key_id(), "k1");
        assert_eq!(settings.provisioner, None);
        assert_eq!(settings.grant_oids.grant_id.to_string(), "1.3.6.1.4.1.99999.1");
        assert!(!format!("{settings:?}").contains("c2VjcmV0"));

        let mounted = [("STEP_CA_PROVISIONER_KEY_JSON_FILE", "~/key"), (NAME, "p"), (ARC, "1.2.3")];
        let settings = read(&[&base[..], &mounted].concat()).unwrap();
        assert_eq!(settings.key.public().key_id(), "k1");
        assert_eq!(settings.provisioner.as_deref(), Some("p"));
        assert_eq!(settings.grant_oids.subject_user_id.to_string(), "1.2.3.2");
    }

    #[test]
    fn encrypted_keys_need_their_password() {
        let encrypted = jwe::encrypt(key().as_bytes(), b"right", 1000, &SystemEntropy::new()).unwrap();
        let base = [(URL, "https://ca.example"), (ROOT, "~/root.pem"), (KEY, encrypted.as_str())];
        let settings = read(&[&base[..], &[(PASSWORD, "right")]].concat()).unwrap();
        assert_eq!(settings.key.algorithm(), JwsAlgorithm::HS256);
        check(&base, "is encrypted and STEP_CA_PROVISIONER_PASSWORD is not set");
        check(&[&base[..], &[(PASSWORD, "wrong")]].concat(), "wrong password");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let key = key();
        let all = [(URL, "https://ca.example"), (ROOT, "~/root.pem"), (KEY, key.as_str())];
        let without = |name: &str| all.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>();
        let with = |name, value| [without(name), vec![(name, value)]].concat();
        check(&without(URL), "STEP_CA_URL is not set");
        check(&without(ROOT), "STEP_CA_ROOT_CERT_PATH is not set");
        check(&without(KEY), "STEP_CA_PROVISIONER_KEY_JSON is not set");
        check(&with(URL, ""), "STEP_CA_URL is not set");
        check(&with(ROOT, "~/absent.pem"), "STEP_CA_ROOT_CERT_PATH names the file");
        check(&with(ROOT, "~/key"), "no certificate in the text");
        check(&with(KEY, "{}"), "STEP_CA_PROVISIONER_KEY_JSON: ");
        check(&with(KEY, "c2VjcmV0"), "STEP_CA_PROVISIONER_KEY_JSON");
        check(&with(ARC, "one"), "\"one\" is no object identifier");
        check(&with("STEP_CA_URL_FILE", "~/key"), "STEP_CA_URL and STEP_CA_URL_FILE are both set");
        let file = [without(KEY), vec![("STEP_CA_PROVISIONER_KEY_JSON_FILE", "~/absent")]].concat();
        check(&file, "STEP_CA_PROVISIONER_KEY_JSON_FILE names the file");
        let empty = [without(KEY), vec![("STEP_CA_PROVISIONER_KEY_JSON_FILE", "~/empty")]].concat();
        check(&empty, "STEP_CA_PROVISIONER_KEY_JSON is not set");
    }
}
