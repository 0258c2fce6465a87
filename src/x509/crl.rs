//! Certificate revocation lists, written (RFC 5280 §5), in the profile of step-ca.
//!
//! Version 2, complete, issued by whom the certificates are issued by. CONTRACT.md section 10.

use ::time::OffsetDateTime;

use crate::crypto::SignatureAlgorithm;
use crate::x509::element;
use crate::x509::encode;
use crate::x509::error::Error;
use crate::x509::extension;
use crate::x509::extension::Extension;
use crate::x509::oid;
use crate::x509::serial::SerialNumber;
use crate::x509::time;

/// One entry of a list (RFC 5280 §5.1.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// The serial number.
    pub serial_number: SerialNumber,
    /// When it was revoked; fractions of seconds are cut.
    pub revocation_date: OffsetDateTime,
    /// The CRLReason (RFC 5280 §5.3.1); 0, unspecified, is left out as the RFC asks.
    pub reason_code: u8,
}

/// Everything that stands in a TBSCertList.
#[derive(Debug, Clone, Copy)]
pub struct TbsCertList<'a> {
    /// The algorithm the issuer will sign with.
    pub signature_algorithm: SignatureAlgorithm,
    /// The DER of the issuer's name: the subject of its certificate.
    pub issuer: &'a [u8],
    /// When it is issued; fractions of seconds are cut.
    pub this_update: OffsetDateTime,
    /// When the next one is issued at the latest.
    pub next_update: OffsetDateTime,
    /// The entries, in order.
    pub revoked_certificates: &'a [RevokedCertificate],
    /// The issuer's subject key identifier.
    pub authority_key_id: Option<&'a [u8]>,
    /// The CRL number, not negative.
    pub number: i64,
    /// The URI of the issuing distribution point.
    pub distribution_point: &'a str,
}

impl TbsCertList<'_> {
    /// Writes it; [`assemble`](crate::x509::tbs::assemble) makes a CRL of it.
    ///
    /// # Errors
    ///
    /// [`Error::Year`] for a time without form, [`Error::NotAscii`] for the distribution point.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let mut members = vec![
            // Version 2 is written as 1.
            encode::integer(1),
            self.signature_algorithm.algorithm_identifier().to_vec(),
            self.issuer.to_vec(),
            time::to_der(self.this_update)?,
            time::to_der(self.next_update)?,
        ];
        if !self.revoked_certificates.is_empty() {
            let entries = self.revoked_certificates.iter().map(RevokedCertificate::to_der);
            members.push(encode::sequence(&entries.collect::<Result<Vec<_>, _>>()?));
        }
        let mut extensions = Vec::from_iter(self.authority_key_id.map(extension::authority_key_identifier));
        extensions.push(Extension::new(oid::CRL_NUMBER, false, encode::integer(self.number)));
        extensions.push(extension::issuing_distribution_point(self.distribution_point)?);
        let extensions: Vec<_> = extensions.iter().map(Extension::to_der).collect();
        members.push(encode::explicit(0, &encode::sequence(&extensions)));
        Ok(encode::sequence(&members))
    }
}

impl RevokedCertificate {
    fn to_der(&self) -> Result<Vec<u8>, Error> {
        let mut members = vec![
            encode::element(element::INTEGER, self.serial_number.content()),
            time::to_der(self.revocation_date)?,
        ];
        if self.reason_code != 0 {
            let value = encode::element(element::ENUMERATED, &[self.reason_code]);
            let reason = Extension::new(oid::CRL_REASON, false, value);
            members.push(encode::sequence(&[reason.to_der()]));
        }
        Ok(encode::sequence(&members))
    }
}

#[cfg(test)]
mod tests {
    use ::time::macros::datetime;

    use super::*;
    use crate::x509::name;

    const HEAD: &str = "020101 300a06082a8648ce3d040302 3000 170d3236313132343030333632375a \
                        180f32303530303130313030303030305a";
    const EXTENSIONS: &str = "a036 3034 300c0603551d23 0405 30038001ab 300b0603551d14 0404 02020080 \
                              30170603551d1c 0101ff 040d 300ba009a0078605 687474703a";

    fn check(revoked_certificates: &[RevokedCertificate], entries: &str) {
        let list = TbsCertList {
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: name::EMPTY,
            this_update: datetime!(2026-11-24 0:36:27.9 UTC),
            next_update: datetime!(2050-01-01 0:00 UTC),
            revoked_certificates,
            authority_key_id: Some(&[0xab]),
            number: 128,
            distribution_point: "http:",
        };
        let hex: String = list.to_der().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let members = format!("{HEAD}{entries}{EXTENSIONS}").replace(' ', "");
        let length = members.len() / 2;
        let header = if length < 128 { format!("30{length:02x}") } else { format!("3081{length:02x}") };
        assert_eq!(hex, format!("{header}{members}"));
    }

    #[test]
    fn entries_and_reasons() {
        let entry = |serial: &str, reason_code| RevokedCertificate {
            serial_number: SerialNumber::parse_signed(serial).unwrap(),
            revocation_date: datetime!(2026-11-24 0:36:27 UTC),
            reason_code,
        };
        let date = "170d3236313132343030333632375a";
        check(&[], "");
        check(
            &[entry("89", 0), entry("-1", 1), entry("128", 10)],
            &format!(
                "30593012020159{date}3020 0201ff{date}300c300a0603551d1504030a0101\
                 302102020080{date}300c300a0603551d1504030a010a"
            )
            .replace(' ', ""),
        );
    }
}
