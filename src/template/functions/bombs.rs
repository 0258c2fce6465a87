//! Templates that would run, grow or nest without end: each stops at a bound, soon, on a thread's usual stack.

use std::time::Duration;
use std::time::Instant;

use super::table;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::template::Context;
use crate::template::RenderErrorKind;
use crate::template::Template;
use crate::template::Value;

/// What threads are given where nobody asks for more.
const STACK: usize = 2 << 20;

/// Ample for an unoptimised build on a machine that does ten other things; a template that is not stopped takes hours.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
enum End {
    Rendered,
    Parse,
    Exec,
    Limit,
}

/// How `text` ends, strictly and leniently rendered.
#[track_caller]
fn check(text: &str, expected: End) {
    let shown: String = text.chars().take(200).collect();
    for lenient in [false, true] {
        let text = text.to_owned();
        let start = Instant::now();
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || end(&text, lenient));
        let (end, message) = thread.expect("a thread starts").join().expect("nothing panics");
        assert_eq!(end, expected, "{shown}: {message}");
        assert!(start.elapsed() < LONGEST, "{shown}: {:?}", start.elapsed());
    }
}

fn end(text: &str, lenient: bool) -> (End, String) {
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let context = Context::new(&clock, &entropy);
    let context = if lenient { context.lenient() } else { context };
    let data = Value::map([("s", Value::from("text")), ("l", Value::strings(["a"; 100]))]);
    let template = match Template::parse("t", text, &table()) {
        Ok(template) => template,
        Err(error) => return (End::Parse, error.to_string()),
    };
    match template.render(&data, &context) {
        Ok(_) => (End::Rendered, String::new()),
        Err(error) if error.kind == RenderErrorKind::Limit => (End::Limit, error.to_string()),
        Err(error) => (End::Exec, error.to_string()),
    }
}

fn times(text: &str, count: usize) -> String {
    text.repeat(count)
}

#[test]
fn loops() {
    let nested = |start: &str| times(start, 8) + "x" + &times("{{ end }}", 8);
    check(&nested("{{ range .l }}"), End::Exec);
    check(&nested("{{ range $.l }}"), End::Limit);
    check(&nested("{{ range 1000 }}"), End::Limit);
    check(&nested("{{ range until 100 }}"), End::Limit);
    check("{{ range 9223372036854775807 }}{{ end }}", End::Limit);
    check("{{ range $i := 9223372036854775807 }}{{ continue }}{{ end }}", End::Limit);
    check("{{ range int64 9223372036854775807 }}{{ break }}{{ end }}", End::Rendered);
}

#[test]
fn widths_and_sizes() {
    for text in [
        "{{ range 100 }}{{ printf \"%1000000d\" 1 }}{{ end }}",
        "{{ range 100 }}{{ $x := printf \"%*d|%-*s\" 999999 1 999999 \"x\" }}{{ end }}",
        "{{ range 100 }}{{ $x := printf \"%.999999f%.999999e\" 1.5 1.5 }}{{ end }}",
        "{{ range 100 }}{{ $x := printf \"%0999999.999999x\" \"x\" }}{{ end }}",
        "{{ repeat 1000 (repeat 1000 (repeat 1000 \"x\")) }}",
        "{{ repeat 9223372036854775807 \"x\" }}",
        "{{ until 1000000000 | len }}",
        "{{ untilStep 0 1000000000 1 | len }}",
        "{{ seq 1000000000 }}",
        "{{ indent 1000000000 \"x\" }}",
    ] {
        check(text, End::Limit);
    }
}

#[test]
fn templates_in_templates() {
    let define = |name: &str, body: &str| format!("{{{{ define \"{name}\" }}}}{body}{{{{ end }}}}");
    let call = "{{ template \"a\" . }}";
    check(&(define("a", call) + call), End::Limit);
    check(&(define("a", "{{ template \"b\" (list .) }}") + &define("b", call) + call), End::Limit);
    check(&(define("a", &times(call, 100)) + call), End::Limit);
    check(&(define("a", &format!("{{{{ range 9 }}}}{call}{{{{ end }}}}")) + call), End::Limit);
    // Thirty levels of two calls each, without any recursion.
    let mut doubling = define("t0", "x");
    for level in 1..=30 {
        let body = times(&format!("{{{{ template \"t{}\" }}}}", level - 1), 2);
        doubling += &define(&format!("t{level}"), &body);
    }
    check(&(doubling + "{{ template \"t30\" }}"), End::Limit);
}

#[test]
fn nesting_of_the_text() {
    for count in [100, 10_000, 100_000] {
        let wrapped =
            |open: &str, inner: &str, close: &str| times(open, count) + inner + &times(close, count);
        check(&format!("{{{{ {} }}}}", wrapped("(", "1", ")")), End::Parse);
        check(&format!("{{{{ {} }}}}", wrapped("(", "1", "")), End::Parse);
        check(&format!("{{{{ {} }}}}", wrapped("(list ", "1", ")")), End::Parse);
        check(&format!("{{{{ {} }}}}", wrapped("(print 1 | print ", "1", ")")), End::Parse);
        check(&wrapped("{{ if 1 }}", "", "{{ end }}"), End::Parse);
        check(&wrapped("{{ with 1 }}", "", ""), End::Parse);
        check(&wrapped("{{ range 1 }}", "", "{{ end }}"), End::Parse);
        check(&format!("{{{{ if 0 }}}}{}{{{{ end }}}}", times("{{ else if 0 }}", count)), End::Parse);
        check(&wrapped("{{ define \"a\" }}", "", "{{ end }}"), End::Parse);
        check(&wrapped("{{ block \"a\" . }}", "", "{{ end }}"), End::Parse);
        check(&format!("{{{{ if .x{} }}}}{{{{ end }}}}", times(".x", count)), End::Rendered);
        check(&format!("{{{{ if (1){} }}}}{{{{ end }}}}", times(".x", count)), End::Exec);
    }
    check(&format!("{{{{ 1 {} }}}}", times("| len | print", 1000)), End::Exec);
    check(&format!("{{{{ \"x\" {} }}}}", times("| print ", 100_000)), End::Rendered);
    check(&format!("{{{{ $x := print {} }}}}", times("1 ", 100_000)), End::Rendered);
    check(&times("{{ $x := 1 }}", 50_000), End::Rendered);
    check(&times("{{", 100_000), End::Parse);
    check(&times("{{/*", 100_000), End::Parse);
    check(&times("{{- -}}", 100_000), End::Parse);
}

#[test]
fn expressions() {
    for text in [
        "{{ regexMatch \"(a*)*b\" (repeat 10000 \"a\") }}",
        "{{ regexMatch \"(a|aa)+$\" (print (repeat 10000 \"a\") \"b\") }}",
        "{{ regexFind \"(x+x+)+y\" (repeat 10000 \"x\") }}",
        "{{ $x := regexMatch (print (repeat 500 \"a?\") (repeat 500 \"a\")) (repeat 500 \"a\") }}",
    ] {
        check(text, End::Rendered);
    }
    for text in [
        "{{ mustRegexMatch \"((a{100}){100}){100}\" \"a\" }}",
        "{{ mustRegexMatch (print (repeat 10000 \"(\") (repeat 10000 \")\")) \"a\" }}",
        "{{ mustRegexMatch (print (repeat 900 \"(\") (repeat 900 \")\")) \"a\" }}",
        "{{ mustRegexMatch (repeat 10000 \"(\") \"a\" }}",
        "{{ mustRegexMatch (repeat 10000 \"[\") \"a\" }}",
        "{{ mustRegexMatch (repeat 100000 \"a\") \"a\" }}",
        "{{ mustRegexMatch (print \"a\" (repeat 1000 \"{2}\")) \"a\" }}",
        "{{ mustRegexMatch (print (repeat 300 \"(\") \"a\" (repeat 300 \"{1,2})\")) \"a\" }}",
    ] {
        check(text, End::Exec);
    }
    for expression in ["\\\\pL{50}", "(\\\\pL{8}){6}", "[^a]{500}", "((a{30}){30})"] {
        let text = format!("{{{{ $x := regexMatch (print \"{expression}\" .) \"a\" }}}}");
        check(&format!("{{{{ range 10000 }}}}{text}{{{{ end }}}}"), End::Limit);
    }
    let search = "regexMatch (print (repeat 500 \"a?\") (repeat 500 \"a\")) $s";
    check(&format!("{{{{ $s := repeat 3000000 \"a\" }}}}{{{{ $x := {search} }}}}"), End::Limit);
    check("{{ range 1000000 }}{{ $x := regexMatch (print \"a\" (int64 .)) \"b\" }}{{ end }}", End::Limit);
}

#[test]
fn json() {
    for open in ["[", "{\\\"a\\\":", "[{\\\"a\\\":["] {
        check(&format!("{{{{ mustFromJson (repeat 100000 \"{open}\") }}}}"), End::Exec);
    }
    check("{{ mustFromJson (print (repeat 100000 \"[\") (repeat 100000 \"]\")) }}", End::Exec);
    check("{{ mustFromJson (print \"[\" (repeat 1000000 \"1,\") \"1]\") | len }}", End::Limit);
    check("{{ mustFromJson (repeat 100000 \"1\") | toString | len }}", End::Exec);
}

/// A value that holds the one before it twice, forty times over, takes little memory and no end of text.
#[test]
fn doubled_values() {
    let check = |builder: &str, use_it: &str| {
        let start = "{{ $x := \"\" }}";
        let doubled = format!("{start}{{{{ range 40 }}}}{{{{ $x = {builder} }}}}{{{{ end }}}}");
        check(&format!("{doubled}{{{{ $a := $x }}}}{doubled}{{{{ {use_it} }}}}"), End::Limit);
    };
    for builder in ["list $x $x", "dict \"a\" $x \"b\" $x", "tuple (dict \"a\" $x) $x"] {
        for use_it in ["print $a", "toJson $a", "deepCopy $a", "deepEqual $a $x"] {
            check(builder, use_it);
        }
    }
    for use_it in [
        "$a",
        "toString $a",
        "toPrettyJson $a",
        "html $a",
        "quote $a",
        "printf \"%q\" $a",
        "printf \"%#v\" $a",
        "has $a (list $x)",
        "without (list $a) $x",
        "uniq (list $a $x)",
        "list $a | sortAlpha",
        "list $a | join \"\"",
        "toStrings (list $a)",
        "asn1Marshal $a",
    ] {
        check("list $x $x", use_it);
    }
}

/// Functions of short results that are given a long text again and again.
#[test]
fn long_texts_looked_at() {
    let texts = "{{ $s := repeat 3000000 \"a\" }}{{ $t := print $s }}{{ $l := list $s $t }}";
    for use_it in [
        "sha512sum $s",
        "contains \"b\" $s",
        "contains $t $s",
        "eq $s $t",
        "has $s (list $t)",
        "deepEqual $s $t",
        "printf \"%.1s\" $s",
        "hasPrefix $t $s",
        "regexMatch \"b\" $s",
        "trunc 1 $s",
        "lt $s $t",
        "sortAlpha $l",
        "uniq (list $l $l)",
        "atoi $s",
        "len (keys (dict $s $t))",
        "ternary 1 2 (eq $s $t)",
        "adler32sum $t",
    ] {
        check(&format!("{texts}{{{{ range 1000000 }}}}{{{{ $x := {use_it} }}}}{{{{ end }}}}"), End::Limit);
    }
}

#[test]
fn numbers() {
    let call = |name: &str, argument: &str, count: usize| {
        format!("{{{{ $x := {name}{} }}}}", times(argument, count))
    };
    let factors = |count| call("mulf", " 1.2345678901234567", count);
    check(&factors(3000), End::Rendered);
    check(&format!("{{{{ range 100 }}}}{}{{{{ end }}}}", factors(3000)), End::Limit);
    check(&factors(5000), End::Limit);
    check(&call("divf", " 5e-324", 300), End::Limit);
    check(&format!("{{{{ addf (mulf 1{}) 1 }}}}", times(" 1e-300", 5000)), End::Rendered);
}

#[test]
fn growth() {
    for text in [
        "{{ $x := list 1 }}{{ range 100 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range 1000000 }}{{ $x = append $x 1 }}{{ end }}",
        "{{ $x := \"a\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}",
        "{{ $x := \"a\" }}{{ range 100 }}{{ $x = toJson (list $x $x) }}{{ end }}",
        "{{ $x := dict }}{{ range $i := 1000000 }}{{ $_ := set $x (print $i) $i }}{{ end }}",
        "{{ $x := dict }}{{ range $i := 1000000 }}{{ $x = merge (dict (print $i) $i) $x }}{{ end }}",
        "{{ $x := dict }}{{ $_ := set $x \"x\" $x }}{{ toJson $x }}",
        "{{ $x := dict }}{{ $_ := set $x \"x\" $x }}{{ print $x }}",
        "{{ $x := dict }}{{ range 300 }}{{ $x = dict \"a\" $x }}{{ end }}{{ merge $x (deepCopy $x) }}",
    ] {
        check(text, End::Limit);
    }
}
