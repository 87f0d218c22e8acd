//! `rollcall restore`: creates again what revocations deleted of somebody who is back, from the manifests that were kept, with the
//! caller's own rights.
//!
//! Rollcall gives nothing back by itself: whoever gives a right has to hold it, or be allowed to `bind` it. A kept manifest is the
//! revoker's word, so it is checked against the plan and shown before it is used.

use std::collections::BTreeSet;

use clap::Args;
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::asked::Whom;
use super::link::shown;
use super::people::{everybody, find};
use super::terminal::{plain, say, table};
use super::{Failure, ask};
use crate::api::revocation::{Action, Kept, RevocationStatus, StepOutcome, Target, TargetKind};
use crate::api::{Person, Revocation, convert};
use crate::kube::named::Api;
use crate::kube::targets;
use domain::gate::LeaverStatus;

/// Options of `rollcall restore`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// Show what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
}

/// Creates again what was deleted of a person who works here.
///
/// # Flow          the Person and their Revocations read; each kept manifest checked and shown; asked; created, or subjects put back
/// # Guarantees    nothing for who has left; nothing whose manifest is not the one that was kept, is of another object than the plan's,
///                 or names another user; what exists is not changed, but for a shared binding, which gets this person's names back
/// # Assumptions   the caller holds what the roles give, or may bind them
/// # Errors        when something was not created; each says why in its own line, and the others are created
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (client, _, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    say(&shown(person));
    works_here(person)?;
    let api: Api<Revocation> = Api::namespaced(client.clone(), options.whom.cluster.namespace());
    let theirs = ListParams::default().fields(&format!("spec.person={}", person.name_any()));
    let revocations = ask("list the Person's Revocations", api.list(&theirs)).await?.items;
    let (items, refused) = items(person, &revocations);
    refused.iter().for_each(|why| say(&plain(why)));
    if items.is_empty() {
        say(
            "Nothing was deleted of them that was kept and can be created again. Accounts that were recreated exist: issue new tokens.",
        );
        return failed(refused.len());
    }
    say(&table(["WHAT", "OBJECT", "GIVES", "TO"], items.iter().map(Item::row)));
    if options.dry_run {
        return failed(refused.len());
    }
    options.whom.asked.confirm(format!("Create {} again, with your own rights?", counted(items.len())))?;
    let mut failures = refused.len();
    for item in &items {
        let object = item.object();
        match item.apply(&client).await {
            Ok(done) => say(&format!("{object}: {done}")),
            Err(why) => {
                failures = failures.saturating_add(1);
                say(&format!("{object}: not restored: {}", plain(&why.to_string())));
            }
        }
    }
    say("Tokens come back by issuing new ones: kubectl create token ACCOUNT.");
    failed(failures)
}

fn failed(number: usize) -> Result<(), Failure> {
    if number == 0 { Ok(()) } else { Err(Failure::Refused(format!("{} not restored", counted(number)))) }
}

fn counted(number: usize) -> String {
    if number == 1 { "1 object".to_owned() } else { format!("{number} objects") }
}

/// Refuses who has left: what came back of theirs would be reported, and rightly.
fn works_here(person: &Person) -> Result<(), Failure> {
    match convert::leaver_status(Some(person)) {
        LeaverStatus::Ended => Err(Failure::Refused(format!(
            "{} has left: nothing of theirs is given back. If that is wrong, correct it in the HR system, or declare it: kubectl rollcall stays",
            person.name_any()
        ))),
        LeaverStatus::Employed | LeaverStatus::OutOfScope | LeaverStatus::Unknown => Ok(()),
    }
}

/// One object that was deleted or trimmed, and its manifest.
#[derive(Debug)]
struct Item {
    target: Target,
    manifest: Value,
    /// User names that were taken out of a binding others share; empty of what was deleted.
    names: BTreeSet<String>,
}

/// What can be created again, and in words what cannot. The newest Revocation speaks of an object that several dealt with.
fn items(person: &Person, revocations: &[Revocation]) -> (Vec<Item>, Vec<String>) {
    let mine = |revocation: &&Revocation| Some(&revocation.spec.person_uid) == person.uid().as_ref();
    let mut mine: Vec<&Revocation> = revocations.iter().filter(mine).collect();
    mine.sort_by_key(|revocation| std::cmp::Reverse((revocation.spec.due, revocation.name_any())));
    let kept: Vec<&Kept> = mine.iter().filter_map(|one| one.status.as_ref()).flat_map(|status| &status.kept).collect();
    let (mut items, mut refused, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for status in mine.iter().filter_map(|revocation| revocation.status.as_ref()) {
        let usernames: BTreeSet<&str> =
            status.plan.iter().flat_map(|plan| &plan.usernames).map(String::as_str).collect();
        for target in gone(status) {
            if !seen.insert((target.kind, &target.namespace, &target.name)) {
                continue;
            }
            match item(target, &kept, &usernames) {
                Ok(item) => items.push(item),
                Err(why) => refused.push(format!("{}: {why}", object(target))),
            }
        }
    }
    items.sort_by(|one, other| {
        (one.target.kind != TargetKind::ServiceAccount, &one.target)
            .cmp(&(other.target.kind != TargetKind::ServiceAccount, &other.target))
    });
    (items, refused)
}

/// What a Revocation ended for good.
fn gone(status: &RevocationStatus) -> impl Iterator<Item = &Target> {
    let ended = |step: &&crate::api::revocation::Step| match (step.target.action, step.outcome) {
        (Action::Unbind | Action::Delete | Action::Trim, StepOutcome::Done) => true,
        (Action::Recreate | Action::HandOver, outcome) => outcome == StepOutcome::NotRecreated,
        _ => false,
    };
    status.steps.iter().filter(ended).map(|step| &step.target)
}

fn item(target: &Target, kept: &[&Kept], usernames: &BTreeSet<&str>) -> Result<Item, &'static str> {
    let parsed = kept.iter().filter_map(|kept| Some((*kept, serde_json::from_str::<Value>(&kept.manifest).ok()?)));
    let of_target = |(kept, manifest): &(&Kept, Value)| {
        // A removal keeps nothing: the cut before it kept the account, under the uid that it had then.
        let by_name = target.kind == TargetKind::ServiceAccount && is_of(manifest, target);
        kept.uid == target.uid || by_name
    };
    let (kept, manifest) = parsed.into_iter().find(of_target).ok_or("its manifest was not kept: it was too large")?;
    if data_encoding::HEXLOWER.encode(&Sha256::digest(kept.manifest.as_bytes())) != kept.sha256 {
        return Err("its kept manifest was changed since");
    }
    if !is_of(&manifest, target) {
        return Err("its kept manifest is of another object");
    }
    let names: BTreeSet<String> = targets::users(&manifest).map(str::to_owned).collect();
    let theirs: BTreeSet<String> = names.iter().filter(|name| usernames.contains(name.as_str())).cloned().collect();
    match target.action {
        Action::Trim => Ok(Item { target: target.clone(), manifest, names: theirs }),
        _ if theirs != names || of_a_group(&manifest) => Err("its kept manifest names somebody else"),
        _ => Ok(Item { target: target.clone(), manifest, names: BTreeSet::new() }),
    }
}

/// Whether a binding has a subject that is neither a user nor an account: none was deleted that had.
fn of_a_group(manifest: &Value) -> bool {
    let subjects = manifest.get("subjects").and_then(Value::as_array).into_iter().flatten();
    let kind = |subject: &Value| subject.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    subjects.map(kind).any(|kind| kind != "User" && kind != "ServiceAccount")
}

/// Whether a manifest is of the object that the plan named.
fn is_of(manifest: &Value, target: &Target) -> bool {
    let meta =
        |field: &str| manifest.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default();
    manifest.get("kind").and_then(Value::as_str) == Some(target.kind.as_str())
        && (meta("namespace"), meta("name")) == (target.namespace.as_str(), target.name.as_str())
}

fn object(target: &Target) -> String {
    domain::plan::described(domain::plan::Target::from(target).kind, &target.namespace, &target.name)
}

impl Item {
    fn object(&self) -> String {
        object(&self.target)
    }

    fn row(&self) -> [String; 4] {
        let what = if self.names.is_empty() { "create" } else { "put back" };
        let of = |field: &str| self.manifest.pointer(field).and_then(Value::as_str).unwrap_or_default();
        let role = match self.target.kind {
            TargetKind::ServiceAccount | TargetKind::User => "-".to_owned(),
            _ => format!("{} {}", of("/roleRef/kind"), of("/roleRef/name")),
        };
        let subjects = self.manifest.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let named = |subject: &Value| {
            let part = |field: &str| subject.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {}", part("kind"), part("name"))
        };
        let to = match self.names.is_empty() {
            true => subjects.map(named).collect::<Vec<_>>().join(", "),
            false => self.names.iter().map(|name| format!("User {name}")).collect::<Vec<_>>().join(", "),
        };
        [what.to_owned(), self.object(), role, if to.is_empty() { "-".to_owned() } else { to }].map(|cell| plain(&cell))
    }

    /// Creates the object, or puts the names back into the binding that stands.
    async fn apply(&self, client: &kube::Client) -> Result<&'static str, Failure> {
        let api = targets::api(client, &(&self.target).into());
        if self.names.is_empty() {
            let object: DynamicObject = serde_json::from_value(self.manifest.clone())
                .map_err(|_| Failure::Refused("its kept manifest is no object".to_owned()))?;
            return match ask("create it", api.create(&PostParams::default(), &object)).await {
                Ok(_) => Ok("created"),
                Err(Failure::Server { code: 409, .. }) => Ok("exists already, and was left as it is"),
                Err(why) => Err(why),
            };
        }
        let live = ask("read it", api.get(&self.target.name)).await?;
        let Some(patch) = self.put_back(&serde_json::to_value(&live).unwrap_or_default()) else {
            return Ok("names them already");
        };
        ask("put the user names back", api.patch(&self.target.name, &PatchParams::default(), &Patch::Merge(&patch)))
            .await?;
        Ok("names them again")
    }

    /// The subjects of the binding that stands with those that were taken out, at the version that was read; none where it has them.
    fn put_back(&self, live: &Value) -> Option<Value> {
        let there: BTreeSet<&str> = targets::users(live).collect();
        let kept = self.manifest.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let missing = |subject: &&Value| {
            targets::user(subject).is_some_and(|name| self.names.contains(name) && !there.contains(name))
        };
        let missing: Vec<&Value> = kept.filter(missing).collect();
        let subjects =
            live.get("subjects").and_then(Value::as_array).into_iter().flatten().chain(missing.iter().copied());
        let version = live.pointer("/metadata/resourceVersion");
        (!missing.is_empty())
            .then(|| json!({"metadata": {"resourceVersion": version}, "subjects": subjects.collect::<Vec<_>>()}))
    }
}

#[cfg(test)]
mod tests;
