//! A client with its own rules of what to try again, and a CA that misbehaves on request.
//!
//! ```sh
//! cargo run --example faults --no-default-features --features embed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use stepless::MiniCa;
use stepless::mini::Defect;
use stepless::mini::Fault;
use stepless::wire::SignRequest;
use stepless::wire::SignResponse;
use stepless::x509::certificate::Certificate;
use stepless::x509::pem;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// What the client under test makes of an answer.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The certificate and what leads to the root.
    Certificate(Vec<String>),
    Unauthorized,
    NotJson,
    NoCertificate,
    /// It is not what was asked for.
    WrongCertificate,
    GaveUp,
}

/// The client under test: tries 5xx and broken connections three times, and falls back from `certChain` to `crt` and
/// `ca` to `crt`.
async fn fetch(client: &reqwest::Client, url: &str, request: &SignRequest) -> Outcome {
    for _ in 0..3 {
        let Ok(answer) = client.post(format!("{url}/1.0/sign")).body(request.encode()).send().await else {
            continue;
        };
        match answer.status().as_u16() {
            401 | 403 => return Outcome::Unauthorized,
            500.. => continue,
            _ => {}
        }
        let Ok(body) = answer.bytes().await else { continue };
        let Ok(answer) = serde_json::from_slice::<SignResponse>(&body) else { return Outcome::NotJson };
        let chain = match answer {
            SignResponse { crt, .. } if crt.is_empty() => return Outcome::NoCertificate,
            SignResponse { cert_chain, .. } if !cert_chain.is_empty() => cert_chain,
            SignResponse { crt, ca, .. } if !ca.is_empty() => vec![crt, ca],
            SignResponse { crt, .. } => vec![crt],
        };
        return if is_grant(&chain[0]) { Outcome::Certificate(chain) } else { Outcome::WrongCertificate };
    }
    Outcome::GaveUp
}

fn is_grant(crt: &str) -> bool {
    let certificate = pem::decode_first(crt).and_then(|block| Certificate::parse(&block.content).ok());
    let extensions = certificate.map(|certificate| certificate.extensions().to_vec()).unwrap_or_default();
    let grant = extensions.iter().find(|extension| extension.oid.to_string() == "1.3.6.1.4.1.99999.1");
    grant.is_some_and(|extension| extension.value.ends_with(GRANT_ID.as_bytes()))
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let ca = MiniCa::start().await?;
    let client = reqwest::Client::builder().use_preconfigured_tls(ca.rustls_client_config()?).build()?;
    let ask = async |faults: &[Fault]| -> Result<Outcome, Box<dyn Error>> {
        let csr = ca.csr("device.example")?;
        let token = ca.token("device.example").grant(GRANT_ID, USER_ID).bound_to(csr.pem()).mint()?;
        let request =
            SignRequest { csr: Some(csr.pem().to_owned()), ott: Some(token), ..SignRequest::default() };
        faults.iter().for_each(|fault| ca.faults().push(fault.clone()));
        Ok(fetch(&client, &ca.url(), &request).await)
    };

    for (fault, expected) in [
        (Fault::status(401), Outcome::Unauthorized),
        (Fault::not_json(), Outcome::NotJson),
        (Fault::without_certificate(), Outcome::NoCertificate),
        (Fault::certificate(Defect::WithoutGrant), Outcome::WrongCertificate),
        (Fault::certificate(Defect::OtherGrant), Outcome::WrongCertificate),
    ] {
        let outcome = ask(&[fault]).await?;
        println!("{outcome:?}");
        assert_eq!(outcome, expected);
    }
    for (fault, length) in [(Fault::without_chain(), 2), (Fault::without_ca(), 2), (Fault::only_crt(), 1)] {
        let Outcome::Certificate(chain) = ask(&[fault]).await? else { return Err("no certificate".into()) };
        assert_eq!(chain.len(), length);
    }

    // Two failures are got over, three are not.
    let outcome = ask(&[Fault::status(503).retry_after(1), Fault::hang_up()]).await?;
    assert!(matches!(outcome, Outcome::Certificate(_)), "{outcome:?}");
    assert_eq!(ask(&[Fault::status(500), Fault::status(502), Fault::status(503)]).await?, Outcome::GaveUp);

    // An answer that got lost: trying again cannot work, since the token is spent. The client learns so here.
    assert_eq!(ask(&[Fault::lost_answer()]).await?, Outcome::Unauthorized);
    let refused = ca.refused();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].code.as_str(), refused[0].grant_id.as_deref()),
        ("token.replayed", Some(GRANT_ID))
    );
    println!("{} certificates issued, {} requests refused", ca.issued().len(), refused.len());
    Ok(())
}
