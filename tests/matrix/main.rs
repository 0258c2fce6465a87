//! Every route x method x body x credential: nothing but the listed successes ever succeeds.
//!
//! The product is generated and sent to the router in process, a sample of it over TLS too. [`rules::expected`] is the
//! list: whatever it does not name has to be refused, in the form of the contract (CONTRACT.md section 1). A panic
//! anywhere fails the test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod desk;
mod rules;

use std::collections::BTreeMap;

use common::https::Request;
use common::served::Served;
use stepless::crypto::KeyKind;
use stepless::store::Store as _;

use crate::bodies::Body;
use crate::desk::Authorization;
use crate::desk::Desk;
use crate::rules::METHODS;
use crate::rules::Route;

/// What succeeded how often, by route.
type Tally = BTreeMap<&'static str, usize>;

/// Sends one combination and judges the answer.
fn check(desk: &Desk, tally: &mut Tally, case: &desk::Case<'_>) {
    let answer = desk.send(case);
    let expected = rules::expected(case);
    let place = format!("{case:?}\n{answer:?}");
    match expected {
        Some(status) => {
            assert_eq!(answer.status, status, "a listed success was refused: {place}");
            *tally.entry(case.route.map_or("", |route| route.name)).or_default() += 1;
        }
        None => assert!(answer.status >= 400, "an unlisted success: {place}"),
    }
    rules::check_form(case, &answer, &place);
}

#[test]
fn only_the_listed_successes_succeed() {
    let desk = Desk::new();
    let mut tally = Tally::new();
    let mut sent = 0_usize;
    let mut go = |case: desk::Case<'_>| {
        check(&desk, &mut tally, &case);
        sent += 1;
    };
    let few = [Body::Empty, Body::Sign, Body::Revoke];
    for route in rules::routes(&desk) {
        for prefix in ["", "/1.0"] {
            let path = format!("{prefix}{}", route.path);
            for method in METHODS {
                // Where a body is read, every body; where a token may stand in a header, every kind of that.
                let reads = method == "POST" && route.method == "POST";
                let bodies = if reads && prefix.is_empty() { Body::all() } else { few.to_vec() };
                let credentials = if reads && route.name.starts_with("re") { 7 } else { 2 };
                for body in bodies {
                    // A body is not looked at for renewing: some must do.
                    let credentials = if few.contains(&body) { credentials } else { 2 };
                    for client in [false, true] {
                        for authorization in Authorization::ALL.into_iter().take(credentials) {
                            let (route, path) = (Some(&route), path.as_str());
                            go(desk::Case { route, path, method, body, client, authorization });
                        }
                    }
                }
            }
            for path in rules::near_misses(&path) {
                for method in METHODS {
                    for body in few {
                        let (path, authorization) = (path.as_str(), Authorization::Renew);
                        go(desk::Case { route: None, path, method, body, client: true, authorization });
                    }
                }
            }
        }
    }
    for path in rules::NOT_OFFERED {
        for method in METHODS {
            for body in few {
                let authorization = Authorization::Renew;
                go(desk::Case { route: None, path, method, body, client: true, authorization });
            }
        }
    }
    for route in rules::routes(&desk).iter().filter(|route| route.succeeds) {
        assert!(tally.contains_key(route.name), "{} never succeeded", route.name);
    }
    // Each certificate that left is on record, and no other.
    let issued: usize = ["sign", "renew", "re-sign", "rekey"].iter().filter_map(|name| tally.get(name)).sum();
    let counts = common::local::block_on(desk.local.store.counts()).unwrap();
    assert_eq!(counts.certificates, issued as u64 + desk.renewed_aside.get());
    let successes: usize = tally.values().sum();
    assert!(sent > 5_000 && successes * 2 < sent, "{sent} requests, {successes} listed successes: {tally:?}");
}

#[test]
fn the_listeners_deny_by_default() {
    let served = Served::start("mosaic");
    let identity = served.identity(KeyKind::P256, None);
    let clients = [served.client(None), served.client(Some(&identity))];
    let kid = served.local.fixture.provisioner_key("mosaic-fed")["kid"].as_str().unwrap().to_owned();
    let mut successes = 0;
    for route in rules::shapes(&kid, "00") {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            for (client, shown) in clients.iter().zip([false, true]) {
                let path = format!("/1.0{}", route.path);
                let request = Request { method: method.into(), path: path.clone(), ..Request::default() };
                let answer = client.send(&request).unwrap();
                let reads = route.method == "GET" && route.succeeds && ["GET", "HEAD"].contains(&method);
                // Only renewing needs no body.
                let renews = shown && method == "POST" && ["renew", "re-sign"].contains(&route.name);
                assert_eq!(answer.status < 400, reads || renews, "{method} {path} {shown}: {answer:?}");
                assert!(answer.header("x-request-id").is_some(), "{method} {path}");
                successes += usize::from(answer.status < 400);
            }
        }
    }
    assert!(successes > 40, "{successes}");
}

#[test]
fn the_plain_listener_serves_the_crl_alone() {
    let served = Served::start("insecure");
    let address = served.insecure.unwrap();
    for route in rules::shapes("kid", "00") {
        for prefix in ["", "/1.0"] {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
                let path = format!("{prefix}{}", route.path);
                let status = desk::plain_status(address, method, &path);
                let allowed = route.name == "crl" && ["GET", "HEAD"].contains(&method);
                assert_eq!(status < 400, allowed, "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn a_success_is_listed_for_every_route_that_can_have_one() {
    let routes: Vec<Route> = rules::shapes("kid", "00");
    assert_eq!(routes.len(), 18);
    assert_eq!(
        routes.iter().filter(|route| !route.succeeds).map(|route| route.name).collect::<Vec<_>>(),
        ["root/{sha}", "provisioners", "encrypted-key"]
    );
}
