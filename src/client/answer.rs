//! Checks an answer of `/sign` against what was asked for.

use thiserror::Error;
use time::Duration;
use time::OffsetDateTime;

use crate::crypto::PublicKey;
use crate::profile::GrantOids;
use crate::wire::SignResponse;
use crate::x509::certificate::Certificate;
use crate::x509::extension;
use crate::x509::oid::Oid;
use crate::x509::pem;
use crate::x509::san;
use crate::x509::san::San;

/// How far the clocks of client and authority may differ.
const LEEWAY: Duration = Duration::minutes(1);

/// The certificate is not what was asked for; nothing of it is to be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// There is no certificate in the answer.
    #[error("the answer holds no certificate")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate of the answer cannot be read: {0}")]
    Unreadable(String),
    /// The certificate does not chain to the pinned root.
    #[error("the certificate does not chain to the pinned root: {0}")]
    Chain(&'static str),
    /// The certificate is for another key.
    #[error("the certificate is for another key than the request")]
    Key,
    /// The certificate has other names.
    #[error("the certificate is for {got:?}, not for {want:?}")]
    Names {
        /// The names in the certificate.
        got: Vec<String>,
        /// The names asked for.
        want: Vec<String>,
    },
    /// The certificate is not valid now.
    #[error("the certificate is not valid now")]
    Validity,
    /// The certificate does not end when it was asked to.
    #[error("the certificate ends at {got}, not at {want} as asked for")]
    Lifetime {
        /// The end in the certificate.
        got: OffsetDateTime,
        /// The end asked for.
        want: OffsetDateTime,
    },
    /// A grant extension is missing or has another value.
    #[error("the certificate lacks extension {oid} with the id {id}")]
    Extension {
        /// The extension.
        oid: Oid,
        /// The id asked for.
        id: String,
    },
}

/// What an answer has to be.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The pinned roots.
    pub roots: &'a [Certificate],
    /// The key of the request.
    pub public_key: &'a PublicKey,
    /// The names of the token.
    pub names: &'a [String],
    /// Extensions that have to hold an id as a UTF8String.
    pub ids: &'a [(Oid, String)],
    /// The present time.
    pub now: OffsetDateTime,
}

/// A certificate that is what was asked for.
#[derive(Debug)]
pub struct Received {
    /// The certificate.
    pub certificate: Certificate,
    /// The certificate as PEM.
    pub certificate_pem: String,
    /// The certificate and the intermediates as PEM.
    pub chain_pem: String,
}

impl AnswerError {
    /// Whether a certificate ends `ttl` after it was issued, some time between two instants.
    pub(super) fn check_lifetime(
        asked_at: OffsetDateTime,
        answered_at: OffsetDateTime,
        ttl: std::time::Duration,
        not_after: OffsetDateTime,
    ) -> Result<(), Self> {
        let fits = not_after >= asked_at + ttl - LEEWAY && not_after <= answered_at + ttl + LEEWAY;
        if fits { Ok(()) } else { Err(Self::Lifetime { got: not_after, want: asked_at + ttl }) }
    }
}

impl Expected<'_> {
    /// The names of a certificate that is to be renewed.
    #[must_use]
    pub fn names_of(old: &Certificate) -> Vec<String> {
        old.subject_alt_names().names.iter().map(ToString::to_string).collect()
    }

    /// The grant ids of a certificate that is to be renewed; none if it is no grant.
    #[must_use]
    pub fn ids_of(old: &Certificate, oids: &GrantOids) -> Vec<(Oid, String)> {
        let id = |oid: &Oid| Some((oid.clone(), extension::utf8_text(&old.extension(oid)?.value)?));
        [&oids.grant_id, &oids.subject_user_id].into_iter().filter_map(id).collect()
    }

    /// Checks chain, key, names, validity and extensions.
    ///
    /// Without `certChain` the chain is `crt` and `ca`, without `ca` it is `crt` alone.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for the first thing that is not as asked.
    pub fn check(&self, answer: &SignResponse) -> Result<Received, AnswerError> {
        let mut texts: Vec<&str> = answer.cert_chain.iter().map(String::as_str).collect();
        if texts.is_empty() {
            texts = [answer.crt.as_str(), answer.ca.as_str()].into_iter().filter(|t| !t.is_empty()).collect();
        }
        let chain = texts.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
        let mut chain = chain.into_iter();
        let certificate = chain.next().ok_or(AnswerError::NoCertificate)?;
        if !answer.crt.is_empty() && read(&answer.crt)?.der() != certificate.der() {
            return Err(AnswerError::Chain("crt is not the first certificate of certChain"));
        }
        let intermediates: Vec<Certificate> = chain.collect();
        self.check_chain(&certificate, &intermediates)?;
        if certificate.spki_der() != self.public_key.spki_der() {
            return Err(AnswerError::Key);
        }
        self.check_names(&certificate)?;
        for (oid, id) in self.ids {
            let wanted = extension::utf8_string(oid.clone(), id, false);
            if certificate.extension(oid).is_none_or(|found| found.value != wanted.value) {
                return Err(AnswerError::Extension { oid: oid.clone(), id: id.clone() });
            }
        }
        let leaf_pem = certificate.to_pem();
        let rest: String = intermediates.iter().map(Certificate::to_pem).collect();
        Ok(Received { chain_pem: format!("{leaf_pem}{rest}"), certificate_pem: leaf_pem, certificate })
    }

    fn check_chain(&self, leaf: &Certificate, intermediates: &[Certificate]) -> Result<(), AnswerError> {
        let mut present = leaf;
        for candidate in intermediates.iter().map(Some).chain([None]) {
            if present.not_before() > self.now + LEEWAY || present.not_after() < self.now - LEEWAY {
                return Err(AnswerError::Validity);
            }
            if self.roots.iter().any(|root| issued(root, present)) {
                return Ok(());
            }
            present = match candidate {
                Some(next) if issued(next, present) => next,
                Some(_) => return Err(AnswerError::Chain("a certificate is not signed by the next one")),
                None => return Err(AnswerError::Chain("no certificate is signed by the root")),
            };
        }
        Err(AnswerError::Chain("no certificate is signed by the root"))
    }

    fn check_names(&self, certificate: &Certificate) -> Result<(), AnswerError> {
        let mut got: Vec<San> = certificate.subject_alt_names().names.clone();
        let mut want: Vec<San> = san::classify_all(self.names.iter().map(String::as_str));
        for list in [&mut got, &mut want] {
            list.sort();
            list.dedup();
        }
        if got == want {
            return Ok(());
        }
        let texts = |names: &[San]| names.iter().map(ToString::to_string).collect();
        Err(AnswerError::Names { got: texts(&got), want: texts(&want) })
    }
}

/// Whether `issuer` is a CA that signed `certificate`.
fn issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.is_ca()
        && issuer.subject_der() == certificate.issuer_der()
        && issuer.public_key().is_ok_and(|key| certificate.verify_signature(&key).is_ok())
}

fn read(text: &str) -> Result<Certificate, AnswerError> {
    let block =
        pem::Blocks::new(text.as_bytes()).next().ok_or(AnswerError::Unreadable("no PEM block".to_owned()))?;
    Certificate::parse(&block.content).map_err(|error| AnswerError::Unreadable(error.to_string()))
}
