//! Programs out of Debian's packages, fetched once where they are missing, and one at a time: apt does not wait for another apt, but
//! fails.

use std::process::Command;
use std::sync::Mutex;

/// What `found` finds; gets it first, by a line of the shell, where it finds nothing.
///
/// # Panics
/// When there is still nothing, with what was said.
pub fn or_get<T>(what: &str, get: &str, found: impl Fn() -> Option<T>) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = found() {
        return found;
    }
    let output = Command::new("sh").args(["-c", &format!("apt-get update -qq; {get}")]).output().unwrap();
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    found().unwrap_or_else(|| panic!("this story needs {what}, which could not be had: run `{get}`.\n{}", said()))
}

/// The line that installs packages.
pub fn install(packages: &str) -> String {
    format!("DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {packages}")
}
