//! Ten times what the server can do: what is too much is told so at once, the rest is done, and nothing grows.
//!
//! Its issuing key is a slow one, and `--max-requests` what docs/operations.md advises with such a key. So what it can
//! sustain is little, and clients on the same two cores reach ten times that without being what is measured.

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

/// Clients that wait for each answer before they ask again: more than are worked on, fewer than may wait.
const SUSTAINABLE: usize = 4;

/// Each asks a hundredth of the load, so that those who wait for a certificate do not miss their next turn.
const CLIENTS: usize = 100;

const TIMES: f64 = 10.0;

/// What the process may take, whatever is asked of it.
const MEMORY_MIB: u64 = 64;

#[test]
fn ten_times_the_load_is_turned_away_quickly() {
    let _alone = rig::alone();
    // One is worked on and eight wait.
    let rig = Rig::start_slow("--max-requests 1");
    let runtime = rig::runtime();
    runtime.block_on(async {
        let quiet = load(&rig.client, &rig.requests, SUSTAINABLE, Duration::ZERO).await;
        assert_eq!(quiet.statuses.keys().copied().collect::<Vec<_>>(), [201]);
        let sustained = quiet.rate(201);
        let before = rig.memory("VmRSS:");

        let health = tokio::spawn(watch_health(rig.client.clone(), Instant::now() + rig::period()));
        let pace = Duration::from_secs_f64(CLIENTS as f64 / (TIMES * sustained));
        let loaded = load(&rig.client, &rig.requests, CLIENTS, pace).await;
        let health = health.await.unwrap();
        let (after, peak) = (rig.memory("VmRSS:"), rig.memory("VmHWM:"));
        let offered = loaded.all() as f64 / rig::period().as_secs_f64() / sustained;
        say(&format!(
            "edge: sustained {sustained:.1} certificates/s; then {offered:.1} times that, {:.1} certificates/s, {:?}\n\
             edge: 201 {}\nedge: 503 {}\nedge: health {}\n\
             edge: memory {} MiB before, {} after, {} at most",
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
        assert!(offered >= 0.9 * TIMES, "{offered:.1} times the sustainable load");
        assert!(loaded.rate(201) >= sustained / 2.0, "{:.1} certificates/s", loaded.rate(201));
        // Nobody who is turned away has waited a second for his turn.
        assert!(loaded.times(503).at(50) < Duration::from_millis(100), "{}", loaded.times(503).figures());
        assert!(loaded.times(503).at(99) < Duration::from_millis(500), "{}", loaded.times(503).figures());
        assert!(peak >> 10 < MEMORY_MIB, "{peak} KiB");
        assert!(loaded.turned_away.len() >= CLIENTS / 2, "{}", loaded.turned_away.len());
        for (body, answer) in loaded.turned_away.into_iter().take(20) {
            assert_eq!(answer.retry_after, Some(1));
            assert_eq!(
                answer.text,
                "{\"status\":503,\"message\":\"The certificate authority is overloaded. Please try again later.\"}\n"
            );
            // Its token was not looked at.
            let again = rig.client.send("POST", "/1.0/sign", body).await.unwrap();
            assert_eq!(again.status, 201, "{}", again.text);
        }
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
    /// Requests that were turned away, and not granted later.
    turned_away: Vec<(Bytes, Answer)>,
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

/// Each client asks every `pace`, and whoever was late asks at once until he has caught up.
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
                        outcome.turned_away.extend(turned_away.map(|answer| (body, answer)));
                        return outcome;
                    }
                    let answer = kept.send("POST", "/1.0/sign", body.clone()).await.unwrap();
                    outcome.statuses.entry(answer.status).or_default().add(asked);
                    turned_away = Some(answer).filter(|answer| answer.status == 503);
                    if turned_away.is_none() {
                        body = requests.sign();
                    }
                    next += pace;
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
        outcome.turned_away.extend(one.turned_away);
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
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        times.add(begun);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times
}
