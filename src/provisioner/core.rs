//! A provisioner: whose tokens it takes, and what they get. The types JWK and X5C differ in the first alone.

use crate::config::Credential;
use crate::config::EffectiveClaims;
use crate::config::ProvisionerEntry;
use crate::profile::Draft;
use crate::provisioner::draft::DraftRequest;
use crate::provisioner::draft::Error as DraftError;
use crate::provisioner::draft::Source;
use crate::provisioner::request;
use crate::provisioner::request::Error as RequestError;
use crate::token;
use crate::token::Expectations;
use crate::token::Trust;
use crate::token::UnverifiedToken;
use crate::token::VerifiedToken;
use crate::token::audience::Audiences;
use crate::token::audience::Purpose;
use crate::token::binding::Binding;
use crate::x509::csr::Csr;
use crate::x509::extension;
use crate::x509::extension::Extension;
use crate::x509::oid::Oid;

/// Whether a provisioner works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Ready,
    /// It failed to initialise in step-ca's sense; lists say so, tokens are refused.
    Uninitialized(String),
}

/// A provisioner, ready to judge tokens.
#[derive(Debug)]
pub struct Provisioner {
    name: String,
    id: String,
    credential: Credential,
    state: State,
    claims: EffectiveClaims,
    source: Source,
    names_grants: bool,
    require_binding: bool,
    listing: serde_json::Value,
}

impl Provisioner {
    /// Makes a provisioner from its entry in ca.json.
    ///
    /// `grant_oids` are the two extensions whose tokens have to be bound to a CSR (CONTRACT.md D2).
    #[must_use]
    pub fn new(entry: ProvisionerEntry, grant_oids: &[Oid]) -> Self {
        let listing = super::collection::listing(&entry);
        let id = entry.id();
        let x509 = entry.x509.unwrap_or_default();
        let state = match &entry.effective_claims {
            Err(reason) => State::Uninitialized(reason.clone()),
            Ok(_) => State::Ready,
        };
        let issues_grants = x509.claim_extensions.iter().any(|e| grant_oids.contains(&e.oid));
        let source = match x509.loaded {
            Some(template) => Source::Template(Box::new(template)),
            None => Source::Default(x509.claim_extensions),
        };
        let names_grants = match &source {
            Source::Template(template) => {
                grant_oids.iter().any(|oid| template.text.contains(&oid.to_string()))
            }
            Source::Default(_) => false,
        };
        Self {
            id,
            name: entry.name,
            credential: entry.credential,
            state,
            claims: entry.effective_claims.unwrap_or(EffectiveClaims::BUILT_IN),
            source,
            names_grants,
            require_binding: entry.require_csr_binding || issues_grants,
            listing,
        }
    }

    /// The name, which tokens carry as `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `kid` of the key, empty if it has none; `None` for another type than JWK.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        match &self.credential {
            Credential::Jwk { key, .. } => Some(key.jwk().key_id()),
            _ => None,
        }
    }

    /// `<name>:<kid>` for type JWK, `x5c/<name>` for X5C.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the provisioner works.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its claims.
    #[must_use]
    pub fn claims(&self) -> &EffectiveClaims {
        &self.claims
    }

    /// The private key as a compact JWE, if there is one.
    #[must_use]
    pub fn encrypted_key(&self) -> Option<&str> {
        match &self.credential {
            Credential::Jwk { encrypted_key, .. } => (!encrypted_key.is_empty()).then_some(encrypted_key),
            _ => None,
        }
    }

    /// The entry as lists show it: without secrets.
    #[must_use]
    pub fn listing(&self) -> &serde_json::Value {
        &self.listing
    }

    /// Verifies a token for `purpose`.
    ///
    /// # Errors
    ///
    /// The first rule of CONTRACT.md section 4 that the token breaks.
    pub fn verify(
        &self,
        token: UnverifiedToken,
        purpose: Purpose,
        audiences: &Audiences,
        now: time::OffsetDateTime,
        started_at: Option<time::OffsetDateTime>,
    ) -> Result<VerifiedToken, token::Error> {
        token.verify(&Expectations {
            issuer: &self.name,
            trust: match &self.credential {
                Credential::X5c { roots, .. } => Trust::Chain { roots, id: &self.id },
                Credential::Jwk { key, .. } => Trust::Key(key),
            },
            purpose,
            audiences,
            now,
            started_at,
        })
    }

    /// Compares a certification request with what the token allows (CONTRACT.md section 5).
    ///
    /// # Errors
    ///
    /// [`RequestError`] for the first difference.
    pub fn check_request(&self, token: &VerifiedToken, csr: &Csr) -> Result<Binding, RequestError> {
        request::check(token, csr, self.require_binding)
    }

    /// Whether the template's text names a grant extension: where it then fails, a broken claim is the
    /// likely reason, and a better one to tell.
    #[must_use]
    pub fn template_names_grants(&self) -> bool {
        self.names_grants
    }

    /// Draws up the certificate that the token allows.
    ///
    /// # Errors
    ///
    /// [`DraftError`] if a claim, the template or its data is at fault.
    pub fn draft(&self, request: &DraftRequest<'_>) -> Result<Draft, DraftError> {
        self.source.draft(request)
    }

    /// The extension that names this provisioner, unless it is switched off.
    #[must_use]
    pub fn provisioner_extension(&self) -> Option<Extension> {
        let provisioner = extension::Provisioner {
            kind: match &self.credential {
                Credential::X5c { .. } => extension::Provisioner::X5C,
                Credential::Jwk { .. } => extension::Provisioner::JWK,
            },
            name: self.name.clone(),
            credential_id: self.kid().unwrap_or_default().to_owned(),
        };
        (!self.claims.disable_smallstep_extensions).then(|| provisioner.to_extension())
    }
}
