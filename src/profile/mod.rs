//! From a template's JSON, or step-ca's default template, to the unsigned draft of a certificate.
//!
//! Nothing here signs, knows tokens, or decides who may have which name: [`document::read`] judges the document alone,
//! policy judges the [`Draft`] afterwards.

pub mod document;
mod draft;
mod error;
mod form;
mod grant;
mod json;

pub use crate::profile::draft::Draft;
pub use crate::profile::draft::Issuance;
pub use crate::profile::draft::SubjectKeyId;
pub use crate::profile::draft::default_leaf;
pub use crate::profile::error::Error;
pub use crate::profile::grant::GRANT_ID;
pub use crate::profile::grant::GrantOids;
pub use crate::profile::grant::SUBJECT_USER_ID;
