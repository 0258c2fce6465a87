//! JWS in compact serialization, RFC 7515 section 7.1, by the rules of CONTRACT.md section 4 and D6.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::Decode;
use serde_json::Value;
use x509_cert::Certificate;

use crate::jose::Error;
use crate::jose::JwsAlgorithm;
use crate::jose::PrivateJwk;
use crate::jose::base64url;
use crate::jose::jwk::ProvisionerKey;
use crate::jose::object::Object;
use crate::json::Raw;

/// A JWS whose signature nobody has checked yet.
#[derive(Clone)]
pub struct UnverifiedJws {
    header: Header,
    payload: Vec<u8>,
    signing_input: String,
    signature: Vec<u8>,
}

/// Shows the header alone: with the rest anybody could use the token.
impl std::fmt::Debug for UnverifiedJws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

/// What the protected header says (RFC 7515 section 4).
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    algorithm: String,
    key_id: Option<String>,
    members: Object,
}

impl UnverifiedJws {
    /// Reads a compact JWS: exactly three parts of canonical base64url.
    ///
    /// The header must be a JSON object in which no name appears twice, or `null`, which counts as
    /// empty. `alg`, `kid` and `nonce` must be strings if present. `crit` may name `b64` only, and `b64` must then
    /// be absent or true; nowhere may it be false (RFC 7797). `jwk` must be a public key and `x5c` a list
    /// of certificates; neither is used. All else in the header is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::NotCompact`], [`Error::Base64Url`], [`Error::Json`], [`Error::DuplicateMember`],
    /// [`Error::Member`], [`Error::Critical`], and those of [`ProvisionerKey::parse`] for `jwk`.
    pub fn parse(compact: &str) -> Result<Self, Error> {
        let mut parts = compact.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::NotCompact);
        };
        let signing_input = format!("{header}.{payload}");
        Ok(Self {
            header: Header::parse(&base64url::decode(header)?)?,
            payload: base64url::decode(payload)?,
            signing_input,
            signature: base64url::decode(signature)?,
        })
    }

    /// The protected header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload; not to be believed before [`UnverifiedJws::verify`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes that are signed: header and payload as they were spelled, with the dot between.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks the signature with a provisioner's key and the algorithm of the header.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownAlgorithm`], [`Error::AlgorithmMismatch`], [`Error::BadSignature`].
    pub fn verify(&self, key: &ProvisionerKey) -> Result<(), Error> {
        key.verify(self.header.algorithm()?, self.signing_input(), self.signature())
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Error> {
        let members = Object::parse(json)?;
        let algorithm = members.text("alg")?.unwrap_or_default().to_string();
        let key_id = members.text("kid")?.map(|text| text.to_string());
        // Read for its type alone: step-ca refuses it otherwise.
        members.text("nonce")?;
        check_critical(&members)?;
        check_embedded_key(&members)?;
        check_certificates(&members)?;
        Ok(Self { algorithm, key_id, members })
    }

    /// The algorithm.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownAlgorithm`] if `alg` is missing or unknown; `none` is unknown.
    pub fn algorithm(&self) -> Result<JwsAlgorithm, Error> {
        JwsAlgorithm::from_name(&self.algorithm)
            .ok_or_else(|| Error::UnknownAlgorithm(self.algorithm.clone()))
    }

    /// The key id; `None` if absent or `null`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Any member, unless it is missing, `null`, or nested deeper than 32.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Value> {
        self.members.member(name)?.to_tree(32).ok()
    }
}

fn check_critical(members: &Object) -> Result<(), Error> {
    if members.member("b64").is_some_and(|b64| b64.as_bool() != Some(true)) {
        return Err(Error::Member { name: "b64", problem: "is not true" });
    }
    let Some(list) = members.member("crit") else {
        return Ok(());
    };
    let broken = Error::Member { name: "crit", problem: "is not a list of strings" };
    for name in list.elements().ok_or_else(|| broken.clone())? {
        match name.as_str().as_deref() {
            Some("b64") => {}
            Some(name) => return Err(Error::Critical(name.to_owned())),
            None => return Err(broken),
        }
    }
    Ok(())
}

fn check_embedded_key(members: &Object) -> Result<(), Error> {
    let Some(value) = members.member("jwk") else {
        return Ok(());
    };
    if ProvisionerKey::parse(value.text().as_bytes())?.secret_members() {
        return Err(Error::Member { name: "jwk", problem: "is not a public key" });
    }
    Ok(())
}

fn check_certificates(members: &Object) -> Result<(), Error> {
    let Some(list) = members.member("x5c") else {
        return Ok(());
    };
    // Plain base64 here, RFC 7515 section 4.1.6.
    let is_certificate = |item: &Raw<'_>| {
        item.as_str()
            .and_then(|text| STANDARD.decode(text.as_bytes()).ok())
            .is_some_and(|der| Certificate::from_der(&der).is_ok())
    };
    match list.elements() {
        Some(items) if items.iter().all(is_certificate) => Ok(()),
        _ => Err(Error::Member { name: "x5c", problem: "is not a list of certificates" }),
    }
}

/// Signs a payload: the header is `alg`, `kid` unless it is empty, then `members` in their order.
///
/// # Errors
///
/// [`Error::AlgorithmMismatch`], [`Error::Signing`].
/// # Examples
///
/// ```
/// use stepless::crypto::KeyKind;
/// use stepless::entropy::SystemEntropy;
/// use stepless::jose::{JwsAlgorithm, PrivateJwk, ProvisionerKey, jws};
///
/// let key = PrivateJwk::generate(KeyKind::P256, &SystemEntropy::new())?;
/// let compact = jws::sign_compact(JwsAlgorithm::ES256, &[], b"{}", &key)?;
///
/// let public = ProvisionerKey::parse(&serde_json::to_vec(key.public())?)?;
/// let read = jws::UnverifiedJws::parse(&compact)?;
/// read.verify(&public)?;
/// assert_eq!(read.payload(), b"{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sign_compact(
    algorithm: JwsAlgorithm,
    members: &[(&str, Value)],
    payload: &[u8],
    key: &PrivateJwk,
) -> Result<String, Error> {
    let mut header = format!("{{\"alg\":\"{algorithm}\"");
    let key_id = Value::from(key.public().key_id());
    let key_id = (!key.public().key_id().is_empty()).then_some(("kid", key_id));
    for (name, value) in key_id.iter().chain(members) {
        header.push_str(&format!(",{}:{value}", Value::from(*name)));
    }
    header.push('}');
    let mut compact = base64url::encode(header.as_bytes());
    compact.push('.');
    compact.push_str(&base64url::encode(payload));
    let signature = key.sign(algorithm, compact.as_bytes())?;
    compact.push('.');
    compact.push_str(&base64url::encode(&signature));
    Ok(compact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyKind;
    use crate::crypto::PrivateKey;
    use crate::entropy::SystemEntropy;

    /// Reads a token with this header, an empty payload and a signature of one byte.
    fn parse_header(header: &[u8]) -> Result<UnverifiedJws, Error> {
        UnverifiedJws::parse(&format!("{}..AA", base64url::encode(header)))
    }

    fn check_header(header: &str, expected: Result<(), &str>) {
        let got = parse_header(header.as_bytes()).map(|_| ());
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{header}");
    }

    #[test]
    fn only_three_canonical_parts() {
        fn check(compact: &str, expected: Option<Error>) {
            assert_eq!(UnverifiedJws::parse(compact).err(), expected, "{compact}");
        }
        check("e30.YQ.YQ", None);
        check("e30..", None);
        for compact in ["", "e30", "e30.", "e30.YQ", "e30.YQ.YQ.", "e30.YQ.YQ.YQ.YQ"] {
            check(compact, Some(Error::NotCompact));
        }
        for compact in [
            "e30=.YQ.YQ",
            "e30.YQ==.YQ",
            "e30.YQ.YR",
            " e30.YQ.YQ",
            "e30.YQ.YQ\n",
            "e30.Y Q.YQ",
            "e30.YQ.Y",
            "e30.YQ.+/8",
        ] {
            check(compact, Some(Error::Base64Url));
        }
        assert!(matches!(UnverifiedJws::parse("..").err(), Some(Error::Json(_))));
        // The JSON serialization is not read.
        check(r#"{"protected":"e30","payload":"YQ","signature":"YQ"}"#, Some(Error::NotCompact));
    }

    #[test]
    fn headers() {
        check_header("null", Ok(()));
        check_header(r#"{"typ":1,"cty":2,"jku":3,"x5u":4,"zip":5,"zzz":{"a":1,"a":2}}"#, Ok(()));
        check_header(r#"{"alg":null,"kid":null,"crit":null,"jwk":null,"x5c":null}"#, Ok(()));
        check_header(r#"{"alg":1}"#, Err("member \"alg\" is not a string"));
        check_header(r#"{"kid":5}"#, Err("member \"kid\" is not a string"));
        check_header(r#"{"nonce":7}"#, Err("member \"nonce\" is not a string"));
        check_header(r#"{"nonce":null}"#, Ok(()));
        check_header(r#"{"typ":1,"typ":1}"#, Err("duplicate member \"typ\""));
        check_header(r#"{"kid":"a","KID":"a"}"#, Ok(()));
        assert!(parse_header(b"[\"ES256\"]").is_err());
        assert!(parse_header(b"hello").is_err());
        assert!(parse_header(b"{\"kid\":\"\xff\"}").is_ok());
    }

    #[test]
    fn critical_members() {
        let list = Err("member \"crit\" is not a list of strings");
        check_header(r#"{"crit":[]}"#, Ok(()));
        check_header(r#"{"crit":["b64"]}"#, Ok(()));
        check_header(r#"{"crit":["b64"],"b64":true}"#, Ok(()));
        check_header(r#"{"crit":["b64"],"b64":false}"#, Err("member \"b64\" is not true"));
        check_header(r#"{"b64":false}"#, Err("member \"b64\" is not true"));
        check_header(r#"{"b64":"true"}"#, Err("member \"b64\" is not true"));
        check_header(r#"{"crit":["exp"]}"#, Err("critical header \"exp\" is not understood"));
        check_header(r#"{"crit":"b64"}"#, list);
        check_header(r#"{"crit":[1]}"#, list);
        check_header(r#"{"crit":{}}"#, list);
    }

    #[test]
    fn embedded_keys_are_read_but_must_be_public() {
        let jwk = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let public = Err("member \"jwk\" is not a public key");
        check_header(&format!(r#"{{"jwk":{{{jwk}}}}}"#), Ok(()));
        check_header(&format!(r#"{{"jwk":{{{jwk},"d":"AQ"}}}}"#), public);
        check_header(r#"{"jwk":{"kty":"oct","k":"AQ"}}"#, public);
        assert!(parse_header(br#"{"jwk":{"kty":"EC"}}"#).is_err());
        assert!(parse_header(br#"{"jwk":"x"}"#).is_err());

        let certificates = Err("member \"x5c\" is not a list of certificates");
        check_header(r#"{"x5c":[]}"#, Ok(()));
        check_header(r#"{"x5c":["AAAA"]}"#, certificates);
        check_header(r#"{"x5c":[1]}"#, certificates);
        check_header(r#"{"x5c":"AAAA"}"#, certificates);
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        let base64 = STANDARD.encode(made.cert.der());
        check_header(&format!(r#"{{"x5c":["{base64}"]}}"#), Ok(()));
    }

    #[test]
    fn algorithms_that_do_not_exist() {
        for name in ["", "none", "None", "nOnE", "es256", "RSA-OAEP"] {
            let jws = parse_header(format!(r#"{{"alg":"{name}"}}"#).as_bytes()).unwrap();
            let expected = Err(Error::UnknownAlgorithm(name.to_owned()));
            assert_eq!(jws.header().algorithm(), expected);
        }
        let missing = parse_header(b"{}").unwrap();
        assert!(missing.header().algorithm().is_err());
        assert_eq!(missing.header().key_id(), None);
    }

    fn check_vector(key: &str, compact: &str) {
        let key = ProvisionerKey::parse(key.as_bytes()).unwrap();
        let jws = UnverifiedJws::parse(compact).unwrap();
        assert_eq!(jws.verify(&key), Ok(()));
        // The payload is the second part; one other letter in it and the signature is void.
        let (header, rest) = compact.split_once('.').unwrap();
        let altered = format!("{header}.f{}", &rest[1..]);
        let jws = UnverifiedJws::parse(&altered).unwrap();
        assert_eq!(jws.verify(&key), Err(Error::BadSignature));
    }

    #[test]
    fn rfc_7515_appendix_a_1_to_3() {
        let payload =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        check_vector(
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
            &format!(
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            ),
        );
        check_vector(
            r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#,
            &format!(
                "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        );
        check_vector(
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            &format!(
                "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
        );
    }

    #[test]
    fn signed_tokens_carry_alg_kid_and_the_rest() {
        let key = PrivateJwk::parse(br#"{"kty":"oct","k":"AQID","kid":"a\"b"}"#).unwrap();
        let members = [("typ", Value::from("JWT"))];
        let compact = sign_compact(JwsAlgorithm::HS256, &members, b"{}", &key).unwrap();
        let (header, _) = compact.split_once('.').unwrap();
        assert_eq!(base64url::decode(header).unwrap(), br#"{"alg":"HS256","kid":"a\"b","typ":"JWT"}"#);
        let jws = UnverifiedJws::parse(&compact).unwrap();
        assert_eq!(jws.header().key_id(), Some("a\"b"));
        assert_eq!(jws.header().member("typ"), Some(Value::from("JWT")));
        assert_eq!(jws.payload(), b"{}");
        let wrong = sign_compact(JwsAlgorithm::ES256, &members, b"{}", &key);
        assert_eq!(wrong, Err(Error::AlgorithmMismatch(JwsAlgorithm::ES256)));
    }

    /// jsonwebtoken's key for the same algorithm, both halves, and our JWK.
    fn both_libraries(
        algorithm: JwsAlgorithm,
    ) -> (PrivateJwk, jsonwebtoken::EncodingKey, jsonwebtoken::DecodingKey) {
        use jsonwebtoken::DecodingKey;
        use jsonwebtoken::EncodingKey;
        let entropy = SystemEntropy::new();
        match algorithm {
            JwsAlgorithm::HS256 | JwsAlgorithm::HS384 | JwsAlgorithm::HS512 => {
                let secret = [7; 64];
                let json = format!(r#"{{"kty":"oct","k":"{}"}}"#, base64url::encode(&secret));
                (
                    PrivateJwk::parse(json.as_bytes()).unwrap(),
                    EncodingKey::from_secret(&secret),
                    DecodingKey::from_secret(&secret),
                )
            }
            JwsAlgorithm::ES256 | JwsAlgorithm::ES384 => {
                let kind = if algorithm == JwsAlgorithm::ES256 { KeyKind::P256 } else { KeyKind::P384 };
                let key = PrivateKey::generate(kind, &entropy).unwrap();
                (
                    PrivateJwk::parse(&clone_json(&key)).unwrap(),
                    EncodingKey::from_ec_der(&key.to_pkcs8_der().unwrap()),
                    DecodingKey::from_ec_der(key.public_key().key_bits()),
                )
            }
            JwsAlgorithm::EdDSA => {
                let key = PrivateKey::generate(KeyKind::Ed25519, &entropy).unwrap();
                (
                    PrivateJwk::parse(&clone_json(&key)).unwrap(),
                    EncodingKey::from_ed_der(&key.to_pkcs8_der().unwrap()),
                    DecodingKey::from_ed_der(key.public_key().key_bits()),
                )
            }
            _ => {
                let pem = include_str!("../../tests/data/crypto/rsa_2048.pem");
                let der = pem_rfc7468::decode_vec(pem.as_bytes()).unwrap().1;
                let key = PrivateKey::from_pkcs8_der(&der).unwrap();
                let pkcs1 = key.to_pkcs1_der().unwrap();
                let bits = key.public_key().key_bits().to_vec();
                (PrivateJwk::of(key), EncodingKey::from_rsa_der(&pkcs1), DecodingKey::from_rsa_der(&bits))
            }
        }
    }

    fn clone_json(key: &PrivateKey) -> Vec<u8> {
        let copy = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        PrivateJwk::of(copy).to_json().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn jsonwebtoken_agrees() {
        for algorithm in JwsAlgorithm::ALL {
            let Ok(theirs) = algorithm.name().parse::<jsonwebtoken::Algorithm>() else {
                assert_eq!(algorithm, JwsAlgorithm::ES512);
                continue;
            };
            let (key, encoding, decoding) = both_libraries(algorithm);
            let claims = serde_json::json!({"sub": "a.example", "exp": 4_102_444_800_u64});

            let ours = sign_compact(algorithm, &[], claims.to_string().as_bytes(), &key).unwrap();
            let validation = jsonwebtoken::Validation::new(theirs);
            let read = jsonwebtoken::decode::<Value>(&ours, &decoding, &validation);
            assert_eq!(read.unwrap().claims, claims, "{algorithm}");

            let made = jsonwebtoken::encode(&jsonwebtoken::Header::new(theirs), &claims, &encoding);
            let jws = UnverifiedJws::parse(&made.unwrap()).unwrap();
            assert_eq!(jws.header().algorithm(), Ok(algorithm));
            let verification = ProvisionerKey::parse(key.to_json().unwrap().as_bytes()).unwrap();
            assert_eq!(
                verification.verification_key().verify(algorithm, jws.signing_input(), jws.signature()),
                Ok(()),
                "{algorithm}"
            );
        }
    }
}
