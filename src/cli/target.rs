//! What the client commands share: which authority, which provisioner, which names and ids.

use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::init;
use crate::cli::password;
use crate::client;
use crate::client::AnswerError;
use crate::client::Api;
use crate::client::Expected;
use crate::client::Identity;
use crate::client::Received;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config::DEFAULT_OID_ARC;
use crate::crypto::PublicKey;
use crate::duration::GoDuration;
use crate::duration::parse_rfc3339;
use crate::entropy::SystemEntropy;
use crate::hex;
use crate::jose;
use crate::jose::PrivateJwk;
use crate::profile::GRANT_ID;
use crate::profile::GrantOids;
use crate::profile::SUBJECT_USER_ID;
use crate::token::mint::NewToken;
use crate::wire::SignRequest;
use crate::x509::certificate::Certificate;
use crate::x509::oid::Oid;
use crate::x509::pem;

/// Which authority.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The authority's URL [default: ca-url of $STEPPATH/config/defaults.json]
    #[arg(long, value_name = "URL")]
    ca_url: Option<String>,
    /// The file of the authority's root certificate [default: root of defaults.json]
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

/// An authority to talk to, and the roots that it has to chain to.
pub(super) struct Authority {
    pub(super) client: Api,
    pub(super) roots: Vec<Certificate>,
}

impl Target {
    /// The authority's URL, from the command line or defaults.json.
    fn url(&self) -> Result<String, Failure> {
        let url = self.ca_url.clone().or_else(|| default("ca-url"));
        let url = url.ok_or_else(|| Failure::usage("no authority is named", "give its URL with --ca-url"))?;
        Ok(complete_url(&url))
    }

    /// Opens a client that trusts the root with this fingerprint, once the authority has shown it.
    pub(super) async fn open_by_fingerprint(&self, fingerprint: &Fingerprint) -> Result<Api, Failure> {
        let url = self.url()?;
        let root = client::fetch_root(&url, &fingerprint.0).await?;
        Ok(Api::new(&url, &root.to_pem())?)
    }

    /// Opens the client. Nothing is sent yet.
    pub(super) fn open(&self) -> Result<Authority, Failure> {
        self.open_as(None)
    }

    /// Opens a client that shows a certificate of its own, if there is one.
    pub(super) fn open_as(&self, identity: Option<&Identity>) -> Result<Authority, Failure> {
        let root = self.root.clone().or_else(|| default("root").map(PathBuf::from));
        let root =
            root.ok_or_else(|| Failure::usage("no root certificate is named", "give its file with --root"))?;
        let (_, text) = init::read_certificate(&root)?;
        let roots = pem::Blocks::new(text.as_bytes())
            .filter_map(|block| Certificate::parse(&block.content).ok())
            .collect();
        let client = match identity {
            Some(identity) => Api::with_identity(&self.url()?, &text, identity)?,
            None => Api::new(&self.url()?, &text)?,
        };
        Ok(Authority { client, roots })
    }

    /// The audience of a token for a route such as `/1.0/sign`, also where no root is at hand.
    pub(super) fn audience(&self, route: &str) -> Result<String, Failure> {
        Ok(format!("{}{route}", self.url()?.trim_end_matches('/')))
    }
}

/// The SHA-256 of a root certificate's DER.
#[derive(Debug, Clone)]
pub(super) struct Fingerprint(pub(super) [u8; 32]);

impl std::str::FromStr for Fingerprint {
    type Err = String;

    /// Reads 64 hexadecimal digits of any case, alone or with `:` or `-` between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = hex::decode(&text.trim().replace([':', '-'], "")).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| "a fingerprint is the SHA-256 of a certificate, 64 hexadecimal digits".to_owned())
    }
}

/// A URL whose `https://` may be missing, as the step command takes it.
pub(super) fn complete_url(text: &str) -> String {
    if text.contains("://") { text.to_owned() } else { format!("https://{text}") }
}

/// A member of `$STEPPATH/config/defaults.json`.
fn default(member: &str) -> Option<String> {
    let path = init::step_path().ok()?.join("config/defaults.json");
    let text = std::fs::read_to_string(path).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    value.get(member)?.as_str().map(str::to_owned)
}

/// Which provisioner, and how to get at its key.
#[derive(Debug, clap::Args)]
pub(super) struct Credentials {
    /// The provisioner's name
    #[arg(long, value_name = "NAME")]
    provisioner: String,
    /// A file with the provisioner's private key, a JWK or an encrypted one; without it the authority is asked
    #[arg(long = "provisioner-key", value_name = "FILE")]
    key: Option<PathBuf>,
    /// A file with the password of the provisioner's key
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Credentials {
    pub(super) fn new(provisioner: &str, key: &Option<PathBuf>, password_file: &Option<PathBuf>) -> Self {
        let (key, password_file) = (key.clone(), password_file.clone());
        Self { provisioner: provisioner.to_owned(), key, password_file }
    }

    /// The provisioner's key, from the file or from the authority.
    async fn key(&self, target: &Target) -> Result<PrivateJwk, Failure> {
        let (text, source) = match &self.key {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
                (Zeroizing::new(text), path.display().to_string())
            }
            None => (
                Zeroizing::new(self.listed_key(target).await?),
                format!("provisioner {:?}", self.provisioner),
            ),
        };
        let unreadable = |error: jose::Error| {
            Failure::start(
                format!("the key of {source} cannot be read: {error}"),
                "check the password and the key",
            )
        };
        if text.trim_start().starts_with('{') {
            return PrivateJwk::parse(text.trim().as_bytes()).map_err(unreadable);
        }
        let password = match &self.password_file {
            Some(path) => password::from_file(path)?,
            None => password::from_terminal(&format!("password of the key of {source}"))?,
        };
        let jwk = jose::jwe::decrypt(text.trim(), password.as_bytes()).map_err(unreadable)?;
        PrivateJwk::parse(&jwk).map_err(unreadable)
    }

    /// The encrypted key that the authority publishes for the provisioner.
    async fn listed_key(&self, target: &Target) -> Result<String, Failure> {
        let provisioners = target.open()?.client.provisioners().await?;
        let named = |p: &&Value| p.get("name").and_then(Value::as_str) == Some(self.provisioner.as_str());
        let Some(found) = provisioners.iter().find(named) else {
            let names: Vec<&str> = provisioners.iter().filter_map(|p| p.get("name")?.as_str()).collect();
            return Err(Failure::usage(
                format!("the authority has no provisioner {:?}", self.provisioner),
                format!("it has {}", names.join(", ")),
            ));
        };
        found.get("encryptedKey").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            Failure::usage(
                format!("the authority does not keep the key of provisioner {:?}", self.provisioner),
                "give the key's file with --provisioner-key",
            )
        })
    }

    /// Makes a token for signing.
    pub(super) async fn token(
        &self,
        target: &Target,
        order: &Order,
        fingerprint: Option<[u8; 32]>,
    ) -> Result<Zeroizing<String>, Failure> {
        let token = NewToken {
            audience: target.audience("/1.0/sign")?,
            subject: order.subject.clone(),
            sans: order.sans.clone(),
            fingerprint,
            claims: order.claims()?,
            ..NewToken::default()
        };
        self.sign(target, token).await
    }

    /// Makes a token for revoking a serial number.
    pub(super) async fn revoke_token(
        &self,
        target: &Target,
        serial: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        let audience = target.audience("/1.0/revoke")?;
        self.sign(target, NewToken { audience, subject: serial.to_owned(), ..NewToken::default() }).await
    }

    /// Signs a token in the provisioner's name.
    async fn sign(&self, target: &Target, token: NewToken) -> Result<Zeroizing<String>, Failure> {
        let key = self.key(target).await?;
        let token = NewToken { issuer: self.provisioner.clone(), ..token };
        token.sign(&key, SystemClock.now(), &SystemEntropy::new()).map_err(|error| {
            Failure::start(format!("cannot make a token: {error}"), "check the provisioner's key")
        })
    }
}

/// For whom the certificate shall be.
#[derive(Debug, clap::Args)]
pub(super) struct Order {
    /// The certificate's subject, and its only name unless --san is given
    pub(super) subject: String,
    /// A name of the certificate: DNS name, address, e-mail or URI; several times for several
    #[arg(long = "san", value_name = "NAME")]
    pub(super) sans: Vec<String>,
    /// The grant's id, a UUID
    #[arg(long, value_name = "UUID", requires = "subject_user_id")]
    pub(super) grant_id: Option<String>,
    /// The id of the user that the grant is for, a UUID
    #[arg(long, value_name = "UUID", requires = "grant_id")]
    pub(super) subject_user_id: Option<String>,
    /// Another claim of the token, its value as JSON or else as text
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(super) claims: Vec<String>,
}

impl Order {
    fn claims(&self) -> Result<Map<String, Value>, Failure> {
        let mut claims = Map::new();
        for (name, id) in [(GRANT_ID, &self.grant_id), (SUBJECT_USER_ID, &self.subject_user_id)] {
            if let Some(id) = id {
                claims.insert(name.to_owned(), id.as_str().into());
            }
        }
        for text in &self.claims {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Failure::usage(format!("claim {text:?} has no value"), "write --claim NAME=VALUE")
            })?;
            claims.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into()));
        }
        Ok(claims)
    }

    /// All names that the certificate shall carry.
    pub(super) fn names(&self) -> Vec<String> {
        if self.sans.is_empty() { vec![self.subject.clone()] } else { self.sans.clone() }
    }
}

/// How long the certificate shall live, and below which arc its grant ids stand.
#[derive(Debug, clap::Args)]
pub(super) struct Terms {
    /// End of the validity: a duration such as 8h, or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    not_after: Option<String>,
    /// Beginning of the validity, likewise
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// The OID arc of the grant extensions
    #[arg(long, value_name = "OID", default_value = DEFAULT_OID_ARC)]
    pub(super) oid_arc: String,
}

impl Terms {
    /// Calls the authority and checks what it answers.
    pub(super) async fn issue(
        &self,
        authority: &Authority,
        order: &Order,
        csr_der: &[u8],
        public_key: &PublicKey,
        ott: &Zeroizing<String>,
    ) -> Result<Received, Failure> {
        for time in [&self.not_before, &self.not_after].into_iter().flatten() {
            check_time(time)?;
        }
        let request = SignRequest {
            csr: Some(pem::encode("CERTIFICATE REQUEST", csr_der)),
            ott: Some(ott.to_string()),
            not_before: self.not_before.clone(),
            not_after: self.not_after.clone(),
            template_data: None,
        };
        let answer = authority.client.sign(&request).await?;
        let ids = self.ids(order)?;
        let expected = Expected {
            roots: &authority.roots,
            public_key,
            names: &order.names(),
            ids: &ids,
            now: SystemClock.now(),
        };
        expected.check(&answer).map_err(|error: AnswerError| Failure::answer(&error))
    }

    /// The extensions that a grant certificate has to carry.
    fn ids(&self, order: &Order) -> Result<Vec<(Oid, String)>, Failure> {
        let oids = grant_oids(&self.oid_arc)?;
        let ids = [(oids.grant_id, &order.grant_id), (oids.subject_user_id, &order.subject_user_id)];
        Ok(ids.into_iter().filter_map(|(oid, id)| Some((oid, id.clone()?))).collect())
    }
}

/// Refuses what the authority would refuse less clearly.
fn check_time(text: &str) -> Result<(), Failure> {
    if text.parse::<GoDuration>().is_ok() || parse_rfc3339(text).is_some() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{text:?} is neither a duration nor an RFC 3339 time"),
        "write 24h, 90m or 2030-01-02T15:04:05Z; days are no unit",
    ))
}

/// The grant extensions below an arc given on the command line.
pub(super) fn grant_oids(arc: &str) -> Result<GrantOids, Failure> {
    GrantOids::parse(arc).ok_or_else(|| {
        Failure::usage(format!("{arc:?} is no object identifier"), "write it like 1.3.6.1.4.1.99999")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_tools_print_them() {
        let digits = "0123456789abcdef".repeat(4);
        let colons: Vec<&str> = (0..32).map(|i| &digits[2 * i..2 * i + 2]).collect();
        for text in [digits.clone(), digits.to_uppercase(), format!(" {digits}\n"), colons.join(":")] {
            assert_eq!(text.parse::<Fingerprint>().unwrap().0[..4], [0x01, 0x23, 0x45, 0x67], "{text}");
        }
        for bad in ["", "00", &digits[1..], &format!("{digits}0"), &digits.replace('0', "g")] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_may_lack_its_scheme() {
        assert_eq!(complete_url("ca.example:9000"), "https://ca.example:9000");
        assert_eq!(complete_url("https://ca.example"), "https://ca.example");
        assert_eq!(complete_url("http://ca.example"), "http://ca.example");
    }
}
