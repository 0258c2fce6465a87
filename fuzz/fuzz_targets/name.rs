//! Names of tokens: sorted into kinds, written canonically, judged by a policy.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stepless::policy::NamePolicy;
use stepless::policy::Names;
use stepless::policy::Rules;
use stepless::uri::Uri;
use stepless::x509::san::San;
use stepless::x509::san::classify;

static POLICY: LazyLock<NamePolicy> = LazyLock::new(|| {
    let rules = |names: &[&str], ips: &[&str]| {
        let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Rules {
            dns: list(names),
            ip: list(ips),
            email: list(&["@mail.example", "bob@corp.example"]),
            uri: list(names),
            cn: list(&["Jane Doe"]),
        }
    };
    let allow = rules(&["*.a.example", "bücher.example"], &["10.0.0.0/8", "2001:db8::/32"]);
    let deny = rules(&["b.a.example"], &["10.9.0.0/16"]);
    NamePolicy::new(&allow, &deny, true).expect("the rules are well formed")
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(uri) = Uri::parse(text) {
        let written = uri.to_string();
        if let Ok(again) = Uri::parse(&written) {
            assert_eq!(again.to_string(), written);
        }
    }
    let (mut dns, mut ips, mut emails, mut uris) = (vec![], vec![], vec![], vec![]);
    let name = classify(text);
    let _ = name.to_general_name();
    match name {
        San::Dns(name) => dns.push(name),
        San::Ip(address) => ips.push(address),
        San::Email(name) => emails.push(name),
        San::Uri(name) => uris.push(name),
    }
    let names = Names { common_name: None, dns: &dns, ips: &ips, emails: &emails, uris: &uris };
    let verdict = POLICY.check(&names);
    // A common name that no `cn` rule has is judged as the same name.
    let common_name = Names { common_name: Some(text), ..Names::default() };
    assert_eq!(POLICY.check(&common_name).is_ok(), verdict.is_ok() || text.is_empty());
    // A rule made of any text is read or refused.
    let _ = NamePolicy::new(
        &Rules { cn: vec![text.to_owned()], dns: vec![text.to_owned()], ..Rules::default() },
        &Rules::default(),
        false,
    );
    for rules in [
        Rules { ip: vec![text.to_owned()], ..Rules::default() },
        Rules { email: vec![text.to_owned()], ..Rules::default() },
        Rules { uri: vec![text.to_owned()], ..Rules::default() },
    ] {
        let _ = NamePolicy::new(&rules, &Rules::default(), false);
    }
});
