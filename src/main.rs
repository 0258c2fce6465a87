//! The `stepless` command.

fn main() -> std::process::ExitCode {
    stepless::cli::run()
}
