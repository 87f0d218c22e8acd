//! What is remembered of a file between two polls. In memory only: after a start everything is read again.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use tokio::time::Instant;

use super::Fetched;
use super::completeness::{Delivery, Sightings};
use domain::employee::Failure;

/// How long a source is believed that it has nothing new. Then it is asked for the whole file, in case it is wrong.
const MAX_AGE: Duration = Duration::from_hours(24);

/// What is remembered of a file between two polls.
#[derive(Default)]
pub struct FetchCache {
    pub(super) last: Option<Last>,
    /// How often each name was seen with the same size and time.
    pub(super) sightings: Sightings,
    /// What is to be moved away once the answer is believed.
    pub(super) moves: Vec<Move>,
    /// There is no second poll in which a file could stand still.
    pub(super) once: bool,
}

/// What the last whole answer was read from, and what became of it.
pub(super) struct Last {
    pub(super) from: Origin,
    pub(super) outcome: LastOutcome,
}

/// Where an answer came from.
pub(super) enum Origin {
    /// Behind a URL: what the source called this state of it, and when that was.
    Http(HeaderMap, Instant),
    /// Files of a folder, as they lay there.
    Files(Vec<Delivery>),
}

/// What became of an answer.
pub(super) enum LastOutcome {
    /// Nothing yet, or it was held: it is read again, in case that was accepted.
    Open,
    /// It was believed.
    Believed,
    /// It is not what a file must be.
    Failed(Failure),
}

/// A file to be moved away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) folder: &'static str,
    pub(super) name: String,
    pub(super) digest: String,
}

impl FetchCache {
    /// Of a reader that reads once: no file has to stand still for several polls.
    #[must_use]
    pub fn once() -> Self {
        Self { once: true, ..Self::default() }
    }

    /// Forgets what was read, so that it is read again.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// The last answer was believed.
    pub fn believed(&mut self) {
        if let Some(last) = &mut self.last {
            last.outcome = LastOutcome::Believed;
        }
    }

    /// Whether files wait to be moved away.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        !self.moves.is_empty() && matches!(self.last, Some(Last { outcome: LastOutcome::Believed, .. }))
    }

    /// The headers that ask a source for a file only if it is another one than was believed.
    pub(super) fn conditions(&self, now: Instant) -> HeaderMap {
        match &self.last {
            Some(Last { from: Origin::Http(headers, at), outcome: LastOutcome::Believed })
                if now.saturating_duration_since(*at) < MAX_AGE =>
            {
                headers.clone()
            }
            _ => HeaderMap::new(),
        }
    }

    /// Remembers what a source calls this state of its file.
    pub(super) fn answered(&mut self, headers: &HeaderMap) {
        let named = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
        let named = named.into_iter().filter_map(|(says, asks)| Some((asks, HeaderValue::clone(headers.get(says)?))));
        let conditions: HeaderMap = named.collect();
        let from = Origin::Http(conditions, Instant::now());
        self.last = Some(Last { from, outcome: LastOutcome::Open });
    }

    /// Remembers the files that were read.
    pub(super) fn read(&mut self, files: Vec<Delivery>, outcome: LastOutcome) {
        self.last = Some(Last { from: Origin::Files(files), outcome });
    }

    /// What there is to say where nothing new came: a delivery that was no good stays the newest there is.
    pub(super) fn nothing(&self, why: String) -> Result<Fetched, Failure> {
        match &self.last {
            Some(Last { outcome: LastOutcome::Failed(failure), .. }) => Err(failure.clone()),
            _ => Ok(Fetched::Nothing(why)),
        }
    }

    /// Whether exactly these files were read last, and need not be again.
    pub(super) fn knows(&self, files: &[Delivery]) -> bool {
        match &self.last {
            Some(Last { from: Origin::Files(known), outcome: LastOutcome::Believed | LastOutcome::Failed(_) }) => {
                known.iter().map(Delivery::itself).eq(files.iter().map(Delivery::itself))
            }
            _ => false,
        }
    }
}
