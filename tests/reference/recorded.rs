//! The recorded exchanges of `tests/contract` as cases: the requests, put to live CAs.
//!
//! The recorded answers are not compared here; they have tests of their own, which need no container.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cases::Case;
use crate::cases::Stricter;
use crate::common::https::Request;

/// Routes whose answer differs from one authority to the next.
const OWN_ROUTES: &[&str] = &["/crl"];

/// Exchanges that both sign, with different certificates: `templateData` of ca.json does not replace what the token
/// says (T10). The recordings know rules of the contract only.
const TOKEN_WINS: &[&str] = &["template/data-override"];

/// All cases within reach, in the order they were recorded.
///
/// Left out are those that are right only at the time of their recording, and lists of what an authority revoked by itself.
pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/exchanges");
    let mut exchanges: Vec<Value> = fs::read_dir(&root)
        .expect("there are recordings")
        .flat_map(|area| fs::read_dir(area.unwrap().path()).unwrap())
        .map(|file| {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect();
    exchanges.sort_by_key(|exchange| {
        let text = |name: &str| exchange[name].as_str().unwrap().to_owned();
        (text("now"), text("name"))
    });
    exchanges.iter().filter(|exchange| in_reach(exchange)).map(case).collect()
}

fn in_reach(exchange: &Value) -> bool {
    let request = &exchange["request"];
    let path = request["path"].as_str().unwrap();
    let route = path.split('?').next().unwrap_or_default();
    let route = route.strip_prefix("/1.0").unwrap_or(route);
    exchange["clock"] == "free"
        && request["listener"].is_null()
        && exchange["clientCertificate"].is_null()
        && !OWN_ROUTES.contains(&route)
}

fn case(exchange: &Value) -> Case {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.map(text).collect()
    };
    let request = &exchange["request"];
    let headers = request["headers"].as_object().unwrap();
    let name = text(&exchange["name"]);
    let stricter = &exchange["stricter"];
    let stricter = stricter.is_object().then(|| Stricter {
        rule: text(&stricter["rule"]),
        status: u16::try_from(stricter["status"].as_u64().unwrap()).unwrap(),
        body: stricter.get("body").cloned(),
    });
    let token_wins = TOKEN_WINS.contains(&name.as_str());
    let token_wins = token_wins.then(|| Stricter { rule: "T10".to_owned(), status: 201, body: None });
    Case {
        name,
        fixture: text(&exchange["fixture"]),
        request: Request {
            method: text(&request["method"]),
            path: text(&request["path"]),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            body: body(request),
            chunked: request["chunked"] == true,
        },
        identity: None,
        headers: exchange["response"]["headers"].as_object().unwrap().keys().cloned().collect(),
        ignore: texts(&exchange["ignore"]),
        recorded: exchange["response"]["status"].as_u64(),
        stricter: stricter.or(token_wins),
    }
}

fn body(request: &Value) -> Vec<u8> {
    if let Some(json) = request.get("body") {
        json.to_string().into_bytes()
    } else if let Some(text) = request["bodyText"].as_str() {
        text.as_bytes().to_vec()
    } else if let Some(text) = request["bodyBase64"].as_str() {
        STANDARD.decode(text).unwrap()
    } else {
        let parts = request["bodyRepeat"].as_array().into_iter().flatten();
        parts
            .map(|part| {
                let times = usize::try_from(part["times"].as_u64().unwrap()).unwrap();
                part["text"].as_str().unwrap().repeat(times)
            })
            .collect::<String>()
            .into_bytes()
    }
}
