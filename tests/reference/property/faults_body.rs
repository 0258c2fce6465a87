//! Faults of the body around request and token.

use serde_json::json;

use super::base;
use super::base::rfc3339;
use super::faults::Fault;
use super::pair::Pair;
use super::random::Random;
use super::site::Provisioner;
use super::templates::Template;

/// Raw values that are no text.
const WRONG: [&str; 8] = ["7", "true", "[]", "{}", "[\"x\"]", "null", "\"\"", "\"x\""];

pub(crate) const FAULTS: &[Fault] = &[
    ("body member missing", |pair, random| pair.body.remove(random.pick(&["csr", "ott"]))),
    ("body member wrong", |pair, random| {
        let name = random.pick(&["csr", "ott", "notBefore", "notAfter"]);
        pair.body.set_raw(name, random.pick(&WRONG));
    }),
    ("body member twice", |pair, random| {
        let name = random.pick(&["csr", "ott", "unknown", "notAfter"]);
        let raw = pair.body.raw(name).unwrap_or("\"1h\"").to_owned();
        let twin = random.pick(&[name, name, &name.to_uppercase()].each_ref()).to_string();
        pair.body.set_raw(name, &raw);
        pair.body.repeat(&twin, &raw);
    }),
    ("body member case", |pair, random| {
        for (name, _) in &mut pair.body.0 {
            *name = match random.below(3) {
                0 => name.to_uppercase(),
                1 => name.to_lowercase(),
                _ => name.clone(),
            };
        }
    }),
    ("body unknown member", |pair, random| {
        let (name, raw) = random.pick(&[
            ("unknown", "{\"a\":[1,{\"b\":null}]}"),
            ("unknown", "1e999"),
            ("unknown", "\"\\ud800\""),
            ("unknown", "\"\\x\""),
            ("unknown", "nul"),
            ("unknown", "\"tab\there\""),
            ("", "1"),
            ("\u{212a}", "1"),
            ("c\u{17f}r", "\"long s\""),
        ]);
        pair.body.repeat(name, raw);
    }),
    ("body scrambled", |pair, random| pair.body.scramble(random)),
    ("body tail", |pair, random| {
        pair.tail = random.pick(&["\n", " \t\r\n", "x", "{}", "\0", "}"]);
    }),
    ("template data", |pair, random| {
        pair.body.set_raw(
            "templateData",
            random.pick(&[
                "{}",
                "null",
                "7",
                "\"text\"",
                "[]",
                r#"{"org":7}"#,
                r#"{"org":"Other"}"#,
                r#"{"org":["A","B"]}"#,
                r#"{"org":null}"#,
                r#"{"org":{"x":1}}"#,
                r#"{"org":"<&>\u2028"}"#,
                r#"{"ORG":"Upper"}"#,
                "{\"org\":true}",
            ]),
        );
    }),
    ("duration", |pair, random| {
        let name = random.pick(&["notBefore", "notAfter", "notAfter"]);
        let value = random.pick(&[
            "1h",
            "5m",
            "4m",
            "3m",
            "3m59s",
            "24h",
            "24h1m",
            "24h2m",
            "25h",
            "72h",
            "72h5m",
            "2h",
            "10h",
            "1s",
            "0s",
            "0",
            "-1h",
            "+1h",
            "-0",
            "1.5h",
            "1h30m",
            "90m0.5s",
            ".5h",
            "1.h",
            "1d",
            "1H",
            "h",
            "",
            " 1h",
            "1h ",
            "1h-30m",
            "100000h",
            "2540400h",
            "9999999h",
            "1us",
            "1\u{b5}s",
            "1\u{3bc}s",
            "0.000001h",
            "1e3s",
            "--1h",
            "0x10s",
        ]);
        pair.body.set(name, &value.into());
    }),
    ("instant", |pair, random| {
        let name = random.pick(&["notBefore", "notAfter", "notAfter"]);
        let distance =
            random.pick(&[-100_000, -400, -90, -30, 150, 320, 3_600, 80_000, 90_000, 300_000, 900_000_000]);
        let at = rfc3339(pair.now + distance);
        let bare = at.trim_end_matches('Z').to_owned();
        let text = match random.below(14) {
            0 => at.replace('Z', "+00:00"),
            1 => at.replace('Z', "-00:00"),
            2 => at.replace('Z', "+05:30"),
            3 => at.replace('Z', ".75Z"),
            4 => at.replace('Z', ",75Z"),
            5 => at.replace('Z', "z"),
            6 => at.replace('T', "t"),
            7 => at.replace('T', " "),
            8 => bare,
            9 => at.replace('Z', "+24:00"),
            10 => at.replace('Z', ".Z"),
            11 => at.replace('Z', "+0530"),
            _ => at,
        };
        pair.body.set(name, &text.into());
    }),
    ("instant extreme", |pair, random| {
        let name = random.pick(&["notBefore", "notAfter"]);
        let value = random.pick(&[
            "0001-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1950-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2049-12-31T23:59:59Z",
            "2050-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2030-02-30T00:00:00Z",
            "2030-02-28T24:00:00Z",
            "2030-06-30T23:59:60Z",
            "2030-1-1T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
        ]);
        pair.body.set(name, &value.into());
    }),
    ("both ends", |pair, random| {
        let lengths = ["30s", "5m", "59m", "1h", "23h", "47h", "71h", "200h"];
        pair.body.set("notBefore", &random.pick(&["-10m", "10m", "1h", "-24h", "1000h"]).into());
        let end = if random.one_in(2) {
            json!(random.pick(&lengths))
        } else {
            json!(rfc3339(pair.now + random.pick(&[-7200, 400, 4000, 90_000, 3_700_000])))
        };
        pair.body.set("notAfter", &end);
    }),
    ("grant id", |pair, random| {
        ask_for_grant(pair, random);
        let name = random.pick(&["mosaic_grant_id", "mosaic_subject_user_id"]);
        if random.one_in(3) {
            return pair.claims.remove(name);
        }
        pair.claims.set_raw(
            name,
            random.pick(&[
                "7",
                "null",
                "\"\"",
                "\"short\"",
                "\"3F2504E0-4F89-41D3-9A0C-0305E82C3301\"",
                "\"3f2504e0-4f89-41d3-9a0c-0305e82c330g\"",
                "\"{f2504e0-4f89-41d3-9a0c-0305e82c3301}\"",
                "\"3f2504e04f89-41d3-9a0c-0305e82c33010\"",
                "[]",
            ]),
        );
    }),
    ("grant unbound", |pair, random| {
        ask_for_grant(pair, random);
        pair.claims.remove("step");
    }),
];

/// Another pair, if this one is for a provisioner without grants and there is one with.
fn ask_for_grant(pair: &mut Pair<'_>, random: &mut Random) {
    let grants = |one: &&Provisioner| one.template == Template::Grant && !one.disabled;
    if pair.provisioner.template != Template::Grant
        && let Some(provisioner) = pair.site.provisioners.iter().find(grants)
    {
        *pair = base::draw_for(pair.site, provisioner, pair.now, random);
    }
}
