//! Certification requests, made by another crate than the one under test.

use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use sha2::Digest as _;
use sha2::Sha256;

/// A request with its key.
#[derive(Debug)]
pub(crate) struct Csr {
    /// The request, PEM.
    pub(crate) pem: String,
    /// The request, DER.
    pub(crate) der: Vec<u8>,
    /// The private key, PKCS#8 PEM.
    pub(crate) key_pem: String,
}

impl Csr {
    /// A request with a fresh P-256 key, `common_name`, and `names` as subject alternative names.
    pub(crate) fn new(common_name: &str, names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names are IA5 strings");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let csr = params.serialize_request(&key).expect("a request can be made");
        Self {
            pem: csr.pem().expect("a request has a PEM form"),
            der: csr.der().to_vec(),
            key_pem: key.serialize_pem(),
        }
    }

    /// SHA-256 of the DER, as `step.sha` carries it: lower-case hexadecimal.
    pub(crate) fn sha256_hex(&self) -> String {
        hex(&Sha256::digest(&self.der))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
