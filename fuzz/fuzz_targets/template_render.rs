//! A template and its data: rendering ends within its bounds, strict or lenient, and never panics.
//!
//! The input is the template, a zero byte, and the data as JSON.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stepless::clock::FixedClock;
use stepless::entropy::SystemEntropy;
use stepless::template::Context;
use stepless::template::FunctionTable;
use stepless::template::Template;
use stepless::template::Value;
use stepless::template::functions;
use time::OffsetDateTime;

static FUNCTIONS: LazyLock<FunctionTable> = LazyLock::new(functions::table);

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (template, json) = text.split_once('\0').unwrap_or((text, "{}"));
    let Ok(template) = Template::parse("fuzz", template, &FUNCTIONS) else { return };
    let value = serde_json::from_str(json).unwrap_or_default();
    let (clock, entropy) = (FixedClock::new(OffsetDateTime::UNIX_EPOCH), SystemEntropy::new());
    let context = Context::new(&clock, &entropy);
    let _ = template.render(&Value::from_json(&value), &context);
    let _ = template.render(&Value::from_json(&value), &context.lenient());
});
