//! From the kinds to the plain values of `domain`, and back. No decision is made here.

mod approvals;
mod handover;
mod identity;
mod leave;
mod sessions;
mod traces;
mod trims;

use jiff::{SignedDuration, Timestamp};

pub use self::approvals::{approval, approved_by_all, approvers, waits_for_approval};
pub use self::handover::{colleague, handover};
pub use self::identity::{account, accounts};
pub use self::leave::{freezes, frozen, in_force, leave_id, leave_status, made_anew, needs_approval, not_undone};
pub use self::sessions::{cut_of, evicting, evicts, sessions};
pub use self::traces::trace;
pub use self::trims::{found, not_trimmed, of_its_own, of_sessions};
use super::condition::{ConditionType, Status};
use super::person::Record;
use super::policy::{ClusterLimits, Limit};
use super::quantity::{self, Unreadable};
use super::revocation::Phase;
use super::{HRConnection, Person, Revocation, SyncPolicy, person, revocation};
use domain::gate::{Facts, Hold, LeaverStatus};
use domain::ledger::{Allowance, CountedPlan, Ledger, Limits, Window, allowed};
use domain::lifecycle::State;
use domain::ownership::{Index, PersonFacts, comparable, connection_of};
use domain::plan::{Action, Kind, Operation, Plan, Protected, Remaining, Target};
use domain::roster::{self, Access};

/// What ownership needs of a Person, now: a hold that has ended holds nothing, whether anybody lifted it or not.
#[must_use]
pub fn person_facts(person: &Person, now: Timestamp) -> PersonFacts {
    let held = person.spec.hold.as_ref().is_some_and(|hold| hold.until > now);
    let status = person.status.as_ref();
    let ended = status.and_then(|status| status.employment.as_ref());
    let ended = ended
        .filter(|_| leaver_status(Some(person)) == LeaverStatus::Ended)
        .filter(|ended| !held && (!ended.baseline || access(person) != Access::Stands));
    let namespace = person.metadata.namespace.as_deref().unwrap_or_default();
    // By the connection alone, and by the one name that no other installation's connection has.
    let called = |Record { connection, id }: &Record| {
        [connection.clone(), connection_of(namespace, connection)].map(|connection| (connection, id.clone()))
    };
    PersonFacts {
        name: person.metadata.name.clone().unwrap_or_default(),
        uid: person.metadata.uid.clone().unwrap_or_default(),
        records: person.spec.records.iter().flat_map(called).collect(),
        apart: person.spec.apart.iter().flat_map(called).collect(),
        aliases: status.map(|status| status.aliases.clone()).unwrap_or_default(),
        disputed: disputed(person),
        address: status.and_then(|status| status.profile.as_ref()?.work_email.clone()),
        left: ended.map(|employment| employment.seen.unwrap_or(employment.since)),
    }
}

/// What a human said is not theirs, and HR reports still.
fn disputed(person: &Person) -> Box<[String]> {
    let disowned = &person.spec.disowned;
    let known = person.status.iter().flat_map(|status| &status.aliases);
    known.filter(|alias| disowned.iter().any(|one| comparable(one) == comparable(alias))).cloned().collect()
}

/// How far the present termination of a Person has come. What is mirrored may be of an earlier one, and then says nothing of
/// it.
#[must_use]
pub fn access(person: &Person) -> Access {
    let mirrored = person.status.as_ref().and_then(|status| status.access.as_ref());
    let mirrored = mirrored.filter(|access| {
        leaver_status(Some(person)) == LeaverStatus::Ended && of_this_termination(Some(person), &access.revocation)
    });
    match mirrored.map(|access| access.state.as_str()) {
        Some(state) if state == Phase::Released.as_str() => Access::Ending,
        Some(state) if state == Phase::Revoked.as_str() => Access::Refused,
        _ => Access::Stands,
    }
}

/// Whether the cut of the present termination is released: its gates are open, and its limits are counted.
#[must_use]
pub fn released(person: &Person) -> bool {
    let mirrored = person.status.as_ref().and_then(|status| status.access.as_ref());
    let begun = [Phase::Released, Phase::Revoked, Phase::Failed].map(Phase::as_str);
    leaver_status(Some(person)) == LeaverStatus::Ended
        && mirrored.is_some_and(|access| {
            begun.contains(&access.state.as_str()) && of_this_termination(Some(person), &access.revocation)
        })
}

/// A state as it is decided by.
#[must_use]
pub const fn state(state: person::State) -> State {
    match state {
        person::State::PreHire => State::PreHire,
        person::State::Active => State::Active,
        person::State::Suspended => State::Suspended,
        person::State::Leave => State::Leave,
        person::State::Terminated => State::Terminated,
        person::State::OutOfScope => State::OutOfScope,
        person::State::Unknown => State::Unknown,
    }
}

/// What a Person is known by, for who asks nothing that changes with time: a hold counts until somebody lifts it.
#[must_use]
pub fn known_by(person: &Person) -> PersonFacts {
    person_facts(person, Timestamp::MIN)
}

/// Indexes everybody by what they are known by. Whose records a Person may name is the business of an admission policy, `vap-links.yaml`.
pub fn index<'a>(people: impl IntoIterator<Item = &'a Person>) -> Index {
    Index::new(people.into_iter().map(known_by).collect())
}

/// What the Person says of the employment; a Person that is gone cannot tell.
#[must_use]
pub fn leaver_status(person: Option<&Person>) -> LeaverStatus {
    let state =
        person.and_then(|person| person.status.as_ref()?.employment.as_ref()).map(|employment| employment.state);
    match state {
        Some(person::State::Terminated) => LeaverStatus::Ended,
        Some(person::State::OutOfScope) => LeaverStatus::OutOfScope,
        Some(person::State::Unknown) | None => LeaverStatus::Unknown,
        Some(person::State::PreHire | person::State::Active | person::State::Suspended | person::State::Leave) => {
            LeaverStatus::Employed
        }
    }
}

/// What the policy protects.
#[must_use]
pub fn protected(policy: &SyncPolicy) -> Protected {
    let protected = &policy.spec.protected;
    Protected {
        people: protected.people.iter().cloned().collect(),
        accounts: protected.service_accounts.iter().cloned().collect(),
        namespaces: protected.namespaces.iter().cloned().collect(),
        usernames: std::collections::BTreeSet::new(), // those are the installation's
        rotate: policy.spec.revocation.secrets == super::policy::Secrets::Rotate,
    }
}

/// The limits of a policy for a number of people known.
///
/// # Errors
/// When a window cannot be read.
pub fn limits(policy: &SyncPolicy, known: u32) -> Result<Limits, Unreadable> {
    let limits = &policy.spec.limits;
    Ok(Limits {
        people: windows("spec.limits.people.window", &limits.people, known)?,
        objects: windows("spec.limits.objects.window", &limits.objects, known)?,
        workloads: windows("spec.limits.workloads.window", &limits.workloads, known)?,
    })
}

/// The limits of all policies together, for a number of people known of all of them.
///
/// # Errors
/// When a window cannot be read.
pub fn cluster_limits(limits: &ClusterLimits, known: u32) -> Result<Limits, Unreadable> {
    Ok(Limits {
        people: windows("limits.people.window", &limits.people, known)?,
        objects: windows("limits.objects.window", &limits.objects, known)?,
        workloads: windows("limits.workloads.window", &limits.workloads, known)?,
    })
}

fn windows(field: &'static str, limits: &[Limit], known: u32) -> Result<Vec<Window>, Unreadable> {
    let window = |limit: &Limit| {
        let within = quantity::duration(field, &limit.window)?;
        Ok(Window { within, most: allowed(limit.percent, limit.at_least, limit.at_most, known) })
    };
    limits.iter().map(window).collect()
}

/// How many people of a policy have not left, as it last said.
#[must_use]
pub fn known(policy: &SyncPolicy) -> u32 {
    let people = policy.status.iter().flat_map(|status| &status.people);
    let stay = people.filter(|(state, _)| *state != person::State::Terminated.as_str());
    stay.fold(0_u32, |sum, (_, number)| sum.saturating_add(*number))
}

/// How long an approval lasts; under a policy that is gone, not at all.
#[must_use]
pub fn approvals_last(policy: Option<&SyncPolicy>) -> SignedDuration {
    let written = policy.map(|policy| policy.spec.limits.approvals_last.as_str());
    written.and_then(|text| quantity::duration("spec.limits.approvalsLast", text).ok()).unwrap_or(SignedDuration::ZERO)
}

/// How long the Revocations of a policy are kept after they ended; of a policy that is gone, as long as by default.
#[must_use]
pub fn retention(policy: Option<&SyncPolicy>) -> SignedDuration {
    let written = policy.map(|policy| policy.spec.retention.evidence.as_str());
    let read = written.and_then(|text| quantity::duration("spec.retention.evidence", text).ok());
    read.unwrap_or(SignedDuration::from_hours(400 * 24)).max(SignedDuration::from_hours(30 * 24))
}

/// How long what is personal of a leaver is kept after their access has ended; none where it cannot be read.
#[must_use]
pub fn person_retention(policy: &SyncPolicy) -> Option<SignedDuration> {
    quantity::duration("spec.retention.person", &policy.spec.retention.person).ok()
}

/// The rule a plan follows, as its hash covers it: nothing of it changes while the plan waits.
#[must_use]
pub fn rule(policy: &SyncPolicy) -> String {
    format!("{}/termination", policy.metadata.name.as_deref().unwrap_or_default())
}

/// Whether the newest response of a connection is trusted, and no older than the connection allows.
#[must_use]
pub fn trusted(connection: &HRConnection, now: Timestamp) -> bool {
    let conditions = connection.status.iter().flat_map(|status| &status.conditions);
    fresh(connection, now) && conditions.into_iter().any(|c| c.is(ConditionType::Trusted, Status::True))
}

/// Whether the last trusted response of a connection is no older than the connection allows.
#[must_use]
pub fn fresh(connection: &HRConnection, now: Timestamp) -> bool {
    let last = connection.status.as_ref().and_then(|status| status.last_trusted.as_ref());
    match (last, connection.spec.stale_after()) {
        (Some(last), Ok(bound)) => now.duration_since(last.as_of()) <= bound,
        _ => false,
    }
}

/// Everything a gate asks, from objects that were just read.
#[derive(Debug)]
pub struct LiveObjects<'a> {
    /// The Revocation that knocks.
    pub revocation: &'a Revocation,
    /// Its Person, if there still is one with that uid.
    pub person: Option<&'a Person>,
    /// Its policy; a policy that is gone only observes.
    pub policy: Option<&'a SyncPolicy>,
    /// Whether the connections' newest responses are trusted.
    pub trusted: bool,
    /// The ledger; `None` if it could not be read, which stops.
    pub ledger: Option<&'a Ledger>,
    /// The reason of the global stop.
    pub stopped: Option<String>,
}

/// Whether a Revocation is about the termination that the Person shows now, and not an earlier one.
#[must_use]
pub fn of_this_termination(person: Option<&Person>, revocation: &str) -> bool {
    person.and_then(termination_id).is_some_and(|prefix| revocation.starts_with(&prefix))
}

/// What the Revocations of a Person's current termination are called, up to their ending; `None` without one.
#[must_use]
pub fn termination_id(person: &Person) -> Option<String> {
    let employment = person.status.as_ref()?.employment.as_ref()?;
    let seen = employment.seen.unwrap_or(employment.since);
    Some(roster::termination_id(person.metadata.name.as_deref()?, seen))
}

/// Puts together what the gate asks.
#[must_use]
pub fn facts(live: &LiveObjects<'_>) -> Facts {
    let spec = &live.revocation.spec;
    let person = live.person.filter(|person| person.metadata.uid.as_deref() == Some(spec.person_uid.as_str()));
    let name = live.revocation.metadata.name.as_deref().unwrap_or_default();
    let unreadable = live.ledger.is_none().then(|| "the ledger cannot be read".to_owned());
    let by_hand = spec.trigger == revocation::Trigger::AdHoc;
    Facts {
        stopped: live.stopped.clone().or(unreadable),
        leaver_status: match leaver_status(person) {
            _ if spec.trigger == revocation::Trigger::Leave && person.is_none() => {
                made_anew(live.person, live.revocation)
            }
            _ if spec.trigger == revocation::Trigger::Leave => leave_status(person, name, in_force(live.revocation)),
            // A human's word stands whether they work here or not. The Person must be there, and in scope.
            // Another policy than theirs knows neither whom theirs protects, nor whether it acts at all.
            LeaverStatus::Employed | LeaverStatus::Unknown | LeaverStatus::Ended if by_hand => {
                let managed = person.and_then(|person| person.status.as_ref()?.policy.as_ref());
                if managed == Some(&spec.policy) { LeaverStatus::Ended } else { LeaverStatus::Unknown }
            }
            LeaverStatus::Ended if !of_this_termination(person, name) => LeaverStatus::Employed, // that termination was taken back
            leaver_status => leaver_status,
        },
        hold: person
            .and_then(|person| person.spec.hold.as_ref())
            .map(|hold| Hold { reason: hold.reason.clone(), until: hold.until }),
        protected: match (person, live.policy) {
            (Some(person), Some(policy)) => protected(policy).person(&known_by(person)),
            _ => false,
        },
        rejected: spec.rejection.is_some(),
        enforce: live.policy.is_some_and(|policy| policy.spec.mode == super::policy::Mode::Enforce),
        settled: live.policy.is_some_and(SyncPolicy::settled),
        due: spec.due,
        trusted: live.trusted,
        removal: spec.operation == revocation::Operation::Remove,
        begun: live.revocation.status.as_ref().is_some_and(|status| !status.steps.is_empty()),
        baseline: needs_approval(person, spec.trigger),
        leaves_scope: spec.trigger == revocation::Trigger::Termination
            && person.and_then(|person| person.status.as_ref()?.employment.as_ref()?.leaves_scope.as_ref()).is_some(),
        late: spec.late,
        allowance: match (live.ledger, asked(live.revocation)) {
            (Some(ledger), Some(asked)) => ledger.allowance(&spec.policy, name, &asked),
            _ => Allowance::Uncounted,
        },
        counted: shown(live.revocation).map(|plan| plan.hash.clone()).unwrap_or_default(),
        approved: approval(spec, live.policy),
        approvals_last: approvals_last(live.policy),
        claimed: live.revocation.status.as_ref().is_some_and(|status| status.claim.is_some()),
    }
}

impl From<revocation::Operation> for Operation {
    fn from(operation: revocation::Operation) -> Self {
        match operation {
            revocation::Operation::Cut => Self::Cut,
            revocation::Operation::Remove => Self::Remove,
            revocation::Operation::Freeze => Self::Freeze,
        }
    }
}

impl From<&Target> for revocation::Target {
    fn from(target: &Target) -> Self {
        Self {
            action: match target.action {
                Action::Unbind => revocation::Action::Unbind,
                Action::Trim => revocation::Action::Trim,
                Action::Recreate => revocation::Action::Recreate,
                Action::HandOver => revocation::Action::HandOver,
                Action::Rotate => revocation::Action::Rotate,
                Action::Delete => revocation::Action::Delete,
                Action::Freeze => revocation::Action::Freeze,
                Action::Evict => revocation::Action::Evict,
            },
            kind: match target.kind {
                Kind::ClusterRoleBinding => revocation::TargetKind::ClusterRoleBinding,
                Kind::RoleBinding => revocation::TargetKind::RoleBinding,
                Kind::ServiceAccount => revocation::TargetKind::ServiceAccount,
                Kind::User => revocation::TargetKind::User,
                Kind::Secret => revocation::TargetKind::Secret,
                Kind::Pod => revocation::TargetKind::Pod,
            },
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            uid: target.uid.clone(),
            heir: target.heir.clone(),
            why: target.why.chars().take(256).collect(),
        }
    }
}

impl From<&revocation::Target> for Target {
    fn from(target: &revocation::Target) -> Self {
        Self {
            action: match target.action {
                revocation::Action::Unbind => Action::Unbind,
                revocation::Action::Trim => Action::Trim,
                revocation::Action::Recreate => Action::Recreate,
                revocation::Action::HandOver => Action::HandOver,
                revocation::Action::Rotate => Action::Rotate,
                revocation::Action::Delete => Action::Delete,
                revocation::Action::Freeze => Action::Freeze,
                revocation::Action::Evict => Action::Evict,
            },
            kind: match target.kind {
                revocation::TargetKind::ClusterRoleBinding => Kind::ClusterRoleBinding,
                revocation::TargetKind::RoleBinding => Kind::RoleBinding,
                revocation::TargetKind::ServiceAccount => Kind::ServiceAccount,
                revocation::TargetKind::User => Kind::User,
                revocation::TargetKind::Secret => Kind::Secret,
                revocation::TargetKind::Pod => Kind::Pod,
            },
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            uid: target.uid.clone(),
            heir: target.heir.clone(),
            why: target.why.clone(),
        }
    }
}

impl From<&Remaining> for revocation::Remaining {
    fn from(remaining: &Remaining) -> Self {
        Self {
            what: remaining.what.chars().take(512).collect(),
            why: remaining.why.as_str().to_owned(),
            advice: remaining.advice().chars().take(512).collect(),
            until: None,
        }
    }
}

/// A plan as the Revocation shows it.
#[must_use]
pub fn plan_shown(plan: &Plan, usernames: Vec<String>) -> revocation::Plan {
    revocation::Plan {
        hash: plan.hash.clone(),
        freezes: plan.freezes.iter().map(Into::into).collect(),
        targets: plan.targets.iter().map(Into::into).collect(),
        remaining: plan.remaining.iter().map(Into::into).collect(),
        workloads: plan.workloads,
        usernames,
        by_two: false, // control says, with the gate
    }
}

/// The plan a Revocation shows, if its hash is the one of its targets: a plan that was changed is no plan.
#[must_use]
pub fn plan_read(revocation: &Revocation, rule: &str) -> Option<Plan> {
    let shown = revocation.status.as_ref()?.plan.as_ref()?;
    let targets: Vec<Target> = shown.targets.iter().map(Into::into).collect();
    let freezes: Vec<Target> = shown.freezes.iter().map(Into::into).collect();
    let all = targets.iter().chain(&freezes);
    let hash = domain::plan::hash(&revocation.spec.person_uid, rule, revocation.spec.operation.into(), all);
    (hash == shown.hash).then_some(Plan { hash, freezes, targets, remaining: Vec::new(), workloads: shown.workloads })
}

/// The plan a Revocation shows, as it is counted; `None` as long as none is shown.
#[must_use]
pub fn asked(revocation: &Revocation) -> Option<CountedPlan> {
    let plan = shown(revocation)?;
    let objects = u32::try_from(plan.targets.len()).unwrap_or(u32::MAX);
    let uid = revocation.metadata.uid.clone()?;
    (!plan.hash.is_empty()).then(|| CountedPlan::new(&uid, &plan.hash, objects, plan.workloads))
}

fn shown(revocation: &Revocation) -> Option<&revocation::Plan> {
    revocation.status.as_ref()?.plan.as_ref()
}

/// The whole seconds between two instants, for words and figures.
#[must_use]
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use domain::ownership::Owners;

    #[test]
    fn another_record_has_ended_only_once_nobody_holds_it_or_has_yet_to_approve_it() {
        let seen = "2026-03-01T00:00:00Z";
        let revocation = format!("{}-cut", roster::termination_id("p-7", seen.parse().unwrap()));
        let hold = || json!({"reason": "law", "until": "2026-04-01T00:00:00Z", "by": "admin"});
        let over = || json!({"reason": "law", "until": "2026-03-02T00:00:00Z", "by": "admin"});
        let now: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let access = |state: &str, name: &str| json!({"state": state, "revocation": name});
        let cases: Vec<(&str, &str, bool, Value, Value, bool)> = vec![
            ("works here", "Active", false, json!(null), json!(null), false),
            ("cannot be told", "Unknown", false, json!(null), json!(null), false),
            ("has left", "Terminated", false, json!(null), json!(null), true),
            ("under a hold", "Terminated", false, hold(), json!(null), false),
            ("under a hold that has ended and nobody lifted", "Terminated", false, over(), json!(null), true),
            ("works here, and a hold has ended", "Active", false, over(), json!(null), false),
            ("waits for approval", "Terminated", true, json!(null), access("Held", &revocation), false),
            ("approved", "Terminated", true, json!(null), access("Released", &revocation), true),
            ("approved, and done", "Terminated", true, json!(null), access("Revoked", &revocation), true),
            (
                "an earlier termination was approved",
                "Terminated",
                true,
                json!(null),
                access("Revoked", "p-7-0-cut"),
                false,
            ),
        ];
        for (what, state, baseline, hold, access, expected) in cases {
            let employment = json!({"state": state, "since": seen, "seen": seen, "effective": seen, "timeZone": "UTC",
                "why": "Terminated", "baseline": baseline});
            let person: Person = serde_json::from_value(json!({
                "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u"},
                "spec": {"records": [{"connection": "hq", "id": "7"}], "hold": hold},
                "status": {"policy": "everyone", "employment": employment, "access": access},
            }))
            .unwrap();
            assert_eq!(person_facts(&person, now).left.is_some(), expected, "{what}");
        }
    }

    #[test]
    fn an_id_with_the_namespace_of_the_people_is_read_by_one_installation_alone() {
        let index = |namespace: &str| {
            let person: Person = serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p-7", "namespace": namespace, "uid": namespace},
                "spec": {"records": [{"connection": "hq", "id": "7"}]},
            }))
            .unwrap();
            index([&person])
        };
        let (rollcall, labs) = (index("rollcall"), index("labs"));
        for (annotation, here, there) in [
            ("id:hq/7", true, true),
            ("id:rollcall:hq/7", true, false),
            ("id:labs:hq/7", false, true),
            ("id:rollcall:hq/8", false, false),
        ] {
            let one = |index: &Index| matches!(index.resolve(annotation), Owners::One(_));
            assert_eq!((one(&rollcall), one(&labs)), (here, there), "{annotation}");
        }
    }
}
