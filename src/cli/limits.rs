//! What `serve` lets its clients have, and whether the system lets it.

use crate::http::Limits;
use crate::http::Rate;

/// Open files besides connections: listeners, the database, ca.json and what it names while it is read again.
const OTHER_FILES: u64 = 64;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Connections in all; at the limit the one that is idle longest makes room [default: 2048]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    max_connections: Option<usize>,
    /// Connections of one address, or of one IPv6 network of 64 bits [default: 256, and any number from this machine]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    max_connections_per_address: Option<usize>,
    /// Requests that are worked on at once; eight times as many wait a second at most, others get 503 [default: 128]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    max_requests: Option<usize>,
    /// Requests a second for certificates from one address, and how many at once; others get 429 [default: any]
    #[arg(long, value_name = "RATE[:BURST]")]
    rate_per_address: Option<Rate>,
    /// Certificates a second for the tokens of one provisioner, and how many at once; others get 429 [default: any]
    #[arg(long, value_name = "RATE[:BURST]")]
    rate_per_provisioner: Option<Rate>,
}

impl Args {
    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(connections) = self.max_connections {
            limits.connections = connections;
        }
        if let Some(connections) = self.max_connections_per_address {
            limits.connections_per_address = connections;
            // Whoever names a number means everybody.
            limits.connections_per_loopback_address = connections;
        }
        if let Some(requests) = self.max_requests {
            limits.requests = requests;
            limits.waiting_requests = requests.saturating_mul(8);
        }
        limits.rate_per_address = self.rate_per_address;
        limits.rate_per_provisioner = self.rate_per_provisioner;
        limits
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}

/// Takes as many open files as the system gives, and makes do with them; tells if these are too few.
///
/// Services are given few to begin with (1024 as a rule) and may take more, since programs that use `select` break
/// beyond 1024. This one does not.
pub(super) fn fit(limits: &mut Limits) -> Option<String> {
    let files = raise_open_files()?;
    let room = files.saturating_sub(OTHER_FILES).max(1);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room >= limits.connections {
        return None;
    }
    let wanted = limits.connections;
    limits.connections = room;
    Some(format!("{room} connections instead of {wanted}: the system allows {files} open files (ulimit -n)"))
}

/// Raises the limit to what is allowed; `None` if there is none.
#[cfg(unix)]
fn raise_open_files() -> Option<u64> {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let present = limit.current?;
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            tracing::debug!(from = present, to = limit.maximum, "more open files are allowed now");
            limit.maximum
        }
        Err(_) => Some(present),
    }
}

#[cfg(not(unix))]
fn raise_open_files() -> Option<u64> {
    None
}
