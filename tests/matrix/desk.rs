//! The authority in process, and what a request is made of.

use std::cell::Cell;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use serde_json::Value;
use serde_json::json;
use stepless::clock::Clock as _;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::http::RouterOptions;
use stepless::jose::PrivateJwk;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;
use tower::ServiceExt as _;

use crate::bodies::Body;
use crate::bodies::Fault;
use crate::common::csr::Csr;
use crate::common::local::Local;
use crate::common::local::NAME;
use crate::common::token;
use crate::rules::Route;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/// What stands in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorization {
    None,
    Renew,
    /// A renew token that was used.
    SpentRenew,
    /// A token for signing.
    Sign,
    Empty,
    LowerCase,
    Basic,
}

impl Authorization {
    pub(crate) const ALL: [Self; 7] =
        [Self::None, Self::Renew, Self::SpentRenew, Self::Sign, Self::Empty, Self::LowerCase, Self::Basic];
}

/// One request.
pub(crate) struct Case<'a> {
    /// The route; `None` where there is none.
    pub(crate) route: Option<&'a Route>,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    pub(crate) body: Body,
    pub(crate) client: bool,
    pub(crate) authorization: Authorization,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, method, body, client, authorization, .. } = self;
        write!(f, "{method} {path} {body:?}, client certificate {client}, authorization {authorization:?}")
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) allow: Option<String>,
    pub(crate) has_request_id: bool,
    pub(crate) body: String,
}

pub(crate) struct Desk {
    pub(crate) local: Local,
    pub(crate) csr: Csr,
    pub(crate) broken_csr: String,
    pub(crate) key_id: String,
    pub(crate) root: String,
    key: Value,
    other_key: Value,
    router: Router,
    runtime: tokio::runtime::Runtime,
    /// A serial number that was not revoked yet.
    next_serial: Cell<u64>,
    /// Certificates renewed to use a token up.
    pub(crate) renewed_aside: Cell<u64>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let local = Local::start("mosaic");
        let csr = Csr::new(NAME, &[NAME]);
        let mut broken = csr.der.clone();
        *broken.last_mut().unwrap() ^= 1;
        let key = local.fixture.provisioner_key("mosaic-fed");
        let root = pem::decode_first(&local.fixture.root_pem()).unwrap();
        let root = Certificate::parse(&root.content).unwrap().fingerprint();
        // The CRL is issued by the server at start, which is not here.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(local.authority.crl()).unwrap();
        Self {
            router: stepless::http::router(Arc::clone(&local.authority), RouterOptions::default()),
            broken_csr: pem::encode("CERTIFICATE REQUEST", &broken),
            key_id: key["kid"].as_str().unwrap().to_owned(),
            root: root.iter().map(|byte| format!("{byte:02x}")).collect(),
            other_key: local.fixture.provisioner_key("plain"),
            runtime,
            csr,
            key,
            local,
            next_serial: Cell::new(1_000_000),
            renewed_aside: Cell::new(0),
        }
    }

    pub(crate) fn send(&self, case: &Case<'_>) -> Answer {
        let extension = [self.local.provisioner_extension("longlived")];
        let (der, key) = self.local.issue(KeyKind::P256, &extension, |_| ());
        let own = Certificate::parse(&der).unwrap().serial_number().to_string();
        let mut request = axum::http::Request::builder().method(case.method).uri(case.path);
        if let Some(value) = self.authorization(case.authorization, &der, &key) {
            request = request.header("authorization", value);
        }
        let body = axum::body::Body::from(case.body.bytes(self, &own));
        let mut request = request.body(body).unwrap();
        if case.client {
            request.extensions_mut().insert(self.local.client(&der));
        }
        self.answer(request)
    }

    fn answer(&self, request: axum::http::Request<axum::body::Body>) -> Answer {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
            Answer {
                status: parts.status.as_u16(),
                allow: header("allow").map(str::to_owned),
                has_request_id: header("x-request-id").is_some_and(|id| !id.is_empty()),
                body: String::from_utf8_lossy(&body).into_owned(),
            }
        })
    }

    fn authorization(&self, kind: Authorization, der: &[u8], key: &PrivateKey) -> Option<String> {
        let text = match kind {
            Authorization::None => return None,
            Authorization::Renew => format!("Bearer {}", self.renew_token(der, key)),
            Authorization::SpentRenew => {
                let text = format!("Bearer {}", self.renew_token(der, key));
                let request = axum::http::Request::builder().method("POST").uri("/renew");
                let request = request.header("authorization", &text).body(axum::body::Body::empty()).unwrap();
                assert_eq!(self.answer(request).status, 201);
                self.renewed_aside.set(self.renewed_aside.get() + 1);
                text
            }
            Authorization::Sign => format!("Bearer {}", self.sign_token(None)),
            Authorization::Empty => "Bearer ".to_owned(),
            Authorization::LowerCase => format!("bearer {}", self.renew_token(der, key)),
            Authorization::Basic => format!("Basic {}", STANDARD.encode("user:password")),
        };
        Some(text)
    }

    fn renew_token(&self, der: &[u8], key: &PrivateKey) -> String {
        let key = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        let key = PrivateJwk::of(key);
        let now = self.local.clock.now().unix_timestamp();
        let issuer = self.local.authority.config().issuer().der();
        let header =
            json!({ "alg": "ES256", "x5cInsecure": [STANDARD.encode(der), STANDARD.encode(issuer)] });
        let claims = json!({
            "iss": "step-ca-client/1.0", "aud": "https://localhost/1.0/renew", "sub": NAME,
            "nbf": now, "iat": now, "exp": now + 300, "jti": uuid::Uuid::new_v4().to_string(),
        });
        let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = key.sign(key.algorithm(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn sign_body(&self, fault: Option<Fault>) -> Value {
        json!({ "csr": self.csr.pem, "ott": self.sign_token(fault) })
    }

    pub(crate) fn sign_token(&self, fault: Option<Fault>) -> String {
        let mut claims = token::claims("mosaic-fed", NAME);
        claims["step"] = json!({ "sha": self.csr.sha256_hex() });
        claims["mosaic_grant_id"] = GRANT_ID.into();
        claims["mosaic_subject_user_id"] = GRANT_ID.into();
        self.mint(
            claims,
            fault,
            "https://localhost/1.0/revoke",
            &|ott| json!({ "csr": self.csr.pem, "ott": ott }),
            "/sign",
        )
    }

    /// Revokes a serial number that nobody has.
    pub(crate) fn revoke_body(&self, fault: Option<Fault>) -> Value {
        let serial = self.next_serial.get().to_string();
        self.next_serial.set(self.next_serial.get() + 1);
        let mut claims = token::claims("mosaic-fed", &serial);
        claims["aud"] = "https://localhost/1.0/revoke".into();
        let body = |ott: &str| json!({ "serial": "999", "ott": ott, "passive": true });
        let ott = self.mint(claims, fault, "https://localhost/1.0/sign", &body, "/revoke");
        json!({ "serial": serial, "ott": ott, "passive": true, "reasonCode": 1, "reason": "a test" })
    }

    /// Signs claims, with a fault. `spend` makes a body that uses the token up at `path` without effect.
    fn mint(
        &self,
        mut claims: Value,
        fault: Option<Fault>,
        audience: &str,
        spend: &dyn Fn(&str) -> Value,
        path: &str,
    ) -> String {
        // The authority's clock stands still.
        let now = self.local.clock.now().unix_timestamp();
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = (now + 300).into();
        match fault {
            Some(Fault::Expired) => claims["exp"] = (now - 600).into(),
            Some(Fault::Early) => claims["nbf"] = (now + 600).into(),
            Some(Fault::OtherAudience) => claims["aud"] = audience.into(),
            Some(Fault::UnknownProvisioner) => claims["iss"] = "nobody".into(),
            // For other names than the request's, so that the token is spent and nothing comes of it.
            Some(Fault::Spent) if path == "/sign" => claims["sans"] = json!(["other.example"]),
            _ => {}
        }
        let key = if fault == Some(Fault::OtherKey) {
            let mut key = self.other_key.clone();
            key["kid"] = self.key["kid"].clone();
            key
        } else {
            self.key.clone()
        };
        let token = token::mint(&key, &claims);
        match fault {
            Some(Fault::NoAlgorithm) => {
                let header =
                    URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "kid": self.key["kid"] }).to_string());
                format!("{header}.{}.", token.split('.').nth(1).unwrap())
            }
            Some(Fault::Cut) => token[..token.len() - 10].to_owned(),
            Some(Fault::Spent) => {
                let request = axum::http::Request::builder().method("POST").uri(path);
                let request = request.body(axum::body::Body::from(spend(&token).to_string())).unwrap();
                let answer = self.answer(request);
                assert_eq!(answer.status, 403, "{answer:?}");
                token
            }
            _ => token,
        }
    }
}

/// The status of a request over plain HTTP.
pub(crate) fn plain_status(address: SocketAddr, method: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{method} {path}: {text}"))
}
