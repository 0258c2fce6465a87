//! A new hierarchy: root and intermediate as `step ca init` makes them, and the ca.json around them.
//!
//! Bytes and text only; who keeps them where is decided elsewhere. CONTRACT.md section 11.

use serde_json::Value;
use serde_json::json;
use time::Duration;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::jose::PrivateJwk;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::hierarchy::CaCertificate;
use crate::x509::name::Subject;
use crate::x509::name_constraints::NameConstraints;
use crate::x509::serial::SerialNumber;

/// How long root and intermediate live: ten years of 365 days.
const CA_LIFETIME: Duration = Duration::days(3650);

/// A hierarchy cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::Unavailable),
    /// A key cannot be made or used.
    #[error(transparent)]
    Key(#[from] crate::crypto::Error),
    /// A certificate cannot be written.
    #[error(transparent)]
    Certificate(#[from] crate::x509::error::Error),
    /// A provisioner's key cannot be made or encrypted.
    #[error(transparent)]
    Jose(#[from] crate::jose::Error),
}

/// Root and intermediate with their keys.
#[derive(Debug)]
pub struct Hierarchy {
    /// The root certificate, path length 1.
    pub root: Certificate,
    /// Its key, which the running authority does not need.
    pub root_key: PrivateKey,
    /// The issuing certificate, path length 0.
    pub intermediate: Certificate,
    /// The issuing key.
    pub intermediate_key: PrivateKey,
}

impl Hierarchy {
    /// Makes keys of `kind` and certificates `O=<name>, CN=<name> Root CA` and `… Intermediate CA` that are
    /// valid from `now` on.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no randomness, or `name` does not fit a certificate.
    pub fn generate(
        name: &str,
        kind: KeyKind,
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<Self, Error> {
        let root_key = PrivateKey::generate(kind, entropy)?;
        let intermediate_key = PrivateKey::generate(kind, entropy)?;
        Self::of_keys(name, root_key, intermediate_key, now, entropy)
    }

    /// The same for keys that are there already.
    ///
    /// # Errors
    ///
    /// [`Error`] likewise.
    pub fn of_keys(
        name: &str,
        root_key: PrivateKey,
        intermediate_key: PrivateKey,
        now: OffsetDateTime,
        entropy: &dyn Entropy,
    ) -> Result<Self, Error> {
        let draft = |title: &str, path_length: u32| -> Result<CaCertificate, Error> {
            Ok(CaCertificate {
                subject: subject(name, title),
                path_length: Some(path_length),
                name_constraints: NameConstraints::default(),
                serial_number: SerialNumber::random(entropy)?,
                not_before: now,
                not_after: now + CA_LIFETIME,
            })
        };
        let root = Certificate::parse(&draft("Root", 1)?.self_signed(&root_key)?)?;
        let intermediate =
            draft("Intermediate", 0)?.signed_by(intermediate_key.public_key(), &root, &root_key)?;
        Ok(Self { root, root_key, intermediate: Certificate::parse(&intermediate)?, intermediate_key })
    }
}

/// The name of an authority's intermediate, DER: `O=<name>, CN=<name> Intermediate CA`.
///
/// # Errors
///
/// [`Error`] if `name` does not fit a certificate.
pub fn intermediate_name(name: &str) -> Result<Vec<u8>, Error> {
    Ok(subject(name, "Intermediate").to_der()?)
}

fn subject(name: &str, title: &str) -> Subject {
    Subject {
        organization: vec![name.to_owned()],
        common_name: format!("{name} {title} CA"),
        ..Subject::default()
    }
}

/// An intermediate for a request, path length 0, signed with the root's key. Of the request, name and key count.
///
/// # Errors
///
/// [`Error`] if there is no randomness, or the key cannot sign.
pub fn intermediate(
    csr: &Csr,
    root: &Certificate,
    root_key: &PrivateKey,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    entropy: &dyn Entropy,
) -> Result<Certificate, Error> {
    let draft = CaCertificate {
        subject: Subject::default(),
        path_length: Some(0),
        name_constraints: NameConstraints::default(),
        serial_number: SerialNumber::random(entropy)?,
        not_before,
        not_after,
    };
    Ok(Certificate::parse(&draft.signed_for(csr, root, root_key)?)?)
}

/// A provisioner to be written into ca.json.
#[derive(Debug)]
pub struct NewProvisioner {
    /// Its name.
    pub name: String,
    /// Its private key. A secret (`oct`) stands in ca.json itself, the others only encrypted.
    pub key: PrivateJwk,
    /// Whether it issues grant certificates.
    pub grants: bool,
}

impl NewProvisioner {
    /// The entry of `authority.provisioners`. `password` encrypts the private key.
    ///
    /// # Errors
    ///
    /// [`Error`] if the key cannot be encrypted.
    pub fn to_entry(&self, password: &[u8], entropy: &dyn Entropy) -> Result<Value, Error> {
        if self.key.private_key().is_none() {
            return self.entry(None);
        }
        let (whole, iterations) = (self.key.to_json()?, crate::jose::jwe::DEFAULT_ITERATIONS);
        self.entry(Some(crate::jose::jwe::encrypt(whole.as_bytes(), password, iterations, entropy)?))
    }

    /// The entry without the private key, for an authority whose clients have it already.
    ///
    /// # Errors
    ///
    /// [`Error`] if a secret cannot be written.
    pub fn to_public_entry(&self) -> Result<Value, Error> {
        self.entry(None)
    }

    fn entry(&self, encrypted_key: Option<String>) -> Result<Value, Error> {
        let mut entry = json!({ "type": "JWK", "name": self.name });
        let Some(members) = entry.as_object_mut() else { return Ok(entry) };
        let key = match self.key.private_key() {
            None => serde_json::from_str(&self.key.to_json()?).ok(),
            Some(_) => serde_json::to_value(self.key.public()).ok(),
        };
        members.insert("key".to_owned(), key.unwrap_or_default());
        if let Some(jwe) = encrypted_key {
            members.insert("encryptedKey".to_owned(), jwe.into());
        }
        if self.grants {
            members.insert("options".to_owned(), grant_options());
        }
        Ok(entry)
    }
}

/// `options` of a provisioner that issues grant certificates.
#[must_use]
pub fn grant_options() -> Value {
    json!({ "x509": { "claimExtensions": [
        claim_extension(".1", crate::profile::GRANT_ID),
        claim_extension(".2", crate::profile::SUBJECT_USER_ID),
    ] } })
}

fn claim_extension(oid: &str, claim: &str) -> Value {
    json!({ "oid": oid, "claim": claim, "type": "utf8String", "format": "uuid", "required": true, "critical": false })
}

/// What ca.json shall say.
#[derive(Debug)]
pub struct NewConfig<'a> {
    /// The file of the root certificate.
    pub root: &'a str,
    /// The file of the intermediate certificate.
    pub crt: &'a str,
    /// The file of the intermediate key.
    pub key: &'a str,
    /// Where to listen.
    pub address: &'a str,
    /// The authority's names.
    pub dns_names: &'a [String],
    /// The folder of the database.
    pub data_source: &'a str,
    /// The arc of the grant extensions, if it is to stand there.
    pub oid_arc: Option<&'a str>,
    /// Entries of `authority.provisioners`.
    pub provisioners: Vec<Value>,
}

/// The text of a ca.json that step-ca reads as well.
#[must_use]
pub fn ca_json(new: &NewConfig<'_>) -> String {
    let mut authority = serde_json::Map::new();
    if let Some(arc) = new.oid_arc {
        authority.insert("oidArc".to_owned(), arc.into());
    }
    authority.insert("provisioners".to_owned(), new.provisioners.clone().into());
    let config = json!({
        "root": new.root,
        "federatedRoots": null,
        "crt": new.crt,
        "key": new.key,
        "address": new.address,
        "insecureAddress": "",
        "dnsNames": new.dns_names,
        "logger": { "format": "text" },
        "db": { "type": "badgerv2", "dataSource": new.data_source, "badgerFileLoadingMode": "" },
        "authority": authority,
        "tls": {
            "cipherSuites": [
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            ],
            "minVersion": 1.2,
            "maxVersion": 1.3,
            "renegotiation": false,
        },
    });
    let mut text = serde_json::to_string_pretty(&config).unwrap_or_default();
    text.push('\n');
    text
}

/// A random password of 43 base64url characters, 256 bits.
///
/// # Errors
///
/// [`crate::entropy::Unavailable`] without random bytes.
pub fn random_password(entropy: &dyn Entropy) -> Result<Zeroizing<String>, crate::entropy::Unavailable> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    entropy.fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(crate::jose::base64url::encode(bytes.as_slice())))
}
