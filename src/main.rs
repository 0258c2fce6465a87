//! The `stepless` command.

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: tokens and passwords pass through buffers of TLS, HTTP and JSON that no type here owns
/// (docs/security.md).
///
/// A certificate takes several hundred small allocations on whichever thread is free, and some C libraries' own
/// allocators are slow at that (docs/performance.md). The library leaves this choice to whoever embeds it.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> std::process::ExitCode {
    stepless::cli::run()
}
