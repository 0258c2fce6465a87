//! `serve --dev --ephemeral`: an authority that leaves nothing behind, for test suites in other languages.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::limits;
use crate::cli::log;
use crate::cli::signals::Signal;
use crate::cli::signals::Signals;
use crate::http::Limits;
use crate::mini;
use crate::mini::FEDERATION;
use crate::mini::FEDERATION_HS256;
use crate::mini::MiniCa;
use crate::mini::PLAIN;

/// Where it listens unless told otherwise.
const ADDRESS: &str = "127.0.0.1:0";

/// How often is looked whether the parent still lives. A test suite that was killed cannot say that it is over.
const PARENT_INTERVAL: Duration = Duration::from_millis(500);

/// Serves until it is told to stop, or until its parent has ended.
pub(super) fn serve(address: Option<&str>, print_json: bool, mut limits: Limits) -> Result<(), Failure> {
    log::start(None);
    if let Some(warning) = limits::fit(&mut limits) {
        tracing::warn!("{warning}");
    }
    let address = address.unwrap_or(ADDRESS);
    let parent = parent();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::start(format!("cannot start: {error}"), NO_RANDOMNESS))?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            Failure::start(
                format!("cannot listen on {address}: {}", super::failure::reason(&error)),
                "choose a free HOST:PORT with --address",
            )
        })?;
        let ca = MiniCa::builder().name("stepless ephemeral").listener(listener).limits(limits).start().await;
        let ca = ca.map_err(|error| start_failure(&error))?;
        if print_json {
            super::print(&format!("{}\n", description(&ca)?));
        }
        super::eprint(&format!("Serving HTTPS on {} ...\n", ca.url().trim_start_matches("https://")));
        let mut look = tokio::time::interval(PARENT_INTERVAL);
        loop {
            tokio::select! {
                // There is nothing to be read again.
                signal = signals.next() => if let Signal::Stop = signal { break },
                _ = look.tick() => if self::parent() != parent { break },
            }
        }
        ca.stop().await;
        Ok(())
    })
}

/// What a test suite has to know, private keys included: nobody else has any use for them.
fn description(ca: &MiniCa) -> Result<Value, Failure> {
    let provisioners = [PLAIN, FEDERATION, FEDERATION_HS256].map(|name| {
        let key = ca.provisioner_key(name).map_err(|error| start_failure(&error))?;
        let key: Value = serde_json::from_str(&key)
            .map_err(|error| Failure::start(format!("the key of {name}: {error}"), NO_RANDOMNESS))?;
        Ok(json!({ "name": name, "key": key }))
    });
    let provisioners = provisioners.into_iter().collect::<Result<Vec<Value>, Failure>>()?;
    Ok(json!({
        "url": ca.url(),
        "root": ca.root_pem(),
        "fingerprint": ca.root_fingerprint(),
        "provisioners": provisioners,
    }))
}

fn start_failure(error: &mini::Error) -> Failure {
    Failure::start(error.to_string(), NO_RANDOMNESS)
}

#[cfg(unix)]
fn parent() -> Option<u32> {
    Some(std::os::unix::process::parent_id())
}

/// Elsewhere nobody tells who the parent is; the authority ends when it is stopped.
#[cfg(not(unix))]
fn parent() -> Option<u32> {
    None
}
