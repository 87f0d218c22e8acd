//! `rollcall tell`: sends each turn of a person, and what came of each Revocation, to a receiver, as CloudEvents. Optional, with an
//! identity of its own.
//!
//! ```text
//! Person.status.turns, Revocation.status ──watch──▶ what waits (outbox, pure) ──one POST each (deliver)──▶ receiver
//!                                                         ▲                                     │ taken
//!                                                         └── ConfigMaps rollcall-told-… ◀──────┘
//! ```
//! What waits stands in the cluster, so a receiver that is away, or a process that is killed, loses nothing. It reads, and writes nothing
//! but what it has told; nothing of Rollcall waits for it. The network is told numbers and ids, and no name.

pub mod deliver;
pub mod event;
pub mod outbox;
pub mod told;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use reqwest::Url;
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::deliver::{NotTaken, ONCE, Receiver, Whose};
use self::outbox::{Due, Waiting};
use self::told::Told;
use crate::api::person::PersonStatus;
use crate::api::{Person, Revocation};
use crate::kube::follow::kept_as;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::telemetry::Metrics;

/// Changes that come in a row are looked at together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Look again although nothing was seen to change.
const AGAIN: Duration = Duration::from_secs(30);
/// People whose events are sent side by side.
const AT_ONCE: usize = 8;
/// People after whose events it is written down what was told: so many at most are told twice when the process is killed.
const BETWEEN_WRITES: usize = 32;
/// Longest time for one event.
const EACH: Duration = Duration::from_secs(10);
/// Shortest and longest time before something is sent again; doubles each time.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);
/// A receiver that asks for more time than that (`Retry-After`) is asked again sooner.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// What it was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The people namespace.
    pub namespace: String,
    /// Where events are sent.
    pub receiver: Url,
    /// Where they happened: the `source` of each.
    pub source: String,
    /// A file with a bearer token for the receiver; read again for each batch.
    pub token: Option<PathBuf>,
    /// A file with authorities that are trusted in addition to the public ones.
    pub ca: Option<PathBuf>,
    /// Whether the receiver may lie inside, and be asked without TLS.
    pub allow_private_addresses: bool,
}

/// Runs until shut down; is called only while this process leads.
///
/// # Flow          watches first; where nothing was ever told, what stands now counts as told; then a look with each change: what waits
///                 is sent, each person's in its order, and it is written down
/// # Guarantees    each turn and each end is sent at least once, with the same id, and those of one person one after another; nothing
///                 of anybody but ids; a receiver that refuses one event holds up that person's alone
/// # Errors        when a watch ends without being asked to, or what was told cannot be read: the process is to exit and be started again
pub async fn run(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let wake = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let ended = || Fault::Transient { doing: "run tell", cause: "a watch ended".to_owned() };
    let often = || watcher::Config::default().timeout(30);
    let people = Api::namespaced(client.clone(), &options.namespace);
    let people: Store<Person> = kept_as(&mut tasks, people, "people", often(), &wake, only_turns);
    let revocations = Api::namespaced(client.clone(), &options.namespace);
    let revocations: Store<Revocation> = kept_as(&mut tasks, revocations, "revocations", often(), &wake, only_ends);
    let maps: Api<ConfigMap> = Api::namespaced(client, &options.namespace);
    let work = async {
        people.wait_until_ready().await.map_err(|_| ended())?;
        revocations.wait_until_ready().await.map_err(|_| ended())?;
        let told = told_before(&maps, &people, &revocations).await?;
        let mut teller = Teller { options: &options, maps, metrics: &metrics, told, pace: Pace::default() };
        loop {
            let again = teller.look(&people, &revocations).await;
            tokio::select! {
                () = wake.notified() => tokio::time::sleep(TOGETHER).await,
                () = tokio::time::sleep(again) => {}
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = work => ended,
        _ = tasks.join_next() => Err(ended()),
    }
}

/// Nothing personal is held but ids.
fn only_turns(person: &mut Person) {
    person.metadata.managed_fields = None;
    person.spec.profile = None;
    person.spec.disowned.clear();
    person.status = person.status.take().map(|status| PersonStatus {
        policy: status.policy,
        turns: status.turns,
        ..PersonStatus::default()
    });
}

/// Without manifests, plans and user names.
fn only_ends(revocation: &mut Revocation) {
    revocation.metadata.managed_fields = None;
    if let Some(status) = &mut revocation.status {
        status.kept.clear();
        status.steps.clear();
        status.hooks.clear();
        (status.plan, status.exposure) = (None, None);
    }
}

/// What was told; where nothing ever was, what stands now: a receiver is told of what happens from now on.
async fn told_before(
    maps: &Api<ConfigMap>,
    people: &Store<Person>,
    revocations: &Store<Revocation>,
) -> Result<Told, Fault> {
    if let Some(told) = Told::read(maps).await? {
        return Ok(told);
    }
    let mut told = Told::default();
    for due in outbox::waiting(&people.state(), &revocations.state(), &told).into_iter().flat_map(|one| one.events) {
        told.note(&due.uid, due.mark);
    }
    told.begin();
    told.write(maps).await?;
    tracing::info!("nothing was told before: events are sent of what happens from now on");
    Ok(told)
}

/// When something may be sent again.
#[derive(Default)]
struct Pace {
    /// How often in a row the receiver took nothing, and until when it is left alone.
    receiver: Option<(u32, Instant)>,
    /// The same of people whose next event it refuses.
    people: HashMap<String, (u32, Instant)>,
}

/// The wait after so many failures in a row.
fn wait(failures: u32) -> Duration {
    SOONEST.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LATEST)
}

fn later(before: Option<(u32, Instant)>, now: Instant) -> (u32, Instant) {
    let failures = before.map_or(0, |(failures, _)| failures.saturating_add(1));
    (failures, now + wait(failures))
}

/// The same where the receiver asked for a wait: never sooner than it asks, up to a bound, and never sooner than without.
fn as_asked(before: Option<(u32, Instant)>, asked: Option<Duration>, now: Instant) -> (u32, Instant) {
    let (failures, until) = later(before, now);
    let asked = asked.map_or(now, |asked| now + asked.min(LONGEST_ASKED));
    (failures, until.max(asked))
}

struct Teller<'a> {
    options: &'a Options,
    maps: Api<ConfigMap>,
    metrics: &'a Metrics,
    told: Told,
    pace: Pace,
}

impl Teller<'_> {
    /// Looks at everything that waits, sends what may be sent, and gives the time until the next look.
    async fn look(&mut self, people: &Store<Person>, revocations: &Store<Revocation>) -> Duration {
        let (people, revocations) = (people.state(), revocations.state());
        self.told.keep(&outbox::uids(&people, &revocations));
        let waiting = outbox::waiting(&people, &revocations, &self.told);
        self.metrics.events_waiting(waiting.iter().map(|one| one.events.len()).sum());
        let now = Instant::now();
        self.pace.people.retain(|person, _| waiting.iter().any(|one| one.person == *person));
        if let Some((_, until)) = self.pace.receiver.filter(|(_, until)| *until > now) {
            return until - now;
        }
        let may = |one: &Waiting| self.pace.people.get(&one.person).is_none_or(|(_, until)| *until <= now);
        let due: Vec<Waiting> = waiting.into_iter().filter(may).collect();
        let sent = !due.is_empty();
        for batch in batches(due) {
            if !self.send(batch).await {
                break;
            }
        }
        if let Err(fault) = self.told.write(&self.maps).await {
            tracing::warn!(%fault, "what was told is not written down yet");
        }
        let now = Instant::now();
        let receiver = self.pace.receiver.map(|(_, until)| until);
        let of_people = self.pace.people.values().map(|(_, until)| *until);
        let next = of_people.chain(receiver).map(|until| until.saturating_duration_since(now).max(SOONEST)).min();
        // What was sent is looked at once more: so that it is counted, and what came meanwhile is not left waiting.
        if sent { next.unwrap_or(SOONEST) } else { next.unwrap_or(AGAIN) }.min(AGAIN)
    }

    /// Sends what waits of some people, side by side. Gives whether the receiver goes on to take events.
    async fn send(&mut self, batch: Vec<Waiting>) -> bool {
        let receiver = match self.receiver().await {
            Ok(receiver) => receiver,
            Err(why) => {
                tracing::warn!(why, "events are not sent; tried again");
                self.pace.receiver = Some(later(self.pace.receiver, Instant::now()));
                return false;
            }
        };
        let source = self.options.source.as_str();
        let each = futures::stream::iter(batch).map(|waiting| one_after_another(&receiver, source, waiting));
        let ended: Vec<Ended> = each.buffer_unordered(AT_ONCE).collect().await;
        let (mut goes_on, mut longest) = (true, None);
        for Ended { person, told, lost, refused } in ended {
            if lost > 0 && !told.is_empty() {
                tracing::warn!(person, lost, "turns of a Person came and went before they could be told");
            }
            for due in told {
                self.metrics.event("Delivered");
                self.told.note(&due.uid, due.mark);
            }
            let Some(NotTaken { whose, why, asked }) = refused else {
                self.pace.people.remove(&person);
                continue;
            };
            longest = longest.max(asked);
            match whose {
                Whose::Event => {
                    self.metrics.event("Refused");
                    tracing::warn!(
                        person,
                        why,
                        "an event is not taken; it is sent again, and what follows of this person waits"
                    );
                    let before = self.pace.people.get(&person).copied();
                    self.pace.people.insert(person, later(before, Instant::now()));
                }
                Whose::Receiver if goes_on => {
                    goes_on = false;
                    self.metrics.event("NotDelivered");
                    tracing::warn!(why, "the receiver takes no events; they are sent again");
                }
                Whose::Receiver => self.metrics.event("NotDelivered"),
            }
        }
        self.pace.receiver = if goes_on { None } else { Some(as_asked(self.pace.receiver, longest, Instant::now())) };
        if let Err(fault) = self.told.write(&self.maps).await {
            tracing::warn!(%fault, "what was told is not written down yet");
        }
        goes_on
    }

    /// The receiver, with the token as it is now.
    async fn receiver(&self) -> Result<Receiver, String> {
        let text = async |path: &PathBuf| {
            let read = tokio::fs::read_to_string(path).await;
            read.map_err(|error| format!("{} cannot be read: {}", path.display(), error.kind()))
        };
        let token = match &self.options.token {
            Some(path) => Some(SecretString::from(text(path).await?.trim().to_owned())),
            None => None,
        };
        let authorities = match &self.options.ca {
            Some(path) => hris::authorities(text(path).await?.as_bytes())?,
            None => Vec::new(),
        };
        let longest = EACH.saturating_mul(64);
        let private = self.options.allow_private_addresses;
        Receiver::at(self.options.receiver.clone(), token, authorities, private, longest, ONCE)
    }
}

/// People in groups, after each of which it is written down what was told.
fn batches(due: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut batches: Vec<Vec<Waiting>> = Vec::new();
    for waiting in due {
        match batches.last_mut().filter(|batch| batch.len() < BETWEEN_WRITES) {
            Some(batch) => batch.push(waiting),
            None => batches.push(vec![waiting]),
        }
    }
    batches
}

/// What became of the events of one person.
struct Ended {
    person: String,
    told: Vec<Due>,
    lost: u32,
    refused: Option<NotTaken>,
}

/// Sends the events of one person, until one is not taken.
async fn one_after_another(receiver: &Receiver, source: &str, waiting: Waiting) -> Ended {
    let Waiting { person, events, lost } = waiting;
    let mut ended = Ended { person, told: Vec::new(), lost, refused: None };
    for due in events {
        let text = due.event.json(source).to_string();
        let taken = tokio::time::timeout(EACH, receiver.take(event::CONTENT, &text)).await;
        match taken.unwrap_or_else(|_| Err(NotTaken::unanswered())) {
            Ok(()) => ended.told.push(due),
            Err(refused) => {
                ended.refused = Some(refused);
                break;
            }
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_sent_again_later_and_later_and_never_later_than_a_minute() {
        let now = Instant::now();
        let mut pace = None;
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                let next = later(pace, now);
                pace = Some(next);
                (next.1 - now).as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(u32::MAX), LATEST);
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_asks_and_for_an_hour_at_most() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        for (failures, asked, expected) in [
            (0, None, 1),
            (0, Some(0), 1),
            (0, Some(45), 45),
            (5, Some(45), 45),
            (6, Some(45), 60),
            (9, Some(300), 300),
            (0, Some(86_400), 3_600),
            (0, Some(u64::MAX), 3_600),
        ] {
            let before = (failures > 0).then(|| (failures - 1, now));
            let (count, until) = as_asked(before, asked.map(seconds), now);
            assert_eq!((count, until - now), (failures, seconds(expected)), "{failures} {asked:?}");
        }
    }

    #[test]
    fn nothing_personal_is_held() {
        let mut person: Person = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}], "disowned": ["email:old@example.com"], "profile": {"displayName": "Quillon"}},
            "status": {"policy": "everyone", "aliases": ["email:quillon@example.com"], "profile": {"workEmail": "quillon@example.com"},
                "turns": [{"number": 1, "turn": "Joined", "at": "2026-03-01T00:00:00Z"}]},
        }))
        .unwrap();
        only_turns(&mut person);
        let text = serde_json::to_string(&person).unwrap().to_lowercase();
        assert!(!text.contains("quillon") && !text.contains("example.com") && text.contains("joined"), "{text}");
    }
}
