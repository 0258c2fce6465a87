//! The end of the server over HTTP/2, frame by frame: every request is answered, or the client is told that it was not
//! taken (RFC 9113 section 6.8).

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::frames::ACK;
use crate::frames::END_HEADERS;
use crate::frames::END_STREAM;
use crate::frames::GOAWAY;
use crate::frames::HEADERS;
use crate::frames::PING;
use crate::frames::frame;
use crate::frames::get;
use crate::frames::next;
use crate::frames::open;
use crate::rig::Short;

/// Nothing is excluded yet.
const ANY_STREAM: u32 = (1 << 31) - 1;

async fn ask(stream: &mut TlsStream<TcpStream>, id: u32) {
    stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, id, &get("/health"))).await.unwrap();
}

/// Reads until the server says that it ends and wants to know whether the client has heard; returns what it sent with
/// its PING.
async fn notice(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let mut told = false;
    loop {
        match next(stream).await.expect("the connection is cut without a word") {
            (GOAWAY, 0, payload) => {
                assert_eq!(payload, [ANY_STREAM.to_be_bytes(), [0; 4]].concat());
                told = true;
            }
            (PING, 0, payload) if told => return payload,
            _ => {}
        }
    }
}

/// Reads to the end: which streams were answered, and up to which they were taken as the server says.
async fn rest(stream: &mut TlsStream<TcpStream>) -> (Vec<u32>, u32) {
    let (mut answered, mut taken) = (Vec::new(), ANY_STREAM);
    while let Some((kind, id, payload)) = next(stream).await {
        match kind {
            HEADERS => answered.push(id),
            GOAWAY => taken = u32::from_be_bytes(payload[..4].try_into().unwrap()),
            _ => {}
        }
    }
    (answered, taken)
}

/// What was under way when the client was told is answered; what comes after that was not taken.
#[test]
fn requests_that_cross_the_notice_are_answered() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let mut stream = open(&server, &[]).await;
        ask(&mut stream, 1).await;
        while next(&mut stream).await.unwrap().0 != HEADERS {}
        server.stop();
        let ping = notice(&mut stream).await;
        ask(&mut stream, 3).await;
        ask(&mut stream, 5).await;
        stream.write_all(&frame(PING, ACK, 0, &ping)).await.unwrap();
        ask(&mut stream, 7).await;
        let (mut answered, taken) = rest(&mut stream).await;
        answered.sort_unstable();
        assert_eq!((answered, taken), (vec![3, 5], 5));
    });
}

/// The first request of a connection can cross it as well.
#[test]
fn a_client_that_has_not_asked_yet_is_told_too() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let (mut asks, mut silent) = (open(&server, &[]).await, open(&server, &[]).await);
        server.stop();
        let (ping, silent_ping) = (notice(&mut asks).await, notice(&mut silent).await);
        ask(&mut asks, 1).await;
        asks.write_all(&frame(PING, ACK, 0, &ping)).await.unwrap();
        assert_eq!(rest(&mut asks).await, (vec![1], 1));
        silent.write_all(&frame(PING, ACK, 0, &silent_ping)).await.unwrap();
        assert_eq!(rest(&mut silent).await, (Vec::new(), 0));
    });
}
