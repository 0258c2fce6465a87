//! Renewal without anybody at hand: `--daemon`, `--expires-in`, and what is told afterwards.

use std::path::Path;

use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::cli::failure::NO_RANDOMNESS;
use crate::cli::log;
use crate::cli::process;
use crate::cli::process::Process;
use crate::cli::schedule;
use crate::cli::schedule::Schedule;
use crate::cli::signals::Signal;
use crate::cli::signals::Signals;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::duration::GoDuration;
use crate::duration::format_rfc3339;
use crate::entropy::SystemEntropy;
use crate::entropy::Unavailable;
use crate::x509::certificate::Certificate;

/// The longest sleep: a machine that was suspended looks at its clock again soon after.
const NAP: time::Duration = time::Duration::minutes(1);

#[derive(Debug, clap::Args)]
pub(super) struct Unattended {
    /// Stay, and renew the certificate when two thirds of its life are over; SIGHUP renews it now
    #[arg(long)]
    pub(super) daemon: bool,
    /// Renew only this long before the end, such as 8h; without --daemon, else end with nothing done
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<GoDuration>,
    /// Renew after this time, whatever the certificate's life
    #[arg(long, value_name = "DURATION", requires = "daemon", conflicts_with = "expires_in")]
    renew_period: Option<GoDuration>,
    /// Run this in a shell after each renewal
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    #[command(flatten)]
    process: Process,
    /// The number of that signal
    #[arg(long, value_name = "NUMBER", default_value_t = process::HANGUP, hide_default_value = true)]
    signal: i32,
}

fn no_randomness(error: Unavailable) -> Failure {
    Failure::start(error.to_string(), NO_RANDOMNESS)
}

impl Unattended {
    /// The times, which have to lie within the certificate's life.
    pub(super) fn schedule(&self, certificate: &Certificate) -> Result<Schedule, Failure> {
        let life = certificate.not_after() - certificate.not_before();
        for (name, time) in [("--expires-in", self.expires_in), ("--renew-period", self.renew_period)] {
            if let Some(time) = time
                && (time <= GoDuration::ZERO || time.as_time() >= life)
            {
                return Err(Failure::usage(
                    format!("{name} is {time}, and the certificate lives {life}"),
                    "give a time within the certificate's life",
                ));
            }
        }
        let time = |duration: Option<GoDuration>| duration.map(GoDuration::as_time);
        Ok(Schedule { expires_in: time(self.expires_in), period: time(self.renew_period) })
    }

    /// Whether a single renewal has nothing to do yet, which it then says.
    pub(super) fn too_early(&self, certificate: &Certificate) -> Result<bool, Failure> {
        let (schedule, now) = (self.schedule(certificate)?, SystemClock.now());
        let early = schedule.too_early(certificate.not_after(), now, &SystemEntropy::new());
        let early = early.map_err(no_randomness)?;
        if early {
            let end = format_rfc3339(certificate.not_after());
            super::print(&format!("certificate not renewed: it is valid until {end}\n"));
        }
        Ok(early)
    }

    /// Tells those who use the certificate.
    pub(super) async fn tell(&self) -> Result<(), Failure> {
        let failed =
            |what: String| Failure::start(format!("the certificate is renewed, but {what}"), "see to it");
        if let Some(id) = self.process.id()? {
            process::send(id, self.signal)
                .map_err(|reason| failed(format!("process {id} got no signal: {reason}")))?;
        }
        let Some(line) = &self.exec else { return Ok(()) };
        let mut command = if cfg!(windows) {
            let mut command = tokio::process::Command::new("cmd");
            command.args(["/C", line]);
            command
        } else {
            let mut command = tokio::process::Command::new("sh");
            command.args(["-c", line]);
            command
        };
        match command.stdin(std::process::Stdio::null()).status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!("{line:?} ended with {status}"))),
            Err(error) => Err(failed(format!("{line:?} cannot run: {error}"))),
        }
    }

    /// Renews until SIGTERM or SIGINT. `renew` gets the number of renewals so far.
    pub(super) async fn run(
        &self,
        path: &Path,
        mut certificate: Certificate,
        renew: impl AsyncFn(u64) -> Result<Certificate, Failure>,
    ) -> Result<(), Failure> {
        let schedule = self.schedule(&certificate)?;
        log::start(None);
        let mut signals = Signals::new()?;
        let entropy = SystemEntropy::new();
        let due_at = |certificate: &Certificate| {
            let life = (certificate.not_before(), certificate.not_after());
            schedule.due(life, SystemClock.now(), &entropy).map_err(no_randomness)
        };
        let (mut due, mut renewals, mut failures) = (due_at(&certificate)?, 0, 0);
        tracing::info!(certificate = %path.display(), at = %format_rfc3339(due), "next renewal");
        while wait(&mut signals, due).await {
            let result = tokio::select! {
                biased;
                () = stopped(&mut signals) => break,
                result = renew(renewals) => result,
            };
            match result {
                Ok(new) => {
                    (renewals, failures) = (renewals + 1, 0);
                    certificate = new;
                    // One that is due as soon as it is there would keep the authority busy.
                    let pause = (certificate.not_after() - certificate.not_before()) / 20;
                    due = due_at(&certificate)?.max(SystemClock.now() + pause);
                    let serial = certificate.serial_number();
                    let (end, at) = (format_rfc3339(certificate.not_after()), format_rfc3339(due));
                    tracing::info!(%serial, not_after = %end, %at, "certificate renewed");
                    let told = tokio::select! {
                        biased;
                        () = stopped(&mut signals) => break,
                        told = self.tell() => told,
                    };
                    if let Err(failure) = told {
                        tracing::error!(reason = %failure.message(), "told nobody");
                    }
                }
                Err(failure) => {
                    failures += 1;
                    let again =
                        schedule::retry(failures, certificate.not_after(), SystemClock.now(), &entropy);
                    due = again.map_err(no_randomness)?;
                    let at = format_rfc3339(due);
                    tracing::error!(reason = %failure.message(), failures, %at, "certificate not renewed");
                }
            }
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Waits until a time, or until SIGHUP; `false` says to stop.
async fn wait(signals: &mut Signals, due: OffsetDateTime) -> bool {
    loop {
        let left = due - SystemClock.now();
        let Ok(nap) = std::time::Duration::try_from(left.min(NAP)) else { return true };
        if nap.is_zero() {
            return true;
        }
        tokio::select! {
            signal = signals.next() => return signal == Signal::Reload,
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Waits for the signal to stop.
async fn stopped(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}
