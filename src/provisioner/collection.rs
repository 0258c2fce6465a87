//! All provisioners of an authority: found by token, listed by page.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use sha1::Digest;
use sha1::Sha1;
use thiserror::Error;

use crate::config::Credential;
use crate::config::ProvisionerEntry;
use crate::hex;
use crate::provisioner::Provisioner;
use crate::token::Lookup;
use crate::x509::certificate::Certificate;
use crate::x509::extension;
use crate::x509::oid;

/// Entries on a page that names no limit, and on any page at most (CONTRACT.md section 2).
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// The length of a cursor with its leading zeros.
const CURSOR_LENGTH: usize = 40;

/// A page's limit is no integer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("limit '{0}' is not an integer")]
pub struct LimitError(pub String);

/// One page of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entries; `None` past the end.
    pub provisioners: Option<Vec<Value>>,
    /// Where the next page begins; empty on the last one.
    pub next_cursor: String,
}

/// The provisioners of an authority in ca.json's order.
#[derive(Debug, Default)]
pub struct Collection {
    provisioners: Vec<Arc<Provisioner>>,
    /// The full cursor of each provisioner, rising.
    cursors: Vec<String>,
}

impl Collection {
    /// Takes the provisioners in order. Their names and ids differ; `config` has seen to that.
    #[must_use]
    pub fn new(provisioners: Vec<Provisioner>) -> Self {
        let cursors = provisioners.iter().enumerate().map(|(i, p)| cursor(i, p.id())).collect();
        Self { provisioners: provisioners.into_iter().map(Arc::new).collect(), cursors }
    }

    /// The provisioner that a token names.
    #[must_use]
    pub fn find(&self, lookup: &Lookup) -> Option<&Arc<Provisioner>> {
        self.provisioners.iter().find(|p| match lookup {
            Lookup::IssuerAndKid { issuer, kid } => p.name() == issuer && p.kid() == Some(kid.as_str()),
            Lookup::Fragment(id) => p.id() == id,
        })
    }

    /// The provisioner with this id: `<name>:<kid>` or `x5c/<name>`.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Provisioner>> {
        self.provisioners.iter().find(|p| p.id() == id)
    }

    /// The provisioner with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Provisioner>> {
        self.provisioners.iter().find(|p| p.name() == name)
    }

    /// The provisioner that the extension of a certificate names (CONTRACT.md section 8). Type and key do not count:
    /// a provisioner may have got another key since.
    #[must_use]
    pub fn by_certificate(&self, certificate: &Certificate) -> Option<&Arc<Provisioner>> {
        let extension = certificate.extension(&oid::STEP_PROVISIONER)?;
        self.by_name(&extension::Provisioner::parse(&extension.value).ok()?.name)
    }

    /// All provisioners in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provisioner>> {
        self.provisioners.iter()
    }

    /// The encrypted key of the last provisioner with this `kid` that has one.
    #[must_use]
    pub fn encrypted_key(&self, kid: &str) -> Option<&str> {
        self.provisioners.iter().rev().filter(|p| p.kid() == Some(kid)).find_map(|p| p.encrypted_key())
    }

    /// One page of the list, for the query's `cursor` and `limit`; empty ones are absent.
    ///
    /// # Errors
    ///
    /// [`LimitError`] if `limit` is no integer.
    pub fn page(&self, cursor: &str, limit: &str) -> Result<Page, LimitError> {
        let limit = match limit {
            "" => DEFAULT_LIMIT,
            text => match go_integer(text).ok_or_else(|| LimitError(text.to_owned()))? {
                ..=0 => DEFAULT_LIMIT,
                n => usize::try_from(n).unwrap_or(MAX_LIMIT).min(MAX_LIMIT),
            },
        };
        let cursor = format!("{cursor:0>CURSOR_LENGTH$}");
        let start = self.cursors.partition_point(|known| known.as_str() < cursor.as_str());
        let end = self.provisioners.len().min(start + limit);
        let items: Vec<Value> = self.provisioners[start..end].iter().map(|p| p.listing().clone()).collect();
        let next = self.cursors.get(end).map(|cursor| cursor.trim_start_matches('0').to_owned());
        Ok(Page { provisioners: (!items.is_empty()).then_some(items), next_cursor: next.unwrap_or_default() })
    }
}

/// An integer as Go's `strconv.Atoi` reads it.
fn go_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn cursor(position: usize, id: &str) -> String {
    let hash = hex::encode(&Sha1::digest(id.as_bytes())[4..]);
    format!("{position:08x}{hash}")
}

/// An entry as `/provisioners` shows it: step-ca's members in its order, no secret ones (CONTRACT.md D4).
pub(super) fn listing(entry: &ProvisionerEntry) -> Value {
    let mut item = json!({ "type": entry.kind, "name": entry.name });
    let Some(members) = item.as_object_mut() else { return item };
    match &entry.credential {
        Credential::Jwk { key, encrypted_key } => {
            members.insert("key".to_owned(), json!(key.jwk()));
            if !encrypted_key.is_empty() {
                members.insert("encryptedKey".to_owned(), encrypted_key.clone().into());
            }
        }
        Credential::X5c { text, .. } => {
            members.insert("roots".to_owned(), text.clone().into());
        }
    }
    if let Some(claims) = &entry.claims {
        members.insert("claims".to_owned(), serde_json::to_value(claims).unwrap_or_default());
    }
    if let Some(x509) = &entry.x509 {
        let mut options = serde_json::Map::new();
        if let Some(template) = &x509.template {
            options.insert("template".to_owned(), template.clone().into());
        }
        if let Some(file) = &x509.template_file {
            options.insert("templateFile".to_owned(), file.clone().into());
        }
        if let Some(data) = &x509.template_data {
            options.insert("templateData".to_owned(), data.clone().into());
        }
        members.insert("options".to_owned(), json!({ "x509": options }));
    }
    if let Err(reason) = &entry.effective_claims {
        members.insert("state".to_owned(), "Uninitialized".into());
        members.insert("stateReason".to_owned(), reason.clone().into());
    }
    item
}
