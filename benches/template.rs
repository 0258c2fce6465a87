//! Rendering the federation template, data made beforehand and made each time, and reading what it renders.

use std::hint::black_box;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use serde_json::Value as Json;
use stepless::clock::SystemClock;
use stepless::entropy::SystemEntropy;
use stepless::profile::document::DocumentRules;
use stepless::profile::document::read;
use stepless::template::Context;
use stepless::template::Template;
use stepless::template::functions;
use stepless::template_data::TemplateData;
use stepless::template_data::TemplateSan;
use stepless::x509::csr::Csr;
use stepless::x509::pem;
use stepless::x509::san;

const CASE: &str = include_str!("../tests/templates/whole/seed.json");

#[expect(clippy::expect_used, reason = "the case is known to be sound")]
fn federation(criterion: &mut Criterion) {
    let case: Json = serde_json::from_str(CASE).expect("the case is JSON");
    let text = |value: &Json| value.as_str().expect("the member is a string").to_owned();
    let request = pem::decode_first(&text(&case["data"]["csrPem"])).expect("the request is PEM");
    let request = Csr::parse(&request.content).expect("the request is DER");
    let request = request.verify().expect("the request is signed");
    let sans = TemplateSan::ordered(&san::classify_all(["grant.example"]));
    let data = TemplateData {
        subject: Some("grant.example"),
        sans: Some(&sans),
        token: case["data"]["token"].as_object(),
        csr: Some(&request),
        ..TemplateData::default()
    };
    let template =
        Template::parse("template", &text(&case["template"]), &functions::table()).expect("it parses");
    let (clock, entropy) = (SystemClock, SystemEntropy::new());
    let context = Context::new(&clock, &entropy);
    let value = data.to_value().expect("nothing is configured");
    criterion.bench_function("federation template", |bencher| {
        bencher.iter(|| template.render(black_box(&value), &context).expect("it renders"));
    });
    criterion.bench_function("federation template and its data", |bencher| {
        bencher.iter(|| {
            let value = black_box(&data).to_value().expect("nothing is configured");
            template.render(&value, &context).expect("it renders")
        });
    });
    let rendered = template.render(&value, &context).expect("it renders").bytes;
    let rendered = String::from_utf8(rendered).expect("the text is UTF-8");
    criterion.bench_function("reading the certificate document", |bencher| {
        let rules = DocumentRules::default();
        bencher.iter(|| read(black_box(&rendered), &rules).expect("it is a certificate"));
    });
    criterion.bench_function("parsing the federation template", |bencher| {
        let (text, functions) = (text(&case["template"]), functions::table());
        bencher.iter(|| Template::parse("template", black_box(&text), &functions).expect("it parses"));
    });
}

criterion_group!(benches, federation);
criterion_main!(benches);
