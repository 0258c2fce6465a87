//! The names of key usages, extended key usages and signature algorithms in a document.

use crate::crypto::SignatureAlgorithm;
use crate::profile::document::member::Member;
use crate::profile::error::Error;
use crate::x509::extension::KeyUsage;
use crate::x509::oid;
use crate::x509::oid::Oid;

/// Reads `keyUsage`.
pub(super) fn key_usage(member: &Member<'_>) -> Result<KeyUsage, Error> {
    member.strings()?.iter().try_fold(KeyUsage::default(), |usages, (member, name)| {
        let usage = match fold(name).as_str() {
            "digitalsignature" => KeyUsage::DIGITAL_SIGNATURE,
            "contentcommitment" | "nonrepudiation" => KeyUsage::CONTENT_COMMITMENT,
            "keyencipherment" => KeyUsage::KEY_ENCIPHERMENT,
            "dataencipherment" => KeyUsage::DATA_ENCIPHERMENT,
            "keyagreement" => KeyUsage::KEY_AGREEMENT,
            "certsign" => KeyUsage::KEY_CERT_SIGN,
            "crlsign" => KeyUsage::CRL_SIGN,
            "encipheronly" => KeyUsage::ENCIPHER_ONLY,
            "decipheronly" => KeyUsage::DECIPHER_ONLY,
            _ => return Err(member.malformed(format!("{name:?} is not a key usage"))),
        };
        Ok(usages.union(usage))
    })
}

/// Reads `extKeyUsage`, repeats kept.
pub(super) fn extended_key_usage(member: &Member<'_>) -> Result<Vec<Oid>, Error> {
    let usages = member.strings()?.into_iter().map(|(member, name)| {
        Ok(match fold(name).as_str() {
            "any" => oid::ANY_EXTENDED_KEY_USAGE,
            "serverauth" => oid::SERVER_AUTH,
            "clientauth" => oid::CLIENT_AUTH,
            "codesigning" => oid::CODE_SIGNING,
            "emailprotection" => oid::EMAIL_PROTECTION,
            "ipsecendsystem" => oid::IPSEC_END_SYSTEM,
            "ipsectunnel" => oid::IPSEC_TUNNEL,
            "ipsecuser" => oid::IPSEC_USER,
            "timestamping" => oid::TIME_STAMPING,
            "ocspsigning" => oid::OCSP_SIGNING,
            "microsoftservergatedcrypto" => oid::MICROSOFT_SERVER_GATED_CRYPTO,
            "netscapeservergatedcrypto" => oid::NETSCAPE_SERVER_GATED_CRYPTO,
            "microsoftcommercialcodesigning" => oid::MICROSOFT_COMMERCIAL_CODE_SIGNING,
            "microsoftkernelcodesigning" => oid::MICROSOFT_KERNEL_CODE_SIGNING,
            _ => return Err(member.malformed(format!("{name:?} is not an extended key usage"))),
        })
    });
    usages.collect()
}

/// Usage names are compared without letter case and underscores.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// Reads `signatureAlgorithm`; null and an empty string leave the choice to the issuer.
pub(super) fn signature_algorithm(member: &Member<'_>) -> Result<Option<SignatureAlgorithm>, Error> {
    let name = member.string()?.unwrap_or_default();
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "" => return Ok(None),
        "sha256-rsa" => SignatureAlgorithm::RsaSha256,
        "sha384-rsa" => SignatureAlgorithm::RsaSha384,
        "sha512-rsa" => SignatureAlgorithm::RsaSha512,
        "sha256-rsapss" => SignatureAlgorithm::RsaPssSha256,
        "sha384-rsapss" => SignatureAlgorithm::RsaPssSha384,
        "sha512-rsapss" => SignatureAlgorithm::RsaPssSha512,
        "ecdsa-sha256" => SignatureAlgorithm::EcdsaSha256,
        "ecdsa-sha384" => SignatureAlgorithm::EcdsaSha384,
        "ecdsa-sha512" => SignatureAlgorithm::EcdsaSha512,
        "ed25519" => SignatureAlgorithm::Ed25519,
        _ => return Err(member.malformed(format!("{name:?} is not a signature algorithm in use"))),
    }))
}
