//! Ten times what the server can do: what is too much is told so at once, the rest is done, and nothing grows.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use axum::body::Bytes;

use crate::rig;
use crate::rig::Answer;
use crate::rig::Client;
use crate::rig::Requests;
use crate::rig::Rig;
use crate::rig::Times;
use crate::rig::say;

/// Clients that wait for each answer before they ask again: a few fill the server.
const SUSTAINABLE: usize = 16;

/// So many that those who wait for an answer do not slow the pace of all down.
const CLIENTS: usize = 25 * SUSTAINABLE;

/// What the process may take, whatever is asked of it.
const MEMORY_MIB: u64 = 256;

#[test]
fn ten_times_the_load_is_turned_away_quickly() {
    let _alone = rig::alone();
    rig::raise_open_files();
    // As many at work and waiting as the few that it can sustain.
    let rig = Rig::start("--max-requests 4");
    let runtime = rig::runtime();
    runtime.block_on(async {
        let quiet = load(&rig.client, &rig.requests, SUSTAINABLE, Duration::ZERO).await;
        assert_eq!(quiet.statuses.keys().copied().collect::<Vec<_>>(), [201]);
        let sustained = quiet.rate(201);
        let before = rig.memory("VmRSS:");

        let health = tokio::spawn(watch_health(rig.client.clone(), Instant::now() + 2 * rig::period()));
        let pace = Duration::from_secs_f64(CLIENTS as f64 / (10.0 * sustained));
        let loaded = load(&rig.client, &rig.requests, CLIENTS, pace).await;
        let health = health.await.unwrap();
        let (after, peak) = (rig.memory("VmRSS:"), rig.memory("VmHWM:"));
        say(&format!(
            "edge: sustained {sustained:.0} certificates/s; then {:.0} requests/s, {:.0} certificates/s, {:?}\n\
             edge: 201 {}\nedge: 503 {}\nedge: health {}\n\
             edge: memory {} MiB before, {} after, {} at most",
            loaded.all() as f64 / loaded.took.as_secs_f64(),
            loaded.rate(201),
            loaded.statuses.iter().map(|(status, times)| (*status, times.count())).collect::<Vec<_>>(),
            loaded.times(201).figures(),
            loaded.times(503).figures(),
            health.figures(),
            before >> 10,
            after >> 10,
            peak >> 10,
        ));
        assert_eq!(loaded.statuses.keys().copied().collect::<Vec<_>>(), [201, 503]);
        assert!(loaded.times(201).count() > 0);
        assert!(loaded.times(503).at(50) < Duration::from_secs(1), "{}", loaded.times(503).figures());
        assert!(loaded.times(503).at(100) < Duration::from_secs(5), "{}", loaded.times(503).figures());
        assert!(peak >> 10 < MEMORY_MIB, "{peak} KiB");
        let (body, answer) = loaded.turned_away.expect("one that was turned away");
        assert_eq!(answer.retry_after, Some(1));
        assert_eq!(
            answer.text,
            "{\"status\":503,\"message\":\"The certificate authority is overloaded. Please try again later.\"}\n"
        );
        // Its token was not looked at.
        let again = rig.client.send("POST", "/1.0/sign", body).await.unwrap();
        assert_eq!(again.status, 201, "{}", again.text);
    });
    let log = rig.daemon.log();
    let said = log.matches("requests are turned away").count();
    assert!((1..10).contains(&said), "{said} lines");
}

/// What came of a load.
#[derive(Debug, Default)]
struct Outcome {
    statuses: BTreeMap<u16, Times>,
    took: Duration,
    /// A request that was turned away, and not granted later.
    turned_away: Option<(Bytes, Answer)>,
}

impl Outcome {
    fn times(&self, status: u16) -> Times {
        self.statuses.get(&status).cloned().unwrap_or_default()
    }

    fn rate(&self, status: u16) -> f64 {
        self.times(status).count() as f64 / self.took.as_secs_f64()
    }

    fn all(&self) -> usize {
        self.statuses.values().map(Times::count).sum()
    }
}

/// Each client asks every `pace`, or as soon as it has been answered if that is later.
async fn load(client: &Client, requests: &Requests, clients: usize, pace: Duration) -> Outcome {
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(client.http1().await.unwrap());
    }
    let begun = Instant::now();
    let end = begun + rig::period();
    let clients: Vec<_> = connected
        .into_iter()
        .enumerate()
        .map(|(number, mut kept)| {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut outcome = Outcome::default();
                // They do not all ask at once.
                let mut next = begun + pace.mul_f64(number as f64 / CLIENTS as f64);
                // A token that was turned away is as good as a new one, and costs nothing here.
                let mut body = requests.sign();
                let mut turned_away = None;
                loop {
                    tokio::time::sleep_until(next.into()).await;
                    let asked = Instant::now();
                    if asked > end {
                        outcome.turned_away = turned_away.map(|answer| (body, answer));
                        return outcome;
                    }
                    let answer = kept.send("POST", "/1.0/sign", body.clone()).await.unwrap();
                    outcome.statuses.entry(answer.status).or_default().add(asked);
                    turned_away = Some(answer).filter(|answer| answer.status == 503);
                    if turned_away.is_none() {
                        body = requests.sign();
                    }
                    next = (next + pace).max(Instant::now());
                }
            })
        })
        .collect();
    let mut outcome = Outcome::default();
    for client in clients {
        let one = client.await.unwrap();
        for (status, times) in one.statuses {
            outcome.statuses.entry(status).or_default().join(times);
        }
        outcome.turned_away = outcome.turned_away.or(one.turned_away);
    }
    outcome.took = begun.elapsed();
    outcome
}

/// Asks ten times a second on new connections; each time the answer has to be good.
async fn watch_health(client: Client, end: Instant) -> Times {
    let mut times = Times::default();
    while Instant::now() < end {
        let begun = Instant::now();
        let answer = client.send("GET", "/health", Bytes::new()).await.expect("health");
        assert_eq!((answer.status, answer.text.as_str()), (200, "{\"status\":\"ok\"}\n"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        times.add(begun);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times
}
