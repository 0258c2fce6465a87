//! What has been issued, and recorded.

use time::OffsetDateTime;

use crate::authority::grant::Grant;

/// A certificate that is on record and may be handed out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Issued {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The serial number as a decimal number.
    pub serial_number: String,
    /// The token's subject.
    pub subject: String,
    /// The token's `jti`, or the hash under which it is spent if it has none; `None` for a client certificate.
    pub token_id: Option<String>,
    /// The names in the certificate.
    pub names: Vec<String>,
    /// The name of the provisioner.
    pub provisioner: String,
    /// The ids, if it is a grant certificate.
    pub grant: Option<Grant>,
    /// The beginning of the validity.
    pub not_before: OffsetDateTime,
    /// The end of the validity.
    pub not_after: OffsetDateTime,
}
