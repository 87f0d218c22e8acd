//! Waiting for a condition. Nothing here sleeps for a guessed time: it looks again until what it waits for is there.

use std::time::Duration;

/// Longest wait for something that must happen. Only a test that fails waits so long: a slow machine decides nothing.
pub const PATIENCE: Duration = Duration::from_secs(300);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks until there is something, and gives it.
///
/// # Panics
/// When there is nothing within `PATIENCE`: the test has failed, and its installation prints what it looked at.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl FnMut() -> F) -> T {
    within(PATIENCE, what, look).await
}

/// `eventually` with a bound of its own, where the bound is what is tested.
pub async fn within<T, F: Future<Output = Option<T>>>(bound: Duration, what: &str, mut look: impl FnMut() -> F) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < bound, "not within {} s: {what}", bound.as_secs());
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
