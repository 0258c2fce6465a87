//! Where stepless is stricter than step-ca even in its lenient rendering, and how a case shows that it is one.

use crate::Case;

pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Whether the rule explains that ours failed and the reference did not.
    pub(crate) applies: fn(&Case, &str) -> bool,
}

pub(crate) const RULES: &[Rule] = &[
    Rule { name: "limits of steps, memory, output and depth", applies: |case, _| case.limited },
    Rule {
        name: "times lie in the years -9999 to 9999",
        applies: |_, message| {
            message.contains("unix time") && message.ends_with("is out of range")
                || message.ends_with("time out of range")
                || message.ends_with("time is out of range")
        },
    },
    Rule {
        name: "a time is formatted as text only",
        applies: |_, message| message.contains("a time has no form for %"),
    },
    Rule { name: "a URL is UTF-8", applies: |_, message| message.contains("invalid utf-8 sequence") },
    Rule {
        name: "a slice ends with its list, whatever Go has allocated behind it",
        applies: |_, message| message.ends_with("slice index out of bounds"),
    },
    Rule {
        name: "a month or weekday is no number to count to",
        applies: |_, message| message.contains("range can't iterate over a time."),
    },
    Rule {
        name: "what has no encoding is not left out as optional either",
        applies: |_, message| message.contains("asn1: structure error: unknown Go type"),
    },
    Rule {
        name: "words are made of UTF-8",
        applies: |_, message| message.ends_with("the text is not utf-8"),
    },
    Rule {
        name: "a chunk has a size",
        applies: |_, message| message.ends_with("runtime error: makeslice: len out of range"),
    },
];
