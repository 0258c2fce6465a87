//! Floods of HTTP/2, frame by frame (RFC 9113 section 4.1).

use axum::body::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::rig::Short;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Reasons of GOAWAY and RST_STREAM (RFC 9113 section 7).
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The header block of `GET <path>` (RFC 7541: indexed fields 2 and 7, and literal ones named by 4 and 1).
fn get(path: &str) -> Vec<u8> {
    let text =
        |index: u8, text: &str| [&[index, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0x82, 0x87], text(4, path), text(1, "localhost")].concat()
}

/// A connection on which the client has said so much, and nothing after it.
async fn open(server: &Short, settings: &[u8]) -> TlsStream<TcpStream> {
    let mut stream = server.client.tls("h2").await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
    stream
}

/// The next frame: kind, stream, payload; `None` at the end of the connection.
async fn next(stream: &mut TlsStream<TcpStream>) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    let mut payload = vec![0; number(&head[..3]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], number(&head[5..]), payload))
}

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
