//! OpenSSL: one process shows all certificates, one verifies all chains that have issuers and instant in common.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use stepless::x509::pem;

use crate::common::tools;
use crate::docket::Docket;
use crate::docket::Verdict;

/// What it has to complain of.
pub(crate) fn judge(openssl: &Path, docket: &Docket) -> Vec<String> {
    let mut complaints = show(openssl, docket);
    complaints.extend(crls(openssl, docket));
    // Root, intermediates, CRL and instant, then the leaves.
    let mut batches: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in &docket.cases {
        let key = (&case.root, &case.intermediates, &case.crl, case.at);
        batches.entry(key).or_default().push(case);
    }
    let bundle = |name: &str, names: &[String]| {
        let text: String = names.iter().map(|name| pem::encode("CERTIFICATE", &docket.read(name))).collect();
        fs::write(docket.folder.join(name), text).unwrap();
    };
    for ((root, intermediates, crl, at), cases) in batches {
        bundle("root.pem", std::slice::from_ref(root));
        bundle("intermediates.pem", intermediates);
        let mut verify = Command::new(openssl);
        verify.current_dir(&docket.folder);
        verify.args(["verify", "-x509_strict", "-check_ss_sig", "-attime", &at.to_string()]);
        verify.args(["-CAfile", "root.pem", "-untrusted", "intermediates.pem"]);
        if let Some(crl) = crl {
            fs::write(docket.folder.join("crl.pem"), pem::encode("X509 CRL", &docket.read(crl))).unwrap();
            verify.args(["-crl_check", "-CRLfile", "crl.pem"]);
        }
        let output = verify.args(cases.iter().map(|case| &case.leaf)).output().unwrap();
        // A refusal begins with a line for each reason and ends with one that names the file.
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        for case in cases {
            let accepted = said.contains(&format!("{}: OK\n", case.leaf));
            let right = match case.expected {
                Verdict::Accepted => accepted,
                Verdict::Revoked => !accepted && said.contains("certificate revoked"),
                Verdict::UnknownCritical => !accepted && said.contains("unhandled critical extension"),
            };
            if !right {
                complaints.push(format!(
                    "{}: expected {:?}; openssl verify said\n{said}",
                    case.name, case.expected
                ));
            }
        }
    }
    complaints
}

/// Every certificate can be shown, with every extension that OpenSSL knows.
fn show(openssl: &Path, docket: &Docket) -> Vec<String> {
    let names = docket.files(".crt");
    let text: String = names.iter().map(|name| pem::encode("CERTIFICATE", &docket.read(name))).collect();
    fs::write(docket.folder.join("all.pem"), text).unwrap();
    let mut command = Command::new(openssl);
    let said =
        tools::run(command.args(["storeutl", "-certs", "-text", "all.pem"]).current_dir(&docket.folder));
    let mut complaints = Vec::new();
    let shown: Vec<&str> = said.split("Certificate:\n").skip(1).collect();
    if shown.len() != names.len() {
        complaints.push(format!("openssl shows {} of {} certificates", shown.len(), names.len()));
    }
    for (name, text) in names.iter().zip(shown) {
        if text.contains("Parse Error") || text.contains("Unable to load") || text.contains("Not Supported") {
            complaints.push(format!("{name}: openssl shows\n{text}"));
        }
    }
    complaints
}

fn crls(openssl: &Path, docket: &Docket) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in docket.files(".crl") {
        let kind = name.trim_start_matches("crl-").split(['.', '-']).next().unwrap();
        let issuer = docket.read(&format!("intermediate-{kind}-{kind}.crt"));
        fs::write(docket.folder.join("issuer.pem"), pem::encode("CERTIFICATE", &issuer)).unwrap();
        let mut command = Command::new(openssl);
        command.args([
            "crl",
            "-inform",
            "DER",
            "-noout",
            "-text",
            "-verify",
            "-CAfile",
            "issuer.pem",
            "-in",
            name,
        ]);
        let output = command.current_dir(&docket.folder).output().unwrap();
        let said = tools::said(&output);
        if !output.status.success() || !said.contains("verify OK") || said.contains("Parse Error") {
            complaints.push(format!("{name}: openssl crl said\n{said}"));
        }
    }
    complaints
}
