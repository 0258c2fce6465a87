//! Certificates of random profiles, as careful operators' templates could ask for them.

use serde_json::Value;
use serde_json::json;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::profile;
use stepless::profile::Issuance;
use stepless::x509::certificate::Certificate;
use stepless::x509::san::San;
use stepless::x509::serial::SerialNumber;
use stepless::x509::tbs;
use time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::common::local::Local;
use crate::docket::Case;
use crate::docket::Docket;
use crate::docket::Verdict;
use crate::fixture;
use crate::fixture::Issuers;
use crate::fixture::NOW;
use crate::keys::KINDS;
use crate::matrix::Requester;
use crate::random::Random;

/// The kinds of the two authorities that issue them; they sign with different algorithms.
pub(crate) const ISSUERS: [&str; 2] = ["p256", "rsa2048"];

/// A profile with what becomes of it.
#[derive(Debug)]
pub(crate) struct Profile {
    /// `profile-0001`.
    pub(crate) name: String,
    /// Which of the authorities issues it.
    pub(crate) issuer: usize,
    /// Which of the requesters asks for it.
    pub(crate) requester: usize,
    /// What the template says.
    pub(crate) document: Value,
    at: OffsetDateTime,
    expected: Verdict,
}

/// Random profiles, to be issued at `now`; all else is the same for the same seed.
pub(crate) fn random(seed: u64, count: usize, now: OffsetDateTime) -> Vec<Profile> {
    let mut random = Random::new(seed);
    (0..count).map(|index| one(&mut random, format!("profile-{index:04}"), now)).collect()
}

/// Issues each with an authority of its own and puts it down as a case; for a CA, also a leaf below it.
pub(crate) fn issue(
    docket: &mut Docket,
    issuers: &[Issuers],
    requesters: &[Requester],
    profiles: &[Profile],
) {
    for (issuers, kind) in issuers.iter().zip(ISSUERS) {
        docket.add(&format!("root-century-{kind}.crt"), issuers.root.der());
        docket.add(&format!("intermediate-century-{kind}.crt"), issuers.intermediate.der());
    }
    let authorities: Vec<Local> = issuers.iter().map(|each| each.authority()).collect();
    for profile in profiles {
        let requester = &requesters[profile.requester];
        let authority = &authorities[profile.issuer];
        let body = fixture::sign_body(&authority.fixture, &requester.csr, Some(&profile.document), NOW);
        let answer = authority.post("/1.0/sign", &[], &body, None);
        assert_eq!(answer.status, 201, "{}: {}: {:?}", profile.name, profile.document, answer.body);
        let der = fixture::certificate_der(&answer.body);
        let kind = ISSUERS[profile.issuer];
        let mut case = Case {
            name: profile.name.clone(),
            at: profile.at.unix_timestamp(),
            root: format!("root-century-{kind}.crt"),
            intermediates: vec![format!("intermediate-century-{kind}.crt")],
            leaf: docket.add(&format!("{}.crt", profile.name), &der),
            crl: None,
            expected: profile.expected,
        };
        let certificate = Certificate::parse(&der).unwrap();
        if certificate.is_ca() {
            let below = leaf_below(&certificate, &requester.key, profile.at);
            case.intermediates.push(case.leaf);
            case.leaf = docket.add(&format!("{}-below.crt", profile.name), &below);
        }
        docket.cases.push(case);
    }
}

/// A leaf that no name constraint of the random CAs forbids.
fn leaf_below(issuer: &Certificate, key: &PrivateKey, at: OffsetDateTime) -> Vec<u8> {
    let name = "host.own.example".to_owned();
    let subject_key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
    let algorithm = issuer.issuing_algorithm(key.kind());
    let issuance = Issuance {
        issuer,
        public_key: subject_key.public_key(),
        serial_number: &SerialNumber::random(&SystemEntropy::new()).unwrap(),
        not_before: at,
        not_after: at + Duration::HOUR,
        signature_algorithm: algorithm,
        extra_extensions: &[],
    };
    let draft = profile::default_leaf(&name.clone(), &[San::Dns(name)], subject_key.public_key());
    let tbs = draft.to_be_signed(&issuance).unwrap();
    tbs::assemble(&tbs, algorithm, &key.sign(algorithm, &tbs).unwrap())
}

fn one(random: &mut Random, name: String, now: OffsetDateTime) -> Profile {
    let mut document = json!({});
    let (issuer, requester) = (random.below(ISSUERS.len()), random.below(KINDS.len()));
    let mut expected = Verdict::Accepted;
    let ca = random.one_in(8);
    let named = ca || !random.one_in(6);
    if named {
        document["subject"] = subject(random);
    }
    if ca {
        authority(random, &mut document);
    } else {
        leaf(random, &mut document, KINDS[requester]);
        names(random, &mut document, !named);
        if random.one_in(20) {
            let extension = json!({ "id": "1.3.6.1.4.1.99999.13", "critical": true, "value": "BQA=" });
            document["extensions"].as_array_mut().unwrap().push(extension);
            expected = Verdict::UnknownCritical;
        }
    }
    pointers(random, &mut document);
    if random.one_in(3) {
        document["signatureAlgorithm"] = match ISSUERS[issuer] {
            "p256" => random.pick(&["ECDSA-SHA256", "ECDSA-SHA384", "ECDSA-SHA512"]),
            _ => random.pick(&["SHA256-RSA", "SHA384-RSA", "SHA512-RSA", "SHA256-RSAPSS", "SHA384-RSAPSS"]),
        }
        .into();
    }
    let at = validity(random, &mut document, now);
    Profile { name, issuer, requester, document, at, expected }
}

/// Sets the validity, and returns an instant within; there are few of those, so that judges can be asked in batches.
fn validity(random: &mut Random, document: &mut Value, now: OffsetDateTime) -> OffsetDateTime {
    let mut set = |not_before: OffsetDateTime, not_after: OffsetDateTime| {
        document["notBefore"] = not_before.replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap().into();
        document["notAfter"] = not_after.replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap().into();
    };
    let days = Duration::days(i64::try_from(random.below(300)).unwrap());
    match random.below(6) {
        0 => {
            set(now - days, now + Duration::HOUR + days);
            now
        }
        1 => {
            set(now - Duration::HOUR, datetime!(2049-12-31 23:59:59 UTC));
            now
        }
        2 => {
            set(now - Duration::HOUR, datetime!(2050-01-01 0:00 UTC));
            now
        }
        3 => {
            set(datetime!(2049-12-31 23:59:59 UTC) - days, datetime!(2050-01-01 1:00 UTC) + days);
            datetime!(2049-12-31 23:59:59 UTC)
        }
        4 => {
            set(datetime!(2050-01-01 0:00 UTC), datetime!(2051-01-01 0:00 UTC) + days);
            datetime!(2050-06-01 0:00 UTC)
        }
        // The authority's default.
        _ => now,
    }
}

fn subject(random: &mut Random) -> Value {
    let words = ["Mosaic", "Zürich Werke", "Ōtautahi Ltd", "A & B, Inc.", "O=odd+name", "東京", "x"];
    let common_names = ["a.own.example", "Device 17", "Ada Löwe", "10.0.0.1", "x"];
    if random.one_in(5) {
        return random.pick(&common_names).into();
    }
    let mut subject = json!({ "commonName": random.pick(&common_names) });
    for member in ["organization", "organizationalUnit", "locality", "province", "streetAddress"] {
        if random.one_in(3) {
            subject[member] = random.pick(&words).into();
        } else if random.one_in(8) {
            subject[member] = json!([random.pick(&words), random.pick(&words)]);
        }
    }
    if random.one_in(3) {
        subject["country"] = random.pick(&["NZ", "DE", "JP"]).into();
    }
    if random.one_in(4) {
        subject["postalCode"] = random.pick(&["8011", "A-1010", "SW1A 1AA"]).into();
    }
    if random.one_in(4) {
        subject["serialNumber"] = random.pick(&["17", "SN-0042"]).into();
    }
    if random.one_in(5) {
        subject["extraNames"] = json!([
            { "type": "0.9.2342.19200300.100.1.25", "value": "own" },
            { "type": "2.5.4.4", "value": random.pick(&words) },
        ]);
    }
    subject
}

fn leaf(random: &mut Random, document: &mut Value, key: &str) {
    document["extensions"] = json!([]);
    let mut usages = vec!["digitalSignature"];
    // What a key of the kind can do (RFC 3279 section 2.3, RFC 8410 section 5).
    let fitting: &[&str] = match key {
        "ed25519" => &[],
        rsa if rsa.starts_with("rsa") => &["keyEncipherment", "dataEncipherment"],
        _ => &["keyAgreement"],
    };
    if !fitting.is_empty() && random.one_in(3) {
        usages.push(random.pick(fitting));
    }
    if random.one_in(6) {
        usages.push("contentCommitment");
    }
    if !random.one_in(8) {
        document["keyUsage"] = json!(usages);
    }
    match random.below(9) {
        0 => (),
        1 => document["extKeyUsage"] = "serverAuth".into(),
        2 => document["extKeyUsage"] = "clientAuth".into(),
        3 => document["extKeyUsage"] = json!(["clientAuth", "emailProtection"]),
        4 => document["extKeyUsage"] = "codeSigning".into(),
        5 => {
            document["extKeyUsage"] = "clientAuth".into();
            document["unknownExtKeyUsage"] = json!(["1.3.6.1.4.1.99999.5", "1.3.6.1.5.5.7.3.17"]);
        }
        6 => {
            // A critical time stamping usage and nothing else, as RFC 3161 section 2.3 wants it.
            document["keyUsage"] = "digitalSignature".into();
            let extension = json!({ "id": "2.5.29.37", "critical": true, "value": "MAoGCCsGAQUFBwMI" });
            document["extensions"] = json!([extension]);
        }
        _ => document["extKeyUsage"] = json!(["serverAuth", "clientAuth"]),
    }
    if random.one_in(4) {
        document["basicConstraints"] = json!({ "isCA": false });
    }
    if random.one_in(10) {
        document["subjectKeyId"] = "3q2+7w==".into();
    }
    let extensions = document["extensions"].as_array_mut().unwrap();
    // An extension of the site's own, and "must staple" (RFC 7633).
    if random.one_in(4) {
        extensions.push(json!({ "id": "1.3.6.1.4.1.99999.7", "value": random.pick(&["DAJoaQ==", "BQA="]) }));
    }
    if random.one_in(10) {
        extensions.push(json!({ "id": "1.3.6.1.5.5.7.1.24", "value": "MAMCAQU=" }));
    }
}

fn authority(random: &mut Random, document: &mut Value) {
    document["keyUsage"] = random.pick(&["certSign,crlSign", "certSign"]).split(',').collect();
    document["basicConstraints"] = json!({ "isCA": true, "maxPathLen": random.pick(&[0, 0, -1]) });
    if random.one_in(2) {
        return;
    }
    let mut constraints = json!({ "critical": !random.one_in(3) });
    for (member, values) in [
        ("permittedDNSDomains", ["own.example", ".own.example"]),
        ("excludedDNSDomains", ["bad.own.example", "other.example"]),
        ("permittedIPRanges", ["10.0.0.0/8", "2001:db8::/32"]),
        ("excludedIPRanges", ["10.1.0.0/16", "192.0.2.0/24"]),
        ("permittedEmailAddresses", ["own.example", "amy@own.example"]),
        ("excludedEmailAddresses", ["bob@own.example", ".own.example"]),
        ("permittedURIDomains", ["own.example", ".own.example"]),
        ("excludedURIDomains", ["bad.own.example", ".bad.example"]),
    ] {
        if random.one_in(3) {
            constraints[member] = random.pick(&values).into();
        }
    }
    if constraints.as_object().unwrap().len() == 1 {
        constraints["permittedDNSDomains"] = json!(["own.example", "own2.example"]);
    }
    document["nameConstraints"] = constraints;
}

fn names(random: &mut Random, document: &mut Value, wanted: bool) {
    let mut some = false;
    for (member, values) in [
        ("dnsNames", ["a.own.example", "*.own.example", "_srv.own.example", "xn--bcher-kva.example"]),
        ("emailAddresses", ["amy@own.example", "\"a b\"@own.example", "x@y.example", "amy+1@own.example"]),
        ("ipAddresses", ["10.0.0.1", "2001:db8::1", "127.0.0.1", "::1"]),
        (
            "uris",
            [
                "spiffe://own.example/ns/a",
                "https://own.example/x?y=1",
                "urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                "ldap://h.example/o",
            ],
        ),
    ] {
        if random.one_in(3) {
            document[member] = random.pick(&values).into();
            some = true;
        } else if random.one_in(6) {
            document[member] = json!([values[0], values[1]]);
            some = true;
        }
    }
    if random.one_in(6) {
        // Underscore and asterisk cannot stand beside names of other kinds.
        document["dnsNames"] = "b.own.example".into();
        let other = [
            json!({ "type": "registeredID", "value": "1.2.3.4" }),
            json!({ "type": "userPrincipalName", "value": "amy@own.example" }),
            json!({ "type": "permanentIdentifier", "value": "device-17" }),
            json!({ "type": "hardwareModuleName",
                "asn1Value": { "type": "1.3.6.1.4.1.99999.9", "serialNumber": "AQID" } }),
            json!({ "type": "dn", "asn1Value": { "country": "NZ", "commonName": "Amy" } }),
            json!({ "type": "1.3.6.1.4.1.99999.8", "value": "utf8:Ōtautahi" }),
        ];
        document["sans"] = json!([other[random.below(6)], other[random.below(6)]]);
        some = true;
    }
    if wanted && !some {
        document["dnsNames"] = "c.own.example".into();
    }
}

fn pointers(random: &mut Random, document: &mut Value) {
    if random.one_in(4) {
        document["crlDistributionPoints"] = match random.below(2) {
            0 => "http://crl.own.example/ca.crl".into(),
            _ => json!([
                "http://crl.own.example/ca.crl",
                "ldap://ldap.own.example/cn=CA?certificateRevocationList"
            ]),
        };
    }
    if random.one_in(4) {
        document["ocspServer"] = "http://ocsp.own.example".into();
    }
    if random.one_in(4) {
        document["issuingCertificateURL"] =
            json!(["http://own.example/ca.crt", "http://mirror.example/ca.crt"]);
    }
    if random.one_in(4) {
        document["policyIdentifiers"] = random
            .pick(&["1.3.6.1.4.1.99999.2.1", "2.23.140.1.2.1,1.3.6.1.4.1.99999.2.2"])
            .split(',')
            .collect();
    }
}
