//! Subjects as templates see them: `x509util.Subject`, and `pkix.Name` of a certificate.

use crate::hex;
use crate::template::Field;
use crate::template::Object;
use crate::template::Value;
use crate::template::value::ListKind;
use crate::template_data::list_or_nil;
use crate::template_data::strings_or_nil;
use crate::x509::name as x509_name;

pub(super) const MULTI_STRING: ListKind = ListKind { name: "x509util.MultiString", element: "string" };

/// A subject of nothing but a common name.
pub(super) fn from_common_name(common_name: &str) -> Value {
    Attributes { common_name: common_name.to_owned(), ..Attributes::default() }.into_subject()
}

/// The attributes of a name that have a field of their own, and the rest.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    country: Vec<String>,
    organization: Vec<String>,
    organizational_unit: Vec<String>,
    locality: Vec<String>,
    province: Vec<String>,
    street_address: Vec<String>,
    postal_code: Vec<String>,
    serial_number: String,
    common_name: String,
    extra: Vec<(String, String)>,
}

impl Attributes {
    /// Sorts attributes, each an object identifier in dotted form and its text (RFC 5280 §4.1.2.4, appendix A.1).
    pub(super) fn read(attributes: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut name = Self::default();
        for (oid, value) in attributes {
            match oid.as_str() {
                "2.5.4.3" => name.common_name = value,
                "2.5.4.5" => name.serial_number = value,
                "2.5.4.6" => name.country.push(value),
                "2.5.4.7" => name.locality.push(value),
                "2.5.4.8" => name.province.push(value),
                "2.5.4.9" => name.street_address.push(value),
                "2.5.4.10" => name.organization.push(value),
                "2.5.4.11" => name.organizational_unit.push(value),
                "2.5.4.17" => name.postal_code.push(value),
                _ => name.extra.push((oid, value)),
            }
        }
        name
    }

    /// As step-ca's own structure.
    pub(super) fn into_subject(self) -> Value {
        let multi =
            |name, json, values: &[String]| Field::optional(name, json, strings_or_nil(MULTI_STRING, values));
        let extra = self.extra.iter().map(|(oid, value)| {
            Object::structure("x509util.DistinguishedName")
                .field(Field::new("Type", "type", object_identifier("x509util.ObjectIdentifier", oid)))
                .field(Field::new("Value", "value", value.as_str().into()))
                .into_value()
        });
        Object::structure("x509util.Subject")
            .field(multi("Country", "country", &self.country))
            .field(multi("Organization", "organization", &self.organization))
            .field(multi("OrganizationalUnit", "organizationalUnit", &self.organizational_unit))
            .field(multi("Locality", "locality", &self.locality))
            .field(multi("Province", "province", &self.province))
            .field(multi("StreetAddress", "streetAddress", &self.street_address))
            .field(multi("PostalCode", "postalCode", &self.postal_code))
            .field(Field::optional("SerialNumber", "serialNumber", self.serial_number.into()))
            .field(Field::optional("CommonName", "commonName", self.common_name.into()))
            .field(Field::optional(
                "ExtraNames",
                "extraNames",
                list_or_nil(DISTINGUISHED_NAMES, extra.collect()),
            ))
            .into_value()
    }

    /// As the structure of Go's standard library; its list of all attributes is left out.
    pub(super) fn into_pkix_name(self) -> Value {
        let text = self.pkix_text();
        let multi =
            |name, values: &[String]| Field::new(name, name, strings_or_nil(ListKind::STRING, values));
        Object::structure("pkix.Name")
            .field(multi("Country", &self.country))
            .field(multi("Organization", &self.organization))
            .field(multi("OrganizationalUnit", &self.organizational_unit))
            .field(multi("Locality", &self.locality))
            .field(multi("Province", &self.province))
            .field(multi("StreetAddress", &self.street_address))
            .field(multi("PostalCode", &self.postal_code))
            .field(Field::new("SerialNumber", "SerialNumber", self.serial_number.into()))
            .field(Field::new("CommonName", "CommonName", self.common_name.into()))
            .with_text(text)
            .into_value()
    }

    /// The name in the form of RFC 4514, as Go writes it: attributes in an order of its own, those it has no word for
    /// last, in hexadecimal.
    fn pkix_text(&self) -> String {
        let one = |text: &'_ String| if text.is_empty() { Vec::new() } else { vec![text.clone()] };
        let known = [
            ("SERIALNUMBER", &one(&self.serial_number)),
            ("CN", &one(&self.common_name)),
            ("POSTALCODE", &self.postal_code),
            ("STREET", &self.street_address),
            ("ST", &self.province),
            ("L", &self.locality),
            ("OU", &self.organizational_unit),
            ("O", &self.organization),
            ("C", &self.country),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (word, values) in known {
            let values: Vec<String> =
                values.iter().map(|value| format!("{word}={}", escaped(value))).collect();
            parts.extend((!values.is_empty()).then(|| values.join("+")));
        }
        for (oid, value) in self.extra.iter().rev() {
            let der = hex::encode(&x509_name::directory_string(value));
            parts.push(format!("{oid}=#{der}"));
        }
        parts.join(",")
    }
}

const DISTINGUISHED_NAMES: ListKind =
    ListKind { name: "[]x509util.DistinguishedName", element: "x509util.DistinguishedName" };

/// A value with Go's escapes (RFC 4514 §2.4).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let at_end = index + c.len_utf8() == text.len();
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (c == ' ' && (index == 0 || at_end))
            || (c == '#' && index == 0)
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// An object identifier of Go's standard library: prints as its dotted text, and is a list of numbers in JSON.
pub(super) fn standard_object_identifier(dotted: &str) -> Value {
    let arcs = dotted.split('.').filter_map(|arc| arc.parse().ok()).map(Value::int).collect();
    let arcs = Value::List(crate::template::List::new(ListKind::INT, arcs));
    Object::named("asn1.ObjectIdentifier", "slice", arcs).with_text(dotted).into_value()
}

/// An object identifier: a list of numbers whose JSON is its dotted text.
pub(super) fn object_identifier(type_name: &'static str, dotted: &str) -> Value {
    let arcs = dotted.split('.').filter_map(|arc| arc.parse().ok()).map(Value::int).collect();
    let arcs = Value::List(crate::template::List::new(ListKind::INT, arcs));
    Object::named(type_name, "slice", arcs).with_json(Value::from(dotted)).into_value()
}
