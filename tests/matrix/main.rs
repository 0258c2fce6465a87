//! Every path with every method, every body and every credential: nothing succeeds but what is listed, what is listed
//! does, and each refusal has the contract's form.
//!
//! [`successes`] is the list. Most requests go to the router in process, a sample through sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bodies;
#[path = "../common/mod.rs"]
mod common;
mod desk;
mod paths;
mod shape;
mod successes;
mod tokens;

use bodies::Body;
use common::https;
use common::https::Failure;
use desk::Asked;
use desk::Desk;
use desk::LISTENERS;
use desk::Listener;
use tokens::Fault;

const METHODS: [&str; 17] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "M-SEARCH",
    "QUERY", "BREW", "get", "Post", "GETT", "PRI",
];

#[test]
fn every_path_with_every_method() {
    let mut desk = Desk::new();
    for path in &paths::routes(&desk) {
        for method in METHODS {
            for listener in LISTENERS {
                for name in ["nothing", "sign", "revoke own"] {
                    let body = desk.body(name);
                    desk.ask(&Asked::new(listener, method, path, body));
                }
            }
        }
    }
    // What is no route spends no token: the same three do for all of them, and one is good in the end.
    let bodies = ["nothing", "sign", "revoke own"].map(|name| desk.body(name));
    let mut paths = paths::others();
    paths.extend(paths::near_misses(&desk));
    for path in &paths {
        for method in METHODS {
            for listener in LISTENERS {
                for body in &bodies {
                    desk.ask(&Asked::new(listener, method, path, body.clone()));
                }
            }
        }
    }
    let sign = paths::routes(&desk).into_iter().find(|path| path.text == "/sign").unwrap();
    desk.ask(&Asked::new(Listener::Tls, "POST", &sign, bodies[1].clone()));
    let mut expected = vec!["/sign", "/revoke, certificate", "/renew, certificate", "/rekey"];
    expected.extend(successes::readable());
    let asked = desk.finish(&expected);
    assert!(asked > 20_000, "{asked}");
}

#[test]
fn every_route_with_every_body() {
    let mut desk = Desk::new();
    for path in &paths::routes(&desk) {
        // A route of GET reads no body.
        let names = if path.is_plain_post() { bodies::names() } else { bodies::few_names() };
        for listener in LISTENERS {
            for name in &names {
                let body = desk.body(name);
                desk.ask(&Asked::new(listener, path.method(), path, body));
            }
        }
    }
    let asked = desk.finish(&["/sign", "/revoke", "/revoke, certificate", "/rekey", "/renew, certificate"]);
    assert!(asked > 10_000, "{asked}");
}

#[test]
fn every_route_with_every_authorization() {
    let mut desk = Desk::new();
    for path in &paths::routes(&desk) {
        let mut authorizations = Vec::new();
        for scheme in ["Bearer ", "Token Bearer ", "bearer ", "BEARER ", "Bearer", "Bearer\t", "Basic ", ""] {
            let thorough = path.is_plain_post() && scheme.contains("Bearer ");
            let tokens = tokens::all().filter(|(_, fault)| thorough || *fault == Fault::None);
            authorizations.extend(tokens.map(|token| (scheme, token)));
        }
        for listener in LISTENERS {
            for (scheme, (purpose, fault)) in &authorizations {
                for twice in [false, true] {
                    let token = desk.token(*purpose, *fault);
                    desk.take_serial();
                    let mut asked = Asked::new(listener, path.method(), path, Body::plain("nothing", ""));
                    asked.authorize(scheme, &token, *purpose, *fault, twice);
                    desk.ask(&asked);
                }
            }
            for bytes in [&b"Bearer \xff\xfe"[..], b"Bearer ", b"Bearer ..", b"\xc3\x28", b"Negotiate"] {
                let mut asked = Asked::new(listener, path.method(), path, Body::plain("nothing", ""));
                asked.authorization.push(bytes.to_vec());
                desk.ask(&asked);
            }
        }
    }
    let asked = desk.finish(&["/renew, token", "/renew, certificate"]);
    assert!(asked > 10_000, "{asked}");
}

/// TLS, client certificates and the plain port are real here.
#[test]
fn a_sample_through_sockets() {
    let mut desk = Desk::new();
    let mut paths = paths::routes(&desk);
    paths.extend(paths::others());
    paths.extend(paths::near_misses(&desk));
    let mut requests = Vec::new();
    for path in &paths {
        for method in METHODS {
            for listener in LISTENERS {
                requests.push((listener, method, path));
            }
        }
    }
    // 31 is prime to the numbers of methods and listeners, so all of them come.
    for (index, (listener, method, path)) in requests.into_iter().step_by(31).enumerate() {
        let name = ["nothing", "sign", "revoke own", "rekey", "sign ott:Expired"][index % 5];
        let body = desk.body(name);
        send(&mut desk, &Asked::new(listener, method, path, body));
    }
    // And each route as it is meant.
    for path in &paths::routes(&desk) {
        for listener in LISTENERS {
            for name in ["nothing", "sign", "revoke", "revoke own", "rekey", "null"] {
                let body = desk.body(name);
                send(&mut desk, &Asked::new(listener, path.method(), path, body));
            }
        }
    }
    let token = desk.token(tokens::Purpose::Renew, Fault::None);
    let renew = paths::routes(&desk).into_iter().find(|path| path.text == "/renew").unwrap();
    let mut asked = Asked::new(Listener::Tls, "POST", &renew, Body::plain("nothing", ""));
    asked.authorize("Bearer ", &token, tokens::Purpose::Renew, Fault::None, false);
    send(&mut desk, &asked);
    desk.finish(&[
        "/sign",
        "/revoke",
        "/revoke, certificate",
        "/rekey",
        "/renew, certificate",
        "/renew, token",
    ]);
}

/// Some requests never reach the routes through a socket: none of those may succeed either.
fn send(desk: &mut Desk, asked: &Asked) {
    match desk.send(asked) {
        Ok(answer) if asked.method == "CONNECT" || asked.method == "PRI" => {
            assert!(answer.status >= 400, "{asked:?}: {answer:?}");
        }
        Ok(answer) => desk.judge(asked, answer),
        Err(Failure::Closed) if asked.method == "PRI" => {}
        Err(failure) => panic!("{asked:?}: {failure:?}"),
    }
}

/// A request as the client that shows answers byte for byte sends it.
fn over_http(asked: &Asked) -> https::Request {
    let mut headers: Vec<(String, String)> = Vec::new();
    headers.extend(asked.request_id.iter().map(|id| ("X-Request-Id".to_owned(), id.clone())));
    for value in &asked.authorization {
        headers.push(("Authorization".to_owned(), String::from_utf8(value.clone()).unwrap()));
    }
    https::Request {
        method: asked.method.to_owned(),
        path: asked.path.clone(),
        headers,
        body: asked.body.bytes.clone(),
        chunked: false,
    }
}
