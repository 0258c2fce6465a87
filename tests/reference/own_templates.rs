//! Eight whole certificate templates of the kinds that sites write, put to both CAs: the certificates are the same.
//!
//! Both issue with the root of the fixture, whose path length allows a CA below it. Eight provisioners lend their
//! names and keys; only the template files are replaced.

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::cases::Case;
use crate::common::ca::Ca;
use crate::common::ca::Kind;
use crate::common::csr::Csr;
use crate::common::fixture::Fixture;
use crate::compare;
use crate::fresh;

/// A provisioner whose template file is replaced, and the template.
const TEMPLATES: [(&str, &str); 8] = [
    // A leaf, key usage by the kind of key.
    (
        "badjson",
        r#"{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }},
{{- if typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey }}
"keyUsage": ["keyEncipherment", "digitalSignature"],
{{- else }}
"keyUsage": ["digitalSignature"],
{{- end }}
"extKeyUsage": ["serverAuth", "clientAuth"]}"#,
    ),
    // An intermediate.
    (
        "badexec",
        r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }}, "organization": "Own"},
"keyUsage": ["certSign", "crlSign"], "basicConstraints": {"isCA": true, "maxPathLen": 0}}"#,
    ),
    // Code signing.
    (
        "badtype",
        r#"{"subject": {{ toJson .Subject }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["codeSigning"],
"sans": {{ toJson .SANs }}}"#,
    ),
    // A client with an e-mail address from a claim.
    (
        "badku",
        r#"{"subject": {"commonName": {{ toJson .Token.email }}}, "emailAddresses": [{{ toJson .Token.email }}],
"keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth", "emailProtection"]}"#,
    ),
    // A CA with name constraints.
    (
        "failtpl",
        r#"{"subject": {{ toJson .Subject }}, "keyUsage": ["certSign", "crlSign"],
"basicConstraints": {"isCA": true, "maxPathLen": 0},
"nameConstraints": {"critical": true, "permittedDNSDomains": ["own.example"],
"excludedDNSDomains": ["bad.own.example"], "permittedIPRanges": ["10.0.0.0/8"]}}"#,
    ),
    // CRL, OCSP and issuer URLs.
    (
        "window",
        r#"{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"],
"extKeyUsage": ["serverAuth"], "crlDistributionPoints": "http://crl.own.example/ca.crl",
"ocspServer": ["http://ocsp.own.example"], "issuingCertificateURL": "http://own.example/ca.crt",
"policyIdentifiers": ["1.2.3.4.5"]}"#,
    ),
    // Names of other types, in the subject and beside it.
    (
        "fullext",
        r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }},
"extraNames": [{"type": "0.9.2342.19200300.100.1.25", "value": "own"},
{"type": "1.2.840.113549.1.9.1", "value": "ops@own.example"}]},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth"]}"#,
    ),
    // templateData of ca.json.
    (
        "xsan",
        r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }},
"organizationalUnit": {{ toJson .units }}, "country": "{{ .country | upper }}"},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"],
"extensions": [{"id": "1.3.6.1.4.1.99999.77", "value": {{ asn1Enc (printf "utf8:%s" (join "," .units)) | toJson }}}]}"#,
    ),
];

/// A copy of the fixture with these templates, issuing with its root.
fn fixture() -> Fixture {
    let fixture = Fixture::copy("mosaic");
    for (provisioner, template) in TEMPLATES {
        fs::write(fixture.file(&format!("templates/{provisioner}.tpl")), template).unwrap();
    }
    fixture.replace("certs/intermediate_ca.crt", "certs/root_ca.crt");
    fixture.replace("secrets/intermediate_ca_key", "secrets/root_ca_key");
    let xsan = "\"templateFile\": \"./templates/xsan.tpl\"";
    let data = json!({ "units": ["North", "South"], "country": "nz" });
    fixture.replace(xsan, &format!("{xsan}, \"templateData\": {data}"));
    fixture
}

/// What differs, one line each; nothing if all is well.
pub(crate) fn differences() -> Vec<String> {
    let (step_ca, stepless) = (start(Kind::StepCa), start(Kind::Stepless));
    let mut lines = Vec::new();
    for (provisioner, _) in TEMPLATES {
        let csr = Csr::new("a.own.example", &["a.own.example"]);
        let mut claims: Value = crate::common::token::claims(provisioner, "a.own.example");
        claims["email"] = "amy@own.example".into();
        let request = |ca: &Ca, id: &str| {
            let mut claims = claims.clone();
            claims["jti"] = format!("{provisioner}-{id}").into();
            ca.client().send(&fresh::sign(
                &csr.pem,
                &fresh::mint(&ca.fixture, provisioner, &claims),
                &json!({}),
            ))
        };
        let (left, right) = (request(&step_ca, "a"), request(&stepless, "b"));
        if !left.as_ref().is_ok_and(|answer| answer.status == 201) {
            lines.push(format!("{provisioner}: step-ca does not issue: {left:?}"));
        }
        let case = Case::new(&format!("own/{provisioner}"), "mosaic", fresh::sign(&csr.pem, "", &json!({})));
        let found = compare::differences(&left, &right, &case);
        lines.extend(found.into_iter().map(|line| format!("{provisioner}: {line}")));
    }
    lines
}

fn start(kind: Kind) -> Ca {
    Ca::try_start(kind, fixture()).unwrap_or_else(|said| panic!("{kind:?} does not start: {said}"))
}
