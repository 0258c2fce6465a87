//! Keeps the memory of a process that holds keys to itself.

/// No core file is written of this process, and nobody but root may look into it.
///
/// Both, since a program that takes core files (core(5)) gets them whatever the limit is.
#[cfg(unix)]
pub(super) fn seal() {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a crash may leave a core file, which would hold keys");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "other processes of this user may look into the memory, which holds keys");
    }
}

#[cfg(not(unix))]
pub(super) fn seal() {}
