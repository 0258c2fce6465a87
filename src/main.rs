//! The `stepless` command.

/// A certificate takes several hundred small allocations on whichever thread is free, and some C libraries' own
/// allocators are slow at that (docs/performance.md). The library leaves this choice to whoever embeds it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    stepless::cli::run()
}
