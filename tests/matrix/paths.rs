//! Paths: those of the contract, those of step-ca that are not offered, and near misses.

use crate::desk::Desk;

/// A path, and the route that it is meant for.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) text: String,
    /// As in the contract, without `/1.0`, and without parameters that name nothing.
    pub(crate) route: Option<&'static str>,
    /// Whether the path's parameter or query is one that is known.
    pub(crate) good: bool,
}

/// The routes of GET, with their parameters to be filled in.
const GET: [&str; 11] = [
    "/health",
    "/version",
    "/root/{sha}",
    "/roots",
    "/roots.pem",
    "/federation",
    "/intermediates",
    "/intermediates.pem",
    "/provisioners",
    "/provisioners/{kid}/encrypted-key",
    "/crl",
];

const POST: [&str; 5] = ["/sign", "/renew", "/re-sign", "/rekey", "/revoke"];

impl Path {
    /// The method of its route.
    pub(crate) fn method(&self) -> &'static str {
        if self.route.is_some_and(|route| POST.contains(&route)) { "POST" } else { "GET" }
    }

    /// Whether it is a route of POST without a query.
    pub(crate) fn is_plain_post(&self) -> bool {
        self.method() == "POST" && !self.text.contains('?')
    }
}

/// Every route with and without the prefix, and with parameters and queries good and bad.
pub(crate) fn routes(desk: &Desk) -> Vec<Path> {
    let mut paths = Vec::new();
    for route in GET.into_iter().chain(POST) {
        let filled = fill(desk, route);
        let mut variants = vec![(filled.clone(), true), (format!("{filled}?x=%zz&limit="), true)];
        match route {
            "/root/{sha}" => {
                variants.push((filled.to_uppercase().replace("/ROOT/", "/root/"), true));
                for bad in ["0", "%22%3Cx%3E", "%00", "%ff", "-", "..", "x".repeat(5000).as_str()] {
                    variants.push((format!("/root/{bad}"), false));
                }
            }
            "/provisioners/{kid}/encrypted-key" => {
                for bad in ["x", "%2f", "%00", ".."] {
                    variants.push((format!("/provisioners/{bad}/encrypted-key"), false));
                }
            }
            "/provisioners" => {
                variants.push(("/provisioners?limit=-1&cursor=zzz".to_owned(), true));
                variants.push(("/provisioners?limit=abc".to_owned(), false));
                variants.push(("/provisioners?limit=99999999999999999999".to_owned(), false));
            }
            "/crl" => variants.push(("/crl?pem".to_owned(), true)),
            _ => {}
        }
        for prefix in ["", "/1.0"] {
            let with = |(text, good): &(String, bool)| Path {
                text: format!("{prefix}{text}"),
                route: Some(route),
                good: *good,
            };
            paths.extend(variants.iter().map(with));
        }
    }
    paths
}

/// What step-ca has besides, and what nobody has.
pub(crate) fn others() -> Vec<Path> {
    [
        "/",
        "/1.0",
        "/1.0/",
        "/2.0/sign",
        "/1.1/sign",
        "/v1/sign",
        "/1.0/1.0/sign",
        "/ssh/sign",
        "/1.0/ssh/sign",
        "/ssh/renew",
        "/ssh/revoke",
        "/ssh/rekey",
        "/ssh/roots",
        "/ssh/federation",
        "/ssh/config",
        "/ssh/config/host",
        "/ssh/check-host",
        "/ssh/hosts",
        "/ssh/bastion",
        "/sign-ssh",
        "/acme/acme/directory",
        "/acme/acme/new-nonce",
        "/acme/acme/new-account",
        "/2.0/acme/acme/directory",
        "/scep/scep",
        "/scep/scep?operation=GetCACaps",
        "/admin/provisioners",
        "/admin/admins",
        "/admin/policy",
        "/provisioners/x/jwk",
        "/provisioners/x",
        "/root",
        "/root/",
        "/metrics",
        "/debug/pprof",
        "/favicon.ico",
        "/.well-known/acme",
        "/index.html",
    ]
    .map(|text| Path { text: text.to_owned(), route: None, good: false })
    .to_vec()
}

/// Paths that are nearly those of a route.
pub(crate) fn near_misses(desk: &Desk) -> Vec<Path> {
    let mut texts = Vec::new();
    for route in GET.into_iter().chain(POST) {
        let path = fill(desk, route);
        let first = path.as_bytes()[1];
        let (head, rest) = (char::from(first), &path[2..]);
        texts.extend([
            format!("{path}/"),
            format!("{path}//"),
            format!("/{path}"),
            format!("/.{path}"),
            format!("/x/..{path}"),
            format!("/1.0/..{path}"),
            format!("/1.0/{path}"),
            format!("/1.0/.{path}"),
            format!("/1.00{path}"),
            format!("/1%2e0{path}"),
            format!("/2.0{path}"),
            format!("/%{first:02x}{rest}"),
            format!("/%{first:02X}{rest}"),
            format!("/{}{rest}", head.to_ascii_uppercase()),
            format!("/%2f{}", &path[1..]),
            format!("/ {}", &path[1..]).replace(' ', "%20"),
            format!("{path}/x"),
            format!("{path}/."),
            format!("{path}/.."),
            format!("{path}/%00"),
        ]);
        // What follows a parameter belongs to it.
        if route != "/root/{sha}" {
            let suffixes = ["x", ".json", ".pem.pem", "%00", ";x=1", "%2f", "%20"];
            texts.extend(suffixes.map(|suffix| format!("{path}{suffix}")));
        }
    }
    texts.into_iter().map(|text| Path { text, route: None, good: false }).collect()
}

fn fill(desk: &Desk, route: &str) -> String {
    route.replace("{sha}", &desk.fingerprint).replace("{kid}", &desk.kid)
}
