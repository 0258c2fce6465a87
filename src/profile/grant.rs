//! The federation profile's own names: two claims, and the two extensions that carry them.

use crate::x509::oid::Oid;

/// The claim that becomes the first extension below the arc.
pub const GRANT_ID: &str = "mosaic_grant_id";

/// The claim that becomes the second one.
pub const SUBJECT_USER_ID: &str = "mosaic_subject_user_id";

/// The two grant extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantOids {
    /// `<arc>.1`, the grant's id.
    pub grant_id: Oid,
    /// `<arc>.2`, the id of the user that the grant is for.
    pub subject_user_id: Oid,
}

impl GrantOids {
    /// The extensions below an arc in dotted form; `None` if it is none, or too long.
    #[must_use]
    pub fn parse(arc: &str) -> Option<Self> {
        Self::below(&Oid::parse(arc).ok()?)
    }

    /// The extensions below `arc`; `None` if the arc is too long for an OID below it.
    #[must_use]
    pub fn below(arc: &Oid) -> Option<Self> {
        Some(Self {
            grant_id: Oid::parse(&format!("{arc}.1")).ok()?,
            subject_user_id: Oid::parse(&format!("{arc}.2")).ok()?,
        })
    }
}
