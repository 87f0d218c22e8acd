//! What is released, as it becomes known: lists now and then, and a watch in between.
//!
//! The lists are the truth, and the watch makes the next leaver known at once. Where it cannot be had, lists come more
//! often: less so the more a list has to hold.

use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt};
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::time::Instant;

use super::Context;
use super::queue::Released;
use crate::api::Revocation;
use crate::kube::calls;
use crate::kube::inventory::list_at;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;

/// What is asked for.
const RELEASED: &str = "status.phase=Released";
/// How often it is listed while nothing is under way, and while claims of others are watched,
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// and how much less often for each Revocation that the last list held, up to a bound, which also holds while a watch stands.
const LESS_OFTEN: Duration = Duration::from_millis(10);
/// The bound.
const MAX_LIST_AGAIN: Duration = Duration::from_secs(10);
/// Longest life of a watch, in seconds. A Job has 600.
const WATCHED: u32 = 290;

/// Something new.
#[derive(Debug)]
pub enum News {
    /// All that is released.
    Listed(Vec<Released>),
    /// This is released.
    Released(Released),
    /// This is not, or not any more.
    Over(String),
    /// It could not be listed.
    Failed(Fault),
}

/// What a list gave: what is released, and the version to watch from.
type List = Result<(Vec<Released>, Option<String>), Fault>;

/// Where news come from.
pub struct Source {
    api: Api<Revocation>,
    listing: Option<BoxFuture<'static, List>>,
    watch: Option<BoxStream<'static, kube::Result<WatchEvent<Revocation>>>>,
    watched: Option<Instant>,
    /// When the last list ended, and how many it held.
    listed: Option<(Instant, usize)>,
}

impl Source {
    /// Nothing known yet.
    pub fn new(ctx: &Context) -> Self {
        let api = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        Self { api, listing: None, watch: None, watched: None, listed: None }
    }

    /// Whether all that is released was listed just now, with this to do.
    pub fn is_fresh(&self, now: Instant, doing: Doing) -> bool {
        self.listing.is_none() && self.due(doing).is_some_and(|due| due > now)
    }

    /// The next news. What is under way when this is dropped goes on at the next call.
    pub async fn next(&mut self, doing: Doing) -> News {
        loop {
            let due = self.due(doing);
            if self.listing.is_none() && due.is_none_or(|due| due <= Instant::now()) {
                self.listing = Some(list(self.api.clone()).boxed());
            }
            let watched = self.watch.as_mut().map(StreamExt::next);
            tokio::select! {
                Some(list) = OptionFuture::from(self.listing.as_mut()) => return self.listed(list),
                Some(event) = OptionFuture::from(watched) => {
                    if let Some(news) = self.heard(event) {
                        return news;
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if self.listing.is_none() => {}
            }
        }
    }

    /// When it is to be listed next; none for at once.
    fn due(&self, doing: Doing) -> Option<Instant> {
        let (listed, held) = self.listed?;
        Some(listed + pause(doing, self.watch.is_some(), held))
    }

    fn listed(&mut self, list: List) -> News {
        self.listing = None;
        let held = list.as_ref().map_or(0, |(released, _)| released.len());
        self.listed = Some((Instant::now(), held));
        match list {
            Ok((released, version)) => {
                if self.watch.is_none() {
                    self.watch = version.map(|version| watch(self.api.clone(), version));
                    self.watched = Some(Instant::now());
                }
                News::Listed(released)
            }
            Err(fault) => News::Failed(fault),
        }
    }

    /// What an event says.
    fn heard(&mut self, event: Option<kube::Result<WatchEvent<Revocation>>>) -> Option<News> {
        match event {
            Some(Ok(WatchEvent::Added(revocation) | WatchEvent::Modified(revocation))) => {
                let uid = revocation.metadata.uid.clone()?;
                Some(Released::of(revocation).map_or(News::Over(uid), News::Released))
            }
            Some(Ok(WatchEvent::Deleted(revocation))) => revocation.metadata.uid.map(News::Over),
            Some(Ok(WatchEvent::Bookmark(_))) => None,
            Some(Ok(WatchEvent::Error(_))) | None => {
                self.unwatched();
                None
            }
            Some(Err(error)) => {
                tracing::info!(
                    cause = calls::describe(&error),
                    "watch interrupted; what is released is listed instead"
                );
                self.unwatched();
                None
            }
        }
    }

    /// The watch ended. One that stood for long is begun again at once, by a list; one that is not to be had is not asked for
    /// again and again.
    fn unwatched(&mut self) {
        self.watch = None;
        if self.watched.take().is_some_and(|since| since.elapsed() >= MAX_LIST_AGAIN) {
            self.listed = None;
        }
    }
}

/// What the process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing: the next list is the last if it holds nothing new.
    Nothing,
    /// Something, while claims of others are watched.
    Watching,
    /// Something.
    Working,
}

/// Time between two lists.
fn pause(doing: Doing, watched: bool, held: usize) -> Duration {
    match doing {
        Doing::Nothing => LIST_AGAIN,
        Doing::Working if watched => MAX_LIST_AGAIN,
        Doing::Working | Doing::Watching => {
            let more = LESS_OFTEN.saturating_mul(u32::try_from(held).unwrap_or(u32::MAX));
            (LIST_AGAIN + more).min(MAX_LIST_AGAIN)
        }
    }
}

async fn list(api: Api<Revocation>) -> List {
    list_at(&api, &ListParams::default().fields(RELEASED), Released::of).await
}

fn watch(api: Api<Revocation>, version: String) -> BoxStream<'static, kube::Result<WatchEvent<Revocation>>> {
    let params = WatchParams::default().fields(RELEASED).timeout(WATCHED).disable_bookmarks();
    async move { api.watch(&params, &version).await }.try_flatten_stream().boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_listed_seldom_and_else_the_less_often_the_more_a_list_holds() {
        use Doing::{Nothing, Watching, Working};
        for (doing, watched, held, milliseconds) in [
            (Nothing, true, 1_000, 1_000),
            (Nothing, false, 1_000, 1_000),
            (Working, true, 1, 10_000),
            (Working, false, 1, 1_010),
            (Working, false, 100, 2_000),
            (Working, false, 1_000, 10_000),
            (Working, false, usize::MAX, 10_000),
            (Watching, true, 1, 1_010),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(pause(doing, watched, held), expected, "{doing:?}, watched: {watched}, {held}");
        }
    }
}
