//! Certification requests, in PEM if the text has a block, else in DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::policy::check_key;
use stepless::x509::csr::Csr;
use stepless::x509::pem::Blocks;

fuzz_target!(|data: &[u8]| {
    let block = Blocks::new(data).next();
    let der = block.as_ref().map_or(data, |block| &block.content);
    let Ok(unverified) = Csr::parse(der) else {
        return;
    };
    let Ok(csr) = unverified.verify() else {
        return;
    };
    assert_eq!(csr.der(), der);
    let _ = csr.common_name();
    let _ = csr.key_usage();
    let _ = csr.extended_key_usages();
    let _ = csr.basic_constraints();
    let _ = check_key(csr.public_key());
});
