//! The certification request as `.Insecure.CR`: step-ca's `*x509util.CertificateRequest`.

use std::net::IpAddr;

use crate::template::Field;
use crate::template::List;
use crate::template::Method;
use crate::template::Object;
use crate::template::Template;
use crate::template::Value;
use crate::template::function::Kind;
use crate::template::value::ListKind;
use crate::template::value::Map;
use crate::template::value::MapKind;
use crate::template_data::SANS;
use crate::template_data::key;
use crate::template_data::list_or_nil;
use crate::template_data::name::Attributes;
use crate::template_data::name::MULTI_STRING;
use crate::template_data::name::object_identifier;
use crate::template_data::strings_or_nil;
use crate::uri::Uri;
use crate::x509::csr::Csr;

/// step-ca's words for the bits of the key usage, from bit 0 (RFC 5280 §4.2.1.3).
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "certSign",
    "crlSign",
    "encipherOnly",
    "decipherOnly",
];

/// The extended key usages Go knows, by its number, with step-ca's words for them (RFC 5280 §4.2.1.12).
const EXTENDED_KEY_USAGES: [(&str, &str); 14] = [
    ("2.5.29.37.0", "any"),
    ("1.3.6.1.5.5.7.3.1", "serverAuth"),
    ("1.3.6.1.5.5.7.3.2", "clientAuth"),
    ("1.3.6.1.5.5.7.3.3", "codeSigning"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    ("1.3.6.1.5.5.7.3.5", "ipsecEndSystem"),
    ("1.3.6.1.5.5.7.3.6", "ipsecTunnel"),
    ("1.3.6.1.5.5.7.3.7", "ipsecUser"),
    ("1.3.6.1.5.5.7.3.8", "timeStamping"),
    ("1.3.6.1.5.5.7.3.9", "ocspSigning"),
    ("1.3.6.1.4.1.311.10.3.3", "microsoftServerGatedCrypto"),
    ("2.16.840.1.113730.4.1", "netscapeServerGatedCrypto"),
    ("1.3.6.1.4.1.311.2.1.22", "microsoftCommercialCodeSigning"),
    ("1.3.6.1.4.1.311.61.1.1", "microsoftKernelCodeSigning"),
];

/// Makes the value of a field out of a request.
type Make = fn(&Csr) -> Value;

/// The fields in Go's order: name, name in JSON unless it is left out there, value.
const FIELDS: [(&str, Option<&str>, Make); 17] = [
    ("Version", Some("version"), |csr| Value::int(csr.version())),
    ("Subject", Some("subject"), |csr| {
        let subject = csr.subject().iter().map(|(oid, text)| (oid.to_string(), text.clone()));
        Attributes::read(subject).into_subject()
    }),
    ("RawSubject", Some("rawSubject"), |csr| Value::bytes(csr.subject_der())),
    ("DNSNames", Some("dnsNames"), |csr| strings_or_nil(MULTI_STRING, csr.dns_names())),
    ("EmailAddresses", Some("emailAddresses"), |csr| strings_or_nil(MULTI_STRING, csr.email_addresses())),
    ("IPAddresses", Some("ipAddresses"), |csr| multi_ip(csr.ip_addresses())),
    ("URIs", Some("uris"), |csr| multi_url(csr.uris())),
    ("SANs", Some("sans"), |_| Value::List(List::nil(SANS))),
    ("Extensions", Some("extensions"), extensions),
    ("KeyUsage", Some("keyUsage"), |csr| key_usage(csr.key_usage().unwrap_or(0))),
    ("ExtKeyUsage", Some("extKeyUsage"), known_extended_key_usages),
    ("UnknownExtKeyUsage", Some("unknownExtKeyUsage"), unknown_extended_key_usages),
    ("BasicConstraints", Some("basicConstraints"), basic_constraints),
    ("SignatureAlgorithm", Some("signatureAlgorithm"), |_| no_signature_algorithm()),
    ("ChallengePassword", None, |_| Value::from("")),
    ("PublicKey", None, |csr| key::value(csr.public_key())),
    ("PublicKeyAlgorithm", None, |csr| key::algorithm(csr.public_key())),
];

/// The request under its Go type, without the fields that `reader` cannot read.
pub(super) fn value(csr: &Csr, reader: Option<&Template>) -> Value {
    let is_read = |name| reader.is_none_or(|reader| reader.may_read(&["Insecure", "CR", name]));
    let field = |(name, json, make): (_, Option<&'static str>, Make)| match json {
        Some(json) => Field::new(name, json, make(csr)),
        None => Field::hidden(name, make(csr)),
    };
    let object = Object::structure("x509util.CertificateRequest").pointer();
    let fields = FIELDS.into_iter().filter(|(name, ..)| is_read(name)).map(field);
    fields.fold(object, Object::field).into_value()
}

fn multi_ip(addresses: &[IpAddr]) -> Value {
    let items = list_or_nil(ListKind { name: "x509util.MultiIP", element: "net.IP" }, ips(addresses));
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Object::named("x509util.MultiIP", "slice", items)
        .with_json(strings_or_nil(ListKind::STRING, &texts))
        .into_value()
}

fn multi_url(uris: &[String]) -> Value {
    let items = list_or_nil(ListKind { name: "x509util.MultiURL", element: "*url.URL" }, urls(uris));
    Object::named("x509util.MultiURL", "slice", items)
        .with_json(strings_or_nil(ListKind::STRING, uris))
        .into_value()
}

/// Addresses as Go's `net.IP`.
pub(super) fn ips(addresses: &[IpAddr]) -> Vec<Value> {
    let ip = |address: &IpAddr| {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let text = address.to_string();
        Object::named("net.IP", "slice", Value::bytes(octets))
            .with_text(text.as_str())
            .with_json(Value::from(text))
            .into_value()
    };
    addresses.iter().map(ip).collect()
}

/// URIs as Go's `*url.URL`; the texts were parsed before, so those that do not parse are left out.
pub(super) fn urls(uris: &[String]) -> Vec<Value> {
    uris.iter().filter_map(|text| Uri::parse(text).ok()).map(|uri| url(&uri)).collect()
}

fn url(uri: &Uri) -> Value {
    let query = query(uri.raw_query());
    let field = |name, value: &str| Field::new(name, name, Value::from(value));
    Object::structure("url.URL")
        .pointer()
        .field(field("Scheme", uri.scheme()))
        .field(field("Opaque", uri.opaque()))
        .field(field("Host", &uri.host()))
        .field(field("Path", &uri.path()))
        .field(field("RawQuery", uri.raw_query()))
        .field(field("Fragment", &uri.fragment()))
        .with_text(uri.to_string())
        .with_constant("Hostname", Value::from(&*uri.hostname()))
        .with_constant("Port", Value::from(uri.port()))
        .with_constant("Query", query)
        .into_value()
}

/// The query as Go's `url.Values`, with its method `Get`.
fn query(raw: &str) -> Value {
    let mut values: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (unescape(name), unescape(value)) {
            values.entry(name).or_default().push(value);
        }
    }
    let first: std::collections::BTreeMap<String, String> =
        values.iter().filter_map(|(name, values)| Some((name.clone(), values.first()?.clone()))).collect();
    let entries = values.into_iter().map(|(name, values)| (name.into(), Value::strings(values))).collect();
    let map = Map::new(MapKind { name: "url.Values", element: "[]string" }, entries);
    let get = move |_: &mut crate::template::Call<'_>, arguments: &[Value]| {
        let name = arguments.first().and_then(Value::as_text).and_then(|name| name.to_str()).unwrap_or("");
        Ok(Value::from(first.get(name).map_or("", String::as_str)))
    };
    Object::named("url.Values", "map", Value::Map(map))
        .with_method(Method::new("Get", &[Kind::String], get))
        .into_value()
}

/// Undoes the escapes of a query; `None` for a broken one, which Go leaves out.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn extensions(csr: &Csr) -> Value {
    let subject_alt_name_critical = csr.subject().is_empty();
    let items = csr.extensions().iter().map(|extension| {
        let oid = extension.oid.to_string();
        // step-ca marks the names critical here already when there is no subject (RFC 5280 §4.2.1.6).
        let critical = extension.critical || oid == "2.5.29.17" && subject_alt_name_critical;
        Object::structure("x509util.Extension")
            .field(Field::new("ID", "id", object_identifier("x509util.ObjectIdentifier", &oid)))
            .field(Field::new("Critical", "critical", critical.into()))
            .field(Field::new("Value", "value", Value::bytes(extension.value.as_slice())))
            .into_value()
    });
    list_or_nil(ListKind { name: "[]x509util.Extension", element: "x509util.Extension" }, items.collect())
}

fn key_usage(bits: u16) -> Value {
    let names: Vec<String> = KEY_USAGES
        .iter()
        .zip(0..)
        .filter(|(_, bit)| bits >> bit & 1 == 1)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    Object::named("x509util.KeyUsage", "int", Value::int(bits.into()))
        .with_json(strings_or_nil(ListKind::STRING, &names))
        .into_value()
}

/// Go's number of an extended key usage that it knows.
pub(super) fn extended_key_usage_number(oid: &str) -> Option<i64> {
    EXTENDED_KEY_USAGES.iter().zip(0..).find(|((known, _), _)| *known == oid).map(|(_, number)| number)
}

/// The usages Go has a number for.
fn known_extended_key_usages(csr: &Csr) -> Value {
    let oids = csr.extended_key_usages().into_iter().map(|oid| oid.to_string());
    let known = oids.filter_map(|oid| {
        let (number, (_, name)) = (0..).zip(EXTENDED_KEY_USAGES).find(|(_, (known, _))| *known == oid)?;
        Some((Object::named("x509.ExtKeyUsage", "int", Value::int(number)).into_value(), name))
    });
    let (numbers, names): (Vec<_>, Vec<_>) = known.unzip();
    let numbers =
        list_or_nil(ListKind { name: "x509util.ExtKeyUsage", element: "x509.ExtKeyUsage" }, numbers);
    Object::named("x509util.ExtKeyUsage", "slice", numbers).with_json(Value::strings(names)).into_value()
}

/// The others, by object identifier.
fn unknown_extended_key_usages(csr: &Csr) -> Value {
    let oids = csr.extended_key_usages().into_iter().map(|oid| oid.to_string());
    let others: Vec<String> = oids.filter(|oid| extended_key_usage_number(oid).is_none()).collect();
    let oids = others.iter().map(|oid| object_identifier("asn1.ObjectIdentifier", oid)).collect();
    let oids =
        list_or_nil(ListKind { name: "x509util.UnknownExtKeyUsage", element: "asn1.ObjectIdentifier" }, oids);
    Object::named("x509util.UnknownExtKeyUsage", "slice", oids)
        .with_json(strings_or_nil(ListKind::STRING, &others))
        .into_value()
}

fn basic_constraints(csr: &Csr) -> Value {
    let Some(constraints) = csr.basic_constraints() else {
        return Value::Nil;
    };
    Object::structure("x509util.BasicConstraints")
        .pointer()
        .field(Field::new("IsCA", "isCA", constraints.is_ca.into()))
        .field(Field::new("MaxPathLen", "maxPathLen", Value::int(constraints.path_length.unwrap_or(-1))))
        .into_value()
}

/// step-ca never fills the signature algorithm, since the CA's key may not have it.
fn no_signature_algorithm() -> Value {
    Object::named("x509util.SignatureAlgorithm", "int", Value::int(0)).with_json(Value::from("")).into_value()
}
