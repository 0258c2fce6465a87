//! What is put to both CAs, and what is compared of their answers.

use serde_json::Value;

use crate::common::https::Request;

/// One request, independent of all others but those before it on the same fixture.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// `<area>/<case>`.
    pub(crate) name: String,
    /// The fixture both CAs run on.
    pub(crate) fixture: String,
    /// Sent to both, byte for byte.
    pub(crate) request: Request,
    /// The headers of the answers worth comparing, in lower case.
    pub(crate) headers: Vec<String>,
    /// Members of the body, as JSON pointers, whose value does not matter.
    pub(crate) ignore: Vec<String>,
    /// The status in the recording, if there is one; what both CAs answer is compared live.
    pub(crate) recorded: Option<u64>,
    /// Where stepless answers otherwise on purpose.
    pub(crate) stricter: Option<Stricter>,
}

/// What stepless answers where step-ca is laxer.
#[derive(Debug, Clone)]
pub(crate) struct Stricter {
    /// `D1` or `T1` and so on.
    pub(crate) rule: String,
    /// The status of stepless.
    pub(crate) status: u16,
    /// The body of stepless, if more than the status counts.
    pub(crate) body: Option<Value>,
}
