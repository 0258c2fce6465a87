//! Certificate extensions (RFC 5280 §4.2): the type, and a builder for each one that stepless writes itself.
//!
//! A builder gives the whole extension with the criticality of CONTRACT.md section 6. The order in a certificate is
//! the caller's business.

use crate::x509::element;
use crate::x509::element::Reader;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::oid;
use crate::x509::oid::Oid;

/// An extension as it stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub oid: Oid,
    /// Whether one who does not know it must refuse the certificate.
    pub critical: bool,
    /// The octets inside the OCTET STRING; DER, by the type's definition.
    pub value: Vec<u8>,
}

impl Extension {
    /// An extension with these parts.
    #[must_use]
    pub const fn new(oid: Oid, critical: bool, value: Vec<u8>) -> Self {
        Self { oid, critical, value }
    }

    /// Writes the Extension SEQUENCE (RFC 5280 §4.1).
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let mut members = vec![encode::oid(&self.oid)];
        if self.critical {
            members.push(encode::boolean(true));
        }
        members.push(encode::octet_string(&self.value));
        encode::sequence(&members)
    }

    /// Reads the members of an Extensions SEQUENCE, each type at most once (RFC 5280 §4.2).
    pub(crate) fn read_all(mut members: Reader<'_>) -> Option<Vec<Self>> {
        let mut extensions: Vec<Self> = Vec::new();
        while !members.is_empty() {
            let mut member = members.expect(element::SEQUENCE)?.members();
            let oid = Oid::from_content(member.expect(element::OBJECT_IDENTIFIER)?.content).ok()?;
            let critical = match member.optional(element::BOOLEAN).map(|element| element.content) {
                // Go writes no FALSE, but others do, against DER.
                None | Some([0]) => false,
                Some([0xff]) => true,
                Some(_) => return None,
            };
            let value = member.expect(element::OCTET_STRING)?.content.to_vec();
            if !member.is_empty() || extensions.iter().any(|extension| extension.oid == oid) {
                return None;
            }
            extensions.push(Self { oid, critical, value });
        }
        Some(extensions)
    }
}

/// Key usages (RFC 5280 §4.2.1.3), as a set of the bits 0 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature, bit 0.
    pub const DIGITAL_SIGNATURE: Self = Self::bit(0);
    /// contentCommitment, once nonRepudiation, bit 1.
    pub const CONTENT_COMMITMENT: Self = Self::bit(1);
    /// keyEncipherment, bit 2.
    pub const KEY_ENCIPHERMENT: Self = Self::bit(2);
    /// dataEncipherment, bit 3.
    pub const DATA_ENCIPHERMENT: Self = Self::bit(3);
    /// keyAgreement, bit 4.
    pub const KEY_AGREEMENT: Self = Self::bit(4);
    /// keyCertSign, bit 5.
    pub const KEY_CERT_SIGN: Self = Self::bit(5);
    /// cRLSign, bit 6.
    pub const CRL_SIGN: Self = Self::bit(6);
    /// encipherOnly, bit 7.
    pub const ENCIPHER_ONLY: Self = Self::bit(7);
    /// decipherOnly, bit 8.
    pub const DECIPHER_ONLY: Self = Self::bit(8);

    /// Each usage, from bit 0.
    pub const ALL: [Self; 9] = [
        Self::DIGITAL_SIGNATURE,
        Self::CONTENT_COMMITMENT,
        Self::KEY_ENCIPHERMENT,
        Self::DATA_ENCIPHERMENT,
        Self::KEY_AGREEMENT,
        Self::KEY_CERT_SIGN,
        Self::CRL_SIGN,
        Self::ENCIPHER_ONLY,
        Self::DECIPHER_ONLY,
    ];

    /// Bit 0 is the first bit of the BIT STRING, so the highest one here.
    const fn bit(number: u8) -> Self {
        Self(0x8000 >> number)
    }

    /// The usages of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all usages of `other` are in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads the value of a key usage extension.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is no BIT STRING. Bits beyond the ninth are ignored.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(value);
        let content = reader.expect(element::BIT_STRING).filter(|_| reader.is_empty());
        let octets = content.and_then(|content| element::bit_string(content.content));
        let (_, octets) = octets.ok_or(Error::Malformed("key usage"))?;
        let octet = |index: usize| u16::from(octets.get(index).copied().unwrap_or(0));
        Ok(Self(octet(0) << 8 | octet(1) & 0x80))
    }

    /// The extension, critical.
    #[must_use]
    pub fn to_extension(self) -> Extension {
        let octets = self.0.to_be_bytes();
        let length = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        let octets = octets.get(..length).unwrap_or_default();
        // At most 15 bits are unused, and at most 7 in the last octet.
        let unused = octets.last().map_or(0, |last| last.trailing_zeros() as u8);
        Extension::new(oid::KEY_USAGE, true, encode::bit_string(unused, octets))
    }
}

/// Whether a certificate is a CA's, and how long paths below it may be (RFC 5280 §4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasicConstraints {
    /// Whether the subject may issue certificates.
    pub is_ca: bool,
    /// How many intermediates may follow; `None` for any number.
    pub path_length: Option<u32>,
}

impl BasicConstraints {
    /// Reads the value of a basic constraints extension.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], also for a path length beyond 2^31 or one without the CA flag.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        Self::read(value).ok_or(Error::Malformed("basic constraints"))
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut members = Reader::new(value).only(element::SEQUENCE)?;
        let is_ca = match members.optional(element::BOOLEAN).map(|element| element.content) {
            None | Some([0]) => false,
            Some([0xff]) => true,
            Some(_) => return None,
        };
        let path_length = match members.optional(element::INTEGER) {
            None => None,
            Some(length) if is_ca && length.content.len() <= 4 && element::is_integer(length.content) => {
                let negative = length.content.first().is_some_and(|&first| first >= 0x80);
                let value = length.content.iter().fold(0_u32, |value, &octet| value << 8 | u32::from(octet));
                Some((!negative).then_some(value)?)
            }
            Some(_) => return None,
        };
        members.is_empty().then_some(Self { is_ca, path_length })
    }

    /// The extension, critical; the path length only for a CA.
    #[must_use]
    pub fn to_extension(self) -> Extension {
        let mut members = Vec::new();
        if self.is_ca {
            members.push(encode::boolean(true));
            members.extend(self.path_length.map(|length| encode::integer(length.into())));
        }
        Extension::new(oid::BASIC_CONSTRAINTS, true, encode::sequence(&members))
    }
}

/// Extended key usage (RFC 5280 §4.2.1.12), not critical.
#[must_use]
pub fn extended_key_usage(usages: &[Oid]) -> Extension {
    let members: Vec<_> = usages.iter().map(encode::oid).collect();
    Extension::new(oid::EXTENDED_KEY_USAGE, false, encode::sequence(&members))
}

/// Reads the value of an extended key usage extension.
pub(crate) fn usages(value: &[u8]) -> Option<Vec<Oid>> {
    let mut members = Reader::new(value).only(element::SEQUENCE)?;
    let mut usages = Vec::new();
    while !members.is_empty() {
        usages.push(Oid::from_content(members.expect(element::OBJECT_IDENTIFIER)?.content).ok()?);
    }
    Some(usages)
}

/// Subject key identifier (RFC 5280 §4.2.1.2), not critical.
#[must_use]
pub fn subject_key_identifier(identifier: &[u8]) -> Extension {
    Extension::new(oid::SUBJECT_KEY_IDENTIFIER, false, encode::octet_string(identifier))
}

/// Authority key identifier (RFC 5280 §4.2.1.1) with a key identifier only, not critical.
#[must_use]
pub fn authority_key_identifier(identifier: &[u8]) -> Extension {
    let member = encode::element(element::context(0), identifier);
    Extension::new(oid::AUTHORITY_KEY_IDENTIFIER, false, encode::sequence(&[member]))
}

/// Authority information access (RFC 5280 §4.2.2.1), not critical: OCSP servers, then issuing certificates.
///
/// # Errors
///
/// [`Error::NotAscii`] for a URI outside ASCII.
pub fn authority_info_access(
    ocsp_servers: &[String],
    issuing_certificates: &[String],
) -> Result<Extension, Error> {
    let methods = ocsp_servers
        .iter()
        .map(|uri| (oid::OCSP, uri))
        .chain(issuing_certificates.iter().map(|uri| (oid::CA_ISSUERS, uri)));
    let members = methods.map(|(method, uri)| Ok(encode::sequence(&[encode::oid(&method), uri_name(uri)?])));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    Ok(Extension::new(oid::AUTHORITY_INFO_ACCESS, false, encode::sequence(&members)))
}

/// Subject alternative name (RFC 5280 §4.2.1.6) of whole GeneralNames.
#[must_use]
pub fn subject_alt_name(general_names: &[Vec<u8>], critical: bool) -> Extension {
    Extension::new(oid::SUBJECT_ALT_NAME, critical, encode::sequence(general_names))
}

/// Certificate policies (RFC 5280 §4.2.1.4) without qualifiers, not critical.
#[must_use]
pub fn certificate_policies(policies: &[Oid]) -> Extension {
    let members: Vec<_> = policies.iter().map(|policy| encode::sequence(&[encode::oid(policy)])).collect();
    Extension::new(oid::CERTIFICATE_POLICIES, false, encode::sequence(&members))
}

/// CRL distribution points (RFC 5280 §4.2.1.13), not critical: one point for each URI.
///
/// # Errors
///
/// [`Error::NotAscii`] for a URI outside ASCII.
pub fn crl_distribution_points(uris: &[String]) -> Result<Extension, Error> {
    let points = uris.iter().map(|uri| {
        let full_name = encode::explicit(0, &uri_name(uri)?);
        Ok(encode::sequence(&[encode::explicit(0, &full_name)]))
    });
    let points = points.collect::<Result<Vec<_>, _>>()?;
    Ok(Extension::new(oid::CRL_DISTRIBUTION_POINTS, false, encode::sequence(&points)))
}

/// Issuing distribution point (RFC 5280 §5.2.5) of a CRL, critical, with one URI as its full name.
///
/// # Errors
///
/// [`Error::NotAscii`] for a URI outside ASCII.
pub fn issuing_distribution_point(uri: &str) -> Result<Extension, Error> {
    let full_name = encode::explicit(0, &uri_name(uri)?);
    let value = encode::sequence(&[encode::explicit(0, &full_name)]);
    Ok(Extension::new(oid::ISSUING_DISTRIBUTION_POINT, true, value))
}

/// An extension of a private type whose value is a UTF8String.
///
/// A grant id of 36 ASCII characters gives `0c 24` and the characters: 38 octets (CONTRACT.md section 6).
#[must_use]
pub fn utf8_string(oid: Oid, text: &str, critical: bool) -> Extension {
    Extension::new(oid, critical, encode::utf8_string(text))
}

/// The text of a value that is a UTF8String.
#[must_use]
pub fn utf8_text(value: &[u8]) -> Option<String> {
    let mut reader = Reader::new(value);
    let text = reader.expect(element::UTF8_STRING).filter(|_| reader.is_empty())?;
    String::from_utf8(text.content.to_vec()).ok()
}

fn uri_name(uri: &str) -> Result<Vec<u8>, Error> {
    if !uri.is_ascii() {
        return Err(Error::NotAscii(uri.to_owned()));
    }
    Ok(encode::element(element::context(6), uri.as_bytes()))
}

/// What step-ca's provisioner extension says (CONTRACT.md section 6).
///
/// ```text
/// SEQUENCE { type INTEGER, name OCTET STRING, credentialID OCTET STRING }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioner {
    /// step-ca's number for the provisioner's type; 1 is JWK.
    pub kind: u8,
    /// The provisioner's name.
    pub name: String,
    /// The kid of its key; empty if it has none.
    pub credential_id: String,
}

impl Provisioner {
    /// The number of the JWK type.
    pub const JWK: u8 = 1;

    /// The number of the X5C type.
    pub const X5C: u8 = 7;

    /// The extension, not critical.
    #[must_use]
    pub fn to_extension(&self) -> Extension {
        let value = encode::sequence(&[
            encode::integer(self.kind.into()),
            encode::octet_string(self.name.as_bytes()),
            encode::octet_string(self.credential_id.as_bytes()),
        ]);
        Extension::new(oid::STEP_PROVISIONER, false, value)
    }

    /// Reads the value of the extension.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it has another form or names that are no UTF-8. Members behind the three are ignored:
    /// other provisioner types have some.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        Self::read(value).ok_or(Error::Malformed("provisioner extension"))
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut members = Reader::new(value).only(element::SEQUENCE)?;
        let kind = match members.expect(element::INTEGER)?.content {
            &[kind @ 0..=0x7f] => kind,
            _ => return None,
        };
        let mut text = || String::from_utf8(members.expect(element::OCTET_STRING)?.content.to_vec()).ok();
        Some(Self { kind, name: text()?, credential_id: text()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extension: &Extension, oid: &str, critical: bool, value: &str) {
        let hex: String = extension.value.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(
            (extension.oid.to_string().as_str(), extension.critical, hex.as_str()),
            (oid, critical, value)
        );
        let der = encode::sequence(&[extension.to_der()]);
        let read = Reader::new(&der).only(element::SEQUENCE).and_then(Extension::read_all);
        assert_eq!(read, Some(vec![extension.clone()]));
    }

    #[test]
    fn key_usage_has_no_needless_bits() {
        let usage = KeyUsage::DIGITAL_SIGNATURE;
        check(&usage.to_extension(), "2.5.29.15", true, "03020780");
        let usage = usage.union(KeyUsage::KEY_ENCIPHERMENT);
        check(&usage.to_extension(), "2.5.29.15", true, "030205a0");
        let usage = KeyUsage::KEY_AGREEMENT.union(KeyUsage::DECIPHER_ONLY);
        check(&usage.to_extension(), "2.5.29.15", true, "0303070880");
        assert_eq!(KeyUsage::parse(&usage.to_extension().value), Ok(usage));
        assert!(usage.contains(KeyUsage::DECIPHER_ONLY) && !usage.contains(KeyUsage::CRL_SIGN));
        assert!(KeyUsage::parse(b"\x03\x02\x07\x81").is_err());
        assert!(KeyUsage::parse(b"\x03\x01\x00").is_ok_and(KeyUsage::is_empty));
    }

    #[test]
    fn basic_constraints() {
        let check = |is_ca, path_length, value| {
            let constraints = BasicConstraints { is_ca, path_length };
            check(&constraints.to_extension(), "2.5.29.19", true, value);
            BasicConstraints::parse(&constraints.to_extension().value)
        };
        assert!(check(true, Some(1), "30060101ff020101").is_ok_and(|read| read.path_length == Some(1)));
        assert!(check(true, None, "30030101ff").is_ok_and(|read| read.is_ca));
        assert!(check(false, Some(3), "3000").is_ok_and(|read| read == BasicConstraints::default()));
        for value in
            [&b"\x30\x03\x02\x01\x01"[..], b"\x30\x06\x01\x01\xff\x02\x01\xff", b"\x30\x03\x01\x01\x05", b""]
        {
            assert!(BasicConstraints::parse(value).is_err());
        }
    }

    #[test]
    fn access_and_distribution_points() {
        let list = |uris: &[&str]| uris.iter().map(|&uri| uri.to_owned()).collect::<Vec<_>>();
        let access = authority_info_access(
            &list(&["http://o1.example", "http://o2.example"]),
            &list(&["http://ca.example/i.der"]),
        );
        let value = concat!(
            "3063301d06082b060105050730018611687474703a2f2f6f312e6578616d706c65",
            "301d06082b060105050730018611687474703a2f2f6f322e6578616d706c65",
            "302306082b060105050730028617687474703a2f2f63612e6578616d706c652f692e646572"
        );
        check(&access.unwrap(), "1.3.6.1.5.5.7.1.1", false, value);
        let points = crl_distribution_points(&list(&["http://ca.example/1.crl"])).unwrap();
        let value = "301f301da01ba0198617687474703a2f2f63612e6578616d706c652f312e63726c";
        check(&points, "2.5.29.31", false, value);
        assert!(crl_distribution_points(&list(&["http://ü"])).is_err());
    }

    #[test]
    fn grants_and_provisioners() {
        let grant = utf8_string(oid::STEP_PROVISIONER, "7b1f3a52-0c7e-4b0e-9f55-2f6a3f1c9d01", false);
        assert_eq!((grant.value.len(), &grant.value[..2]), (38, &[0x0c, 0x24][..]));
        let provisioner =
            Provisioner { kind: Provisioner::JWK, name: "plain".to_owned(), credential_id: String::new() };
        let extension = provisioner.to_extension();
        check(&extension, "1.3.6.1.4.1.37476.9000.64.1", false, "300c0201010405706c61696e0400");
        assert_eq!(Provisioner::parse(&extension.value), Ok(provisioner));
        assert!(Provisioner::parse(b"\x05\x00").is_err());
    }

    #[test]
    fn refuses_an_extension_twice() {
        let one = KeyUsage::DIGITAL_SIGNATURE.to_extension().to_der();
        let der = encode::sequence(&[one.clone(), one]);
        assert_eq!(Reader::new(&der).only(element::SEQUENCE).and_then(Extension::read_all), None);
    }
}
