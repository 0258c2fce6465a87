//! Certification paths: certificates of a PEM text, the first as end entity, the last as anchor.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use stepless::x509::certificate::Certificate;
use stepless::x509::oid;
use stepless::x509::path::Rules;
use stepless::x509::pem::Blocks;

/// A header holds no more.
const MAX_CERTIFICATES: usize = 10;

fuzz_target!(|data: &[u8]| {
    let certificates: Vec<Certificate> = Blocks::new(data)
        .take(MAX_CERTIFICATES)
        .filter_map(|block| Certificate::parse(&block.content).ok())
        .collect();
    let Some((end_entity, others)) = certificates.split_first() else {
        return;
    };
    let at = end_entity.not_after();
    let anchors: Vec<_> = others.last().into_iter().map(|anchor| Arc::new(anchor.clone())).collect();
    let rules = Rules { anchors: &anchors, at, usage: &oid::CLIENT_AUTH };
    if rules.verify(end_entity, others).is_ok() {
        // Whoever believes nobody believes nothing.
        let nobody = Rules { anchors: &[], ..rules };
        assert!(nobody.verify(end_entity, others).is_err());
    }
});
