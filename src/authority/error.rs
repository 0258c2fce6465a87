//! Why the authority refuses, or cannot start.
//!
//! Every refusal has a stable code; docs/refusals.md lists them with what to do. Which status and sentence
//! a client sees is decided in `http::problem`, and nowhere else.

use crate::authority::crl::CrlError;
use crate::authority::grant::GrantError;
use crate::authority::renew::RenewError;
use crate::authority::request::RequestError;
use crate::authority::revoke::RevokeError;
use crate::authority::validity::ValidityError;
use crate::config;
use crate::policy;
use crate::profile;
use crate::provisioner;
use crate::store;
use crate::token;
use crate::token::binding;
use crate::x509;

/// A request that is not granted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is no signing request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The token does not hold.
    #[error(transparent)]
    Token(#[from] token::Error),
    /// The renew token does not hold.
    #[error("renew token: {0}")]
    RenewToken(#[source] token::Error),
    /// The certificate is not renewed.
    #[error(transparent)]
    Renew(#[from] RenewError),
    /// The certificate is not revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// There is no CRL to be had.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// The token names no provisioner of this authority.
    #[error("no provisioner has the name and key id that the token names")]
    UnknownProvisioner,
    /// The provisioner is off.
    #[error("provisioner {name:?} is off: {reason}")]
    ProvisionerDisabled {
        /// The provisioner.
        name: String,
        /// Why.
        reason: String,
    },
    /// The token was used before.
    #[error("token already used")]
    Replayed,
    /// The provisioner has had its share for now. The token is not spent.
    #[error("provisioner {provisioner:?} has to wait for {} seconds", wait.as_secs_f64())]
    Throttled {
        /// The provisioner.
        provisioner: String,
        /// How long.
        wait: std::time::Duration,
    },
    /// The CSR is not what the token allows.
    #[error(transparent)]
    Csr(#[from] provisioner::RequestError),
    /// No certificate can be drawn up: a claim, the template or its data is at fault.
    #[error(transparent)]
    DrawUp(#[from] provisioner::DraftError),
    /// The draft breaks the grant rule.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The validity asked for is not to be had.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// The issuer's name constraints forbid a name.
    #[error(transparent)]
    NameConstraints(#[from] x509::name_constraints::Violation),
    /// The authority's policy forbids a name.
    #[error(transparent)]
    Policy(#[from] policy::Error),
    /// A name cannot stand in a certificate, or none is there.
    #[error(transparent)]
    Draft(#[from] profile::Error),
    /// The certificate cannot be encoded or signed.
    #[error("signing failed: {0}")]
    Signing(String),
    /// The record could not be made, so nothing was issued.
    #[error("the certificate was not issued, since it could not be recorded: {0}")]
    Store(#[from] store::Error),
    /// The serial number drawn is in use.
    #[error("the serial number drawn is already in use")]
    SerialExists,
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::Unavailable),
}

impl Error {
    /// The stable code of the refusal, such as `token.replayed`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Request(error) => request_code(error),
            Self::Token(error) => token_code(error),
            Self::RenewToken(error) => token_code(error),
            Self::Renew(error) => renew_code(error),
            Self::Revoke(error) => revoke_code(error),
            Self::Crl(CrlError::Off) => "crl.off",
            Self::Crl(CrlError::Issue(_)) => "internal.crl",
            Self::UnknownProvisioner => "provisioner.unknown",
            Self::ProvisionerDisabled { .. } => "provisioner.disabled",
            Self::Replayed => "token.replayed",
            Self::Throttled { .. } => "rate.provisioner",
            Self::Csr(error) => csr_code(error),
            Self::DrawUp(error) => draft_code(error),
            Self::Grant(GrantError::Unbound) => "csr.binding_missing",
            Self::Grant(GrantError::Claim(_)) => "grant.claim_invalid",
            Self::Grant(_) => "grant.extension_mismatch",
            Self::Validity(ValidityError::Past(_)) => "validity.past",
            Self::Validity(ValidityError::Reversed { .. }) => "validity.reversed",
            Self::Validity(ValidityError::TooShort { .. }) => "validity.too_short",
            Self::Validity(ValidityError::TooLong { .. }) => "validity.too_long",
            Self::Validity(
                ValidityError::BeforeCredential { .. } | ValidityError::AfterCredential { .. },
            ) => "validity.outside_credential",
            Self::Validity(ValidityError::OutOfRange) => "validity.out_of_range",
            Self::NameConstraints(_) => "issuer.name_constraints",
            Self::Policy(_) => "policy.name_not_allowed",
            Self::Draft(_) => "certificate.invalid",
            Self::Signing(_) => "internal.signing",
            Self::Store(store::Error::ClockBehind { .. }) => "internal.clock",
            Self::Store(error) if error.is_temporary() => "store.unavailable",
            Self::Store(_) => "internal.store",
            Self::SerialExists => "internal.serial_exists",
            Self::Entropy(_) => "internal.entropy",
        }
    }
}

fn request_code(error: &RequestError) -> &'static str {
    match error {
        RequestError::Json(_) => "request.malformed",
        RequestError::NoPem | RequestError::Csr(_) => "csr.malformed",
        RequestError::SeveralBlocks => "csr.several_blocks",
        RequestError::Time(_) => "request.invalid_time",
        RequestError::MissingCsr => "csr.missing",
        RequestError::InvalidCsr(_) => "csr.signature_invalid",
        RequestError::MissingOtt => "token.missing",
    }
}

fn token_code(error: &token::Error) -> &'static str {
    match error {
        token::Error::Malformed(_) => "token.malformed",
        token::Error::Claims(_) => "token.claims_malformed",
        token::Error::Algorithm(_) => "token.algorithm_mismatch",
        token::Error::Chain(_) => "token.chain_untrusted",
        token::Error::Subject(_) => "token.subject_mismatch",
        token::Error::Signature => "token.signature_invalid",
        token::Error::Issuer(_) => "token.issuer_mismatch",
        token::Error::Audience(_) => "token.audience_mismatch",
        token::Error::NoExpiry => "token.expiry_missing",
        token::Error::Expired(_) => "token.expired",
        token::Error::NotYetValid(_) => "token.not_yet_valid",
        token::Error::IssuedInFuture(_) => "token.issued_in_future",
        token::Error::IssuedBeforeStart { .. } => "token.issued_before_start",
        token::Error::NoSubject => "token.subject_missing",
        token::Error::TokenIdTooLong(_) => "token.jti_too_long",
    }
}

fn renew_code(error: &RenewError) -> &'static str {
    match error {
        RenewError::NoCredential => "renew.credential_missing",
        RenewError::Revoked => "renew.revoked",
        RenewError::UnknownProvisioner => "renew.provisioner_unknown",
        RenewError::Disabled(_) => "renew.disabled",
        RenewError::NotYetValid(_) => "renew.not_yet_valid",
        RenewError::Expired(_) => "renew.expired",
        RenewError::Key(_) => "renew.key_unsupported",
    }
}

fn revoke_code(error: &RevokeError) -> &'static str {
    match error {
        RevokeError::Json(_) => "request.malformed",
        RevokeError::MissingSerial => "revoke.serial_missing",
        RevokeError::Serial(_) => "revoke.serial_invalid",
        RevokeError::ReasonCode(_) => "revoke.reason_out_of_bounds",
        RevokeError::NotPassive => "revoke.not_passive",
        RevokeError::NoCredential => "revoke.credential_missing",
        RevokeError::Subject { .. } => "revoke.subject_mismatch",
        RevokeError::NotOwn { .. } => "revoke.not_own_certificate",
        RevokeError::AlreadyRevoked(_) => "revoke.already_revoked",
        RevokeError::NoDatabase => "revoke.no_database",
    }
}

fn csr_code(error: &provisioner::RequestError) -> &'static str {
    match error {
        provisioner::RequestError::Binding(binding::Error::Mismatch(_)) => "csr.binding_mismatch",
        provisioner::RequestError::Binding(_) => "csr.binding_undecodable",
        provisioner::RequestError::Unbound => "csr.binding_missing",
        provisioner::RequestError::CommonName { .. } => "csr.common_name_mismatch",
        provisioner::RequestError::Key(_) => "csr.key_too_weak",
        provisioner::RequestError::Names { .. } => "csr.names_mismatch",
    }
}

fn draft_code(error: &provisioner::DraftError) -> &'static str {
    match error {
        provisioner::DraftError::Claim(_) => "grant.claim_invalid",
        provisioner::DraftError::TemplateUnusable(_) => "template.unusable",
        provisioner::DraftError::TemplateFailed(_) => "template.failed",
        provisioner::DraftError::RenderRefused(_) => "template.value_refused",
        provisioner::DraftError::UserData(_) => "template.user_data",
        provisioner::DraftError::Document(_) => "template.document",
        _ => "template.error",
    }
}

/// The authority cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The OID arc leaves no room below it.
    #[error("error parsing ca.json: authority.oidArc: {0} is too long")]
    OidArc(String),
    /// CRLs are on, and the issuing certificate does not allow its key to sign them.
    #[error("crl.enabled: the issuing certificate lacks the key usage cRLSign")]
    CrlIssuer,
    /// The configuration does not fit.
    #[error(transparent)]
    Config(#[from] config::Error),
}
