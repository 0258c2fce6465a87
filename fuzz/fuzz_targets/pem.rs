//! PEM text: every block is read, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::x509::pem::Blocks;
use stepless::x509::pem::decode_first;
use stepless::x509::pem::encode;

fuzz_target!(|data: &[u8]| {
    let mut blocks = Blocks::new(data);
    let mut rest = data.len();
    while let Some(block) = blocks.next() {
        assert!(blocks.rest().len() < rest, "a block of no length");
        rest = blocks.rest().len();
        let written = encode("FUZZ", &block.content);
        let read = decode_first(&written).expect("what was written can be read");
        assert_eq!((read.label.as_str(), &read.content), ("FUZZ", &block.content));
    }
});
