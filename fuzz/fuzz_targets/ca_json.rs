//! The text of a ca.json, without the files that it names.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = stepless::config::parse(data);
});
