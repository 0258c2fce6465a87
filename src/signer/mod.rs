//! Private key files: PKCS#8, SEC1, PKCS#1, plain and encrypted.
//!
//! Works on text; opening files is left to the caller.

mod cipher;
pub mod key_file;
mod legacy;
mod pkcs8;

use thiserror::Error;

use crate::crypto;

/// Why a key file is refused. `name` is what the caller calls the file; the texts are step-ca's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// No PEM block, for example DER.
    #[error("error decoding {name}: not a valid PEM encoded block")]
    NotPem {
        /// The file.
        name: String,
    },
    /// Something other than white space follows the first block.
    #[error("error decoding {name}: contains more than one PEM encoded block")]
    MoreThanOneBlock {
        /// The file.
        name: String,
    },
    /// The block is no private key.
    #[error("error decoding {name}: contains an unexpected header '{label}'")]
    UnexpectedLabel {
        /// The file.
        name: String,
        /// The label of the block.
        label: String,
    },
    /// The key is encrypted and no password was given.
    #[error("error decrypting {name}: a password is needed")]
    PasswordNeeded {
        /// The file.
        name: String,
    },
    /// The password does not open the key.
    #[error("error decrypting {name}: x509: decryption password incorrect")]
    WrongPassword {
        /// The file.
        name: String,
    },
    /// The encryption is none of those read here.
    #[error("error decrypting {name}: {problem}")]
    UnsupportedEncryption {
        /// The file.
        name: String,
        /// What is not read.
        problem: &'static str,
    },
    /// The key itself cannot be read.
    #[error("error parsing {name}")]
    Key {
        /// The file.
        name: String,
        /// The cause.
        #[source]
        source: crypto::Error,
    },
    /// A key could not be written: no random bytes, or no form for it.
    #[error("error encrypting a private key: {0}")]
    Write(&'static str),
}
