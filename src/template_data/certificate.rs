//! The certificate of an x5c token as `.AuthorizationCrt`: Go's `*x509.Certificate`, as far as templates use it.

use std::net::IpAddr;

use crate::template::Field;
use crate::template::Object;
use crate::template::Value;
use crate::template::value::ListKind;
use crate::template_data::key;
use crate::template_data::list_or_nil;
use crate::template_data::name::Attributes;
use crate::template_data::request::ips;
use crate::template_data::request::urls;
use crate::template_data::strings_or_nil;
use crate::x509::certificate::Certificate;
use crate::x509::name;
use crate::x509::san::San;

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
    let field = |name, value| Field::new(name, name, value);
    let bytes = |bytes: Option<&[u8]>| Value::bytes(bytes.unwrap_or_default());
    Object::structure("x509.Certificate")
        .pointer()
        .field(field("Raw", Value::bytes(certificate.der())))
        .field(field("RawSubject", Value::bytes(certificate.subject_der())))
        .field(field("RawIssuer", Value::bytes(certificate.issuer_der())))
        .field(field("PublicKeyAlgorithm", key.as_ref().map_or(Value::Nil, key::algorithm)))
        .field(field("PublicKey", key.as_ref().map_or(Value::Nil, key::value)))
        .field(field("SerialNumber", key::big_integer(certificate.serial_number().content())))
        .field(field("Issuer", pkix_name(certificate.issuer_der())))
        .field(field("Subject", pkix_name(certificate.subject_der())))
        .field(field("NotBefore", Value::time(certificate.not_before())))
        .field(field("NotAfter", Value::time(certificate.not_after())))
        .field(field("IsCA", certificate.is_ca().into()))
        .field(field("SubjectKeyId", bytes(certificate.subject_key_id())))
        .field(field("AuthorityKeyId", bytes(certificate.authority_key_id())))
        .field(field("DNSNames", strings_or_nil(ListKind::STRING, &dns)))
        .field(field("EmailAddresses", strings_or_nil(ListKind::STRING, &email)))
        .field(field("IPAddresses", ip))
        .field(field("URIs", uri))
        .into_value()
}

fn pkix_name(der: &[u8]) -> Value {
    let attributes = name::texts(der).unwrap_or_default();
    Attributes::read(attributes.into_iter().map(|(oid, text)| (oid.to_string(), text))).into_pkix_name()
}
