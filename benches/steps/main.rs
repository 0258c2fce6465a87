//! Each step of a signing request, in the order of issuing, and the whole by step-ca's route without a network.
//!
//! `cargo bench --bench steps`, or `-- NAME` for some of them. The configuration is a step-ca's with a Go template for
//! grants, `tests/contract/fixtures/mosaic`; keys are P-256; the allocator is that of the command. What the
//! cryptography alone costs, beside a whole request of another configuration, shows `--bench sign`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench fails by panicking, and criterion's macros are undocumented"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod rig;
mod store;
mod template;

use std::hint::black_box;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use criterion::BatchSize;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use http_body_util::BodyExt as _;
use mimalloc::MiMalloc;
use stepless::http::RouterOptions;
use stepless::http::router;
use stepless::json::to_go_json;
use stepless::policy::NamePolicy;
use stepless::policy::Names;
use stepless::policy::Rules;
use stepless::profile::Issuance;
use stepless::token::UnverifiedToken;
use stepless::token::audience::Audiences;
use stepless::token::audience::Purpose;
use stepless::wire::SignRequest;
use stepless::wire::SignResponse;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use stepless::x509::tbs;
use tower::ServiceExt as _;
use zeroizing_alloc::ZeroAlloc;

use crate::rig::NAME;
use crate::rig::PROVISIONERS;
use crate::rig::Rig;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn steps(criterion: &mut Criterion) {
    let rig = Rig::new();
    body(criterion, &rig);
    csr(criterion, &rig);
    token(criterion, &rig);
    draft(criterion, &rig);
    template::bench(criterion, &rig);
    policy(criterion, &rig);
    signature(criterion, &rig);
    store::bench(criterion, &rig);
    response(criterion, &rig);
    route(criterion, &rig);
}

fn body(criterion: &mut Criterion, rig: &Rig) {
    let body = rig.body("HS256");
    criterion.bench_function("body: read", |b| {
        b.iter(|| SignRequest::decode(black_box(body.as_bytes())).unwrap());
    });
}

fn csr(criterion: &mut Criterion, rig: &Rig) {
    let text = pem::encode("CERTIFICATE REQUEST", rig.csr.der());
    let parse = |text: &str| Csr::parse(&pem::decode_first(text).unwrap().content).unwrap();
    criterion.bench_function("csr: parse", |b| b.iter(|| parse(black_box(&text))));
    criterion.bench_function("csr: parse and verify", |b| {
        b.iter(|| parse(black_box(&text)).verify().unwrap());
    });
}

fn token(criterion: &mut Criterion, rig: &Rig) {
    let audiences = Audiences::new(&rig.config().ca.dns_names);
    for (algorithm, _) in PROVISIONERS {
        let (text, provisioner) = (rig.token(algorithm), rig.provisioner(algorithm));
        criterion.bench_function(&format!("token: parse, {algorithm}"), |b| {
            b.iter(|| UnverifiedToken::parse(black_box(&text)).unwrap());
        });
        criterion.bench_function(&format!("token: parse and verify, {algorithm}"), |b| {
            b.iter(|| {
                let token = UnverifiedToken::parse(black_box(&text)).unwrap();
                provisioner.verify(token, Purpose::Sign, &audiences, rig.now(), None).unwrap()
            });
        });
    }
    let (token, provisioner) = (rig.verified(), rig.provisioner("HS256"));
    criterion.bench_function("token: compare with the csr", |b| {
        b.iter(|| provisioner.check_request(black_box(&token), &rig.csr).unwrap());
    });
}

fn draft(criterion: &mut Criterion, rig: &Rig) {
    let token = rig.verified();
    criterion.bench_function("draft: by the template", |b| b.iter(|| rig.draft(black_box(&token))));
}

/// Rules of a usual kind, and the name constraints of the issuing chain.
fn policy(criterion: &mut Criterion, rig: &Rig) {
    let rules =
        |dns: &[&str]| Rules { dns: dns.iter().map(|&name| name.to_owned()).collect(), ..Rules::default() };
    let allow = Rules { cn: vec![NAME.to_owned()], ..rules(&["*.internal.example", "*.example"]) };
    let policy = NamePolicy::new(&allow, &rules(&["denied.example", "*.denied.example"]), false).unwrap();
    let draft = rig.draft(&rig.verified());
    let dns: Vec<String> = draft.names.iter().map(ToString::to_string).collect();
    criterion.bench_function("policy: names and constraints", |b| {
        b.iter(|| {
            for issuer in &rig.config().intermediates {
                issuer.name_constraints().check(black_box(&draft.names)).unwrap();
            }
            let common_name = draft.common_name();
            policy.check(&Names { common_name: Some(&common_name), dns: &dns, ..Names::default() }).unwrap();
        });
    });
}

fn signature(criterion: &mut Criterion, rig: &Rig) {
    let (draft, config) = (rig.draft(&rig.verified()), rig.config());
    let (serial, now) = (rig.serial(), rig.now());
    let extra = Vec::from_iter(rig.provisioner("HS256").provisioner_extension());
    let algorithm = config.key.default_algorithm();
    let issuance = Issuance {
        issuer: config.issuer(),
        public_key: rig.csr.public_key(),
        serial_number: &serial,
        not_before: now,
        not_after: now + time::Duration::HOUR,
        signature_algorithm: algorithm,
        extra_extensions: &extra,
    };
    criterion.bench_function("certificate: from draft to tbs", |b| {
        b.iter(|| black_box(&draft).to_be_signed(&issuance).unwrap());
    });
    let tbs = draft.to_be_signed(&issuance).unwrap();
    criterion.bench_function("certificate: sign", |b| {
        b.iter(|| tbs::sign(black_box(&tbs), &config.key, algorithm).unwrap());
    });
}

fn response(criterion: &mut Criterion, rig: &Rig) {
    let (der, config) = (rig.certificate(), rig.config());
    let ca = config.issuer().to_pem();
    criterion.bench_function("response: encode", |b| {
        b.iter(|| {
            let crt = pem::encode("CERTIFICATE", black_box(&der));
            let answer = SignResponse {
                crt: crt.clone(),
                ca: ca.clone(),
                cert_chain: vec![crt, ca.clone()],
                tls_options: Some(config.ca.tls.clone()),
            };
            to_go_json(&answer).unwrap()
        });
    });
}

/// All of it, with request id and access log but nobody who reads the log, and a store in memory.
fn route(criterion: &mut Criterion, rig: &Rig) {
    let router = router(Arc::clone(&rig.local.authority), RouterOptions::default());
    for (algorithm, _) in PROVISIONERS {
        criterion.bench_function(&format!("route: POST /1.0/sign, {algorithm}"), |b| {
            b.iter_batched(
                || Request::post("/1.0/sign").body(Body::from(rig.body(algorithm))).unwrap(),
                |request| {
                    rig.runtime.block_on(async {
                        let answer = router.clone().oneshot(request).await.unwrap();
                        assert_eq!(answer.status(), 201);
                        answer.into_body().collect().await.unwrap()
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
