//! Template text: lexer and parser end, and never panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::template::Template;
use stepless::template::functions;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Template::parse("fuzz", text, &functions::table());
    }
});
