//! What a process has used, as Linux counts it.

use std::time::Duration;

/// `_SC_CLK_TCK` of every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// The CPU time of a process, user and system.
pub(crate) fn cpu(id: u32) -> Duration {
    ticks(id, 14) + ticks(id, 15)
}

/// When a process started, from the start of the machine, to a hundredth of a second.
pub(crate) fn started(id: u32) -> Duration {
    ticks(id, 22)
}

/// How long the machine runs.
pub(crate) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.try_into().expect("a time after the start")
}

/// A field of `/proc/pid/stat` that counts ticks, by its number in proc(5).
fn ticks(id: u32, field: usize) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    // The second field is a name in parentheses, which may hold spaces.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 =
        rest.split_whitespace().nth(field - 3).and_then(|text| text.parse().ok()).expect("ticks");
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The CPU time of a process and all of its children.
pub(crate) fn family_cpu(id: u32) -> Duration {
    let children =
        std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("the process runs");
    let children = children.split_whitespace().map(|id| id.parse().expect("a process id"));
    cpu(id) + children.map(cpu).sum::<Duration>()
}

/// A line of `/proc/pid/status` in KiB, `VmRSS` or `VmHWM`.
pub(crate) fn memory(id: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a number of kB")
}
