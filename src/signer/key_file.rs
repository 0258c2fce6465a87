//! Key files as step-ca reads and writes them, CONTRACT.md section 11.

use der::Decode;
use der::asn1::AnyRef;
use zeroize::Zeroizing;

use crate::crypto::KeyKind;
use crate::crypto::PrivateKey;
use crate::entropy::Entropy;
use crate::signer::Error;
use crate::signer::legacy;
use crate::signer::legacy::Failure;
use crate::signer::pkcs8;
use crate::x509::pem;
use crate::x509::pem::Block;
use crate::x509::pem::Blocks;

/// Reads a private key: one PEM block with a SEC1, PKCS#1 or PKCS#8 key, plain or encrypted.
///
/// Text before the block, CRLF and a byte order mark are fine; after it only white space may follow.
/// Encryption: by PEM headers with AES-CBC or triple DES, or PBES2 with PBKDF2, HMAC-SHA1 or
/// HMAC-SHA256, and the same ciphers. The password is used as it is. `name` is put into errors.
///
/// # Errors
///
/// As [`enum@Error`] lists them, in step-ca's words where it has some.
/// # Examples
///
/// ```
/// use stepless::crypto::{KeyKind, PrivateKey};
/// use stepless::entropy::SystemEntropy;
/// use stepless::signer::key_file;
///
/// let entropy = SystemEntropy::new();
/// let key = PrivateKey::generate(KeyKind::P256, &entropy)?;
/// let text = key_file::encode_encrypted(&key, b"password", &entropy)?;
/// assert!(key_file::needs_password(text.as_bytes()));
/// let same = key_file::decode(text.as_bytes(), Some(b"password"), "ca.key")?;
/// assert_eq!(same.public_key(), key.public_key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(pem: &[u8], password: Option<&[u8]>, name: &str) -> Result<PrivateKey, Error> {
    let block = only_block(pem, name)?;
    let content = decrypted(&block, password, name)?;
    let key = match block.label.as_str() {
        EC => PrivateKey::from_sec1_der(&content),
        RSA => PrivateKey::from_pkcs1_der(&content),
        PKCS8 | ENCRYPTED_PKCS8 => PrivateKey::from_pkcs8_der(&content),
        label => {
            return Err(Error::UnexpectedLabel { name: name.to_owned(), label: label.to_owned() });
        }
    };
    key.map_err(|source| Error::Key { name: name.to_owned(), source })
}

/// Whether [`decode`] will want a password.
#[must_use]
pub fn needs_password(pem: &[u8]) -> bool {
    only_block(pem, "").is_ok_and(|block| is_encrypted(&block))
}

/// Writes a key as `step ca init` does: `EC PRIVATE KEY` or `RSA PRIVATE KEY` encrypted by PEM headers
/// with AES-256-CBC; Ed25519 as `ENCRYPTED PRIVATE KEY` with PBES2 and 600000 iterations.
///
/// # Errors
///
/// [`Error::Write`] without random bytes.
pub fn encode_encrypted(key: &PrivateKey, password: &[u8], entropy: &dyn Entropy) -> Result<String, Error> {
    let (label, der) = own_form(key)?;
    let text = match label {
        PKCS8 => {
            pkcs8::encrypt(&der, password, entropy).map(|content| pem::encode(ENCRYPTED_PKCS8, &content))
        }
        label => legacy::encrypt(label, &der, password, entropy),
    };
    text.ok_or(Error::Write("no random bytes"))
}

/// Writes a key unencrypted: `EC PRIVATE KEY`, `RSA PRIVATE KEY`, or `PRIVATE KEY` for Ed25519.
///
/// # Errors
///
/// [`Error::Write`] if the encoder fails, which it does for no key.
pub fn encode_plain(key: &PrivateKey) -> Result<Zeroizing<String>, Error> {
    let (label, der) = own_form(key)?;
    Ok(Zeroizing::new(pem::encode(label, &der)))
}

fn own_form(key: &PrivateKey) -> Result<(&'static str, Zeroizing<Vec<u8>>), Error> {
    let (label, der) = match key.kind() {
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => (EC, key.to_sec1_der()),
        KeyKind::Rsa => (RSA, key.to_pkcs1_der()),
        KeyKind::Ed25519 => (PKCS8, key.to_pkcs8_der()),
    };
    der.map(|der| (label, der)).map_err(|_| Error::Write("the key cannot be encoded"))
}

fn only_block(pem: &[u8], name: &str) -> Result<Block, Error> {
    let text = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    let not_pem = || Error::NotPem { name: name.to_owned() };
    if text.len() > MAX_LEN {
        return Err(not_pem());
    }
    let mut blocks = Blocks::new(text);
    let block = blocks.next().ok_or_else(not_pem)?;
    if String::from_utf8_lossy(blocks.rest()).trim().is_empty() {
        Ok(block)
    } else {
        Err(Error::MoreThanOneBlock { name: name.to_owned() })
    }
}

fn is_encrypted(block: &Block) -> bool {
    legacy::is_encrypted(block) || block.label == ENCRYPTED_PKCS8
}

fn decrypted(block: &Block, password: Option<&[u8]>, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    if !is_encrypted(block) {
        return Ok(block.content.clone());
    }
    let name = name.to_owned();
    let Some(password) = password else {
        return Err(Error::PasswordNeeded { name });
    };
    let content = if legacy::is_encrypted(block) {
        legacy::decrypt(block, password)
    } else {
        pkcs8::decrypt(&block.content, password)
    };
    match content {
        // One wrong password in 256 leaves good padding; then the content is noise.
        Ok(content) if AnyRef::from_der(&content).is_ok() => Ok(content),
        Ok(_) | Err(Failure::WrongPassword) => Err(Error::WrongPassword { name }),
        Err(Failure::Unsupported(problem)) => Err(Error::UnsupportedEncryption { name, problem }),
    }
}

/// SEC1, RFC 5915 section 4.
const EC: &str = "EC PRIVATE KEY";
/// PKCS#1, RFC 8017 appendix A.1.2.
const RSA: &str = "RSA PRIVATE KEY";
/// PKCS#8, RFC 7468 section 10.
const PKCS8: &str = "PRIVATE KEY";
/// PKCS#8 encrypted, RFC 7468 section 11.
const ENCRYPTED_PKCS8: &str = "ENCRYPTED PRIVATE KEY";
/// An RSA key of 8192 bits takes less than a tenth of it.
const MAX_LEN: usize = 1 << 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto;
    use crate::entropy::SystemEntropy;
    use crate::entropy::Unavailable;

    macro_rules! data {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/data/signer/", $name)).as_slice()
        };
    }

    const SEC1: &[u8] = data!("sec1.pem");
    const PASSWORD: Option<&[u8]> = Some(b"password");

    fn read(pem: &[u8]) -> Result<PrivateKey, Error> {
        decode(pem, PASSWORD, "key.pem")
    }

    fn check_error(pem: &[u8], expected: &str) {
        let error = read(pem).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }

    #[test]
    fn every_form_reads_as_the_same_key() {
        let expected = read(SEC1).unwrap();
        let encrypted = [
            data!("legacy_aes128.pem"),
            data!("legacy_aes192.pem"),
            data!("legacy_aes256.pem"),
            data!("legacy_des3.pem"),
            data!("pbes2_sha1_aes128.pem"),
            data!("pbes2_sha1_des3.pem"),
            data!("pbes2_sha256_aes192.pem"),
            data!("pbes2_sha256_aes256.pem"),
        ];
        for pem in encrypted {
            assert!(needs_password(pem));
            assert_eq!(read(pem).unwrap().public_key(), expected.public_key());
            let wrong = "error decrypting key.pem: x509: decryption password incorrect";
            for password in [&b"Password"[..], b"", b"password\n"] {
                let error = decode(pem, Some(password), "key.pem").err().unwrap();
                assert_eq!(error.to_string(), wrong);
            }
            let error = decode(pem, None, "key.pem").err().unwrap();
            assert_eq!(error.to_string(), "error decrypting key.pem: a password is needed");
        }
        for pem in [SEC1, data!("pkcs8.pem")] {
            assert!(!needs_password(pem));
            let key = decode(pem, None, "key.pem").unwrap();
            assert_eq!(key.public_key(), expected.public_key());
        }
    }

    #[test]
    fn encryptions_that_are_not_read() {
        let check = |pem: &[u8], problem: &str| {
            check_error(pem, &format!("error decrypting key.pem: {problem}"));
        };
        let unknown = "not an EncryptedPrivateKeyInfo with PBES2 and a known cipher";
        check(data!("pbes1.pem"), unknown);
        check(data!("scrypt.pem"), "only PBKDF2 is supported");
        check(data!("pbes2_sha512.pem"), "only HMAC with SHA-1 and SHA-256 is supported");
        check(data!("pbes2_camellia.pem"), unknown);
        check(data!("pbes2_iterations.pem"), "iterations are not between 1 and 10000000");
        check(data!("legacy_camellia128.pem"), "unsupported cipher in DEK-Info header");
        let legacy = String::from_utf8(data!("legacy_aes128.pem").to_vec()).unwrap();
        let malformed = "malformed DEK-Info header";
        check(legacy.replace("AES-128-CBC,", "AES-128-CBC,0").as_bytes(), malformed);
        check(legacy.replace("AES-128-CBC,", "AES-128-CBC,00").as_bytes(), malformed);
        check(legacy.replace("AES-128-CBC,", "AES-128-CBC ").as_bytes(), malformed);
        check(legacy.replace("DEK-Info", "DEK-Inf").as_bytes(), malformed);
    }

    #[test]
    fn around_the_block() {
        let with = |before: &str, after: &str| [before.as_bytes(), SEC1, after.as_bytes()].concat();
        assert!(read(&with("some text\n", "\n \r\n\t")).is_ok());
        assert!(read(&with("\u{feff}", "")).is_ok());
        let crlf = String::from_utf8(SEC1.to_vec()).unwrap().replace('\n', "\r\n");
        assert!(read(crlf.as_bytes()).is_ok());

        let more = "error decoding key.pem: contains more than one PEM encoded block";
        check_error(&with("", "text"), more);
        check_error(&SEC1.repeat(2), more);
        check_error(data!("with_parameters.pem"), more);
        let none = "error decoding key.pem: not a valid PEM encoded block";
        check_error(data!("sec1.der"), none);
        check_error(b"", none);
        check_error(&vec![b' '; 1 << 18], none);
        assert!(!needs_password(b""));
    }

    #[test]
    fn blocks_that_are_no_key() {
        check_error(
            pem::encode("CERTIFICATE", b"x").as_bytes(),
            "error decoding key.pem: contains an unexpected header 'CERTIFICATE'",
        );
        for label in [EC, RSA, PKCS8] {
            check_error(pem::encode(label, b"x").as_bytes(), "error parsing key.pem");
        }
        let short = include_bytes!("../../tests/data/crypto/rsa_1024.pem");
        assert_eq!(
            read(short).err(),
            Some(Error::Key {
                name: "key.pem".to_owned(),
                source: crypto::Error::RsaTooShort { bits: 1024, minimum: 2048 }
            })
        );
    }

    #[test]
    fn written_keys_read_back() {
        let entropy = SystemEntropy::new();
        let rsa = include_bytes!("../../tests/data/crypto/rsa_2048.pem");
        let keys = [(KeyKind::P256, EC), (KeyKind::P384, EC), (KeyKind::P521, EC), (KeyKind::Ed25519, PKCS8)]
            .map(|(kind, label)| (PrivateKey::generate(kind, &entropy).unwrap(), label));
        for (key, label) in keys.into_iter().chain([(read(rsa).unwrap(), RSA)]) {
            let plain = encode_plain(&key).unwrap();
            assert!(plain.starts_with(&format!("-----BEGIN {label}-----\n")));
            assert!(!needs_password(plain.as_bytes()));
            let again = decode(plain.as_bytes(), None, "key.pem").unwrap();
            assert_eq!(again.public_key(), key.public_key());

            let text = encode_encrypted(&key, b"password", &entropy).unwrap();
            assert!(needs_password(text.as_bytes()));
            let again = read(text.as_bytes()).unwrap();
            assert_eq!(again.public_key(), key.public_key());
            let start = match label {
                PKCS8 => "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIG".to_owned(),
                label => format!("-----BEGIN {label}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,"),
            };
            assert!(text.starts_with(&start), "{text}");
        }
    }

    #[test]
    fn noise_with_good_padding_is_a_wrong_password() {
        let text = legacy::encrypt(EC, b"no key", b"password", &SystemEntropy::new()).unwrap();
        check_error(text.as_bytes(), "error decrypting key.pem: x509: decryption password incorrect");
    }

    #[test]
    fn nothing_is_written_without_entropy() {
        #[derive(Debug)]
        struct Empty;
        impl Entropy for Empty {
            fn fill(&self, _: &mut [u8]) -> Result<(), Unavailable> {
                Err(Unavailable)
            }
        }
        for key in [PrivateKey::from_ec_scalar(KeyKind::P256, &[1]), PrivateKey::from_ed25519_seed(&[1; 32])]
        {
            assert_eq!(encode_encrypted(&key.unwrap(), b"", &Empty), Err(Error::Write("no random bytes")));
        }
    }
}
