//! Certification requests before two judges: ours, and x509-parser, which shares no code with it but ring.
//!
//! The input is a request as it stands, and also two parts of one: two bytes of length, a subject of that length, and
//! attributes; they are put together with a key and signed, so that mutations get past the signature.
//!
//! Where the two differ, the difference is one of those named in `stricter` or `laxer`, or a fault.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stepless::crypto::Error as CryptoError;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::x509::csr::Csr;
use stepless::x509::csr::Error;
use x509_parser::asn1_rs::Any;
use x509_parser::asn1_rs::Class;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::extensions::ParsedExtension;
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_ec_scalar(KeyKind::P256, &[7; 32]).expect("a scalar within the order"));

fuzz_target!(|data: &[u8]| {
    judge(data);
    if let Some((len, rest)) = data.split_first_chunk::<2>() {
        let (subject, attributes) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        judge(&signed(subject, attributes));
    }
});

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u32::try_from(content.len()).expect("inputs are short").to_be_bytes();
    let header = match content.len() {
        0..=0x7f => vec![tag, len[3]],
        0x80..=0xff => vec![tag, 0x81, len[3]],
        0x100..=0xffff => vec![tag, 0x82, len[2], len[3]],
        _ => vec![tag, 0x83, len[1], len[2], len[3]],
    };
    [header, content].concat()
}

fn signed(subject: &[u8], attributes: &[u8]) -> Vec<u8> {
    let info = tlv(0x30, &[b"\x02\x01\x00", subject, KEY.public_key().spki_der(), attributes]);
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let signature = KEY.sign(algorithm, &info).expect("the key signs");
    tlv(0x30, &[&info, algorithm.algorithm_identifier(), &tlv(0x03, &[&[0], &signature])])
}

/// What the second judge says.
fn second(der: &[u8]) -> Result<X509CertificationRequest<'_>, X509Error> {
    let (rest, request) =
        X509CertificationRequest::from_der(der).map_err(|_| X509Error::InvalidCertificate)?;
    if !rest.is_empty() {
        return Err(X509Error::InvalidCertificate);
    }
    request.verify_signature()?;
    Ok(request)
}

fn judge(der: &[u8]) {
    match (Csr::parse(der).and_then(|csr| csr.verify()), second(der)) {
        (Ok(ours), Ok(theirs)) => compare(&ours, &theirs),
        (Ok(ours), Err(error)) => assert!(laxer(&ours, &error), "only we accept it: {error}\n{ours:?}"),
        (Err(error), Ok(theirs)) => assert!(stricter(&error, der, &theirs), "only we refuse it: {error:?}\n{theirs:?}"),
        (Err(_), Err(_)) => {}
    }
}

/// Why we may refuse what the other accepts.
fn stricter(error: &Error, der: &[u8], theirs: &X509CertificationRequest<'_>) -> bool {
    match error {
        // Keys: explicit parameters, exponents, small orders, other encodings of the same key (D26).
        Error::Key(_) | Error::DuplicateExtension(_) => true,
        // SHA-1, and PSS with other salts and hashes (D11).
        Error::UnsupportedAlgorithm { .. } => true,
        // What the other says of a signature has to be what we say.
        Error::Signature(CryptoError::BadSignature) => false,
        // It looks at the number of the first tag, and not at its class and form, and not at how the length is written.
        // All behind that is signed, or named below.
        Error::Malformed("not one DER structure" | "not a SEQUENCE") => !is_der_sequence(der),
        // It verifies whole bytes, however many bits are said to be unused.
        Error::Malformed("signature does not end on a byte") => theirs.signature_value.unused_bits != 0,
        Error::Malformed(what) => STRICTER.contains(what),
        _ => false,
    }
}

/// Whether the tag is SEQUENCE's, and the length as short as can be and right.
fn is_der_sequence(der: &[u8]) -> bool {
    (2..=5).any(|header| der.get(header..).is_some_and(|content| tlv(0x30, &[content]) == der))
}

/// Parts that the other leaves unread, or reads more freely.
const STRICTER: &[&str] = &[
    // It stops at the last element that it knows of a SEQUENCE, and we look behind it (D26).
    "not an Extension",
    "not an Attribute",
    "not a CertificationRequest",
    "not a CertificationRequestInfo",
    // Class and form of tags, as above.
    "attributes are missing",
    "attribute values are not a SET",
    // It takes the first of several values, and passes over one that it cannot read.
    "extensionRequest has several values",
    "not a list of Extensions",
    "not an attribute value",
    // A Name ends for it where it cannot be read any more.
    "subject is not a Name",
    "a value of the subject is not what its type says",
    // Of names it takes whatever bytes there are.
    "a name is not an IA5String",
    "a URI cannot be parsed",
    "the host of a URI is not a domain name",
    "an IP address has neither 4 nor 16 bytes",
    "not GeneralNames",
];

/// What we may accept and the other refuses.
fn laxer(ours: &Csr, error: &X509Error) -> bool {
    let kind = ours.public_key().kind();
    let algorithm = ours.signature_algorithm();
    match error {
        // P-521 and ECDSA with SHA-512 are not known to ring.
        X509Error::SignatureUnsupportedAlgorithm => {
            kind == KeyKind::P521 || algorithm == SignatureAlgorithm::EcdsaSha512
        }
        // The value of a challengePassword is read, and here it is passed over as every attribute but one.
        X509Error::InvalidCertificate => {
            ours.der().windows(CHALLENGE_PASSWORD.len()).any(|bytes| bytes == CHALLENGE_PASSWORD)
        }
        _ => false,
    }
}

/// The object identifier of challengePassword, RFC 2985 section 5.4.1, with its tag.
const CHALLENGE_PASSWORD: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";

/// Both accept it, so both have to have read the same.
fn compare(ours: &Csr, theirs: &X509CertificationRequest<'_>) {
    let info = &theirs.certification_request_info;
    assert_eq!(ours.subject_der(), info.subject.as_raw());
    assert_eq!(ours.public_key().spki_der(), info.subject_pki.raw);
    let extensions: Vec<X509Extension<'_>> =
        info.iter_attributes().flat_map(|attribute| requested(attribute.parsed_attribute())).collect();
    let as_theirs: Vec<(String, bool, &[u8])> =
        extensions.iter().map(|e| (e.oid.to_id_string(), e.critical, e.value)).collect();
    let as_ours: Vec<(String, bool, &[u8])> =
        ours.extensions().iter().map(|e| (e.oid.to_string(), e.critical, e.value.as_slice())).collect();
    assert_eq!(as_ours, as_theirs);
    for extension in &extensions {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) if !has_constructed_names(extension.value) => {
                compare_names(ours, &names.general_names);
            }
            ParsedExtension::KeyUsage(usage) => {
                if let Some(bits) = ours.key_usage() {
                    assert_eq!(bits, usage.flags);
                }
            }
            _ => {}
        }
    }
    let is_text = |value: &Any<'_>| value.class() == Class::Universal && !value.header.constructed();
    let common_name = info.subject.iter_common_name().last().filter(|name| is_text(name.attr_value()));
    let common_name = common_name.and_then(|name| name.as_str().ok());
    if let Some(name) = common_name {
        assert_eq!(ours.common_name().unwrap_or_default(), name);
    }
}

fn requested<'a>(attribute: &ParsedCriAttribute<'a>) -> Vec<X509Extension<'a>> {
    match attribute {
        ParsedCriAttribute::ExtensionRequest(list) => list.extensions.clone(),
        _ => Vec::new(),
    }
}

/// Whether a name of a kind that is text or an address comes in constructed form, which the other reads all the same.
/// We pass over it, as Go does.
fn has_constructed_names(value: &[u8]) -> bool {
    let Ok((_, list)) = Any::from_der(value) else { return false };
    let mut rest = list.data;
    while let Ok((after, name)) = Any::from_der(rest) {
        if name.header.constructed() && matches!(name.tag().0, 1 | 2 | 6 | 7) {
            return true;
        }
        rest = after;
    }
    false
}

fn compare_names(ours: &Csr, theirs: &[GeneralName<'_>]) {
    let (mut dns, mut emails, mut uris, mut addresses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in theirs {
        match name {
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            GeneralName::RFC822Name(name) => emails.push((*name).to_owned()),
            GeneralName::URI(name) => uris.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => addresses.push(match *bytes {
                [a, b, c, d] => std::net::IpAddr::from([*a, *b, *c, *d]),
                bytes => std::net::IpAddr::from(<[u8; 16]>::try_from(bytes).expect("ours has read it"))
                    .to_canonical(),
            }),
            _ => {}
        }
    }
    assert_eq!(ours.dns_names(), dns);
    assert_eq!(ours.email_addresses(), emails);
    assert_eq!(ours.uris(), uris);
    assert_eq!(ours.ip_addresses(), addresses);
}
