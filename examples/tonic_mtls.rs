//! gRPC over mutual TLS: tonic's health service, and clients with and without a certificate.
//!
//! ```sh
//! cargo run --example tonic_mtls --no-default-features --features embed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use stepless::MiniCa;
use stepless::mini::Leaf;
use tonic::transport::Certificate;
use tonic::transport::Channel;
use tonic::transport::ClientTlsConfig;
use tonic::transport::Endpoint;
use tonic::transport::Identity;
use tonic::transport::Server;
use tonic::transport::ServerTlsConfig;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

fn identity(leaf: &Leaf) -> Identity {
    Identity::from_pem(leaf.chain_pem(), leaf.key_pem().as_str())
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let ca = MiniCa::builder().build()?;
    let root = Certificate::from_pem(ca.root_pem());

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let tls = ServerTlsConfig::new()
        .identity(identity(&ca.issue("health.internal").sign()?))
        .client_ca_root(root.clone());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder().tls_config(tls)?.add_service(health);
    let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let connect = async |leaf: Option<&Leaf>| -> Result<Channel, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new().ca_certificate(root.clone()).domain_name("health.internal");
        if let Some(leaf) = leaf {
            tls = tls.identity(identity(leaf));
        }
        Endpoint::from_shared(url.clone())?.tls_config(tls)?.connect().await
    };
    let request = || HealthCheckRequest { service: String::new() };

    let channel = connect(Some(&ca.issue("monitor.internal").sign()?)).await?;
    let answer = HealthClient::new(channel).check(request()).await?.into_inner();
    println!("with a certificate: {:?}", answer.status());
    assert_eq!(answer.status().as_str_name(), "SERVING");

    for leaf in [None, Some(ca.issue("monitor.internal").expired().sign()?)] {
        // TLS 1.3 tells a client only when it reads that its certificate was not taken.
        let refused = match connect(leaf.as_ref()).await {
            Ok(channel) => HealthClient::new(channel).check(request()).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    println!("without one, or with one that has expired: refused");

    server.abort();
    Ok(())
}
