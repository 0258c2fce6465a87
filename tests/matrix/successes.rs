//! The list of what succeeds. Whatever is not in it must not.

use crate::desk::Asked;
use crate::desk::Listener;
use crate::desk::Listener::Plain;
use crate::desk::Listener::Tls;
use crate::desk::Listener::TlsWithCertificate;

/// A listed success.
struct Success {
    name: &'static str,
    route: &'static str,
    methods: &'static [&'static str],
    listeners: &'static [Listener],
    when: fn(&Asked) -> bool,
    status: u16,
}

const READ: &[&str] = &["GET", "HEAD"];
const BOTH: &[Listener] = &[Tls, TlsWithCertificate];
const ALL: &[Listener] = &[Tls, TlsWithCertificate, Plain];

const fn read(route: &'static str, listeners: &'static [Listener], status: u16) -> Success {
    Success { name: route, route, methods: READ, listeners, when: |asked| asked.good_path, status }
}

const fn write(
    name: &'static str,
    route: &'static str,
    listeners: &'static [Listener],
    when: fn(&Asked) -> bool,
    status: u16,
) -> Success {
    Success { name, route, methods: &["POST"], listeners, when, status }
}

const SUCCESSES: [Success; 19] = [
    read("/health", BOTH, 200),
    read("/version", BOTH, 200),
    read("/root/{sha}", BOTH, 200),
    read("/roots", BOTH, 201),
    read("/roots.pem", BOTH, 200),
    read("/federation", BOTH, 201),
    read("/intermediates", BOTH, 201),
    read("/intermediates.pem", BOTH, 200),
    read("/provisioners", BOTH, 200),
    read("/provisioners/{kid}/encrypted-key", BOTH, 200),
    read("/crl", ALL, 200),
    write("/sign", "/sign", BOTH, |asked| SIGN.contains(&&*asked.body.name), 201),
    write("/renew, certificate", "/renew", &[TlsWithCertificate], |_| true, 201),
    write("/renew, token", "/renew", &[Tls], |asked| asked.good_renew_token, 201),
    write("/renew, certificate", "/re-sign", &[TlsWithCertificate], |_| true, 201),
    write("/renew, token", "/re-sign", &[Tls], |asked| asked.good_renew_token, 201),
    write("/rekey", "/rekey", &[TlsWithCertificate], has_csr, 201),
    write("/revoke", "/revoke", BOTH, |asked| REVOKE.contains(&&*asked.body.name), 200),
    write(
        "/revoke, certificate",
        "/revoke",
        &[TlsWithCertificate],
        |asked| REVOKE_OWN.contains(&&*asked.body.name),
        200,
    ),
];

/// Bodies that get a certificate at `/sign`: `null` and the empty text are absent, and names of members match without
/// case (CONTRACT.md section 1).
const SIGN: [&str; 24] = [
    "sign",
    "sign unknown=1",
    "sign csr in capitals",
    "sign ott in capitals",
    "sign notBefore in capitals",
    "sign notAfter in capitals",
    "sign templateData in capitals",
    "sign ott:None",
    "sign notBefore dropped",
    "sign notBefore null",
    "sign notBefore =\"\"",
    "sign notAfter dropped",
    "sign notAfter null",
    "sign notAfter =\"\"",
    "sign templateData dropped",
    "sign templateData null",
    "sign templateData =\"\"",
    "sign templateData =\"x\"",
    "sign templateData =1",
    "sign templateData =-1",
    "sign templateData =1.5",
    "sign templateData =true",
    "sign templateData =[]",
    "sign templateData ={}",
];

/// Bodies with a token that revoke the token's certificate at `/revoke`.
const REVOKE: [&str; 16] = [
    "revoke",
    "revoke unknown=1",
    "revoke ott:None",
    "revoke serial in capitals",
    "revoke ott in capitals",
    "revoke reasonCode in capitals",
    "revoke reason in capitals",
    "revoke passive in capitals",
    "revoke reasonCode dropped",
    "revoke reasonCode null",
    "revoke reasonCode =1",
    "revoke reason dropped",
    "revoke reason null",
    "revoke reason =\"\"",
    "revoke reason =\"x\"",
    "revoke passive =true",
];

/// Bodies without a token that revoke the client's own certificate. An empty token is none.
const REVOKE_OWN: [&str; 16] = [
    "revoke own",
    "revoke own unknown=1",
    "revoke own ott:None",
    "revoke own ott:Empty",
    "revoke own serial in capitals",
    "revoke own reasonCode in capitals",
    "revoke own reason in capitals",
    "revoke own passive in capitals",
    "revoke own reasonCode dropped",
    "revoke own reasonCode null",
    "revoke own reasonCode =1",
    "revoke own reason dropped",
    "revoke own reason null",
    "revoke own reason =\"\"",
    "revoke own reason =\"x\"",
    "revoke own passive =true",
];

/// Whether a body has a CSR once, which is all that counts at `/rekey`.
fn has_csr(asked: &Asked) -> bool {
    let name = &*asked.body.name;
    let based = name.starts_with("sign") || name.starts_with("rekey");
    let csr_changed = name.contains(" csr ") && !name.ends_with("in capitals");
    based && !csr_changed && !name.ends_with("twice")
}

/// Status and name of the success that a request ought to be, if it ought to be one.
pub(crate) fn listed(asked: &Asked) -> Option<(u16, &'static str)> {
    let fits = |success: &&Success| {
        asked.route == Some(success.route)
            && success.methods.contains(&asked.method)
            && success.listeners.contains(&asked.listener)
            && (success.when)(asked)
    };
    SUCCESSES.iter().find(fits).map(|success| (success.status, success.name))
}

/// The names of all that can be read.
pub(crate) fn readable() -> impl Iterator<Item = &'static str> {
    SUCCESSES.iter().filter(|success| success.methods == READ).map(|success| success.name)
}
