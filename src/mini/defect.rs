//! Certificates that are wrong in one chosen way, and right in every other.

use time::Duration;

use crate::crypto::PrivateKey;
use crate::mini::Error;
use crate::mini::core::Core;
use crate::x509::certificate::Certificate;
use crate::x509::extension;
use crate::x509::extension::Extension;
use crate::x509::oid;
use crate::x509::san::San;
use crate::x509::tbs;
use crate::x509::tbs::TbsCertificate;

/// What is wrong with a certificate. Everything else stays as the CA made it, its serial number too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// It ended a minute ago, by the CA's clock.
    Expired,
    /// It begins in an hour.
    NotYetValid,
    /// It comes, with its intermediate, from a root that nobody knows.
    OtherIssuer,
    /// It names the right issuer, who did not sign it.
    ForgedSignature,
    /// It is for another key than the one asked for.
    OtherKey,
    /// It is good for signing code only, instead of for TLS servers and clients.
    WrongUsage,
    /// Its only name is `other.invalid`.
    OtherName,
    /// It carries neither grant extension.
    WithoutGrant,
    /// It carries the first grant extension alone.
    HalfGrant,
    /// Its grant id is no UTF8String.
    MalformedGrant,
    /// Its grant id is a UUID of zeros.
    OtherGrant,
}

/// A certificate with a defect, and its issuer if that is another one.
pub(super) struct Spoilt {
    pub(super) der: Vec<u8>,
    pub(super) issuer: Option<Certificate>,
}

impl Defect {
    /// Makes the certificate anew, with the defect.
    pub(super) fn spoil(self, good: &Certificate, core: &Core) -> Result<Spoilt, Error> {
        let now = core.clock.now();
        let (mut not_before, mut not_after) = (good.not_before(), good.not_after());
        let mut public_key = good.public_key()?;
        let mut extensions = good.extensions().to_vec();
        let (mut issuer, mut key) = (&*core.plan.intermediate, &*core.plan.key);
        let grant = core.authority.grant_oids();
        match self {
            Self::Expired => {
                not_after = now - Duration::MINUTE;
                not_before = not_after - Duration::HOUR;
            }
            Self::NotYetValid => {
                not_before = now + Duration::HOUR;
                not_after = not_before + Duration::HOUR;
            }
            Self::OtherIssuer => {
                let stranger = core.stranger()?;
                (issuer, key) = (&stranger.intermediate, &stranger.intermediate_key);
                if let Some(id) = issuer.subject_key_id() {
                    replace(&mut extensions, extension::authority_key_identifier(id));
                }
            }
            Self::ForgedSignature => key = &core.stranger()?.intermediate_key,
            Self::OtherKey => {
                public_key = PrivateKey::generate(public_key.kind(), &*core.source)?.public_key().clone();
                let id = tbs::key_identifier(&public_key);
                replace(&mut extensions, extension::subject_key_identifier(&id));
            }
            Self::WrongUsage => {
                replace(&mut extensions, extension::extended_key_usage(&[oid::CODE_SIGNING]));
            }
            Self::OtherName => {
                let name = San::Dns("other.invalid".to_owned()).to_general_name()?;
                replace(&mut extensions, extension::subject_alt_name(&[name], false));
            }
            Self::WithoutGrant => {
                extensions.retain(|e| e.oid != grant.grant_id && e.oid != grant.subject_user_id);
            }
            Self::HalfGrant => extensions.retain(|e| e.oid != grant.subject_user_id),
            Self::MalformedGrant => {
                replace(
                    &mut extensions,
                    Extension::new(grant.grant_id.clone(), false, b"\x04\x01x".to_vec()),
                );
            }
            Self::OtherGrant => {
                let nobody = "00000000-0000-0000-0000-000000000000";
                replace(&mut extensions, extension::utf8_string(grant.grant_id.clone(), nobody, false));
            }
        }
        let algorithm = key.default_algorithm();
        let tbs_certificate = TbsCertificate {
            serial_number: good.serial_number(),
            signature_algorithm: algorithm,
            issuer: issuer.subject_der(),
            not_before,
            not_after,
            subject: good.subject_der(),
            public_key: &public_key,
            extensions: &extensions,
        };
        let issuer = (self == Self::OtherIssuer).then(|| issuer.clone());
        Ok(Spoilt { der: tbs::sign(&tbs_certificate.to_der()?, key, algorithm)?, issuer })
    }
}

/// Puts an extension in the place of the one of its type, or last.
fn replace(extensions: &mut Vec<Extension>, with: Extension) {
    match extensions.iter_mut().find(|extension| extension.oid == with.oid) {
        Some(extension) => *extension = with,
        None => extensions.push(with),
    }
}
