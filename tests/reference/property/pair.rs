//! One request to sign, taken apart: what a fault can reach, and how it is put together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;

use super::csr::Csr;
use super::keys;
use super::members::Members;
use super::random::Random;
use super::site::Provisioner;
use super::site::Site;
use crate::common::csr::hex;
use crate::common::https::Request;

/// A request with its token. Texts may hold `@JTI@`, `@SHA_HEX@`, `@SHA_UPPER@`, `@SHA_B64@`, `@CSR@` and `@OTT@`.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'a> {
    pub(crate) site: &'a Site,
    pub(crate) provisioner: &'a Provisioner,
    /// Seconds since the epoch, when it was made.
    pub(crate) now: i64,
    pub(crate) csr: Csr,
    /// A recorded request in its place, PEM, and the rule by which stepless refuses it.
    pub(crate) recorded: Option<(String, Option<String>)>,
    /// Changes to the PEM text, in order.
    pub(crate) pem: Vec<fn(String) -> String>,
    /// Whether another block follows (D15).
    pub(crate) several_blocks: bool,
    pub(crate) header: Members,
    pub(crate) claims: Members,
    /// The key that signs, and by which algorithm, if not the provisioner's own.
    pub(crate) key: Value,
    pub(crate) algorithm: String,
    /// Changes to the token's text, in order.
    pub(crate) token: Vec<fn(String) -> String>,
    /// Whether the token is spelt as D6 does not allow.
    pub(crate) odd_spelling: bool,
    pub(crate) body: Members,
    /// Text behind the body.
    pub(crate) tail: &'static str,
    pub(crate) path: &'static str,
    pub(crate) jti: String,
    /// What is sent before it.
    pub(crate) before: Before,
}

/// What both CAs get before the request that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// The very request.
    Same,
    /// A good request of the same provisioner with the same `jti`.
    SameId,
    /// A good request of another provisioner with the same `jti` (D7).
    OtherProvisioner,
    /// The same claims with a broken signature (D5).
    Forged,
}

/// As it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) request: Request,
    pub(crate) header: String,
    pub(crate) claims: String,
}

impl Pair<'_> {
    /// Puts it together.
    pub(crate) fn render(&self) -> Rendered {
        let (der, mut pem) = match &self.recorded {
            Some((pem, _)) => (first_block(pem), pem.clone()),
            None => {
                let der = self.csr.encode();
                let pem = pem(&der);
                (der, pem)
            }
        };
        let digest = Sha256::digest(&der);
        for change in &self.pem {
            pem = change(pem);
        }
        if self.several_blocks {
            pem = pem.clone() + &pem;
        }
        let filled = |text: &str| {
            text.replace("@JTI@", &self.jti)
                .replace("@SHA_HEX@", &hex(&digest))
                .replace("@SHA_UPPER@", &hex(&digest).to_uppercase())
                .replace("@SHA_B64@", &URL_SAFE_NO_PAD.encode(digest))
        };
        let (header, claims) = (filled(&self.header.text()), filled(&self.claims.text()));
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&claims));
        let signature = keys::sign_token(&self.key, &self.algorithm, message.as_bytes());
        let mut token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        for change in &self.token {
            token = change(token);
        }
        let body = self.body.text();
        let body = body
            .replace("@CSR@", &Value::from(pem).to_string())
            .replace("@OTT@", &Value::from(token).to_string());
        let mut request = Request::post(self.path, &Value::Null);
        request.body = (body + self.tail).into_bytes();
        Rendered { request, header, claims }
    }

    /// Names in the token, as the default template puts them into the certificate.
    pub(crate) fn names(&self) -> Vec<String> {
        let listed = self.claims.value("sans");
        let listed: Vec<String> = listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let none = self.claims.value("sans").as_array().is_none_or(Vec::is_empty);
        if none { vec![self.subject()] } else { listed }
    }

    /// The subject of the token.
    pub(crate) fn subject(&self) -> String {
        self.claims.value("sub").as_str().unwrap_or_default().to_owned()
    }

    /// Another token id.
    pub(crate) fn fresh_id(&mut self, random: &mut Random) {
        self.jti = format!("{:016x}-{}", random.next(), uuid::Uuid::new_v4());
    }
}

/// The PEM text of a request.
pub(crate) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n")
}

/// What the first block of a text holds, however it is laid out; nothing if that is no base64.
fn first_block(text: &str) -> Vec<u8> {
    let lines = text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("-----END")).filter(|line| !line.contains(':'));
    STANDARD.decode(lines.map(str::trim).collect::<String>()).unwrap_or_default()
}
