//! Bodies: valid for one route or another, valid but for one thing, and nothing of the kind.

use serde_json::Value;
use serde_json::json;
use stepless::http::MAX_BODY;
use stepless::x509::pem;

use crate::desk::Desk;
use crate::tokens;
use crate::tokens::Fault;
use crate::tokens::Purpose;

/// A body, with what is known about it.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// `base`, or `base change`.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    pub(crate) fn plain(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }
}

/// Bodies that are none.
const JUNK: [&str; 21] = [
    "form",
    "nothing",
    "space",
    "null",
    "{}",
    "[]",
    "number",
    "text",
    "true",
    "cut",
    "trailing",
    "two objects",
    "BOM",
    "UTF-16",
    "invalid UTF-8",
    "invalid UTF-8 member",
    "NUL",
    "deep",
    "deep member",
    "huge",
    "huge number",
];

/// The valid ones, with their members. `sign` and `revoke` carry a token, `revoke own` is for the client's certificate.
const BASES: [(&str, &[&str]); 4] = [
    ("sign", &["csr", "ott", "notBefore", "notAfter", "templateData"]),
    ("rekey", &["csr"]),
    ("revoke", &["serial", "ott", "reasonCode", "reason", "passive"]),
    ("revoke own", &["serial", "reasonCode", "reason", "passive"]),
];

/// What is done to a member.
const CHANGES: [&str; 12] = [
    "dropped",
    "null",
    "=\"\"",
    "=\"x\"",
    "=1",
    "=-1",
    "=1.5",
    "=true",
    "=[]",
    "={}",
    "twice",
    "in capitals",
];

/// What is none, and what is valid.
pub(crate) fn few_names() -> Vec<String> {
    JUNK.into_iter().chain(BASES.map(|(base, _)| base)).map(str::to_owned).collect()
}

/// The names of all bodies.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = JUNK.map(str::to_owned).to_vec();
    for (base, members) in BASES {
        names.push(base.to_owned());
        names.push(format!("{base} unknown=1"));
        for member in members {
            names.extend(CHANGES.map(|change| format!("{base} {member} {change}")));
        }
    }
    names.extend(["sign csr broken", "rekey csr broken"].map(str::to_owned));
    for base in ["sign", "revoke", "revoke own"] {
        names.extend(tokens::faults().map(|fault| format!("{base} ott:{fault:?}")));
    }
    names
}

impl Desk {
    /// The body of that name, with a token of its own.
    pub(crate) fn body(&mut self, name: &str) -> Body {
        if let Some(bytes) = junk(name) {
            return Body { name: name.to_owned(), bytes };
        }
        let (base, _) = BASES.iter().rfind(|(base, _)| name.starts_with(base)).expect("a base");
        let change = name[base.len()..].trim_start();
        if let Some(fault) = change.strip_prefix("ott:") {
            let fault = tokens::faults().find(|known| format!("{known:?}") == fault).expect("a fault");
            return Body::plain(name, &self.base(base, fault).to_string());
        }
        let mut value = self.base(base, Fault::None);
        if change == "unknown=1" {
            value["unknown"] = 1.into();
        } else if let Some((member, change)) = change.split_once(' ') {
            return Body::plain(name, &changed(value, member, change));
        }
        Body::plain(name, &value.to_string())
    }

    /// A valid body but for its token's fault.
    fn base(&mut self, base: &str, fault: Fault) -> Value {
        match base {
            "sign" => {
                let csr = self.csr.clone();
                let ott = self.token(Purpose::Sign, fault);
                json!({"csr": csr, "ott": ott, "notBefore": "1s", "notAfter": "1h", "templateData": {"a": 1}})
            }
            "rekey" => json!({"csr": self.csr}),
            "revoke" => {
                let ott = self.token(Purpose::Revoke, fault);
                let serial = self.take_serial();
                json!({"serial": serial, "ott": ott, "reasonCode": 4, "reason": "why", "passive": true})
            }
            _ => {
                let serial = self.client_serial();
                let mut body = json!({"serial": serial, "reasonCode": 1, "reason": "why", "passive": true});
                if fault != Fault::None {
                    body["ott"] = self.token(Purpose::Revoke, fault).into();
                    self.take_serial();
                }
                body
            }
        }
    }
}

fn changed(mut value: Value, member: &str, change: &str) -> String {
    let object = value.as_object_mut().expect("an object");
    let old = object.get(member).cloned().expect("a member");
    match change {
        "dropped" => {
            object.remove(member);
        }
        "twice" => {
            return value.to_string().replacen('{', &format!("{{\"{member}\":{old},"), 1);
        }
        "broken" => {
            object.insert(member.to_owned(), broken(old.as_str().expect("a CSR")).into());
        }
        "in capitals" => {
            object.remove(member);
            object.insert(member.to_uppercase(), old);
        }
        text => {
            let new = serde_json::from_str(text.trim_start_matches('=')).expect("JSON");
            object.insert(member.to_owned(), new);
        }
    }
    value.to_string()
}

/// A CSR with another signature.
fn broken(csr: &str) -> String {
    let mut der = pem::decode_first(csr).expect("PEM").content.to_vec();
    *der.last_mut().expect("DER") ^= 1;
    pem::encode("CERTIFICATE REQUEST", &der)
}

fn junk(name: &str) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    match name {
        "form" => text("csr=x&ott=y"),
        "nothing" => text(""),
        "space" => text(" \n"),
        "null" | "{}" | "[]" | "true" => text(name),
        "number" => text("17"),
        "text" => text("\"text\""),
        "cut" => text("{\"csr\":\"x"),
        "trailing" => text("{} x"),
        "two objects" => text("{}{}"),
        "BOM" => text("\u{feff}{}"),
        "UTF-16" => Some(b"\xff\xfe{\0}\0".to_vec()),
        "invalid UTF-8" => Some(b"\xff\x80\xc3".to_vec()),
        "invalid UTF-8 member" => Some(b"{\"csr\":\"\xff\xc3\x28\",\"ott\":\"\xed\xa0\x80\"}".to_vec()),
        "NUL" => Some(vec![0; 64]),
        "deep" => text(&"[".repeat(200_000)),
        "deep member" => {
            text(&format!("{{\"templateData\":{}{}}}", "{\"a\":".repeat(20_000), "}".repeat(20_000)))
        }
        "huge" => Some(vec![b' '; MAX_BODY + 1]),
        "huge number" => text(&format!("{{\"reasonCode\":{},\"serial\":\"{0}\"}}", "9".repeat(100_000))),
        _ => None,
    }
}
