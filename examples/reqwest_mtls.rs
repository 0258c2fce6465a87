//! A gateway that reads the grant from its client's certificate, and reqwest with such a certificate.
//!
//! ```sh
//! cargo run --example reqwest_mtls --no-default-features --features embed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

#[path = "support/tls.rs"]
mod tls;

use std::error::Error;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::IncomingStream;
use axum::serve::Listener as _;
use rustls::pki_types::CertificateDer;
use stepless::MiniCa;
use stepless::x509::certificate::Certificate;
use stepless::x509::extension::utf8_text;
use stepless::x509::oid::Oid;
use tls::TlsListener;

const GRANT_ID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// The certificate that the client showed, if it showed one.
#[derive(Debug, Clone)]
struct Peer(Option<CertificateDer<'static>>);

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, session) = stream.io().get_ref();
        Self(session.peer_certificates().and_then(|chain| chain.first()).cloned())
    }
}

/// The grant's id in extension `1.3.6.1.4.1.99999.1` of the client's certificate.
fn grant_of(peer: &Peer) -> Option<String> {
    let certificate = Certificate::parse(peer.0.as_ref()?).ok()?;
    let oid = Oid::parse("1.3.6.1.4.1.99999.1").ok()?;
    utf8_text(&certificate.extension(&oid)?.value)
}

async fn whoami(ConnectInfo(peer): ConnectInfo<Peer>) -> Result<String, StatusCode> {
    grant_of(&peer).ok_or(StatusCode::FORBIDDEN)
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let ca = MiniCa::start().await?;

    // The gateway: lets in whoever has a certificate of this CA, and asks it for the grant.
    let listener = TlsListener::bind(ca.rustls_mtls_server_config(["127.0.0.1"])?).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let app = Router::new().route("/", get(whoami)).into_make_service_with_connect_info::<Peer>();
    let gateway = tokio::spawn(async move { axum::serve(listener, app).await });

    // A device that was granted something.
    let device = ca.issue("device.example").grant(GRANT_ID, USER_ID).sign()?;
    let client =
        reqwest::Client::builder().use_preconfigured_tls(ca.rustls_client_config_with(&device)?).build()?;
    let answer = client.get(&url).send().await?.error_for_status()?.text().await?;
    println!("the gateway saw grant {answer}");
    assert_eq!(answer, GRANT_ID);

    // One without a grant, and one without a certificate.
    let other = ca.issue("other.example").sign()?;
    let client =
        reqwest::Client::builder().use_preconfigured_tls(ca.rustls_client_config_with(&other)?).build()?;
    assert_eq!(client.get(&url).send().await?.status(), 403);
    let client = reqwest::Client::builder().use_preconfigured_tls(ca.rustls_client_config()?).build()?;
    assert!(client.get(&url).send().await.is_err());
    println!("and nobody else");

    gateway.abort();
    Ok(())
}
