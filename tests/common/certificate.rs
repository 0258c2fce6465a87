//! What two certificates for the same request must have in common.
//!
//! The serial number, the signature and the moment of signing are their own; all else is the profile.

use sha2::Digest as _;
use sha2::Sha256;
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;
use x509_cert::der::Encode as _;
use x509_cert::time::Time;

use super::csr::hex;

/// The profile of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// `V3` and so on.
    pub(crate) version: String,
    /// AlgorithmIdentifier, DER in hexadecimal; the one outside the signature equals it.
    pub(crate) signature_algorithm: String,
    /// DER in hexadecimal.
    pub(crate) issuer: String,
    /// DER in hexadecimal.
    pub(crate) subject: String,
    /// Seconds since the epoch.
    pub(crate) not_before: i64,
    /// Seconds since the epoch.
    pub(crate) not_after: i64,
    /// Which of UTCTime and GeneralizedTime each end is.
    pub(crate) time_types: [&'static str; 2],
    /// SHA-256 over the SubjectPublicKeyInfo, in hexadecimal.
    pub(crate) public_key: String,
    /// In order: object identifier, critical, value in hexadecimal.
    pub(crate) extensions: Vec<(String, bool, String)>,
}

impl Profile {
    /// Reads the first certificate in `pem`.
    pub(crate) fn read(pem: &str) -> Self {
        const END: &str = "-----END CERTIFICATE-----";
        let end = pem.find(END).expect("a certificate in PEM") + END.len();
        let certificate = Certificate::from_pem(&pem[..end]).expect("a certificate in PEM");
        let tbs = certificate.tbs_certificate();
        assert_eq!(
            certificate.signature_algorithm(),
            tbs.signature(),
            "both signature algorithms are one (RFC 5280 section 4.1.1.2)"
        );
        let validity = tbs.validity();
        Self {
            version: format!("{:?}", tbs.version()),
            signature_algorithm: hex(&tbs.signature().to_der().expect("it was DER")),
            issuer: hex(&tbs.issuer().to_der().expect("it was DER")),
            subject: hex(&tbs.subject().to_der().expect("it was DER")),
            not_before: seconds(&validity.not_before),
            not_after: seconds(&validity.not_after),
            time_types: [time_type(&validity.not_before), time_type(&validity.not_after)],
            public_key: hex(&Sha256::digest(tbs.subject_public_key_info().to_der().expect("it was DER"))),
            extensions: tbs
                .extensions()
                .map(|extensions| {
                    extensions
                        .iter()
                        .map(|extension| {
                            (
                                extension.extn_id.to_string(),
                                extension.critical,
                                hex(extension.extn_value.as_bytes()),
                            )
                        })
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// The value of an extension in hexadecimal.
    pub(crate) fn extension(&self, oid: &str) -> Option<&str> {
        self.extensions.iter().find(|(other, _, _)| other == oid).map(|(_, _, value)| value.as_str())
    }

    /// What differs from `other`, one line each; times may be `tolerance_seconds` apart.
    pub(crate) fn differences(&self, other: &Self, tolerance_seconds: i64) -> Vec<String> {
        let mut lines = Vec::new();
        let mut check = |what: &str, left: &dyn std::fmt::Debug, right: &dyn std::fmt::Debug| {
            let (left, right) = (format!("{left:?}"), format!("{right:?}"));
            if left != right {
                lines.push(format!("{what}: {left} against {right}"));
            }
        };
        check("version", &self.version, &other.version);
        check("signature algorithm", &self.signature_algorithm, &other.signature_algorithm);
        check("issuer", &self.issuer, &other.issuer);
        check("subject", &self.subject, &other.subject);
        check("time types", &self.time_types, &other.time_types);
        check("public key", &self.public_key, &other.public_key);
        check("extensions", &self.extensions, &other.extensions);
        if self.not_before.abs_diff(other.not_before) > tolerance_seconds.unsigned_abs() {
            check("not before", &self.not_before, &other.not_before);
        }
        if self.not_after.abs_diff(other.not_after) > tolerance_seconds.unsigned_abs() {
            check("not after", &self.not_after, &other.not_after);
        }
        lines
    }
}

fn seconds(time: &Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).expect("years end at 9999")
}

fn time_type(time: &Time) -> &'static str {
    match time {
        Time::UtcTime(_) => "UTCTime",
        Time::GeneralTime(_) => "GeneralizedTime",
    }
}
