//! Tokens for every purpose, and every way to spoil one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use serde_json::Value;
use serde_json::json;
use stepless::clock::Clock as _;
use stepless::crypto::PrivateKey;
use stepless::jose::PrivateJwk;

use crate::common::local::NAME;
use crate::common::token;
use crate::desk::Desk;
use crate::desk::PROVISIONER;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Sign,
    Revoke,
    Renew,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Used,
    Expired,
    NoExpiry,
    ExpiryText,
    NotYetValid,
    IssuedInFuture,
    OtherPurpose,
    OtherHost,
    NoAudience,
    AudienceNull,
    OtherIssuer,
    OtherSubject,
    NoSubject,
    SubjectNumber,
    OtherKey,
    OtherKeyId,
    AlgNone,
    AlgNoneSigned,
    AlgOther,
    HmacOfPublicKey,
    NoSignature,
    OtherClaims,
    ClaimTwice,
    DeepClaims,
    NoJson,
    TwoParts,
    FourParts,
    Padded,
    Cut,
    Long,
    Empty,
}

const FAULTS: [Fault; 32] = [
    Fault::None,
    Fault::Used,
    Fault::Expired,
    Fault::NoExpiry,
    Fault::ExpiryText,
    Fault::NotYetValid,
    Fault::IssuedInFuture,
    Fault::OtherPurpose,
    Fault::OtherHost,
    Fault::NoAudience,
    Fault::AudienceNull,
    Fault::OtherIssuer,
    Fault::OtherSubject,
    Fault::NoSubject,
    Fault::SubjectNumber,
    Fault::OtherKey,
    Fault::OtherKeyId,
    Fault::AlgNone,
    Fault::AlgNoneSigned,
    Fault::AlgOther,
    Fault::HmacOfPublicKey,
    Fault::NoSignature,
    Fault::OtherClaims,
    Fault::ClaimTwice,
    Fault::DeepClaims,
    Fault::NoJson,
    Fault::TwoParts,
    Fault::FourParts,
    Fault::Padded,
    Fault::Cut,
    Fault::Long,
    Fault::Empty,
];

/// Every purpose with every fault.
pub(crate) fn all() -> impl Iterator<Item = (Purpose, Fault)> {
    let purposes = [Purpose::Sign, Purpose::Revoke, Purpose::Renew];
    purposes.into_iter().flat_map(|purpose| faults().map(move |fault| (purpose, fault)))
}

pub(crate) fn faults() -> impl Iterator<Item = Fault> {
    FAULTS.into_iter()
}

impl Desk {
    /// A token that would do but for its fault.
    pub(crate) fn token(&mut self, purpose: Purpose, fault: Fault) -> String {
        let claims = self.claims(purpose, fault);
        let mut text = claims.to_string();
        match fault {
            Fault::ClaimTwice => text = text.replacen('{', "{\"nbf\":0,", 1),
            Fault::DeepClaims => text = text.replacen('{', &format!("{{\"x\":{},", "[".repeat(20_000)), 1),
            Fault::NoJson => text = "claims".to_owned(),
            _ => {}
        }
        let mut header = self.header(purpose);
        match fault {
            Fault::OtherKeyId => header["kid"] = "x".into(),
            Fault::AlgNone | Fault::AlgNoneSigned => header["alg"] = "none".into(),
            Fault::AlgOther => header["alg"] = "ES384".into(),
            Fault::HmacOfPublicKey => header["alg"] = "HS256".into(),
            _ => {}
        }
        let input = [header.to_string(), text].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let key = match (fault, purpose) {
            (Fault::OtherKey, _) => self.strangers_key(),
            (_, Purpose::Renew) => self.client_key(),
            _ => self.provisioner_key(),
        };
        let signature = match fault {
            Fault::AlgNone | Fault::NoSignature => String::new(),
            Fault::HmacOfPublicKey => hmac(&self.provisioner_public_key(), input.as_bytes()),
            _ => URL_SAFE_NO_PAD.encode(key.sign(key.algorithm(), input.as_bytes()).expect("a signature")),
        };
        let token = format!("{input}.{signature}");
        match fault {
            Fault::Used => self.use_up(purpose, &token),
            Fault::OtherClaims => return other_claims(&token),
            Fault::TwoParts => return input,
            Fault::FourParts => return format!("{token}.AAAA"),
            Fault::Padded => return format!("{token}="),
            Fault::Cut => return token[..token.len() - 10].to_owned(),
            Fault::Long => return token.repeat(200),
            Fault::Empty => return String::new(),
            _ => {}
        }
        token
    }

    fn claims(&self, purpose: Purpose, fault: Fault) -> Value {
        let now = self.ca.local.clock.now().unix_timestamp();
        let (own, other) = match purpose {
            Purpose::Sign => ("sign", "revoke"),
            Purpose::Revoke => ("revoke", "sign"),
            Purpose::Renew => ("renew", "sign"),
        };
        let mut claims = token::claims(PROVISIONER, "a.example");
        for time in ["iat", "nbf"] {
            claims[time] = now.into();
        }
        claims["exp"] = (now + 300).into();
        claims["aud"] = format!("https://localhost/1.0/{own}").into();
        match purpose {
            Purpose::Sign => {}
            Purpose::Revoke => claims["sub"] = self.next_serial().into(),
            Purpose::Renew => {
                claims["iss"] = "step-ca-client/1.0".into();
                claims["sub"] = NAME.into();
            }
        }
        let mut set = |claim: &str, value: Value| claims[claim] = value;
        match fault {
            Fault::Expired => set("exp", json!(now - 61)),
            Fault::NoExpiry => set("exp", Value::Null),
            Fault::ExpiryText => set("exp", json!("tomorrow")),
            Fault::NotYetValid => set("nbf", json!(now + 120)),
            Fault::IssuedInFuture => set("iat", json!(now + 120)),
            Fault::OtherPurpose => set("aud", json!(format!("https://localhost/1.0/{other}"))),
            Fault::OtherHost => set("aud", json!(format!("https://ca.example/1.0/{own}"))),
            Fault::NoAudience => set("aud", json!([])),
            Fault::AudienceNull => set("aud", Value::Null),
            Fault::OtherIssuer => set("iss", json!("nobody")),
            Fault::OtherSubject => set("sub", json!("17")),
            Fault::NoSubject => set("sub", json!("")),
            Fault::SubjectNumber => set("sub", json!(17)),
            _ => {}
        }
        if fault == Fault::OtherSubject {
            claims["sans"] = json!(["b.example"]);
        }
        claims
    }

    fn header(&self, purpose: Purpose) -> Value {
        if purpose != Purpose::Renew {
            return json!({"alg": "ES256", "typ": "JWT", "kid": self.kid});
        }
        let issuer = self.ca.local.authority.config().issuer().der();
        json!({"alg": "ES256", "x5cInsecure": [STANDARD.encode(self.client_der()), STANDARD.encode(issuer)]})
    }

    fn client_key(&self) -> PrivateJwk {
        jwk(&self.client.key.0)
    }

    fn strangers_key(&self) -> PrivateJwk {
        jwk(&self.stranger)
    }
}

fn jwk(key: &PrivateKey) -> PrivateJwk {
    let key = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().expect("a key")).expect("a key");
    PrivateJwk::of(key)
}

/// As if a public key were a secret.
fn hmac(secret: &[u8], input: &[u8]) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::crypto::sign(input, &key, Algorithm::HS256).expect("a signature")
}

/// The same signature below another subject.
fn other_claims(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
    let mut claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["jti"] = "another".into();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}
