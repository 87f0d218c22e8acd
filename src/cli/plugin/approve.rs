//! `rollcall approve`: shows who it is about and what would be done, and approves exactly that, by the hash of each plan.
//!
//! The approver writes with their own rights. An admission policy checks that they may, that they are who they say,
//! that they are neither Rollcall nor the leaver, and that the hash is the one of the plan that stands.

use crate::kube::named::Api;
use clap::Args;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::asked::Which;
use super::cluster::whoami;
use super::terminal::{plain, say, table};
use super::{Failure, ask};
use crate::api::condition::Reason;
use crate::api::revocation::{Phase, Plan};
use crate::api::{Person, Revocation, convert, names};
use crate::kube::calls;

/// Calls that are made at once: everybody of a batch waits for their approval.
const AT_ONCE: usize = 8;
/// How often a write is tried again when the object was changed meanwhile and the plan was not.
const TRIES: u32 = 5;

/// Options of `rollcall approve`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    which: Which,
}

/// Shows the plans, asks, and approves them.
///
/// # Flow          read, show, ask, find the caller's own name, write each approval at the version that was read
/// # Guarantees    only plans that were shown are approved: one that changed meanwhile is refused, and so is one that
///                 joined the batch meanwhile; approving twice is approving once
/// # Assumptions   the approval policy of the chart is installed
/// # Errors        when any of them was not approved; each says why in its own line
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.which.cluster.client().await?;
    let api: Api<Revocation> = Api::namespaced(client.clone(), options.which.cluster.namespace());
    let found = find(&api, &options.which).await?;
    let people: Api<Person> = Api::namespaced(client.clone(), options.which.cluster.namespace());
    let (mut open, mut failed) = (Vec::new(), 0_usize);
    let user = whoami(client.clone()).await?;
    let mut each = std::pin::pin!(whom(&people, &found));
    while let Some((revocation, who)) = each.next().await {
        match approval_state(revocation) {
            ApprovalState::Half(_, first) if first == user => {
                say(&format!("{}: approved by you; another person has to approve it too", name(revocation)));
            }
            ApprovalState::Open(plan) | ApprovalState::Half(plan, _) => {
                say(&format!("{}\n", show(revocation, &who, plan)));
                open.push((revocation, plan.hash.as_str()));
            }
            ApprovalState::Approved(by) => say(&format!("{}: already approved by {}", name(revocation), plain(&by))),
            ApprovalState::Closed(why) => {
                failed = failed.saturating_add(1);
                say(&format!("{}: {}", name(revocation), plain(&why)));
            }
        }
    }
    if !open.is_empty() {
        options.which.asked.confirm(format!("Approve {} as {}?", plans(open.len()), plain(&user)))?;
        let (api, user) = (&api, user.as_str());
        let approvals = open
            .into_iter()
            .map(|(revocation, hash)| async move { (revocation, hash, approve(api, revocation, hash, user).await) });
        let mut approvals = std::pin::pin!(futures::stream::iter(approvals).buffered(AT_ONCE));
        while let Some((revocation, hash, given)) = approvals.next().await {
            match given {
                Ok(given) => say(&format!("{}: {}, plan {hash}", name(revocation), given.words())),
                Err(why) => {
                    failed = failed.saturating_add(1);
                    say(&format!("{}: not approved: {}", name(revocation), plain(&why.to_string())));
                }
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Refused(format!("{failed} of {} not approved", found.len()))) }
}

/// The Revocation, or those of the Person that have not ended, or those of the batch, in the order of their names.
pub async fn find(api: &Api<Revocation>, which: &Which) -> Result<Vec<Revocation>, Failure> {
    if let Some(name) = which.name.as_deref() {
        if let Some(revocation) = ask("read the Revocation", api.get_opt(name)).await? {
            return Ok(vec![revocation]);
        }
        let of_person = ListParams::default().fields(&format!("spec.person={name}"));
        let mut found = ask("list the Person's Revocations", api.list(&of_person)).await?.items;
        found.retain(|revocation| !has_ended(revocation));
        let nothing = || Failure::Refused(format!("{name} is neither a Revocation nor a Person with one that waits"));
        return if found.is_empty() { Err(nothing()) } else { Ok(found) };
    }
    let batch = which.batch.as_deref().unwrap_or_default();
    let of_batch = ListParams::default().labels(&format!("{}={batch}", names::BATCH));
    let mut found = ask("list the batch", api.list(&of_batch)).await?.items;
    if !found.iter().all(has_ended) {
        found.retain(|revocation| !has_ended(revocation)); // what is left of it is what is decided
    }
    if found.is_empty() { Err(Failure::Refused(format!("there is no Revocation in batch {batch}"))) } else { Ok(found) }
}

fn has_ended(revocation: &Revocation) -> bool {
    revocation.status.as_ref().and_then(|status| status.phase).is_some_and(Phase::ended)
}

/// Whether a Revocation can be approved.
#[derive(Debug, PartialEq)]
enum ApprovalState<'a> {
    /// Its plan can.
    Open(&'a Plan),
    /// Its plan is approved by this user, and another one has to approve it too.
    Half(&'a Plan, &'a str),
    /// Its plan is, by these.
    Approved(String),
    /// It cannot, and why.
    Closed(String),
}

fn approval_state(revocation: &Revocation) -> ApprovalState<'_> {
    let status = revocation.status.as_ref();
    let phase = status.and_then(|status| status.phase);
    let plan = status.and_then(|status| status.plan.as_ref()).filter(|plan| !plan.hash.is_empty());
    match (phase, plan, revocation.spec.approval.as_ref()) {
        (Some(Phase::Revoked | Phase::Failed | Phase::Cancelled | Phase::Lifted), _, _) => {
            ApprovalState::Closed("it has ended, so there is nothing to approve".to_owned())
        }
        (_, None, _) => ApprovalState::Closed("it has no plan yet; control makes one".to_owned()),
        (_, Some(_), _) if revocation.spec.rejection.is_some() => {
            ApprovalState::Closed("it was rejected: `kubectl rollcall reject --undo` takes that back".to_owned())
        }
        (Some(Phase::Held), Some(plan), Some(_)) if expired(revocation) => ApprovalState::Open(plan),
        (_, Some(plan), Some(approval)) if approval.plan_hash == plan.hash => {
            let given = convert::approvers(&revocation.spec, &plan.hash);
            match given.len() < 2 && plan.by_two && phase == Some(Phase::Held) {
                true => ApprovalState::Half(plan, &approval.by),
                false => ApprovalState::Approved(given.join(" and ")),
            }
        }
        // Of two approvals, one does not keep a plan from changing: then it is given again, for the plan that stands.
        (Some(Phase::Held), Some(plan), Some(_)) if plan.by_two => ApprovalState::Open(plan),
        (_, Some(_), Some(approval)) => ApprovalState::Closed(format!(
            "another plan ({}) was approved, and an approval is final",
            approval.plan_hash
        )),
        (Some(Phase::Released | Phase::Frozen), Some(_), None) => {
            ApprovalState::Closed("it needs no approval: every gate is open".to_owned())
        }
        (_, Some(plan), None) => ApprovalState::Open(plan),
    }
}

/// Whether its approval is void: nothing was done in time, and it can be given again.
fn expired(revocation: &Revocation) -> bool {
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref());
    gate.is_some_and(|gate| Reason::parse(&gate.reason) == Some(Reason::ApprovalExpired))
}

/// These Revocations in their order, and who each is about.
pub fn whom<'a>(people: &'a Api<Person>, found: &'a [Revocation]) -> impl Stream<Item = (&'a Revocation, String)> {
    let each = found.iter().map(move |revocation| async move { (revocation, who(people, revocation).await) });
    futures::stream::iter(each).buffered(AT_ONCE)
}

/// Who a Revocation is about, with the caller's own rights: HR ids, and what the Person says of them.
async fn who(people: &Api<Person>, revocation: &Revocation) -> String {
    match ask("read the Person", people.get(&revocation.spec.person)).await {
        Ok(person) if person.metadata.uid.as_deref() == Some(revocation.spec.person_uid.as_str()) => about(&person),
        Ok(_) => format!("Person {} was deleted and created again since this was planned.", revocation.spec.person),
        Err(why) => format!("The Person {} cannot be read: {why}", revocation.spec.person),
    }
}

fn about(person: &Person) -> String {
    let ids: Vec<String> =
        person.spec.records.iter().map(|record| format!("id:{}/{}", record.connection, record.id)).collect();
    let status = person.status.clone().unwrap_or_default();
    let address = status.profile.as_ref().and_then(|profile| profile.work_email.clone());
    let last_day = status.employment.as_ref().and_then(|employment| employment.last_day);
    let state = status.employment.as_ref().map(|employment| employment.state.as_str().to_owned());
    let known = [
        ("", person.display_name().map(str::to_owned)),
        ("", address),
        ("", state),
        ("last day ", last_day.map(|day| day.to_string())),
    ];
    let known = known.into_iter().filter_map(|(what, text)| text.map(|text| format!("{what}{text}")));
    // What one person alone has, such as a home address, tells nothing that is decided here.
    let texts = person.profiles().flat_map(|profile| profile.texts.iter()).filter(|(text, _)| text.shared());
    let texts = texts.map(|(text, value)| format!("{} {value}", text.as_str()));
    ids.into_iter().chain(known).chain(texts).collect::<Vec<_>>().join(", ")
}

/// The plan, as the one who decides has to see it.
pub fn show(revocation: &Revocation, who: &str, plan: &Plan) -> String {
    let spec = &revocation.spec;
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref());
    let held = gate.map_or("not held".to_owned(), |gate| format!("held by {}: {}", gate.reason, gate.message));
    let heading = format!(
        "{}: {} of {} under policy {}, due {}; {held}",
        name(revocation),
        spec.operation.as_str(),
        spec.person,
        spec.policy,
        spec.due
    );
    let mut parts = vec![plain(&heading), plain(who), plain(&spec.reason)];
    if plan.targets.is_empty() && plan.freezes.is_empty() {
        parts.push("No object is acted on.".to_owned());
    } else {
        let targets = plan.freezes.iter().chain(&plan.targets).map(|target| {
            let object = if target.namespace.is_empty() {
                target.name.clone()
            } else {
                format!("{}/{}", target.namespace, target.name)
            };
            [target.action.as_str().to_owned(), target.kind.as_str().to_owned(), object, target.why.clone()]
        });
        parts.push(table(["ACTION", "KIND", "OBJECT", "WHY"], targets));
    }
    if !plan.remaining.is_empty() {
        let remains = plan.remaining.iter().map(|rest| [rest.what.clone(), rest.why.clone(), rest.advice.clone()]);
        parts.push(table(["REMAINS", "WHY", "WHAT TO DO"], remains));
    }
    parts.push(format!("Plan {}", plain(&plan.hash)));
    if plan.by_two {
        let given = convert::approvers(spec, &plan.hash);
        let given =
            if given.is_empty() { "none is given".to_owned() } else { format!("given by {}", given.join(" and ")) };
        parts.push(plain(&format!("Two people have to approve it; {given}.")));
    }
    parts.join("\n")
}

/// What an approval that was written is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// The only one that is needed.
    Alone,
    /// The first of two.
    First,
    /// The second of two.
    Second,
}

impl Given {
    const fn words(self) -> &'static str {
        match self {
            Self::Alone => "approved",
            Self::First => "approved as the first of two: another person has to approve it too",
            Self::Second => "approved as the second of two",
        }
    }
}

/// Which approval of a Revocation comes next.
fn next(revocation: &Revocation) -> Given {
    match approval_state(revocation) {
        ApprovalState::Half(..) => Given::Second,
        ApprovalState::Open(plan) if plan.by_two => Given::First,
        _ => Given::Alone,
    }
}

/// Writes one approval, as long as the plan is the one that was shown.
async fn approve(api: &Api<Revocation>, shown: &Revocation, hash: &str, user: &str) -> Result<Given, Failure> {
    let (mut version, mut given) = (shown.metadata.resource_version.clone(), next(shown));
    for _ in 0..TRIES {
        let patch = Patch::Merge(approval(version.as_deref(), given, hash, user, calls::now()));
        match ask("write the approval", api.patch(name(shown), &PatchParams::default(), &patch)).await {
            Ok(_) => return Ok(given),
            Err(Failure::Server { code: 409, .. }) => {}
            Err(other) => return Err(other),
        }
        let read = ask("read the Revocation again", api.get(name(shown))).await?;
        match approval_state(&read) {
            ApprovalState::Half(_, first) if first == user => return Ok(Given::First),
            ApprovalState::Open(plan) | ApprovalState::Half(plan, _) if plan.hash == hash => {
                (version, given) = (read.metadata.resource_version.clone(), next(&read));
            }
            ApprovalState::Open(_) | ApprovalState::Half(..) => {
                return Err(Failure::Refused("its plan has changed since it was shown".to_owned()));
            }
            ApprovalState::Approved(by) if by == user => return Ok(Given::Alone),
            ApprovalState::Approved(by) => return Err(Failure::Refused(format!("{by} approved it meanwhile"))),
            ApprovalState::Closed(why) => return Err(Failure::Refused(why)),
        }
    }
    Err(Failure::Refused("it keeps changing: try again".to_owned()))
}

/// A first approval takes a second one with it that was given for an earlier first one.
fn approval(version: Option<&str>, given: Given, hash: &str, user: &str, now: Timestamp) -> Value {
    let approval = json!({"planHash": hash, "by": user, "at": now});
    let spec = match given {
        Given::Alone | Given::First => json!({"approval": approval, "secondApproval": null}),
        Given::Second => json!({"secondApproval": approval}),
    };
    json!({"metadata": {"resourceVersion": version}, "spec": spec})
}

/// Name of a Revocation.
pub fn name(revocation: &Revocation) -> &str {
    revocation.metadata.name.as_deref().unwrap_or_default()
}

/// So many plans, in words.
pub fn plans(count: usize) -> String {
    if count == 1 { "this plan".to_owned() } else { format!("these {count} plans") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::merge;

    const AT: &str = "2026-03-01T09:00:00Z";

    /// A held Revocation with a plan, and what a case changes of it.
    fn revocation(change: &Value) -> Revocation {
        let mut value = json!({
            "metadata": {"name": "p-7-cut", "resourceVersion": "5"},
            "spec": {
                "person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "id:hq/7 left on 2026-02-28"
            },
            "status": {
                "phase": "Held",
                "gate": {"reason": "LimitExceeded", "message": "6 people are leaving, 2 are allowed.", "batch": "b1"},
                "plan": {
                    "hash": "a".repeat(64),
                    "targets": [
                        {"action": "Unbind", "kind": "ClusterRoleBinding", "namespace": "", "name": "ops", "uid": "1",
                         "why": "every subject is user:p-7"},
                        {"action": "Recreate", "kind": "ServiceAccount", "namespace": "team-a", "name": "ci\u{1b}[2K",
                         "uid": "2", "why": "marked id:hq/7"}
                    ],
                    "remaining": [{"what": "RoleBinding team-a/shared", "why": "SharedBinding", "advice": "remove the subject"}]
                }
            }
        });
        merge(&mut value, change);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_a_plan_that_waits_can_be_approved() {
        let approved =
            |hash: &str| json!({"spec": {"approval": {"planHash": hash.repeat(64), "by": "grace", "at": AT}}});
        let expired = json!({"spec": approved("a")["spec"], "status": {"gate": {"reason": "ApprovalExpired"}}});
        let by_two = |hash: &str, second: Value| {
            let mut spec = approved(hash)["spec"].clone();
            spec["secondApproval"] = second;
            if let Some(by) = spec["secondApproval"].get_mut("by") {
                *by = json!("ben");
            }
            json!({"spec": spec, "status": {"plan": {"byTwo": true}}})
        };
        let mut rejected = by_two("a", Value::Null);
        rejected["spec"]["rejection"] = json!({"reason": "wrong person", "by": "ben"});
        let cases = [
            ("approved, and nothing was done in time", expired, "open"),
            ("held", json!({}), "open"),
            ("no phase yet, but a plan", json!({"status": {"phase": null}}), "open"),
            ("no plan yet", json!({"status": {"plan": null}}), "closed"),
            ("a plan without a hash", json!({"status": {"plan": {"hash": ""}}}), "closed"),
            ("released by itself", json!({"status": {"phase": "Released"}}), "closed"),
            ("revoked", json!({"status": {"phase": "Revoked"}}), "closed"),
            ("failed", json!({"status": {"phase": "Failed"}}), "closed"),
            ("cancelled", json!({"status": {"phase": "Cancelled"}}), "closed"),
            ("rejected", json!({"spec": {"rejection": {"reason": "wrong person", "by": "grace"}}}), "closed"),
            ("the first of two, and rejected", rejected, "closed"),
            ("approved", approved("a"), "approved"),
            ("approved for another plan", approved("b"), "closed"),
            ("the first of two", by_two("a", Value::Null), "half"),
            ("both of two", by_two("a", approved("a")["spec"]["approval"].clone()), "approved"),
            ("the first of two, and the plan changed", by_two("b", Value::Null), "open"),
        ];
        for (situation, change, expected) in cases {
            let approval_state = match approval_state(&revocation(&change)) {
                ApprovalState::Open(_) => "open",
                ApprovalState::Half(_, by) => {
                    assert_eq!(by, "grace");
                    "half"
                }
                ApprovalState::Approved(by) => {
                    assert!(["grace", "grace and ben"].contains(&by.as_str()), "{by}");
                    "approved"
                }
                ApprovalState::Closed(_) => "closed",
            };
            assert_eq!(approval_state, expected, "{situation}");
        }
    }

    #[test]
    fn the_approver_sees_every_target_and_what_remains_and_no_control_character() {
        let revocation = revocation(&json!({}));
        let plan = revocation.status.as_ref().unwrap().plan.as_ref().unwrap();
        insta::assert_snapshot!(show(&revocation, "id:hq/7, Grace\u{202e} Hopper, last day 2026-02-28", plan));
    }

    #[test]
    fn the_approver_sees_who_it_is_by_hr_id_and_by_all_that_is_known() {
        let person: Person = serde_json::from_value(json!({
            "metadata": {"name": "p-7", "uid": "u-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}, {"connection": "labs", "id": "0070"}]},
            "status": {
                "profile": {"displayName": "Grace Hopper", "workEmail": "grace@example.com"},
                "employment": {"state": "Terminated", "since": "2026-03-01T00:00:00Z", "lastDay": "2026-02-28",
                    "timeZone": "UTC", "why": "left"}
            }
        }))
        .unwrap();
        let known = "id:hq/7, id:labs/0070, Grace Hopper, grace@example.com, Terminated, last day 2026-02-28";
        assert_eq!(about(&person), known);
    }

    #[test]
    fn an_approval_holds_only_at_the_version_that_was_read() {
        let expected = json!({
            "metadata": {"resourceVersion": "5"},
            "spec": {"approval": {"planHash": "ab", "by": "grace", "at": AT}, "secondApproval": null},
        });
        assert_eq!(approval(Some("5"), Given::First, "ab", "grace", AT.parse().unwrap()), expected);
        let expected = json!({
            "metadata": {"resourceVersion": "5"}, "spec": {"secondApproval": {"planHash": "ab", "by": "grace", "at": AT}},
        });
        assert_eq!(approval(Some("5"), Given::Second, "ab", "grace", AT.parse().unwrap()), expected);
    }
}
