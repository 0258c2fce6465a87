//! The end of the server, and another configuration, under load: whoever was let in is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use stepless::store::SqliteStore;
use stepless::store::Store as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::common::local::block_on;
use crate::rig;
use crate::rig::Client;
use crate::rig::Failure;
use crate::rig::Kept;
use crate::rig::Requests;
use crate::rig::Rig;
use crate::rig::say;

/// What a request came to.
type Tally = BTreeMap<Result<u16, Failure>, usize>;

#[test]
fn a_stop_under_load_loses_nothing_that_was_accepted() {
    let _alone = rig::alone();
    let mut rig = Rig::start("");
    let runtime = rig::runtime();
    let ending = Arc::new(AtomicBool::new(false));
    let clients = spawn_clients(&runtime, &rig, &ending);
    let slow: Vec<_> =
        (0..8).map(|_| runtime.spawn(send_in_halves(rig.client.clone(), rig.requests.clone()))).collect();
    std::thread::sleep(Duration::from_secs(2));
    ending.store(true, Ordering::SeqCst);
    rig.daemon.tell("TERM");
    let begun = Instant::now();
    let mut tally = collect(&runtime, clients);
    for client in slow {
        *tally.entry(runtime.block_on(client).unwrap()).or_default() += 1;
    }
    assert_eq!(rig.daemon.end().code(), Some(0), "{}", rig.daemon.log());
    say(&format!("edge: stopped under load in {:?}: {tally:?}", begun.elapsed()));
    let granted = tally.get(&Ok(201)).copied().unwrap_or_default();
    assert!(granted > 20, "{tally:?}");
    tally.retain(|outcome, _| !matches!(outcome, Ok(201) | Err(Failure::Refused | Failure::GoneAway)));
    assert!(tally.is_empty(), "{tally:?}");
    // What was issued was handed out.
    let store = SqliteStore::open(&rig.fixture.file("db/stepless.db")).unwrap();
    assert_eq!(block_on(store.counts()).unwrap().certificates, granted as u64);
}

/// Nobody delays the end by saying nothing.
#[test]
fn silent_clients_are_not_waited_for() {
    let mut rig = Rig::start("");
    let runtime = rig::runtime();
    let silent: Vec<_> = (0..8).map(|_| std::net::TcpStream::connect(rig.client.address).unwrap()).collect();
    let shaken = runtime.block_on(rig.client.tls("http/1.1")).unwrap();
    let shaken_too = runtime.block_on(rig.client.tls("h2")).unwrap();
    let begun = Instant::now();
    assert_eq!(rig.daemon.signal("TERM").code(), Some(0));
    // Each would have 15 seconds otherwise.
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    drop((silent, shaken, shaken_too));
}

#[test]
fn reloads_under_load_lose_nothing_at_all() {
    let _alone = rig::alone();
    let rig = Rig::start("");
    let runtime = rig::runtime();
    let ending = Arc::new(AtomicBool::new(false));
    let clients = spawn_clients(&runtime, &rig, &ending);
    let (begun, mut reloads) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(3) {
        rig.daemon.tell("HUP");
        reloads += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    ending.store(true, Ordering::SeqCst);
    let tally = collect(&runtime, clients);
    say(&format!("edge: {reloads} reloads under load: {tally:?}"));
    assert!(rig.daemon.log().contains("the new configuration is in service"));
    assert_eq!(tally.keys().collect::<Vec<_>>(), [&Ok(201)], "{tally:?}");
}

type Clients = Vec<tokio::task::JoinHandle<Tally>>;

/// Clients on new connections, on kept ones, and several at once on those of HTTP/2.
fn spawn_clients(runtime: &tokio::runtime::Runtime, rig: &Rig, ending: &Arc<AtomicBool>) -> Clients {
    let mut clients = Vec::new();
    for number in 0..12 {
        let (client, requests) = (rig.client.clone(), rig.requests.clone());
        clients.push(runtime.spawn(ask_until(client, requests, number % 3, Arc::clone(ending))));
    }
    clients
}

fn collect(runtime: &tokio::runtime::Runtime, clients: Clients) -> Tally {
    let mut tally = Tally::new();
    for client in clients {
        for (outcome, number) in runtime.block_on(client).unwrap() {
            *tally.entry(outcome).or_default() += number;
        }
    }
    tally
}

/// Asks until the server ends, or until some time after the test does.
async fn ask_until(client: Client, requests: Requests, kind: usize, ending: Arc<AtomicBool>) -> Tally {
    let (mut tally, mut kept, mut ended_at) = (Tally::new(), None, None);
    loop {
        if ending.load(Ordering::SeqCst) {
            // A second and more: the server lingers for one.
            let ended_at = ended_at.get_or_insert_with(Instant::now);
            if ended_at.elapsed() > Duration::from_secs(2) {
                return tally;
            }
        }
        let outcomes = match kind {
            0 => vec![client.send("POST", "/1.0/sign", requests.sign()).await.map(|answer| answer.status)],
            1 => vec![ask_kept(&client, &mut kept, &requests).await],
            _ => ask_side_by_side(&client, &mut kept, &requests).await,
        };
        let refused = outcomes.contains(&Err(Failure::Refused));
        for outcome in outcomes {
            *tally.entry(outcome).or_default() += 1;
        }
        if refused {
            return tally;
        }
    }
}

async fn ask_kept(client: &Client, kept: &mut Option<Kept>, requests: &Requests) -> Result<u16, Failure> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => client.http1().await?,
    };
    let answer = connection.send("POST", "/1.0/sign", requests.sign()).await?;
    *kept = Some(connection).filter(|_| !answer.last);
    Ok(answer.status)
}

async fn ask_side_by_side(
    client: &Client,
    kept: &mut Option<Kept>,
    requests: &Requests,
) -> Vec<Result<u16, Failure>> {
    let connection = match kept.take() {
        Some(connection) => Ok(connection),
        None => client.http2().await,
    };
    let Kept::Http2(sender) = (match connection {
        Ok(connection) => connection,
        Err(failure) => return vec![Err(failure)],
    }) else {
        return Vec::new();
    };
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let (mut kept, body) = (Kept::Http2(sender.clone()), requests.sign());
            tokio::spawn(
                async move { kept.send("POST", "/1.0/sign", body).await.map(|answer| answer.status) },
            )
        })
        .collect();
    let mut outcomes = Vec::new();
    for answer in asked {
        outcomes.push(answer.await.unwrap());
    }
    if outcomes.iter().all(Result::is_ok) {
        *kept = Some(Kept::Http2(sender));
    }
    outcomes
}

/// Sends half of a request before the server is told to stop, and the other half afterwards.
async fn send_in_halves(client: Client, requests: Requests) -> Result<u16, Failure> {
    let mut stream = client.tls("http/1.1").await.map_err(|_| Failure::Refused)?;
    let body = requests.sign();
    let head =
        format!("POST /1.0/sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let lost = |_| Failure::Lost;
    stream.write_all(head.as_bytes()).await.map_err(lost)?;
    stream.write_all(&body[..100]).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    // Well after the signal, and after the second that the server lingers.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    stream.write_all(&body[100..]).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or(Failure::Lost)
}
