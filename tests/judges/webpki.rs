//! rustls-webpki, which verifies for rustls: paths, usages and CRLs.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use stepless::crypto::KeyKind;
use stepless::crypto::SignatureAlgorithm;
use stepless::x509::certificate::Certificate;
use stepless::x509::oid;
use webpki::ALL_VERIFICATION_ALGS;
use webpki::CertRevocationList;
use webpki::EndEntityCert;
use webpki::Error;
use webpki::KeyUsage;
use webpki::OwnedCertRevocationList;
use webpki::RevocationCheckDepth;
use webpki::RevocationOptionsBuilder;
use webpki::anchor_from_trusted_cert;

use crate::docket::Case;
use crate::docket::Docket;
use crate::docket::Verdict;

/// What it has to complain of.
pub(crate) fn judge(docket: &Docket) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in docket.files(".crl") {
        if let Err(error) = OwnedCertRevocationList::from_der(&docket.read(name)) {
            complaints.push(format!("{name}: {error:?}"));
        }
    }
    for case in &docket.cases {
        for usage in usages(&docket.read(&case.leaf)) {
            let verdict = verify(docket, case, usage);
            let right = match case.expected {
                Verdict::UnknownCritical => verdict == Err(Error::UnsupportedCriticalExtension),
                _ if is_beyond_ring(docket, case) => matches!(
                    verdict,
                    Err(Error::UnsupportedSignatureAlgorithmContext(_)
                        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_))
                ),
                Verdict::Accepted => verdict.is_ok(),
                Verdict::Revoked => verdict == Err(Error::CertRevoked),
            };
            if !right {
                complaints.push(format!("{}: expected {:?}, got {verdict:?}", case.name, case.expected));
            }
        }
    }
    complaints
}

/// The usages that it must be good for.
fn usages(leaf: &[u8]) -> Vec<KeyUsage> {
    let certificate = Certificate::parse(leaf).unwrap();
    let named = certificate.extended_key_usage();
    let mut usages = Vec::new();
    if named.is_empty() || named.contains(&oid::SERVER_AUTH) {
        usages.push(KeyUsage::server_auth());
    }
    if named.is_empty() || named.contains(&oid::CLIENT_AUTH) {
        usages.push(KeyUsage::client_auth());
    }
    if named.contains(&oid::CODE_SIGNING) {
        usages.push(KeyUsage::required_if_present(&[0x2b, 6, 1, 5, 5, 7, 3, 3]));
    }
    if named.contains(&oid::TIME_STAMPING) {
        usages.push(KeyUsage::required_if_present(&[0x2b, 6, 1, 5, 5, 7, 3, 8]));
    }
    assert!(!usages.is_empty(), "{named:?}");
    usages
}

/// Whether a signature on the path is of a kind that ring does not verify: with P-521, or ECDSA with SHA-512.
fn is_beyond_ring(docket: &Docket, case: &Case) -> bool {
    let read = |name: &String| Certificate::parse(&docket.read(name)).unwrap();
    let mut issuers = std::iter::once(&case.root).chain(&case.intermediates);
    let mut signed = case.intermediates.iter().chain(std::iter::once(&case.leaf));
    issuers.any(|name| read(name).public_key().unwrap().kind() == KeyKind::P521)
        || signed.any(|name| read(name).signature_algorithm() == Some(SignatureAlgorithm::EcdsaSha512))
}

fn verify(docket: &Docket, case: &Case, usage: KeyUsage) -> Result<(), Error> {
    let read = |name: &String| CertificateDer::from(docket.read(name));
    let root = read(&case.root);
    let anchor = anchor_from_trusted_cert(&root)?;
    let intermediates: Vec<_> = case.intermediates.iter().map(read).collect();
    let leaf = read(&case.leaf);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(case.at).unwrap()));
    let crl = case.crl.as_ref().map(|name| OwnedCertRevocationList::from_der(&docket.read(name)));
    let crl = crl.transpose()?.map(CertRevocationList::from);
    let crls: Vec<_> = crl.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&crls).ok();
    let revocation = revocation.map(|options| options.with_depth(RevocationCheckDepth::EndEntity).build());
    let end_entity = EndEntityCert::try_from(&leaf)?;
    let anchors = [anchor];
    end_entity
        .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &intermediates, at, usage, revocation, None)
        .map(|_| ())
}
