//! The JSON document of a certificate: read or refused, and what is read can be checked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::profile::document::DocumentRules;
use stepless::profile::document::read;

fuzz_target!(|data: &[u8]| {
    if let Ok(json) = std::str::from_utf8(data) {
        if let Ok(draft) = read(json, &DocumentRules::default()) {
            let _ = draft.check();
        }
    }
});
