//! Object identifiers: the type, and the ones stepless knows by name.

use std::borrow::Cow;
use std::fmt;

use crate::x509::error::Error;

/// An object identifier, kept as its DER content octets (X.690 §8.19).
///
/// # Examples
///
/// ```
/// use stepless::x509::oid;
/// use stepless::x509::oid::Oid;
///
/// let parsed = Oid::parse("2.5.29.17").unwrap();
/// assert_eq!(parsed, oid::SUBJECT_ALT_NAME);
/// assert_eq!(parsed.to_string(), "2.5.29.17");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(Cow<'static, [u8]>);

/// The longest content taken; the longest registered identifiers have about 30 octets.
const MAX_CONTENT: usize = 256;

impl Oid {
    const fn constant(content: &'static [u8]) -> Self {
        Self(Cow::Borrowed(content))
    }

    /// Parses dotted decimal: at least two arcs, no sign, no leading zeros, each arc below 2^128.
    ///
    /// # Errors
    ///
    /// [`Error::ObjectIdentifier`] with the text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_arcs(text).ok_or_else(|| Error::ObjectIdentifier(text.chars().take(128).collect()))
    }

    fn parse_arcs(text: &str) -> Option<Self> {
        if text.len() > MAX_CONTENT {
            return None;
        }
        let mut arcs = text.split('.').map(parse_arc);
        let (first, second) = (arcs.next()??, arcs.next()??);
        if first > 2 || (first < 2 && second > 39) {
            return None;
        }
        let mut content = Vec::new();
        push_base_128(&mut content, first.checked_mul(40)?.checked_add(second)?);
        for arc in arcs {
            push_base_128(&mut content, arc?);
        }
        Some(Self(Cow::Owned(content)))
    }

    /// Takes the content octets of a DER OBJECT IDENTIFIER.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if they are none, end inside an arc, hold an arc with needless leading octets or one from
    /// 2^128 up.
    pub fn from_content(content: &[u8]) -> Result<Self, Error> {
        let ends = content.last().is_some_and(|octet| octet & 0x80 == 0);
        let oid = Self(Cow::Owned(content.to_vec()));
        if ends && content.len() <= MAX_CONTENT && oid.components().all(|component| component.is_some()) {
            Ok(oid)
        } else {
            Err(Error::Malformed("OBJECT IDENTIFIER"))
        }
    }

    /// The DER content octets.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.0
    }

    /// Whether every arc is below 2^31.
    ///
    /// step-ca reads the certificates it made and fails on larger arcs in extension, usage and attribute types; only
    /// certificate policies may have them.
    #[must_use]
    pub fn has_small_arcs(&self) -> bool {
        self.components().all(|component| component.is_some_and(|component| component <= i32::MAX as u128))
    }

    /// The numbers in the encoding; the first one holds two arcs. `None` for one that is not in its shortest form.
    fn components(&self) -> impl Iterator<Item = Option<u128>> {
        self.0.split_inclusive(|octet| octet & 0x80 == 0).map(|octets| {
            if octets.first() == Some(&0x80) {
                return None;
            }
            octets
                .iter()
                .try_fold(0_u128, |number, octet| Some(number.checked_mul(128)? | u128::from(octet & 0x7f)))
        })
    }
}

fn parse_arc(text: &str) -> Option<u128> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

fn push_base_128(content: &mut Vec<u8>, number: u128) {
    let mut shift = 126;
    while shift > 0 && number >> shift == 0 {
        shift -= 7;
    }
    while shift > 0 {
        content.push(0x80 | septet(number >> shift));
        shift -= 7;
    }
    content.push(septet(number));
}

const fn septet(number: u128) -> u8 {
    (number & 0x7f) as u8
}

impl fmt::Display for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, component) in self.components().enumerate() {
            // Every way to make an Oid has checked the components.
            let component = component.unwrap_or_default();
            if index == 0 {
                let first = (component / 40).min(2);
                write!(formatter, "{first}.{}", component - first * 40)?;
            } else {
                write!(formatter, ".{component}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Oid({self})")
    }
}

// Attribute types, X.520 §6 and RFC 5280 Appendix A.1.

/// id-at-commonName, 2.5.4.3.
pub const COMMON_NAME: Oid = Oid::constant(&[0x55, 0x04, 0x03]);
/// id-at-serialNumber, 2.5.4.5: the serial number of a device, not of a certificate.
pub const SERIAL_NUMBER: Oid = Oid::constant(&[0x55, 0x04, 0x05]);
/// id-at-countryName, 2.5.4.6.
pub const COUNTRY: Oid = Oid::constant(&[0x55, 0x04, 0x06]);
/// id-at-localityName, 2.5.4.7.
pub const LOCALITY: Oid = Oid::constant(&[0x55, 0x04, 0x07]);
/// id-at-stateOrProvinceName, 2.5.4.8.
pub const PROVINCE: Oid = Oid::constant(&[0x55, 0x04, 0x08]);
/// id-at-streetAddress, 2.5.4.9.
pub const STREET_ADDRESS: Oid = Oid::constant(&[0x55, 0x04, 0x09]);
/// id-at-organizationName, 2.5.4.10.
pub const ORGANIZATION: Oid = Oid::constant(&[0x55, 0x04, 0x0a]);
/// id-at-organizationalUnitName, 2.5.4.11.
pub const ORGANIZATIONAL_UNIT: Oid = Oid::constant(&[0x55, 0x04, 0x0b]);
/// id-at-postalCode, 2.5.4.17.
pub const POSTAL_CODE: Oid = Oid::constant(&[0x55, 0x04, 0x11]);
/// id-emailAddress, 1.2.840.113549.1.9.1, RFC 2985 §5.2.1.
pub const EMAIL_ADDRESS: Oid = Oid::constant(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01]);

// Certificate extensions, RFC 5280 §4.2.

/// id-ce-subjectKeyIdentifier, 2.5.29.14, RFC 5280 §4.2.1.2.
pub const SUBJECT_KEY_IDENTIFIER: Oid = Oid::constant(&[0x55, 0x1d, 0x0e]);
/// id-ce-keyUsage, 2.5.29.15, RFC 5280 §4.2.1.3.
pub const KEY_USAGE: Oid = Oid::constant(&[0x55, 0x1d, 0x0f]);
/// id-ce-subjectAltName, 2.5.29.17, RFC 5280 §4.2.1.6.
pub const SUBJECT_ALT_NAME: Oid = Oid::constant(&[0x55, 0x1d, 0x11]);
/// id-ce-basicConstraints, 2.5.29.19, RFC 5280 §4.2.1.9.
pub const BASIC_CONSTRAINTS: Oid = Oid::constant(&[0x55, 0x1d, 0x13]);
/// id-ce-cRLNumber, 2.5.29.20, RFC 5280 §5.2.3.
pub const CRL_NUMBER: Oid = Oid::constant(&[0x55, 0x1d, 0x14]);
/// id-ce-cRLReasons, 2.5.29.21, RFC 5280 §5.3.1.
pub const CRL_REASON: Oid = Oid::constant(&[0x55, 0x1d, 0x15]);
/// id-ce-issuingDistributionPoint, 2.5.29.28, RFC 5280 §5.2.5.
pub const ISSUING_DISTRIBUTION_POINT: Oid = Oid::constant(&[0x55, 0x1d, 0x1c]);
/// id-ce-nameConstraints, 2.5.29.30, RFC 5280 §4.2.1.10.
pub const NAME_CONSTRAINTS: Oid = Oid::constant(&[0x55, 0x1d, 0x1e]);
/// id-ce-cRLDistributionPoints, 2.5.29.31, RFC 5280 §4.2.1.13.
pub const CRL_DISTRIBUTION_POINTS: Oid = Oid::constant(&[0x55, 0x1d, 0x1f]);
/// id-ce-certificatePolicies, 2.5.29.32, RFC 5280 §4.2.1.4.
pub const CERTIFICATE_POLICIES: Oid = Oid::constant(&[0x55, 0x1d, 0x20]);
/// id-ce-authorityKeyIdentifier, 2.5.29.35, RFC 5280 §4.2.1.1.
pub const AUTHORITY_KEY_IDENTIFIER: Oid = Oid::constant(&[0x55, 0x1d, 0x23]);
/// id-ce-extKeyUsage, 2.5.29.37, RFC 5280 §4.2.1.12.
pub const EXTENDED_KEY_USAGE: Oid = Oid::constant(&[0x55, 0x1d, 0x25]);
/// id-pe-authorityInfoAccess, 1.3.6.1.5.5.7.1.1, RFC 5280 §4.2.2.1.
pub const AUTHORITY_INFO_ACCESS: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01]);
/// step-ca's provisioner extension, 1.3.6.1.4.1.37476.9000.64.1, CONTRACT.md section 6.
pub const STEP_PROVISIONER: Oid =
    Oid::constant(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xa4, 0x64, 0xc6, 0x28, 0x40, 0x01]);

// Access methods, RFC 5280 §4.2.2.1.

/// id-ad-ocsp, 1.3.6.1.5.5.7.48.1.
pub const OCSP: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]);
/// id-ad-caIssuers, 1.3.6.1.5.5.7.48.2.
pub const CA_ISSUERS: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02]);

// Extended key usages, RFC 5280 §4.2.1.12 where no other source is given.

/// anyExtendedKeyUsage, 2.5.29.37.0.
pub const ANY_EXTENDED_KEY_USAGE: Oid = Oid::constant(&[0x55, 0x1d, 0x25, 0x00]);
/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1.
pub const SERVER_AUTH: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]);
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
pub const CLIENT_AUTH: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]);
/// id-kp-codeSigning, 1.3.6.1.5.5.7.3.3.
pub const CODE_SIGNING: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03]);
/// id-kp-emailProtection, 1.3.6.1.5.5.7.3.4.
pub const EMAIL_PROTECTION: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04]);
/// id-kp-ipsecEndSystem, 1.3.6.1.5.5.7.3.5, RFC 2459 §4.2.1.13, given up by RFC 4945 §5.1.3.12.
pub const IPSEC_END_SYSTEM: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x05]);
/// id-kp-ipsecTunnel, 1.3.6.1.5.5.7.3.6, as above.
pub const IPSEC_TUNNEL: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x06]);
/// id-kp-ipsecUser, 1.3.6.1.5.5.7.3.7, as above.
pub const IPSEC_USER: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x07]);
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8.
pub const TIME_STAMPING: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08]);
/// id-kp-OCSPSigning, 1.3.6.1.5.5.7.3.9.
pub const OCSP_SIGNING: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09]);
/// szOID_SERVER_GATED_CRYPTO, 1.3.6.1.4.1.311.10.3.3, Microsoft.
pub const MICROSOFT_SERVER_GATED_CRYPTO: Oid =
    Oid::constant(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0a, 0x03, 0x03]);
/// Netscape server gated crypto, 2.16.840.1.113730.4.1.
pub const NETSCAPE_SERVER_GATED_CRYPTO: Oid =
    Oid::constant(&[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x04, 0x01]);
/// SPC_COMMERCIAL_SP_KEY_PURPOSE_OBJID, 1.3.6.1.4.1.311.2.1.22, Microsoft.
pub const MICROSOFT_COMMERCIAL_CODE_SIGNING: Oid =
    Oid::constant(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x16]);
/// Kernel mode code signing, 1.3.6.1.4.1.311.61.1.1, Microsoft.
pub const MICROSOFT_KERNEL_CODE_SIGNING: Oid =
    Oid::constant(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3d, 0x01, 0x01]);

// Types of other names in a subject alternative name.

/// id-on-permanentIdentifier, 1.3.6.1.5.5.7.8.3, RFC 4043 §2.
pub const PERMANENT_IDENTIFIER: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x03]);
/// id-on-hardwareModuleName, 1.3.6.1.5.5.7.8.4, RFC 4108 §5.
pub const HARDWARE_MODULE_NAME: Oid = Oid::constant(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04]);
/// szOID_NT_PRINCIPAL_NAME, 1.3.6.1.4.1.311.20.2.3, MS-WCCE §2.2.2.7.5.
pub const USER_PRINCIPAL_NAME: Oid =
    Oid::constant(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03]);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[u8]>) {
        let oid = Oid::parse(text);
        assert_eq!(oid.as_ref().ok().map(Oid::content), expected, "{text:?}");
        if let Ok(oid) = oid {
            assert_eq!(oid.to_string(), text);
            assert_eq!(Oid::from_content(oid.content()), Ok(oid));
        }
    }

    #[test]
    fn parses_and_writes() {
        check("1.2.3.4", Some(&[0x2a, 3, 4]));
        check("0.0", Some(&[0]));
        check("0.9.2342.19200300.100.1.1", Some(&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]));
        check("2.999.1", Some(&[0x88, 0x37, 1]));
        check("2.40", Some(&[0x78]));
        check("1.39", Some(&[0x4f]));
    }

    #[test]
    fn takes_arcs_of_128_bits_but_tells_them() {
        let uuid = Oid::parse("2.25.329800735698586629295641978511506172918");
        assert!(uuid.as_ref().is_ok_and(|oid| !oid.has_small_arcs()));
        assert!(uuid.is_ok_and(|oid| oid.to_string() == "2.25.329800735698586629295641978511506172918"));
        assert!(Oid::parse("1.2.2147483647").is_ok_and(|oid| oid.has_small_arcs()));
        assert!(Oid::parse("1.2.2147483648").is_ok_and(|oid| !oid.has_small_arcs()));
        check("2.340282366920938463463374607431768211455", None);
        check("1.2.340282366920938463463374607431768211456", None);
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "", "1", "1.", ".1", "1..2", "3.1", "1.40", "1.2.+3", "1.2.-3", "1.2.03", "1.2.x", " 1.2", "1.2 ",
        ] {
            check(text, None);
        }
        for content in [&[][..], &[0x80], &[0x2a, 0x80, 1], &[0x2a, 0x81], &[0x81; 300]] {
            assert!(Oid::from_content(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn constants_are_what_their_documentation_says() {
        for (oid, text) in [
            (EMAIL_ADDRESS, "1.2.840.113549.1.9.1"),
            (POSTAL_CODE, "2.5.4.17"),
            (AUTHORITY_INFO_ACCESS, "1.3.6.1.5.5.7.1.1"),
            (CA_ISSUERS, "1.3.6.1.5.5.7.48.2"),
            (STEP_PROVISIONER, "1.3.6.1.4.1.37476.9000.64.1"),
            (MICROSOFT_SERVER_GATED_CRYPTO, "1.3.6.1.4.1.311.10.3.3"),
            (NETSCAPE_SERVER_GATED_CRYPTO, "2.16.840.1.113730.4.1"),
            (MICROSOFT_COMMERCIAL_CODE_SIGNING, "1.3.6.1.4.1.311.2.1.22"),
            (MICROSOFT_KERNEL_CODE_SIGNING, "1.3.6.1.4.1.311.61.1.1"),
            (USER_PRINCIPAL_NAME, "1.3.6.1.4.1.311.20.2.3"),
            (HARDWARE_MODULE_NAME, "1.3.6.1.5.5.7.8.4"),
            (ANY_EXTENDED_KEY_USAGE, "2.5.29.37.0"),
        ] {
            assert_eq!(oid.to_string(), text);
        }
    }
}
