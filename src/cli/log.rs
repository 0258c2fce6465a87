//! The log of the daemon: one line an event on standard error, in the format that ca.json asks for now.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tracing::Event;
use tracing::Subscriber;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::registry::LookupSpan;

use crate::cli::log_line;

/// Whether the log is JSON. There is one log in a process, as there is one standard error.
static JSON: AtomicBool = AtomicBool::new(false);

/// Starts the log; `format` is that of ca.json. A second call in one process only sets the format.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn start(format: Option<&str>) {
    set_format(format);
    let filter = std::env::var("STEPLESS_LOG").unwrap_or_default();
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .parse_lossy(filter);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = log.event_format(Format).try_init();
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
