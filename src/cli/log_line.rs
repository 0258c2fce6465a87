//! A line of the JSON log: what `tracing-subscriber` writes for an event without spans, at a third of the cost.
//!
//! Two lines are written for each certificate.

use std::fmt;
use std::fmt::Debug;
use std::fmt::Write;

use serde::Serialize;
use tracing::Event;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::time::SystemTime;

/// Writes an event: time, level, fields in their order, target.
pub(super) fn write(mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let mut line = String::with_capacity(640);
    line.push_str("{\"timestamp\":\"");
    SystemTime.format_time(&mut Writer::new(&mut line))?;
    write!(line, "\",\"level\":\"{}\"", event.metadata().level())?;
    let mut members = Members { line, result: Ok(()) };
    event.record(&mut members);
    members.member("target", event.metadata().target());
    members.result?;
    members.line.push_str("}\n");
    writer.write_str(&members.line)
}

struct Members {
    line: String,
    result: fmt::Result,
}

impl Members {
    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.line.push(',');
        self.json(name);
        self.line.push(':');
        self.json(value);
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        match serde_json::to_string(value) {
            Ok(text) => self.line.push_str(&text),
            Err(_) => self.result = Err(fmt::Error),
        }
    }
}

impl Visit for Members {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use serde_json::Value;
    use tracing::Subscriber;
    use tracing_subscriber::fmt::FmtContext;
    use tracing_subscriber::fmt::FormatEvent;
    use tracing_subscriber::fmt::FormatFields;
    use tracing_subscriber::fmt::format;
    use tracing_subscriber::registry::LookupSpan;

    use super::*;

    struct Ours;

    impl<S, N> FormatEvent<S, N> for Ours
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        fn format_event(
            &self,
            _: &FmtContext<'_, S, N>,
            writer: Writer<'_>,
            event: &Event<'_>,
        ) -> fmt::Result {
            write(writer, event)
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn events() {
        let error = io::Error::other("no \"room\"");
        tracing::info!(
            request_id = "a\n\u{1}ü\u{2028}",
            some = Some("x"),
            none = None::<&str>,
            count = 7_u64,
            less = -7_i64,
            port = 443_u16,
            yes = true,
            part = 0.5,
            shown = %"<a&b>",
            debug = ?vec!["q"],
            "said {}",
            1
        );
        tracing::error!(%error, hint = error.to_string(), "failed");
        tracing::warn!("alone");
    }

    fn lines(format: impl Fn(Lines)) -> Vec<String> {
        let lines = Lines::default();
        format(lines.clone());
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn it_is_what_the_library_writes() {
        let log = || tracing_subscriber::fmt().with_ansi(false);
        let ours = lines(|lines| {
            let log = log().event_format(Ours).with_writer(Mutex::new(lines)).finish();
            tracing::subscriber::with_default(log, events);
        });
        let theirs = lines(|lines| {
            let format = format().json().flatten_event(true);
            let log = log().event_format(format).with_writer(Mutex::new(lines)).finish();
            tracing::subscriber::with_default(log, events);
        });
        // Each is written at a time of its own.
        let time =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_str().unwrap().len();
        let rest = |line: &String| line.split_once(',').unwrap().1.to_owned();
        assert_eq!(ours.iter().map(rest).collect::<Vec<_>>(), theirs.iter().map(rest).collect::<Vec<_>>());
        assert_eq!(time(&ours[0]), time(&theirs[0]));
        assert_eq!(ours.len(), 3);
    }
}
