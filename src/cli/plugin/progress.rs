//! That something goes on, for who waits at a terminal: a line on stderr once it has taken longer than a second.

use std::pin::pin;
use std::time::Duration;

use indicatif::ProgressBar;

/// What is done sooner needs no line.
const A_SECOND: Duration = Duration::from_secs(1);
/// Time between two drawings.
const DRAWN: Duration = Duration::from_millis(100);

/// Does it. The line goes when it is done; there is none where stderr is no terminal.
pub async fn during<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(A_SECOND, work.as_mut()).await {
        return done;
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(DRAWN);
    let done = work.await;
    bar.finish_and_clear();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_done_all_the_same_and_only_once() {
        for seconds in [0, 5] {
            let begun = tokio::time::Instant::now();
            let work = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                seconds
            };
            assert_eq!(during("reading", work).await, seconds);
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
    }
}
