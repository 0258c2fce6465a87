//! Each limit by itself, on a server whose times are short.

use std::time::Duration;
use std::time::Instant;

use axum::body::Bytes;
use stepless::clock::Clock as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::rig;
use crate::rig::Rig;
use crate::rig::Short;

const PATIENCE: Duration = Duration::from_millis(400);

fn impatient() -> Short {
    Short::start(|limits| limits.patience = PATIENCE)
}

/// All that comes until the connection ends, and how long that took.
async fn until_the_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> (String, Duration) {
    let (begun, mut said) = (Instant::now(), Vec::new());
    let _ = stream.read_to_end(&mut said).await;
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

#[test]
fn a_handshake_a_header_a_body_and_idleness_have_their_times() {
    let server = impatient();
    server.block_on(async {
        let mut silent = TcpStream::connect(server.client.address).await.unwrap();
        let (_, took) = until_the_end(&mut silent).await;
        assert!(took >= PATIENCE, "handshake: {took:?}");
        for (what, sent) in [
            ("header", "GET /health HTTP/1.1\r\nHost: a"),
            ("body", "POST /sign HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"),
            ("idle", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"),
        ] {
            let mut stream = server.client.tls("http/1.1").await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let (said, took) = until_the_end(&mut stream).await;
            assert!(took >= PATIENCE.mul_f32(0.9), "{what}: {took:?}");
            assert_eq!(said.contains("200 OK"), what == "idle", "{what}: {said}");
        }
    });
}

#[test]
fn whoever_does_not_take_answers_is_left() {
    let server = impatient();
    server.block_on(async {
        let mut stream = server.client.narrow("http/1.1").await.unwrap();
        let request = b"GET /provisioners?limit=100 HTTP/1.1\r\nHost: a\r\n\r\n";
        // As long as the server reads on, and then until it has had enough.
        while stream.write_all(request).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn an_idle_connection_of_http2_is_closed() {
    let server = impatient();
    server.block_on(async {
        let mut kept = server.client.http2().await.unwrap();
        let begun = Instant::now();
        // Busy, it lasts longer than that.
        while begun.elapsed() < 3 * PATIENCE {
            assert_eq!(kept.send("GET", "/health", Bytes::new()).await.unwrap().status, 200);
            tokio::time::sleep(PATIENCE / 8).await;
        }
        let rig::Kept::Http2(sender) = kept else { unreachable!() };
        let begun = Instant::now();
        while !sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(begun.elapsed() >= PATIENCE / 2, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_new_connection_takes_the_place_of_an_idle_one() {
    let server = Short::start(|limits| limits.connections = 3);
    server.block_on(async {
        let mut idle = server.client.tls("http/1.1").await.unwrap();
        idle.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        for _ in 0..20 {
            let answer = server.client.send("GET", "/health", Bytes::new()).await.unwrap();
            assert_eq!(answer.status, 200);
        }
        let _held = [server.client.tls("h2").await.unwrap(), server.client.tls("h2").await.unwrap()];
        let answer = server.client.send("GET", "/health", Bytes::new()).await.unwrap();
        assert_eq!(answer.status, 200);
        let (_, took) = until_the_end(&mut idle).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
    });
}

#[test]
fn a_header_has_at_most_one_mebibyte() {
    let server = Short::start(|_| ());
    server.block_on(async {
        let ask = async |length: usize| {
            let mut stream = server.client.tls("http/1.1").await.unwrap();
            let head = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ";
            let request = format!("{head}{}\r\n\r\n", "a".repeat(length));
            let _ = stream.write_all(request.as_bytes()).await;
            let (said, _) = until_the_end(&mut stream).await;
            said.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(ask(1000 << 10).await, "200");
        // However much is still to come: the answer is heard.
        for length in [1030 << 10, 1300 << 10] {
            assert_eq!(ask(length).await, "431");
        }
    });
}

#[test]
fn large_bodies_are_few_and_small_ones_pass() {
    let server = Short::start(|limits| limits.large_bodies = 1);
    server.block_on(async {
        let mut large = server.client.tls("http/1.1").await.unwrap();
        let head = b"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        large.write_all(head).await.unwrap();
        large.write_all(&vec![b' '; 50_000]).await.unwrap();
        large.flush().await.unwrap();
        let padding = Bytes::from(vec![b' '; 50_000]);
        let begun = Instant::now();
        // As soon as the first one has been read that far.
        loop {
            let answer = server.client.send("POST", "/sign", padding.clone()).await.unwrap();
            if answer.status == 503 {
                break;
            }
            assert_eq!(answer.status, 400, "{}", answer.text);
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        let answer = server.client.send("POST", "/sign", server.requests.sign()).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text);
        drop(large);
    });
}

#[test]
fn provisioners_and_addresses_have_their_rates() {
    let server = Short::start(|limits| {
        limits.rate_per_provisioner = Some("0.1:2".parse().unwrap());
        limits.rate_per_address = Some("0.1:4".parse().unwrap());
    });
    server.block_on(async {
        let sign = async |body: &Bytes| server.client.send("POST", "/1.0/sign", body.clone()).await.unwrap();
        let later =
            |seconds| server.local.clock.set(server.local.clock.now() + time::Duration::seconds(seconds));
        for _ in 0..2 {
            assert_eq!(sign(&server.requests.sign()).await.status, 201);
        }
        let body = server.requests.sign();
        let throttled = async |code: &str| {
            let answer = sign(&body).await;
            let expected =
                "{\"status\":429,\"message\":\"There were too many requests. Please try again later.\"}\n";
            assert_eq!((answer.status, answer.text.as_str()), (429, expected));
            assert_eq!((answer.retry_after, answer.refusal.as_deref()), (Some(10), Some(code)));
        };
        throttled("rate.provisioner").await;
        later(10);
        // The token was not spent, and now it is.
        assert_eq!(sign(&body).await.status, 201);
        later(10);
        assert_eq!(sign(&body).await.status, 401);
        // Of the address's four, and one for each ten seconds, one is left.
        throttled("rate.provisioner").await;
        throttled("rate.address").await;
        assert_eq!(server.client.send("GET", "/health", Bytes::new()).await.unwrap().status, 200);
    });
}

/// A system that gives few files gets fewer connections, not failures.
#[test]
fn few_open_files_are_few_connections() {
    let _alone = rig::alone();
    let rig = Rig::start_with_files(100, "");
    let log = rig.daemon.log();
    assert!(log.contains("36 connections instead of 2048: the system allows 100 open files"), "{log}");
    rig::runtime().block_on(async {
        let mut held = Vec::new();
        for _ in 0..120 {
            held.push(TcpStream::connect(rig.client.address).await.unwrap());
        }
        let answer = rig.client.send("POST", "/1.0/sign", rig.requests.sign()).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text);
    });
}
