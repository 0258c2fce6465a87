//! The certificates in a token's header, whose first one signed it: `x5cInsecure` of renew tokens, `x5c`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::OffsetDateTime;

use crate::crypto;
use crate::jose::VerificationKey;
use crate::jose::jws::UnverifiedJws;
use crate::token::Error as TokenError;
use crate::x509;
use crate::x509::certificate::Certificate;
use crate::x509::extension::KeyUsage;
use crate::x509::oid;
use crate::x509::path;

/// Certificates in a header at most; real chains have two or three.
const MAX_CERTIFICATES: usize = 10;

/// Why the certificates of a token do not vouch for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The header has no such member, or an empty list.
    #[error("header {0:?} is missing or empty")]
    Missing(&'static str),
    /// The member is no list of certificates in base64.
    #[error("header {0:?} is not a list of certificates")]
    Malformed(&'static str),
    /// A certificate cannot be read.
    #[error("certificate {0} of the header cannot be read: {1}")]
    Certificate(usize, #[source] x509::error::Error),
    /// The list is longer than any real chain.
    #[error("header holds more than {MAX_CERTIFICATES} certificates")]
    TooLong,
    /// The chain leads to no trust anchor.
    #[error("error verifying the certificate chain: {0}")]
    Path(#[from] path::Error),
    /// The certificate's key may not sign tokens.
    #[error("certificate of the token cannot be used for digital signature")]
    NoDigitalSignature,
    /// The certificate's key is of no use.
    #[error("key of the certificate: {0}")]
    Key(#[source] crypto::Error),
}

/// A chain as it stands in a header; nothing in it is to be believed.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) end_entity: Certificate,
    others: Vec<Certificate>,
}

impl Chain {
    /// Reads the header's member `name`: base64 of DER, the end entity first (RFC 7515 section 4.1.6).
    pub(super) fn read(jws: &UnverifiedJws, name: &'static str) -> Result<Self, ChainError> {
        let items = match jws.header().member(name) {
            None => return Err(ChainError::Missing(name)),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(ChainError::Malformed(name)),
        };
        if items.len() > MAX_CERTIFICATES {
            return Err(ChainError::TooLong);
        }
        let read = |(index, item): (usize, &Value)| {
            let der = item.as_str().and_then(|text| STANDARD.decode(text).ok());
            let der = der.ok_or(ChainError::Malformed(name))?;
            Certificate::parse(&der).map_err(|error| ChainError::Certificate(index, error))
        };
        let mut certificates = items.iter().enumerate().map(read);
        let end_entity = certificates.next().ok_or(ChainError::Missing(name))??;
        Ok(Self { end_entity, others: certificates.collect::<Result<_, _>>()? })
    }

    /// Checks that the chain leads to an anchor at the time `at`, and that its end entity signed the token.
    pub(super) fn authenticate(
        &self,
        jws: &UnverifiedJws,
        anchors: &[Arc<Certificate>],
        at: OffsetDateTime,
    ) -> Result<(), TokenError> {
        let rules = path::Rules { anchors, at, usage: &oid::CLIENT_AUTH };
        rules.verify(&self.end_entity, &self.others).map_err(ChainError::Path)?;
        // Without the extension there is no such usage: so step-ca reads it.
        if !self.end_entity.key_usage().is_some_and(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
            return Err(ChainError::NoDigitalSignature.into());
        }
        let key = VerificationKey::Public(self.end_entity.public_key().map_err(ChainError::Key)?);
        let algorithm = jws.header().algorithm().map_err(TokenError::Algorithm)?;
        key.verify(algorithm, jws.signing_input(), jws.signature()).map_err(TokenError::from_jose)
    }
}
