//! Provisioners of type X5C: tokens signed with the key of a certificate below their roots.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use stepless::crypto::KeyKind;
use stepless::duration::format_rfc3339;
use stepless::entropy::SystemEntropy;
use stepless::jose::PrivateJwk;
use stepless::x509::extension;
use stepless::x509::extension::BasicConstraints;
use stepless::x509::extension::Extension;
use stepless::x509::extension::KeyUsage;
use stepless::x509::name_constraints::NameConstraints;
use stepless::x509::name_constraints::Subtrees;
use stepless::x509::oid;
use stepless::x509::oid::Oid;
use stepless::x509::san::San;
use time::OffsetDateTime;

use crate::cases::Case;
use crate::common::csr::Csr;
use crate::common::entity::Entity;
use crate::common::entity::Plan;
use crate::common::fixture::Fixture;
use crate::common::https::Request;
use crate::common::token;
use crate::fresh;

const NAME: &str = "a.example";

/// Whose certificates the provisioners take.
struct Factory {
    root: Entity,
    intermediate: Entity,
    /// One of another hierarchy.
    stranger: Entity,
    /// Roots that some verifier might object to, by the name of their provisioner.
    odd_roots: Vec<(&'static str, Entity)>,
}

/// Made once, since both CAs have to trust the same one.
static FACTORY: LazyLock<Factory> = LazyLock::new(|| {
    let root = Entity::root(Plan::ca("Factory Root"));
    let intermediate = root.issue(Plan::ca("Factory Intermediate"));
    let odd = |name, plan| (name, Entity::root(plan));
    let odd_roots = vec![
        odd("odd-critical", Plan::ca("Critical Root").with(unknown_extension(true))),
        odd("odd-expired", Plan::ca("Expired Root").valid(-7200, -3600)),
        odd("odd-pinned", Plan::end_entity("pinned.example")),
        odd("odd-not-ca", Plan::ca("No CA").without(&oid::BASIC_CONSTRAINTS)),
        odd("odd-usage", Plan::ca("Usage Root").with(KeyUsage::CRL_SIGN.to_extension())),
        odd("odd-eku", Plan::ca("Server Root").with(extension::extended_key_usage(&[oid::SERVER_AUTH]))),
        odd("odd-length", Plan::ca("Short Root").with(constraints(Some(0)))),
        odd("odd-names", Plan::ca("Constrained Root").with(excluded("example"))),
        odd("odd-names-other", Plan::ca("Constrained Root 2").with(excluded("elsewhere.example"))),
        odd("odd-directory", Plan::ca("Directory Root").with(directory_constraint(true))),
        odd("odd-directory-plain", Plan::ca("Directory Root 2").with(directory_constraint(false))),
    ];
    Factory { intermediate, stranger: Entity::root(Plan::ca("Factory Root")), root, odd_roots }
});

fn constraints(path_length: Option<u32>) -> Extension {
    BasicConstraints { is_ca: true, path_length }.to_extension()
}

fn excluded(domain: &str) -> Extension {
    let excluded = Subtrees { dns: vec![domain.to_owned()], ..Subtrees::default() };
    NameConstraints { excluded, ..NameConstraints::default() }.to_extension(true).unwrap()
}

/// Excludes the directory name O=x.
pub(crate) fn directory_constraint(critical: bool) -> Extension {
    let value = b"\x30\x14\xa1\x12\x30\x10\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01x";
    Extension::new(oid::NAME_CONSTRAINTS, critical, value.to_vec())
}

fn unknown_extension(critical: bool) -> Extension {
    Extension::new(Oid::parse("1.2.3").unwrap(), critical, vec![5, 0])
}

/// A fixture with provisioners of type X5C.
pub(crate) fn fixture() -> Fixture {
    let fixture = Fixture::copy("mosaic");
    let mut config = fixture.config();
    let provisioners = config["authority"]["provisioners"].as_array_mut().unwrap();
    provisioners.retain(|provisioner| provisioner["name"] == "plain");
    let roots = |entities: &[&Entity]| {
        let pem: String = entities.iter().map(|entity| entity.certificate.to_pem()).collect();
        STANDARD.encode(pem)
    };
    let (root, intermediate) = (&FACTORY.root, &FACTORY.intermediate);
    let mut add = |name: &str, roots: String, more: Value| {
        let mut entry = json!({"type": "X5C", "name": name, "roots": roots});
        for (member, value) in more.as_object().into_iter().flatten() {
            entry[member] = value.clone();
        }
        provisioners.push(entry);
    };
    add("devices", roots(&[root]), Value::Null);
    add("two roots", roots(&[&FACTORY.stranger, root]), Value::Null);
    add("intermediate", roots(&[intermediate]), Value::Null);
    add("a:b", roots(&[root]), Value::Null);
    add("norenew", roots(&[root]), json!({"claims": {"disableRenewal": true}}));
    add("noext", roots(&[root]), json!({"claims": {"disableSmallstepExtensions": true}}));
    let limits =
        json!({"minTLSCertDuration": "10m", "maxTLSCertDuration": "30m", "defaultTLSCertDuration": "20m"});
    add("limits", roots(&[root]), json!({"claims": limits}));
    let off = json!({"minTLSCertDuration": "2h", "maxTLSCertDuration": "1h"});
    add("off", roots(&[root]), json!({"claims": off}));
    for (name, template) in TEMPLATES {
        add(name, roots(&[root]), json!({"options": {"x509": {"template": template}}}));
    }
    for (name, root) in &FACTORY.odd_roots {
        add(name, roots(&[root]), Value::Null);
    }
    std::fs::write(fixture.file("ca.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    fixture
}

/// Provisioners whose templates read the certificate that signed the token.
const TEMPLATES: [(&str, &str); 5] = [
    (
        "template-subject",
        r#"{"subject": {{ toJson .AuthorizationCrt.Subject }}, "sans": {{ toJson .SANs }}}"#,
    ),
    (
        "template-names",
        r#"{"subject": {"commonName": {{ toJson .AuthorizationCrt.Subject.CommonName }},
"organizationalUnit": {{ toJson .AuthorizationCrt.DNSNames }}}, "sans": {{ toJson .SANs }}}"#,
    ),
    (
        "template-printed",
        r#"{"subject": {"commonName": {{ printf "%s by %s" .AuthorizationCrt.Subject .AuthorizationCrt.Issuer | toJson }},
"organization": {{ printf "%v %v %v" .AuthorizationCrt.SerialNumber .AuthorizationCrt.IsCA .AuthorizationCrt.IPAddresses | toJson }},
"serialNumber": {{ .AuthorizationCrt.NotAfter.Unix | toString | toJson }}}, "sans": {{ toJson .SANs }}}"#,
    ),
    (
        "template-keys",
        r#"{"subject": {"commonName": {{ b64enc (printf "%s" .AuthorizationCrt.SubjectKeyId) | toJson }},
"organization": {{ typeOf .AuthorizationCrt | toJson }}, "organizationalUnit": {{ typeOf .AuthorizationCrt.PublicKey | toJson }}},
"sans": {{ toJson .SANs }}}"#,
    ),
    (
        "template-more",
        r#"{"subject": {"commonName": {{ printf "%v %v" .AuthorizationCrt.Version .AuthorizationCrt.SignatureAlgorithm | toJson }},
"organization": {{ printf "%v %v %v" .AuthorizationCrt.KeyUsage .AuthorizationCrt.ExtKeyUsage .AuthorizationCrt.BasicConstraintsValid | toJson }},
"organizationalUnit": {{ len .AuthorizationCrt.Extensions | toString | toJson }}},
"sans": {{ toJson .SANs }}}"#,
    ),
];

/// A certificate that speaks for itself, and what its token says.
struct Token {
    signer: Entity,
    header: Value,
    claims: Value,
}

impl Token {
    /// A good token of `provisioner` with a certificate below the intermediate.
    fn new(provisioner: &str) -> Self {
        Self::of(provisioner, FACTORY.intermediate.issue(Plan::end_entity("device.example")))
    }

    /// A token of the given certificate, whose chain goes over the intermediate.
    fn of(provisioner: &str, signer: Entity) -> Self {
        let mut claims = token::claims(provisioner, NAME);
        claims["aud"] = format!("https://localhost/1.0/sign#x5c/{provisioner}").into();
        let algorithm = stepless::jose::JwsAlgorithm::default_for(signer.key.kind());
        let header = json!({"alg": algorithm.name(), "typ": "JWT"});
        Self { signer, header, claims }.chain(&[&FACTORY.intermediate])
    }

    /// With these certificates behind the signer's own.
    fn chain(self, others: &[&Entity]) -> Self {
        let signer = self.signer.clone();
        let all: Vec<&Entity> = std::iter::once(&signer).chain(others.iter().copied()).collect();
        self.header("x5c", list(&all))
    }

    fn header(mut self, member: &str, value: Value) -> Self {
        self.header[member] = value;
        self
    }

    fn without_header(mut self, member: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(member);
        self
    }

    fn claim(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(claim);
        self
    }

    fn text(&self) -> String {
        token::sign(&self.signer.key, &self.header, &self.claims)
    }

    fn request(&self, terms: &Value) -> Request {
        fresh::sign(&Csr::new(NAME, &[NAME]).pem, &self.text(), terms)
    }
}

/// The header's form of a chain.
fn list(entities: &[&Entity]) -> Value {
    entities.iter().map(|entity| STANDARD.encode(entity.certificate.der())).collect()
}

/// All cases; on one fixture, in this order.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    chains(&mut cases);
    odd_roots(&mut cases);
    headers(&mut cases);
    claims(&mut cases);
    lookup(&mut cases);
    validity(&mut cases);
    rest(&mut cases);
    cases
}

fn add(cases: &mut Vec<Case>, name: &str, token: &Token) {
    cases.push(case(name, token.request(&Value::Null)));
}

fn case(name: &str, request: Request) -> Case {
    Case::new(&format!("x5c/{name}"), "x5c", request)
}

fn chains(cases: &mut Vec<Case>) {
    let Factory { root, intermediate, stranger, .. } = &*FACTORY;
    let device = || Plan::end_entity("device.example");
    let mut add = |name: &str, token: Token| add(cases, &format!("chain-{name}"), &token);
    let good = || Token::new("devices");
    add("good", good());
    add("with-root", good().chain(&[intermediate, root]));
    add("root-first", good().chain(&[root, intermediate]));
    add("direct", Token::of("devices", root.issue(device())).chain(&[]));
    add("missing-intermediate", good().chain(&[]));
    add("twice", good().chain(&[intermediate, intermediate]));
    add("unrelated-behind", good().chain(&[intermediate, stranger]));
    let token = good();
    let reversed = list(&[intermediate, &token.signer]);
    add("wrong-order", token.header("x5c", reversed));
    let token = good();
    let other = intermediate.issue(device());
    let not_the_signer = list(&[&other, intermediate]);
    add("not-the-signer", token.header("x5c", not_the_signer));
    add("unknown-root", Token::of("devices", stranger.issue(device())).chain(&[stranger]));
    add("self-signed", Token::of("devices", Entity::root(device())).chain(&[]));
    let root_signs = Plan::ca("Factory Root").with(KeyUsage::DIGITAL_SIGNATURE.to_extension());
    add("root-itself", Token::of("devices", root.clone()).chain(&[]));
    add("root-again", Token::of("devices", root.again(None, root_signs)).chain(&[]));
    add("intermediate-itself", Token::of("devices", intermediate.clone()).chain(&[]));
    add("two-roots", Token::new("two roots"));
    add("anchor-intermediate", Token::new("intermediate").chain(&[]));
    add("anchor-above-left-out", Token::of("intermediate", root.issue(device())).chain(&[root]));

    let below = |plan: Plan| intermediate.issue(plan);
    for (name, plan) in [
        ("expired", device().valid(-7200, -1)),
        ("expires-soon", device().valid(-7200, 600)),
        ("not-yet", device().valid(600, 7200)),
        ("no-client-auth", device().with(extension::extended_key_usage(&[oid::SERVER_AUTH]))),
        ("only-client-auth", device().with(extension::extended_key_usage(&[oid::CLIENT_AUTH]))),
        ("any-usage", device().with(extension::extended_key_usage(&[oid::ANY_EXTENDED_KEY_USAGE]))),
        ("no-extended-usage", device().without(&oid::EXTENDED_KEY_USAGE)),
        ("no-key-usage", device().without(&oid::KEY_USAGE)),
        ("key-agreement", device().with(KeyUsage::KEY_AGREEMENT.to_extension())),
        ("ca-flag", device().with(constraints(None))),
        ("ca-flag-false", device().with(BasicConstraints::default().to_extension())),
        ("unknown-critical", device().with(unknown_extension(true))),
        ("unknown-not-critical", device().with(unknown_extension(false))),
        ("empty-subject", Plan { common_name: String::new(), ..device() }),
        ("no-names", device().without(&oid::SUBJECT_ALT_NAME)),
        ("odd-name", device().with(dns_name("*.*"))),
        ("name-constraints-on-leaf", device().with(excluded("x.example"))),
    ] {
        add(name, Token::of("devices", below(plan)));
    }
    for (name, plan) in [
        ("intermediate-expired", Plan::ca("I2").valid(-7200, -1)),
        ("intermediate-not-yet", Plan::ca("I2").valid(600, 7200)),
        ("intermediate-no-ca", Plan::ca("I2").without(&oid::BASIC_CONSTRAINTS)),
        ("intermediate-usage", Plan::ca("I2").with(KeyUsage::DIGITAL_SIGNATURE.to_extension())),
        ("intermediate-eku", Plan::ca("I2").with(extension::extended_key_usage(&[oid::SERVER_AUTH]))),
        ("intermediate-eku-client", Plan::ca("I2").with(extension::extended_key_usage(&[oid::CLIENT_AUTH]))),
        ("intermediate-length-0", Plan::ca("I2").with(constraints(Some(0)))),
        ("intermediate-critical", Plan::ca("I2").with(unknown_extension(true))),
        ("intermediate-excludes", Plan::ca("I2").with(excluded("device.example"))),
        ("intermediate-excludes-other", Plan::ca("I2").with(excluded("x.example"))),
        ("intermediate-directory", Plan::ca("I2").with(directory_constraint(true))),
        ("intermediate-directory-plain", Plan::ca("I2").with(directory_constraint(false))),
    ] {
        let between = root.issue(plan);
        add(name, Token::of("devices", between.issue(device())).chain(&[&between]));
    }
    let pinned = FACTORY.odd_roots.iter().find(|(name, _)| *name == "odd-pinned").unwrap();
    add("pinned", Token::of("odd-pinned", pinned.1.clone()).chain(&[]));
    let short = root.issue(Plan::ca("I0").with(constraints(Some(0))));
    let below_short = short.issue(Plan::ca("I1"));
    add("too-long", Token::of("devices", below_short.issue(device())).chain(&[&below_short, &short]));
    // Two intermediates of one name and key, the first expired: a path exists.
    let old = intermediate.again(Some(root), Plan::ca("Factory Intermediate").valid(-7200, -1));
    add("expired-and-fresh", good().chain(&[&old, intermediate]));
    let mut deep = vec![root.issue(Plan::ca("D0"))];
    for level in 1..12 {
        deep.insert(0, deep[0].issue(Plan::ca(&format!("D{level}"))));
    }
    let all: Vec<&Entity> = deep.iter().collect();
    add("deep-6", Token::of("devices", all[6].issue(device())).chain(&all[6..]));
    let (deep_9, deep_12) = (
        Token::of("devices", all[3].issue(device())).chain(&all[3..]),
        Token::of("devices", all[0].issue(device())).chain(&all),
    );

    for kind in [KeyKind::P384, KeyKind::P521, KeyKind::Ed25519, KeyKind::Rsa] {
        add(&format!("kind-{kind}"), Token::of("devices", below(device().kind(kind))));
    }
    for algorithm in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = Token::of("devices", below(device().kind(KeyKind::Rsa)));
        add(&format!("rsa-{algorithm}"), token.header("alg", algorithm.into()));
    }
    for (name, token) in [("chain-deep-9", deep_9), ("chain-deep-12", deep_12)] {
        stricter(cases, name, "D28", 401, token.request(&Value::Null));
    }
}

fn dns_name(name: &str) -> Extension {
    extension::subject_alt_name(&[San::Dns(name.to_owned()).to_general_name().unwrap()], false)
}

fn odd_roots(cases: &mut Vec<Case>) {
    for (name, root) in &FACTORY.odd_roots {
        let leaf = root.issue(Plan::end_entity("device.example"));
        add(cases, &format!("root-{name}"), &Token::of(name, leaf).chain(&[]));
        let between = root.issue(Plan::ca("Between"));
        let leaf = between.issue(Plan::end_entity("device.example"));
        add(cases, &format!("root-{name}-over"), &Token::of(name, leaf).chain(&[&between]));
    }
}

fn headers(cases: &mut Vec<Case>) {
    let mut add = |name: &str, token: Token| add(cases, &format!("header-{name}"), &token);
    let good = || Token::new("devices");
    let chain = good().header["x5c"].clone();
    add("none", good().without_header("x5c"));
    add("empty", good().header("x5c", json!([])));
    add("null", good().header("x5c", Value::Null));
    add("text", good().header("x5c", chain[0].clone()));
    add("no-base64", good().header("x5c", json!(["!"])));
    add("no-certificate", good().header("x5c", json!(["AAAA"])));
    add("number", good().header("x5c", json!([1])));
    let token = good();
    let all = token.header["x5c"].clone();
    add("insecure", token.without_header("x5c").header("x5cInsecure", all));
    let token = good();
    let all = token.header["x5c"].clone();
    add("both", token.header("x5cInsecure", all));
    let token = good();
    let spaced: Value = token.header["x5c"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| format!(" {}\n", t.as_str().unwrap()))
        .collect();
    add("spaces", token.header("x5c", spaced));
    let token = good();
    let lines: Value = [&token.signer, &FACTORY.intermediate]
        .map(|entity| {
            let text = STANDARD.encode(entity.certificate.der());
            let (head, tail) = text.split_at(64);
            format!("{head}\n{tail}")
        })
        .into_iter()
        .collect();
    let lines = token.header("x5c", lines);
    let token = good();
    let url_safe: Value = [&token.signer, &FACTORY.intermediate]
        .map(|entity| stepless::jose::base64url::encode(entity.certificate.der()))
        .into_iter()
        .collect();
    add("base64url", token.header("x5c", url_safe));
    let token = good();
    let mut der = token.signer.certificate.der().to_vec();
    der.push(0);
    let trailing = json!([STANDARD.encode(der), STANDARD.encode(FACTORY.intermediate.certificate.der())]);
    add("trailing-byte", token.header("x5c", trailing));
    add("kid", good().header("kid", "anything".into()));
    add("kid-number", good().header("kid", 1.into()));
    add("x5t", good().header("x5t", "AAAA".into()));
    add("crit", good().header("crit", json!(["x5c"])));
    add("typ", good().header("typ", "other".into()));
    for algorithm in ["none", "HS256", "ES384", "RS256", "EdDSA", "", "es256"] {
        add(&format!("alg-{algorithm}"), good().header("alg", algorithm.into()));
    }
    add("alg-missing", good().without_header("alg"));
    let jwk = PrivateJwk::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
    add("jwk", good().header("jwk", serde_json::to_value(jwk.public()).unwrap()));
    stricter(cases, "header-lines", "D6", 401, lines.request(&Value::Null));
}

fn claims(cases: &mut Vec<Case>) {
    let now = token::now();
    let mut add = |name: &str, token: Token| add(cases, &format!("claim-{name}"), &token);
    let good = || Token::new("devices");
    for (name, claim, value) in [
        ("iss-other", "iss", json!("plain")),
        ("iss-id", "iss", json!("x5c/devices")),
        ("iss-empty", "iss", json!("")),
        ("sub-cn", "sub", json!("device.example")),
        ("sub-empty", "sub", json!("")),
        ("sub-number", "sub", json!(1)),
        ("exp-past-50", "exp", json!(now - 50)),
        ("exp-past-70", "exp", json!(now - 70)),
        ("nbf-future-40", "nbf", json!(now + 40)),
        ("nbf-future-90", "nbf", json!(now + 90)),
        ("iat-future-40", "iat", json!(now + 40)),
        ("iat-future-90", "iat", json!(now + 90)),
        ("iat-past", "iat", json!(now - 7200)),
        ("sans-empty", "sans", json!([])),
        ("sans-other", "sans", json!(["b.example"])),
        ("sans-more", "sans", json!([NAME, "b.example"])),
        ("sans-kinds", "sans", json!([NAME, "10.0.0.1", "amy@a.example", "https://a.example/"])),
        ("cnf-wrong", "cnf", json!({"x5rt#S256": "AAAA"})),
        ("cnf-empty", "cnf", json!({})),
        ("step-ra", "step", json!({"ra": {"authorityId": "x", "provisionerId": "y"}})),
        ("user", "user", json!({"a": 1})),
        ("jti-empty", "jti", json!("")),
        ("azp", "azp", json!("x5c/devices")),
    ] {
        add(name, good().claim(claim, value));
    }
    for claim in ["iss", "sub", "aud", "nbf", "iat", "sans", "jti"] {
        add(&format!("{claim}-missing"), good().without(claim));
    }
    stricter(cases, "claim-exp-missing", "D9", 401, good().without("exp").request(&Value::Null));
    // Bound to its request, or to another.
    let bound = |claim: &str, member: &str, value: String| good().claim(claim, json!({ member: value }));
    let csr = Csr::new(NAME, &[NAME]);
    let print = stepless::jose::base64url::encode(&sha256(&csr.der));
    for (name, token) in [
        ("claim-cnf", bound("cnf", "x5rt#S256", print)),
        ("claim-step-sha", bound("step", "sha", csr.sha256_hex())),
    ] {
        cases.push(case(name, fresh::sign(&csr.pem, &token.text(), &Value::Null)));
    }
    let token = bound("step", "sha", "00".repeat(32));
    stricter(cases, "claim-step-sha-wrong", "D1", 403, token.request(&Value::Null));
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

fn stricter(cases: &mut Vec<Case>, name: &str, rule: &str, status: u16, request: Request) {
    let stricter = crate::cases::Stricter { rule: rule.to_owned(), status, body: None };
    cases.push(Case { stricter: Some(stricter), ..case(name, request) });
}

fn lookup(cases: &mut Vec<Case>) {
    let mut add = |name: &str, token: Token| add(cases, &format!("aud-{name}"), &token);
    let good = || Token::new("devices");
    for (name, audience) in [
        ("short", json!("https://localhost/sign#x5c/devices")),
        ("port", json!("https://localhost:9000/1.0/sign#x5c/devices")),
        ("address", json!("https://127.0.0.1/1.0/sign#x5c/devices")),
        ("ssh", json!("https://localhost/1.0/ssh/sign#x5c/devices")),
        ("ssh-short", json!("https://localhost/ssh/sign#x5c/devices")),
        ("legacy", json!("step-certificate-authority#x5c/devices")),
        ("legacy-alone", json!("step-certificate-authority")),
        ("no-fragment", json!("https://localhost/1.0/sign")),
        ("fragment-name", json!("https://localhost/1.0/sign#devices")),
        ("fragment-escaped", json!("https://localhost/1.0/sign#x5c%2Fdevices")),
        ("fragment-case", json!("https://localhost/1.0/sign#X5C/devices")),
        ("fragment-unknown", json!("https://localhost/1.0/sign#x5c/nobody")),
        ("fragment-other", json!("https://localhost/1.0/sign#x5c/two%20roots")),
        ("fragment-empty", json!("https://localhost/1.0/sign#")),
        ("revoke", json!("https://localhost/1.0/revoke#x5c/devices")),
        ("renew", json!("https://localhost/1.0/renew#x5c/devices")),
        ("host", json!("https://other/1.0/sign#x5c/devices")),
        ("http", json!("http://localhost/1.0/sign#x5c/devices")),
        ("query", json!("https://localhost/1.0/sign?a#x5c/devices")),
        ("id", json!("x5c/devices")),
        ("list", json!(["https://other/#x5c/devices", "https://localhost/1.0/sign#x5c/devices"])),
        ("list-plain-first", json!(["https://localhost/1.0/sign", "https://localhost/1.0/sign#x5c/devices"])),
        ("list-two", json!(["https://localhost/1.0/sign#x5c/a:b", "https://localhost/1.0/sign#x5c/devices"])),
        ("list-empty", json!([])),
        ("number", json!(1)),
    ] {
        add(name, good().claim("aud", audience));
    }
    // The provisioner's name needs escapes, or looks like a key id.
    add(
        "name-spaces",
        Token::new("two roots").claim("aud", "https://localhost/1.0/sign#x5c/two roots".into()),
    );
    add(
        "name-escaped",
        Token::new("two roots").claim("aud", "https://localhost/1.0/sign#x5c/two%20roots".into()),
    );
    add("name-plus", Token::new("two roots").claim("aud", "https://localhost/1.0/sign#x5c/two+roots".into()));
    add("name-colon", Token::new("a:b"));
    let split = Token::new("a:b").claim("aud", "https://localhost/1.0/sign".into()).header("kid", "b".into());
    add("name-as-key-id", split.claim("iss", "x5c/a".into()));
    add("kid-of-jwk", good().header("kid", "x".into()).claim("iss", "plain".into()));
    add("off", Token::new("off"));
    // Not found by the first fragment, but by azp.
    let list = json!(["https://other/#nobody", "https://localhost/1.0/sign#x5c/devices"]);
    let by = |claim: &str| good().claim("aud", list.clone()).claim(claim, "x5c/devices".into());
    let by = ["azp", "tid"].map(|claim| (claim, by(claim)));
    // Both are known, and only one of them is the issuer.
    let list = json!(["https://localhost/1.0/sign#x5c/devices", "https://localhost/1.0/sign#x5c/a:b"]);
    add("list-issuer-second", Token::new("a:b").claim("aud", list));
    for (claim, token) in by {
        stricter(cases, &format!("aud-{claim}"), "D30", 401, token.request(&Value::Null));
    }
}

fn validity(cases: &mut Vec<Case>) {
    let now = token::now();
    let at = |seconds: i64| format_rfc3339(OffsetDateTime::from_unix_timestamp(now + seconds).unwrap());
    let device =
        |from: i64, to: i64| FACTORY.intermediate.issue(Plan::end_entity("device.example").valid(from, to));
    for (name, provisioner, (from, to), terms) in [
        ("default", "devices", (-3600, 7200), json!({})),
        ("default-long", "devices", (-3600, 400_000), json!({})),
        ("default-short", "devices", (-3600, 240), json!({})),
        ("default-too-short", "devices", (-3600, 180), json!({})),
        ("within", "devices", (-3600, 7200), json!({"notAfter": "1h"})),
        ("within-instant", "devices", (-3600, 7200), json!({"notAfter": at(3600)})),
        ("to-the-end", "devices", (-3600, 7200), json!({"notAfter": at(7200)})),
        ("past-the-end", "devices", (-3600, 7200), json!({"notAfter": at(7201), "notBefore": at(0)})),
        ("past-the-end-late", "devices", (-3600, 7200), json!({"notAfter": at(9000), "notBefore": at(600)})),
        ("past-by-default", "devices", (-3600, 7200), json!({"notBefore": at(3600)})),
        ("from-the-beginning", "devices", (-600, 7200), json!({"notBefore": at(-600)})),
        ("before-the-beginning", "devices", (-600, 7200), json!({"notBefore": at(-601)})),
        ("backdate-before-it", "devices", (-10, 7200), json!({})),
        ("start-after-end", "devices", (-600, 7200), json!({"notBefore": at(7300)})),
        ("too-long", "devices", (-600, 400_000), json!({"notAfter": at(90_000)})),
        ("limits-default", "limits", (-600, 7200), json!({})),
        ("limits-short", "limits", (-600, 420), json!({})),
        ("limits-past", "limits", (-600, 1200), json!({"notAfter": at(1300)})),
        ("limits-long", "limits", (-600, 7200), json!({"notBefore": at(0), "notAfter": at(3600)})),
        ("reversed", "devices", (-600, 7200), json!({"notBefore": at(600), "notAfter": at(500)})),
        ("past", "devices", (-600, 7200), json!({"notAfter": at(-500)})),
        (
            "window-past-the-end-duration",
            "devices",
            (-600, 7200),
            json!({"notBefore": at(60), "notAfter": "3h"}),
        ),
    ] {
        let token = Token::of(provisioner, device(from, to));
        cases.push(case(&format!("validity-{name}"), token.request(&terms)));
    }
}

fn rest(cases: &mut Vec<Case>) {
    let good = || Token::new("devices");
    // One-time use.
    let token = good();
    for turn in ["once", "twice"] {
        add(cases, turn, &token);
    }
    let token = good().without("jti");
    let request = token.request(&Value::Null);
    for turn in ["once", "twice"] {
        cases.push(case(&format!("{turn}-without-jti"), request.clone()));
    }
    stricter(cases, "signed-again-without-jti", "D7", 401, token.request(&Value::Null));
    for name in ["limits", "noext", "norenew"].into_iter().chain(TEMPLATES.map(|(name, _)| name)) {
        add(cases, &format!("provisioner-{name}"), &Token::new(name));
    }
    for (name, kind) in [("rsa", KeyKind::Rsa), ("ed25519", KeyKind::Ed25519), ("p521", KeyKind::P521)] {
        let signer = FACTORY.intermediate.issue(Plan::end_entity("device.example").kind(kind));
        add(cases, &format!("template-keys-{name}"), &Token::of("template-keys", signer));
    }
    for (name, names) in [("cn-of-token", "b.example"), ("names-of-token", NAME)] {
        let csr = Csr::new(names, &["b.example"]);
        cases.push(case(&format!("csr-{name}"), fresh::sign(&csr.pem, &good().text(), &Value::Null)));
    }
    let user = json!({"templateData": {"a": 1}});
    cases.push(case("template-data", good().request(&user)));

    // Revoking.
    let revoke = |token: &Token, serial: &str| {
        Request::post("/1.0/revoke", &json!({"serial": serial, "ott": token.text(), "passive": true}))
    };
    let token =
        |serial: &str, audience: &str| good().claim("sub", serial.into()).claim("aud", audience.into());
    const REVOKE: &str = "https://localhost/1.0/revoke#x5c/devices";
    for (name, serial, token) in [
        ("good", "4711", token("4711", REVOKE)),
        ("again", "4711", token("4711", REVOKE)),
        ("short", "4712", token("4712", "https://localhost/revoke#x5c/devices")),
        ("other-serial", "4713", token("4714", REVOKE)),
        ("hexadecimal", "0x1271", token("4721", REVOKE)),
        ("sign-audience", "4715", token("4715", "https://localhost/1.0/sign#x5c/devices")),
        ("no-fragment", "4715", token("4715", "https://localhost/1.0/revoke")),
        (
            "unknown-root",
            "4716",
            Token::of("devices", FACTORY.stranger.issue(Plan::end_entity("x")))
                .claim("sub", "4716".into())
                .claim("aud", REVOKE.into()),
        ),
    ] {
        cases.push(case(&format!("revoke-{name}"), revoke(&token, serial)));
    }
    cases.push(case("list", Request::get("/provisioners?limit=100")));
    cases.push(case("list-page", Request::get("/provisioners?limit=2")));
    cases.push(case("encrypted-key", Request::get("/provisioners/devices/encrypted-key")));
}
