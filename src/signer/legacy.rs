//! Encryption by PEM headers, `Proc-Type: 4,ENCRYPTED` and `DEK-Info`, RFC 1421 section 4.6.1.
//!
//! The key comes from one round of MD5, so the password is all that protects such a file. step-ca
//! writes EC and RSA keys this way, and so must be read and written like that (CONTRACT.md section 11).

use md5::Digest;
use md5::Md5;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::hex;
use crate::signer::cipher::Cipher;
use crate::x509::pem;
use crate::x509::pem::Block;

/// Whether the headers say that the content is encrypted.
pub(crate) fn is_encrypted(block: &Block) -> bool {
    block.header("Proc-Type") == Some("4,ENCRYPTED")
}

/// Why decryption failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    WrongPassword,
    Unsupported(&'static str),
}

/// Decrypts the content of a block.
pub(crate) fn decrypt(block: &Block, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (name, iv) = block
        .header("DEK-Info")
        .and_then(|header| header.split_once(','))
        .ok_or(Failure::Unsupported("malformed DEK-Info header"))?;
    let (_, cipher) = CIPHERS
        .into_iter()
        .find(|(known, _)| *known == name)
        .ok_or(Failure::Unsupported("unsupported cipher in DEK-Info header"))?;
    let iv = hex::decode(iv)
        .filter(|iv| iv.len() == cipher.block_len())
        .ok_or(Failure::Unsupported("malformed DEK-Info header"))?;
    let key = derive(cipher, password, &iv);
    cipher.decrypt(&key, &iv, &block.content).ok_or(Failure::WrongPassword)
}

/// Encrypts with AES-256-CBC, as `step ca init` does; `None` without random bytes.
pub(crate) fn encrypt(label: &str, der: &[u8], password: &[u8], entropy: &dyn Entropy) -> Option<String> {
    let mut iv = [0; 16];
    entropy.fill(&mut iv).ok()?;
    let key = derive(Cipher::Aes256, password, &iv);
    let content = Cipher::Aes256.encrypt(&key, &iv, der)?;
    let info = format!("AES-256-CBC,{}", hex::encode(&iv));
    let headers = [("Proc-Type", "4,ENCRYPTED"), ("DEK-Info", info.as_str())];
    Some(pem::encode_with_headers(label, &headers, &content))
}

/// OpenSSL's EVP_BytesToKey with MD5 and one round; the salt is the start of the initialization vector.
fn derive(cipher: Cipher, password: &[u8], iv: &[u8]) -> Zeroizing<Vec<u8>> {
    let salt = iv.get(..8).unwrap_or(iv);
    let mut key = Zeroizing::new(Vec::with_capacity(48));
    let mut last: Zeroizing<Vec<u8>> = Zeroizing::default();
    while key.len() < cipher.key_len() {
        let digest = Md5::new().chain_update(&*last).chain_update(password).chain_update(salt).finalize();
        last = Zeroizing::new(digest.to_vec());
        key.extend_from_slice(&last);
    }
    key.truncate(cipher.key_len());
    key
}

/// Names in DEK-Info. Single DES is not among them.
const CIPHERS: [(&str, Cipher); 4] = [
    ("AES-128-CBC", Cipher::Aes128),
    ("AES-192-CBC", Cipher::Aes192),
    ("AES-256-CBC", Cipher::Aes256),
    ("DES-EDE3-CBC", Cipher::TripleDes),
];
