//! The certificate of an x5c token as `.AuthorizationCrt`: Go's `*x509.Certificate`, as far as templates use it.

use std::net::IpAddr;

use crate::crypto::SignatureAlgorithm;
use crate::template::Field;
use crate::template::Object;
use crate::template::Value;
use crate::template::value::ListKind;
use crate::template_data::key;
use crate::template_data::list_or_nil;
use crate::template_data::name::Attributes;
use crate::template_data::name::standard_object_identifier;
use crate::template_data::request::extended_key_usage_number;
use crate::template_data::request::ips;
use crate::template_data::request::urls;
use crate::template_data::strings_or_nil;
use crate::x509::certificate::Certificate;
use crate::x509::extension::KeyUsage;
use crate::x509::name;
use crate::x509::oid;
use crate::x509::san::San;

/// Go's words for the bits of the key usage, from bit 0 (RFC 5280 §4.2.1.3).
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// Go's words for the extended key usages that it has a number for, by that.
const EXTENDED_KEY_USAGES: [&str; 14] = [
    "anyExtendedKeyUsage",
    "serverAuth",
    "clientAuth",
    "codeSigning",
    "emailProtection",
    "ipsecEndSystem",
    "ipsecTunnel",
    "ipsecUser",
    "timeStamping",
    "OCSPSigning",
    "msSGC",
    "nsSGC",
    "msCodeCom",
    "msKernelCode",
];

/// The certificate under its Go type.
pub(super) fn value(certificate: &Certificate) -> Value {
    let (mut dns, mut email, mut ip, mut uri) = (Vec::new(), Vec::new(), Vec::<IpAddr>::new(), Vec::new());
    for name in &certificate.subject_alt_names().names {
        match name {
            San::Dns(text) => dns.push(text.clone()),
            San::Email(text) => email.push(text.clone()),
            San::Ip(address) => ip.push(*address),
            San::Uri(text) => uri.push(text.clone()),
        }
    }
    let ip = list_or_nil(ListKind { name: "[]net.IP", element: "net.IP" }, ips(&ip));
    let uri = list_or_nil(ListKind { name: "[]*url.URL", element: "*url.URL" }, urls(&uri));
    let key = certificate.public_key().ok();
    let (usages, other_usages) = extended_key_usages(certificate);
    // Go: -1 without a limit, 0 without the extension.
    let has_constraints = certificate.extension(&oid::BASIC_CONSTRAINTS).is_some();
    let unlimited = if has_constraints { -1 } else { 0 };
    let field = |name, value| Field::new(name, name, value);
    let bytes = |bytes: Option<&[u8]>| Value::bytes(bytes.unwrap_or_default());
    Object::structure("x509.Certificate")
        .pointer()
        .field(field("Raw", Value::bytes(certificate.der())))
        .field(field("RawTBSCertificate", Value::bytes(certificate.tbs_certificate())))
        .field(field("RawSubjectPublicKeyInfo", Value::bytes(certificate.spki_der())))
        .field(field("RawSubject", Value::bytes(certificate.subject_der())))
        .field(field("RawIssuer", Value::bytes(certificate.issuer_der())))
        .field(field("Signature", Value::bytes(certificate.signature())))
        .field(field("SignatureAlgorithm", signature_algorithm(certificate.signature_algorithm())))
        .field(field("PublicKeyAlgorithm", key.as_ref().map_or(Value::Nil, key::algorithm)))
        .field(field("PublicKey", key.as_ref().map_or(Value::Nil, key::value)))
        .field(field("Version", Value::int(if certificate.extensions().is_empty() { 1 } else { 3 })))
        .field(field("SerialNumber", key::big_integer(certificate.serial_number().content())))
        .field(field("Issuer", pkix_name(certificate.issuer_der())))
        .field(field("Subject", pkix_name(certificate.subject_der())))
        .field(field("NotBefore", Value::time(certificate.not_before())))
        .field(field("NotAfter", Value::time(certificate.not_after())))
        .field(field("KeyUsage", key_usage(certificate.key_usage().unwrap_or_default())))
        .field(field("Extensions", extensions(certificate)))
        .field(field("ExtKeyUsage", usages))
        .field(field("UnknownExtKeyUsage", other_usages))
        .field(field("BasicConstraintsValid", has_constraints.into()))
        .field(field("IsCA", certificate.is_ca().into()))
        .field(field("MaxPathLen", Value::int(certificate.path_length().map_or(unlimited, i64::from))))
        .field(field("MaxPathLenZero", (certificate.path_length() == Some(0)).into()))
        .field(field("SubjectKeyId", bytes(certificate.subject_key_id())))
        .field(field("AuthorityKeyId", bytes(certificate.authority_key_id())))
        .field(field("DNSNames", strings_or_nil(ListKind::STRING, &dns)))
        .field(field("EmailAddresses", strings_or_nil(ListKind::STRING, &email)))
        .field(field("IPAddresses", ip))
        .field(field("URIs", uri))
        .into_value()
}

/// Go's number of the algorithm, which prints as its name.
fn signature_algorithm(algorithm: Option<SignatureAlgorithm>) -> Value {
    let (number, name) = match algorithm {
        Some(SignatureAlgorithm::RsaSha256) => (4, "SHA256-RSA"),
        Some(SignatureAlgorithm::RsaSha384) => (5, "SHA384-RSA"),
        Some(SignatureAlgorithm::RsaSha512) => (6, "SHA512-RSA"),
        Some(SignatureAlgorithm::EcdsaSha256) => (10, "ECDSA-SHA256"),
        Some(SignatureAlgorithm::EcdsaSha384) => (11, "ECDSA-SHA384"),
        Some(SignatureAlgorithm::EcdsaSha512) => (12, "ECDSA-SHA512"),
        Some(SignatureAlgorithm::RsaPssSha256) => (13, "SHA256-RSAPSS"),
        Some(SignatureAlgorithm::RsaPssSha384) => (14, "SHA384-RSAPSS"),
        Some(SignatureAlgorithm::RsaPssSha512) => (15, "SHA512-RSAPSS"),
        Some(SignatureAlgorithm::Ed25519) => (16, "Ed25519"),
        None => (0, "0"),
    };
    Object::named("x509.SignatureAlgorithm", "int", Value::int(number)).with_text(name).into_value()
}

/// Go counts the bits from the lowest; since Go 1.26 a single one has a name.
fn key_usage(usage: KeyUsage) -> Value {
    let words = KEY_USAGES.iter().zip(0..);
    let set: Vec<(&str, u32)> = KeyUsage::ALL
        .iter()
        .zip(words)
        .filter(|(bit, _)| usage.contains(**bit))
        .map(|(_, (word, bit))| (*word, bit))
        .collect();
    let number: i64 = set.iter().map(|(_, bit)| 1 << bit).sum();
    let text = match set[..] {
        [(word, _)] => word.to_owned(),
        _ => format!("KeyUsage({number})"),
    };
    Object::named("x509.KeyUsage", "int", Value::int(number)).with_text(text).into_value()
}

fn extensions(certificate: &Certificate) -> Value {
    let items = certificate.extensions().iter().map(|extension| {
        Object::structure("pkix.Extension")
            .field(Field::new("Id", "Id", standard_object_identifier(&extension.oid.to_string())))
            .field(Field::new("Critical", "Critical", extension.critical.into()))
            .field(Field::new("Value", "Value", Value::bytes(extension.value.as_slice())))
            .into_value()
    });
    list_or_nil(ListKind { name: "[]pkix.Extension", element: "pkix.Extension" }, items.collect())
}

/// The usages Go has a number for, and the others by object identifier.
fn extended_key_usages(certificate: &Certificate) -> (Value, Value) {
    let (mut known, mut others) = (Vec::new(), Vec::new());
    for oid in certificate.extended_key_usage().iter().map(ToString::to_string) {
        match extended_key_usage_number(&oid) {
            Some(number) => {
                let name = usize::try_from(number).ok().and_then(|n| EXTENDED_KEY_USAGES.get(n));
                let usage = Object::named("x509.ExtKeyUsage", "int", Value::int(number));
                known.push(usage.with_text(*name.unwrap_or(&"")).into_value());
            }
            None => others.push(standard_object_identifier(&oid)),
        }
    }
    let known = list_or_nil(ListKind { name: "[]x509.ExtKeyUsage", element: "x509.ExtKeyUsage" }, known);
    let others =
        list_or_nil(ListKind { name: "[]asn1.ObjectIdentifier", element: "asn1.ObjectIdentifier" }, others);
    (known, others)
}

fn pkix_name(der: &[u8]) -> Value {
    let attributes = name::texts(der).unwrap_or_default();
    Attributes::read(attributes.into_iter().map(|(oid, text)| (oid.to_string(), text))).into_pkix_name()
}
