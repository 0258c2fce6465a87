//! The log of the daemon: one line an event on standard error, in the format that ca.json asks for now.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tracing::Event;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::log_line;

/// Whether the log is JSON. There is one log in a process, as there is one standard error.
static JSON: AtomicBool = AtomicBool::new(false);

/// Starts the log; `format` is that of ca.json. A second call in one process only sets the format.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn start(format: Option<&str>) {
    set_format(format);
    let wanted = std::env::var("STEPLESS_LOG").unwrap_or_default();
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let _ = tracing_subscriber::registry().with(levels(&wanted)).with(log.event_format(Format)).try_init();
}

/// Which events are written: levels and `target=level`, between commas; what cannot be read is left out, and said.
fn levels(wanted: &str) -> Targets {
    let mut readable = Vec::new();
    for part in wanted.split(',').filter(|part| !part.trim().is_empty()) {
        match part.parse::<Targets>() {
            Ok(_) => readable.push(part),
            Err(error) => super::eprint(&format!("warning: STEPLESS_LOG: {part:?} is left out: {error}\n")),
        }
    }
    // Each part can be read, so all of them can.
    let levels = readable.join(",").parse().ok().filter(|_| !readable.is_empty());
    levels.unwrap_or(Targets::new().with_default(LevelFilter::INFO))
}

/// Writes events from now on as `logger.format` of ca.json says.
pub(super) fn set_format(format: Option<&str>) {
    JSON.store(format == Some("json"), Ordering::Relaxed);
}

struct Format;

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let is_json = JSON.load(Ordering::Relaxed);
        // Others may have spans, or come out of the `log` crate.
        if is_json && event.metadata().target().starts_with("stepless") {
            log_line::write(writer, event)
        } else if is_json {
            format().json().flatten_event(true).format_event(context, writer, event)
        } else {
            format().format_event(context, writer, event)
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn check(wanted: &str, target: &str, level: Level, expected: bool) {
        assert_eq!(levels(wanted).would_enable(target, &level), expected, "{wanted:?}: {target} at {level}");
    }

    #[test]
    fn levels_and_targets() {
        for wanted in ["", " ", "no=such=level", "stepless=loud"] {
            check(wanted, "stepless::http", Level::INFO, true);
            check(wanted, "stepless::http", Level::DEBUG, false);
        }
        check("warn", "stepless::http", Level::INFO, false);
        check("warn,stepless::http=debug", "stepless::http::tls", Level::DEBUG, true);
        check("warn,stepless::http=debug", "stepless::store", Level::DEBUG, false);
        check("stepless=debug,stepless=loud", "stepless::store", Level::DEBUG, true);
    }
}
