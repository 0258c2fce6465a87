//! Distinguished names: written in step-ca's order and string types, read for their common name.
//!
//! An issuer's name is never rebuilt from its parts: whoever needs it copies its bytes.

use crate::x509::element;
use crate::x509::element::Reader;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::oid;
use crate::x509::oid::Oid;

/// The DER of a name without attributes.
pub const EMPTY: &[u8] = &[0x30, 0x00];

/// The subject of a certificate to be, by attribute.
///
/// Several values of one attribute become one multi-valued RDN. Empty strings are values too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// countryName.
    pub country: Vec<String>,
    /// stateOrProvinceName.
    pub province: Vec<String>,
    /// localityName.
    pub locality: Vec<String>,
    /// streetAddress.
    pub street_address: Vec<String>,
    /// postalCode.
    pub postal_code: Vec<String>,
    /// organizationName.
    pub organization: Vec<String>,
    /// organizationalUnitName.
    pub organizational_unit: Vec<String>,
    /// commonName; empty for none.
    pub common_name: String,
    /// serialNumber of a device; empty for none.
    pub serial_number: String,
    /// Further attributes, each an RDN of its own behind the others. One with the type of a field above replaces it.
    pub extra_names: Vec<ExtraName>,
}

/// An attribute that has no field of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraName {
    /// The attribute type.
    pub oid: Oid,
    /// The value: an IA5String for an e-mail address (RFC 2985 §5.2.1), else as for the other attributes.
    pub value: String,
}

impl Subject {
    /// A subject of nothing but a common name.
    #[must_use]
    pub fn from_common_name(common_name: &str) -> Self {
        Self { common_name: common_name.to_owned(), ..Self::default() }
    }

    /// Takes each attribute that is missing here from `defaults` (CONTRACT.md section 6, ca.json `authority.template`).
    pub fn fill_missing(&mut self, defaults: &Self) {
        let lists = [
            (&mut self.country, &defaults.country),
            (&mut self.province, &defaults.province),
            (&mut self.locality, &defaults.locality),
            (&mut self.street_address, &defaults.street_address),
            (&mut self.postal_code, &defaults.postal_code),
            (&mut self.organization, &defaults.organization),
            (&mut self.organizational_unit, &defaults.organizational_unit),
        ];
        for (list, default) in lists {
            if list.is_empty() {
                list.extend(default.iter().filter(|value| !value.is_empty()).cloned());
            }
        }
        for (text, default) in [
            (&mut self.common_name, &defaults.common_name),
            (&mut self.serial_number, &defaults.serial_number),
        ] {
            if text.is_empty() {
                text.clone_from(default);
            }
        }
    }

    /// Every attribute as it will be written: its type and values, in order.
    pub fn attributes(&self) -> impl Iterator<Item = (Oid, &[String])> {
        let text = |text: &'_ String| !text.is_empty();
        let common_name = Some(&self.common_name).filter(|value| text(value));
        let serial_number = Some(&self.serial_number).filter(|value| text(value));
        [
            (oid::COUNTRY, self.country.as_slice()),
            (oid::PROVINCE, self.province.as_slice()),
            (oid::LOCALITY, self.locality.as_slice()),
            (oid::STREET_ADDRESS, self.street_address.as_slice()),
            (oid::POSTAL_CODE, self.postal_code.as_slice()),
            (oid::ORGANIZATION, self.organization.as_slice()),
            (oid::ORGANIZATIONAL_UNIT, self.organizational_unit.as_slice()),
            (oid::COMMON_NAME, common_name.map(std::slice::from_ref).unwrap_or_default()),
            (oid::SERIAL_NUMBER, serial_number.map(std::slice::from_ref).unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(oid, values)| !values.is_empty() && !self.extra_names.iter().any(|extra| extra.oid == *oid))
        .chain(self.extra_names.iter().map(|extra| (extra.oid.clone(), std::slice::from_ref(&extra.value))))
    }

    /// Writes the RDNSequence (RFC 5280 §4.1.2.4) in step-ca's order (CONTRACT.md section 6).
    ///
    /// # Errors
    ///
    /// [`Error::NotAscii`] for an e-mail address outside ASCII.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let mut names = Vec::new();
        for (oid, values) in self.attributes() {
            let values = values.iter().map(|value| attribute(&oid, value));
            names.push(encode::set_of(values.collect::<Result<_, _>>()?));
        }
        Ok(encode::sequence(&names))
    }

    /// The common name as it will stand in the certificate, an extra name included; empty for none.
    #[must_use]
    pub fn effective_common_name(&self) -> &str {
        let extra = self.extra_names.iter().rfind(|extra| extra.oid == oid::COMMON_NAME);
        extra.map_or(&self.common_name, |extra| &extra.value)
    }
}

fn attribute(oid: &Oid, value: &str) -> Result<Vec<u8>, Error> {
    let value = if *oid == oid::EMAIL_ADDRESS {
        if !value.is_ascii() {
            return Err(Error::NotAscii(value.to_owned()));
        }
        encode::element(element::IA5_STRING, value.as_bytes())
    } else {
        directory_string(value)
    };
    Ok(encode::sequence(&[encode::oid(oid), value]))
}

/// A PrintableString if every character may stand in one, else a UTF8String (CONTRACT.md section 6).
pub(crate) fn directory_string(text: &str) -> Vec<u8> {
    let tag = if text.bytes().all(is_printable) { element::PRINTABLE_STRING } else { element::UTF8_STRING };
    encode::element(tag, text.as_bytes())
}

/// The characters of X.680 §41.4.
pub(crate) const fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b' ' | b'\'' | b'(' | b')' | b'+' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?')
}

/// Reads the last common name in the DER of a name.
///
/// UTF8String, PrintableString, IA5String, NumericString, BMPString and T61String (taken for Latin-1) are read.
///
/// # Errors
///
/// [`Error::Malformed`] if `der` is no RDNSequence, or a common name no string.
pub fn common_name(der: &[u8]) -> Result<Option<String>, Error> {
    let mut found = None;
    read_attributes(der, |oid, tag, content| {
        if oid == oid::COMMON_NAME.content() {
            found = Some(text(tag, content)?);
        }
        Some(())
    })
    .ok_or(Error::Malformed("name"))?;
    Ok(found)
}

/// Whether `der` is exactly one RDNSequence (RFC 5280 §4.1.2.4) whose values are strings.
#[must_use]
pub fn is_name(der: &[u8]) -> bool {
    read_attributes(der, |oid, tag, content| {
        Oid::from_content(oid).ok()?;
        text(tag, content).map(|_| ())
    })
    .is_some()
}

/// Every string value in the DER of a name; `None` if it is no name of strings.
pub(crate) fn texts(der: &[u8]) -> Option<Vec<(Oid, String)>> {
    let mut texts = Vec::new();
    read_attributes(der, |oid, tag, content| {
        texts.push((Oid::from_content(oid).ok()?, text(tag, content)?));
        Some(())
    })?;
    Some(texts)
}

fn read_attributes(der: &[u8], mut each: impl FnMut(&[u8], u8, &[u8]) -> Option<()>) -> Option<()> {
    let mut names = Reader::new(der).only(element::SEQUENCE)?;
    while !names.is_empty() {
        let mut attributes = names.expect(element::SET)?.members();
        while !attributes.is_empty() {
            let mut attribute = attributes.expect(element::SEQUENCE)?.members();
            let oid = attribute.expect(element::OBJECT_IDENTIFIER)?;
            let value = attribute.next()?;
            if !attribute.is_empty() {
                return None;
            }
            each(oid.content, value.tag, value.content)?;
        }
    }
    Some(())
}

fn text(tag: u8, content: &[u8]) -> Option<String> {
    match tag {
        element::UTF8_STRING => std::str::from_utf8(content).ok().map(str::to_owned),
        element::PRINTABLE_STRING | element::IA5_STRING | element::NUMERIC_STRING => {
            content.is_ascii().then(|| content.iter().copied().map(char::from).collect())
        }
        element::T61_STRING => Some(content.iter().copied().map(char::from).collect()),
        element::BMP_STRING => {
            let (units, rest) = content.as_chunks::<2>();
            let units = units.iter().copied().map(u16::from_be_bytes);
            rest.is_empty().then_some(())?;
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(subject: &Subject, expected: &str) {
        assert_eq!(subject.to_der().map(|der| hex(&der)), Ok(expected.to_owned()), "{subject:?}");
    }

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn string_types_follow_the_characters() {
        check(&Subject::default(), "3000");
        check(&Subject::from_common_name("x"), "300c310a30080603550403130178");
        check(
            &Subject::from_common_name("user_name@host"),
            "30193117301506035504030c0e757365725f6e616d6540686f7374",
        );
        check(&Subject::from_common_name("*.a.example"), "30163114301206035504030c0b2a2e612e6578616d706c65");
    }

    #[test]
    fn several_values_share_one_sorted_set() {
        let subject = Subject { organization: list(&["B Org", "A Org"]), ..Subject::default() };
        check(&subject, "301e311c300c060355040a130541204f7267300c060355040a130542204f7267");
    }

    #[test]
    fn extra_names_replace_fields_and_stand_last() {
        let mut subject = Subject::from_common_name("cn");
        subject.organization = list(&["Plain"]);
        subject.extra_names = vec![ExtraName { oid: oid::ORGANIZATION, value: "system:masters".to_owned() }];
        check(&subject, "3026310b300906035504031302636e31173015060355040a130e73797374656d3a6d617374657273");
        subject.extra_names[0].oid = oid::COMMON_NAME;
        assert_eq!(subject.effective_common_name(), "system:masters");
    }

    #[test]
    fn an_email_address_is_an_ia5_string() {
        let mut subject = Subject {
            extra_names: vec![ExtraName { oid: oid::EMAIL_ADDRESS, value: "a@b".to_owned() }],
            ..Subject::default()
        };
        check(&subject, "30143112301006092a864886f70d0109011603614062");
        subject.extra_names[0].value = "ä@b".to_owned();
        assert_eq!(subject.to_der(), Err(Error::NotAscii("ä@b".to_owned())));
    }

    #[test]
    fn defaults_fill_only_what_is_missing() {
        let mut subject = Subject::from_common_name("x");
        subject.organization = list(&["Own"]);
        subject.fill_missing(&Subject {
            organization: list(&["Default"]),
            country: list(&["NZ"]),
            locality: list(&[""]),
            common_name: "default".to_owned(),
            serial_number: "T-1".to_owned(),
            ..Subject::default()
        });
        assert_eq!(subject.organization, list(&["Own"]));
        assert_eq!(subject.country, list(&["NZ"]));
        assert_eq!(subject.locality, list(&[]));
        assert_eq!((subject.common_name.as_str(), subject.serial_number.as_str()), ("x", "T-1"));
    }

    #[test]
    fn reads_the_last_common_name_of_any_type() {
        let name = |values: &[(u8, &[u8])]| {
            let rdns = values.iter().map(|&(tag, content)| {
                let value = encode::element(tag, content);
                encode::set_of(vec![encode::sequence(&[encode::oid(&oid::COMMON_NAME), value])])
            });
            encode::sequence(&rdns.collect::<Vec<_>>())
        };
        let read = |values: &[(u8, &[u8])]| common_name(&name(values));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(0x13, b"a"), (0x0c, b"b")]), Ok(Some("b".to_owned())));
        assert_eq!(read(&[(0x1e, b"\0a\x20\xac")]), Ok(Some("a€".to_owned())));
        assert_eq!(read(&[(0x14, b"\xfc")]), Ok(Some("ü".to_owned())));
        assert!(read(&[(0x1e, b"\0")]).is_err());
        assert!(read(&[(0x0c, b"\xff")]).is_err());
        assert!(read(&[(0x02, b"\x01")]).is_err());
        assert!(common_name(b"\x01\x02\x03").is_err() && !is_name(b"\x01\x02\x03"));
    }
}
