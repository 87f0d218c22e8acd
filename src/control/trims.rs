//! Which subjects may be taken out of which bindings now: the list that the admission policy of `rollcall trim` reads.
//!
//! It follows from what is released and not ended, and from what the bindings say, and from nothing that a process remembers: what
//! is over is off the list with the next write, and a crash changes nothing. Being on the list is no order: whoever takes a subject
//! out asks the gates, and whose it is, on reads of their own.

use std::future::ready;
use std::sync::Arc;

use kube::ResourceExt;

use super::Context;
use super::lists::{self, Listed};
use super::owned::Belongings;
use super::revocation::gate_inputs;
use crate::api::revocation::{Action, Phase, StepOutcome, Target};
use crate::api::{Revocation, TrimmableSubjects, convert};
use domain::frozen::{MAX_BYTES, MAX_NAMES};
use domain::gate::LeaverStatus;
use domain::ownership::{Claim, PersonFacts};
use domain::plan::reach::SYSTEM_NAME;
use domain::plan::{Subject, trim};

/// Keeps the list, for as long as the process lives. It is there from the start: where a policy finds none, `rollcall trim` is held to no
/// list.
///
/// # Guarantees    nothing is listed but user names of this leaver's, in a binding with the uid of a released plan's target
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    let ctx = &*ctx;
    lists::keep::<TrimmableSubjects, _>(ctx, &ctx.trims, |_before| ready(Ok(Some(wanted(ctx))))).await;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::owned::Since;
    use super::*;
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
