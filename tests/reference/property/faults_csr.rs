//! Faults of the certification request and its PEM text.

use serde_json::Value;

use super::base::COMMON_NAME;
use super::base::PRINTABLE;
use super::base::UTF8;
use super::base::key_usage;
use super::der;
use super::faults::Fault;
use super::keys::Hash;
use super::keys::Kind;
use super::pair::Pair;
use super::random::Random;

pub(crate) const FAULTS: &[Fault] = &[
    ("csr hash", |pair, random| {
        pair.csr.hash = random.pick(&[Hash::Sha1, Hash::Sha224, Hash::Sha384, Hash::Sha512]);
        pair.csr.kind = random.pick(&[Kind::P256, Kind::P384, Kind::Rsa2048]);
        pair.csr.pss = false;
    }),
    ("csr weak key", |pair, _| pair.csr.kind = Kind::Rsa1024),
    ("csr recorded", recorded),
    ("csr signature", |pair, _| pair.csr.corrupt = true),
    ("csr octet", |pair, random| {
        pair.csr.noise.push((random.below(100_000), 1 << random.below(8)));
    }),
    ("csr octet", |pair, random| {
        let bits = 1 + random.below(255);
        pair.csr.noise.push((random.below(100_000), u8::try_from(bits).unwrap()));
    }),
    ("csr version", |pair, random| pair.csr.version = random.pick(&[1, 2, 127])),
    ("csr without attributes", |pair, _| pair.csr.attributes_field = false),
    ("csr trailing octets", |pair, _| pair.csr.trailing = vec![0, 0]),
    ("csr split extensions", |pair, _| {
        pair.csr.split = true;
        pair.csr.extensions.push(key_usage());
    }),
    ("csr extension", |pair, random| {
        let (oid, value): (_, &[u8]) = random.pick(&[
            ("2.5.29.15", b"garbage" as &[u8]),
            ("2.5.29.15", &[0x03, 0x02, 0x05, 0xa0]),
            ("2.5.29.19", &[0x30, 0x03, 0x01, 0x01, 0xff]),
            ("2.5.29.17", &[0x30, 0x00]),
            ("2.5.29.17", &[0x30, 0x09, 0x82, 0x07, b'e', b'v', b'i', b'l', b'.', b'e', b'x']),
            ("2.5.29.17", b"garbage"),
            ("2.5.29.37", &[0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]),
            ("1.3.6.1.4.1.37476.9000.64.1", b"\x30\x00"),
            ("1.3.6.1.4.1.99999.1", b"text"),
            ("1.2.3", b""),
        ]);
        pair.csr.extensions.push((oid, random.one_in(2), value.to_vec()));
    }),
    ("csr extension twice", |pair, _| pair.csr.extensions.extend([key_usage(), key_usage()])),
    ("csr attribute", |pair, random| {
        let challenge = der::set(&[der::element(0x13, b"secret")]);
        let attribute = match random.below(5) {
            0 => der::sequence(&[der::oid("1.2.840.113549.1.9.7"), challenge]),
            1 => der::sequence(&[der::oid("1.3.6.1.4.1.311.13.2.3"), challenge]),
            2 => der::sequence(&[der::oid("1.2.840.113549.1.9.14"), der::set(&[])]),
            3 => der::sequence(&[der::oid("1.2.840.113549.1.9.14"), der::set(&[der::sequence(&[])])]),
            _ => der::sequence(&[der::oid("1.2.840.113549.1.9.14"), der::set(&[der::null()])]),
        };
        pair.csr.attributes.push(attribute);
    }),
    ("csr subject empty", |pair, _| pair.csr.subject.clear()),
    ("csr common names", |pair, random| {
        let mut name = |text: &str| {
            let tag = random.pick(&[UTF8, PRINTABLE, 0x14, 0x16]);
            vec![(COMMON_NAME, tag, text.as_bytes().to_vec())]
        };
        let (first, subject) = (name("other.example"), name(&pair.subject()));
        pair.csr.subject.extend([first, subject]);
        if random.one_in(2) {
            pair.csr.subject.reverse();
        }
    }),
    ("csr common name", |pair, random| {
        let subject = pair.subject();
        let (tag, text): (u8, Vec<u8>) = match random.below(9) {
            0 => (UTF8, subject.to_uppercase().into()),
            1 => (UTF8, format!("{subject} ").into()),
            2 => (UTF8, "J\u{f6}rg".into()),
            // BMPString, UTF-16.
            3 => (0x1e, subject.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            // TeletexString, IA5String, NumericString, and a PrintableString that is none.
            4 => (0x14, subject.into()),
            5 => (0x16, subject.into()),
            6 => (0x12, b"123".to_vec()),
            7 => (PRINTABLE, format!("{subject}*").into()),
            _ => (UTF8, vec![0xff, 0xfe]),
        };
        pair.csr.subject.retain(|relative| relative[0].0 != COMMON_NAME);
        pair.csr.subject.push(vec![(COMMON_NAME, tag, text)]);
    }),
    ("csr subject attribute", |pair, random| {
        let attribute = random.pick(&[
            ("2.5.4.5", PRINTABLE, b"SN-1" as &[u8]),
            ("2.5.4.97", UTF8, b"VATNZ-1"),
            ("0.9.2342.19200300.100.1.25", 0x16, b"own"),
            ("1.2.840.113549.1.9.1", 0x16, b"ops@own.example"),
            ("2.5.4.6", PRINTABLE, b"Long country"),
            ("2.5.4.10", UTF8, b""),
            ("2.5.4.10", 0x1c, b"\0\0\0A"),
            ("2.5.4.10", 0x04, b"octets"),
        ]);
        pair.csr.subject.insert(0, vec![(attribute.0, attribute.1, attribute.2.to_vec())]);
    }),
    ("csr name", |pair, random| {
        let mapped: Vec<u8> = [0; 10].into_iter().chain([0xff, 0xff, 10, 1, 2, 3]).collect();
        let other = der::sequence(&[]);
        let name: (u8, &[u8]) = random.pick(&[
            (0x82, b"extra.own.example" as &[u8]),
            (0x82, b"*.own.example"),
            (0x82, b""),
            (0x82, b"a..b"),
            (0x82, b"sp ace"),
            (0x82, &[0xc3, 0xbc]),
            (0x82, b"nul\0.example"),
            (0x81, b"extra@own.example"),
            (0x81, b"not a mailbox"),
            (0x81, b""),
            (0x86, b"https://extra.own.example/"),
            (0x86, b"no-scheme"),
            (0x86, b"https://own.example:port/"),
            (0x86, b"https://ex%zz.example/"),
            (0x86, b"https://own.example/%zz"),
            (0x86, b""),
            (0x87, &[10, 1, 2, 4]),
            (0x87, &[10, 1, 2]),
            (0x87, b""),
            (0x87, &mapped),
            (0xa0, &[0x06, 0x01, 0x2a, 0xa0, 0x02, 0x0c, 0x00]),
            (0xa4, &other),
            (0x88, &[0x2a, 0x03]),
            (0x89, b"x"),
            (0x02, &[0x01]),
        ]);
        pair.csr.names.push((name.0, name.1.to_vec()));
    }),
    ("csr name twice", |pair, _| {
        let first = pair.csr.names.first().cloned();
        pair.csr.names.extend(first);
    }),
    ("csr name missing", |pair, _| {
        pair.csr.names.pop();
    }),
    ("csr name case", |pair, _| {
        for (_, name) in pair.csr.names.iter_mut().filter(|(tag, _)| *tag != 0x87) {
            name.make_ascii_uppercase();
        }
    }),
    ("pem", |pair, random| {
        let change = PEM[random.below(PEM.len())];
        pair.pem.push(change);
    }),
    ("pem block twice", |pair, _| pair.several_blocks = true),
    ("names odd", odd_names),
    ("names many", |pair, random| {
        let count = 20 + random.below(80);
        let names: Vec<String> = (0..count).map(|number| format!("n{number}.own.example")).collect();
        pair.csr.names = names.iter().map(|name| (0x82, name.as_bytes().to_vec())).collect();
        pair.claims.set("sans", &names.into());
    }),
];

/// Changes to PEM text that has one block.
const PEM: &[fn(String) -> String] = &[
    |pem| pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    |pem| pem.replace("CERTIFICATE REQUEST", "ANYTHING"),
    |pem| pem.replacen("CERTIFICATE REQUEST", "X", 1),
    |pem| format!("Some text\nbefore it\n{pem}"),
    |pem| format!("{pem}text behind it"),
    |pem| format!("\u{feff}{pem}"),
    |pem| pem.replace('\n', "\r\n"),
    |pem| pem.replace('\n', "\r"),
    |pem| pem.replace('\n', " \n"),
    |pem| pem.replace('\n', "\n "),
    |pem| pem.replace('\n', "\n\n"),
    |pem| pem.trim_end().to_owned(),
    |pem| pem.replacen("-----\n", "-----\nProc-Type: 4,CLEAR\nX: y\n\n", 1),
    |pem| pem.replacen("-----\n", "-----\nX: y\n", 1),
    |pem| pem.replace("-----BEGIN", "----BEGIN"),
    |pem| pem.replace("-----END", "----END"),
    |pem| pem.replace("REQUEST-----\n", "REQUEST----- \n"),
    |pem| pem.replace('+', "-").replace('/', "_"),
    |pem| pem.replace('=', ""),
    |pem| pem.replacen("\n-----END", "=\n-----END", 1),
    |pem| pem.replacen('A', "\u{e4}", 1),
    |pem| pem.lines().filter(|line| !line.starts_with("-----END")).map(|line| format!("{line}\n")).collect(),
    |pem| {
        let inner: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{inner}\n-----END CERTIFICATE REQUEST-----\n")
    },
    |_| String::new(),
    |_| "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n".to_owned(),
    |_| "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n".to_owned(),
    |_| "no PEM at all".to_owned(),
];

/// Names that are odd in themselves, in the token and in the request alike.
fn odd_names(pair: &mut Pair<'_>, random: &mut Random) {
    let name = random.pick(&[
        "*.own.example",
        "*.internal.example",
        "*.forbidden.example",
        "a.forbidden.example",
        "bad.internal.example",
        "bad.good.example",
        "*.good.example",
        "*",
        "*.*.own.example",
        "a*.own.example",
        "sp ace.own.example",
        "trailing.own.example.",
        ".leading.own.example",
        "a..own.example",
        "-a.own.example",
        "xn--a",
        "XN--BCHER-KVA.own.example",
        "b\u{fc}cher.own.example",
        "bell\u{7}.own.example",
        "nul\u{0}.own.example",
        "delete\u{7f}.own.example",
        "10.1.2.3.4",
        "010.1.2.3",
        "1.2.3",
        "[2001:db8::7]",
        "2001:DB8:0:0::7",
        "::ffff:10.1.2.3",
        "0:0:0:0:0:ffff:c000:207",
        "fe80::1%eth0",
        "localhost:8080",
        "own.example:8080",
        "@own.example",
        "amy@",
        "a@b@own.example",
        "\"quoted local\"@own.example",
        "amy@OWN.example",
        "amy@b\u{fc}cher.example",
        "amy@[10.1.2.3]",
        "Amy <amy@own.example>",
        "mailto:amy@own.example",
        "https://own.example",
        "https://OWN.example/\u{fc}ber",
        "https://own.example/a b",
        "https://own.example/%41%2f%zz",
        "https://own.example/%c3%bc?q=\u{fc}#\u{fc}",
        "https://user:pass@own.example/",
        "https://10.1.2.3/x",
        "https://[2001:db8::7]:443/x",
        "https://own.example:/x",
        "https://own.example:99999/x",
        "https:///path",
        "https:opaque",
        "spiffe://a.own.example",
        "//own.example/x",
        "a:b",
        "1a:b",
        "urn:x y",
        "https://*.own.example/",
        "https://own.example./x",
        "https://own..example/x",
        "https://b%C3%BCcher.example/",
        "https://b\u{fc}cher.example/",
        "https://a.forbidden.example/",
        "https://own.example/\\x",
        "https://own.example/<x>\"{}|^`",
        "?",
        "%",
        " ",
    ]);
    let mut names = pair.names();
    names.push(name.to_owned());
    if random.one_in(3) {
        pair.claims.set("sub", &name.into());
        if random.one_in(2) {
            names = vec![name.to_owned()];
        }
    }
    pair.claims.set("sans", &names.into());
    if random.one_in(4) {
        let tag = if name.contains('@') { 0x81 } else { 0x82 };
        pair.csr.names.push((tag, name.as_bytes().to_vec()));
    } else {
        pair.csr.names.clear();
    }
}

/// A request of the recordings, with a token for it: keys and curves that nothing here can make.
fn recorded(pair: &mut Pair<'_>, random: &mut Random) {
    let recordings = super::recordings();
    let recording = &recordings[random.below(recordings.len())];
    pair.recorded = Some((recording.pem.clone(), recording.rule.clone()));
    for name in ["sub", "sans"] {
        match &recording.claims[name] {
            Value::Null => pair.claims.remove(name),
            value => pair.claims.set(name, value),
        }
    }
}
