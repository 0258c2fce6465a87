//! Certification requests (PKCS#10, RFC 2986), by the rules of CONTRACT.md section 5.
//!
//! [`Csr::parse`] reads, [`UnverifiedCsr::verify`] checks the self-signature, and only then is there a
//! [`Csr`]. Comparing its names with a token happens elsewhere.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv6Addr;

use der::Decode;
use der::Reader;
use der::SliceReader;
use der::Tag;
use der::TagNumber;
use der::asn1::AnyRef;
use der::asn1::BitStringRef;
use der::asn1::ObjectIdentifier;
use der::asn1::OctetStringRef;
use spki::AlgorithmIdentifierRef;
use spki::SubjectPublicKeyInfoRef;
use thiserror::Error;

use crate::crypto;
use crate::crypto::KeyKind;
use crate::crypto::PublicKey;
use crate::crypto::SignatureAlgorithm;
use crate::uri::Uri;
use crate::x509::element;
use crate::x509::element::Element;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not one DER CertificationRequest, or a part of it is broken.
    #[error("malformed certification request: {0}")]
    Malformed(&'static str),
    /// The key is broken or its curve is not supported.
    #[error("malformed certification request")]
    Key(#[source] crypto::Error),
    /// An extension is asked for twice, by object identifier.
    #[error("extension {0} is requested twice")]
    DuplicateExtension(ObjectIdentifier),
    /// Nothing here can check such a signature; also for keys of unsupported algorithms.
    #[error("cannot verify signature: key algorithm {key}, signature algorithm {signature}")]
    UnsupportedAlgorithm {
        /// Object identifier of the key algorithm.
        key: ObjectIdentifier,
        /// Object identifier of the signature algorithm.
        signature: ObjectIdentifier,
    },
    /// The signature was not made with the key in the request.
    #[error("the signature of the certification request does not verify")]
    Signature(#[source] crypto::Error),
}

/// A request that reads well, with its signature unchecked.
#[derive(Debug, Clone)]
pub struct UnverifiedCsr {
    parts: Parts,
    tbs: Vec<u8>,
    signature: Vec<u8>,
    signature_algorithm: Option<SignatureAlgorithm>,
    public_key: Option<PublicKey>,
    key_oid: ObjectIdentifier,
    signature_oid: ObjectIdentifier,
}

/// A request whose signature was made with the key in it.
#[derive(Debug, Clone)]
pub struct Csr {
    parts: Parts,
    public_key: PublicKey,
    signature_algorithm: SignatureAlgorithm,
}

/// What can be said about a request without its signature.
#[derive(Debug, Clone, Default)]
struct Parts {
    der: Vec<u8>,
    version: i64,
    subject_der: Vec<u8>,
    subject: Vec<(ObjectIdentifier, String)>,
    extensions: Vec<RequestedExtension>,
    names: Names,
}

#[derive(Debug, Clone, Default)]
struct Names {
    dns: Vec<String>,
    email: Vec<String>,
    ip: Vec<IpAddr>,
    uri: Vec<String>,
}

/// An extension as the request asks for it (RFC 2985 section 5.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedExtension {
    /// Its object identifier.
    pub oid: ObjectIdentifier,
    /// Whether it is marked critical.
    pub critical: bool,
    /// The content of the OCTET STRING.
    pub value: Vec<u8>,
}

/// Basic constraints asked for (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedBasicConstraints {
    /// Whether the certificate is to be a CA.
    pub is_ca: bool,
    /// Longest path of intermediates below, if limited; negative numbers are kept as they are.
    pub path_length: Option<i64>,
}

impl Csr {
    /// Reads the DER of a request; nothing may follow.
    ///
    /// The version is not checked. Unsupported key and signature algorithms pass here and fail in
    /// [`UnverifiedCsr::verify`]; unsupported curves fail here.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::Key`], [`Error::DuplicateExtension`].
    pub fn parse(der: &[u8]) -> Result<UnverifiedCsr, Error> {
        let request = sequence(
            AnyRef::from_der(der).map_err(|_| Error::Malformed("not one DER structure"))?,
            "not a SEQUENCE",
        )?;
        let broken = |_| Error::Malformed("not a CertificationRequest");
        let mut reader = SliceReader::new(request).map_err(broken)?;
        let tbs = reader.tlv_bytes().map_err(broken)?;
        let algorithm_der = reader.tlv_bytes().map_err(broken)?;
        let algorithm = AlgorithmIdentifierRef::from_der(algorithm_der).map_err(broken)?;
        let signature = BitStringRef::decode(&mut reader).map_err(broken)?;
        reader.finish().map_err(broken)?;
        let signature = signature.as_bytes().ok_or(Error::Malformed("signature does not end on a byte"))?;

        let broken = |_| Error::Malformed("not a CertificationRequestInfo");
        let info =
            sequence(AnyRef::from_der(tbs).map_err(broken)?, "CertificationRequestInfo is not a SEQUENCE")?;
        let mut reader = SliceReader::new(info).map_err(broken)?;
        let version = i64::decode(&mut reader).map_err(broken)?;
        let subject_der = reader.tlv_bytes().map_err(broken)?;
        let spki_der = reader.tlv_bytes().map_err(broken)?;
        if reader.is_finished() {
            return Err(Error::Malformed("attributes are missing"));
        }
        let attributes = AnyRef::decode(&mut reader).map_err(broken)?;
        reader.finish().map_err(broken)?;

        let key_oid = SubjectPublicKeyInfoRef::from_der(spki_der)
            .map_err(|_| Error::Malformed("not a SubjectPublicKeyInfo"))?
            .algorithm
            .oid;
        let public_key = match PublicKey::from_spki_der(spki_der) {
            Ok(key) => Some(key),
            Err(crypto::Error::UnsupportedAlgorithm(_)) => None,
            Err(error) => return Err(Error::Key(error)),
        };
        let extensions = read_attributes(attributes)?;
        let names = match find(&extensions, SUBJECT_ALT_NAME) {
            Some(value) => read_names(value)?,
            None => Names::default(),
        };
        Ok(UnverifiedCsr {
            parts: Parts {
                der: der.to_vec(),
                version,
                subject_der: subject_der.to_vec(),
                subject: read_subject(subject_der)?,
                extensions,
                names,
            },
            tbs: tbs.to_vec(),
            signature: signature.to_vec(),
            signature_algorithm: SignatureAlgorithm::from_algorithm_identifier(algorithm_der),
            public_key,
            key_oid,
            signature_oid: algorithm.oid,
        })
    }

    /// The bytes the request came in.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.parts.der
    }

    /// SHA-256 of [`Csr::der`], to which a token can be bound.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.parts.der);
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        fingerprint
    }

    /// The key to be certified.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Go's name of the key algorithm, as templates see it: `RSA`, `ECDSA` or `Ed25519`.
    #[must_use]
    pub fn public_key_algorithm(&self) -> &'static str {
        match self.public_key.kind() {
            KeyKind::Rsa => "RSA",
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => "ECDSA",
            KeyKind::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm the request is signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.signature_algorithm
    }

    /// The version as written; 0 in a well-made request (RFC 2986 section 4.1).
    #[must_use]
    pub fn version(&self) -> i64 {
        self.parts.version
    }

    /// The DER Name of the subject.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.parts.subject_der
    }

    /// The attributes of the subject that are text, in order.
    #[must_use]
    pub fn subject(&self) -> &[(ObjectIdentifier, String)] {
        &self.parts.subject
    }

    /// The last common name, unless that is empty.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.parts
            .subject
            .iter()
            .rfind(|(oid, _)| *oid == COMMON_NAME)
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.is_empty())
    }

    /// The DNS names asked for, in order.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.parts.names.dns
    }

    /// The email addresses asked for, in order.
    #[must_use]
    pub fn email_addresses(&self) -> &[String] {
        &self.parts.names.email
    }

    /// The IP addresses asked for, in order; IPv4-mapped IPv6 addresses appear as IPv4.
    #[must_use]
    pub fn ip_addresses(&self) -> &[IpAddr] {
        &self.parts.names.ip
    }

    /// The URIs asked for, in order, as written.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.parts.names.uri
    }

    /// All names asked for as text: DNS names, e-mail addresses, IP addresses, URIs, each kind in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let texts = self.dns_names().iter().chain(self.email_addresses()).cloned();
        let addresses = self.ip_addresses().iter().map(ToString::to_string);
        texts.chain(addresses).chain(self.uris().iter().cloned()).collect()
    }

    /// The extensions asked for, in order, no identifier twice.
    #[must_use]
    pub fn extensions(&self) -> &[RequestedExtension] {
        &self.parts.extensions
    }

    /// The key usage asked for: bit 0 of the BIT STRING (digitalSignature) is 1, bit 8 is 256
    /// (RFC 5280 section 4.2.1.3). `None` if absent or unreadable, which step-ca does not mind.
    #[must_use]
    pub fn key_usage(&self) -> Option<u16> {
        let bits = BitStringRef::from_der(find(self.extensions(), KEY_USAGE)?).ok()?;
        let usage = (0..9).filter(|bit| bits.get(*bit) == Some(true));
        Some(usage.fold(0, |usage, bit| usage | 1 << bit))
    }

    /// The extended key usages asked for, in order; none if absent or unreadable.
    #[must_use]
    pub fn extended_key_usages(&self) -> Vec<ObjectIdentifier> {
        find(self.extensions(), EXTENDED_KEY_USAGE)
            .and_then(|value| Vec::from_der(value).ok())
            .unwrap_or_default()
    }

    /// The basic constraints asked for; `None` if absent or unreadable.
    #[must_use]
    pub fn basic_constraints(&self) -> Option<RequestedBasicConstraints> {
        let value = find(self.extensions(), BASIC_CONSTRAINTS)?;
        let mut reader = SliceReader::new(value).ok()?;
        reader
            .sequence(|reader| {
                Ok::<_, der::Error>(RequestedBasicConstraints {
                    is_ca: Option::<bool>::decode(reader)?.unwrap_or_default(),
                    path_length: Option::<i64>::decode(reader)?,
                })
            })
            .ok()
    }
}

impl UnverifiedCsr {
    /// Checks that the request is signed with the key in it.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedAlgorithm`], [`Error::Signature`].
    pub fn verify(self) -> Result<Csr, Error> {
        let (Some(public_key), Some(signature_algorithm)) = (self.public_key, self.signature_algorithm)
        else {
            return Err(Error::UnsupportedAlgorithm { key: self.key_oid, signature: self.signature_oid });
        };
        public_key.verify(signature_algorithm, &self.tbs, &self.signature).map_err(Error::Signature)?;
        Ok(Csr { parts: self.parts, public_key, signature_algorithm })
    }
}

/// Reads the requested extensions out of the attributes, `[0] IMPLICIT SET OF Attribute`.
///
/// Only extensionRequest counts (RFC 2985 section 5.4.2); Microsoft's attribute of the same meaning does
/// not.
fn read_attributes(attributes: AnyRef<'_>) -> Result<Vec<RequestedExtension>, Error> {
    if der::Tagged::tag(&attributes) != context(0, true) {
        return Err(Error::Malformed("attributes are missing"));
    }
    let broken = |_| Error::Malformed("not an Attribute");
    let mut extensions = Vec::new();
    let mut seen = BTreeSet::new();
    for attribute in elements(attributes.value(), "not an Attribute")? {
        let mut reader = SliceReader::new(sequence(attribute, "not an Attribute")?).map_err(broken)?;
        let oid = ObjectIdentifier::decode(&mut reader).map_err(broken)?;
        let values = AnyRef::decode(&mut reader).map_err(broken)?;
        reader.finish().map_err(broken)?;
        if der::Tagged::tag(&values) != Tag::Set {
            return Err(Error::Malformed("attribute values are not a SET"));
        }
        if oid != EXTENSION_REQUEST {
            continue;
        }
        // Single-valued; of several, Go would read the first and drop the rest in silence.
        let list = match elements(values.value(), "not an attribute value")?.as_slice() {
            [] => continue,
            [list] => *list,
            _ => return Err(Error::Malformed("extensionRequest has several values")),
        };
        for extension in elements(sequence(list, "not a list of Extensions")?, "not an Extension")? {
            let extension = read_extension(extension)?;
            if !seen.insert(extension.oid) {
                return Err(Error::DuplicateExtension(extension.oid));
            }
            extensions.push(extension);
        }
    }
    Ok(extensions)
}

/// Extension, RFC 5280 section 4.1; an explicit FALSE is tolerated, as Go does.
fn read_extension(extension: AnyRef<'_>) -> Result<RequestedExtension, Error> {
    let broken = |_| Error::Malformed("not an Extension");
    let mut reader = SliceReader::new(sequence(extension, "not an Extension")?).map_err(broken)?;
    let oid = ObjectIdentifier::decode(&mut reader).map_err(broken)?;
    let critical = Option::<bool>::decode(&mut reader).map_err(broken)?;
    let value = <&OctetStringRef>::decode(&mut reader).map_err(broken)?;
    reader.finish().map_err(broken)?;
    Ok(RequestedExtension { oid, critical: critical.unwrap_or_default(), value: value.as_bytes().to_vec() })
}

/// GeneralNames, RFC 5280 section 4.2.1.6. Bytes after the SEQUENCE are tolerated; otherName,
/// directoryName, registeredID and the like are passed over (CONTRACT.md section 5).
fn read_names(value: &[u8]) -> Result<Names, Error> {
    const BROKEN: &str = "not GeneralNames";
    let mut reader = SliceReader::new(value).map_err(|_| Error::Malformed(BROKEN))?;
    let list = AnyRef::decode(&mut reader).map_err(|_| Error::Malformed(BROKEN))?;
    let mut names = Names::default();
    for name in elements(sequence(list, BROKEN)?, BROKEN)? {
        let content = name.value();
        match der::Tagged::tag(&name) {
            tag if tag == context(1, false) => names.email.push(ia5(content)?),
            tag if tag == context(2, false) => names.dns.push(ia5(content)?),
            tag if tag == context(6, false) => names.uri.push(uri(content)?),
            tag if tag == context(7, false) => names.ip.push(ip(content)?),
            _ => {}
        }
    }
    Ok(names)
}

fn ia5(bytes: &[u8]) -> Result<String, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(Error::Malformed("a name is not an IA5String")),
    }
}

/// A URI that Go can parse, whose host, if any, has no empty label and no odd character; a host with a
/// port or in brackets is looked at as it stands.
fn uri(bytes: &[u8]) -> Result<String, Error> {
    let text = ia5(bytes)?;
    let parsed = Uri::parse(&text).map_err(|_| Error::Malformed("a URI cannot be parsed"))?;
    let host = parsed.host();
    let sound = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || host.split('.').all(sound) {
        Ok(text)
    } else {
        Err(Error::Malformed("the host of a URI is not a domain name"))
    }
}

fn ip(bytes: &[u8]) -> Result<IpAddr, Error> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(v4.into());
    }
    <[u8; 16]>::try_from(bytes)
        .map(|v6| Ipv6Addr::from(v6).to_canonical())
        .map_err(|_| Error::Malformed("an IP address has neither 4 nor 16 bytes"))
}

/// Name, RFC 5280 section 4.1.2.4: every attribute whose value is one of Go's text types.
fn read_subject(der: &[u8]) -> Result<Vec<(ObjectIdentifier, String)>, Error> {
    const BROKEN: &str = "subject is not a Name";
    let broken = |_| Error::Malformed(BROKEN);
    let mut attributes = Vec::new();
    let name = AnyRef::from_der(der).map_err(broken)?;
    for set in elements(sequence(name, BROKEN)?, BROKEN)? {
        if der::Tagged::tag(&set) != Tag::Set {
            return Err(Error::Malformed(BROKEN));
        }
        for pair in elements(set.value(), BROKEN)? {
            let mut parts = element::Reader::new(sequence(pair, BROKEN)?);
            let oid = parts.expect(element::OBJECT_IDENTIFIER).ok_or(Error::Malformed(BROKEN))?;
            let oid = ObjectIdentifier::from_bytes(oid.content).map_err(|_| Error::Malformed(BROKEN))?;
            let value = parts.next().filter(|_| parts.is_empty()).ok_or(Error::Malformed(BROKEN))?;
            if let Some(text) = read_text(&value)? {
                attributes.push((oid, text));
            }
        }
    }
    Ok(attributes)
}

/// The text of a string type, as Go reads it: T61 as Latin-1, `*` and `&` allowed in PrintableString,
/// BMPString without surrogates. `None` for other types.
fn read_text(value: &Element<'_>) -> Result<Option<String>, Error> {
    let bytes = value.content;
    let text = match value.tag {
        element::UTF8_STRING => std::str::from_utf8(bytes).ok().map(str::to_owned),
        element::PRINTABLE_STRING => {
            ascii_of(bytes, |byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte))
        }
        element::NUMERIC_STRING => ascii_of(bytes, |byte| byte.is_ascii_digit() || byte == b' '),
        element::IA5_STRING => ascii_of(bytes, |byte| byte.is_ascii()),
        element::T61_STRING => Some(bytes.iter().copied().map(char::from).collect()),
        element::BMP_STRING => bmp(bytes),
        // No text, but Go reads them all the same, an integer into 64 bits.
        element::INTEGER if !element::is_integer(bytes) || bytes.len() > 8 => None,
        element::BIT_STRING if element::bit_string(bytes).is_none() => None,
        element::OBJECT_IDENTIFIER if ObjectIdentifier::from_bytes(bytes).is_err() => None,
        _ => return Ok(None),
    };
    text.map(Some).ok_or(Error::Malformed("a value of the subject is not what its type says"))
}

fn ascii_of(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Option<String> {
    bytes.iter().map(|byte| allowed(*byte).then_some(char::from(*byte))).collect()
}

/// UCS-2, big-endian; one terminating zero is dropped, noncharacters and surrogates are refused.
fn bmp(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(&[0, 0]).unwrap_or(bytes);
    let (units, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    units
        .iter()
        .map(|unit| u32::from(u16::from_be_bytes(*unit)))
        .map(|unit| match unit {
            0xfdd0..=0xfdef | 0xfffe | 0xffff => None,
            unit => char::from_u32(unit),
        })
        .collect()
}

fn sequence<'a>(any: AnyRef<'a>, otherwise: &'static str) -> Result<&'a [u8], Error> {
    if der::Tagged::tag(&any) == Tag::Sequence { Ok(any.value()) } else { Err(Error::Malformed(otherwise)) }
}

/// The elements of a SEQUENCE OF or SET OF, in order; the order of a SET is not checked.
fn elements<'a>(content: &'a [u8], otherwise: &'static str) -> Result<Vec<AnyRef<'a>>, Error> {
    let broken = |_| Error::Malformed(otherwise);
    let mut reader = SliceReader::new(content).map_err(broken)?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader).map_err(broken)?);
    }
    Ok(elements)
}

fn find(extensions: &[RequestedExtension], oid: ObjectIdentifier) -> Option<&[u8]> {
    extensions.iter().find(|extension| extension.oid == oid).map(|extension| extension.value.as_slice())
}

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// id-at-commonName, RFC 5280 appendix A.1.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// extensionRequest, RFC 2985 section 5.4.2.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
/// id-ce-subjectAltName, RFC 5280 section 4.2.1.6.
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// id-ce-keyUsage, RFC 5280 section 4.2.1.3.
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// id-ce-extKeyUsage, RFC 5280 section 4.2.1.12.
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// id-ce-basicConstraints, RFC 5280 section 4.2.1.9.
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    /// A DER element of up to 65535 bytes.
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = content.len();
        let header = match len {
            0..=127 => vec![tag, len as u8],
            128..=255 => vec![tag, 0x81, len as u8],
            _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
        };
        [header, content].concat()
    }

    fn key() -> PrivateKey {
        PrivateKey::from_ec_scalar(KeyKind::P256, &[7; 32]).unwrap()
    }

    /// A subject with these common names, by string tag.
    fn subject(names: &[(u8, &[u8])]) -> Vec<u8> {
        let sets: Vec<_> = names
            .iter()
            .map(|(tag, text)| {
                let pair = [tlv(6, &[&[0x55, 4, 3]]), tlv(*tag, &[text])].concat();
                tlv(0x31, &[&tlv(0x30, &[&pair])])
            })
            .collect();
        tlv(0x30, &[&sets.concat()])
    }

    fn extension(last_arc: u8, value: &[u8]) -> Vec<u8> {
        tlv(0x30, &[&tlv(6, &[&[0x55, 0x1d, last_arc]]), &tlv(4, &[value])])
    }

    /// An extensionRequest attribute, or Microsoft's.
    fn attribute(oid: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
        let list = tlv(0x30, &[&extensions.concat()]);
        tlv(0x30, &[&tlv(6, &[oid]), &tlv(0x31, &[&list])])
    }

    const REQUEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
    const MICROSOFT: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e";

    /// Signs a CertificationRequestInfo of these parts.
    fn signed(key: &PrivateKey, parts: &[&[u8]]) -> Vec<u8> {
        let info = tlv(0x30, parts);
        let algorithm = key.default_algorithm();
        let signature = key.sign(algorithm, &info).unwrap();
        tlv(0x30, &[&info, algorithm.algorithm_identifier(), &tlv(3, &[&[0], &signature])])
    }

    fn request(subject: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
        let key = key();
        let spki = key.public_key().spki_der();
        let attributes = tlv(0xa0, &[&attributes.concat()]);
        signed(&key, &[&[2, 1, 0], subject, spki, &attributes])
    }

    fn with_san(value: &[u8]) -> Vec<u8> {
        request(&subject(&[]), &[attribute(REQUEST, &[extension(17, value)])])
    }

    fn read(der: &[u8]) -> Csr {
        Csr::parse(der).unwrap().verify().unwrap()
    }

    fn check_refused(der: &[u8], expected: &str) {
        let error = Csr::parse(der).and_then(UnverifiedCsr::verify).err();
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn common_names() {
        fn check(names: &[(u8, &[u8])], expected: Option<&str>) {
            assert_eq!(read(&request(&subject(names), &[])).common_name(), expected);
        }
        check(&[], None);
        check(&[(12, b"a.example")], Some("a.example"));
        check(&[(19, b"a*&.example")], Some("a*&.example"));
        check(&[(22, b"a@example")], Some("a@example"));
        check(&[(18, b"12 3")], Some("12 3"));
        check(&[(20, b"b\xfccher")], Some("b\u{fc}cher"));
        check(&[(30, b"\0a\0\xfc\0\0")], Some("a\u{fc}"));
        check(&[(12, b"a"), (12, b"b")], Some("b"));
        check(&[(12, b"a"), (12, b"")], None);
        // Other types, such as OCTET STRING and UniversalString, are no text.
        check(&[(12, b"a"), (4, b"b")], Some("a"));
        check(&[(12, b"a"), (2, b"\x01"), (3, b"\x01\x02"), (6, b"\x55\x04")], Some("a"));
        check(&[(12, b"a"), (28, b"\0\0\0b")], Some("a"));
    }

    #[test]
    fn broken_values() {
        for name in [
            (12, &b"\xff"[..]),
            (19, b"a@b"),
            (22, b"\x80"),
            (18, b"a"),
            (30, b"a"),
            (30, b"\xd8\x00\xdc\x00"),
            (30, b"\xff\xff"),
            (2, b""),
            (2, b"\x00\x01"),
            (2, b"\x01\x02\x03\x04\x05\x06\x07\x08\x09"),
            (3, b""),
            (3, b"\x08\x00"),
            (3, b"\x01"),
            (3, b"\x01\x01"),
            (6, b"\x80"),
        ] {
            check_refused(
                &request(&subject(&[name]), &[]),
                "malformed certification request: a value of the subject is not what its type says",
            );
        }
    }

    #[test]
    fn names_of_every_type() {
        let other = tlv(0xa0, &[&tlv(6, &[&[0x2a, 3]]), &tlv(0xa0, &[&tlv(12, &[b"x"])])]);
        let mapped = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01";
        let names = tlv(
            0x30,
            &[
                &tlv(0x82, &[b"b.example"]),
                &other,
                &tlv(0x81, &[b"x@y.example"]),
                &tlv(0x87, &[&[192, 0, 2, 1]]),
                &tlv(0x87, &[mapped]),
                &tlv(0x86, &[b"https://x.example/a b?c#d"]),
                &tlv(0x88, &[&[0x2a, 3]]),
                &tlv(0xa4, &[&tlv(0x30, &[])]),
                &tlv(0x82, &[b"a.example"]),
            ],
        );
        // One byte after the SEQUENCE is tolerated.
        let csr = read(&with_san(&[&names[..], &[0]].concat()));
        assert_eq!(csr.dns_names(), ["b.example", "a.example"]);
        assert_eq!(csr.email_addresses(), ["x@y.example"]);
        assert_eq!(csr.ip_addresses(), [IpAddr::from([192, 0, 2, 1]), IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(csr.uris(), ["https://x.example/a b?c#d"]);
        assert!(read(&with_san(&tlv(0x30, &[]))).dns_names().is_empty());
    }

    #[test]
    fn malformed_names() {
        for (value, why) in [
            (tlv(0x31, &[]), "not GeneralNames"),
            (vec![], "not GeneralNames"),
            (vec![0x30, 5, 0x82, 1], "not GeneralNames"),
            (tlv(0x30, &[&[0x82, 9, b'a']]), "not GeneralNames"),
            (tlv(0x30, &[&tlv(0x82, &["b\u{fc}cher".as_bytes()])]), "a name is not an IA5String"),
            (tlv(0x30, &[&tlv(0x86, &[b"https://x.example/%zz"])]), "a URI cannot be parsed"),
            (tlv(0x30, &[&tlv(0x86, &[b"https://x..example/"])]), "the host of a URI is not a domain name"),
            (tlv(0x30, &[&tlv(0x86, &[b"https://x.example./"])]), "the host of a URI is not a domain name"),
            (tlv(0x30, &[&tlv(0x87, &[&[1, 2, 3]])]), "an IP address has neither 4 nor 16 bytes"),
        ] {
            check_refused(&with_san(&value), &format!("malformed certification request: {why}"));
        }
    }

    #[test]
    fn requested_extensions() {
        let usage = extension(15, b"\x03\x02\x05\xa0");
        let extended = extension(37, &tlv(0x30, &[&tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, 2]])]));
        let constraints = extension(19, b"\x30\x06\x01\x01\xff\x02\x01\x01");
        let csr = read(&request(
            &subject(&[]),
            &[attribute(REQUEST, &[usage]), attribute(REQUEST, &[extended, constraints])],
        ));
        assert_eq!(csr.extensions().len(), 3);
        assert_eq!(csr.key_usage(), Some(0b101));
        assert_eq!(csr.extended_key_usages(), [ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")]);
        assert_eq!(
            csr.basic_constraints(),
            Some(RequestedBasicConstraints { is_ca: true, path_length: Some(1) })
        );

        let unreadable = [15, 37, 19].map(|arc| extension(arc, b"\x30"));
        let csr = read(&request(&subject(&[]), &[attribute(REQUEST, &unreadable)]));
        assert_eq!(csr.key_usage(), None);
        assert_eq!(csr.extended_key_usages(), []);
        assert_eq!(csr.basic_constraints(), None);
    }

    #[test]
    fn extensions_asked_for_twice() {
        let duplicate = "extension 2.5.29.14 is requested twice";
        let one = || extension(14, b"x");
        let empty = subject(&[]);
        check_refused(&request(&empty, &[attribute(REQUEST, &[one(), one()])]), duplicate);
        check_refused(
            &request(&empty, &[attribute(REQUEST, &[one()]), attribute(REQUEST, &[one()])]),
            duplicate,
        );
        // Microsoft's attribute is not read.
        let csr = read(&request(&empty, &[attribute(REQUEST, &[one()]), attribute(MICROSOFT, &[one()])]));
        assert_eq!(csr.extensions().len(), 1);
        // No value at all is passed over, two values are ambiguous.
        let oid = tlv(6, &[REQUEST]);
        let none = tlv(0x30, &[&oid, &tlv(0x31, &[])]);
        assert!(read(&request(&empty, &[none])).extensions().is_empty());
        let list = tlv(0x30, &[]);
        let two = tlv(0x30, &[&oid, &tlv(0x31, &[&list, &list])]);
        check_refused(
            &request(&empty, &[two]),
            "malformed certification request: extensionRequest has several values",
        );
    }

    #[test]
    fn structure() {
        let key = key();
        let spki = key.public_key().spki_der();
        let empty = subject(&[]);
        let attributes = tlv(0xa0, &[]);
        let good = request(&empty, &[]);
        assert_eq!(read(&good).version(), 0);
        let csr = read(&signed(&key, &[&[2, 1, 9], &empty, spki, &attributes]));
        assert_eq!(csr.version(), 9);
        let missing = "malformed certification request: attributes are missing";
        check_refused(&signed(&key, &[&[2, 1, 0], &empty, spki]), missing);
        check_refused(&signed(&key, &[&[2, 1, 0], &empty, spki, &tlv(0x30, &[])]), missing);
        let outer = "malformed certification request: not one DER structure";
        check_refused(&[&good[..], &[0]].concat(), outer);
        check_refused(&good[..good.len() - 1], outer);
        check_refused(b"", outer);
        check_refused(&tlv(0x30, &[]), "malformed certification request: not a CertificationRequest");
    }

    #[test]
    fn keys_that_cannot_be_read_and_keys_that_cannot_verify() {
        let key = key();
        let attributes = tlv(0xa0, &[]);
        let with_key = |spki: &[u8]| signed(&key, &[&[2, 1, 0], &subject(&[]), spki, &attributes]);
        // An X25519 key reads, but nothing verifies with it.
        let x25519 = tlv(0x30, &[&tlv(0x30, &[&tlv(6, &[&[0x2b, 0x65, 0x6e]])]), &tlv(3, &[&[0; 33]])]);
        assert!(Csr::parse(&with_key(&x25519)).is_ok());
        check_refused(
            &with_key(&x25519),
            "cannot verify signature: key algorithm 1.3.101.110, signature algorithm 1.2.840.10045.4.3.2",
        );
        // secp256k1 does not even read.
        let ec = tlv(6, &[b"\x2a\x86\x48\xce\x3d\x02\x01"]);
        let curve = tlv(6, &[b"\x2b\x81\x04\x00\x0a"]);
        let k256 = tlv(0x30, &[&tlv(0x30, &[&ec, &curve]), &tlv(3, &[&[0; 66]])]);
        let unsupported = crypto::Error::UnsupportedCurve("1.3.132.0.10".to_owned());
        assert_eq!(Csr::parse(&with_key(&k256)).err(), Some(Error::Key(unsupported)));
        let other = PrivateKey::from_ec_scalar(KeyKind::P256, &[8; 32]).unwrap();
        check_refused(
            &with_key(other.public_key().spki_der()),
            "the signature of the certification request does not verify",
        );
    }

    #[test]
    fn rcgen_makes_the_same_of_it() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let names = vec!["a.example".to_owned(), "192.0.2.1".to_owned()];
        let request = rcgen::CertificateParams::new(names).unwrap().serialize_request(&pair).unwrap();
        let csr = read(request.der());
        assert_eq!(csr.dns_names(), ["a.example"]);
        assert_eq!(csr.ip_addresses(), [IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(csr.public_key_algorithm(), "ECDSA");
        assert_eq!(csr.signature_algorithm(), SignatureAlgorithm::EcdsaSha256);
        assert_eq!(csr.der(), request.der().as_ref());
    }
}
