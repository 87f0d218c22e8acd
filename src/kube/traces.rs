//! Traces: what processes did for a Revocation, sent to a collector of OpenTelemetry. Nothing of Rollcall waits for it.
//!
//! Who has done something leaves a span here and goes on. One task sends them, a few hundred at a time. A collector that is away, or
//! slow, costs spans and nothing else: what does not fit into the queue is dropped and counted.

mod otlp;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::otlp::{Collector, Resource};
use self::otlp::{NotTaken, body};
use domain::traces::Span;

/// Spans that wait at most; each takes less than a kilobyte.
const WAITING: usize = 2048;
/// Spans that are sent together at most,
const TOGETHER: usize = 256;
/// and how long the first of them waits for others.
const MOMENT: Duration = Duration::from_millis(500);
/// How often spans are sent that the collector could not take for now, and the wait before the second time; it doubles.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_secs(1);
/// How long a process that ends waits for its last spans to be taken.
const LAST: Duration = Duration::from_secs(1);

/// Where spans are left.
#[derive(Debug, Default)]
pub struct Traces {
    queue: Option<mpsc::Sender<Span>>,
    dropped: Counter,
}

impl Traces {
    /// Whether anybody is told: else nothing needs to be worked out.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        self.queue.is_some()
    }

    /// Leaves spans to be sent. Never waits: those for which there is no room are dropped.
    pub fn tell(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(queue) = &self.queue else { return };
        for span in spans {
            if queue.try_send(span).is_err() {
                self.dropped.inc();
            }
        }
    }
}

/// The task that sends spans; it ends with this value.
#[derive(Debug, Default)]
pub struct Sending {
    over: CancellationToken,
    task: Option<JoinHandle<()>>,
    /// Whether the collector took what it was sent last.
    taken: Arc<AtomicBool>,
}

impl Sending {
    /// Sends what is left, for a second at most; not at all if the collector took nothing the last time.
    pub async fn end(mut self) {
        self.over.cancel();
        if let Some(task) = self.task.as_mut().filter(|_| self.taken.load(Ordering::Relaxed)) {
            let _ = tokio::time::timeout(LAST, task).await;
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Begins to send spans to a collector; without one nothing is kept.
///
/// # Guarantees    what leaves spans never waits; at most [`WAITING`] of them are held
#[must_use]
pub fn begin(collector: Option<Collector>, resource: Resource, dropped: Counter) -> (Arc<Traces>, Sending) {
    let Some(collector) = collector else { return Default::default() };
    let (queue, spans) = mpsc::channel(WAITING);
    let (over, taken) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
    let sender = Sender {
        collector,
        resource,
        dropped: dropped.clone(),
        over: over.clone(),
        taken: Arc::clone(&taken),
        away: false,
    };
    let task = tokio::spawn(sender.run(spans));
    (Arc::new(Traces { queue: Some(queue), dropped }), Sending { over, task: Some(task), taken })
}

/// What sends.
struct Sender {
    collector: Collector,
    resource: Resource,
    dropped: Counter,
    over: CancellationToken,
    taken: Arc<AtomicBool>,
    /// Whether it was told that the collector takes nothing.
    away: bool,
}

impl Sender {
    async fn run(mut self, mut spans: mpsc::Receiver<Span>) {
        let over = self.over.clone();
        let mut batch = Vec::new();
        while !over.is_cancelled() {
            tokio::select! {
                () = over.cancelled() => break,
                received = spans.recv_many(&mut batch, TOGETHER) => if received == 0 { return },
            }
            let moment = tokio::time::sleep(MOMENT);
            let mut moment = std::pin::pin!(moment);
            while batch.len() < TOGETHER {
                let room = TOGETHER - batch.len();
                tokio::select! {
                    () = over.cancelled() => break,
                    () = &mut moment => break,
                    received = spans.recv_many(&mut batch, room) => if received == 0 { break },
                }
            }
            self.send(std::mem::take(&mut batch)).await;
        }
        while let Ok(span) = spans.try_recv() {
            batch.push(span);
        }
        for last in batch.chunks(TOGETHER) {
            self.send(last.to_vec()).await;
        }
    }

    /// Sends spans, more than once where the collector may take them later.
    async fn send(&mut self, spans: Vec<Span>) {
        if spans.is_empty() {
            return;
        }
        let body = body(&self.resource, &spans);
        let mut pause = AGAIN;
        for _ in 0..TRIES {
            let answered = self.collector.take(body.clone()).await;
            self.taken.store(answered.is_ok(), Ordering::Relaxed);
            let NotTaken { why, may_pass } = match answered {
                Ok(refused) => {
                    self.dropped.inc_by(refused);
                    self.away = false;
                    return;
                }
                Err(not_taken) => not_taken,
            };
            if !std::mem::replace(&mut self.away, true) {
                tracing::warn!(why, "the collector of traces takes no spans; nothing else is concerned");
            }
            if !may_pass {
                break;
            }
            tokio::select! {
                () = self.over.cancelled() => break,
                () = tokio::time::sleep(pause) => pause = pause.saturating_mul(2),
            }
        }
        self.dropped.inc_by(u64::try_from(spans.len()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests;
