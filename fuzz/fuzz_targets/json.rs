//! JSON, as in request bodies and tokens: whatever is accepted can be looked at through every door.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::json;
use stepless::json::Raw;

fn visit(value: Raw<'_>, depth: usize) {
    let _ = (value.as_str(), value.as_bool(), value.as_f64(), value.unique_members());
    if depth == 0 {
        return;
    }
    for element in value.elements().unwrap_or_default() {
        visit(element, depth - 1);
    }
    for (_, member) in value.members().unwrap_or_default() {
        visit(member, depth - 1);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok((value, end)) = json::parse_prefix(text) {
        assert!(text.is_char_boundary(end));
        visit(value, 4);
        if let Ok(tree) = value.to_tree(20) {
            let written = json::to_go_json(&tree).expect("a tree can be written");
            json::parse(&written).expect("what was written can be read");
        }
    }
});
