//! The list of what may succeed, and the form that every answer has (CONTRACT.md sections 1 to 10).

use serde_json::Value;

use crate::desk::Answer;
use crate::desk::Authorization;
use crate::desk::Case;
use crate::desk::Desk;

pub(crate) const METHODS: [&str; 12] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get",
    "POSTS",
];

/// A path of the contract, without its prefix.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    pub(crate) method: &'static str,
    /// Whether it can succeed at all with this path.
    pub(crate) succeeds: bool,
    /// The status of success.
    pub(crate) status: u16,
}

/// What step-ca has and stepless does not, and what neither has.
pub(crate) const NOT_OFFERED: [&str; 24] = [
    "/",
    "//",
    "/1.0",
    "/1.0/",
    "/ssh/sign",
    "/1.0/ssh/sign",
    "/ssh/renew",
    "/ssh/rekey",
    "/ssh/revoke",
    "/ssh/config",
    "/ssh/roots",
    "/ssh/hosts",
    "/acme/acme/directory",
    "/acme/acme/new-order",
    "/scep/scep/pkiclient.exe",
    "/admin/provisioners",
    "/admin/admins",
    "/provisioners/mosaic-fed/jwk",
    "/metrics",
    "/debug/pprof/",
    "/.well-known/acme",
    "/favicon.ico",
    "/1.0/1.0/health",
    "/../health",
];

/// All routes, with parameters that are right and wrong.
pub(crate) fn routes(desk: &Desk) -> Vec<Route> {
    shapes(&desk.key_id, "00")
        .into_iter()
        .chain(shapes("nobody", &desk.root).into_iter().filter(by_parameter))
        .collect()
}

fn by_parameter(route: &Route) -> bool {
    ["root/{sha}", "encrypted-key"].contains(&route.name)
}

pub(crate) fn shapes(kid: &str, root: &str) -> Vec<Route> {
    let get = |name, path: &str, status| Route {
        name,
        path: path.to_owned(),
        method: "GET",
        succeeds: true,
        status,
    };
    let post =
        |name, status| Route { name, path: format!("/{name}"), method: "POST", succeeds: true, status };
    let encrypted = kid != "nobody" && kid != "kid";
    vec![
        get("health", "/health", 200),
        get("version", "/version", 200),
        Route { succeeds: root.len() == 64, ..get("root/{sha}", &format!("/root/{root}"), 200) },
        get("roots", "/roots", 201),
        get("federation", "/federation", 201),
        get("intermediates", "/intermediates", 201),
        get("roots.pem", "/roots.pem", 200),
        get("intermediates.pem", "/intermediates.pem", 200),
        get("provisioners", "/provisioners", 200),
        get("provisioners", "/provisioners?limit=3&cursor=", 200),
        Route { succeeds: false, ..get("provisioners", "/provisioners?limit=x", 400) },
        Route {
            succeeds: encrypted,
            ..get("encrypted-key", &format!("/provisioners/{kid}/encrypted-key"), 200)
        },
        get("crl", "/crl", 200),
        post("sign", 201),
        post("renew", 201),
        post("re-sign", 201),
        post("rekey", 201),
        post("revoke", 200),
    ]
}

/// Other spellings of a path, none of which is a route.
pub(crate) fn near_misses(path: &str) -> Vec<String> {
    let bare = path.split('?').next().unwrap();
    let last = bare.chars().last().unwrap();
    let escaped = format!("{}%{:02X}", &bare[..bare.len() - 1], u32::from(last));
    let mut others = vec![
        format!("{bare}/"),
        format!("/{bare}"),
        format!("/.{bare}"),
        format!("/x/..{bare}"),
        format!("/2.0{}", bare.trim_start_matches("/1.0")),
        format!("{bare}x/y"),
        bare.to_uppercase(),
    ];
    // A parameter may be spelt in many ways, and its letters are its own.
    if !bare.contains("/root/") && !bare.contains("/provisioners/") {
        others.extend([escaped, bare.replace('/', "/%2F").replacen("/%2F", "/", 1)]);
    }
    others.retain(|other| other != bare && !(bare.contains("/root/") && other == &bare.to_uppercase()));
    others
}

/// The status of a listed success; `None` for whatever has to be refused.
pub(crate) fn expected(case: &Case<'_>) -> Option<u16> {
    let route = case.route.filter(|route| route.succeeds)?;
    if route.method == "GET" {
        return ["GET", "HEAD"].contains(&case.method).then_some(route.status);
    }
    if case.method != "POST" {
        return None;
    }
    let allowed = match route.name {
        "sign" => case.body.is_request_to_sign(),
        "renew" | "re-sign" => case.client || case.authorization == Authorization::Renew,
        "rekey" => case.client && case.body.has_request(),
        "revoke" => case.body.revokes_by_token() || (case.client && case.body.revokes_itself()),
        _ => false,
    };
    allowed.then_some(route.status)
}

/// Whatever is answered has the contract's form.
pub(crate) fn check_form(case: &Case<'_>, answer: &Answer, place: &str) {
    assert!(answer.has_request_id, "no X-Request-Id: {place}");
    let usual = METHODS[..9].contains(&case.method);
    match (answer.status, case.route) {
        (200 | 201, _) => {}
        (405, _) => {
            assert!(answer.body.is_empty(), "{place}");
            let allow = case.route.filter(|_| usual).map(|route| route.method);
            assert_eq!(answer.allow.as_deref(), allow, "{place}");
        }
        (404, None) => {
            let text = if case.method == "HEAD" { "" } else { "404 page not found\n" };
            assert_eq!(answer.body, text, "{place}");
        }
        (400 | 401 | 403 | 404, Some(_)) if case.method == "HEAD" => {
            assert!(answer.body.is_empty(), "{place}")
        }
        (400 | 401 | 403 | 404 | 413 | 501, Some(_)) => {
            let body: Value =
                serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no JSON: {place}"));
            assert_eq!(body["status"], answer.status, "{place}");
            assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{place}");
            assert_eq!(body.as_object().unwrap().len(), 2, "{place}");
        }
        _ => panic!("not a status of the contract: {place}"),
    }
}
