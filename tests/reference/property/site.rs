//! The configurations: a fixture's certificates, with provisioners, claims, templates and policy drawn from the seed.

use std::fs;

use serde_json::Value;
use serde_json::json;

use super::random::Random;
use super::templates::TEMPLATES;
use super::templates::Template;
use crate::common::fixture::Fixture;

/// A certificate's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Dns(String),
    Email(String),
    Ip(String),
    Uri(String),
}

/// A provisioner of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Provisioner {
    pub(crate) name: String,
    /// With its private members.
    pub(crate) key: Value,
    pub(crate) claims: Value,
    pub(crate) template: Template,
    /// Whether both take it for unusable.
    pub(crate) disabled: bool,
    /// Seconds that a certificate may last.
    pub(crate) limits: (i64, i64),
}

/// A configuration.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) label: String,
    fixture: &'static str,
    pub(crate) provisioners: Vec<Provisioner>,
    claims: Value,
    template: Value,
    policy: Value,
    pub(crate) backdate: Value,
    issued_at_check: bool,
    with_root: bool,
    /// Whether what was issued is on record.
    pub(crate) database: bool,
    /// Names that it probably signs.
    pub(crate) names: Vec<Name>,
}

/// Keys of the fixture `mosaic`; enough for all kinds.
const KEYS: [&str; 12] = [
    "plain",
    "mosaic-fed",
    "mosaic-hs",
    "hs512",
    "rsa2048",
    "rsa-ps",
    "p384",
    "p521",
    "ed25519",
    "nokid",
    "noalg",
    "limits",
];

/// What the configurations issue with, and which policy they have; one of each.
const FOUNDATIONS: [(&str, &str); 8] = [
    ("mosaic", "none"),
    ("policy", "allow"),
    ("policydeny", "deny"),
    ("constrained", "none"),
    ("rsa", "drawn"),
    ("ed25519", "none"),
    ("mosaic", "root"),
    ("chain3", "drawn"),
];

/// How many configurations there are.
pub(crate) const COUNT: usize = FOUNDATIONS.len();

impl Site {
    /// The configuration with this number.
    pub(crate) fn draw(seed: u64, number: usize) -> Self {
        let mut random = Random::new(seed ^ 0x5173 ^ (u64::try_from(number).unwrap() << 32));
        let (fixture, kind) = FOUNDATIONS[number];
        let policy = match kind {
            "allow" | "deny" => Fixture::copy(fixture).config()["authority"]["policy"].clone(),
            "drawn" => drawn_policy(&mut random),
            _ => Value::Null,
        };
        let claims = if random.one_in(2) { Value::Null } else { lifetimes(&mut random) };
        let keys = Fixture::copy("mosaic");
        let first = random.below(TEMPLATES.len());
        let provisioners = KEYS.iter().enumerate().map(|(at, key)| {
            let template = match random.below(3) {
                0 => Template::Default,
                _ => TEMPLATES[(first + at) % TEMPLATES.len()],
            };
            provisioner(&keys, key, template, &claims, &mut random)
        });
        let provisioners = provisioners.collect();
        Self {
            label: format!("{number} ({fixture}, policy {kind})"),
            fixture,
            provisioners,
            claims,
            template: drawn_subject(&mut random),
            policy,
            backdate: random.pick(&[Value::Null, Value::Null, "0s".into(), "5m".into()].each_ref()).clone(),
            issued_at_check: random.one_in(3),
            with_root: kind == "root",
            database: !random.one_in(4),
            names: names(fixture),
        }
    }

    /// Whether a policy may deny a name, by kind of rule.
    pub(crate) fn denies(&self, kind: &str) -> Vec<&str> {
        let rules = self.policy["x509"]["deny"][kind].as_array().into_iter().flatten();
        rules.filter_map(Value::as_str).collect()
    }

    /// Whether subjects are filled up.
    pub(crate) fn has_default_subject(&self) -> bool {
        !self.template.is_null()
    }

    /// Whether there is a policy for names.
    pub(crate) fn has_policy(&self) -> bool {
        !self.policy.is_null()
    }

    /// Whether its issuer may have no CA below it.
    pub(crate) fn issues_leaves_only(&self) -> bool {
        !self.with_root
    }

    /// A new directory with it.
    pub(crate) fn directory(&self) -> Fixture {
        let fixture = Fixture::copy(self.fixture);
        let mut config = fixture.config();
        let provisioners: Vec<Value> = self.provisioners.iter().map(Provisioner::entry).collect();
        let mut authority = json!({ "provisioners": provisioners });
        for (name, value) in [
            ("claims", &self.claims),
            ("template", &self.template),
            ("policy", &self.policy),
            ("backdate", &self.backdate),
        ] {
            if !value.is_null() {
                authority[name] = value.clone();
            }
        }
        if !self.issued_at_check {
            authority["disableIssuedAtCheck"] = true.into();
        }
        config["authority"] = authority;
        if !self.database {
            let members = config.as_object_mut().unwrap();
            members.remove("db");
            members.remove("crl");
        }
        if self.with_root {
            config["crt"] = "certs/root_ca.crt".into();
            config["key"] = "secrets/root_ca_key".into();
        }
        fs::write(fixture.file("ca.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
        fixture
    }
}

impl Provisioner {
    /// Its object in ca.json.
    fn entry(&self) -> Value {
        let mut key = self.key.clone();
        let members = key.as_object_mut().unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            members.remove(private);
        }
        let mut entry = json!({ "type": "JWK", "name": self.name, "key": key });
        if !self.claims.is_null() {
            entry["claims"] = self.claims.clone();
        }
        if let Some(text) = self.template.text() {
            entry["options"] = json!({ "x509": { "template": text } });
            if self.template == Template::Claims {
                entry["options"]["x509"]["templateData"] =
                    json!({ "units": ["North", "S\u{fc}d"], "country": "nz" });
            }
        }
        entry
    }

    /// The algorithm that its key is registered for.
    pub(crate) fn algorithm(&self) -> &str {
        self.key["alg"].as_str().unwrap_or("ES256")
    }
}

fn provisioner(
    keys: &Fixture,
    key: &str,
    template: Template,
    authority: &Value,
    random: &mut Random,
) -> Provisioner {
    let mut claims = if random.one_in(2) { Value::Null } else { lifetimes(random) };
    let disabled = random.one_in(14);
    if disabled {
        claims = json!({ "minTLSCertDuration": "10h", "maxTLSCertDuration": "1h" });
    }
    for switch in ["disableRenewal", "disableSmallstepExtensions", "allowRenewalAfterExpiry"] {
        if random.one_in(5) {
            let claims = if claims.is_null() {
                claims = json!({});
                &mut claims
            } else {
                &mut claims
            };
            claims[switch] = true.into();
        }
    }
    let name = match random.below(4) {
        0 => format!("Pr\u{fc}fer {key} <&>"),
        1 => format!("{key}@site.example"),
        _ => key.to_owned(),
    };
    let limits = limits(&claims, authority);
    Provisioner { name, key: keys.provisioner_key(key), claims, template, disabled, limits }
}

/// Claims about the time that certificates last.
fn lifetimes(random: &mut Random) -> Value {
    random
        .pick(
            &[
                json!({ "minTLSCertDuration": "1m", "maxTLSCertDuration": "72h", "defaultTLSCertDuration": "8h" }),
                json!({ "maxTLSCertDuration": "2h", "defaultTLSCertDuration": "1h" }),
                json!({ "defaultTLSCertDuration": "48h" }),
                json!({ "defaultTLSCertDuration": "2m" }),
                json!({ "minTLSCertDuration": "30m" }),
                json!({ "maxTLSCertDuration": "8760h" }),
            ]
            .each_ref(),
        )
        .clone()
}

/// The seconds allowed, roughly: enough to draw a length that will often do.
fn limits(claims: &Value, authority: &Value) -> (i64, i64) {
    let seconds = |name: &str| {
        let text = claims[name].as_str().or(authority[name].as_str())?;
        let unit = if text.ends_with('h') { 3600 } else { 60 };
        text[..text.len() - 1].parse::<i64>().ok().map(|number| number * unit)
    };
    let default = seconds("defaultTLSCertDuration").unwrap_or(86_400);
    let minimum = seconds("minTLSCertDuration").unwrap_or(300).min(default);
    (minimum, seconds("maxTLSCertDuration").unwrap_or(86_400).max(minimum))
}

/// The default subject of an authority.
fn drawn_subject(random: &mut Random) -> Value {
    random
        .pick(
            &[
                Value::Null,
                Value::Null,
                json!({ "country": "NZ", "organization": "Drawn Org", "organizationalUnit": "\u{dc}nit" }),
                json!({ "locality": "Town", "province": "State", "streetAddress": "1 Road", "serialNumber": "T-1",
                    "commonName": "default-cn.example" }),
            ]
            .each_ref(),
        )
        .clone()
}

/// A policy with a few rules of each kind.
fn drawn_policy(random: &mut Random) -> Value {
    let mut draw = |rules: &[&str]| -> Vec<Value> {
        rules.iter().filter(|_| random.one_in(2)).map(|rule| Value::from(*rule)).collect()
    };
    let mut lists = |with_common_names: bool| {
        let mut lists = json!({
            "dns": draw(&["*.example", "*.own.example", "own.example", "a.own.example", "*.b.own.example"]),
            "ip": draw(&["10.0.0.0/8", "10.9.0.0/16", "192.0.2.7", "2001:db8::/32", "::1"]),
            "email": draw(&["@own.example", "amy@own.example", "@mail.example"]),
            "uri": draw(&["own.example", "*.own.example", "a.own.example"]),
        });
        if with_common_names {
            lists["cn"] = draw(&["Device 7", "a.own.example", "amy@own.example"]).into();
        }
        for kind in ["dns", "ip", "email", "uri", "cn"] {
            if lists[kind].as_array().is_some_and(Vec::is_empty) {
                lists.as_object_mut().unwrap().remove(kind);
            }
        }
        lists
    };
    let (allow, deny) = (lists(true), lists(true));
    let mut policy = json!({ "x509": {} });
    if random.one_in(2) {
        policy["x509"]["allow"] = allow;
    }
    if random.one_in(2) {
        policy["x509"]["deny"] = deny;
    }
    if random.one_in(2) {
        policy["x509"]["allowWildcardNames"] = true.into();
    }
    policy
}

/// Names that configurations on this fixture probably sign, and some that they do not.
fn names(fixture: &str) -> Vec<Name> {
    let dns: &[&str] = match fixture {
        "policy" => &["a.internal.example", "B.internal.example", "exact.example", "_srv.internal.example"],
        "constrained" => &["good.example", "a.good.example", "A.b.GOOD.example", "localhost"],
        _ => &[
            "a.own.example",
            "B.own.EXAMPLE",
            "own.example",
            "xn--bcher-kva.own.example",
            "_srv.own.example",
            "x.b.own.example",
            "localhost",
        ],
    };
    let email: &[&str] = match fixture {
        "policy" => &["amy@mail.example", "bob@corp.example"],
        "constrained" => &["amy@good.example"],
        _ => &["amy@own.example", "Bob.B+tag@mail.example", "o'hara@own.example"],
    };
    let ip: &[&str] = match fixture {
        "policy" => &["10.1.2.3", "192.0.2.7", "2001:db8::7"],
        "constrained" => &["127.0.0.1", "127.9.9.9"],
        _ => &["10.1.2.3", "10.9.0.1", "192.0.2.7", "2001:db8::7", "::1", "::ffff:10.1.2.3", "fe80::1"],
    };
    let uri: &[&str] = match fixture {
        "policy" => &["https://api.example/x", "spiffe://a.svc.example/y"],
        "constrained" => &["https://a.good.example/x"],
        _ => &[
            "https://own.example/x?y=z#f",
            "spiffe://a.own.example/ns/b",
            "urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "https://a.own.example:8443/%7Euser/a%2Fb",
            "HTTPS://Own.example/Path",
            "ldap://own.example/cn=a,dc=b",
        ],
    };
    let own = |list: &[&str], make: fn(String) -> Name| -> Vec<Name> {
        list.iter().map(|text| make((*text).to_owned())).collect()
    };
    [own(dns, Name::Dns), own(email, Name::Email), own(ip, Name::Ip), own(uri, Name::Uri)].concat()
}
