//! What is put to both CAs, and what is compared of their answers.

use serde_json::Value;

use crate::client;
use crate::common::ca::Ca;
use crate::common::fixture::Fixture;
use crate::common::https::Answer;
use crate::common::https::Failure;
use crate::common::https::Request;
use crate::common::served::Identity;
use crate::x5c;

/// One request, independent of all others but those before it on the same fixture.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// `<area>/<case>`.
    pub(crate) name: String,
    /// The fixture both CAs run on.
    pub(crate) fixture: String,
    /// Sent to both, byte for byte.
    pub(crate) request: Request,
    /// What the client shows in the handshake.
    pub(crate) identity: Option<Identity>,
    /// The headers of the answers worth comparing, in lower case.
    pub(crate) headers: Vec<String>,
    /// Members of the body, as JSON pointers, whose value does not matter.
    pub(crate) ignore: Vec<String>,
    /// The status in the recording, if there is one; what both CAs answer is compared live.
    pub(crate) recorded: Option<u64>,
    /// Where stepless answers otherwise on purpose.
    pub(crate) stricter: Option<Stricter>,
}

impl Case {
    /// A case without a certificate, whose whole answer counts.
    pub(crate) fn new(name: &str, fixture: &str, request: Request) -> Self {
        Self {
            name: name.to_owned(),
            fixture: fixture.to_owned(),
            request,
            identity: None,
            headers: vec!["content-type".to_owned()],
            ignore: Vec::new(),
            recorded: None,
            stricter: None,
        }
    }

    /// Puts it to a CA.
    pub(crate) fn send(&self, ca: &Ca) -> Result<Answer, Failure> {
        match &self.identity {
            None => ca.client(),
            Some(identity) => ca.client_with(identity),
        }
        .send(&self.request)
    }
}

/// A copy of a fixture: of a recorded one, or of one that is made for the cases.
pub(crate) fn fixture(name: &str) -> Fixture {
    match name {
        "x5c" => x5c::fixture(),
        other => client::fixture(other).unwrap_or_else(|| Fixture::copy(other)),
    }
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
