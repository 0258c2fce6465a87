//! What the files say by themselves: who may read them, how long certificates live, whose keys these are.

use std::collections::BTreeMap;
use std::path::Path;

use time::Duration;
use time::OffsetDateTime;

use crate::cli::access;
use crate::cli::dev;
use crate::cli::doctor::report::Report;
use crate::config::CaJson;
use crate::config::Config;
use crate::config::Credential;
use crate::duration::format_rfc3339;

/// A root or intermediate that ends sooner should be replaced now.
const SOON: Duration = Duration::days(30);

const PRIVATE: &str = "take the others' rights away with: chmod 600";

/// Files with secrets are for their owner alone.
pub(super) fn modes(report: &mut Report, path: &Path, ca: &CaJson) {
    let mut files = vec![(ca.key.as_str().into(), "holds the key that issues")];
    if access::holds_secret(ca) {
        files.push((path.to_owned(), "holds a password or a provisioner's secret"));
    }
    for (path, why) in files {
        let target = path.display().to_string();
        match access::others(&path) {
            // What cannot be read is named where it is loaded.
            None => {}
            Some(0) => report.good("mode", &target, "for its owner alone"),
            Some(mode) => {
                report.fail(
                    "mode",
                    &target,
                    &format!("others may use it ({mode:03o}), and it {why}"),
                    PRIVATE,
                );
            }
        }
    }
}

/// Keys that everybody has, and keys that two provisioners share.
pub(super) fn provisioners(report: &mut Report, ca: &CaJson) {
    let demo = dev::demo_provisioners(ca);
    let mut shared: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for entry in &ca.provisioners {
        if let Credential::Jwk { key, .. } = &entry.credential
            && !key.jwk().key_id().is_empty()
        {
            shared.entry(key.jwk().key_id().to_owned()).or_default().push(&entry.name);
        }
    }
    for entry in &ca.provisioners {
        let name = &entry.name;
        if demo.contains(name) {
            report.fail(
                "provisioner",
                name,
                "has a published demo key, which anybody can use",
                "give it a key of its own, or serve with --dev while developing",
            );
        } else if let Err(reason) = &entry.effective_claims {
            report.warn(
                "provisioner",
                name,
                reason,
                "it answers 401 to everybody until its claims are corrected",
            );
        } else {
            report.good("provisioner", name, &entry.kind);
        }
    }
    for names in shared.values().filter(|names| names.len() > 1) {
        report.warn(
            "provisioner",
            &names.join(", "),
            "share one kid, so their encrypted keys cannot be told apart",
            "give each a key of its own",
        );
    }
    if ca.provisioners.is_empty() {
        report.warn("provisioner", "none", "nobody can ask for a certificate", "add one to ca.json");
    }
}

/// How long roots and intermediates live.
pub(super) fn certificates(report: &mut Report, config: &Config, now: OffsetDateTime) {
    let roots = config.roots.iter().map(|certificate| ("root", certificate));
    let intermediates = config.intermediates.iter().map(|certificate| ("intermediate", certificate));
    for (name, certificate) in roots.chain(intermediates) {
        let target = certificate.common_name().unwrap_or_else(|| certificate.serial_number().to_string());
        let left = certificate.not_after() - now;
        let until = format!("until {}, {} days", format_rfc3339(certificate.not_after()), left.whole_days());
        if left.is_negative() {
            report.fail(name, &target, &until, "make a new one; what it has signed is of no use any more");
        } else if left < SOON {
            report.warn(name, &target, &until, "make a new one now: docs/operations.md says how");
        } else {
            report.good(name, &target, &until);
        }
    }
    let roots: Vec<_> = config.roots.iter().filter_map(|root| root.public_key().ok()).collect();
    let last = config.intermediates.last();
    if !last.is_some_and(|last| roots.iter().any(|key| last.verify_signature(key).is_ok())) {
        report.fail(
            "intermediate",
            &config.ca.crt,
            "no root has signed its last certificate",
            "put the intermediates between `crt` and the root into the file, or the right root into `root`",
        );
    }
}

/// Templates that cannot be used are warnings of the configuration; here are the good ones.
pub(super) fn templates(report: &mut Report, config: &Config) {
    for entry in &config.ca.provisioners {
        let Some(loaded) = entry.x509.as_ref().and_then(|options| options.loaded.as_ref()) else { continue };
        match &loaded.template {
            Ok(_) => report.good("template", &entry.name, "compiles"),
            Err(reason) => report.fail(
                "template",
                &entry.name,
                reason,
                "correct it; try it out with: stepless template check",
            ),
        }
    }
}
