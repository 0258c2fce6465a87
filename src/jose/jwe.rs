//! JWE with a password, RFC 7516 section 7.1 and RFC 7518 sections 4.8 and 5.3.
//!
//! This is how `encryptedKey` of a provisioner is kept. What is written here is read by the step command
//! and the other way round: PBES2-HS256+A128KW with A256GCM (CONTRACT.md section 11).

use std::num::NonZeroU32;

use aes_gcm::AesGcm;
use aes_gcm::aead::Aead;
use aes_gcm::aead::Payload;
use aes_gcm::aead::consts::U12;
use aes_gcm::aes::Aes192;
use aes_kw::KeyInit;
use ring::pbkdf2;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::jose::Error;
use crate::jose::base64url;
use crate::jose::object::Object;

/// Iterations of `step ca init` 0.30.
pub const DEFAULT_ITERATIONS: u32 = 600_000;

/// Encrypts a private JWK with a password, as step does.
///
/// # Errors
///
/// [`Error::NoEntropy`]; [`Error::Member`] for more iterations than are read again.
pub fn encrypt(
    plaintext: &[u8],
    password: &[u8],
    iterations: u32,
    entropy: &dyn Entropy,
) -> Result<String, Error> {
    let iterations = bounded_iterations(u64::from(iterations))?;
    let mut salt = [0; 16];
    let mut content_key = Zeroizing::new([0; 32]);
    let mut nonce = [0; 12];
    entropy
        .fill(&mut salt)
        .and_then(|()| entropy.fill(&mut *content_key))
        .and_then(|()| entropy.fill(&mut nonce))
        .map_err(|_| Error::NoEntropy)?;
    let header = format!(
        r#"{{"alg":"{}","cty":"jwk+json","enc":"{}","p2c":{iterations},"p2s":"{}"}}"#,
        KeyWrap::A128.name(),
        Encryption::A256.name(),
        base64url::encode(&salt),
    );
    let header = base64url::encode(header.as_bytes());

    let wrapping_key = KeyWrap::A128.derive(password, &salt, iterations);
    let wrapped = KeyWrap::A128.wrap(&wrapping_key, &*content_key)?;
    let sealed = Encryption::A256.seal(&*content_key, &nonce, header.as_bytes(), plaintext)?;
    let (ciphertext, tag) = sealed.split_last_chunk::<16>().ok_or(Error::Decryption)?;
    Ok([
        header,
        base64url::encode(&wrapped),
        base64url::encode(&nonce),
        base64url::encode(ciphertext),
        base64url::encode(tag),
    ]
    .join("."))
}

/// The compact form of a flattened JSON serialization (RFC 7516 section 7.2.2); `None` if the object is none.
pub(crate) fn compact_of_flattened(object: &Object) -> Result<Option<String>, Error> {
    let Some(header) = object.text("protected")? else { return Ok(None) };
    let mut compact = header.to_string();
    for name in ["encrypted_key", "iv", "ciphertext", "tag"] {
        let part = object.text(name)?.ok_or(Error::Member { name, problem: "is missing" })?;
        compact.push('.');
        compact.push_str(&part);
    }
    Ok(Some(compact))
}

/// Decrypts a compact JWE with a password: PBES2-HS256+A128KW, PBES2-HS384+A192KW or
/// PBES2-HS512+A256KW, with A128GCM, A192GCM or A256GCM.
///
/// # Errors
///
/// [`Error::Decryption`] for a wrong password or altered data, which cannot be told apart;
/// [`Error::NotCompact`], [`Error::Base64Url`], [`Error::Json`], [`Error::Member`],
/// [`Error::UnknownAlgorithm`] for what cannot be read. More than ten million iterations are refused.
pub fn decrypt(compact: &str, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    if compact.len() > MAX_LEN {
        return Err(Error::NotCompact);
    }
    let mut parts = compact.split('.');
    let mut next = || parts.next().ok_or(Error::NotCompact);
    let [header, wrapped, nonce, ciphertext, tag] = [next()?, next()?, next()?, next()?, next()?];
    if parts.next().is_some() {
        return Err(Error::NotCompact);
    }

    let members = Object::parse(&base64url::decode(header)?)?;
    for name in ["crit", "zip"] {
        if members.member(name).is_some() {
            return Err(Error::Critical(name.to_owned()));
        }
    }
    let algorithm = members.text("alg")?.unwrap_or_default();
    let algorithm =
        KeyWrap::from_name(&algorithm).ok_or_else(|| Error::UnknownAlgorithm(algorithm.to_string()))?;
    let encryption = members.text("enc")?.unwrap_or_default();
    let encryption =
        Encryption::from_name(&encryption).ok_or_else(|| Error::UnknownAlgorithm(encryption.to_string()))?;
    let iterations = members.member("p2c").and_then(|count| count.text().parse().ok());
    let iterations = bounded_iterations(iterations.unwrap_or_default())?;
    let salt = base64url::decode(&members.text("p2s")?.unwrap_or_default())?;
    if salt.is_empty() {
        return Err(Error::Member { name: "p2s", problem: "is missing or empty" });
    }

    let wrapped = base64url::decode(wrapped)?;
    let nonce = base64url::decode(nonce)?;
    let sealed = [base64url::decode(ciphertext)?, base64url::decode(tag)?];
    let nonce = <[u8; 12]>::try_from(nonce).map_err(|_| Error::Decryption)?;
    if sealed[1].len() != 16 || wrapped.len() != encryption.key_len() + 8 {
        return Err(Error::Decryption);
    }

    let wrapping_key = algorithm.derive(password, &salt, iterations);
    let content_key = algorithm.unwrap(&wrapping_key, &wrapped)?;
    encryption.open(&content_key, &nonce, header.as_bytes(), &sealed.concat())
}

fn bounded_iterations(iterations: u64) -> Result<NonZeroU32, Error> {
    u32::try_from(iterations)
        .ok()
        .filter(|iterations| *iterations <= MAX_ITERATIONS)
        .and_then(NonZeroU32::new)
        .ok_or(Error::Member { name: "p2c", problem: "is not between 1 and 10000000" })
}

/// The password-based key encryptions, RFC 7518 section 4.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyWrap {
    A128,
    A192,
    A256,
}

impl KeyWrap {
    fn from_name(name: &str) -> Option<Self> {
        [Self::A128, Self::A192, Self::A256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::A128 => "PBES2-HS256+A128KW",
            Self::A192 => "PBES2-HS384+A192KW",
            Self::A256 => "PBES2-HS512+A256KW",
        }
    }

    /// The salt is the name of the algorithm, a zero byte, and `p2s` (RFC 7518 section 4.8.1.1).
    fn derive(self, password: &[u8], p2s: &[u8], iterations: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let (hash, len) = match self {
            Self::A128 => (pbkdf2::PBKDF2_HMAC_SHA256, 16),
            Self::A192 => (pbkdf2::PBKDF2_HMAC_SHA384, 24),
            Self::A256 => (pbkdf2::PBKDF2_HMAC_SHA512, 32),
        };
        let salt = [self.name().as_bytes(), &[0], p2s].concat();
        let mut key = Zeroizing::new(vec![0; len]);
        pbkdf2::derive(hash, iterations, &salt, password, &mut key);
        key
    }

    fn wrap(self, key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = vec![0; content_key.len() + 8];
        let wrapped = match self {
            Self::A128 => aes_kw::KwAes128::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.wrap_key(content_key, &mut out).ok()),
            Self::A192 => aes_kw::KwAes192::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.wrap_key(content_key, &mut out).ok()),
            Self::A256 => aes_kw::KwAes256::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.wrap_key(content_key, &mut out).ok()),
        };
        wrapped.map(<[u8]>::to_vec).ok_or(Error::Decryption)
    }

    /// A key of fewer than two blocks is none (RFC 3394 section 2): the cipher's crate unwraps an empty one.
    fn unwrap(self, key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if wrapped.len() < 24 {
            return Err(Error::Decryption);
        }
        let mut out = Zeroizing::new(vec![0; wrapped.len()]);
        let key = match self {
            Self::A128 => aes_kw::KwAes128::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.unwrap_key(wrapped, &mut out).ok()),
            Self::A192 => aes_kw::KwAes192::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.unwrap_key(wrapped, &mut out).ok()),
            Self::A256 => aes_kw::KwAes256::new_from_slice(key)
                .ok()
                .and_then(|kw| kw.unwrap_key(wrapped, &mut out).ok()),
        };
        key.map(|key| Zeroizing::new(key.to_vec())).ok_or(Error::Decryption)
    }
}

/// The content encryptions, AES in Galois/Counter Mode, RFC 7518 section 5.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    A128,
    A192,
    A256,
}

impl Encryption {
    fn from_name(name: &str) -> Option<Self> {
        [Self::A128, Self::A192, Self::A256].into_iter().find(|encryption| encryption.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::A128 => "A128GCM",
            Self::A192 => "A192GCM",
            Self::A256 => "A256GCM",
        }
    }

    fn key_len(self) -> usize {
        match self {
            Self::A128 => 16,
            Self::A192 => 24,
            Self::A256 => 32,
        }
    }

    fn seal(self, key: &[u8], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let payload = Payload { msg: plaintext, aad };
        let nonce = nonce.into();
        match self {
            Self::A128 => {
                aes_gcm::Aes128Gcm::new_from_slice(key).ok().and_then(|gcm| gcm.encrypt(nonce, payload).ok())
            }
            Self::A192 => AesGcm::<Aes192, U12>::new_from_slice(key)
                .ok()
                .and_then(|gcm| gcm.encrypt(nonce, payload).ok()),
            Self::A256 => {
                aes_gcm::Aes256Gcm::new_from_slice(key).ok().and_then(|gcm| gcm.encrypt(nonce, payload).ok())
            }
        }
        .ok_or(Error::Decryption)
    }

    fn open(
        self,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let payload = Payload { msg: sealed, aad };
        let nonce = nonce.into();
        match self {
            Self::A128 => {
                aes_gcm::Aes128Gcm::new_from_slice(key).ok().and_then(|gcm| gcm.decrypt(nonce, payload).ok())
            }
            Self::A192 => AesGcm::<Aes192, U12>::new_from_slice(key)
                .ok()
                .and_then(|gcm| gcm.decrypt(nonce, payload).ok()),
            Self::A256 => {
                aes_gcm::Aes256Gcm::new_from_slice(key).ok().and_then(|gcm| gcm.decrypt(nonce, payload).ok())
            }
        }
        .map(Zeroizing::new)
        .ok_or(Error::Decryption)
    }
}

/// Bounds the time of one guess to seconds; step writes 600000.
const MAX_ITERATIONS: u32 = 10_000_000;
/// A JWE with an RSA key of 16384 bits stays far below.
const MAX_LEN: usize = 1 << 16;

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::entropy::Unavailable;

    /// The `encryptedKey` of a provisioner, made by step 0.30 under [`BY_STEP_PASSWORD`].
    const BY_STEP: &str = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjYwMDAwMCwicDJzIjoiNWIwbFQyaEZKanZDVWgzXzB2bWQ4dyJ9.tRIxKACgkbdqGF_uZ4kmgMjF6IT5D2adRy5e2U0b_KxbD1V7uQPcsw._bZJVnGw0H0iyN6k.pSbKK796jgb8lymbrfWB-mOgbIPeUOsoiB1KEvayh4pRfT5dkh-yxAV6RHO6Flr2-qblprlUhJXXMmW4IhHmJareesOJyIFkZC_L_iooxGuI7qUsv-H5ahr6DrZSCbJwztpx81UO8ZxUthL-Ob9Uq-Mr7oue9i-AaqyqZSPMkguJek01nxwUpak09BOoKdWsaaP1s07AfqxVkbMJp1rxpW94u4Qiucv5N66WKvTagS2ktnGloA3vo6tQM0nc1c_C23CXBXTSSL12nWtR1iwa.NUXeZS_Y-tES8pwn9jVRTg";
    const BY_STEP_PASSWORD: &[u8] = b"stepless-fixture-password";
    const PASSWORD: &[u8] = b"password";

    fn encrypted(plaintext: &[u8]) -> String {
        encrypt(plaintext, PASSWORD, 1000, &SystemEntropy::new()).unwrap()
    }

    #[test]
    fn round_trip() {
        let compact = encrypted(b"secret");
        assert_eq!(decrypt(&compact, PASSWORD).unwrap().as_slice(), b"secret");
        assert_ne!(compact, encrypted(b"secret"));
        let (header, _) = compact.split_once('.').unwrap();
        let header = String::from_utf8(base64url::decode(header).unwrap()).unwrap();
        let start = r#"{"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":1000,"p2s":""#;
        assert!(header.starts_with(start), "{header}");
    }

    #[test]
    fn step_wrote_this() {
        let json = decrypt(BY_STEP, BY_STEP_PASSWORD).unwrap();
        let key = crate::jose::PrivateJwk::parse(&json).unwrap();
        assert_eq!(key.public().key_id(), "rxYNqkU7E6hBqhlopi4ecytyyKOdOnSduvvA_VwJATE");
    }

    #[test]
    fn every_algorithm_and_encryption() {
        let iterations = NonZeroU32::MIN;
        for wrap in [KeyWrap::A128, KeyWrap::A192, KeyWrap::A256] {
            for encryption in [Encryption::A128, Encryption::A192, Encryption::A256] {
                let header = format!(
                    r#"{{"alg":"{}","enc":"{}","p2c":1,"p2s":"AQ"}}"#,
                    wrap.name(),
                    encryption.name()
                );
                let header = base64url::encode(header.as_bytes());
                let content_key = vec![5; encryption.key_len()];
                let wrapped = wrap.wrap(&wrap.derive(PASSWORD, &[1], iterations), &content_key).unwrap();
                let sealed = encryption.seal(&content_key, &[0; 12], header.as_bytes(), b"x").unwrap();
                let compact = [
                    header,
                    base64url::encode(&wrapped),
                    base64url::encode(&[0; 12]),
                    base64url::encode(&sealed[..1]),
                    base64url::encode(&sealed[1..]),
                ]
                .join(".");
                assert_eq!(decrypt(&compact, PASSWORD).unwrap().as_slice(), b"x");
            }
        }
    }

    #[test]
    fn wrong_password_and_altered_parts() {
        let compact = encrypted(b"secret");
        assert_eq!(decrypt(&compact, b"Password"), Err(Error::Decryption));
        assert_eq!(decrypt(&compact, b""), Err(Error::Decryption));
        let parts: Vec<_> = compact.split('.').collect();
        for altered in 1..5 {
            let mut parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
            let mut bytes = base64url::decode(&parts[altered]).unwrap();
            bytes[0] ^= 1;
            parts[altered] = base64url::encode(&bytes);
            assert_eq!(decrypt(&parts.join("."), PASSWORD), Err(Error::Decryption));
            parts[altered] = base64url::encode(&bytes[1..]);
            assert_eq!(decrypt(&parts.join("."), PASSWORD), Err(Error::Decryption));
        }
    }

    #[test]
    fn refused_headers() {
        fn check(header: &str, expected: &str) {
            let compact = format!("{}.AA.AA.AA.AA", base64url::encode(header.as_bytes()));
            let error = decrypt(&compact, PASSWORD).err();
            assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected));
        }
        let good = r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":1000,"p2s":"AQ"}"#;
        let iterations = "member \"p2c\" is not between 1 and 10000000";
        check(good, "cannot decrypt: wrong password or altered data");
        check(&good.replace("PBES2-HS256+A128KW", "dir"), "unknown algorithm \"dir\"");
        check(&good.replace("A256GCM", "A128CBC-HS256"), "unknown algorithm \"A128CBC-HS256\"");
        check(&good.replace("1000", "10000001"), iterations);
        check(&good.replace("1000", "0"), iterations);
        check(&good.replace("1000", "-1"), iterations);
        check(&good.replace("1000", "1.5"), iterations);
        check(&good.replace("\"AQ\"", "\"\""), "member \"p2s\" is missing or empty");
        check(&good.replace("\"AQ\"", "\"AR\""), "not canonical base64url");
        check(
            &good.replace("\"p2s\"", "\"zip\":\"DEF\",\"p2s\""),
            "critical header \"zip\" is not understood",
        );
        check(&good.replace("\"p2s\"", "\"crit\":[],\"p2s\""), "critical header \"crit\" is not understood");
        for compact in ["", "e30.AA.AA.AA", "e30.AA.AA.AA.AA.AA"] {
            assert_eq!(decrypt(compact, PASSWORD), Err(Error::NotCompact));
        }
        assert_eq!(decrypt(&"A".repeat(70_000), PASSWORD), Err(Error::NotCompact));
    }

    #[test]
    fn no_entropy_no_ciphertext() {
        #[derive(Debug)]
        struct None;
        impl Entropy for None {
            fn fill(&self, _: &mut [u8]) -> Result<(), Unavailable> {
                Err(Unavailable)
            }
        }
        let got = encrypt(b"", PASSWORD, 1, &None);
        assert_eq!(got, Err(Error::NoEntropy));
    }
}
