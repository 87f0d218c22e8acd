//! One poll of an HR system after another: read it, believe it or hold it, publish what is believed, and say so.
//!
//! Between polls nothing is read, but the metadata of Secrets that a source refused, and nothing is written. What comes of an answer is the policy's.

mod credentials;
mod file_memory;
mod known_people;
mod poll;
mod unused;
mod webhooks;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::controller::Action;

pub use self::credentials::Refused;
pub use self::file_memory::FetchCaches;
use self::file_memory::FileMemory;
pub use self::poll::Settings;
use self::poll::{Outcome, ResponseSummary, TrustedRead};
use super::{Context, MANAGER, convert, memory, policy, source};
use crate::api::condition::{Condition, ConditionType};
use crate::api::connection::HRConnectionStatus;
use crate::api::{HRConnection, SyncPolicy};
use crate::kube::calls;
use crate::kube::outcome::{self, Fault, Report};
use domain::employee::Failure;
use domain::needs::Needs;
use domain::profile::{FieldMode, Modes};
use domain::schedule::{self, Due};
use domain::trust::{self, Believed, Finding};
use hris::{self, Fetched};

/// Longest sleep: the runtime's clock stands still while the machine sleeps, ours does not.
const MAX_SLEEP: Duration = Duration::from_secs(600);

/// What a step came to.
enum Attempted {
    /// It is not time yet.
    Early(Timestamp),
    /// The status as it is now, and what there is to say; conditions it says nothing of stay.
    Done(Box<HRConnectionStatus>, Report),
}

/// Reads a connection's source when it is time, and reports what came of it.
///
/// # Flow          is it time? credentials and memory, the whole read, the trust gate, memory kept, snapshot published,
///                 one status write
/// # Guarantees    a held or failed attempt changes nothing but the status; an answer is remembered before it is used,
///                 so that a crash in between makes the next comparison stricter, never looser; no write between polls
/// # Assumptions   one process leads; two that both think they do get a conflict on the memory
/// # Errors        none: faults become conditions and the next time to look
pub async fn reconcile(connection: Arc<HRConnection>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let now = (ctx.clock)();
    let (status, result) = match step(&connection, &ctx, now).await {
        Ok(Attempted::Early(at)) => {
            webhooks::say(&connection, &ctx, now).await;
            return Ok(Action::requeue(until(at, now)));
        }
        Ok(Attempted::Done(status, report)) => (*status, Ok(report)),
        Err(fault) => (poll::owed(&connection), Err(fault)),
    };
    Ok(report(&connection, &ctx, status, result).await)
}

async fn step(connection: &HRConnection, ctx: &Context, now: Timestamp) -> Result<Attempted, Fault> {
    let name = connection.name_any();
    measure(ctx, &name, &poll::current_status(connection)); // it may be long until the next read, and it may not be trusted
    let settings = Settings::of(connection)?;
    match schedule::due(&settings.times(connection), now) {
        Due::At(_) if ctx.refused.any(connection) && corrected(connection, ctx).await? => {}
        Due::At(at) if ctx.refused.any(connection) => return Ok(Attempted::Early(at.min(now + credentials::LOOK))),
        Due::At(_) if unused::is_there(connection, ctx).await? => {}
        Due::At(_) if ctx.snapshots.take_asked(&name) => {}
        Due::At(at) => match ctx.hints.due(connection, now) {
            Some(hinted) if hinted <= now => {}
            hinted => return Ok(Attempted::Early(hinted.map_or(at, |hinted| hinted.min(at)))),
        },
        Due::Suspended(end) => {
            let (status, updates) = poll::suspended(connection, end);
            return Ok(Attempted::Done(Box::new(status), Report { updates, again: until(end, now) }));
        }
        Due::Now => {}
    }
    if poll::current_status(connection).last_trusted.is_none() {
        ctx.snapshots.forget(&name); // of an earlier connection of this name
    }
    ctx.snapshots.take_asked(&name);
    let hint = ctx.hints.of(connection); // before it is read: one that comes meanwhile asks for another read
    let used = credentials::versions(ctx, connection).await?; // before they are read: one changed meanwhile is seen
    let needs = Arc::new(needs(connection, ctx).await?);
    let from = source::open(ctx, connection, &needs).await?;
    let mut known = ctx.files.take(connection, &from.fingerprint);
    let requested = settings.times(connection).requested;
    let answer = ctx.snapshots.answer(connection);
    let enough = answer.as_ref().is_none_or(|answer| answer.needs.cover(&needs));
    let last = answer.as_ref().map(|answer| &*answer.snapshot);
    if !enough || file_memory::afresh(connection, requested, last) {
        known.cache.forget();
    }
    let poll = Poll { ctx, connection, settings: &settings, from: &from, needs, now };
    let (seen, outcome) = poll.attempt(&mut known).await?;
    ctx.files.put(connection, known);
    let refused = matches!(&outcome, Outcome::Failed(Finding::NoAnswer(Failure::Unauthorised(_))));
    ctx.refused.note(connection, used, refused);
    let ended = (ctx.clock)();
    let whole = !matches!(outcome, Outcome::Failed(_));
    let (mut status, updates) = poll::record(connection, &settings, seen, outcome, ended);
    status.last_handled_hint = ctx.hints.handled(connection, hint, ended, whole);
    if let Some(attempt) = &status.last_attempt {
        ctx.metrics.polled(&name, &attempt.outcome);
    }
    measure(ctx, &name, &status);
    let again = status.next_run.map_or(MAX_SLEEP, |at| until(at, ended));
    let again = if refused { again.min(credentials::LOOK) } else { again };
    Ok(Attempted::Done(Box::new(status), Report { updates, again }))
}

/// Whether a credential that the source refused is another one now.
async fn corrected(connection: &HRConnection, ctx: &Context) -> Result<bool, Fault> {
    Ok(ctx.refused.corrected(connection, &credentials::versions(ctx, connection).await?))
}

/// What the source is read for: what the policies over the connection need, and what Persons still show that was kept
/// before the policy said which fields it keeps.
async fn needs(connection: &HRConnection, ctx: &Context) -> Result<Needs, Fault> {
    let api: Api<SyncPolicy> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let policies = calls::call("list the policies", api.list(&ListParams::default())).await?.items;
    let mut needs = policy::needs(connection, &policies);
    let unsaid = |policy: &&SyncPolicy| policy.status.as_ref().is_none_or(|status| status.fields.is_none());
    let name = connection.name_any();
    for policy in policies.iter().filter(|policy| policy::over(policy, &name)).filter(unsaid) {
        ctx.people.ready().await;
        let policy = policy.name_any();
        let people = ctx.people.all();
        let ours = people.iter().filter_map(|person| convert::known(person).entry).filter(|one| one.policy == policy);
        let shown: BTreeSet<_> = ours.flat_map(|entry| entry.profile.fields().collect::<Vec<_>>()).collect();
        needs.keep(&policy, &Modes::default().with(shown.into_iter().map(|field| (field, FieldMode::Continuous))));
    }
    Ok(needs)
}

/// One poll: of what, and when.
struct Poll<'a> {
    ctx: &'a Context,
    connection: &'a HRConnection,
    settings: &'a Settings,
    from: &'a source::Opened,
    needs: Arc<Needs>,
    now: Timestamp,
}

impl Poll<'_> {
    /// One look at the source, and what comes of it: what it showed, and the verdict.
    async fn attempt(&self, known: &mut FileMemory) -> Result<(Option<ResponseSummary>, Outcome), Fault> {
        let kept = memory::load(self.ctx, self.connection).await?;
        let source = match &self.from.source {
            Err(failure) => return Ok((None, Outcome::Failed(trust::failed(failure)))),
            Ok(source) => source,
        };
        let mut answer = self.look(source, known).await;
        let ended = (self.ctx.clock)();
        let people = known_people::of(self.ctx, self.connection, &kept.memory).await;
        let asked = Settings::asked(self.connection, &self.from.fingerprint, &people);
        if matches!(answer, Ok(Fetched::Same)) {
            let snapshot = self.ctx.snapshots.of(self.connection);
            if let Some(believed) = snapshot.and_then(|last| trust::again(&last, &kept.memory, &asked, ended)) {
                let outcome = self.believe(kept, believed, ended).await?;
                return Ok((known.seen.clone(), outcome));
            }
            known.cache.forget();
            answer = self.look(source, known).await;
        }
        let read = match answer {
            Ok(Fetched::New(read)) => read,
            Err(failure) => return Ok((None, Outcome::Failed(trust::failed(&failure)))),
            Ok(Fetched::Same) => return Ok((None, Outcome::Failed(trust::failed(&Failure::Status(304))))),
            Ok(Fetched::Nothing(why)) => {
                // What could not be moved away before; whether it can be now changes no verdict.
                let _ = hris::settle(source, &self.from.network, &mut known.cache).await;
                return Ok((None, poll::nothing(self.connection, why)));
            }
        };
        let mut seen = ResponseSummary::of(&read, ended);
        let outcome = match trust::judge(*read, &kept.memory, &asked, &self.settings.bounds, ended) {
            Err(held) => Outcome::Held(held),
            Ok(believed) => {
                seen.set_aside(&believed.repeated);
                let outcome = self.believe(kept, believed, ended).await?;
                known.cache.believed();
                known.seen = Some(seen.clone());
                if let Err(failure) = hris::settle(source, &self.from.network, &mut known.cache).await {
                    seen.note(format!("files were not moved away: {}", trust::failed(&failure).message()));
                }
                outcome
            }
        };
        Ok((Some(seen), outcome))
    }

    async fn look(&self, source: &hris::Source, known: &mut FileMemory) -> Result<Fetched, Failure> {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        let budget = calls::wait(self.settings.timeout);
        hris::look(source, &self.from.network, budget, today, &mut known.cache).await
    }

    /// Remembers an answer, and then lets it be used.
    async fn believe(&self, kept: memory::StoredMemory, believed: Believed, at: Timestamp) -> Result<Outcome, Fault> {
        let answered = TrustedRead::of(&believed, at);
        memory::save(self.ctx, self.connection, kept, believed.memory).await?;
        self.ctx.snapshots.put(self.connection, believed.snapshot, Arc::clone(&self.needs), self.now);
        Ok(Outcome::Trusted(Box::new(answered)))
    }
}

/// Notes when an answer was believed.
fn measure(ctx: &Context, connection: &str, status: &HRConnectionStatus) {
    if let Some(trusted) = &status.last_trusted {
        ctx.metrics.believed(connection, trusted.time);
        ctx.metrics.leaver_seen(connection, status.leavers_last_seen);
    }
}

/// Writes the status, once, and only if it differs. A status that could not be written is a fault like any other: the
/// poll it was about is repeated.
async fn report(
    connection: &HRConnection,
    ctx: &Context,
    mut status: HRConnectionStatus,
    result: Result<Report, Fault>,
) -> Action {
    let now = (ctx.clock)();
    let generation = connection.metadata.generation;
    let previous = poll::current_status(connection);
    let conditions = outcome::conclude(&previous.conditions, generation, &result, 0, now).conditions;
    let conditions = with_the_unsaid(conditions, &previous.conditions);
    status.conditions = webhooks::said(connection, ctx, conditions, now);
    status.observed_generation = generation;
    let written = if status == previous { Ok(()) } else { write(connection, ctx, &previous, &status).await };
    let result = written.and(result);
    if let Err(fault) = &result {
        tracing::warn!(connection = connection.name_any(), %fault, "poll not done");
    }
    let failures = ctx.failures.count(&connection.uid().unwrap_or_default(), result.is_err());
    outcome::conclude(&previous.conditions, generation, &result, failures, now).action
}

/// Writes a status over the one that this step began with, whatever became of the rest of the object since. One that another process
/// has written, which leads too, is newer perhaps: what that one holds must not be called trusted by who knows only what was before.
///
/// # Errors
/// Transient, also where there is another status by now: the poll is repeated, and compared with what that one remembered.
async fn write(
    connection: &HRConnection,
    ctx: &Context,
    previous: &HRConnectionStatus,
    status: &HRConnectionStatus,
) -> Result<(), Fault> {
    let connections = Api::<HRConnection>::namespaced(ctx.client.clone(), &ctx.namespace);
    match calls::apply_exactly(&connections, connection, MANAGER, status).await {
        Err(fault) if fault.is_conflict() => {}
        written => return written.map(drop),
    }
    let live = calls::call("read the connection", connections.get_opt(&connection.name_any())).await?;
    let Some(live) = live.filter(|live| live.uid() == connection.uid()) else { return Ok(()) };
    if poll::current_status(&live) != *previous {
        let cause = "another process has written one since".to_owned();
        return Err(Fault::Transient { doing: "write status", cause });
    }
    calls::apply_exactly(&connections, &live, MANAGER, status).await.map(drop)
}

/// Keeps what the source's answers said, where this step says nothing of it: a pause, a fault or a failed attempt
/// unsays no answer.
fn with_the_unsaid(mut conditions: Vec<Condition>, previous: &[Condition]) -> Vec<Condition> {
    const OF_ANSWERS: [ConditionType; 5] = [
        ConditionType::Reachable,
        ConditionType::Trusted,
        ConditionType::Recognised,
        ConditionType::StableIds,
        ConditionType::TellsLeavers,
    ];
    let unsaid = |old: &&Condition| {
        OF_ANSWERS.iter().any(|type_| old.type_ == type_.as_str())
            && !conditions.iter().any(|new| new.type_ == old.type_)
    };
    let kept: Vec<Condition> = previous.iter().filter(unsaid).cloned().collect();
    conditions.extend(kept);
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    calls::wait(at.duration_since(now).max(SignedDuration::ZERO)).min(MAX_SLEEP)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::condition;
    use crate::kube::scenario::{Call, Scenario, on};

    const HQ: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/hrconnections/hq";

    /// The connection in this version, with an attempt of this outcome shown.
    fn connection(version: &str, outcome: &str) -> Value {
        json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection",
            "metadata": {"name": "hq", "namespace": "rollcall", "uid": "u-1", "resourceVersion": version},
            "spec": {"source": {}},
            "status": {"lastAttempt": {"time": "2026-03-01T00:00:00Z", "outcome": outcome}}})
    }

    async fn reported(scenario: &Scenario) -> Result<(), Fault> {
        let ctx = Context {
            client: scenario.client(),
            namespace: "rollcall".to_owned(),
            snapshots: crate::sync::Snapshots::default(),
            rotations: Arc::default(),
            files: FetchCaches::default(),
            refused: Refused::default(),
            failures: crate::kube::outcome::Failures::default(),
            pushed: Arc::default(),
            hints: Arc::default(),
            people: Arc::default(),
            metrics: Arc::default(),
            traces: Arc::default(),
            turns: crate::sync::traced::Turns::default(),
            clock: || Timestamp::UNIX_EPOCH,
        };
        let began: HRConnection = serde_json::from_value(connection("1", "Trusted")).unwrap();
        let previous = poll::current_status(&began);
        let status = HRConnectionStatus { next_run: Some(Timestamp::UNIX_EPOCH), ..previous.clone() };
        write(&began, &ctx, &previous, &status).await
    }

    #[tokio::test]
    async fn a_status_is_written_over_the_one_that_the_poll_began_with_and_over_no_newer_one() {
        let writes = |version: &str| {
            on(&format!("PATCH {HQ}/status")).sends(json!({"metadata": {"uid": "u-1", "resourceVersion": version}}))
        };
        let stands = |version: &str, outcome: &str| on(&format!("GET {HQ}")).answers(connection(version, outcome));
        let done = |call: Call| call.answers(connection("9", "Trusted"));
        let mut other = connection("5", "Trusted");
        other["metadata"]["uid"] = json!("u-2");
        for (what, calls, expected) in [
            ("nobody else wrote", vec![done(writes("1"))], true),
            (
                "somebody has annotated it",
                vec![writes("1").fails(409), stands("2", "Trusted"), done(writes("2"))],
                true,
            ),
            ("another process holds a newer answer", vec![writes("1").fails(409), stands("3", "Shrunk")], false),
            (
                "and once more meanwhile",
                vec![writes("1").fails(409), stands("2", "Trusted"), writes("2").fails(409)],
                false,
            ),
            ("it is gone", vec![writes("1").fails(409), on(&format!("GET {HQ}"))], true),
            ("it was made anew", vec![writes("1").fails(409), on(&format!("GET {HQ}")).answers(other)], true),
        ] {
            let scenario = calls.into_iter().fold(Scenario::default(), Scenario::then);
            assert_eq!(reported(&scenario).await.is_ok(), expected, "{what}");
            scenario.is_over();
        }
    }

    #[test]
    fn a_step_that_says_nothing_of_an_answer_unsays_nothing() {
        let (then, now) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1));
        let words = vec![condition::ready("read"), condition::trusted(3), condition::recognised()];
        let previous = condition::merge(&[], words, None, then);
        let new = condition::merge(&previous, vec![condition::retrying("503"), condition::trusted(4)], None, now);
        let all = with_the_unsaid(new, &previous);
        let seen: Vec<_> = all.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.message.as_str())).collect();
        let expected = [
            ("Ready", "False", "503"),
            ("Recognised", "True", "Everybody's status is mapped."),
            ("Trusted", "True", "4 people, believed."),
        ];
        assert_eq!(seen, expected);
    }
}
