//! A policy: from the believed answer of its connection, and the passing of days, to Persons.

mod accounts;
mod fields;
mod fingerprint;
mod needs;
mod newest;
mod pass;
mod settings;
mod shared;
mod status;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

pub use self::fields::{in_words, losses};
use self::fingerprint::{Digest, Fingerprint};
pub use self::needs::{of_connection as needs, over};
use self::pass::{Decision, GateInputs, News};
pub use self::settings::Settings;
use self::shared::Rival;
use self::status::{Covered, conclude, keep_what_answers_said, unfinished};
use super::owned::{Owned, OwnedKeys as Owners};
use super::people::{self, People, Write};
use super::{Answer, Context, MANAGER, coverage, traced};
use crate::api::condition::{self, ConditionType, Reason};
use crate::api::policy::{self as api, SyncPolicyStatus};
use crate::api::{HRConnection, Person, Revocation, SyncPolicy, convert, names};
use crate::kube::calls::{self, apply_exactly, call};
use crate::kube::inventory::list_each;
use crate::kube::outcome::{self, Fault, Report};
use crate::kube::usernames::Form;
use crate::kube::{drill, holders, revoker};
use domain::drill::DrillReport;
use domain::needs::Needs;
use domain::ownership::Index;
use domain::roster::{Baseline, Many, Role};
use domain::trust::Snapshot;

/// Look again for a connection that is not there.
const CONNECTION_AGAIN: Duration = Duration::from_secs(30);
/// Persons that a pass writes besides leavers, whatever comes meanwhile: in a large company a newer response may come during
/// every pass, and a first sync would never end.
const AT_LEAST: usize = 1_000;
/// Events in flight at once.
const EVENTS: usize = 16;

/// What the driver of policies works with.
pub struct Watched {
    /// What it shares with the driver of connections.
    pub shared: Arc<Context>,
    /// Everybody.
    pub people: Arc<People>,
    /// Every Revocation.
    pub revocations: Store<Revocation>,
    /// What in the cluster can be somebody's.
    pub owned: Arc<Owned>,
}

/// Makes the Persons of a policy what the last believed answer, and today, say they are.
///
/// # Flow          observe: policy, connection, answer, everybody; decide: one pure pass; is the answer the newest? act: the run, other records of its leavers, its leavers,
///                 everybody else, events; report: the policy's status, if it differs
/// # Guarantees    a run stands in the status before the first Person of it, and is marked written after the last;
///                 a baseline is recorded after its Persons are marked, so that a crash in between takes it again;
///                 nothing changed, nothing written; a later state of a Person or policy is never written over; a
///                 leaver never waits for a first sync: a newer response, or a midnight, ends it, and the next pass goes on with it
/// # Assumptions   one process leads; of two that both think they do, one gets a conflict on the policy, and who has the older answer
///                 lets it go
/// # Errors        none: faults become conditions and the next time to look
pub async fn reconcile(policy: Arc<SyncPolicy>, watched: Arc<Watched>) -> Result<Action, Infallible> {
    let now = (watched.shared.clock)();
    let policies: Api<SyncPolicy> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    let mut all = match list_each(&policies, &ListParams::default(), Some).await {
        Ok(all) => all,
        Err(fault) => return Ok(failed(&policy, &watched, fault, now)),
    };
    let Some(position) = all.iter().position(|live| live.uid() == policy.uid()) else {
        return Ok(Action::await_change());
    };
    let mut live = all.swap_remove(position);
    let result = step(&mut live, &all, &policies, &watched, now).await;
    Ok(report(&live, &policies, &watched, result, now).await)
}

async fn step(
    policy: &mut SyncPolicy,
    others: &[SyncPolicy],
    policies: &Api<SyncPolicy>,
    watched: &Watched,
    now: Timestamp,
) -> Result<(SyncPolicyStatus, Report), Fault> {
    let (settings, unfollowed) = match Settings::of(policy, others) {
        Ok(settings) => (settings, None),
        Err(fault) => (Settings::previous(policy, others).ok_or(fault.clone())?, Some(fault)),
    };
    let newer = watched.shared.snapshots.subscribe();
    let seen = observe(policy, &settings, unfollowed, watched).await?;
    if let Some(trouble) = &seen.trouble {
        tracing::warn!(policy = policy.name_any(), fault = %trouble, "no response is taken over; what is known goes on");
    }
    let forms = settings.usernames.forms(&settings.connections);
    let owners = owners(watched).await?;
    let view = view(policy, others, settings, &seen, watched, owners.clone());
    let decision = in_the_background(move || pass::decide(&view, now)).await?;
    newest::check(policy, &seen, &decision, watched).await?;

    let people: Api<Person> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    let Decision { runs, others, leavers, rest, news, tally } = decision;
    record_runs(policy, policies, runs).await?;
    let name = policy.name_any();
    let reads: Vec<_> = seen.connections.iter().filter_map(|source| source.read.clone()).collect();
    traced::found(&watched.shared, &name, &reads, leavers.iter().chain(&rest), now);
    let metrics = &watched.shared.metrics;
    people::write(&people, &watched.people, others, metrics, |_| false).await?;
    let late: Vec<_> = leavers.iter().filter_map(Write::reported).collect();
    people::write(&people, &watched.people, leavers, metrics, |_| false).await?;
    late.iter().for_each(|(effective, seen)| metrics.leaver_reported(&policy.name_any(), *effective, *seen));
    if !rest.is_empty() {
        let written = closed(current_status(policy).runs);
        record_runs(policy, policies, written).await?;
    }
    let turn = || tally.wake.is_some_and(|wake| wake <= (watched.shared.clock)());
    let more = |begun| begun >= AT_LEAST && (newer.has_changed().unwrap_or(true) || turn());
    let unwritten = people::write(&people, &watched.people, rest, metrics, more).await?;
    let written = |name: &str| !unwritten.contains(name);
    traced::written(&watched.shared, &name, reads);
    publish_news(watched, news.into_iter().filter(|news| written(&news.person)), now).await;
    let (out, into): (Vec<_>, Vec<_>) =
        tally.crossed.iter().filter(|(name, _)| written(name)).partition(|(_, out)| *out);
    publish_scope_change(policy, seen.baseline(), (out.len(), into.len()), watched, now).await;
    if let Some(lost) = tally.fields.lost() {
        let (client, on) = (&watched.shared.client, policy.object_ref(&()));
        calls::publish_event(client, "sync", on, Reason::FieldsChanged, format!("spec.fields: {lost}."), now).await;
    }

    publish_many_moved(policy, tally.moves.many.as_ref(), watched, now).await;

    if !unwritten.is_empty() {
        return Ok(unfinished(policy, &seen, &tally, unwritten.len()));
    }
    let coverage = cover(watched, owners, forms).await?;
    Ok(conclude(policy, &seen, tally, coverage, now))
}

/// What in the cluster can be somebody's: what sync watches itself, and who owns Secrets, which only control may list.
async fn owners(watched: &Watched) -> Result<Option<Arc<Owners>>, Fault> {
    let Some(owners) = watched.owned.seen() else { return Ok(None) };
    let holders = holders::read(&watched.shared.client, &watched.shared.namespace).await?;
    Ok(Some(Arc::new(Owners { holders, ..owners })))
}

/// What a pass rests on.
struct PassInputs {
    /// The policy's connections, in its order.
    connections: Vec<Source>,
    /// Why no answer is taken over, where that is so. Last days that were announced, and leavers who are known, do not
    /// wait for it.
    trouble: Option<Fault>,
    /// What control found out about the revoker; none before it has tried.
    revoker: Option<revoker::RevokerCheck>,
    /// The newest report of the drill, of the drill's own policy.
    drill: Option<Option<DrillReport>>,
}

/// What a pass rests on of one connection.
struct Source {
    name: String,
    /// Its last believed answer, if one came since the start.
    snapshot: Option<Arc<Snapshot>>,
    /// How that was read.
    read: Option<traced::Read>,
    /// What that was read for.
    needs: Option<Arc<Needs>>,
    fingerprint: Option<String>,
    baseline: Baseline,
    /// Its last trusted answer is no older than it allows.
    fresh: bool,
    /// It says who has left.
    employs: bool,
}

impl PassInputs {
    /// What can be said of all baselines together: that one is awaited, or taken, or that all are settled.
    fn baseline(&self) -> Baseline {
        let any = |baseline| self.employers().any(|source| source.baseline == baseline);
        match (any(Baseline::Awaited), any(Baseline::Now)) {
            (true, _) => Baseline::Awaited,
            (false, true) => Baseline::Now,
            (false, false) => Baseline::Settled,
        }
    }

    /// The connections that say who has left.
    fn employers(&self) -> impl Iterator<Item = &Source> {
        self.connections.iter().filter(|source| source.employs)
    }

    /// Names of the connections, as a sentence lists them.
    fn names(&self, of: impl Fn(&Source) -> bool) -> String {
        let names: Vec<_> = self.connections.iter().filter(|one| of(one)).map(|one| one.name.as_str()).collect();
        names.join(", ")
    }
}

/// Reads the connections, and finds the last believed answer of each and what the baseline is worth.
///
/// The newest answer in memory may serve as a baseline although it was read before the policy changed: it was believed,
/// and what it says of people does not depend on the policy.
async fn observe(
    policy: &SyncPolicy,
    settings: &Settings,
    unfollowed: Option<Fault>,
    watched: &Watched,
) -> Result<PassInputs, Fault> {
    let connections: Api<HRConnection> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    let before = current_status(policy);
    let (mut sources, mut trouble) = (Vec::new(), unfollowed.clone());
    for name in &settings.connections {
        let connection = call("read the connection", connections.get_opt(name)).await?;
        if connection.is_none() {
            watched.shared.snapshots.forget(name);
            trouble = trouble.or_else(|| Some(missing(name)));
        }
        let answer = connection.as_ref().and_then(|connection| answer(policy, settings, connection, watched));
        let answer = answer.filter(|_| unfollowed.is_none());
        let read = answer.as_ref().map(|answer| answer.read(name));
        let (snapshot, needs) = answer.map(|answer| (answer.snapshot, answer.needs)).unzip();
        let source =
            connection.as_ref().map_or(Digest::Stands, |connection| source_of(connection, snapshot.as_deref()));
        let now = Fingerprint::of(&policy.spec, unfollowed.is_none(), source);
        let taken = before.connections.iter().find(|taken| taken.name == *name);
        let settled = taken.and_then(|taken| Some(taken.baseline.as_ref()?.fingerprint.as_str()));
        let baseline = now.baseline(settled, called_settled(&before), snapshot.is_some());
        let fresh = connection.is_some_and(|connection| convert::fresh(&connection, (watched.shared.clock)()));
        sources.push(Source {
            name: name.clone(),
            snapshot,
            read,
            needs,
            fingerprint: now.written(),
            baseline,
            fresh,
            employs: settings.role(name) == Role::Employment,
        });
    }
    let revoker = revoker::read(&watched.shared.client, &watched.shared.namespace).await?;
    let drill = if policy.name_any() == names::DRILL { Some(drilled(watched).await?) } else { None };
    Ok(PassInputs { connections: sources, trouble, revoker, drill })
}

/// The newest report of the drill, believed as far as its Revocation shows it.
async fn drilled(watched: &Watched) -> Result<Option<DrillReport>, Fault> {
    let maps: Api<ConfigMap> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    let map = call("read the report of the drill", maps.get_opt(names::DRILL)).await?;
    let report = map.as_ref().and_then(drill::report);
    Ok(report.map(|report| {
        let of = watched.revocations.find(|one| one.metadata.name == report.revocation);
        let revoked = drill::revoked(&report, of.as_deref());
        report.believed(revoked)
    }))
}

/// The last believed answer of a connection, if it was read for all that this policy decides by. Where it was read for less
/// than the policy needs, the connection reads again.
fn answer(policy: &SyncPolicy, settings: &Settings, connection: &HRConnection, watched: &Watched) -> Option<Answer> {
    let answer = watched.shared.snapshots.answer(connection)?;
    let mut whole = Needs::default();
    needs::keep(&mut whole, policy);
    let asked = needs::asked(&policy.name_any(), settings);
    if !answer.needs.cover(&asked) || !answer.needs.cover(&whole) {
        watched.shared.snapshots.ask(connection, &policy.name_any(), policy.metadata.generation);
    }
    answer.needs.cover(&asked).then_some(answer)
}

fn missing(connection: &str) -> Fault {
    Fault::Waiting {
        reason: Reason::ConnectionMissing,
        message: format!("spec.connections: there is no HRConnection {connection}; apply it"),
        again: CONNECTION_AGAIN,
    }
}

/// The source that the newest trusted answer of a connection was read from.
fn source_of(connection: &HRConnection, snapshot: Option<&Snapshot>) -> Digest {
    let trusted = connection.status.as_ref().and_then(|status| status.last_trusted.as_ref());
    let source = snapshot.map(Snapshot::source).or(trusted.map(|trusted| trusted.source.as_str()));
    match (connection.metadata.uid.as_deref(), source) {
        (Some(uid), Some(source)) => fingerprint::source(uid, source),
        _ => Digest::NotKnown,
    }
}

/// Whether the policy says that its baseline is settled, of whatever spec.
fn called_settled(status: &SyncPolicyStatus) -> bool {
    status.conditions.iter().any(|one| one.is(ConditionType::Baseline, condition::Status::True))
}

fn view(
    policy: &SyncPolicy,
    others: &[SyncPolicy],
    settings: Settings,
    seen: &PassInputs,
    watched: &Watched,
    owners: Option<Arc<Owners>>,
) -> GateInputs {
    // A rival takes over what was read for all that it decides by.
    let follows = |name: &str, settings: &Settings, connection: &str| {
        let read_for = seen.connections.iter().find(|one| one.name == connection).and_then(|one| one.needs.as_ref());
        read_for.is_some_and(|needs| needs.cover(&needs::asked(name, settings)))
    };
    GateInputs {
        rivals: Rival::of(policy, others, follows),
        owners,
        namespace: watched.shared.namespace.clone(),
        policy: policy.name_any(),
        policy_uid: policy.uid().unwrap_or_default(),
        runs: current_status(policy).runs,
        fields: current_status(policy).fields,
        baselines: seen.connections.iter().map(|source| (source.name.clone(), source.baseline)).collect(),
        stale: seen.employers().count() > 1 && !seen.employers().all(|source| source.fresh),
        most_people: policy.spec.max_people,
        settings,
        people: watched.people.all(),
        retention: convert::person_retention(policy),
        revocations: watched.revocations.state(),
        snapshots: seen.connections.iter().filter_map(|one| Some((one.name.clone(), one.snapshot.clone()?))).collect(),
    }
}

fn current_status(policy: &SyncPolicy) -> SyncPolicyStatus {
    policy.status.clone().unwrap_or_default()
}

fn closed(mut runs: Vec<api::Run>) -> Vec<api::Run> {
    runs.iter_mut().for_each(|run| run.written = true);
    runs
}

/// Writes the policy's runs, if they differ.
async fn record_runs(policy: &mut SyncPolicy, policies: &Api<SyncPolicy>, runs: Vec<api::Run>) -> Result<(), Fault> {
    let before = current_status(policy);
    if before.runs != runs {
        *policy = apply_exactly(policies, policy, MANAGER, &SyncPolicyStatus { runs, ..before }).await?;
    }
    Ok(())
}

/// A pass over everybody, or an index of them, takes the time of a heartbeat: not on the threads that keep the Lease.
async fn in_the_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::Transient { doing: "decide", cause: "the pass was interrupted".to_owned() })
}

async fn publish_news(watched: &Watched, news: impl Iterator<Item = News>, now: Timestamp) {
    let client = &watched.shared.client;
    let notes = news.filter_map(|news| Some((watched.people.get(&news.person)?, news)));
    stream::iter(notes)
        .for_each_concurrent(EVENTS, |(person, news)| async move {
            let on = person.object_ref(&());
            if news.wrong {
                calls::publish_warning(client, "sync", on, news.reason, news.note, now).await;
            } else {
                calls::publish_event(client, "sync", on, news.reason, news.note, now).await;
            }
        })
        .await;
}

/// People whom a changed policy put out of scope, or into it: one Event for them all.
async fn publish_scope_change(
    policy: &SyncPolicy,
    baseline: Baseline,
    crossed: (usize, usize),
    watched: &Watched,
    now: Timestamp,
) {
    if baseline == Baseline::Settled || crossed == (0, 0) {
        return;
    }
    let (out, into) = crossed;
    let note = format!(
        "{out} people went out of scope and {into} came into it. This ends nobody's access; who came into it and has left needs approval."
    );
    calls::publish_event(&watched.shared.client, "sync", policy.object_ref(&()), Reason::ScopeChanged, note, now).await;
}

/// Many moves at once, which a human decides on: one Event for them all, and one only.
async fn publish_many_moved(policy: &SyncPolicy, many: Option<&Many>, watched: &Watched, now: Timestamp) {
    let Some(Many { people, digest }) = many else { return };
    let update = condition::many_moved(*people, digest);
    let said = current_status(policy).conditions;
    if said.iter().any(|one| one.is(update.type_, update.status)) {
        return;
    }
    let (client, on) = (&watched.shared.client, policy.object_ref(&()));
    calls::publish_warning(client, "sync", on, update.reason, update.message, now).await;
}

/// Counts whose accounts and users of bindings are; nothing before they were listed once.
async fn cover(watched: &Watched, owners: Option<Arc<Owners>>, forms: Vec<Form>) -> Result<Option<Covered>, Fault> {
    let Some(owners) = owners else { return Ok(None) };
    let people = watched.people.all();
    let namespace = watched.shared.namespace.clone();
    let count = move || {
        // Of who is named nowhere nothing is counted: in a large company that is nearly everybody.
        let named = owners.keys();
        let facts = people.iter().map(|person| convert::known_by(person));
        let index = Index::new(facts.filter(|facts| facts.keys().any(|key| named.contains(&key))).collect());
        let coverage = coverage::coverage(&owners, &index, &forms, &namespace);
        let of_user_names = coverage::of_user_names(&owners, &coverage, &forms);
        (coverage, of_user_names)
    };
    in_the_background(count).await.map(Some)
}

/// Writes the status, if it differs. One that could not be written is a fault like any other.
async fn report(
    policy: &SyncPolicy,
    policies: &Api<SyncPolicy>,
    watched: &Watched,
    result: Result<(SyncPolicyStatus, Report), Fault>,
    now: Timestamp,
) -> Action {
    let before = current_status(policy);
    let (mut status, result) = match result {
        Ok((status, report)) => {
            watched.shared.metrics.people(&policy.name_any(), &status.people);
            watched.shared.metrics.accounts(&policy.name_any(), status.accounts.as_ref());
            watched.shared.metrics.coverage(&policy.name_any(), status.coverage.as_ref());
            (status, Ok(report))
        }
        Err(fault) => (before.clone(), Err(fault)),
    };
    status.conditions = outcome::conclude(&before.conditions, policy.metadata.generation, &result, 0, now).conditions;
    keep_what_answers_said(&mut status, &before);
    if matches!(result, Ok(_) | Err(Fault::Stalled(_))) {
        status.observed_generation = policy.metadata.generation;
    }
    let written =
        if status == before { Ok(()) } else { apply_exactly(policies, policy, MANAGER, &status).await.map(drop) };
    match written.and(result) {
        Ok(report) => {
            watched.shared.failures.count(&policy.uid().unwrap_or_default(), false);
            Action::requeue(report.again)
        }
        Err(fault) => failed(policy, watched, fault, now),
    }
}

fn failed(policy: &SyncPolicy, watched: &Watched, fault: Fault, now: Timestamp) -> Action {
    tracing::warn!(policy = policy.name_any(), %fault, "pass not done");
    let failures = watched.shared.failures.count(&policy.uid().unwrap_or_default(), true);
    outcome::conclude(&[], policy.metadata.generation, &Err(fault), failures, now).action
}
