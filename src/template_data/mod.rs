//! What a certificate template sees: subject, names, claims, request and configuration as template values.
//!
//! The types, field names and JSON names are those of step-ca's Go structures, because templates test them
//! (`typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey`). Nothing is decided or checked here but the names that
//! configuration must not take.

mod certificate;
mod key;
mod name;
mod request;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::template::Field;
use crate::template::List;
use crate::template::Map;
use crate::template::Object;
use crate::template::Template;
use crate::template::Text;
use crate::template::Value;
use crate::template::value::ListKind;
use crate::template::value::MapKind;
use crate::x509::certificate::Certificate;
use crate::x509::csr::Csr;
use crate::x509::san::San;

/// The variables that step-ca fills; `templateData` of the configuration must not name them.
pub const RESERVED: [&str; 7] =
    ["Subject", "SANs", "Token", "Insecure", "Webhooks", "AuthorizationCrt", "AuthorizationChain"];

/// Why the data of a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// Configuration would replace what a verified token says.
    #[error("templateData must not set the variable {0:?}")]
    Reserved(String),
}

/// What a template is rendered with; what is `None` is a missing variable.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateData<'a> {
    /// The common name of `.Subject`.
    pub subject: Option<&'a str>,
    /// `.SANs`.
    pub sans: Option<&'a [TemplateSan]>,
    /// The token's claims: `.Token`.
    pub token: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// `options.x509.templateData` of the provisioner: variables of their own names.
    pub configured: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// `templateData` of the request body: `.Insecure.User`, empty if it is no object.
    pub user: Option<&'a serde_json::Value>,
    /// `.Webhooks`, by the name of the webhook.
    pub webhooks: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// The request: `.Insecure.CR`.
    pub csr: Option<&'a Csr>,
    /// The certificate an x5c token is signed with: `.AuthorizationCrt`.
    pub authorization_certificate: Option<&'a Certificate>,
}

/// A member of `.SANs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSan {
    /// `dns`, `email`, `ip`, `uri` or a kind such as `permanentIdentifier`.
    pub kind: String,
    /// The name as text.
    pub value: String,
}

impl TemplateSan {
    /// Names in the order of `.SANs`: dns, ip, email, uri.
    #[must_use]
    pub fn ordered(names: &[San]) -> Vec<Self> {
        ["dns", "ip", "email", "uri"]
            .iter()
            .flat_map(|kind| names.iter().filter(move |name| name.kind() == *kind))
            .map(|name| Self { kind: name.kind().to_owned(), value: name.to_string() })
            .collect()
    }
}

impl TemplateData<'_> {
    /// The value a template gets as dot; made anew for each rendering, because a template may change its maps.
    ///
    /// # Errors
    ///
    /// [`Error::Reserved`] if the configured variables name one of [`RESERVED`].
    pub fn to_value(&self) -> Result<Value, Error> {
        self.value(None)
    }

    /// The same for this template, which gets of the request only what it may read.
    ///
    /// # Errors
    ///
    /// As [`to_value`](Self::to_value).
    pub fn to_value_for(&self, reader: &Template) -> Result<Value, Error> {
        self.value(Some(reader))
    }

    fn value(&self, reader: Option<&Template>) -> Result<Value, Error> {
        let mut variables = BTreeMap::new();
        if let Some(configured) = self.configured {
            check_configured(configured)?;
            variables.extend(configured.iter().map(|(name, value)| (text(name), Value::from_json(value))));
        }
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                variables.insert(text(name), value);
            }
        };
        set("Subject", self.subject.map(name::from_common_name));
        set("SANs", self.sans.map(sans));
        set("Token", self.token.map(object));
        set("Webhooks", self.webhooks.map(object));
        set("AuthorizationCrt", self.authorization_certificate.map(certificate::value));
        set("Insecure", self.insecure(reader));
        Ok(Value::Map(Map::new(TEMPLATE_DATA, variables)))
    }

    fn insecure(&self, reader: Option<&Template>) -> Option<Value> {
        let mut members = BTreeMap::new();
        if let Some(csr) = self.csr {
            members.insert(text("CR"), request::value(csr, reader));
        }
        if let Some(user) = self.user {
            let user = user.as_object().map(object);
            members.insert(text("User"), user.unwrap_or_else(|| Value::map::<Text>([])));
        }
        (!members.is_empty()).then(|| Value::Map(Map::new(TEMPLATE_DATA, members)))
    }
}

/// Refuses `templateData` that would replace a variable of step-ca's; to be called when the configuration is read.
///
/// # Errors
///
/// [`Error::Reserved`] naming the first such member.
pub fn check_configured(configured: &serde_json::Map<String, serde_json::Value>) -> Result<(), Error> {
    match configured.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => Err(Error::Reserved(name.clone())),
        None => Ok(()),
    }
}

const TEMPLATE_DATA: MapKind = MapKind { name: "x509util.TemplateData", element: "interface {}" };

fn object(members: &serde_json::Map<String, serde_json::Value>) -> Value {
    Value::map(members.iter().map(|(name, value)| (name.as_str(), Value::from_json(value))))
}

fn sans(names: &[TemplateSan]) -> Value {
    let names = names.iter().map(|name| {
        Object::structure("x509util.SubjectAlternativeName")
            .field(Field::new("Type", "type", name.kind.as_str().into()))
            .field(Field::new("Value", "value", name.value.as_str().into()))
            .field(Field::optional("ASN1Value", "asn1Value", Value::bytes(Text::default())))
            .into_value()
    });
    Value::List(List::new(SANS, names.collect()))
}

const SANS: ListKind =
    ListKind { name: "[]x509util.SubjectAlternativeName", element: "x509util.SubjectAlternativeName" };

/// A slice that is nil when it is empty, as those that Go's parsers fill.
fn list_or_nil(kind: ListKind, items: Vec<Value>) -> Value {
    Value::List(if items.is_empty() { List::nil(kind) } else { List::new(kind, items) })
}

fn strings_or_nil(kind: ListKind, items: &[String]) -> Value {
    list_or_nil(kind, items.iter().map(|item| Value::from(item.as_str())).collect())
}

fn text(name: &str) -> Text {
    Text::from(name)
}
