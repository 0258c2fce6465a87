//! What edits leave of a text, byte for byte.

use serde_json::json;

use super::*;

/// Odd on purpose: unknown members, a number's spelling, a name in capitals, text behind the object.
const TABS: &str = "{\n\t\"x\": 1.50e+2,\n\t\"Authority\": {\n\t\t\"provisioners\": [\n\t\t\t{\n\t\t\t\t\"type\": \"JWK\",\n\t\t\t\t\"name\": \"a\",\n\t\t\t\t\"key\": {\n\t\t\t\t\t\"kid\": \"1\"\n\t\t\t\t},\n\t\t\t\t\"encryptedKey\": \"e1\",\n\t\t\t\t\"unknown\":   [1.0 ,2]\n\t\t\t},\n\t\t\t{ \"type\": \"ACME\", \"name\": \"b\" }\n\t\t],\n\t\t\"z\": 0.10\n\t}\n} behind";
const ONE_LINE: &str = r#"{"authority":{"provisioners":[{"key": {"kid":"1"},"type":"jwk","name":"a"}, {"name":"b","type":"X5C"}]},"n":1E2}"#;
const CRLF: &str = "{\r\n  \"authority\": {\r\n    \"provisioners\": []\r\n  }\r\n}\r\n";

fn find(text: &str) -> Provisioners<'_> {
    Provisioners::find(text).unwrap()
}

fn new_key(encrypted: Option<&str>) -> NewKey {
    NewKey { key: json!({ "kid": "2" }), encrypted: encrypted.map(str::to_owned) }
}

#[test]
fn an_entry_is_added_in_the_layout_of_its_neighbours() {
    let entry = json!({ "name": "c", "list": [1, {}] });
    let check = |text: &str, from: &str, to: &str| {
        assert_eq!(find(text).with("c", &entry).unwrap(), text.replacen(from, to, 1));
    };
    check(
        TABS,
        "\"name\": \"b\" }",
        "\"name\": \"b\" },\n\t\t\t{\n\t\t\t\t\"name\": \"c\",\n\t\t\t\t\"list\": [\n\t\t\t\t\t1,\n\t\t\t\t\t{}\n\t\t\t\t]\n\t\t\t}",
    );
    check(ONE_LINE, "\"X5C\"}", "\"X5C\"}, {\"name\":\"c\",\"list\":[1,{}]}");
    check(
        CRLF,
        "[]",
        "[\r\n      {\r\n        \"name\": \"c\",\r\n        \"list\": [\r\n          1,\r\n          {}\r\n        ]\r\n      }\r\n    ]",
    );
    check("{\"authority\":{\"provisioners\":null}}", "null", "[{\"name\":\"c\",\"list\":[1,{}]}]");
    // A blank line between entries is repeated between entries, not within one.
    let airy = "{\"authority\":{\"provisioners\":[\n\n {\"name\":\"a\"}\n\n]}}";
    check(airy, "\"a\"}", "\"a\"},\n\n {\n  \"name\": \"c\",\n  \"list\": [\n   1,\n   {}\n  ]\n }");
}

#[test]
fn what_is_added_and_removed_leaves_no_trace() {
    for text in [TABS, ONE_LINE] {
        let more = find(text).with("c", &json!({ "name": "c" })).unwrap();
        assert_eq!(find(&more).without("c").unwrap(), text);
    }
}

#[test]
fn an_entry_is_removed_with_its_comma() {
    let check = |text: &str, name: &str, expected: &str| {
        assert_eq!(find(text).without(name).unwrap(), expected);
    };
    let list = |inside: &str| format!("{{\"authority\":{{\"provisioners\":[{inside}]}}}}");
    let entry = |name: &str| format!("{{\"name\": \"{name}\"}}");
    let three = list(&format!(" {} , {},{} ", entry("a"), entry("b"), entry("c")));
    check(&three, "a", &list(&format!(" {},{} ", entry("b"), entry("c"))));
    check(&three, "b", &list(&format!(" {},{} ", entry("a"), entry("c"))));
    check(&three, "c", &list(&format!(" {} , {} ", entry("a"), entry("b"))));
    check(&list(&format!("\n {}\n", entry("a"))), "a", &list(""));
}

#[test]
fn a_key_is_replaced_where_it_stands() {
    let check = |text: &str, new: &NewKey, changes: &[(&str, &str)]| {
        let expected = changes.iter().fold(text.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
        assert_eq!(find(text).with_key("a", new).unwrap(), expected);
    };
    check(TABS, &new_key(Some("e2")), &[("\"kid\": \"1\"", "\"kid\": \"2\""), ("e1", "e2")]);
    check(
        TABS,
        &new_key(None),
        &[("\"kid\": \"1\"", "\"kid\": \"2\""), ("\n\t\t\t\t\"encryptedKey\": \"e1\",", "")],
    );
    check(
        ONE_LINE,
        &new_key(Some("e2")),
        &[("{\"kid\":\"1\"},", "{\"kid\":\"2\"},\"encryptedKey\": \"e2\",")],
    );
    check(ONE_LINE, &new_key(None), &[("{\"kid\":\"1\"}", "{\"kid\":\"2\"}")]);
}

#[test]
fn a_copy_has_another_name_and_key() {
    let text = find(TABS).with_copy("a", "c", &new_key(Some("e2"))).unwrap();
    let begin = TABS.find("{\n\t\t\t\t\"type\"").unwrap();
    let end = TABS.find(",\n\t\t\t{ \"type\": \"ACME\"").unwrap();
    let copy = TABS[begin..end].replace("\"a\"", "\"c\"").replace("\"1\"", "\"2\"").replace("e1", "e2");
    assert_eq!(text, TABS.replace("\"b\" }", &format!("\"b\" }},\n\t\t\t{copy}")));
}

#[test]
fn what_is_not_clear_is_not_edited() {
    let check = |error: Error, expected: &str| assert_eq!(error.to_string(), expected);
    let entry = json!({});
    check(find(TABS).with("b", &entry).unwrap_err(), "there is a provisioner \"b\" already");
    check(find(TABS).without("c").unwrap_err(), "there is no provisioner \"c\", only a, b");
    check(
        find(TABS).with_key("b", &new_key(None)).unwrap_err(),
        "provisioner \"b\" of type ACME has no key to replace",
    );
    check(
        find(TABS).with_copy("a", "b", &new_key(None)).unwrap_err(),
        "there is a provisioner \"b\" already",
    );
    for (text, expected) in [
        ("{", "ca.json is no JSON: unexpected end of JSON input"),
        ("[]", "ca.json has no authority"),
        ("{\"authority\": {}}", "ca.json has no authority.provisioners"),
        ("{\"authority\": {\"provisioners\": 1}}", "ca.json has no list in authority.provisioners"),
        ("{\"authority\": {}, \"AUTHORITY\": {}}", "authority stands twice in one object of ca.json"),
        (
            "{\"authority\": {\"provisioners\": [{\"name\": \"a\", \"Name\": \"b\"}]}}",
            "name stands twice in one object of ca.json",
        ),
    ] {
        check(Provisioners::find(text).unwrap_err(), expected);
    }
}
