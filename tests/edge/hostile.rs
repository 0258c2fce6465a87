//! Floods of HTTP/2, frame by frame.

use axum::body::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::frames::CONTINUATION;
use crate::frames::END_HEADERS;
use crate::frames::END_STREAM;
use crate::frames::GOAWAY;
use crate::frames::HEADERS;
use crate::frames::PING;
use crate::frames::RST_STREAM;
use crate::frames::SETTINGS;
use crate::frames::frame;
use crate::frames::get;
use crate::frames::next;
use crate::frames::open;
use crate::rig::Short;

/// Reasons of GOAWAY and RST_STREAM (RFC 9113 section 7).
const ENHANCE_YOUR_CALM: u32 = 11;

/// Why the connection ended, if the server said so.
async fn goodbye(stream: &mut TlsStream<TcpStream>) -> Option<u32> {
    let mut reason = None;
    while let Some((kind, _, payload)) = next(stream).await {
        if kind == GOAWAY {
            reason = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    reason
}

#[test]
fn the_limits_of_http2_are_told() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let mut stream = open(&server, &[]).await;
        let (kind, _, payload) = next(&mut stream).await.unwrap();
        assert_eq!(kind, SETTINGS);
        let told: Vec<(u8, u32)> = payload
            .chunks(6)
            .map(|setting| (setting[1], u32::from_be_bytes(setting[2..].try_into().unwrap())))
            .collect();
        // Streams at once, and the size of a header.
        for expected in [(3, 100), (6, 1 << 20)] {
            assert!(told.contains(&expected), "{told:?}");
        }
        // A stream's window is what it is without a word.
        assert!(told.iter().all(|(name, value)| *name != 4 || *value == 65_535), "{told:?}");
    });
}

#[test]
fn rapid_resets_end_the_connection() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let mut stream = open(&server, &[]).await;
        let mut flood = Vec::new();
        for number in 0..2000 {
            let id = 2 * number + 1;
            flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, id, &get("/health")));
            flood.extend(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
        }
        let _ = stream.write_all(&flood).await;
        assert_eq!(goodbye(&mut stream).await, Some(ENHANCE_YOUR_CALM));
        let answer = server.client.send("GET", "/health", Bytes::new()).await.unwrap();
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn a_header_without_end_ends_the_connection() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let mut stream = open(&server, &[]).await;
        stream.write_all(&frame(HEADERS, END_STREAM, 1, &get("/health"))).await.unwrap();
        let _ = stream.write_all(&frame(CONTINUATION, 0, 1, b"\0").repeat(1000)).await;
        assert_eq!(goodbye(&mut stream).await, Some(ENHANCE_YOUR_CALM));
    });
}

#[test]
fn pings_that_are_not_listened_to_end_the_connection() {
    let server = Short::start(|limits| limits.patience = std::time::Duration::from_millis(400));
    server.block_on(async {
        let mut stream = server.client.narrow("h2").await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let pings = frame(PING, 0, 0, &[0; 8]).repeat(100);
        while stream.write_all(&pings).await.is_ok() {}
    });
}

/// A client with no room for an answer does not keep it in the server for ever.
#[test]
fn an_answer_that_is_not_taken_is_given_up() {
    let server = Short::start(|limits| limits.patience = std::time::Duration::from_millis(400));
    server.block_on(async {
        // INITIAL_WINDOW_SIZE 0.
        let mut stream = open(&server, &[0, 4, 0, 0, 0, 0]).await;
        stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/roots"))).await.unwrap();
        let mut reset = false;
        while let Some((kind, id, payload)) = next(&mut stream).await {
            reset |= (kind, id) == (RST_STREAM, 1);
            // An acknowledgement, so that the connection is thought to be alive.
            if kind == PING && !reset {
                let _ = stream.write_all(&frame(PING, 1, 0, &payload)).await;
            }
        }
        assert!(reset);
    });
}
