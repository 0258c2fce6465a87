//! What the render cases do not show: which functions there are, limits, refusals, and where the time comes from.

use std::collections::BTreeSet;

use time::macros::datetime;

use super::table;
use crate::clock::FixedClock;
use crate::entropy::SystemEntropy;
use crate::template::Context;
use crate::template::RenderErrorKind;
use crate::template::Template;
use crate::template::Value;

const STRICT: bool = true;
const LENIENT: bool = false;

/// Renders a template with `.t` being a minute past noon, at noon.
fn render(text: &str, strict: bool) -> Result<String, (RenderErrorKind, String)> {
    let clock = FixedClock::new(datetime!(2026-07-02 12:00:00.25 UTC));
    let entropy = SystemEntropy::new();
    let context = Context::new(&clock, &entropy);
    let context = if strict { context } else { context.lenient() };
    let data = Value::map([
        ("t", Value::time(datetime!(2026-07-02 12:01:00 UTC))),
        ("n", Value::from(1_767_225_600.0)),
    ]);
    let template = Template::parse("t", text, &table()).expect("the template parses");
    match template.render(&data, &context) {
        Ok(rendered) => Ok(String::from_utf8_lossy(&rendered.bytes).into_owned()),
        Err(error) => Err((error.kind, error.message)),
    }
}

fn check(text: &str, expected: &str) {
    assert_eq!(render(text, STRICT).as_deref(), Ok(expected), "{text}");
}

/// The strict rendering refuses, naming `why`; the lenient one gives `fallback` as step-ca does.
fn check_refused(text: &str, why: &str, fallback: &str) {
    let strict = render(text, STRICT).expect_err("a strict rendering refuses");
    assert_eq!(strict.0, RenderErrorKind::Strict, "{text}: {strict:?}");
    assert!(strict.1.contains(why), "{text}: {}", strict.1);
    assert_eq!(render(text, LENIENT).as_deref(), Ok(fallback), "{text}");
}

fn check_error(text: &str, kind: RenderErrorKind, why: &str) {
    for strict in [STRICT, LENIENT] {
        let error = render(text, strict).expect_err("the rendering fails");
        assert_eq!(error.0, kind, "{text}: {error:?}");
        assert!(error.1.contains(why), "{text}: {}", error.1);
    }
}

#[test]
fn the_functions_are_those_of_step_ca_less_the_refused() {
    let listed = include_str!("../../../tests/data/template/functions.tsv");
    let rows = listed.lines().skip(1).filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.nth(1)?))
    });
    // `and`, `or` and `call` may be part of the language rather than of the table.
    let language = BTreeSet::from(["and", "or", "call"]);
    let (refused, wanted): (Vec<_>, Vec<_>) = rows.partition(|(_, tier)| *tier == "refuse");
    let table = table();
    let present: BTreeSet<_> = table.names().collect();
    let wanted: BTreeSet<_> = wanted.into_iter().map(|(name, _)| name).collect();
    let missing: Vec<_> = wanted.difference(&present).filter(|name| !language.contains(**name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    let extra: Vec<_> = present.difference(&wanted).collect();
    assert_eq!(extra, Vec::<&&str>::new());
    assert_eq!(refused.len(), 14);
    for (name, _) in refused {
        let text = format!("{{{{ {name} }}}}");
        let error = Template::parse("t", &text, &table).map(|_| ()).map_err(|error| error.message);
        assert_eq!(error, Err(format!("function \"{name}\" not defined")));
    }
}

#[test]
fn the_environment_is_out_of_reach() {
    for name in ["env", "expandenv"] {
        assert!(Template::parse("t", &format!("{{{{ {name} \"HOME\" }}}}"), &table()).is_err());
    }
}

#[test]
fn the_time_is_that_of_the_clock() {
    check("{{ now | formatTime }}", "2026-07-02T12:00:00Z");
    check("{{ mustParseTime | toJson }}", "\"2026-07-02T12:00:00.25Z\"");
    check("{{ ago .t }} {{ ago (now) }}", "-1m0s 0s");
    check("{{ durationRound (dateModify \"-50h\" .t) }}", "2d");
    check("{{ htmlDate (now) }} {{ date \"15:04\" (int64 60) }}", "2026-07-02 00:01");
    check("{{ dateInZone \"15:04 MST\" .t \"Etc/GMT-2\" }}", "14:01 +02");
    check_error(
        "{{ dateModify \"2562047h\" (dateModify \"2562047h\" (toTime 253402300799)) }}",
        RenderErrorKind::Exec,
        "out of range",
    );
    check_error("{{ toTime 1e300 }}", RenderErrorKind::Exec, "out of range");
}

#[test]
fn silent_fallbacks_are_refused() {
    check_refused(
        "{{ b64dec \"*\" }}",
        "illegal base64 data at input byte 0",
        "illegal base64 data at input byte 0",
    );
    check_refused("{{ b32dec \"1\" }}", "illegal base32 data", "illegal base32 data at input byte 0");
    check_refused("{{ fromJson \"{\" }}", "unexpected end of JSON input", "<no value>");
    check_refused("{{ (fromJson \"{\\\"a\\\":1,\\\"a\\\":2}\").a }}", "duplicate member", "2");
    check_refused("{{ fromJson \"\\\"\\xff\\\"\" }}", "invalid UTF-8", "\u{fffd}");
    check_refused("{{ fromJson `\"\\ud800x\"` }}", "lone surrogate", "\u{fffd}x");
    check_refused("{{ regexMatch \"(\" \"\" }}", "missing closing )", "false");
    check_refused("{{ parseTime \"x\" | unixEpoch }}", "cannot parse", "-62135596800");
    check_refused("{{ toDate \"2006\" \"x\" | unixEpoch }}", "cannot parse", "-62135596800");
    check_refused("{{ dateModify \"1 day\" .t | formatTime }}", "unknown unit", "2026-07-02T12:01:00Z");
    check_refused("{{ toTime .none | formatTime }}", "<nil> is no time", "2026-07-02T12:00:00Z");
    check_refused("{{ formatTime \"1\" }}", "string is no time", "2026-07-02T12:00:00Z");
    check_refused("{{ dateInZone \"15:04\" .n \"UTC\" }}", "float64 is no time", "12:00");
    check_refused("{{ date \"15:04\" nil }}", "<nil> is no time", "12:00");
    check_refused("{{ ago \"x\" }}", "string is no time", "0s");
    check_refused("{{ duration \"1h\" }}", "invalid syntax", "0s");
    check_refused("{{ durationRound \"1\" }}", "missing unit", "0s");
    check_refused("{{ asn1Enc \"foo:bar\" }}", "unknown asn1 type", "EwNiYXI=");
    check_refused("{{ nospace \"é \" }}", "garbled", "Ã©");
    check_refused("{{ toString nil }}", "nil", "<nil>");
}

#[test]
fn no_result_exceeds_the_allocation_limit() {
    let limited = |text| check_error(text, RenderErrorKind::Limit, "too much memory");
    limited("{{ repeat 9000000 \"a\" }}");
    limited("{{ repeat 9223372036854775807 \"aa\" }}");
    limited("{{ indent 9000000 \"a\" }}");
    limited("{{ nindent 100000 (repeat 1000 \"\\n\") }}");
    limited("{{ until 1000000 }}");
    limited("{{ untilStep 0 9223372036854775807 1 }}");
    limited("{{ untilStep -9223372036854775808 9223372036854775807 1 }}");
    limited("{{ seq -9223372036854775808 9223372036854775807 }}");
    limited("{{ replace \"\" (repeat 10000 \"x\") (repeat 10000 \"y\") }}");
    limited("{{ replace \"y\" (repeat 10000 \"x\") (repeat 10000 \"y\") }}");
    limited("{{ join (repeat 10000 \"x\") (splitList \"\" (repeat 10000 \"y\")) }}");
    limited("{{ wrapWith 1 (repeat 10000 \"x\") (repeat 10000 \"y\") }}");
    limited("{{ splitList \"\" (repeat 1000000 \"y\") }}");
    limited("{{ regexReplaceAll \"y\" (repeat 10000 \"y\") (repeat 10000 \"x\") }}");
    limited("{{ regexFindAll \"\" (repeat 1000000 \"y\") -1 }}");
    limited("{{ randAscii 9000000 }}");
    limited("{{ randBytes 9000000 }}");
    limited("{{ $l := until 10000 }}{{ range until 100 }}{{ $l = concat $l $l }}{{ end }}");
}

#[test]
fn comparing_and_nesting_are_bounded() {
    check_error("{{ uniq (until 10000) }}", RenderErrorKind::Limit, "too many steps");
    let compile = "{{ $_ := regexMatch (print \"a\" .) \"a\" }}";
    let many = format!("{{{{ range until 10000 }}}}{compile}{{{{ end }}}}");
    check_error(&many, RenderErrorKind::Limit, "too many steps");
    check("{{ range until 9000 }}{{ $_ := regexMatch \"a\" \"a\" }}{{ end }}", "");
    let nest = "{{ $d := dict }}{{ range until 200 }}{{ $d = dict \"a\" $d }}{{ end }}";
    let deep =
        |text: &str| check_error(&format!("{nest}{text}"), RenderErrorKind::Limit, "nested too deeply");
    deep("{{ deepCopy $d }}");
    deep("{{ deepEqual $d (deepCopy $d) }}");
    let own = "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}";
    check_error(&format!("{own}{{{{ deepCopy $d }}}}"), RenderErrorKind::Limit, "nested too deeply");
    check(&format!("{own}{{{{ merge $d $d | len }}}}"), "1");
    let json = "{{ fromJson (printf \"%s%s\" (repeat 200 \"[\") (repeat 200 \"]\")) }}";
    assert!(render(json, STRICT).is_err());
}

#[test]
fn random_functions_keep_to_their_alphabet() {
    check("{{ regexMatch \"^[A-Za-z]{50}$\" (randAlpha 50) }}", "true");
    check("{{ regexMatch \"^[A-Za-z0-9]{50}$\" (randAlphaNum 50) }}", "true");
    check("{{ regexMatch \"^[0-9]{50}$\" (randNumeric 50) }}", "true");
    check("{{ regexMatch \"^[ -~]{50}$\" (randAscii 50) }}", "true");
    check("{{ randAlpha -1 }}|{{ len (b64dec (randBytes 16)) }}|{{ randInt 5 6 }}", "|16|5");
    check("{{ shuffle \"aab\" | splitList \"\" | sortAlpha | join \"\" }}", "aab");
    check("{{ regexMatch \"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$\" uuidv4 }}", "true");
}

#[test]
fn maps_are_shared_and_lists_are_not() {
    check("{{ $a := dict \"x\" 1 }}{{ $b := $a }}{{ $_ := set $b \"x\" 2 }}{{ $a.x }}", "2");
    check("{{ $a := list 1 }}{{ $b := append $a 2 }}{{ $a }} {{ $b }}", "[1] [1 2]");
    check(
        "{{ mergeOverwrite (dict \"a\" 1 \"b\" (dict \"x\" 1)) (dict \"a\" nil \"b\" (dict \"y\" 2)) | toJson }}",
        "{\"a\":null,\"b\":{\"x\":1,\"y\":2}}",
    );
    check("{{ merge (dict \"a\" \"\") (dict \"a\" nil \"n\" nil) | toJson }}", "{\"a\":\"\"}");
    check("{{ dig \"a\" \"b\" 7 (dict \"a\" (dict)) }}", "7");
    check_error(
        "{{ dig \"a\" \"b\" 7 (dict \"a\" 1) }}",
        RenderErrorKind::Exec,
        "is int, not map[string]interface {}",
    );
}

#[test]
fn urls_take_apart_and_together() {
    let url = "https://u:p%40w@h.example:80/a%20b?q=1&r#f%20g";
    check(&format!("{{{{ urlJoin (urlParse \"{url}\") }}}}"), url);
    check("{{ (urlParse \"https://u:p@[::1]:80/x\").hostname }}", "::1");
    check(
        "{{ urlJoin (dict \"path\" \"a:b/c\") }} {{ urlJoin (dict \"scheme\" \"mailto\" \"opaque\" \"a@b\") }}",
        "./a:b/c mailto:a@b",
    );
    check_error("{{ urlParse \"://\" }}", RenderErrorKind::Exec, "unable to parse url: parse \"://\"");
    check_error(
        "{{ urlJoin (dict \"host\" 1) }}",
        RenderErrorKind::Exec,
        "must be of type string, but int found",
    );
}

/// What random templates found to differ from Go.
#[test]
fn odd_corners_of_go() {
    let check = |text: &str, expected: &str| {
        assert_eq!(render(text, LENIENT).as_deref(), Ok(expected), "{text}");
    };
    let nil_map = "unset .none.x \"a\"";
    check(&format!("{{{{ {nil_map} }}}}{{{{ {nil_map} | toJson }}}}"), "map[]null");
    check(&format!("{{{{ {nil_map} | deepCopy | toJson }}}}"), "null");
    check(&format!("{{{{ printf \"%#v\" ({nil_map}) }}}}"), "map[string]interface {}(nil)");
    check(&format!("{{{{ deepEqual (dict) ({nil_map}) }}}}{{{{ eq ({nil_map}) nil }}}}"), "falsetrue");
    check("{{ merge .none.x (dict \"a\" 1) }}{{ merge .none.x .none.x | toJson }}", "map[a:1]null");
    check_error("{{ set .none.x \"a\" 1 }}", RenderErrorKind::Exec, "assignment to entry in nil map");
    check_error(
        "{{ dig \"_0\" \"x\" 1 (split \",\" \"a\") }}",
        RenderErrorKind::Exec,
        "is map[string]string",
    );
    let most = "9223372036854775807";
    check("{{ atoi \"9223372036854775808\" }} {{ atoi \"x\" }}", &format!("{most} 0"));
    check("{{ atoi \"99999999999999999999x\" }}", most);
    check("{{ divf 1767225600.0 1e100 }} {{ minf 0.0 -0.0 }} {{ maxf -0.0 0 }}", "0 -0 0");
    check("{{ (semver \"01.2.3\").Original }}", "01.2.3");
    check(
        "{{ ((toTime 1).Sub (mustParseTime \"2024-02-29T12:00:00.25+02:00\")).Hours }}",
        "-474777.9997916667",
    );
    check("{{ (mustParseTime \"9999-12-31T23:59:59Z\").UnixNano }}", "-4852116232933722624");
    check("{{ (mustDateModify \"3ns\" (toTime -1)).UnixMilli }}", "-1000");
    check_error("{{ dig \"x\" 1 2 (dict) }}", RenderErrorKind::Exec, "is int, not string");
    check_refused(
        "{{ mustParseTime \"RFC1123\" \"Tue, 02 Jul 2024 16:20:48 PDT\" }}",
        "unknown time zone PDT",
        "2024-07-02 16:20:48 +0000 PDT",
    );
    check_refused("{{ dateInZone \"15\" .t \"Nowhere\" }}", "unknown time zone Nowhere", "12");
    check_error("{{ printf \"%#v\" .t }}", RenderErrorKind::Exec, "a time has no form for %v");
    check_error("{{ snakecase \"a\\xff\" }}", RenderErrorKind::Exec, "not utf-8");
}
