//! What each check says of a signing request, without issuing anything or spending the token.
//!
//! The steps are those of [`Authority::sign`] in its order, and each is the same function.

use std::fmt;

use crate::authority::approval;
use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::authority::grant;
use crate::authority::request::Request;
use crate::store::TokenKey;
use crate::token::UnverifiedToken;
use crate::token::audience::Purpose;
use crate::token::binding::Binding;
use crate::wire::SignRequest;

/// The checks of a signing request, in order.
const NAMES: [&str; 9] =
    ["request", "provisioner", "token", "unspent", "csr", "draft", "grant", "validity", "policy"];

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It lets the request pass.
    Passed,
    /// It refuses.
    Failed {
        /// The stable code of the refusal, as in docs/refusals.md.
        code: &'static str,
        /// The reason, which a client would not be told in full.
        reason: String,
    },
    /// What it would look at is not there, because an earlier check failed.
    NotReached,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `request`, `provisioner`, `token`, `unspent`, `csr`, `draft`, `grant`, `validity` or `policy`.
    pub name: &'static str,
    /// What it says.
    pub verdict: Verdict,
}

/// What each check says of a request. The first that failed is the answer that a client would get.
///
/// `Display` writes a line for each check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Explanation {
    /// The code of the refusal that a client would meet; `None` if a certificate would be issued.
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        self.checks.iter().find_map(|check| match check.verdict {
            Verdict::Failed { code, .. } => Some(code),
            _ => None,
        })
    }

    /// What the check of this name says.
    #[must_use]
    pub fn verdict(&self, name: &str) -> Option<&Verdict> {
        self.checks.iter().find(|check| check.name == name).map(|check| &check.verdict)
    }

    fn new() -> Self {
        Self { checks: NAMES.map(|name| Check { name, verdict: Verdict::NotReached }).to_vec() }
    }

    /// Notes what the check of this name found, and hands on what it yielded.
    fn note<T>(&mut self, name: &str, result: Result<T, impl Into<Error>>) -> Option<T> {
        let (verdict, value) = match result {
            Ok(value) => (Verdict::Passed, Some(value)),
            Err(error) => {
                let error = error.into();
                (Verdict::Failed { code: error.code(), reason: error.to_string() }, None)
            }
        };
        if let Some(check) = self.checks.iter_mut().find(|check| check.name == name) {
            check.verdict = verdict;
        }
        value
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, verdict } in &self.checks {
            match verdict {
                Verdict::Passed => writeln!(f, "{name:<12}passed")?,
                Verdict::Failed { code, reason } => writeln!(f, "{name:<12}{code}: {reason}")?,
                Verdict::NotReached => writeln!(f, "{name:<12}not reached")?,
            }
        }
        Ok(())
    }
}

impl Authority {
    /// Tells what each check says of a signing request; `has_spent` knows which tokens were used.
    ///
    /// Nothing is recorded and nothing is signed. Whether the certificate could be encoded and signed is not tried.
    pub fn explain(&self, body: SignRequest, has_spent: &dyn Fn(&TokenKey) -> bool) -> Explanation {
        let mut explanation = Explanation::new();
        // Ends at the first check without which there is nothing for the next ones to look at.
        let _ = self.walk(body, has_spent, &mut explanation);
        explanation
    }

    fn walk(
        &self,
        body: SignRequest,
        has_spent: &dyn Fn(&TokenKey) -> bool,
        explanation: &mut Explanation,
    ) -> Option<()> {
        let now = self.options.clock.now();
        let request = explanation.note("request", Request::read(body))?;
        let token = match UnverifiedToken::parse(&request.ott) {
            Ok(token) => token,
            Err(error) => return explanation.note("token", Err(error)),
        };
        let provisioner = explanation.note("provisioner", self.provisioner_named_by(&token))?;
        let verified = self.verify_for(provisioner, token, Purpose::Sign, now);
        let token = explanation.note("token", verified)?;
        let spent = has_spent(&TokenKey(token.reuse_key()));
        explanation.note("unspent", if spent { Err(Error::Replayed) } else { Ok(()) });
        let binding = explanation.note("csr", provisioner.check_request(&token, &request.csr));
        let draft = explanation.note("draft", self.draft(&request, provisioner, &token))?;
        // Without a verdict on the binding, the rest of the rule still has one.
        let binding = binding.unwrap_or(Binding::Bound);
        explanation.note("grant", grant::check(&draft, token.claims(), binding, &self.grant_oids));
        explanation.note("validity", self.validity(&request, provisioner, &token, &draft, now));
        explanation
            .note("policy", approval::approve(draft, &self.issuing_chain, self.config.ca.policy.as_ref()));
        Some(())
    }
}
