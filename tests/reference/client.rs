//! Certificates of clients: renewing, rekeying and revoking, over TLS and by renew token; and what an issuing chain
//! with name constraints lets through.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use stepless::crypto::KeyKind;
use stepless::x509::extension;
use stepless::x509::extension::BasicConstraints;
use stepless::x509::extension::Extension;
use stepless::x509::extension::KeyUsage;
use stepless::x509::name_constraints::NameConstraints;
use stepless::x509::name_constraints::Subtrees;
use stepless::x509::oid;
use stepless::x509::oid::Oid;
use stepless::x509::pem;

use crate::cases::Case;
use crate::cases::Stricter;
use crate::common::csr::Csr;
use crate::common::entity::Entity;
use crate::common::entity::Plan;
use crate::common::fixture::Fixture;
use crate::common::https::Request;
use crate::common::local::Local;
use crate::common::served::Identity;
use crate::common::token;
use crate::fresh;
use crate::x5c;

const NAME: &str = "client.example";

/// The issuer of the fixture, its root, and a certificate of an honest client by provisioner.
struct Hierarchy {
    local: Local,
    issuer: Entity,
}

impl Hierarchy {
    fn new() -> Self {
        let local = Local::start("mosaic");
        let issuer = Entity::issuer_of(&local);
        Self { local, issuer }
    }

    /// What the authority itself would have issued for `provisioner`.
    fn plan(&self, provisioner: &str) -> Plan {
        Plan::end_entity(NAME).with(self.local.provisioner_extension(provisioner))
    }
}

/// All cases; on one fixture, in this order.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    over_tls(&mut cases);
    by_token(&mut cases);
    constrained(&mut cases);
    cases
}

fn renew() -> Request {
    Request::post("/1.0/renew", &json!({}))
}

/// A client that shows the entity's certificate and these behind it.
fn shown(entity: &Entity, others: &[&Entity]) -> Option<Identity> {
    let chain: Vec<&[u8]> =
        std::iter::once(&entity).chain(others).map(|entity| entity.certificate.der()).collect();
    Some(Identity::new(&chain, &entity.key))
}

fn case(name: &str, request: Request, identity: Option<Identity>) -> Case {
    Case { identity, ..Case::new(&format!("client/{name}"), "client", request) }
}

fn over_tls(cases: &mut Vec<Case>) {
    let hierarchy = Hierarchy::new();
    let issuer = &hierarchy.issuer;
    let plan = |provisioner: &str| hierarchy.plan(provisioner);
    let mut add = |name: &str, request: Request, entity: &Entity, others: &[&Entity]| {
        cases.push(case(name, request, shown(entity, others)));
    };
    let good = issuer.issue(plan("longlived"));
    add("renew", renew(), &good, &[issuer]);
    add("renew-again", renew(), &good, &[issuer]);
    add("renew-bare-leaf", renew(), &good, &[]);
    add("re-sign", Request::post("/1.0/re-sign", &json!({})), &good, &[issuer]);
    let rekey = || Request::post("/1.0/rekey", &json!({"csr": Csr::new(NAME, &[NAME]).pem}));
    add("rekey", rekey(), &good, &[issuer]);
    add(
        "rekey-other-names",
        Request::post("/1.0/rekey", &json!({"csr": Csr::new("x", &["y"]).pem})),
        &good,
        &[],
    );
    add("rekey-no-csr", Request::post("/1.0/rekey", &json!({})), &good, &[]);
    for kind in [KeyKind::P384, KeyKind::P521, KeyKind::Ed25519, KeyKind::Rsa] {
        add(&format!("renew-{kind}"), renew(), &issuer.issue(plan("longlived").kind(kind)), &[issuer]);
    }
    for (name, plan) in [
        ("disabled", plan("norenew")),
        ("expired", plan("late").valid(-7200, -3600)),
        ("not-yet", plan("longlived").valid(3600, 7200)),
        ("no-client-auth", plan("longlived").with(extension::extended_key_usage(&[oid::SERVER_AUTH]))),
        ("no-extended-usage", plan("longlived").without(&oid::EXTENDED_KEY_USAGE)),
        ("no-key-usage", plan("longlived").without(&oid::KEY_USAGE)),
        ("key-agreement", plan("longlived").with(KeyUsage::KEY_AGREEMENT.to_extension())),
        ("unknown-critical", plan("longlived").with(unknown(true))),
        ("unknown-not-critical", plan("longlived").with(unknown(false))),
        ("no-names", plan("longlived").without(&oid::SUBJECT_ALT_NAME)),
        ("name-of-provisioner", plan("longlived").with(named(1, "longlived", "another key"))),
        ("name-of-provisioner-x5c", plan("longlived").with(named(7, "longlived", ""))),
        ("name-of-provisioner-acme", plan("longlived").with(named(6, "longlived", ""))),
        ("name-unknown", plan("longlived").with(named(1, "nobody", ""))),
        (
            "extension-garbage",
            plan("longlived").with(Extension::new(oid::STEP_PROVISIONER, false, vec![5, 0])),
        ),
    ] {
        let entity = issuer.issue(plan);
        add(&format!("renew-{name}"), renew(), &entity, &[issuer]);
        add(&format!("rekey-{name}"), rekey(), &entity, &[]);
    }
    let stranger = Entity::root(Plan::ca("Stranger"));
    add("renew-wrong-ca", renew(), &stranger.issue(plan("longlived")), &[&stranger]);
    add("renew-self-signed", renew(), &Entity::root(plan("longlived")), &[]);
    let unowned = issuer.issue(Plan::end_entity(NAME));
    let stricter = |name: &str, request: Request| Case {
        stricter: Some(Stricter { rule: "D13".to_owned(), status: 401, body: None }),
        ..case(name, request, shown(&unowned, &[]))
    };
    let (unowned_renew, unowned_rekey) =
        (stricter("renew-unknown-origin", renew()), stricter("rekey-unknown-origin", rekey()));

    let revoke = |entity: &Entity| {
        let serial = entity.certificate.serial_number().to_string();
        Request::post("/1.0/revoke", &json!({"serial": serial, "reasonCode": 1, "passive": true}))
    };
    let other = issuer.issue(plan("longlived"));
    add("revoke-other", revoke(&good), &other, &[issuer]);
    add("revoke", revoke(&good), &good, &[issuer]);
    add("revoke-again", revoke(&good), &good, &[issuer]);
    add("revoked-renew", renew(), &good, &[issuer]);
    add("revoked-rekey", rekey(), &good, &[]);
    cases.extend([unowned_renew, unowned_rekey]);
    // No database, no revocation.
    let database = case("revoke-without-database", revoke(&other), shown(&other, &[]));
    cases.push(Case { fixture: "client-memory".to_owned(), ..database });
}

fn unknown(critical: bool) -> Extension {
    Extension::new(Oid::parse("1.2.3").unwrap(), critical, vec![5, 0])
}

fn named(kind: u8, name: &str, credential_id: &str) -> Extension {
    let (name, credential_id) = (name.to_owned(), credential_id.to_owned());
    extension::Provisioner { kind, name, credential_id }.to_extension()
}

fn by_token(cases: &mut Vec<Case>) {
    let hierarchy = Hierarchy::new();
    let issuer = &hierarchy.issuer;
    let plan = |provisioner: &str| hierarchy.plan(provisioner);
    let token = |entity: &Entity, others: &[&Entity]| {
        let mut claims = token::claims("step-ca-client/1.0", NAME);
        claims["aud"] = "https://localhost/1.0/renew".into();
        let algorithm = stepless::jose::JwsAlgorithm::default_for(entity.key.kind());
        let all = std::iter::once(&entity).chain(others);
        let chain: Value = all.map(|entity| STANDARD.encode(entity.certificate.der())).collect();
        token::sign(&entity.key, &json!({"alg": algorithm.name(), "x5cInsecure": chain}), &claims)
    };
    let mut add = |name: &str, entity: &Entity, others: &[&Entity]| {
        let mut request = renew();
        request.headers.push(("Authorization".to_owned(), format!("Bearer {}", token(entity, others))));
        cases.push(case(&format!("token-{name}"), request, None));
    };
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Ed25519, KeyKind::Rsa] {
        add(&kind.to_string(), &issuer.issue(plan("longlived").kind(kind)), &[issuer]);
    }
    for (name, plan) in [
        ("disabled", plan("norenew")),
        ("expired-allowed", plan("late").valid(-7200, -3600)),
        ("not-yet", plan("longlived").valid(3600, 7200)),
        ("no-client-auth", plan("longlived").with(extension::extended_key_usage(&[oid::SERVER_AUTH]))),
        ("no-key-usage", plan("longlived").without(&oid::KEY_USAGE)),
        ("unknown-critical", plan("longlived").with(unknown(true))),
        ("name-of-provisioner", plan("longlived").with(named(1, "longlived", "another key"))),
        ("name-unknown", plan("longlived").with(named(1, "nobody", ""))),
        ("unknown-origin", Plan::end_entity(NAME)),
    ] {
        add(name, &issuer.issue(plan), &[issuer]);
    }
    add("bare-leaf", &issuer.issue(plan("longlived")), &[]);
    let stranger = Entity::root(Plan::ca("Stranger"));
    add("wrong-ca", &stranger.issue(plan("longlived")), &[&stranger]);
}

/// An issuing chain whose CAs constrain names, each in its own way.
static CONSTRAINED: LazyLock<(Entity, Entity)> = LazyLock::new(|| {
    let constraints = |permitted: &[&str], excluded: &[&str]| {
        let trees = |names: &[&str]| Subtrees {
            dns: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Subtrees::default()
        };
        let constraints =
            NameConstraints { permitted: trees(permitted), excluded: trees(excluded), others: false };
        constraints.to_extension(true).unwrap()
    };
    let root = Entity::root(
        Plan::ca("Constrained Root").with(constraints(&["example", "localhost"], &["bad.a.example"])),
    );
    let length_0 = BasicConstraints { is_ca: true, path_length: Some(0) }.to_extension();
    let intermediate = root
        .issue(Plan::ca("Constrained CA").with(length_0).with(constraints(&["a.example", "localhost"], &[])));
    (root, intermediate)
});

/// An issuing chain whose root has constraints of directory names, as no verifier here knows them.
static DIRECTORY: LazyLock<(Entity, Entity)> = LazyLock::new(|| {
    let root = Entity::root(Plan::ca("Directory Root").with(x5c::directory_constraint(false)));
    let length_0 = BasicConstraints { is_ca: true, path_length: Some(0) }.to_extension();
    let intermediate = root.issue(Plan::ca("Directory CA").with(length_0));
    (root, intermediate)
});

/// The fixtures of these cases.
pub(crate) fn fixture(name: &str) -> Option<Fixture> {
    let (root, intermediate) = match name {
        "client" => return Some(Fixture::copy("mosaic")),
        "client-memory" => return Some(without_database()),
        "client-constrained" => &*CONSTRAINED,
        "client-directory" => &*DIRECTORY,
        _ => return None,
    };
    let fixture = Fixture::copy("mosaic");
    let key = intermediate.key.to_pkcs8_der().unwrap();
    for (file, text) in [
        ("certs/root_ca.crt", root.certificate.to_pem()),
        ("certs/intermediate_ca.crt", intermediate.certificate.to_pem()),
        ("secrets/intermediate_ca_key", pem::encode("PRIVATE KEY", &key)),
    ] {
        std::fs::write(fixture.file(file), text).unwrap();
    }
    Some(fixture)
}

fn without_database() -> Fixture {
    let fixture = Fixture::copy("mosaic");
    let mut config = fixture.config();
    for member in ["db", "crl"] {
        config.as_object_mut().unwrap().remove(member);
    }
    std::fs::write(fixture.file("ca.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    fixture
}

fn constrained(cases: &mut Vec<Case>) {
    let plain = Fixture::copy("mosaic");
    let sign = |name: &str| {
        let ott = fresh::mint(&plain, "plain", &token::claims("plain", name));
        fresh::sign(&Csr::new(name, &[name]).pem, &ott, &json!({}))
    };
    for (name, subject) in
        [("both", "x.a.example"), ("neither", "x.other"), ("excluded-above", "bad.a.example")]
    {
        let case = case(&format!("constraints-{name}"), sign(subject), None);
        cases.push(Case { fixture: "client-constrained".to_owned(), ..case });
    }
    // The root permits it, the issuer does not.
    cases.push(Case {
        fixture: "client-constrained".to_owned(),
        stricter: Some(Stricter { rule: "D29".to_owned(), status: 403, body: None }),
        ..case("constraints-of-one", sign("x.b.example"), None)
    });
    let directory = case("constraints-directory", sign("x.example"), None);
    cases.push(Case { fixture: "client-directory".to_owned(), ..directory });
}
