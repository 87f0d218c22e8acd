//! Start-up: arguments, log, TLS provider, runtime; then the command. A failure is one line and an exit code.

use std::fmt::Display;
use std::process::ExitCode;

use rollcall::cli;
use rollcall::kube::telemetry;

/// What a pass over everybody takes is given back when it is over: the allocator of glibc keeps most of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let rollcall = cli::parse();
    if let Some(filter) = rollcall.log_filter()
        && let Err(error) = telemetry::init(filter)
    {
        return failed(&error);
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return failed(&"another TLS provider is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(cli::run(rollcall.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            failed(&error);
            ExitCode::from(error.code())
        }
    }
}

fn failed(error: &dyn Display) -> ExitCode {
    eprintln!("rollcall: {error}");
    ExitCode::FAILURE
}
