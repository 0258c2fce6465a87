//! The `tls` block of ca.json.
//!
//! Names and versions are checked here; which of them the server can offer is settled where it listens.

use crate::config::Error;
use crate::config::reader::Object;
use crate::wire::TlsOptions;

/// The cipher suites that step-ca recommends where ca.json names none.
const DEFAULT_CIPHER_SUITES: [&str; 2] =
    ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

/// Every name of a suite that step-ca knows. Unknown ones stop the start (CONTRACT.md D23).
const KNOWN_CIPHER_SUITES: [&str; 27] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
];

/// Reads the `tls` member of ca.json and fills in what it leaves out.
pub(crate) fn read(ca_json: &Object<'_>) -> Result<TlsOptions, Error> {
    let mut options = TlsOptions {
        cipher_suites: DEFAULT_CIPHER_SUITES.iter().map(|name| (*name).to_owned()).collect(),
        min_version: 1.2,
        max_version: 1.3,
        renegotiation: false,
    };
    let Some(tls) = ca_json.object("tls")? else { return Ok(options) };
    let suites = tls.strings("cipherSuites")?;
    if let Some(unknown) = suites.iter().find(|name| !KNOWN_CIPHER_SUITES.contains(&name.as_str())) {
        return Err(Error::Value {
            place: tls.place("cipherSuites"),
            reason: format!("cipher suite {unknown:?} is unknown"),
        });
    }
    if !suites.is_empty() {
        options.cipher_suites = suites;
    }
    for (field, slot) in [("minVersion", &mut options.min_version), ("maxVersion", &mut options.max_version)]
    {
        match tls.number(field)? {
            None | Some(0.0) => {}
            Some(version @ (1.0 | 1.1 | 1.2 | 1.3)) => *slot = version,
            Some(other) => {
                return Err(Error::Value {
                    place: tls.place(field),
                    reason: format!("{other} is not a valid tls version"),
                });
            }
        }
    }
    if options.min_version > options.max_version {
        return Err(Error::Invalid("tls minVersion cannot exceed tls maxVersion".to_owned()));
    }
    options.renegotiation = tls.bool("renegotiation")?.unwrap_or(false);
    Ok(options)
}
