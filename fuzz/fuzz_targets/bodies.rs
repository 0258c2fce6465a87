//! Bodies of HTTP: requests as the server reads them, answers as the client does, and the times in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stepless::wire::CertificatesResponse;
use stepless::wire::ErrorBody;
use stepless::wire::ProvisionersResponse;
use stepless::wire::RekeyRequest;
use stepless::wire::RevokeRequest;
use stepless::wire::SignRequest;
use stepless::wire::SignResponse;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem::Blocks;

fuzz_target!(|data: &[u8]| {
    // What was read and is written again reads the same, but for data of templates, which no client of ours sends.
    if let Ok(mut request) = SignRequest::decode(data) {
        request.template_data = None;
        assert_eq!(SignRequest::decode(request.encode().as_bytes()).ok(), Some(request));
    }
    if let Ok(request) = RekeyRequest::decode(data) {
        assert_eq!(RekeyRequest::decode(request.encode().as_bytes()).ok(), Some(request));
    }
    if let Ok(request) = RevokeRequest::decode(data) {
        assert_eq!(RevokeRequest::decode(request.encode().as_bytes()).ok(), Some(request));
    }
    if let Ok(answer) = serde_json::from_slice::<SignResponse>(data) {
        for text in answer.cert_chain.iter().chain([&answer.crt, &answer.ca]) {
            look_at(text);
        }
    }
    if let Ok(answer) = serde_json::from_slice::<CertificatesResponse>(data) {
        answer.crts.iter().for_each(|text| look_at(text));
    }
    let _ = serde_json::from_slice::<ProvisionersResponse>(data);
    let _ = serde_json::from_slice::<ErrorBody>(data);
});

fn look_at(text: &str) {
    for block in Blocks::new(text.as_bytes()) {
        let _ = Certificate::parse(&block.content);
    }
}
