//! The block ciphers of key files, all in CBC mode with PKCS#7 padding.

use aes::cipher::BlockModeDecrypt;
use aes::cipher::BlockModeEncrypt;
use aes::cipher::KeyIvInit;
use aes::cipher::block_padding::Pkcs7;
use zeroize::Zeroizing;

/// A cipher with its key length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Cipher {
    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    /// Bytes of a block and of the initialization vector.
    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::TripleDes => 8,
            _ => 16,
        }
    }

    /// `None` if a length or the padding is wrong, as with a wrong password.
    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        macro_rules! decrypt {
            ($cipher:ty) => {
                cbc::Decryptor::<$cipher>::new_from_slices(key, iv)
                    .ok()?
                    .decrypt_padded_vec::<Pkcs7>(data)
                    .ok()
                    .map(Zeroizing::new)
            };
        }
        match self {
            Self::Aes128 => decrypt!(aes::Aes128),
            Self::Aes192 => decrypt!(aes::Aes192),
            Self::Aes256 => decrypt!(aes::Aes256),
            Self::TripleDes => decrypt!(des::TdesEde3),
        }
    }

    /// `None` if a length is wrong.
    pub(crate) fn encrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        macro_rules! encrypt {
            ($cipher:ty) => {
                Some(
                    cbc::Encryptor::<$cipher>::new_from_slices(key, iv)
                        .ok()?
                        .encrypt_padded_vec::<Pkcs7>(data),
                )
            };
        }
        match self {
            Self::Aes128 => encrypt!(aes::Aes128),
            Self::Aes192 => encrypt!(aes::Aes192),
            Self::Aes256 => encrypt!(aes::Aes256),
            Self::TripleDes => encrypt!(des::TdesEde3),
        }
    }
}
