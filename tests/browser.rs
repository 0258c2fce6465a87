//! The pages in a real browser: what a person sees, on a desk and on a phone, in light and in dark.
//!
//! `STEPLESS_SCREENSHOTS=FOLDER` keeps a picture of each page, to be looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::browser::Browser;
use common::csr::Csr;
use common::csr::hex;
use common::https::Request;
use common::operated::Operated;
use common::token;
use common::tools;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use stepless::clock::Clock as _;
use stepless::store::CertificateRecord;
use stepless::x509::serial::SerialNumber;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const HOSTILE: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>\" style=\"color:red\u{202e}";

/// The screens: name, width, dark.
const SCREENS: [(&str, u32, bool); 4] =
    [("desk", 1280, false), ("desk-dark", 1280, true), ("phone", 390, false), ("phone-dark", 390, true)];

/// What stands out of the screen to the right, each element by its tag and text.
const OVERFLOW: &str = r#"(() => {
    const width = document.documentElement.clientWidth;
    const out = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > width + 0.5);
    const found = out.map(e => e.tagName + ": " + e.textContent.slice(0, 60));
    if (document.documentElement.scrollWidth > width) found.push("the page scrolls sideways");
    return found;
})()"#;

/// Text whose contrast with its background is below 4.5 (WCAG 2.2, 1.4.3, level AA).
const FAINT: &str = r#"(() => {
    const rgb = text => text.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    };
    const background = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgb(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
        if (!text) continue;
        const [a, b] = [rgb(getComputedStyle(element).color), background(element)].map(luminance);
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${text.slice(0, 40)}`);
    }
    return faint;
})()"#;

/// What can be typed at or tapped and is smaller than 24 pixels (WCAG 2.2, 2.5.8, level AA), links in text apart.
const SMALL: &str = r#"[...document.querySelectorAll("nav a, button, input, .button, .spans a")]
    .filter(e => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24; })
    .map(e => e.textContent)"#;

/// SHA-256 of the issuing key, as Chromium wants it.
fn issuing_key(ca: &Operated) -> String {
    STANDARD.encode(Sha256::digest(ca.local.authority.config().issuer().spki_der()))
}

/// Opens a page on every screen and looks at it; `texts` are to be seen on each.
fn look(browser: &mut Browser, name: &str, url: &str, texts: &[&str]) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let origin = format!("{scheme}://{}/", rest.split('/').next().unwrap());
    for (screen, width, dark) in SCREENS {
        let place = format!("{name}, {screen}");
        browser.screen(width, dark);
        browser.open(url);
        if let Some(folder) = tools::variable("STEPLESS_SCREENSHOTS") {
            browser.photograph(&Path::new(&folder).join(format!("{name}-{screen}.png")));
        }
        let seen = browser.evaluate("document.body.innerText");
        let seen = seen.as_str().unwrap();
        for text in texts {
            assert!(seen.contains(text), "{place}: no {text:?} in\n{seen}");
        }
        for (what, expression) in [("overflow", OVERFLOW), ("contrast", FAINT), ("small", SMALL)] {
            assert_eq!(browser.evaluate(expression), json!([]), "{place}: {what}");
        }
        // The colours follow what the browser was told, so the stylesheet arrived and counts.
        let colour = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        assert_eq!(colour == "rgb(17, 21, 26)", dark, "{place}: {colour}");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{place}");
        let elsewhere: Vec<&str> =
            browser.requests().into_iter().filter(|url| !url.starts_with(&origin)).collect();
        assert!(elsewhere.is_empty() && browser.requests().len() >= 2, "{place}: {:?}", browser.requests());
    }
}

/// Issues a grant certificate; gives the answer.
fn issue(ca: &Operated) -> Vec<u8> {
    let name = "gateway-7.berlin.example";
    let csr = Csr::new(name, &[name]);
    let mut claims = token::claims("mosaic-fed", name);
    claims["mosaic_grant_id"] = GRANT_ID.into();
    claims["mosaic_subject_user_id"] = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d".into();
    claims["step"] = json!({"sha": csr.sha256_hex()});
    let ott = token::mint(&ca.local.fixture.provisioner_key("mosaic-fed"), &claims);
    let answer = ca.client.send(&Request::post("/1.0/sign", &json!({"csr": csr.pem, "ott": ott}))).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.body
}

/// Records of all kinds: many, hostile and long names, expired, about to expire, revoked.
fn fill(ca: &Operated) {
    let now = ca.local.clock.now().unix_timestamp();
    let template = CertificateRecord {
        provisioner: "mosaic-fed".to_owned(),
        grant_id: Some("0e8a8d0e-55c4-4c3f-9b0b-9f6f3a7c1d22".to_owned()),
        ..ca.certificate(0, "")
    };
    let record = |serial: u64, subject: &str, life: i64, left: i64| {
        ca.record(CertificateRecord {
            serial: SerialNumber::from(serial),
            subject: subject.to_owned(),
            not_before: now + left - life,
            not_after: now + left,
            issued_at: now + left - life,
            ..template.clone()
        });
    };
    for number in 0..320_u64 {
        let left = 600 + i64::try_from(number * number).unwrap() * 30;
        record(1000 + number, &format!("device-{number}.example"), left.max(86_400) + 3600, left);
    }
    record(1, HOSTILE, 86_400, 1700);
    record(2, &format!("{}.example", "x".repeat(200)), 86_400, 120);
    record(3, "old.example", 86_400, -86_400);
    for (serial, code) in [(4, 1), (5, 4), (6, 0)] {
        record(serial, &format!("revoked-{serial}.example"), 86_400, 40_000);
        ca.revoke(serial, code, if code == 1 { "laptop was stolen <b>in Oslo</b>" } else { "" });
    }
    ca.revoke(99, 5, "");
}

#[test]
fn operators_see_what_they_need_on_a_desk_and_on_a_phone() {
    let ca = Operated::start();
    let Some(mut browser) = Browser::start(&issuing_key(&ca)) else { return };
    let url = |path: &str| format!("http://{}{path}", ca.admin);

    look(&mut browser, "timeline-0", &url("/"), &["No certificate on record is valid now"]);
    look(&mut browser, "all-0", &url("/certificates"), &["No certificate is on record yet"]);
    look(&mut browser, "revoked-0", &url("/revoked"), &["None"]);
    look(&mut browser, "refusals-0", &url("/refusals"), &["None."]);

    let body: Value = serde_json::from_slice(&issue(&ca)).unwrap();
    look(&mut browser, "timeline-1", &url("/"), &["Within a day", "gateway-7.berlin.example"]);
    fill(&ca);
    let pem = body["crt"].as_str().unwrap();
    for (csr, ott) in [("nonsense", "x"), (Csr::new("a", &["a"]).pem.as_str(), "no.token.here")] {
        ca.client.send(&Request::post("/1.0/sign", &json!({"csr": csr, "ott": ott}))).unwrap();
    }
    look(
        &mut browser,
        "timeline",
        &url("/"),
        &[
            "Within an hour",
            "Within a day",
            "More of these",
            "<script>alert(2)</script>",
            "10 min of 1 d 1 h",
        ],
    );
    look(&mut browser, "timeline-week", &url("/?until=week"), &["Within a week"]);
    look(&mut browser, "all", &url("/certificates"), &["The first 200 are shown", "revoked-4.example"]);
    look(
        &mut browser,
        "search",
        &url("/certificates?q=BERLIN"),
        &["Search: BERLIN", "gateway-7.berlin.example"],
    );
    look(&mut browser, "search-none", &url("/certificates?q=nobody"), &["None."]);
    look(
        &mut browser,
        "revoked",
        &url("/revoked"),
        &["keyCompromise", "laptop was stolen <b>in Oslo</b>", "99"],
    );
    look(&mut browser, "refusals", &url("/refusals"), &["csr.malformed", "400 /sign"]);
    look(&mut browser, "hostile", &url("/certificates/1"), &["<script>alert(2)</script>", "\u{fffd}"]);
    look(&mut browser, "one-revoked", &url("/certificates/4"), &["Revoked", "laptop was stolen"]);
    look(&mut browser, "unknown", &url("/certificates/12345"), &["It is not on record"]);

    // As a person would: search for the grant, and follow the link.
    browser.open(&url(&format!("/certificates?q={GRANT_ID}")));
    let link = "[...document.links].find(a => a.textContent === 'gateway-7.berlin.example').href";
    let link = browser.evaluate(link);
    look(
        &mut browser,
        "one",
        link.as_str().unwrap(),
        &[GRANT_ID, "subject user id", "clientAuth", "digitalSignature", pem.trim()],
    );
}

#[test]
fn people_see_the_root_and_how_to_trust_it() {
    let ca = Operated::start();
    let Some(mut browser) = Browser::start(&issuing_key(&ca)) else { return };
    let url = format!("https://{}/", ca.https);
    let root = &ca.local.authority.config().roots[0];
    let fingerprint = hex(&root.fingerprint());
    let host = ca.https.to_string();
    look(
        &mut browser,
        "people",
        &url,
        &[
            &format!("Certificate authority at {host}"),
            "in service",
            &fingerprint,
            "Firefox",
            "NODE_EXTRA_CA_CERTS",
        ],
    );
    // The policy forbids it even to the page itself to fetch anything by a script.
    let refused = browser.evaluate("fetch('/roots.pem').catch(error => String(error))");
    assert_eq!(refused, "TypeError: Failed to fetch");
    for (selector, path) in [("a[download]", "/roots.pem"), (".button:not([download])", "/root.der")] {
        let leads_to = browser.evaluate(&format!("document.querySelector('{selector}').pathname"));
        assert_eq!(leads_to, path);
    }
}

/// The tests above would see a fault: each is made here, and found.
#[test]
fn faults_are_seen() {
    let ca = Operated::start();
    let Some(mut browser) = Browser::start(&issuing_key(&ca)) else { return };
    browser.screen(390, false);
    let check = |browser: &mut Browser, html: &str| {
        browser.open(&format!("http://{}/", ca.admin));
        assert_eq!(browser.complaints(), Vec::<String>::new());
        browser
            .evaluate(&format!("document.querySelector('main').insertAdjacentHTML('beforeend', `{html}`)"));
        // The report of a violation comes after the change.
        browser.evaluate("new Promise(done => setTimeout(done, 200))");
    };
    check(&mut browser, "<p style=\"color: #eee\">x</p>");
    assert!(browser.complaints().concat().contains("Content Security Policy"), "{:?}", browser.complaints());
    check(&mut browser, "<img src=\"http://192.0.2.1/x.png\">");
    assert!(browser.complaints().concat().contains("Content Security Policy"), "{:?}", browser.complaints());
    check(
        &mut browser,
        "<table><td><code class=short>wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
    );
    assert_ne!(browser.evaluate(OVERFLOW), json!([]));
    check(&mut browser, "<p id=faint>faint</p>");
    browser.evaluate("document.querySelector('#faint').style.color = '#aaa'");
    let faint = browser.evaluate(FAINT);
    assert!(faint[0].as_str().is_some_and(|text| text.ends_with("faint")), "{faint}");
    check(&mut browser, "<button id=small>x</button>");
    browser
        .evaluate("document.querySelector('#small').style.cssText = 'padding: 0; border: 0; line-height: 1'");
    assert_eq!(browser.evaluate(SMALL), json!(["x"]));
}
