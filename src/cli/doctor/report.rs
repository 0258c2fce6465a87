//! What was found, line by line: mark, what was looked at, which one, and how long it took.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Good,
    Doubtful,
    Bad,
}

/// Why something is bad, and what to do about it.
pub(super) type Fault = (String, &'static str);

pub(super) struct Report {
    json: bool,
    checks: Vec<Value>,
    worst: Mark,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, checks: Vec::new(), worst: Mark::Good }
    }

    /// Does a check and times it; gives what it found if it is good.
    pub(super) fn run<T>(
        &mut self,
        name: &str,
        target: &str,
        check: impl FnOnce() -> Result<T, Fault>,
    ) -> Option<T> {
        let begun = Instant::now();
        let result = check();
        self.done(name, target, begun, result)
    }

    /// Reports a check that began a while ago.
    pub(super) fn done<T>(
        &mut self,
        name: &str,
        target: &str,
        begun: Instant,
        result: Result<T, Fault>,
    ) -> Option<T> {
        match result {
            Ok(found) => {
                self.add(Mark::Good, name, target, begun.elapsed(), "", "");
                Some(found)
            }
            Err((message, hint)) => {
                self.add(Mark::Bad, name, target, begun.elapsed(), &message, hint);
                None
            }
        }
    }

    pub(super) fn good(&mut self, name: &str, target: &str, message: &str) {
        self.add(Mark::Good, name, target, Duration::ZERO, message, "");
    }

    pub(super) fn warn(&mut self, name: &str, target: &str, message: &str, hint: &str) {
        self.add(Mark::Doubtful, name, target, Duration::ZERO, message, hint);
    }

    pub(super) fn fail(&mut self, name: &str, target: &str, message: &str, hint: &str) {
        self.add(Mark::Bad, name, target, Duration::ZERO, message, hint);
    }

    fn add(&mut self, mark: Mark, name: &str, target: &str, took: Duration, message: &str, hint: &str) {
        self.worst = self.worst.max(mark);
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if self.json {
            let status = match mark {
                Mark::Good => "ok",
                Mark::Doubtful => "warning",
                Mark::Bad => "failed",
            };
            self.checks.push(json!({
                "name": name, "target": target, "status": status, "message": message, "hint": hint,
                "milliseconds": milliseconds,
            }));
            return;
        }
        let mark = match mark {
            Mark::Good => '✓',
            Mark::Doubtful => '!',
            Mark::Bad => '✗',
        };
        let mut line = format!("{mark} {name}  {target}");
        if !message.is_empty() {
            line.push_str(&format!(": {message}"));
        }
        line.push_str(&format!(" ({milliseconds} ms)\n"));
        if !hint.is_empty() {
            line.push_str(&format!("  hint: {hint}\n"));
        }
        super::super::print(&line);
    }

    /// The exit code.
    pub(super) fn finish(self) -> u8 {
        let code = self.worst as u8;
        if self.json {
            super::super::print(&format!("{}\n", json!({ "exitCode": code, "checks": self.checks })));
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_the_exit_code() {
        let check = |marks: &[Mark], expected: u8| {
            let mut report = Report::new(true);
            for mark in marks {
                report.add(*mark, "name", "target", Duration::ZERO, "", "");
            }
            assert_eq!(report.finish(), expected, "{marks:?}");
        };
        check(&[], 0);
        check(&[Mark::Good], 0);
        check(&[Mark::Doubtful, Mark::Good], 1);
        check(&[Mark::Good, Mark::Bad, Mark::Doubtful], 2);
    }
}
