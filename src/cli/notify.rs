//! What a service manager is told: systemd's `sd_notify` protocol, for units of `Type=notify` or `notify-reload`.
//!
//! One datagram a message to the socket that `NOTIFY_SOCKET` names; without the variable nothing is said. A manager that
//! does not listen is no reason to stop serving.

use std::ffi::OsString;
use std::time::Duration;

/// Tells the service manager how the daemon is.
#[derive(Debug, Clone)]
pub(super) struct Notifier {
    socket: Option<OsString>,
    /// How often the manager wants to hear from the daemon, if at all.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
    pub(super) fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        // The variables may have been meant for the process that started this one.
        let ours = std::env::var_os("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID") == Some(u64::from(std::process::id()));
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0).map(Duration::from_micros),
        }
    }

    /// It serves.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\n{}", status_line(status)));
    }

    /// It reads its configuration again; [`ready`](Self::ready) follows in any case.
    pub(super) fn reloading(&self) {
        let time = monotonic_usec().map(|usec| format!("MONOTONIC_USEC={usec}\n")).unwrap_or_default();
        self.send(&format!("RELOADING=1\n{time}{}", status_line("reading the configuration again")));
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.send(&format!("STOPPING=1\n{}", status_line("stopping: running requests may finish")));
    }

    /// Shows from now on that the threads which serve still run, twice in the time that the manager waits.
    pub(super) fn keep_watchdog_quiet(&self) {
        let (Some(period), Some(_)) = (self.watchdog, &self.socket) else { return };
        let notifier = self.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(period / 2);
            loop {
                tick.tick().await;
                notifier.send("WATCHDOG=1\n");
            }
        });
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = send(socket, message)
        {
            tracing::warn!(%error, socket = %socket.display(), "the service manager was not told");
        }
    }
}

/// A status is one line.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.replace(['\n', '\r'], " "))
}

/// `@` begins the name of an abstract socket, `/` a path (sd_notify(3)).
#[cfg(target_os = "linux")]
fn send(socket: &OsString, message: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;
    use std::os::unix::net::UnixDatagram;
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    // A manager that hangs must not make the daemon hang.
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(message.as_bytes(), &address).map(|_| ())
}

#[cfg(not(target_os = "linux"))]
fn send(_: &OsString, _: &str) -> std::io::Result<()> {
    Ok(())
}

/// The clock by which systemd tells a reload that has begun from one before.
#[cfg(target_os = "linux")]
fn monotonic_usec() -> Option<i64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.checked_mul(1_000_000)?.checked_add(time.tv_nsec / 1000)
}

#[cfg(not(target_os = "linux"))]
fn monotonic_usec() -> Option<i64> {
    None
}
