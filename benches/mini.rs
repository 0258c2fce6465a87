//! What a `MiniCa` costs a test: time from its start to the first certificate, and memory of a hundred in one process.
//!
//! `cargo bench --bench mini`. Prints both beside their aims, 10 ms and 100 MB, and fails where one is missed.
//! Memory is read from `/proc`, so only on Linux.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::time::Duration;
use std::time::Instant;

use stepless::MiniCa;

const AIM: Duration = Duration::from_millis(10);
const CAS: usize = 100;
const AIM_MB: f64 = 100.0;

/// Serves, and issues a certificate in process.
async fn first_certificate() -> (MiniCa, Duration) {
    let begun = Instant::now();
    let ca = MiniCa::start().await.expect("a CA");
    ca.issue("a.example").sign().expect("a certificate");
    (ca, begun.elapsed())
}

/// Resident memory of this process, in MB.
fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1000.0)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (_, cold) = first_certificate().await;
        let mut times = Vec::new();
        for _ in 0..50 {
            let (ca, time) = first_certificate().await;
            ca.stop().await;
            times.push(time);
        }
        times.sort();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!("start to first certificate: {cold:?} the first time, then {median:?} (worst {worst:?}); aim {AIM:?}");

        let before = resident_mb();
        let mut cas = Vec::new();
        for _ in 0..CAS {
            cas.push(first_certificate().await.0);
        }
        let after = resident_mb();
        if let (Some(before), Some(after)) = (before, after) {
            println!("{CAS} CAs: {after:.1} MB, of which {:.1} theirs; aim {AIM_MB} MB", after - before);
            assert!(after < AIM_MB, "more than {AIM_MB} MB");
        }
        assert!(median < AIM, "slower than {AIM:?}");
    });
}
