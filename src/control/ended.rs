//! What of leavers is not to be made again: the list that the optional admission policy `returns` reads.
//!
//! It follows from what was revoked, and from what stands now, and from nothing that a process remembers: who works here again is off
//! the list with the next write, and so is what is somebody else's by now.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;

use kube::ResourceExt;

use super::Context;
use super::lists::{self, Listed};
use super::owned::Belongings;
use crate::api::revocation::{Action, Operation, Phase, Step, StepOutcome, TargetKind};
use crate::api::{EndedAccess, Revocation, convert};
use domain::frozen::{MAX_BYTES, MAX_NAMES};
use domain::gate::LeaverStatus;
use domain::ownership::{Claim, PersonFacts};
use domain::plan::reach::SYSTEM_NAME;

/// Longest key.
const MAX_KEY: usize = 640;

/// Keeps the list where the policy that reads it is installed, for as long as the process lives. One that is empty is not made.
///
/// # Guarantees    nothing is listed but what a Revocation ended of somebody who has left and has it alone; nothing changes while
///                 everything is stopped
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    if !ctx.options.deny_returns {
        return futures::future::pending().await;
    }
    let ctx = &*ctx;
    let wanted = |_before| ready(Ok(ctx.stores.stopped().is_none().then(|| wanted(ctx))));
    lists::keep::<EndedAccess, _>(ctx, &ctx.ended, wanted).await;
}

/// The list as it is to be now.
fn wanted(ctx: &Context) -> Listed {
    let (mut listed, mut bytes) = (Listed::new(), 0_usize);
    for revocation in ctx.stores.revocations.state() {
        if !ended(&revocation) {
            continue;
        }
        let person = ctx.stores.people.get(&revocation.spec.person);
        let Some(person) = person.filter(|one| one.uid().as_ref() == Some(&revocation.spec.person_uid)) else {
            continue;
        };
        if convert::leaver_status(Some(&person)) != LeaverStatus::Ended
            || !convert::of_this_termination(Some(&person), &revocation.name_any())
        {
            continue; // back, or an end of an employment before
        }
        let facts = convert::person_facts(&person, (ctx.clock)());
        let belongings = ctx.owned(|owned| owned.of(&facts, &BTreeSet::new()));
        let stands = |namespace: &str, name: &str| ctx.stores.uid_of("ServiceAccount", namespace, name).is_some();
        let steps = revocation.status.iter().flat_map(|status| &status.steps);
        let accounts = steps.flat_map(|step| of_account(step, &belongings, stands));
        for key in accounts.chain(of_names(&facts, &belongings)).filter(|key| key.len() <= MAX_KEY) {
            bytes = bytes.saturating_add(key.len()).saturating_add(revocation.name_any().len());
            if bytes > MAX_BYTES || listed.len() >= MAX_NAMES {
                tracing::warn!(
                    "the list of what is not to be made again is full; what comes back is reported all the same"
                );
                return listed;
            }
            listed.entry(key).or_insert_with(|| revocation.name_any());
        }
    }
    listed
}

/// Whether a Revocation ended what it could.
fn ended(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    phase == Some(Phase::Revoked) && revocation.spec.operation != Operation::Freeze
}

/// What is listed of an account that was ended: as long as none of that name is there, the account itself; and tokens for it, unless
/// it is somebody else's by now.
fn of_account(step: &Step, belongings: &Belongings, stands: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let target = &step.target;
    let done = [StepOutcome::Done, StepOutcome::AlreadyGone, StepOutcome::NotRecreated];
    if target.kind != TargetKind::ServiceAccount || !done.contains(&step.outcome) {
        return Vec::new();
    }
    let place = format!("{}/{}", target.namespace, target.name);
    let mine = |one: &domain::plan::Account| one.namespace == target.namespace && one.name == target.name;
    let stands = stands(&target.namespace, &target.name);
    let theirs = !stands || belongings.accounts.iter().any(|account| mine(&account.object));
    let account = target.action == Action::Delete && !stands;
    let account = account.then(|| format!("ServiceAccount {place}"));
    account.into_iter().chain(theirs.then(|| format!("Token {place}"))).collect()
}

/// The user names that are this person's, and nobody's who may work here.
fn of_names(person: &PersonFacts, belongings: &Belongings) -> Vec<String> {
    let names = person.usernames().filter(|name| !name.starts_with(SYSTEM_NAME));
    let theirs = names.filter(|name| belongings.index.user_claim(name, person) == Claim::Theirs);
    // A name with an address is theirs in any case, and is written in lower case mostly.
    let cases = theirs
        .flat_map(|name| [name.to_owned(), if name.contains('@') { name.to_lowercase() } else { name.to_owned() }]);
    let cases: BTreeSet<String> = cases.map(|name| format!("User {name}")).collect();
    cases.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::owned::Since;
    use super::*;
    use domain::handover::Nominated;
    use domain::ownership::Index;
    use domain::plan::Account;

    fn step(action: &str, kind: &str, outcome: &str) -> Step {
        let target = json!({"action": action, "kind": kind, "namespace": "apps", "name": "ci", "uid": "u", "why": ""});
        serde_json::from_value(json!({"target": target, "outcome": outcome, "at": "2026-03-01T00:00:00Z"})).unwrap()
    }

    fn belongings(theirs: bool) -> Belongings {
        let account = Account {
            namespace: "apps".into(),
            name: "ci".into(),
            uid: "new".into(),
            owner: "id:hq/7".into(),
            next: Nominated::default(),
            purpose: None,
            break_glass: false,
        };
        let accounts = theirs.then_some(Since { object: account, at: None }).into_iter().collect();
        Belongings { accounts, ..Belongings::default() }
    }

    #[test]
    fn an_account_that_was_ended_is_not_made_again_and_gets_no_token_while_it_is_nobody_elses() {
        let (account, token) = ("ServiceAccount apps/ci", "Token apps/ci");
        for (what, step, stands, theirs, expected) in [
            ("removed", step("Delete", "ServiceAccount", "Done"), false, false, vec![account, token]),
            ("removed, and made again for them", step("Delete", "ServiceAccount", "Done"), true, true, vec![token]),
            ("removed, and made for somebody else", step("Delete", "ServiceAccount", "Done"), true, false, vec![]),
            ("recreated", step("Recreate", "ServiceAccount", "Done"), true, true, vec![token]),
            ("recreated, and handed over", step("Recreate", "ServiceAccount", "Done"), true, false, vec![]),
            ("could not be recreated", step("Recreate", "ServiceAccount", "NotRecreated"), false, false, vec![token]),
            ("left alone", step("Recreate", "ServiceAccount", "Skipped"), true, true, vec![]),
            ("a binding", step("Unbind", "RoleBinding", "Done"), false, false, vec![]),
        ] {
            assert_eq!(of_account(&step, &belongings(theirs), |_, _| stands), expected, "{what}");
        }
    }

    #[test]
    fn a_user_name_that_a_colleague_may_have_is_not_listed() {
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
        let seven = person("7", &["oidc:Seven@example.com", "oidc:both@example.com", "system:seven", "Seven"]);
        let index = Index::new(vec![seven.clone(), person("8", &["oidc:both@example.com"])]);
        let belongings = Belongings { index, ..Belongings::default() };
        let expected = ["User Seven", "User oidc:Seven@example.com", "User oidc:seven@example.com"];
        assert_eq!(of_names(&seven, &belongings), expected);
    }
}
