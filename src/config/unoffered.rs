//! Members of ca.json that step-ca obeys and stepless does not offer: none goes unmentioned.
//!
//! Where leaving a member out would let more through, or let the authority be another one than ca.json describes, the
//! start is refused; the rest is left out with a warning. What step-ca ignores is ignored here too.

use crate::config::Error;
use crate::config::reader::Object;

/// The kinds of key management of step-ca, which are also the schemes of their URIs. `softkms` means files.
const KEY_MANAGEMENT: [&str; 11] = [
    "softkms",
    "cloudkms",
    "awskms",
    "azurekms",
    "pkcs11",
    "yubikey",
    "sshagentkms",
    "capi",
    "tpmkms",
    "mackms",
    "kms",
];

/// Refuses or names what stands outside the list of provisioners.
pub(super) fn check(
    root: &Object<'_>,
    authority: Option<&Object<'_>>,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    check_keys(root)?;
    if let Some(authority) = authority {
        check_authority(authority)?;
    }
    if root.object("ssh")?.is_some() {
        warnings.push("ssh is not offered: no SSH certificate will be issued".to_owned());
    }
    if root.field("templates").is_some() {
        warnings.push("templates is not offered: it configures SSH clients".to_owned());
    }
    if root.field("monitoring").is_some() {
        warnings.push("monitoring is not offered: nothing is reported to another service".to_owned());
    }
    if !root.text("metricsAddress")?.is_empty() {
        warnings.push("metricsAddress is not offered: nothing listens there".to_owned());
    }
    if let Some(logger) = root.object("logger")?
        && logger.text("format")?.eq_ignore_ascii_case("common")
    {
        warnings.push("logger.format common is not offered: the log is text".to_owned());
    }
    Ok(())
}

/// A key in a module or a cloud cannot be replaced by another one.
fn check_keys(root: &Object<'_>) -> Result<(), Error> {
    if let Some(kms) = root.object("kms")? {
        let (kind, uri) = (kms.text("type")?, kms.text("uri")?);
        let kind = if kind.is_empty() { uri.split(':').next().unwrap_or_default() } else { &kind };
        if !kind.is_empty() && !kind.eq_ignore_ascii_case("softkms") {
            return Err(Error::Invalid(format!(
                "kms of type {kind:?} is not offered: keys have to be files"
            )));
        }
    }
    let key = root.text("key")?;
    if let Some((scheme, _)) = key.split_once(':')
        && KEY_MANAGEMENT.iter().any(|kind| kind.eq_ignore_ascii_case(scheme))
    {
        return Err(Error::Invalid(format!(
            "key is the URI of a {scheme} key, which is not offered: it has to be the path of a file"
        )));
    }
    Ok(())
}

/// Who issues, and which provisioners there are, may stand elsewhere than in ca.json.
fn check_authority(authority: &Object<'_>) -> Result<(), Error> {
    let kind = authority.text("type")?;
    if !kind.is_empty() && !kind.eq_ignore_ascii_case("softcas") {
        return Err(Error::Invalid(format!(
            "authority.type {kind:?} is not offered: a registration authority has another one issue"
        )));
    }
    if authority.bool("enableAdmin")?.unwrap_or(false) {
        return Err(Error::Invalid(
            "authority.enableAdmin is not offered: its provisioners live in the database".to_owned(),
        ));
    }
    if authority.text("deploymentType")?.eq_ignore_ascii_case("linked") {
        return Err(Error::Invalid(
            "authority.deploymentType linked is not offered: its provisioners live elsewhere".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses webhooks that step-ca would ask about certificates; those for SSH have nothing to be asked about.
pub(super) fn check_webhooks(
    provisioner: &str,
    options: &Object<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let list = options.place("webhooks");
    for (i, webhook) in options.elements("webhooks")?.into_iter().enumerate() {
        let webhook = Object::new(&format!("{list}[{i}]"), webhook)?;
        let name = webhook.text("name")?;
        if webhook.text("certType")? != "SSH" {
            return Err(Error::Invalid(format!(
                "provisioner {provisioner:?}: webhook {name:?} is not offered, and leaving it out could let more \
                 through"
            )));
        }
        warnings.push(format!("provisioner {provisioner:?}: webhook {name:?} is for SSH and stays off"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const KEY: &str = r#"{"kty":"EC","kid":"k","crv":"P-256","x":"U9ImyWsaawUeVKXCWb7DbqoJ9zU3cmpYJim42cxKCWE","y":"SjW3j7m4zXrX1cLFcCRCNyM2ERk8qHkQQdmsk4P8Fj8"}"#;

    /// A ca.json with more `members` gets these warnings, or is refused with this sentence.
    #[track_caller]
    fn check(members: &str, expected: Result<&[&str], &str>) {
        let text = format!(r#"{{"root":"r","crt":"c","key":"k","address":":9000",{members}}}"#);
        let found = parse(text.as_bytes()).map(|ca| ca.warnings).map_err(|error| error.to_string());
        let expected = expected.map(|warnings| warnings.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(found, expected.map_err(str::to_owned), "{members}");
    }

    #[test]
    fn what_is_left_out_is_named() {
        let warned = |members: &str, warning: &str| check(members, Ok(&[warning]));
        warned(
            r#""ssh":{"hostKey":"h","userKey":"u"}"#,
            "ssh is not offered: no SSH certificate will be issued",
        );
        warned(r#""templates":{"ssh":{}}"#, "templates is not offered: it configures SSH clients");
        warned(
            r#""monitoring":{"type":"newrelic","key":"k"}"#,
            "monitoring is not offered: nothing is reported to another service",
        );
        warned(r#""metricsAddress":":9090""#, "metricsAddress is not offered: nothing listens there");
        warned(r#""logger":{"format":"Common"}"#, "logger.format common is not offered: the log is text");
    }

    #[test]
    fn what_would_let_more_through_is_refused() {
        let refused = |members: &str, sentence: &str| check(members, Err(sentence));
        for kind in ["pkcs11", "YubiKey", "awskms", "nosuchkms"] {
            let sentence = format!("kms of type {kind:?} is not offered: keys have to be files");
            refused(&format!(r#""kms":{{"type":"{kind}"}}"#), &sentence);
            refused(&format!(r#""kms":{{"uri":"{kind}:name=x"}}"#), &sentence);
        }
        for scheme in ["pkcs11", "awskms", "azurekms", "cloudkms", "yubikey", "tpmkms"] {
            refused(
                &format!(r#""key":"{scheme}:id=7331""#),
                &format!(
                    "key is the URI of a {scheme} key, which is not offered: it has to be the path of a file"
                ),
            );
        }
        for kind in ["stepcas", "cloudCAS", "vaultcas"] {
            refused(
                &format!(r#""authority":{{"type":"{kind}","certificateAuthority":"https://ca.example"}}"#),
                &format!(
                    "authority.type {kind:?} is not offered: a registration authority has another one issue"
                ),
            );
        }
        refused(
            r#""authority":{"enableAdmin":true}"#,
            "authority.enableAdmin is not offered: its provisioners live in the database",
        );
        refused(
            r#""authority":{"deploymentType":"Linked"}"#,
            "authority.deploymentType linked is not offered: its provisioners live elsewhere",
        );
    }

    #[test]
    fn what_step_ca_ignores_is_ignored() {
        for members in [
            r#""kms":null"#,
            r#""kms":{}"#,
            r#""kms":{"type":"SoftKMS"}"#,
            r#""authority":{"type":"SoftCAS","certificateAuthority":"x","config":[],"authorityId":"a"}"#,
            r#""authority":{"deploymentType":"standalone","enableAdmin":false,"disableGetSSHHosts":true}"#,
            r#""ssh":null,"templates":null,"monitoring":null,"metricsAddress":"","logger":{"format":"JSON"}"#,
            r#""key":"keys/a:b""#,
            r#""nosuch":{"kms":1}"#,
        ] {
            check(members, Ok(&[]));
        }
    }

    #[test]
    fn provisioners_of_other_types_stay_off() {
        let types = ["OIDC", "GCP", "AWS", "Azure", "ACME", "K8sSA", "SSHPOP", "SCEP", "Nebula", "acme"];
        for kind in types {
            // Neither its options nor its webhooks are read.
            let webhook = r#""options":{"webhooks":[{"name":"w","kind":"SCEPCHALLENGE"}]}"#;
            check(
                &format!(r#""authority":{{"provisioners":[{{"type":"{kind}","name":"p",{webhook}}}]}}"#),
                Ok(&[&format!("provisioner \"p\" of type {kind} is not offered and stays off")]),
            );
        }
        check(
            r#""authority":{"provisioners":[{"type":"later","name":"p"}]}"#,
            Ok(&["provisioner \"p\" of unknown type \"later\" is ignored"]),
        );
    }

    #[test]
    fn webhooks_are_refused_unless_they_are_for_ssh() {
        let check = |webhook: &str, expected: Result<&[&str], &str>| {
            check(
                &format!(
                    r#""authority":{{"provisioners":[{{"type":"JWK","name":"p","key":{KEY},"options":{{"webhooks":[{webhook}]}}}}]}}"#
                ),
                expected,
            );
        };
        let refused =
            Err("provisioner \"p\": webhook \"w\" is not offered, and leaving it out could let more through");
        for kind in ["AUTHORIZING", "ENRICHING", "NOTIFYING", "later"] {
            check(&format!(r#"{{"name":"w","kind":"{kind}"}}"#), refused);
            check(&format!(r#"{{"name":"w","kind":"{kind}","certType":"ALL"}}"#), refused);
            check(&format!(r#"{{"name":"w","kind":"{kind}","certType":"X509"}}"#), refused);
        }
        check(
            r#"{"name":"w","kind":"AUTHORIZING","certType":"SSH"}"#,
            Ok(&["provisioner \"p\": webhook \"w\" is for SSH and stays off"]),
        );
        check("", Ok(&[]));
    }
}
