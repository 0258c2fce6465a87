//! The first contact: a root certificate by its fingerprint, from a server that nothing vouches for yet.

use crate::client::Error;
use crate::client::connection::Call;
use crate::client::connection::Connector;
use crate::hex;
use crate::wire::RootResponse;
use crate::x509::certificate::Certificate;
use crate::x509::pem;

/// Downloads the root certificate whose DER has this SHA-256 from the authority at `url`: `GET /root/{sha}`.
///
/// The server is believed in nothing: the request carries the fingerprint alone, and of the answer only a
/// certificate with that fingerprint comes back.
///
/// # Errors
///
/// [`Error::Fingerprint`] whatever else the server says; [`Error::Url`], [`Error::Connection`], [`Error::Tls`] or
/// [`Error::Timeout`] if there is no answer.
pub async fn fetch_root(url: &str, fingerprint: &[u8; 32]) -> Result<Certificate, Error> {
    let connector = Connector::unverified(url)?;
    let digits = hex::encode(fingerprint);
    let call = Call { method: "GET", path: &format!("/root/{digits}"), body: None, authorization: None };
    let answer = connector.call(&call).await?;
    checked(&answer.body, fingerprint).ok_or(Error::Fingerprint)
}

/// The certificate of the answer, if it is the one.
fn checked(body: &[u8], fingerprint: &[u8; 32]) -> Option<Certificate> {
    let answer: RootResponse = serde_json::from_slice(body).ok()?;
    let block = pem::Blocks::new(answer.ca.as_bytes()).next()?;
    let certificate = Certificate::parse(&block.content).ok()?;
    (certificate.fingerprint() == *fingerprint && certificate.is_ca()).then_some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::crypto::KeyKind;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;
    use crate::x509::hierarchy::CaCertificate;
    use crate::x509::name::Subject;
    use crate::x509::name_constraints::NameConstraints;
    use crate::x509::serial::SerialNumber;

    fn root() -> Certificate {
        let entropy = SystemEntropy::new();
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let draft = CaCertificate {
            subject: Subject::from_common_name("root"),
            path_length: None,
            name_constraints: NameConstraints::default(),
            serial_number: SerialNumber::random(&entropy).unwrap(),
            not_before: now,
            not_after: now,
        };
        let key = PrivateKey::generate(KeyKind::P256, &entropy).unwrap();
        Certificate::parse(&draft.self_signed(&key).unwrap()).unwrap()
    }

    #[test]
    fn only_the_certificate_asked_for_is_taken() {
        let (root, other) = (root(), root());
        let answer = |ca: &str| serde_json::to_vec(&RootResponse { ca: ca.to_owned() }).unwrap();
        let check = |body: &[u8], expected: bool| {
            assert_eq!(checked(body, &root.fingerprint()).is_some(), expected);
        };
        check(&answer(&root.to_pem()), true);
        check(&answer(&other.to_pem()), false);
        // The first block counts.
        check(&answer(&(other.to_pem() + &root.to_pem())), false);
        for bad in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            check(&answer(bad), false);
            check(bad.as_bytes(), false);
        }
    }
}
