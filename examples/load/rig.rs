//! A server and its client: started, filled, put under load.

use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::client::Client;
use crate::client::Run;
use crate::requests;
use crate::requests::Algorithm;
use crate::server::Server;

/// So many requests are made, sent and checked at a time: some 60 MB.
const SLICE: usize = 10_000;

/// Longer than docker takes to make a container.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) server: Server,
    pub(crate) client: Client,
    /// Certificates that it has issued.
    pub(crate) stored: usize,
}

impl<'a> Rig<'a> {
    pub(crate) fn new(runtime: &'a Runtime, server: Server) -> Self {
        let client = Client::new(server.address, &server.root);
        Self { runtime, server, client, stored: 0 }
    }

    /// Starts the server; milliseconds from the start of its process to its first answer.
    pub(crate) fn start(&mut self) -> f64 {
        self.server.start();
        let begun = Instant::now();
        while !self.runtime.block_on(self.client.is_answered()) {
            self.server.check();
            assert!(begun.elapsed() < PATIENCE, "it does not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.server.answered().as_secs_f64() * 1e3
    }

    /// Lets it issue certificates until it has so many.
    pub(crate) fn fill(&mut self, until: usize) {
        while self.stored < until {
            self.under_load(Algorithm::Hs256, SLICE.min(until - self.stored), 64);
        }
    }

    /// Microseconds of the server's CPU time for each certificate, and how long each took. Every answer is checked.
    pub(crate) fn under_load(
        &mut self,
        algorithm: Algorithm,
        count: usize,
        connections: usize,
    ) -> (f64, Run) {
        let requests = requests::make(&self.server.keys, algorithm, count);
        let before = self.server.cpu();
        let run = self.runtime.block_on(self.client.run(&requests, connections));
        let cpu = micros(self.server.cpu() - before) / count as f64;
        run.check(&requests);
        self.stored += count;
        (cpu, run)
    }

    /// Resident memory, MiB.
    pub(crate) fn memory(&self) -> f64 {
        self.server.memory() as f64 / 1024.0
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
