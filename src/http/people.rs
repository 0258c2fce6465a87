//! A page for people who type the authority's address into a browser, and what it needs.
//!
//! An addition to step-ca, which has nothing at these paths; docs/architecture.md. They are there only for browsers,
//! which say what they accept, and stay step-ca's 404 for everybody else.

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::hex;
use crate::http::App;
use crate::http::html;
use crate::http::html::escape;
use crate::http::routes::Asked;
use crate::x509::words;

/// What is served where step-ca has no route, and the path of it.
pub(super) fn page(asked: Asked<'_>) -> Option<(&'static str, Response)> {
    let Asked { app, head, .. } = asked;
    if head.method != Method::GET {
        return None;
    }
    match head.uri.path() {
        "/" if accepts(&head.headers, "text/html") => Some(("/", front(app, head))),
        "/style.css" if accepts(&head.headers, "text/css") => Some(("/style.css", html::style())),
        "/root.der" if accepts(&head.headers, "text/html") => Some(("/root.der", root_der(app))),
        _ => None,
    }
}

/// Whether a browser asks, which names what it would like to have.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
}

/// The first root, DER.
fn root_der(app: &App) -> Response {
    let Some(root) = app.authority.config().roots.first() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pkix-cert")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"root_ca.der\"")),
    ];
    (headers, root.der().to_vec()).into_response()
}

fn front(app: &App, request: &Parts) -> Response {
    let config = app.authority.config();
    let name = config.ca.dns_names.first().map_or("localhost", String::as_str);
    let host = host(request).unwrap_or_else(|| name.to_owned());
    let mut roots = String::new();
    for root in &config.roots {
        roots.push_str(&html::terms(&[
            ("root", escape(&words::subject(root.subject_der()))),
            ("SHA-256 fingerprint", html::fingerprint(&hex::encode(&root.fingerprint()))),
            ("valid until", html::moment(root.not_after())),
        ]));
    }
    let fingerprint = config.roots.first().map(|root| hex::encode(&root.fingerprint())).unwrap_or_default();
    let commands = |commands: &[(&str, &str)]| {
        let filled = |text: &str| escape(&text.replace("HOST", &host).replace("FINGERPRINT", &fingerprint));
        let sections = commands.iter().map(|(heading, text)| {
            format!("<section><h3>{heading}</h3><pre>{}</pre></section>\n", filled(text))
        });
        format!("<div class=\"commands\">\n{}</div>\n", sections.collect::<String>())
    };
    let body = format!(
        "<main>\n<h1>Certificate authority at {}</h1>\n\
         <p><span class=\"pill go\">in service</span> <a href=\"/health\">health</a></p>\n\
         <p>This server issues X.509 certificates to programs that hold a token for it. To trust what it issues, \
         install its root certificate.</p>\n{roots}\
         <p><a class=\"button\" href=\"/roots.pem\" download=\"root_ca.crt\">Download the root, PEM</a> \
         <a class=\"button\" href=\"/root.der\">Download the root, DER</a></p>\n\
         <p class=\"note\">Whoever trusts a root trusts every certificate below it. Compare the fingerprint with the \
         one that the operator gave you by another way: this page came over the connection that is in doubt.</p>\n\
         <h2>Fetch and compare</h2>\n{}<h2>Trust</h2>\n{}{FIREFOX}</main>\n",
        escape(&host),
        commands(&FETCH),
        commands(&TRUST)
    );
    let mut response = html::page(StatusCode::OK, &format!("Certificate authority at {host}"), &body);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The host that was asked, if it is one that can stand in a command.
fn host(request: &Parts) -> Option<String> {
    let target = request.uri.authority().map(|authority| authority.as_str());
    let sent = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let harmless = |host: &&str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
    };
    target.or(sent).filter(harmless).filter(|host| !host.starts_with('-')).map(str::to_owned)
}

/// How the root is had; `HOST` and `FINGERPRINT` are filled in.
const FETCH: [(&str, &str); 2] = [
    (
        "curl and OpenSSL",
        "curl -k https://HOST/roots.pem -o root_ca.crt\nopenssl x509 -in root_ca.crt -noout -fingerprint -sha256",
    ),
    (
        "step, which compares by itself",
        "step ca bootstrap --ca-url https://HOST \\\n  --fingerprint \\\nFINGERPRINT",
    ),
];

/// What is typed where to trust it.
const TRUST: [(&str, &str); 6] = [
    (
        "Debian, Ubuntu, Alpine",
        "sudo cp root_ca.crt \\\n  /usr/local/share/ca-certificates/stepless_root.crt\nsudo update-ca-certificates",
    ),
    (
        "Fedora, RHEL",
        "sudo cp root_ca.crt \\\n  /etc/pki/ca-trust/source/anchors/stepless_root.crt\nsudo update-ca-trust",
    ),
    (
        "macOS",
        "sudo security add-trusted-cert -d -r trustRoot \\\n  -k /Library/Keychains/System.keychain root_ca.crt",
    ),
    ("Windows, as administrator", "certutil -addstore -f Root root_ca.crt"),
    ("Java", "keytool -importcert -cacerts -alias stepless -file root_ca.crt"),
    ("Node", "NODE_EXTRA_CA_CERTS=root_ca.crt node app.js"),
];

/// The one that has a store of its own, and no command for it.
const FIREFOX: &str = "<h2>Firefox</h2>\n<p>Settings, Privacy &amp; Security, View Certificates, Authorities, Import: \
                       choose <code>root_ca.crt</code>, and trust it to identify websites.</p>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_accepts_html_gets_a_page() {
        let check = |accept: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(accepts(&headers, "text/html"), expected, "{accept:?}");
        };
        check("text/html,application/xhtml+xml,*/*;q=0.8", true);
        check("application/json, TEXT/HTML;q=0.9", true);
        check("*/*", false);
        check("text/htmlx", false);
        assert!(!accepts(&HeaderMap::new(), "text/html"));
    }

    #[test]
    fn a_host_that_could_do_harm_is_not_repeated() {
        let check = |sent: &str, expected: Option<&str>| {
            let request = axum::http::Request::get("/").header(header::HOST, sent).body(()).unwrap();
            assert_eq!(host(&request.into_parts().0).as_deref(), expected, "{sent:?}");
        };
        check("ca.example:9000", Some("ca.example:9000"));
        check("[::1]:9000", Some("[::1]:9000"));
        check("ca.example;rm -rf ~", None);
        check("<script>", None);
        check("-o/etc/passwd", None);
    }
}
