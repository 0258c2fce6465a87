//! An authority with secrets that are found wherever they turn up, and requests that carry them.

use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use stepless::crypto::KeyKind;
use stepless::entropy::SystemEntropy;
use stepless::jose::PrivateJwk;
use stepless::jose::base64url;
use stepless::signer::key_file;

use crate::common::binary::Daemon;
use crate::common::binary::Desk;
use crate::common::csr::Csr;
use crate::common::csr::hex;
use crate::common::https::Client;
use crate::common::https::Request;
use crate::common::token;

/// The password of all keys.
pub(crate) const PASSWORD: &str = "planted-password-5f0c";
/// The secret of the provisioner `planted-hs`.
pub(crate) const SECRET: &[u8; 32] = b"planted-hmac-secret-of-32-bytes.";

/// The folder, and what was planted there.
pub(crate) struct Site {
    pub(crate) desk: Desk,
    /// The private JWKs of `planted-hs` and `planted-ec`, which lie in ca.json as they are.
    pub(crate) keys: [(&'static str, Value); 2],
    /// What must not turn up, each with its name.
    pub(crate) planted: Vec<(String, Vec<u8>)>,
}

impl Site {
    /// Makes the authority; `log_format` is that of ca.json.
    pub(crate) fn new(log_format: &str) -> Self {
        let desk = Desk::new();
        desk.write_secret("password", PASSWORD);
        let init = desk.run(
            "init --dir ca --name planted --dns localhost --address 127.0.0.1:0 --password-file password",
        );
        assert_eq!(init.code, Some(0), "{init:?}");
        let hmac = json!({
            "use": "sig", "kty": "oct", "kid": "planted-hs", "alg": "HS256", "k": base64url::encode(SECRET),
        });
        let ec = PrivateJwk::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
        let ec: Value = serde_json::from_str(&ec.to_json().unwrap()).unwrap();
        let mut config: Value = serde_json::from_str(&desk.read("ca/config/ca.json")).unwrap();
        let provisioners = config["authority"]["provisioners"].as_array_mut().unwrap();
        provisioners.push(json!({"type": "JWK", "name": "planted-hs", "key": hmac}));
        provisioners.push(json!({"type": "JWK", "name": "planted-ec", "key": ec}));
        config["logger"] = json!({"format": log_format});
        config["crl"] = json!({"enabled": true});
        desk.write("ca/config/ca.json", &config.to_string());

        let pem = desk.read("ca/secrets/intermediate_ca_key");
        let key = key_file::decode(pem.as_bytes(), Some(PASSWORD.as_bytes()), "key").unwrap();
        let mut planted = vec![("the password".to_owned(), PASSWORD.as_bytes().to_vec())];
        let private = base64url::decode(ec["d"].as_str().unwrap()).unwrap();
        let scalars: [(&str, &[u8]); 3] = [
            ("k", SECRET),
            ("d of planted-ec", &private),
            ("d of the issuing key", key.scalar_or_seed().unwrap()),
        ];
        for (name, bytes) in scalars {
            planted.push((format!("{name}, raw"), bytes.to_vec()));
            planted.push((format!("{name}, in base64url"), base64url::encode(bytes).into_bytes()));
            planted.push((format!("{name}, in hexadecimal"), hex(bytes).into_bytes()));
            planted.push((format!("{name}, as a list"), format!("{bytes:?}").into_bytes()));
        }
        Self { desk, keys: [("planted-hs", hmac), ("planted-ec", ec)], planted }
    }

    /// A daemon that says all it can.
    pub(crate) fn serve(&self, options: &str) -> Daemon {
        let line = format!("serve ca/config/ca.json --password-file password {options}");
        let mut command = self.desk.command(&line);
        command.env("STEPLESS_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        Daemon::start(command).unwrap_or_else(|said| panic!("{said}"))
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.desk.file("ca/certs/root_ca.crt")
    }

    /// Plants a token: as a whole, and its signature, which is as good to whoever saw the rest.
    pub(crate) fn plant(&mut self, token: &str) {
        let signature = token.rsplit('.').next().unwrap();
        self.planted.push((format!("token {}", self.planted.len()), token.as_bytes().to_vec()));
        self.planted
            .push((format!("signature of token {}", self.planted.len()), signature.as_bytes().to_vec()));
    }

    /// Requests to every route, right and wrong, all with tokens; each is sent once.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        for (name, key) in self.keys.clone() {
            let token = |site: &mut Self, change: &dyn Fn(&mut Value)| {
                let mut claims = token::claims(name, "a.example");
                change(&mut claims);
                let token = token::mint(&key, &claims);
                site.plant(&token);
                token
            };
            let csr = Csr::new("a.example", &["a.example"]);
            let sign = |token: &str| Request::post("/1.0/sign", &json!({"csr": csr.pem, "ott": token}));
            let good = token(self, &|_| ());
            // Signed, used again, altered, expired, for another authority, for other names, cut off, spelt otherwise.
            requests.extend([sign(&good), sign(&good)]);
            let (rest, signature) = good.rsplit_once('.').unwrap();
            let altered = format!("{rest}.A{}", &signature[1..]);
            self.plant(&altered);
            requests.push(sign(&altered));
            requests.push(sign(&token(self, &|claims| claims["exp"] = 1.into())));
            requests.push(sign(&token(self, &|claims| claims["aud"] = "https://elsewhere/1.0/sign".into())));
            requests.push(sign(&token(self, &|claims| claims["sans"] = json!(["b.example"]))));
            requests.push(sign(&token(self, &|claims| claims["step"] = json!({"sha": "00"}))));
            requests.push(sign(&format!("{good}\n")));
            requests.push(sign(rest));
            let revoke = token(self, &|claims| {
                claims["aud"] = "https://localhost/1.0/revoke".into();
                claims["sub"] = "1".into();
            });
            let revoke = json!({"serial": "1", "ott": revoke, "passive": true, "reason": "none"});
            requests.extend([Request::post("/1.0/revoke", &revoke), Request::post("/revoke", &revoke)]);
            // Bodies that are no JSON, too large, of wrong types, and tokens where none belongs.
            let fresh = token(self, &|_| ());
            let raw = |path: &str, body: String| Request {
                body: body.into_bytes(),
                ..Request::post(path, &json!({}))
            };
            requests.push(raw("/1.0/sign", format!("{{\"ott\": \"{fresh}\", \"csr\": ")));
            requests.push(raw("/1.0/sign", format!("{{\"ott\": [\"{fresh}\"]}}")));
            requests.push(raw("/1.0/sign", format!("{{\"ott\": \"{fresh}\", \"csr\": \"{fresh}\"}}")));
            requests.push(raw(
                "/1.0/sign",
                format!("{{\"ott\": \"{fresh}\", \"x\": \"{}\"}}", "x".repeat(1 << 20)),
            ));
            for path in PATHS {
                for method in ["GET", "POST", "HEAD", "PUT"] {
                    let mut request =
                        raw(path, format!("{{\"ott\": \"{fresh}\", \"password\": \"{PASSWORD}\"}}"));
                    request.method = method.into();
                    request.headers.push(("Authorization".into(), format!("Bearer {fresh}")));
                    request.headers.push(("Cookie".into(), format!("token={fresh}")));
                    requests.push(request);
                }
            }
            requests.push(Request::get(&format!("/1.0/sign?ott={fresh}")));
        }
        requests
    }

    /// The names of what was planted and stands in `text`.
    pub(crate) fn found_in(&self, text: &[u8]) -> Vec<&str> {
        let names =
            self.planted.iter().filter(|(_, secret)| contains(text, secret)).map(|(name, _)| name.as_str());
        names.collect()
    }

    pub(crate) fn client(&self, daemon: &Daemon) -> Client {
        daemon.client(&self.root())
    }

    /// The key of a provisioner in a file of its own, as the commands take it.
    pub(crate) fn write_key(&self, file: &str, index: usize) {
        self.desk.write(file, &self.keys[index].1.to_string());
    }

    /// Whether a file is one of those that the secrets lie in.
    pub(crate) fn is_source(name: &str) -> bool {
        let folders = ["ca/secrets/", "ca/config/", "own-"];
        name == "password" || folders.iter().any(|folder| name.starts_with(folder))
    }
}

/// Whether `secret` stands in `text`, which may be all of a process's memory.
pub(crate) fn contains(text: &[u8], secret: &[u8]) -> bool {
    let pattern: String = secret.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    regex::bytes::Regex::new(&format!("(?-u){pattern}")).expect("a pattern of bytes").is_match(text)
}

/// Every route, and one that there is not.
const PATHS: [&str; 20] = [
    "/",
    "/health",
    "/version",
    "/root/00",
    "/roots",
    "/roots.pem",
    "/federation",
    "/intermediates",
    "/intermediates.pem",
    "/provisioners",
    "/provisioners/planted-hs/encrypted-key",
    "/1.0/sign",
    "/renew",
    "/1.0/re-sign",
    "/rekey",
    "/1.0/revoke",
    "/crl",
    "/root.der",
    "/style.css",
    "/nowhere",
];
