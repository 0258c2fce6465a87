//! Faults of the token: its claims, its header, its signature, its spelling.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::faults::Fault;
use super::pair::Before;
use super::pair::Pair;
use super::random::Random;

/// Values of the wrong type, for any claim.
const WRONG: [&str; 9] = ["7", "\"\"", "true", "null", "[]", "{}", "[7]", "\"text\"", "-1.5e3"];

/// Distances from the present that no passing second can move over the leeway of a minute.
const DISTANCES: [i64; 8] = [-86_400, -100, -85, -35, 0, 35, 85, 86_400];

pub(crate) const FAULTS: &[Fault] = &[
    ("claim missing", |pair, random| {
        pair.claims.remove(random.pick(&["iss", "aud", "sub", "sans", "iat", "nbf", "exp", "jti"]));
    }),
    ("claim wrong", |pair, random| {
        let name = random.pick(&[
            "iss", "aud", "sub", "sans", "iat", "nbf", "exp", "jti", "email", "nonce", "step", "cnf", "sha",
            "user", "azp", "tid", "place", "tna",
        ]);
        pair.claims.set_raw(name, random.pick(&WRONG));
    }),
    ("claim twice", |pair, random| {
        let name = random.pick(&["sub", "iss", "place", "exp"]);
        let raw = pair.claims.raw(name).unwrap_or("\"x\"").to_owned();
        pair.claims.repeat(name, &raw);
        if random.one_in(2) {
            pair.claims.repeat("place", "1");
            pair.claims.repeat("place", "2");
        }
    }),
    ("claim case", |pair, random| {
        let (name, other) = random.pick(&[("sub", "Sub"), ("aud", "AUD"), ("exp", "Exp"), ("sans", "SANs")]);
        if let Some(raw) = pair.claims.raw(name).map(str::to_owned) {
            if random.one_in(2) {
                pair.claims.remove(name);
            }
            pair.claims.repeat(other, &raw);
        }
    }),
    ("claim unknown", |pair, random| {
        let (name, raw) = random.pick(&[
            ("unknown", super::oracle::TWINS_BELOW),
            ("sha", "\"0123456789abcdef\""),
            ("step", "{}"),
            ("step", r#"{"ra":{"authorityID":"x"}}"#),
            ("step", r#"{"ssh":{"certType":"user"}}"#),
            ("step", r#"{"ssh":7}"#),
            ("user", "\"amy\""),
            ("email", "\"amy@own.example\""),
            ("nonce", "\"n\""),
            ("__proto__", "{}"),
            ("\u{fc}", "\"\\ud800\""),
            ("deep", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"),
            ("big", "123456789012345678901234567890"),
            ("real", "1e400"),
            ("", "1"),
        ]);
        pair.claims.set_raw(name, raw);
    }),
    ("claim scrambled", |pair, random| pair.claims.scramble(random)),
    ("claim scrambled", |pair, random| pair.claims.scramble(random)),
    ("header scrambled", |pair, random| pair.header.scramble(random)),
    ("claims trailing", |pair, random| {
        let (name, raw) =
            random.pick(&[("z", "1} "), ("z", "1}{}"), ("z", "1,"), ("z", "\"\u{1}\""), ("z", "01")]);
        pair.claims.repeat(name, raw);
    }),
    ("time", |pair, random| {
        let name = random.pick(&["exp", "nbf", "iat", "exp"]);
        let at = pair.now + random.pick(&DISTANCES);
        match random.below(5) {
            0 => pair.claims.set_raw(name, &format!("{at}.75")),
            1 => pair.claims.set_raw(name, &format!("{}e1", at / 10)),
            2 => pair.claims.set_raw(name, &format!("\"{at}\"")),
            _ => pair.claims.set_raw(name, &at.to_string()),
        }
    }),
    ("time extreme", |pair, random| {
        let name = random.pick(&["exp", "nbf", "iat"]);
        let raw = random.pick(&[
            "0",
            "-1",
            "9223372036854775807",
            "9223372036854775808",
            "1e18",
            "1e19",
            "1e30",
            "-1e30",
            "253402300799",
            "253402300800",
            "0.0",
            "-0",
            "1e-5",
            "18446744073709551615",
            "1E400",
        ]);
        pair.claims.set_raw(name, raw);
    }),
    ("audience", |pair, random| {
        let fragment = format!(
            "https://localhost/1.0/sign#{}:{}",
            pair.provisioner.name,
            pair.key["kid"].as_str().unwrap_or_default()
        );
        let value = match random.below(24) {
            0 => json!("https://localhost:1/1.0/sign"),
            1 => json!("https://localhost:/1.0/sign"),
            2 => json!("https://localhost:99999/1.0/sign"),
            3 => json!("https://localhost:x/1.0/sign"),
            4 => json!("HTTPS://localhost/1.0/sign"),
            5 => json!("https://LOCALHOST/1.0/sign"),
            6 => json!("http://localhost/1.0/sign"),
            7 => json!("https://localhost/1.0/SIGN"),
            8 => json!("https://localhost/1.0/sign/"),
            9 => json!("https://localhost/1.0/sign?x=y"),
            10 => json!("https://localhost/1.0/sign?"),
            11 => json!("https://localhost/1.0/sign#"),
            12 => json!(fragment),
            13 => json!(format!("{fragment}x")),
            14 => json!(["https://a.example", "https://127.0.0.1/sign"]),
            15 => json!(["https://a.example", fragment]),
            16 => json!(["https://localhost/sign", 7]),
            17 => json!("step-certificate-authority"),
            18 => json!("https://user@localhost/1.0/sign"),
            19 => json!("https://localhost/1.0/%73ign"),
            20 => json!("https://localhost/1.0/revoke"),
            21 => json!("https://localhost/1.0/ssh/sign"),
            22 => json!("https://localhost/1.0/../1.0/sign"),
            _ => json!(" https://localhost/1.0/sign"),
        };
        pair.claims.set("aud", &value);
    }),
    ("issuer", |pair, random| {
        let name = pair.provisioner.name.clone();
        let other = &pair.site.provisioners[random.below(pair.site.provisioners.len())].name;
        let issuer = match random.below(5) {
            0 => name.to_uppercase(),
            1 => format!("{name} "),
            2 => other.clone(),
            3 => format!("{name}:{}", pair.key["kid"].as_str().unwrap_or_default()),
            _ => String::new(),
        };
        pair.claims.set("iss", &issuer.into());
    }),
    ("subject", |pair, random| {
        let subject = random.pick(&[
            "",
            " ",
            "x",
            "J\u{f6}rg M\u{fc}ller",
            "a.own.example ",
            "bell\u{7}",
            "10.1.2.3",
            "amy@own.example",
            "https://own.example/x",
            "O=Org, CN=x",
            "\u{202e}gpj",
            "under_score",
            "star*",
            "\u{1f600}",
            "a+b=c,d;e",
        ]);
        pair.claims.set("sub", &subject.into());
        if random.one_in(2) {
            pair.csr.subject.clear();
        }
    }),
    ("subject long", |pair, random| {
        let subject = "long".repeat(random.pick(&[15, 16, 17, 500]));
        pair.claims.set("sub", &subject.into());
        pair.csr.subject.clear();
    }),
    ("sans", |pair, random| {
        let mut names = json!(pair.names());
        match random.below(7) {
            0 => names.as_array_mut().unwrap().push("".into()),
            1 => names.as_array_mut().unwrap().push(7.into()),
            2 => names.as_array_mut().unwrap().push(serde_json::Value::Null),
            3 => names.as_array_mut().unwrap().reverse(),
            4 => {
                let first = names[0].clone();
                names.as_array_mut().unwrap().push(first);
            }
            5 => names = names[0].clone(),
            _ => names = json!([""]),
        }
        pair.claims.set("sans", &names);
    }),
    ("binding sha", binding),
    ("binding sha", binding),
    ("binding cnf", |pair, random| {
        pair.claims.set_raw(
            "cnf",
            random.pick(&[
                r#"{"x5rt#S256":"@SHA_B64@"}"#,
                r#"{"x5rt#S256":"@SHA_B64@="}"#,
                r#"{"x5rt#S256":"@SHA_HEX@"}"#,
                r#"{"x5rt#S256":"wrong"}"#,
                r#"{"x5rt#S256":"*"}"#,
                r#"{"x5rt#S256":""}"#,
                r#"{"x5rt#S256":7}"#,
                r#"{"x5rt#S256":null}"#,
                r#"{"X5RT#S256":"wrong"}"#,
                r#"{"kid":"x"}"#,
                "{}",
                "null",
            ]),
        );
    }),
    ("kid", |pair, random| {
        let other = &pair.site.provisioners[random.below(pair.site.provisioners.len())].key["kid"];
        match random.below(5) {
            0 => pair.header.remove("kid"),
            1 => pair.header.set("kid", &"".into()),
            2 => pair.header.set("kid", other),
            3 => pair.header.set_raw("kid", random.pick(&WRONG)),
            _ => pair.header.set("kid", &"unknown".into()),
        }
    }),
    ("alg", |pair, random| {
        let algorithm = random.pick(&[
            "none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
            "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "es256", "RSA-OAEP", "ES256K",
        ]);
        pair.header.set("alg", &algorithm.into());
        if random.one_in(4) {
            pair.header.set_raw("alg", random.pick(&WRONG));
        } else {
            algorithm.clone_into(&mut pair.algorithm);
        }
    }),
    ("algorithm of the family", |pair, random| {
        let choices: &[&str] = match pair.key["kty"].as_str() {
            Some("RSA") => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Some("oct") => &["HS256", "HS384", "HS512"],
            _ => return,
        };
        let algorithm = random.pick(choices);
        pair.header.set("alg", &algorithm.into());
        algorithm.clone_into(&mut pair.algorithm);
    }),
    ("other key", |pair, random| {
        let other = &pair.site.provisioners[random.below(pair.site.provisioners.len())];
        pair.key = other.key.clone();
        pair.algorithm = other.algorithm().to_owned();
        if random.one_in(2) {
            pair.header.set("alg", &other.algorithm().into());
        }
    }),
    ("header member", |pair, random| {
        let public = {
            let mut key = pair.key.clone();
            if !random.one_in(3) {
                for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                    key.as_object_mut().unwrap().remove(private);
                }
            }
            key.to_string()
        };
        let root = pem_rfc7468::decode_vec(
            include_bytes!("../../contract/fixtures/mosaic/certs/root_ca.crt").as_slice(),
        );
        let root = format!("[\"{}\"]", STANDARD.encode(root.unwrap().1));
        let (name, raw) = match random.below(22) {
            0 => ("crit", "[]"),
            1 => ("crit", "[\"exp\"]"),
            2 => ("crit", "\"exp\""),
            3 => ("crit", "[7]"),
            4 => ("crit", "null"),
            5 => ("x5c", root.as_str()),
            6 => ("x5c", "[]"),
            7 => ("x5c", "[\"AAAA\"]"),
            8 => ("x5c", "7"),
            9 => ("x5cInsecure", root.as_str()),
            10 => ("x5cInsecure", "[]"),
            11 => ("x5cInsecure", "\"x\""),
            12 => ("jwk", public.as_str()),
            13 => ("jwk", "{}"),
            14 => ("jwk", "7"),
            15 => ("jwk", "null"),
            16 => ("b64", "true"),
            17 => ("nonce", "7"),
            18 => ("typ", "7"),
            19 => ("jku", "\"https://evil.example\""),
            20 => ("zip", "\"DEF\""),
            _ => ("unknown", "{\"a\":[1,2]}"),
        };
        pair.header.set_raw(name, raw);
    }),
    ("header twice", |pair, random| {
        let name = random.pick(&["alg", "kid", "typ"]);
        let raw = pair.header.raw(name).unwrap_or("\"x\"").to_owned();
        pair.header.repeat(name, &raw);
    }),
    ("header case", |pair, random| {
        let name = random.pick(&["alg", "kid"]);
        if let Some(raw) = pair.header.raw(name).map(str::to_owned) {
            if random.one_in(2) {
                pair.header.remove(name);
            }
            pair.header.repeat(&name.to_uppercase(), &raw);
        }
    }),
    ("token damaged", |pair, random| {
        let change = DAMAGE[random.below(DAMAGE.len())];
        pair.token.push(change);
    }),
    ("token respelt", |pair, random| {
        let change = SPELLINGS[random.below(SPELLINGS.len())];
        pair.token.push(change);
        pair.odd_spelling = true;
    }),
    ("token used", used),
    ("token used", used),
    ("token used", used),
];

/// Tokens that are none any more.
const DAMAGE: &[fn(String) -> String] = &[
    |_| "x".to_owned(),
    |_| "..".to_owned(),
    |token| token[..token.rfind('.').unwrap_or_default()].to_owned(),
    |token| token[..=token.rfind('.').unwrap_or_default()].to_owned(),
    |token| format!("{token}.e30"),
    |token| token.replacen('.', "..", 1),
    |token| token.replacen('e', "f", 1),
    |token| format!("{token}AAAA"),
    |token| format!("{token}*"),
    |token| token[..token.len().saturating_sub(4)].to_owned(),
];

/// Other spellings of the same token; step-ca takes most of them (D6).
const SPELLINGS: &[fn(String) -> String] = &[
    |token| format!("{token}\n"),
    |token| format!(" {token}"),
    |token| token.replacen('.', " .", 1),
    |token| token.replacen('.', ".\t", 1),
    |token| format!("{token}="),
    |token| format!("{token}=="),
    |token| token.replacen('.', "=.", 1),
    |token| format!("\u{2003}{token}"),
    |token| {
        let parts: Vec<&str> = token.split('.').collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        json!({ "protected": part(0), "payload": part(1), "signature": part(2) }).to_string()
    },
];

/// Another request with the token, or with its id, comes first.
fn used(pair: &mut Pair<'_>, random: &mut Random) {
    pair.before = random.pick(&[Before::Same, Before::SameId, Before::OtherProvisioner, Before::Forged]);
    if pair.before == Before::Same && random.one_in(3) {
        pair.claims.remove("jti");
    }
}

/// `step.sha`, right and wrong.
fn binding(pair: &mut Pair<'_>, random: &mut Random) {
    pair.claims.set_raw(
        "step",
        random.pick(&[
            r#"{"sha":"@SHA_HEX@"}"#,
            r#"{"sha":"@SHA_UPPER@"}"#,
            r#"{"sha":"@SHA_B64@"}"#,
            r#"{"sha":"@SHA_B64@="}"#,
            r#"{"sha":"x"}"#,
            r#"{"sha":""}"#,
            r#"{"sha":null}"#,
            r#"{"sha":7}"#,
            r#"{"sha":"0000000000000000000000000000000000000000000000000000000000000000"}"#,
        ]),
    );
}
