//! `rollcall grants`: the RoleBindings that `spec.grants` of policies ask for, as a table or as manifests for a pipeline.
//!
//! Decided by the pure function alone, on what the caller may read. Nothing is changed.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use k8s_openapi::List;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::ResourceExt;

use super::Failure;
use super::cluster::Cluster;
use super::output;
use super::people::{READING, all, everybody};
use super::progress::during;
use super::terminal::{columns, plain, say};
use crate::api::{SyncPolicy, names};
use crate::kube::calls;
use crate::kube::grants::{Decided, decide};
use crate::kube::named::Api;
use domain::grants::Outcome;

/// Options of `rollcall grants`.
#[derive(Debug, Args)]
#[command(
    after_help = "With -o yaml and -o json, manifests are printed, and user names with them: they may be personal data."
)]
pub struct Options {
    /// Only this SyncPolicy
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    policy: Option<String>,
    /// A SyncPolicy as a file, in place of the one of its name in the cluster: to see what a change would do
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each binding, and what is to be known of each rule
    Table,
    /// The same, with the policy
    Wide,
    /// The manifests of all bindings that are to stand, as one List
    Json,
    /// The same, as documents of one file
    Yaml,
}

/// Prints what the grants come to.
///
/// # Flow          read policies, people and granted bindings; decide; print
/// # Guarantees    changes nothing; where a rule cannot be followed, nothing is printed at all: a pipeline would prune the rest
/// # Errors        the rule that cannot be followed; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let namespace = options.cluster.namespace();
    let (client, _, people) = everybody(&options.cluster).await?;
    let policies: Vec<SyncPolicy> =
        all("list the SyncPolicies", Api::namespaced(client.clone(), namespace), "").await?;
    let ours = format!("{}={namespace}", names::PEOPLE);
    let bindings: Vec<RoleBinding> = during(READING, all("list the RoleBindings", Api::all(client), &ours)).await?;
    let policies = meant(policies, options)?;
    let people: Vec<_> = people.iter().collect();
    let mut decided = Vec::new();
    for policy in &policies {
        let found = decide(namespace, policy, &people, &bindings, calls::now());
        let found = found.map_err(|why| Failure::Refused(format!("SyncPolicy {}: {why}", policy.name_any())))?;
        decided.push((policy.name_any(), found));
    }
    match options.output {
        Output::Json => say(&json(manifests(namespace, &decided, &bindings))?),
        Output::Yaml => say(yaml(manifests(namespace, &decided, &bindings))?.trim_end()),
        Output::Table => say(&shown(&decided, false)),
        Output::Wide => say(&shown(&decided, true)),
    }
    Ok(())
}

/// The policies that are asked about, one of them as its file says.
fn meant(policies: Vec<SyncPolicy>, options: &Options) -> Result<Vec<SyncPolicy>, Failure> {
    if let Some(path) = &options.file {
        return Ok(vec![changed(&policies, path)?]);
    }
    let wanted = |policy: &SyncPolicy| options.policy.as_ref().is_none_or(|name| policy.name_any() == *name);
    let found: Vec<_> = policies.into_iter().filter(wanted).collect();
    match (&options.policy, found.is_empty()) {
        (Some(name), true) => Err(Failure::Refused(format!("there is no SyncPolicy {}", plain(name)))),
        _ => Ok(found),
    }
}

/// A policy as a file says, with the status of the one of its name in the cluster.
///
/// # Errors
/// When the file is none, or cannot be read.
pub fn changed(policies: &[SyncPolicy], path: &Path) -> Result<SyncPolicy, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let mut policy: SyncPolicy = serde_saphyr::from_str(&text).map_err(|error| Failure::file(path, error))?;
    if let Some(stands) = policies.iter().find(|one| one.name_any() == policy.name_any()) {
        policy.metadata.generation = stands.metadata.generation;
        policy.status.clone_from(&stands.status);
    }
    Ok(policy)
}

/// Manifests of all bindings that are to stand.
fn manifests(namespace: &str, decided: &[(String, Decided)], bindings: &[RoleBinding]) -> Vec<RoleBinding> {
    let mut documents = Vec::new();
    for (policy, decided) in decided {
        for outcome in &decided.outcomes {
            let stays = |one: &&RoleBinding| {
                let uid = one.uid().unwrap_or_default();
                outcome.keep.iter().any(|kept| kept.uid == uid)
            };
            documents.extend(bindings.iter().filter(stays).map(as_applied));
            let held = outcome.held.iter().flat_map(|held| &held.make);
            let new = outcome.make.iter().chain(held);
            documents.extend(new.filter_map(|grant| decided.manifest(namespace, policy, grant)));
        }
    }
    documents.sort_by_key(|one| (one.namespace(), one.name_any()));
    documents
}

/// As documents of one file.
fn yaml(manifests: Vec<RoleBinding>) -> Result<String, Failure> {
    let texts = manifests.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    Ok(texts.map_err(output::unwritable)?.join("---\n"))
}

/// As one List, which `kubectl apply` takes as well.
fn json(manifests: Vec<RoleBinding>) -> Result<String, Failure> {
    output::json(&List { metadata: ListMeta::default(), items: manifests })
}

/// A binding without what the API server adds.
fn as_applied(binding: &RoleBinding) -> RoleBinding {
    let mut applied = binding.clone();
    applied.metadata = kube::api::ObjectMeta {
        name: binding.metadata.name.clone(),
        namespace: binding.metadata.namespace.clone(),
        labels: binding.metadata.labels.clone(),
        ..kube::api::ObjectMeta::default()
    };
    applied
}

/// The table, and below it what is to be known of each rule.
fn shown(decided: &[(String, Decided)], wide: bool) -> String {
    let of = |(policy, decided): &(String, Decided)| {
        let rows = decided.outcomes.iter().flat_map(rows);
        rows.map(|row| row.into_iter().chain(wide.then(|| policy.clone())).collect()).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = decided.iter().flat_map(of).collect();
    let head = ["RULE", "NAMESPACE", "BINDING", "PERSON", ""].into_iter().chain(wide.then_some("POLICY"));
    let mut lines = match rows.is_empty() {
        true => vec!["No rule binds anybody.".to_owned()],
        false => vec![columns(head.map(str::to_owned).collect(), rows)],
    };
    for (policy, decided) in decided {
        lines.extend(decided.outcomes.iter().flat_map(|outcome| of_rule(policy, outcome)));
    }
    lines.join("\n")
}

fn rows(outcome: &Outcome) -> Vec<[String; 5]> {
    let held = outcome.held.as_ref();
    let waits = |uid: &str| held.is_some_and(|held| held.remove.iter().any(|one| one.uid == uid));
    let standing = |all: &[domain::grants::Standing], removed: bool| -> Vec<[String; 5]> {
        let row = |one: &domain::grants::Standing| {
            let does = if removed {
                "goes"
            } else if waits(&one.uid) {
                "would go"
            } else {
                "stands"
            };
            [one.rule.clone(), one.namespace.clone(), one.name.clone(), one.person.clone(), does.to_owned()]
        };
        all.iter().map(row).collect()
    };
    let new = |all: &[domain::grants::Grant], does: &str| -> Vec<[String; 5]> {
        let row = |one: &domain::grants::Grant| {
            [one.rule.clone(), one.namespace.clone(), one.name.clone(), one.person.clone(), does.to_owned()]
        };
        all.iter().map(row).collect()
    };
    let mut rows = new(&outcome.make, "is made");
    rows.extend(held.map(|held| new(&held.make, "would be made")).unwrap_or_default());
    rows.extend(new(&outcome.taken, "another binding has this name"));
    rows.extend(standing(&outcome.keep, false));
    rows.extend(standing(&outcome.remove, true));
    rows.sort();
    rows
}

fn of_rule(policy: &str, outcome: &Outcome) -> Vec<String> {
    let rule = plain(&outcome.rule);
    let waits =
        outcome.waits.iter().map(|(why, people)| format!("{rule}: as it is for {people} people: {}.", why.words()));
    let held = outcome.held.as_ref().map(|held| {
        format!(
            "{rule}: {} people would get it and {} lose it at once, which a human is asked about. If that is right: kubectl annotate syncpolicy {policy} --overwrite {}={}",
            held.get,
            held.lose,
            names::APPROVE_GRANTS,
            held.digest
        )
    });
    waits.chain(held).collect()
}
