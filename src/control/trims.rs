//! Which subjects may be taken out of which bindings now: the list that the admission policy of `rollcall trim` reads.
//!
//! It follows from what is released and not ended, and from what the bindings say, and from nothing that a process remembers: what
//! is over is off the list with the next write, and a crash changes nothing. Being on the list is no order: whoever takes a subject
//! out asks the gates, and whose it is, on reads of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use super::Context;
use super::owned::Belongings;
use super::revocation::gate_inputs;
use crate::api::revocation::{Action, Phase, StepOutcome, Target};
use crate::api::{Revocation, TrimmableSubjects, TrimmableSubjectsSpec, convert, names};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap;
use domain::frozen::{MAX_BYTES, MAX_NAMES};
use domain::gate::LeaverStatus;
use domain::ownership::{Claim, PersonFacts};
use domain::plan::reach::SYSTEM_NAME;
use domain::plan::{Subject, trim};

/// What is being done, for a fault.
const WRITES: &str = "write the list of subjects that may be trimmed";
/// Changes that come in a row are written together.
const TOGETHER: Duration = Duration::from_millis(50);
/// Wait after the list could not be written, and before it is looked at again: another process that leads too may have written what it
/// knew before this one did.
const LATER: Duration = Duration::from_secs(5);

/// The list: each binding's uid and user name, and the Revocation.
type Listed = BTreeMap<String, String>;

/// Keeps the list, for as long as the process lives. It is there from the start: where a policy finds none, `rollcall trim` is held to no
/// list.
///
/// # Flow          wait for a change, or a while after the last one and as long as anything is listed; work the list out again; write it
///                 over exactly what was read, if it is another one
/// # Guarantees    nothing is listed but user names of this leaver's, in a binding with the uid of a released plan's target
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    keep_as(&ctx, || wanted(&ctx)).await;
}

async fn keep_as(ctx: &Context, wanted: impl Fn() -> Listed) {
    let (mut written, mut again): (Option<Listed>, Option<Instant>) = (None, None);
    loop {
        let wanted = wanted();
        let changed = written.as_ref() != Some(&wanted);
        if changed || again.is_some_and(|again| again <= Instant::now()) {
            if let Err(fault) = write(ctx, &wanted).await {
                tracing::warn!(%fault, "subjects that may be trimmed are not listed; tried again");
                tokio::time::sleep(LATER).await;
                continue;
            }
            again = (changed || !wanted.is_empty()).then(|| Instant::now() + LATER);
            written = Some(wanted);
        }
        let later = async {
            match again {
                Some(again) => tokio::time::sleep_until(again).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ctx.trims.notified() => {}
            () = later => {}
        }
        tokio::time::sleep(TOGETHER).await;
    }
}

/// The list as it is to be now.
fn wanted(ctx: &Context) -> Listed {
    let (mut listed, mut bytes) = (Listed::new(), 0_usize);
    for revocation in ctx.stores.revocations.state() {
        let Some(targets) = open(&revocation) else { continue };
        let person = ctx.stores.people.get(&revocation.spec.person);
        let Some(person) = person.filter(|one| one.uid().as_ref() == Some(&revocation.spec.person_uid)) else {
            continue;
        };
        let facts = convert::person_facts(&person, (ctx.clock)());
        let gates = gate_inputs(ctx, &revocation, (ctx.clock)()).facts();
        if gates.stopped.is_some() || gates.leaver_status != LeaverStatus::Ended {
            continue; // everything is stopped, or they are back
        }
        let belongings = ctx.owned(|owned| owned.of(&facts, &std::collections::BTreeSet::new()));
        for key in keys(&targets, &belongings, &facts) {
            bytes = bytes.saturating_add(key.len()).saturating_add(revocation.name_any().len());
            if bytes > MAX_BYTES || listed.len() >= MAX_NAMES {
                return listed; // the rest is listed once these are done, or is left alone after a while
            }
            listed.insert(key, revocation.name_any());
        }
    }
    listed
}

/// The shared bindings of a Revocation that are still to be trimmed; none of one that is not released, or is over.
fn open(revocation: &Revocation) -> Option<Vec<&Target>> {
    let status = revocation.status.as_ref().filter(|status| status.phase == Some(Phase::Released))?;
    if status.outcome().is_some() {
        return None;
    }
    let ended = |target: &&Target| {
        status.steps.iter().any(|step| step.target.uid == target.uid && step.outcome != StepOutcome::Begun)
    };
    let trims = status.plan.iter().flat_map(|plan| &plan.targets).filter(|target| target.action == Action::Trim);
    let targets: Vec<&Target> = trims.filter(|target| !ended(target)).collect();
    (!targets.is_empty()).then_some(targets)
}

/// What is listed of these targets: the user names in each that are this person's and nobody's who works here.
fn keys(targets: &[&Target], belongings: &Belongings, person: &PersonFacts) -> Vec<String> {
    let of = |target: &&Target| belongings.bindings.iter().find(|one| one.object.uid == target.uid);
    let bindings = targets.iter().filter_map(of).map(|binding| &binding.object);
    let each = bindings.flat_map(|binding| {
        binding.subjects.iter().filter_map(move |subject| match subject {
            Subject::User(name)
                if !name.starts_with(SYSTEM_NAME) && belongings.index.user_claim(name, person) == Claim::Theirs =>
            {
                Some(trim::key(&binding.uid, name))
            }
            Subject::User(_) | Subject::Account { .. } | Subject::Other => None,
        })
    });
    each.collect()
}

/// Writes the list over exactly what was read.
async fn write(ctx: &Context, wanted: &Listed) -> Result<(), Fault> {
    let api: Api<TrimmableSubjects> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let spec = TrimmableSubjectsSpec { subjects: wanted.clone() };
    let list = |current: Option<TrimmableSubjects>| match current {
        None => Some(TrimmableSubjects::new(names::TRIM, spec.clone())),
        Some(object) => (object.spec != spec).then(|| TrimmableSubjects { spec: spec.clone(), ..object }),
    };
    swap::object(&api, names::TRIM, WRITES, list).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::owned::Since;
    use super::*;
    use crate::kube::scenario::{Scenario, on};
    use domain::ownership::Index;
    use domain::plan::{Binding, Kind};

    fn revocation(status: serde_json::Value) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": status,
        }))
        .unwrap()
    }

    fn target(action: &str, uid: &str) -> serde_json::Value {
        json!({"action": action, "kind": "RoleBinding", "namespace": "apps", "name": uid, "uid": uid, "why": ""})
    }

    #[test]
    fn what_may_be_trimmed_is_what_is_released_and_not_done() {
        let plan =
            json!({"hash": "h", "targets": [target("Trim", "b1"), target("Trim", "b2"), target("Unbind", "b3")]});
        let step = |uid: &str, outcome: &str| json!({"target": target("Trim", uid), "outcome": outcome, "at": "2026-03-01T00:00:01Z"});
        let claim = json!({"by": "revoke-1", "at": "2026-03-01T00:00:01Z"});
        for (what, status, expected) in [
            ("held", json!({"phase": "Held", "plan": plan}), vec![]),
            ("released", json!({"phase": "Released", "plan": plan}), vec!["b1", "b2"]),
            (
                "one is done",
                json!({"phase": "Released", "plan": plan, "steps": [step("b1", "Done"), step("b2", "Begun")]}),
                vec!["b2"],
            ),
            ("finished", json!({"phase": "Released", "plan": plan, "claim": claim, "finished": "Revoked"}), vec![]),
            ("over", json!({"phase": "Revoked", "plan": plan}), vec![]),
        ] {
            let revocation = revocation(status);
            let uids: Vec<&str> = open(&revocation).into_iter().flatten().map(|target| target.uid.as_str()).collect();
            assert_eq!(uids, expected, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_that_leads_too_writes_over_the_list_is_put_right_and_an_empty_list_is_left_in_peace() {
        let path = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/trimmablesubjects";
        let list = |subjects: serde_json::Value| {
            json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "TrimmableSubjects",
                "metadata": {"name": names::TRIM, "resourceVersion": "1"}, "spec": {"subjects": subjects}})
        };
        let one = json!({"b1 oidc:ada@example.com": "p-7-cut"});
        let read = |subjects: serde_json::Value| on(&format!("GET {path}/{}", names::TRIM)).answers(list(subjects));
        let put = |subjects: serde_json::Value| {
            let sends = json!({"spec": {"subjects": subjects}});
            on(&format!("PUT {path}/{}", names::TRIM)).sends(sends).answers(list(subjects))
        };
        let scenario = Scenario::default()
            .then(read(json!({})))
            .then(put(one.clone()))
            .then(read(json!({}))) // somebody has written it over with what they knew before
            .then(put(one.clone()))
            .then(read(one.clone()))
            .then(read(one.clone()))
            .then(put(json!({}))) // it is done
            .then(read(json!({})));
        let options = super::super::Options { namespace: "rollcall".into(), ..Default::default() };
        let ctx = Context::new(scenario.client(), options, || jiff::Timestamp::UNIX_EPOCH, Arc::default());
        let begun = Instant::now();
        let done = Duration::from_secs(12);
        let wanted = || match begun.elapsed() < done {
            true => serde_json::from_value(one.clone()).unwrap(),
            false => Listed::new(),
        };
        let tells = async {
            tokio::time::sleep(done).await;
            ctx.trims.notify_one();
        };
        let hour = tokio::time::timeout(Duration::from_secs(3600), keep_as(&ctx, wanted));
        assert!(futures::join!(hour, tells).0.is_err(), "it is kept for ever");
        scenario.is_over();
    }

    #[test]
    fn only_the_leavers_own_names_in_the_very_binding_of_the_plan_are_listed() {
        let person = |id: &str, aliases: &[&str]| PersonFacts {
            name: format!("p-{id}"),
            uid: format!("u-{id}"),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: aliases.iter().map(|name| format!("user:{name}")).collect(),
            address: None,
            left: None,
        };
        let seven = person("7", &["oidc:seven@example.com", "oidc:both@example.com", "system:seven"]);
        let index = Index::new(vec![seven.clone(), person("8", &["oidc:eight@example.com", "oidc:both@example.com"])]);
        let names =
            ["oidc:Seven@example.com", "oidc:eight@example.com", "oidc:both@example.com", "system:seven", "stranger"];
        let binding = |uid: &str| Since {
            object: Binding {
                kind: Kind::RoleBinding,
                namespace: "apps".into(),
                name: "shared".into(),
                uid: uid.into(),
                subjects: names.iter().map(|name| Subject::User((*name).into())).collect(),
                break_glass: false,
            },
            at: None,
        };
        let belongings = Belongings { bindings: vec![binding("b1"), binding("other")], index, ..Belongings::default() };
        let target: Target = serde_json::from_value(target("Trim", "b1")).unwrap();
        assert_eq!(keys(&[&target], &belongings, &seven), ["b1 oidc:Seven@example.com"]);
    }
}
