//! What the template's part of a draft consists of, and parsing a template, which happens at the start alone.

use std::hint::black_box;

use criterion::Criterion;
use stepless::profile::document::DocumentRules;
use stepless::profile::document::read;
use stepless::template::Context;
use stepless::template::Template;
use stepless::template::functions;
use stepless::template_data::TemplateData;
use stepless::template_data::TemplateSan;
use stepless::x509::san;

use crate::rig::Rig;

pub(crate) fn bench(criterion: &mut Criterion, rig: &Rig) {
    let text = rig.local.fixture.read("templates/federation.tpl");
    let functions = functions::table();
    criterion.bench_function("template: parse", |b| {
        b.iter(|| Template::parse("template", black_box(&text), &functions).unwrap());
    });
    let token = rig.verified();
    let sans = TemplateSan::ordered(&san::classify_all(token.claims().names()));
    let data = TemplateData {
        subject: Some(token.subject()),
        sans: Some(&sans),
        token: Some(&token.claims().all),
        csr: Some(&rig.csr),
        ..TemplateData::default()
    };
    criterion.bench_function("template: data", |b| b.iter(|| black_box(&data).to_value().unwrap()));
    let value = data.to_value().unwrap();
    let context = Context::new(&*rig.local.clock, &rig.entropy);
    let template = Template::parse("template", &text, &functions).unwrap();
    criterion.bench_function("template: render", |b| {
        b.iter(|| template.render(black_box(&value), &context).unwrap());
    });
    let document = String::from_utf8(template.render(&value, &context).unwrap().bytes).unwrap();
    criterion.bench_function("template: read what it rendered", |b| {
        let rules = DocumentRules::default();
        b.iter(|| read(black_box(&document), &rules).unwrap());
    });
}
