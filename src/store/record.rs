//! What a store keeps and what it is asked to keep: plain data.

use crate::store::AuditEvent;
use crate::x509::certificate::Certificate;
use crate::x509::serial::SerialNumber;

/// What makes a token the same token again: a SHA-256 over its provisioner and `jti`, or over its provisioner, header
/// and payload if it has no `jti` (CONTRACT.md D7). The token room computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenKey(pub [u8; 32]);

/// A token that may not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentToken {
    /// Which token.
    pub key: TokenKey,
    /// Unix seconds until which the token passes the check of its times: its `exp` plus the leeway. From the next
    /// second on [`Store::prune`](crate::store::Store::prune) may forget it (CONTRACT.md D22).
    pub expires_at: i64,
    /// Its `iat`, Unix seconds: tells tokens from after a loss of records from those before.
    pub issued_at: Option<i64>,
}

/// An issued certificate and who got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Serial number; unique in a store.
    pub serial: SerialNumber,
    /// The whole certificate, DER.
    pub der: Vec<u8>,
    /// Start of the validity, Unix seconds.
    pub not_before: i64,
    /// End of the validity, Unix seconds.
    pub not_after: i64,
    /// The subject, as text for people.
    pub subject: String,
    /// Name of the provisioner that authorized it.
    pub provisioner: String,
    /// Id of that provisioner: `<name>:<kid>`.
    pub provisioner_id: String,
    /// The grant it was issued under (extension 1.3.6.1.4.1.99999.1), a UUID as text.
    pub grant_id: Option<String>,
    /// The user the grant was given to (extension 1.3.6.1.4.1.99999.2), a UUID as text.
    pub subject_user_id: Option<String>,
    /// When it was signed, Unix seconds.
    pub issued_at: i64,
    /// Id of the request, as in `X-Request-Id`.
    pub request_id: String,
}

/// A certificate that may not be renewed any more, and who said so (CONTRACT.md section 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Serial number; revoked once at most. It need not be one of a certificate on record, and may be negative.
    pub serial: SerialNumber,
    /// When, Unix seconds.
    pub revoked_at: i64,
    /// CRLReason of RFC 5280 §5.3.1, 0 to 10.
    pub reason_code: u8,
    /// The reason, as text for people.
    pub reason: String,
    /// End of the certificate's validity, Unix seconds; `None` if nobody knows.
    pub expires_at: Option<i64>,
    /// Id of the provisioner whose token asked for it, `<name>:<kid>`; `None` if the certificate's own key did.
    pub provisioner_id: Option<String>,
    /// Id of the request, as in `X-Request-Id`.
    pub request_id: String,
}

/// A certificate revocation list as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlRecord {
    /// CRL number (RFC 5280 §5.2.3), from 0 up.
    pub number: i64,
    /// When it was issued, Unix seconds.
    pub this_update: i64,
    /// When the next one is due at the latest, Unix seconds.
    pub next_update: i64,
    /// The whole list, DER.
    pub der: Vec<u8>,
}

/// The certificate in whose place another one is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// Its serial number; it must not be revoked.
    pub serial: SerialNumber,
    /// Whether the new certificate has another key.
    pub rekeyed: bool,
}

/// What is to be recorded in one transaction.
///
/// The audit log gets an event of the revocation, one of the certificate, and the [`event`](Self::event), in this
/// order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// The token that is used up.
    pub token: Option<SpentToken>,
    /// The certificate that is revoked.
    pub revocation: Option<Revocation>,
    /// The certificate that is renewed.
    pub renewed: Option<Renewed>,
    /// The certificate that was issued.
    pub certificate: Option<CertificateRecord>,
    /// What else happened: a refusal, a start.
    pub event: Option<AuditEvent>,
}

/// What became of a [`Commit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Outcome {
    /// All of it is recorded.
    Recorded,
    /// The token was used before; nothing was written.
    TokenAlreadySpent,
    /// What is to be revoked, or renewed, is revoked already; nothing was written.
    AlreadyRevoked,
    /// There is a certificate with this serial number; nothing was written.
    SerialExists,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Used tokens that were not pruned yet.
    pub spent_tokens: u64,
    /// Certificates.
    pub certificates: u64,
}

/// Which certificates to list: those that fit all that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The serial number.
    pub serial: Option<SerialNumber>,
    /// The grant's id, as it is recorded.
    pub grant_id: Option<String>,
    /// The id of the grant's user, as it is recorded.
    pub subject_user_id: Option<String>,
    /// Valid until then or later, Unix seconds.
    pub expiring_from: Option<i64>,
    /// Valid until before then, Unix seconds.
    pub expiring_before: Option<i64>,
    /// Text that the subject or one of the names has in it, in whatever case.
    pub name: Option<String>,
    /// Revoked ones only.
    pub revoked: bool,
    /// Which come first.
    pub order: Order,
}

/// The order of a list of certificates. Those that were revoked without being on record come last in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// Those that expire first.
    Expiry,
}

impl Filter {
    /// Whether a certificate has the [`name`](Self::name), if there is one.
    pub(super) fn is_named(&self, certificate: &CertificateRecord) -> bool {
        let Some(name) = &self.name else { return true };
        let name = name.to_lowercase();
        certificate.subject.to_lowercase().contains(&name)
            || Certificate::parse(&certificate.der).is_ok_and(|certificate| {
                let names = &certificate.subject_alt_names().names;
                names.iter().any(|other| other.to_string().to_lowercase().contains(&name))
            })
    }

    /// Whether revocations of certificates that are not on record can fit: nobody knows their grants and names.
    pub(super) fn takes_unrecorded(&self) -> bool {
        self.grant_id.is_none() && self.subject_user_id.is_none() && self.name.is_none()
    }
}

/// A certificate on record, or a revocation of one that is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The serial number.
    pub serial: SerialNumber,
    /// The certificate; `None` if it was revoked without being on record.
    pub certificate: Option<CertificateRecord>,
    /// Its revocation.
    pub revocation: Option<Revocation>,
}
