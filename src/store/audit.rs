//! What the audit log tells: one event for each certificate, revocation, refusal, start and reload.
//!
//! Events of certificates and revocations are made from their records, by the same functions when they are written and
//! when they are read; so a store need not keep twice what it keeps already.

use sha2::Digest;
use sha2::Sha256;

use crate::store::CertificateRecord;
use crate::store::Commit;
use crate::store::Renewed;
use crate::store::Revocation;
use crate::x509::serial::SerialNumber;

/// The longest text in an event that somebody outside may choose, in characters.
const LONGEST: usize = 200;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuditKind {
    /// The log begins, in a store that had records before it had a log.
    Began,
    /// The authority started to serve.
    Started,
    /// The authority serves another configuration.
    Reloaded,
    /// A certificate was issued.
    Issued,
    /// A certificate was renewed.
    Renewed,
    /// A certificate was renewed for another key.
    Rekeyed,
    /// A certificate was revoked.
    Revoked,
    /// A request was refused, or failed.
    Refused,
    /// A backup was brought back.
    Restored,
}

impl AuditKind {
    /// Each kind with the number that stands for it in stores and hashes, which never changes, and its name.
    const ALL: [(Self, u8, &'static str); 9] = [
        (Self::Began, 1, "began"),
        (Self::Started, 2, "started"),
        (Self::Reloaded, 3, "reloaded"),
        (Self::Issued, 4, "issued"),
        (Self::Renewed, 5, "renewed"),
        (Self::Rekeyed, 6, "rekeyed"),
        (Self::Revoked, 7, "revoked"),
        (Self::Refused, 8, "refused"),
        (Self::Restored, 9, "restored"),
    ];

    /// The number that stands for it in stores and hashes.
    #[must_use]
    pub fn number(self) -> u8 {
        Self::ALL.into_iter().find(|(kind, ..)| *kind == self).map_or(0, |(_, number, _)| number)
    }

    /// The kind of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, other, _)| *other == number).map(|(kind, ..)| kind)
    }

    /// Its name: `issued`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, ..)| *kind == self).map_or("", |(.., name)| name)
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(.., other)| *other == name).map(|(kind, ..)| kind)
    }

    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(.., name)| name)
    }

    /// Whether it tells of a certificate that was made.
    #[must_use]
    pub fn is_of_certificate(self) -> bool {
        matches!(self, Self::Issued | Self::Renewed | Self::Rekeyed)
    }
}

/// One event. What is not known, or does not apply, is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// What happened.
    pub kind: AuditKind,
    /// When, Unix seconds.
    pub at: i64,
    /// Id of the request, as in `X-Request-Id`.
    pub request_id: Option<String>,
    /// Id of the provisioner, `<name>:<kid>`, whose token was verified, or that authorized the certificate at hand.
    pub provisioner: Option<String>,
    /// Id of the provisioner that a refused token named; nothing of the token was verified.
    pub named_provisioner: Option<String>,
    /// The subject of the certificate, or of the verified token.
    pub subject: Option<String>,
    /// The grant's id, from the certificate or the verified token: a UUID as text.
    pub grant_id: Option<String>,
    /// The id of the grant's user, likewise.
    pub subject_user_id: Option<String>,
    /// The serial number of the certificate; of a refused revocation or renewal, of the one it was about.
    pub serial: Option<SerialNumber>,
    /// The serial number of the certificate that was renewed.
    pub previous: Option<SerialNumber>,
    /// End of the certificate's validity, Unix seconds.
    pub expires_at: Option<i64>,
    /// The code of a refusal, such as `token.replayed`; of a revocation, the number of its CRLReason.
    pub code: Option<String>,
    /// The cause of a refusal, the reason of a revocation, details of anything else: text for people.
    pub cause: Option<String>,
    /// How many certificates are on record without an event of their own.
    pub certificates: Option<u64>,
    /// How many revocations are, likewise.
    pub revocations: Option<u64>,
}

impl AuditEvent {
    /// An event of which nothing is known yet but what happened, and when (Unix seconds).
    #[must_use]
    pub fn new(kind: AuditKind, at: i64) -> Self {
        Self {
            kind,
            at,
            request_id: None,
            provisioner: None,
            named_provisioner: None,
            subject: None,
            grant_id: None,
            subject_user_id: None,
            serial: None,
            previous: None,
            expires_at: None,
            code: None,
            cause: None,
            certificates: None,
            revocations: None,
        }
    }

    /// The event of a certificate that is recorded; `kind` and `previous` tell whether, and in whose place.
    #[must_use]
    pub fn of_certificate(
        kind: AuditKind,
        previous: Option<SerialNumber>,
        certificate: &CertificateRecord,
    ) -> Self {
        Self {
            request_id: Some(certificate.request_id.clone()),
            provisioner: Some(certificate.provisioner_id.clone()),
            subject: Some(certificate.subject.clone()),
            grant_id: certificate.grant_id.clone(),
            subject_user_id: certificate.subject_user_id.clone(),
            serial: Some(certificate.serial.clone()),
            previous,
            expires_at: Some(certificate.not_after),
            ..Self::new(kind, certificate.issued_at)
        }
    }

    /// The event of a revocation; `certificate` is what is revoked, if it is on record then.
    #[must_use]
    pub fn of_revocation(revocation: &Revocation, certificate: Option<&CertificateRecord>) -> Self {
        Self {
            request_id: Some(revocation.request_id.clone()),
            provisioner: revocation.provisioner_id.clone(),
            subject: certificate.map(|certificate| certificate.subject.clone()),
            grant_id: certificate.and_then(|certificate| certificate.grant_id.clone()),
            subject_user_id: certificate.and_then(|certificate| certificate.subject_user_id.clone()),
            serial: Some(revocation.serial.clone()),
            expires_at: revocation.expires_at,
            code: Some(revocation.reason_code.to_string()),
            cause: Some(revocation.reason.clone()),
            ..Self::new(AuditKind::Revoked, revocation.revoked_at)
        }
    }

    /// The same with texts of 200 characters at most.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let texts = [
            &mut self.request_id,
            &mut self.provisioner,
            &mut self.named_provisioner,
            &mut self.subject,
            &mut self.grant_id,
            &mut self.subject_user_id,
            &mut self.code,
            &mut self.cause,
        ];
        for text in texts.into_iter().flatten() {
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
        }
        self
    }
}

impl Commit {
    /// The event of its certificate, with the SHA-256 of the DER.
    pub fn certificate_event(&self) -> Option<(AuditEvent, [u8; 32])> {
        let certificate = self.certificate.as_ref()?;
        let kind = match &self.renewed {
            None => AuditKind::Issued,
            Some(Renewed { rekeyed: false, .. }) => AuditKind::Renewed,
            Some(Renewed { rekeyed: true, .. }) => AuditKind::Rekeyed,
        };
        let previous = self.renewed.as_ref().map(|renewed| renewed.serial.clone());
        Some((
            AuditEvent::of_certificate(kind, previous, certificate),
            Sha256::digest(&certificate.der).into(),
        ))
    }

    /// When its first event happened, Unix seconds; `None` if it has none.
    #[must_use]
    pub fn audited_at(&self) -> Option<i64> {
        let revoked = self.revocation.as_ref().map(|revocation| revocation.revoked_at);
        let issued = self.certificate.as_ref().map(|certificate| certificate.issued_at);
        revoked.or(issued).or(self.event.as_ref().map(|event| event.at))
    }
}

/// An event in its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number, from 1 up without gaps.
    pub sequence: u64,
    /// The event.
    pub event: AuditEvent,
    /// SHA-256 of the DER of the certificate that was made.
    pub certificate_sha256: Option<[u8; 32]>,
    /// SHA-256 over the hash of the record before and all of this one; see [`Chain`](crate::store::Chain).
    pub hash: [u8; 32],
}

/// Which records of the audit log to read: those that fit all that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Of one of these kinds; empty for all.
    pub kinds: Vec<AuditKind>,
    /// At this time or later, Unix seconds.
    pub from: Option<i64>,
    /// Before this time, Unix seconds.
    pub to: Option<i64>,
    /// About the certificate with this serial number, or its renewal.
    pub serial: Option<SerialNumber>,
    /// The grant's id, as it is recorded.
    pub grant_id: Option<String>,
    /// The id of the grant's user, as it is recorded.
    pub subject_user_id: Option<String>,
    /// The id of the request, as it is recorded.
    pub request_id: Option<String>,
    /// The provisioner, proven or named: its name, or its id.
    pub provisioner: Option<String>,
    /// The code, or the part of it before the dot.
    pub code: Option<String>,
    /// With a higher number than this.
    pub after: Option<u64>,
    /// With a lower number than this.
    pub before: Option<u64>,
    /// Whether the newest come first.
    pub newest_first: bool,
}

impl AuditFilter {
    /// Whether a record fits.
    #[must_use]
    pub fn fits(&self, sequence: u64, event: &AuditEvent) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.after.is_none_or(|after| sequence > after)
            && self.before.is_none_or(|before| sequence < before)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
            && (self.serial.is_none() || self.serial == event.serial || self.serial == event.previous)
            && same(&self.grant_id, &event.grant_id)
            && same(&self.subject_user_id, &event.subject_user_id)
            && same(&self.request_id, &event.request_id)
            && self.provisioner.as_ref().is_none_or(|name| is_provisioner(event, name))
            && self.code.as_ref().is_none_or(|code| has_code(event, code))
    }
}

fn is_provisioner(event: &AuditEvent, name: &str) -> bool {
    let is = |id: &String| {
        id == name
            || id.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
            || id.strip_prefix("x5c/") == Some(name)
    };
    event.provisioner.iter().chain(&event.named_provisioner).any(is)
}

fn has_code(event: &AuditEvent, code: &str) -> bool {
    let has =
        |found: &String| found == code || found.strip_prefix(code).is_some_and(|rest| rest.starts_with('.'));
    event.code.as_ref().is_some_and(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_back_from_number_and_name() {
        for (kind, number, name) in AuditKind::ALL {
            assert_eq!((kind.number(), kind.name()), (number, name));
            assert_eq!(AuditKind::from_number(number), Some(kind));
            assert_eq!(AuditKind::from_name(name), Some(kind));
        }
        assert_eq!((AuditKind::from_number(0), AuditKind::from_name("")), (None, None));
    }

    #[test]
    fn no_text_is_long() {
        let long = Some("ü".repeat(LONGEST + 1));
        let event =
            AuditEvent { request_id: long.clone(), cause: long, ..AuditEvent::new(AuditKind::Refused, 0) };
        let event = event.bounded();
        let expected = Some("ü".repeat(LONGEST) + "…");
        assert_eq!((&event.request_id, &event.cause), (&expected, &expected));
        assert_eq!(event.clone().bounded().cause.map(|text| text.chars().count()), Some(LONGEST + 1));
    }

    #[test]
    fn provisioners_and_codes_are_found_by_their_beginnings() {
        let event = AuditEvent {
            provisioner: Some("ops:key".to_owned()),
            named_provisioner: Some("x5c/hosts".to_owned()),
            code: Some("token.replayed".to_owned()),
            ..AuditEvent::new(AuditKind::Refused, 0)
        };
        let check = |provisioner: Option<&str>, code: Option<&str>, expected: bool| {
            let (provisioner, code) = (provisioner.map(str::to_owned), code.map(str::to_owned));
            let filter = AuditFilter { provisioner, code, ..AuditFilter::default() };
            assert_eq!(filter.fits(1, &event), expected, "{filter:?}");
        };
        for name in ["ops", "ops:key", "hosts", "x5c/hosts"] {
            check(Some(name), None, true);
        }
        for name in ["op", "key", "host", ""] {
            check(Some(name), None, false);
        }
        for (code, expected) in
            [("token", true), ("token.replayed", true), ("tok", false), ("replayed", false)]
        {
            check(None, Some(code), expected);
        }
    }
}
