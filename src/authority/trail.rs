//! What becomes known of a request on its way, so that the audit log can tell of its refusal.

use time::OffsetDateTime;

use crate::authority::core::Authority;
use crate::authority::error::Error;
use crate::authority::grant::Grant;
use crate::hex;
use crate::provisioner::Provisioner;
use crate::store::AuditEvent;
use crate::store::AuditKind;
use crate::store::Commit;
use crate::x509::certificate::Certificate;
use crate::x509::serial::SerialNumber;

/// A request on its way. Nothing is said to be proven that is not.
#[derive(Debug)]
pub(super) struct Trail {
    event: AuditEvent,
    /// Whether the refusal is on record already, together with the token that it spent.
    pub(super) refusal_recorded: bool,
}

impl Trail {
    pub(super) fn new(request_id: &str, now: OffsetDateTime) -> Self {
        let event = AuditEvent::new(AuditKind::Refused, now.unix_timestamp());
        let event = AuditEvent { request_id: Some(request_id.to_owned()), ..event };
        Self { event, refusal_recorded: false }
    }

    /// The request's token names this provisioner.
    pub(super) fn names(&mut self, provisioner: &Provisioner) {
        self.event.named_provisioner = Some(provisioner.id().to_owned());
    }

    /// The request's token is this provisioner's.
    pub(super) fn proves(&mut self, provisioner: &Provisioner, subject: &str, grant: Option<Grant>) {
        self.event.named_provisioner = None;
        self.event.provisioner = Some(provisioner.id().to_owned());
        self.event.subject = Some(subject.to_owned());
        self.set_grant(grant);
    }

    /// The request comes from who has the key of this certificate.
    pub(super) fn proves_certificate(
        &mut self,
        certificate: &Certificate,
        provisioner: Option<&Provisioner>,
        grant: Option<Grant>,
    ) {
        self.event.provisioner = provisioner.map(|provisioner| provisioner.id().to_owned());
        self.proves_subject(certificate);
        self.set_grant(grant);
        self.concerns(certificate.serial_number());
    }

    /// The same where the request is about another certificate.
    pub(super) fn proves_subject(&mut self, certificate: &Certificate) {
        self.event.subject = certificate.common_name();
    }

    /// The request is about the certificate with this serial number.
    pub(super) fn concerns(&mut self, serial: &SerialNumber) {
        self.event.serial = Some(serial.clone());
    }

    fn set_grant(&mut self, grant: Option<Grant>) {
        if let Some(Grant { grant_id, subject_user_id }) = grant {
            self.event.grant_id = Some(grant_id);
            self.event.subject_user_id = Some(subject_user_id);
        }
    }

    /// The event of a refusal.
    pub(super) fn refusal(&self, error: &Error) -> AuditEvent {
        let (code, cause) = (error.code().to_owned(), error.to_string());
        AuditEvent { code: Some(code), cause: Some(cause), ..self.event.clone() }
    }
}

impl Authority {
    /// Sees to it that a refusal is in the audit log.
    ///
    /// If it cannot be recorded, the request is refused all the same, and the log of the process says so. One that has to
    /// wait is not refused yet, and there may be very many.
    pub(super) async fn audited<T>(&self, trail: &Trail, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && !trail.refusal_recorded
            && !matches!(error, Error::Throttled { .. })
        {
            self.log_refusal(trail.refusal(error), error).await;
        }
        result
    }

    /// Records the refusal of a request that did not get as far as to be looked at here: its body is no JSON, or there is
    /// nothing to tell who asks.
    pub async fn audit_refusal(&self, error: &Error, request_id: &str) {
        let trail = Trail::new(request_id, self.options.clock.now());
        self.log_refusal(trail.refusal(error), error).await;
    }

    async fn log_refusal(&self, event: AuditEvent, refusal: &Error) {
        let request_id = event.request_id.clone();
        let recorded = match refusal {
            // It has just failed, and one failure is enough to wait for.
            Error::Store(error) => Err(error.clone()),
            _ => self
                .options
                .store
                .commit(Commit { event: Some(event), ..Commit::default() })
                .await
                .map(|_| ()),
        };
        if let Err(error) = recorded {
            let code = refusal.code();
            tracing::error!(request_id, refusal = code, %error, hint = error.hint(), "refusal not in the audit log");
        }
    }

    /// Records that this authority serves from now on, with its issuer and provisioners.
    ///
    /// If that cannot be recorded, it serves all the same, and the log of the process says so.
    pub async fn audit_service(&self, service: Service) {
        let kind = match service {
            Service::Start => AuditKind::Started,
            Service::Reload => AuditKind::Reloaded,
        };
        let provisioners: Vec<_> = self.provisioners.iter().map(|provisioner| provisioner.name()).collect();
        let detail = format!(
            "stepless {}, issuer {}, provisioners {}",
            env!("CARGO_PKG_VERSION"),
            hex::encode(&self.config.issuer().fingerprint()),
            provisioners.join(", ")
        );
        let event = AuditEvent::new(kind, self.options.clock.now().unix_timestamp());
        let event = AuditEvent { cause: Some(detail), ..event };
        let commit = Commit { event: Some(event), ..Commit::default() };
        if let Err(error) = self.options.store.commit(commit).await {
            let event = kind.name();
            tracing::error!(event, %error, hint = error.hint(), "not in the audit log");
        }
    }
}

/// How an authority comes to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The process began.
    Start,
    /// It takes the place of another one, with another configuration.
    Reload,
}
