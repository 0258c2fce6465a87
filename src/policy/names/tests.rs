//! Names judged by rules: the recorded exchanges first, then what they leave open.

use crate::policy::NamePolicy;
use crate::policy::Names;
use crate::policy::Rules;
use crate::x509::san::San;
use crate::x509::san::classify_all;

fn list(rules: &[&str]) -> Vec<String> {
    rules.iter().map(|&rule| rule.to_owned()).collect()
}

/// The rules of the `policy` fixture.
fn allow_and_deny() -> NamePolicy {
    let allow = Rules {
        dns: list(&["*.internal.example", "exact.example", "*.xn--bcher-kva.example"]),
        ip: list(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]),
        email: list(&["@mail.example", "bob@corp.example"]),
        uri: list(&["*.svc.example", "api.example"]),
        cn: list(&["Special Name"]),
    };
    let deny = Rules { dns: list(&["bad.internal.example"]), ip: list(&["10.9.0.0/16"]), ..Rules::default() };
    NamePolicy::new(&allow, &deny, false).unwrap()
}

/// The rules of the `policydeny` fixture.
fn deny_only() -> NamePolicy {
    let deny = Rules {
        dns: list(&["*.forbidden.example"]),
        email: list(&["@forbidden.example"]),
        uri: list(&["forbidden.example"]),
        cn: list(&["Nobody"]),
        ..Rules::default()
    };
    NamePolicy::new(&Rules::default(), &deny, true).unwrap()
}

/// What becomes of a token's subject and names; an empty text if they pass.
fn judge(policy: &NamePolicy, common_name: &str, sans: &[&str]) -> String {
    let (mut dns, mut ips, mut emails, mut uris) = (vec![], vec![], vec![], vec![]);
    for name in classify_all(sans.iter().copied()) {
        match name {
            San::Dns(name) => dns.push(name),
            San::Ip(address) => ips.push(address),
            San::Email(name) => emails.push(name),
            San::Uri(name) => uris.push(name),
        }
    }
    let names = Names { common_name: Some(common_name), dns: &dns, ips: &ips, emails: &emails, uris: &uris };
    policy.check(&names).err().map(|error| error.to_string()).unwrap_or_default()
}

/// Checks a name that is both the subject and the only alternative name.
#[track_caller]
fn check(policy: &NamePolicy, name: &str, expected: &str) {
    assert_eq!(judge(policy, name, &[name]), expected, "{name:?}");
}

#[track_caller]
fn check_common_name(policy: &NamePolicy, name: &str, expected: &str) {
    assert_eq!(judge(policy, name, &[]), expected, "{name:?}");
}

/// Checks names that pass, names that the rules refuse, and names that no rule can be compared with.
#[track_caller]
fn check_each(policy: &NamePolicy, allowed: &[&str], denied: &[&str], incomparable: &[&str]) {
    for name in allowed {
        check(policy, name, "");
    }
    for name in denied {
        let error = judge(policy, "", &[name]);
        assert!(error.ends_with("not allowed"), "{name:?}: {error}");
    }
    for name in incomparable {
        let error = judge(policy, "", &[name]);
        assert!(error.contains("cannot be compared"), "{name:?}: {error}");
    }
}

#[test]
fn recorded_with_allow_and_deny() {
    let policy = allow_and_deny();
    for name in [
        "A.Internal.Example",
        "exact.example",
        "a.internal.example",
        "amy@mail.example",
        "bob@corp.example",
        "10.1.2.3",
        "192.0.2.7",
        "https://api.example/",
        "https://api.example:8443/",
        "https://a.svc.example/path",
    ] {
        check(&policy, name, "");
    }
    for (name, expected) in [
        ("a.exact.example", "dns name \"a.exact.example\" not allowed"),
        ("other.example", "dns name \"other.example\" not allowed"),
        ("internal.example", "dns name \"internal.example\" not allowed"),
        ("*.internal.example", "dns name \"*.internal.example\" not allowed"),
        ("Bob@corp.example", "email name \"Bob@corp.example\" not allowed"),
        ("amy@corp.example", "email name \"amy@corp.example\" not allowed"),
        ("192.0.2.8", "ip name \"192.0.2.8\" not allowed"),
        ("2001:db9::5", "ip name \"2001:db9::5\" not allowed"),
        ("https://x.example/", "uri name \"https://x.example/\" not allowed"),
        ("a.internal.example.", "dns name \"a.internal.example.\" cannot be compared with the policy"),
        ("_a.internal.example", "dns name \"_a.internal.example\" cannot be compared with the policy"),
        (
            "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "uri name \"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8\" cannot be compared with the policy",
        ),
    ] {
        check(&policy, name, expected);
    }
    for (common_name, expected) in [
        ("special name", ""),
        ("Special Name", ""),
        ("10.1.1.1", ""),
        ("other.example", "cn name \"other.example\" not allowed"),
    ] {
        assert_eq!(judge(&policy, common_name, &["a.internal.example"]), expected);
    }
}

#[test]
fn recorded_with_deny_only() {
    let policy = deny_only();
    for name in ["a.b.forbidden.example", "10.0.0.1", "*.any.example"] {
        check(&policy, name, "");
    }
    check(&policy, "x@forbidden.example", "email name \"x@forbidden.example\" not allowed");
    check(&policy, "https://forbidden.example/", "uri name \"https://forbidden.example/\" not allowed");
    // step-ca signs this one: CONTRACT.md D19.
    assert_eq!(judge(&policy, "Nobody", &["any.example"]), "cn name \"Nobody\" not allowed");
}

#[test]
fn no_rules_allow_everything() {
    let policy = NamePolicy::default();
    check_each(&policy, &["_x", "a..b", "*.*", "urn:x", "@", "::1", "Jane Doe"], &[], &[]);
}

#[test]
fn domains() {
    check_each(
        &allow_and_deny(),
        &["a.xn--bcher-kva.example", "a.XN--BCHER-kva.example"],
        &["bad.internal.example", "BAD.internal.example", "a.b.internal.example"],
        &[
            "bücher example",
            "a b.internal.example",
            "a..internal.example",
            ".internal.example",
            "*",
            "*.",
            "a.*.internal.example",
            "-a.internal.example",
            "a\u{0}.internal.example",
            "xn--zzzzzzzzz.internal.example",
        ],
    );
}

#[test]
fn unicode_is_compared_in_ascii() {
    let policy = NamePolicy::new(
        &Rules { dns: list(&["*.Bücher.example"]), ..Rules::default() },
        &Rules { dns: list(&["straße.bücher.example"]), ..Rules::default() },
        false,
    )
    .unwrap();
    check_each(
        &policy,
        &["a.xn--bcher-kva.example", "a.bücher.example", "a.BU\u{308}CHER.example", "ａ.bücher。example"],
        &["xn--strae-oqa.xn--bcher-kva.example", "a.bucher.example"],
        &["a_.bücher.example", "\u{200d}.bücher.example"],
    );
}

#[test]
fn wildcards_need_permission_but_are_always_denied() {
    let rules = Rules { dns: list(&["*.a.example"]), ..Rules::default() };
    let none = Rules::default();
    let denied = "dns name \"*.a.example\" not allowed";
    for (allow, deny, permitted, expected) in [
        (&rules, &none, false, denied),
        (&rules, &none, true, ""),
        (&none, &rules, false, denied),
        (&none, &rules, true, denied),
    ] {
        let policy = NamePolicy::new(allow, deny, permitted).unwrap();
        check(&policy, "*.a.example", expected);
    }
    let policy = NamePolicy::new(&none, &rules, false).unwrap();
    check(&policy, "*.b.example", "");
}

#[test]
fn addresses() {
    check_each(
        &allow_and_deny(),
        &["10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1", "2001:db8:ffff::"],
        &["10.9.0.1", "::ffff:10.9.0.1", "11.0.0.1", "::10.1.1.1", "2001:db7::"],
        &[],
    );
    let deny = Rules { ip: list(&["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"]), ..Rules::default() };
    let policy = NamePolicy::new(&Rules::default(), &deny, false).unwrap();
    check_each(&policy, &["11.0.0.1", "::1"], &["10.1.1.1", "192.0.2.7"], &[]);
}

#[test]
fn mailboxes() {
    check_each(
        &allow_and_deny(),
        &["amy@MAIL.example", "\"a b\"@mail.example", "bob@CORP.example"],
        &["amy@sub.mail.example", "amy@example", "amy@*.mail.example"],
        &["amy@", "@mail.example", "a b@mail.example", "amy@mail.example.", "amy@bücher.example"],
    );
}

#[test]
fn uris() {
    check_each(
        &allow_and_deny(),
        &["HTTPS://API.example", "ftp://u:p@api.example/x?y#z", "spiffe://a.svc.example/id"],
        &["https://svc.example", "https://a.b.svc.example", "https://api.example.org"],
        &[
            "https:///path",
            "https://:443/",
            "https://10.1.1.1/",
            "https://[2001:db8::1]/",
            "https://[2001:db8::1]:443/",
            "https://*.svc.example/",
            "https://api.example./",
            "https://.api.example/",
            "https://b%C3%BC.svc.example/",
            "mailto:amy@mail.example",
        ],
    );
}

#[test]
fn a_kind_without_rules_is_closed_by_allow_rules_of_another() {
    let rules = Rules { dns: list(&["a.example"]), ..Rules::default() };
    let names = ["10.0.0.1", "x@a.example", "https://a.example/", "urn:x"];
    let allow = NamePolicy::new(&rules, &Rules::default(), false).unwrap();
    check_each(&allow, &["a.example"], &names, &[]);
    let deny = NamePolicy::new(&Rules::default(), &rules, false).unwrap();
    check_each(&deny, &names, &["a.example"], &["_x"]);
    // Deny rules of its own kind open it again.
    let both = Rules { ip: list(&["10.0.0.1"]), ..Rules::default() };
    let policy = NamePolicy::new(&rules, &both, false).unwrap();
    check_each(&policy, &[], &["10.0.0.1"], &[]);
    assert_eq!(judge(&policy, "", &["10.0.0.2"]), "");
}

#[test]
fn common_names() {
    let policy = allow_and_deny();
    check_common_name(&policy, "", "");
    check_common_name(&policy, "SPECIAL NAME", "");
    check_common_name(&policy, "a.bücher.example", "");
    check_common_name(&policy, "amy@mail.example", "");
    check_common_name(&policy, "Jane Doe", "cn name \"Jane Doe\" cannot be compared with the policy");
    check_common_name(&policy, "::ffff:10.9.0.1", "cn name \"10.9.0.1\" not allowed");
    // With deny rules only, what they do not have passes unseen by the rules for other kinds.
    let policy = deny_only();
    check_common_name(&policy, "Jane Doe", "");
    check_common_name(&policy, "x@forbidden.example", "");
    check_common_name(&policy, "NOBODY", "cn name \"NOBODY\" not allowed");
}

#[test]
fn alternative_names_are_judged_before_the_common_name() {
    assert_eq!(
        judge(&allow_and_deny(), "x.example", &["10.9.0.1", "y.example"]),
        "dns name \"y.example\" not allowed"
    );
}
