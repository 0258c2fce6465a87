//! One signing request without the network: request body in, recorded certificate out.
//!
//! `cargo bench --bench sign`. Beside it stand the cryptographic operations that it cannot do without, measured in
//! the same run: verifying the CSR, the token's signature or MAC, signing, hashes and random bytes. The allocator is
//! that of the command.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench fails by panicking, and criterion's macros are undocumented"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use mimalloc::MiMalloc;
use stepless::authority::Authority;
use stepless::authority::Options;
use stepless::authority::bootstrap::Hierarchy;
use stepless::authority::bootstrap::NewConfig;
use stepless::authority::bootstrap::NewProvisioner;
use stepless::authority::bootstrap::ca_json;
use stepless::clock::Clock;
use stepless::clock::SystemClock;
use stepless::config::Config;
use stepless::config::MemoryFiles;
use stepless::crypto::KeyKind;
use stepless::crypto::PrivateKey;
use stepless::crypto::SignatureAlgorithm;
use stepless::entropy::Entropy as _;
use stepless::entropy::SystemEntropy;
use stepless::jose::JwsAlgorithm;
use stepless::jose::PrivateJwk;
use stepless::signer::key_file;
use stepless::store::MemoryStore;
use stepless::token::mint::NewToken;
use stepless::wire::SignRequest;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// An authority with a memory store, and a provisioner for grants.
struct Bench {
    authority: Authority,
    key: PrivateJwk,
    csr: Csr,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(key: PrivateJwk) -> Self {
        let entropy = SystemEntropy::new();
        let now = SystemClock.now();
        let hierarchy = Hierarchy::generate("bench", KeyKind::P256, now, &entropy).unwrap();
        let provisioner = NewProvisioner { name: "bench".to_owned(), key, grants: true };
        let entry = provisioner.to_entry(b"password", &entropy).unwrap();
        let text = ca_json(&NewConfig {
            root: "root",
            crt: "crt",
            key: "key",
            address: "127.0.0.1:0",
            dns_names: &["localhost".to_owned()],
            data_source: "db",
            oid_arc: None,
            provisioners: vec![entry],
        });
        let files = MemoryFiles::default()
            .with("root", hierarchy.root.to_pem())
            .with("crt", hierarchy.intermediate.to_pem())
            .with("key", key_file::encode_plain(&hierarchy.intermediate_key).unwrap().as_bytes());
        let ca = stepless::config::parse(text.as_bytes()).unwrap();
        let config = Config::load(ca, &files, None, now).unwrap();
        let options = Options {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
        };
        let leaf = PrivateKey::generate(KeyKind::P256, &entropy).unwrap();
        let names = ["grant.example".to_owned()];
        let der = stepless::client::create_csr(&leaf, "grant.example", &names).unwrap();
        Self {
            authority: Authority::new(config, options).unwrap(),
            key: provisioner.key,
            csr: Csr::parse(&der).unwrap().verify().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
        }
    }

    /// The body of a request with a fresh token.
    fn body(&self) -> Vec<u8> {
        let mut token = NewToken {
            issuer: "bench".to_owned(),
            audience: "https://localhost/1.0/sign".to_owned(),
            subject: "grant.example".to_owned(),
            fingerprint: Some(self.csr.fingerprint()),
            ..NewToken::default()
        };
        for claim in ["mosaic_grant_id", "mosaic_subject_user_id"] {
            token.claims.insert(claim.to_owned(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301".into());
        }
        let ott = token.sign(&self.key, SystemClock.now(), &SystemEntropy::new()).unwrap();
        let request = SignRequest {
            csr: Some(pem::encode("CERTIFICATE REQUEST", self.csr.der())),
            ott: Some(ott.to_string()),
            ..SignRequest::default()
        };
        request.encode().into_bytes()
    }

    fn sign(&self, body: &[u8]) {
        let request = SignRequest::decode(body).unwrap();
        let signed = self.runtime.block_on(self.authority.sign(request, "bench"));
        black_box(signed.unwrap());
    }
}

fn sign(criterion: &mut Criterion) {
    let entropy = SystemEntropy::new();
    let hs256 = PrivateJwk::generate_secret(JwsAlgorithm::HS256, &entropy).unwrap();
    let es256 = PrivateJwk::generate(KeyKind::P256, &entropy).unwrap();
    for (name, key) in [("hs256", hs256), ("es256", es256)] {
        let bench = Bench::new(key);
        criterion.bench_function(&format!("sign/{name}"), |b| {
            b.iter_batched(|| bench.body(), |body| bench.sign(&body), BatchSize::SmallInput);
        });
    }
    floor(criterion);
    hashes(criterion);
}

/// What the cryptography alone costs.
fn floor(criterion: &mut Criterion) {
    let key = PrivateKey::generate(KeyKind::P256, &SystemEntropy::new()).unwrap();
    let message = [7; 400];
    let signature = key.sign(SignatureAlgorithm::EcdsaSha256, &message).unwrap();
    criterion.bench_function("floor/p256-sign", |b| {
        b.iter(|| key.sign(SignatureAlgorithm::EcdsaSha256, black_box(&message)).unwrap());
    });
    criterion.bench_function("floor/p256-verify", |b| {
        b.iter(|| {
            let public = key.public_key();
            public.verify(SignatureAlgorithm::EcdsaSha256, black_box(&message), &signature).unwrap();
        });
    });
}

/// The MAC of a token of common size; and what is hashed: the request for its fingerprint, the token for its reuse, the
/// key for its identifier, the certificate and its event for the audit log; and a serial number's random bytes.
fn hashes(criterion: &mut Criterion) {
    let (token, der, event) = ([7; 600], [7; 700], [7; 400]);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
    let tag = ring::hmac::sign(&key, &token);
    criterion.bench_function("floor/hmac", |b| {
        b.iter(|| ring::hmac::verify(&key, black_box(&token), tag.as_ref()).unwrap());
    });
    let entropy = SystemEntropy::new();
    criterion.bench_function("floor/hashes", |b| {
        b.iter(|| {
            for message in [&event[..], &token, &der, &event] {
                black_box(ring::digest::digest(&ring::digest::SHA256, black_box(message)));
            }
            black_box(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, black_box(&[7; 65])));
            let mut serial = [0; 16];
            entropy.fill(&mut serial).unwrap();
            black_box(serial);
        });
    });
}

criterion_group!(benches, sign);
criterion_main!(benches);
