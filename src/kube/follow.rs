//! The one loop around a watch: it begins again by itself, and says of an error what kind it was and nothing that was
//! answered, which may quote an object.

use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};

use super::calls;

/// Hands over every event of a watch, for as long as the process lives.
pub async fn follow<K>(
    what: &'static str,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    mut each: impl FnMut(watcher::Event<K>) + Send,
) where
    K: Send,
{
    let mut events = std::pin::pin!(events.default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => each(event),
            Err(error) => {
                tracing::warn!(watch = what, cause = describe(&error), "watch interrupted; it resumes by itself");
            }
        }
    }
}

/// Code and reason of a failed watch, never the server's text.
#[must_use]
pub fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => calls::describe(error),
        watcher::Error::WatchError(status) => format!("{} {}", status.code, status.reason),
        watcher::Error::NoResourceVersion => "the API server gave no resource version".to_owned(),
    }
}
