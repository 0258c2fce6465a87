//! A thousand clients that keep the server waiting, and others that do not notice.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use axum::body::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::rig;
use crate::rig::Client;
use crate::rig::Requests;
use crate::rig::Rig;
use crate::rig::Times;
use crate::rig::say;

const SLOW: usize = 1000;

/// Those that come again, since the server has ended them, are missing for a moment.
const SPARE: usize = 100;

/// On two cores that are shared with others, what is quicker than this is no sign of starvation.
const FLOOR: Duration = Duration::from_secs(1);

#[test]
fn a_thousand_slow_clients_do_not_slow_the_others_down() {
    let _alone = rig::alone();
    rig::raise_open_files();
    let rig = Rig::start("");
    let (runtime, crowd) = (rig::runtime(), rig::runtime());
    runtime.block_on(async {
        let quiet = normal_load(&rig.client, &rig.requests).await;
        let there = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        // On threads of their own, so that they keep nobody waiting here.
        for number in 0..SLOW + SPARE {
            crowd.spawn(be_slow(rig.client.clone(), number, Arc::clone(&there)));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        while there.load(Ordering::SeqCst) < SLOW {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{} slow clients",
                there.load(Ordering::SeqCst)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let came = begun.elapsed();
        let loaded = normal_load(&rig.client, &rig.requests).await;
        let (still, memory) = (there.load(Ordering::SeqCst), rig.memory("VmHWM:"));
        crowd.shutdown_background();
        // The machine may have been less quiet before than it is now, or more.
        let quiet_again = normal_load(&rig.client, &rig.requests).await;
        let reference = quiet.at(99).max(quiet_again.at(99));
        let times = loaded.at(99).as_secs_f64() / reference.as_secs_f64();
        say(&format!(
            "edge: quiet {}\nedge: with {still} slow clients {}\nedge: quiet again {}\n\
             edge: p99 {times:.2} times the quiet one, memory {} MiB at most; they came within {came:.1?}",
            quiet.figures(),
            loaded.figures(),
            quiet_again.figures(),
            memory >> 10
        ));
        assert!(still > SLOW - SPARE, "{still} slow clients are left");
        assert!(loaded.at(99) <= (3 * reference).max(FLOOR), "{}", loaded.figures());
    });
}

/// Requests at an even pace, on connections that are kept and on new ones; every one has to be granted.
async fn normal_load(client: &Client, requests: &Requests) -> Times {
    let (mut times, end) = (Times::default(), Instant::now() + rig::period());
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (client, requests) = (client.clone(), requests.clone());
            tokio::spawn(async move {
                let mut times = Times::default();
                let mut kept = client.http1().await.unwrap();
                while Instant::now() < end {
                    let body = requests.sign();
                    let begun = Instant::now();
                    let answer = match number {
                        0 => client.send("POST", "/1.0/sign", body).await.unwrap(),
                        _ => kept.send("POST", "/1.0/sign", body).await.unwrap(),
                    };
                    assert_eq!(answer.status, 201, "{}", answer.text);
                    times.add(begun);
                    tokio::time::sleep(Duration::from_millis(30)).await;
                }
                times
            })
        })
        .collect();
    for client in clients {
        times.join(client.await.unwrap());
    }
    times
}

/// Keeps the server waiting in one of four ways, again and again: the server ends each after a time.
async fn be_slow(client: Client, number: usize, there: Arc<AtomicUsize>) {
    loop {
        let kept = match number % 4 {
            0 => shake_hands_slowly(&client, &there).await,
            1 => send_slowly(&client, b"GET /health HTTP/1.1\r\nHost: a.example\r\nX-Slow: ", &there).await,
            2 => {
                let head = b"POST /1.0/sign HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3000\r\n\r\n";
                send_slowly(&client, head, &there).await
            }
            _ => read_slowly(&client, &there).await,
        };
        if kept.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Counts one that is there.
struct There<'a>(&'a AtomicUsize);

impl<'a> There<'a> {
    fn new(there: &'a AtomicUsize) -> Self {
        there.fetch_add(1, Ordering::SeqCst);
        Self(there)
    }
}

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A byte a second, until the server has had enough.
async fn trickle(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    bytes: impl Iterator<Item = u8>,
) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[byte]).await?;
        stream.flush().await?;
        let mut answer = [0; 1024];
        if tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}

async fn shake_hands_slowly(client: &Client, there: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(client.address).await?;
    let _there = There::new(there);
    // A record of 512 bytes begins (RFC 8446 section 5.1), with a ClientHello.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    trickle(&mut stream, hello.into_iter().chain(std::iter::repeat_n(0, 100))).await
}

async fn send_slowly(client: &Client, head: &[u8], there: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = client.tls("http/1.1").await?;
    stream.write_all(head).await?;
    let _there = There::new(there);
    trickle(&mut stream, std::iter::repeat_n(b'a', 100)).await
}

/// Asks for more than there is room for, and takes none of it.
async fn read_slowly(client: &Client, there: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = client.narrow("http/1.1").await?;
    let request = Bytes::from_static(b"GET /provisioners?limit=100 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    for _ in 0..3 {
        stream.write_all(&request).await?;
    }
    stream.flush().await?;
    let _there = There::new(there);
    tokio::time::sleep(Duration::from_secs(20)).await;
    Ok(())
}
