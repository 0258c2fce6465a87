//! Requests without a fault: what most clients would send, in all its variety.

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::csr::Attribute;
use super::csr::Csr;
use super::keys::Hash;
use super::keys::Kind;
use super::members::Members;
use super::pair::Before;
use super::pair::Pair;
use super::random::Random;
use super::site::Name;
use super::site::Provisioner;
use super::site::Site;
use super::templates::Template;

pub(crate) const COMMON_NAME: &str = "2.5.4.3";
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const UTF8: u8 = 0x0c;

impl Name {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Ip(text) | Self::Uri(text) => text,
        }
    }

    /// As a general name of a request: context tag and content.
    pub(crate) fn general(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Email(text) => (0x81, text.as_bytes().to_vec()),
            Self::Dns(text) => (0x82, text.as_bytes().to_vec()),
            Self::Uri(text) => (0x86, text.as_bytes().to_vec()),
            Self::Ip(text) => match text.parse().unwrap() {
                std::net::IpAddr::V4(address) => (0x87, address.octets().to_vec()),
                std::net::IpAddr::V6(address) => (0x87, address.octets().to_vec()),
            },
        }
    }
}

/// A good request to a provisioner of the site.
pub(crate) fn draw<'a>(site: &'a Site, now: i64, random: &mut Random) -> Pair<'a> {
    let provisioner = &site.provisioners[random.below(site.provisioners.len())];
    draw_for(site, provisioner, now, random)
}

/// A good request to this provisioner.
pub(crate) fn draw_for<'a>(
    site: &'a Site,
    provisioner: &'a Provisioner,
    now: i64,
    random: &mut Random,
) -> Pair<'a> {
    let plain = random.one_in(2);
    let count = if plain { random.below(2) } else { random.below(5) };
    let mut names: Vec<Name> = (0..count).map(|_| drawn_name(site, plain, random)).collect();
    let subject = match random.below(8) {
        0 => "Device 7".to_owned(),
        1..=3 if !names.is_empty() => names[0].text().to_owned(),
        _ => {
            let name = drawn_name(site, true, random);
            let text = name.text().to_owned();
            if !names.contains(&name) && random.one_in(2) {
                names.push(name);
            }
            text
        }
    };
    let key = provisioner.key.clone();
    let mut header = Members::default();
    header.set("alg", &provisioner.algorithm().into());
    if let Some(kid) = key["kid"].as_str() {
        header.set("kid", &kid.into());
    }
    if random.one_in(2) {
        header.set("typ", &"JWT".into());
    }
    let mut body = Members::default();
    body.set_raw("csr", "@CSR@");
    body.set_raw("ott", "@OTT@");
    if random.one_in(3) {
        validity(&mut body, provisioner, now, random);
    }
    if provisioner.template == Template::User && !random.one_in(3) {
        body.set("templateData", &json!({ "org": "Users & Co" }));
    }
    let mut pair = Pair {
        site,
        provisioner,
        now,
        csr: request(&subject, &names, random),
        recorded: None,
        pem: Vec::new(),
        several_blocks: false,
        header,
        claims: claims(provisioner, &subject, &names, now, random),
        key,
        algorithm: provisioner.algorithm().to_owned(),
        token: Vec::new(),
        odd_spelling: false,
        body,
        tail: "",
        path: random.pick(&["/1.0/sign", "/sign"]),
        jti: String::new(),
        before: Before::Nothing,
    };
    pair.fresh_id(random);
    pair
}

fn drawn_name(site: &Site, dns: bool, random: &mut Random) -> Name {
    loop {
        let name = site.names[random.below(site.names.len())].clone();
        if !dns || matches!(name, Name::Dns(_)) {
            return name;
        }
    }
}

fn claims(
    provisioner: &Provisioner,
    subject: &str,
    names: &[Name],
    now: i64,
    random: &mut Random,
) -> Members {
    let mut claims = Members::default();
    claims.set("iss", &provisioner.name.as_str().into());
    let audience = random.pick(&[
        "https://localhost/1.0/sign",
        "https://localhost/sign",
        "https://localhost:9443/1.0/sign",
        "https://localhost/1.0/sign",
    ]);
    claims.set("aud", &audience.into());
    claims.set("sub", &subject.into());
    let listed: Vec<&str> = names.iter().map(Name::text).collect();
    if !listed.is_empty() {
        claims.set("sans", &json!(listed));
    }
    claims.set("iat", &now.into());
    claims.set("nbf", &now.into());
    claims.set("exp", &(now + 300).into());
    claims.set_raw("jti", "\"@JTI@\"");
    match provisioner.template {
        Template::NeededClaim if !random.one_in(6) => claims.set("email", &"amy@own.example".into()),
        Template::Claims | Template::Failing if !random.one_in(4) => {
            claims.set("place", &random.pick(&["Here", "\u{dc}ber <all> & \"more\"", "A-B"]).into());
        }
        Template::Grant => {
            claims.set("mosaic_grant_id", &"3f2504e0-4f89-41d3-9a0c-0305e82c3301".into());
            claims.set("mosaic_subject_user_id", &"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d".into());
            claims.set_raw("step", r#"{"sha":"@SHA_HEX@"}"#);
        }
        Template::Window if random.one_in(2) => {
            claims.set("tna", &rfc3339(now + provisioner.limits.0 + 900).into());
        }
        _ => {}
    }
    claims
}

/// Ends of validity that the provisioner probably allows.
fn validity(body: &mut Members, provisioner: &Provisioner, now: i64, random: &mut Random) {
    let (least, most) = provisioner.limits;
    let length = random.pick(&[least, least + 60, (least + most) / 2, most - 60, most]);
    match random.below(4) {
        0 => body.set("notAfter", &rfc3339(now + length.max(least + 100)).into()),
        1 => {
            body.set("notBefore", &rfc3339(now - 30).into());
            body.set("notAfter", &rfc3339(now - 30 + length).into());
        }
        2 => {
            body.set("notBefore", &random.pick(&["-30s", "1m", "-0.5m", "0", "1h"]).into());
            body.set("notAfter", &format!("{length}s").into());
        }
        _ => body.set("notAfter", &format!("{}m{}.25s", length / 60, length % 60).into()),
    }
}

/// Seconds since the epoch as text.
pub(crate) fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap()
}

/// A request that fits these claims.
fn request(subject: &str, names: &[Name], random: &mut Random) -> Csr {
    let kind = random.pick(&[
        Kind::P256,
        Kind::P256,
        Kind::P256,
        Kind::P256,
        Kind::P384,
        Kind::P521,
        Kind::Ed25519,
        Kind::Ed25519,
        Kind::Rsa2048,
        Kind::RsaE3,
    ]);
    let common_name = match random.below(6) {
        0 => None,
        1 if !names.is_empty() => Some(names[random.below(names.len())].text()),
        _ => Some(subject),
    };
    let mut relative: Vec<Vec<Attribute>> = Vec::new();
    if random.one_in(6) {
        relative.push(vec![("2.5.4.6", PRINTABLE, b"NZ".to_vec()), ("2.5.4.10", UTF8, "\u{d6}rg".into())]);
        relative.push(vec![("2.5.4.11", PRINTABLE, b"Unit".to_vec())]);
    }
    if let Some(name) = common_name {
        let tag = random.pick(&[PRINTABLE, UTF8, UTF8]);
        let tag = if name.contains(['@', '_', '*', '&']) { UTF8 } else { tag };
        relative.push(vec![(COMMON_NAME, tag, name.into())]);
    }
    // Without names of its own the token stands for its subject alone.
    let mut listed: Vec<(u8, Vec<u8>)> = names.iter().map(Name::general).collect();
    if random.one_in(4) {
        listed.clear();
    } else if random.one_in(2) {
        listed.reverse();
    }
    Csr {
        kind,
        hash: random.pick(&[Hash::Sha256, Hash::Sha256, Hash::Sha256, Hash::Sha384, Hash::Sha512]),
        pss: random.one_in(4),
        key_seed: random.next(),
        version: 0,
        subject: relative,
        names: listed,
        extensions: if random.one_in(6) { vec![key_usage()] } else { Vec::new() },
        attributes: Vec::new(),
        split: false,
        attributes_field: true,
        noise: Vec::new(),
        corrupt: false,
        trailing: Vec::new(),
    }
}

/// A requested key usage, which the default template does not heed.
pub(crate) fn key_usage() -> (&'static str, bool, Vec<u8>) {
    ("2.5.29.15", true, vec![0x03, 0x02, 0x05, 0xa0])
}
