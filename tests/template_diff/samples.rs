//! Picks constants for templates and makes data for them.

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::constants::ASN1;
use crate::constants::ASN1_PARAMETERS;
use crate::constants::BASE64;
use crate::constants::CONSTRAINTS;
use crate::constants::DURATIONS;
use crate::constants::FLOATS;
use crate::constants::JSON;
use crate::constants::LAYOUTS;
use crate::constants::NUMBERS;
use crate::constants::PATHS;
use crate::constants::PATTERNS;
use crate::constants::STRINGS;
use crate::constants::TIMES;
use crate::constants::TYPES;
use crate::constants::URLS;
use crate::constants::VERSIONS;
use crate::constants::ZONES;
use crate::functions::Kind;
use crate::random::Random;

/// The members of the data, and what they mostly are.
pub(crate) const MEMBERS: &[(&str, Kind)] = &[
    ("s", Kind::String),
    ("t", Kind::String),
    ("u", Kind::String),
    ("n", Kind::Float),
    ("i", Kind::Float),
    ("f", Kind::Float),
    ("b", Kind::Bool),
    ("c", Kind::Bool),
    ("l", Kind::List),
    ("ls", Kind::List),
    ("ln", Kind::List),
    ("m", Kind::Map),
    ("o", Kind::Map),
    ("a", Kind::Any),
    ("z", Kind::Any),
];

/// A string of its kind, not quoted.
pub(crate) fn string(random: &mut Random, kind: Kind) -> &'static str {
    let pool = match kind {
        Kind::Base64 => BASE64,
        Kind::Json => JSON,
        Kind::Url => URLS,
        Kind::Path => PATHS,
        Kind::Pattern => PATTERNS,
        Kind::VersionText => VERSIONS,
        Kind::Constraint => CONSTRAINTS,
        Kind::DurationText => DURATIONS,
        Kind::Layout => LAYOUTS,
        Kind::Time | Kind::TimeText => TIMES,
        Kind::Asn1 => ASN1,
        Kind::Asn1Parameters => ASN1_PARAMETERS,
        Kind::Zone => ZONES,
        Kind::TypeName => TYPES,
        _ => STRINGS,
    };
    random.pick(pool)
}

/// A string constant as a template writes it.
pub(crate) fn quoted(random: &mut Random, text: &str) -> String {
    if !text.contains('`') && !text.contains('\r') && random.one_in(6) {
        return format!("`{text}`");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            _ if character.is_control() || random.one_in(40) => match u32::from(character) {
                code @ ..0x80 if random.one_in(2) => quoted.push_str(&format!("\\x{code:02x}")),
                code @ ..0x80 => quoted.push_str(&format!("\\{code:03o}")),
                code @ ..0x10000 => quoted.push_str(&format!("\\u{code:04x}")),
                code => quoted.push_str(&format!("\\U{code:08x}")),
            },
            _ => quoted.push(character),
        }
    }
    if random.one_in(40) {
        quoted.push_str("\\xff");
    }
    quoted.push('"');
    quoted
}

pub(crate) fn integer(random: &mut Random) -> &'static str {
    random.pick(NUMBERS)
}

pub(crate) fn float(random: &mut Random) -> &'static str {
    random.pick(FLOATS)
}

/// A format for `printf` and the kinds of its operands.
pub(crate) fn format(random: &mut Random) -> (String, Vec<Kind>) {
    const VERBS: &[(&str, Kind)] = &[
        ("v", Kind::Any),
        ("v", Kind::List),
        ("v", Kind::Map),
        ("s", Kind::String),
        ("q", Kind::String),
        ("q", Kind::Any),
        ("s", Kind::Any),
        ("d", Kind::Int),
        ("d", Kind::Any),
        ("x", Kind::String),
        ("X", Kind::Any),
        ("T", Kind::Any),
        ("t", Kind::Bool),
        ("b", Kind::Int),
        ("c", Kind::Int),
        ("o", Kind::Int),
        ("O", Kind::Int),
        ("x", Kind::Int),
        ("U", Kind::Int),
        ("q", Kind::Int),
        ("e", Kind::Float),
        ("f", Kind::Float),
        ("g", Kind::Float),
        ("G", Kind::Float),
        ("E", Kind::Float),
        ("F", Kind::Float),
        ("x", Kind::Float),
        ("b", Kind::Float),
        ("v", Kind::Float),
        ("v", Kind::Time),
        ("s", Kind::Time),
        ("z", Kind::Any),
    ];
    let (mut format, mut kinds) = (String::new(), Vec::new());
    for _ in 0..=random.below(3) {
        format.push_str(random.pick(&["", " ", "a:", "%%", "ä"]));
        format.push('%');
        for _ in 0..random.below(3) {
            if random.one_in(2) {
                format.push_str(random.pick(&["+", "-", "#", " ", "0"]));
            }
        }
        if random.one_in(30) {
            format.push_str(random.pick(&["[1]", "[2]", "[0]", "[9]", "["]));
        }
        match random.below(12) {
            0..=2 => format.push_str(random.pick(&["1", "2", "5", "9", "20"])),
            3 => {
                format.push('*');
                kinds.push(Kind::Small);
            }
            _ => {}
        }
        match random.below(12) {
            0..=2 => format.push_str(random.pick(&[".0", ".1", ".2", ".5", "."])),
            3 => {
                format.push_str(".*");
                kinds.push(Kind::Small);
            }
            _ => {}
        }
        let (verb, kind) = random.pick(VERBS);
        format.push_str(verb);
        kinds.push(kind);
    }
    if random.one_in(30) {
        format.push('%');
    }
    if random.one_in(20) {
        kinds.pop();
    }
    if random.one_in(20) {
        kinds.push(Kind::Any);
    }
    (format, kinds)
}

/// The data of a template: mostly an object with [`MEMBERS`].
pub(crate) fn data(random: &mut Random) -> Json {
    if random.one_in(20) {
        return any(random, 2);
    }
    let mut members = Map::new();
    for (name, kind) in MEMBERS {
        let value = match kind {
            _ if random.one_in(20) => any(random, 2),
            _ if random.one_in(20) => continue,
            Kind::String => json!(string(random, Kind::String)),
            Kind::Float => number(random),
            Kind::Bool => json!(random.one_in(2)),
            Kind::List if *name == "ls" => {
                Json::Array((0..random.below(5)).map(|_| json!(string(random, Kind::String))).collect())
            }
            Kind::List if *name == "ln" => {
                Json::Array((0..random.below(5)).map(|_| number(random)).collect())
            }
            Kind::List => Json::Array((0..random.below(5)).map(|_| any(random, 2)).collect()),
            Kind::Map => map(random, 2),
            _ if *name == "z" => Json::Null,
            _ => any(random, 2),
        };
        members.insert((*name).to_owned(), value);
    }
    Json::Object(members)
}

fn map(random: &mut Random, depth: usize) -> Json {
    let mut members = Map::new();
    for _ in 0..random.below(5) {
        let name = if random.one_in(4) {
            string(random, Kind::String)
        } else {
            random.pick(&["a", "b", "k", "key", "x"])
        };
        members.insert(name.to_owned(), any(random, depth - 1));
    }
    Json::Object(members)
}

fn any(random: &mut Random, depth: usize) -> Json {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Json::Null,
        1 => json!(random.one_in(2)),
        2 | 3 => number(random),
        4 | 5 => json!(string(random, Kind::String)),
        6 | 7 => Json::Array((0..random.below(4)).map(|_| any(random, depth - 1)).collect()),
        _ => map(random, depth),
    }
}

fn number(random: &mut Random) -> Json {
    match random.below(12) {
        0..=4 => json!(random.below(12)),
        5 => json!(-1),
        6 => json!(1_767_225_600),
        7 => json!(0.5),
        8 => json!(random.pick(&[
            1e6,
            1e20,
            1e21,
            1e-6,
            1e-7,
            1.5e300,
            -2.5,
            5e-324,
            9_007_199_254_740_993.0,
            123_456.789
        ])),
        9 => json!(u64::MAX),
        10 => json!(random.below(1 << 40)),
        _ => json!(-0.0),
    }
}
