//! Requests made beforehand: no two have a token, a name or a grant in common.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use serde_json::Value;
use stepless::clock::Clock as _;
use stepless::clock::SystemClock;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::entropy::SystemEntropy;
use stepless::jose::PrivateJwk;
use stepless::token::mint::NewToken;
use stepless::wire::SignRequest;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use uuid::Uuid;

/// How the tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Es256,
}

/// The keys of the two provisioners for grants.
pub(crate) struct Keys {
    hs256: PrivateJwk,
    es256: PrivateJwk,
}

impl Keys {
    /// Reads them out of the fixture's `provisioner-keys.json`.
    pub(crate) fn read(json: &str) -> Self {
        let keys: Value = serde_json::from_str(json).expect("JSON");
        let key = |name: &str| PrivateJwk::parse(keys[name].to_string().as_bytes()).expect("a private key");
        Self { hs256: key("mosaic-hs"), es256: key("mosaic-fed") }
    }
}

/// A request, and what its certificate has to say.
pub(crate) struct Request {
    pub(crate) body: Bytes,
    pub(crate) name: String,
    pub(crate) grant: String,
}

/// Makes them on all cores, while no server is measured.
pub(crate) fn make(keys: &Keys, algorithm: Algorithm, count: usize) -> Vec<Request> {
    let threads = threads();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| count * (part + 1) / threads - count * part / threads)
            .map(|count| scope.spawn(move || make_some(keys, algorithm, count)))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("a thread")).collect()
    })
}

pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn make_some(keys: &Keys, algorithm: Algorithm, count: usize) -> Vec<Request> {
    let entropy = SystemEntropy::new();
    let now = SystemClock.now();
    let (issuer, key) = match algorithm {
        Algorithm::Hs256 => ("mosaic-hs", &keys.hs256),
        Algorithm::Es256 => ("mosaic-fed", &keys.es256),
    };
    let leaf = PrivateKey::generate(KeyKind::P256, &entropy).expect("a key");
    let one = || {
        let id = Uuid::new_v4();
        let name =
            format!("{}.example", URL_SAFE_NO_PAD.encode(id.as_bytes()).replace('_', "-").to_lowercase());
        let names = [name.clone()];
        let der = stepless::client::create_csr(&leaf, &name, &names).expect("a request");
        let csr = Csr::parse(&der).and_then(|csr| csr.verify()).expect("a request");
        let grant = id.to_string();
        let mut claims = serde_json::Map::new();
        claims.insert("mosaic_grant_id".to_owned(), grant.as_str().into());
        claims.insert("mosaic_subject_user_id".to_owned(), Uuid::new_v4().to_string().into());
        // Long enough for a long run.
        claims.insert("exp".to_owned(), (now.unix_timestamp() + 7200).into());
        let token = NewToken {
            issuer: issuer.to_owned(),
            audience: "https://localhost/1.0/sign".to_owned(),
            subject: name.clone(),
            sans: names.to_vec(),
            fingerprint: Some(csr.fingerprint()),
            claims,
        };
        let ott = token.sign(key, now, &entropy).expect("a token");
        let request = SignRequest {
            csr: Some(pem::encode("CERTIFICATE REQUEST", &der)),
            ott: Some(ott.to_string()),
            ..SignRequest::default()
        };
        Request { body: request.encode().into(), name, grant }
    };
    std::iter::repeat_with(one).take(count).collect()
}
