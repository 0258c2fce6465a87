//! Names and extensions in words, for people.

use crate::hex;
use crate::x509::extension;
use crate::x509::extension::BasicConstraints;
use crate::x509::extension::Extension;
use crate::x509::extension::KeyUsage;
use crate::x509::extension::Provisioner;
use crate::x509::name;
use crate::x509::oid;
use crate::x509::oid::Oid;
use crate::x509::san::GeneralNames;

/// Attribute types with the short names of RFC 4514 section 3 and of common use.
const ATTRIBUTES: [(&Oid, &str); 10] = [
    (&oid::COMMON_NAME, "CN"),
    (&oid::SERIAL_NUMBER, "SERIALNUMBER"),
    (&oid::COUNTRY, "C"),
    (&oid::LOCALITY, "L"),
    (&oid::PROVINCE, "ST"),
    (&oid::STREET_ADDRESS, "STREET"),
    (&oid::ORGANIZATION, "O"),
    (&oid::ORGANIZATIONAL_UNIT, "OU"),
    (&oid::POSTAL_CODE, "POSTALCODE"),
    (&oid::EMAIL_ADDRESS, "EMAIL"),
];

const EXTENSIONS: [(&Oid, &str); 11] = [
    (&oid::SUBJECT_KEY_IDENTIFIER, "subject key id"),
    (&oid::KEY_USAGE, "key usage"),
    (&oid::SUBJECT_ALT_NAME, "subject alt name"),
    (&oid::BASIC_CONSTRAINTS, "basic constraints"),
    (&oid::NAME_CONSTRAINTS, "name constraints"),
    (&oid::CRL_DISTRIBUTION_POINTS, "crl distribution points"),
    (&oid::CERTIFICATE_POLICIES, "certificate policies"),
    (&oid::AUTHORITY_KEY_IDENTIFIER, "authority key id"),
    (&oid::EXTENDED_KEY_USAGE, "extended key usage"),
    (&oid::AUTHORITY_INFO_ACCESS, "authority info access"),
    (&oid::STEP_PROVISIONER, "provisioner"),
];

const KEY_USAGES: [(KeyUsage, &str); 9] = [
    (KeyUsage::DIGITAL_SIGNATURE, "digitalSignature"),
    (KeyUsage::CONTENT_COMMITMENT, "contentCommitment"),
    (KeyUsage::KEY_ENCIPHERMENT, "keyEncipherment"),
    (KeyUsage::DATA_ENCIPHERMENT, "dataEncipherment"),
    (KeyUsage::KEY_AGREEMENT, "keyAgreement"),
    (KeyUsage::KEY_CERT_SIGN, "certSign"),
    (KeyUsage::CRL_SIGN, "crlSign"),
    (KeyUsage::ENCIPHER_ONLY, "encipherOnly"),
    (KeyUsage::DECIPHER_ONLY, "decipherOnly"),
];

const EXTENDED_KEY_USAGES: [(&Oid, &str); 7] = [
    (&oid::ANY_EXTENDED_KEY_USAGE, "any"),
    (&oid::SERVER_AUTH, "serverAuth"),
    (&oid::CLIENT_AUTH, "clientAuth"),
    (&oid::CODE_SIGNING, "codeSigning"),
    (&oid::EMAIL_PROTECTION, "emailProtection"),
    (&oid::TIME_STAMPING, "timeStamping"),
    (&oid::OCSP_SIGNING, "ocspSigning"),
];

/// The reasons of a revocation (RFC 5280 §5.3.1); their place is their number.
pub(crate) const REVOCATION_REASONS: [&str; 11] = [
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "",
    "removeFromCRL",
    "privilegeWithdrawn",
    "aACompromise",
];

fn known(names: &[(&Oid, &'static str)], oid: &Oid) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// A name as `CN=a, O=b`, in the order of the certificate; a bare word for an empty one.
pub(crate) fn subject(der: &[u8]) -> String {
    let attributes = name::texts(der).unwrap_or_default();
    if attributes.is_empty() {
        return "(empty)".to_owned();
    }
    let texts: Vec<String> = attributes
        .iter()
        .map(|(oid, text)| {
            let label = known(&ATTRIBUTES, oid).map_or_else(|| oid.to_string(), str::to_owned);
            format!("{label}={text}")
        })
        .collect();
    texts.join(", ")
}

/// What an extension is called, if it has a name here.
pub(crate) fn extension_name(oid: &Oid) -> Option<&'static str> {
    known(&EXTENSIONS, oid)
}

/// What an extension says; `None` for what has no words here.
pub(crate) fn extension_value(extension: &Extension) -> Option<String> {
    let (oid, value) = (&extension.oid, extension.value.as_slice());
    if *oid == oid::KEY_USAGE {
        KeyUsage::parse(value).ok().map(|usage| {
            let set = KEY_USAGES.iter().filter(|(bit, _)| usage.contains(*bit)).map(|(_, name)| *name);
            set.collect::<Vec<_>>().join(", ")
        })
    } else if *oid == oid::EXTENDED_KEY_USAGE {
        extension::usages(value).map(|usages| {
            let name =
                |oid: &Oid| known(&EXTENDED_KEY_USAGES, oid).map_or_else(|| oid.to_string(), str::to_owned);
            usages.iter().map(name).collect::<Vec<_>>().join(", ")
        })
    } else if *oid == oid::BASIC_CONSTRAINTS {
        BasicConstraints::parse(value).ok().map(|constraints| {
            let length =
                constraints.path_length.map_or(String::new(), |length| format!(", path length {length}"));
            format!("{}{length}", if constraints.is_ca { "a CA" } else { "no CA" })
        })
    } else if *oid == oid::SUBJECT_ALT_NAME {
        GeneralNames::parse(value).ok().map(|names| {
            let mut texts: Vec<String> = names.names.iter().map(ToString::to_string).collect();
            texts.extend(names.others.iter().map(|other| hex::encode(other)));
            texts.join(", ")
        })
    } else if *oid == oid::SUBJECT_KEY_IDENTIFIER {
        // OCTET STRING of less than 128 octets.
        value.get(2..).map(hex::encode)
    } else if *oid == oid::STEP_PROVISIONER {
        Provisioner::parse(value).ok().map(|provisioner| provisioner.name)
    } else {
        extension::utf8_text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_words() {
        let check = |oid: &str, value: &[u8], expected: &str| {
            let extension = Extension::new(Oid::parse(oid).unwrap(), false, value.to_vec());
            assert_eq!(extension_value(&extension).unwrap_or_else(|| hex::encode(value)), expected);
        };
        check("2.5.29.15", &[3, 2, 5, 0xa0], "digitalSignature, keyEncipherment");
        check("2.5.29.37", &[0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0], "any");
        check("2.5.29.19", &[0x30, 0], "no CA");
        check("2.5.29.17", &[0x30, 3, 0x82, 1, b'a'], "a");
        check("2.5.29.14", &[4, 2, 0xab, 0xcd], "abcd");
        check("1.2.3", &[0x0c, 2, b'h', b'i'], "hi");
        check("1.2.3", &[0x0c, 3, b'h', b'i'], "0c036869");
        check("2.5.29.15", &[5, 0], "0500");
    }

    #[test]
    fn subjects_keep_their_order() {
        assert_eq!(subject(name::EMPTY), "(empty)");
        let mut named = name::Subject::from_common_name("a");
        named.organization = vec!["b".to_owned()];
        assert_eq!(subject(&named.to_der().unwrap()), "O=b, CN=a");
    }
}
